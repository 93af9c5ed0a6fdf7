"""`status`: how things stand, and whether a person must look."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app
from spy32.errors import AttentionRequired, BadUsage, ExitCode, StoreDamaged, StoreError

if TYPE_CHECKING:
    from spy32.ops.status import Status
    from spy32.wiring import App


def status(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Quiet and 0 when all is well; otherwise the reasons, and 20.")
    ] = False,
    ack: Annotated[
        str | None, typer.Option("--ack", help="You have looked at it: P31, T31 or R31 is no longer listed.")
    ] = None,
    json: Json = False,
) -> None:
    """Mode, last run, next slot, and what waits for a person."""
    app = get_app(ctx)
    if ack is not None and _acknowledge(app, ack.upper()) == 0:
        raise BadUsage(f"nothing of {ack} waits to be acknowledged; `spy32 status` lists what does")
    current_status = _load_status_for_monitor(app) if check else _load_status(app)
    if json:
        _print_json(app, current_status, check=check)
    elif not check:
        from spy32.render.output import print_page
        from spy32.render.status import status_page

        print_page(app.out, status_page(current_status))
    elif current_status.attention:
        raise AttentionRequired(_attention_text(current_status))


def _acknowledge(app: "App", subject: str) -> int:
    from spy32.ops.overdue import acknowledge

    return acknowledge(app.store(), subject, app.user, app.clock())


def _load_status(app: "App") -> "Status":
    from spy32.ops.status import StatusContext, load_status

    context = StatusContext(
        settings=app.settings,
        locks=app.locks,
        home=str(app.locations.home or app.locations.data),
        database=str(app.database),
        halted=app.halt_reason(),
        set_up_at=app.set_up_at(),
        now=app.clock(),
    )
    try:
        store = app.open_for_reading()
    except BadUsage:  # there is none yet
        store = None
    return load_status(context, store)


def _load_status_for_monitor(app: "App") -> "Status":
    """For a monitor a damaged store is one more thing that a person must look at."""
    from spy32.store import damage_with_remedy

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
        raise typer.Exit(ExitCode.ATTENTION)


def _attention_text(current_status: "Status") -> str:
    from spy32.render.formatting import single_line

    return "; ".join(single_line(reason) for reason in current_status.attention)
