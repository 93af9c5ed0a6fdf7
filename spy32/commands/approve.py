"""`approve`: a person looks at a proposal, may change it, and says yes, no or nothing."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import (
    HASH_DIGITS,
    App,
    choose_proposal,
    complete_ids,
    get_app,
    notices_sent,
    parse_id,
    view_with_proposal,
)
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import BadUsage

if TYPE_CHECKING:
    from spy32.store import Store
    from spy32.trading.context import TradingContext

NOBODY = "there is no terminal to ask on; --yes approves, --decline declines, `spy32 show` looks"


def approve(
    ctx: typer.Context,
    proposal: Annotated[
        str | None,
        typer.Argument(
            metavar="[P]",
            help="P31, or R31 of a run that abstained; the newest that waits by default.",
            autocompletion=complete_ids("P", "proposed"),
        ),
    ] = None,
    approval: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    decline: Annotated[bool, typer.Option("--decline", help="Decline without asking.")] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="S", help="With --yes: the hash's first 8 digits; needed in live mode.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="T", help="A note kept with the decision.")] = "",
) -> None:
    """Look at a proposal; choose another candidate, change it, approve it, decline it, or leave it."""
    app = get_app(ctx)
    _check_options(app, approval=approval, decline=decline, confirm=confirm)
    app.check_store_exists()
    with notices_sent(app):
        store = app.store()
        selection = _select(app, store, proposal, will_ask=not (approval or decline))
        if approval or decline:
            _decide(app, selection, is_yes=approval, confirm=confirm, note=note)
        else:
            _run_dialogue(app, selection, note=note)


def _check_options(app: App, *, approval: bool, decline: bool, confirm: str | None) -> None:
    from spy32.commands.terminal_input import can_be_asked

    if approval and decline:
        raise BadUsage("--yes and --decline exclude each other")
    if confirm is not None and not approval:
        raise BadUsage("--confirm goes with --yes")
    if approval and confirm is None and app.settings.mode is Mode.LIVE:
        raise BadUsage(f"in live mode --yes needs --confirm with the first {HASH_DIGITS} digits of the hash")
    if (
        not (approval or decline)
        and not app.is_interactive
        and not (app.settings.mode is not Mode.LIVE and can_be_asked())
    ):
        raise BadUsage(NOBODY)


@value
class Selection:
    """What is decided on (a proposal, or a run without one), and the trading context to act in."""

    trading_context: "TradingContext"
    proposal: "Proposal | None"
    run_id: int

    @property
    def proposal_id(self) -> int:
        assert self.proposal is not None
        return self.proposal.id


def _select(app: App, store: "Store", typed: str | None, *, will_ask: bool) -> Selection:
    """The proposal that was meant, or the abstained run whose menu a person wants to choose from."""
    from spy32.domain.runs import Cause

    letter, number = ("P", None) if typed is None else parse_id(typed, "PR", "a proposal, such as P31, or of a run")
    proposal: Proposal | None
    if letter == "R" and number is not None:
        proposal = store.proposals.find_by_run(store.runs.get(number).id)
        if proposal is None and not will_ask:
            raise BadUsage(f"R{number} made no proposal; `spy32 approve R{number}` on a terminal chooses one")
        if proposal is None:
            context = app.build_run_trading_context(store, number)
            return Selection(trading_context=context, proposal=None, run_id=number)
    elif number is None and store.proposals.latest() is None:
        run, hint = store.runs.latest(), "`spy32 analyze` makes one, `spy32 show` says what came of the last run"
        if run is not None and run.cause == Cause.ABSTAINED:
            hint = f"R{run.id} abstained, and `spy32 approve R{run.id}` on a terminal chooses from its menu"
        raise BadUsage(f"no proposal waits for approval; {hint}")
    else:
        proposal = choose_proposal(store, number, "proposed", "approved")
    context = app.trading_context(store, proposal)
    return Selection(trading_context=context, proposal=proposal, run_id=proposal.run_id)


def _decide(app: App, selection: Selection, *, is_yes: bool, confirm: str | None, note: str) -> None:
    """Approve or decline without asking."""
    from spy32.trading import approve as desk
    from spy32.trading.review import review_proposal

    context, number = selection.trading_context, selection.proposal_id
    if is_yes:
        desk.load_pending_proposal(context, number)
        review = review_proposal(context, number)
        assert review.proposal is not None
        is_meant = confirm is None or (len(confirm) >= HASH_DIGITS and review.proposal.hash.startswith(confirm.lower()))
        if not is_meant:
            wanted = f"the first {HASH_DIGITS} digits of the hash of P{number}"
            raise BadUsage(f"--confirm {confirm!r} is not {wanted}; look again")
        desk.approve(context, review, by=app.user, note=note)
    else:
        desk.decline(context, number, by=app.user, note=note)
    _print_decision(app, context, number)


def _run_dialogue(app: App, selection: Selection, *, note: str) -> None:
    """Draw, ask and act until there is a decision or the person leaves, which changes nothing."""
    from spy32.commands.dialogue import ApprovalDialogue
    from spy32.commands.screen import WordScreen, build_input, screen_of
    from spy32.render.output import print_wrapped
    from spy32.trading.approve import check_overridable, load_pending_proposal
    from spy32.trading.review import review_proposal, review_run

    console = app.err if app.wants_json else app.out
    context = selection.trading_context
    if selection.proposal is not None:
        load_pending_proposal(context, selection.proposal_id)
        first = review_proposal(context, selection.proposal_id)
    else:
        first = review_run(context, selection.run_id)
        check_overridable(context, first.run)
    with build_input(console) as terminal:
        screen = screen_of(console, terminal)
        dialogue = ApprovalDialogue(context=context, screen=screen, by=app.user, review=first, note=note)
        dialogue.run()
    if isinstance(screen, WordScreen) and not screen.answers and not app.is_interactive:
        raise BadUsage(NOBODY)
    if dialogue.decided_id is None:
        print_wrapped(console, [f"nothing was approved{dialogue.draft_loss}"])
    has_answer = app.wants_json and selection.proposal is not None
    decided_id = dialogue.decided_id or (selection.proposal_id if has_answer else None)
    if decided_id is not None:
        _print_decision(app, context, decided_id)


def _print_decision(app: App, context: "TradingContext", proposal_id: int) -> None:
    """How the proposal stands now."""
    from spy32.render.output import print_wrapped
    from spy32.render.review import decided_lines

    store = context.store
    proposal = store.proposals.get(proposal_id)
    view = view_with_proposal(store, store.history.view(proposal.run_id), proposal)
    if app.wants_json:
        from spy32.render.documents import emit
        from spy32.render.run_documents import approval_document

        emit(app.out, approval_document(view, proposal))
    else:
        print_wrapped(app.out, decided_lines(view, proposal))
