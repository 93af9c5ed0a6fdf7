"""What `manage`, `close` and `exits` answer: each open trade with its mark, what is due, and what to type next."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from spy32.domain.marks import Mark
from spy32.domain.proposals import ExitReason, Proposal, spread_description
from spy32.domain.spreads import ExitAuthority, Mode
from spy32.lifecycle import ProposalState, TradeState
from spy32.render.figures import trade_sentence, watch_words
from spy32.render.formatting import (
    format_count,
    format_credit,
    format_debit,
    format_gain,
    format_price,
    new_york_words,
    single_line,
)
from spy32.render.marks import UNMARKED, flag_words, price_words, result_words, short_time, strike_words
from spy32.render.page import Item, Page, Pairs, pair
from spy32.sessions import market_date

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from spy32.rules.exits import ExitCheck
    from spy32.trading.managed_trade import ManagedTrade

ENDED = (TradeState.CLOSED, TradeState.EXPIRED)
WAITING = {
    ProposalState.PROPOSED: "waits for approval",
    ProposalState.APPROVED: "is approved, not sent",
    ProposalState.SENT: "is sent",
    ProposalState.DONE: "is done",
    ProposalState.DECLINED: "was declined",
    ProposalState.LAPSED: "lapsed",
}


def managed_page(found: "Sequence[ManagedTrade]") -> Page:
    """Every trade that was looked at: its mark, what is due, and the close with the command that it needs."""
    parts = tuple(Pairs(items=tuple(_managed_items(state))) for state in found)
    return Page(heading="" if found else "no open trades", parts=parts)


def _managed_items(state: "ManagedTrade") -> Iterator[Item]:
    name, due, close = f"T{state.trade.id}", state.due, state.proposal
    yield pair(name, f"{state.trade.state}: {_held_words(state)}", "strong")
    if state.mark is not None:
        yield pair(f"{name} mark", f"{price_words(state.mark)} · as of {short_time(state.mark.as_of)}")
        yield pair(f"{name} now", f"{result_words(state.mark, state.trade)} · {strike_words(state.mark)}")
    if due is not None:
        yield pair(f"{name} due", f"{due.reason.words}: {single_line(due.message)}", "warn")
    for warning in state.warnings:
        yield pair(f"{name} note", single_line(warning))
    if state.error is not None:
        yield pair(f"{name} NOT DONE", single_line(state.error.message), "bad")
    if close is not None:
        yield pair(f"{name} close", close_words(close))
        if (command := close_command(close)) is not None:
            yield pair(f"{name} next", command, "strong")
    elif due is not None and state.mark is not None and state.error is None:
        # It was declined today, or the quotes of now cannot price it.
        words = f"spy32 close {name} (by hand)" if state.mark.is_usable else f"spy32 manage {name} (with other quotes)"
        yield pair(f"{name} next", words, "strong")
    if state.trade.state in ENDED:
        yield pair(f"{name} ended", _ending_words(state), "strong")


def _held_words(state: "ManagedTrade") -> str:
    trade = state.trade
    words = spread_description(state.opening.underlying, trade.legs)
    quantity = trade.remaining if trade.state not in ENDED else trade.quantity
    dte = f" · {state.dte} DTE" if trade.state not in ENDED else ""
    return f"{quantity} {words} @ {format_credit(trade.credit)}{dte}"


def _ending_words(state: "ManagedTrade") -> str:
    trade = state.trade
    reason = f"{trade.exit_reason.words}, " if trade.exit_reason is not None else ""
    paid = f"closed for {format_credit(-trade.debit)}, " if trade.debit is not None else ""
    result = f"result {format_gain(trade.result)} after fees" if trade.result is not None else "no result yet"
    return f"{reason}{paid}{result}"


def close_words(close: Proposal) -> str:
    """`P2 waits for approval: BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.33 db (ceiling 0.38)`."""
    return f"P{close.id} {WAITING[close.state]}: {trade_sentence(close)}"


def close_command(close: Proposal) -> str | None:
    live = " --live" if close.mode is Mode.LIVE else ""
    return {
        ProposalState.PROPOSED: f"spy32 approve P{close.id}",
        ProposalState.APPROVED: f"spy32 execute P{close.id}{live}",
        ProposalState.SENT: f"spy32 execute P{close.id}{live}",
    }.get(close.state)


# The exit plan.


def exits_page(state: "ManagedTrade", newest: Mark | None) -> Page:
    """Every rule of the plan: when or at what price it fires, how far away that is, and which is due."""
    due, close = state.due, state.proposal
    title = f"{due.reason.words} is due" if due is not None else "nothing is due"
    if not state.checks:
        title = f"it is {state.trade.state}, so no exit is judged"
    is_over = state.trade.state in ENDED
    ended = (pair("Ended", _ending_words(state), "strong"),)
    parts = [Pairs(items=ended if is_over else tuple(_mark_items(state, newest)))]
    if state.checks:
        parts.append(Pairs(name="exit", title="Exits, the most urgent first", items=exit_items(state, newest)))
    parts += [] if is_over else [Pairs(items=tuple(_closing_items(state)))]
    command = close_command(close) if close is not None else None
    following = (command,) if command is not None else (f"spy32 manage T{state.trade.id}",) if due is not None else ()
    return Page(
        heading=f"T{state.trade.id} {_held_words(state)}: {title}",
        tone="warn" if due is not None else "strong",
        parts=tuple(parts),
        following=following,
    )


def _mark_items(state: "ManagedTrade", newest: Mark | None) -> Iterator[Item]:
    for warning in state.warnings:
        yield pair("Note", single_line(warning), "warn")
    if newest is None:
        yield pair("Mark", UNMARKED)
        return
    when = new_york_words(newest.at)
    yield pair(
        "Mark", price_words(newest) if state.mark is not None else f"the last one is of {when}: {price_words(newest)}"
    )
    yield pair("Result", f"{result_words(newest, state.trade)} · {strike_words(newest)}")
    if newest.flags:
        yield pair("Flags", flag_words(newest), "warn")
    if state.mark is not None:
        yield pair("At", f"{when}, quotes of {single_line(newest.source)}")


def exit_items(state: "ManagedTrade", newest: Mark | None) -> tuple[Item, ...]:
    """Every exit, a line each: whether it is due, when or at what price it fires, and how far away that is."""
    return tuple(_exit_item(check, newest, market_date(state.at)) for check in state.checks)


def _exit_item(check: "ExitCheck", newest: Mark | None, today: "date") -> Item:
    words = [*_when_words(check), single_line(check.message), *_away_words(check, newest, today)]
    text = " · ".join(words)
    label = check.reason.words.capitalize()
    return pair(label, f"DUE · {text}" if check.is_due else text, "warn" if check.is_due or check.is_unknown else "")


def _when_words(check: "ExitCheck") -> Iterable[str]:
    if check.price is not None:
        bound = "more" if (check.reason is ExitReason.STOP) is (check.price >= 0) else "less"
        yield f"at {format_debit(check.price)} or {bound}"


def _away_words(check: "ExitCheck", newest: Mark | None, today: "date") -> Iterable[str]:
    """How far away it is; nothing once it is due."""
    days = days_until(check, today)
    away = price_distance(check, newest.mid if newest is not None else None)
    if check.is_due:
        return
    if days is not None:
        yield f"{format_count(days, 'day')} away"
    if away is not None and away > 0:
        yield f"{format_price(away)} away"


def _closing_items(state: "ManagedTrade") -> Iterator[Item]:
    plan, close = state.exits, state.proposal
    is_planned = plan.authority is ExitAuthority.PLAN
    covers = "the approval of the opening covers its closes" if is_planned else "a person approves each close"
    yield pair("Approval", covers)
    yield pair("Watched", watch_words(plan))
    if close is not None:
        reason = f" ({close.reason.words})" if close.reason is not None else ""
        yield pair("Close", f"{close_words(close)}{reason}", "strong")


def price_distance(check: "ExitCheck", mid: "Decimal | None") -> "Decimal | None":
    """How far the mid is from the price of a rule, dollars per share; zero or less when it is reached."""
    if check.price is None or mid is None:
        return None
    return check.price - mid if check.reason is ExitReason.STOP else mid - check.price


def days_until(check: "ExitCheck", today: "date") -> int | None:
    return (check.day - today).days if check.day is not None else None
