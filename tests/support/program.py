"""The real program as a process in the bare environment of cron."""

import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.support.timeouts import PATIENCE

ANALYZE = ("analyze", "--market", "recorded", "--analyst", "rules")


def spy32(
    home: Path,
    *words: str,
    env: dict[str, str] | None = None,
    stdout: IO[str] | int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """The real program in cron's bare environment."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LOGNAME": "tester", "SPY32_HOME": str(home), **(env or {})}
    done = subprocess.run(
        [sys.executable, "-m", "spy32", *words],
        env=bare,
        stdout=stdout,
        stderr=stderr,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
    )
    assert "Traceback" not in f"{done.stderr}{done.stdout}", done.stderr
    return done


def one_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It ended with `code` and exactly one line on stderr that holds these words."""
    assert done.returncode == code, done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
