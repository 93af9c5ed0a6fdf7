"""Desks after a fill: a trade that is open, in paper or live mode, with or without a target left at the broker."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from spy32.domain.orders import Order, Trade
from spy32.domain.runs import Trigger
from spy32.domain.spreads import Action, Mode, Position
from spy32.domain.transactions import Transaction, TransactionKind
from spy32.lifecycle import OrderState, ProposalState
from spy32.store import Store
from spy32.trading import order_state
from spy32.trading.profit_target import place_target
from tests.support import builders
from tests.support.fakes import TIMED_OUT, FakeMarket, FakeOrders, ManualClock
from tests.support.trading import TradingDesk

D = Decimal
SHORT, LONG = (leg.symbol for leg in builders.spread().legs)
TARGET = D("0.29")
EXPIRED = builders.later(days=32)


def live_desk(folder: Path, mode: Mode = Mode.LIVE) -> TradingDesk:
    """A desk of this mode with an empty book."""
    clock = ManualClock()
    store = Store.open(folder / f"{mode}.db", mode=mode, account=builders.ACCOUNT, at=builders.NOW)
    return TradingDesk(store=store, clock=clock, market=FakeMarket(), orders=FakeOrders(clock=clock))


def entered(desk: TradingDesk, *, rests: bool = True, quantity: int = 2, filled: int | None = None) -> Trade:
    """The open trade of an opening whose order filled, wholly by default, at 0.58 and with fees of 2.26 a spread."""
    store, mode = desk.store, desk.store.core.mode
    run = store.runs.begin(trigger=Trigger.MANUAL, mode=mode, profile="default", at=builders.NOW)
    made = builders.proposal(
        run_id=run.id, mode=mode, quantity=quantity, exit=builders.exit_plan(rests_target=rests, profit_target=TARGET)
    )
    made = store.proposals.add(made, body="{}", at=builders.NOW)
    yes = store.proposals.approve(builders.approval(made))
    desk.clock.at = builders.later(minutes=6)
    reference = f"spy32-P{made.id}-A{yes.id}-abcdef-1"
    order = store.orders.begin(builders.order(made, yes, reference=reference), at=desk.clock())
    order = order_state.send_order(desk.trading_context, order, lambda: desk.orders.submit(order.body))
    desk.orders.fill(str(order.broker_id), filled)
    order = order_state.refresh_order(desk.trading_context, order)
    if filled is not None:
        order_state.cancel_order(desk.trading_context, order)
    order_state.conclude_proposal(desk.trading_context, made.id)
    assert desk.state(made.id) is ProposalState.DONE
    trade = store.trades.find_by_proposal(made.id)
    assert trade is not None
    return trade


def number(noun: Trade | Order) -> int:
    return noun.id


def held(desk: TradingDesk, **counts: int) -> None:
    """What the broker shows: `short=-2, long=2, SPY=100`, and any other symbol by `other=...`."""
    names = {"short": SHORT, "long": LONG}
    positions = tuple(Position(symbol=names.get(name, name), quantity=count) for name, count in counts.items() if count)
    desk.account.account = replace(desk.account.account, positions=positions)


def line(number_: int, symbol: str, kind: TransactionKind, **over: object) -> Transaction:
    """A line of the broker's history, on the day of expiration, about two contracts, without cash."""
    base: dict[str, object] = {
        "id": str(number_),
        "kind": kind,
        "at": EXPIRED,
        "symbol": symbol,
        "quantity": D(2),
        **over,
    }
    return Transaction(**base)  # type: ignore[arg-type]


def bought_back(desk: TradingDesk, count: int = 2, *, at_debit: str = "0.30") -> None:
    """The person closed so many spreads in the broker's app."""
    price = D("2.00") + D(at_debit)
    own = {"quantity": D(count), "at": builders.later(days=3), "fees": D("0.13") * count, "order_id": "900001"}
    cash = price * 100 * count
    desk.account.history += (
        line(
            11, SHORT, TransactionKind.TRADE, action=Action.BUY_TO_CLOSE, price=price, **own,
            net_value=-cash - D("0.13") * count,
        ),
        line(
            12, LONG, TransactionKind.TRADE, action=Action.SELL_TO_CLOSE, price=D("2.00"), **own,
            net_value=D(200) * count - D("0.13") * count,
        ),
    )  # fmt: skip


def late_target(desk: TradingDesk, trade: Trade) -> Order:
    """The profit target of a trade that our book has as absent, and that the broker shows after all."""
    desk.orders.faults = [("before", TIMED_OUT)]
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    if target.state is OrderState.UNKNOWN:
        desk.store.orders.move(number(target), was=OrderState.UNKNOWN, now=OrderState.ABSENT, at=desk.clock())
    desk.orders.submit(target.body)
    return target
