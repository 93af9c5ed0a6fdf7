"""Checks of the installation, the settings, the files, and the tables that end some day."""

import operator
import re
from datetime import timedelta

from spy32.domain.spreads import Mode
from spy32.errors import Spy32Error
from spy32.ops.doctor.base import UPGRADE, Diagnosis, DoctorContext, Package, failure, skip, success, warning
from spy32.records.connection import MIN_FREE_BYTES
from spy32.sessions import LAST_YEAR, market_date
from spy32.settings.model import Environment

LOW_BYTES = 256 * 2**20
"""Free bytes below which it is told: sixteen times what a run asks for."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "fuse.sshfs", "ceph", "glusterfs"}
)
"""SQLite's write-ahead log needs shared memory on one host (sqlite.org/wal.html)."""
CALENDAR_DAYS = 400
"""Days of exchange calendar that must be left: the longest that anything looks ahead is a year."""
EVENT_DAYS = 45
"""Days of events that must be known: a trade of 32 days, and a fortnight in which to add more."""
DIVIDEND_DAYS = 100
"""Days since the last known ex-date of SPY after which one is missing: a quarter, and a week."""
BOUNDS = {">=": operator.ge, "<": operator.lt}
VERSION_PART = re.compile(r"(>=|<=|==|<|>|~=|!=)\s*([\d.]+)")


def check_packages(context: DoctorContext) -> Diagnosis:
    for package in context.machine.packages:
        fix = f"python -m pip install '{package.name}{package.needs}'"
        if package.installed is None:
            return failure(f"{package.name} is not installed", fix)
        if not _fits(package):
            return failure(f"{package.name} is {package.installed}, but {package.needs} is needed", fix)
    return success(f"Python {context.machine.python} and {len(context.machine.packages)} packages fit")


def _fits(package: Package) -> bool:
    """Whether the version is at least each lower and below each upper bound; other marks are pip's to judge."""
    have = _version(package.installed or "")
    bounds = [(BOUNDS.get(mark), _version(text)) for mark, text in VERSION_PART.findall(package.needs)]
    return all(fits(have, bound) for fits, bound in bounds if fits is not None)


def _version(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match is not None else ()


def check_zone_data(context: DoctorContext) -> Diagnosis:
    """By the Energy Policy Act of 2005: the second Sunday of March and the first of November."""
    changes = context.machine.clock_changes
    is_usual = [(day.month, (day.day - 1) // 7 + 1, day.isoweekday()) for day in changes] == [(3, 2, 7), (11, 1, 7)]
    days = " and ".join(f"{day}" for day in changes) or "never"
    if not is_usual:
        return failure(f"by the zone data New York changes its clock {days}", "python -m pip install --upgrade tzdata")
    return success(f"New York's clock changes {days}; this machine is on {context.machine.zone.name}")


# Settings.


def check_settings(context: DoctorContext) -> Diagnosis:
    error = context.settings_error
    if error is not None:
        return failure(error.message, f'"${{EDITOR:-vi}}" {context.locations.config}')
    given = sum(source.kind != "default" for source in context.sources.values())
    return success(f"mode {context.mode}, {context.settings.environment}; settings away from their defaults: {given}")


def check_environment(context: DoctorContext) -> Diagnosis:
    """A job of cron has nothing of what a shell sets."""
    names = sorted({source.where for source in context.sources.values() if source.kind == "environment"})
    if names:
        listed = ", ".join(names)
        return warning(
            f"only this shell sets {listed}; cron will not have it", f'"${{EDITOR:-vi}}" {context.locations.dotenv}'
        )
    return success("nothing comes from this shell alone")


def check_credentials(context: DoctorContext) -> Diagnosis:
    """What the mode and the analyst cannot do without."""
    settings = context.settings
    if context.settings_error is not None:
        return skip("the settings cannot be read")
    broker = settings.tastytrade
    if context.mode is not Mode.PAPER and (broker.client_secret is None or broker.refresh_token is None):
        return failure(f"mode {context.mode} needs the grant at tastytrade", "spy32 auth login")
    if settings.analyst.name == "grok" and settings.xai.api_key is None:
        # On paper one may go on with `--analyst rules`, as a new home does.
        return (warning if context.mode is Mode.PAPER else failure)(
            "the analyst is grok, and XAI_API_KEY is not set: `analyze` ends 78",
            f"echo 'XAI_API_KEY=...' >> {context.locations.dotenv}",
        )
    return success(f"what mode {context.mode} and the analyst {settings.analyst.name} need is set")


# Files.


def check_access(context: DoctorContext) -> Diagnosis:
    """Whoever can write there decides what is traded; on paper that is nobody's money."""
    fault = context.machine.secrets_fault or context.machine.access_fault
    if fault is not None:
        return (failure if context.mode is Mode.LIVE else warning)(fault.problem, fault.remedy)
    return success("nobody else may read the secrets or change the home")


def check_writable(context: DoctorContext) -> Diagnosis:
    folder = context.machine.read_only
    if folder is not None:
        return failure(f"{folder} cannot be written; only looking works", f"chmod u+rwx {folder}")
    return success(f"{context.locations.data} can be written")


def check_space(context: DoctorContext) -> Diagnosis:
    free = context.machine.free_bytes
    if free is None:
        return skip("the free space cannot be told")
    text = f"{free >> 20} MB are free for {context.home.path}"
    if free < MIN_FREE_BYTES:
        return failure(f"{text}; nothing is begun below {MIN_FREE_BYTES >> 20} MB", f"df -h {context.locations.data}")
    return warning(text, f"df -h {context.locations.data}") if free < LOW_BYTES else success(text)


def check_file_system(context: DoctorContext) -> Diagnosis:
    kind = context.machine.file_system
    if not kind:
        return skip("the file system cannot be told")
    if kind in NETWORK_FILE_SYSTEMS:
        fix = "export SPY32_HOME=/a/folder/on/a/local/disk"
        return warning(f"the database lies on {kind}, a network file system, where its locks do not hold", fix)
    return success(f"the database lies on {kind}")


# Tables.


def check_calendar(context: DoctorContext) -> Diagnosis:
    left = (LAST_YEAR - market_date(context.now).year) * 365
    text = f"the exchange calendar reaches to the end of {LAST_YEAR}"
    return success(text) if left >= CALENDAR_DAYS else failure(text, UPGRADE)


def check_events(context: DoctorContext) -> Diagnosis:
    calendar, today = context.calendar, market_date(context.now)
    file = context.locations.config.parent / "events.toml"
    if isinstance(calendar, Spy32Error):
        return failure(calendar.message, f'"${{EDITOR:-vi}}" {file}')
    known = {kind: calendar.known_to.get(kind) for kind in calendar.asked}
    short = [
        f"{kind} {f'to {day}' if day is not None else 'not at all'}"
        for kind, day in known.items()
        if day is None or day < today + timedelta(days=EVENT_DAYS)
    ]
    if short:
        return warning(f"known for less than {EVENT_DAYS} days: {', '.join(short)} ({file} may add more)", UPGRADE)
    return success("; ".join(f"{kind} to {day}" for kind, day in known.items()))


def check_dividends(context: DoctorContext) -> Diagnosis:
    age = (market_date(context.now) - context.last_dividend).days
    text = f"the last ex-date of SPY in the table is {context.last_dividend}"
    return warning(f"{text}; the ones since are estimated", UPGRADE) if age > DIVIDEND_DAYS else success(text)


def check_automation(context: DoctorContext) -> Diagnosis:
    if not context.settings.enable_automation:
        return warning("ENABLE_AUTOMATION is off: scheduled runs are skipped", "unset ENABLE_AUTOMATION")
    if context.settings.environment is Environment.DEVELOPMENT and context.mode is Mode.LIVE:
        return warning("the environment is development in live mode", "export SPY32_ENVIRONMENT=production")
    return success("scheduled runs are made")
