"""`execute` sends what was approved, `cancel` stops what works."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of, proposal_id

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
    from spy32.commands import consent

    app = app_of(ctx)
    consent.check_words(app, live=live, confirm=confirm, dry_run=dry_run)
    store = app.reading()
    chosen = store.proposal(proposal_id(store, proposal, "approved", "sent", "done"))
    consent.check_origin(app, store, chosen)
    if dry_run:
        _rehearse(app, chosen, json=json)
        return
    consent.check_place(app, store)
    consent.confirm_live(app, chosen, confirm)
    from spy32.desk.execute import execute as send

    store = app.store()
    consent.still_the_same(store, chosen)
    done = send(app.bench(store, chosen), _id(chosen), wait=not no_wait)
    _show(app, done, json=json)


def cancel(ctx: typer.Context, proposal: Annotated[str, typer.Argument(metavar="P")], json: Json = False) -> None:
    """Cancel what of a proposal works at the broker, and confirm it."""
    from spy32.desk.reconcile import cancel as stop

    app = app_of(ctx)
    store = app.store()
    chosen = store.proposal(proposal_id(store, proposal))
    stop(app.bench(store, chosen), _id(chosen))
    _show(app, store.proposal(_id(chosen)), json=json)


def _rehearse(app: "App", proposal: "Proposal", *, json: bool) -> None:
    from spy32.commands import consent
    from spy32.desk.execute import rehearse
    from spy32.errors import BrokerRefused, Refused
    from spy32.render.desk import rehearsal

    bench = app.bench(app.reading(), proposal)
    shown = rehearse(bench, _id(proposal))
    if not json:
        _say_mode(app)
    rehearsal(app.out, shown, json=json)
    bench.stop_if_halted()
    consent.check_place(app, bench.store)
    if not shown.answer.accepted:
        raise BrokerRefused(f"the broker would refuse P{proposal.id}: {'; '.join(shown.answer.errors)}")
    reasons = tuple(finding.message for finding in shown.findings if finding.blocks)
    if reasons:
        raise Refused(f"P{proposal.id} would not be sent: {'; '.join(reasons)}", reasons)


def _show(app: "App", proposal: "Proposal", *, json: bool) -> None:
    from spy32.render.desk import executed

    if not json:
        _say_mode(app)
    executed(app.out, app.reading().view(proposal.run_id), json=json)


def _say_mode(app: "App") -> None:
    """The mode in capitals, in front of the answer, wherever a broker was spoken to. Paper says so in the answer."""
    from spy32.domain.trading import Mode
    from spy32.render.explain import MODES
    from spy32.render.out import put

    if app.settings.mode is not Mode.PAPER:
        put(app.out, f"{MODES[app.settings.mode]}\n")


def _id(proposal: "Proposal") -> int:
    assert proposal.id is not None
    return proposal.id
