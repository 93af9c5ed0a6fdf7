"""The only place that builds things: clock, settings, store, ports, consoles."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from spy32.domain.trading import Mode
from spy32.errors import BadSettings, Unusable, Usage
from spy32.settings import Locations, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.brokers.paper import PaperBroker
    from spy32.console import Plain
    from spy32.desk.bench import Bench
    from spy32.domain.deciding import Proposal
    from spy32.domain.running import Run
    from spy32.ops.locks import FileLocks
    from spy32.pipeline.kit import Kit
    from spy32.ports import Analyst, Market
    from spy32.settings.resolve import DotenvText, Resolved, Source
    from spy32.store import Store

PAPER_ACCOUNT = "PAPER0001"
MARKETS_KNOWN = ("recorded",)


class Clockwork:
    """Now and waiting: by the wall, from an instant that runs on, or from one that only waiting moves."""

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._start = start
        self._frozen = frozen
        self._waited = timedelta()
        self._began = time.monotonic()

    def now(self) -> datetime:
        if self._start is None:
            return datetime.now(UTC)
        running = timedelta(seconds=0 if self._frozen else time.monotonic() - self._began)
        return self._start + self._waited + running

    def sleep(self, seconds: float) -> None:
        if self._frozen:
            self._waited += timedelta(seconds=seconds)
        else:
            time.sleep(seconds)


@dataclass
class App:
    """What a command gets: settings, places, consoles, and builders of everything that acts."""

    flags: Mapping[str, str]
    env: Mapping[str, str]
    locations: Locations
    verbosity: int = 0
    _open: list["Store"] = field(default_factory=list)
    _watching: bool = False

    @classmethod
    def of_process(cls, *, home: str | None, mode: str | None, verbosity: int) -> "App":
        """The App of this process's environment and global flags."""
        from spy32.settings.paths import locations

        flags = {"mode": mode} if mode is not None else {}
        return cls(
            flags=flags, env=dict(os.environ), locations=locations(os.environ, _absolute(home)), verbosity=verbosity
        )

    @cached_property
    def resolved(self) -> "Resolved":
        from spy32.settings.resolve import TomlText, resolve

        toml = _read(self.locations.config)
        dotenv = _dotenv(self.locations.dotenv) if self.locations.dotenv.exists() else None
        found = resolve(
            self.flags, self.env, dotenv, TomlText(text=toml, path=str(self.locations.config)) if toml else None
        )
        self._check_permissions(found)
        return found

    def _check_permissions(self, found: "Resolved") -> None:
        from spy32.settings.paths import loose_permissions

        for path in (self.locations.config, self.locations.dotenv):
            has_secrets = str(path) in found.secret_files
            warning = loose_permissions(path, _mode_bits(path), has_secrets, found.settings.mode)
            if warning is not None:
                self.warn(warning)

    @property
    def settings(self) -> Settings:
        return self.resolved.settings

    @property
    def sources(self) -> Mapping[str, "Source"]:
        return self.resolved.sources

    @cached_property
    def clockwork(self) -> Clockwork:
        return self.process_clock

    @cached_property
    def process_clock(self) -> Clockwork:
        """The clock of this process, whatever a recorded market has put in its place for a while."""
        return Clockwork(self.settings.clock)

    def clock(self) -> datetime:
        return self.clockwork.now()

    def sleep(self, seconds: float) -> None:
        self.clockwork.sleep(seconds)

    @property
    def user(self) -> str:
        return self.env.get("LOGNAME") or self.env.get("USER") or "unknown"

    @cached_property
    def out(self) -> "Console | Plain":
        return _console(sys.stdout, self.env)

    @cached_property
    def err(self) -> "Console | Plain":
        return _console(sys.stderr, self.env)

    @property
    def is_interactive(self) -> bool:
        """A person is at both ends: a prompt can be shown and answered."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def warn(self, line: str) -> None:
        self._end_watch()
        print(f"spy32: {line}", file=sys.stderr)  # noqa: T201 - warnings never wrap

    def tell(self, line: str) -> None:
        """A line of progress: shown on a terminal or with -v, never under cron."""
        self._end_watch()
        if self.verbosity > 0 or (self.verbosity == 0 and sys.stderr.isatty()):
            print(line, file=sys.stderr)  # noqa: T201

    def watch(self, line: str) -> None:
        """A line that the next one replaces; only where a terminal can."""
        if self.verbosity >= 0 and sys.stderr.isatty() and self.env.get("TERM") != "dumb":
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
            self._watching = True

    def _end_watch(self) -> None:
        if self._watching:
            sys.stderr.write("\r\x1b[K")
            self._watching = False

    @cached_property
    def locks(self) -> "FileLocks":
        from spy32.ops.locks import FileLocks

        return FileLocks(
            self.locations.locks, clock=lambda: datetime.now(UTC), sleep=time.sleep, monotonic=time.monotonic
        )

    @property
    def database(self) -> Path:
        return self.locations.database(self.settings.mode)

    @property
    def account_number(self) -> str:
        return PAPER_ACCOUNT if self.settings.mode is Mode.PAPER else self.settings.tastytrade.account

    def store(self) -> "Store":
        """The database, opened for writing; made on first use."""
        from spy32.store import Store

        return self._opened(
            Store.open(
                self.database,
                mode=self.settings.mode,
                account=self.account_number,
                at=self.clock(),
                opening_cash=self.settings.paper.account if self.settings.mode is Mode.PAPER else None,
            )
        )

    def reading(self) -> "Store":
        """The database, opened for reading only; `Usage` when there is none yet."""
        from spy32.store import Store

        if not self.database.exists() and not Store.was_made(self.database):
            raise Usage(f"nothing here yet ({self.database}); `spy32 analyze` makes the first run")
        return self._opened(
            Store.open(self.database, mode=self.settings.mode, account=None, at=self.clock(), read_only=True)
        )

    def _opened(self, store: "Store") -> "Store":
        self._open.append(store)
        return store

    def close(self) -> None:
        self._end_watch()
        while self._open:
            self._open.pop().close()

    # What acts.

    def market(self, name: str) -> "Market":
        """The source `name`; a recorded one also sets this process's clock to its quotes' time."""
        kind, _, file = name.partition(":")
        if kind not in MARKETS_KNOWN:
            raise BadSettings(f"the market {name} is not in this version; use --market recorded or recorded:FILE")
        if name.endswith(":"):
            raise Usage("recorded: needs the name of a file; the shipped market is `recorded`")
        from spy32.markets.recorded import RecordedMarket

        market = RecordedMarket.of_file(Path(file).expanduser()) if file else RecordedMarket.shipped()
        self.clockwork = Clockwork(market.as_of, frozen=True)
        return market

    def analyst(self, name: str, settings: Settings) -> "Analyst":
        if name != "rules":
            raise BadSettings(f"the analyst {name} is not in this version; use --analyst rules")
        from spy32.analysts.rules import RulesAnalyst

        return RulesAnalyst(settings)

    def broker(self, store: "Store", market: "Market | None") -> "PaperBroker":
        if self.settings.mode is not Mode.PAPER:
            raise BadSettings(f"mode {self.settings.mode} has no broker yet; use --mode paper")
        from spy32.brokers.paper import PaperBroker

        return PaperBroker(
            ledger=store, market=market, clock=self.clock, settings=self.settings, number=self.account_number
        )

    def kit(self, store: "Store", *, market: "Market", analyst: str, settings: Settings, run: "Run") -> "Kit":
        """Everything that one weekly run needs of the world."""
        from spy32.pipeline.kit import Kit

        broker = self.broker(store, market)
        return Kit(
            store=store,
            market=market,
            analyst=self.analyst(analyst, settings),
            shadows=(self.analyst("rules", settings),),
            account=broker,
            orders=broker,
            settings=settings,
            profile=run.profile,
            run_id=run.id,
            clock=self.clock,
            seed=int.from_bytes(os.urandom(4), "big"),
            tell=self.tell,
        )

    def bench(
        self, store: "Store", proposal: "Proposal | None", *, tell: Callable[[str], None] | None = None
    ) -> "Bench":
        """Everything that a desk command needs to act on `proposal`, on the market that it was made on."""
        profile = proposal.profile if proposal is not None else "default"
        return self._bench(store, self.market_of(store, proposal), profile, tell)

    def bench_of_run(self, store: "Store", run_id: int) -> "Bench":
        """Everything to act on a run that made no proposal, on the market that it saw."""
        view = store.view(run_id)
        recorded = view.market is not None and view.market.is_recorded
        market = self._recorded(store, run_id) if recorded else self.market(self.settings.market.chain[0])
        return self._bench(store, market, view.run.profile, None)

    def _bench(
        self, store: "Store", market: "Market | None", profile: str, tell: Callable[[str], None] | None
    ) -> "Bench":
        from spy32.desk.bench import Bench
        from spy32.settings.profiles import for_profile

        broker = self.broker(store, market)
        return Bench(
            store=store,
            market=market,
            orders=broker,
            account=broker,
            locks=self.locks,
            settings=for_profile(self.settings, profile),
            clock=self.clock,
            sleep=self.sleep,
            halted=self.halted,
            tell=tell or self.tell,
            watch=self.watch,
        )

    def market_of(self, store: "Store", proposal: "Proposal | None") -> "Market | None":
        """The market of a proposal: a recorded one is its stored snapshot, with that instant as the clock."""
        if proposal is None:
            return None
        if proposal.is_recorded:
            return self._recorded(store, proposal.run_id)
        self.clockwork = self.process_clock
        return self.market(self.settings.market.chain[0])

    def _recorded(self, store: "Store", run_id: int) -> "Market":
        from spy32.markets.recorded import RecordedMarket

        if self.settings.mode is not Mode.PAPER:
            raise Unusable("a proposal made on a recorded market can only be executed on paper")
        snapshot = store.snapshot(run_id)
        self.clockwork = Clockwork(snapshot.as_of, frozen=True)
        return RecordedMarket.from_snapshot(snapshot)

    def halted(self) -> str | None:
        """The reason in the halt file, if it is there."""
        try:
            return self.locations.halt.read_text(errors="replace").strip() or "no reason given"
        except FileNotFoundError:
            return None
        except OSError as trouble:
            # A halt file that cannot be read still halts.
            return f"{self.locations.halt} cannot be read ({trouble.strerror})"


def _absolute(home: str | None) -> str | None:
    """`--home` is the one path that is relative to where the command was typed."""
    if home is not None and not home.strip():
        raise Usage("--home needs the name of a folder")
    return str(Path(home).expanduser().absolute()) if home is not None else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as trouble:
        raise BadSettings(f"{path} cannot be read: {trouble.strerror}") from None
    except UnicodeDecodeError:
        # The error's own words may hold a byte of a secret.
        raise BadSettings(f"{path} is not UTF-8 text") from None


def _dotenv(path: Path) -> "DotenvText":
    import logging
    from io import StringIO

    from dotenv import dotenv_values

    from spy32.settings.resolve import DotenvText

    # It would warn about a line by itself; `resolve` refuses such a line with its number.
    logging.getLogger("dotenv").setLevel(logging.CRITICAL)
    text = _read(path) or ""
    return DotenvText(values=dict(dotenv_values(stream=StringIO(text), interpolate=False)), text=text, path=str(path))


def _mode_bits(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


def _console(stream: TextIO, env: Mapping[str, str]) -> "Console | Plain":
    """Rich's console on a terminal; without one, plain text that nothing wraps or cuts, and rich is not imported."""
    if not stream.isatty() and not env.get("FORCE_COLOR"):
        from spy32.console import Plain

        return Plain(stream)
    from rich.console import Console

    plain = bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb"
    return Console(file=stream, no_color=plain or None, highlight=False, soft_wrap=False, emoji=False, markup=False)


def log_traceback(bug: BaseException, home: str | None) -> str:
    """Keep the traceback where it can be found; says where, or that it could not."""
    import traceback

    from spy32.settings.paths import locations

    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    text = "".join(traceback.format_exception(bug))
    with suppress(Exception):
        folder = locations(os.environ, _absolute(home)).logs
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / f"bug-{stamp}.txt").write_text(text)
        return f"report {folder / f'bug-{stamp}.txt'}"
    return "the report could not be written"
