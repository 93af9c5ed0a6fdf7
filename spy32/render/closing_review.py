"""What `approve` shows of a close: why it is due, how the trade stands, the quotes of its legs, and what it leaves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spy32.render.figures import UNKNOWN, exit_words
from spy32.render.formatting import format_age, new_york_words, single_line
from spy32.render.manage_pages import exit_items
from spy32.render.marks import mark_items
from spy32.render.page import Item, Pairs, Part, pair

if TYPE_CHECKING:
    from spy32.domain.proposals import ProposalTerms
    from spy32.trading.managed_trade import ManagedTrade
    from spy32.trading.review import Review


def closing_items(review: "Review", result: "ProposalTerms") -> Iterator[Item]:
    """Why a close is due now, how the trade stands, and the quotes of its legs."""
    managed, quote = review.managed, review.current_quote
    if managed is not None:
        due = managed.due
        why = f"{due.reason.words}: {single_line(due.message)}" if due is not None else "nothing is, by the plan"
        yield pair("Due", why)
        if managed.mark is not None:
            yield from mark_items(managed.mark, managed.trade, result.legs)
    if quote is None or (review.stale_reason is not None and not result.is_recorded):
        yield pair("Quotes", single_line(review.stale_reason or UNKNOWN), "warn")
    else:
        age = new_york_words(quote.as_of) if result.is_recorded else f"{format_age(review.at - quote.as_of)} old"
        yield pair("Quotes", f"{age}, from {single_line(quote.source)}")
    yield pair("Exit", exit_words(result.exit, result))


def exit_parts(managed: "ManagedTrade") -> list[Part]:
    """Every exit of the plan as it stands, and what was noticed when the trade was marked."""
    notes = tuple(pair("note", single_line(warning), "warn") for warning in managed.warnings)
    return [
        Pairs(name="exit", title="Exits now, the most urgent first", items=exit_items(managed, managed.mark)),
        *([Pairs(name="mark", title="The mark", items=notes)] if notes else []),
    ]
