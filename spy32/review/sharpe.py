"""The probabilistic Sharpe ratio and the minimum track record length of a list of trades.

Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2) (2012). The kurtosis is the
plain one; with excess kurtosis the same formula would be wrong by 3/4 of the squared ratio.
"""

from math import ceil, sqrt
from statistics import NormalDist

from spy32.domain.report import SharpeRatio
from spy32.options.normal import Floats
from spy32.review.betting import MIN_OUTCOMES

CONFIDENCE = 0.95
"""Of the minimum track record length, as in the paper."""
LEAST_DEVIATION = 1e-6
"""Equal results differ by rounding alone; a cent of a maximum loss of $10,000 is 1e-6."""
LEAST_VARIANCE = 1e-9
"""The variance is never negative, and zero only of results that take two values."""


def sharpe_ratio(results: Floats) -> SharpeRatio | None:
    """Return the ratio of results of shape (n,), shares of the maximum loss; None of too few or of equal ones."""
    deviation = float(results.std(ddof=1)) if len(results) >= MIN_OUTCOMES else 0.0
    if not deviation > LEAST_DEVIATION:
        return None
    ratio, distances = float(results.mean()) / deviation, results - results.mean()
    spread = float((distances**2).mean())
    skew, kurtosis = float((distances**3).mean()) / spread**1.5, float((distances**4).mean()) / spread**2
    return SharpeRatio(
        count=len(results),
        ratio=ratio,
        skew=skew,
        kurtosis=kurtosis,
        probabilistic=probabilistic_ratio(ratio, len(results), skew, kurtosis),
        needed=needed_trades(ratio, skew, kurtosis) if ratio > 0 else None,
    )


def probabilistic_ratio(ratio: float, count: int, skew: float, kurtosis: float) -> float:
    """Return the probability that the long run's ratio is above zero, by so many independent trades."""
    return NormalDist().cdf(ratio * sqrt(count - 1) / sqrt(_ratio_variance(ratio, skew, kurtosis)))


def needed_trades(ratio: float, skew: float, kurtosis: float) -> int:
    """Return how many independent trades show a ratio above zero with `CONFIDENCE`; the ratio is positive."""
    quantile = NormalDist().inv_cdf(CONFIDENCE)
    return ceil(1.0 + _ratio_variance(ratio, skew, kurtosis) * (quantile / ratio) ** 2)


def _ratio_variance(ratio: float, skew: float, kurtosis: float) -> float:
    """Variance of the estimated ratio, times n - 1."""
    return max(1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2, LEAST_VARIANCE)
