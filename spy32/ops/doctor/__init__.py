"""`doctor`: what is broken, and how to mend it. Every check has a stable id and judges facts that were gathered."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import BadUsage, Spy32Error
from spy32.ops.doctor import home, machine, notices, schedule, services
from spy32.ops.doctor.base import Check, CheckResult, CheckStatus, Diagnosis, DoctorContext, failure

GROUPS: Mapping[str, str] = {
    "install": "Installation",
    "config": "Settings",
    "files": "Files",
    "tables": "Tables",
    "db": "Database",
    "state": "State",
    "notify": "Notices",
    "cron": "Schedule",
    "broker": "Broker",
    "service": "Services",
}
"""Group of ids -> its title, in the order of the screen."""
CHECKS = (
    Check(id="install.packages", run=machine.check_packages),
    Check(id="install.zone_data", run=machine.check_zone_data),
    Check(id="config.settings", run=machine.check_settings),
    Check(id="config.environment", run=machine.check_environment),
    Check(id="config.credentials", run=machine.check_credentials),
    Check(id="config.automation", run=machine.check_automation),
    Check(id="files.access", run=machine.check_access),
    Check(id="files.writable", run=machine.check_writable),
    Check(id="files.space", run=machine.check_space),
    Check(id="files.system", run=machine.check_file_system),
    Check(id="tables.calendar", run=machine.check_calendar),
    Check(id="tables.events", run=machine.check_events),
    Check(id="tables.dividends", run=machine.check_dividends),
    Check(id="db.open", run=home.check_database),
    Check(id="db.integrity", run=home.check_integrity),
    Check(id="db.backup", run=home.check_backup),
    Check(id="db.place", run=home.check_place),
    Check(id="state.halt", run=home.check_halt),
    Check(id="state.pause", run=home.check_pause),
    Check(id="state.runs", run=home.check_runs),
    Check(id="state.orders", run=home.check_orders),
    Check(id="state.trades", run=home.check_trades),
    Check(id="notify.addresses", run=notices.check_addresses),
    Check(id="notify.ping", run=notices.check_ping),
    Check(id="notify.outbox", run=notices.check_outbox),
    Check(id="cron.line", run=schedule.check_line),
    Check(id="cron.starts", run=schedule.check_starts),
    Check(id="cron.program", run=schedule.check_program),
    Check(id="cron.traps", run=schedule.check_traps),
    Check(id="cron.daemon", run=schedule.check_daemon),
    Check(id="cron.linger", run=schedule.check_linger),
    Check(id="broker.login", run=services.check_login),
    Check(id="broker.level", run=services.check_level),
    Check(id="broker.clock", run=services.check_clock),
    Check(id="broker.orders", run=services.check_broker_orders),
    Check(id="service.xai", run=services.check_model_service),
    Check(id="service.model", run=services.check_model),
    Check(id="service.tastytrade", run=services.market_check("tastytrade")),
    Check(id="service.cboe", run=services.market_check("cboe")),
    Check(id="service.yahoo", run=services.market_check("yahoo")),
)
"""Every check. An id never changes; new ones are added."""
ONLINE_GROUPS = frozenset({"broker", "service"})
"""What `--offline` leaves out."""


@value
class Examination:
    """What the checks found."""

    at: datetime
    mode: Mode
    results: tuple[CheckResult, ...]

    def count(self, status: CheckStatus) -> int:
        return sum(result.diagnosis.status is status for result in self.results)

    @property
    def is_ok(self) -> bool:
        """Whether nothing failed; a warning may be harmless."""
        return self.count(CheckStatus.FAIL) == 0


def select_checks(wanted: Sequence[str]) -> tuple[Check, ...]:
    """Return the checks with these ids or of these groups, all when none is named. Raises `BadUsage` for another."""
    for name in wanted:
        if name not in GROUPS and name not in {check.id for check in CHECKS}:
            from spy32.settings.keys import nearest_name

            near = nearest_name(name, [*(check.id for check in CHECKS), *GROUPS])
            raise BadUsage(f"there is no check {name!r}; the nearest is {near}")
    return tuple(check for check in CHECKS if not wanted or check.id in wanted or check.group in wanted)


def run_checks(checks: Sequence[Check], context: DoctorContext) -> Examination:
    """Return what the checks find. What stops one check is its own failure and stops no other."""
    results = tuple(CheckResult(check=check, diagnosis=_diagnose(check, context)) for check in checks)
    return Examination(at=context.now, mode=context.mode, results=results)


def _diagnose(check: Check, context: DoctorContext) -> Diagnosis:
    try:
        return check.run(context)
    except Spy32Error as error:
        return failure(error.message, "spy32 db check" if check.group in ("db", "state") else "spy32 doctor")
