"""`approve`: a person looks at a proposal, may change it, and says yes, no or nothing."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of, number_of, proposal_id
from spy32.errors import Usage

if TYPE_CHECKING:
    from spy32.desk.bench import Bench
    from spy32.desk.shown import Review
    from spy32.domain.deciding import Proposal
    from spy32.store import Store
    from spy32.wiring import App

DIGITS = 8
"""How much of the hash a person, or a script, repeats."""


def approve(
    ctx: typer.Context,
    proposal: Annotated[
        str | None,
        typer.Argument(metavar="[P]", help="P31, or R31 of a run that abstained; the newest that waits by default."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve without asking.")] = False,
    decline: Annotated[bool, typer.Option("--decline", help="Decline without asking.")] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="S", help="With --yes: the hash's first 8 digits; needed in live mode.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="T", help="A note kept with the decision.")] = "",
    json: Json = False,
) -> None:
    """Look at a proposal; choose another candidate, change it, approve it, decline it, or leave it."""
    app = app_of(ctx)
    _check_words(app, yes=yes, decline=decline, confirm=confirm)
    app.reading()  # says what to do when there is nothing yet, instead of making a home
    store = app.store()
    chosen = _chosen(app, store, proposal, asks=not (yes or decline))
    if yes:
        _approve(app, chosen, confirm=confirm, note=note, json=json)
    elif decline:
        _decline(app, chosen, note=note, json=json)
    else:
        _ask(app, chosen, note=note, json=json)


def _check_words(app: "App", *, yes: bool, decline: bool, confirm: str | None) -> None:
    from spy32.domain.trading import Mode

    if yes and decline:
        raise Usage("--yes and --decline exclude each other")
    if confirm is not None and not yes:
        raise Usage("--confirm goes with --yes")
    if yes and confirm is None and app.settings.mode is Mode.LIVE:
        raise Usage(f"in live mode --yes needs --confirm with the first {DIGITS} digits of the hash")
    if not (yes or decline) and not app.is_interactive:
        raise Usage("there is no terminal to ask on; --yes approves, --decline declines, `spy32 show` looks")


class Chosen:
    """What is decided on: a proposal, or a run without one; and the bench to act on."""

    def __init__(self, bench: "Bench", made: "Proposal | None", run_id: int) -> None:
        self.bench, self.made, self.run_id = bench, made, run_id

    @property
    def proposal_id(self) -> int:
        assert self.made is not None
        assert self.made.id is not None
        return self.made.id


def _chosen(app: "App", store: "Store", typed: str | None, *, asks: bool) -> Chosen:
    """The proposal that was meant, or the abstained run whose menu a person wants to choose from."""
    if typed is not None and typed.strip()[:1] in ("R", "r"):
        run = store.run(number_of(typed, "R", "run"))
        made = store.proposal_of_run(run.id)
        if made is not None:
            return Chosen(app.bench(store, made), made, run.id)
        if not asks:
            raise Usage(f"R{run.id} made no proposal; `spy32 approve R{run.id}` on a terminal chooses one")
        return Chosen(app.bench_of_run(store, run.id), None, run.id)
    if typed is None and store.latest_proposal() is None:
        raise Usage(f"no proposal waits for approval; {_instead(store)}")
    made = store.proposal(proposal_id(store, typed, "proposed", "approved"))
    return Chosen(app.bench(store, made), made, made.run_id)


def _instead(store: "Store") -> str:
    run = store.latest_run()
    if run is not None and run.cause == "abstained":
        return f"R{run.id} abstained, and `spy32 approve R{run.id}` on a terminal chooses from its menu"
    return "`spy32 analyze` makes one, `spy32 show` says what came of the last run"


def _approve(app: "App", chosen: Chosen, *, confirm: str | None, note: str, json: bool) -> None:
    from spy32.desk import approve as desk
    from spy32.desk.shown import review

    desk.waiting(chosen.bench, chosen.proposal_id)
    shown = review(chosen.bench, chosen.proposal_id)
    assert shown.proposal is not None
    if confirm is not None and not (len(confirm) >= DIGITS and shown.proposal.hash.startswith(confirm.lower())):
        raise Usage(
            f"--confirm {confirm!r} is not the first {DIGITS} digits of the hash of P{shown.proposal.id}; look again"
        )
    desk.approve(chosen.bench, shown, by=app.user, note=note)
    _tell(app, chosen.bench, chosen.proposal_id, json=json)


def _decline(app: "App", chosen: Chosen, *, note: str, json: bool) -> None:
    from spy32.desk.approve import decline

    decline(chosen.bench, chosen.proposal_id, by=app.user, note=note)
    _tell(app, chosen.bench, chosen.proposal_id, json=json)


def _ask(app: "App", chosen: Chosen, *, note: str, json: bool) -> None:
    """Draw, ask, and act until there is a decision or the person leaves; leaving, whatever way, changes nothing."""
    from spy32.commands.dialogue import Dialogue
    from spy32.commands.window import Window
    from spy32.render.out import put

    console = app.err if json else app.out
    with Window() as window:
        dialogue = Dialogue(bench=chosen.bench, console=console, by=app.user, read=window.line, note=note)
        dialogue.run(_first(chosen))
    if dialogue.decided is None:
        put(console, f"nothing was approved{dialogue.dropped}\n")
    number = dialogue.decided or (chosen.proposal_id if json and chosen.made is not None else None)
    if number is not None:
        _tell(app, chosen.bench, number, json=json)


def _first(chosen: Chosen) -> "Review":
    from spy32.desk.approve import overridable, waiting
    from spy32.desk.shown import review, review_run

    if chosen.made is not None:
        waiting(chosen.bench, chosen.proposal_id)
        return review(chosen.bench, chosen.proposal_id)
    shown = review_run(chosen.bench, chosen.run_id)
    overridable(chosen.bench, shown.run)
    return shown


def _tell(app: "App", bench: "Bench", number: int, *, json: bool) -> None:
    """How the proposal stands now."""
    from dataclasses import replace

    from spy32.render.out import put
    from spy32.render.review import approval_document, decided_lines

    made = bench.store.proposal(number)
    view = replace(
        bench.store.view(made.run_id),
        proposal=made,
        body=bench.store.proposal_body(number),
        approval=bench.store.approval_of(number),
        orders=bench.store.orders(number),
    )
    if json:
        from spy32.render.documents import emit

        emit(app.out, approval_document(view, made))
    else:
        put(app.out, "".join(f"{line}\n" for line in decided_lines(view, made)))
