"""The whole cycle on the shipped chain, typed for you: each step is the program itself, started as a person would."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spy32.errors import Spy32Error

if TYPE_CHECKING:
    from rich.console import Console


class Step(NamedTuple):
    words: tuple[str, ...]
    title: str = ""
    typed: str = ""
    """What a person would type."""
    is_shown: bool = True


STEPS = (
    Step(
        ("analyze", "-q", "--market", "recorded", "--analyst", "rules"),
        "The weekly run, on a real SPY chain of 2025-08-29 that ships with spy32.",
    ),
    Step(("approve",), "A person decides on one screen. HERE THE DEMO ANSWERS, on paper: a, then y.", "a\ny\n"),
    Step(("execute", "-q"), "Sent to the paper broker, worked down from the mid, and filled.", is_shown=False),
    Step(("show", "T1")),
)

NEXT_STEPS = (
    ("analyze --market recorded --analyst rules", "the same run in a home of your own,"),
    ("approve", "and you decide: single keys, nothing is sent"),
    ("market", "today's market, free and without a key"),
)


def run_demo(out: "Console", env: Mapping[str, str], *, keep: bool = False) -> None:
    """Play every step in a throw-away home; `Spy32Error` when one ends otherwise than well, and then it is kept."""
    home = Path(tempfile.mkdtemp(prefix="spy32-demo-"))
    is_whole = False
    try:
        _play(out, env, home)
        is_whole = True
    except KeyboardInterrupt:
        is_whole = True
        raise
    finally:
        if is_whole and not keep:
            shutil.rmtree(home)
    out.print("## Three things to try", style="bold")
    at = f"--home {home} " if keep else ""
    for words, purpose in NEXT_STEPS:
        out.print(f"spy32 {at}{words}  # {purpose}", soft_wrap=True)


def _play(out: "Console", env: Mapping[str, str], home: Path) -> None:
    clean = {name: value for name, value in env.items() if not name.startswith(("SPY32_", "XAI_", "TASTYTRADE_"))}
    clean |= {"COLUMNS": str(out.width), "ENABLE_AUTOMATION": "true"}
    if out.is_terminal:
        # The steps print into this terminal; they keep its colours.
        clean["FORCE_COLOR"] = "1" if out.color_system is not None else ""
    for step in STEPS:
        if step.title:
            out.print(f"## {step.title}", style="bold")
        out.print(f"$ spy32 {' '.join(step.words)}", style="dim")
        ended = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "spy32", "--home", str(home), *step.words],
            env=clean,
            check=False,
            stdout=None if step.is_shown else subprocess.DEVNULL,
            **({"input": step.typed, "text": True} if step.typed else {"stdin": subprocess.DEVNULL}),
        )
        if ended.returncode:
            raise Spy32Error(f"the demo's `spy32 {step.words[0]}` ended with {ended.returncode}; its home is {home}")
