"""Gathers what the checks of `doctor` judge: facts of the machine and the home, and what the services say."""

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spy32.domain.market import is_recorded_source
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, ServiceGone, Spy32Error, StoreError, Unavailable
from spy32.ops.cron import crontab_lines, machine_zone, program_arguments, start_commands
from spy32.ops.doctor.base import Answers, BrokerAnswer, DoctorContext, HomeStore, Machine, Package
from spy32.sessions import NEW_YORK
from spy32.settings import Settings
from spy32.settings.paths import AccessFault, open_secrets, others_access
from spy32.wiring.clockwork import Clockwork
from spy32.wiring.process import mode_bits, parent_folders, path_access

if TYPE_CHECKING:
    from spy32.domain.events import EventCalendar
    from spy32.settings.resolve import Resolved
    from spy32.wiring import App
    from spy32.wiring.tastytrade import TastytradeConnection

ONLINE_SECONDS = 3
"""Longest wait for all services together. With the imports of their libraries `doctor` then ends within 5 seconds."""
CRON_PROGRAMS = frozenset({"cron", "crond"})
PROCESSES = Path("/proc")
LINGERING = Path("/var/lib/systemd/linger")
NO_SECRETS_USED = "the credentials are not used until config.settings and files.access are repaired"


@contextmanager
def doctor_context(app: "App", *, is_online: bool) -> "Iterator[DoctorContext]":
    """Everything that the checks judge, with the database open for reading meanwhile."""
    from spy32.markets import bundled_history
    from spy32.ops.switches import halt_reason

    resolved, error = _load_settings(app)
    settings = resolved.settings if resolved is not None else Settings(mode=_typed_mode(app))
    now = Clockwork(settings.clock).now()
    home = _open_home(app.locations.database(settings.mode), settings.mode, now)
    try:
        yield DoctorContext(
            now=now,
            mode=settings.mode,
            settings=settings,
            settings_error=error,
            sources=resolved.sources if resolved is not None else {},
            locations=app.locations,
            machine=_machine(app, settings.mode, resolved, now),
            home=home,
            locks=app.locks,
            halted=halt_reason(app.locations.halt),
            calendar=_load_calendar(app, settings),
            last_dividend=bundled_history.dividends(now)[-1].ex_date,
            notifiers=_check_addresses(settings),
            answers=_ask_services(app) if is_online else Answers(reason="left out by --offline"),
        )
    finally:
        if home.store is not None:
            home.store.close()


def _load_settings(app: "App") -> "tuple[Resolved | None, Spy32Error | None]":
    try:
        return app.load_settings(), None
    except Spy32Error as error:
        return None, error


def _typed_mode(app: "App") -> Mode:
    """The mode of the flag or the variable, where the settings cannot tell it."""
    word = app.flags.get("mode") or app.env.get("SPY32_MODE")
    return next((mode for mode in Mode if mode.value == word), Mode.PAPER)


def _open_home(path: Path, mode: Mode, now: datetime) -> HomeStore:
    from spy32.records.connection import was_created
    from spy32.store import Store

    if not was_created(path):
        return HomeStore(path=path)
    try:
        store = Store.open(path, mode=mode, account=None, at=now, read_only=True)
    except Spy32Error as error:
        return HomeStore(path=path, error=error)
    try:
        return HomeStore(path=path, store=store, fault=store.integrity.first_fault())
    except StoreError as error:
        return HomeStore(path=path, store=store, fault=error.message)


def _load_calendar(app: "App", settings: Settings) -> "EventCalendar | Spy32Error":
    from spy32.wiring.markets import event_calendar

    try:
        return event_calendar(app.locations, settings.profiles["default"].underlying)(None)
    except BadSettings as error:
        return error


def _check_addresses(settings: Settings) -> "dict[str, Spy32Error | None]":
    """Label of each address -> why it cannot be used; nothing is sent."""
    from spy32.settings.notifiers import notify_addresses
    from spy32.wiring.notifiers import build_notifier

    found: dict[str, Spy32Error | None] = {}
    for address in notify_addresses(settings.notify.addresses):
        try:
            build_notifier(address)
        except Spy32Error as error:
            found[address.label] = error
        else:
            found[address.label] = None
    return found


# The machine.


def _machine(app: "App", mode: Mode, resolved: "Resolved | None", now: datetime) -> Machine:
    data = app.locations.data
    program = program_arguments(sys.argv[0], sys.executable, shutil.which)
    return Machine(
        python=".".join(str(part) for part in sys.version_info[:3]),
        packages=tuple(_packages()),
        user=app.user,
        access_fault=_access_fault(app, mode),
        secrets_fault=_secrets_fault(app, resolved),
        read_only=next((folder for folder in (data, app.locations.state) if not _is_writable(folder)), None),
        free_bytes=_free_bytes(data),
        file_system=_file_system(data),
        zone=machine_zone(app.env.get("TZ")),
        clock_changes=_clock_changes(now.year),
        crontab=_read_crontab(),
        cron_lines=crontab_lines(start_commands(program, home=app.locations.home, mode=app.flags.get("mode"))),
        program=Path(program[0]),
        is_cron_running=_is_cron_running(),
        timers=_timers(app.env),
        lingers=(LINGERING / app.user).exists(),
    )


def _packages() -> Iterator[Package]:
    """What `pyproject.toml` asks for, without the extras; nothing when spy32 was not installed by pip."""
    try:
        requirements = metadata.requires("spy32") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        if ";" in requirement or name is None:
            continue
        try:
            installed = metadata.version(name[0])
        except metadata.PackageNotFoundError:
            installed = None
        yield Package(name=name[0], needs=requirement.removeprefix(name[0]).strip(), installed=installed)


def _access_fault(app: "App", mode: Mode) -> AccessFault | None:
    own_paths = app.own_paths(mode)
    parents = sorted(parent_folders(own_paths) - set(own_paths))
    return others_access(path_access(own_paths), path_access(parents), os.getuid())


def _secrets_fault(app: "App", resolved: "Resolved | None") -> AccessFault | None:
    """Of settings that cannot be read every file may hold a secret."""
    places = (app.locations.config, app.locations.dotenv)
    faults = (
        open_secrets(path, mode_bits(path), resolved is None or str(path) in resolved.secret_files) for path in places
    )
    return next((fault for fault in faults if fault is not None), None)


def _existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _is_writable(folder: Path) -> bool:
    return os.access(_existing(folder), os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        return None


def _file_system(folder: Path) -> str:
    """The type of the mount with the longest name above the folder (proc_pid_mountinfo(5))."""
    try:
        rows = (PROCESSES / "self" / "mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    real = os.path.realpath(_existing(folder))
    mounts = {(fields := row.split())[4]: fields[fields.index("-") + 1] for row in rows if " - " in row}
    above = [point for point in mounts if real == point or real.startswith(f"{point.rstrip('/')}/")]
    return mounts[max(above, key=len)] if above else ""


def _clock_changes(year: int) -> tuple[date, ...]:
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=NEW_YORK).utcoffset() for day in days]
    return tuple(day for day, before, now in zip(days[1:], noons, noons[1:], strict=False) if before != now)


def _read_crontab() -> str | StoreError | None:
    """This user's crontab, empty when there is none; why it cannot be read; None without cron."""
    from spy32.ops.crontab import read_crontab

    try:
        return read_crontab().decode(errors="replace")
    except ServiceGone:
        return None
    except StoreError as error:
        return error


def _is_cron_running() -> bool | None:
    names: set[str] = set()
    try:
        processes = [path for path in PROCESSES.iterdir() if path.name.isdecimal()]
    except OSError:
        return None
    for process in processes:
        try:
            names.add((process / "comm").read_text(errors="replace").strip())
        except OSError:  # it has ended meanwhile
            continue
    return bool(names & CRON_PROGRAMS) if names else None


def _timers(env: Mapping[str, str]) -> tuple[str, ...]:
    base = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME", "/")) / ".config")
    return tuple(sorted(path.name for path in (base / "systemd" / "user").glob("spy32*.timer")))


# The services.


def _ask_services(app: "App") -> Answers:
    """The answers to read-only questions, asked all at once, with at most one log-in."""
    try:
        settings = app.settings
    except Spy32Error:
        return Answers(reason=NO_SECRETS_USED)
    quick = replace(settings, market=replace(settings.market, source_seconds=ONLINE_SECONDS))
    from spy32.wiring.tastytrade import TastytradeConnection

    connection = TastytradeConnection(quick, app.clock, app.warn, refused=app.refusal_path)
    probes: dict[str, Callable[[], Any]] = {}
    if quick.tastytrade.client_secret is not None and quick.tastytrade.refresh_token is not None:
        probes["broker"] = lambda: _ask_broker(connection)
    if quick.analyst.name == "grok" and quick.xai.api_key is not None:
        probes["models"] = lambda: _ask_models(app, quick)
    markets = _market_probes(app, quick, connection)
    found = ask_all({**probes, **markets}, ONLINE_SECONDS)
    return Answers(
        broker=found.get("broker"),
        models=found.get("models"),
        markets={name: answer if isinstance(answer := found[name], Spy32Error) else None for name in markets},
    )


def ask_all(probes: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """What each probe gives, or its `Spy32Error`; `Unavailable` for one that is not over within `seconds`.

    Each runs on a daemon thread, so that a service which drips cannot hold the process. A bug of a probe is raised.
    """
    results: dict[str, Any] = {}
    bugs: list[BaseException] = []

    def ask(name: str, probe: Callable[[], Any]) -> None:
        try:
            results[name] = probe()
        except Spy32Error as error:
            results[name] = error
        except BaseException as bug:  # noqa: BLE001 - raised again in the thread that waits
            bugs.append(bug)

    threads = [threading.Thread(target=ask, args=item, daemon=True, name=item[0]) for item in probes.items()]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))
    if bugs:
        raise bugs[0]
    late = Unavailable(f"no answer within {seconds:.0f} s")
    return {name: results.get(name, late) for name in probes}


def _ask_broker(connection: "TastytradeConnection") -> BrokerAnswer:
    mode = connection.settings.mode
    broker = connection.broker(lambda: connection.account(connection.settings.tastytrade.account))
    account = broker.facts()
    orders = () if mode is Mode.PAPER else broker.todays_orders()
    return BrokerAnswer(account=account, clock_ahead=broker.clock_ahead(), orders=orders)


def _ask_models(app: "App", settings: Settings) -> frozenset[str]:
    from spy32.clients.http import HttpClient
    from spy32.clients.xai import XaiClient
    from spy32.settings.checks import xai_key

    http = HttpClient(service="xAI", base=settings.xai.url, clock=app.clock, sleep=time.sleep, monotonic=time.monotonic)
    return XaiClient(http, xai_key(settings)).list_models(ONLINE_SECONDS)


def _market_probes(app: "App", settings: Settings, connection: "TastytradeConnection") -> dict[str, Callable[[], Any]]:
    """The VIX family of each live source of the settings: small, and served by all of them."""
    from spy32.wiring.markets import NO_CHAIN, MarketRegistry

    registry, order = MarketRegistry(settings, app.clock, connection), settings.market
    probes: dict[str, Callable[[], Any]] = {}
    for name in dict.fromkeys((*order.chain, *order.history, *order.vix)):
        if is_recorded_source(name) or name in NO_CHAIN:
            continue
        try:
            probes[name] = registry.get_market(name).volatility
        except BadSettings:  # it is not set up, which `config.credentials` judges
            continue
    return probes
