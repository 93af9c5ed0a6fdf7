"""Debian's Chromium without a screen: opens a page as a person would, measures it and takes its picture.

`python -m tests.support.browser PAGE PICTURE [WIDTH HEIGHT]` writes the picture of a page's top (`make picture`).
"""

import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
SECONDS = 120
"""A start takes 1 s on a quiet machine."""
DARK = "--blink-settings=preferredColorScheme=0"
MEASURE = """<script>
const wide = 0.5, texts = [...document.querySelectorAll('svg text')];
const size = text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a;
const box = item => item.getBoundingClientRect();
const outside = (a, b) => a.left < b.left - wide || a.right > b.right + wide || a.bottom > b.bottom + wide;
const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
const found = {
  inner: innerWidth, scroll: document.scrollingElement.scrollWidth, height: document.scrollingElement.scrollHeight,
  background: getComputedStyle(document.body).backgroundColor, smallest: Math.min(...texts.map(size)),
  clipped: texts.filter(text => outside(box(text), box(text.closest('svg')))).map(text => text.textContent),
  overlapping: texts.flatMap((text, place) => texts.slice(place + 1)
    .filter(other => other.closest('svg') === text.closest('svg') && overlap(box(text), box(other)))
    .map(other => text.textContent + ' | ' + other.textContent)),
};
const report = document.createElement('pre');
report.id = 'measured';
report.textContent = JSON.stringify(found, (key, value) => value === Infinity ? null : value);
document.body.append(report);
</script>"""
"""Appended to a copy of the page, which has no script itself; the answer is read from the dumped document."""

SMALLEST_WINDOW = 500
"""Chromium's window is never narrower; a narrower page stands in a frame at the left of such a window."""
FRAME = """<!doctype html><style>:root{{color-scheme:light dark}}body{{margin:0}}iframe{{border:0}}</style>
<iframe id="frame" width="{width}" height="{height}" srcdoc="{page}"></iframe><script>
onload = () => {{
  const measured = document.getElementById('frame').contentDocument.getElementById('measured');
  if (measured) document.body.append(measured.cloneNode(true));
}};
</script>"""


def missing_part() -> str | None:
    """Why no page can be opened here; None when one can."""
    return None if CHROMIUM is not None else "Chromium is not installed (apt-get install chromium)"


@dataclass(frozen=True)
class Visit:
    """A page as it was shown."""

    measured: dict[str, Any]
    console: list[str]
    """What the console said."""


def visit(page: str, folder: Path, width: int, *flags: str) -> Visit:
    """Open a page in a window of that width. It is measured by a copy with a script of ours."""
    path = _write(page.replace("</body>", f"{MEASURE}</body>"), folder, width, 900)
    logging = ("--enable-logging=stderr", "--v=0")
    ran = _run(folder, f"--window-size={width},900", "--dump-dom", *logging, *flags, path.as_uri())
    _, _, rest = ran.stdout.rpartition('<pre id="measured">')
    console = [line for line in ran.stderr.splitlines() if "CONSOLE" in line]
    return Visit(measured=json.loads(unescape(rest.partition("</pre>")[0])), console=console)


def take_screenshot(page: str, picture: Path, width: int, height: int, *flags: str) -> None:
    """Write the top of a page as a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        path = _write(page, Path(folder), width, height)
        size = (f"--window-size={width},{height}", "--hide-scrollbars", f"--screenshot={picture.resolve()}")
        _run(Path(folder), *size, *flags, path.as_uri())


def _write(page: str, folder: Path, width: int, height: int) -> Path:
    """The file to open, so that the page has that width."""
    path = folder / "page.html"
    framed = FRAME.format(width=width, height=height, page=escape(page))
    path.write_text(page if width >= SMALLEST_WINDOW else framed, encoding="utf-8")
    return path


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, timeout=SECONDS)


def distinct_rows(picture: Path) -> tuple[int, int, int]:
    """Width, height and the number of different rows of a PNG; an empty page has hardly any."""
    data = picture.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    place, packed = 8, b""
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += 12 + length
    raw = zlib.decompress(packed)
    stride = len(raw) // height
    return width, height, len({raw[start : start + stride] for start in range(0, len(raw), stride)})


if __name__ == "__main__":
    source, target, *size = sys.argv[1:]
    width, height = (int(number) for number in size or ("1000", "1250"))
    take_screenshot(Path(source).read_text(encoding="utf-8"), Path(target), width, height)
