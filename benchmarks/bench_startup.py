"""Whole processes, paired in turn: commands of spy32 against a bare app of the same Typer, and `analyze` by itself."""

import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

BARE = '''
import sqlite3, sys
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

@app.command()
def show(path: str) -> None:
    """Print one table from SQLite."""
    table = Table("id", "started", "outcome")
    for row in sqlite3.connect(path).execute("select id, started_at, outcome from run order by id desc limit 20"):
        table.add_row(*map(str, row))
    Console().print(table)

@app.command()
def other() -> None:
    """Another command, so that there is a group."""

app()
'''


def once(words: Sequence[str], env: Mapping[str, str], *, terminal: bool = False) -> tuple[float, float]:
    """Wall seconds and peak MB of one process, whose output goes to a terminal of 100 columns or nowhere."""
    begun = time.perf_counter()
    ours, theirs = _screen() if terminal else (None, subprocess.DEVNULL)
    child = subprocess.Popen(words, env=dict(env), stdout=theirs, stderr=theirs)
    if ours is not None:
        os.close(theirs)
        _drain(ours)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(words)} ended with {child.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def _screen() -> tuple[int, int]:
    """A pseudo-terminal: our end and the command's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    return ours, theirs


def _drain(screen: int) -> None:
    """Read until the command has closed its end, which Linux reports as an input-output error."""
    with suppress(OSError):
        while os.read(screen, 65536):
            pass
    os.close(screen)


def paired(
    name: str, ours: Sequence[str], bare: Sequence[str], env: Mapping[str, str], rounds: int, *, terminal: bool = False
) -> float:
    """Median ratio of wall time over pairs run in turn."""
    once(ours, env, terminal=terminal), once(bare, env, terminal=terminal)
    pairs = [(once(ours, env, terminal=terminal)[0], once(bare, env, terminal=terminal)[0]) for _ in range(rounds)]
    ratio = statistics.median(mine / other for mine, other in pairs)
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name}: {mine * 1000:.0f} ms against {other * 1000:.0f} ms bare, ratio {ratio:.2f}")
    return ratio


def main(rounds: int = 15) -> None:
    with tempfile.TemporaryDirectory(prefix="spy32-bench-") as folder:
        home = Path(folder) / "home"
        script = Path(folder) / "bare.py"
        script.write_text(BARE)
        env = {"PATH": os.environ["PATH"], "HOME": folder, "SPY32_HOME": str(home), "LANG": "C.UTF-8"}
        spy32 = [sys.executable, "-m", "spy32"]
        analyze = [*spy32, "analyze", "--market", "recorded", "--analyst", "rules"]
        once(analyze, env)
        bare = [sys.executable, str(script)]
        shows = [*spy32, "show"], [*bare, "show", str(home / "paper.db")]
        paired("show on a terminal", *shows, {**env, "TERM": "xterm-256color"}, rounds, terminal=True)
        paired("show without a terminal", *shows, env, rounds)
        paired("--help", [*spy32, "--help"], [*bare, "--help"], env, rounds)
        runs = [once(analyze, env) for _ in range(rounds)]
        seconds, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"analyze, recorded, whole process: {seconds:.2f} s, {megabytes:.0f} MB")
        idle = statistics.median(
            once([*spy32, "analyze", "--scheduled"], {**env, "SPY32_CLOCK": "2026-11-24T20:00:00Z"})[0]
            for _ in range(rounds)
        )
        print(f"analyze --scheduled with nothing to do: {idle * 1000:.0f} ms")


if __name__ == "__main__":
    main()
