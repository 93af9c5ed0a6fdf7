"""`pause` holds scheduled runs, `halt` stops every submit, `resume` lifts both."""

from contextlib import suppress
from typing import Annotated

import typer

from spy32.commands.common import App, get_app, print_document, print_lines
from spy32.errors import Spy32Error

Reason = Annotated[str, typer.Option(help="Why; shown by `status`.")]


def pause(ctx: typer.Context, reason: Reason = "") -> None:
    """Hold scheduled runs until `resume`."""
    from spy32.ops.switches import PAUSED

    app = get_app(ctx)
    message = hold_runs(app, reason)
    flag = app.store().flags.get(PAUSED)
    _print_message(app, message, paused=flag[0] if flag is not None else None)


def hold_runs(app: App, reason: str) -> str:
    """Hold scheduled runs and return the message."""
    from spy32.ops.switches import pause as hold

    return hold(app.store().flags, reason, app.clock(), app.locations.home or app.locations.data)


def halt(ctx: typer.Context, reason: Reason = "") -> None:
    """Stop every submit, in every mode, until `resume`. Works on a damaged store and with settings that are wrong."""
    from spy32.ops.switches import halt as stop

    app, now = get_app(ctx), None
    with suppress(Spy32Error):  # settings that are wrong, or a home that live mode refuses
        now = app.clock()
    _print_message(app, stop(app.locations.halt, reason, now))


def resume(ctx: typer.Context) -> None:
    """Lift the pause and the halt."""
    app = get_app(ctx)
    _print_message(app, lift_switches(app))


def lift_switches(app: App) -> str:
    """Lift the pause and the halt and return the message."""
    from spy32.ops.switches import lift_halt, lift_pause

    # The halt goes last: a store that cannot be written leaves the stricter switch on.
    pause_was_on = app.database.exists() and lift_pause(app.store().flags, app.clock())
    halt_was_on = lift_halt(app.locations.halt)
    lifted = [name for name, was_on in (("the pause", pause_was_on), ("the halt", halt_was_on)) if was_on]
    home = app.locations.home or app.locations.data
    return f"lifted {' and '.join(lifted)} of {home}" if lifted else f"nothing was held in {home}"


def _print_message(app: App, message: str, *, paused: str | None = None) -> None:
    if app.wants_json:
        from spy32.render.home_documents import SWITCHES, Switches

        # `paused` is null after `halt` too, which looks at no store.
        print_document(app, SWITCHES, Switches(message=message, halted=app.halt_reason(), paused=paused))
    else:
        print_lines(app, [message])
