"""Writes the program's answers about the demo's year into docs/looking-back.md, and docs/report.png.

`make lookback`. The page has its commands in blocks that follow a `<!-- session -->`; `| grep groups` keeps the
lines of an answer that have the word.
"""

import re
import shlex
import tempfile
from pathlib import Path

from typer.testing import CliRunner

from spy32.cli import app
from spy32.wiring.demo_year import make_demo_year
from tests.support.browser import take_screenshot
from tests.support.paths import ROOT

PAGE, PICTURE = ROOT / "docs" / "looking-back.md", ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1000, 865
"""Of the picture, pixels."""
BLOCK = re.compile(r"(?<=<!-- session -->\n```\n)(.*?)(?=```)", re.DOTALL)
COMMAND = re.compile(r"^\$ spy32 (?P<words>.+?)(?: \| grep (?P<word>\w+))?$", re.MULTILINE)


def fill_answers(page: str, home: Path) -> str:
    """Return the page with the answers that the program gives in this home."""
    return BLOCK.sub(
        lambda block: "".join(_typed_and_answered(found, home) for found in COMMAND.finditer(block[1])), page
    )


def _typed_and_answered(command: re.Match[str], home: Path) -> str:
    said = run(home, *shlex.split(command["words"])).splitlines(keepends=True)
    return f"{command[0]}\n" + "".join(line for line in said if (command["word"] or "") in line)


def run(home: Path, *words: str) -> str:
    """Return what the program prints."""
    result = CliRunner().invoke(app, ["--home", str(home), *words])
    assert result.exit_code == 0, f"{words}: {result.output}"
    return result.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_demo_year(home, lambda parts: None)
        PAGE.write_text(fill_answers(PAGE.read_text(), home))
        html = home / "report.html"
        run(home, "report", "--html", str(html))
        take_screenshot(html.read_text(), PICTURE, WIDTH, HEIGHT)


if __name__ == "__main__":
    main()
