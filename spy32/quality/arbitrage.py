"""Gates on prices against each other: bounds, shape over strikes, put-call parity, the spot of the same document."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from spy32.domain.market import Gate, OptionQuote, Right
from spy32.domain.value import value
from spy32.quality.common import (
    BAND,
    PARITY_BAND,
    REFERENCE_SPOT,
    GateContext,
    GateResult,
    PutCallPair,
    Quotes,
    filter_result,
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
from spy32.quality.freshness import options_only_session
from spy32.sessions import years_to_expiration

SLACK = 0.05
"""Dollars at the reference spot: what cents, and quotes that are not quite of one moment, do to a sum of mids."""
MAX_OUT_OF_ORDER, SEARCH_LIMIT = 5, 40
"""Quotes that may break the shape near the money before the source is not believed; so many that looking on is idle."""
MIN_PAIRS = 5
PARITY_BAND_STEPS = 3
"""On the grid of a cheap share five pairs lie farther from the money than `NEAR`."""
MAX_FORWARD_RANGE = 0.0005
"""Of the forward: how far its values over strikes may lie apart, beside their own half-spreads."""
MAX_SHARE_OFF = 0.10
"""Share of pairs that may be off by more than their half-spreads."""
MAX_TILT = 0.05
"""Early exercise tilts the parity of American options across strikes, by up to 0.033 dollars a dollar on our chains."""
SPOT_TOLERANCE = 0.003
SPOT_TOLERANCE_AFTER_CLOSE = 0.005
"""Options quote for a quarter of an hour after the close of the shares, whose price then stands still."""
MAX_DIVIDEND_YIELD = 0.02
"""A year: bounds dividends that are not known."""
EPSILON = 1e-9


# Bounds.


def check_bounds(quotes: Quotes, context: GateContext) -> GateResult:
    """No option is worth less than its discounted intrinsic value or more than what it can ever pay.

    The intrinsic value is of the parity forward, so it holds for European and American options alike.
    """
    limit = f"intrinsic value − ${SLACK * context.scale:.2f} to the whole underlying or strike"
    line = forward_line(put_call_pairs(quotes), context)
    if line is None:
        return GateResult(gate=skipped_gate("bounds", limit, "no forward from parity"), quotes=quotes)
    remaining = [quote for quote in quotes if _is_within_bounds(quote, line.forward, context)]
    count = len(quotes) - len(remaining)
    return filter_result(
        passed_gate("bounds", f"{pluralise(count, 'quote')} outside", limit, "dropped" if count else ""),
        quotes,
        remaining,
    )


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
    """Where legs are chosen, call mids fall and put mids rise, never faster than the strike, and both bend upward."""
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
    return filter_result(gate, quotes, (quote for quote in quotes if id(quote) not in dropped_ids))


def _curve_points(quotes: Quotes, right: Right, spot: float) -> list[_CurvePoint]:
    """One side from a little in the money outward; farther in, wide quotes say nothing about order."""
    low, high = (spot * (1 - PARITY_BAND), math.inf) if right is Right.CALL else (0.0, spot * (1 + PARITY_BAND))
    return [
        _CurvePoint(float(quote.strike), mid(quote), half_spread(quote), quote)
        for quote in quotes
        if quote.right is right and low <= float(quote.strike) <= high
    ]


def _points_out_of_order(points: list[_CurvePoint], right: Right, spot: float) -> list[_CurvePoint]:
    """What has to go until the rest is in order, worst first; it gives up on a side where nothing fits."""
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
    """How much each place has to do with what is out of order. The middle of a butterfly more than its wings."""
    weights: dict[int, float] = {}
    sign = 1 if right is Right.CALL else -1
    for index, (low, high) in enumerate(pairwise(points)):
        value = sign * (low.mid - high.mid)
        if not -EPSILON <= value <= high.strike - low.strike + EPSILON:
            _add_weights(weights, {index: 1, index + 1: 1})
    for index, (low, middle, high) in enumerate(zip(points, points[1:], points[2:], strict=False)):
        weight = (high.strike - middle.strike) / (high.strike - low.strike)
        butterfly = weight * low.mid + (1 - weight) * high.mid - middle.mid
        half = weight * low.half + (1 - weight) * high.half + middle.half
        if not butterfly >= -half - slack:
            _add_weights(weights, {index: 1, index + 1: 1.5, index + 2: 1})
    return weights


def _add_weights(weights: dict[int, float], additions: Mapping[int, float]) -> None:
    for index, weight in additions.items():
        weights[index] = weights.get(index, 0) + weight


# Parity.


@value
class ForwardLine:
    """The forward by parity over strikes: its value at the money and what each pair is off from a straight line."""

    forward: float
    residuals: tuple[float, ...]
    half_spreads: tuple[float, ...]

    @property
    def range_share(self) -> float:
        """Of the values around the line, as a share of the forward."""
        return (max(self.residuals) - min(self.residuals)) / self.forward

    @property
    def half_spread(self) -> float:
        """The usual one of a pair, as a share of the forward."""
        return median(self.half_spreads) / self.forward


def forward_line(
    pairs: Sequence[PutCallPair], context: GateContext, discount: float | None = None
) -> ForwardLine | None:
    """F = K + (C − P) / DF for each pair near the money, with the tilt that early exercise gives them taken out.

    The line is Theil and Sen's: medians, so that a few bad quotes do not move it. None with too few pairs.
    """
    factor = context.discount if discount is None else discount
    reach = max(PARITY_BAND, PARITY_BAND_STEPS * context.step)
    near = [pair for pair in pairs if abs(pair.strike - context.spot) <= reach * context.spot]
    if len(near) < MIN_PAIRS:
        return None
    values = [pair.strike + pair.mid_difference / factor for pair in near]
    slopes = [
        (values[j] - values[i]) / (near[j].strike - near[i].strike)
        for i in range(len(near))
        for j in range(i + 1, len(near))
    ]
    tilt = min(max(median(slopes), -MAX_TILT), MAX_TILT)
    level = [value - tilt * (pair.strike - context.spot) for value, pair in zip(values, near, strict=True)]
    forward = median(level)
    if not forward > 0:
        return None
    return ForwardLine(
        forward=forward,
        residuals=tuple(value - forward for value in level),
        half_spreads=tuple(pair.half_spreads for pair in near),
    )


def check_parity(quotes: Quotes, context: GateContext) -> GateResult:
    """Calls and puts tell one forward."""
    slack = SLACK * context.scale
    limit = (
        f"{percent(1 - MAX_SHARE_OFF)} of pairs within half-spreads + ${slack:.2f}, range "
        f"{percent(MAX_FORWARD_RANGE, 2)} + half-spread"
    )
    line = forward_line(put_call_pairs(quotes), context)
    if line is None:
        gate = stopped_gate("parity", f"fewer than {MIN_PAIRS} pairs near the spot", limit)
        return GateResult(gate=gate, quotes=quotes)
    count = len(line.residuals)
    outliers = sum(not abs(off) <= half + slack for off, half in zip(line.residuals, line.half_spreads, strict=True))
    max_range = MAX_FORWARD_RANGE + line.half_spread
    figure = (
        f"forward {line.forward:.2f}, {outliers} of {count} pairs off, range {percent(line.range_share, 3)} of "
        f"{percent(max_range, 3)}"
    )
    if not (outliers <= MAX_SHARE_OFF * count and line.range_share <= max_range):
        return GateResult(
            gate=stopped_gate("parity", figure, limit, "calls and puts contradict each other"), quotes=quotes
        )
    return GateResult(gate=(warned_gate if outliers else passed_gate)("parity", figure, limit), quotes=quotes)


# Spot.


def check_spot(quotes: Quotes, context: GateContext) -> GateResult:
    """The spot of the document is the one that its options are priced from.

    Parity gives F, and F x DF + PV(dividends) a spot. An ex-date shortly before the expiration blurs that, since a
    holder may exercise the call and take the dividend; then an expiration before the ex-date is read too.
    """
    spots = [parity_spot for parity_spot in _parity_spots(quotes, context) if parity_spot is not None]
    is_after_share_close = context.snapshot.is_recorded and options_only_session(context.now) is not None
    tolerance = SPOT_TOLERANCE_AFTER_CLOSE if is_after_share_close else SPOT_TOLERANCE
    limit = f"±{percent(tolerance, 2)} of {context.spot:.2f}"
    if not spots:
        return GateResult(gate=skipped_gate("spot", limit, "no forward from parity"), quotes=quotes)
    return GateResult(
        gate=_spot_gate(max(spots, key=lambda parity_spot: abs(parity_spot.gap)), limit, tolerance, context),
        quotes=quotes,
    )


@value
class _ParitySpot:
    expiration: date
    spot: float
    gap: float
    """Of the parity spot from the document's, fraction of the latter."""
    years: float


def _spot_gate(worst: _ParitySpot, limit: str, tolerance: float, context: GateContext) -> Gate:
    figure = f"{worst.spot:.2f} by parity of {worst.expiration} ({worst.gap * 100:+.2f} %)"
    low, notes = -tolerance, []
    if context.snapshot.dividends is None:
        low -= MAX_DIVIDEND_YIELD * worst.years
        limit = f"{percent(low, 2)} to +{percent(tolerance, 2)} of {context.spot:.2f}"
        notes.append("dividends unknown: forward discounted, up to 2 % a year allowed for them")
    if tolerance > SPOT_TOLERANCE:
        notes.append("the shares closed before these quotes")
    if not low <= worst.gap <= tolerance:
        return stopped_gate("spot", figure, limit, "; ".join(["spot and options are of different times", *notes]))
    is_normal = low + tolerance - SPOT_TOLERANCE <= worst.gap <= SPOT_TOLERANCE
    return (passed_gate if is_normal else warned_gate)("spot", figure, limit, "; ".join(notes))


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
    """The open quotes of another expiration, of the root that the target's have."""
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
