"""Open trades as `manage`, `close`, `exits` and `approve` show them: the mark, what is due, and what to type next."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from spy32.domain.marks import Mark
from spy32.domain.proposals import ExitReason, Proposal, spread_description
from spy32.domain.spreads import ExitAuthority
from spy32.lifecycle import ENDED_TRADES
from spy32.render.explain import PROPOSAL_STATES, proposal_command
from spy32.render.figures import exit_words, trade_sentence, watch_words
from spy32.render.formatting import (
    UNKNOWN,
    format_age,
    format_count,
    format_credit,
    format_debit,
    format_gain,
    format_price,
    new_york_words,
    single_line,
)
from spy32.render.marks import (
    UNMARKED,
    mark_items,
    price_words,
    reason_words,
    result_words,
    short_time,
    strike_words,
)
from spy32.render.page import Facts, Page, Part, pairs
from spy32.sessions import market_date

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from spy32.domain.proposals import ProposalTerms
    from spy32.rules.exits import ExitCheck
    from spy32.trading.managed_trade import ManagedTrade
    from spy32.trading.review import Review


def managed_page(found: "Sequence[ManagedTrade]") -> Page:
    """Every trade that was looked at: its mark, what is due, and the close with the command that it needs."""
    return Page(heading="" if found else "no open trades", parts=tuple(pairs(_managed_items(state)) for state in found))


def _managed_items(state: "ManagedTrade") -> Facts:
    name, due, close = f"T{state.trade.id}", state.due, state.proposal
    yield name, f"{state.trade.state}: {_held_words(state)}", "strong"
    if state.mark is not None:
        yield f"{name} mark", f"{price_words(state.mark)} · as of {short_time(state.mark.as_of)}"
        yield f"{name} now", f"{result_words(state.mark, state.trade)} · {strike_words(state.mark)}"
    if due is not None:
        yield f"{name} due", _due_words(due), "warn"
    for warning in state.warnings:
        yield f"{name} note", warning
    if state.error is not None:
        yield f"{name} NOT DONE", state.error.message, "bad"
    if close is not None:
        yield f"{name} close", _close_words(close)
        yield f"{name} next", proposal_command(close) or "", "strong"
    elif due is not None and state.mark is not None and state.error is None:
        # It was declined today, or the quotes of now cannot price it.
        words = f"spy32 close {name} (by hand)" if state.mark.is_usable else f"spy32 manage {name} (with other quotes)"
        yield f"{name} next", words, "strong"
    if state.trade.state in ENDED_TRADES:
        yield f"{name} ended", _ending_words(state), "strong"


def _held_words(state: "ManagedTrade") -> str:
    trade = state.trade
    words = spread_description(state.opening.underlying, trade.legs)
    quantity = trade.remaining if trade.state not in ENDED_TRADES else trade.quantity
    dte = f" · {state.dte} DTE" if trade.state not in ENDED_TRADES else ""
    return f"{quantity} {words} @ {format_credit(trade.credit)}{dte}"


def _ending_words(state: "ManagedTrade") -> str:
    trade = state.trade
    reason = f"{trade.exit_reason.words}, " if trade.exit_reason is not None else ""
    paid = f"closed for {format_credit(-trade.debit)}, " if trade.debit is not None else ""
    result = f"result {format_gain(trade.result)} after fees" if trade.result is not None else "no result yet"
    return f"{reason}{paid}{result}"


def _close_words(close: Proposal) -> str:
    """`P2 waits for approval: BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.33 db (ceiling 0.38)`."""
    return f"P{close.id} {PROPOSAL_STATES[close.state]}: {trade_sentence(close)}"


def _due_words(due: "ExitCheck") -> str:
    return f"{due.reason.words}: {due.message}"


# The exit plan.


def exits_page(state: "ManagedTrade", newest: Mark | None) -> Page:
    """Every rule of the plan: when or at what price it fires, how far away that is, and which is due."""
    due, is_over = state.due, state.trade.state in ENDED_TRADES
    title = f"{due.reason.words} is due" if due is not None else "nothing is due"
    if not state.checks:
        title = f"it is {state.trade.state}, so no exit is judged"
    ended = ("Ended", _ending_words(state), "strong")
    command = proposal_command(state.proposal) if state.proposal is not None else None
    if command is None and due is not None:
        command = f"spy32 manage T{state.trade.id}"
    return Page(
        heading=f"T{state.trade.id} {_held_words(state)}: {title}",
        tone="warn" if due is not None else "strong",
        parts=(
            pairs([ended] if is_over else _mark_items(state, newest)),
            pairs(exit_items(state, newest), "exit", "Exits, the most urgent first"),
            pairs([] if is_over else _closing_items(state)),
        ),
        following=(command,) if command is not None else (),
    )


def _mark_items(state: "ManagedTrade", newest: Mark | None) -> Facts:
    for warning in state.warnings:
        yield "Note", warning, "warn"
    if newest is None:
        yield "Mark", UNMARKED
        return
    when = new_york_words(newest.at)
    if state.mark is None:
        yield "Marked", f"not now; the last mark is of {when}"
    yield from mark_items(newest, state.trade)
    if state.mark is not None:
        yield "At", f"{when}, quotes of {newest.source}"


def exit_items(state: "ManagedTrade", newest: Mark | None) -> Facts:
    """Every exit, a line each: whether it is due, when or at what price it fires, and how far away that is."""
    for check in state.checks:
        text = " · ".join(_exit_words(check, newest, market_date(state.at)))
        tone = "warn" if check.is_due or check.is_unknown else ""
        yield check.reason.words.capitalize(), text, tone


def _exit_words(check: "ExitCheck", newest: Mark | None, today: "date") -> Iterator[str]:
    if check.is_due:
        yield "DUE"
    if check.price is not None:
        bound = "more" if (check.reason is ExitReason.STOP) is (check.price >= 0) else "less"
        yield f"at {format_debit(check.price)} or {bound}"
    yield check.message
    if check.is_due:
        return
    days, away = days_until(check, today), price_distance(check, newest.mid if newest is not None else None)
    if days is not None:
        yield f"{format_count(days, 'day')} away"
    if away is not None and away > 0:
        yield f"{format_price(away)} away"


def _closing_items(state: "ManagedTrade") -> Facts:
    plan, close = state.exits, state.proposal
    is_planned = plan.authority is ExitAuthority.PLAN
    covers = "the approval of the opening covers its closes" if is_planned else "a person approves each close"
    yield "Approval", covers
    yield "Watched", watch_words(plan)
    if close is not None:
        yield "Close", f"{_close_words(close)}{reason_words(close.reason)}", "strong"


def price_distance(check: "ExitCheck", mid: "Decimal | None") -> "Decimal | None":
    """How far the mid is from the price of a rule, dollars per share; zero or less when it is reached."""
    if check.price is None or mid is None:
        return None
    return check.price - mid if check.reason is ExitReason.STOP else mid - check.price


def days_until(check: "ExitCheck", today: "date") -> int | None:
    return (check.day - today).days if check.day is not None else None


# What `approve` shows of a close.


def closing_items(review: "Review", result: "ProposalTerms") -> Facts:
    """Why a close is due now, how the trade stands, and the quotes of its legs."""
    managed, quote = review.managed, review.current_quote
    if managed is not None:
        due = managed.due
        why = f"{due.reason.words}: {single_line(due.message)}" if due is not None else "nothing is, by the plan"
        yield "Due", why
        if managed.mark is not None:
            yield from mark_items(managed.mark, managed.trade, result.legs)
    if quote is None or (review.stale_reason is not None and not result.is_recorded):
        yield "Quotes", review.stale_reason or UNKNOWN, "warn"
    else:
        age = new_york_words(quote.as_of) if result.is_recorded else f"{format_age(review.at - quote.as_of)} old"
        yield "Quotes", f"{age}, from {quote.source}"
    yield "Exit", exit_words(result.exit, result)


def exit_parts(managed: "ManagedTrade") -> list[Part]:
    """Every exit of the plan as it stands, and what was noticed when the trade was marked."""
    notes = (("note", warning, "warn") for warning in managed.warnings)
    exits = pairs(exit_items(managed, managed.mark), "exit", "Exits now, the most urgent first")
    return [exits, pairs(notes, "mark", "The mark")]
