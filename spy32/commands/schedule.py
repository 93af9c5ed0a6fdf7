"""`schedule`: the crontab lines for this machine, the next starts, and the block in the crontab."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spy32.ops.cron import Crontab, MachineZone, ManageStarts, SlotStart
    from spy32.ops.crontab import CrontabEdit
    from spy32.wiring import App

Yes = Annotated[bool, typer.Option("--yes", help="Change the crontab without asking, for scripts.")]


def show(
    ctx: typer.Context,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="User units with timers for systemd instead of crontab lines.")
    ] = False,
    json: Json = False,
) -> None:
    """The crontab lines for this machine. They are printed only; `schedule install` puts them into the crontab."""
    from spy32.ops.cron import crontab_text
    from spy32.ops.systemd import units_text, user_units
    from spy32.render.output import write_text

    app = get_app(ctx)
    lines, units, zone = (
        _crontab_lines(app),
        user_units(_start_commands(app), app.settings.schedule),
        _machine_zone(app),
    )
    user = app.user if app.user != "unknown" else "root"
    text = crontab_text(lines, zone=zone.name, user=user)
    warnings = [*_environment_warnings(app), *([zone.warning] if zone.warning is not None else [])]
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import SCHEDULE, CrontabLines, SystemdUnit

        document = CrontabLines(
            line=lines[0],
            manage=lines[1],
            crontab=text,
            units=tuple(SystemdUnit(name=name, text=unit) for name, unit in units.items()),
            zone=zone.name,
            warnings=tuple(warnings),
        )
        print_document(app.out, SCHEDULE, document)
        return
    write_text(app.out, units_text(units, user) if systemd else text)
    for warning in warnings:
        app.warn(warning)


def install(ctx: typer.Context, yes: Yes = False, json: Json = False) -> None:
    """Put the lines of `schedule show` into your crontab, in a block of their own; shows the difference and asks."""
    from spy32.ops.crontab import install_edit, read_crontab

    app = get_app(ctx)
    edit = install_edit(read_crontab(), _crontab_lines(app))
    _edit_crontab(app, edit, action="install", yes=yes, json=json)


def remove(ctx: typer.Context, yes: Yes = False, json: Json = False) -> None:
    """Take the block of `schedule install` out of your crontab; every other line stays as it is."""
    from spy32.ops.crontab import read_crontab, removal_edit

    app = get_app(ctx)
    edit = removal_edit(read_crontab(), _crontab_lines(app))
    _edit_crontab(app, edit, action="remove", yes=yes, json=json)


def _edit_crontab(app: "App", edit: "CrontabEdit", *, action: str, yes: bool, json: bool) -> None:
    """Show the difference, ask, write, and say what was done."""
    from spy32.ops.cron import parse_crontab
    from spy32.ops.crontab import replace_crontab
    from spy32.render.output import print_lines, write_text

    if not json:
        write_text(app.out, edit.diff)
    elif not yes:
        app.warn(f"the crontab would change like this:\n{edit.diff}")
    backup = None
    if edit.is_change:
        _confirm_edit(app, action, yes=yes)
        backup = replace_crontab(edit, app.locations.state, app.clock())
    is_install = action == "install"
    traps = parse_crontab(edit.after.decode(errors="replace")).warnings if is_install else ()
    warnings = [*traps, *(_environment_warnings(app) if is_install else [])]
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import CRONTAB_EDIT, CrontabChange

        change = CrontabChange(
            action=action,
            changed=edit.is_change,
            diff=edit.diff,
            backup=str(backup) if backup is not None else None,
            warnings=tuple(warnings),
        )
        print_document(app.out, CRONTAB_EDIT, change)
        return
    if backup is None:
        print_lines(app.out, ["the crontab has these lines already" if is_install else "the crontab has no such block"])
    else:
        done = "the crontab has the lines of spy32 now" if is_install else "the lines of spy32 are out of the crontab"
        print_lines(app.out, [f"{done}; the one before: {backup}"])
    for warning in warnings:
        app.warn(warning)


def _confirm_edit(app: "App", action: str, *, yes: bool) -> None:
    """`BadUsage` unless a yes was given as an option, or typed."""
    from spy32.commands.confirmation import prompt_line
    from spy32.errors import BadUsage

    if yes:
        return
    answer = prompt_line(f"spy32: change the crontab of {app.user} like this? type yes, anything else to leave: ")
    if answer.lower() not in {"y", "yes"}:
        raise BadUsage(f"no yes, so nothing was changed; without a terminal `schedule {action}` needs --yes")


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
    from spy32.ops.cron import next_manage_starts, next_starts, parse_crontab, parse_job
    from spy32.render.output import print_lines

    app = get_app(ctx)
    text, unread = (crontab.read(), None) if crontab is not None else _installed_crontab()
    zone, parsed = _machine_zone(app), parse_crontab(text)
    weekly_jobs, manage_jobs = parsed.jobs_of("analyze"), parsed.jobs_of("manage")
    jobs = weekly_jobs or (parse_job(_crontab_lines(app)[0]),)
    slot_starts = next_starts(jobs, zone.zone, app.clock(), app.settings.schedule, app.settings.environment)
    managing = next_manage_starts(manage_jobs, zone.zone, app.clock())
    warnings = list(_crontab_warnings(parsed, zone, slot_starts, managing, unread))
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import STARTS, NextStarts, start_of

        starts = NextStarts(
            line=jobs[0].text,
            found=bool(weekly_jobs),
            zone=zone.name,
            starts=tuple(start_of(slot_start, zone.zone) for slot_start in slot_starts),
            manage_line=manage_jobs[0].text if manage_jobs else None,
            manage_starts=managing.starts,
            warnings=tuple(warnings),
        )
        print_document(app.out, STARTS, starts)
    else:
        print_lines(app.out, _report_lines(jobs[0].text, zone, slot_starts))
        print_lines(app.out, [*_manage_lines(parsed, managing), *(f"WARNING {warning}" for warning in warnings)])
    if weekly_jobs and any(slot_start.start is not None for slot_start in slot_starts):
        return
    if json:  # the document is the answer, and has said it
        raise typer.Exit(ExitCode.ATTENTION)
    raise AttentionRequired(unread or "nothing starts the weekly run: `spy32 schedule install` adds the lines")


def _machine_zone(app: "App") -> "MachineZone":
    from spy32.ops.cron import machine_zone

    return machine_zone(app.env.get("TZ"))


def _start_commands(app: "App") -> "dict[str, tuple[str, ...]]":
    """The commands that the machine starts, of this program, home and mode."""
    import shutil
    import sys

    from spy32.ops.cron import program_arguments, start_commands

    program = program_arguments(sys.argv[0], sys.executable, shutil.which)
    return start_commands(program, home=app.locations.home, mode=app.flags.get("mode"))


def _crontab_lines(app: "App") -> tuple[str, ...]:
    from spy32.ops.cron import crontab_lines

    return crontab_lines(_start_commands(app))


def _installed_crontab() -> tuple[str, str | None]:
    """This user's crontab, empty when there is none or no cron; and why it cannot be read, if so."""
    from spy32.errors import ServiceGone, StoreError
    from spy32.ops.crontab import read_crontab

    try:
        return read_crontab().decode(errors="replace"), None
    except ServiceGone:
        return "", None
    except StoreError as error:
        return "", error.message


def _environment_warnings(app: "App") -> list[str]:
    """What this shell sets and a job of cron will not have."""
    names = sorted({source.where for source in app.sources.values() if source.kind == "environment"})
    if not names:
        return []
    listed = ", ".join(names)
    return [f"cron does not have this shell's {listed}; put what it needs into {app.locations.dotenv} or config.toml"]


def _crontab_warnings(
    crontab: "Crontab",
    zone: "MachineZone",
    slot_starts: "Iterable[SlotStart]",
    managing: "ManageStarts",
    unread: str | None,
) -> "Iterable[str]":
    if unread is not None:
        yield f"{unread}; these times are those of the line that `schedule show` prints"
    elif not crontab.jobs_of("analyze"):
        yield "no crontab line starts `spy32 analyze`; these times are those of the line that `schedule show` prints"
    manage_jobs = crontab.jobs_of("manage")
    if not manage_jobs and unread is None:
        yield "no crontab line starts `spy32 manage`: open trades are marked, and their closes proposed, by hand only"
    elif manage_jobs and not managing.starts:
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

    for job in crontab.jobs_of("manage")[:1]:
        yield f"manage line: {job.text}"
    if managing.starts:
        first, last = managing.starts[0].astimezone(NEW_YORK), managing.starts[-1].astimezone(NEW_YORK)
        hours = f"{first:%a %Y-%m-%d}, {first:%H:%M} to {last:%H:%M} New York"
        yield f"manage: {len(managing.starts)} starts on {hours}"
