"""`schedule show` prints the crontab line for this machine, `schedule check` the next starts."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of

if TYPE_CHECKING:
    from datetime import datetime

TEN = 10


def show(ctx: typer.Context, json: Json = False) -> None:
    """The crontab line for this machine. It is printed, never installed."""
    import shutil
    import sys

    from spy32.ops.cron import line_for
    from spy32.render.desk import say
    from spy32.render.documents import emit

    app = app_of(ctx)
    program = shutil.which("spy32") or f"{sys.executable} -m spy32"
    line = line_for(program)
    if json:
        emit(app.out, {"schema": "spy32.schedule", "version": 1, "line": line})
    else:
        say(app.out, ["# add with `crontab -e`; cron mails what a failed run prints to MAILTO", line])


def check(
    ctx: typer.Context,
    crontab: Annotated[typer.FileText | None, typer.Option(help="A crontab to judge, - for standard input.")] = None,
    json: Json = False,
) -> None:
    """The next ten slots in New York's and this machine's time, and the traps in a crontab."""
    from spy32.ops.cron import jobs, traps
    from spy32.render.desk import say
    from spy32.render.document_parts import instant
    from spy32.render.documents import emit

    app = app_of(ctx)
    text = crontab.read() if crontab is not None else ""
    found = traps(text)
    scheduled = [job for job in jobs(text) if "analyze --scheduled" in job.command]
    if crontab is not None and not scheduled:
        found = (*found, "no line starts `spy32 analyze --scheduled`")
    slots = _next_slots(ctx)
    if json:
        document = {"schema": "spy32.schedule_check", "version": 1, "slots": [instant(slot) for slot in slots]}
        emit(app.out, {**document, "warnings": list(found)})
    else:
        from spy32.render.words import both_zones

        say(app.out, [*(both_zones(slot) for slot in slots), *(f"WARNING {warning}" for warning in found)])


def _next_slots(ctx: typer.Context) -> "list[datetime]":
    from spy32.sessions import next_slot

    app = app_of(ctx)
    slots: list[datetime] = []
    at = app.clock()
    while len(slots) < TEN:
        at = next_slot(at, app.settings.schedule, app.settings.environment).opens
        slots.append(at)
    return slots
