"""Views of runs at every stage, without a store."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from spy32.domain.answer_role import AnswerRole
from spy32.domain.briefing import Briefing
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Dividend
from spy32.domain.model_calls import UsageSummary
from spy32.domain.orders import Trade
from spy32.domain.proposals import Citation, Decision, NumberCheck, Proposal, Recommendation
from spy32.domain.run_view import RunView
from spy32.domain.runs import Outcome
from spy32.lifecycle import OrderState, ProposalState, TradeState
from tests.support import builders as b


def seen(**over: Any) -> RunView:
    """A run that saw a market, had a menu and an answer, and was judged."""
    base: dict[str, Any] = {
        "run": b.run(outcome=Outcome.PROPOSED, ended_at=b.later(minutes=1), steps=(b.step(), b.step("screen"))),
        "market": b.market_line(),
        "quality": b.quality(),
        "menu": b.menu(),
        "recommendation": b.recommendation(),
        "shadows": (b.recommendation(analyst="rules", model=None, prompt=None),),
        "ruling": b.ruling(),
    }
    return RunView(**{**base, **over})


def proposal(**over: Any) -> Proposal:
    return b.proposal(**{"id": 31, "account": "5WX01234", **over})


def proposed(**over: Any) -> RunView:
    made = over.pop("proposal", None) or proposal()
    return seen(proposal=made, body=b.order_body(made, made.limit_price, "ref"), **over)


def approved(**over: Any) -> RunView:
    made = proposal(state=ProposalState.APPROVED)
    return proposed(proposal=made, approval=b.approval(made, id=1, note="looks fine"), **over)


def sent(state: OrderState = OrderState.WORKING) -> RunView:
    made = proposal(state=ProposalState.SENT)
    yes = b.approval(made, id=1)
    order = b.stored_order(made, yes, id=7, state=state, broker_id="B-1", broker_status="Live")
    return proposed(proposal=made, approval=yes, orders=(order,))


def trade(**over: Any) -> Trade:
    base: dict[str, Any] = {
        "id": 5,
        "proposal_id": 31,
        "run_id": 1,
        "mode": b.proposal().mode,
        "state": TradeState.OPEN,
        "legs": b.spread().legs,
        "quantity": 2,
        "credit": Decimal("0.58"),
        "fees": Decimal("4.52"),
        "opening_fees": Decimal("4.52"),
        "max_loss": Decimal("888.52"),
        "opened_at": b.later(minutes=7),
        "assumption": "filled whole: the limit gave up a quarter of the half-spread",
    }
    return Trade(**{**base, **over})


def filled() -> RunView:
    made = proposal(state=ProposalState.DONE)
    yes = b.approval(made, id=1)
    order = b.stored_order(made, yes, id=7, state=OrderState.FILLED, broker_id="B-1", filled=2)
    return proposed(proposal=made, approval=yes, orders=(order,), fills=b.fills(), trade=trade())


def closed() -> RunView:
    over = {
        "state": TradeState.CLOSED,
        "closed_at": b.later(days=3),
        "debit": Decimal("0.30"),
        "result": Decimal("-5.04"),
    }
    return replace(filled(), trade=trade(**over))


def ended(outcome: Outcome | None, cause: str | None = None, *reasons: str, **over: Any) -> RunView:
    """A run that ended without a proposal."""
    run = b.run(outcome=outcome, cause=cause, reasons=reasons, exit_code=65 if outcome is Outcome.FAILED else 0)
    return RunView(run=run, **over)


def abstained() -> RunView:
    said = b.recommendation(decision=Decision.ABSTAIN, reason="too thin")
    return replace(ended(Outcome.NO_TRADE, "abstained", "grok: too thin"), recommendation=said, menu=b.menu())


# Decided by a model.


def briefing() -> Briefing:
    """Figures of every kind: prices, shares, plain numbers, a missing one."""
    told = {
        "spot": (670.0, "dollars"), "atm_iv": (0.1543, "fraction"), "iv_rank": (0.32, "fraction"),
        "rv_20d": (0.1132, "fraction"), "vix": (16.5, "percent points"), "vix_over_vix3m": (0.91, "ratio"),
        "expected_move": (32.4, "dollars"), "low_20d": (651.25, "dollars"), "high_20d": (672.1, "dollars"),
        "bollinger_low": (648.9, "dollars"), "bollinger_high": (675.4, "dollars"), "rsi_14": (61.37, "points"),
        "momentum_20d": (0.021, "fraction"), "return_1d": (-0.004, "fraction"), "sma_50": (655.0, "dollars"),
        "volume_ratio_20d": (1.24, "ratio"),
    }  # fmt: skip
    figures = {f"market.{name}": b.datum(value, unit=unit) for name, (value, unit) in told.items()}
    figures["market.low_180d"] = b.datum(None, missing="90 closes, 180 are needed")
    figures["related.QQQ"] = b.datum(0.0062, unit="fraction")
    return Briefing(
        underlying="SPY",
        as_of=b.NOW,
        target=b.EXPIRATION,
        dte=32,
        figures=figures,
        events=(ScheduledEvent(kind=EventKind.FOMC, day=date(2025, 10, 29), time="14:00", source="table"),),
        unknown_events={"jobs": "unknown after 2025-10-31"},
        dividends=(Dividend(ex_date=date(2025, 10, 20), amount=Decimal("1.83")),),
        flags=("quotes are 15 min late",),
    )


def word(**over: Any) -> Recommendation:
    """What Grok said of the menu, with everything that was checked of it."""
    base: dict[str, Any] = {
        "bull_case": "Breadth is fine.",
        "bear_case": "A gap below 640 would hurt.",
        "analysis": "The short strike stands below the 20-day low.\nThe trend is up.",
        "market_bias": "bullish",
        "would_change_my_mind": "VIX above 25.",
        "evidence": ("market.rsi_14", "menu.P6405.short_delta"),
        "cited": (
            Citation(path="market.rsi_14", value="61.37", unit="points", note="12 min, daily bars, n=260"),
            Citation(path="menu.P6405.short_delta", value="0.192"),
        ),
        "data_problems": ("market.low_180d",),
        "numbers": NumberCheck(matched=4, unmatched=("181.30", "42 %")),
        "marks": ("2 of its numbers match nothing that was sent",),
        "votes": {"P6405": 3, "abstain": 1, "failed": 1},
        "model": "grok-4.3-0401",
        "model_asked": "grok-4.3",
        "prompt": "v1-comprehensive",
        "cost_ticks": 241_500_000,
    }
    return b.recommendation(**{**base, **over})


def tally(**over: Any) -> UsageSummary:
    base: dict[str, Any] = {
        "role": AnswerRole.CHOSEN, "prompt": "v1-comprehensive", "attempts": 2, "unanswered": 0, "ms": 17_200,
        "input_tokens": 6_100, "cached_tokens": 1_000, "output_tokens": 900, "reasoning_tokens": 600,
        "cost_ticks": 241_500_000, "is_estimate": False, "asked": ("grok-4.3",), "answered": ("grok-4.3-0401",),
    }  # fmt: skip
    return UsageSummary(**{**base, **over})


def shadows() -> tuple[Recommendation, ...]:
    """The fixed rule takes another one, the trend rule the same, the other prompt nothing."""
    other = b.menu().candidates[1].id
    plain: dict[str, Any] = {"model": None, "prompt": None, "probability": None, "cost_ticks": 0}
    return (
        b.recommendation(analyst="rules", candidate_id=other, reason="nearest 0.20", **plain),
        b.recommendation(analyst="trend", reason="the trend is up", **plain),
        b.recommendation(decision=Decision.ABSTAIN, prompt="v1-simplified", reason="no edge"),
    )


DECIDED_BY = {
    "choice": {"open_interest": 100},
    "drift": {"underlying": 0.0075, "credit": 0.15, "short_delta": 0.33},
    "conditions": {"vix_warn": 25.0, "vix_halve": 30.0, "vix_none": 40.0},
    "execution": {"no_entry_after": "15:45"},
}


def asked(**over: Any) -> RunView:
    """A proposed run that Grok chose for."""
    base: dict[str, Any] = {
        "recommendation": word(),
        "shadows": shadows(),
        "briefing": briefing(),
        "attempts_summary": (tally(), tally(role=AnswerRole.SHADOW, prompt="v1-simplified", cost_ticks=50_000_000)),
        "decided_by": DECIDED_BY,
    }
    return proposed(**{**base, **over})


def no_trade(outcome: Outcome, cause: str, recommendation: Recommendation) -> RunView:
    """The same without a proposal."""
    run = b.run(outcome=outcome, cause=cause, reasons=(recommendation.reason,))
    return replace(asked(recommendation=recommendation), run=run, proposal=None, body="", ruling=None)


GROK = {
    "grok proposed": asked(),
    "grok abstained": no_trade(
        Outcome.NO_TRADE,
        "abstained",
        word(decision=Decision.ABSTAIN, reason="no edge: the premium is thin", probability=None, votes={}),
    ),
    "grok vetoed": no_trade(
        Outcome.NO_TRADE, "vetoed", word(vetoes=("it states a probability of 0.99, the market's is 0.81",))
    ),
    "grok failed": no_trade(
        Outcome.FAILED,
        "analyst_failed",
        b.recommendation(
            decision=Decision.FAILED, reason="the answer stands in a fence", failure="fence", probability=None,
            analysis="", evidence=(), model="grok-4.3", model_asked="grok-4.3",
        ),
    ),
}  # fmt: skip

EVERY = {
    "skipped": ended(Outcome.SKIPPED, "holiday", "closed"),
    "failed": ended(Outcome.FAILED, "data", "no quotes", quality=b.quality()),
    "interrupted": ended(Outcome.INTERRUPTED),
    "unfinished": RunView(run=b.run(step_running="consult")),
    "abstained": abstained(),
    "vetoed": seen(run=b.run(outcome=Outcome.NO_TRADE, cause="vetoed", reasons=("it moved", "too wide"))),
    "proposed": proposed(),
    "approved": approved(),
    "sent": sent(),
    "unknown": sent(OrderState.UNKNOWN),
    "filled": filled(),
    "closed": closed(),
    **GROK,
}
