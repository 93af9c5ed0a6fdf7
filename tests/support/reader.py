"""A reader's desk: the little of an App that `show` and `status` use, over a real store."""

from contextlib import nullcontext
from datetime import datetime
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import typer
from rich.console import Console
from typer.testing import CliRunner

from spy32.cli import AnsweringCommand
from spy32.commands.show import show
from spy32.commands.status import status
from spy32.console import PlainConsole
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, Spy32Error
from spy32.ops.setup import load_setup_time
from spy32.records import connection
from spy32.settings import Settings
from spy32.settings.paths import locations
from spy32.store import Store
from tests.support.builders import NOW


def screen(width: int = 100, *, colour: bool = False, encoding: str = "utf-8", **env: str) -> Console:
    """A terminal that keeps what it is shown."""
    file = StringIO()
    if encoding != "utf-8":
        file = _Encoded(encoding)
    return Console(
        file=file,
        width=width,
        force_terminal=True,
        color_system="truecolor" if colour else None,
        no_color=not colour,
        highlight=False,
        legacy_windows=False,
        _environ=env,
    )


class _Encoded(StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._short_name = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._short_name


def shown(console: Console | PlainConsole) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


class HeldLocks:
    """Locks of which some are held by a living process."""

    def __init__(self, *held: str) -> None:
        self.held = set(held)

    def hold(self, name: str, *, wait_seconds: float = 0) -> Any:
        return nullcontext()

    def is_free(self, name: str) -> bool:
        return name not in self.held


class ReadingApp:
    """Stands in for `wiring.App`. Without a width there is no terminal."""

    def __init__(
        self,
        home: Path,
        *,
        width: int | None = None,
        now: datetime = NOW,
        held: tuple[str, ...] = (),
        settings: Settings | None = None,
    ) -> None:
        self.locations = locations({}, str(home))
        self.database = self.locations.database(Mode.PAPER)
        self.settings = settings or Settings()
        self.locks = HeldLocks(*held)
        self.now = now
        self.stop: str | None = None
        self.wants_json = False
        self.open: list[Store] = []
        self.out: Console | PlainConsole = PlainConsole(StringIO()) if width is None else screen(width)

    def clock(self) -> datetime:
        return self.now

    def set_up_at(self) -> datetime | None:
        return load_setup_time(self.locations, Mode.PAPER)

    @property
    def has_store(self) -> bool:
        return connection.was_created(self.database)

    def halt_reason(self) -> str | None:
        return self.stop

    def find_damage(self, error: Exception) -> None:
        """No damage has a remedy here: the store raises the damage itself."""

    def open_for_reading(self, *, lapses: bool = True) -> Store:
        if not connection.was_created(self.database):
            raise BadUsage("nothing here yet; `spy32 analyze` makes the first run")
        self.open.append(Store.open(self.database, mode=Mode.PAPER, account=None, at=self.now, read_only=True))
        return self.open[-1]

    def close(self) -> None:
        while self.open:
            self.open.pop().close()

    @property
    def ctx(self) -> Any:
        return SimpleNamespace(find_root=lambda: SimpleNamespace(obj=self))

    @property
    def said(self) -> str:
        return shown(self.out)


reading = typer.Typer()
reading.command(cls=AnsweringCommand)(show)
reading.command(cls=AnsweringCommand)(status)


def ask(desk: ReadingApp, *words: str) -> str:
    """What the command says on stdout; what it raises is raised."""
    result = CliRunner().invoke(reading, list(words), obj=desk)
    desk.close()
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return desk.said


def code(desk: ReadingApp, *words: str) -> int:
    result = CliRunner().invoke(reading, list(words), obj=desk)
    desk.close()
    return result.exception.code if isinstance(result.exception, Spy32Error) else result.exit_code
