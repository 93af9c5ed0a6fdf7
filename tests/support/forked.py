"""Run the real program in a forked child: fast, since everything is imported already."""

import functools
import os
import pkgutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import spy32
from spy32 import cli
from spy32.wiring import base
from spy32.wiring.clockwork import Clockwork

DEFECT = 70


@dataclass(frozen=True)
class Ending:
    """How one command ended."""

    code: int
    """Negative: the signal that ended it."""
    out: str
    err: str

    @property
    def is_answer(self) -> bool:
        return self.code >= 0 and self.code != DEFECT and "Traceback" not in self.err


def run_forked(home: Path, *words: str) -> Ending:
    """`spy32 WORDS` in a child whose clock stands still."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = DEFECT
            try:
                code = _run_in_child(home, words, out.fileno(), err.fileno())
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Ending(os.waitstatus_to_exitcode(status), *texts)


def _run_in_child(home: Path, words: tuple[str, ...], out: int, err: int) -> int:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for mine, number in ((nowhere, 0), (out, 1), (err, 2)):
        os.dup2(mine, number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.clear()
    os.environ.update({"SPY32_HOME": str(home), "HOME": str(home), "LOGNAME": "anna"})
    freeze_clock()
    code = 0
    try:
        cli.app(list(words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def freeze_clock() -> None:
    """In a child, before the program starts: only waiting moves its clock."""
    base.Clockwork = functools.partial(Clockwork, frozen=True)  # type: ignore[attr-defined, assignment]


def import_everything() -> None:
    """Import every module of the program once, before the forks, instead of in every child."""
    for module in pkgutil.walk_packages(spy32.__path__, "spy32."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
