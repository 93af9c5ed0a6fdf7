"""`schedule show` prints the crontab lines for this machine, `schedule check` the next starts."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spy32.ops.cron import Crontab, MachineZone, ManageStarts, SlotStart
    from spy32.wiring import App


def show(ctx: typer.Context, json: Json = False) -> None:
    """The crontab lines for this machine. They are printed, never installed."""
    from spy32.ops.cron import check_line, crontab_text, job_line, manage_line
    from spy32.render.output import write_text

    app = get_app(ctx)
    line, manage, zone = _crontab_line(app, job_line), _crontab_line(app, manage_line), _machine_zone(app)
    user = app.user if app.user != "unknown" else "root"
    text = crontab_text(line, manage, _crontab_line(app, check_line), zone=zone.name, user=user)
    warnings = [*_environment_warnings(app), *([zone.warning] if zone.warning is not None else [])]
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import SCHEDULE, CrontabLines

        lines = CrontabLines(line=line, manage=manage, crontab=text, zone=zone.name, warnings=tuple(warnings))
        print_document(app.out, SCHEDULE, lines)
        return
    write_text(app.out, text)
    for warning in warnings:
        app.warn(warning)


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
    from spy32.errors import AttentionRequired, ExitCode
    from spy32.ops.cron import job_line, next_manage_starts, next_starts, parse_crontab, parse_job
    from spy32.render.output import print_lines

    app = get_app(ctx)
    zone, parsed = _machine_zone(app), parse_crontab(crontab.read() if crontab is not None else _installed_crontab())
    jobs = parsed.weekly_jobs or (parse_job(_crontab_line(app, job_line)),)
    slot_starts = next_starts(jobs, zone.zone, app.clock(), app.settings.schedule, app.settings.environment)
    managing = next_manage_starts(parsed.manage_jobs, zone.zone, app.clock())
    warnings = list(_crontab_warnings(parsed, zone, slot_starts, managing))
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import STARTS, NextStarts, start_of

        starts = NextStarts(
            line=jobs[0].text,
            found=bool(parsed.weekly_jobs),
            zone=zone.name,
            starts=tuple(start_of(slot_start, zone.zone) for slot_start in slot_starts),
            manage_line=parsed.manage_jobs[0].text if parsed.manage_jobs else None,
            manage_starts=managing.starts,
            warnings=tuple(warnings),
        )
        print_document(app.out, STARTS, starts)
    else:
        print_lines(app.out, _report_lines(jobs[0].text, zone, slot_starts))
        print_lines(app.out, [*_manage_lines(parsed, managing), *(f"WARNING {warning}" for warning in warnings)])
    if parsed.weekly_jobs and any(slot_start.start is not None for slot_start in slot_starts):
        return
    if json:  # the document is the answer, and has said it
        raise typer.Exit(ExitCode.ATTENTION)
    raise AttentionRequired("nothing starts the weekly run: add the lines of `spy32 schedule show` with `crontab -e`")


def _crontab_line(app: "App", build: "Callable[..., str]") -> str:
    """The line that `build` makes of this program, home and mode."""
    import shutil
    import sys

    from spy32.ops.cron import program_command

    program = program_command(sys.argv[0], sys.executable, shutil.which)
    return build(program, home=app.locations.home, mode=app.flags.get("mode"))


def _machine_zone(app: "App") -> "MachineZone":
    from spy32.ops.cron import machine_zone

    return machine_zone(app.env.get("TZ"))


def _installed_crontab() -> str:
    """This user's crontab; empty when there is none, or no cron."""
    import shutil
    import subprocess

    program = shutil.which("crontab")
    if program is None:
        return ""
    try:
        result = subprocess.run([program, "-l"], capture_output=True, timeout=5, check=False)  # noqa: S603 - no shell
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.decode(errors="replace") if result.returncode == 0 else ""


def _environment_warnings(app: "App") -> list[str]:
    """What this shell sets and a job of cron will not have."""
    names = sorted({source.where for source in app.sources.values() if source.kind == "environment"})
    if not names:
        return []
    listed = ", ".join(names)
    return [f"cron does not have this shell's {listed}; put what it needs into {app.locations.dotenv} or config.toml"]


def _crontab_warnings(
    crontab: "Crontab", zone: "MachineZone", slot_starts: "Iterable[SlotStart]", managing: "ManageStarts"
) -> "Iterable[str]":
    if not crontab.weekly_jobs:
        yield "no crontab line starts `spy32 analyze`; these times are those of the line that `schedule show` prints"
    if not crontab.manage_jobs:
        yield "no crontab line starts `spy32 manage`: open trades are marked, and their closes proposed, by hand only"
    elif not managing.starts:
        yield f"`spy32 manage` is not started while options trade on {managing.session.day}"
    yield from crontab.warnings
    if zone.warning is not None:
        yield zone.warning
    late = sum(slot_start.is_late for slot_start in slot_starts)
    if late:
        yield f"{late} of these starts are late in their slot"
    missed = sum(slot_start.start is None for slot_start in slot_starts)
    if missed:
        yield f"{missed} of these slots get no start at all"


def _report_lines(line: str, zone: "MachineZone", slot_starts: "Iterable[SlotStart]") -> "Iterable[str]":
    from spy32.sessions import NEW_YORK

    yield f"line: {line}"
    yield f"machine zone: {zone.name}"
    for slot_start in slot_starts:
        at = slot_start.start or slot_start.slot.opens
        exchange_time, machine_time = at.astimezone(NEW_YORK), at.astimezone(zone.zone)
        note = "" if slot_start.start is not None else " - NO START in this slot"
        yield f"{exchange_time:%a %Y-%m-%d %H:%M} New York = {machine_time:%a %Y-%m-%d %H:%M} {zone.name}{note}"


def _manage_lines(crontab: "Crontab", managing: "ManageStarts") -> "Iterable[str]":
    """The line of `manage`, and its starts in the next session."""
    from spy32.sessions import NEW_YORK

    for job in crontab.manage_jobs[:1]:
        yield f"manage line: {job.text}"
    if managing.starts:
        first, last = managing.starts[0].astimezone(NEW_YORK), managing.starts[-1].astimezone(NEW_YORK)
        hours = f"{first:%a %Y-%m-%d}, {first:%H:%M} to {last:%H:%M} New York"
        yield f"manage: {len(managing.starts)} starts on {hours}"
