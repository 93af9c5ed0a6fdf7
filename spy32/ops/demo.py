"""The demo: runs the whole cycle on the shipped chain. Each step starts the program itself, as a person would."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.errors import Spy32Error

if TYPE_CHECKING:
    from rich.console import Console

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "The weekly run, on a real SPY chain of 2025-08-29 that ships with spy32 (nothing here is live).",
        ("analyze", "--market", "recorded", "--analyst", "rules", "-v"),
    ),
    ("What it prepared, and why.", ("show",)),
    (
        "A person decides here. THE DEMO APPROVES BY ITSELF, on paper, so that you can see the rest.",
        ("approve", "--yes", "--note", "approved by the demo itself"),
    ),
    ("Sent to the paper broker: re-quoted, re-checked, worked down from the mid.", ("execute", "-v")),
    ("What came of it.", ("show", "T1")),
    ("What the account holds.", ("positions",)),
)

NEXT_STEPS = (
    ("look again", "show --candidates"),
    ("why not the others", "show --rejected"),
    ("the same decision again, from the record", "replay R1"),
    ("decide yourself, on a new run", "analyze --market recorded --analyst rules --force"),
    ("", "approve"),
)


def run_demo(out: "Console", env: Mapping[str, str]) -> Path:
    """Run all steps and return the home that they used, which stays for the user to look at.

    Raises `Spy32Error` when a step exits with a code other than 0.
    """
    home = Path(tempfile.mkdtemp(prefix="spy32-demo-"))
    environment = {name: value for name, value in env.items() if not name.startswith(("SPY32_", "XAI_", "TASTYTRADE_"))}
    environment |= {"COLUMNS": str(out.width), "ENABLE_AUTOMATION": "true"}
    if out.is_terminal:
        # The steps print to this terminal, so pass on whether it has colours.
        environment["FORCE_COLOR"] = "1" if out.color_system is not None else ""
    for title, arguments in STEPS:
        out.print(f"\n## {title}", style="bold")
        out.print(f"$ spy32 {' '.join(_quote(argument) for argument in arguments)}", style="dim")
        result = subprocess.run(  # noqa: S603 - our own program with fixed arguments
            [sys.executable, "-m", "spy32", "--home", str(home), *arguments], env=environment, check=False
        )
        if result.returncode:
            raise Spy32Error(f"the demo's `spy32 {arguments[0]}` ended with {result.returncode}; its home is {home}")
    out.print("\n## Your turn", style="bold")
    for purpose, next_command in NEXT_STEPS:
        out.print(f"spy32 --home {home} {next_command}" + (f"    # {purpose}" if purpose else ""), soft_wrap=True)
    out.print(f"rm -r {home}    # when you have seen enough", soft_wrap=True)
    return home


def _quote(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument
