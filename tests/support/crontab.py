"""The crontab that ships, and the machine zones in which it must hold."""

from spy32.ops.cron import CronJob, parse_crontab
from tests.support.paths import ROOT

CRONTAB = ROOT / "crontab.example"
ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo", "Australia/Sydney")


def example_job() -> CronJob:
    """The line of crontab.example that starts the run."""
    (job,) = parse_crontab(CRONTAB.read_text()).jobs_of("analyze")
    return job
