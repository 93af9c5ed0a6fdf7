"""The outlook of every candidate of a menu: how it may end and what it is worth, by the market and by the past."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import numpy as np

from spy32.domain.market import MarketSnapshot, Right
from spy32.domain.outlook import Estimate, Forecast, Forecasts, Outlook, Probabilities, TradingCost
from spy32.domain.spreads import MULTIPLIER, Candidate, Leg, Menu, Spread
from spy32.domain.value import value
from spy32.options import history as past
from spy32.options import plan_paths
from spy32.options.density import Density, implied_density, smooth_smile
from spy32.options.normal import Bools, Floats
from spy32.options.spreads import breakevens, payoff
from spy32.options.surface import Smile
from spy32.rules.plan import exit_plan, reprice_exits
from spy32.sessions import Session, last_trading_day, market_date, next_session, session, years_to_expiration
from spy32.settings import Settings

MIN_WINDOWS = 500
"""Fewest past windows (two years) for numbers of the history."""
PLAN_PATHS = 2000
"""Scenarios that a plan is simulated on. More than about one in four of the 8,400 windows adds little: they overlap."""
SEED = 20_260_727
"""Of the scenarios' start days and of the bootstrap. It is fixed, so that one market has one set of numbers, whichever
run looks at it."""
CENT_FRACTION = 1e-9
"""Two payoffs (dollars per share) nearer than this are the same; strikes are at least a tenth of a cent apart."""


@value
class Law:
    """Weights of the scenarios under one law, shape (scenarios,), of sum 1."""

    weights: Floats
    growth: Floats | None = None
    """The forward at expiration over that of now where the law fixes its mean, else None."""


@value
class Endings:
    """How the candidates end in each scenario, columns of shape (scenarios, candidates)."""

    worthless: Bools
    profit: Bools
    max_profit: Bools
    max_loss: Bools
    touch: Bools
    profits: Floats
    """Dollars per contract after slippage and costs."""


@value
class MarketModel:
    """What the scenarios are applied to: the market of now."""

    spot: float
    horizon: past.Horizon
    closes: tuple[datetime, ...]
    """The closes of the horizon's sessions."""
    smile: Smile
    shape: plan_paths.SmileShape
    density: Density

    def vol(self, leg: Leg) -> float:
        """Return the implied vol of a listed contract."""
        return float(self.smile.iv[self.smile.rows[leg.right, leg.strike]])


def fill_outlooks(
    menu: Menu, snapshot: MarketSnapshot, smile: Smile, settings: Settings, history: past.DailyHistory | None
) -> Menu:
    """Return the menu whose candidates have their outlook, and the old fields that follow from it.

    `history` holds only sessions that had closed before the snapshot; None where the underlying has none.
    """
    if not menu.candidates:
        return menu
    model = _market_model(snapshot, smile)
    vix = snapshot.volatility.get("vix")
    level = vix.value if vix is not None else None
    missing = _missing_history(snapshot.underlying, history, level, model)
    if missing is not None or history is None or level is None:
        outlooks = [_market_outlook(candidate, model, settings, missing) for candidate in menu.candidates]
    else:
        outlooks = _full_outlooks(menu.candidates, model, settings, history, level, market_date(snapshot.evaluated_at))
    filled = (_with_outlook(*pair) for pair in zip(menu.candidates, outlooks, strict=True))
    return replace(menu, candidates=tuple(filled))


def _with_outlook(candidate: Candidate, outlook: Outlook) -> Candidate:
    expiry, plan = outlook.expiry.history, outlook.plan.history if outlook.plan is not None else None
    ev = replace(
        candidate.ev,
        market_expiry=outlook.cost.total,
        history_expiry=expiry.ev.mean if expiry is not None and expiry.ev is not None else None,
        history_plan=plan.ev.mean if plan is not None and plan.ev is not None else None,
    )
    pop = expiry.probabilities.profit if expiry is not None else None
    return replace(candidate, outlook=outlook, ev=ev, pop_history=pop)


def _missing_history(
    underlying: str, history: past.DailyHistory | None, vix: float | None, model: MarketModel
) -> str | None:
    """Return why the past can tell nothing here; None when it can."""
    if history is None:
        return f"there is no long daily history of {underlying}"
    if vix is None:
        return "the VIX is missing, which scales the past to today"
    windows = past.count_windows(history, model.horizon)
    if windows < MIN_WINDOWS:
        return f"only {windows} past windows of {model.horizon.sessions} sessions had closed; {MIN_WINDOWS} are needed"
    return None


def _market_model(snapshot: MarketSnapshot, smile: Smile) -> MarketModel:
    vol_at, _ = smooth_smile(smile)
    sessions = remaining_sessions(snapshot.as_of, smile.expiration)
    first = sessions[0]
    share = (first.close - snapshot.as_of) / (first.close - first.open) if first.open < snapshot.as_of else None
    left = [years_to_expiration(hours.close, smile.expiration) for hours in sessions]
    return MarketModel(
        spot=snapshot.spot,
        horizon=past.Horizon(years=smile.years, left=np.array(left), share=share),
        closes=tuple(hours.close for hours in sessions),
        smile=smile,
        shape=plan_paths.SmileShape.tabulate(vol_at, forward=smile.forward, discount=smile.discount, years=smile.years),
        density=implied_density(smile),
    )


def remaining_sessions(now: datetime, expiration: date) -> tuple[Session, ...]:
    """Return the sessions that close after `now`, up to the last one in which the expiration trades."""
    hours = session(market_date(now))
    if hours is None or hours.close <= now:
        hours = next_session(market_date(now))
    found = [hours]
    while found[-1].day < last_trading_day(expiration):
        found.append(next_session(found[-1].day))
    return tuple(found)


def _market_outlook(candidate: Candidate, model: MarketModel, settings: Settings, missing: str | None) -> Outlook:
    """Return what needs no history."""
    cost = trading_cost(candidate, model.shape.discount, settings)
    days = max((market_date(model.closes[-1]) - market_date(model.closes[0])).days, 1)
    best = max(_payoffs_at_kinks(candidate.spread))
    return Outlook(
        expiry=Forecasts(market=Forecast(probabilities=_density_probabilities(candidate, model, settings))),
        plan=None,
        cost=cost,
        premium_per_day=float(candidate.mid) * MULTIPLIER / days,
        return_on_risk=(float(candidate.mid + best) * MULTIPLIER - float(candidate.costs)) / float(candidate.max_loss),
        missing=missing,
    )


def trading_cost(candidate: Candidate, discount: float, settings: Settings) -> TradingCost:
    """Return the market's expected value of a spread held to expiration, which needs no density."""
    mid, costs, legs = float(candidate.mid), settings.costs, len(candidate.spread.legs)
    commissions = legs * min(costs.commission, costs.commission_cap)
    return TradingCost(
        interest=-(1 / discount - 1) * mid * MULTIPLIER,
        slippage=-float(costs.slippage * (candidate.mid - candidate.natural)) * MULTIPLIER,
        commissions=-commissions,
        fees=commissions - candidate.costs,
    )


def _payoffs_at_kinks(spread: Spread) -> list[Decimal]:
    from spy32.options.spreads import exact_payoff

    strikes = sorted({leg.strike for leg in spread.legs})
    return [exact_payoff(spread, price) for price in (Decimal(0), *strikes, 2 * strikes[-1])]


def _fill(candidate: Candidate, settings: Settings) -> Decimal:
    """Return the credit that an opening is expected to get: the mid less slippage, dollars per share."""
    return candidate.mid - settings.costs.slippage * (candidate.mid - candidate.natural)


def _density_probabilities(candidate: Candidate, model: MarketModel, settings: Settings) -> Probabilities:
    """Return the market's probabilities at expiration, summed over the stretches between strikes and breakevens."""
    spread, fill = candidate.spread, _fill(candidate, settings)
    net = fill - candidate.costs / MULTIPLIER
    corners = sorted({float(leg.strike) for leg in spread.legs} | {float(price) for price in breakevens(spread, net)})
    inner = [(low + high) / 2 for low, high in zip(corners, corners[1:], strict=False)]
    middles = np.array([corners[0] / 2, *inner, corners[-1] * 2])
    masses = np.diff(np.concatenate(([0.0], model.density.cdf(np.array(corners)), [1.0])))
    payoffs = payoff(spread, middles)
    worst, best = float(min(_payoffs_at_kinks(spread))), float(max(_payoffs_at_kinks(spread)))
    return Probabilities(
        worthless=float(masses @ _is_out_of_money(spread, np.log(middles))),
        profit=float(masses @ (payoffs + float(net) > 0.0)),
        max_profit=float(masses @ (payoffs >= best - CENT_FRACTION)),
        max_loss=float(masses @ (payoffs <= worst + CENT_FRACTION)),
    )


def _is_out_of_money(spread: Spread, log_prices: Floats) -> Bools:
    """Return where every leg is out of the money, shape of `log_prices`."""
    inside = np.ones(log_prices.shape, dtype=np.bool_)
    for leg in spread.legs:
        strike = np.log(float(leg.strike))
        inside &= log_prices > strike if leg.right is Right.PUT else log_prices < strike
    return inside


def _is_touched(spread: Spread, lows: Floats, highs: Floats) -> Bools:
    """Return where a short strike lies within the range of log prices, shape of `lows`."""
    touched = np.zeros(lows.shape, dtype=np.bool_)
    for leg in spread.legs:
        if leg.action.sign > 0:
            strike = np.log(float(leg.strike))
            touched |= lows <= strike if leg.right is Right.PUT else highs >= strike
    return touched


def _full_outlooks(
    candidates: Sequence[Candidate],
    model: MarketModel,
    settings: Settings,
    history: past.DailyHistory,
    vix: float,
    today: date,
) -> list[Outlook]:
    windows = past.count_windows(history, model.horizon)
    everything = past.build_scenarios(history, model.horizon, vix=vix, starts=np.arange(windows))
    sampled = everything.select(past.stratified_starts(windows, PLAN_PATHS, SEED))
    expiry = _expiry_endings(candidates, everything, model, settings)
    plan = _plan_endings(candidates, sampled, model, settings, today)
    block = max(past.BLOCK_SESSIONS, model.horizon.sessions)
    at_expiry = _forecasts(expiry, everything, model, block)
    under_plan = _forecasts(plan, sampled, model, -(-block * len(sampled.starts) // windows))
    until = history.days[-1].astype(date)
    outlooks = []
    for candidate, held, left in zip(candidates, at_expiry, under_plan, strict=True):
        outlook = _market_outlook(candidate, model, settings, None)
        assert left.history is not None and left.history.ev is not None
        outlooks.append(
            replace(
                outlook,
                expiry=replace(held, market=_with_touch(outlook.expiry.market, held.market)),
                plan=left,
                score=left.history.ev.low / float(candidate.max_loss),
                sessions=windows,
                history_until=until,
            )
        )
    return outlooks


def _with_touch(density: Forecast, weighted: Forecast) -> Forecast:
    """Return the density's forecast with the touch of the weighted scenarios.

    Only the probability that the strike is touched and the spread still ends worthless is theirs, so that a touch is
    never less likely than an end in the money.
    """
    by_density, by_weights = density.probabilities, weighted.probabilities
    assert by_weights.touch is not None
    returned = max(by_weights.touch - (1.0 - by_weights.worthless), 0.0)
    touch = min(1.0 - by_density.worthless + returned, 1.0)
    return replace(density, probabilities=replace(by_density, touch=touch))


def _expiry_endings(
    candidates: Sequence[Candidate], scenarios: past.Scenarios, model: MarketModel, settings: Settings
) -> Endings:
    """Return the ends of candidates that are held to expiration."""
    final = plan_paths.log_spot_paths(scenarios.close, model.horizon, model.shape, model.spot)[:, -1]
    lows = plan_paths.log_spot_paths(scenarios.low, model.horizon, model.shape, model.spot).min(axis=1)
    highs = plan_paths.log_spot_paths(scenarios.high, model.horizon, model.shape, model.spot).max(axis=1)
    prices = np.exp(final)
    columns = []
    for candidate in candidates:
        spread = candidate.spread
        payoffs, kinks = payoff(spread, prices), _payoffs_at_kinks(spread)
        profits = (payoffs + float(_fill(candidate, settings))) * MULTIPLIER - float(candidate.costs)
        columns.append(
            (
                _is_out_of_money(spread, final),
                profits > 0.0,
                payoffs >= float(max(kinks)) - CENT_FRACTION,
                payoffs <= float(min(kinks)) + CENT_FRACTION,
                _is_touched(spread, lows, highs),
                profits,
            )
        )
    return _stack_endings(columns)


def _plan_endings(
    candidates: Sequence[Candidate],
    scenarios: past.Scenarios,
    model: MarketModel,
    settings: Settings,
    today: date,
) -> Endings:
    """Return the ends of candidates under their exit plans.

    The exit before an ex-date never comes first: the rule `ex_dividend` keeps short calls off the menu whose planned
    exit is on or after an ex-date.
    """
    plans = [plan_terms(candidate, model.closes, settings, today) for candidate in candidates]
    sessions = max(count for _, count in plans)
    contracts = {
        (leg.right, float(leg.strike)): model.vol(leg) for candidate in candidates for leg in candidate.spread.legs
    }
    reached = scenarios.first_sessions(sessions)
    spots, lows, highs = (
        plan_paths.log_spot_paths(column, model.horizon, model.shape, model.spot).T
        for column in (reached.close, reached.low, reached.high)
    )
    lows, highs = np.minimum.accumulate(lows, axis=0), np.maximum.accumulate(highs, axis=0)
    marks = plan_paths.mark_contracts(contracts, reached, model.horizon, model.shape)
    columns = []
    at = np.arange(len(scenarios.starts))
    for candidate, (terms, count) in zip(candidates, plans, strict=True):
        spread, kinks = candidate.spread, _payoffs_at_kinks(candidate.spread)
        debits = plan_paths.closing_debits(spread, marks)[:count]
        result = plan_paths.simulate_plan(debits, terms)
        end = spots[result.session, at]
        columns.append(
            (
                _is_out_of_money(spread, end),
                result.profit > 0.0,
                result.mark <= terms.target,
                payoff(spread, np.exp(end)) <= float(min(kinks)) + CENT_FRACTION,
                _is_touched(spread, lows[result.session, at], highs[result.session, at]),
                result.profit,
            )
        )
    return _stack_endings(columns)


def plan_terms(
    candidate: Candidate, closes: Sequence[datetime], settings: Settings, today: date
) -> tuple[plan_paths.PlanTerms, int]:
    """Return the exit plan of a candidate as numbers, and the number of sessions after which it has been left."""
    fill = _fill(candidate, settings)
    exits = reprice_exits(exit_plan(candidate, today, settings), candidate.spread, fill, settings)
    ceiling = -min(_payoffs_at_kinks(candidate.spread))
    day = exits.time_exit or exits.last_exit
    count = sum(market_date(close) < day for close in closes) + 1
    terms = plan_paths.PlanTerms(
        credit=float(fill),
        target=float(exits.profit_target),
        stop=float(exits.stop) if exits.stop < ceiling else None,
        ceiling=float(ceiling),
        slippage=float(settings.costs.slippage * (candidate.mid - candidate.natural)),
        costs=float(candidate.costs_round_trip),
    )
    return terms, min(count, len(closes))


def _stack_endings(columns: Sequence[tuple[Floats | Bools, ...]]) -> Endings:
    worthless, profit, max_profit, max_loss, touch, profits = (
        np.stack(column, axis=1) for column in zip(*columns, strict=True)
    )
    return Endings(
        worthless=worthless, profit=profit, max_profit=max_profit, max_loss=max_loss, touch=touch, profits=profits
    )


def _forecasts(endings: Endings, scenarios: past.Scenarios, model: MarketModel, block: int) -> list[Forecasts]:
    """Return the forecasts of every candidate under the three laws."""
    growth = np.exp(scenarios.close[:, -1]) * model.shape.discount
    equal = np.full(len(growth), 1.0 / len(growth))
    market = past.matched_weights(growth * model.shape.forward, model.density.cdf)
    laws = (Law(weights=equal), Law(weights=past.tilt_weights(growth), growth=growth))
    by_law = [_law_forecasts(endings, law, block) for law in laws]
    only_probabilities = [Forecast(probabilities=each) for each in _probabilities(endings, market)]
    return [
        Forecasts(market=by_market, history=by_history, no_drift=without_drift)
        for by_market, by_history, without_drift in zip(only_probabilities, *by_law, strict=True)
    ]


def _law_forecasts(endings: Endings, law: Law, block: int) -> list[Forecast]:
    values = np.concatenate((endings.profits, past.shortfall_values(endings.profits, law.weights)), axis=1)
    if law.growth is not None:
        values = past.remove_drift_error(values, law.weights, law.growth)
    lows, highs = past.bootstrap_intervals(values, law.weights, block=block, seed=SEED)
    estimates = [
        Estimate(mean=float(mean), low=float(low), high=float(high))
        for mean, low, high in zip(law.weights @ values, lows, highs, strict=True)
    ]
    count = endings.profits.shape[1]
    return [
        Forecast(probabilities=each, ev=ev, shortfall=shortfall)
        for each, ev, shortfall in zip(
            _probabilities(endings, law.weights), estimates[:count], estimates[count:], strict=True
        )
    ]


def _probabilities(endings: Endings, weights: Floats) -> list[Probabilities]:
    names = ("worthless", "profit", "max_profit", "max_loss", "touch")
    columns = [np.clip(weights @ getattr(endings, name), 0.0, 1.0) for name in names]
    return [
        Probabilities(**{name: float(number) for name, number in zip(names, row, strict=True)})
        for row in zip(*columns, strict=True)
    ]
