"""What a smile must keep, measured: quotes inside their bid-ask, no butterfly, no calendar spread, a steady ranking."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spy32.domain.market import Chain, OptionQuote
from spy32.domain.spreads import Candidate, Strategy
from spy32.options.density import implied_density
from spy32.options.european import build_contracts, price
from spy32.options.smile_fit import SmileCurve
from spy32.options.surface import Smile

POINTS = 4001
HALF_TICK = 0.005


def curve_of(smile: Smile) -> SmileCurve:
    assert smile.curve is not None
    return smile.curve


def misses(smile: Smile) -> np.ndarray:
    """How far the curve's price is outside the bid-ask of each out-of-the-money quote, dollars; 0 inside."""
    used = smile.is_otm
    contracts = build_contracts(
        is_call=smile.is_call[used],
        strike=smile.strike[used],
        forward=smile.forward,
        years=smile.years,
        discount=smile.discount,
    )
    prices = price(contracts, curve_of(smile).vol(smile.strike[used]))
    outside = np.maximum(smile.bid[used] - prices, prices - smile.ask[used])
    return np.asarray(np.where(outside > 1e-9, outside, 0.0))


def quoted_strikes(curve: SmileCurve, points: int = POINTS) -> np.ndarray:
    return np.asarray(curve.forward * np.exp(np.linspace(curve.low, curve.high, points) * curve.scale))


def steepest_fall(curve: SmileCurve) -> float:
    """The largest fall of the probability of an end below a strike, from one strike to the next on a fine grid.

    A butterfly with a negative price.
    """
    return float(np.diff(curve.probability_below(quoted_strikes(curve))).min())


def calendar_shortfall(earlier: SmileCurve, later: SmileCurve) -> float:
    """How far the vol is below what keeps the total variance of the earlier expiration where both have quotes."""
    low = max(curve.low * curve.scale for curve in (earlier, later))
    high = min(curve.high * curve.scale for curve in (earlier, later))
    moneyness = np.linspace(low, high, POINTS)
    floor = earlier.vol(earlier.forward * np.exp(moneyness)) * np.sqrt(earlier.years / later.years)
    return float((floor - later.vol(later.forward * np.exp(moneyness))).max())


def move_quotes(chain: Chain, rng: random.Random, *, together: bool) -> Chain:
    """Every two-sided quote half a tick up or down: bid and ask together, or each by itself."""

    def moved(quote: OptionQuote) -> OptionQuote:
        if quote.bid is None or quote.ask is None or quote.bid <= 0:
            return quote
        up = rng.choice((-HALF_TICK, HALF_TICK))
        bid, ask = quote.bid + up, quote.ask + (up if together else rng.choice((-HALF_TICK, HALF_TICK)))
        return replace(quote, bid=bid, ask=max(bid, ask))

    return replace(chain, quotes=tuple(moved(quote) for quote in chain.quotes))


def shown_numbers(smile: Smile, candidates: Sequence[Candidate]) -> dict[str, list[float]]:
    """The numbers that a menu shows of these spreads, on this smile and its mids."""
    density, mids = (
        implied_density(smile),
        {quote.symbol: mid for quote, mid in zip(smile.quotes, smile.mid, strict=True)},
    )
    numbers: dict[str, list[float]] = {name: [] for name in ("p_worthless", "pop", "delta", "theta", "ev")}
    for candidate in candidates:
        is_put = candidate.spread.strategy is Strategy.PUT_CREDIT
        chance = density.probability_above if is_put else density.probability_below
        short, long = (float(leg.quote.strike) for leg in (candidate.short, candidate.long))
        mid = float(mids[candidate.short.quote.symbol] - mids[candidate.long.quote.symbol])
        view = smile.view(candidate.short.quote.right, candidate.short.quote.strike)
        assert view is not None
        numbers["p_worthless"].append(chance(short))
        numbers["pop"].append(chance(short - mid if is_put else short + mid))
        numbers["delta"].append(abs(view.delta))
        numbers["theta"].append(smile.spread_greeks(candidate.spread).theta)
        side = -1 if is_put else 1
        owed = density.expect(
            lambda s, side=side, a=short, b=long: np.maximum(side * (s - a), 0) - np.maximum(side * (s - b), 0)
        )
        numbers["ev"].append((mid - owed) * 100)
    return numbers


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's; equal numbers share their mean rank."""

    def ranks(numbers: Sequence[float]) -> np.ndarray:
        column = np.asarray(numbers)
        return np.array([(column < number).sum() + (column == number).sum() / 2 for number in column])

    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])
