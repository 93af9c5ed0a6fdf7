"""Gates that compare two sources: spot, carry to the expiration, and the quotes of possible legs."""

import math
from collections.abc import Iterator

import numpy as np

from spy32.domain.market import Gate, MarketSnapshot, OptionQuote
from spy32.options.surface import Smile
from spy32.quality.common import (
    half_spread,
    is_two_sided,
    mid,
    passed_gate,
    percent,
    pluralise,
    skipped_gate,
    stopped_gate,
    warned_gate,
)
from spy32.settings.model import MarketSources

QUARTER_HOURS_A_YEAR = 98_280 / 15
"""Trading time only: 252 sessions of 390 minutes."""
SPOT_DEVIATIONS = 3.0
"""Allowed difference of two spots, standard deviations of 15 minutes: free sources differ in age by up to that."""
WARN_CARRY, STOP_CARRY = 0.0015, 0.005
"""Differences of the two carries (forward over spot) that warn and stop, fractions (our choice). They show a missing
dividend, another rate, or a chain of which one half is stale."""
MAX_SPOT_DIFFERENCE = 0.015
"""Largest allowed spot difference in any market, a fraction of the spot (our choice)."""
LEG_DELTAS = (0.03, 0.40)
"""Absolute deltas of possible legs: wider than any menu's band."""
LEG_SLACK = 0.10
"""Dollars per share by which two mids may always differ (our choice)."""
LEG_HALF_SPREADS = 1.5
"""Multiple of the summed half-spreads of both sources by which two mids may differ (our choice)."""
MAX_SYMBOLS_SHOWN = 3
"""Symbols named in a note, so that it stays one line."""


def check_sources(
    snapshot: MarketSnapshot, first: Smile, second: Smile | None, knobs: MarketSources
) -> tuple[Gate, ...]:
    """Return the gates that compare two sources. Without a usable second source the gate warns and does not stop."""
    names = ("second_spot", "second_forward", "second_quotes")
    if snapshot.is_recorded:
        return tuple(skipped_gate(name, "two sources agree", "recorded: one source") for name in names)
    if not knobs.cross_check:
        return tuple(skipped_gate(name, "two sources agree", "market.cross_check is off") for name in names)
    second_chain = snapshot.second
    if second_chain is None or second is None:
        return (warned_gate(names[0], "one source", "two sources agree", _single_source_reason(snapshot)),)
    gates = [_spot_gate(snapshot, second_chain.spot, second_chain.source, knobs)]
    gates.append(_carry_gate(snapshot.spot, first, second_chain.spot, second))
    gates.append(_quotes_gate(first, second, second_chain.spot - snapshot.spot))
    return tuple(gates)


def _single_source_reason(snapshot: MarketSnapshot) -> str:
    failures = [
        f"{attempt.source}: {attempt.detail}"
        for attempt in snapshot.tried
        if attempt.datum == "chain" and not attempt.ok
    ]
    # Newest first: a request that failed now is more informative than a source that is not configured.
    return "; ".join(reversed(failures)) or "no second source is set"


def _spot_gate(snapshot: MarketSnapshot, other_spot: float, name: str, knobs: MarketSources) -> Gate:
    """Compare the spots. They may differ by what the underlying moves in 15 minutes, because their ages differ."""
    vix = snapshot.volatility.get("vix")
    expected_move = (
        SPOT_DEVIATIONS * vix.value / 100 / math.sqrt(QUARTER_HOURS_A_YEAR) if vix is not None and vix.value else 0.0
    )
    allowed = max(knobs.spot_agreement, min(expected_move, MAX_SPOT_DIFFERENCE))
    difference = other_spot / snapshot.spot - 1
    figure = f"{snapshot.source} {snapshot.spot:.2f}, {name} {other_spot:.2f}: {difference * 100:+.2f} %"
    return (passed_gate if abs(difference) <= allowed else stopped_gate)(
        "second_spot", figure, f"within {percent(allowed, 2)}"
    )


def _carry_gate(spot: float, first: Smile, other_spot: float, second: Smile) -> Gate:
    """Compare forward over spot, so that the difference of the spots does not count twice."""
    difference = (second.forward / other_spot - first.forward / spot) if other_spot > 0 else math.nan
    figure = f"carry {(first.forward / spot - 1) * 100:+.3f} % and {(second.forward / other_spot - 1) * 100:+.3f} %"
    limit = f"within {percent(WARN_CARRY, 2)}, never over {percent(STOP_CARRY, 2)}"
    if not abs(difference) <= STOP_CARRY:
        return stopped_gate("second_forward", figure, limit)
    return (passed_gate if abs(difference) <= WARN_CARRY else warned_gate)("second_forward", figure, limit)


def _quotes_gate(first: Smile, second: Smile, spot_difference: float) -> Gate:
    """Compare the mids of the same contracts, allowing for their bid-ask spreads and the difference of the spots."""
    limit = f"within ${LEG_SLACK:.2f} or {LEG_HALF_SPREADS:g} half-spreads + delta × the spots' difference"
    others = {quote.symbol: quote for quote in second.quotes}
    pairs = list(_common_legs(first, others))
    if not pairs:
        return warned_gate("second_quotes", "no quote in common", limit)
    differing = [quote.symbol for quote, other, delta in pairs if not _mids_agree(quote, other, delta, spot_difference)]
    figure = f"{len(differing)} of {pluralise(len(pairs), 'possible leg')} differ"
    if not differing:
        return passed_gate("second_quotes", figure, limit)
    more = f" and {len(differing) - MAX_SYMBOLS_SHOWN} more" if len(differing) > MAX_SYMBOLS_SHOWN else ""
    return warned_gate(
        "second_quotes",
        figure,
        limit,
        f"{', '.join(differing[:MAX_SYMBOLS_SHOWN])}{more}: price them again before sending",
    )


def _common_legs(first: Smile, others: dict[str, OptionQuote]) -> Iterator[tuple[OptionQuote, OptionQuote, float]]:
    size = np.abs(first.delta)
    is_leg = first.is_otm & (size >= LEG_DELTAS[0]) & (size <= LEG_DELTAS[1])
    for row in np.flatnonzero(is_leg):
        quote = first.quotes[row]
        other = others.get(quote.symbol)
        if other is not None and is_two_sided(quote) and is_two_sided(other):
            yield quote, other, float(first.delta[row])


def _mids_agree(quote: OptionQuote, other: OptionQuote, delta: float, spot_difference: float) -> bool:
    allowed = LEG_HALF_SPREADS * (half_spread(quote) + half_spread(other)) + abs(delta * spot_difference)
    return abs(mid(other) - mid(quote)) <= max(LEG_SLACK, allowed)
