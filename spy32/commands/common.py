"""What commands share: their App, options and ids as people type them, and how an answer is printed."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from spy32.domain.proposals import Proposal, ProposalKind
from spy32.errors import TERMINATIONS, BadUsage, Spy32Error, StoreError
from spy32.lifecycle import ProposalState
from spy32.wiring import App

if TYPE_CHECKING:
    from spy32.domain.run_view import RunView
    from spy32.render.encoder import Part
    from spy32.render.page import Page
    from spy32.store import Store

__all__ = ["App"]

HASH_DIGITS = 8
"""How much of a proposal's hash a person, or a script, repeats to approve it in live mode."""


def get_app(ctx: typer.Context) -> App:
    """The App that the root callback made."""
    return cast(App, ctx.find_root().obj)


# Words as people type them.


def parse_id(typed: str, letters: str, nouns: str) -> tuple[str, int]:
    """Letter and number of an id: of `P31`, `p31`, or of `31`, which is one of the first letter; else `BadUsage`."""
    match = re.fullmatch(rf"([{letters}]?)(\d{{1,18}})", typed.strip().upper(), re.ASCII)
    if match is None:
        raise BadUsage(f"{typed!r} is not the id of {nouns}")
    return match[1] or letters[0], int(match[2])


def parse_run_id(typed: str) -> int:
    return parse_id(typed, "R", "a run, such as R31")[1]


def parse_proposal_id(typed: str) -> int:
    return parse_id(typed, "P", "a proposal, such as P31")[1]


def parse_trade_id(typed: str) -> int:
    return parse_id(typed, "T", "a trade, such as T31")[1]


def parse_since(typed: str) -> date:
    """The date of `--since`; `BadUsage` for anything else."""
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise BadUsage(f"--since {typed!r} is not a date; write it as YYYY-MM-DD") from None


def parse_price(typed: str) -> Decimal:
    """A price as a person types it; `BadUsage` for what is none."""
    try:
        price = Decimal(typed) if len(typed) <= 12 else Decimal("nan")
    except InvalidOperation:
        price = Decimal("nan")
    if not price.is_finite():
        raise BadUsage(f"{typed!r} is not a price; write it as 0.57")
    return price


Completion = Callable[[typer.Context], list[tuple[str, str]]]
"""Gives values and their meaning; Typer leaves out those that do not begin with what was typed."""


def complete_ids(letters: str, *states: str) -> Completion:
    """Completes ids of these letters, in `states` where some are given, from the home and mode that were typed."""

    def complete(ctx: typer.Context) -> list[tuple[str, str]]:
        from spy32.records.recent_ids import recent_ids
        from spy32.wiring.base import AppBase

        typed = ctx.find_root().params
        try:
            database = AppBase.create(home=typed.get("home"), mode=typed.get("mode"), verbosity=-1).database
        except Spy32Error:  # settings that are wrong: the command itself will say so
            return []
        return list(recent_ids(database, letters, states))

    return complete


ProfileOption = Annotated[str, typer.Option(help="Settings profile.")]
SinceOption = Annotated[
    date | None, typer.Option(metavar="DATE", parser=parse_since, help="From this New York date on, YYYY-MM-DD.")
]
TradeArgument = Annotated[
    int,
    typer.Argument(
        metavar="T", parser=parse_trade_id, help="Trade, such as T1.",
        autocompletion=complete_ids("T", "open", "closing"),
    ),
]  # fmt: skip


# Answers.


def print_document(app: App, part: "Part", noun: Any) -> None:
    """Print the JSON document that `part` makes of `noun`."""
    from spy32.render import documents

    documents.print_document(app.out, part, noun)


def print_answer(app: App, part: "Part", noun: Any, text: "Page | Iterable[str]") -> None:
    """Print the JSON document that `part` makes of `noun`, or the page or the lines that say the same."""
    from spy32.render.page import Page

    if app.wants_json:
        print_document(app, part, noun)
    elif isinstance(text, Page):
        print_page(app, text)
    else:
        print_lines(app, text)


def print_page(app: App, page: "Page") -> None:
    """Print a page: tables on a terminal, plain lines elsewhere."""
    from spy32.render import output

    output.print_page(app.out, page)


def write_text(app: App, text: str) -> None:
    """Write the text as it is."""
    from spy32.render import output

    output.write_text(app.out, text)


def print_lines(app: App, lines: Iterable[str]) -> None:
    """Print lines that nothing cuts."""
    from spy32.render import output

    output.print_lines(app.out, lines)


@contextmanager
def notices_sent(app: App) -> Iterator[None]:
    """Send notices once the block is over, however it ended; a signal that ends the command is not kept waiting.

    A database that cannot be used holds no outbox to send from: that is told straight to the addresses.
    """
    try:
        yield
    except TERMINATIONS:
        raise
    except StoreError as error:
        _send(app, partial(app.send_store_error, error))
        raise
    except Exception:
        _send(app, app.send_notices)
        raise
    else:
        _send(app, app.send_notices)


def _send(app: App, send: Callable[[], None]) -> None:
    """What the command has done stands, and its exit code too: a signal ends only the sending."""
    try:
        send()
    except TERMINATIONS:
        app.warn("stopped while notices were being sent; the next command sends the rest")


def make_report_page(app: App, store: "Store") -> str:
    """The report's HTML page as of now."""
    from spy32.render.report_html import html_page
    from spy32.review.report import build_report

    return html_page(build_report(store, app.clock()))


def choose_proposal(store: "Store", number: int | None, *states: str) -> Proposal:
    """The proposal of this number, or without one the newest in the first of `states` that has any, else the newest."""

    if number is not None:
        return store.proposals.get(number)
    for state in states:
        proposals = store.proposals.select(ProposalState(state))
        if proposals:
            return proposals[-1]
    latest = store.proposals.latest()
    if latest is None:
        raise BadUsage("there is no proposal yet; `spy32 analyze` makes one")
    return latest


def view_with_proposal(store: "Store", view: "RunView", proposal: Proposal) -> "RunView":
    """The view of a run with this one of its proposals: the exit of its trade, a changed or an earlier opening."""
    orders, trade = store.orders.select_by_proposal(proposal.id), store.trades.find_by_proposal(proposal.id)
    # A close shows the mark that it was priced by, not only the newest.
    newest = None if proposal.kind is ProposalKind.CLOSE else 1
    return replace(
        view,
        proposal=proposal,
        body=store.proposals.order_body(proposal.id),
        approval=store.proposals.latest_approval(proposal.id),
        orders=orders,
        fills=tuple(fill for order in orders for fill in store.orders.fills(order.id)),
        trade=trade,
        marks=store.marks.select(trade.id, newest=newest) if trade is not None else (),
    )
