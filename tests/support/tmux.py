"""A screen as a terminal emulator shows it: the program in a tmux session of its own, read back cell by cell."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.paths import ROOT
from tests.support.terminal import environment
from tests.support.timeouts import PATIENCE

TMUX = shutil.which("tmux")


class Tmux:
    """One run of the program in a window of `columns` by `rows`; the window stays when the program ends."""

    def __init__(self, home: Path, *words: str, columns: int = 80, rows: int = 24, **more: str) -> None:
        self._socket = str(home / "tmux.socket")
        env = [f"{name}={value}" for name, value in environment(home, **{"TERM": "screen-256color", **more}).items()]
        program = shlex.join(["env", "-i", *env, sys.executable, "-m", "spy32", *words])
        # The code is asked for on the screen itself: the window of a program that has ended would close.
        shell = f"cd {shlex.quote(str(ROOT))}; {program}; echo ended with $?; exec sleep {PATIENCE:.0f}"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "sh", "-c", shell)
        self._tmux("set-option", "-g", "status", "off")
        self.resize(columns, rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._tmux("kill-server", check=False)

    @property
    def screen(self) -> list[str]:
        """The lines that a person sees, without the blanks at their ends."""
        return [line.rstrip() for line in self._tmux("capture-pane", "-p").split("\n")][:-1]

    def press(self, *keys: str) -> None:
        """Keys as tmux names them: `p`, `Escape`, `Space`."""
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int = 24) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def wait_for(self, text: str) -> list[str]:
        """The screen, once `text` is on it."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            screen = self.screen
            if text in "\n".join(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"{text!r} was not shown; this is:\n" + "\n".join(self.screen))

    def _tmux(self, *words: str, check: bool = True) -> str:
        assert TMUX is not None
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(Path(self._socket).parent)}
        done = subprocess.run(
            [TMUX, "-u", "-S", self._socket, *words], env=env, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout
