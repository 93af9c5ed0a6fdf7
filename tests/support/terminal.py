"""The real program on a pseudo-terminal of a given size, driven as a person drives it."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.paths import ROOT
from tests.support.timeouts import PATIENCE

# The terminal must be the controlling one, or a hang-up and Ctrl-C would not reach the program. Nor would they where
# the suite itself was started in the background or by nohup, which make what they start ignore them.
START = (
    "import fcntl, os, signal, sys, termios; "
    "[signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)]; "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
)
CTRL_C, CTRL_D = b"\x03", b"\x04"
ESC, UP, DOWN = b"\x1b", b"\x1b[A", b"\x1b[B"
HOME = "\x1b[H"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(home: Path, **more: str) -> dict[str, str]:
    """A bare environment with this home."""
    found = {"PATH": "/usr/bin:/bin", "HOME": str(home), "SPY32_HOME": str(home), "LOGNAME": "anna", "LANG": "C.UTF-8"}
    return found | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | more


def plain(home: Path, *words: str, typed: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """The program without any terminal; `typed` is piped into it."""
    return subprocess.run(
        [sys.executable, "-m", "spy32", *words],
        env=environment(home, **more),
        cwd=home,
        **({"stdin": subprocess.DEVNULL} if typed is None else {"input": typed}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Terminal:
    """One run of the program; `seen` is all that it wrote, with the echo of what was typed."""

    def __init__(
        self, home: Path, *words: str, columns: int = 80, rows: int = 24, options: tuple[str, ...] = (), **more: str
    ) -> None:
        self._master, slave = pty.openpty()
        self._is_open = True
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.checked = ""
        self._text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        program = [sys.executable, *options, "-m", "spy32", *words]
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *program],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(home, **more),
            cwd=home,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.hang_up()

    @property
    def modes(self) -> list[Any]:
        """The terminal's settings now."""
        return termios.tcgetattr(self._slave)

    @property
    def frame(self) -> list[str]:
        """The lines of the screen as it was drawn last."""
        return ESCAPES.sub("", self.checked.rpartition(HOME)[2]).split("\n")

    def resize(self, columns: int, rows: int = 24) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str | bytes) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def wait_for(self, text: str, *, after: int = 0) -> str:
        """What was written from `after` on, once `text` is in it."""
        until = time.monotonic() + PATIENCE
        while text not in self.checked[after:]:
            if not self._read(until):
                raise AssertionError(f"{text!r} was not written; this was:\n{self.checked[after:]}")
        return self.checked[after:]

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        # A read may end in the middle of a character.
        self.checked += self._text.decode(data).replace("\r\n", "\n")
        return bool(data)

    def settle(self, seconds: float = 1.5) -> None:
        """Read until nothing more has come for so long."""
        while self._read(time.monotonic() + seconds):
            pass

    def ask(self, keys: str | bytes, text: str) -> str:
        """Type, and wait for what comes after."""
        here = len(self.checked)
        self.type(keys)
        return self.wait_for(text, after=here)

    def code(self) -> int:
        """The exit code, once it has ended; a signal's number is negative."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < until:
            if self._is_open:
                self._read(min(until, time.monotonic() + 0.05))
            else:
                time.sleep(0.02)
        assert self.process.returncode is not None, f"it did not end; this was written:\n{self.checked}"
        while self._is_open and self._read(time.monotonic() + 0.05):
            pass
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal's window."""
        if self._is_open:
            self._is_open = False
            os.close(self._slave)
            os.close(self._master)
