"""Cboe's delayed quotes: no key, a quarter of an hour late, one document with every option of an underlying.

The pages are for personal use; a run asks for a handful of documents. Quotes and options have no time of their own, so
a chain is of the instant that its document names, less the delay. Nothing is invented: a field that is missing is None,
one that has become another kind ends in `Unusable` with its name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from spy32.clients.http import HttpClient
from spy32.domain.market import Chain, Contract, DailyBar, LegQuotes, Metric, OptionQuote, parse_occ_symbol
from spy32.domain.option_class import INDEX_TICKERS, option_roots
from spy32.domain.sanitize import quote_value
from spy32.domain.spreads import Leg
from spy32.errors import NotPermitted, ServiceGone, Unusable
from spy32.markets.base import BaseMarket, Memo, collect_metrics, find_listing, leg_quotes
from spy32.sessions import FRIDAY, NEW_YORK, market_date

T = TypeVar("T")

SOURCE = "cboe"
QUOTE_DELAY = timedelta(minutes=15)
MAX_CLOCK_SKEW = timedelta(minutes=2)
"""How far a time in a document may lie ahead of our clock."""
MAX_NUMBER = 1e9
"""Dollars or contracts: anything above is no figure of a market."""
MAX_UNREADABLE_SHARE = 0.01
"""More options than this share without a readable symbol are another document than we know."""
CONTRACT_FIELDS = (
    "option", "bid", "ask", "last_trade_price", "volume", "open_interest", "iv", "delta", "last_trade_time",
)  # fmt: skip
# An index has no volume.
BAR_FIELDS = ("date", "open", "high", "low", "close")
QUOTE_FIELDS = {"current_price": ("percent", 1, 0, 200), "price_change_percent": ("fraction", 100, -100, 1000)}
"""Figures of a quote: unit, divisor, and the bounds of what can be one, as it is sent. A VIX; the move of a day, which
cannot be a fall by more than all."""
MISSING_VALUES = frozenset({"", "nan"})
QUOTES_PATH = "/api/global/delayed_quotes"
VIX_HISTORY_PATH = "/api/global/us_indices/daily_prices/VIX_History.csv"
CHAIN_MAX_AGE, LEG_QUOTE_MAX_AGE = 60.0, 15.0
"""Seconds for which one option document answers questions."""
MAX_PARALLEL_REQUESTS = 4
"""Requests side by side, so that one index that hangs does not take the others' time."""
VIX_TICKERS = {"vix": "VIX", "vix9d": "VIX9D", "vix3m": "VIX3M"}


class CboeMarket(BaseMarket):
    """Chains, daily bars, the VIX family and the moves of the day. Each question takes at most `seconds`."""

    name = SOURCE

    def __init__(self, http: HttpClient, *, clock: Callable[[], datetime], seconds: float) -> None:
        self._http = http
        self._clock = clock
        self._seconds = seconds
        self._documents = Memo[Chain](SOURCE, lambda: clock().timestamp())

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Every expiration of a standard contract from today on."""
        return self._listed_days(self._find_chain(underlying, ()))

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The contracts of these expirations, of every root."""
        return self._find_chain(underlying, expirations).select_expirations(*expirations)

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes of the last quarter of a minute; one that is not listed is left out."""
        return leg_quotes(self._fetch_chain(underlying, self._deadline(), LEG_QUOTE_MAX_AGE), legs)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Daily bars up to yesterday, without adjustment for dividends."""
        found = self._fetch_json("charts/historical", underlying, self._deadline())
        return parse_bars(found, underlying, since, self._clock())

    def volatility(self) -> dict[str, Metric]:
        """The VIX family; an index that fails is missing with its reason, and an error when all of them do."""
        return self._fetch_metrics(VIX_TICKERS, "current_price", "percent")

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """Official VIX closes up to yesterday."""
        text = self._fetch(self._http.text, VIX_HISTORY_PATH, "VIX_History.csv", self._deadline())
        return parse_vix_closes(text, since, self._clock())

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """The change since the close before, of each ticker; one that fails is missing with its reason."""
        return self._fetch_metrics({ticker: ticker for ticker in tickers}, "price_change_percent", "fraction")

    def _find_chain(self, underlying: str, wanted: Sequence[date]) -> Chain:
        fetch = partial(self._fetch_chain, underlying, self._deadline())
        return find_listing(SOURCE, underlying, wanted, fetch, self._listed_days, oldest=CHAIN_MAX_AGE)

    def _listed_days(self, chain: Chain) -> tuple[date, ...]:
        today, roots = self._today, option_roots(chain.underlying)
        days = {quote.expiration for quote in chain.quotes if quote.root in roots}
        return tuple(sorted(day for day in days if day >= today))

    def _fetch_chain(self, underlying: str, deadline: float, oldest: float) -> Chain:
        """The option document, fetched unless the one at hand is younger than `oldest` seconds."""

        def ask() -> Chain:
            found = self._fetch_json("options", underlying, deadline)
            return parse_chain(found, underlying, self._clock())

        return self._documents.get(underlying, ask, oldest=oldest, seconds=deadline - self._http.monotonic())

    def _deadline(self) -> float:
        return self._http.monotonic() + self._seconds

    def _fetch_json(self, kind: str, ticker: str, deadline: float) -> Any:
        path = f"{QUOTES_PATH}/{kind}/{quote(document_name(ticker))}"
        return self._fetch(self._http.json, path, ticker, deadline)

    def _fetch(self, read: Callable[..., T], path: str, subject: str, deadline: float) -> T:
        try:
            return read(path, seconds=deadline - self._http.monotonic())
        except (NotPermitted, ServiceGone):
            # 403 or 404 for what Cboe does not have; 403 may also be its word for being asked too much.
            raise Unusable(f"cboe does not know {subject}") from None

    def _fetch_metrics(self, requests: Mapping[str, str], field: str, unit: str) -> dict[str, Metric]:
        """One figure of each ticker's quote, all of them within `seconds`."""
        deadline = self._deadline()

        def ask(ticker: str) -> Metric:
            return parse_level(self._fetch_json("quotes", ticker, deadline), ticker, field, self._clock())

        with ThreadPoolExecutor(MAX_PARALLEL_REQUESTS, thread_name_prefix=SOURCE) as pool:
            return collect_metrics(SOURCE, unit, requests, ask, run=pool.map)


# The documents.


class _Fields:
    """An object of a document. `subject` names the document in errors; with `is_text` numbers may stand as text."""

    __slots__ = ("found", "is_text", "subject")

    def __init__(self, found: Any, subject: str, *, is_text: bool = False) -> None:
        self.found: Mapping[str, Any] = found
        self.subject, self.is_text = subject, is_text
        if not isinstance(found, dict):
            raise self.error("the document is not an object")

    def error(self, problem: str) -> Unusable:
        return Unusable(f"{SOURCE}: {self.subject} cannot be used: {problem}")

    def wrong_kind(self, field: str, wanted: str) -> Unusable:
        return self.error(f"the field {field} is {quote_value(self.found.get(field))}, not {wanted}")

    def require(self, field: str, found: T | None) -> T:
        """What was read of a field that must be there."""
        if found is None:
            raise self.error(f"the field {field} is empty")
        return found

    def number(self, field: str) -> float | None:
        """A finite number; None when it is missing. Text in place of one is a changed document."""
        found = self.found.get(field)
        if isinstance(found, str) and found.strip().lower() in MISSING_VALUES:
            return None
        if self.is_text and isinstance(found, str):
            try:
                found = float(found)
            except ValueError:
                raise self.wrong_kind(field, "a number") from None
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) == math.inf:
            raise self.wrong_kind(field, "a number")
        return float(found) if -MAX_NUMBER <= found <= MAX_NUMBER else None

    def amount(self, field: str) -> float | None:
        """A number from 0 on; a negative one stands for none."""
        number = self.number(field)
        return number if number is not None and number >= 0 else None

    def count(self, field: str) -> int | None:
        number = self.amount(field)
        return None if number is None else int(number)

    def price(self, field: str) -> float | None:
        """A number above 0; 0 stands for none."""
        found = self.amount(field)
        return None if found == 0 else found

    def time(self, field: str, zone: tzinfo) -> datetime | None:
        """A time that is written without its zone, in UTC."""
        found = self.found.get(field)
        if found is None or found == "":
            return None
        try:
            read = datetime.fromisoformat(found)
            if read.tzinfo is not None or len(found) < len("2022-07-12 22:57"):
                raise ValueError
            return read.replace(tzinfo=zone).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise self.wrong_kind(field, "a time") from None

    def day(self, field: str, form: str) -> date:
        try:
            return datetime.strptime(self.found.get(field, ""), form).replace(tzinfo=UTC).date()
        except (TypeError, ValueError):
            raise self.wrong_kind(field, "a day") from None

    def rows(self, field: str, required: Sequence[str], noun: str, *, is_text: bool = False) -> list["_Fields"]:
        """The objects of a list; `Unusable` when none of them has one of the required fields."""
        found = self.found.get(field)
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise self.error(f"the field {field} is not a list of {noun}s")
        absent = next((name for name in required if found and not any(name in row for row in found)), None)
        if absent is not None:
            raise self.error(f"no {noun} has the field {absent}")
        return [_Fields(row, self.subject, is_text=is_text) for row in found]

    def check_symbol(self, ticker: str) -> None:
        """Raise unless the document names the ticker that was requested; indices come as ^SPX or _SPX."""
        symbol = self.found.get("symbol")
        named = symbol[1:] if isinstance(symbol, str) and symbol[:1] in ("^", "_") else symbol
        if named != ticker:
            raise self.error(f"the field symbol is {quote_value(symbol)}")

    def check_not_ahead(self, field: str, stamp: datetime, now: datetime) -> None:
        if stamp - now > MAX_CLOCK_SKEW:
            raise self.error(f"its {field} {stamp:%Y-%m-%d %H:%M:%S} UTC lies ahead of the clock")


def _open_data(found: Any, ticker: str, subject: str) -> tuple[_Fields, _Fields]:
    """A document about `ticker`, and its `data`."""
    document = _Fields(found, subject)
    if not isinstance(document.found.get("data"), dict):
        raise document.error("the field data is not an object")
    data = _Fields(document.found["data"], subject)
    data.check_symbol(ticker)
    if "symbol" in document.found:
        document.check_symbol(ticker)
    return document, data


def document_name(ticker: str) -> str:
    """The name by which Cboe's documents go: `SPY.json`, and of an index `_VIX.json`."""
    return f"_{ticker}.json" if ticker in INDEX_TICKERS else f"{ticker}.json"


# Option documents.


def parse_chain(found: Any, ticker: str, now: datetime) -> Chain:
    """Every contract of an option document, of every root; `as_of` is a quarter of an hour before its timestamp."""
    document, data = _open_data(found, ticker, f"the options of {ticker}")
    stamp = document.require("timestamp", document.time("timestamp", UTC))
    document.check_not_ahead("timestamp", stamp, now)
    # A document that is written anew around a price that stands still is as old as that price.
    traded = data.time("last_trade_time", NEW_YORK)
    rows = data.rows("options", CONTRACT_FIELDS, "contract")
    for field in ("bid", "ask") if rows else ():
        if all(row.amount(field) is None for row in rows):
            raise data.error(f"the field {field} is empty in every contract")
    return Chain(
        underlying=ticker,
        spot=data.require("current_price", data.price("current_price")),
        as_of=min(stamp - QUOTE_DELAY, traded or stamp),
        source=SOURCE,
        quotes=_parse_quotes(rows),
        delay_seconds=int(QUOTE_DELAY.total_seconds()),
    )


def _parse_quotes(rows: Sequence[_Fields]) -> tuple[OptionQuote, ...]:
    read = [(row, _parse_contract(row.found.get("option"))) for row in rows]
    strange = [row for row, contract in read if contract is None]
    if len(strange) > MAX_UNREADABLE_SHARE * len(rows):
        problem = f"{len(strange)} of {len(rows)} contracts have no OCC symbol in the field option"
        raise rows[0].error(f"{problem}, such as {quote_value(strange[0].found.get('option'))}")
    return tuple(_parse_quote(row, contract) for row, contract in read if contract is not None)


def _parse_contract(symbol: Any) -> Contract | None:
    """The contract of a symbol without blanks; None when it is not one."""
    try:
        return None if " " in symbol else parse_occ_symbol(symbol)
    except (TypeError, ValueError):
        return None


def _parse_quote(row: _Fields, contract: Contract) -> OptionQuote:
    traded_at, delta = row.time("last_trade_time", NEW_YORK), row.number("delta")
    last = row.amount("last_trade_price")
    return OptionQuote(
        **contract._asdict(),
        bid=row.amount("bid"),
        ask=row.amount("ask"),
        # What never traded has the price 0.
        last=None if traded_at is None else last,
        volume=row.count("volume"),
        open_interest=row.count("open_interest"),
        # 0 says that none could be computed.
        feed_iv=row.price("iv"),
        feed_delta=delta if delta is not None and -1 <= delta <= 1 else None,
        traded_at=traded_at,
    )


# Quotes.


def parse_level(found: Any, ticker: str, field: str, now: datetime) -> Metric:
    """One figure of a quote document; `Unusable` when it, or the time of the last trade, is missing or impossible."""
    _, data = _open_data(found, ticker, f"the quote of {ticker}")
    number = data.require(field, data.number(field))
    as_of = data.require("last_trade_time", data.time("last_trade_time", NEW_YORK))
    data.check_not_ahead("last_trade_time", as_of, now)
    unit, divisor, low, high = QUOTE_FIELDS[field]
    if not low < number < high:
        raise data.error(f"{number:g} is no figure for {ticker}")
    source = f"{SOURCE} {document_name(ticker).removesuffix('.json')}"
    return Metric(value=number / divisor, unit=unit, source=source, as_of=as_of)


# Days before.


def parse_bars(found: Any, ticker: str, since: date, now: datetime) -> tuple[DailyBar, ...]:
    """Daily bars from `since` up to yesterday, oldest first; a day without a close is left out."""
    document = _Fields(found, f"the daily bars of {ticker}")
    document.check_symbol(ticker)
    rows = document.rows("data", BAR_FIELDS, "day", is_text=True)
    days = [(row.day("date", "%Y-%m-%d"), row) for row in rows]

    def parse_bar(day: date, row: _Fields) -> DailyBar | None:
        close = row.price("close")
        if close is None:
            return None
        first, high, low = (row.price(field) for field in ("open", "high", "low"))
        return DailyBar(day=day, close=close, open=first, high=high, low=low, volume=row.amount("volume"))

    return _collect_days(document, days, parse_bar, since, now)


def parse_vix_closes(text: str, since: date, now: datetime) -> tuple[tuple[date, float], ...]:
    """VIX closes of the history file from `since` up to yesterday, oldest first."""
    lines = [[cell.strip() for cell in line.split(",")] for line in text.lstrip("\ufeff").splitlines() if line]
    file = _Fields({"data": [dict(zip(lines[0], cells, strict=False)) for cells in lines[1:]]}, "the VIX history")
    for cells in lines:
        if len(cells) != len(lines[0]):
            width = f"{len(cells)} cells under {len(lines[0])} columns"
            raise file.error(f"the line of {quote_value(cells[0])} has {width}")
    rows = file.rows("data", ("DATE", "CLOSE"), "day", is_text=True)
    days = [(row.day("DATE", "%m/%d/%Y"), row) for row in rows]

    def parse_close(day: date, row: _Fields) -> tuple[date, float] | None:
        close = row.price("CLOSE")
        return None if close is None else (day, close)

    return _collect_days(file, days, parse_close, since, now)


def _collect_days(
    document: _Fields,
    days: Sequence[tuple[date, _Fields]],
    parse: Callable[[date, _Fields], T | None],
    since: date,
    now: datetime,
) -> tuple[T, ...]:
    """What `parse` makes of each day from `since` up to yesterday, oldest first.

    Raises on a weekend, where dates that are off by one would show, and when a day is there twice and not the same.
    """
    if not days:
        raise document.error("it has no day")
    found, today = dict[date, T](), market_date(now)
    for day, row in days:
        item = parse(day, row) if since <= day < today else None
        if item is None:
            continue
        if day.weekday() > FRIDAY:
            raise document.error(f"it has {day}, a day without trading")
        if found.setdefault(day, item) != item:
            raise document.error(f"it has {day} twice, with different figures")
    return tuple(found[day] for day in sorted(found))
