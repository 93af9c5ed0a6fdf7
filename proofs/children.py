"""Run the real program in a forked child: fast, since everything is imported already, and killable like any process."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spy32 import cli

KILLED = -signal.SIGKILL


class DyingConnection(sqlite3.Connection):
    """Counts commits of this process, and kills it right before or right after one of them."""

    steps_done = 0
    die_at: int | None = None
    die_before = False

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:  # type: ignore[override]
        if sql.strip().lower() != "commit":
            return super().execute(sql, *args)
        DyingConnection.steps_done += 1
        if DyingConnection.steps_done == DyingConnection.die_at and DyingConnection.die_before:
            os.kill(os.getpid(), signal.SIGKILL)
        cursor = super().execute(sql, *args)
        if DyingConnection.steps_done == DyingConnection.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return cursor


def spy32(
    words: Sequence[str],
    *,
    home: Path,
    die_at: int | None = None,
    die_before: bool = False,
) -> tuple[int, int]:
    """Exit code (negative: the signal that ended it) and the number of commits that the child made."""
    return wait(start(words, home=home, die_at=die_at, die_before=die_before))


def start(
    words: Sequence[str],
    *,
    home: Path,
    die_at: int | None = None,
    die_before: bool = False,
    before: Callable[[], None] | None = None,
    act: Callable[[Path], int] | None = None,
) -> tuple[int, int]:
    """A child that runs `spy32 WORDS`: its process id, and the descriptor on which it reports its commits.

    `before` is called in the child, first of all; `act` takes the place of the words and returns the exit code.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    code = 70
    try:
        if before is not None:
            before()
        count_commits(die_at, die_before=die_before)
        code = act(home) if act is not None else _run(words, home)
    finally:
        os.write(writing, str(DyingConnection.steps_done).encode())
        os._exit(code)


def wait(started: tuple[int, int]) -> tuple[int, int]:
    """Exit code and commits of a started child."""
    child, reading = started
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        commits = pipe.read()
    return os.waitstatus_to_exitcode(status), int(commits or 0)


def count_commits(die_at: int | None, *, die_before: bool) -> None:
    """In a child: nothing is printed, and each connection counts its commits and may die at one."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    os.setsid()
    DyingConnection.die_at, DyingConnection.die_before = die_at, die_before
    connect = sqlite3.connect

    def counted(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        kwargs["factory"] = DyingConnection
        return connect(*args, **kwargs)

    sqlite3.connect = counted  # type: ignore[assignment]


def _run(words: Sequence[str], home: Path) -> int:
    try:
        cli.app(["--home", str(home), *words])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0
