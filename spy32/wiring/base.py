"""Settings, places, consoles, clock and store of this process."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from spy32.console import let_go
from spy32.domain.trading import Mode
from spy32.errors import Damage, NotPermitted, Spy32Error, StoreTrouble, Usage
from spy32.settings import Locations, Settings
from spy32.wiring.clockwork import Clockwork
from spy32.wiring.process import absolute, access, console, dotenv_text, mode_bits, parents, read

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.console import Plain
    from spy32.domain.deciding import Proposal
    from spy32.ops.locks import FileLocks
    from spy32.settings.resolve import Resolved, Source
    from spy32.store import Store

PAPER_ACCOUNT = "PAPER0001"
CLEARED = "\r\x1b[K"


@dataclass
class Base:
    """What a command gets before it acts: settings, places, consoles, clock and store."""

    flags: Mapping[str, str]
    env: Mapping[str, str]
    locations: Locations
    verbosity: int = 0
    _open: list["Store"] = field(default_factory=list)
    _attended: ExitStack = field(default_factory=ExitStack)
    _watching: bool = False

    @classmethod
    def of_process(cls, *, home: str | None, mode: str | None, verbosity: int) -> "Self":
        """The App of this process's environment and global flags."""
        from spy32.settings.paths import locations

        flags = {"mode": mode} if mode is not None else {}
        return cls(
            flags=flags, env=dict(os.environ), locations=locations(os.environ, absolute(home)), verbosity=verbosity
        )

    @cached_property
    def resolved(self) -> "Resolved":
        from spy32.settings.resolve import TomlText, resolve

        toml = read(self.locations.config)
        dotenv = dotenv_text(self.locations.dotenv) if self.locations.dotenv.exists() else None
        found = resolve(
            self.flags, self.env, dotenv, TomlText(text=toml, path=str(self.locations.config)) if toml else None
        )
        self._check_permissions(found)
        return found

    def _check_permissions(self, found: "Resolved") -> None:
        from spy32.settings.paths import loose_permissions, others_access

        mode, places = found.settings.mode, self.locations
        if mode is Mode.LIVE:
            kept = (places.config, places.dotenv, places.database(mode))
            folders = (places.config.parent, places.data, places.state, places.locks)
            own = (*folders, *kept)
            loose = others_access(access(own), access(sorted(parents(own) - set(own))), os.getuid())
            if loose is not None:
                raise NotPermitted(f"{loose}; live mode needs that")
        for path in (self.locations.config, self.locations.dotenv):
            has_secrets = str(path) in found.secret_files
            warning = loose_permissions(path, mode_bits(path), has_secrets, mode)
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
        return console(sys.stdout, self.env)

    @cached_property
    def err(self) -> "Console | Plain":
        return console(sys.stderr, self.env)

    @property
    def is_interactive(self) -> bool:
        """A person is at both ends: a prompt can be shown and answered."""
        return sys.stdin.isatty() and sys.stdout.isatty()

    def warn(self, line: str) -> None:
        self._say(f"spy32: {line}\n")

    def tell(self, line: str) -> None:
        """A line of progress: shown on a terminal or with -v, never under cron."""
        wanted = self.verbosity > 0 or (self.verbosity == 0 and sys.stderr.isatty())
        self._say(f"{line}\n" if wanted else "")

    def watch(self, line: str) -> None:
        """A line that the next one replaces; only where a terminal can."""
        if self.verbosity >= 0 and sys.stderr.isatty() and self.env.get("TERM") != "dumb":
            self._say(line, keep=True)

    def _say(self, text: str, *, keep: bool = False) -> None:
        """On stderr, and never a reason to stop: an order may be working while the reader or the disk gives up."""
        lead = CLEARED if self._watching or keep else ""
        self._watching = keep
        try:
            sys.stderr.write(lead + text)
            sys.stderr.flush()
        except OSError:
            let_go(sys.stderr)

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
        """From now on this home counts as set up for its mode, if it did not before."""
        from spy32.ops.home import record_set_up

        is_pretended = self.settings.clock is not None
        record_set_up(self.locations, self.settings.mode, self.process_clock.now(), is_pretended=is_pretended)

    def set_up_at(self) -> datetime | None:
        """When this home was set up for its mode, if anything says so; its database says when it was made itself."""
        from spy32.ops.home import set_up_at

        return set_up_at(self.locations, self.settings.mode)

    @property
    def account_number(self) -> str:
        return PAPER_ACCOUNT if self.settings.mode is Mode.PAPER else self.settings.tastytrade.account

    def store(self) -> "Store":
        """The database, opened for writing; made on first use. Nobody restores over it while it is open."""
        from spy32.store import Store

        self._attended.enter_context(self.locks.attend())
        opened = self._opened(
            Store.open(
                self.database,
                mode=self.settings.mode,
                account=self.account_number,
                at=self.clock(),
                opening_cash=self.settings.paper.account if self.settings.mode is Mode.PAPER else None,
            )
        )
        with suppress(Spy32Error):  # what is wrong with a row is for the command that needs it
            opened.lapse_over(self.process_clock.now())
        return opened

    @property
    def has_store(self) -> bool:
        """Whether there is a database, be it damaged, or ever was one."""
        from spy32.store import Store

        return self.database.exists() or Store.was_made(self.database)

    def reading(self, *, lapses: bool = True) -> "Store":
        """The database, opened for reading only; `Usage` when there is none yet.

        What waits from a session that is over lapses first, unless `lapses` is False; where nothing can be written that
        is said.
        """

        if not self.has_store:
            raise Usage(f"nothing here yet ({self.database}); `spy32 analyze` makes the first run")
        found = self._opened(self._open_read_only())
        if lapses and self._lapse(found):
            found = self._opened(self._open_read_only())
        return found

    def _open_read_only(self) -> "Store":
        from spy32.store import Store

        return Store.open(self.database, mode=self.settings.mode, account=None, at=self.clock(), read_only=True)

    def _lapse(self, seen: "Store") -> bool:
        """Whether anything was lapsed, in an opening of its own; a store that only reads cannot do it."""
        from spy32.store import Store

        now = self.process_clock.now()
        over: tuple[Proposal, ...] = ()
        try:
            over = seen.over(now)
            if over:
                mode, path = self.settings.mode, self.database
                with self.locks.attend(), Store.open(path, mode=mode, account=None, at=now) as store:
                    store.lapse_over(now)
        except Spy32Error as trouble:
            # Rows that cannot be read are for the command itself.
            for made in over:
                self.warn(f"P{made.id} lapsed with its session, which cannot be written down: {trouble.message}")
            return False
        return bool(over)

    def damage_behind(self, error: Exception) -> "StoreTrouble | None":
        """What a damaged database has to do with an error, with the way back; None when it has nothing to do with it.

        `Damage` does not know whose database it is of, and any other error may come of a row that is not as it was
        written: only that is looked for.
        """
        from spy32.store import damage_of

        if isinstance(error, Damage):
            return damage_of(self.database, error.message)
        if isinstance(error, Spy32Error):
            return None
        try:
            problems = self.reading(lapses=False).check()
        except StoreTrouble as trouble:
            return trouble
        except Spy32Error:
            return None
        return damage_of(self.database, problems[0]) if problems else None

    def _opened(self, store: "Store") -> "Store":
        self._open.append(store)
        return store

    def close(self) -> None:
        self._say("")
        while self._open:
            self._open.pop().close()
        self._attended.close()

    def halted(self) -> str | None:
        """Why everything is halted, or None."""
        from spy32.ops.flags import halt_reason

        return halt_reason(self.locations.halt)
