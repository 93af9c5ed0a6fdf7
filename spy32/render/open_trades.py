"""An open trade in two lines: what is held, and how it stands with what comes next."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from spy32.domain.proposals import ExitReason
from spy32.lifecycle import ProposalState, TradeState
from spy32.render.formatting import calendar_day, format_credit, format_dollars
from spy32.render.marks import UNMARKED, flag_words, result_words, short_time, strike_words
from spy32.render.page import Item, pair

if TYPE_CHECKING:
    from spy32.ops.open_trades import OpenTrade

CLOSES = {ProposalState.PROPOSED: "waits", ProposalState.APPROVED: "is approved", ProposalState.SENT: "is sent"}


def open_trade_items(item: "OpenTrade") -> Iterator[Item]:
    """What is held, and its mark with the next exit or the close that there is."""
    state = f" · {item.state}" if item.state is not TradeState.OPEN else ""
    yield pair(item.id, f"{held_words(item)} · max loss {format_dollars(item.max_loss)}{state}", "strong")
    yield pair(f"{item.id} now", " · ".join(standing_words(item)), _tone(item))


def held_words(item: "OpenTrade") -> str:
    """`2 SPY 30 Sep 621/616 put spread @ 0.56 cr · 32 DTE`."""
    return f"{item.words} @ {format_credit(item.credit)} · {days_words(item.dte)}"


def days_words(dte: int) -> str:
    """`32 DTE`; of an open trade whose expiration is past, that it has not been settled."""
    return f"{dte} DTE" if dte >= 0 else "EXPIRED, not settled"


def result_of(item: "OpenTrade") -> str:
    """What closing at the newest mark would earn, in the fewest words."""
    return UNMARKED if item.mark is None else result_words(item.mark, item.trade)


def standing_words(item: "OpenTrade") -> tuple[str, ...]:
    """The newest mark, and the next exit or the close that there is."""
    return (*_mark_words(item), _next_words(item))


def _mark_words(item: "OpenTrade") -> Iterator[str]:
    mark = item.mark
    if mark is None:
        yield UNMARKED
        return
    yield f"{result_words(mark, item.trade)} ({short_time(mark.at)})"
    yield strike_words(mark)
    if mark.flags:
        yield flag_words(mark)


def _next_words(item: "OpenTrade") -> str:
    close = item.close
    if close is not None:
        reason = f" ({close.reason.words})" if close.reason is not None else ""
        return f"close P{close.id} {CLOSES[close.state]}{reason}"
    return planned_exit_words(item.next_reason, item.next_exit, item.today)


def planned_exit_words(reason: ExitReason, day: date, today: date) -> str:
    """`time exit on 9 Sep`, or since when it is due."""
    when = "due since" if day < today else "due today," if day == today else "on"
    return f"{reason.words} {when} {calendar_day(day)}"


def _tone(item: "OpenTrade") -> str:
    is_flagged = item.mark is not None and bool(item.mark.flags)
    return "warn" if item.close is not None or item.next_exit <= item.today or is_flagged else ""
