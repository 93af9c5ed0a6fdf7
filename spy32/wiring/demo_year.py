"""The home of `demo --year`: 52 Mondays of 2022 in simulated time, with a registered experiment and their outcomes."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from spy32.domain.experiments import PairMetric
from spy32.review.registration import build_terms
from spy32.sessions import Session, week_start
from spy32.wiring.analysts import chooser_fingerprint
from spy32.wiring.synthetic import SyntheticApp, SyntheticYear

FIRST = date(2022, 1, 3)
"""A year with falls, calm and a VIX between 19 and 37, so that trades end in every way."""
WEEKS = 52
HORIZON = 260
"""Weeks of the experiment, as `experiments register` has them."""
SETTINGS = """[analyst]
name = "rules"
[exit]
authorise = "plan"
"""
"""The fixed rule chooses, since the demo has no model; the approval of an opening covers its exits."""
AFTER_OPEN, BEFORE_CLOSE = timedelta(minutes=30), timedelta(minutes=45)
"""The weekly slot at 10:00, and `manage` once a day while a close can still be worked."""


def make_demo_year(home: Path, show_progress: Callable[[tuple[str, ...]], None]) -> None:
    """Fill the home, and leave its clock at the end of the year.

    `show_progress` is told each session, and nothing at the end, so that its line goes.
    """
    config = home / "config.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    app = SyntheticApp(home, FIRST)
    try:
        _register_experiment(app)
        SyntheticYear(app, start_times).run(WEEKS, lambda day: show_progress((f"synthetic year: {day:%B %Y}",)))
        show_progress(("synthetic year: what came of every candidate",))
        app.compute_outcomes()
        now = app.clock().astimezone(UTC)
    finally:
        app.close()
        show_progress(())
    config.write_text(f"clock = {now:%Y-%m-%dT%H:%M:%SZ}\n{SETTINGS}", encoding="utf-8")


def _register_experiment(app: SyntheticApp) -> None:
    """The trend rule against the fixed rule: the demo has no model to ask, and both are asked at every run."""
    settings = app.settings
    terms = build_terms(
        "rules",
        "trend",
        PairMetric.EXPIRY,
        weeks=HORIZON,
        profile="default",
        settings=settings,
        fingerprint=lambda chooser: chooser_fingerprint(chooser, settings),
    )
    app.store().experiments.register(terms, app.clock())


def start_times(hours: Session) -> Iterator[datetime]:
    """When the programs start in a session."""
    if hours.day == week_start(hours.day):
        yield hours.open + AFTER_OPEN
    yield hours.option_close - BEFORE_CLOSE
