"""Closed standard streams change no answer, and no file that spy32 opens ever gets their numbers."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spy32 import cli
from tests.support.program import ANALYZE, spy32

pytestmark = pytest.mark.slow

STREAMS = ("stdin", "stdout", "stderr")
CLOSED = [(0,), (1,), (2,), (0, 1, 2)]
MISUSED = 99
"""Exit code of a child in which something else was opened under the number of a standard stream."""

WORDS: dict[str, tuple[str, ...]] = {
    "analyze": ANALYZE,
    "approve": ("approve", "--yes"),
    "cancel": ("cancel", "P1"),
    "replay": ("replay", "R1"),
    "market": ("market", "--market", "recorded"),
    "expirations": ("expirations", "--market", "recorded"),
    "db backup": ("db", "backup", "copy.db"),
    "db restore": ("db", "restore", "good.db", "--force"),
    "prompts show": ("prompts", "show", "v2-comprehensive"),
    "prompts compare": ("prompts", "compare", "v2-comprehensive", "v2-simplified"),
    "auth login": ("auth", "login"),
}
"""What is typed where the bare command would need more."""


def commands() -> list[str]:
    """Every command of the program; `demo` does all of this in a home of its own."""
    grouped = (f"{group} {word}" for group, (_, words) in cli.GROUPS.items() for word in words)
    return [name for name in (*cli.COMMANDS, *grouped) if name != "demo"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an approved proposal and a backup."""
    home = tmp_path_factory.mktemp("closed") / "home"
    assert spy32(home, *ANALYZE).returncode == 0
    assert spy32(home, "approve", "--yes").returncode == 0
    assert spy32(home, "db", "backup", str(home / "good.db")).returncode == 0
    return home


def ended(home: Path, words: tuple[str, ...], closed: tuple[int, ...]) -> int:
    """Exit code of the program in a forked child whose streams are as the interpreter finds closed ones."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 98
    try:
        code = _main(home, words, closed)
    finally:
        os._exit(code)


def _main(home: Path, words: tuple[str, ...], closed: tuple[int, ...]) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number, name in enumerate(STREAMS):
        os.dup2(nowhere, number)
        setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "HOME": str(home), "LOGNAME": "tester", "SPY32_HOME": str(home)})
    os.chdir(home)
    for number in closed:
        os.close(number)
        setattr(sys, STREAMS[number], None)
    sys.argv = ["spy32", *words]
    try:
        cli.main()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 1
    taken = [number for number in closed if os.readlink(f"/proc/self/fd/{number}") != os.devnull]
    return MISUSED if taken else code


@pytest.mark.parametrize("name", commands())
def test_a_command_ends_alike_whatever_stream_is_closed(template: Path, tmp_path: Path, name: str) -> None:
    words = WORDS.get(name, tuple(name.split()))
    codes = {}
    for closed in ((), *CLOSED):
        home = tmp_path / "-".join(map(str, closed or ("open",)))
        shutil.copytree(template, home)
        codes[closed] = ended(home, words, closed)
    assert set(codes.values()) == {codes[()]}, codes
    assert codes[()] not in (70, 98, MISUSED)


@pytest.mark.parametrize("ending", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("program", ["-m spy32", "-c 'from spy32.cli import main; main()'"])
def test_an_order_is_sent_and_recorded_with_streams_closed_in_the_shell(
    template: Path, tmp_path: Path, ending: str, program: str
) -> None:
    home = Path(shutil.copytree(template, tmp_path / "home"))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LOGNAME": "tester", "SPY32_HOME": str(home)}
    line = f"{shlex.quote(sys.executable)} {program} execute {ending}"
    done = subprocess.run(line, shell=True, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "T1" in spy32(home, "show", "P1").stdout
    assert spy32(home, "db", "check").returncode == 0
