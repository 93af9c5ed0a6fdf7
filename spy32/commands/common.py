"""What commands share: their App, options that several take, and ids as people type them."""

import re
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spy32.domain.proposals import ProposalKind
from spy32.errors import TERMINATIONS, BadUsage, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from spy32.domain.proposals import Proposal
    from spy32.domain.run_view import RunView
    from spy32.store import Store
    from spy32.wiring import App

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of text.")]
ProfileOption = Annotated[str, typer.Option(help="Settings profile.")]


def get_app(ctx: typer.Context) -> "App":
    """The App that the root callback made."""
    return cast("App", ctx.find_root().obj)


@contextmanager
def notices_sent(app: "App") -> "Iterator[None]":
    """Send notices once the block is over, however it ended; a signal that ends the command is not kept waiting.

    A database that cannot be used holds no outbox to send from: that is told straight to the addresses.
    """
    try:
        yield
    except TERMINATIONS:
        raise
    except StoreError as trouble:
        _send(app, partial(app.send_store_trouble, trouble))
        raise
    except Exception:
        _send(app, app.send_notices)
        raise
    else:
        _send(app, app.send_notices)


def _send(app: "App", send: "Callable[[], None]") -> None:
    """What the command has done stands, and its exit code too: a signal ends only the sending."""
    try:
        send()
    except TERMINATIONS:
        app.warn("stopped while notices were being sent; the next command sends the rest")


def make_report_page(app: "App", store: "Store") -> str:
    """The report's HTML page as of now."""
    from spy32.render.report_html import html_page
    from spy32.review.report import build_report

    return html_page(build_report(store, app.clock()))


def parse_id(typed: str, letter: str, noun: str) -> int:
    """31 of `P31`, `p31` or `31`; `BadUsage` for anything else."""
    match = re.fullmatch(rf"{letter}?(\d{{1,18}})", typed.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise BadUsage(f"{typed!r} is not the id of a {noun}; such ids look like {letter}31")
    return int(match[1])


def parse_since(typed: str | None) -> "date | None":
    """The date of `--since`; `BadUsage` for anything else."""
    from datetime import date

    try:
        return None if typed is None else date.fromisoformat(typed)
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


def parse_run_id(typed: str) -> int:
    return parse_id(typed, "R", "run")


def parse_proposal_id(store: "Store", typed: str | None, *states: str) -> int:
    """The proposal that was typed, or the newest one in one of `states`; the store says no to one that is not there."""
    if typed is not None:
        return parse_id(typed, "P", "proposal")
    from spy32.lifecycle import ProposalState

    for state in states:
        proposals = store.proposals.select(ProposalState(state))
        if proposals:
            return proposals[-1].id
    latest = store.proposals.latest()
    if latest is None:
        raise BadUsage("there is no proposal yet; `spy32 analyze` makes one")
    return latest.id


def view_with_proposal(store: "Store", view: "RunView", proposal: "Proposal") -> "RunView":
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
