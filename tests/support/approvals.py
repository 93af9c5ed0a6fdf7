"""A desk with a run that saw a market, had a menu and an answer, and proposed what the rules make of it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from spy32.domain.answer_role import AnswerRole
from spy32.domain.exposure import Exposure
from spy32.domain.findings import RiskDecision
from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Decision, Proposal, Recommendation
from spy32.domain.runs import Outcome, Run
from spy32.domain.spreads import Account, Mode
from spy32.rules import conditions, limits, plan, references, sizing
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading.context import TradingContext
from tests.support import builders as b
from tests.support.trading import TradingDesk, trading_desk


def one_expiration() -> MarketSnapshot:
    """A snapshot without the neighbours of its expiration: a third of what storing it would take."""
    return b.snapshot(chain=b.chain([b.EXPIRATION]))


def a_run(
    store: Store,
    answer: Recommendation,
    *,
    snapshot: MarketSnapshot | None = None,
    at: datetime = b.NOW,
    mode: Mode = Mode.PAPER,
) -> Run:
    """A run up to its answer, not ended yet; the fixed rule takes the second candidate."""
    seen = snapshot or one_expiration()
    run = store.runs.begin(trigger=b.run().trigger, mode=mode, profile="default", at=at)
    line = b.market_line(is_recorded=seen.is_recorded, source=seen.source, as_of=seen.as_of)
    store.decisions.save_snapshot(run.id, seen, b.quality(), line, at)
    store.decisions.save_menu(run.id, b.menu(), at)
    store.decisions.save_answer(run.id, answer, role=AnswerRole.CHOSEN, at=at)
    rule = b.recommendation(
        analyst="rules", model=None, prompt=None, candidate_id=b.menu().candidates[1].id, cost_ticks=0
    )
    store.decisions.save_answer(run.id, rule, role=AnswerRole.SHADOW, at=at)
    return run


def proposed(store: Store, account: Account, *, snapshot: MarketSnapshot | None = None) -> Proposal:
    """A waiting proposal of a finished run, with every figure from the rules."""
    seen, settings = snapshot or one_expiration(), Settings()
    candidate = b.candidate()
    answer = b.recommendation(evidence=(f"menu.{candidate.id}.mid", "volatility.vix"))
    run = a_run(store, answer, snapshot=seen, mode=account.mode)
    found, halve = conditions.check_conditions(seen, candidate, settings, b.NOW)
    size = sizing.size_position(candidate, account, Exposure(), settings, halve=halve, snapshot=seen)
    ruling = RiskDecision(
        quantity=size.quantity,
        findings=(*found, *limits.check_entry(candidate, account, Exposure(), settings)),
        sizing=size,
        account=account,
        exposure=Exposure(),
        at=b.NOW,
    )
    store.decisions.save_ruling(run.id, ruling, b.NOW)
    made = plan.build_proposal(candidate, ruling, seen, settings, run=run, chosen_by="grok")
    body = b.order_body(made, made.limit_price, references.draft_reference(run.id))
    kept = store.proposals.add(made, body=body, at=b.NOW)
    store.runs.finish(run.id, outcome=Outcome.PROPOSED, at=b.NOW)
    return kept


def abstained(store: Store, *, cause: str = "abstained", snapshot: MarketSnapshot | None = None) -> Run:
    """A finished run whose analyst would not trade."""
    run = a_run(store, b.recommendation(decision=Decision.ABSTAIN, reason="too thin"), snapshot=snapshot)
    return store.runs.finish(run.id, outcome=Outcome.NO_TRADE, cause=cause, reasons=("grok: too thin",), at=b.NOW)


class ApprovalDesk:
    """A trading desk, and the proposal that waits at it."""

    def __init__(self, folder: Path, mode: Mode = Mode.PAPER) -> None:
        self.trading_desk: TradingDesk = trading_desk(folder)
        if mode is not Mode.PAPER:
            self.trading_desk.store.close()
            self.trading_desk.store = Store.open(folder / f"{mode}.db", mode=mode, account=b.ACCOUNT, at=b.NOW)
        self.trading_desk.settings = Settings(mode=mode)
        self.trading_desk.account.account = b.account(mode=mode)

    @property
    def trading_context(self) -> TradingContext:
        return self.trading_desk.trading_context

    @property
    def store(self) -> Store:
        return self.trading_desk.store

    def proposed(self) -> Proposal:
        return proposed(self.store, self.trading_desk.account.account)

    def moved(self, *, points: float = 0.0, cents: float = 0.0) -> None:
        """The market's spot moves, and the put that was sold is worth `cents` more."""
        chain = b.chain()
        quotes = tuple(
            replace(quote, bid=round(quote.bid + cents / 100, 2), ask=round(quote.ask + cents / 100, 2))
            if quote.symbol == b.spread().short.symbol and quote.bid is not None and quote.ask is not None
            else quote
            for quote in chain.quotes
        )
        self.trading_desk.market.chain_now = replace(chain, spot=chain.spot + points, quotes=quotes)
