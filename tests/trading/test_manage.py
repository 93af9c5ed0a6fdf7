"""`manage`: one start at a time, marks, what is judged, and what stops one trade and no other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.market import Dividend
from spy32.domain.marks import MarkFlag
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, Refused, Unavailable, Unusable
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.ops.locks import FileLocks
from spy32.rules.exercise import parity_leg
from spy32.trading import reconcile
from spy32.trading.context import TradingContext, proposal_lock_name
from spy32.trading.early_exercise import check_early_exercise
from spy32.trading.execute import execute
from spy32.trading.manage import LOCK_SECONDS, MANAGE_LOCK, MARKS_READ, UNMARKED, judge_trade, manage, propose_close
from spy32.trading.profit_target import place_target
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.managed import CALLS, PUTS, ManagedDesk, managed_desk, opened
from tests.support.open_trades import LONG
from tests.support.stores import move_trade
from tests.support.trades import Sides

D = Decimal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ManagedDesk]:
    made = managed_desk(tmp_path)
    yield made
    made.store.close()


# Marks.


def test_a_trade_is_marked_and_nothing_is_due(desk: ManagedDesk) -> None:
    trade = opened(desk)
    found = desk.start()
    assert (found.error, found.due, found.proposal, found.warnings) == (None, None, None, ())
    assert found.mark is not None
    assert found.mark.is_usable
    assert (found.mark.mid, found.mark.at) == (D("0.57"), desk.clock())
    assert desk.store.marks.select(trade.id) == (found.mark,)
    assert [check.reason for check in found.checks] == [
        ExitReason.LAST_EXIT, ExitReason.EX_DIVIDEND, ExitReason.STOP, ExitReason.TARGET, ExitReason.TIME,
    ]  # fmt: skip
    assert (found.exits, found.opening.id) == (builders.exit_plan(), trade.proposal_id)


def test_every_start_adds_a_mark_and_nothing_else(desk: ManagedDesk) -> None:
    trade = opened(desk)
    before = desk.trade()
    for number in range(1, 4):
        desk.start()
        assert len(desk.store.marks.select(trade.id)) == number
    assert desk.trade() == before
    assert desk.closes() == []
    assert desk.orders.requests == ["submit"]


def test_the_other_right_at_the_short_strike_is_quoted_too(desk: ManagedDesk) -> None:
    opened(desk)
    desk.quoted.asked.clear()
    desk.start()
    assert desk.quoted.asked == [*(leg.symbol for leg in PUTS), parity_leg(PUTS[0]).symbol]


def test_a_flagged_mark_is_kept_and_told(desk: ManagedDesk) -> None:
    trade = opened(desk, profit_target=D("0.60"))
    desk.quoted.sides[PUTS[1].symbol] = (None, 2.02)
    found = desk.start()
    assert found.mark is not None
    assert desk.store.marks.select(trade.id)[-1].flags == (MarkFlag.ONE_SIDED,)
    assert found.warnings == ("the mark is one-sided: kept, and no price decides by it",)
    assert (found.due, found.proposal) == (None, None)
    desk.quoted.age = 1300
    assert desk.start().warnings == ("the mark is one-sided, stale: kept, and no price decides by it",)


def test_a_leg_without_a_quote_as_after_a_split_is_one_sided(desk: ManagedDesk) -> None:
    """The contracts have another root then, and the old symbols are quoted no more."""
    opened(desk, profit_target=D("0.60"))
    desk.quoted.missing = {leg.symbol for leg in PUTS}
    found = desk.start()
    assert found.mark is not None
    assert found.mark.flags == (MarkFlag.ONE_SIDED,)
    assert (found.due, found.error) == (None, None)


def test_a_week_of_one_sided_quotes_decides_nothing_until_the_calendar_does(desk: ManagedDesk) -> None:
    trade = opened(desk)
    desk.quoted.close_costs("3.00")
    desk.quoted.sides[PUTS[1].symbol] = (None, 2.02)
    for _ in range(7):
        found = desk.start(minutes=24 * 60)
        assert found.error is None
        assert found.due is None
    assert len(desk.store.marks.select(trade.id)) == 5  # two days were a weekend
    desk.clock.at = datetime(2025, 10, 17, 14, 0, tzinfo=UTC)
    found = desk.start()
    assert found.due is not None
    assert found.due.reason is ExitReason.TIME
    assert found.proposal is None
    assert found.warnings[-1] == (
        "the time exit is on 2025-10-17, and T1 cannot be priced: the quotes of cboe are one-sided; try again"
    )


@pytest.mark.parametrize(
    ("at", "is_marked"),
    [
        (datetime(2025, 10, 7, 13, 29, 59, tzinfo=UTC), False),
        (datetime(2025, 10, 7, 13, 30, tzinfo=UTC), True),
        (datetime(2025, 10, 7, 20, 15, tzinfo=UTC), True),  # options trade a quarter of an hour longer
        (datetime(2025, 10, 7, 20, 15, 1, tzinfo=UTC), False),
        (datetime(2025, 10, 11, 15, 0, tzinfo=UTC), False),  # Saturday
        (datetime(2025, 11, 27, 15, 0, tzinfo=UTC), False),  # Thanksgiving
        (datetime(2025, 11, 28, 18, 15, tzinfo=UTC), True),  # the half day after it
        (datetime(2025, 11, 28, 18, 16, tzinfo=UTC), False),
    ],
)
def test_a_mark_is_made_while_options_trade(desk: ManagedDesk, at: datetime, is_marked: bool) -> None:
    legs = builders.spread(expiration=date(2026, 1, 16)).legs
    opened(desk, legs=legs, last_exit=date(2026, 1, 15), time_exit=None)
    desk.clock.at = at
    (found,) = desk.manage()
    assert (found.mark is not None) is is_marked
    if not is_marked:
        assert found.warnings[-1] == "the market is closed, so there is no mark"
        assert (found.error, found.due, desk.store.marks.select(1)) == (None, None, ())


ENDED = datetime(2025, 11, 7, 21, 15, tzinfo=UTC)
"""The last instant in which SPY options trade on the expiration; they have stopped then."""


def test_a_trade_whose_options_trade_no_more_is_not_closed_and_waits_for_its_settlement(desk: ManagedDesk) -> None:
    opened(desk)
    desk.clock.at = ENDED
    (found,) = desk.manage()
    assert (found.mark, found.due, found.proposal, found.checks, desk.closes()) == (None, None, None, (), [])
    assert found.warnings[-1] == "T1 trades no more: no close, it waits for its settlement"
    with pytest.raises(Unavailable, match="waits for its settlement"):
        propose_close(desk.trading_context, 1)
    assert desk.orders.requests == ["submit"]


def test_an_approved_close_is_not_sent_once_its_options_trade_no_more(desk: ManagedDesk) -> None:
    opened(desk)
    desk.clock.at = ENDED - timedelta(minutes=20)
    (found,) = desk.manage()
    assert found.proposal is not None
    desk.approve_close(found.proposal, "0.57")
    desk.clock.at = ENDED
    with pytest.raises(Refused, match="the options of 2025-11-07 have stopped trading"):
        execute(desk.trading_context, found.proposal.id, wait=False)
    assert desk.orders.requests == ["submit"]


def test_a_recorded_market_is_marked_at_its_own_time_whatever_the_day(desk: ManagedDesk) -> None:
    desk.clock.at = datetime(2025, 10, 11, 15, 0, tzinfo=UTC)
    trade = opened(desk)
    row = replace(desk.store.proposals.get(trade.proposal_id), market="recorded:cboe")
    desk.store.core.db.execute("update proposal set body = replace(body, '\"cboe\"', '\"recorded:cboe\"')")
    assert desk.store.proposals.get(trade.proposal_id).market == row.market
    desk.clock.at = datetime(2025, 10, 11, 15, 0, tzinfo=UTC)
    desk.quoted.age = 9999
    (found,) = desk.manage()
    assert found.mark is not None
    assert found.mark.is_usable


@pytest.mark.parametrize("spot", [nan, inf])
def test_quotes_without_a_spot_make_no_mark(desk: ManagedDesk, spot: float) -> None:
    opened(desk)
    desk.quoted.spot = spot
    found = desk.start()
    assert (found.mark, found.error) == (None, None)
    assert found.warnings == ("T1 was not marked: cboe gives no price of SPY",)
    assert desk.store.marks.select(1) == ()


def test_without_quotes_there_is_no_mark_and_the_reason_is_told(desk: ManagedDesk) -> None:
    opened(desk, profit_target=D("0.60"), last_exit=builders.TODAY)
    desk.market.trouble = Unavailable("cboe does not answer")
    found = desk.start()
    assert (found.mark, found.error, found.proposal) == (None, None, None)
    assert found.due is not None
    assert found.warnings == (
        "T1 was not marked: cboe does not answer",
        "the last exit is on 2025-10-06, and there are no quotes to price a close by",
    )
    assert next(check for check in found.checks if check.reason is ExitReason.STOP).message == (
        "there is no mark to judge by"
    )


def test_an_old_mark_does_not_stand_in_for_one_of_now(desk: ManagedDesk) -> None:
    opened(desk)
    desk.quoted.close_costs("0.20")
    assert desk.start().due is not None
    desk.market.trouble = Unavailable("cboe does not answer")
    assert desk.start().due is None


def test_without_a_market_it_says_so(desk: ManagedDesk) -> None:
    opened(desk)

    def context_for(_: int | None) -> TradingContext:
        return replace(desk.trading_context, market=None)

    (found,) = manage(context_for)
    assert found.warnings == ("T1 has no market to be marked by",)


def test_a_clock_before_the_last_mark_judges_nothing(desk: ManagedDesk) -> None:
    trade = opened(desk, profit_target=D("0.60"))
    desk.quoted.close_costs("0.80")
    desk.start(minutes=60)
    desk.quoted.close_costs("0.20")
    found = desk.start(minutes=-30)
    assert isinstance(found.error, Refused)
    assert found.error.message == (
        "T1 was marked at 2025-10-06 15:06 UTC, and it is 2025-10-06 14:36: a clock was or is wrong; nothing is judged"
    )
    assert (found.mark, found.proposal, found.checks) == (None, None, ())
    assert len(desk.store.marks.select(trade.id)) == 1
    assert desk.closes() == []
    assert desk.start(minutes=28).error is None  # two minutes before: clocks differ by so much


# The stop, over starts.


def test_a_whole_session_without_a_usable_mark_is_told_once_until_it_comes_again(desk: ManagedDesk) -> None:
    opened(desk)
    desk.start()
    desk.quoted.missing = {LONG}
    desk.start()
    told, told_early = [], []
    for day in (7, 8, 9, 10):
        desk.clock.at = datetime(2025, 10, day, 12, 0, tzinfo=UTC)
        told_early.append(desk.start().is_news)
        desk.clock.at = datetime(2025, 10, day, 15, 30, tzinfo=UTC)
        told.append(desk.start().is_news)
    assert (told, told_early) == ([False, True, False, False], [False] * 4)
    (item,) = desk.store.attention.open_items()
    assert (item.subject, item.kind) == ("T1", UNMARKED)
    assert item.message == "T1 has had no usable mark since 2025-10-06, so no price decides its exits"
    desk.store.attention.acknowledge("T1", "anna", desk.clock())
    assert item.message in desk.start().warnings
    assert desk.store.attention.open_items() == ()
    desk.quoted.missing = set()
    assert desk.start().warnings == ()
    desk.quoted.missing = {LONG}
    desk.clock.at = datetime(2025, 10, 14, 15, 30, tzinfo=UTC)
    assert desk.start().is_news


@pytest.mark.parametrize(
    ("mids", "is_due"),
    [(("1.80",), False), (("1.80", "1.80"), True), (("1.80", "1.00", "1.80"), False)],
)
def test_the_stop_is_due_by_the_marks_of_two_starts(desk: ManagedDesk, mids: tuple[str, ...], is_due: bool) -> None:
    opened(desk)
    for mid in mids:
        desk.quoted.close_costs(mid)
        found = desk.start()
    assert (found.due is not None) is is_due
    if found.due is not None:
        assert found.due.reason is ExitReason.STOP


def test_a_reading_of_the_stop_counts_as_long_as_marks_are_read(desk: ManagedDesk) -> None:
    opened(desk)
    desk.quoted.close_costs("1.80")
    desk.start()
    desk.quoted.age = 1300  # stale from now on, so it neither decides nor resets
    for _ in range(MARKS_READ - 1):
        desk.start(minutes=0.1)
    desk.quoted.age = 0
    desk.clock.at += timedelta(minutes=5)
    assert judge_trade(desk.trading_context, 1).due is not None
    desk.quoted.age = 1300
    desk.start(minutes=0.1)
    desk.quoted.age = 0
    assert judge_trade(desk.trading_context, 1).due is None


# Early exercise.

EVE = datetime(2025, 10, 16, 15, 0, tzinfo=UTC)
EX_DATE = date(2025, 10, 17)
PAYS: Sides = (0.01, 0.02)


def call_desk(desk: ManagedDesk, dividends: object) -> None:
    """A short call spread in the money on the eve of an ex-date."""
    opened(desk, legs=CALLS, time_exit=None)
    desk.clock.at = EVE
    desk.quoted.spot = 697.0
    desk.quoted.sides[parity_leg(CALLS[0]).symbol] = PAYS
    desk.quoted.close_costs("3.00", legs=CALLS)
    desk.dividends = dividends


def test_a_short_call_is_closed_on_the_eve_of_an_ex_date(desk: ManagedDesk) -> None:
    call_desk(desk, (Dividend(ex_date=EX_DATE, amount=D("1.95")),))
    (found,) = desk.manage()
    assert found.due is not None
    assert (found.due.reason, found.due.day) == (ExitReason.EX_DIVIDEND, date(2025, 10, 16))
    assert found.proposal is not None
    assert found.proposal.reason is ExitReason.EX_DIVIDEND


@pytest.mark.parametrize("amount", ["1.95"])
def test_a_dividend_that_has_moved_is_judged_by_its_new_day(desk: ManagedDesk, amount: str) -> None:
    call_desk(desk, (Dividend(ex_date=date(2025, 10, 20), amount=D(amount)),))
    assert desk.manage()[0].due is None
    desk.dividends = (Dividend(ex_date=EX_DATE, amount=D(amount)),)
    desk.clock.at += timedelta(minutes=15)
    assert desk.manage()[0].due is not None


@pytest.mark.parametrize(
    ("dividends", "warning"),
    [
        (None, "NOT JUDGED: ex-dates unknown; early assignment possible (no source tells them)"),
        (Unavailable("yahoo is down"), "NOT JUDGED: ex-dates unknown; early assignment possible (yahoo is down)"),
    ],
)
def test_unknown_dividends_are_told_and_stop_nothing(desk: ManagedDesk, dividends: object, warning: str) -> None:
    call_desk(desk, dividends)
    (found,) = desk.manage()
    assert found.warnings == (warning,)
    assert (found.due, found.error, found.is_news) == (None, None, False)
    assert found.mark is not None
    (check,) = [check for check in found.checks if check.reason is ExitReason.EX_DIVIDEND]
    assert check.message == "NOT JUDGED: ex-dates unknown; early assignment possible"


@pytest.mark.parametrize(("age", "spot"), [(3 * 3600, 694.0), (0, 694.0)])
def test_old_quotes_on_the_eve_of_an_ex_date_rule_nothing_out(desk: ManagedDesk, age: float, spot: float) -> None:
    call_desk(desk, (Dividend(ex_date=EX_DATE, amount=D("1.95")),))
    desk.quoted.age, desk.quoted.spot = age, spot
    (found,) = desk.manage()
    (check,) = [check for check in found.checks if check.reason is ExitReason.EX_DIVIDEND]
    assert (found.due, check.is_unknown, found.is_news) == (None, age > 0, age > 0)
    if age:
        assert check.message in found.warnings
        assert check.message == (
            "NOT JUDGED on the eve of an ex-date: the mark is stale, so no price decides; early assignment possible"
        )
        assert found.is_news
    else:
        assert found.warnings == ()


def test_no_quotes_on_the_eve_of_an_ex_date_are_told(desk: ManagedDesk) -> None:
    call_desk(desk, (Dividend(ex_date=EX_DATE, amount=D("1.95")),))
    desk.market.trouble = Unavailable("cboe is down")
    (found,) = desk.manage()
    assert "NOT JUDGED: ex-date 2025-10-17 and no quotes; early assignment possible" in found.warnings
    assert found.is_news


def test_no_dividend_before_the_expiration_says_nothing(desk: ManagedDesk) -> None:
    call_desk(desk, ())
    assert desk.manage()[0].warnings == ()


def test_a_put_spread_asks_for_no_dividends(desk: ManagedDesk) -> None:
    opened(desk)
    desk.dividends = RuntimeError("nobody asks")
    assert desk.start().warnings == ()


def test_a_put_that_pays_to_exercise_is_told_and_closes_nothing(desk: ManagedDesk) -> None:
    opened(desk)
    desk.quoted.spot, desk.quoted.sides[parity_leg(PUTS[0]).symbol] = 600.0, (0.0, 0.05)
    found = desk.start()
    assert [note.partition(" pays")[0] for note in found.warnings] == ["early exercise of the 640 put"]
    assert found.due is None


@pytest.mark.parametrize(("amount", "is_told"), [(None, True), ("5.00", False)])
def test_a_put_is_judged_with_the_dividends_before_its_expiration(
    desk: ManagedDesk, amount: str | None, is_told: bool
) -> None:
    opened(desk)
    desk.quoted.spot, desk.quoted.sides[parity_leg(PUTS[0]).symbol] = 600.0, (0.0, 0.05)
    desk.dividends = (Dividend(ex_date=EX_DATE, amount=D(amount)),) if amount else ()
    assert ["kept at best" in note for note in desk.start().warnings] == [True] * is_told


def test_a_note_about_a_put_is_kept_beside_a_call_whose_dividends_are_unknown(desk: ManagedDesk) -> None:
    condor = (*PUTS, *CALLS)
    trade = opened(desk)
    both = replace(desk.store.trades.get(trade.id), legs=condor)
    desk.quoted.spot, desk.quoted.sides[parity_leg(PUTS[0]).symbol] = 600.0, (0.0, 0.05)
    from spy32.trading import manage as module

    quotes, _ = module._fetch_quotes(desk.trading_context, both, desk.store.proposals.get(trade.proposal_id))
    for dividends, count in ((None, 2), (Unavailable("no"), 2), ((), 1)):
        desk.dividends = dividends
        check, notes = check_early_exercise(
            desk.trading_context, both, desk.store.proposals.get(trade.proposal_id), quotes
        )
        assert (check is None, len(notes)) == (dividends == (), count)
        assert notes[0].startswith("early exercise of the 640 put pays")


# Several trades, and starts at once.


def test_a_second_start_waits_for_the_lock_and_says_who_has_it(desk: ManagedDesk) -> None:
    opened(desk)
    desk.locks.busy = {MANAGE_LOCK}
    with pytest.raises(Unavailable, match="manage is held by process 4242"):
        desk.manage()
    assert desk.store.marks.select(1) == ()
    assert LOCK_SECONDS == 20


def test_of_two_starts_at_once_the_kernel_lets_one_through(desk: ManagedDesk, tmp_path: Path) -> None:
    """The second one begins while the first has the market, waits its twenty seconds, and changes nothing."""
    opened(desk, last_exit=builders.TODAY)
    waited: list[float] = []

    def locks() -> FileLocks:
        return FileLocks(
            tmp_path / "locks", home=tmp_path, clock=desk.clock, sleep=waited.append, monotonic=lambda: sum(waited)
        )

    first, second = locks(), locks()
    outcomes: list[str] = []
    quotes = desk.quoted.quotes

    def second_start(*args: Any) -> Any:
        if not outcomes:
            outcomes.append("began")
            with pytest.raises(Unavailable) as error:
                manage(lambda _: replace(desk.trading_context, locks=second))
            outcomes.append(error.value.message)
        return quotes(*args)

    desk.quoted.quotes = second_start  # type: ignore[method-assign]
    desk.clock.at += timedelta(minutes=15)
    (found,) = manage(lambda _: replace(desk.trading_context, locks=first))
    assert "is at work on manage" in outcomes[1]
    assert sum(waited) == pytest.approx(LOCK_SECONDS)
    assert (found.error, len(desk.store.marks.select(1)), len(desk.store.proposals.select_closes(1))) == (None, 1, 1)


def test_the_lock_is_held_while_it_works_and_free_afterwards(desk: ManagedDesk) -> None:
    opened(desk)
    seen: list[bool] = []
    quotes = desk.quoted.quotes
    desk.quoted.quotes = lambda *a: (seen.append(desk.locks.is_free(MANAGE_LOCK)), quotes(*a))[1]  # type: ignore[method-assign]
    desk.start()
    assert seen == [False]
    assert desk.locks.is_free(MANAGE_LOCK)


def test_what_stops_one_trade_stops_no_other(desk: ManagedDesk) -> None:
    opened(desk)
    opened(desk, legs=builders.spread("630", "625").legs, last_exit=builders.TODAY)
    desk.clock.at += timedelta(minutes=15)

    def context_for(proposal_id: int | None) -> TradingContext:
        if proposal_id == 1:
            raise Unusable("the recorded market of R1 is gone")
        return desk.trading_context

    first, second = manage(context_for)
    assert first.error is not None
    assert first.error.message == "the recorded market of R1 is gone"
    assert (first.trade.id, first.mark) == (1, None)
    assert (second.trade.id, second.error) == (2, None)
    assert second.proposal is not None


def test_one_trade_may_be_managed_alone_and_an_unknown_one_is_told(desk: ManagedDesk) -> None:
    opened(desk)
    opened(desk, legs=builders.spread("630", "625").legs)
    desk.clock.at += timedelta(minutes=15)
    (found,) = desk.manage(2)
    assert found.trade.id == 2
    assert desk.store.marks.select(1) == ()
    with pytest.raises(BadUsage, match="there is no trade T9"):
        desk.manage(9)
    assert desk.locks.is_free(MANAGE_LOCK)


def test_trades_that_have_ended_are_left_alone(desk: ManagedDesk) -> None:
    opened(desk)
    move_trade(desk.store, 1, now=TradeState.EXPIRED, at=desk.clock())
    assert desk.manage() == ()
    (found,) = desk.manage(1)
    assert (found.trade.state, found.mark, found.checks, found.warnings) == (TradeState.EXPIRED, None, (), ())


def test_an_assigned_trade_is_shown_and_not_marked(desk: ManagedDesk) -> None:
    opened(desk)
    move_trade(desk.store, 1, now=TradeState.ASSIGNED, at=desk.clock())
    found = desk.start()
    assert (found.trade.state, found.mark, found.checks) == (TradeState.ASSIGNED, None, ())


def test_what_has_just_been_settled_is_managed_with_its_notes(
    desk: ManagedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(desk)
    opened(desk, legs=builders.spread("630", "625").legs)
    expired = move_trade(desk.store, 1, now=TradeState.EXPIRED, at=desk.clock())
    settled = reconcile.SettledTrades(trades=(expired,), warnings={1: ("settled at 700",), 2: ("look here",)})
    monkeypatch.setattr(reconcile, "settle_ended", lambda context_for, *, reads_positions: settled)
    first, second = desk.manage()
    assert (first.trade, first.warnings) == (expired, ("settled at 700",))
    assert (second.trade.id, second.warnings) == (2, ("look here",))


def test_another_difference_of_an_acknowledged_one_is_raised_again(tmp_path: Path) -> None:
    desk = managed_desk(tmp_path, Mode.LIVE)
    opened(desk)
    attention = desk.store.attention
    desk.holds(short=-2, long=1)
    for _ in range(2):
        desk.start()
        assert len(attention.open_items()) == 1
    attention.acknowledge("T1", "anna", desk.clock())
    desk.start()
    assert attention.open_items() == ()
    desk.holds(short=-2)
    desk.start()
    (item,) = attention.open_items()
    assert item.message.startswith("T1: 2 x SPY   251107P00635000 gone")
    desk.store.close()


def test_positions_that_cannot_be_read_are_told_of_every_trade(tmp_path: Path) -> None:
    desk = managed_desk(tmp_path, Mode.LIVE)
    opened(desk)

    def unreadable() -> Any:
        raise Unavailable("the broker does not answer")

    desk.account.positions = unreadable  # type: ignore[method-assign]
    found = desk.start()
    assert found.warnings == ("T1 was not compared with the broker's positions: the broker does not answer",)
    assert found.mark is not None
    desk.store.close()


# Orders in flight.


def test_a_resting_target_is_read_first_and_a_filled_one_ends_the_trade(desk: ManagedDesk) -> None:
    trade = opened(desk, rests_target=True)
    (target,) = [order for order in desk.orders.book.values() if order.state is OrderState.WORKING]
    desk.quoted.close_costs("0.20")
    found = desk.start()
    assert found.due is None  # the order at the broker does it
    desk.orders.fill(target.broker_id)
    found = desk.start()
    assert (found.trade.state, found.mark) == (TradeState.CLOSED, None)
    assert found.trade.exit_reason is ExitReason.TARGET
    assert desk.store.trades.get(trade.id).debit == D("0.29")
    assert desk.manage() == ()


def test_what_cannot_be_read_of_an_order_is_told_and_the_trade_is_marked(desk: ManagedDesk) -> None:
    opened(desk, rests_target=True)
    desk.orders.unreadable = True
    found = desk.start()
    assert found.warnings == ("the fake broker does not answer",)
    assert found.mark is not None
    assert found.error is None


def test_an_order_that_another_process_works_is_left_to_it(desk: ManagedDesk) -> None:
    opened(desk, rests_target=True)
    desk.locks.busy = {proposal_lock_name(1)}
    found = desk.start()
    assert found.warnings == ("proposal-1 is held by process 4242",)
    assert found.mark is not None


def test_an_order_left_by_a_dead_start_is_settled_before_anything_is_judged(desk: ManagedDesk) -> None:
    trade = opened(desk, rests_target=True)
    desk.orders.faults = [("after", TIMED_OUT)]
    desk.orders.cancel("480002")
    desk.start()
    assert desk.store.orders.select_by_proposal(trade.proposal_id)[-1].state is OrderState.CANCELLED
    place_target(desk.trading_context, trade.proposal_id)
    assert desk.state(trade.proposal_id) is ProposalState.DONE


# Without writing.


def test_judging_writes_nothing(desk: ManagedDesk) -> None:
    opened(desk, last_exit=builders.TODAY)
    found = judge_trade(desk.trading_context, 1)
    assert found.due is not None
    assert found.mark is not None
    assert (desk.store.marks.select(1), desk.closes()) == ((), [])


def test_it_works_in_live_mode_too(tmp_path: Path) -> None:
    desk = managed_desk(tmp_path, Mode.LIVE)
    opened(desk)
    found = desk.start()
    assert found.mark is not None
    assert found.mark.is_usable
    desk.quoted.age = 11
    found = desk.start()
    assert found.mark is not None
    assert found.mark.flags == (MarkFlag.STALE,)
    desk.store.close()
