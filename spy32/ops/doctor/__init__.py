"""`doctor`: what is broken, and how to mend it. Every check has a stable id and judges facts that were gathered."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import BadUsage, Spy32Error
from spy32.ops.doctor import home, machine, schedule, services
from spy32.ops.doctor.base import Check, CheckResult, CheckStatus, Diagnosis, DoctorContext, failed

GROUPS: Mapping[str, str] = {
    "install": "Installation",
    "config": "Settings",
    "files": "Files",
    "tables": "Tables",
    "db": "Database",
    "state": "State",
    "cron": "Schedule",
    "broker": "Broker",
    "service": "Services",
}
"""Group of ids -> its title, in the order of the screen."""
CHECKS = tuple(
    Check(id=name, run=run)
    for name, run in {
        "install.packages": machine.check_packages,
        "install.zone_data": machine.check_zone_data,
        "config.settings": machine.check_settings,
        "config.environment": machine.check_environment,
        "config.credentials": machine.check_credentials,
        "config.automation": machine.check_automation,
        "files.access": machine.check_access,
        "files.writable": machine.check_writable,
        "files.space": machine.check_space,
        "files.system": machine.check_file_system,
        "tables.calendar": machine.check_calendar,
        "tables.events": machine.check_events,
        "tables.dividends": machine.check_dividends,
        "db.open": home.check_database,
        "db.integrity": home.check_integrity,
        "db.backup": home.check_backup,
        "db.place": home.check_place,
        "state.halt": home.check_halt,
        "state.pause": home.check_pause,
        "state.runs": home.check_runs,
        "state.orders": home.check_orders,
        "state.trades": home.check_trades,
        "state.notices": home.check_notices,
        "cron.line": schedule.check_line,
        "cron.starts": schedule.check_starts,
        "cron.program": schedule.check_program,
        "cron.traps": schedule.check_traps,
        "cron.daemon": schedule.check_daemon,
        "cron.linger": schedule.check_linger,
        "broker.login": services.check_login,
        "broker.level": services.check_level,
        "broker.clock": services.check_clock,
        "broker.orders": services.check_broker_orders,
        "service.xai": services.check_model_service,
        "service.model": services.check_model,
        "service.tastytrade": services.market_check("tastytrade"),
        "service.cboe": services.market_check("cboe"),
        "service.yahoo": services.market_check("yahoo"),
    }.items()
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
        return failed(error.message, "spy32 db check" if check.group in ("db", "state") else "spy32 doctor")
