"""Trades as the report shows them, the account's path by daily marks, and the groups of trades."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from math import inf
from typing import NamedTuple

import numpy as np

from spy32.domain.orders import Trade
from spy32.domain.report import Bounds, EquityPoint, GroupResult, Money, ReportTrade
from spy32.domain.spreads import CENT, MULTIPLIER, Strategy, whole_order
from spy32.domain.units import sum_amounts
from spy32.records.report import TradeOrigin
from spy32.review.bounds import share_bounds, week_numbers
from spy32.rules.results import days_held
from spy32.rules.settlement import settled_amount
from spy32.sessions import market_date

DELTA_EDGES = tuple(step / 20 for step in range(21))
VIX_EDGES = (15, 20, 30)
"""Percent: calm, usual (the median since 1990 is near 18), raised, and a crisis."""
DTE_EDGES = (15, 29, 43)
"""Days: two, four and six weeks."""


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


Group = tuple[float, str]
"""The place and the name of a group: bands go from low to high, others by their size, and what is not known is last."""


def _name_group(name: str | None) -> Group:
    return (0, name) if name is not None else (inf, "not known")


def _band(number: float | None, edges: Sequence[float], form: str = "g") -> Group:
    """Return the band between two edges, of which the lower one belongs to it."""
    if number is None:
        return _name_group(None)
    place = bisect_right(edges, number + 1e-9)
    low, high = (f"{edge:{form}}" for edge in (edges[max(place - 1, 0)], edges[min(place, len(edges) - 1)]))
    return place, f"below {high}" if place == 0 else f"{low} and more" if place == len(edges) else f"{low} to {high}"


PROPERTIES: Mapping[str, Callable[[TradeRow], Group]] = {
    "exit": lambda row: _name_group(row.trade.exit_reason),
    "side": lambda row: _name_group(Strategy(row.origin.strategy).short_name),
    "delta": lambda row: _band(row.origin.short_delta, DELTA_EDGES, ".2f"),
    "vix": lambda row: _band(row.origin.vix, VIX_EDGES),
    "dte": lambda row: _band(row.origin.dte, DTE_EDGES),
    "analyst": lambda row: _name_group(row.origin.analyst),
    "prompt": lambda row: _name_group(row.origin.prompt or "none"),
    "profile": lambda row: _name_group(row.origin.profile),
    "weekday": lambda row: _name_group(f"{row.shown.opened:%A}"),
}


BY_RESULT = frozenset({"exit"})
"""Properties that follow from the result. A share of wins would say nothing of such a group."""


def trade_groups(rows: Sequence[TradeRow], streams: int) -> dict[str, tuple[GroupResult, ...]]:
    """Return the ended trades by each property; a trade lasts at most `streams` weeks."""
    return {name: tuple(_groups(name, rows, streams)) for name in PROPERTIES}


def _groups(property_name: str, rows: Sequence[TradeRow], streams: int) -> Iterator[GroupResult]:
    groups: dict[Group, list[TradeRow]] = {}
    for row in rows:
        groups.setdefault(PROPERTIES[property_name](row), []).append(row)
    for (_, name), found in sorted(groups.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])):
        results = [row.trade.result or Decimal(0) for row in found]
        share = win_rate(found, streams)
        is_enough = share is not None and share.mean is not None
        yield GroupResult(
            name=name,
            count=len(results),
            wins=sum(result > 0 for result in results),
            result=sum_amounts(results),
            mean=mean_amount(results) if is_enough else None,
            share=share if is_enough and property_name not in BY_RESULT else None,
        )


# Totals of the ended trades.


def win_rate(rows: Sequence[TradeRow], streams: int) -> Bounds | None:
    """Return the share of ended trades with a profit."""
    wins = np.array([(row.trade.result or 0) > 0 for row in rows], dtype=np.float64)
    return share_bounds(wins, week_numbers([row.shown.opened for row in rows]), streams)


def mean_amount(amounts: Sequence[Decimal]) -> Decimal:
    """Return the mean of one amount or more, dollars to the cent."""
    return (sum_amounts(amounts) / len(amounts)).quantize(CENT, ROUND_HALF_EVEN)


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
    premium = sum_amounts(trade.credit * trade.quantity for trade in trades) * MULTIPLIER
    result = sum_amounts(trade.result or Decimal(0) for trade in trades)
    fees = sum_amounts(trade.fees for trade in trades)
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
        unrealized = sum_amounts(held.values())
        both = total + unrealized
        peak = max(peak, both)
        points.append(EquityPoint(day=day, realized=total, unrealized=unrealized, total=both, drawdown=both - peak))
    return tuple(points)
