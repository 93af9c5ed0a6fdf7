"""`pause` holds scheduled runs, `halt` stops every submit, `resume` lifts both."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app
from spy32.errors import Spy32Error

if TYPE_CHECKING:
    from datetime import datetime

    from spy32.wiring import App

Reason = Annotated[str, typer.Option(help="Why; shown by `status`.")]


def pause(ctx: typer.Context, reason: Reason = "", json: Json = False) -> None:
    """Hold scheduled runs until `resume`."""
    from spy32.ops.switches import PAUSED

    app = get_app(ctx)
    message = hold_runs(app, reason)
    flag = app.store().flags.get(PAUSED)
    _print_message(app, message, paused=flag[0] if flag is not None else None, json=json)


def hold_runs(app: "App", reason: str) -> str:
    """Hold scheduled runs and return the message."""
    from spy32.ops.switches import pause as hold

    return hold(app.store().flags, reason, app.clock(), app.locations.home or app.locations.data)


def halt(ctx: typer.Context, reason: Reason = "", json: Json = False) -> None:
    """Stop every submit, in every mode, until `resume`. Works on a damaged store and with settings that are wrong."""
    from spy32.ops.switches import halt as stop

    app = get_app(ctx)
    _print_message(app, stop(app.locations.halt, reason, _clock_or_none(app)), json=json)


def resume(ctx: typer.Context, json: Json = False) -> None:
    """Lift the pause and the halt."""
    app = get_app(ctx)
    _print_message(app, lift_switches(app), json=json)


def lift_switches(app: "App") -> str:
    """Lift the pause and the halt and return the message."""
    from spy32.ops.switches import lift_halt, lift_pause

    # The halt goes last: a store that cannot be written leaves the stricter switch on.
    pause_was_on = app.database.exists() and lift_pause(app.store().flags, app.clock())
    halt_was_on = lift_halt(app.locations.halt)
    lifted = [name for name, was_on in (("the pause", pause_was_on), ("the halt", halt_was_on)) if was_on]
    home = app.locations.home or app.locations.data
    return f"lifted {' and '.join(lifted)} of {home}" if lifted else f"nothing was held in {home}"


def _clock_or_none(app: "App") -> "datetime | None":
    try:
        return app.clock()
    except Spy32Error:  # settings that are wrong, or a home that live mode refuses
        return None


def _print_message(app: "App", message: str, *, paused: str | None = None, json: bool) -> None:
    from spy32.render.documents import print_document
    from spy32.render.home_documents import SWITCHES, Switches
    from spy32.render.output import write_text

    if not json:
        write_text(app.out, f"{message}\n")
        return
    # `paused` is null after `halt` too, which looks at no store.
    print_document(app.out, SWITCHES, Switches(message=message, halted=app.halt_reason(), paused=paused))
