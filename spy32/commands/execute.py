"""`execute` sends what was approved, `cancel` stops what works, `reconcile` settles what is unknown."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of, proposal_id
from spy32.errors import Usage

if TYPE_CHECKING:
    from spy32.domain.deciding import Proposal
    from spy32.wiring import App

Which = Annotated[
    str | None, typer.Argument(metavar="[P]", help="Proposal, such as P31; the newest approved one by default.")
]


def execute(
    ctx: typer.Context,
    proposal: Which = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show exactly what would be sent; send nothing.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Needed in live mode, refused in any other.")] = False,
    confirm: Annotated[str | None, typer.Option(help="LAST4:TICKER:CONTRACTS, in live mode, for scripts.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Send and leave the rest to `reconcile`.")] = False,
    json: Json = False,
) -> None:
    """Re-quote, re-check, send, work the price, report."""
    app = app_of(ctx)
    _consent(app, live=live, confirm=confirm)
    store = app.reading() if dry_run else app.store()
    chosen = store.proposal(proposal_id(store, proposal, "approved", "sent", "done"))
    if dry_run:
        _rehearse(app, chosen, json=json)
        return
    from spy32.desk.execute import execute as send

    bench = app.bench(store, chosen)
    done = send(bench, _id(chosen), wait=not no_wait)
    _show(app, done, json=json)


def cancel(ctx: typer.Context, proposal: Annotated[str, typer.Argument(metavar="P")], json: Json = False) -> None:
    """Cancel what of a proposal works at the broker, and confirm it."""
    from spy32.desk.reconcile import cancel as stop

    app = app_of(ctx)
    store = app.store()
    chosen = store.proposal(proposal_id(store, proposal))
    stop(app.bench(store, chosen), _id(chosen))
    _show(app, store.proposal(_id(chosen)), json=json)


def reconcile(ctx: typer.Context, json: Json = False) -> None:
    """Settle unknown orders by reading at the broker, and show differences; never sends anything."""
    from spy32.desk.reconcile import reconcile as settle_all
    from spy32.render.desk import reconciled

    app = app_of(ctx)
    store = app.store()
    found = settle_all(lambda number: app.bench(store, store.proposal(number) if number is not None else None))
    reconciled(app.out, found, json=json)
    if found.troubles:
        raise found.troubles[0]


def _consent(app: "App", *, live: bool, confirm: str | None) -> None:
    from spy32.domain.trading import Mode

    if live and app.settings.mode is not Mode.LIVE:
        raise Usage(f"--live does not go with mode {app.settings.mode}")
    if confirm is not None and app.settings.mode is not Mode.LIVE:
        raise Usage(f"--confirm does not go with mode {app.settings.mode}")


def _rehearse(app: "App", proposal: "Proposal", *, json: bool) -> None:
    from spy32.desk.execute import rehearse
    from spy32.errors import BrokerRefused, Refused
    from spy32.render.desk import rehearsal

    bench = app.bench(app.reading(), proposal)
    shown = rehearse(bench, _id(proposal))
    rehearsal(app.out, shown, json=json)
    bench.stop_if_halted()
    if not shown.answer.accepted:
        raise BrokerRefused(f"the broker would refuse P{proposal.id}: {'; '.join(shown.answer.errors)}")
    reasons = tuple(finding.message for finding in shown.findings if finding.blocks)
    if reasons:
        raise Refused(f"P{proposal.id} would not be sent: {'; '.join(reasons)}", reasons)


def _show(app: "App", proposal: "Proposal", *, json: bool) -> None:
    from spy32.render.desk import executed

    executed(app.out, app.reading().view(proposal.run_id), json=json)


def _id(proposal: "Proposal") -> int:
    assert proposal.id is not None
    return proposal.id
