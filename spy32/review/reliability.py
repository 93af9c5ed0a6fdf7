"""How good the stated probabilities of expiring worthless were, by source."""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np

from spy32.domain.report import Reliability, ReliabilityPoint
from spy32.options.bootstrap import Resamples
from spy32.options.history import Ints
from spy32.options.normal import Floats
from spy32.records.report import StatedAnswer, StatedCandidate
from spy32.review.bounds import share_bounds, week_numbers, weekly_means
from spy32.review.scores import brier_parts, isotonic_fit

MAX_STEPS = 10
"""Steps of the line: each holds at least so large a part of the outcomes, since CORP ends with steps of one or two."""
MIN_STEP = 10
"""Fewest outcomes of a step, and fewest weeks that they come from."""
BLOCK_WEEKS = 8
"""Trades of 32 days overlap in four or five Mondays; volatility lasts longer. As in `proofs/calibration.py`."""
SEED = 32

Case = tuple[str, int, float]
"""Day of the run, whether it came true, and its stated probability."""


def source_reliability(
    candidates: Sequence[StatedCandidate], answers: Sequence[StatedAnswer], streams: int
) -> tuple[Reliability, ...]:
    """Return the reliability of market and history over all candidates, and of each model over its own picks.

    No spread lasts longer than `streams` weeks.
    """
    cases: dict[str, list[Case]] = {
        "market": [(each.day, each.worthless, each.market) for each in candidates if each.market is not None],
        "history": [(each.day, each.worthless, each.history) for each in candidates if each.history is not None],
    }
    for each in answers:
        if each.stated is not None and each.worthless is not None and each.prompt is not None:
            cases.setdefault(f"{each.analyst} {each.prompt}", []).append((each.day, each.worthless, each.stated))
    return tuple(_reliability(source, found, streams) for source, found in cases.items() if found)


def _reliability(source: str, cases: Sequence[Case], streams: int) -> Reliability:
    days, came_true, stated = zip(*cases, strict=True)
    weeks = week_numbers([date.fromisoformat(day) for day in days])
    outcomes, probabilities = np.array(came_true, dtype=np.float64), np.array(stated, dtype=np.float64)
    parts, share = brier_parts(probabilities, outcomes), share_bounds(outcomes, weeks, streams)
    assert share is not None
    return Reliability(
        source=source,
        event="expires worthless",
        count=len(cases),
        weeks=len(set(weeks.tolist())),
        brier=parts.brier,
        # Neither is negative but for rounding.
        miscalibration=max(parts.miscalibration, 0.0),
        discrimination=max(parts.discrimination, 0.0),
        uncertainty=parts.uncertainty,
        stated=float(np.nanmean(weekly_means(probabilities, weeks))),
        came_true=share,
        points=tuple(_points(probabilities, outcomes, weeks)),
    )


def _points(stated: Floats, outcomes: Floats, weeks: Ints) -> Iterator[ReliabilityPoint]:
    """Yield the steps of the CORP line, with the band that its weeks allow; none where that is unknown."""
    order = np.argsort(stated, kind="stable")
    fit = isotonic_fit(stated, outcomes)[order]
    least = max(len(order) // MAX_STEPS, MIN_STEP)
    ends = np.flatnonzero(np.diff(fit, append=np.inf) > 0) + 1
    start = 0
    for end in ends.tolist():
        if end - start < least or 0 < len(order) - end < least:
            continue
        step = order[start:end]
        start = end
        band = _band(outcomes[step], weeks[step])
        if band is not None:
            yield ReliabilityPoint(
                stated=float(stated[step].mean()),
                came_true=float(outcomes[step].mean()),
                low=band[0],
                high=band[1],
                count=len(step),
            )


def _band(outcomes: Floats, weeks: Ints) -> tuple[float, float] | None:
    """Return the ends of 90 % of the shares of resampled blocks of weeks; None of too few weeks.

    It covers less than that of trades that overlap, and of one look; it is the width of a line and no interval.
    """
    _, places = np.unique(weeks, return_inverse=True)
    counts = np.bincount(places).astype(np.float64)
    if len(counts) < MIN_STEP:
        return None
    means = np.bincount(places, weights=outcomes) / counts
    low, high = Resamples.draw(len(counts), BLOCK_WEEKS, SEED).intervals(means[None, :], counts)
    return max(float(low[0]), 0.0), min(float(high[0]), 1.0)
