"""The suite on a pretended day: `make days`, or `python -m tests.support.days NAME [PYTEST WORDS]`.

A throw-away virtual environment uses the packages of this one, and moves the clock of every Python process that starts
in it by the same offset (`time-machine` does that inside the interpreter), so that the programs which the tests start
agree about the day. `load` keeps ten busy processes a core beside the suite instead.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.paths import ROOT

NEW_YORK = ZoneInfo("America/New_York")
DAYS = {
    "saturday": ("2026-11-28T14:00", "Pacific/Kiritimati"),
    "thanksgiving": ("2026-11-26T11:00", "America/New_York"),
    "new-year": ("2026-12-31T23:59", "Asia/Kolkata"),
    "slot": ("2027-03-15T10:02", "UTC"),
    "clock-change": ("2027-03-14T01:58", "America/New_York"),
}
"""Name -> New York time at which the suite begins, and the zone of the machine."""
PER_CORE = 10
QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # the package that moves the clock is there before pytest
MOVE = "import time, time_machine; time_machine.travel(time.time() + ({offset}), tick=True).start()\n"


def environment(folder: Path, offset: float) -> Path:
    """The interpreter of a virtual environment in which it is `offset` seconds later."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    ours = "\n".join([str(ROOT), *(place for place in sys.path if place.endswith("site-packages"))])
    (packages / "a_day.pth").write_text(f"{ours}\n{MOVE.format(offset=offset)}")
    return python


def run_on(name: str, words: Sequence[str]) -> int:
    """The exit code of pytest on that day."""
    begins, zone = DAYS[name]
    offset = datetime.fromisoformat(begins).replace(tzinfo=NEW_YORK).timestamp() - time.time()
    with tempfile.TemporaryDirectory(prefix="spy32-day-") as folder:
        python = environment(Path(folder) / "venv", offset)
        print(f"{name}: {begins} New York, machine zone {zone}", flush=True)
        call = [python, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", *QUIET, *words]
        return subprocess.run(call, cwd=ROOT, env={**os.environ, "TZ": zone}, check=False).returncode


def run_loaded(words: Sequence[str]) -> int:
    """The exit code of pytest beside ten busy processes a core."""
    count = PER_CORE * (os.cpu_count() or 1)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        print(f"load: {count} busy processes", flush=True)
        return subprocess.run([sys.executable, "-m", "pytest", "-n", "2", *words], cwd=ROOT, check=False).returncode
    finally:
        for process in busy:
            process.kill()
            process.wait()


def main(names: Sequence[str], words: Sequence[str]) -> int:
    """0 when the suite passed on each of these days."""
    codes = {name: run_loaded(words) if name == "load" else run_on(name, words) for name in names}
    print(", ".join(f"{name}: {'passed' if code == 0 else f'ended {code}'}" for name, code in codes.items()))
    return max(codes.values())


if __name__ == "__main__":
    chosen = sys.argv[1:2] if len(sys.argv) > 1 else list(DAYS)
    sys.exit(main(chosen, sys.argv[2:]))
