"""What ends by itself is settled by the broker's history: fakes for each rule, the local broker for whole lives."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.market import DailyBar
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason, ProposalKind
from spy32.domain.spreads import Action, Mode
from spy32.domain.transactions import Adoption, TransactionKind
from spy32.errors import Unavailable
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.trading.manage import manage
from spy32.trading.profit_target import place_target
from spy32.trading.reconcile import SettledTrades, adopt_trades, reconcile, settle_ended
from tests.contract.test_broker import paper
from tests.support import builders
from tests.support.broker_desk import AFTER_EXPIRATION, BrokerDesk, broker_desk
from tests.support.open_trades import LONG, SHORT, D, bought_back, entered, held, line, live_desk
from tests.support.stores import audit_events
from tests.support.trading import TradingDesk, trading_desk

ASSIGNMENT, EXERCISE, OVER = TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE, TransactionKind.EXPIRATION
MORNING = builders.later(days=33)
CREDIT = D("116.00")
"""Of two spreads at 0.58."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path)
    yield made
    made.store.close()


def settle(desk: TradingDesk, at: datetime = AFTER_EXPIRATION, **over: Any) -> SettledTrades:
    desk.clock.at = at
    return settle_ended(desk.trading_context, **over)


def only_warning(found: SettledTrades) -> str:
    ((message,),) = found.warnings.values()
    return message


def events_of(desk: TradingDesk) -> int:
    return len(tuple(audit_events(desk.store)))


# When the broker is asked.


def test_while_nothing_can_have_ended_no_broker_is_asked(desk: TradingDesk) -> None:
    entered(desk)
    desk.account.positions = desk.account.transactions = None  # type: ignore[assignment, method-assign]
    assert settle(desk, builders.later(days=32)) == SettledTrades()


def test_where_all_is_still_there_no_history_is_read(desk: TradingDesk) -> None:
    entered(desk)
    held(desk, short=-2, long=2)
    desk.account.transactions = None  # type: ignore[assignment, method-assign]
    assert settle(desk, builders.later(days=5), reads_positions=True) == SettledTrades()


# What is adopted without asking.


def test_an_expired_trade_is_adopted_with_every_line_on_record(desk: TradingDesk) -> None:
    entered(desk)
    desk.account.history = (line(1, SHORT, OVER), line(2, LONG, OVER))
    found = settle(desk)
    (trade,) = found.trades
    assert (trade.state, trade.exit_reason, trade.result) == (
        TradeState.EXPIRED,
        ExitReason.EXPIRED,
        CREDIT - trade.fees,
    )
    assert found.warnings == {}
    (adoption,) = desk.store.adoptions.select(trade.id)
    assert adoption.transactions == desk.account.history


def cash_settled(desk: TradingDesk, *, net: str = "-405.00", fees: str = "5.00") -> None:
    desk.account.history = (line(1, SHORT, ASSIGNMENT, net_value=D(net), fees=D(fees)), line(2, LONG, OVER))


def test_a_cash_settlement_ends_the_trade_with_the_money_it_moved(desk: TradingDesk) -> None:
    entered(desk)
    cash_settled(desk)
    (trade,) = settle(desk).trades
    assert (trade.state, trade.exit_reason) == (TradeState.CLOSED, ExitReason.CASH_SETTLED)
    assert trade.result == CREDIT - 400 - trade.fees
    assert trade.fees == D("4.52") + 5


def test_a_dated_session_before_a_closed_day_ends_the_trade(desk: TradingDesk) -> None:
    """Good Friday 2026 is 3 April: options dated on it stop trading on Thursday."""
    trade = entered(desk)
    thursday = datetime.fromisoformat("2026-04-02T20:15:00+00:00")
    dated = "update trade set body = replace(body, '2025-11-07', '2026-04-03') where id = ?"
    desk.store.core.db.execute(dated, (trade.id,))
    assert desk.store.trades.select_expired(thursday.replace(minute=14)) == ()
    assert [each.id for each in desk.store.trades.select_expired(thursday)] == [trade.id]


def test_options_that_settle_at_the_open_have_ended_with_the_session_before(desk: TradingDesk) -> None:
    """The RUT options of Friday 2026-01-16 stop trading on Thursday."""
    trade = entered(desk)
    thursday = datetime.fromisoformat("2026-01-15T21:15:00+00:00")
    renamed = (
        """update trade set body = replace(replace(body, '2025-11-07', '2026-01-16'), '"SPY"', '"RUT"') where id = ?"""
    )
    desk.store.core.db.execute(renamed, (trade.id,))
    assert desk.store.trades.get(trade.id).legs[0].root == "RUT"
    assert desk.store.trades.select_expired(thursday.replace(minute=14)) == ()
    assert [each.id for each in desk.store.trades.select_expired(thursday)] == [trade.id]


@pytest.mark.parametrize(
    "lines",
    [
        (line(1, SHORT, OVER),),
        (line(1, SHORT, OVER), line(2, LONG, OVER, quantity=D(1))),
        (line(1, SHORT, ASSIGNMENT), line(2, LONG, OVER)),
        (line(1, SHORT, ASSIGNMENT), line(2, LONG, EXERCISE)),
        (line(1, SHORT, TransactionKind.TRADE, action=Action.BUY_TO_CLOSE), line(2, LONG, OVER)),
    ],
    ids=["one leg", "a part", "no shares", "no shares of both", "bought back"],
)
def test_what_the_history_does_not_wholly_explain_is_left_and_told(desk: TradingDesk, lines: Any) -> None:
    trade = entered(desk)
    desk.account.history = lines
    found = settle(desk)
    assert found.trades == ()
    assert desk.store.trades.get(trade.id) == trade
    assert only_warning(found).startswith("T1: ")


def test_settling_again_changes_nothing(desk: TradingDesk) -> None:
    entered(desk)
    desk.account.history = (line(1, SHORT, OVER), line(2, LONG, OVER))
    settle(desk)
    count = events_of(desk)
    assert settle(desk, reads_positions=True) == SettledTrades()
    assert events_of(desk) == count


def test_of_two_trades_one_is_settled_though_the_other_is_worked(desk: TradingDesk) -> None:
    entered(desk)
    entered(desk)
    desk.account.history = tuple(line(n, symbol, OVER, quantity=D(4)) for n, symbol in ((1, SHORT), (2, LONG)))
    desk.locks.busy.add("proposal-1")
    found = settle(desk)
    assert [trade.id for trade in found.trades] == [2]
    assert only_warning(found) == "proposal-1 is held by process 4242"


def test_a_death_between_two_trades_leaves_the_other_for_the_next_start(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(desk)
    entered(desk)
    desk.account.history = tuple(line(n, symbol, OVER, quantity=D(4)) for n, symbol in ((1, SHORT), (2, LONG)))
    adopt = desk.store.adoptions.adopt

    def die_at_second(adoption: Adoption, **over: Any) -> Trade:
        if adoption.trade_id == 2:
            raise KeyboardInterrupt
        return adopt(adoption, **over)

    monkeypatch.setattr(desk.store.adoptions, "adopt", die_at_second)
    with pytest.raises(KeyboardInterrupt):
        settle(desk)
    monkeypatch.undo()
    assert [trade.id for trade in settle(desk).trades] == [2]
    assert {trade.state for trade in desk.store.trades.select()} == {TradeState.EXPIRED}
    assert len(desk.store.adoptions.select()) == 2


def test_a_close_that_waits_lapses_with_its_trade(at_broker: BrokerDesk) -> None:
    trade = at_broker.entered(rests=False)
    store = at_broker.desk.store
    opening = store.proposals.get(trade.proposal_id)
    close = store.proposals.add(
        replace(
            builders.proposal_terms(), run_id=opening.run_id, mode=Mode.LIVE, kind=ProposalKind.CLOSE, trade_id=trade.id
        ),
        body="{}",
        at=at_broker.desk.clock(),
    )
    at_broker.go(builders.later(days=8))
    at_broker.server.assign(SHORT)
    settle_ended(at_broker.context_for(None), reads_positions=True)
    assert store.proposals.get(close.id).state is ProposalState.LAPSED
    assert store.proposals.find_live_close(trade.id) is None


# Why an expired trade is still open.


def test_an_expired_trade_that_the_broker_still_shows_says_so(desk: TradingDesk) -> None:
    entered(desk)
    held(desk, short=-2, long=2)
    message = "T1 expired on 2025-11-07 and is not settled yet: the broker still shows its contracts"
    assert only_warning(settle(desk)) == message


def test_a_broker_that_settles_itself_says_what_it_waits_for(tmp_path: Path) -> None:
    paper = live_desk(tmp_path, Mode.PAPER)
    entered(paper)
    held(paper, short=-2, long=2)
    paper.account.waiting = ("SPY options of 2025-11-07: no source has the daily bar",)
    assert only_warning(settle(paper)).endswith(
        "not settled yet: SPY options of 2025-11-07: no source has the daily bar"
    )
    paper.store.close()


def test_a_broker_that_does_not_answer_is_a_warning(desk: TradingDesk) -> None:
    def down() -> tuple[()]:
        raise Unavailable("the account is down")

    entered(desk)
    desk.account.positions = down  # type: ignore[method-assign]
    assert only_warning(settle(desk)) == "T1 expired on 2025-11-07 and is not settled yet: the account is down"


def test_another_process_that_settles_is_waited_for_and_told(desk: TradingDesk) -> None:
    entered(desk)
    desk.locks.busy.add("settle")
    assert "settle is held by process 4242" in only_warning(settle(desk))


# What a person did.


def test_what_a_person_closed_is_never_adopted_without_asking(desk: TradingDesk) -> None:
    entered(desk)
    bought_back(desk)
    found = settle(desk, builders.later(days=4), reads_positions=True)
    assert found.trades == ()
    assert only_warning(found).endswith("`spy32 reconcile --adopt` takes it over")
    (after,) = adopt_trades(desk.trading_context, reconcile(lambda _: desk.trading_context).view.adoptable)
    assert (after.state, after.exit_reason) == (TradeState.CLOSED, ExitReason.BY_HAND)


def test_manage_raises_one_attention_item_for_it(desk: TradingDesk) -> None:
    entered(desk)
    bought_back(desk)
    desk.clock.at = builders.later(days=4)
    for _ in range(2):
        (managed,) = manage(lambda _: desk.trading_context)
        assert any("takes it over" in warning for warning in managed.warnings)
    items = [(item.subject, item.kind) for item in desk.store.attention.open_items()]
    assert sorted(items) == [("T1", "difference"), ("T1", "unmarked")]


def test_one_leg_or_more_than_held_by_hand_is_told(desk: TradingDesk) -> None:
    entered(desk)
    held(desk, long=2)
    bought_back(desk)
    found = settle(desk, builders.later(days=4), reads_positions=True)
    assert only_warning(found).endswith("nothing is settled")
    held(desk, short=1, long=-1)
    bought_back(desk, 3)
    found = settle(desk, builders.later(days=4), reads_positions=True)
    assert only_warning(found).endswith("takes it over")


# Whole lives, at the local broker.


@pytest.fixture
def at_broker(tmp_path: Path) -> Iterator[BrokerDesk]:
    with broker_desk(tmp_path) as made:
        yield made


def settle_fees(found: BrokerDesk) -> None:
    """The broker's fees become final overnight, and our book takes them."""
    found.server.finish_fees()
    reconcile(found.context_for)


def finished(found: BrokerDesk, state: TradeState, reason: ExitReason) -> Trade:
    """The trade, ended so, whose result and cash are the broker's to the cent."""
    settle_fees(found)
    trade = found.trade()
    assert (trade.state, trade.exit_reason) == (state, reason)
    assert trade.result == found.cash == found.broker_cash
    assert found.server.account().held == {}
    assert found.desk.store.audit.verify().broken is None
    return trade


@pytest.mark.parametrize(
    ("spot", "state", "reason", "loss"),
    [
        (650, TradeState.EXPIRED, ExitReason.EXPIRED, 0),
        (600, TradeState.CLOSED, ExitReason.ASSIGNED, 1000),
    ],
    ids=["worthless", "maximum loss"],
)
def test_an_expiration_is_settled_to_the_cent(
    at_broker: BrokerDesk, spot: float, state: TradeState, reason: ExitReason, loss: int
) -> None:
    at_broker.entered(rests=False)
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, spot)
    settle_ended(at_broker.context_for(None))
    trade = finished(at_broker, state, reason)
    assert trade.result == CREDIT - loss - trade.fees
    assert trade.fees == D("4.50") + (10 if loss else 0)


def test_between_the_strikes_the_shares_are_the_trade_s_until_they_are_sold_over_days(at_broker: BrokerDesk) -> None:
    at_broker.entered(rests=False)
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, 637)
    (trade,) = settle_ended(at_broker.context_for(None)).trades
    assert (trade.state, trade.exit_reason, trade.result) == (TradeState.ASSIGNED, ExitReason.ASSIGNED, None)
    at_broker.go(builders.later(days=35))
    at_broker.server.trade_shares(-120, "636.00")
    (trade,) = settle_ended(at_broker.context_for(None)).trades
    assert (trade.state, at_broker.desk.store.adoptions.position(1).shares) == (TradeState.ASSIGNED, 80)
    assert settle_ended(at_broker.context_for(None)).trades == ()
    at_broker.go(builders.later(days=36))
    at_broker.server.trade_shares(-80, "635.50")
    (trade,) = settle_ended(at_broker.context_for(None)).trades
    assert (trade.state, trade.closed_at) == (TradeState.CLOSED, builders.later(days=36))
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.ASSIGNED)
    assert trade.result == CREDIT - 200 * 640 + 120 * 636 + 80 * D("635.50") - trade.fees


def test_an_early_assignment_overnight_is_found_by_manage_and_the_ticket_resolves_it(at_broker: BrokerDesk) -> None:
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=8, hours=9))
    at_broker.server.assign(SHORT)
    at_broker.go(builders.later(days=9))
    assert settle_ended(at_broker.context_for(None)) == SettledTrades()
    (managed,) = manage(at_broker.context_for)
    assert managed.trade.state is TradeState.ASSIGNED
    text = "\n".join(managed.warnings)
    assert f"T1 was assigned and holds +200 SPY shares, long 2 x {LONG}" in text
    assert "the long 2 x 635 puts still bound the loss" in text
    assert f"Sell to Close 200 SPY + Sell to Close 2 {LONG} (one covered-stock order, both together)" in text
    at_broker.server.trade_shares(-200, "638.00")
    ticket = at_broker.server.by_hand_place({LONG: ("Sell to Close", 2)}, D("1.10"))
    at_broker.server.fill(ticket.id)
    (managed,) = manage(at_broker.context_for)
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.ASSIGNED)
    assert trade.result == CREDIT - 400 + 220 - trade.fees


def test_a_part_that_is_assigned_makes_the_trade_an_assigned_one_with_the_rest_in_it(at_broker: BrokerDesk) -> None:
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=8))
    at_broker.server.assign(SHORT, 1)
    reconcile(at_broker.context_for)
    count = events_of(at_broker.desk)
    reconcile(at_broker.context_for)
    assert (at_broker.trade().state, events_of(at_broker.desk)) == (TradeState.ASSIGNED, count)
    position = at_broker.desk.store.adoptions.position(1)
    assert (position.shares, [count for _, count in position.legs]) == (100, [1, 2])
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, 630)
    settle_ended(at_broker.context_for(None))
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.ASSIGNED)
    assert trade.result == CREDIT - 1000 - trade.fees


def test_shares_are_flattened_by_exercising_the_long_leg(at_broker: BrokerDesk) -> None:
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=8))
    at_broker.server.assign(SHORT)
    settle_ended(at_broker.context_for(None), reads_positions=True)
    at_broker.server.exercise(LONG)
    settle_ended(at_broker.context_for(None))
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.ASSIGNED)
    assert trade.result == CREDIT - 1000 - trade.fees


def test_a_target_that_filled_between_two_starts_is_no_difference(at_broker: BrokerDesk) -> None:
    trade = at_broker.entered()
    target = place_target(at_broker.desk.trading_context, trade.proposal_id)
    assert target is not None and target.state is OrderState.WORKING
    at_broker.go(builders.later(days=3))
    at_broker.server.fill(int(str(target.broker_id)))
    (managed,) = manage(at_broker.context_for)
    assert managed.warnings == ()
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.TARGET)
    assert at_broker.desk.store.adoptions.select() == ()


def test_a_resting_target_ends_with_its_contracts_and_does_not_keep_the_trade_open(at_broker: BrokerDesk) -> None:
    trade = at_broker.entered()
    target = place_target(at_broker.desk.trading_context, trade.proposal_id)
    assert target is not None
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, 650)
    settle_ended(at_broker.context_for(None))
    assert at_broker.desk.store.orders.get(target.id).state is OrderState.CANCELLED
    finished(at_broker, TradeState.EXPIRED, ExitReason.EXPIRED)


def test_a_target_that_filled_for_a_part_leaves_the_rest_to_the_expiration(at_broker: BrokerDesk) -> None:
    trade = at_broker.entered()
    target = place_target(at_broker.desk.trading_context, trade.proposal_id)
    assert target is not None
    at_broker.server.fill(int(str(target.broker_id)), 1)
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, 650)
    settle_ended(at_broker.context_for(None))
    trade = finished(at_broker, TradeState.EXPIRED, ExitReason.EXPIRED)
    assert trade.result == CREDIT - 29 - trade.fees


def test_a_database_restored_to_before_the_close_asks_a_person_and_comes_out_right(at_broker: BrokerDesk) -> None:
    """Our own close is on the broker's record only, under a reference that this book does not know."""
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=3))
    legs = {SHORT: ("Buy to Close", 2), LONG: ("Sell to Close", 2)}
    ticket = at_broker.server.by_hand_place(legs, D("-0.30"), reference="spy32-P9-A9-000000-1")
    at_broker.server.fill(ticket.id)
    at_broker.go(AFTER_EXPIRATION)
    found = settle_ended(at_broker.context_for(None))
    assert found.trades == ()
    assert only_warning(found).endswith("takes it over")
    view = reconcile(at_broker.context_for).view
    adopt_trades(at_broker.desk.trading_context, view.adoptable)
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.BY_HAND)
    assert trade.result == CREDIT - 60 - trade.fees


def test_foreign_shares_of_a_person_are_not_taken_for_the_trade_s(at_broker: BrokerDesk) -> None:
    at_broker.server.by_hand_hold("SPY", 300, D(600))
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=8))
    at_broker.server.assign(SHORT)
    settle_ended(at_broker.context_for(None), reads_positions=True)
    assert at_broker.desk.store.adoptions.position(1).shares == 200
    at_broker.server.trade_shares(-500, "638.00")
    ticket = at_broker.server.by_hand_place({LONG: ("Sell to Close", 2)}, D("1.10"))
    at_broker.server.fill(ticket.id)
    settle_ended(at_broker.context_for(None))
    trade = at_broker.trade()
    assert trade.state is TradeState.CLOSED
    (disposal,) = at_broker.desk.store.adoptions.disposals(1)
    assert sum(each.quantity for each in disposal.transactions if each.symbol == "SPY") == 200


def test_a_disposal_that_another_process_recorded_is_refused(at_broker: BrokerDesk) -> None:
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=8))
    at_broker.server.assign(SHORT)
    settle_ended(at_broker.context_for(None), reads_positions=True)
    at_broker.server.trade_shares(-50, "638.00")
    settle_ended(at_broker.context_for(None))
    records = at_broker.desk.store.adoptions
    (disposal,) = records.disposals()
    with pytest.raises(Exception, match="look at it again"):
        records.dispose(replace(disposal), known=0, at=at_broker.server.at)
    assert records.disposals() == (disposal,)


@pytest.mark.parametrize("commits", range(4))
def test_a_death_after_any_commit_changes_nothing_of_the_end(
    at_broker: BrokerDesk, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    at_broker.entered(rests=False)
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, 637)
    die_after(monkeypatch, at_broker.desk, commits)
    for sold, day in ((-120, 35), (-80, 36)):
        try_to_settle(at_broker)
        at_broker.go(builders.later(days=day))
        at_broker.server.trade_shares(sold, "636.00")
        try_to_settle(at_broker)
    monkeypatch.undo()
    settle_ended(at_broker.context_for(None))
    trade = finished(at_broker, TradeState.CLOSED, ExitReason.ASSIGNED)
    assert trade.result == CREDIT - 800 - trade.fees
    assert len(at_broker.desk.store.adoptions.select()) == 1


def die_after(monkeypatch: pytest.MonkeyPatch, desk: TradingDesk, commits: int) -> None:
    """The process dies once, before it notices that its transaction of this number was committed."""
    left = [commits]
    write_transaction = desk.store.core.write_transaction

    @contextmanager
    def dying(*words: Any, **over: Any) -> Iterator[Any]:
        with write_transaction(*words, **over) as change:
            yield change
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(desk.store.core, "write_transaction", dying)


def try_to_settle(found: BrokerDesk) -> None:
    with suppress(KeyboardInterrupt):
        settle_ended(found.context_for(None))


def test_a_dividend_is_no_line_of_the_trade(at_broker: BrokerDesk) -> None:
    at_broker.entered(rests=False)
    at_broker.go(builders.later(days=8))
    at_broker.server.assign(SHORT)
    at_broker.server.pay_dividend("1.95")
    settle_ended(at_broker.context_for(None), reads_positions=True)
    settle_fees(at_broker)
    assert at_broker.trade().state is TradeState.ASSIGNED
    assert at_broker.broker_cash - at_broker.cash == 390


# On paper, where the paper broker makes the history.


@pytest.fixture
def on_paper(tmp_path: Path) -> Iterator[TradingDesk]:
    """A paper desk with its own broker, whose bars a test sets through `account.days`."""
    made = trading_desk(tmp_path)
    days: dict[date, DailyBar] = {}
    broker: Any = paper(
        ledger=made.store.paper, market=made.market, clock=made.clock, find_bar=lambda _, day: days.get(day)
    )
    broker.days, broker.fill, broker.would_fill = days, lambda *_: None, lambda *_: True
    made.orders = made.account = broker
    yield made
    made.store.close()


def paper_cash(desk: TradingDesk, book: str) -> Any:
    return desk.store.core.rows(
        "select coalesce(sum(amount_e4), 0) from cash where book = ? and kind <> 'opening'", book
    )[0][0]


def test_on_paper_an_assigned_trade_is_sold_at_the_next_open_and_both_books_agree(on_paper: TradingDesk) -> None:
    trade = entered(on_paper, rests=False)
    days: dict[date, DailyBar] = on_paper.account.days  # type: ignore[attr-defined]
    found = settle(on_paper)
    assert "no source has the daily bar of SPY on 2025-11-07" in only_warning(found)
    days[builders.EXPIRATION] = DailyBar(day=builders.EXPIRATION, close=637.12)
    (assigned,) = settle(on_paper).trades
    assert (assigned.state, assigned.exit_reason) == (TradeState.ASSIGNED, ExitReason.ASSIGNED)
    monday = date(2025, 11, 10)
    days[monday] = DailyBar(day=monday, close=640, open=636.5)
    (closed,) = settle(on_paper, builders.later(days=35, hours=8)).trades
    assert closed.state is TradeState.CLOSED
    assert closed.result == trade.credit * 200 - 200 * 640 + 200 * D("636.50") - trade.fees - 5
    assert paper_cash(on_paper, "account") == paper_cash(on_paper, "paper")
    assert settle(on_paper, builders.later(days=36)) == SettledTrades()


@pytest.mark.parametrize(
    ("close", "state"), [(640.0, TradeState.EXPIRED), (635.0, TradeState.ASSIGNED), (634.99, TradeState.CLOSED)]
)
def test_on_paper_the_official_close_decides_at_the_strikes(
    on_paper: TradingDesk, close: float, state: TradeState
) -> None:
    entered(on_paper, rests=False)
    on_paper.account.days[builders.EXPIRATION] = DailyBar(day=builders.EXPIRATION, close=close)  # type: ignore[attr-defined]
    (trade,) = settle(on_paper).trades
    assert trade.state is state
    assert paper_cash(on_paper, "account") == paper_cash(on_paper, "paper")
