"""Trades as the report shows them, the account's path by daily marks, and the groups of trades."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from typing import NamedTuple

import numpy as np

from spy32.domain.orders import Trade
from spy32.domain.report import Bounds, EquityPoint, GroupResult, Money, ReportTrade
from spy32.domain.spreads import CENT, MULTIPLIER, Strategy, whole_order
from spy32.records.report import TradeOrigin
from spy32.review.bounds import share_bounds, week_numbers
from spy32.rules.results import days_held
from spy32.rules.settlement import settled_amount
from spy32.sessions import market_date

UNKNOWN = "not known"
DELTA_STEP = 0.05
VIX_EDGES = (15, 20, 30)
"""Percent: calm, usual (the median since 1990 is near 18), raised, and a crisis."""
DTE_EDGES = (15, 29, 43)
"""Days: two, four and six weeks."""
SIDES = {
    Strategy.PUT_CREDIT: "put", Strategy.CALL_CREDIT: "call", Strategy.IRON_CONDOR: "condor",
    Strategy.PUT_DEBIT: "put debit", Strategy.CALL_DEBIT: "call debit",
}  # fmt: skip


class TradeRow(NamedTuple):
    """One trade with what it was decided on."""

    trade: Trade
    origin: TradeOrigin
    shown: ReportTrade
    """As the report shows it."""


def trade_row(trade: Trade, origin: TradeOrigin, unrealized: Decimal | None, slippage: Decimal | None) -> TradeRow:
    """Return a trade as the report shows it; `unrealized` is by its newest usable mark."""
    has_credit = trade.result is not None and trade.credit > 0
    holding = None
    if origin.settlement is not None:
        # At its own fill, by the settlement that its menu has.
        settled = settled_amount(whole_order(trade.legs, trade.quantity), origin.settlement)
        received = trade.credit * MULTIPLIER * trade.quantity - trade.opening_fees
        holding = (received + settled).quantize(CENT, ROUND_HALF_EVEN)
    shown = ReportTrade(
        id=trade.id,
        run_id=trade.run_id,
        strategy=origin.strategy,
        opened=market_date(trade.opened_at),
        closed=market_date(trade.closed_at) if trade.closed_at is not None else None,
        quantity=trade.quantity,
        credit=trade.credit,
        max_loss=trade.max_loss,
        result=trade.result,
        unrealized=unrealized if trade.result is None else None,
        days_held=days_held(trade),
        credit_kept=float(1 - (trade.debit or Decimal(0)) / trade.credit) if has_credit else None,
        slippage=slippage,
        exit_reason=trade.exit_reason,
        stated=origin.stated,
        holding=holding,
    )
    return TradeRow(trade, origin, shown)


# Groups.


def _range_name(number: float | None, edges: Sequence[int]) -> str:
    if number is None:
        return UNKNOWN
    low = max((edge for edge in edges if edge <= number), default=None)
    high = min((edge for edge in edges if edge > number), default=None)
    return f"below {high}" if low is None else f"{low} and more" if high is None else f"{low} to {high}"


def _delta_name(delta: float | None) -> str:
    if delta is None:
        return UNKNOWN
    step = int(delta / DELTA_STEP + 1e-9)
    return f"{step * DELTA_STEP:.2f} to {(step + 1) * DELTA_STEP:.2f}"


PROPERTIES: Mapping[str, Callable[[TradeRow], str]] = {
    "exit": lambda row: row.trade.exit_reason or UNKNOWN,
    "side": lambda row: SIDES[Strategy(row.origin.strategy)],
    "delta": lambda row: _delta_name(row.origin.short_delta),
    "vix": lambda row: _range_name(row.origin.vix, VIX_EDGES),
    "dte": lambda row: _range_name(row.origin.dte, DTE_EDGES),
    "analyst": lambda row: row.origin.analyst,
    "prompt": lambda row: row.origin.prompt or "none",
    "profile": lambda row: row.origin.profile,
    "weekday": lambda row: f"{row.shown.opened:%A}",
}


BY_RESULT = frozenset({"exit"})
"""Properties that follow from the result. A share of wins would say nothing of such a group."""


def trade_groups(rows: Sequence[TradeRow], streams: int) -> dict[str, tuple[GroupResult, ...]]:
    """Return the ended trades by each property; a trade lasts at most `streams` weeks."""
    return {name: tuple(_groups(name, rows, streams)) for name in PROPERTIES}


def _groups(property_name: str, rows: Sequence[TradeRow], streams: int) -> Iterator[GroupResult]:
    """Yield bands from low to high, other groups by their size; what is not known comes last."""
    named: dict[str, list[TradeRow]] = {}
    for row in rows:
        named.setdefault(PROPERTIES[property_name](row), []).append(row)
    for name in sorted(named, key=lambda each: (each == UNKNOWN, _band_start(each), -len(named[each]), each)):
        results = [row.trade.result or Decimal(0) for row in named[name]]
        share = win_rate(named[name], streams)
        is_enough = share is not None and share.mean is not None
        yield GroupResult(
            name=name,
            count=len(results),
            wins=sum(result > 0 for result in results),
            result=sum(results, Decimal(0)),
            mean=mean_amount(results) if is_enough else None,
            share=share if is_enough and property_name not in BY_RESULT else None,
        )


def _band_start(name: str) -> float:
    """Return where a band begins; 0 of one without a lower end, and of a name that is no band."""
    first = name.partition(" ")[0]
    return float(first) if first.replace(".", "").isdecimal() else 0.0


# Totals of the ended trades.


def win_rate(rows: Sequence[TradeRow], streams: int) -> Bounds | None:
    """Return the share of ended trades with a profit."""
    wins = np.array([(row.trade.result or 0) > 0 for row in rows], dtype=np.float64)
    return share_bounds(wins, week_numbers([row.shown.opened for row in rows]), streams)


def mean_amount(amounts: Sequence[Decimal]) -> Decimal:
    """Return the mean of one amount or more, dollars to the cent."""
    return (sum(amounts, Decimal(0)) / len(amounts)).quantize(CENT, ROUND_HALF_EVEN)


def longest_streaks(results: Sequence[Decimal]) -> tuple[int, int]:
    """Return the most wins and the most losses in a row, in the order in which the trades ended."""
    longest = {True: 0, False: 0}
    for is_win, group in groupby(result > 0 for result in results):
        longest[is_win] = max(longest[is_win], len(list(group)))
    return longest[True], longest[False]


def money(trades: Sequence[Trade]) -> Money | None:
    """Return where the result of the ended trades came from; None without any."""
    if not trades:
        return None
    premium = sum((trade.credit * trade.quantity for trade in trades), Decimal(0)) * MULTIPLIER
    result = sum((trade.result or Decimal(0) for trade in trades), Decimal(0))
    fees = sum((trade.fees for trade in trades), Decimal(0))
    return Money(premium=premium, closing_cost=premium - fees - result, fees=fees, result=result)


# The account's path.


def equity(
    realized: Mapping[date, Decimal], marks: Sequence[tuple[int, date, Decimal]], ends: Mapping[int, date]
) -> tuple[EquityPoint, ...]:
    """Return the account at the end of each day on which something became final or was marked.

    `marks` are trade id, day and unrealised result, by day; the last one of a trade stands until it `ends`.
    """
    marked = {day: list(group) for day, group in groupby(marks, key=lambda mark: mark[1])}
    total, peak, points = Decimal(0), Decimal(0), []
    held: dict[int, Decimal] = {}
    for day in sorted({*realized, *marked, *ends.values()}):
        total += realized.get(day, Decimal(0))
        held |= {trade_id: amount for trade_id, _, amount in marked.get(day, ())}
        held = {trade_id: amount for trade_id, amount in held.items() if ends.get(trade_id, date.max) > day}
        unrealized = sum(held.values(), Decimal(0))
        both = total + unrealized
        peak = max(peak, both)
        points.append(EquityPoint(day=day, realized=total, unrealized=unrealized, total=both, drawdown=both - peak))
    return tuple(points)
