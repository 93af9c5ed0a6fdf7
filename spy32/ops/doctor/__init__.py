"""`doctor`: what is broken, and how to mend it. Every check has a stable id and judges facts that were gathered."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import BadUsage, Spy32Error
from spy32.ops.doctor import home, machine, schedule, services
from spy32.ops.doctor.base import (
    Check,
    CheckResult,
    CheckStatus,
    Diagnosis,
    DoctorContext,
    NotChecked,
    failure,
    group_of,
    skip,
)

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
CHECKS: Mapping[str, Check] = {
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
    "notify.addresses": home.check_addresses,
    "notify.ping": home.check_ping,
    "notify.outbox": home.check_outbox,
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
}
"""Every check by its id: group, dot, name. An id never changes; new ones are added."""
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


def select_checks(wanted: Sequence[str]) -> Mapping[str, Check]:
    """Return the checks with these ids or of these groups, all when none is named. Raises `BadUsage` for another."""
    for name in wanted:
        if name not in GROUPS and name not in CHECKS:
            from spy32.settings.keys import nearest_name

            raise BadUsage(f"there is no check {name!r}; the nearest is {nearest_name(name, [*CHECKS, *GROUPS])}")
    return {
        check_id: check
        for check_id, check in CHECKS.items()
        if not wanted or check_id in wanted or group_of(check_id) in wanted
    }


def run_checks(checks: Mapping[str, Check], context: DoctorContext) -> Examination:
    """Return what the checks find. What stops one check is its own failure and stops no other."""
    results = tuple(
        CheckResult(id=check_id, diagnosis=_diagnose(check_id, check, context)) for check_id, check in checks.items()
    )
    return Examination(at=context.now, mode=context.mode, results=results)


def _diagnose(check_id: str, check: Check, context: DoctorContext) -> Diagnosis:
    try:
        return check(context)
    except NotChecked as reason:
        return skip(str(reason))
    except Spy32Error as error:
        return failure(error.message, "spy32 db check" if group_of(check_id) in ("db", "state") else "spy32 doctor")
