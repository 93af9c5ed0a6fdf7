"""Marks and trades as people read them: in words, and as a chart of a trade's life."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.market import Right
from spy32.domain.marks import LegMark, Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason
from spy32.domain.results import ResultTotals, TradeResult
from spy32.domain.spreads import Leg
from spy32.lifecycle import TradeState
from spy32.render.explain import PROPOSAL_STATES
from spy32.render.formatting import (
    UNKNOWN,
    ascii_only,
    calendar_day,
    format_count,
    format_credit,
    format_debit,
    format_dollars,
    format_gain,
    format_known,
    format_percent,
    format_price,
    format_strike,
    humanise,
    new_york_words,
)
from spy32.render.page import Facts
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.ops.open_trades import OpenTrade

UNMARKED = "not marked yet"
CHART_ROWS = 7
MOST_COLUMNS = 72
MARKS_LISTED = 6
"""Marks in plain lines: the first and the newest ones."""


def price_words(mark: Mark) -> str:
    """`0.33 mid, 0.36 natural · SPY 594.20`, without the underlying's name."""
    mid, natural = (format_known(format_debit, price, "no") for price in (mark.mid, mark.natural))
    return f"{mid} mid, {natural} natural · spot {format_price(mark.spot)}"


def result_words(mark: Mark, trade: Trade) -> str:
    """`+$70.48 = 52.0% of max profit` or `-$91.20 = 10.2% of max loss`: what closing at the mid would earn; of what
    cannot be told, that."""
    if mark.unrealized is None:
        return "no mid"
    gain, share, most = format_gain(mark.unrealized), mark.of_max_profit, "max profit"
    if mark.unrealized < 0:
        # A mark may have been made when more was held.
        max_loss = trade.max_loss * (mark.quantity or trade.remaining) / trade.quantity
        share, most = float(-mark.unrealized / max_loss) if max_loss > 0 else None, "max loss"
        if share is not None and share > 1:
            return f"{gain} = max loss and costs to close"
    return gain if share is None else f"{gain} = {format_percent(share)} of {most}"


def strike_words(mark: Mark) -> str:
    """`strike 6.3% away, 1.40 exp. moves`: of the nearest short strike; `in the money by` when it is passed."""
    if mark.distance_percent is None:
        return "strike n/a"
    moves = format_known(lambda moves: f", {abs(moves):.2f} exp. moves", mark.distance_moves)
    share = format_percent(abs(mark.distance_percent) / 100)
    where = f"{share} away" if mark.distance_percent >= 0 else f"in the money by {share}"
    return f"strike {where}{moves}"


def flag_words(mark: Mark) -> str:
    """`ONE-SIDED, STALE: decides nothing`; empty when the mark may decide."""
    flags = ", ".join(flag.value.replace("_", "-").upper() for flag in mark.flags)
    return f"{flags}: decides nothing" if flags else ""


def greek_words(mark: Mark) -> str:
    greeks = mark.greeks
    if greeks is None:
        return UNKNOWN
    theta, vega = format_gain(greeks.theta), format_gain(greeks.vega)
    return f"delta {greeks.delta:+.1f} shares · theta {theta} a day · vega {vega}"


def mark_items(mark: Mark, trade: Trade, legs: Sequence[Leg] = ()) -> Facts:
    """The mark of a trade, and each leg as its order would trade it, with its quote."""
    yield "Mark", price_words(mark)
    yield "Now", f"{result_words(mark, trade)} · {strike_words(mark)}"
    yield "Flags", flag_words(mark), "warn"
    quotes = {quote.symbol: quote for quote in mark.legs}
    for leg in legs:
        quote = format_known(_quote_words, quotes.get(leg.symbol))
        kind = "put" if leg.right is Right.PUT else "call"
        yield "Leg", f"{leg.action} {leg.quantity * mark.quantity} x {format_strike(leg.strike)} {kind}{quote}"


def _quote_words(quote: LegMark) -> str:
    bid, ask = (format_known(format_price, price, "none") for price in (quote.bid, quote.ask))
    return f" · bid {bid}, ask {ask}{format_known(' · delta {:+.2f}'.format, quote.delta)}"


def short_time(at: datetime) -> str:
    """`Fri 16 May 16:15`, New York."""
    there = at.astimezone(NEW_YORK)
    return f"{there:%a} {there.day} {there:%b %H:%M}"


# Trades.


def open_trade_items(item: "OpenTrade") -> Facts:
    """What is held, and its mark with the next exit or the close that there is."""
    state = f" · {item.trade.state}" if item.trade.state is not TradeState.OPEN else ""
    yield item.id, f"{held_words(item)} · max loss {format_dollars(item.trade.max_loss)}{state}", "strong"
    is_flagged = item.mark is not None and bool(item.mark.flags)
    is_loud = item.close is not None or item.next_exit <= item.today or is_flagged
    yield f"{item.id} now", " · ".join(standing_words(item)), "warn" if is_loud else ""


def held_words(item: "OpenTrade") -> str:
    """`2 SPY 30 Sep 621/616 put spread @ 0.56 cr · 32 DTE`."""
    return f"{item.words} @ {format_credit(item.trade.credit)} · {days_words(item.dte)}"


def days_words(dte: int) -> str:
    """`32 DTE`; of an open trade whose expiration is past, that it has not been settled."""
    return f"{dte} DTE" if dte >= 0 else "EXPIRED, not settled"


def standing_words(item: "OpenTrade") -> tuple[str, ...]:
    """The newest mark, and the next exit or the close that there is."""
    mark, close = item.mark, item.close
    following = planned_exit_words(item.next_reason, item.next_exit, item.today)
    if close is not None:
        following = f"close P{close.id} {PROPOSAL_STATES[close.state]}{reason_words(close.reason)}"
    if mark is None:
        return UNMARKED, following
    flags = (flag_words(mark),) if mark.flags else ()
    return f"{result_words(mark, item.trade)} ({short_time(mark.at)})", strike_words(mark), *flags, following


def reason_words(reason: ExitReason | None) -> str:
    """` (profit target)`."""
    return "" if reason is None else f" ({reason.words})"


def planned_exit_words(reason: ExitReason, day: date, today: date) -> str:
    """`time exit on 9 Sep`, or since when it is due."""
    when = "due since" if day < today else "due today," if day == today else "on"
    return f"{reason.words} {when} {calendar_day(day)}"


# What trades earned.


def result_items(result: TradeResult) -> Facts:
    """The realised result against what was filled, the costs of it, and what is not realised yet."""
    shares = [
        f"{format_percent(share)} of {what}"
        for share, what in (
            (result.credit_kept, "the credit kept"),
            (result.of_max_profit, "max profit"),
            (result.of_max_loss, "max loss"),
        )
        if share is not None
    ]
    if result.realizations:
        reason = f" by {humanise(result.exit_reason)}" if result.exit_reason is not None else ""
        held = f", held {format_count(result.days_held, 'day')}" if result.days_held is not None else ""
        yield "Realised", ", ".join([f"{format_gain(result.realized_profit)}{reason}{held}", *shares])
    if result.unrealized is not None:
        yield "Unrealised", f"{format_gain(result.unrealized)} by the newest usable mark"
    costs = [f"fees {format_dollars(result.fees)}"]
    if result.settlement_fees:
        costs.append(f"of them {format_dollars(result.settlement_fees)} for settlement")
    for slippage, what in ((result.opening_slippage, "to open"), (result.closing_slippage, "to close")):
        if slippage is not None:
            costs.append(f"slippage {format_dollars(slippage)} {what}")
    yield "Costs", ", ".join(costs)


def total_words(totals: ResultTotals) -> str:
    """Unrealised and realised in one line; trades without a usable mark are named."""
    missing = f" (without {', '.join(f'T{number}' for number in totals.unmarked)})" if totals.unmarked else ""
    realized = f"{format_gain(totals.week)} this week, {format_gain(totals.month)} this month"
    return f"{format_gain(totals.unrealized)} unrealised{missing} · realised {realized}"


# A trade's life.


def mark_lines(marks: Sequence[Mark], trade: Trade) -> list[str]:
    """The first mark and the newest ones, a line each; what is left out is counted."""
    listed = marks if len(marks) <= MARKS_LISTED else (marks[0], *marks[1 - MARKS_LISTED :])
    lines = []
    for place, mark in enumerate(listed):
        if place == 1 and len(listed) < len(marks):
            lines.append(f"({len(marks) - len(listed)} more marks)")
        flags = f" · {flag_words(mark)}" if mark.flags else ""
        lines.append(f"{new_york_words(mark.at)}: {price_words(mark)} · {result_words(mark, trade)}{flags}")
    return lines


def marks_chart(marks: Sequence[Mark], target: Decimal, stop: Decimal, width: int, plain: bool = False) -> list[str]:
    """The debit to close over time, with the lines of target and stop.

    Marks of one instant only make no chart; flagged ones are left out, and so is a stop far above everything else.
    """
    from spy32.render.canvas import Canvas, ChartFrame  # plain lines need neither

    usable = [mark for mark in marks if mark.is_usable]
    points = [(mark.at.timestamp(), float(mark.mid)) for mark in usable if mark.mid is not None]
    if not points or points[0][0] >= points[-1][0]:
        return []
    mids = [mid for _, mid in points]
    levels = {"target": float(target)}
    if target > 0 and float(stop) <= 2 * max(*mids, float(target)):  # a debit spread has no stop
        levels["stop"] = float(stop)
    bottom, top = min(*mids, *levels.values()), max(*mids, *levels.values())
    names = {name: f"{name} {amount:.2f} " for name, amount in levels.items()}
    gutter = max(map(len, (*names.values(), "mid 00.00 ")))
    columns = min(MOST_COLUMNS, width) - gutter - 1
    air = (top - bottom) / 20 or 0.01
    frame = ChartFrame(points[0][0], points[-1][0], bottom - air, top + air, columns, CHART_ROWS)
    canvas = Canvas(frame, plain=plain)
    canvas.draw_curve(points)
    labels = {canvas.draw_level(levels[name]): text for name, text in names.items()}
    # Where a level has its row, the newest mid is named on the nearest free one.
    at = frame.row(mids[-1])
    free = min((row for row in range(CHART_ROWS) if row not in labels), key=lambda row: abs(row - at))
    labels[free] = f"mid {mids[-1]:.2f} "
    first, last = short_time(usable[0].at), short_time(usable[-1].at)
    axis = f"{' ' * (gutter + 1)}{first}{last:>{max(columns - len(first), len(last) + 1)}}"
    drawn = [*canvas.labelled_lines(labels, gutter), axis]
    return [ascii_only(line) for line in drawn] if plain else drawn
