"""`schedule`: the crontab lines for this machine, the next starts, and the block in the crontab."""

from collections.abc import Iterable
from datetime import tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import App, get_app, print_answer, print_document, print_lines, write_text
from spy32.commands.confirmation import prompt_line
from spy32.errors import AttentionRequired, BadUsage, ExitCode, StoreError
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.ops.cron import Crontab, MachineZone, ManageStarts, SlotStart
    from spy32.render.home_documents import NextStarts

Yes = Annotated[bool, typer.Option("--yes", help="Change the crontab without asking, for scripts.")]


def show(
    ctx: typer.Context,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="User units with timers for systemd instead of crontab lines.")
    ] = False,
) -> None:
    """The crontab lines for this machine. They are printed only; `schedule install` puts them into the crontab."""
    from spy32.ops.cron import crontab_lines, crontab_text
    from spy32.ops.systemd import units_text, user_units
    from spy32.wiring.cron import find_start_commands

    app = get_app(ctx)
    commands, zone = find_start_commands(app), _machine_zone(app)
    lines, units = crontab_lines(commands), user_units(commands, app.settings.schedule)
    user = app.user if app.user != "unknown" else "root"
    text = crontab_text(lines, zone=zone.name, user=user)
    warnings = [*_environment_warnings(app), *([zone.warning] if zone.warning is not None else [])]
    if app.wants_json:
        from spy32.render.home_documents import SCHEDULE, CrontabLines, SystemdUnit

        document = CrontabLines(
            line=lines[0],
            manage=lines[1],
            crontab=text,
            units=tuple(SystemdUnit(name=name, text=unit) for name, unit in units.items()),
            zone=zone.name,
            warnings=tuple(warnings),
        )
        print_document(app, SCHEDULE, document)
        return
    write_text(app, units_text(units, user) if systemd else text)
    for warning in warnings:
        app.warn(warning)


def install(ctx: typer.Context, yes: Yes = False) -> None:
    """Put the lines of `schedule show` into your crontab, in a block of their own; shows the difference and asks."""
    _edit_crontab(get_app(ctx), "install", yes=yes)


def remove(ctx: typer.Context, yes: Yes = False) -> None:
    """Take the block of `schedule install` out of your crontab; every other line stays as it is."""
    _edit_crontab(get_app(ctx), "remove", yes=yes)


def _edit_crontab(app: App, action: str, *, yes: bool) -> None:
    """Show the difference, ask, write, and say what was done."""
    from spy32.ops.cron import crontab_lines, parse_crontab
    from spy32.ops.crontab import install_edit, read_crontab, removal_edit, replace_crontab
    from spy32.render.home_documents import CRONTAB_EDIT, CrontabChange
    from spy32.wiring.cron import find_start_commands

    is_install = action == "install"
    make_edit = install_edit if is_install else removal_edit
    edit = make_edit(read_crontab(), crontab_lines(find_start_commands(app)))
    if not app.wants_json:
        write_text(app, edit.diff)
    elif not yes:
        app.warn(f"the crontab would change like this:\n{edit.diff}")
    backup = None
    if edit.is_change:
        question = f"spy32: change the crontab of {app.user} like this? type yes, anything else to leave: "
        if not yes and prompt_line(question).lower() not in {"y", "yes"}:
            raise BadUsage(f"no yes, so nothing was changed; without a terminal `schedule {action}` needs --yes")
        backup = replace_crontab(edit, app.locations.state, app.clock())
    warnings: tuple[str, ...] = ()
    if is_install:
        warnings = (*parse_crontab(edit.after.decode(errors="replace")).warnings, *_environment_warnings(app))
    if app.wants_json:
        place = str(backup) if backup is not None else None
        change = CrontabChange(action=action, changed=edit.is_change, diff=edit.diff, backup=place, warnings=warnings)
        print_document(app, CRONTAB_EDIT, change)
        return
    if backup is None:
        print_lines(app, ["the crontab has these lines already" if is_install else "the crontab has no such block"])
    else:
        done = "the crontab has the lines of spy32 now" if is_install else "the lines of spy32 are out of the crontab"
        print_lines(app, [f"{done}; the one before: {backup}"])
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
) -> None:
    """The next ten starts in New York's and this machine's time, and traps in a crontab; 20 when none would start."""
    from spy32.ops.cron import crontab_lines, next_manage_starts, next_starts, parse_crontab, parse_job
    from spy32.render.home_documents import STARTS, NextStarts, start_of
    from spy32.wiring.cron import find_start_commands, read_installed_crontab

    app = get_app(ctx)
    text = crontab.read() if crontab is not None else read_installed_crontab()
    unread = text.message if isinstance(text, StoreError) else None
    zone, parsed = _machine_zone(app), parse_crontab(text if isinstance(text, str) else "")
    weekly_jobs, manage_jobs = parsed.jobs_of("analyze"), parsed.jobs_of("manage")
    jobs = weekly_jobs or (parse_job(crontab_lines(find_start_commands(app))[0]),)
    slot_starts = next_starts(jobs, zone.zone, app.clock(), app.settings.schedule, app.settings.environment)
    managing = next_manage_starts(manage_jobs, zone.zone, app.clock())
    starts = NextStarts(
        line=jobs[0].text,
        found=bool(weekly_jobs),
        zone=zone.name,
        starts=tuple(start_of(slot_start, zone.zone) for slot_start in slot_starts),
        manage_line=manage_jobs[0].text if manage_jobs else None,
        manage_starts=managing.starts,
        warnings=tuple(_crontab_warnings(parsed, zone, slot_starts, managing, unread)),
    )
    print_answer(app, STARTS, starts, _starts_lines(starts, zone.zone))
    if starts.found and any(start.start is not None for start in starts.starts):
        return
    if app.wants_json:  # the document is the answer, and has said it
        raise typer.Exit(ExitCode.ATTENTION)
    raise AttentionRequired(unread or "nothing starts the weekly run: `spy32 schedule install` adds the lines")


def _machine_zone(app: App) -> "MachineZone":
    from spy32.ops.cron import machine_zone

    return machine_zone(app.env.get("TZ"))


def _environment_warnings(app: App) -> list[str]:
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


def _starts_lines(starts: "NextStarts", zone: tzinfo) -> "Iterable[str]":
    """The starts of the weekly run, of `manage` in the next session, and the warnings."""

    yield f"line: {starts.line}"
    yield f"machine zone: {starts.zone}"
    for start in starts.starts:
        at = start.start or start.opens
        exchange_time, machine_time = at.astimezone(NEW_YORK), at.astimezone(zone)
        note = "" if start.start is not None else " - NO START in this slot"
        yield f"{exchange_time:%a %Y-%m-%d %H:%M} New York = {machine_time:%a %Y-%m-%d %H:%M} {starts.zone}{note}"
    if starts.manage_line is not None:
        yield f"manage line: {starts.manage_line}"
    if starts.manage_starts:
        first, last = (starts.manage_starts[end].astimezone(NEW_YORK) for end in (0, -1))
        hours = f"{first:%a %Y-%m-%d}, {first:%H:%M} to {last:%H:%M} New York"
        yield f"manage: {len(starts.manage_starts)} starts on {hours}"
    yield from (f"WARNING {warning}" for warning in starts.warnings)
