"""Gates on a smile: vols in a plausible range, on a smooth curve, consistent with the feed, with the VIX, and with a
second source: spot, carry to the expiration, and the quotes of possible legs."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from spy32.domain.market import Gate, MarketSnapshot, OptionQuote
from spy32.domain.option_class import VIX_UNDERLYINGS
from spy32.options.normal import Bools, Floats
from spy32.options.surface import Smile
from spy32.quality.common import (
    half_spread,
    is_two_sided,
    median,
    mid,
    passed_gate,
    percent,
    pluralise,
    skipped_gate,
    stopped_gate,
    warned_gate,
)
from spy32.settings.model import Choice, MarketSources

IV_LOW, IV_HIGH = 0.05, 1.00
"""Plausible implied vols, fractions a year; the range is usual in the literature on option returns."""
FEED_TOLERANCE = 0.02
"""Largest median difference from the feed's vols, a fraction (2 vol points), before they are ignored (our choice)."""
FEED_DELTAS = (0.10, 0.50)
"""Absolute deltas at which the feed's vols are compared: there a cent of price is little vol."""
MIN_DELTA = 0.05
"""Smallest absolute delta whose vol is compared with its neighbours'. Below, prices in cents are too coarse."""
OUTLIER_DEVIATIONS = 3.0
"""Robust standard deviations from the fitted smile beyond which a vol is an outlier."""
MIN_OUTLIER = 0.005
"""A vol within this of the fit (half a vol point) is never an outlier: the fit itself is not more accurate."""
MIN_FIT_STRIKES = 8
"""Fewest strikes for a fit; fewer show no shape."""
QUARTIC_MIN_STRIKES, QUARTIC_DEGREE = 15, 4
"""With at least this many strikes the fit is a quartic. Measured on our chains: a parabola leaves up to 1.8 vol points
of genuine skew, a quartic 0.3, but it needs more strikes."""
MAX_OUTLIERS = 10
"""Outliers after which the search stops and the gate warns (our choice)."""
VIX_RATIO_LOW, VIX_RATIO_HIGH = 0.60, 1.15
"""Allowed at-the-money vol over VIX (our choice). The VIX is usually higher, because it includes the skew."""
ROUNDING_SLACK = 1e-9
"""Dollars. Widths are differences of floats, which cannot represent cents exactly."""
MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""
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


def check_vols(
    smile: Smile, snapshot: MarketSnapshot, choice: Choice
) -> tuple[Mapping[str, frozenset[str]], tuple[Gate, ...]]:
    """Return the contracts (OCC symbols) that must not become legs, by the gate that drops them, and the gates on
    implied vols."""
    out_of_range = ~((smile.quote_iv >= IV_LOW) & (smile.quote_iv <= IV_HIGH))
    smile_gate, outliers = _smile_gate(smile, ~out_of_range)
    is_otm = _is_otm(smile)
    lost, lost_otm = int(out_of_range.sum()), int((out_of_range & is_otm).sum())
    figure = f"{lost} of {len(smile.quotes)} outside, {lost_otm} of {int(is_otm.sum())} out of the money"
    gates = (
        passed_gate("iv", figure, f"{percent(IV_LOW)} to {percent(IV_HIGH)}; others are dropped"),
        _feed_iv_gate(smile, ~out_of_range),
        smile_gate,
        _atm_vix_gate(smile, snapshot),
        _leg_width_gate(smile, ~out_of_range & ~outliers, choice),
    )
    columns = {"iv": out_of_range, "smile": outliers}
    dropped = {
        name: frozenset(smile.quotes[row].symbol for row in np.flatnonzero(column)) for name, column in columns.items()
    }
    return {name: symbols for name, symbols in dropped.items() if symbols}, gates


def _is_otm(smile: Smile) -> Bools:
    """True for out-of-the-money contracts, among which legs are chosen."""
    is_otm: Bools = smile.is_call == (smile.strike >= smile.forward)
    return is_otm


def _feed_iv_gate(smile: Smile, usable: Bools) -> Gate:
    """Compare the feed's vols with ours. They are never used, but a difference shows a problem of the feed."""
    limit = (
        f"median within {FEED_TOLERANCE * 100:.0f} points of ours at {FEED_DELTAS[0]:.2f} to {FEED_DELTAS[1]:.2f} delta"
    )
    delta = np.abs(smile.delta)
    judged = usable & _is_otm(smile) & (delta >= FEED_DELTAS[0]) & (delta <= FEED_DELTAS[1])
    differences = [
        float(iv) - quote.feed_iv
        for quote, iv, is_judged in zip(smile.quotes, smile.quote_iv, judged, strict=True)
        # Feeds write 0 or 0.00001 for a missing vol.
        if is_judged and quote.feed_iv is not None and quote.feed_iv > 0.001
    ]
    if not differences:
        return skipped_gate("feed_iv", limit, "the feed has no volatilities there")
    median_difference = median(differences)
    figure = f"ours {median_difference * 100:+.2f} points over {pluralise(len(differences), 'quote')}"
    if abs(median_difference) <= FEED_TOLERANCE:
        return passed_gate("feed_iv", figure, limit)
    return warned_gate("feed_iv", figure, limit, "ignored")


def _smile_gate(smile: Smile, usable: Bools) -> tuple[Gate, Bools]:
    """Find out-of-the-money quotes whose vol is off the curve of the others, one by one, refitting after each."""
    limit = f"{OUTLIER_DEVIATIONS:.0f} robust s.d. of the fitted curve, at least {MIN_OUTLIER * 100:.1f} points"
    outliers: Bools = np.zeros(len(smile.quotes), dtype=bool)
    judged = usable & _is_otm(smile) & (np.abs(smile.delta) >= MIN_DELTA)
    if int(judged.sum()) < MIN_FIT_STRIKES:
        return skipped_gate("smile", limit, f"fewer than {MIN_FIT_STRIKES} strikes with a volatility"), outliers
    for _ in range(MAX_OUTLIERS):
        residuals = _curve_residuals(np.log(smile.strike[judged] / smile.forward), smile.quote_iv[judged])
        worst = int(np.argmax(np.abs(residuals)))
        cutoff = max(MIN_OUTLIER, OUTLIER_DEVIATIONS * MAD_TO_DEVIATION * median(np.abs(residuals).tolist()))
        if abs(residuals[worst]) <= cutoff or int(judged.sum()) <= MIN_FIT_STRIKES:
            break
        row = int(np.flatnonzero(judged)[worst])
        outliers[row], judged[row] = True, False
    count = int(outliers.sum())
    figure = (
        f"{pluralise(count, 'quote')} off the curve of {int(judged.sum())}, the rest within {cutoff * 100:.2f} points"
    )
    if count >= MAX_OUTLIERS:
        return warned_gate("smile", figure, limit, "and more may be off it"), outliers
    return passed_gate("smile", figure, limit, "dropped" if count else ""), outliers


def _curve_residuals(moneyness: Floats, iv: Floats) -> Floats:
    """Return the vols less their least-squares polynomial in log-moneyness, shape of `iv`."""
    degree = QUARTIC_DEGREE if len(iv) >= QUARTIC_MIN_STRIKES else 2
    powers = np.vander(moneyness / np.abs(moneyness).max(initial=1e-9), degree + 1)
    residuals: Floats = iv - powers @ np.linalg.lstsq(powers, iv, rcond=None)[0]
    return residuals


def _leg_width_gate(smile: Smile, usable: Bools, choice: Choice) -> Gate:
    """Count the contracts in the delta band whose bid-ask spread the menu accepts. The menu checks each leg again."""
    limit = f"at most ${choice.leg_width} or {percent(float(choice.leg_width_of_mid))} of mid, for a leg"
    size = np.abs(smile.delta)
    in_band = usable & smile.is_otm & (size >= choice.delta_low) & (size <= choice.delta_high)
    count = int(in_band.sum())
    if not count:
        return warned_gate("leg_width", "no contract in the delta band", limit)
    width, allowed = (
        smile.ask - smile.bid,
        np.maximum(float(choice.leg_width), float(choice.leg_width_of_mid) * smile.mid),
    )
    narrow = int((in_band & (width <= allowed + ROUNDING_SLACK)).sum())
    figure = f"{narrow} of {count} in the delta band"
    return (passed_gate if narrow else warned_gate)(
        "leg_width", figure, limit, "the others cannot be legs" if narrow < count else ""
    )


def _atm_vix_gate(smile: Smile, snapshot: MarketSnapshot) -> Gate:
    limit = f"{VIX_RATIO_LOW:.2f} to {VIX_RATIO_HIGH:.2f} of the VIX"
    vix, atm = snapshot.volatility.get("vix"), smile.atm_iv()
    if snapshot.underlying not in VIX_UNDERLYINGS:
        return skipped_gate("atm_vix", limit, f"the VIX is not about {snapshot.underlying}")
    if vix is None or vix.value is None or not vix.value > 0:
        return skipped_gate("atm_vix", limit, vix.missing if vix is not None and vix.missing else "the VIX is missing")
    if not math.isfinite(atm):
        return warned_gate("atm_vix", "no volatility at the money", limit)
    ratio = atm / (vix.value / 100)
    figure = f"{ratio:.2f}: {percent(atm, 1)} at the money, VIX {vix.value:.2f}"
    return (passed_gate if VIX_RATIO_LOW <= ratio <= VIX_RATIO_HIGH else warned_gate)("atm_vix", figure, limit)


# Two sources.


def check_sources(
    snapshot: MarketSnapshot, first: Smile, second: Smile | None, knobs: MarketSources
) -> tuple[Gate, ...]:
    """Return the gates that compare two sources. Without a usable second source the gate warns and does not stop."""
    names = ("second_spot", "second_forward", "second_quotes")
    if snapshot.is_recorded or not knobs.cross_check:
        reason = "recorded: one source" if snapshot.is_recorded else "market.cross_check is off"
        return tuple(skipped_gate(name, "two sources agree", reason) for name in names)
    second_chain = snapshot.second
    if second_chain is None or second is None:
        attempts = [each for each in snapshot.tried if each.datum == "chain" and not each.ok]
        # Newest first: a request that failed now is more informative than a source that is not configured.
        reason = "; ".join(f"{each.source}: {each.detail}" for each in reversed(attempts)) or "no second source is set"
        return (warned_gate(names[0], "one source", "two sources agree", reason),)
    return (
        _spot_gate(snapshot, second_chain.spot, second_chain.source, knobs),
        _carry_gate(snapshot.spot, first, second_chain.spot, second),
        _quotes_gate(first, second, second_chain.spot - snapshot.spot),
    )


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
    differing = []
    for quote, other, delta in pairs:
        allowed = LEG_HALF_SPREADS * (half_spread(quote) + half_spread(other)) + abs(delta * spot_difference)
        if not abs(mid(other) - mid(quote)) <= max(LEG_SLACK, allowed):
            differing.append(quote.symbol)
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
