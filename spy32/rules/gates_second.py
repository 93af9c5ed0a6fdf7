"""Gates between two sources: spot, carry to the expiration, and the quotes that may become legs."""

import math
from collections.abc import Iterator

import numpy as np

from spy32.domain.market import Gate, MarketSnapshot, OptionQuote
from spy32.options.surface import Smile
from spy32.rules.gate_parts import counted, half_spread, is_two_sided, mid, passed, percent, skipped, stopped, warned
from spy32.settings.model import MarketSources

QUARTER_HOURS_A_YEAR = 98_280 / 15
"""Of trading: 252 sessions of six and a half hours."""
SPREADS = 3.0
"""Standard deviations of a quarter of an hour that two spots of different age may lie apart."""
CARRY_MARK, CARRY_STOP = 0.0015, 0.005
"""Of the spot, between forward less spot of the two: a dividend, a rate or a stale half of a chain shows here."""
MOST_DRIFT = 0.015
"""Of the spot: however wild the market is, more is another price."""
LEG_DELTAS = (0.03, 0.40)
"""Absolute deltas of what may become a leg: wider than any menu."""
LEG_SLACK = 0.10
LEG_SPREADS = 1.5
"""Half-spreads of both sources that two mids may lie apart."""
SHOWN = 3


def between(snapshot: MarketSnapshot, first: Smile, second: Smile | None, knobs: MarketSources) -> tuple[Gate, ...]:
    """What two sources say of each other; without a healthy second one the run is marked, not stopped."""
    names = ("second_spot", "second_forward", "second_quotes")
    if snapshot.is_recorded:
        return tuple(skipped(name, "two sources agree", "recorded: one source") for name in names)
    if not knobs.cross_check:
        return tuple(skipped(name, "two sources agree", "market.cross_check is off") for name in names)
    other = snapshot.second
    if other is None or second is None:
        return (warned(names[0], "one source", "two sources agree", _why_alone(snapshot)),)
    gates = [_spot(snapshot, other.spot, other.source, knobs)]
    gates.append(_forward(snapshot.spot, first, other.spot, second))
    gates.append(_quotes(first, second, other.spot - snapshot.spot))
    return tuple(gates)


def _why_alone(snapshot: MarketSnapshot) -> str:
    said = [f"{tried.source}: {tried.detail}" for tried in snapshot.tried if tried.datum == "chain" and not tried.ok]
    # The newest word is the one that tells; what was never set up comes last.
    return "; ".join(reversed(said)) or "no second source is set"


def _spot(snapshot: MarketSnapshot, other: float, name: str, knobs: MarketSources) -> Gate:
    """Two documents of different age may differ by what the underlying moves in a quarter of an hour."""
    vix = snapshot.volatility.get("vix")
    drift = SPREADS * vix.value / 100 / math.sqrt(QUARTER_HOURS_A_YEAR) if vix is not None and vix.value else 0.0
    allowed = max(knobs.spot_agreement, min(drift, MOST_DRIFT))
    apart = other / snapshot.spot - 1
    figure = f"{snapshot.source} {snapshot.spot:.2f}, {name} {other:.2f}: {apart * 100:+.2f} %"
    return (passed if abs(apart) <= allowed else stopped)("second_spot", figure, f"within {percent(allowed, 2)}")


def _forward(spot: float, first: Smile, other_spot: float, second: Smile) -> Gate:
    """Forward over spot, so that the spots' own difference does not count twice."""
    apart = (second.forward / other_spot - first.forward / spot) if other_spot > 0 else math.nan
    figure = f"carry {(first.forward / spot - 1) * 100:+.3f} % and {(second.forward / other_spot - 1) * 100:+.3f} %"
    limit = f"within {percent(CARRY_MARK, 2)}, never over {percent(CARRY_STOP, 2)}"
    if not abs(apart) <= CARRY_STOP:
        return stopped("second_forward", figure, limit)
    return (passed if abs(apart) <= CARRY_MARK else warned)("second_forward", figure, limit)


def _quotes(first: Smile, second: Smile, moved: float) -> Gate:
    """Mids of the same contracts, as far as their spreads and the spots' difference explain them."""
    limit = f"within ${LEG_SLACK:.2f} or {LEG_SPREADS:g} half-spreads + delta × the spots' difference"
    others = {quote.symbol: quote for quote in second.quotes}
    pairs = list(_pairs(first, others))
    if not pairs:
        return warned("second_quotes", "no quote in common", limit)
    off = [quote.symbol for quote, other, delta in pairs if not _agree(quote, other, delta, moved)]
    figure = f"{len(off)} of {counted(len(pairs), 'possible leg')} differ"
    if not off:
        return passed("second_quotes", figure, limit)
    more = f" and {len(off) - SHOWN} more" if len(off) > SHOWN else ""
    return warned("second_quotes", figure, limit, f"{', '.join(off[:SHOWN])}{more}: price them again before sending")


def _pairs(first: Smile, others: dict[str, OptionQuote]) -> Iterator[tuple[OptionQuote, OptionQuote, float]]:
    size = np.abs(first.delta)
    taken = first.is_out_of_the_money & (size >= LEG_DELTAS[0]) & (size <= LEG_DELTAS[1])
    for row in np.flatnonzero(taken):
        quote = first.quotes[row]
        other = others.get(quote.symbol)
        if other is not None and is_two_sided(quote) and is_two_sided(other):
            yield quote, other, float(first.delta[row])


def _agree(quote: OptionQuote, other: OptionQuote, delta: float, moved: float) -> bool:
    allowed = LEG_SPREADS * (half_spread(quote) + half_spread(other)) + abs(delta * moved)
    return abs(mid(other) - mid(quote)) <= max(LEG_SLACK, allowed)
