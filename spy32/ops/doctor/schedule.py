"""Checks of the crontab, the cron daemon, and the timers of systemd that may stand in for them."""

import shlex
from itertools import pairwise, takewhile
from pathlib import Path

from spy32.errors import BadSettings, StoreError
from spy32.ops.cron import CronJob, Crontab, next_starts, parse_crontab
from spy32.ops.doctor.base import Diagnosis, DoctorContext, NotChecked, failure, skip, success, warning

INSTALL = "spy32 schedule install"
NO_LINE = "no crontab line starts the weekly run"


def check_line(context: DoctorContext) -> Diagnosis:
    """The weekly run is started, by the lines that `schedule show` prints."""
    machine = context.machine
    if isinstance(machine.crontab, StoreError):
        return failure(machine.crontab.message, "crontab -l")
    if machine.crontab is None and not machine.timers:
        return warning("this machine has neither cron nor a timer of spy32: nothing starts the weekly run", INSTALL)
    crontab = _crontab(context)
    if not crontab.jobs_of("analyze"):
        return success(f"{', '.join(machine.timers)} starts it") if machine.timers else warning(NO_LINE, INSTALL)
    installed = {_normal(job.text) for job in crontab.jobs}
    missing = [line for line in machine.cron_lines if _normal(line) not in installed]
    if missing:
        return warning(f"the crontab differs from `schedule show`, which has: {missing[0]}", INSTALL)
    return success("the crontab has the lines of `schedule show`")


def check_starts(context: DoctorContext) -> Diagnosis:
    """Each of the next ten slots has a start."""
    settings, zone = context.settings, context.machine.zone.zone
    starts = next_starts(_weekly_jobs(context), zone, context.now, settings.schedule, settings.environment)
    missed = [start.slot.day for start in starts if start.start is None]
    if missed:
        return failure(f"{len(missed)} of the next {len(starts)} slots get no start, first {missed[0]}", INSTALL)
    late = sum(start.is_late for start in starts)
    if late:
        return warning(f"{late} of the next {len(starts)} starts are late in their slot", INSTALL)
    return success(f"the next {len(starts)} slots have their starts")


def check_program(context: DoctorContext) -> Diagnosis:
    """The program of the line exists, and is the one that runs now."""
    for job in _weekly_jobs(context):
        program = _program(job)
        if program is None:
            return warning(f"the line names no program by its whole path: {job.command}", INSTALL)
        if not program.exists():
            return failure(f"{program} of the crontab is not there", INSTALL)
        if program != context.machine.program:
            return warning(f"the crontab starts {program}, this is {context.machine.program}", INSTALL)
    return success(f"the crontab starts {context.machine.program}")


def check_traps(context: DoctorContext) -> Diagnosis:
    """Lines that do not do what they seem to do, and a zone in which this shell differs from cron."""
    if context.machine.crontab is None:
        return skip("this machine has no cron")
    crontab = _crontab(context)
    traps = [*crontab.warnings]
    if context.machine.zone.warning is not None and crontab.jobs_of("analyze"):
        traps.append(context.machine.zone.warning)
    return warning("; ".join(traps), "crontab -e") if traps else success("no line of the crontab is a trap")


def check_daemon(context: DoctorContext) -> Diagnosis:
    _weekly_jobs(context)  # without one no daemon is needed
    if context.machine.is_cron_running is None:
        return skip("the processes of this machine cannot be listed")
    if not context.machine.is_cron_running:
        return failure("no cron daemon is running, so no line is started", "sudo systemctl enable --now cron")
    return success("a cron daemon is running")


def check_linger(context: DoctorContext) -> Diagnosis:
    machine = context.machine
    if not machine.timers:
        return skip("spy32 has no systemd timer")
    if not machine.lingers:
        return warning(
            f"the timers run only while {machine.user} is logged in", f"loginctl enable-linger {machine.user}"
        )
    return success("the timers run while nobody is logged in")


def _crontab(context: DoctorContext) -> Crontab:
    """The crontab, empty on a machine without cron. Raises `NotChecked` when it cannot be read."""
    if isinstance(context.machine.crontab, StoreError):
        raise NotChecked("the crontab cannot be read")
    return parse_crontab(context.machine.crontab or "")


def _weekly_jobs(context: DoctorContext) -> tuple[CronJob, ...]:
    """The jobs of the weekly run. Raises `NotChecked` when there is none."""
    jobs = _crontab(context).jobs_of("analyze")
    if not jobs:
        raise NotChecked(NO_LINE)
    return jobs


def _normal(line: str) -> str:
    """Blanks between words say nothing to cron."""
    return " ".join(line.split())


def _program(job: CronJob) -> Path | None:
    """The program before the options and `analyze`: spy32, or the interpreter of `-m spy32`. None where cron searches.

    Words of a program in front, such as `flock -n FILE`, and the folder of `--home` are none, also when called spy32.
    """
    lexer = shlex.shlex(job.command.replace("\\%", "%"), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:
        raise BadSettings(f"the command of the crontab has an open quote: {job.command}") from None
    program = previous = ""
    for before, word in pairwise(["", *takewhile(lambda word: word != "analyze", words)]):
        if word.startswith("-"):
            continue
        if Path(word).name == "spy32" and before != "--home":
            program = previous if before == "-m" else word
        previous = word
    return Path(program) if program.startswith("/") else None
