"""A fill beyond the approved price: recorded as it is, said loudly, and its exits counted from the real credit."""

from decimal import Decimal

import pytest

from spy32.domain.orders import Fill
from spy32.domain.proposals import ProposalKind
from spy32.errors import Unresolved
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.ops.status import StatusContext, load_status
from spy32.settings import Settings
from spy32.trading.execute import execute
from spy32.trading.reconcile import cancel_proposal, reconcile
from tests.support import builders
from tests.support.open_trades import held
from tests.support.stores import profit_targets
from tests.support.trading import TradingDesk

D, P = Decimal, ProposalState
WORSE = "T1 was opened at 0.10 a share, below the approved floor of 0.55: it may lose $984.52, and $894.52 was approved"
EXITS = "by the real credit its profit target is 0.05 and its stop 0.30"


def approved(desk: TradingDesk, **over: object) -> int:
    """Sell 2 at 0.58 down to 0.55, target 0.29, which rests."""
    given = {"exit": builders.exit_plan(rests_target=True), **over}
    return desk.approved(**given)


def attention(desk: TradingDesk) -> list[str]:
    """What `status --check` ends 20 with."""
    scene = StatusContext(
        settings=Settings(),
        locks=desk.locks,
        home="",
        database="",
        halted=None,
        now=desk.clock(),
        set_up_at=builders.NOW,
    )
    return [
        reason for reason in load_status(scene, desk.store).attention if reason.startswith(("T", "the profit target"))
    ]


def filled(desk: TradingDesk, slips: str = "0.48", quantity: int | None = None) -> int:
    """An entry at 0.58 that the broker has filled at 0.10, wholly by default; its target rests once it is found."""
    proposal = approved(desk)
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.slips = D(slips)
    desk.orders.fill("480001", quantity)
    return proposal


def slipped(desk: TradingDesk) -> int:
    proposal = filled(desk)
    with pytest.raises(Unresolved) as caught:
        execute(desk.trading_context, proposal)
    assert caught.value.code == 11
    assert caught.value.message.startswith(f"LOOK AT THIS: {WORSE}; {EXITS}")
    return proposal


def test_a_fill_below_the_floor_while_execute_watches_ends_11(desk: TradingDesk) -> None:
    proposal = approved(desk, exit=builders.exit_plan())
    desk.orders.fills_at, desk.orders.slips = D(9), D("0.48")
    with pytest.raises(Unresolved, match=r"below the approved floor") as caught:
        execute(desk.trading_context, proposal)
    assert (caught.value.code, desk.state(proposal)) == (11, P.DONE)


def test_a_fill_below_the_floor_is_recorded_as_it_is_and_said_loudly(desk: TradingDesk) -> None:
    proposal = slipped(desk)
    assert desk.state(proposal) is P.DONE
    trade = desk.store.trades.get(1)
    assert (trade.credit, trade.max_loss, trade.state) == (D("0.10"), D("984.52"), TradeState.OPEN)
    assert attention(desk) == [f"{WORSE}; {EXITS}"]
    assert desk.store.audit.verify().broken is None


def test_its_exits_follow_the_real_credit(desk: TradingDesk) -> None:
    proposal = slipped(desk)
    exits = desk.store.trades.get(1).exits
    assert exits is not None
    assert (exits.profit_target, exits.stop) == (D("0.05"), D("0.30"))
    approved_plan = desk.store.proposals.get(proposal).exit
    assert (exits.time_exit, exits.last_exit) == (approved_plan.time_exit, approved_plan.last_exit)
    assert "close at 0.05 or less (50% of the credit kept)" in exits.note
    assert "alarm when closing costs 0.30 or more" in exits.note
    # 0.29, the approved target, would have been a loss.
    (resting,) = profit_targets(desk.store, proposal)
    assert (resting.state, resting.limit) == (OrderState.WORKING, D("-0.05"))


def test_it_stays_until_a_person_has_looked(desk: TradingDesk) -> None:
    proposal = slipped(desk)
    with pytest.raises(Unresolved, match=r"spy32 status --ack T1"):
        execute(desk.trading_context, proposal)
    assert desk.store.attention.acknowledge("T1", "anna", desk.clock()) == 1
    assert attention(desk) == []
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.orders.requests.count("submit") == 2  # the entry and its target


@pytest.mark.parametrize("slips", ["0", "0.03"])
def test_a_fill_at_the_floor_or_above_is_nothing_to_look_at(desk: TradingDesk, slips: str) -> None:
    proposal = filled(desk, slips)
    execute(desk.trading_context, proposal)
    assert (attention(desk), desk.store.trades.get(1).exits) == ([], None)
    assert profit_targets(desk.store, proposal)[0].limit == D("-0.29")


def test_a_cent_below_the_floor_is_below_it(desk: TradingDesk) -> None:
    proposal = filled(desk, "0.04")
    with pytest.raises(Unresolved, match=r"opened at 0\.54 a share, below the approved floor of 0\.55"):
        execute(desk.trading_context, proposal)


def test_averages_to_four_decimals_are_not_below_the_floor(desk: TradingDesk) -> None:
    proposal = filled(desk, "0.0302")
    assert execute(desk.trading_context, proposal).state is P.DONE


def test_reconcile_that_finds_it_ends_11(desk: TradingDesk) -> None:
    proposal = filled(desk)
    found = reconcile(lambda number: desk.trading_context)
    assert found.worst_error is not None and found.worst_error.code == 11
    assert WORSE in found.worst_error.message
    assert desk.state(proposal) is P.DONE
    assert attention(desk) == [f"{WORSE}; {EXITS}"]
    # Nothing is in flight any more: the item stays, and the next one has nothing to settle.
    assert reconcile(lambda number: desk.trading_context).worst_error is None


def test_a_cancel_that_comes_too_late_for_it_ends_11(desk: TradingDesk) -> None:
    proposal = filled(desk, quantity=1)
    with pytest.raises(Unresolved, match=r"below the approved floor of 0\.55"):
        cancel_proposal(desk.trading_context, proposal)
    assert desk.state(proposal) is P.DONE
    assert desk.order_states(proposal)[0] is OrderState.CANCELLED


def test_the_item_tells_of_everything_that_was_filled(desk: TradingDesk) -> None:
    proposal = filled(desk, quantity=1)
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert desk.store.trades.get(1).quantity == 1
    assert ["$492.26" in reason for reason in attention(desk)] == [True]


def test_one_leg_ahead_of_the_other_is_no_price_yet(desk: TradingDesk) -> None:
    proposal = approved(desk)
    execute(desk.trading_context, proposal, wait=False)
    short, long = builders.spread().legs
    at = desk.clock()
    fills = [
        Fill(fill_id="1", symbol=short.symbol, action=short.action, quantity=1, price=D("2.00"), at=at),
        Fill(fill_id="2", symbol=short.symbol, action=short.action, quantity=1, price=D("2.20"), at=at),
        Fill(fill_id="3", symbol=long.symbol, action=long.action, quantity=1, price=D("1.60"), at=at),
    ]
    desk.store.trades.record_fills(1, fills, fees=None, at=at)
    assert attention(desk) == []
    last = Fill(fill_id="4", symbol=long.symbol, action=long.action, quantity=1, price=D("1.50"), at=at)
    desk.store.trades.record_fills(1, [last], fees=None, at=at)
    assert attention(desk) == []  # 2.10 less 1.55 is the floor


def test_a_closing_above_its_ceiling_is_said_too(desk: TradingDesk) -> None:
    entry = approved(desk, exit=builders.exit_plan(rests_target=False))
    desk.orders.fills_at = D(9)
    execute(desk.trading_context, entry)
    plan = builders.price_plan(start=D("-0.58"), limit=D("-0.62"))
    closing = desk.proposed(
        kind=ProposalKind.CLOSE, legs=builders.close_proposal(1).legs, plan=plan, trade_id=1, candidate_id=None
    )
    mid = builders.candidate().mid
    desk.store.proposals.approve(builders.approval(closing, mid=-mid, natural=-mid - D("0.04")))
    desk.orders.slips = D("0.32")
    held(desk, short=-2, long=2)
    with pytest.raises(Unresolved, match=r"T1 was closed at 0\.90 a share, above the approved ceiling of 0\.62"):
        execute(desk.trading_context, closing.id)
    trade = desk.store.trades.get(1)
    assert (trade.state, trade.debit, trade.exits) == (TradeState.CLOSED, D("0.90"), None)
    assert len(attention(desk)) == 1


def test_a_target_filled_above_its_limit_is_said_too(desk: TradingDesk) -> None:
    proposal = filled(desk, "0")
    execute(desk.trading_context, proposal)
    (resting,) = profit_targets(desk.store, proposal)
    desk.orders.slips = D("0.10")
    desk.orders.fill(str(resting.broker_id))
    found = reconcile(lambda number: desk.trading_context)
    assert found.worst_error is not None and found.worst_error.code == 11
    assert "the profit target of T1 was filled at 0.39 a share, above its limit of 0.29" in found.worst_error.message
    assert len(attention(desk)) == 1
