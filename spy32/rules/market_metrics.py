"""Market metrics of one snapshot: each has unit, source, time and count, or the reason why it is missing.

`docs/market-figures.md` gives the formulas. Prices that are compared with strikes are unadjusted. Returns and realised
volatility use adjusted closes when every bar of the window has one, so that an ex-date does not look like a loss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from itertools import pairwise
from math import isfinite, sqrt
from operator import sub, truediv
from typing import NamedTuple

from spy32.domain.market import MarketSnapshot, Metric, Right
from spy32.domain.option_class import VIX_UNDERLYINGS, option_roots
from spy32.options.surface import Smile
from spy32.quality.common import pluralise
from spy32.quality.freshness import MAX_GAP
from spy32.rules import indicators
from spy32.rules.daily_bars import FinishedSessions, finished_sessions, source_suffix
from spy32.rules.indicators import is_price
from spy32.sessions import market_date, previous_session, session

VIX_SESSIONS, MIN_VIX_SESSIONS = 252, 200
"""Sessions of a year, and the fewest that IV rank and percentile accept as a year (as the gate on history does)."""
SKEW_DELTA = 0.25
"""Absolute delta of the skew, the market's usual 25-delta risk reversal."""
RETURN_SPANS = (1, 5, 20, 60)
VOLATILITY_SPANS = (10, 20, 32, 60, 180, 252)
DISPLAY_ORDER = (
    "spot", "prior_close", "gap", *(f"return_{n}d" for n in RETURN_SPANS), *(f"rv_{n}d" for n in VOLATILITY_SPANS),
    "atm_iv", "iv_less_rv_20d", "iv_rank", "iv_percentile", "vix", "vix9d", "vix3m", "vix9d_over_vix", "vix_over_vix3m",
    "skew_25d", "put_call_open_interest", "put_call_volume", "expected_move", "expected_move_share", "forward", "rate",
    "sma_20", "sma_50", "ema_10", "ema_20", "from_sma_20", "from_sma_50", "rsi_14",
    "bollinger_low", "bollinger_mid", "bollinger_high", "bollinger_share", "atr_14", "atr_14_share", "momentum_20d",
    "volume_ratio_20d", "low_20d", "high_20d", "low_180d", "high_180d", "broker_iv_rank", "broker_iv_percentile",
)  # fmt: skip

Metrics = dict[str, Metric]


class CloseFigure(NamedTuple):
    """A figure of closes: its unit, the fewest closes, and how it follows from so many, or from all of them."""

    unit: str
    needs: int
    compute: Callable[[Sequence[float]], float | None]
    uses_all: bool = False


CLOSE_FIGURES: Mapping[str, CloseFigure] = {
    **{f"sma_{n}": CloseFigure("dollars", n, indicators.mean) for n in (20, 50)},
    **{f"ema_{n}": CloseFigure("dollars", n, partial(indicators.ema, span=n), uses_all=True) for n in (10, 20)},
    "rsi_14": CloseFigure("points", 15, indicators.rsi, uses_all=True),
    "bollinger_low": CloseFigure("dollars", 20, lambda closes: indicators.bollinger(closes)[0]),
    "bollinger_mid": CloseFigure("dollars", 20, lambda closes: indicators.bollinger(closes)[1]),
    "bollinger_high": CloseFigure("dollars", 20, lambda closes: indicators.bollinger(closes)[2]),
    "momentum_20d": CloseFigure("dollars", 21, indicators.momentum),
}
RETURN_FIGURES: Mapping[str, CloseFigure] = {
    **{f"return_{n}d": CloseFigure("fraction", n + 1, indicators.simple_return) for n in RETURN_SPANS},
    **{f"rv_{n}d": CloseFigure("fraction", n + 1, indicators.realised_volatility) for n in VOLATILITY_SPANS},
}
"""Of adjusted closes, where there are some."""


class DerivedFigure(NamedTuple):
    """A figure of other figures, by their names."""

    unit: str
    compute: Callable[..., float]
    inputs: tuple[str, ...]


def _relative_change(level: float, base: float) -> float:
    return level / base - 1


DERIVED_FIGURES: Mapping[str, DerivedFigure] = {
    "gap": DerivedFigure("fraction", _relative_change, ("spot", "prior_close")),
    "from_sma_20": DerivedFigure("fraction", _relative_change, ("spot", "sma_20")),
    "from_sma_50": DerivedFigure("fraction", _relative_change, ("spot", "sma_50")),
    "bollinger_share": DerivedFigure(
        "fraction", lambda at, low, high: (at - low) / (high - low), ("spot", "bollinger_low", "bollinger_high")
    ),
    "atr_14_share": DerivedFigure("fraction", truediv, ("atr_14", "spot")),
    "iv_less_rv_20d": DerivedFigure("fraction", sub, ("atm_iv", "rv_20d")),
    "expected_move_share": DerivedFigure("fraction", truediv, ("expected_move", "spot")),
    "vix9d_over_vix": DerivedFigure("ratio", truediv, ("vix9d", "vix")),
    "vix_over_vix3m": DerivedFigure("ratio", truediv, ("vix", "vix3m")),
}
INPUT_NAMES: Mapping[str, str] = {
    "spot": "the spot", "prior_close": "the prior close", "sma_20": "the SMA 20", "sma_50": "the SMA 50",
    "bollinger_low": "the bands", "bollinger_high": "the upper band", "atr_14": "the ATR", "atm_iv": "ATM IV",
    "rv_20d": "realised volatility", "expected_move": "the expected move", "vix9d": "the VIX9D", "vix": "the VIX",
    "vix3m": "the VIX3M",
}  # fmt: skip
"""What a derived figure calls an input that is missing."""


def compute_metrics(snapshot: MarketSnapshot, smile: Smile | None) -> Metrics:
    """Return every metric by its path, in display order. It never raises, and no value is NaN."""
    metrics = _smile_metrics(snapshot, smile)
    metrics |= _bar_metrics(snapshot, finished_sessions(snapshot))
    metrics |= _vix_metrics(snapshot)
    metrics |= _put_call_metrics(snapshot)
    for name in ("iv_rank", "iv_percentile"):
        metrics[f"broker_{name}"] = snapshot.metrics.get(name) or _missing_metric("fraction", "no broker serves it")
    # The expected move depends on the time that is left, which no figure holds.
    root = sqrt(max(smile.years, 0.0)) if smile is not None else 0.0
    move = DerivedFigure("dollars", lambda price, iv: price * iv * root, ("spot", "atm_iv"))
    for name, figure in {"expected_move": move, **DERIVED_FIGURES}.items():
        metrics[name] = _derived_metric(figure, metrics)
    market_metrics = {f"market.{name}": _finite_metric(metrics[name]) for name in DISPLAY_ORDER}
    return market_metrics | {
        f"related.{ticker}": _finite_metric(move) for ticker, move in sorted(snapshot.moves.items())
    }


# From daily bars.


def _bar_metrics(snapshot: MarketSnapshot, days: FinishedSessions) -> Metrics:
    prior = _prior_close(snapshot, days)
    metrics = {"prior_close": prior, "atr_14": _atr(days), "volume_ratio_20d": _volume_ratio(days)}
    metrics |= {name: _close_metric(days, figure, days.closes, "closes") for name, figure in CLOSE_FIGURES.items()}
    for name, figure in RETURN_FIGURES.items():
        metrics[name] = _close_metric(days, figure, *days.closes_for_return(figure.needs))
    if days.bars and prior.missing is not None:
        # A return ends at the prior close. With an older last bar it would be mistaken for this week's.
        metrics |= {f"return_{n}d": _missing_metric("fraction", prior.missing, prior.source) for n in RETURN_SPANS}
    for span in (20, 180):
        last = days.bars[-span:]
        metrics[f"low_{span}d"] = _high_or_low(days, span, "low", min, [bar.low for bar in last])
        metrics[f"high_{span}d"] = _high_or_low(days, span, "high", max, [bar.high for bar in last])
    return metrics


def _prior_close(snapshot: MarketSnapshot, days: FinishedSessions) -> Metric:
    """The close of the last finished session; missing when the newest bar is older."""
    source, reason = f"close, {days.source}", days.shortfall
    if days.bars:
        newest, last_session = days.bars[-1], previous_session(market_date(snapshot.evaluated_at)).day
        if newest.day >= last_session:
            return _metric(newest.close, "dollars", source, days.as_of, 1)
        reason = f"the newest daily bar is of {newest.day}, the last session was {last_session}"
    return _missing_metric("dollars", reason, source)


def _close_metric(days: FinishedSessions, figure: CloseFigure, closes: Sequence[float], noun: str) -> Metric:
    """Return a figure of closes, or missing with the number of closes available and needed."""
    source = f"{noun}, {days.source}"
    if len(closes) < figure.needs:
        return _missing_metric(figure.unit, days.shortfall_reason(figure.needs, "close", len(closes)), source)
    used = closes if figure.uses_all else closes[-figure.needs :]
    why = f"no close of {len(used)} differs from the one before"
    return _metric(figure.compute(used), figure.unit, source, days.as_of, len(used), why=why)


def _atr(days: FinishedSessions) -> Metric:
    ranges: list[tuple[float, float, float]] = []
    for bar in days.bars:
        if bar.high is not None and bar.low is not None and 0 < bar.low <= bar.high < indicators.MAX_PRICE:
            ranges.append((bar.high, bar.low, bar.close))
        else:
            ranges.clear()
    value = indicators.atr(ranges) if len(ranges) >= indicators.WILDER_SPAN else None
    reason = days.shortfall_reason(indicators.WILDER_SPAN, "daily range", len(ranges))
    source = f"highs, lows and closes, {days.source}"
    return _metric(value, "dollars", source, days.as_of, len(ranges), why=reason)


def _volume_ratio(days: FinishedSessions) -> Metric:
    volumes = [bar.volume or 0.0 for bar in days.bars[-21:]]
    value, reason = None, days.shortfall_reason(21, "session", len(volumes))
    if len(volumes) == 21:
        value, reason = indicators.ratio_to_average(volumes), "not all of the last 21 sessions have a volume"
    return _metric(value, "ratio", f"volumes, {days.source}", days.as_of, len(volumes), why=reason)


def _high_or_low(
    days: FinishedSessions, span: int, name: str, pick: Callable[[list[float]], float], levels: Sequence[float | None]
) -> Metric:
    valid_levels = [level for level in levels if level is not None and is_price(level)]
    reason = f"{span - len(valid_levels)} of the last {span} sessions have no {name}"
    if len(levels) < span:
        reason = days.shortfall_reason(span, "session", len(levels))
    value = pick(valid_levels) if len(valid_levels) == span else None
    return _metric(value, "dollars", f"{name}s, {days.source}", days.as_of, span, why=reason)


# Options.


def _smile_metrics(snapshot: MarketSnapshot, smile: Smile | None) -> Metrics:
    chain = snapshot.chain
    source, at = f"quotes of {snapshot.target}, {chain.source}", chain.as_of
    spot = chain.spot if is_price(chain.spot) else None
    metrics = {
        "spot": _metric(spot, "dollars", chain.source, at, why="the spot is no price"),
        "rate": snapshot.rate,
    }
    if smile is None:
        units = {"atm_iv": "fraction", "skew_25d": "fraction", "forward": "dollars"}
        reason = "no usable quotes of the target expiration"
        return metrics | {name: _missing_metric(unit, reason) for name, unit in units.items()}
    iv = smile.atm_iv() if smile.is_otm.any() else None
    put, call = (iv_at_delta(smile, right, SKEW_DELTA) for right in (Right.PUT, Right.CALL))
    skew = put - call if put is not None and call is not None else None
    no_skew = f"no put or no call quotes to both sides of delta {SKEW_DELTA}"
    return metrics | {
        "atm_iv": _metric(iv, "fraction", source, at, why="no usable quotes to both sides of the forward"),
        "skew_25d": _metric(skew, "fraction", source, at, why=no_skew),
        "forward": _metric(smile.forward, "dollars", f"put-call parity, {source}", at),
    }


def iv_at_delta(smile: Smile, right: Right, delta: float) -> float | None:
    """Return the vol at this absolute delta, linear between the out-of-the-money contracts around it; None without
    both."""
    used, strikes = smile.is_otm.tolist(), smile.strike.tolist()
    rows = [row for row, is_used in enumerate(used) if is_used and smile.quotes[row].right is right]
    rows.sort(key=lambda row: strikes[row], reverse=right is Right.PUT)
    points = [(abs(float(smile.delta[row])), float(smile.iv[row])) for row in rows]
    for (near, near_iv), (far, far_iv) in pairwise(points):
        if near >= delta >= far:
            return near_iv if near == far else far_iv + (near_iv - far_iv) * (delta - far) / (near - far)
    return None


def _put_call_metrics(snapshot: MarketSnapshot) -> Metrics:
    """Put/call ratios of the whole target expiration, standard contracts only."""
    roots = option_roots(snapshot.underlying)
    quotes = [quote for quote in snapshot.chain.quotes if quote.expiration == snapshot.target and quote.root in roots]
    # A source may send a contract twice.
    target = {quote.symbol: quote for quote in quotes}.values()
    interests = [(quote.right, quote.open_interest) for quote in target]
    volumes = [(quote.right, quote.volume) for quote in target]
    return {
        "put_call_open_interest": _put_call_ratio(snapshot, interests, "open interest"),
        "put_call_volume": _put_call_ratio(snapshot, volumes, "volume"),
    }


def _put_call_ratio(snapshot: MarketSnapshot, counts: Sequence[tuple[Right, int | None]], noun: str) -> Metric:
    known = [(right, count) for right, count in counts if count is not None and count >= 0]
    puts, calls = (sum(count for side, count in known if side is right) for right in (Right.PUT, Right.CALL))
    source = f"{noun} of {snapshot.target}, {snapshot.chain.source}"
    reason = f"no call of {snapshot.target} has any {noun}" if puts else f"the source has no {noun}"
    value = puts / calls if calls else None
    return _metric(value, "ratio", source, snapshot.chain.as_of, len(known), why=reason)


# The VIX family.


def _vix_metrics(snapshot: MarketSnapshot) -> Metrics:
    metrics = {name: _volatility_index(snapshot, name) for name in ("vix", "vix9d", "vix3m")}
    past = _vix_history(snapshot)
    for name, rank in (("iv_rank", indicators.range_rank), ("iv_percentile", indicators.percentile_rank)):
        metrics[name] = _vix_rank(snapshot, metrics["vix"], past, rank)
    return metrics


def _volatility_index(snapshot: MarketSnapshot, name: str) -> Metric:
    level = snapshot.volatility.get(name)
    if level is None:
        return _missing_metric("percent", "not served")
    if level.value is not None and not 0 < level.value < 1000:
        return _missing_metric("percent", f"{level.value:g} is no volatility", level.source)
    return level


def _vix_history(snapshot: MarketSnapshot) -> list[tuple[date, float]]:
    """VIX closes of finished sessions, the newest year. The VIX closes with the options, at 16:15 New York."""
    now = snapshot.evaluated_at
    today = market_date(now)
    hours = session(today)
    is_over = hours is not None and now >= hours.option_close
    closes = {
        day: level
        for day, level in snapshot.volatility_history
        if 0 < level < 1000 and (day < today or (is_over and day == today))
    }
    return sorted(closes.items())[-VIX_SESSIONS:]


def _vix_rank(
    snapshot: MarketSnapshot,
    vix: Metric,
    past: Sequence[tuple[date, float]],
    rank: Callable[[float, Sequence[float]], float | None],
) -> Metric:
    reason = None
    if snapshot.underlying not in VIX_UNDERLYINGS:
        reason = f"there is no volatility history of {snapshot.underlying}; the VIX is the S&P 500's"
    elif vix.value is None:
        reason = f"the VIX is missing: {vix.missing}"
    elif len(past) < MIN_VIX_SESSIONS:
        reason = f"{pluralise(len(past), 'VIX close')}, {MIN_VIX_SESSIONS} are needed"
    elif market_date(snapshot.evaluated_at) - past[-1][0] > MAX_GAP:
        reason = f"the newest VIX close is of {past[-1][0]}"
    if reason is not None or vix.value is None:
        return _missing_metric("fraction", reason or "")
    window = f"VIX closes {past[0][0]} to {past[-1][0]}{source_suffix('vix year', snapshot)}"
    value = rank(vix.value, [level for _, level in past])
    return _metric(value, "fraction", window, vix.as_of, len(past), why="all VIX closes are the same")


# Forms.


def _metric(
    value: float | None, unit: str, source: str, as_of: datetime | None, count: int | None = None, why: str = ""
) -> Metric:
    """Return the metric; missing with the reason `why` when `value` is None or not finite."""
    if value is None or not isfinite(value):
        return _missing_metric(unit, why or "the inputs give no finite number", source)
    return Metric(value=value, unit=unit, source=source, as_of=as_of, count=count)


def _missing_metric(unit: str, reason: str, source: str = "") -> Metric:
    return Metric(value=None, unit=unit, source=source, missing=reason)


def _finite_metric(metric: Metric) -> Metric:
    """Return the metric, or a missing one when a source sent NaN or infinity."""
    if metric.value is None or isfinite(metric.value):
        return metric
    return replace(metric, value=None, missing="the source sent no finite number", as_of=None, count=None)


def _derived_metric(figure: DerivedFigure, metrics: Metrics) -> Metric:
    """Return a metric computed from others: as old as its oldest input, missing when an input is missing."""
    inputs = [metrics[name] for name in figure.inputs]
    sources = dict.fromkeys(metric.source for metric in inputs if metric.source)
    source = " and ".join(each for each in sources if not any(each in other and each != other for other in sources))
    for name, metric in zip(figure.inputs, inputs, strict=True):
        if metric.value is None or not isfinite(metric.value):
            reason = f"{INPUT_NAMES[name]} is missing: {metric.missing or 'no finite number'}"
            return _missing_metric(figure.unit, reason, source)
    try:
        value = figure.compute(*(metric.value for metric in inputs))
    except ZeroDivisionError:
        value = None
    oldest = min((metric.as_of for metric in inputs if metric.as_of is not None), default=None)
    return _metric(value, figure.unit, source, oldest, next((metric.count for metric in inputs if metric.count), None))
