"""Cold starts as a person feels them: commands of spy32 in pairs with a bare app of the same Typer.

Each figure is the median, over pairs of processes run in turn, of the CPU seconds of the command over those of its
peer. On a terminal the peer draws one rich table from SQLite, into a pipe it prints the same rows plainly, and the
peer of an idle scheduled start prints nothing. All output goes to a real pseudo-terminal or pipe and is read.
"""

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
# As the console script starts it, wherever that is installed.
SPY32 = (sys.executable, "-c", "import sys; from spy32.__main__ import main; sys.exit(main())")

PEER = '''
import sqlite3
import typer

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
QUERY = "select id, started_at, outcome from run order by id desc limit 20"

@app.command()
def rich(path: str) -> None:
    """Draw one rich table from SQLite."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "started", "outcome")
    for row in sqlite3.connect(path).execute(QUERY):
        table.add_row(*map(str, row))
    Console().print(table)

@app.command()
def plain(path: str) -> None:
    """Print the same rows plainly."""
    for row in sqlite3.connect(path).execute(QUERY):
        print(*row)

@app.command()
def idle() -> None:
    """Do nothing."""

app()
'''
FIRST_SCREEN = b"[Esc]"
"""The end of the first screen of `approve`: the last of its keys."""
PATIENCE = 60.0
"""Seconds without output after which a command counts as hung."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """One row of the table: the words of ours and of the peer, and the ratio that is still good."""

    name: str
    words: tuple[str, ...]
    peer: str
    goal: float
    on_terminal: bool = True
    leaves_at: bytes | None = None
    """What is on the screen when it is left with Esc; None where it ends by itself."""
    clock: str | None = None
    """The instant at which this command believes it is started."""


ANALYZE = ("analyze", "--market", "recorded", "--analyst", "rules")
ROWS = (
    Cold(name="show", words=("show",), peer="rich", goal=1.3),
    Cold(name="status", words=("status",), peer="rich", goal=1.3),
    Cold(name="a bare call", words=(), peer="rich", goal=1.3),
    Cold(name="positions", words=("positions",), peer="rich", goal=1.3),
    Cold(name="approve to its first screen", words=("approve",), peer="rich", goal=1.3, leaves_at=FIRST_SCREEN),
    Cold(name="doctor --offline", words=("doctor", "--offline"), peer="rich", goal=2.5),
    Cold(name="risk", words=("risk",), peer="rich", goal=2.5),
    Cold(name="analyze on the recorded market", words=ANALYZE, peer="rich", goal=3.0),
    Cold(
        name="analyze --scheduled with nothing to do",
        words=("analyze", "--scheduled"),
        peer="idle",
        goal=1.25,
        on_terminal=False,
        clock="2026-11-24T20:00:00Z",
    ),
    Cold(
        name="manage --scheduled with nothing to do",
        words=("manage", "--scheduled"),
        peer="idle",
        goal=1.25,
        on_terminal=False,
        clock="2026-11-26T17:00:00Z",  # Thanksgiving
    ),
    Cold(name="show | cat", words=("show",), peer="plain", goal=1.25, on_terminal=False),
    Cold(name="status | cat", words=("status",), peer="plain", goal=1.25, on_terminal=False),
)


def measure(words: Sequence[str], env: dict[str, str], *, on_terminal: bool, leaves_at: bytes | None = None) -> float:
    """CPU seconds of one process whose output is read from a terminal of 100 columns or a pipe."""
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    if on_terminal:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    child = subprocess.Popen(
        words, env=env, stdin=theirs if on_terminal else subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    while data := _read(ours, child):
        output += data
        if leaves_at is not None and leaves_at in output:
            os.write(ours, b"\x1b")
            leaves_at = None
    os.close(ours)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode or leaves_at is not None:
        sys.exit(f"{' '.join(words)} ended with {child.returncode}:\n{output.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime


def _read(screen: int, child: subprocess.Popen[bytes]) -> bytes:
    """More output; nothing once the command has closed its end, which a terminal reports as an error on Linux."""
    ready, _, _ = select.select([screen], [], [], PATIENCE)
    if not ready:
        child.kill()
        sys.exit("a command wrote nothing more and did not end")
    try:
        return os.read(screen, 65536)
    except OSError:
        return b""


def compare(row: Cold, script: Path, home: Path, rounds: int) -> bool:
    """Print the figure of one row beside its goal; whether it is good enough."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "SPY32_HOME": str(home), "LANG": "C.UTF-8"}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    mine = [*SPY32, *row.words]
    other = [sys.executable, str(script), row.peer, *([] if row.peer == "idle" else [str(home / "paper.db")])]
    mine_env = env if row.clock is None else env | {"SPY32_CLOCK": row.clock}
    pairs = [
        (
            measure(mine, mine_env, on_terminal=row.on_terminal, leaves_at=row.leaves_at),
            measure(other, env, on_terminal=row.on_terminal),
        )
        for _ in range(rounds + 1)
    ][1:]  # the first pair warms the disk
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    is_good = ratio <= row.goal
    verdict = "" if is_good else "  MISSED"
    print(f"{row.name:40} goal {row.goal:4.2f}  is {ratio:4.2f}  ({ours:4.0f} ms against {theirs:3.0f}){verdict}")
    return is_good


def main(rounds: int = 15) -> bool:
    """Whether every row keeps its goal."""
    with tempfile.TemporaryDirectory(prefix="spy32-bench-") as folder:
        home, script = Path(folder) / "home", Path(folder) / "peer.py"
        script.write_text(PEER)
        env = {"PATH": os.environ["PATH"], "SPY32_HOME": str(home), "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        measure([*SPY32, *ANALYZE], env, on_terminal=False)
        began = time.perf_counter()
        # `analyze` makes new runs, so it comes after all that read the first.
        rows = sorted(ROWS, key=lambda row: row.words == ANALYZE)
        kept = [compare(row, script, home, rounds) for row in rows]
        print(f"{sum(kept)} of {len(kept)} goals kept, {time.perf_counter() - began:.0f} s")
    return all(kept)


if __name__ == "__main__":
    sys.exit(not main())
