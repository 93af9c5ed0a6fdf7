"""What all gates share: their context (the data that they check), their result, and helpers for quotes.

The basis of each gate's threshold is in its module: Cboe's VIX methodology, no arbitrage, filters of the literature on
option returns (Constantinides, Jackwerth and Savov 2013), or our own choice, to be tuned.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from spy32.domain.market import Contract, Gate, MarketSnapshot, OptionQuote, Right, Verdict
from spy32.domain.value import value
from spy32.settings.model import Choice

REFERENCE_SPOT = 600.0
"""Dollars. Dollar thresholds are meant at this price of the underlying (SPY's, when they were chosen) and scale."""
BAND = 0.05
"""Fraction of the spot to either side, within which the quality of a feed is measured (our choice)."""
PARITY_BAND = 0.02
"""Fraction of the spot to either side. Within it calls and puts are both liquid enough for put-call parity."""

GRID_STRIKES = 9
"""Number of strikes nearest the spot whose median distance is the chain's strike step: one at the money, four to each
side."""

Quotes = tuple[OptionQuote, ...]
GateResult = tuple[Gate, Quotes]
"""A gate, and the quotes that pass it."""


@value
class GateContext:
    """The target expiration of a snapshot, with everything that the gates need."""

    snapshot: MarketSnapshot
    now: datetime
    today: date
    years: float
    """Years to the target expiration."""
    discount: float
    """Discount factor to the target expiration."""
    choice: Choice
    step: float = 0.0
    """Distance between strikes near the money, a fraction of the spot: 0.002 on SPY, up to 0.05 on a cheap share."""

    @property
    def spot(self) -> float:
        return self.snapshot.spot

    @property
    def scale(self) -> float:
        """Spot divided by `REFERENCE_SPOT`; dollar thresholds are multiplied by it."""
        return self.spot / REFERENCE_SPOT

    def is_within(self, quote: OptionQuote, share: float) -> bool:
        """Return whether the strike is within the fraction `share` of the spot, both ends included."""
        return abs(float(quote.strike) - self.spot) <= share * self.spot


class PutCallPair(NamedTuple):
    """A call and a put of one strike, both with two-sided quotes."""

    strike: float
    mid_difference: float
    """Call mid less put mid, dollars per share."""
    half_spreads: float
    """Sum of both half-spreads: the possible error of `mid_difference`, dollars per share."""


def _build_gate(verdict: Verdict, name: str, figure: str, limit: str, note: str = "") -> Gate:
    return Gate(name=name, figure=figure, limit=limit, verdict=verdict, note=note)


passed_gate = partial(_build_gate, Verdict.PASS)
warned_gate = partial(_build_gate, Verdict.WARN)
stopped_gate = partial(_build_gate, Verdict.STOP)


def skipped_gate(name: str, limit: str, reason: str) -> Gate:
    """Return a gate that could not be judged, with the reason."""
    return _build_gate(Verdict.SKIPPED, name, "not judged", limit, reason)


def is_two_sided(quote: OptionQuote) -> bool:
    """Return whether bid and ask are both above zero. A missing or NaN side counts as absent."""
    return quote.bid is not None and quote.ask is not None and 0 < quote.bid < 1e9 and 0 < quote.ask < 1e9


def mid(quote: OptionQuote) -> float:
    """Return the mid of a two-sided quote, dollars per share."""
    assert quote.bid is not None and quote.ask is not None
    return (quote.bid + quote.ask) / 2


def half_spread(quote: OptionQuote) -> float:
    """Return half the bid-ask spread of a two-sided quote, dollars per share."""
    assert quote.bid is not None and quote.ask is not None
    return (quote.ask - quote.bid) / 2


def put_call_pairs(quotes: Sequence[OptionQuote]) -> list[PutCallPair]:
    """Return the strikes that have a two-sided call and put, ascending."""
    two_sided = [quote for quote in quotes if is_two_sided(quote)]
    calls, puts = (
        {float(quote.strike): quote for quote in two_sided if quote.right is right} for right in (Right.CALL, Right.PUT)
    )
    return [
        PutCallPair(
            strike=strike,
            mid_difference=mid(calls[strike]) - mid(puts[strike]),
            half_spreads=half_spread(calls[strike]) + half_spread(puts[strike]),
        )
        for strike in sorted(calls.keys() & puts.keys())
    ]


def strike_step(quotes: Iterable[OptionQuote | Contract], spot: float) -> float:
    """Return the median distance between strikes near the money, dollars; 0 with fewer than two strikes."""
    strikes = {float(quote.strike) for quote in quotes}
    near = sorted(sorted(strikes, key=lambda strike: abs(strike - spot))[:GRID_STRIKES])
    return median([high - low for low, high in pairwise(near)]) if len(near) > 1 else 0.0


def median(numbers: Sequence[float]) -> float:
    """Return the median of at least one number. (Importing `statistics` takes longer than all gates together.)"""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percent(share: float, digits: int = 0) -> str:
    """Return a fraction as text in percent: 0.05 is `5 %`."""
    return f"{share * 100:.{digits}f} %"


def pluralise(count: int, noun: str) -> str:
    """Return count and noun as text, such as `1 quote` or `3 quotes`."""
    return f"{count} {noun}{'s' * (count != 1)}"
