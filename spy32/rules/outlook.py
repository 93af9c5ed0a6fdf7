"""The outlook of every candidate of a menu: how it may end and what it is worth, by the market and by the past."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np

from spy32.domain.market import MarketSnapshot
from spy32.domain.outlook import Estimate, Forecast, Forecasts, Outlook, Probabilities
from spy32.domain.spreads import MULTIPLIER, Candidate, Menu
from spy32.options.bootstrap import BLOCK_SESSIONS, Resamples, remove_drift_error, shortfall_values
from spy32.options.density import implied_density
from spy32.options.history import (
    DailyHistory,
    Horizon,
    Scenarios,
    build_scenarios,
    count_windows,
    matched_weights,
    tilt_weights,
)
from spy32.options.normal import Floats
from spy32.options.plan_paths import SmileShape
from spy32.options.surface import Smile
from spy32.rules.candidates import trading_cost
from spy32.rules.endings import (
    Endings,
    MarketModel,
    SimulatedTrade,
    density_probabilities,
    expiry_endings,
    plan_endings,
)
from spy32.sessions import (
    Session,
    days_to_expiration,
    last_trading_day,
    market_date,
    next_session,
    session,
    years_to_expiration,
)
from spy32.settings import Settings

MIN_WINDOWS = 500
"""Fewest past windows (two years) for numbers of the history."""
SEED = 20_260_727
"""Of the bootstrap. It is fixed, so that one market has one set of numbers, whichever
run looks at it."""


def fill_outlooks(
    menu: Menu, snapshot: MarketSnapshot, smile: Smile, settings: Settings, history: DailyHistory | None
) -> Menu:
    """Return the menu whose candidates have their outlook, and the older fields that follow from it.

    `history` holds only sessions that had closed before the snapshot; None where the underlying has none.
    """
    if not menu.candidates:
        return menu
    model = build_market_model(snapshot, smile)
    vix = snapshot.volatility.get("vix")
    level = vix.value if vix is not None else None
    missing = _missing_history(snapshot.underlying, history, level, model)
    today = market_date(snapshot.evaluated_at)
    candidates = [
        replace(
            candidate,
            outlook=_market_outlook(candidate, model, settings, missing, today),
            ev=replace(candidate.ev, history_expiry=None, history_plan=None),
            pop_history=None,
        )
        for candidate in menu.candidates
    ]
    if missing is None and history is not None and level is not None:
        candidates = _add_history(candidates, model, settings, history, level, today)
    return replace(menu, candidates=tuple(candidates))


def _missing_history(
    underlying: str, history: DailyHistory | None, vix: float | None, model: MarketModel
) -> str | None:
    """Return why the past can tell nothing here; None when it can."""
    if history is None:
        return f"there is no long daily history of {underlying}"
    if vix is None:
        return "the VIX is missing, which scales the past to today"
    windows = count_windows(history, model.horizon)
    if windows < MIN_WINDOWS:
        return f"only {windows} past windows of {model.horizon.sessions} sessions had closed; {MIN_WINDOWS} are needed"
    return None


def build_market_model(snapshot: MarketSnapshot, smile: Smile) -> MarketModel:
    """Return the market that the scenarios start from."""
    sessions = remaining_sessions(snapshot.as_of, smile.expiration)
    first = sessions[0]
    share = (first.close - snapshot.as_of) / (first.close - first.open) if first.open < snapshot.as_of else None
    left = [years_to_expiration(hours.close, smile.expiration) for hours in sessions]
    density = implied_density(smile)
    assert smile.curve is not None, "a smile with a density has a curve"
    return MarketModel(
        spot=snapshot.spot,
        horizon=Horizon(years=smile.years, left=np.array(left), share=share),
        closes=tuple(hours.close for hours in sessions),
        smile=smile,
        shape=SmileShape.tabulate(smile.curve.vol, forward=smile.forward, discount=smile.discount, years=smile.years),
        density=density,
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


def _market_outlook(
    candidate: Candidate, model: MarketModel, settings: Settings, missing: str | None, today: date
) -> Outlook:
    """Return the part of the outlook that needs no history."""
    trade = SimulatedTrade.open(candidate, settings)
    largest_profit = float((candidate.start + trade.best) * MULTIPLIER - candidate.costs)
    days = max(round(model.horizon.years * 365), 1)
    return Outlook(
        expiry=Forecasts(market=Forecast(probabilities=density_probabilities(trade, model.density))),
        plan=None,
        cost=trading_cost(candidate, model.shape.discount, settings),
        premium_per_day=float(candidate.mid) * MULTIPLIER / days,
        return_on_risk=largest_profit / float(candidate.max_loss),
        days=days_to_expiration(candidate.spread.expiration, today),
        missing=missing,
    )


def _add_history(
    candidates: Sequence[Candidate],
    model: MarketModel,
    settings: Settings,
    history: DailyHistory,
    vix: float,
    today: date,
) -> list[Candidate]:
    windows = count_windows(history, model.horizon)
    scenarios = build_scenarios(history, model.horizon, vix=vix, starts=np.arange(windows))
    block = max(BLOCK_SESSIONS, model.horizon.sessions)
    trades = [SimulatedTrade.open(candidate, settings) for candidate in candidates]
    held = _forecasts(expiry_endings(trades, scenarios, model), scenarios, model, block)
    # A sample of the windows would move the means by more than the candidates differ.
    plans = _forecasts(plan_endings(candidates, scenarios, model, settings, today), scenarios, model, block)
    filled = []
    for candidate, expiry, plan in zip(candidates, held, plans, strict=True):
        outlook = candidate.outlook
        assert outlook is not None and expiry.history is not None and expiry.history.ev is not None
        assert plan.history is not None and plan.history.ev is not None
        market = _replace_touch(outlook.expiry.market, expiry.market, is_debit=candidate.spread.strategy.is_debit)
        outlook = replace(
            outlook,
            expiry=replace(expiry, market=market),
            plan=plan,
            score=plan.history.ev.low / float(candidate.max_loss),
            sessions=windows,
            history_until=history.days[-1].astype(date),
        )
        ev = replace(candidate.ev, history_expiry=expiry.history.ev.mean, history_plan=plan.history.ev.mean)
        pop = expiry.history.probabilities.profit
        filled.append(replace(candidate, outlook=outlook, ev=ev, pop_history=pop))
    return filled


def _replace_touch(density: Forecast, weighted: Forecast, *, is_debit: bool) -> Forecast:
    """Return the density's forecast with the touch of the weighted scenarios.

    Only the probability that a short strike is touched and yet not reached at the end is theirs, so that a touch is
    never less likely than an end in the money.
    """
    by_density, by_weights = density.probabilities, weighted.probabilities
    returned = max((by_weights.touch or 0.0) - _probability_in_the_money(by_weights, is_debit=is_debit), 0.0)
    touch = min(_probability_in_the_money(by_density, is_debit=is_debit) + returned, 1.0)
    return replace(density, probabilities=replace(by_density, touch=touch))


def _probability_in_the_money(found: Probabilities, *, is_debit: bool) -> float:
    """Return the probability that a short strike is in the money at the end: there a debit spread earns the most, and a
    credit spread does where none is."""
    return found.max_profit if is_debit else 1.0 - found.max_profit


def _forecasts(endings: Endings, scenarios: Scenarios, model: MarketModel, block: int) -> list[Forecasts]:
    """Return the forecasts of every candidate under the three laws. The market's has probabilities only."""
    growth = np.exp(scenarios.close[:, -1]) * model.shape.discount
    equal, tilted = np.full(len(growth), 1.0 / len(growth)), tilt_weights(growth)
    market = matched_weights(growth * model.shape.forward, model.density.cdf)
    by_market, by_history, without_drift = _probabilities(endings, np.stack((market, equal, tilted)))
    profits = endings.profits
    order = np.argsort(profits, axis=1)
    resamples = Resamples.draw(len(growth), block, SEED)
    results = np.concatenate((profits, shortfall_values(profits, order, equal)))
    history = _estimates(resamples, results, equal)
    results = np.concatenate((profits, shortfall_values(profits, order, tilted)))
    no_drift = _estimates(resamples, remove_drift_error(results, tilted, growth), tilted)
    count = len(profits)
    return [
        Forecasts(
            market=Forecast(probabilities=by_market[row]),
            history=_forecast(by_history[row], history[row], history[count + row], profits[row], equal),
            no_drift=_forecast(without_drift[row], no_drift[row], no_drift[count + row], profits[row], tilted),
        )
        for row in range(count)
    ]


def _forecast(odds: Probabilities, ev: Estimate, shortfall: Estimate, profits: Floats, weights: Floats) -> Forecast:
    win, loss = (_weighted_mean(profits, weights * chosen) for chosen in (profits > 0.0, profits <= 0.0))
    return Forecast(probabilities=odds, ev=ev, shortfall=shortfall, average_win=win, average_loss=loss)


def _weighted_mean(values: Floats, weights: Floats) -> float | None:
    """Return None where nothing has a weight."""
    total = float(weights.sum())
    return float(values @ weights) / total if total > 0.0 else None


def _estimates(resamples: Resamples, values: Floats, weights: Floats) -> list[Estimate]:
    lows, highs = resamples.intervals(values, weights)
    columns = (values @ weights).tolist(), lows.tolist(), highs.tolist()
    return [Estimate(mean=mean, low=low, high=high) for mean, low, high in zip(*columns, strict=True)]


def _probabilities(endings: Endings, weights: Floats) -> list[list[Probabilities]]:
    """Return the probabilities of every candidate for each row of `weights`."""
    columns = endings.events.values()
    shares = np.stack([np.clip(weights @ column.T.astype(np.float64), 0.0, 1.0) for column in columns])
    return [
        [Probabilities(**dict(zip(endings.events, numbers, strict=True))) for numbers in shares[:, law].T.tolist()]
        for law in range(len(weights))
    ]
