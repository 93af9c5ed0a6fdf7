"""`reconcile` settles what is unknown by reading, shows differences, and takes one over when a person asks."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import Usage

if TYPE_CHECKING:
    from spy32.desk.history import Gone
    from spy32.wiring import App


def reconcile(
    ctx: typer.Context,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over trades that ended at the broker; asks for each one.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --adopt: do not ask.")] = False,
    json: Json = False,
) -> None:
    """Settle unknown orders by reading at the broker, and show differences; never sends anything.

    Ends 0 when every order is settled, whatever differs: differences are shown, and `agrees` of the JSON document is
    false. 11 while the outcome of an order is unknown, 75 when the broker or another process must be waited for.
    """
    app = app_of(ctx)
    _check_words(app, adopt=adopt, yes=yes, json=json)
    from spy32.desk.reconcile import adopt as take_over
    from spy32.desk.reconcile import adoptable
    from spy32.desk.reconcile import reconcile as settle_all
    from spy32.render import desk_pages
    from spy32.render.desk import say

    store = app.store()
    found = settle_all(lambda number: app.bench(store, store.proposal(number) if number is not None else None))
    if not json:
        desk_pages.reconciled(app.out, found)
    chosen = [gone for gone in adoptable(found.view) if adopt and (yes or _agreed(app, gone))]
    taken = take_over(app.bench(store, None), chosen)
    if json:
        desk_pages.put(app.out, desk_pages.reconciled_document(found, taken))
    elif adopt:
        say(app.out, [f"T{trade.id} is {trade.state}" for trade in taken] or ["nothing was taken over"])
    if found.worst is not None:
        raise found.worst


def _check_words(app: "App", *, adopt: bool, yes: bool, json: bool) -> None:
    if yes and not adopt:
        raise Usage("--yes goes with --adopt")
    if adopt and not yes and (json or not app.is_interactive):
        raise Usage("there is no terminal to ask on; --adopt --yes takes over everything that is explained")


def _agreed(app: "App", gone: "Gone") -> bool:
    """Only the trade's own id, typed, is a yes; the end of input is a no."""
    from spy32.render.desk import say
    from spy32.render.desk_pages import adopting

    name = f"T{gone.trade.id}"
    say(app.out, [adopting(gone), f"type {name} to take it over, anything else leaves it:"])
    try:
        return input().strip() == name
    except EOFError:
        return False
