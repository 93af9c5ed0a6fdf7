"""The order of a proposal in full: legs, price plan, exit plan, and what it is held to."""

from collections.abc import Iterable
from datetime import date

from spy32.domain.proposals import Proposal, ProposalKind, ProposalTerms
from spy32.domain.spreads import max_width
from spy32.render.figures import watch_words
from spy32.render.formatting import (
    DAYS,
    describe_assignment,
    format_both_zones,
    format_price,
    mask_account,
    single_line,
)
from spy32.render.page import Item, Pairs, pair


def order_pairs(result: ProposalTerms, *, more: Iterable[Item] = ()) -> Pairs:
    """The price plan, and what the proposal is bound to."""
    legs = [pair("leg", f"{leg.action.value} {leg.quantity * result.quantity} x {leg.symbol}") for leg in result.legs]
    items = [
        *legs,
        *more,
        pair("price plan", _price_plan(result)),
        *([pair("if assigned", describe_assignment(result))] if result.kind is ProposalKind.OPEN else []),
        pair("account", f"{mask_account(result.account)}, {result.mode}"),
        pair("chosen by", f"{single_line(result.chosen_by)} from quotes of {format_both_zones(result.quoted_at)}"),
        pair("lapses", format_both_zones(result.lapses_at)),
        pair("confirm with", f"{result.hash[:8]} (the hash's first 8 digits)"),
    ]
    return Pairs(
        name="order", title=f"Order of P{result.id}" if isinstance(result, Proposal) else "Order", items=tuple(items)
    )


def _price_plan(result: ProposalTerms) -> str:
    plan = result.plan
    return (
        f"{format_price(abs(plan.start))} to {format_price(abs(plan.limit))}, {format_price(plan.tick)} "
        f"every {plan.step_seconds} s, never beyond; cancelled after {plan.deadline_seconds} s"
    )


def exit_pairs(result: ProposalTerms) -> Pairs:
    """The exit plan in full."""
    plan = result.exit
    rests = ", GTC at the broker" * plan.rests_target
    target, stop = f"{format_price(abs(plan.profit_target))} credit or more", "none: it loses its debit at the most"
    if plan.profit_target > 0:
        target = f"{format_price(plan.profit_target)} debit or less"
        stop = f"{format_price(plan.stop)} debit or more proposes a close"
        if plan.stop >= max_width(result.legs):
            stop = "no effective stop: the set multiple of the credit exceeds the width"
    items = (
        pair("profit target", f"{target}{rests}"),
        pair("time exit", _day(plan.time_exit) if plan.time_exit is not None else "none"),
        pair("last exit", f"{_day(plan.last_exit)}, whatever the price"),
        pair("stop", stop),
        pair("watched", watch_words(plan)),
        pair("in words", single_line(plan.note)),
    )
    return Pairs(name="exit", title="Exit plan", items=items)


def _day(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day}"
