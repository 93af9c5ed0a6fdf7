"""The outlook of a menu: laws, walk-forward, repeatability, the cost of trading, and what is missing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from spy32.domain.codec import canonical_json
from spy32.domain.market import MarketSnapshot
from spy32.domain.outlook import Estimate, Forecast, Forecasts, Outlook, Probabilities
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.markets import bundled_history
from spy32.options.history import DailyHistory, build_scenarios, count_windows
from spy32.options.surface import Smile
from spy32.rules.candidates import trading_cost
from spy32.rules.endings import plan_endings
from spy32.rules.outlook import MIN_WINDOWS, _replace_touch, build_market_model, fill_outlooks, remaining_sessions
from spy32.sessions import market_date
from spy32.settings import Settings
from tests.support import builders
from tests.support.shipped_menu import smile_of, whole_menu

SETTINGS = Settings()
PAIRS = (("640", "635"), ("650", "645"), ("630", "620"), ("695", "700"), ("690", "700"))


@cache
def world() -> tuple[MarketSnapshot, Smile, DailyHistory]:
    snapshot = builders.snapshot()
    history = bundled_history.total_returns("SPY", snapshot.as_of)
    assert history is not None
    return snapshot, smile_of(snapshot.chain), history


def menu() -> Menu:
    return builders.menu(candidates=tuple(builders.candidate(*pair) for pair in PAIRS))


def fill(history: DailyHistory | None = None, **over: object) -> Menu:
    snapshot, smile, known = world()
    return fill_outlooks(menu(), replace(snapshot, **over), smile, SETTINGS, history or known)  # type: ignore[arg-type]


@cache
def filled() -> Menu:
    return fill()


def outlook(candidate: Candidate) -> Outlook:
    assert candidate.outlook is not None
    return candidate.outlook


def forecasts(found: Outlook) -> list[tuple[str, Forecast]]:
    pairs = []
    for name, horizon in (("expiry", found.expiry), ("plan", found.plan)):
        assert isinstance(horizon, Forecasts)
        for law in ("market", "history", "no_drift"):
            forecast = getattr(horizon, law)
            assert forecast is not None
            pairs.append((f"{name} {law}", forecast))
    return pairs


@pytest.mark.parametrize("place", range(len(PAIRS)))
def test_probabilities_agree_with_each_other(place: int) -> None:
    found = outlook(filled().candidates[place])
    for name, forecast in forecasts(found):
        p: Probabilities = forecast.probabilities
        assert p.touch is not None, name
        if name.startswith("plan"):
            assert p.worthless is p.max_loss is None, f"{name}: nothing is held to expiration"
            assert p.stopped is not None
            assert p.max_profit + p.stopped <= 1 + 1e-12, name
        else:
            assert p.worthless is not None
            assert p.max_loss is not None
            assert p.stopped is None
            assert 0 <= p.max_loss <= 1 - p.worthless + 1e-12, name
            assert p.touch >= 1 - p.worthless - 1e-12, f"{name}: who ends in the money has touched the strike"
            assert p.max_profit == pytest.approx(p.worthless, abs=1e-12)
            assert p.worthless <= p.profit + 1e-12


def test_the_averages_of_wins_and_losses_make_the_mean() -> None:
    for candidate in filled().candidates:
        for horizon in (outlook(candidate).expiry, outlook(candidate).plan):
            found = horizon.history if horizon is not None else None
            assert found is not None
            assert found.ev is not None
            assert found.average_win is not None
            assert found.average_loss is not None
            assert found.average_win > 0 > found.average_loss
            share = found.probabilities.profit
            mean = share * found.average_win + (1 - share) * found.average_loss
            assert mean == pytest.approx(found.ev.mean, abs=1e-9)


def test_the_plan_is_simulated_on_every_window_of_the_past() -> None:
    """2,000 of them moved the means by up to 5 dollars, more than the candidates of a menu differ."""
    snapshot, smile, history = world()
    model = build_market_model(snapshot, smile)
    starts = np.arange(count_windows(history, model.horizon))
    scenarios = build_scenarios(history, model.horizon, vix=snapshot.volatility["vix"].value or 0.0, starts=starts)
    today = market_date(snapshot.evaluated_at)
    profits = plan_endings(filled().candidates, scenarios, model, SETTINGS, today).profits
    for candidate, mean in zip(filled().candidates, profits.mean(axis=1), strict=True):
        planned = outlook(candidate).chosen_plan
        assert planned is not None
        assert planned.ev is not None
        assert planned.ev.mean == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize(
    ("credit", "debit"), [(Strategy.PUT_CREDIT, Strategy.PUT_DEBIT), (Strategy.CALL_CREDIT, Strategy.CALL_DEBIT)]
)
def test_one_short_strike_has_one_touch_whatever_is_bought_beside_it(credit: Strategy, debit: Strategy) -> None:
    """A debit spread is worthless beyond its long strike, which says nothing of the short one."""
    touches = {entry.spread.short.strike: _touches(entry) for entry in whole_menu(credit).candidates}
    same = [entry for entry in whole_menu(debit).candidates if entry.spread.short.strike in touches]
    assert same
    for entry in same:
        assert _touches(entry) == pytest.approx(touches[entry.spread.short.strike], abs=1e-9)


def _touches(entry: Candidate) -> list[float | None]:
    expiry = outlook(entry).expiry
    return [found.probabilities.touch for found in (expiry.market, expiry.history, expiry.no_drift) if found]


def test_the_market_s_touch_is_its_own_end_in_the_money_and_the_scenarios_returns_from_there() -> None:
    """Where density and weights differ by the coarse tail of the past, a touch stays likelier than the end."""
    base = {"profit": 0.7, "max_loss": 0.1}
    density = Forecast(probabilities=Probabilities(worthless=0.70, max_profit=0.70, **base))
    weighted = Forecast(probabilities=Probabilities(worthless=0.80, max_profit=0.80, touch=0.25, **base))
    touch = _replace_touch(density, weighted, is_debit=False).probabilities.touch
    assert touch == pytest.approx(0.30 + 0.05)


@pytest.mark.parametrize("place", range(len(PAIRS)))
def test_means_lie_in_their_intervals_and_the_market_has_none(place: int) -> None:
    found = outlook(filled().candidates[place])
    for name, forecast in forecasts(found):
        if name.endswith("market"):
            assert forecast.ev is None
            assert forecast.shortfall is None
            continue
        assert forecast.ev is not None
        assert forecast.shortfall is not None
        assert forecast.ev.low < forecast.ev.mean < forecast.ev.high
        assert forecast.shortfall.low <= forecast.shortfall.mean + 1e-9 <= forecast.shortfall.high + 2e-9
        assert forecast.shortfall.mean < forecast.ev.mean


def values_by_history() -> Iterator[tuple[Candidate, Estimate, Estimate]]:
    """Each candidate with its expected value to expiration by history, and without drift."""
    for candidate in filled().candidates:
        found = outlook(candidate).expiry
        assert found.history is not None
        assert found.no_drift is not None
        assert found.history.ev is not None
        assert found.no_drift.ev is not None
        yield candidate, found.history.ev, found.no_drift.ev


def test_without_drift_puts_lose_and_calls_gain() -> None:
    """SPY rose more than the forward since 1993."""
    for candidate, history, no_drift in values_by_history():
        is_put = candidate.spread.strategy.value.startswith("put")
        assert (history.mean > no_drift.mean) == is_put


def test_no_drift_has_a_narrower_interval_than_history() -> None:
    """The drift of 33 years is uncertain; a drift that is fixed is not."""
    for _, history, no_drift in values_by_history():
        assert no_drift.high - no_drift.low < history.high - history.low


def test_the_score_is_the_lower_end_under_the_plan_over_the_maximum_loss() -> None:
    for candidate in filled().candidates:
        found = outlook(candidate)
        assert found.plan is not None
        assert found.plan.history is not None
        assert found.plan.history.ev is not None
        assert found.score == pytest.approx(found.plan.history.ev.low / float(candidate.max_loss))
        assert candidate.ev.history_plan == found.plan.history.ev.mean
        assert found.expiry.history is not None
        assert candidate.pop_history == found.expiry.history.probabilities.profit


# What went into them.


def test_the_same_market_has_the_same_bytes() -> None:
    assert canonical_json(fill()) == canonical_json(filled())


def test_data_after_the_snapshot_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of the shipped file from the snapshot's day on is replaced."""
    lines = bundled_history._read_lines()
    wrong = [line if line < "2025-10-06" or line[0] == "d" else f"{line[:10]},1,1,1,1,99,,,," for line in lines]
    monkeypatch.setattr(bundled_history, "_read_lines", lambda: wrong)
    bundled_history._load_total_returns.cache_clear()
    history = bundled_history.total_returns("SPY", builders.NOW)
    bundled_history._load_total_returns.cache_clear()
    assert history is not None
    assert canonical_json(fill(history)) == canonical_json(filled())
    assert outlook(filled().candidates[0]).history_until == date(2025, 10, 3)


def test_a_session_counts_from_its_close_on() -> None:
    close = datetime(2025, 10, 6, 20, 15, tzinfo=UTC)
    for at, last in ((close - timedelta(seconds=1), "2025-10-03"), (close, "2025-10-06")):
        history = bundled_history.total_returns("SPY", at)
        assert history is not None
        assert str(history.days[-1]) == last


def test_the_returns_are_those_of_the_dividends_too() -> None:
    """From the file's own rows: 2025-06-20 was an ex-date of 1.7611 dollars."""
    history = bundled_history.total_returns("XSP", builders.NOW)
    assert history is not None
    row = int(np.searchsorted(history.days, np.datetime64("2025-06-20")))
    bars = {bar.day: bar.close for bar in bundled_history.daily_bars(builders.NOW, date(2025, 6, 18))}
    paid = {each.ex_date: each.amount for each in bundled_history._read_dividends()}[date(2025, 6, 20)]
    wanted = np.log((bars[date(2025, 6, 20)] + float(paid)) / bars[date(2025, 6, 18)])
    assert history.close[row] - history.close[row - 1] == pytest.approx(wanted)


def test_a_market_that_is_twice_as_nervous_makes_the_past_wider() -> None:
    calm, nervous = filled(), fill(volatility={"vix": builders.datum(33.0)})
    for before, after in zip(calm.candidates, nervous.candidates, strict=True):
        first, second = outlook(before).expiry.history, outlook(after).expiry.history
        assert first is not None
        assert second is not None
        assert (second.probabilities.worthless or 0.0) < (first.probabilities.worthless or 0.0)


# What is missing.


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"volatility": {}}, "the VIX is missing"),
        ({"volatility": {"vix": builders.datum(None)}}, "the VIX is missing"),
    ],
)
def test_without_vix_the_market_s_numbers_stay(over: dict[str, object], reason: str) -> None:
    for candidate in fill(**over).candidates:
        found = outlook(candidate)
        assert reason in str(found.missing)
        assert found.plan is found.expiry.history is found.score is candidate.pop_history is None
        assert found.expiry.market.probabilities.touch is None
        assert candidate.ev.history_plan is None


def test_other_underlyings_and_short_histories_say_so() -> None:
    snapshot, smile, history = world()
    assert bundled_history.total_returns("QQQ", snapshot.as_of) is None
    other = fill_outlooks(menu(), replace(snapshot, underlying="QQQ"), smile, SETTINGS, None)
    assert "no long daily history of QQQ" in str(outlook(other.candidates[0]).missing)
    short = fill(history.until(date(1994, 6, 1)))
    assert f"{MIN_WINDOWS} are needed" in str(outlook(short.candidates[0]).missing)


def test_an_empty_menu_stays_empty() -> None:
    snapshot, smile, history = world()
    assert fill_outlooks(Menu(candidates=()), snapshot, smile, SETTINGS, history).candidates == ()


# The cost of trading.


def test_the_cost_of_trading_is_the_market_s_expected_value_without_a_density() -> None:
    held = builders.candidate()
    discount = float(np.exp(-0.04 * 32 / 365))
    cost = trading_cost(held, discount, SETTINGS)
    assert cost.interest == pytest.approx(-(np.exp(0.04 * 32 / 365) - 1) * float(held.mid) * 100)
    assert cost.slippage == pytest.approx(-0.25 * float(held.mid - held.natural) * 100)
    assert (cost.commissions, cost.fees) == (Decimal(-2), Decimal("-0.26"))
    assert cost.commissions + cost.fees == -held.costs
    assert cost.total == pytest.approx(cost.interest + cost.slippage - float(held.costs))


# The calendar.


def days(at: datetime, expiration: date) -> list[date]:
    return [hours.day for hours in remaining_sessions(at, expiration)]


def test_sessions_left_skip_holidays_and_end_with_the_last_trading_day() -> None:
    friday = datetime(2025, 8, 29, 20, 15, tzinfo=UTC)
    assert days(friday, date(2025, 9, 3)) == [date(2025, 9, 2), date(2025, 9, 3)], "Labor Day"
    assert days(datetime(2025, 11, 26, 14, 30, tzinfo=UTC), date(2025, 11, 28)) == [
        date(2025, 11, 26),
        date(2025, 11, 28),
    ]
    good_friday = datetime(2025, 4, 16, 14, 0, tzinfo=UTC)
    assert days(good_friday, date(2025, 4, 18)) == [date(2025, 4, 16), date(2025, 4, 17)]
    assert days(datetime(2025, 10, 4, 14, 0, tzinfo=UTC), date(2025, 10, 6)) == [date(2025, 10, 6)], "a Saturday"
    assert days(datetime(2025, 11, 28, 18, 0, tzinfo=UTC), date(2025, 12, 1)) == [date(2025, 12, 1)], "an early close"


def test_on_the_last_day_one_session_is_left() -> None:
    assert days(datetime(2025, 10, 6, 19, 59, tzinfo=UTC), date(2025, 10, 6)) == [date(2025, 10, 6)]
