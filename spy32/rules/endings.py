"""How the candidates of a menu end in each scenario of the past: at expiration, and under their exit plans."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np

from spy32.domain.market import Right
from spy32.domain.outlook import Probabilities
from spy32.domain.spreads import MULTIPLIER, Candidate, Spread, value_bounds
from spy32.domain.value import value
from spy32.options.density import Density
from spy32.options.history import Horizon, Scenarios
from spy32.options.normal import Bools, Floats
from spy32.options.plan_paths import (
    PlanTerms,
    SmileShape,
    closing_debits,
    log_spot_paths,
    mark_contracts,
    simulate_plan,
)
from spy32.options.spreads import breakevens, payoff
from spy32.options.surface import Smile
from spy32.rules.plan import exit_plan
from spy32.sessions import market_date
from spy32.settings import Settings

TOLERANCE = 1e-9
"""Two payoffs (dollars per share) nearer than this are the same; strikes differ by far more."""


@value
class MarketModel:
    """The market of now, which the scenarios start from."""

    spot: float
    horizon: Horizon
    closes: tuple[datetime, ...]
    """The closes of the horizon's sessions."""
    smile: Smile
    shape: SmileShape
    density: Density

    def marks(self, spreads: Iterable[Spread], scenarios: Scenarios) -> dict[tuple[Right, float], Floats]:
        """Return the prices of the legs at the closes of scenarios, each at the vol of its own mid now."""
        vols = {
            (leg.right, float(leg.strike)): float(self.smile.quote_iv[self.smile.rows[leg.right, leg.strike]])
            for spread in spreads
            for leg in spread.legs
        }
        return mark_contracts(vols, scenarios, self.horizon, self.shape)

    def log_spots(self, moves: Floats) -> Floats:
        """Return the log of the underlying's price along log total-return moves since now, shape of `moves`."""
        return log_spot_paths(moves, self.horizon, self.shape, self.spot)


@value
class SimulatedTrade:
    """A candidate as a trade that is opened at the price expected of it."""

    spread: Spread
    fill: Decimal
    """The mid less slippage, a credit in dollars per share."""
    costs: Decimal
    """To open, dollars per contract."""
    worst: Decimal
    best: Decimal
    """The least and the largest payoff at expiration, dollars per share."""

    @classmethod
    def open(cls, candidate: Candidate, settings: Settings) -> "SimulatedTrade":
        """Return the trade of a candidate."""
        worst, best = value_bounds(candidate.spread.legs)
        return cls(
            spread=candidate.spread,
            fill=candidate.mid - settings.costs.slippage * (candidate.mid - candidate.natural),
            costs=candidate.costs,
            worst=worst,
            best=best,
        )

    def is_worthless(self, log_prices: Floats) -> Bools:
        """Return where every leg is out of the money, shape of `log_prices`."""
        found = np.ones(log_prices.shape, dtype=np.bool_)
        for leg in self.spread.legs:
            strike = np.log(float(leg.strike))
            found &= log_prices > strike if leg.right is Right.PUT else log_prices < strike
        return found

    def is_touched(self, lows: Floats, highs: Floats) -> Bools:
        """Return where a short strike lies within a range of log prices, shape of `lows`."""
        found = np.zeros(lows.shape, dtype=np.bool_)
        for leg in self.spread.legs:
            if leg.is_sold:
                strike = np.log(float(leg.strike))
                found |= lows <= strike if leg.right is Right.PUT else highs >= strike
        return found

    def is_max_loss(self, payoffs: Floats) -> Bools:
        """Return where a payoff is the least possible."""
        return np.asarray(payoffs <= float(self.worst) + TOLERANCE)

    def is_max_profit(self, payoffs: Floats) -> Bools:
        """Return where a payoff is the largest possible."""
        return np.asarray(payoffs >= float(self.best) - TOLERANCE)


@value
class Endings:
    """How the candidates end in each scenario, columns of shape (candidates, scenarios)."""

    events: Mapping[str, Bools]
    """By their names in `Probabilities`."""
    profits: Floats
    """Dollars per contract after slippage and costs."""


def stack_endings(parts: Sequence[Endings]) -> Endings:
    """Return the endings of several candidates from those of each, of shape (scenarios,)."""
    return Endings(
        events={name: np.stack([part.events[name] for part in parts]) for name in parts[0].events},
        profits=np.stack([part.profits for part in parts]),
    )


def density_probabilities(trade: SimulatedTrade, density: Density) -> Probabilities:
    """Return the market's probabilities at expiration, summed over the stretches between strikes and breakevens."""
    net = trade.fill - trade.costs / MULTIPLIER
    spread = trade.spread
    corners = sorted({float(leg.strike) for leg in spread.legs} | {float(price) for price in breakevens(spread, net)})
    middles = np.array([corners[0] / 2, *((low + high) / 2 for low, high in pairwise(corners)), corners[-1] * 2])
    masses = np.diff(np.concatenate(([0.0], density.cdf(np.array(corners)), [1.0])))
    payoffs = payoff(spread, middles)
    return Probabilities(
        worthless=float(masses @ trade.is_worthless(np.log(middles))),
        profit=float(masses @ (payoffs + float(net) > 0.0)),
        max_profit=float(masses @ trade.is_max_profit(payoffs)),
        max_loss=float(masses @ trade.is_max_loss(payoffs)),
    )


def expiry_endings(trades: Sequence[SimulatedTrade], scenarios: Scenarios, model: MarketModel) -> Endings:
    """Return the ends of trades that are held to expiration."""
    log_final = model.log_spots(scenarios.close)[:, -1]
    lows, highs = model.log_spots(scenarios.low).min(axis=1), model.log_spots(scenarios.high).max(axis=1)
    final = np.exp(log_final)
    return stack_endings([_end_at_expiry(trade, final, log_final, lows, highs) for trade in trades])


def _end_at_expiry(trade: SimulatedTrade, final: Floats, log_final: Floats, lows: Floats, highs: Floats) -> Endings:
    payoffs = payoff(trade.spread, final)
    profits = (payoffs + float(trade.fill)) * MULTIPLIER - float(trade.costs)
    events = {
        "worthless": trade.is_worthless(log_final),
        "profit": profits > 0.0,
        "max_profit": trade.is_max_profit(payoffs),
        "max_loss": trade.is_max_loss(payoffs),
        "touch": trade.is_touched(lows, highs),
    }
    return Endings(events=events, profits=profits)


def plan_endings(
    candidates: Sequence[Candidate],
    scenarios: Scenarios,
    model: MarketModel,
    settings: Settings,
    today: date,
) -> Endings:
    """Return the ends of candidates under their exit plans, opened on `today`.

    The exit before an ex-date never comes first: the rule `ex_dividend` keeps short calls off the menu whose planned
    exit is on or after an ex-date.
    """
    trades = [SimulatedTrade.open(candidate, settings) for candidate in candidates]
    plans = [plan_terms(candidate, trade, settings, today) for candidate, trade in zip(candidates, trades, strict=True)]
    counts = [sum(market_date(close) < day for close in model.closes[:-1]) + 1 for _, day in plans]
    reached = scenarios.first_sessions(max(counts))
    lows, highs = (model.log_spots(moves).T for moves in (reached.low, reached.high))
    lows, highs = np.minimum.accumulate(lows, axis=0), np.maximum.accumulate(highs, axis=0)
    marks = model.marks([each.spread for each in trades], reached)
    at = np.arange(len(scenarios.starts))
    parts = []
    for trade, (terms, _), count in zip(trades, plans, counts, strict=True):
        result = simulate_plan(closing_debits(trade.spread, marks)[:count], terms)
        stop = terms.stop if terms.stop is not None else np.inf
        events = {
            "profit": result.profit > 0.0,
            "max_profit": result.mark <= terms.target,
            "touch": trade.is_touched(lows[result.session, at], highs[result.session, at]),
            "stopped": result.mark >= stop,
        }
        parts.append(Endings(events=events, profits=result.profit))
    return stack_endings(parts)


def plan_terms(candidate: Candidate, trade: SimulatedTrade, settings: Settings, today: date) -> tuple[PlanTerms, date]:
    """Return the exit plan of a trade as numbers, and the day on whose close it is left at the latest.

    The plan is that of the approval, which is priced at the first limit.
    """
    exits = exit_plan(candidate, today, settings)
    ceiling = -trade.worst
    terms = PlanTerms(
        credit=float(trade.fill),
        target=float(exits.profit_target),
        stop=float(exits.stop) if exits.stop < ceiling else None,
        ceiling=float(ceiling),
        slippage=float(settings.costs.slippage * (candidate.mid - candidate.natural)),
        costs=float(candidate.costs_round_trip),
    )
    return terms, exits.time_exit or exits.last_exit
