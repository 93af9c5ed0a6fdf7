"""`execute` sends what was approved, `cancel` stops what works."""

from typing import Annotated

import typer

from spy32.commands import confirmation
from spy32.commands.common import (
    App,
    choose_proposal,
    complete_ids,
    get_app,
    notices_sent,
    parse_proposal_id,
    print_lines,
    view_with_proposal,
)
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.errors import BrokerRefused, Refused

ProposalArgument = Annotated[
    int | None,
    typer.Argument(
        metavar="[P]",
        parser=parse_proposal_id,
        help="Proposal, such as P31; the newest approved one by default.",
        autocompletion=complete_ids("P", "approved", "sent"),
    ),
]


def execute(
    ctx: typer.Context,
    proposal: ProposalArgument = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show exactly what would be sent; send nothing.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Needed in live mode, refused in any other.")] = False,
    confirm: Annotated[str | None, typer.Option(help="LAST4:TICKER:CONTRACTS, in live mode, for scripts.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Send and leave the rest to `reconcile`.")] = False,
) -> None:
    """Re-quote, re-check, send, work the price, report."""
    app = get_app(ctx)
    confirmation.check_options(app, live=live, confirm=confirm, dry_run=dry_run)
    if dry_run:
        _preview(app, _choose_proposal(app, proposal))
        return
    with notices_sent(app):
        chosen = _choose_proposal(app, proposal)
        confirmation.check_place(app, app.open_for_reading())
        confirmation.confirm_live(app, chosen, confirm)
        from spy32.trading.execute import execute as send

        store = app.store()
        confirmation.check_unchanged(store, chosen)
        context = app.trading_context(store, chosen)
        app.settle_ended(store, context.market)
        result = send(context, chosen.id, wait=not no_wait)
        _print_proposal(app, result)


def _choose_proposal(app: App, number: int | None) -> Proposal:
    """The proposal that was meant, of the market that this home trades on."""
    store = app.open_for_reading()
    chosen = choose_proposal(store, number, "approved", "sent", "done")
    confirmation.check_origin(app, store, chosen)
    return chosen


def cancel(
    ctx: typer.Context,
    proposal: Annotated[
        int,
        typer.Argument(metavar="P", parser=parse_proposal_id, autocompletion=complete_ids("P", "sent", "done")),
    ],
) -> None:
    """Cancel what of a proposal works at the broker, and confirm it."""
    from spy32.trading.reconcile import cancel_proposal

    app = get_app(ctx)
    with notices_sent(app):
        store = app.store()
        cancel_proposal(app.trading_context(store, store.proposals.get(proposal)), proposal)
        _print_proposal(app, store.proposals.get(proposal))


def _preview(app: App, proposal: Proposal) -> None:
    from spy32.render.trading import print_rehearsal
    from spy32.trading.execute import preview_execution

    context = app.trading_context(app.open_for_reading(), proposal)
    preview = preview_execution(context, proposal.id)
    if not app.wants_json:
        _print_mode(app)
    print_rehearsal(app.out, preview, json=app.wants_json)
    context.stop_if_halted()
    confirmation.check_place(app, context.store)
    if not preview.dry_run.accepted:
        raise BrokerRefused(f"the broker would refuse P{proposal.id}: {'; '.join(preview.dry_run.errors)}")
    reasons = tuple(finding.message for finding in preview.findings if finding.blocks)
    if reasons:
        raise Refused(f"P{proposal.id} would not be sent: {'; '.join(reasons)}", reasons)


def _print_proposal(app: App, proposal: Proposal) -> None:
    from spy32.render.trading import print_execution

    if not app.wants_json:
        _print_mode(app)
    store = app.open_for_reading()
    print_execution(
        app.out, view_with_proposal(store, store.history.view(proposal.run_id), proposal), json=app.wants_json
    )


def _print_mode(app: App) -> None:
    """Print the mode in capitals before the answer of a broker. On paper the answer itself says it."""
    from spy32.render.explain import MODES

    if app.settings.mode is not Mode.PAPER:
        print_lines(app, [MODES[app.settings.mode]])
