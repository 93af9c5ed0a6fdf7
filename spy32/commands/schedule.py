"""`schedule show` prints the crontab line for this machine, `schedule check` the next ten starts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spy32.commands.common import Json, app_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spy32.ops.cron import Coming, Crontab, MachineZone
    from spy32.wiring import App


def show(ctx: typer.Context, json: Json = False) -> None:
    """The crontab lines for this machine. They are printed, never installed."""
    from spy32.ops.cron import crontab_text
    from spy32.render.documents import emit
    from spy32.render.out import put

    app = app_of(ctx)
    line, zone = _line(app), _zone(app)
    text = crontab_text(line, _check_line(app), zone=zone.name, user=app.user if app.user != "unknown" else "root")
    warnings = [*_out_of_reach(app), *([zone.warning] if zone.warning is not None else [])]
    if json:
        document = {"schema": "spy32.schedule", "version": 1, "line": line, "crontab": text, "zone": zone.name}
        return emit(app.out, {**document, "warnings": warnings})
    put(app.out, text)
    for warning in warnings:
        app.warn(warning)
    return None


def check(
    ctx: typer.Context,
    crontab: Annotated[
        typer.FileText | None,
        typer.Option(
            help="A crontab to judge, - for standard input; else what `crontab -l` says.",
            encoding="utf-8",
            errors="replace",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """The next ten starts in New York's and this machine's time, and traps in a crontab; 20 when none would start."""
    from spy32.errors import Attention
    from spy32.ops.cron import next_starts, parse_job, read
    from spy32.render.documents import emit
    from spy32.render.out import put

    app = app_of(ctx)
    zone, table = _zone(app), read(crontab.read() if crontab is not None else _installed())
    jobs = table.ours or (parse_job(_line(app)),)
    found = next_starts(jobs, zone.zone, app.clock(), app.settings.schedule, app.settings.environment)
    warnings = list(_warnings(table, zone, found))
    if json:
        emit(app.out, _document(jobs[0].text, is_there=bool(table.ours), zone=zone, found=found, warnings=warnings))
    else:
        put(app.out, "".join(f"{line}\n" for line in _lines(jobs[0].text, zone, found, warnings)))
    if table.ours and any(one.start is not None for one in found):
        return
    if json:  # the document is the answer, and has said it
        raise typer.Exit(Attention.code)
    raise Attention("nothing starts the weekly run: add the lines of `spy32 schedule show` with `crontab -e`")


def _line(app: "App") -> str:
    from spy32.ops.cron import job_line

    return job_line(_program(), home=app.locations.home, mode=app.flags.get("mode"))


def _check_line(app: "App") -> str:
    from spy32.ops.cron import check_line

    return check_line(_program(), home=app.locations.home, mode=app.flags.get("mode"))


def _program() -> str:
    import shutil
    import sys

    from spy32.ops.cron import program

    return program(sys.argv[0], sys.executable, shutil.which)


def _zone(app: "App") -> "MachineZone":
    from spy32.ops.cron import machine_zone

    return machine_zone(app.env.get("TZ"))


def _installed() -> str:
    """This user's crontab; empty when there is none, or no cron."""
    import shutil
    import subprocess

    program = shutil.which("crontab")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, "-l"], capture_output=True, timeout=5, check=False)  # noqa: S603 - no shell
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _out_of_reach(app: "App") -> list[str]:
    """What this shell sets and a job of cron will not have."""
    names = sorted({source.where for source in app.sources.values() if source.kind == "environment"})
    if not names:
        return []
    listed = ", ".join(names)
    return [f"cron does not have this shell's {listed}; put what it needs into {app.locations.dotenv} or config.toml"]


def _warnings(table: "Crontab", zone: "MachineZone", found: "Iterable[Coming]") -> "Iterable[str]":
    if not table.ours:
        yield "no crontab line starts `spy32 analyze`; these times are those of the line that `schedule show` prints"
    yield from table.warnings
    if zone.warning is not None:
        yield zone.warning
    late = sum(one.is_late for one in found)
    if late:
        yield f"{late} of these starts are late in their slot"
    missed = sum(one.start is None for one in found)
    if missed:
        yield f"{missed} of these slots get no start at all"


def _lines(line: str, zone: "MachineZone", found: "Iterable[Coming]", warnings: list[str]) -> "Iterable[str]":
    from spy32.sessions import NEW_YORK

    yield f"line: {line}"
    yield f"machine zone: {zone.name}"
    for one in found:
        at = one.start or one.slot.opens
        there, here = at.astimezone(NEW_YORK), at.astimezone(zone.zone)
        note = "" if one.start is not None else " - NO START in this slot"
        yield f"{there:%a %Y-%m-%d %H:%M} New York = {here:%a %Y-%m-%d %H:%M} {zone.name}{note}"
    yield from (f"WARNING {warning}" for warning in warnings)


def _document(
    line: str, *, is_there: bool, zone: "MachineZone", found: "Iterable[Coming]", warnings: list[str]
) -> dict[str, Any]:
    from spy32.render.document_parts import day, instant
    from spy32.sessions import NEW_YORK

    starts = [
        {
            "slot": day(one.slot.day),
            "opens": instant(one.slot.opens),
            "start": instant(one.start),
            "new_york": one.start.astimezone(NEW_YORK).isoformat() if one.start is not None else None,
            "machine": one.start.astimezone(zone.zone).isoformat() if one.start is not None else None,
            "late": one.is_late,
        }
        for one in found
    ]
    document = {"schema": "spy32.schedule_check", "version": 1, "line": line, "found": is_there, "zone": zone.name}
    return {**document, "starts": starts, "warnings": warnings}
