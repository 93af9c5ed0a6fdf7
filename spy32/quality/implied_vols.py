"""Gates on implied vols: in a plausible range, on a smooth smile, consistent with the feed and with the VIX."""

import math
from collections.abc import Mapping
from dataclasses import field

import numpy as np

from spy32.domain.market import Gate, MarketSnapshot
from spy32.domain.option_class import VIX_UNDERLYINGS
from spy32.domain.value import value
from spy32.options.normal import Bools, Floats
from spy32.options.surface import Smile
from spy32.quality.common import median, passed_gate, percent, pluralise, skipped_gate, warned_gate
from spy32.settings.model import Choice

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


@value
class DroppedQuotes:
    """OCC symbols that must not become legs, and the number dropped by each gate."""

    symbols: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)


def check_vols(smile: Smile, snapshot: MarketSnapshot, choice: Choice) -> tuple[DroppedQuotes, tuple[Gate, ...]]:
    """Return the contracts whose vol cannot be used, and the gates on implied vols."""
    out_of_range = ~((smile.quote_iv >= IV_LOW) & (smile.quote_iv <= IV_HIGH))
    smile_gate, outliers = _smile_gate(smile, ~out_of_range)
    gates = (
        _iv_gate(smile, out_of_range),
        _feed_iv_gate(smile, ~out_of_range),
        smile_gate,
        _atm_vix_gate(smile, snapshot),
        _leg_width_gate(smile, ~out_of_range & ~outliers, choice),
    )
    dropped = {
        "iv": [quote.symbol for quote, is_dropped in zip(smile.quotes, out_of_range, strict=True) if is_dropped],
        "smile": [quote.symbol for quote, is_dropped in zip(smile.quotes, outliers, strict=True) if is_dropped],
    }
    counts = {name: len(symbols) for name, symbols in dropped.items() if symbols}
    return DroppedQuotes(symbols=frozenset().union(*dropped.values()), counts=counts), gates


def _is_otm(smile: Smile) -> Bools:
    """True for out-of-the-money contracts, among which legs are chosen."""
    is_otm: Bools = smile.is_call == (smile.strike >= smile.forward)
    return is_otm


def _iv_gate(smile: Smile, outside: Bools) -> Gate:
    is_otm = _is_otm(smile)
    lost_count, lost_otm = int(outside.sum()), int((outside & is_otm).sum())
    figure = f"{lost_count} of {len(smile.quotes)} outside, {lost_otm} of {int(is_otm.sum())} out of the money"
    limit = f"{percent(IV_LOW)} to {percent(IV_HIGH)}; others are dropped"
    return passed_gate("iv", figure, limit)


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
