"""The documents about a home: status, switches, settings, log-in, database, history, and the schedule."""

from datetime import date, datetime, tzinfo

from spy32.domain.proposals import ExitReason
from spy32.domain.units import ProposalId
from spy32.domain.value import value
from spy32.errors import ExitCode
from spy32.ops.cron import SlotStart
from spy32.ops.logs import LogEntry
from spy32.ops.open_trades import OpenTrade
from spy32.ops.status import ModelSpending, PauseFlag, PendingItem, Status
from spy32.records.audit import AuditReport
from spy32.render import document_parts  # noqa: F401 - the parts of runs
from spy32.render.encoder import Key, Part
from spy32.sessions import NEW_YORK, Slot
from spy32.settings.describe import Row

# Status.

Part(Slot, "day opens closes")
Part(PauseFlag)
Part(PendingItem)
Part(ModelSpending, "month spent budget used_up=is_used_up")
Part(
    OpenTrade,
    """id state=trade.state trade=words credit=trade.credit max_loss=trade.max_loss dte next_exit mark proposal_id
    reason""",
    proposal_id=Key(ProposalId | None, "close.id", "Of the close that waits, is approved or is sent."),
    reason=Key(ExitReason | None, "close.reason", "Of that close."),
)
STATUS = Part(
    Status,
    """mode=context.settings.mode environment=context.settings.environment home=context.home database=context.database
    new=is_new synthetic=is_synthetic now=context.now attention last_run running next_slot
    automation=context.settings.enable_automation paused halted=context.halted waiting open_trades=trades failures
    missed unsent_notices unknown_orders results model_spending""",
    called="spy32.status",
)
"""For a monitor: an empty `attention` means that all is well."""


# What commands did or found.


@value
class Switches:
    """What pause, halt and resume did."""

    message: str
    halted: str | None
    """What the halt file says; null when there is none."""
    paused: str | None
    """The reason of the pause, possibly empty; null when there is none, and after `halt`, which looks at no store."""


@value
class SettingsList:
    """Every setting and where it came from."""

    settings: tuple[Row, ...]


@value
class LogIn:
    """How the log-in at the broker stands."""

    mode: str
    service: str
    client_secret: str | None
    """Where it came from, never the secret."""
    refresh_token: str | None
    """Where it came from, never the token."""
    token: bool | None = None
    """Whether the log-in works; null when none was tried."""
    account: str | None = None
    """The last four characters behind dots."""
    options_level: str | None = None
    restrictions: tuple[str, ...] = ()
    clock_ahead_seconds: float | None = None
    """How far the broker's clock is ahead of ours."""
    trouble: str | None = None
    code: int = ExitCode.OK
    """The exit code."""


@value
class DatabaseAction:
    """What `db` did with the database."""

    database: str
    action: str
    """`check`, `backup`, `restore` or `adopt`."""
    problems: tuple[str, ...] = ()
    """What is wrong; empty when the database is whole."""
    backup: str | None = None
    """The backup that was made, or that was put in place."""
    moved: str | None = None
    """Where the database that was replaced is now."""
    home: str | None = None
    """The id of the home after `adopt`."""


@value
class Log:
    """What commands did, oldest first."""

    entries: tuple[LogEntry, ...]


Part(LogEntry)
LOGS = Part(Log, called="spy32.logs")
SWITCHES = Part(Switches, called="spy32.switches")
Part(Row, "key value source=source.kind where=source.where")
CONFIG = Part(SettingsList, called="spy32.config")
AUTH = Part(LogIn, called="spy32.auth")
DATABASE = Part(DatabaseAction, called="spy32.db")
AUDIT = Part(AuditReport, called="spy32.audit")


# The schedule.


@value
class SystemdUnit:
    """A unit file of systemd."""

    name: str
    text: str


@value
class CrontabLines:
    """The crontab line for this machine."""

    line: str
    """The line of the weekly run."""
    manage: str
    """The line of `manage`."""
    crontab: str
    """The line with the settings it needs, ready to be put at the end of a crontab."""
    units: tuple[SystemdUnit, ...]
    """The same starts as user units with timers."""
    zone: str
    """Zone of this machine's clock."""
    warnings: tuple[str, ...]


@value
class Start:
    """A slot, and the first start inside it; null when there is none."""

    slot: date
    opens: datetime
    start: datetime | None
    new_york: str | None
    """RFC 3339 with that zone's offset."""
    machine: str | None
    """RFC 3339 with that zone's offset."""
    late: bool


@value
class NextStarts:
    """The next starts of a crontab."""

    line: str
    found: bool
    """A line that starts the weekly run is in the crontab; otherwise the printed one is judged."""
    zone: str
    """Zone of this machine's clock."""
    starts: tuple[Start, ...]
    """The next ten slots on session days."""
    manage_line: str | None
    """The line that starts `manage`; null when the crontab has none."""
    manage_starts: tuple[datetime, ...]
    """Its starts in the next session, while options trade."""
    warnings: tuple[str, ...]


@value
class CrontabChange:
    """What `schedule install` or `schedule remove` did."""

    action: str
    """`install` or `remove`."""
    changed: bool
    diff: str
    """The unified diff of the crontab; empty without a change."""
    backup: str | None
    """The file with the crontab before; null without a change."""
    warnings: tuple[str, ...]


Part(Start)
Part(SystemdUnit)
CRONTAB_EDIT = Part(CrontabChange, called="spy32.crontab")
SCHEDULE = Part(CrontabLines, called="spy32.schedule")
STARTS = Part(NextStarts, called="spy32.schedule_check")


def start_of(coming: SlotStart, zone: tzinfo) -> Start:
    """A coming start in New York's time and in that of a machine in `zone`."""
    at = coming.start
    return Start(
        slot=coming.slot.day,
        opens=coming.slot.opens,
        start=at,
        new_york=None if at is None else at.astimezone(NEW_YORK).isoformat(),
        machine=None if at is None else at.astimezone(zone).isoformat(),
        late=coming.is_late,
    )
