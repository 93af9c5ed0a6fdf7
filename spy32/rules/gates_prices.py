"""Gates on prices against each other: bounds, shape over strikes, put-call parity, the spot of the same document."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from spy32.domain.market import Gate, OptionQuote, Right
from spy32.rules.gate_parts import (
    BAND,
    NEAR,
    REFERENCE_SPOT,
    Grounds,
    Looked,
    Pair,
    Quotes,
    counted,
    half_spread,
    kept,
    median,
    mid,
    pairs,
    passed,
    percent,
    skipped,
    stopped,
    warned,
)
from spy32.rules.gates_time import shares_close
from spy32.sessions import years_to_expiration

SLACK = 0.05
"""Dollars at the reference spot: what cents, and quotes that are not quite of one moment, do to a sum of mids."""
MOST_BENT, GIVEN_UP = 5, 40
"""Quotes that may break the shape near the money before the source is not believed; so many that looking on is idle."""
PAIRS = 5
NEAR_STEPS = 3
"""On the grid of a cheap share five pairs lie farther from the money than `NEAR`."""
RANGE = 0.0005
"""Of the forward: how far its values over strikes may lie apart, beside their own half-spreads."""
MOST_OFF = 0.10
"""Share of pairs that may be off by more than their half-spreads."""
TILT = 0.05
"""Early exercise tilts the parity of American options across strikes, by up to 0.033 dollars a dollar on our chains."""
SPOT = 0.003
SPOT_AFTER_CLOSE = 0.005
"""Options quote for a quarter of an hour after the close of the shares, whose price then stands still."""
LARGEST_YIELD = 0.02
"""A year: bounds dividends that are not known."""
EPSILON = 1e-9


# Bounds.


def bounds(quotes: Quotes, grounds: Grounds) -> Looked:
    """No option is worth less than its discounted intrinsic value or more than what it can ever pay.

    The intrinsic value is of the parity forward, so it holds for European and American options alike.
    """
    limit = f"intrinsic value − ${SLACK * grounds.scale:.2f} to the whole underlying or strike"
    line = forward_line(pairs(quotes), grounds)
    if line is None:
        return Looked(gate=skipped("bounds", limit, "no forward from parity"), quotes=quotes)
    left = [quote for quote in quotes if _is_bounded(quote, line.forward, grounds)]
    lost = len(quotes) - len(left)
    return kept(passed("bounds", f"{counted(lost, 'quote')} outside", limit, "dropped" if lost else ""), quotes, left)


def _is_bounded(quote: OptionQuote, forward: float, grounds: Grounds) -> bool:
    strike, price = float(quote.strike), mid(quote)
    slack = SLACK * grounds.scale + half_spread(quote)
    is_call = quote.right is Right.CALL
    intrinsic = grounds.discount * ((forward - strike) if is_call else (strike - forward))
    most = max(grounds.spot, forward) if is_call else strike
    return intrinsic - slack <= price <= most


# Shape.


@dataclass(frozen=True, slots=True)
class _Knot:
    strike: float
    mid: float
    half: float
    quote: OptionQuote


def shape(quotes: Quotes, grounds: Grounds) -> Looked:
    """Where legs are chosen, call mids fall and put mids rise, never faster than the strike, and both bend upward."""
    bent = [knot for right in Right for knot in _bent(_knots(quotes, right, grounds.spot), right, grounds.spot)]
    near = sum(grounds.is_within(knot.quote, BAND) for knot in bent)
    is_endless = len(bent) >= GIVEN_UP
    figure = f"{len(bent)}{' or more' * is_endless} quotes out of order, {near} within {percent(BAND)} of the spot"
    limit = f"at most {MOST_BENT} within {percent(BAND)} of the spot; each is dropped"
    gate = (passed if near <= MOST_BENT and not is_endless else stopped)("shape", figure, limit)
    gone = {id(knot.quote) for knot in bent}
    return kept(gate, quotes, (quote for quote in quotes if id(quote) not in gone))


def _knots(quotes: Quotes, right: Right, spot: float) -> list[_Knot]:
    """One side from a little in the money outward; farther in, wide quotes say nothing about order."""
    low, high = (spot * (1 - NEAR), math.inf) if right is Right.CALL else (0.0, spot * (1 + NEAR))
    return [
        _Knot(float(quote.strike), mid(quote), half_spread(quote), quote)
        for quote in quotes
        if quote.right is right and low <= float(quote.strike) <= high
    ]


def _bent(knots: list[_Knot], right: Right, spot: float) -> list[_Knot]:
    """What has to go until the rest is in order, worst first; it gives up on a side where nothing fits."""
    slack = SLACK * spot / REFERENCE_SPOT
    found: list[_Knot] = []
    while len(found) < GIVEN_UP:
        blame = _blame(knots, right, slack)
        if not blame:
            break
        worst = max(blame, key=lambda place: (blame[place], knots[place].half, abs(knots[place].strike - spot)))
        found.append(knots.pop(worst))
    return found


def _blame(knots: Sequence[_Knot], right: Right, slack: float) -> Mapping[int, float]:
    """How much each place has to do with what is out of order. The middle of a butterfly more than its wings."""
    blame: dict[int, float] = {}
    sign = 1 if right is Right.CALL else -1
    for place, (low, high) in enumerate(pairwise(knots)):
        value = sign * (low.mid - high.mid)
        if not -EPSILON <= value <= high.strike - low.strike + EPSILON:
            _add(blame, {place: 1, place + 1: 1})
    for place, (low, middle, high) in enumerate(zip(knots, knots[1:], knots[2:], strict=False)):
        weight = (high.strike - middle.strike) / (high.strike - low.strike)
        butterfly = weight * low.mid + (1 - weight) * high.mid - middle.mid
        half = weight * low.half + (1 - weight) * high.half + middle.half
        if not butterfly >= -half - slack:
            _add(blame, {place: 1, place + 1: 1.5, place + 2: 1})
    return blame


def _add(blame: dict[int, float], more: Mapping[int, float]) -> None:
    for place, weight in more.items():
        blame[place] = blame.get(place, 0) + weight


# Parity.


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The forward by parity over strikes: its value at the money and what each pair is off from a straight line."""

    forward: float
    off: tuple[float, ...]
    half_spreads: tuple[float, ...]

    @property
    def spread(self) -> float:
        """Of the values around the line, as a share of the forward."""
        return (max(self.off) - min(self.off)) / self.forward

    @property
    def half_spread(self) -> float:
        """The usual one of a pair, as a share of the forward."""
        return median(self.half_spreads) / self.forward


def forward_line(of: Sequence[Pair], grounds: Grounds, discount: float | None = None) -> Line | None:
    """F = K + (C − P) / DF for each pair near the money, with the tilt that early exercise gives them taken out.

    The line is Theil and Sen's: medians, so that a few bad quotes do not move it. None with too few pairs.
    """
    factor = grounds.discount if discount is None else discount
    reach = max(NEAR, NEAR_STEPS * grounds.step)
    near = [pair for pair in of if abs(pair.strike - grounds.spot) <= reach * grounds.spot]
    if len(near) < PAIRS:
        return None
    values = [pair.strike + pair.difference / factor for pair in near]
    slopes = [
        (values[j] - values[i]) / (near[j].strike - near[i].strike)
        for i in range(len(near))
        for j in range(i + 1, len(near))
    ]
    tilt = min(max(median(slopes), -TILT), TILT)
    level = [value - tilt * (pair.strike - grounds.spot) for value, pair in zip(values, near, strict=True)]
    forward = median(level)
    if not forward > 0:
        return None
    return Line(
        forward=forward,
        off=tuple(value - forward for value in level),
        half_spreads=tuple(pair.half_spreads for pair in near),
    )


def parity(quotes: Quotes, grounds: Grounds) -> Looked:
    """Calls and puts tell one forward."""
    slack = SLACK * grounds.scale
    limit = (
        f"{percent(1 - MOST_OFF)} of pairs within half-spreads + ${slack:.2f}, range {percent(RANGE, 2)} + half-spread"
    )
    line = forward_line(pairs(quotes), grounds)
    if line is None:
        gate = stopped("parity", f"fewer than {PAIRS} pairs near the spot", limit)
        return Looked(gate=gate, quotes=quotes)
    count = len(line.off)
    bad = sum(not abs(off) <= half + slack for off, half in zip(line.off, line.half_spreads, strict=True))
    most = RANGE + line.half_spread
    figure = (
        f"forward {line.forward:.2f}, {bad} of {count} pairs off, range {percent(line.spread, 3)} of {percent(most, 3)}"
    )
    if not (bad <= MOST_OFF * count and line.spread <= most):
        return Looked(gate=stopped("parity", figure, limit, "calls and puts contradict each other"), quotes=quotes)
    return Looked(gate=(warned if bad else passed)("parity", figure, limit), quotes=quotes)


# Spot.


def spot(quotes: Quotes, grounds: Grounds) -> Looked:
    """The spot of the document is the one that its options are priced from.

    Parity gives F, and F x DF + PV(dividends) a spot. An ex-date shortly before the expiration blurs that, since a
    holder may exercise the call and take the dividend; then an expiration before the ex-date is read too.
    """
    readings = [reading for reading in _readings(quotes, grounds) if reading is not None]
    late = grounds.snapshot.is_recorded and shares_close(grounds.now) is not None
    most = SPOT_AFTER_CLOSE if late else SPOT
    limit = f"±{percent(most, 2)} of {grounds.spot:.2f}"
    if not readings:
        return Looked(gate=skipped("spot", limit, "no forward from parity"), quotes=quotes)
    return Looked(
        gate=_agrees(max(readings, key=lambda reading: abs(reading.gap)), limit, most, grounds), quotes=quotes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    expiration: date
    spot: float
    gap: float
    """Of the parity spot from the document's, fraction of the latter."""
    years: float


def _agrees(worst: _Reading, limit: str, most: float, grounds: Grounds) -> Gate:
    figure = f"{worst.spot:.2f} by parity of {worst.expiration} ({worst.gap * 100:+.2f} %)"
    low, notes = -most, []
    if grounds.snapshot.dividends is None:
        low -= LARGEST_YIELD * worst.years
        limit = f"{percent(low, 2)} to +{percent(most, 2)} of {grounds.spot:.2f}"
        notes.append("dividends unknown: forward discounted, up to 2 % a year allowed for them")
    if most > SPOT:
        notes.append("the shares closed before these quotes")
    if not low <= worst.gap <= most:
        return stopped("spot", figure, limit, "; ".join(["spot and options are of different times", *notes]))
    within = low + most - SPOT <= worst.gap <= SPOT
    return (passed if within else warned)("spot", figure, limit, "; ".join(notes))


def _readings(quotes: Quotes, grounds: Grounds) -> Iterable[_Reading | None]:
    target = grounds.snapshot.target
    yield _reading(quotes, target, grounds)
    ex_dates = [dividend.ex_date for dividend in grounds.snapshot.dividends or () if dividend.ex_date > grounds.today]
    first = min(ex_dates, default=None)
    if first is None or first > target:
        return
    before = [day for day in grounds.snapshot.chain.expirations if grounds.today < day < first]
    if before:
        yield _reading(_of(before[-1], quotes, grounds), before[-1], grounds)


def _of(expiration: date, taken: Quotes, grounds: Grounds) -> Quotes:
    """The open quotes of another expiration, of the root that the target's have."""
    roots = {quote.root for quote in taken}
    return tuple(
        quote
        for quote in grounds.snapshot.chain.quotes
        if quote.expiration == expiration and quote.root in roots and quote.bid is not None and quote.ask is not None
        if 0 < quote.bid < quote.ask
    )


def _reading(quotes: Quotes, expiration: date, grounds: Grounds) -> _Reading | None:
    years = years_to_expiration(grounds.now, expiration)
    rate = -math.log(grounds.discount) / grounds.years if grounds.years > 0 else 0.0
    discount = math.exp(-rate * years)
    line = forward_line(pairs(quotes), grounds, discount)
    if line is None:
        return None
    paid = sum(
        float(dividend.amount) * math.exp(-rate * (dividend.ex_date - grounds.today).days / 365)
        for dividend in grounds.snapshot.dividends or ()
        if grounds.today < dividend.ex_date <= expiration
    )
    implied = line.forward * discount + paid
    return _Reading(expiration=expiration, spot=implied, gap=implied / grounds.spot - 1, years=years)
