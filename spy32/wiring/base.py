"""Settings, places, consoles, clock and store of this process."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from spy32.console import AnyConsole, discard_output, fit_line, terminal_columns
from spy32.domain.market import SYNTHETIC_NOTE
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, NotPermitted, Spy32Error, StoreDamaged, StoreError
from spy32.settings import Locations, Settings
from spy32.wiring.clockwork import Clockwork
from spy32.wiring.event_log import EventLog
from spy32.wiring.process import absolute_home, build_console, load_dotenv, read_text

if TYPE_CHECKING:
    from spy32.domain.orders import Trade
    from spy32.domain.runs import Step
    from spy32.ops.locks import FileLocks
    from spy32.settings.keys import Source
    from spy32.settings.resolve import Resolved
    from spy32.store import Store

PAPER_ACCOUNT = "PAPER0001"
CLEAR_LINE = "\r\x1b[K"
Ended = TypeVar("Ended")


class AppBase:
    """What a command gets before it acts: settings, places, consoles, clock and store."""

    wants_json: bool = False
    """Whether the command that was typed answers with a JSON document; its option sets it."""
    make_page: "Callable[[Store], str] | None" = None
    """Makes the report's HTML page for the weekly notice; the root command sets it, since pages are made above here."""

    def __init__(
        self, *, flags: Mapping[str, str], env: Mapping[str, str], locations: Locations, verbosity: int = 0
    ) -> None:
        self.flags, self.env, self.locations, self.verbosity = flags, env, locations, verbosity
        self.log = EventLog(locations.logs, env, self._read_settings)
        self._open: list[Store] = []
        self._home_presence = ExitStack()
        self._has_status_line = False
        self._said: set[str] = set()

    @classmethod
    def create(cls, *, home: str | None, mode: str | None, verbosity: int) -> "Self":
        """The App of this process's environment and global flags."""
        from spy32.settings.paths import locations

        flags = {"mode": mode} if mode is not None else {}
        return cls(
            flags=flags, env=dict(os.environ), locations=locations(os.environ, absolute_home(home)), verbosity=verbosity
        )

    @cached_property
    def resolved_settings(self) -> "Resolved":
        resolution = self.load_settings()
        self._check_permissions(resolution)
        return resolution

    def load_settings(self) -> "Resolved":
        """The checked settings, whoever else may read or change their files."""
        from spy32.settings.resolve import SettingsFile, resolve
        from spy32.wiring.markets import check_source_names

        toml = read_text(self.locations.config)
        dotenv = load_dotenv(self.locations.dotenv) if self.locations.dotenv.exists() else None
        resolution = resolve(
            self.flags, self.env, dotenv, SettingsFile(text=toml, path=str(self.locations.config)) if toml else None
        )
        check_source_names(resolution.settings, resolution.sources)
        return resolution

    def _check_permissions(self, resolution: "Resolved") -> None:
        from spy32.wiring.process import open_secrets, others_access

        mode = resolution.settings.mode
        fault = others_access(self.own_paths(mode), os.getuid()) if mode is Mode.LIVE else None
        if fault is not None:
            raise NotPermitted(f"{fault}; live mode needs that")
        for path in resolution.secret_files:
            fault = open_secrets(Path(path))
            if fault is not None and mode is Mode.LIVE:
                raise BadSettings(str(fault))
            if fault is not None:
                self.warn(str(fault))

    def own_paths(self, mode: Mode) -> tuple[Path, ...]:
        """The folders and files that decide what is traded."""
        places = self.locations
        files = (places.config, places.dotenv, places.database(mode))
        return (places.config.parent, places.data, places.state, places.locks, *files)

    @property
    def settings(self) -> Settings:
        return self.resolved_settings.settings

    def _read_settings(self) -> tuple[Settings, Clockwork] | None:
        """Settings and clock, once they have been read without a fault."""
        return (self.settings, self.process_clock) if "resolved_settings" in vars(self) else None

    @property
    def sources(self) -> Mapping[str, "Source"]:
        return self.resolved_settings.sources

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

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    @property
    def user(self) -> str:
        """Who decides: the name in the environment, or else the login's own; `unknown` where the machine has none."""
        name = self.env.get("LOGNAME") or self.env.get("USER")
        if name:
            return name
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return "unknown"

    @cached_property
    def out(self) -> AnyConsole:
        return build_console(sys.stdout, self.env)

    @cached_property
    def err(self) -> AnyConsole:
        return build_console(sys.stderr, self.env)

    @property
    def is_interactive(self) -> bool:
        """Whether a person is at both ends: a prompt can be shown and answered."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def warn(self, line: str) -> None:
        self._write_stderr(f"spy32: {line}\n")
        self.log.write("warning", line, level="warning")

    def warn_once(self, line: str) -> None:
        """Warn, unless this process has said the same before."""
        if line not in self._said:
            self._said.add(line)
            self.warn(line)

    def report(self, line: str) -> None:
        """A line of progress: shown on a terminal or with -v, never under cron; always in the log."""
        self._print_progress(line)
        self.log.write("progress", line)

    def report_step(self, step: "Step") -> None:
        """How a step of a run ended, as a line of progress."""
        self._print_progress(f"{step.name:<12} {step.state:<8} {step.ms:>5} ms  {step.detail}")
        self.log.write_step(step)

    def _print_progress(self, line: str) -> None:
        is_shown = self.verbosity > 0 or (self.verbosity == 0 and sys.stderr.isatty())
        self._write_stderr(f"{line}\n" if is_shown else "")

    def show_progress(self, parts: tuple[str, ...]) -> None:
        """A line that the next one replaces; only where a terminal can, and never wider than that."""
        if self.verbosity >= 0 and sys.stderr.isatty() and self.env.get("TERM") != "dumb":
            line = fit_line(parts, terminal_columns(sys.stderr) - 1)
            is_wide = (sys.stderr.encoding or "").lower().startswith("utf")
            self._write_stderr(line if is_wide else line.replace("·", "-"), is_status_line=True)

    def _write_stderr(self, text: str, *, is_status_line: bool = False) -> None:
        """Write to stderr; a failure is ignored, since an order may be working while the reader or the disk is gone."""
        prefix = CLEAR_LINE if self._has_status_line or is_status_line else ""
        self._has_status_line = is_status_line
        try:
            sys.stderr.write(prefix + text)
            sys.stderr.flush()
        except OSError:
            discard_output(sys.stderr)

    @cached_property
    def locks(self) -> "FileLocks":
        from spy32.ops.locks import FileLocks

        return FileLocks(
            self.locations.locks,
            home=self.locations.data,
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
            monotonic=time.monotonic,
        )

    @property
    def database(self) -> Path:
        return self.locations.database(self.settings.mode)

    def mark_set_up(self) -> None:
        """Mark this home as set up for its mode, unless it is already."""
        from spy32.ops.setup import record_setup

        is_pretended = self.settings.clock is not None
        record_setup(self.locations, self.settings.mode, self.process_clock.now(), is_pretended=is_pretended)

    def set_up_at(self) -> datetime | None:
        """When this home was set up for its mode, if anything says so; its database says when it was made itself."""
        from spy32.ops.setup import load_setup_time

        return load_setup_time(self.locations, self.settings.mode)

    @property
    def account_number(self) -> str:
        return PAPER_ACCOUNT if self.settings.mode is Mode.PAPER else self.settings.tastytrade.account

    def store(self) -> "Store":
        """The database, opened for writing; made on first use. Nobody restores over it while it is open."""
        from spy32.store import Store

        self._home_presence.enter_context(self.locks.enter_home())
        mode = self.settings.mode
        cash = self.settings.paper.account if mode is Mode.PAPER else None
        opened = self._keep_open(
            Store.open(self.database, mode=mode, account=self.account_number, at=self.clock(), opening_cash=cash)
        )
        opened.core.process_clock = self.process_clock.now
        with suppress(Spy32Error):  # what is wrong with a row is for the command that needs it
            opened.proposals.lapse_overdue(self.process_clock.now())
        return opened

    @property
    def has_store(self) -> bool:
        """Whether there is a database, be it damaged, or ever was one."""
        from spy32.records.connection import was_created

        return was_created(self.database)

    def check_store_exists(self) -> None:
        """`Usage` when there is no database yet, instead of making one."""
        if not self.has_store:
            raise BadUsage(f"nothing here yet ({self.database}); `spy32 analyze` makes the first run")

    def open_for_reading(self, *, lapses: bool = True) -> "Store":
        """The database, opened for reading only; `BadUsage` when there is none yet.

        What waits from a session that is over lapses first and trades that have expired are settled, unless `lapses` is
        False; where nothing can be written that is said.
        """

        self.check_store_exists()
        store = self._keep_open(self._open_read_only())
        if lapses:
            has_lapsed = self._lapse_proposals(store)
            # A recorded market's clock is not the day on which a person looks.
            has_settled = self.clockwork is self.process_clock and self._settle_expired(store)
            store = self._keep_open(self._open_read_only()) if has_lapsed or has_settled else store
        return store

    def settle_ended(self, store: "Store") -> None:
        """Settle trades that have ended. Only an `App` has brokers to ask."""

    def _open_read_only(self) -> "Store":
        from spy32.store import Store

        return Store.open(self.database, mode=self.settings.mode, account=None, at=self.clock(), read_only=True)

    def _lapse_proposals(self, read_store: "Store") -> bool:
        """Whether proposals were lapsed whose session is over."""
        now = self.process_clock.now()

        def describe(proposal: Proposal) -> str:
            return f"P{proposal.id} lapsed with its session, which cannot be written down"

        return self._write_ended(
            lambda: read_store.proposals.select_overdue(now),
            lambda store: store.proposals.lapse_overdue(now),
            describe,
        )

    def _settle_expired(self, read_store: "Store") -> bool:
        """Whether trades were settled that have expired."""

        def describe(trade: "Trade") -> str:
            return f"T{trade.id} expired on {trade.expiration} and cannot be settled here"

        return self._write_ended(lambda: read_store.trades.select_expired(self.clock()), self.settle_ended, describe)

    def _write_ended(
        self,
        select: "Callable[[], tuple[Ended, ...]]",
        write: "Callable[[Store], object]",
        describe: "Callable[[Ended], str]",
    ) -> bool:
        """Whether anything that has ended was written, in an opening of its own; a store that only reads cannot."""
        from spy32.store import Store

        ended: tuple[Ended, ...] = ()
        try:
            ended = select()
            if ended:
                mode, at = self.settings.mode, self.process_clock.now()
                with self.locks.enter_home(), Store.open(self.database, mode=mode, account=None, at=at) as store:
                    write(store)
        except Spy32Error as error:
            # Rows that cannot be read are for the command itself.
            for item in ended:
                self.warn(f"{describe(item)}: {error.message}")
            return False
        return bool(ended)

    def find_damage(self, error: Exception) -> "StoreError | None":
        """The damage of the database as the cause of `error`, with the remedy; None when it is not the cause.

        Any error but a `Spy32Error` may come from a changed row, so then the integrity is checked.
        """
        from spy32.records.maintenance import damage_with_remedy

        if isinstance(error, StoreDamaged):
            return damage_with_remedy(error.path or self.database, error.fault)
        if isinstance(error, Spy32Error):
            return None
        try:
            problems = self.open_for_reading(lapses=False).integrity.check()
        except StoreDamaged as damage:
            return damage_with_remedy(damage.path or self.database, damage.fault)
        except StoreError as store_error:
            return store_error
        except Spy32Error:
            return None
        return damage_with_remedy(self.database, problems[0]) if problems else None

    def _keep_open(self, store: "Store") -> "Store":
        """Remember to close it, and say once when it is a synthetic one."""
        self._open.append(store)
        with suppress(StoreError):  # what is damaged is for the command itself
            if store.flags.is_synthetic:
                self.warn_once(SYNTHETIC_NOTE)
        return store

    def log_end(self, code: int, message: str) -> None:
        """Write the end of the command into the log, before the stores are closed."""
        has_changed_store = any(store.core.db.total_changes for store in self._open)
        self.log.write_end(code, message, has_changed_store=has_changed_store)

    def close(self) -> None:
        self._write_stderr("")
        while self._open:
            self._open.pop().close()
        self._home_presence.close()

    def halt_reason(self) -> str | None:
        """Why everything is halted, or None."""
        from spy32.ops.switches import halt_reason

        return halt_reason(self.locations.halt)
