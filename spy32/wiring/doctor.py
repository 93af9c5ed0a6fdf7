"""Gathers what the checks of `doctor` judge: facts of the machine and the home, and what the services say."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, TypeVar

from spy32.domain.market import is_recorded_source
from spy32.domain.spreads import Mode
from spy32.errors import Spy32Error, StoreError, Unavailable
from spy32.ops.cron import crontab_lines, machine_zone
from spy32.ops.doctor.base import Answers, BrokerAnswer, DoctorContext, HomeStore, Machine, Package
from spy32.sessions import NEW_YORK
from spy32.settings import Settings
from spy32.wiring.clockwork import Clockwork
from spy32.wiring.cron import find_start_commands, read_installed_crontab
from spy32.wiring.process import build_http, open_secrets, others_access
from spy32.wiring.versions import installed_version

if TYPE_CHECKING:
    from spy32.settings.resolve import Resolved
    from spy32.wiring import App
    from spy32.wiring.tastytrade import TastytradeConnection

ONLINE_SECONDS = 3
"""Longest wait for all services together. With the imports of their libraries `doctor` then ends within 5 seconds."""
CRON_PROGRAMS = frozenset({"cron", "crond"})
PROCESSES = Path("/proc")
LINGERING = Path("/var/lib/systemd/linger")
T = TypeVar("T")
NO_SECRETS_USED = "the credentials are not used until config.settings and files.access are repaired"


@contextmanager
def doctor_context(app: "App", *, is_online: bool) -> "Iterator[DoctorContext]":
    """Everything that the checks judge, with the database open for reading meanwhile."""
    from spy32.markets import bundled_history
    from spy32.wiring.markets import event_calendar

    found = _attempt(app.load_settings)
    error, resolved = (found, None) if isinstance(found, Spy32Error) else (None, found)
    # The mode of the flag or the variable, where the settings cannot tell it.
    word = app.flags.get("mode") or app.env.get("SPY32_MODE")
    typed_mode = next((mode for mode in Mode if mode.value == word), Mode.PAPER)
    settings = resolved.settings if resolved is not None else Settings(mode=typed_mode)
    calendar = event_calendar(app.locations, settings.profiles["default"].underlying)
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
            halted=app.halt_reason(),
            calendar=_attempt(lambda: calendar(None)),
            last_dividend=bundled_history.dividends(now)[-1].ex_date,
            notifiers=_check_addresses(settings),
            answers=_ask_services(app) if is_online else Answers(reason="left out by --offline"),
        )
    finally:
        if home.store is not None:
            home.store.close()


def _attempt(ask: "Callable[[], T]") -> "T | Spy32Error":
    """The answer, or why there is none."""
    try:
        return ask()
    except Spy32Error as error:
        return error


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


def _check_addresses(settings: Settings) -> "dict[str, Spy32Error | None]":
    """Label of each address -> why it cannot be used; nothing is sent."""
    from spy32.settings.notifiers import notify_addresses
    from spy32.wiring.notifiers import build_notifier

    addresses = notify_addresses(settings.notify.addresses)
    answers = {address.label: _attempt(partial(build_notifier, address)) for address in addresses}
    return {label: answer if isinstance(answer, Spy32Error) else None for label, answer in answers.items()}


# The machine.


def _machine(app: "App", mode: Mode, resolved: "Resolved | None", now: datetime) -> Machine:
    data, env, commands = app.locations.data, app.env, find_start_commands(app)
    # Of settings that cannot be read every file may hold a secret.
    files = (app.locations.config, app.locations.dotenv) if resolved is None else map(Path, resolved.secret_files)
    units = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME", "/")) / ".config") / "systemd" / "user"
    return Machine(
        python=python_version(),
        packages=tuple(_packages()),
        user=app.user,
        access_fault=others_access(app.own_paths(mode), os.getuid()),
        secrets_fault=next(filter(None, map(open_secrets, files)), None),
        read_only=next((folder for folder in (data, app.locations.state) if not _is_writable(folder)), None),
        free_bytes=_free_bytes(data),
        file_system=_file_system(data),
        zone=machine_zone(env.get("TZ")),
        clock_changes=_clock_changes(now.year),
        crontab=read_installed_crontab(),
        cron_lines=crontab_lines(commands),
        program=Path(commands["analyze"][0]),
        is_cron_running=_is_cron_running(),
        timers=tuple(sorted(path.name for path in units.glob("spy32*.timer"))),
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
        needs = requirement.removeprefix(name[0]).strip()
        yield Package(name=name[0], needs=needs, installed=installed_version(name[0]))


def _existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _is_writable(folder: Path) -> bool:
    return os.access(_existing(folder), os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _free_bytes(folder: Path) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(_existing(folder)).free
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


def _is_cron_running() -> bool | None:
    """None where the processes cannot be listed."""
    names: set[str] = set()
    for path in PROCESSES.glob("[0-9]*/comm"):
        with suppress(OSError):  # it has ended meanwhile
            names.add(path.read_text(errors="replace").strip())
    return bool(names & CRON_PROGRAMS) if names else None


# The services.


def _ask_services(app: "App") -> Answers:
    """The answers to read-only questions, asked all at once, with at most one log-in."""
    settings = _attempt(lambda: app.settings)
    if isinstance(settings, Spy32Error):
        return Answers(reason=NO_SECRETS_USED)
    from spy32.wiring.tastytrade import TastytradeConnection

    quick = replace(settings, market=replace(settings.market, source_seconds=ONLINE_SECONDS))
    connection = TastytradeConnection(quick, app.clock, app.warn, refused=app.refusal_path)
    probes: dict[str, Callable[[], Any]] = {}
    if quick.tastytrade.client_secret is not None and quick.tastytrade.refresh_token is not None:
        probes["broker"] = lambda: _ask_broker(connection)
    key = quick.xai.api_key
    if quick.analyst.name == "grok" and key is not None:
        from spy32.clients.xai import XaiClient

        probes["models"] = lambda: XaiClient(build_http("xAI", quick.xai.url, app.clock), key).list_models(
            ONLINE_SECONDS
        )
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
            results[name] = _attempt(probe)
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
    settings = connection.settings
    broker = connection.broker(lambda: connection.account(settings.tastytrade.account))
    account = broker.facts()
    orders = () if settings.mode is Mode.PAPER else broker.todays_orders()
    return BrokerAnswer(account=account, clock_ahead=broker.clock_ahead(), orders=orders)


def _market_probes(app: "App", settings: Settings, connection: "TastytradeConnection") -> dict[str, Callable[[], Any]]:
    """The VIX family of each live source of the settings: small, and served by all of them."""
    from spy32.wiring.markets import NO_CHAIN, MarketRegistry

    registry, order = MarketRegistry(settings, app.clock, connection), settings.market
    names = dict.fromkeys((*order.chain, *order.history, *order.vix))
    live = [name for name in names if not is_recorded_source(name) and name not in NO_CHAIN]
    markets = {name: _attempt(partial(registry.get_market, name)) for name in live}
    # `config.credentials` judges what is not set up.
    return {name: market.volatility for name, market in markets.items() if not isinstance(market, Spy32Error)}
