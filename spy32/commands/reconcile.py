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
    settle: Annotated[
        str | None,
        typer.Option(metavar="P", help="You have looked at the broker: nothing of this proposal is alive there."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --adopt or --settle: do not ask.")] = False,
    json: Json = False,
) -> None:
    """Settle unknown orders by reading at the broker, and show differences; never sends anything.

    Ends 0 when every order is settled, whatever differs: differences are shown, and `agrees` of the JSON document is
    false. 11 while the outcome of an order is unknown, 75 when the broker or another process must be waited for.
    """
    app = app_of(ctx)
    _check_words(app, asks=adopt or settle is not None, yes=yes, json=json)
    from spy32.desk.reconcile import adopt as take_over
    from spy32.desk.reconcile import adoptable
    from spy32.desk.reconcile import reconcile as settle_all
    from spy32.render import desk_pages
    from spy32.render.desk import say

    store = app.store()
    if settle is not None:
        _settle(app, settle, yes=yes)
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


def _check_words(app: "App", *, asks: bool, yes: bool, json: bool) -> None:
    if yes and not asks:
        raise Usage("--yes goes with --adopt or --settle")
    if asks and not yes and (json or not app.is_interactive):
        raise Usage("there is no terminal to ask on; --yes takes over everything that is explained, or settles")


def _settle(app: "App", typed: str, *, yes: bool) -> None:
    """A person's word on what reading cannot settle."""
    from spy32.commands.common import proposal_id
    from spy32.desk.reconcile import settle_by_word
    from spy32.render.desk import say

    store = app.store()
    number = proposal_id(store, typed)
    bench = app.bench(store, store.proposal(number))
    say(app.out, [f"P{number}: you say that you have looked at the broker, and nothing of it is alive there"])
    if not yes and not _typed(f"P{number}", app):
        raise Usage("nothing was settled")
    proposal = settle_by_word(bench, number, app.user)
    say(app.out, [f"P{number} is {proposal.state}"])


def _typed(name: str, app: "App") -> bool:
    """Only this very name is a yes; the end of input is a no."""
    from spy32.render.desk import say

    say(app.out, [f"type {name} to say so, anything else leaves it:"])
    try:
        return input().strip() == name
    except EOFError:
        return False


def _agreed(app: "App", gone: "Gone") -> bool:
    """Only the trade's own id, typed, is a yes; the end of input is a no."""
    from spy32.render.desk import say
    from spy32.render.desk_pages import adopting

    say(app.out, [adopting(gone)])
    return _typed(f"T{gone.trade.id}", app)
