"""`status`: how things stand, and whether a person must look."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app
from spy32.commands.completion import complete_ids
from spy32.errors import AttentionRequired, BadUsage, Spy32Error, StoreDamaged, StoreError, Unresolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from spy32.ops.status import Status
    from spy32.store import Store
    from spy32.wiring import App


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
    json: Json = False,
) -> None:
    """Mode, runs, results, open trades, and what waits for a person."""
    app = get_app(ctx)
    if watch:
        _watch(app, alone=not (check or json or ack is not None))
        return
    if ack is not None and _acknowledge(app, ack.upper()) == 0:
        raise BadUsage(f"nothing of {ack} waits to be acknowledged; `spy32 status` lists what does")
    current_status = _load_status_for_monitor(app) if check else _load_status(app)
    if json:
        _print_json(app, current_status, check=check)
    elif not check:
        _print_status(app, current_status)
    elif current_status.attention:
        raise _attention_error(current_status)


def _watch(app: "App", *, alone: bool) -> None:
    from spy32.commands.watch import watch_status

    if not alone:
        raise BadUsage("--watch excludes --check, --ack and --json")
    watch_status(app, lambda: _read_only_status(app))


def print_brief(app: "App") -> None:
    """How things stand in a few lines, and the commands that make sense now: what a bare `spy32` shows."""
    from spy32.render.output import print_page
    from spy32.render.status import brief_page

    print_page(app.out, brief_page(_load_status(app)))


def _print_status(app: "App", current_status: "Status") -> None:
    """One screen of a terminal; everything as lines elsewhere."""
    from spy32.console import PlainConsole
    from spy32.render.output import is_full_terminal, print_fitting_page, print_page
    from spy32.render.status import dashboard_pages, status_page

    if is_full_terminal(app.out) and not isinstance(app.out, PlainConsole):
        print_fitting_page(app.out, dashboard_pages(current_status))
    else:
        print_page(app.out, status_page(current_status))


def _acknowledge(app: "App", subject: str) -> int:
    from spy32.ops.overdue import acknowledge

    return acknowledge(app.store(), subject, app.user, app.clock())


def _load_status(app: "App") -> "Status":
    """What has ended is settled and lapses first."""
    return _read_status(app, app.open_for_reading)


def _read_only_status(app: "App") -> "Status":
    """Only read: nothing lapses or is settled, and nobody is asked.

    The database is open only meanwhile, so that a watch holds up no restore.
    """
    try:
        return _read_status(app, lambda: app.open_for_reading(lapses=False))
    finally:
        app.close()


def _read_status(app: "App", open_store: "Callable[[], Store]") -> "Status":
    """The status as the store that is opened has it."""
    from spy32.domain.spreads import Mode
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
        store = open_store()
    except BadUsage:  # there is none yet
        store = None
    return load_status(context, store)


def _load_status_for_monitor(app: "App") -> "Status":
    """For a monitor a damaged store is one more thing that a person must look at."""
    from spy32.records.maintenance import damage_with_remedy

    try:
        return _load_status(app)
    except StoreDamaged as damage:
        raise AttentionRequired(damage_with_remedy(damage.path or app.database, damage.fault).message) from None
    except StoreError as error:
        raise AttentionRequired(error.message) from None


def _print_json(app: "App", current_status: "Status", *, check: bool) -> None:
    """The document is the answer, so that a check that fails adds only its code, not a second document."""
    from spy32.render.documents import print_document
    from spy32.render.home_documents import STATUS

    print_document(app.out, STATUS, current_status)
    if check and current_status.attention:
        raise typer.Exit(_attention_error(current_status).code)


def _attention_error(current_status: "Status") -> Spy32Error:
    """Every reason in one line. An order whose outcome is unknown has a code of its own, as everywhere."""
    from spy32.render.formatting import single_line

    reasons = "; ".join(single_line(reason) for reason in current_status.attention)
    return Unresolved(reasons) if current_status.unknown_orders else AttentionRequired(reasons)
