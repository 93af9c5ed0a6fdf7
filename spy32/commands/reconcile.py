"""`reconcile` settles what is unknown by reading, shows differences, and takes one over when a person asks."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app, notices_sent
from spy32.errors import BadUsage

if TYPE_CHECKING:
    from spy32.store import Store
    from spy32.trading.transactions import MissingContracts
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
    approval: Annotated[bool, typer.Option("--yes", help="With --adopt or --settle: do not ask.")] = False,
    json: Json = False,
) -> None:
    """Settle unknown orders by reading at the broker, and show differences; never sends anything.

    Ends 0 when every order is settled, whatever differs: differences are shown, and `agrees` of the JSON document is
    false. 11 while the outcome of an order is unknown, 75 when the broker or another process must be waited for.
    """
    app = get_app(ctx)
    _check_options(app, asks=adopt or settle is not None, approval=approval, json=json)
    with notices_sent(app):
        store = app.store()
        if settle is not None:
            _settle_proposal(app, settle, approval=approval)
        _settle_all(app, store, adopt=adopt, approval=approval, json=json)


def _settle_all(app: "App", store: "Store", *, adopt: bool, approval: bool, json: bool) -> None:
    """Settle every unknown order, print what differs, and take over what a person wants to."""
    from spy32.render.output import print_lines
    from spy32.render.trading import reconciliation_lines
    from spy32.trading.reconcile import adopt_trades as take_over
    from spy32.trading.reconcile import reconcile as settle_all

    result = settle_all(
        lambda number: app.trading_context(store, store.proposals.get(number) if number is not None else None)
    )
    if not json:
        print_lines(app.out, reconciliation_lines(result))
    chosen = [
        contracts for contracts in result.view.adoptable if adopt and (approval or _confirm_adoption(app, contracts))
    ]
    adopted = take_over(app.trading_context(store, None), chosen)
    if json:
        from spy32.render.documents import emit
        from spy32.render.trading_documents import reconciled_document

        emit(app.out, reconciled_document(result, adopted))
    elif adopt:
        print_lines(app.out, [f"T{trade.id} is {trade.state}" for trade in adopted] or ["nothing was taken over"])
    if result.worst_error is not None:
        raise result.worst_error


def _check_options(app: "App", *, asks: bool, approval: bool, json: bool) -> None:
    if approval and not asks:
        raise BadUsage("--yes goes with --adopt or --settle")
    if asks and not approval and (json or not app.is_interactive):
        raise BadUsage("there is no terminal to ask on; --yes takes over everything that is explained, or settles")


def _settle_proposal(app: "App", typed: str, *, approval: bool) -> None:
    """Settle on a person's word what reading at the broker cannot settle."""
    from spy32.commands.common import parse_proposal_id
    from spy32.render.output import print_lines
    from spy32.trading.reconcile import settle_by_person

    store = app.store()
    proposal_number = parse_proposal_id(store, typed)
    context = app.trading_context(store, store.proposals.get(proposal_number))
    print_lines(
        app.out, [f"P{proposal_number}: you say that you have looked at the broker, and nothing of it is alive there"]
    )
    if not approval and not _confirm_by_typing(f"P{proposal_number}"):
        raise BadUsage("nothing was settled")
    proposal = settle_by_person(context, proposal_number, app.user)
    print_lines(app.out, [f"P{proposal_number} is {proposal.state}"])


def _confirm_adoption(app: "App", contracts: "MissingContracts") -> bool:
    """Whether the trade's id is typed; the end of input is a no."""
    from spy32.render.output import print_lines
    from spy32.render.trading import adoption_text

    print_lines(app.out, [adoption_text(contracts)])
    return _confirm_by_typing(f"T{contracts.trade.id}")


def _confirm_by_typing(name: str) -> bool:
    """Whether exactly this name is typed; the end of input is a no."""
    from spy32.commands.confirmation import prompt_line

    return prompt_line(f"spy32: type {name} to say so, anything else leaves it: ") == name
