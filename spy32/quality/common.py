"""What the gates of a chain share: the grounds that they judge on, and how one says what it found."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise

from spy32.domain.market import Gate, MarketSnapshot, OptionQuote, Right, Verdict
from spy32.domain.value import value
from spy32.settings.model import Choice

REFERENCE_SPOT = 600.0
"""Dollar thresholds are written for an underlying at this price and scale with it."""
BAND = 0.05
"""Around the spot, as a fraction: where the quality of a feed is measured."""
PARITY_BAND = 0.02
"""Around the spot, as a fraction: where calls and puts are both liquid enough for parity."""

GRID_STRIKES = 9
"""The strikes nearest the spot, whose usual distance is the grid of a chain."""

Quotes = tuple[OptionQuote, ...]


@value
class GateContext:
    """One expiration of a snapshot, and what is needed to judge it."""

    snapshot: MarketSnapshot
    now: datetime
    today: date
    years: float
    """To the target expiration."""
    discount: float
    choice: Choice
    step: float = 0.0
    """Between strikes near the money, as a fraction of the spot: 0.2 % on SPY, up to 5 % on a cheap share."""

    @property
    def spot(self) -> float:
        return self.snapshot.spot

    @property
    def scale(self) -> float:
        """What one dollar at the reference spot is here."""
        return self.spot / REFERENCE_SPOT

    def is_within(self, quote: OptionQuote, share: float) -> bool:
        """Whether the strike is within `share` of the spot, both ends included."""
        return abs(float(quote.strike) - self.spot) <= share * self.spot


@value
class GateResult:
    """What a gate says, and the quotes that it lets through."""

    gate: Gate
    quotes: Quotes
    dropped: int = 0


@value
class PutCallPair:
    """A call and a put of one strike, both with two sides."""

    strike: float
    call: OptionQuote
    put: OptionQuote

    @property
    def mid_difference(self) -> float:
        """Call less put, mids."""
        return mid(self.call) - mid(self.put)

    @property
    def half_spreads(self) -> float:
        """How far the difference may be off while both quotes hold."""
        return half_spread(self.call) + half_spread(self.put)


def passed_gate(name: str, figure: str, limit: str, note: str = "") -> Gate:
    return Gate(name=name, figure=figure, limit=limit, verdict=Verdict.PASS, note=note)


def warned_gate(name: str, figure: str, limit: str, note: str = "") -> Gate:
    return Gate(name=name, figure=figure, limit=limit, verdict=Verdict.WARN, note=note)


def stopped_gate(name: str, figure: str, limit: str, note: str = "") -> Gate:
    return Gate(name=name, figure=figure, limit=limit, verdict=Verdict.STOP, note=note)


def skipped_gate(name: str, limit: str, reason: str) -> Gate:
    return Gate(name=name, figure="not judged", limit=limit, verdict=Verdict.SKIPPED, note=reason)


def filter_result(gate: Gate, before: Quotes, after: Iterable[OptionQuote]) -> GateResult:
    """A finding that drops the difference of `before` and `after`."""
    remaining = tuple(after)
    return GateResult(gate=gate, quotes=remaining, dropped=len(before) - len(remaining))


def is_two_sided(quote: OptionQuote) -> bool:
    """A bid and an ask above zero; a missing or NaN one is neither."""
    return quote.bid is not None and quote.ask is not None and 0 < quote.bid < 1e9 and 0 < quote.ask < 1e9


def mid(quote: OptionQuote) -> float:
    """Of a two-sided quote, dollars per share."""
    assert quote.bid is not None
    assert quote.ask is not None
    return (quote.bid + quote.ask) / 2


def half_spread(quote: OptionQuote) -> float:
    """Of a two-sided quote, dollars per share."""
    assert quote.bid is not None
    assert quote.ask is not None
    return (quote.ask - quote.bid) / 2


def put_call_pairs(quotes: Iterable[OptionQuote]) -> list[PutCallPair]:
    """Strikes with a two-sided call and put, ascending."""
    sides: dict[Right, dict[float, OptionQuote]] = {Right.CALL: {}, Right.PUT: {}}
    for quote in quotes:
        if is_two_sided(quote):
            sides[quote.right][float(quote.strike)] = quote
    calls, puts = sides[Right.CALL], sides[Right.PUT]
    return [
        PutCallPair(strike=strike, call=calls[strike], put=puts[strike])
        for strike in sorted(calls.keys() & puts.keys())
    ]


def strike_step(quotes: Iterable[OptionQuote], spot: float) -> float:
    """The usual distance between strikes near the money, dollars; 0 with fewer than two."""
    strikes = {float(quote.strike) for quote in quotes}
    near = sorted(sorted(strikes, key=lambda strike: abs(strike - spot))[:GRID_STRIKES])
    return median([high - low for low, high in pairwise(near)]) if len(near) > 1 else 0.0


def median(numbers: Sequence[float]) -> float:
    """Of at least one number. (`statistics` would cost a cold start more than all gates together.)"""
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percent(share: float, digits: int = 0) -> str:
    """A fraction as a person reads it."""
    return f"{share * 100:.{digits}f} %"


def pluralise(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
