"""`status`: how things stand, and whether a person must look."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import App, complete_ids, get_app, print_document, print_page
from spy32.domain.spreads import Mode
from spy32.errors import AttentionRequired, BadUsage, Spy32Error, StoreError, Unresolved

if TYPE_CHECKING:
    from spy32.ops.status import Status


def status(
    ctx: typer.Context,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Quiet and 0 when all is well; otherwise the reasons, and 20, or 11 for an unknown order."
        ),
    ] = False,
    ack: Annotated[
        str | None,
        typer.Option(
            "--ack",
            help="You have looked at it: P31, T31, R31 or N31 is no longer listed.",
            autocompletion=complete_ids("TPRN"),
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="On a screen of its own, read again every 2 seconds; keys act.")
    ] = False,
) -> None:
    """Mode, runs, results, open trades, and what waits for a person."""
    app = get_app(ctx)
    if watch:
        from spy32.commands.watch import watch_status

        if check or app.wants_json or ack is not None:
            raise BadUsage("--watch excludes --check, --ack and --json")
        watch_status(app, lambda: _read_only_status(app))
        return
    if ack is not None:
        _acknowledge(app, ack)
    current_status = _load_status(app) if not check else _load_status_to_check(app)
    error = _attention_error(current_status) if check else None
    if app.wants_json:
        from spy32.render.home_documents import STATUS

        print_document(app, STATUS, current_status)
        if error is not None:  # the document has told it, and there is no second one
            raise typer.Exit(error.code)
    elif not check:
        _print_status(app, current_status)
    elif error is not None:
        raise error


def _acknowledge(app: App, ack: str) -> None:
    """Acknowledge the open items of a subject; `BadUsage` when there are none."""
    from spy32.ops.overdue import acknowledge

    if acknowledge(app.store(), ack.upper(), app.user, app.clock()) == 0:
        raise BadUsage(f"nothing of {ack} waits to be acknowledged; `spy32 status` lists what does")


def _load_status_to_check(app: App) -> "Status":
    """The status for a monitor, to which a damaged store is one more thing that a person must look at."""
    try:
        return _load_status(app)
    except StoreError as error:
        raise AttentionRequired((app.find_damage(error) or error).message) from None


def _attention_error(current_status: "Status") -> Spy32Error | None:
    """The reasons why a person must look; None without any. An unknown order has a code of its own, as everywhere."""
    from spy32.render.formatting import single_line

    if not current_status.attention:
        return None
    reasons = "; ".join(single_line(reason) for reason in current_status.attention)
    return Unresolved(reasons) if current_status.unknown_orders else AttentionRequired(reasons)


def print_brief(app: App) -> None:
    """How things stand in a few lines, and the commands that make sense now: what a bare `spy32` shows."""
    from spy32.render.status import brief_page

    print_page(app, brief_page(_load_status(app)))


def _print_status(app: App, current_status: "Status") -> None:
    """One screen of a terminal; everything as lines elsewhere."""
    from spy32.render.output import is_full_terminal, print_fitting_page
    from spy32.render.status import dashboard_pages

    if is_full_terminal(app.out):
        print_fitting_page(app.out, dashboard_pages(current_status))
    else:
        print_page(app, next(dashboard_pages(current_status)))


def _read_only_status(app: App) -> "Status":
    """The status for a watch, which opens the database only meanwhile, so that it holds up no restore."""
    try:
        return _load_status(app, lapses=False)
    finally:
        app.close()


def _load_status(app: App, *, lapses: bool = True) -> "Status":
    """What has ended is settled and lapses first, unless `lapses` is False: then nobody is asked."""
    from spy32.ops.status import StatusContext, load_status

    context = StatusContext(
        settings=app.settings,
        locks=app.locks,
        home=str(app.locations.home or app.locations.data),
        database=str(app.database),
        halted=app.halt_reason(),
        set_up_at=app.set_up_at(),
        now=app.clock(),
        logs=app.locations.logs,
        databases={mode: app.locations.database(mode) for mode in Mode},
    )
    try:
        store = app.open_for_reading(lapses=lapses)
    except BadUsage:  # there is none yet
        store = None
    return load_status(context, store)
