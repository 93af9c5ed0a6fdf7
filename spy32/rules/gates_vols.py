"""Gates on implied volatilities: solvable and sane, on a smooth smile, in line with the VIX."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spy32.domain.market import Gate, MarketSnapshot
from spy32.options.normal import Flags, Floats
from spy32.options.surface import Smile
from spy32.rules.gate_parts import counted, median, passed, percent, skipped, warned
from spy32.settings.model import Choice

IV_LOW, IV_HIGH = 0.05, 1.00
FEED_OFF = 0.02
"""Volatility points, as a fraction, by which a feed's own figure may differ before it is ignored."""
FEED_DELTAS = (0.10, 0.50)
USED_DELTA = 0.05
"""Smallest absolute delta whose volatility is judged against its neighbours; cents are too coarse beyond."""
OUTLIER = 3.0
"""Robust standard deviations from the fitted smile."""
LEAST_OFF = 0.005
"""Volatility points, as a fraction, that are never an outlier: the fit itself is no better than that."""
FITTED = 8
"""Fewer strikes than this show no shape."""
FULL_FROM, FULL_DEGREE = 15, 4
"""A parabola leaves up to 1.8 points of honest skew over on our chains, a quartic 0.3; it needs more strikes."""
MOST_STRANGE = 10
VIX_LOW, VIX_HIGH = 0.60, 1.15
"""ATM volatility over VIX: the VIX stands above it because of the skew."""
CENTS = 1e-9
"""Widths are differences of binary fractions of cents."""
VIX_UNDERLYINGS = frozenset({"SPY", "SPX", "XSP"})
MAD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedQuotes:
    """OCC symbols that may not be legs, and how many each gate dropped."""

    symbols: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)


def inspect_vols(smile: Smile, snapshot: MarketSnapshot, choice: Choice) -> tuple[DroppedQuotes, tuple[Gate, ...]]:
    """The contracts whose volatility cannot be used, and what the gates on volatilities said."""
    outside = ~((smile.iv >= IV_LOW) & (smile.iv <= IV_HIGH))
    smooth, strange = _smooth(smile, ~outside)
    gates = (
        _solvable(smile, outside),
        _feed(smile, ~outside),
        smooth,
        _against_vix(smile, snapshot),
        _leg_width(smile, ~outside & ~strange, choice),
    )
    dropped = {
        "iv": [quote.symbol for quote, gone in zip(smile.quotes, outside, strict=True) if gone],
        "smile": [quote.symbol for quote, gone in zip(smile.quotes, strange, strict=True) if gone],
    }
    counts = {name: len(symbols) for name, symbols in dropped.items() if symbols}
    return DroppedQuotes(symbols=frozenset().union(*dropped.values()), counts=counts), gates


def _is_sold(smile: Smile) -> Flags:
    """Out of the money: the side on which legs are chosen."""
    found: Flags = smile.is_call == (smile.strike >= smile.forward)
    return found


def _solvable(smile: Smile, outside: Flags) -> Gate:
    sold = _is_sold(smile)
    lost, lost_sold = int(outside.sum()), int((outside & sold).sum())
    figure = f"{lost} of {len(smile.quotes)} outside, {lost_sold} of {int(sold.sum())} out of the money"
    limit = f"{percent(IV_LOW)} to {percent(IV_HIGH)}; others are dropped"
    return passed("iv", figure, limit)


def _feed(smile: Smile, good: Flags) -> Gate:
    """The feed's volatility is never used; that it differs from ours tells something about the feed."""
    limit = f"median within {FEED_OFF * 100:.0f} points of ours at {FEED_DELTAS[0]:.2f} to {FEED_DELTAS[1]:.2f} delta"
    delta = np.abs(smile.delta)
    judged = good & _is_sold(smile) & (delta >= FEED_DELTAS[0]) & (delta <= FEED_DELTAS[1])
    offs = [
        float(iv) - quote.feed_iv
        for quote, iv, is_judged in zip(smile.quotes, smile.iv, judged, strict=True)
        # A feed writes 0 or 0.00001 where it has no volatility.
        if is_judged and quote.feed_iv is not None and quote.feed_iv > 0.001
    ]
    if not offs:
        return skipped("feed_iv", limit, "the feed has no volatilities there")
    off = median(offs)
    figure = f"ours {off * 100:+.2f} points over {counted(len(offs), 'quote')}"
    return passed("feed_iv", figure, limit) if abs(off) <= FEED_OFF else warned("feed_iv", figure, limit, "ignored")


def _smooth(smile: Smile, good: Flags) -> tuple[Gate, Flags]:
    """Quotes out of the money whose volatility stands off the curve of the others, found one by one."""
    limit = f"{OUTLIER:.0f} robust s.d. of the fitted curve, at least {LEAST_OFF * 100:.1f} points"
    strange: Flags = np.zeros(len(smile.quotes), dtype=bool)
    judged = good & _is_sold(smile) & (np.abs(smile.delta) >= USED_DELTA)
    if int(judged.sum()) < FITTED:
        return skipped("smile", limit, f"fewer than {FITTED} strikes with a volatility"), strange
    for _ in range(MOST_STRANGE):
        off = _off_curve(np.log(smile.strike[judged] / smile.forward), smile.iv[judged])
        worst = int(np.argmax(np.abs(off)))
        most = max(LEAST_OFF, OUTLIER * MAD * float(np.median(np.abs(off))))
        if abs(off[worst]) <= most or int(judged.sum()) <= FITTED:
            break
        place = int(np.flatnonzero(judged)[worst])
        strange[place], judged[place] = True, False
    count = int(strange.sum())
    figure = f"{counted(count, 'quote')} off the curve of {int(judged.sum())}, the rest within {most * 100:.2f} points"
    if count >= MOST_STRANGE:
        return warned("smile", figure, limit, "and more may be off it"), strange
    return passed("smile", figure, limit, "dropped" if count else ""), strange


def _off_curve(moneyness: Floats, iv: Floats) -> Floats:
    """Volatilities less their least-squares polynomial in log-moneyness."""
    degree = FULL_DEGREE if len(iv) >= FULL_FROM else 2
    powers = np.vander(moneyness / np.abs(moneyness).max(initial=1e-9), degree + 1)
    off: Floats = iv - powers @ np.linalg.lstsq(powers, iv, rcond=None)[0]
    return off


def _leg_width(smile: Smile, good: Flags, choice: Choice) -> Gate:
    """How many of the contracts that may be sold have a spread that the menu accepts; it judges each leg again."""
    limit = f"at most ${choice.leg_width} or {percent(float(choice.leg_width_of_mid))} of mid, for a leg"
    size = np.abs(smile.delta)
    sold = good & smile.is_out_of_the_money & (size >= choice.delta_low) & (size <= choice.delta_high)
    count = int(sold.sum())
    if not count:
        return warned("leg_width", "no contract in the delta band", limit)
    width, allowed = (
        smile.ask - smile.bid,
        np.maximum(float(choice.leg_width), float(choice.leg_width_of_mid) * smile.mid),
    )
    narrow = int((sold & (width <= allowed + CENTS)).sum())
    figure = f"{narrow} of {count} in the delta band"
    return (passed if narrow else warned)(
        "leg_width", figure, limit, "the others cannot be legs" if narrow < count else ""
    )


def _against_vix(smile: Smile, snapshot: MarketSnapshot) -> Gate:
    limit = f"{VIX_LOW:.2f} to {VIX_HIGH:.2f} of the VIX"
    vix, atm = snapshot.volatility.get("vix"), smile.atm_iv()
    if snapshot.underlying not in VIX_UNDERLYINGS:
        return skipped("atm_vix", limit, f"the VIX is not about {snapshot.underlying}")
    if vix is None or vix.value is None or not vix.value > 0:
        return skipped("atm_vix", limit, vix.missing if vix is not None and vix.missing else "the VIX is missing")
    if not math.isfinite(atm):
        return warned("atm_vix", "no volatility at the money", limit)
    ratio = atm / (vix.value / 100)
    figure = f"{ratio:.2f}: {percent(atm, 1)} at the money, VIX {vix.value:.2f}"
    return (passed if VIX_LOW <= ratio <= VIX_HIGH else warned)("atm_vix", figure, limit)
