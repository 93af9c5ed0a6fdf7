"""Two spreads of January 2018 on recorded quotes, from the opening to the settlement, against a hand-computed table.

The index rose from 2696 to 2873 in a calm month and ended at 2824: a put spread 2640/2615 sold at 2.40 reached its
target on the fourth session; a call spread 2735/2760 sold at 3.20 was overrun, and cost its whole width in the end.
Where quotes are wide the mid of a deep spread goes beyond the width, as on the day of the last exit.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from spy32.domain.market import DailyBar, LegQuotes
from spy32.domain.marks import Mark
from spy32.domain.option_class import class_of_root
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitPlan, ExitReason
from spy32.domain.spreads import Action, Leg, Position, Spread, Strategy
from spy32.domain.transactions import TransactionKind
from spy32.rules import plan
from spy32.rules.closing import closing_proposal
from spy32.rules.exits import ExitInput, check_exits, due_exit
from spy32.rules.marks import mark_trade
from spy32.rules.settlement import select_expired, settlement_events, settlement_price
from spy32.settings import Settings
from tests.support import builders
from tests.support.paths import ROOT
from tests.support.trades import CALL, PUT, quote, trade

D = Decimal
EXPIRATION = date(2018, 1, 31)
OPENED = date(2018, 1, 2)
SETTINGS = replace(
    Settings(),
    market=replace(Settings().market, rate=0.014),
    # The table is without the exchange's fee.
    costs=replace(Settings().costs, exchange=D(0)),
)
TARGET, STOP, TIME, LAST = ExitReason.TARGET, ExitReason.STOP, ExitReason.TIME, ExitReason.LAST_EXIT


def leg(strike: int, right: Any, action: Action) -> Leg:
    return Leg(root="SPXW", expiration=EXPIRATION, strike=D(strike), right=right, action=action)


PUTS = Spread(
    underlying="SPX",
    strategy=Strategy.PUT_CREDIT,
    legs=(leg(2640, PUT, Action.SELL_TO_OPEN), leg(2615, PUT, Action.BUY_TO_OPEN)),
)
CALLS = Spread(
    underlying="SPX",
    strategy=Strategy.CALL_CREDIT,
    legs=(leg(2735, CALL, Action.SELL_TO_OPEN), leg(2760, CALL, Action.BUY_TO_OPEN)),
)

# Mid and natural debit of each day; what one spread has earned at the mid, after 2.26 to open and 0.26 to close; the
# days left; the most urgent exit that is due (a stop needs two readings of one session, and a day has one here).
# Computed from the file's bids and asks without this program.
TABLE: Sequence[tuple[str, tuple[str, str, str, Any], tuple[str, str, str, Any], int]] = (
    ("2018-01-02", ("2.40", "2.70", "-2.52", None), ("3.175", "3.40", "-0.02", None), 29),
    ("2018-01-03", ("1.55", "1.80", "82.48", None), ("6.20", "6.50", "-302.52", None), 28),
    ("2018-01-04", ("1.30", "1.50", "107.48", None), ("8.55", "8.90", "-537.52", None), 27),
    ("2018-01-05", ("0.825", "1.00", "154.98", TARGET), ("12.40", "12.90", "-922.52", None), 26),
    ("2018-01-08", ("0.60", "0.75", "177.48", TARGET), ("13.85", "14.40", "-1067.52", None), 23),
    ("2018-01-09", ("0.625", "0.75", "174.98", TARGET), ("14.70", "15.20", "-1152.52", None), 22),
    ("2018-01-10", ("0.625", "0.75", "174.98", TARGET), ("14.55", "15.00", "-1137.52", TIME), 21),
    ("2018-01-11", ("0.40", "0.55", "197.48", TARGET), ("18.05", "18.60", "-1487.52", TIME), 20),
    ("2018-01-12", ("0.30", "0.45", "207.48", TARGET), ("20.60", "22.20", "-1742.52", TIME), 19),
    ("2018-01-16", ("0.35", "0.50", "202.48", TARGET), ("19.90", "20.60", "-1672.52", TIME), 15),
    ("2018-01-17", ("0.25", "0.35", "212.48", TARGET), ("22.15", "23.60", "-1897.52", TIME), 14),
    ("2018-01-18", ("0.275", "0.40", "209.98", TARGET), ("22.05", "23.50", "-1887.52", TIME), 13),
    ("2018-01-19", ("0.125", "0.20", "224.98", TARGET), ("22.90", "25.30", "-1972.52", TIME), 12),
    ("2018-01-22", ("0.075", "0.20", "229.98", TARGET), ("24.35", "26.20", "-2117.52", TIME), 9),
    ("2018-01-23", ("0.10", "0.20", "227.48", TARGET), ("24.25", "26.50", "-2107.52", TIME), 8),
    ("2018-01-24", ("0.05", "0.20", "232.48", TARGET), ("24.35", "26.80", "-2117.52", TIME), 7),
    ("2018-01-25", ("0.075", "0.15", "229.98", TARGET), ("24.65", "28.00", "-2147.52", TIME), 6),
    ("2018-01-26", ("0.00", "0.10", "237.48", TARGET), ("24.90", "30.20", "-2172.52", TIME), 5),
    ("2018-01-29", ("0.025", "0.10", "234.98", TARGET), ("24.90", "30.20", "-2172.52", TIME), 2),
    ("2018-01-30", ("0.05", "0.15", "232.48", LAST), ("25.65", "30.10", "-2247.52", LAST), 1),
    ("2018-01-31", ("0.00", "0.05", "237.48", LAST), ("25.10", "33.80", "-2192.52", LAST), 0),
)

# What becomes of each leg, sold and bought, at the official close of 2823.81: the kind of the event, its cash and fees;
# what the spread has earned in the end, after 2.26 to open. By hand: 2823.81 - 2735 = 88.81, 2823.81 - 2760 = 63.81;
# 240 - 2.26 = 237.74; 320 - 2.26 - 8881 + 6381 - 10 = -2192.26.
CLOSE = DailyBar(day=EXPIRATION, close=2823.81)
SETTLED = (
    ((TransactionKind.EXPIRATION, "0", "0"), (TransactionKind.EXPIRATION, "0", "0"), "237.74"),
    ((TransactionKind.ASSIGNMENT, "-8881", "5"), (TransactionKind.EXERCISE, "6381", "5"), "-2192.26"),
)


@cache
def rows() -> tuple[dict[str, str], ...]:
    with (ROOT / "tests/data/series/SPXW_2018-01-31.csv").open(newline="") as file:
        return tuple(csv.DictReader(file))


def quotes(day: str, spread: Spread) -> LegQuotes:
    """The quotes of the file on that day."""
    today = [row for row in rows() if row["quote_datetime"].startswith(day)]
    found = {}
    for part in spread.legs:
        (row,) = [row for row in today if (row["option_type"], D(row["strike"])) == (part.right, part.strike)]
        found[part.symbol] = replace(
            quote(part, (float(row["bid"]), float(row["ask"]))), feed_delta=float(row["delta"])
        )
    at = datetime.fromisoformat(today[0]["quote_datetime"]).astimezone(UTC)
    return LegQuotes(spot=float(today[0]["underlying_price"]), as_of=at, source="recorded", quotes=found)


def sold(spread: Spread, credit: str) -> tuple[Trade, ExitPlan]:
    """One spread opened on the first day, with the plan that the settings make of it."""
    candidate = replace(builders.candidate(), spread=spread, start=D(credit))
    opened = datetime(2018, 1, 2, 21, 15, tzinfo=UTC)
    own = trade(legs=spread.legs, quantity=1, credit=D(credit), fees=D("2.26"), opened_at=opened)
    return own, plan.exit_plan(candidate, OPENED, SETTINGS)


def life(spread: Spread, credit: str) -> list[tuple[str, Mark, ExitReason | None]]:
    """Each day's mark, and the exit that was due by all marks until then."""
    own, exits = sold(spread, credit)
    marks: list[Mark] = []
    days = []
    for day, *_ in TABLE:
        given = quotes(day, spread)
        marks.append(mark_trade(own, given, SETTINGS, given.as_of))
        due = due_exit(check_exits(ExitInput(trade=own, plan=exits, marks=marks, now=given.as_of)))
        days.append((day, marks[-1], due.reason if due is not None else None))
    return days


SPREADS = [pytest.param(PUTS, "2.40", 0, id="puts"), pytest.param(CALLS, "3.20", 1, id="calls")]


@pytest.mark.parametrize(("spread", "credit", "side"), SPREADS)
def test_every_mark_and_every_due_exit_is_that_of_the_table(spread: Spread, credit: str, side: int) -> None:
    found = [(day, (mark.mid, mark.natural, mark.unrealized, due), mark.dte) for day, mark, due in life(spread, credit)]
    expected = [
        (row[0], (D(row[1 + side][0]), D(row[1 + side][1]), D(row[1 + side][2]), row[1 + side][3]), row[3])
        for row in TABLE
    ]
    assert found == expected
    assert all(mark.is_usable for _, mark, _ in life(spread, credit))


def test_the_plans_have_the_days_and_prices_of_the_calendar() -> None:
    """Half of the credit, three times the credit, 21 days before the end, the eve."""
    for spread, credit, target, stop in ((PUTS, "2.40", "1.20", "7.20"), (CALLS, "3.20", "1.60", "9.60")):
        exits = sold(spread, credit)[1]
        assert (exits.profit_target, exits.stop) == (D(target), D(stop))
        assert (exits.time_exit, exits.last_exit) == (date(2018, 1, 10), date(2018, 1, 30))


@pytest.mark.parametrize(("spread", "credit", "side"), SPREADS)
def test_the_time_exit_is_due_from_its_day_on(spread: Spread, credit: str, side: int) -> None:
    own, exits = sold(spread, credit)
    for day, *_ in TABLE:
        given = quotes(day, spread)
        checks = check_exits(ExitInput(trade=own, plan=exits, marks=(), now=given.as_of))
        time = next(check for check in checks if check.reason is ExitReason.TIME)
        assert time.is_due is (day >= "2018-01-10")


@pytest.mark.parametrize(
    ("spread", "credit", "day", "reason", "start", "ceiling"),
    [
        (PUTS, "2.40", "2018-01-05", TARGET, "0.80", "1.05"),
        (CALLS, "3.20", "2018-01-08", STOP, "13.85", "14.45"),
        (CALLS, "3.20", "2018-01-30", LAST, "25.00", "25.00"),  # the mid of 25.65 is beyond the width
        (PUTS, "2.40", "2018-01-30", LAST, "0.05", "0.20"),
    ],
)
def test_a_close_is_priced_by_the_mark_of_its_day(
    spread: Spread, credit: str, day: str, reason: ExitReason, start: str, ceiling: str
) -> None:
    own, exits = sold(spread, credit)
    given = quotes(day, spread)
    mark = mark_trade(own, given, SETTINGS, given.as_of)
    opening = builders.proposal(legs=spread.legs, exit=exits, underlying="SPX")
    made = closing_proposal(opening, own, reason, mark, SETTINGS)
    assert (made.plan.start, made.plan.limit) == (-D(start), -D(ceiling))


@pytest.mark.parametrize(("spread", "credit", "side"), SPREADS)
def test_what_is_held_to_the_end_is_settled_in_cash_as_in_the_table(spread: Spread, credit: str, side: int) -> None:
    held = [Position(symbol=each.symbol, quantity=-each.action.sign) for each in spread.legs]
    end = datetime(2018, 1, 31, 21, 15, tzinfo=UTC)
    assert select_expired(held, end - timedelta(seconds=1)) == ()
    (expired,) = select_expired(held, end)
    assert (expired.day, expired.terms) == (EXPIRATION, class_of_root("SPXW"))
    assert expired.terms is not None
    price = settlement_price(expired.terms, CLOSE)
    assert price == D("2823.81")
    events = settlement_events(expired, price)
    *legs, earned = SETTLED[side]
    assert [(event.symbol, event.kind, event.cash, event.fees) for event in events] == [
        (each.symbol, kind, D(cash), D(fees)) for each, (kind, cash, fees) in zip(spread.legs, legs, strict=True)
    ]
    own, _ = sold(spread, credit)
    assert own.credit * 100 - own.fees + sum(event.cash - event.fees for event in events) == D(earned)


@pytest.mark.parametrize(("spread", "credit", "side"), SPREADS)
def test_the_deltas_are_near_those_of_the_feed(spread: Spread, credit: str, side: int) -> None:
    """Within 0.03 until the last week; the feed has its own rates, dividends and clock."""
    for day, mark, _ in life(spread, credit):
        given = quotes(day, spread)
        for seen in mark.legs:
            feed = given.quotes[seen.symbol].feed_delta
            assert feed is not None
            if mark.dte >= 7 and seen.delta is not None and abs(feed) < 0.7:
                assert seen.delta == pytest.approx(feed, abs=0.03), f"{day} {seen.symbol}"
