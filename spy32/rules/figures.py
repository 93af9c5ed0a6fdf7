"""The figures of a market, computed from one snapshot: each with its unit, source, age and count, or why it is missing.

`docs/market-figures.md` gives the formula of each. What stands beside strikes is unadjusted; returns and realised
volatility are of adjusted closes when every bar of their window has one, so that an ex-date is no fall.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from itertools import pairwise
from math import isfinite, sqrt

from spy32.domain.market import Datum, MarketSnapshot, OptionQuote, Right, roots_of
from spy32.options.surface import Smile
from spy32.rules import indicators
from spy32.rules.daily import LARGEST_GAP, Daily, finished, served
from spy32.rules.gate_parts import counted
from spy32.rules.indicators import Range, Reading, is_price
from spy32.sessions import market_date, previous_session, session

OF_THE_VIX = frozenset({"SPY", "SPX", "XSP"})
"""What the VIX is the volatility of; no other underlying has a volatility history here."""
VIX_WINDOW, VIX_LEAST = 252, 200
"""Sessions: a year, and the fewest that speak for one."""
SKEW_DELTA = 0.25
RETURNS = (1, 5, 20, 60)
VOLATILITIES = (10, 20, 32, 60, 180, 252)
ORDER = (
    "spot", "prior_close", "gap", *(f"return_{n}d" for n in RETURNS), *(f"rv_{n}d" for n in VOLATILITIES),
    "atm_iv", "iv_less_rv_20d", "iv_rank", "iv_percentile", "vix", "vix9d", "vix3m", "vix9d_over_vix", "vix_over_vix3m",
    "skew_25d", "put_call_open_interest", "put_call_volume", "expected_move", "expected_move_share", "forward", "rate",
    "sma_20", "sma_50", "ema_10", "ema_20", "from_sma_20", "from_sma_50", "rsi_14",
    "bollinger_low", "bollinger_mid", "bollinger_high", "bollinger_share", "atr_14", "atr_14_share", "momentum_20d",
    "volume_ratio_20d", "low_20d", "high_20d", "low_180d", "high_180d", "broker_iv_rank", "broker_iv_percentile",
)  # fmt: skip

Figures = dict[str, Datum]
Compute = Callable[[Sequence[float]], Reading | None]


def figures(snapshot: MarketSnapshot, smile: Smile | None) -> Figures:
    """Every figure by its path, in the order in which they are shown. None raises, none is NaN."""
    days = finished(snapshot)
    found = _spot_and_smile(snapshot, smile)
    found |= _moves(snapshot, days, found["spot"])
    found["iv_less_rv_20d"] = _derived(
        "fraction", lambda iv, rv: iv - rv, {"ATM IV": found["atm_iv"], "realised volatility": found["rv_20d"]}
    )
    found |= _vix(snapshot)
    found |= _interest_in_options(snapshot)
    found |= _trend(days, found["spot"])
    found |= _ranges(days, found["spot"])
    for name in ("iv_rank", "iv_percentile"):
        found[f"broker_{name}"] = snapshot.metrics.get(name) or _missing("fraction", "no broker serves it")
    ours = {f"market.{name}": _sound(found[name]) for name in ORDER}
    return ours | {f"related.{ticker}": _sound(move) for ticker, move in sorted(snapshot.moves.items())}


# Of daily bars.


def _of_closes(days: Daily, unit: str, needs: int, compute: Compute, *, comparable: bool = False) -> Datum:
    """A figure of closes, or how many there are and how many it takes."""
    closes, what = days.comparable(needs) if comparable else (days.closes, "closes")
    reading = compute(closes)
    source = f"{what}, {days.source}"
    if reading is not None:
        return _datum(reading.value, unit, source, days.as_of, reading.used)
    if len(closes) >= needs:
        return _missing(unit, f"no close of {len(closes)} differs from the one before", source)
    return _missing(unit, days.too_few(needs), source)


def _moves(snapshot: MarketSnapshot, days: Daily, spot: Datum) -> Figures:
    prior = _prior_close(snapshot, days)
    found = {"prior_close": prior, "gap": _over(spot, prior, "the prior close")}
    for span in RETURNS:
        compute = partial(indicators.simple_return, span=span)
        found[f"return_{span}d"] = (
            # A return ends at the prior close; of an older one it would pass for this week's.
            _missing("fraction", prior.missing, prior.source)
            if days.bars and prior.missing is not None
            else _of_closes(days, "fraction", span + 1, compute, comparable=True)
        )
    for span in VOLATILITIES:
        compute = partial(indicators.realised_volatility, span=span)
        found[f"rv_{span}d"] = _of_closes(days, "fraction", span + 1, compute, comparable=True)
    return found


def _prior_close(snapshot: MarketSnapshot, days: Daily) -> Datum:
    """Of the last finished session; an older one is no prior close."""
    source = f"close, {days.source}"
    if not days.bars:
        return _missing("dollars", days.short or "no daily bars", source)
    newest, wanted = days.bars[-1], previous_session(market_date(snapshot.judged_at)).day
    if newest.day < wanted:
        return _missing("dollars", f"the newest daily bar is of {newest.day}, the last session was {wanted}", source)
    return _datum(newest.close, "dollars", source, days.as_of, 1)


def _trend(days: Daily, spot: Datum) -> Figures:
    dollars = partial(_of_closes, days, "dollars")
    found = {f"sma_{n}": dollars(n, partial(indicators.sma, span=n)) for n in (20, 50)}
    found |= {f"ema_{n}": dollars(n, partial(indicators.ema, span=n)) for n in (10, 20)}
    found |= {f"from_sma_{n}": _over(spot, found[f"sma_{n}"], f"the SMA {n}") for n in (20, 50)}
    found["rsi_14"] = _of_closes(days, "points", 15, indicators.rsi)
    for place, name in enumerate(("low", "mid", "high")):
        found[f"bollinger_{name}"] = dollars(20, partial(_band, place=place))
    bands = {"the spot": spot, "the bands": found["bollinger_low"], "the upper band": found["bollinger_high"]}
    found["bollinger_share"] = _derived("fraction", lambda at, low, high: (at - low) / (high - low), bands)
    found["momentum_20d"] = dollars(21, partial(indicators.momentum, span=20))
    return found


def _band(closes: Sequence[float], *, place: int) -> Reading | None:
    bands = indicators.bollinger(closes)
    return Reading(bands[place], bands.used) if bands is not None else None


def _ranges(days: Daily, spot: Datum) -> Figures:
    """What takes more of a bar than its close."""
    atr = _atr(days)
    share = _derived("fraction", lambda span, at: span / at, {"the ATR": atr, "the spot": spot})
    found = {"atr_14": atr, "atr_14_share": share, "volume_ratio_20d": _volume_ratio(days)}
    for span in (20, 180):
        last = days.bars[-span:]
        found[f"low_{span}d"] = _extreme(days, span, "low", min, [bar.low for bar in last])
        found[f"high_{span}d"] = _extreme(days, span, "high", max, [bar.high for bar in last])
    return found


def _atr(days: Daily) -> Datum:
    whole: list[Range] = []
    for bar in days.bars:
        if bar.high is not None and bar.low is not None and 0 < bar.low <= bar.high < indicators.HIGHEST:
            whole.append(Range(bar.high, bar.low, bar.close))
        else:
            whole.clear()
    reading, source = indicators.atr(whole), f"highs, lows and closes, {days.source}"
    if reading is None:
        return _missing("dollars", days.too_few(14, "daily range", len(whole)), source)
    return _datum(reading.value, "dollars", source, days.as_of, reading.used)


def _volume_ratio(days: Daily, span: int = 20) -> Datum:
    volumes = [bar.volume or 0.0 for bar in days.bars[-span - 1 :]]
    reading = indicators.over_average(volumes, span)
    if reading is not None:
        return _datum(reading.value, "ratio", f"volumes, {days.source}", days.as_of, reading.used)
    whole = len(volumes) > span
    why = f"not all of the last {span + 1} sessions have a volume" if whole else days.too_few(span + 1, "session")
    return _missing("ratio", why, f"volumes, {days.source}")


def _extreme(
    days: Daily, span: int, name: str, pick: Callable[[list[float]], float], levels: Sequence[float | None]
) -> Datum:
    known = [level for level in levels if level is not None and is_price(level)]
    why = f"{span - len(known)} of the last {span} sessions have no {name}"
    if len(levels) < span:
        why = days.too_few(span, "session")
    value = pick(known) if len(known) == span else None
    return _datum(value, "dollars", f"{name}s, {days.source}", days.as_of, span, why=why)


# Options.


def _spot_and_smile(snapshot: MarketSnapshot, smile: Smile | None) -> Figures:
    chain = snapshot.chain
    source, at = f"quotes of {snapshot.target}, {chain.source}", chain.as_of
    spot = _datum(chain.spot if is_price(chain.spot) else None, "dollars", chain.source, at, why="the spot is no price")
    if smile is None:
        units = {"atm_iv": "fraction", "skew_25d": "fraction", "forward": "dollars"}
        found = {name: _missing(unit, "no usable quotes of the target expiration") for name, unit in units.items()}
        root = 0.0
    else:
        iv = smile.atm_iv() if smile.is_out_of_the_money.any() else None
        found = {
            "atm_iv": _datum(iv, "fraction", source, at, why="no usable quotes to both sides of the forward"),
            "skew_25d": _skew(smile, source, at),
            "forward": _datum(smile.forward, "dollars", f"put-call parity, {source}", at),
        }
        root = sqrt(max(smile.years, 0.0))
    move = _derived("dollars", lambda price, iv: price * iv * root, {"the spot": spot, "ATM IV": found["atm_iv"]})
    share = _derived("fraction", lambda move, price: move / price, {"the expected move": move, "the spot": spot})
    return {**found, "spot": spot, "expected_move": move, "expected_move_share": share, "rate": snapshot.rate}


def _skew(smile: Smile, source: str, at: datetime) -> Datum:
    put, call = iv_at_delta(smile, Right.PUT, SKEW_DELTA), iv_at_delta(smile, Right.CALL, SKEW_DELTA)
    value = put - call if put is not None and call is not None else None
    return _datum(value, "fraction", source, at, why=f"no put or no call quotes to both sides of delta {SKEW_DELTA}")


def iv_at_delta(smile: Smile, right: Right, delta: float) -> float | None:
    """The vol where out-of-the-money contracts cross this absolute delta, linear between the two around it."""
    used, strikes = smile.is_out_of_the_money.tolist(), smile.strike.tolist()
    rows = [row for row, is_used in enumerate(used) if is_used and smile.quotes[row].right is right]
    rows.sort(key=lambda row: strikes[row], reverse=right is Right.PUT)
    points = [(abs(float(smile.delta[row])), float(smile.iv[row])) for row in rows]
    for (near, near_iv), (far, far_iv) in pairwise(points):
        if near >= delta >= far:
            return near_iv if near == far else far_iv + (near_iv - far_iv) * (delta - far) / (near - far)
    return None


def _interest_in_options(snapshot: MarketSnapshot) -> Figures:
    """Puts over calls of the whole target expiration, standard contracts only."""
    target = {
        quote.symbol: quote
        for quote in snapshot.chain.quotes
        if quote.expiration == snapshot.target and quote.root in roots_of(snapshot.underlying)
    }
    return {
        "put_call_open_interest": _put_call(snapshot, target, lambda quote: quote.open_interest, "open interest"),
        "put_call_volume": _put_call(snapshot, target, lambda quote: quote.volume, "volume"),
    }


def _put_call(
    snapshot: MarketSnapshot, quotes: Mapping[str, OptionQuote], of: Callable[[OptionQuote], int | None], what: str
) -> Datum:
    sums, count = {Right.CALL: 0, Right.PUT: 0}, 0
    for quote in quotes.values():
        number = of(quote)
        if number is not None and number >= 0:
            sums[quote.right] += number
            count += 1
    source = f"{what} of {snapshot.target}, {snapshot.chain.source}"
    why = f"no call of {snapshot.target} has any {what}" if sums[Right.PUT] else f"the source has no {what}"
    value = sums[Right.PUT] / sums[Right.CALL] if sums[Right.CALL] else None
    return _datum(value, "ratio", source, snapshot.chain.as_of, count, why=why)


# The VIX family.


def _vix(snapshot: MarketSnapshot) -> Figures:
    found = {name: _level(snapshot, name) for name in ("vix", "vix9d", "vix3m")}
    divide = partial(_derived, "ratio", lambda above, below: above / below)
    vix = found["vix"]
    found["vix9d_over_vix"] = divide({"the VIX9D": found["vix9d"], "the VIX": vix})
    found["vix_over_vix3m"] = divide({"the VIX": vix, "the VIX3M": found["vix3m"]})
    past = _past_vix(snapshot)
    found["iv_rank"] = _among(snapshot, vix, past, indicators.range_rank)
    found["iv_percentile"] = _among(snapshot, vix, past, indicators.percentile_rank)
    return found


def _level(snapshot: MarketSnapshot, name: str) -> Datum:
    level = snapshot.volatility.get(name)
    if level is None:
        return _missing("percent", "not served")
    if level.value is not None and not 0 < level.value < 1000:
        return _missing("percent", f"{level.value:g} is no volatility", level.source)
    return level


def _past_vix(snapshot: MarketSnapshot) -> list[tuple[date, float]]:
    """Closes of finished sessions, the newest year of them; the VIX closes with the options."""
    now = snapshot.judged_at
    today = market_date(now)
    hours = session(today)
    is_over = hours is not None and now >= hours.option_close
    known = {
        day: level
        for day, level in snapshot.volatility_history
        if 0 < level < 1000 and (day < today or (is_over and day == today))
    }
    return sorted(known.items())[-VIX_WINDOW:]


def _among(
    snapshot: MarketSnapshot,
    vix: Datum,
    past: Sequence[tuple[date, float]],
    rank: Callable[[float, Sequence[float]], Reading | None],
) -> Datum:
    if snapshot.underlying not in OF_THE_VIX:
        return _missing(
            "fraction", f"there is no volatility history of {snapshot.underlying}; the VIX is the S&P 500's"
        )
    if vix.value is None:
        return _missing("fraction", f"the VIX is missing: {vix.missing}")
    if len(past) < VIX_LEAST:
        return _missing("fraction", f"{counted(len(past), 'VIX close')}, {VIX_LEAST} are needed")
    if market_date(snapshot.judged_at) - past[-1][0] > LARGEST_GAP:
        return _missing("fraction", f"the newest VIX close is of {past[-1][0]}")
    reading = rank(vix.value, [level for _, level in past])
    window = f"VIX closes {past[0][0]} to {past[-1][0]}{served('vix year', snapshot)}"
    value, used = reading or (None, None)
    return _datum(value, "fraction", window, vix.as_of, used, why="all VIX closes are the same")


# Forms.


def _datum(
    value: float | None, unit: str, source: str, as_of: datetime | None, count: int | None = None, why: str = ""
) -> Datum:
    """The figure, or missing with `why` when there is none."""
    if value is None or not isfinite(value):
        return _missing(unit, why or "the inputs give no finite number", source)
    return Datum(value=value, unit=unit, source=source, as_of=as_of, count=count)


def _missing(unit: str, why: str, source: str = "") -> Datum:
    return Datum(value=None, unit=unit, source=source, missing=why)


def _sound(datum: Datum) -> Datum:
    """What comes from outside may be no number."""
    if datum.value is None or isfinite(datum.value):
        return datum
    return replace(datum, value=None, missing="the source sent no finite number", as_of=None, count=None)


def _over(level: Datum, base: Datum, name: str) -> Datum:
    return _derived("fraction", lambda above, below: above / below - 1, {"the spot": level, name: base})


def _derived(unit: str, compute: Callable[..., float], inputs: Mapping[str, Datum]) -> Datum:
    """A figure of figures: as old as its oldest part, and missing with the first of them that is."""
    sources = dict.fromkeys(each.source for each in inputs.values() if each.source)
    source = " and ".join(each for each in sources if not any(each in other and each != other for other in sources))
    for name, each in inputs.items():
        if each.value is None or not isfinite(each.value):
            return _missing(unit, f"{name} is missing: {each.missing or 'no finite number'}", source)
    try:
        value = compute(*(each.value for each in inputs.values()))
    except ZeroDivisionError:
        return _missing(unit, "the inputs give no finite number", source)
    oldest = min((each.as_of for each in inputs.values() if each.as_of is not None), default=None)
    return _datum(value, unit, source, oldest, next((each.count for each in inputs.values() if each.count), None))
