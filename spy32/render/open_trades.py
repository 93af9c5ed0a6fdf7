"""Trades in a few words: what is held, how it stands with what comes next, and what it earned."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from spy32.domain.proposals import ExitReason
from spy32.domain.results import ResultTotals, TradeResult
from spy32.lifecycle import TradeState
from spy32.render.explain import PROPOSAL_STATES
from spy32.render.formatting import (
    calendar_day,
    format_count,
    format_credit,
    format_dollars,
    format_gain,
    format_percent,
    humanise,
)
from spy32.render.marks import UNMARKED, flag_words, result_words, short_time, strike_words
from spy32.render.page import Item, pair

if TYPE_CHECKING:
    from spy32.ops.open_trades import OpenTrade


def open_trade_items(item: "OpenTrade") -> Iterator[Item]:
    """What is held, and its mark with the next exit or the close that there is."""
    state = f" · {item.trade.state}" if item.trade.state is not TradeState.OPEN else ""
    yield pair(item.id, f"{held_words(item)} · max loss {format_dollars(item.trade.max_loss)}{state}", "strong")
    is_flagged = item.mark is not None and bool(item.mark.flags)
    is_loud = item.close is not None or item.next_exit <= item.today or is_flagged
    yield pair(f"{item.id} now", " · ".join(standing_words(item)), "warn" if is_loud else "")


def held_words(item: "OpenTrade") -> str:
    """`2 SPY 30 Sep 621/616 put spread @ 0.56 cr · 32 DTE`."""
    return f"{item.words} @ {format_credit(item.trade.credit)} · {days_words(item.dte)}"


def days_words(dte: int) -> str:
    """`32 DTE`; of an open trade whose expiration is past, that it has not been settled."""
    return f"{dte} DTE" if dte >= 0 else "EXPIRED, not settled"


def result_of(item: "OpenTrade") -> str:
    """What closing at the newest mark would earn, in the fewest words."""
    return UNMARKED if item.mark is None else result_words(item.mark, item.trade)


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


def result_items(result: TradeResult) -> Iterator[Item]:
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
        yield pair("Realised", ", ".join([f"{format_gain(result.realized_profit)}{reason}{held}", *shares]))
    if result.unrealized is not None:
        yield pair("Unrealised", f"{format_gain(result.unrealized)} by the newest usable mark")
    costs = [f"fees {format_dollars(result.fees)}"]
    if result.settlement_fees:
        costs.append(f"of them {format_dollars(result.settlement_fees)} for settlement")
    for slippage, what in ((result.opening_slippage, "to open"), (result.closing_slippage, "to close")):
        if slippage is not None:
            costs.append(f"slippage {format_dollars(slippage)} {what}")
    yield pair("Costs", ", ".join(costs))


def total_words(totals: ResultTotals) -> str:
    """Unrealised and realised in one line; trades without a usable mark are named."""
    missing = f" (without {', '.join(f'T{number}' for number in totals.unmarked)})" if totals.unmarked else ""
    realized = f"{format_gain(totals.week)} this week, {format_gain(totals.month)} this month"
    return f"{format_gain(totals.unrealized)} unrealised{missing} · realised {realized}"
