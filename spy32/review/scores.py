"""Scores of stated probabilities. Pure numpy.

Probabilities and outcomes (1.0 came true, 0.0 did not) are parallel columns of shape (n,). A score is per forecast and
negatively oriented: smaller is better.
"""

import numpy as np

from spy32.domain.value import value
from spy32.options.normal import Floats

MIN_PROBABILITY = 0.001
"""The log score takes no probability as smaller. A frequency of a few thousand cases can be 0, whose log is infinite,
and says no more than "less than one in a thousand"."""


@value
class BrierParts:
    """The parts of a mean Brier score, which is miscalibration - discrimination + uncertainty.

    CORP (Dimitriadis, Gneiting and Jordan 2021, PNAS 118(8), e2016191118): the recalibrated forecast is the isotonic
    regression of the outcomes on the forecasts, so there are no bins to choose. All three are zero or positive.
    """

    miscalibration: float
    discrimination: float
    uncertainty: float

    @property
    def brier(self) -> float:
        return self.miscalibration - self.discrimination + self.uncertainty


def brier_scores(stated: Floats, outcomes: Floats) -> Floats:
    """Return (stated - outcome)^2."""
    return np.asarray((stated - outcomes) ** 2)


def log_scores(stated: Floats, outcomes: Floats) -> Floats:
    """Return -ln of the probability that was stated for what happened, at least `MIN_PROBABILITY`."""
    return np.asarray(-np.log(np.maximum(np.where(outcomes > 0.5, stated, 1.0 - stated), MIN_PROBABILITY)))


def isotonic_fit(stated: Floats, outcomes: Floats) -> Floats:
    """Return the non-decreasing function of `stated` with the least squared distance to the outcomes, shape (n,).

    Pool-adjacent-violators (Ayer and others 1955): forecasts in rising order, equal ones together; neighbours whose
    means fall are pooled.
    """
    levels, place, counts = np.unique(stated, return_inverse=True, return_counts=True)
    sums = np.bincount(place, weights=outcomes, minlength=len(levels))
    blocks: list[tuple[float, int, int]] = []
    """Sum, count and number of levels of each block."""
    for total, count in zip(sums.tolist(), counts.tolist(), strict=True):
        block = (total, count, 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    means = [total / count for total, count, _ in blocks]
    return np.asarray(np.repeat(means, [width for *_, width in blocks])[place])


def brier_parts(stated: Floats, outcomes: Floats) -> BrierParts:
    """Return the decomposition of the mean Brier score."""
    recalibrated = float(brier_scores(isotonic_fit(stated, outcomes), outcomes).mean())
    uncertainty = float(outcomes.mean() * (1.0 - outcomes.mean()))
    return BrierParts(
        miscalibration=float(brier_scores(stated, outcomes).mean()) - recalibrated,
        discrimination=uncertainty - recalibrated,
        uncertainty=uncertainty,
    )
