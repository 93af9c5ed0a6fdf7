"""`reconcile` settles what is unknown by reading, shows differences, and takes one over when a person asks."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import App, get_app, notices_sent, parse_proposal_id, print_lines
from spy32.commands.confirmation import prompt_line
from spy32.errors import BadUsage

if TYPE_CHECKING:
    from spy32.store import Store


def reconcile(
    ctx: typer.Context,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over trades that ended at the broker; asks for each one.")
    ] = False,
    settle: Annotated[
        int | None,
        typer.Option(
            metavar="P",
            parser=parse_proposal_id,
            help="You have looked at the broker: nothing of this proposal is alive there.",
        ),
    ] = None,
    approval: Annotated[bool, typer.Option("--yes", help="With --adopt or --settle: do not ask.")] = False,
) -> None:
    """Settle unknown orders by reading at the broker, and show differences; never sends anything.

    Ends 0 when every order is settled, whatever differs: differences are shown, and `agrees` of the JSON document is
    false. 11 while the outcome of an order is unknown, 75 when the broker or another process must be waited for.
    """
    app = get_app(ctx)
    asks = adopt or settle is not None
    if approval and not asks:
        raise BadUsage("--yes goes with --adopt or --settle")
    if asks and not approval and (app.wants_json or not app.is_interactive):
        raise BadUsage("there is no terminal to ask on; --yes takes over everything that is explained, or settles")
    with notices_sent(app):
        store = app.store()
        if settle is not None:
            _settle_proposal(app, store, settle, approval=approval)
        _settle_all(app, store, adopt=adopt, approval=approval)


def _settle_all(app: App, store: "Store", *, adopt: bool, approval: bool) -> None:
    """Settle every unknown order, print what differs, and take over what a person wants to."""
    from spy32.render.trading import adoption_text, reconciliation_lines
    from spy32.trading import reconcile as desk

    result = desk.reconcile(
        lambda number: app.trading_context(store, store.proposals.get(number) if number is not None else None)
    )
    if not app.wants_json:
        print_lines(app, reconciliation_lines(result))
    chosen = []
    for contracts in result.view.adoptable if adopt else ():
        if not approval:
            print_lines(app, [adoption_text(contracts)])
        if approval or _confirm_by_typing(f"T{contracts.trade.id}"):
            chosen.append(contracts)
    adopted = desk.adopt_trades(app.trading_context(store, None), chosen)
    if app.wants_json:
        from spy32.render.documents import emit
        from spy32.render.trading_documents import reconciled_document

        emit(app.out, reconciled_document(result, adopted))
    elif adopt:
        print_lines(app, [f"T{trade.id} is {trade.state}" for trade in adopted] or ["nothing was taken over"])
    if result.worst_error is not None:
        raise result.worst_error


def _settle_proposal(app: App, store: "Store", number: int, *, approval: bool) -> None:
    """Settle on a person's word what reading at the broker cannot settle."""
    from spy32.trading.reconcile import settle_by_person

    context = app.trading_context(store, store.proposals.get(number))
    print_lines(app, [f"P{number}: you say that you have looked at the broker, and nothing of it is alive there"])
    if not approval and not _confirm_by_typing(f"P{number}"):
        raise BadUsage("nothing was settled")
    proposal = settle_by_person(context, number, app.user)
    print_lines(app, [f"P{number} is {proposal.state}"])


def _confirm_by_typing(name: str) -> bool:
    """Whether exactly this name is typed; the end of input is a no."""
    return prompt_line(f"spy32: type {name} to say so, anything else leaves it: ") == name
