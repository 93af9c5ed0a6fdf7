"""Stores of the builders' world at each stage of a trade's life."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from spy32.domain.answer_role import AnswerRole
from spy32.domain.model_calls import ModelRequest, ModelResponse
from spy32.domain.orders import Order, OrderKind, Trade
from spy32.domain.proposals import Approval, Proposal
from spy32.domain.runs import Run, Trigger
from spy32.domain.spreads import MULTIPLIER, Mode
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.sessions import market_date
from spy32.store import Store
from tests.support import builders
from tests.support.builders import ACCOUNT, NOW, later
from tests.support.paths import DATA

FEES = Decimal("4.52")
V1 = DATA / "store" / "paper-v1.db.gz"
"""A database that the first release wrote."""


def opened(path: Path, **over: Any) -> Store:
    """The paper store at `path`, made when it is not there."""
    return Store.open(path, **{"mode": Mode.PAPER, "account": ACCOUNT, "at": NOW, **over})


def begun(store: Store, **over: Any) -> Run:
    base: dict[str, Any] = {"trigger": Trigger.MANUAL, "mode": Mode.PAPER, "profile": "default", "at": NOW}
    return store.runs.begin(**{**base, **over})


def whole_run(store: Store) -> Run:
    """A run that kept everything a run may keep, still without an end."""
    run = begun(store, slot=builders.TODAY)
    store.runs.start_step(run.id, "collect", NOW)
    store.decisions.save_snapshot(run.id, builders.snapshot(), builders.quality(), builders.market_line(), NOW)
    store.runs.end_step(run.id, builders.step(), later(1))
    store.decisions.save_menu(run.id, builders.menu(), NOW)
    store.decisions.save_answer(
        run.id, builders.recommendation(), role=AnswerRole.CHOSEN, at=NOW, request="asked", response="said"
    )
    store.decisions.save_answer(
        run.id, builders.recommendation(analyst="rules", model=None), role=AnswerRole.SHADOW, at=NOW
    )
    store.decisions.save_ruling(run.id, builders.ruling(), NOW)
    return run


def asking(**over: Any) -> ModelRequest:
    """A first request of the analyst that counts."""
    base: dict[str, Any] = {
        "role": AnswerRole.CHOSEN,
        "sample": 1,
        "attempt": 1,
        "prompt": "v1-comprehensive",
        "prompt_hash": "a1" * 32,
        "input_hash": "b2" * 32,
        "model": "grok-4.3",
        "effort": "high",
        "request": '{"model": "grok-4.3"}',
        "estimate_ticks": 300_000_000,
    }
    return ModelRequest(**{**base, **over})


def heard(**over: Any) -> ModelResponse:
    """The answer to it, with the bill."""
    base: dict[str, Any] = {
        "outcome": "answered",
        "status": 200,
        "response": '{"output": []}',
        "text": "{}",
        "model": "grok-4.3-0401",
        "fingerprint": "fp_1",
        "request_id": "req-1",
        "ms": 8_400,
        "input_tokens": 6_100,
        "cached_tokens": 1_000,
        "output_tokens": 900,
        "reasoning_tokens": 600,
        "cost_ticks": 241_500_000,
    }
    return ModelResponse(**{**base, **over})


def asked(store: Store, run_id: int, said: ModelResponse | None = None, **over: Any) -> int:
    """An attempt of the run that has ended."""
    number = store.model_calls.begin(run_id, asking(**over), NOW)
    store.model_calls.end(number, said or heard(), later(9))
    return number


def proposed(store: Store, **over: Any) -> Proposal:
    run_id = over.pop("run_id", None) or begun(store).id
    return store.proposals.add(builders.proposal_terms(run_id=run_id, **over), body="{}", at=NOW)


def approved(store: Store, made: Proposal | None = None, **over: Any) -> tuple[Proposal, Approval]:
    made = made or proposed(store, **over)
    return made, store.proposals.approve(builders.approval(made))


def sent(store: Store, made: Proposal | None = None, **over: Any) -> tuple[Proposal, Approval, Order]:
    """A proposal whose first order works at the broker."""
    made, yes = approved(store, made, **over)
    order = store.orders.begin(builders.order(made, yes), at=later(minutes=6))
    return made, yes, working(store, order)


def working(store: Store, order: Order) -> Order:
    return store.orders.move(
        order.id,
        was=OrderState.SUBMITTING,
        now=OrderState.WORKING,
        at=later(minutes=6),
        broker=builders.broker_order(order),
    )


def profit_targets(store: Store, proposal_id: int) -> tuple[Order, ...]:
    return tuple(row for row in store.orders.select_by_proposal(proposal_id) if row.kind is OrderKind.TARGET)


def filled(store: Store, quantity: int = 2, **over: Any) -> tuple[Proposal, Trade]:
    """A proposal that is done, and its open trade."""
    made, _, order = sent(store, **over)
    trade = store.trades.record_fills(order.id, builders.fills(quantity=quantity), fees=FEES, at=later(minutes=7))
    assert trade is not None
    store.orders.move(order.id, was=OrderState.WORKING, now=OrderState.FILLED, at=later(minutes=7))
    store.proposals.finish(made.id, now=ProposalState.DONE, at=later(minutes=8))
    return made, trade


def closing(store: Store, trade: Trade, **over: Any) -> tuple[Proposal, Order]:
    """A closing of a trade whose order works at the broker."""
    made = store.proposals.add(
        builders.close_proposal(trade.id, run_id=trade.run_id, **over), body="{}", at=later(minutes=10)
    )
    yes = store.proposals.approve(builders.approval(made, at=later(minutes=11)))
    order = builders.order(made, yes, created_at=later(minutes=12))
    assert order.kind is OrderKind.EXIT
    return made, working(store, store.orders.begin(order, at=later(minutes=12)))


def move_trade(store: Store, trade_id: int, *, now: TradeState, at: datetime, result: Decimal | None = None) -> Trade:
    """The trade in another state, as the broker's transactions would leave it; an expired one keeps its premium."""
    trade = store.trades.get(trade_id)
    columns: dict[str, object] = {"state": now, "changed_at": at}
    if now in (TradeState.CLOSED, TradeState.EXPIRED):
        columns |= {"closed_at": at, "closed_day": market_date(at)}
    if now is TradeState.EXPIRED:
        result = trade.credit * MULTIPLIER * trade.quantity - trade.fees
    if result is not None:
        columns["result_e4"] = result
    with store.core.write_transaction(at, f"trade {now}", f"T{trade_id}") as change:
        change.update("trade", trade_id, **columns)
    return store.trades.get(trade_id)


def audit_events(store: Store) -> list[Any]:
    """The events of the history, oldest first; their columns are attributes."""
    return [SimpleNamespace(**row) for row in map(dict, store.core.rows("select * from event order by id"))]
