"""Figures of a snapshot: what each is, what it comes from, and that what is missing in is missing out."""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spy32.domain.market import DailyBar, MarketSnapshot, Metric, Right, SourceAttempt
from spy32.options.surface import Smile, build_smile
from spy32.rules import indicators
from spy32.rules.daily_bars import finished_sessions
from spy32.rules.market_metrics import DISPLAY_ORDER, compute_metrics, iv_at_delta
from spy32.sessions import clock_time, new_york_instant, years_to_expiration
from tests.support import builders as b

UNITS = {"dollars", "fraction", "percent", "ratio", "points"}
FRIDAY = date(2025, 10, 3)


def smile_of(snapshot: MarketSnapshot) -> Smile:
    return build_smile(
        snapshot.chain.quotes,
        spot=b.SPOT,
        years=years_to_expiration(b.NOW, b.EXPIRATION),
        rate=b.RATE,
        expiration=b.EXPIRATION,
    )


SMILE = smile_of(b.snapshot())


def of(path: str, **over: Any) -> Metric:
    return compute_metrics(b.snapshot(**over), SMILE)[path]


def value(path: str, **over: Any) -> float:
    found = of(path, **over)
    assert found.value is not None, found.missing
    return found.value


def reason(path: str, **over: Any) -> str:
    found = of(path, **over)
    assert found.value is None
    assert found.missing is not None
    return found.missing


def bars(days: int = 260, **over: Any) -> tuple[DailyBar, ...]:
    return tuple(replace(bar, **over) for bar in b.history(days))


def with_one(place: int, **over: Any) -> tuple[DailyBar, ...]:
    changed = list(b.history())
    changed[place] = replace(changed[place], **over)
    return tuple(changed)


def test_every_path_is_there_in_its_order_with_unit_source_and_age() -> None:
    moves = {"QQQ": Metric(value=0.004, unit="fraction", source="cboe", as_of=b.NOW)}
    found = compute_metrics(b.snapshot(moves=moves), SMILE)
    assert list(found) == [*(f"market.{name}" for name in DISPLAY_ORDER), "related.QQQ"]
    assert {each.unit for each in found.values()} == UNITS
    absent = {path for path, each in found.items() if each.value is None}
    assert absent == {"market.broker_iv_rank", "market.broker_iv_percentile"}
    assert all(each.source and each.as_of for path, each in found.items() if path not in absent)


def test_spot_gap_and_prior_close_are_of_the_last_finished_session() -> None:
    assert value("market.spot") == 670.0
    assert of("market.prior_close") == Metric(
        value=669.0,
        unit="dollars",
        source="close, daily bars",
        as_of=new_york_instant(FRIDAY, clock_time("16:00")),
        count=1,
    )
    assert value("market.gap") == pytest.approx(670 / 669 - 1)


def test_the_source_of_the_bars_is_named() -> None:
    tried = (
        SourceAttempt(datum="history", source="yahoo", ok=False, detail="empty"),
        SourceAttempt(datum="history", source="cboe", ok=True),
    )
    assert of("market.sma_20", tried=tried).source == "closes, daily bars, cboe"


# The bar of today.


def test_todays_unfinished_bar_enters_nothing() -> None:
    today = replace(b.history()[-1], day=b.TODAY, close=500.0, low=400.0, high=900.0)
    plain = compute_metrics(b.snapshot(), SMILE)
    assert compute_metrics(b.snapshot(history=(*b.history(), today)), SMILE) == plain


@pytest.mark.parametrize(("clock", "close"), [("15:59", 669.0), ("16:00", 680.0), ("16:15", 680.0)])
def test_from_the_close_on_today_is_a_finished_session(clock: str, close: float) -> None:
    today = replace(b.history()[-1], day=b.TODAY, close=680.0)
    at = new_york_instant(b.TODAY, clock_time(clock))
    assert value("market.prior_close", history=(*b.history(), today), collected_at=at) == close


def test_between_the_close_and_its_bar_the_session_before_is_the_prior_one() -> None:
    at = new_york_instant(b.TODAY, clock_time("16:05"))
    assert value("market.prior_close", collected_at=at) == 669.0


def test_a_close_of_an_earlier_session_is_no_prior_close() -> None:
    why = "the newest daily bar is of 2025-10-02, the last session was 2025-10-03"
    assert reason("market.prior_close", history=b.history()[:-1]) == why
    assert reason("market.gap", history=b.history()[:-1]) == f"the prior close is missing: {why}"
    for span in (1, 5, 20, 60):
        assert reason(f"market.return_{span}d", history=b.history()[:-1]) == why
    assert value("market.rsi_14", history=b.history()[:-1]) > 0


# Too few bars, and bars with a hole.


def test_too_few_closes_say_how_many_are_needed() -> None:
    assert reason("market.sma_50", history=bars(34)) == "34 closes, 50 are needed"
    assert reason("market.rv_252d", history=bars(252)) == "252 closes, 253 are needed"
    assert reason("market.from_sma_50", history=bars(34)) == "the SMA 50 is missing: 34 closes, 50 are needed"
    assert value("market.sma_50", history=bars(50)) > 0
    assert reason("market.rsi_14", history=bars(14)) == "14 closes, 15 are needed"
    assert value("market.rsi_14", history=bars(15)) > 0
    assert reason("market.atr_14", history=bars(13)) == "13 daily ranges, 14 are needed"
    assert reason("market.volume_ratio_20d", history=bars(20)) == "20 sessions, 21 are needed"
    assert reason("market.low_180d", history=bars(60)) == "60 sessions, 180 are needed"
    assert value("market.sma_20", history=bars(34)) > 0


def test_without_bars_the_reason_is_that() -> None:
    assert reason("market.rsi_14", history=()) == "no daily bars"
    assert reason("market.prior_close", history=()) == "no daily bars"


def test_old_bars_are_no_figures_of_today() -> None:
    old = tuple(replace(bar, day=bar.day - timedelta(days=30)) for bar in b.history())
    assert reason("market.rsi_14", history=old) == "the newest daily bar is of 2025-09-03"


@pytest.mark.parametrize("close", [math.nan, 0.0, -1.0, math.inf])
def test_nothing_reaches_over_a_close_that_is_no_price(close: float) -> None:
    day = b.history()[-30].day
    history = with_one(-30, close=close)
    assert value("market.sma_20", history=history) == value("market.sma_20")
    assert reason("market.sma_50", history=history) == f"29 closes (the close of {day} is no price), 50 are needed"


def test_nothing_reaches_over_a_hole_or_a_day_that_is_there_twice() -> None:
    hole = b.history()[:-40] + b.history()[-34:]
    assert "there is no bar between" in reason("market.sma_50", history=hole)
    assert value("market.sma_20", history=hole) == value("market.sma_20")
    twice = with_one(-30, day=b.history()[-29].day)
    assert f"there are two bars of {b.history()[-29].day}" in reason("market.sma_50", history=twice)


def test_bars_in_any_order_give_the_same_figures() -> None:
    assert compute_metrics(b.snapshot(history=b.history()[::-1]), SMILE) == compute_metrics(b.snapshot(), SMILE)


def test_highs_lows_and_volumes_that_are_not_there_are_not_made_up() -> None:
    bare = bars(high=None, low=None, volume=None)
    assert reason("market.atr_14", history=bare) == "0 daily ranges, 14 are needed"
    assert reason("market.low_20d", history=bare) == "20 of the last 20 sessions have no low"
    assert reason("market.volume_ratio_20d", history=bare) == "not all of the last 21 sessions have a volume"
    assert value("market.sma_20", history=bare) == value("market.sma_20")


# Adjusted closes.


def test_returns_are_of_adjusted_closes_when_all_bars_of_the_window_have_one() -> None:
    paid = [replace(bar, adjusted=bar.close * (0.99 if at < 250 else 1)) for at, bar in enumerate(b.history())]
    closes = [bar.close for bar in b.history()]
    assert value("market.return_20d", history=tuple(paid)) == pytest.approx(closes[-1] / (closes[-21] * 0.99) - 1)
    assert of("market.return_20d", history=tuple(paid)).source == "adjusted closes, daily bars"
    assert value("market.return_5d", history=tuple(paid)) == value("market.return_5d")
    one_missing = (*paid[:-3], replace(paid[-3], adjusted=None), *paid[-2:])
    assert value("market.return_20d", history=one_missing) == pytest.approx(closes[-1] / closes[-21] - 1)


def test_what_stands_beside_strikes_is_not_adjusted() -> None:
    paid = bars(adjusted=1.0)
    for name in ("prior_close", "sma_20", "ema_20", "bollinger_low", "rsi_14", "atr_14", "momentum_20d", "low_20d"):
        assert value(f"market.{name}", history=paid) == value(f"market.{name}")


# Options.


def test_the_expected_move_is_one_standard_deviation_to_the_expiration() -> None:
    # From 10:00 of summer time to 16:00 of winter time, 32 days on: 32 days and 7 hours.
    years = (32 + 7 / 24) / 365
    expected = 670 * value("market.atm_iv") * math.sqrt(years)
    assert value("market.atm_iv") == pytest.approx(b.sigma(SMILE.forward), abs=0.001)
    assert value("market.expected_move") == pytest.approx(expected, rel=1e-6)
    assert value("market.expected_move_share") == pytest.approx(expected / 670, rel=1e-6)
    assert value("market.iv_less_rv_20d") == value("market.atm_iv") - value("market.rv_20d")


def strike_at(right: Right, delta: float) -> float:
    """By bisection in the world of the builders, whose smile is known."""
    low, high = (560.0, 671.0) if right is Right.PUT else (671.0, 760.0)
    for _ in range(60):
        middle = (low + high) / 2
        nearer_the_money = abs(b.fair(right, middle, 32 / 365)[1]) > delta
        if nearer_the_money == (right is Right.PUT):
            high = middle
        else:
            low = middle
    return low


def test_the_skew_is_that_of_the_known_smile() -> None:
    expected = b.sigma(strike_at(Right.PUT, 0.25)) - b.sigma(strike_at(Right.CALL, 0.25))
    assert value("market.skew_25d") == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize("right", Right)
def test_a_delta_that_no_quote_reaches_has_no_vol(right: Right) -> None:
    assert iv_at_delta(SMILE, right, 0.25) is not None
    assert iv_at_delta(SMILE, right, 0.9) is None
    assert iv_at_delta(SMILE, right, 1e-9) is None


def test_without_a_smile_what_needs_it_is_missing() -> None:
    found = compute_metrics(b.snapshot(), None)
    for name in ("atm_iv", "iv_less_rv_20d", "skew_25d", "expected_move", "expected_move_share", "forward"):
        assert "no usable quotes of the target expiration" in str(found[f"market.{name}"].missing)
    assert found["market.rv_20d"].value is not None


def with_counts(**over: Any) -> Any:
    return b.chain(quotes=tuple(replace(quote, **over) for quote in b.chain().quotes))


def test_put_call_ratios_are_of_the_target_expiration_and_standard_contracts() -> None:
    puts = tuple(
        replace(quote, open_interest=9000) if quote.right is Right.PUT and quote.expiration == b.EXPIRATION else quote
        for quote in b.chain().quotes
    )
    strange = tuple(replace(quote, root="SPY7", open_interest=10**6) for quote in puts[:200])
    assert value("market.put_call_open_interest", chain=b.chain(quotes=puts + strange)) == pytest.approx(1.8)
    assert value("market.put_call_volume", chain=b.chain(quotes=puts + strange)) == 1.0


def test_open_interest_of_zero_everywhere_is_missing() -> None:
    for none in (0, None):
        chain = with_counts(open_interest=none)
        assert reason("market.put_call_open_interest", chain=chain) == "the source has no open interest"


# The VIX family.


def test_the_rank_and_percentile_are_of_a_year_of_vix_closes() -> None:
    past = [level for _, level in b.snapshot().volatility_history[-252:]]
    assert value("market.iv_rank") == (16.5 - min(past)) / (max(past) - min(past))
    assert value("market.iv_percentile") == sum(level < 16.5 for level in past) / 252
    assert of("market.iv_rank").source == "VIX closes 2024-10-17 to 2025-10-03"
    assert of("market.iv_rank").count == 252


def test_todays_level_is_not_among_the_past_ones() -> None:
    today = (b.TODAY, 99.0)
    assert of("market.iv_rank", volatility_history=(*b.snapshot().volatility_history, today)) == of("market.iv_rank")


def test_too_short_or_too_old_a_history_ranks_nothing() -> None:
    past = b.snapshot().volatility_history
    assert reason("market.iv_rank", volatility_history=past[-180:]) == "180 VIX closes, 200 are needed"
    assert reason("market.iv_rank", volatility_history=past[:-10]) == f"the newest VIX close is of {past[-11][0]}"


def test_the_vix_ranks_no_other_underlying() -> None:
    assert "there is no volatility history of QQQ" in reason("market.iv_rank", underlying="QQQ")
    broker = {"iv_rank": Metric(value=0.41, unit="fraction", source="tastytrade", as_of=b.NOW)}
    assert value("market.broker_iv_rank", underlying="QQQ", metrics=broker) == 0.41


def test_a_missing_index_takes_what_is_made_of_it_along() -> None:
    family = {"vix": b.datum(None), "vix9d": b.datum(15.0)}
    assert reason("market.vix9d_over_vix", volatility=family) == "the VIX is missing: not served"
    assert reason("market.iv_rank", volatility=family) == "the VIX is missing: not served"
    assert reason("market.vix3m", volatility=family) == "not served"
    assert value("market.vix9d", volatility=family) == 15.0


# Nothing is a NaN, whatever came.

ODD = st.one_of(
    st.none(),
    st.just(math.nan),
    st.just(math.inf),
    st.just(0.0),
    st.floats(),
    st.floats(-1e12, 1e12),
    st.floats(1, 900),
)
NUMBER = ODD.filter(lambda number: number is not None)
DAYS = st.dates(date(2024, 9, 1), date(2025, 10, 20))
BARS = st.builds(
    DailyBar, day=DAYS, close=NUMBER, open=ODD, high=ODD, low=ODD, volume=ODD, adjusted=ODD
)  # fmt: skip


@st.composite
def snapshots(draw: st.DrawFn) -> MarketSnapshot:
    """The snapshot of the builders with a few parts exchanged for anything."""
    history = list(b.history(draw(st.sampled_from([0, 3, 30, 260]))))
    for bar in draw(st.lists(BARS, max_size=4)):
        history.insert(draw(st.integers(0, len(history))), bar)
    level = st.builds(lambda number: Metric(value=number, unit="percent", source="x"), NUMBER)
    quotes = tuple(
        replace(quote, open_interest=draw(st.sampled_from([None, 0, -5, 10**12])), volume=None)
        for quote in b.chain().quotes[:40:7]
    )
    chain = replace(b.chain(), spot=draw(NUMBER), quotes=(*quotes, *draw(st.sampled_from([(), b.chain().quotes]))))
    return b.snapshot(
        history=tuple(history),
        chain=chain,
        volatility=draw(st.dictionaries(st.sampled_from(["vix", "vix9d", "vix3m"]), level)),
        volatility_history=tuple(draw(st.lists(st.tuples(DAYS, NUMBER), max_size=5)))
        + b.snapshot().volatility_history[: draw(st.sampled_from([0, 260]))],
        rate=Metric(value=draw(NUMBER), unit="fraction", source="x"),
        moves={"QQQ": Metric(value=draw(NUMBER), unit="fraction", source="x")},
        metrics={"iv_rank": Metric(value=draw(NUMBER), unit="fraction", source="x")},
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(snapshot=snapshots(), has_smile=st.booleans())
def test_whatever_comes_in_no_figure_is_a_nan_and_none_lacks_its_reason(
    snapshot: MarketSnapshot, has_smile: bool
) -> None:
    found = compute_metrics(snapshot, SMILE if has_smile else None)
    assert [path for path, each in found.items() if each.value is not None and not math.isfinite(each.value)] == []
    assert all(each.value is not None or each.missing for each in found.values())
    assert not _unbounded(found)


def _unbounded(found: dict[str, Metric]) -> list[str]:
    """Figures that have bounds, outside of them."""
    bounds: Iterable[tuple[str, float, float]] = (
        ("market.rsi_14", 0, 100),
        ("market.iv_rank", 0, 1),
        ("market.iv_percentile", 0, 1),
    )
    return [path for path, low, high in bounds if not low <= (found[path].value or 0) <= high]


def test_the_bars_that_count_are_those_that_the_indicators_get() -> None:
    days = finished_sessions(b.snapshot())
    assert days.bars == b.history()
    assert indicators.rsi(days.closes) == value("market.rsi_14")
    assert of("market.rsi_14").count == 260
