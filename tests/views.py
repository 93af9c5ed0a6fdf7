"""Views of runs at every stage, without a store."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from spy32.domain.acting import Trade
from spy32.domain.deciding import Decision, Proposal
from spy32.domain.running import Outcome
from spy32.domain.views import RunView
from spy32.lifecycle import OrderState, ProposalState, TradeState
from tests import builders as b


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
    order = b.order(made, yes, id=7, state=state, broker_id="B-1", broker_status="Live")
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
        "max_loss": Decimal("888.52"),
        "opened_at": b.later(minutes=7),
        "assumption": "filled whole: the limit gave up a quarter of the half-spread",
    }
    return Trade(**{**base, **over})


def filled() -> RunView:
    made = proposal(state=ProposalState.DONE)
    yes = b.approval(made, id=1)
    order = b.order(made, yes, id=7, state=OrderState.FILLED, broker_id="B-1", filled=2)
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
    word = b.recommendation(decision=Decision.ABSTAIN, reason="too thin")
    return replace(ended(Outcome.NO_TRADE, "abstained", "grok: too thin"), recommendation=word, menu=b.menu())


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
}
