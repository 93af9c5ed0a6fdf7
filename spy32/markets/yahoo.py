"""Yahoo through yfinance: chains of one request an expiration, bars, dividends, volatility, the bill rate, earnings.

No greeks, no sizes and no time of a quote come from there, so the volatility of the feed is a check at most. Options
are a quarter of an hour late while the price of the underlying is almost not; `as_of` is the instant that Yahoo gives
the underlying. yfinance answers trouble with silence; here it is `Unavailable`, or `Unusable` naming the field.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Chain, Contract, DailyBar, Dividend, Metric, OptionQuote, Right, parse_occ_symbol
from spy32.domain.option_class import INDEX_TICKERS, option_roots
from spy32.domain.sanitize import quote_value
from spy32.errors import Unusable
from spy32.markets.base import BaseMarket, collect_metrics, find_listing
from spy32.markets.bundled_history import continuous_bill_rate
from spy32.sessions import DAY, market_date, session

if TYPE_CHECKING:
    from spy32.markets.yahoo_session import YahooClient

P = ParamSpec("P")
T = TypeVar("T")

DELAY_SECONDS = 900
VIX_SYMBOLS = {"vix": "^VIX", "vix9d": "^VIX9D", "vix3m": "^VIX3M"}
BILL_SYMBOL = "^IRX"
COMPANY_TYPE = "EQUITY"
SAID = ("symbol", "instrumentType", "regularMarketPrice", "regularMarketTime")
DIVIDEND_LOOKBACK = timedelta(days=366)
REQUIRED_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends")
NEEDED_COLUMNS = ("contractSymbol", "contractSize", "lastTradeDate", "strike", "bid", "ask")
MAX_NUMBER = 1e15
"""Beyond any figure of a market. An integer of any size can be compared, but not turned into a float."""
MIN_IV = 0.001
"""Yahoo writes 1e-05 where it could not compute a volatility."""

Row = Mapping[str, Any]


def _limit_time(ask: "Callable[Concatenate[YahooMarket, P], T]") -> "Callable[Concatenate[YahooMarket, P], T]":
    """A question as a whole, within the seconds of the market."""

    @wraps(ask)
    def run(market: "YahooMarket", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return market._client.run_bounded(lambda: ask(market, *args, **kwargs))

    return run


class YahooMarket(BaseMarket):
    """Yahoo's delayed data. `address` replaces scheme and host of every request when it is not empty.

    Each question has `seconds` on the wall clock. `keep` gets every document that was read, as it was sent.
    """

    name = "yahoo"

    def __init__(
        self,
        *,
        address: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        seconds: float,
        keep: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._clock = clock
        self._made = {"address": address, "monotonic": monotonic, "seconds": seconds, "keep": keep}
        self._kinds: dict[str, str] = {}
        """What an underlying is to Yahoo: ETF, EQUITY, INDEX."""

    @cached_property
    def _client(self) -> "YahooClient":
        from spy32.markets.yahoo_session import YahooClient

        arguments: Any = self._made
        return YahooClient(**arguments)

    @_limit_time
    def expirations(self, underlying: str) -> tuple[date, ...]:
        """The listed expirations from today on. An empty list is asked for once more."""
        return self._find_expirations(underlying)

    @_limit_time
    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The quotes of these expirations, a request each; spot and instant are those of the oldest document."""
        if not expirations:
            raise Unusable(f"no expiration of {underlying} was asked for", gate="expiration")
        self._find_expirations(underlying, expirations)
        parts = [self._fetch_expiration(underlying, day) for day in dict.fromkeys(expirations)]
        oldest = min(parts, key=lambda part: part.as_of)
        return replace(oldest, quotes=tuple(quote for part in parts for quote in part.quotes))

    @_limit_time
    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Daily bars from `since` on, oldest first; today's is the day so far while the session is open."""
        return parse_bars(self._fetch_history(underlying, since), since)

    @_limit_time
    def volatility(self) -> dict[str, Metric]:
        """The VIX family at its last price."""
        return collect_metrics(self.name, "percent", VIX_SYMBOLS, self._fetch_level)

    @_limit_time
    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """VIX closes from `since` on, oldest first, without a session that has not ended."""
        bars = parse_bars(self._fetch_history("VIX", since), since)
        ends = ((bar, session(bar.day)) for bar in bars)
        return tuple((bar.day, bar.close) for bar, end in ends if end is None or self._clock() >= end.option_close)

    @_limit_time
    def rate(self) -> Metric:
        """The continuous short rate, from the discount of the 13-week bill."""
        level = self._fetch_level(BILL_SYMBOL)
        if level.value is None or not -2 < level.value < 25:
            raise Unusable(f"yahoo: {BILL_SYMBOL} at {level.value} is no discount in percent")
        source = f"13-week bill discount, {self.name}"
        return replace(level, value=continuous_bill_rate(level.value), unit="fraction", source=source)

    @_limit_time
    def dividends(self, underlying: str) -> tuple[Dividend, ...]:
        """The ex-dates of the last year up to today. Yahoo names no coming one: the shipped table has those."""
        first = self._today - DIVIDEND_LOOKBACK
        paid = parse_dividends(self._fetch_history(underlying, first))
        return tuple(item for item in paid if first < item.ex_date <= self._today)

    @_limit_time
    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """Last close against the one before, a fraction; in session the last one is the price of the moment."""
        return collect_metrics(self.name, "fraction", {ticker: ticker for ticker in tickers}, self._fetch_move)

    @_limit_time
    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        """Coming earnings, both ends when Yahoo gives a range; () for what is no company, None when none is known."""
        if underlying not in self._kinds:
            self._history(underlying, period="5d")
        if self._kinds[underlying] != COMPANY_TYPE:
            return ()
        symbol = _yahoo_symbol(underlying)
        # yfinance makes dates of the stamps on the machine's clock, a day off west of London; so its own are not used.
        events = self._client.calendar(symbol)["quoteSummary"]["result"][0]["calendarEvents"]
        earnings = events.get("earnings", {})
        days = sorted({_event_date(stamp) for stamp in earnings.get("earningsDate", ())})
        is_range = len(days) > 1
        note = f"between {days[0]} and {days[-1]}" if is_range else ""
        coming = tuple(
            ScheduledEvent(
                kind=EventKind.EARNINGS,
                day=day,
                time=None,
                source=self.name,
                note=note,
                is_confirmed=not is_range and not earnings.get("isEarningsDateEstimate", False),
            )
            for day in days
            if day >= self._today
        )
        return coming or None

    def _find_expirations(self, underlying: str, wanted: Collection[date] = ()) -> tuple[date, ...]:
        return find_listing(
            self.name, underlying, wanted, partial(self._fetch_expirations, underlying), tuple, oldest=math.inf
        )

    def _fetch_expirations(self, underlying: str, oldest: float) -> tuple[date, ...]:
        """From today on; with `oldest` 0 nothing is taken from before."""
        if oldest == 0:
            self._client.reset()
        found = self._client.call_ticker(_yahoo_symbol(underlying), lambda ticker: ticker.options)
        today = self._today
        return tuple(sorted(day for day in map(date.fromisoformat, found) if day >= today))

    def _fetch_expiration(self, underlying: str, day: date) -> Chain:
        """One expiration as one document has it."""
        found = self._client.call_ticker(_yahoo_symbol(underlying), lambda ticker: ticker.option_chain(day.isoformat()))
        if found.calls is None or found.puts is None or not len(found.calls) + len(found.puts):
            raise Unusable(f"yahoo has no contracts of {underlying} for {day}", gate="expiration")
        quote = found.underlying if isinstance(found.underlying, dict) else {}
        self._kinds[underlying] = _kind(quote, underlying, "quoteType")
        spot, as_of = _price(quote, underlying), parse_timestamp(quote)
        if spot <= 0:
            raise Unusable(f"yahoo: regularMarketPrice of {underlying} is {spot}")
        sides = ((found.calls, Right.CALL), (found.puts, Right.PUT))
        rows = tuple(row for frame, right in sides for row in parse_quotes(frame, right, underlying, day))
        if not any(row.open_interest for row in rows):
            # 0 everywhere is a figure that was not loaded, not a market without positions.
            rows = tuple(replace(row, open_interest=None) for row in rows)
        return Chain(
            underlying=underlying,
            spot=spot,
            as_of=as_of,
            source=self.name,
            quotes=rows,
            delay_seconds=DELAY_SECONDS,
        )

    def _fetch_history(self, underlying: str, since: date) -> Any:
        """The daily frame from `since` to today."""
        return self._history(underlying, start=since.isoformat(), end=(self._today + DAY).isoformat())[0]

    def _history(self, underlying: str, **span: str) -> tuple[Any, Mapping[str, Any]]:
        """A daily frame that has every column, and what its document says of the symbol."""

        def call(ticker: Any) -> tuple[Any, Mapping[str, Any]]:
            frame = ticker.history(**span, auto_adjust=False, timeout=10)
            metadata = ticker.get_history_metadata()  # a mapping that fails when it is gone through
            return frame, {name: metadata.get(name) for name in SAID}

        frame, metadata = self._client.call_ticker(_yahoo_symbol(underlying), call)
        self._kinds[underlying] = _kind(metadata, underlying, "instrumentType")
        absent = [name for name in REQUIRED_COLUMNS if name not in frame.columns]
        if absent or not len(frame):
            what = f"column {absent[0]!r}" if len(frame) else "bars"
            raise Unusable(f"yahoo has no {what} in the history of {underlying}")
        return frame, metadata

    def _fetch_level(self, symbol: str) -> Metric:
        metadata = self._history(symbol, period="5d")[1]
        level, as_of = _price(metadata, symbol), parse_timestamp(metadata)
        return Metric(value=level, unit="percent", source=self.name, as_of=as_of)

    def _fetch_move(self, ticker: str) -> Metric:
        frame, metadata = self._history(ticker, period="5d")
        bars = parse_bars(frame, date.min)
        if len(bars) < 2:
            raise Unusable(f"yahoo has {len(bars)} closes of {ticker} in five days; a move needs two")
        last, quoted_at = bars[-1], parse_timestamp(metadata)
        closed = session(last.day)
        as_of = quoted_at if closed is None or market_date(quoted_at) == last.day else closed.close
        return Metric(value=last.close / bars[-2].close - 1, unit="fraction", source=self.name, as_of=as_of, count=2)


def _yahoo_symbol(underlying: str) -> str:
    """Yahoo writes an index with a caret, and a class of shares with a dash."""
    return f"^{underlying}" if underlying in INDEX_TICKERS else underlying.replace(".", "-")


def _kind(message: Mapping[str, Any], underlying: str, field: str) -> str:
    """What an underlying is to Yahoo; `Unusable` when the document is of another symbol or does not say."""
    symbol, kind = message.get("symbol"), message.get(field)
    if not isinstance(symbol, str) or symbol.upper() != _yahoo_symbol(underlying).upper():
        raise Unusable(f"yahoo answered for {quote_value(symbol)}; asked for {underlying}")
    if not isinstance(kind, str):
        raise Unusable(f"yahoo: {field} of {underlying} is {quote_value(kind)}, not a text")
    return kind


def _price(message: Mapping[str, Any], underlying: str) -> float:
    price = _parse_number(message, "regularMarketPrice")
    if price is None:
        raise Unusable(f"yahoo has no regularMarketPrice of {underlying}")
    return price


def _event_date(stamp: Any) -> date:
    """New York's date of an event; midnight UTC stands for a date without a time."""
    if not isinstance(stamp, int):
        raise Unusable(f"yahoo: earningsDate is {quote_value(stamp)}, not an instant")
    instant = datetime.fromtimestamp(stamp, UTC)
    return instant.date() if stamp % 86_400 == 0 else market_date(instant)


# The frames that yfinance makes of the documents.


def parse_timestamp(message: Mapping[str, Any]) -> datetime:
    """The instant of the last price, UTC. Yahoo has it in seconds, yfinance makes an aware timestamp of some."""
    stamp = message.get("regularMarketTime")
    if isinstance(stamp, datetime) and stamp.tzinfo is not None:
        return datetime.fromtimestamp(stamp.timestamp(), UTC)
    if isinstance(stamp, bool) or not isinstance(stamp, int) or not 0 < stamp < 2**32:
        raise Unusable(f"yahoo: regularMarketTime of {message.get('symbol')} is {quote_value(stamp)}, not an instant")
    return datetime.fromtimestamp(stamp, UTC)


def _parse_number(row: Row, name: str) -> float | None:
    """None for NaN; `Unusable` for text and for what is too large."""
    cell = row.get(name)
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float) or abs(cell) > MAX_NUMBER:
        raise Unusable(f"yahoo: {name!r} holds {quote_value(cell)}, not a number")
    return None if math.isnan(cell) else float(cell)


def _parse_amount(row: Row, name: str) -> float | None:
    """A price or a count; a negative one stands for none."""
    number = _parse_number(row, name)
    return number if number is not None and number >= 0 else None


def _parse_count(row: Row, name: str) -> int | None:
    number = _parse_amount(row, name)
    return None if number is None else int(number)


def _dated_rows(frame: Any) -> list[tuple[date, Row]]:
    return list(zip((stamp.date() for stamp in frame.index), frame.to_dict("records"), strict=True))


def parse_bars(frame: Any, since: date) -> tuple[DailyBar, ...]:
    """The rows with a close. yfinance writes zeros and NaN for a session that has not begun or was lost."""
    bars = []
    for day, row in sorted(dict(_dated_rows(frame)).items()):
        first, high, low, close, adjusted, volume = (_parse_number(row, name) for name in REQUIRED_COLUMNS[:6])
        if close is not None and close > 0 and day >= since:
            bar = DailyBar(day=day, close=close, open=first, high=high, low=low, volume=volume, adjusted=adjusted)
            bars.append(bar)
    return tuple(bars)


def parse_quotes(frame: Any, right: Right, underlying: str, day: date) -> tuple[OptionQuote, ...]:
    """The rows of one side, each checked against its own symbol; adjusted contracts of a standard root are left out."""
    for name in NEEDED_COLUMNS if len(frame) else ():
        if frame[name].isna().all():
            raise Unusable(f"yahoo: no contract has {name!r}")
    found = []
    for row in frame.to_dict("records"):
        contract = _parse_contract(row, right, underlying, day)
        if row["contractSize"] != "REGULAR" and contract.root in option_roots(underlying):
            continue  # nothing later could tell it from a standard contract; another root tells itself
        traded, iv = row["lastTradeDate"].timestamp(), _parse_number(row, "impliedVolatility")
        found.append(
            OptionQuote(
                **contract._asdict(),
                bid=_parse_amount(row, "bid"),
                ask=_parse_amount(row, "ask"),
                last=_parse_amount(row, "lastPrice"),
                volume=_parse_count(row, "volume"),
                open_interest=_parse_count(row, "openInterest"),
                feed_iv=iv if iv is not None and iv >= MIN_IV else None,
                traded_at=None if math.isnan(traded) else datetime.fromtimestamp(traded, UTC),
            )
        )
    return tuple(found)


def _parse_contract(row: Row, right: Right, underlying: str, day: date) -> Contract:
    """The contract of a row's symbol; `Unusable` when the row is not of what was asked for."""
    symbol, strike = row["contractSymbol"], _parse_number(row, "strike")
    try:
        contract = parse_occ_symbol(symbol)
    except (TypeError, ValueError):
        raise Unusable(f"yahoo: 'contractSymbol' holds {quote_value(symbol)}, not an option") from None
    if not {contract.root, contract.root[:-1]} & set(option_roots(underlying)):
        raise Unusable(f"yahoo answered with {symbol}; asked for options of {underlying}", gate="root")
    if (contract.expiration, contract.right) != (day, right):
        side = "calls" if right is Right.CALL else "puts"
        raise Unusable(f"yahoo answered with {symbol} among the {side} of {day}", gate="expiration")
    if strike is None or abs(float(contract.strike) - strike) > 0.0005:
        raise Unusable(f"yahoo: 'strike' of {symbol} is {strike}")
    return contract


def parse_dividends(frame: Any) -> tuple[Dividend, ...]:
    """The ex-dates in a history, oldest first."""
    rows = ((day, _parse_number(row, "Dividends")) for day, row in _dated_rows(frame))
    paid = (Dividend(ex_date=day, amount=Decimal(f"{paid:.6f}").normalize()) for day, paid in rows if paid)
    return tuple(sorted(paid, key=lambda item: item.ex_date))
