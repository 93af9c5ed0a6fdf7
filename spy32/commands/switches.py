"""`pause` holds scheduled runs, `halt` stops every submit, `resume` lifts both."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of

if TYPE_CHECKING:
    from spy32.wiring import App

Reason = Annotated[str, typer.Option(help="Why; shown by `status`.")]


def pause(ctx: typer.Context, reason: Reason = "", json: Json = False) -> None:
    """Hold scheduled runs until `resume`."""
    from spy32.ops.flags import pause as hold

    app = app_of(ctx)
    _say(app, hold(app.store(), reason, app.clock()), json=json)


def halt(ctx: typer.Context, reason: Reason = "", json: Json = False) -> None:
    """Stop every submit, in every mode, until `resume`."""
    from spy32.ops.flags import halt as stop

    app = app_of(ctx)
    _say(app, stop(app.locations.halt, reason, app.clock()), json=json)


def resume(ctx: typer.Context, json: Json = False) -> None:
    """Lift the pause and the halt."""
    from spy32.ops.flags import lift_halt, lift_pause

    app = app_of(ctx)
    lifted = ["the halt"] if lift_halt(app.locations.halt) else []
    if app.database.exists() and lift_pause(app.store(), app.clock()):
        lifted.append("the pause")
    _say(app, f"lifted {' and '.join(lifted)}" if lifted else "nothing was held", json=json)


def _say(app: "App", message: str, *, json: bool) -> None:
    from spy32.render.desk import say
    from spy32.render.documents import emit

    if json:
        reason = app.halted()
        paused = app.reading().flag("paused") if app.database.exists() else None
        document = {"schema": "spy32.switches", "version": 1, "message": message}
        emit(app.out, {**document, "halted": reason, "paused": paused[0] if paused is not None else None})
    else:
        say(app.out, [message])
