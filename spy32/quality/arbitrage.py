"""No-arbitrage gates: price bounds, monotone and convex prices, put-call parity, and the spot against parity."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import combinations, pairwise
from typing import NamedTuple

from spy32.domain.market import OptionQuote, Right
from spy32.domain.value import value
from spy32.quality.common import (
    BAND,
    PARITY_BAND,
    REFERENCE_SPOT,
    GateContext,
    GateResult,
    PutCallPair,
    Quotes,
    half_spread,
    median,
    mid,
    passed_gate,
    percent,
    pluralise,
    put_call_pairs,
    skipped_gate,
    stopped_gate,
    warned_gate,
)
from spy32.sessions import session, years_to_expiration

SLACK = 0.05
"""Dollars at the reference spot. It allows for rounding to cents, and for quotes that are not of exactly one moment."""
MAX_OUT_OF_ORDER, SEARCH_LIMIT = 5, 40
"""More out-of-order quotes than the first near the money mean that the source is wrong (our choice). The search for
them gives up at the second."""
MIN_PAIRS = 5
"""Fewest pairs for a forward: the medians then ignore two bad ones."""
PARITY_BAND_STEPS = 3
"""Strike steps to either side that parity uses at least: on a cheap share, five pairs do not fit into `PARITY_BAND`."""
MAX_FORWARD_RANGE = 0.0005
"""Largest range of the forwards over strikes, a fraction of the forward, beyond their half-spreads (our choice)."""
MAX_SHARE_OFF = 0.10
"""Largest share of pairs that may be off by more than their half-spreads (our choice)."""
MAX_TILT = 0.05
"""Largest slope of the parity forward over strikes, dollars per dollar. Early exercise of American options causes it;
the largest measured on our chains is 0.033."""
SPOT_TOLERANCE = 0.003
"""Largest difference between parity spot and quoted spot, a fraction. Both come from one document (our choice)."""
SPOT_TOLERANCE_AFTER_CLOSE = 0.005
"""The same after the close of the shares: options are quoted for 15 more minutes while the share price stands still."""
MAX_DIVIDEND_YIELD = 0.02
"""Fraction a year, an upper bound for dividends that are not known."""
EPSILON = 1e-9
"""Dollars, for the rounding of float differences."""


# Bounds.


def check_bounds(quotes: Quotes, context: GateContext) -> GateResult:
    """Drop quotes whose mid is below the discounted intrinsic value or above the most that the option can pay.

    The intrinsic value uses the parity forward, so the bound is valid for European and American options.
    """
    limit = f"intrinsic value − ${SLACK * context.scale:.2f} to the whole underlying or strike"
    line = forward_line(put_call_pairs(quotes), context)
    if line is None:
        return skipped_gate("bounds", limit, "no forward from parity"), quotes
    remaining = tuple(quote for quote in quotes if _is_within_bounds(quote, line.forward, context))
    count = len(quotes) - len(remaining)
    figure = f"{pluralise(count, 'quote')} outside"
    return passed_gate("bounds", figure, limit, "dropped" if count else ""), remaining


def _is_within_bounds(quote: OptionQuote, forward: float, context: GateContext) -> bool:
    strike, price = float(quote.strike), mid(quote)
    slack = SLACK * context.scale + half_spread(quote)
    is_call = quote.right is Right.CALL
    intrinsic = context.discount * ((forward - strike) if is_call else (strike - forward))
    upper_bound = max(context.spot, forward) if is_call else strike
    return intrinsic - slack <= price <= upper_bound


# Shape.


class _CurvePoint(NamedTuple):
    strike: float
    mid: float
    half: float
    quote: OptionQuote


def check_shape(quotes: Quotes, context: GateContext) -> GateResult:
    """Drop quotes that break the shape over strikes: call mids fall and put mids rise, never faster than the strike,
    and both are convex. Stop when too many near the money do."""
    out_of_order = [
        point
        for right in Right
        for point in _points_out_of_order(_curve_points(quotes, right, context.spot), right, context.spot)
    ]
    near = sum(context.is_within(point.quote, BAND) for point in out_of_order)
    is_endless = len(out_of_order) >= SEARCH_LIMIT
    figure = (
        f"{len(out_of_order)}{' or more' * is_endless} quotes out of order, {near} within {percent(BAND)} of the spot"
    )
    limit = f"at most {MAX_OUT_OF_ORDER} within {percent(BAND)} of the spot; each is dropped"
    gate = (passed_gate if near <= MAX_OUT_OF_ORDER and not is_endless else stopped_gate)("shape", figure, limit)
    dropped_ids = {id(point.quote) for point in out_of_order}
    return gate, tuple(quote for quote in quotes if id(quote) not in dropped_ids)


def _curve_points(quotes: Quotes, right: Right, spot: float) -> list[_CurvePoint]:
    """Return one side from slightly in the money outward. Deeper in the money, quotes are too wide to show an order."""
    low, high = (spot * (1 - PARITY_BAND), math.inf) if right is Right.CALL else (0.0, spot * (1 + PARITY_BAND))
    return [
        _CurvePoint(float(quote.strike), mid(quote), half_spread(quote), quote)
        for quote in quotes
        if quote.right is right and low <= float(quote.strike) <= high
    ]


def _points_out_of_order(points: list[_CurvePoint], right: Right, spot: float) -> list[_CurvePoint]:
    """Return the points to remove until the rest is in order, worst first, at most `SEARCH_LIMIT`."""
    slack = SLACK * spot / REFERENCE_SPOT
    removed: list[_CurvePoint] = []
    while len(removed) < SEARCH_LIMIT:
        weights = _violation_weights(points, right, slack)
        if not weights:
            break
        worst = max(weights, key=lambda index: (weights[index], points[index].half, abs(points[index].strike - spot)))
        removed.append(points.pop(worst))
    return removed


def _violation_weights(points: Sequence[_CurvePoint], right: Right, slack: float) -> Mapping[int, float]:
    """Return, by index, how much each point contributes to violations. The middle of a butterfly counts 1.5 times its
    wings, because one wrong middle breaks up to three butterflies."""
    weights: defaultdict[int, float] = defaultdict(float)
    sign = 1 if right is Right.CALL else -1
    for index, (low, high) in enumerate(pairwise(points)):
        if not -EPSILON <= sign * (low.mid - high.mid) <= high.strike - low.strike + EPSILON:
            weights[index] += 1
            weights[index + 1] += 1
    for index, (low, middle, high) in enumerate(zip(points, points[1:], points[2:], strict=False)):
        weight = (high.strike - middle.strike) / (high.strike - low.strike)
        butterfly = weight * low.mid + (1 - weight) * high.mid - middle.mid
        half = weight * low.half + (1 - weight) * high.half + middle.half
        if not butterfly >= -half - slack:
            weights[index] += 1
            weights[index + 1] += 1.5
            weights[index + 2] += 1
    return weights


# Parity.


@value
class ForwardLine:
    """The parity forward over strikes: its value at the money, and each pair's distance from a line, in dollars."""

    forward: float
    residuals: tuple[float, ...]
    half_spreads: tuple[float, ...]

    @property
    def range_share(self) -> float:
        """Range of the residuals, a fraction of the forward."""
        return (max(self.residuals) - min(self.residuals)) / self.forward

    @property
    def half_spread(self) -> float:
        """Median half-spread of a pair, a fraction of the forward."""
        return median(self.half_spreads) / self.forward


def forward_line(
    pairs: Sequence[PutCallPair], context: GateContext, discount: float | None = None
) -> ForwardLine | None:
    """Return the line through F = K + (C − P) / DF of the pairs near the money, with early exercise's tilt removed.

    The line is the Theil-Sen estimator (medians), so a few bad quotes do not move it. None with fewer than `MIN_PAIRS`.
    """
    factor = context.discount if discount is None else discount
    reach = max(PARITY_BAND, PARITY_BAND_STEPS * context.step)
    near = [pair for pair in pairs if abs(pair.strike - context.spot) <= reach * context.spot]
    if len(near) < MIN_PAIRS:
        return None
    points = [(pair.strike, pair.strike + pair.mid_difference / factor) for pair in near]
    slopes = [(high - low) / (above - below) for (below, low), (above, high) in combinations(points, 2)]
    tilt = min(max(median(slopes), -MAX_TILT), MAX_TILT)
    level = [forward - tilt * (strike - context.spot) for strike, forward in points]
    forward = median(level)
    if not forward > 0:
        return None
    return ForwardLine(
        forward=forward,
        residuals=tuple(value - forward for value in level),
        half_spreads=tuple(pair.half_spreads for pair in near),
    )


def check_parity(quotes: Quotes, context: GateContext) -> GateResult:
    """Stop when calls and puts do not agree on one forward."""
    slack = SLACK * context.scale
    limit = (
        f"{percent(1 - MAX_SHARE_OFF)} of pairs within half-spreads + ${slack:.2f}, range "
        f"{percent(MAX_FORWARD_RANGE, 2)} + half-spread"
    )
    line = forward_line(put_call_pairs(quotes), context)
    if line is None:
        return stopped_gate("parity", f"fewer than {MIN_PAIRS} pairs near the spot", limit), quotes
    count = len(line.residuals)
    outliers = sum(not abs(off) <= half + slack for off, half in zip(line.residuals, line.half_spreads, strict=True))
    max_range = MAX_FORWARD_RANGE + line.half_spread
    figure = (
        f"forward {line.forward:.2f}, {outliers} of {count} pairs off, range {percent(line.range_share, 3)} of "
        f"{percent(max_range, 3)}"
    )
    if not (outliers <= MAX_SHARE_OFF * count and line.range_share <= max_range):
        return stopped_gate("parity", figure, limit, "calls and puts contradict each other"), quotes
    return (warned_gate if outliers else passed_gate)("parity", figure, limit), quotes


# Spot.


def check_spot(quotes: Quotes, context: GateContext) -> GateResult:
    """Stop when the quoted spot is not the one that the options are priced from.

    Parity gives F; the parity spot is F x DF + PV(dividends). An ex-date shortly before the expiration makes it
    inexact, because a holder may exercise the call to receive the dividend. An expiration before the ex-date is then
    checked too.
    """
    spots = [parity_spot for parity_spot in _parity_spots(quotes, context) if parity_spot is not None]
    hours = session(context.today)
    # Options are quoted for 15 more minutes.
    is_after_close = (
        context.snapshot.is_recorded and hours is not None and hours.close < context.now <= hours.option_close
    )
    tolerance = SPOT_TOLERANCE_AFTER_CLOSE if is_after_close else SPOT_TOLERANCE
    limit = f"±{percent(tolerance, 2)} of {context.spot:.2f}"
    if not spots:
        return skipped_gate("spot", limit, "no forward from parity"), quotes
    worst = max(spots, key=lambda parity_spot: abs(parity_spot.gap))
    figure = f"{worst.spot:.2f} by parity of {worst.expiration} ({worst.gap * 100:+.2f} %)"
    low, notes = -tolerance, []
    if context.snapshot.dividends is None:
        low -= MAX_DIVIDEND_YIELD * worst.years
        limit = f"{percent(low, 2)} to +{percent(tolerance, 2)} of {context.spot:.2f}"
        notes.append("dividends unknown: forward discounted, up to 2 % a year allowed for them")
    if is_after_close:
        notes.append("the shares closed before these quotes")
    if not low <= worst.gap <= tolerance:
        notes.insert(0, "spot and options are of different times")
        return stopped_gate("spot", figure, limit, "; ".join(notes)), quotes
    is_normal = low + tolerance - SPOT_TOLERANCE <= worst.gap <= SPOT_TOLERANCE
    return (passed_gate if is_normal else warned_gate)("spot", figure, limit, "; ".join(notes)), quotes


@value
class _ParitySpot:
    expiration: date
    spot: float
    gap: float
    """Parity spot over quoted spot, less 1."""
    years: float


def _parity_spots(quotes: Quotes, context: GateContext) -> Iterable[_ParitySpot | None]:
    target = context.snapshot.target
    yield _parity_spot(quotes, target, context)
    ex_dates = [dividend.ex_date for dividend in context.snapshot.dividends or () if dividend.ex_date > context.today]
    first = min(ex_dates, default=None)
    if first is None or first > target:
        return
    before = [day for day in context.snapshot.chain.expirations if context.today < day < first]
    if before:
        yield _parity_spot(_expiration_quotes(before[-1], quotes, context), before[-1], context)


def _expiration_quotes(expiration: date, target_quotes: Quotes, context: GateContext) -> Quotes:
    """Return the uncrossed two-sided quotes of another expiration, of the target's root."""
    roots = {quote.root for quote in target_quotes}
    return tuple(
        quote
        for quote in context.snapshot.chain.quotes
        if quote.expiration == expiration and quote.root in roots and quote.bid is not None and quote.ask is not None
        if 0 < quote.bid < quote.ask
    )


def _parity_spot(quotes: Quotes, expiration: date, context: GateContext) -> _ParitySpot | None:
    years = years_to_expiration(context.now, expiration)
    rate = -math.log(context.discount) / context.years if context.years > 0 else 0.0
    discount = math.exp(-rate * years)
    line = forward_line(put_call_pairs(quotes), context, discount)
    if line is None:
        return None
    dividends_value = sum(
        float(dividend.amount) * math.exp(-rate * (dividend.ex_date - context.today).days / 365)
        for dividend in context.snapshot.dividends or ()
        if context.today < dividend.ex_date <= expiration
    )
    implied_spot = line.forward * discount + dividends_value
    return _ParitySpot(expiration=expiration, spot=implied_spot, gap=implied_spot / context.spot - 1, years=years)
