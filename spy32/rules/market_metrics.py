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

from spy32.domain.market import MarketSnapshot, Metric, OptionQuote, Right
from spy32.domain.option_class import VIX_UNDERLYINGS, option_roots
from spy32.options.surface import Smile
from spy32.quality.common import pluralise
from spy32.rules import indicators
from spy32.rules.daily_bars import MAX_GAP, DailyHistory, finished_sessions, source_suffix
from spy32.rules.indicators import Reading, SessionRange, is_price
from spy32.sessions import market_date, previous_session, session

"""Underlyings whose volatility the VIX measures. No other underlying has a volatility history here."""
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
Indicator = Callable[[Sequence[float]], Reading | None]


def compute_metrics(snapshot: MarketSnapshot, smile: Smile | None) -> Metrics:
    """Return every metric by its path, in display order. It never raises, and no value is NaN."""
    daily = finished_sessions(snapshot)
    metrics = _smile_metrics(snapshot, smile)
    metrics |= _return_metrics(snapshot, daily, metrics["spot"])
    metrics |= _vix_metrics(snapshot)
    metrics |= _put_call_metrics(snapshot)
    metrics |= _trend_metrics(daily, metrics["spot"])
    metrics |= _range_metrics(daily, metrics["spot"])
    for name in ("iv_rank", "iv_percentile"):
        metrics[f"broker_{name}"] = snapshot.metrics.get(name) or _missing_metric("fraction", "no broker serves it")
    metrics |= {name: derive(metrics) for name, derive in DERIVED_METRICS.items()}
    market_metrics = {f"market.{name}": _finite_metric(metrics[name]) for name in DISPLAY_ORDER}
    return market_metrics | {
        f"related.{ticker}": _finite_metric(move) for ticker, move in sorted(snapshot.moves.items())
    }


# From daily bars.


def _closes_metric(
    days: DailyHistory, unit: str, needs: int, compute: Indicator, *, comparable: bool = False
) -> Metric:
    """Return an indicator of closes, or missing with the number of closes available and needed."""
    closes, noun = days.closes_for_return(needs) if comparable else (days.closes, "closes")
    reading = compute(closes)
    source = f"{noun}, {days.source}"
    if reading is not None:
        return _metric(reading.value, unit, source, days.as_of, reading.used)
    if len(closes) >= needs:
        return _missing_metric(unit, f"no close of {len(closes)} differs from the one before", source)
    return _missing_metric(unit, days.shortfall_reason(needs), source)


def _return_metrics(snapshot: MarketSnapshot, days: DailyHistory, spot: Metric) -> Metrics:
    prior = _prior_close(snapshot, days)
    metrics = {"prior_close": prior, "gap": _relative_change(spot, prior, "the prior close")}
    for span in RETURN_SPANS:
        compute = partial(indicators.simple_return, span=span)
        metrics[f"return_{span}d"] = (
            # A return ends at the prior close. With an older last bar it would be mistaken for this week's.
            _missing_metric("fraction", prior.missing, prior.source)
            if days.bars and prior.missing is not None
            else _closes_metric(days, "fraction", span + 1, compute, comparable=True)
        )
    for span in VOLATILITY_SPANS:
        compute = partial(indicators.realised_volatility, span=span)
        metrics[f"rv_{span}d"] = _closes_metric(days, "fraction", span + 1, compute, comparable=True)
    return metrics


def _prior_close(snapshot: MarketSnapshot, days: DailyHistory) -> Metric:
    """The close of the last finished session; missing when the newest bar is older."""
    source = f"close, {days.source}"
    if not days.bars:
        return _missing_metric("dollars", days.shortfall or "no daily bars", source)
    newest, last_session = days.bars[-1], previous_session(market_date(snapshot.evaluated_at)).day
    if newest.day < last_session:
        return _missing_metric(
            "dollars", f"the newest daily bar is of {newest.day}, the last session was {last_session}", source
        )
    return _metric(newest.close, "dollars", source, days.as_of, 1)


def _trend_metrics(days: DailyHistory, spot: Metric) -> Metrics:
    dollars = partial(_closes_metric, days, "dollars")
    metrics = {f"sma_{n}": dollars(n, partial(indicators.sma, span=n)) for n in (20, 50)}
    metrics |= {f"ema_{n}": dollars(n, partial(indicators.ema, span=n)) for n in (10, 20)}
    metrics |= {f"from_sma_{n}": _relative_change(spot, metrics[f"sma_{n}"], f"the SMA {n}") for n in (20, 50)}
    metrics["rsi_14"] = _closes_metric(days, "points", 15, indicators.rsi)
    for index, name in enumerate(("low", "mid", "high")):
        metrics[f"bollinger_{name}"] = dollars(20, partial(_bollinger_band, place=index))
    bands = {"the spot": spot, "the bands": metrics["bollinger_low"], "the upper band": metrics["bollinger_high"]}
    metrics["bollinger_share"] = _derived_metric("fraction", lambda at, low, high: (at - low) / (high - low), bands)
    metrics["momentum_20d"] = dollars(21, partial(indicators.momentum, span=20))
    return metrics


def _bollinger_band(closes: Sequence[float], *, place: int) -> Reading | None:
    bands = indicators.bollinger(closes)
    return Reading(bands[place], bands.used) if bands is not None else None


def _range_metrics(days: DailyHistory, spot: Metric) -> Metrics:
    """Metrics of highs, lows and volumes."""
    atr = _atr(days)
    share = _derived_metric("fraction", lambda span, at: span / at, {"the ATR": atr, "the spot": spot})
    metrics = {"atr_14": atr, "atr_14_share": share, "volume_ratio_20d": _volume_ratio(days)}
    for span in (20, 180):
        last = days.bars[-span:]
        metrics[f"low_{span}d"] = _high_or_low(days, span, "low", min, [bar.low for bar in last])
        metrics[f"high_{span}d"] = _high_or_low(days, span, "high", max, [bar.high for bar in last])
    return metrics


def _atr(days: DailyHistory) -> Metric:
    whole: list[SessionRange] = []
    for bar in days.bars:
        if bar.high is not None and bar.low is not None and 0 < bar.low <= bar.high < indicators.MAX_PRICE:
            whole.append(SessionRange(bar.high, bar.low, bar.close))
        else:
            whole.clear()
    reading, source = indicators.atr(whole), f"highs, lows and closes, {days.source}"
    if reading is None:
        return _missing_metric("dollars", days.shortfall_reason(14, "daily range", len(whole)), source)
    return _metric(reading.value, "dollars", source, days.as_of, reading.used)


def _volume_ratio(days: DailyHistory, span: int = 20) -> Metric:
    volumes = [bar.volume or 0.0 for bar in days.bars[-span - 1 :]]
    reading = indicators.ratio_to_average(volumes, span)
    if reading is not None:
        return _metric(reading.value, "ratio", f"volumes, {days.source}", days.as_of, reading.used)
    is_long_enough = len(volumes) > span
    reason = (
        f"not all of the last {span + 1} sessions have a volume"
        if is_long_enough
        else days.shortfall_reason(span + 1, "session")
    )
    return _missing_metric("ratio", reason, f"volumes, {days.source}")


def _high_or_low(
    days: DailyHistory, span: int, name: str, pick: Callable[[list[float]], float], levels: Sequence[float | None]
) -> Metric:
    valid_levels = [level for level in levels if level is not None and is_price(level)]
    reason = f"{span - len(valid_levels)} of the last {span} sessions have no {name}"
    if len(levels) < span:
        reason = days.shortfall_reason(span, "session")
    value = pick(valid_levels) if len(valid_levels) == span else None
    return _metric(value, "dollars", f"{name}s, {days.source}", days.as_of, span, why=reason)


# Options.


def _smile_metrics(snapshot: MarketSnapshot, smile: Smile | None) -> Metrics:
    chain = snapshot.chain
    source, at = f"quotes of {snapshot.target}, {chain.source}", chain.as_of
    spot = _metric(
        chain.spot if is_price(chain.spot) else None, "dollars", chain.source, at, why="the spot is no price"
    )
    if smile is None:
        units = {"atm_iv": "fraction", "skew_25d": "fraction", "forward": "dollars"}
        metrics = {
            name: _missing_metric(unit, "no usable quotes of the target expiration") for name, unit in units.items()
        }
        root = 0.0
    else:
        iv = smile.atm_iv() if smile.is_otm.any() else None
        metrics = {
            "atm_iv": _metric(iv, "fraction", source, at, why="no usable quotes to both sides of the forward"),
            "skew_25d": _skew(smile, source, at),
            "forward": _metric(smile.forward, "dollars", f"put-call parity, {source}", at),
        }
        root = sqrt(max(smile.years, 0.0))
    move = _derived_metric(
        "dollars", lambda price, iv: price * iv * root, {"the spot": spot, "ATM IV": metrics["atm_iv"]}
    )
    share = _derived_metric("fraction", lambda move, price: move / price, {"the expected move": move, "the spot": spot})
    return {**metrics, "spot": spot, "expected_move": move, "expected_move_share": share, "rate": snapshot.rate}


def _skew(smile: Smile, source: str, at: datetime) -> Metric:
    put, call = iv_at_delta(smile, Right.PUT, SKEW_DELTA), iv_at_delta(smile, Right.CALL, SKEW_DELTA)
    value = put - call if put is not None and call is not None else None
    return _metric(value, "fraction", source, at, why=f"no put or no call quotes to both sides of delta {SKEW_DELTA}")


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
    target = {
        quote.symbol: quote
        for quote in snapshot.chain.quotes
        if quote.expiration == snapshot.target and quote.root in option_roots(snapshot.underlying)
    }
    return {
        "put_call_open_interest": _put_call_ratio(snapshot, target, lambda quote: quote.open_interest, "open interest"),
        "put_call_volume": _put_call_ratio(snapshot, target, lambda quote: quote.volume, "volume"),
    }


def _put_call_ratio(
    snapshot: MarketSnapshot,
    quotes: Mapping[str, OptionQuote],
    read_count: Callable[[OptionQuote], int | None],
    noun: str,
) -> Metric:
    sums, count = {Right.CALL: 0, Right.PUT: 0}, 0
    for quote in quotes.values():
        number = read_count(quote)
        if number is not None and number >= 0:
            sums[quote.right] += number
            count += 1
    source = f"{noun} of {snapshot.target}, {snapshot.chain.source}"
    reason = f"no call of {snapshot.target} has any {noun}" if sums[Right.PUT] else f"the source has no {noun}"
    value = sums[Right.PUT] / sums[Right.CALL] if sums[Right.CALL] else None
    return _metric(value, "ratio", source, snapshot.chain.as_of, count, why=reason)


# The VIX family.


def _vix_metrics(snapshot: MarketSnapshot) -> Metrics:
    metrics = {name: _volatility_index(snapshot, name) for name in ("vix", "vix9d", "vix3m")}
    divide = partial(_derived_metric, "ratio", lambda above, below: above / below)
    vix = metrics["vix"]
    metrics["vix9d_over_vix"] = divide({"the VIX9D": metrics["vix9d"], "the VIX": vix})
    metrics["vix_over_vix3m"] = divide({"the VIX": vix, "the VIX3M": metrics["vix3m"]})
    vix_closes = _vix_history(snapshot)
    metrics["iv_rank"] = _vix_rank(snapshot, vix, vix_closes, indicators.range_rank)
    metrics["iv_percentile"] = _vix_rank(snapshot, vix, vix_closes, indicators.percentile_rank)
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
    rank: Callable[[float, Sequence[float]], Reading | None],
) -> Metric:
    if snapshot.underlying not in VIX_UNDERLYINGS:
        return _missing_metric(
            "fraction", f"there is no volatility history of {snapshot.underlying}; the VIX is the S&P 500's"
        )
    if vix.value is None:
        return _missing_metric("fraction", f"the VIX is missing: {vix.missing}")
    if len(past) < MIN_VIX_SESSIONS:
        return _missing_metric("fraction", f"{pluralise(len(past), 'VIX close')}, {MIN_VIX_SESSIONS} are needed")
    if market_date(snapshot.evaluated_at) - past[-1][0] > MAX_GAP:
        return _missing_metric("fraction", f"the newest VIX close is of {past[-1][0]}")
    reading = rank(vix.value, [level for _, level in past])
    window = f"VIX closes {past[0][0]} to {past[-1][0]}{source_suffix('vix year', snapshot)}"
    value, used = reading or (None, None)
    return _metric(value, "fraction", window, vix.as_of, used, why="all VIX closes are the same")


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


def _relative_change(level: Metric, base: Metric, name: str) -> Metric:
    return _derived_metric("fraction", lambda above, below: above / below - 1, {"the spot": level, name: base})


def _derived_metric(unit: str, compute: Callable[..., float], inputs: Mapping[str, Metric]) -> Metric:
    """Return a metric computed from others: as old as its oldest input, missing when an input is missing."""
    sources = dict.fromkeys(metric.source for metric in inputs.values() if metric.source)
    source = " and ".join(
        metric for metric in sources if not any(metric in other and metric != other for other in sources)
    )
    for name, metric in inputs.items():
        if metric.value is None or not isfinite(metric.value):
            return _missing_metric(unit, f"{name} is missing: {metric.missing or 'no finite number'}", source)
    try:
        value = compute(*(metric.value for metric in inputs.values()))
    except ZeroDivisionError:
        return _missing_metric(unit, "the inputs give no finite number", source)
    oldest = min((metric.as_of for metric in inputs.values() if metric.as_of is not None), default=None)
    return _metric(
        value, unit, source, oldest, next((metric.count for metric in inputs.values() if metric.count), None)
    )


DERIVED_METRICS: Mapping[str, Callable[[Metrics], Metric]] = {
    "iv_less_rv_20d": lambda metrics: _derived_metric(
        "fraction", lambda iv, rv: iv - rv, {"ATM IV": metrics["atm_iv"], "realised volatility": metrics["rv_20d"]}
    ),
}
"""Figures that follow from figures of several groups."""
