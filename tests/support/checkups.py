"""A home in which every check of `doctor` passes, to be broken one fault at a time."""

from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from typing import Any

from spy32.domain.events import EventCalendar
from spy32.domain.spreads import Mode
from spy32.ops.cron import MachineZone
from spy32.ops.doctor import CHECKS, run_checks
from spy32.ops.doctor.base import Answers, BrokerAnswer, Diagnosis, DoctorContext, HomeStore, Machine, Package
from spy32.settings import Settings
from spy32.settings.knob import Secret
from spy32.settings.model import AnalystKnobs, Tastytrade, Xai
from spy32.settings.paths import locations
from spy32.settings.services import Ping
from spy32.store import Store
from tests.support import builders
from tests.support.reader import HeldLocks

PROGRAM = Path("/bin/sh")
"""Any program that is there."""
LINE = f"*/15 * * * * {PROGRAM} -m spy32 analyze --scheduled -q"
MANAGE_LINE = f"*/15 * * * * {PROGRAM} -m spy32 manage --scheduled -q"
CHECK_LINE = f"20 */3 * * * {PROGRAM} -m spy32 status --check"
FAR = date(2026, 6, 1)
MODELS = frozenset({"grok-4.7", "grok-4.3"})
SETTINGS = Settings(
    xai=Xai(api_key=Secret("xai-key")),
    tastytrade=Tastytrade(client_secret=Secret("secret"), refresh_token=Secret("token")),
    analyst=AnalystKnobs(name="grok"),
    ping=Ping(url=Secret("https://hc-ping.com/planted")),
)


def machine(**over: Any) -> Machine:
    base: dict[str, Any] = {
        "python": "3.11.2",
        "packages": (Package(name="typer", needs=">=0.24,<0.29", installed="0.28.1"),),
        "user": "anna",
        "access_fault": None,
        "secrets_fault": None,
        "read_only": None,
        "free_bytes": 10 * 2**30,
        "file_system": "ext4",
        "zone": MachineZone(name="UTC", zone=UTC),
        "clock_changes": (date(2025, 3, 9), date(2025, 11, 2)),
        "crontab": f"{LINE}\n{MANAGE_LINE}\n{CHECK_LINE}\n",
        "cron_lines": (LINE, MANAGE_LINE, CHECK_LINE),
        "program": PROGRAM,
        "is_cron_running": True,
        "timers": ("spy32-analyze.timer",),
        "lingers": True,
    }
    return Machine(**{**base, **over})


def answers(**over: Any) -> Answers:
    broker = BrokerAnswer(account=builders.account(mode=Mode.LIVE), clock_ahead=0.4, orders=())
    markets = dict.fromkeys(("tastytrade", "cboe", "yahoo"))
    return Answers(**{"broker": broker, "models": MODELS, "markets": markets, **over})


def context(store: Store, **over: Any) -> DoctorContext:
    """A live home in good health; the store keeps its own mode."""
    folder = store.core.path.parent
    base: dict[str, Any] = {
        "now": builders.NOW,
        "mode": Mode.LIVE,
        "settings": replace(SETTINGS, mode=Mode.LIVE),
        "settings_error": None,
        "sources": {},
        "locations": locations({}, str(folder)),
        "machine": machine(),
        "home": HomeStore(path=store.core.path, store=store),
        "locks": HeldLocks(),
        "halted": None,
        "calendar": EventCalendar(known_to={"fomc": FAR, "cpi": FAR}, asked=("fomc", "cpi")),
        "last_dividend": date(2025, 9, 19),
        "notifiers": {"phone": None},
        "answers": answers(),
    }
    return DoctorContext(**{**base, **over})


def diagnose(check_id: str, given: DoctorContext) -> Diagnosis:
    (result,) = run_checks({check_id: CHECKS[check_id]}, given).results
    return result.diagnosis
