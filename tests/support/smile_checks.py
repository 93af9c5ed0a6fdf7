"""What a smile must keep, measured: quotes inside their bid-ask, no butterfly, no calendar spread, a steady ranking."""

import random
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from spy32.domain.market import Chain, MarketSnapshot, OptionQuote
from spy32.domain.spreads import Candidate, Menu
from spy32.markets.bundled_history import total_returns
from spy32.options.density import implied_density
from spy32.options.european import build_contracts, price
from spy32.options.smile_fit import SmileCurve
from spy32.options.surface import Smile
from spy32.rules.candidates import MenuTerms, build_candidate
from spy32.rules.menu import build_ladder
from spy32.rules.outlook import fill_outlooks
from spy32.settings import Settings

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


def price_again(candidates: Sequence[Candidate], chain: Chain, smile: Smile, snapshot: MarketSnapshot) -> Menu:
    """The same vertical credit spreads on other quotes, with all of their numbers."""
    settings = Settings()
    terms, density = MenuTerms.derive(chain, settings), implied_density(smile)
    ladders = {strategy: build_ladder(chain, smile, strategy) for strategy in settings.choice.strategies}
    built = []
    for candidate in candidates:
        spread = candidate.spread
        legs = ladders[spread.strategy].legs
        pair = terms.price(spread.strategy, (legs[spread.short.strike], legs[spread.long.strike]))
        built.append(build_candidate(pair, candidate.id, spread.underlying, smile, density, terms))
    history = total_returns(snapshot.underlying, snapshot.as_of)
    return fill_outlooks(Menu(candidates=tuple(built)), snapshot, smile, settings, history)


NUMBERS = {
    "credit": "mid",
    "short delta": "short_delta",
    "theta": "greeks.theta",
    "premium a day": "outlook.premium_per_day",
    "return on risk": "outlook.return_on_risk",
    "POP by the market": "pop_market",
    "P(worthless) by the market": "p_worthless",
    "P(profit) by history": "outlook.expiry.history.probabilities.profit",
    "P(max loss) by history": "outlook.expiry.history.probabilities.max_loss",
    "P(touch) by history": "outlook.expiry.history.probabilities.touch",
    "P(profit) under the plan": "outlook.plan.history.probabilities.profit",
    "EV expiration": "outlook.expiry.history.ev.mean",
    "EV plan": "outlook.plan.history.ev.mean",
    "shortfall": "outlook.expiry.history.shortfall.mean",
    "score": "outlook.score",
    "cost of trading": "outlook.cost.total",
}
"""The numbers that a menu shows, by their names there."""


def shown_numbers(menu: Menu) -> dict[str, list[float]]:
    """Each shown number of every candidate."""
    return {
        name: [float(attrgetter(path)(candidate)) for candidate in menu.candidates] for name, path in NUMBERS.items()
    }


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's; equal numbers share their mean rank."""

    def ranks(numbers: Sequence[float]) -> np.ndarray:
        column = np.asarray(numbers)
        return np.array([(column < number).sum() + (column == number).sum() / 2 for number in column])

    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])
