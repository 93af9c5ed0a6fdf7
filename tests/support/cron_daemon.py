"""Debian's real cron daemon on a fast clock of its own.

It runs in a mount namespace, with a spool of its own, so that the crontabs of the machine are neither read nor changed.
The daemon's clock is moved by libfaketime. Jobs get a bare environment from cron and so see the real clock: the `spy32`
that they find in `~/.local/bin` computes the daemon's time and hands it on as `SPY32_CLOCK`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.paths import ROOT
from tests.support.timeouts import PATIENCE

FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
SPEED = 1500
"""Seconds of the daemon's clock in a real one: a quarter of an hour is 0.6 s, enough for two starts of the program."""
QUARTER = 15 * 60

NAMESPACE = """\
set -e
mount --bind {folder}/spool /var/spool/cron/crontabs
mount --bind {folder}/empty /etc/cron.d
mount --bind {folder}/empty /run
if [ -e /etc/crontab ]; then mount --bind /dev/null /etc/crontab; fi
if [ -e /usr/sbin/sendmail ]; then mount --bind /bin/true /usr/sbin/sendmail; fi
export LD_PRELOAD={faketime} FAKETIME='@{local} x{speed}' TZ={zone}
exec cron -f
"""
JOB = """\
#!/bin/sh
# Cron starts a job a moment after its minute, and this fast clock makes much of a moment: only the quarter counts.
passed=$(( ($(date +%s%N) - $(cat {folder}/began)) * {speed} / 1000000000 ))
now=$(( ({start} + passed) / {quarter} * {quarter} ))
echo "$now $*" >> {folder}/starts
said=$(SPY32_CLOCK=$(date -u -d @$now +%Y-%m-%dT%H:%M:%SZ) SPY32_HOME={folder}/home PYTHONPATH={root} \\
    {python} -m spy32 "$@" 2>&1)
echo "$now $? $* $said" >> {folder}/ends
"""


def missing_part() -> str | None:
    """Why the daemon cannot be started here, or None."""
    if shutil.which("cron") is None or not Path("/var/spool/cron/crontabs").is_dir():
        return "Debian's cron is not installed"
    if FAKETIME is None:
        return "libfaketime is not installed"
    if os.geteuid() != 0:
        return "only root starts a cron daemon"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        return "this machine gives no mount namespace"
    return None


@dataclass(frozen=True)
class Daemon:
    """A running daemon; instants are those of its clock, UTC."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "home" / "paper.db"

    def starts(self, command: str) -> list[datetime]:
        """When it started `spy32 COMMAND`, to the quarter of an hour."""
        return [at for at, words in self._lines("starts") if words.startswith(command)]

    def wait_until(self, until: datetime) -> None:
        """Wait until a quarter of an hour at or after `until` has had its start of the run."""
        deadline = time.monotonic() + PATIENCE
        while not any(at >= until for at in self.starts("analyze")):
            assert time.monotonic() < deadline, f"cron never came to {until}: {self._lines('starts')[-3:]}"
            time.sleep(0.05)

    def wait_for_jobs(self) -> list[str]:
        """The ends of all jobs, as `EXIT-CODE WORDS OUTPUT`."""
        deadline = time.monotonic() + PATIENCE
        while len(self._lines("ends")) < len(self._lines("starts")):
            assert time.monotonic() < deadline, "a job never ended"
            time.sleep(0.05)
        return [words for _, words in self._lines("ends")]

    def _lines(self, name: str) -> list[tuple[datetime, str]]:
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        parts = (line.split(" ", 1) for line in lines if line[:1].isdigit())
        return [(datetime.fromtimestamp(int(seconds), UTC), words) for seconds, words in parts]


@contextmanager
def cron_daemon(folder: Path, crontab: str, zone: str, start: datetime, *, settings: str) -> Iterator[Daemon]:
    """Run the daemon on a machine in `zone` with `crontab` as root's, from `start` on, with its home in `folder`."""
    home, spool = folder / "home", folder / "spool"
    for each in (home, spool, folder / "empty", folder / ".local" / "bin"):
        each.mkdir(parents=True)
    (home / "config.toml").write_text(settings)
    (spool / "root").write_text(f"HOME={folder}\n{crontab}")
    (spool / "root").chmod(0o600)
    job = folder / ".local" / "bin" / "spy32"
    values = {"folder": folder, "speed": SPEED, "quarter": QUARTER, "start": int(start.timestamp()), "root": ROOT}
    job.write_text(JOB.format(python=sys.executable, **values))
    job.chmod(0o755)
    local = f"{start.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
    script = NAMESPACE.format(folder=folder, faketime=FAKETIME, local=local, speed=SPEED, zone=zone)
    (folder / "began").write_text(str(time.time_ns()))
    process = subprocess.Popen(["unshare", "-m", "sh", "-c", script])
    try:
        yield Daemon(folder=folder)
    finally:
        process.terminate()
        process.wait(PATIENCE)
