"""Demonstrations in a throw-away home: each step is the program itself, started as a person would."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spy32.errors import Spy32Error

if TYPE_CHECKING:
    from rich.console import Console


class DemoStep(NamedTuple):
    words: tuple[str, ...]
    title: str = ""
    typed: str = ""
    """What a person would type."""
    is_shown: bool = True


STEPS = (
    DemoStep(
        ("analyze", "-q", "--market", "recorded", "--analyst", "rules"),
        "The weekly run, on a real SPY chain of 2025-08-29 that ships with spy32.",
    ),
    DemoStep(("approve",), "A person decides on one screen. HERE THE DEMO ANSWERS, on paper: a, then y.", "a\ny\n"),
    DemoStep(("execute", "-q"), "Sent to the paper broker, worked down from the mid, and filled.", is_shown=False),
    DemoStep(("show", "T1")),
)
NEXT_STEPS = (
    ("analyze --market recorded --analyst rules", "the same run in a home of your own,"),
    ("approve", "and you decide: single keys, nothing is sent"),
    ("market", "today's market, free and without a key"),
)
YEAR = "A SYNTHETIC year: 52 Mondays of simulated trading. Days, SPY and VIX are those of 2022; option prices are made."
YEAR_STEPS = (
    DemoStep(("experiments",), "Registered before the first Monday: the trend rule against the fixed rule."),
    DemoStep(("report",), "What came of the year."),
)
YEAR_NEXT_STEPS = (
    ("show --history", "every Monday with what came of it"),
    ("report --by exit", "trades by exit reason; also side, delta, vix, weekday"),
    ("show R1", "one Monday: its menu, and what became of each candidate"),
)


def run_demo(out: "Console", env: Mapping[str, str], *, keep: bool = False) -> None:
    """Play one Monday; `Spy32Error` when a step ends otherwise than well, and then the home is kept."""
    with _demo_home(keep=keep) as home:
        _play(out, env, home, STEPS)
    _print_next_steps(out, NEXT_STEPS, home if keep else None)


def run_year_demo(
    out: "Console", env: Mapping[str, str], make_year: Callable[[Path], None], *, keep: bool = False
) -> None:
    """Fill a home by `make_year` and look back at it. The page stays; the rest as `run_demo`."""
    with _demo_home(keep=keep) as home:
        out.print(f"## {YEAR}", style="bold")
        make_year(home)
        page = home / "report.html" if keep else home.with_suffix(".html")
        step = DemoStep(("report", "--html", str(page)), "The same as a page, to open in a browser; it stays here.")
        _play(out, env, home, (*YEAR_STEPS, step))
    if keep:
        _print_next_steps(out, YEAR_NEXT_STEPS, home)


@contextmanager
def _demo_home(*, keep: bool) -> Iterator[Path]:
    """A home that goes afterwards, unless it is to be kept or something has failed."""
    home = Path(tempfile.mkdtemp(prefix="spy32-demo-"))
    try:
        yield home
    except Exception:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(home)


def _print_next_steps(out: "Console", steps: Sequence[tuple[str, str]], home: Path | None) -> None:
    out.print("## Three things to try", style="bold")
    at = f"--home {home} " if home is not None else ""
    for words, purpose in steps:
        out.print(f"spy32 {at}{words}  # {purpose}", soft_wrap=True)


def _play(out: "Console", env: Mapping[str, str], home: Path, steps: Sequence[DemoStep]) -> None:
    clean = {name: value for name, value in env.items() if not name.startswith(("SPY32_", "XAI_", "TASTYTRADE_"))}
    clean |= {"COLUMNS": str(out.width), "ENABLE_AUTOMATION": "true"}
    if out.is_terminal:
        # The steps print into this terminal; they keep its colours.
        clean["FORCE_COLOR"] = "1" if out.color_system is not None else ""
    for step in steps:
        if step.title:
            out.print(f"## {step.title}", style="bold")
        out.print(f"$ spy32 {' '.join(step.words)}", style="dim", soft_wrap=True)
        ended = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "spy32", "--home", str(home), *step.words],
            env=clean,
            check=False,
            stdout=None if step.is_shown else subprocess.DEVNULL,
            input=step.typed,
            text=True,
        )
        if ended.returncode:
            raise Spy32Error(f"the demo's `spy32 {step.words[0]}` ended with {ended.returncode}; its home is {home}")
