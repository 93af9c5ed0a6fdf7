"""What an experiment is registered with, and how it is renewed when something of that changes."""

from collections.abc import Callable
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING

from spy32.domain.experiments import (
    PROBABILITY_SOURCES,
    Experiment,
    ExperimentTerms,
    PairMetric,
    Reference,
    prompt_of_chooser,
)
from spy32.errors import BadUsage
from spy32.review import betting
from spy32.rules.plan import time_exit_dte
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.store import Store

Fingerprint = Callable[[str], str]
"""Chooser -> what its choices depend on; `BadUsage` for one that there is not."""


def build_terms(  # noqa: PLR0913 - what is laid down
    champion: str,
    challenger: str,
    metric: PairMetric,
    *,
    weeks: int,
    profile: str,
    settings: Settings,
    fingerprint: Fingerprint,
) -> ExperimentTerms:
    """Return the terms; `settings` are those of the profile. Raises `BadUsage` for two that cannot be compared."""
    if champion == challenger:
        raise BadUsage(f"{champion} cannot be compared with itself")
    if challenger in tuple(Reference):
        raise BadUsage(f"{challenger} chooses nothing; it can be the champion only")
    if (metric is PairMetric.SCORE) != (champion in PROBABILITY_SOURCES):
        raise BadUsage("a probability is scored against market or history, with --metric score, and a result is not")
    if metric is PairMetric.SCORE and prompt_of_chooser(challenger) is None:
        raise BadUsage(f"{challenger} states no probability of its own")
    dte = settings.dte.default
    days = dte - time_exit_dte(dte, settings) if metric is PairMetric.PLAN else dte
    return ExperimentTerms(
        champion=champion,
        challenger=challenger,
        metric=metric,
        profile=profile,
        weeks=weeks,
        streams=max(ceil(days / 7), 1),
        level=betting.LEVEL,
        bets=tuple(betting.BETS.tolist()),
        fingerprints={each: fingerprint(each) for each in (champion, challenger) if each not in tuple(Reference)},
    )


def renew_changed(
    store: "Store", profile: str, settings: Settings, fingerprint: Fingerprint, at: datetime
) -> list[tuple[Experiment, Experiment]]:
    """End each experiment of the profile whose terms have changed and register another; return both, oldest first."""
    renewed = []
    for experiment in store.experiments.select():
        old = experiment.terms
        if old.profile != profile or not experiment.is_running(at):
            continue
        new = build_terms(
            old.champion, old.challenger, old.metric, weeks=old.weeks, profile=profile, settings=settings,
            fingerprint=fingerprint,
        )  # fmt: skip
        if new != old:
            renewed.append((experiment, store.experiments.renew(experiment, new, at)))
    return renewed
