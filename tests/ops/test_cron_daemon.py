"""Debian's real cron: its daemon over both changes of New York's clocks, and its `crontab` with our block."""

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from spy32.domain.runs import Outcome, Trigger
from spy32.domain.spreads import Mode
from spy32.ops.crontab import BEGIN
from spy32.sessions import NEW_YORK
from spy32.store import Store
from tests.support.cron_daemon import cron_daemon, missing_part
from tests.support.crontab import CRONTAB
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_part() is not None, reason=str(missing_part())),
]
SPRING, AUTUMN = date(2026, 3, 9), date(2026, 11, 2)
"""The Mondays after the clock changes."""
SETTINGS = '[market]\nchain = ["recorded"]\n\n[analyst]\nname = "rules"\n\n[schedule]\nlock_wait_seconds = 600\n'
QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize("monday", [SPRING, AUTUMN], ids=["spring", "autumn"])
@pytest.mark.parametrize(
    ("zone", "first"),
    [
        # The daemon's own clock changes while it is up.
        ("America/New_York", timedelta(days=-1, minutes=25)),
        # A machine without that change meets another hour than the week before.
        ("UTC", timedelta(hours=9, minutes=25)),
        ("Asia/Tokyo", timedelta(hours=9, minutes=25)),
    ],
)
def test_cron_makes_exactly_one_run_on_the_monday_after_a_clock_change(
    tmp_path: Path, monday: date, zone: str, first: timedelta
) -> None:
    midnight = datetime.combine(monday, time())
    start, opening = ((midnight + at).replace(tzinfo=NEW_YORK).astimezone(UTC) for at in (first, timedelta(hours=10)))
    last = opening + timedelta(minutes=45)
    with cron_daemon(tmp_path, CRONTAB.read_text(), zone, start, settings=SETTINGS) as daemon:
        daemon.wait_until(last)
    ends = daemon.wait_for_jobs()
    starts = [at for at in daemon.starts("analyze") if at <= last]
    quarters = [start + timedelta(minutes=5) + QUARTER * step for step in range((last - start) // QUARTER + 1)]
    # On a loaded machine cron wakes up late by minutes of this clock, and then leaves out what it slept through.
    assert set(starts) <= set(quarters)
    assert len(quarters) - len(set(starts)) <= 1 + len(quarters) // 10
    assert {end for end in ends if end.split()[1] == "analyze"} == {"0 analyze --scheduled -q "}
    with Store.open(daemon.database, mode=Mode.PAPER, account=None, at=last, read_only=True) as store:
        runs = store.runs.select_by_slot("default", monday, is_recorded=True)
        is_late = min(at for at in starts if at >= opening) > opening
        assert [(run.outcome, run.trigger, run.late) for run in runs] == [(Outcome.PROPOSED, Trigger.CRON, is_late)]
        assert len(store.history.summaries(limit=10)) == 1


def test_the_real_crontab_gives_every_byte_back(tmp_path: Path) -> None:
    program = f"{sys.executable} -m spy32 --home {tmp_path}/home schedule"
    original = b"# mine\n\nMAILTO=me\n0 1 * * * x \xff\n# end\n"
    (tmp_path / "original").write_bytes(original)
    script = f"""
        set -e
        mount -t tmpfs none /var/spool/cron/crontabs
        crontab {tmp_path}/original
        {program} install --yes > /dev/null
        crontab -l > {tmp_path}/once
        {program} install --yes
        {program} check > {tmp_path}/checked
        {program} remove --yes > /dev/null
        crontab -l > {tmp_path}/after
    """
    ended = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "the crontab has these lines already\n"), ended.stderr
    assert (tmp_path / "once").read_bytes().startswith(original + BEGIN)
    assert "manage: " in (tmp_path / "checked").read_text()
    assert (tmp_path / "after").read_bytes() == original
