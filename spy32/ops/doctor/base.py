"""What a check is given and what it finds. Checks judge facts that `wiring.doctor` has gathered, and change nothing."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from spy32.domain.events import EventCalendar
from spy32.domain.orders import BrokerOrder
from spy32.domain.spreads import Account, Mode
from spy32.domain.value import value
from spy32.errors import Spy32Error, StoreError
from spy32.ops.cron import MachineZone
from spy32.ports import Locks
from spy32.settings import Locations, Settings
from spy32.settings.keys import Source
from spy32.settings.paths import AccessFault
from spy32.store import Store

UPGRADE = "python -m pip install --upgrade spy32"


class CheckStatus(StrEnum):
    """The verdict of a check. The value appears in JSON."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    """It may be harmless, or become a failure later."""
    FAIL = "fail"
    """Something does not work until it is repaired."""
    SKIP = "skip"
    """Not checked, and the detail says why."""


@value
class Diagnosis:
    """What one check found."""

    status: CheckStatus
    detail: str
    fix: str | None = None
    """The command that repairs it, or the file to edit; None when nothing is to be repaired."""


def success(detail: str) -> Diagnosis:
    return Diagnosis(status=CheckStatus.PASS, detail=detail)


def skip(reason: str) -> Diagnosis:
    return Diagnosis(status=CheckStatus.SKIP, detail=reason)


def warning(detail: str, fix: str) -> Diagnosis:
    return Diagnosis(status=CheckStatus.WARN, detail=detail, fix=fix)


def failure(detail: str, fix: str) -> Diagnosis:
    return Diagnosis(status=CheckStatus.FAIL, detail=detail, fix=fix)


class NotChecked(Exception):
    """There is nothing to judge, for the reason that it holds."""


@value
class Package:
    """A package that spy32 needs: the versions it takes, and the one that is there."""

    name: str
    needs: str
    """As in `pyproject.toml`, such as `>=0.24,<0.29`."""
    installed: str | None


@value
class Machine:
    """The facts of this machine and of the files of the home."""

    python: str
    packages: tuple[Package, ...]
    user: str
    access_fault: AccessFault | None
    """A file or folder of the home, or above it, that others may change."""
    secrets_fault: AccessFault | None
    """A file of secrets that others may read."""
    read_only: Path | None
    """The folder of databases or of state, if it cannot be written."""
    free_bytes: int | None
    """Free where the database lies; None when it cannot be told."""
    file_system: str
    """Its type, such as `ext4`; empty when it cannot be told."""
    zone: MachineZone
    clock_changes: tuple[date, ...]
    """The days of this year on which New York's clock changes, by the zone data."""
    crontab: str | StoreError | None
    """This user's crontab, or why it cannot be read; None on a machine without cron."""
    cron_lines: tuple[str, ...]
    """The jobs that `schedule show` prints."""
    program: Path
    """The program of those jobs."""
    is_cron_running: bool | None
    """None when the processes cannot be listed."""
    timers: tuple[str, ...]
    """The systemd user timers of spy32."""
    lingers: bool
    """Whether this user's timers run while nobody is logged in."""


@value
class HomeStore:
    """The database of the mode: open, not there yet, or why it cannot be read."""

    path: Path
    store: Store | None = None
    error: Spy32Error | None = None
    """Why it does not open."""
    fault: str | None = None
    """The first damage of one that opens."""

    @property
    def sound(self) -> Store | None:
        """The store, when its rows can be trusted."""
        return self.store if self.fault is None else None


@value
class BrokerAnswer:
    """What the broker said to read-only questions, after at most one log-in."""

    account: Account
    clock_ahead: float | None
    orders: tuple[BrokerOrder, ...]


@value
class Answers:
    """What the services said, or why they did not; None for what was not asked."""

    reason: str = ""
    """Why nothing was asked at all; empty when something was."""
    broker: BrokerAnswer | Spy32Error | None = None
    models: frozenset[str] | Spy32Error | None = None
    """Names of the models on offer."""
    markets: Mapping[str, Spy32Error | None] | None = None
    """Source -> why it gave no data; None when it did."""


@value
class DoctorContext:
    """Everything that the checks judge."""

    now: datetime
    mode: Mode
    settings: Settings
    """The defaults where the real ones cannot be read."""
    settings_error: Spy32Error | None
    sources: Mapping[str, Source]
    locations: Locations
    machine: Machine
    home: HomeStore
    locks: Locks
    halted: str | None
    """The reason in the halt file; None when not halted."""
    calendar: EventCalendar | Spy32Error
    """The events of the shipped table and the user's own file."""
    last_dividend: date
    """The last ex-date that the shipped table knows."""
    notifiers: Mapping[str, Spy32Error | None]
    """Label of each address that is told -> why it cannot be used; None when it can."""
    answers: Answers

    @property
    def store(self) -> Store:
        """The database. Raises `NotChecked` when there is none whose rows can be trusted."""
        if self.home.sound is None:
            raise NotChecked("there is no sound database to look into")
        return self.home.sound


Check = Callable[[DoctorContext], Diagnosis]
"""Judges the facts; raises `NotChecked`, or the error that stops it."""


def group_of(check_id: str) -> str:
    return check_id.partition(".")[0]


@value
class CheckResult:
    """A check's id and what it found."""

    id: str
    diagnosis: Diagnosis

    @property
    def group(self) -> str:
        return group_of(self.id)
