"""The crontab that ships, under Debian's real cron daemon, over both changes of New York's clocks."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from spy32.domain.runs import Outcome, Trigger
from spy32.domain.spreads import Mode
from spy32.sessions import NEW_YORK
from spy32.store import Store
from tests.support.cron_daemon import cron_daemon, missing_part
from tests.support.crontab import CRONTAB

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_part() is not None, reason=str(missing_part())),
]
SPRING, AUTUMN = date(2026, 3, 9), date(2026, 11, 2)
"""The Mondays after the clock changes."""
SETTINGS = '[market]\nchain = ["recorded"]\n\n[analyst]\nname = "rules"\n'
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
    assert starts == quarters
    assert {end for end in ends if end.split()[1] == "analyze"} == {"0 analyze --scheduled -q "}
    with Store.open(daemon.database, mode=Mode.PAPER, account=None, at=last, read_only=True) as store:
        runs = store.runs.select_by_slot("default", monday, is_recorded=True)
        # Not late: it was the start of 10:00, and the ones after it found its run.
        assert [(run.outcome, run.trigger, run.late) for run in runs] == [(Outcome.PROPOSED, Trigger.CRON, False)]
        assert len(store.history.summaries(limit=10)) == 1
