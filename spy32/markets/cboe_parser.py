"""What Cboe's delayed documents say: option documents, quotes, daily bars and the VIX history, as our values.

Nothing is invented: a field that is missing is None, one that has become another kind ends in `Unusable` with its name.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from spy32.domain.market import Chain, Contract, DailyBar, OptionQuote, parse_occ_symbol
from spy32.domain.option_class import INDEX_TICKERS
from spy32.domain.sanitize import quote_value
from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.sessions import FRIDAY, NEW_YORK, market_date

SOURCE = "cboe"
QUOTE_DELAY = timedelta(minutes=15)
MAX_CLOCK_SKEW = timedelta(minutes=2)
"""How far a time in a document may lie ahead of our clock."""
MAX_NUMBER = 1e9
"""Dollars or contracts: anything above is no figure of a market."""
MAX_UNREADABLE_SHARE = 0.01
"""More options than this share without a readable symbol are another document than we know."""
REQUIRED_FIELDS = ("bid", "ask")
NUMBER_FIELDS = (*REQUIRED_FIELDS, "last_trade_price", "volume", "open_interest", "iv", "delta")
MISSING_VALUES = frozenset({"", "nan"})

Row = Mapping[str, Any]


@value
class QuotedValue:
    """One figure of a quote document, with the instant of the last trade."""

    value: float
    as_of: datetime


def document_name(ticker: str) -> str:
    """The name by which Cboe's documents go: `SPY.json`, and of an index `_VIX.json`."""
    return f"_{ticker}.json" if ticker in INDEX_TICKERS else f"{ticker}.json"


# Option documents.


def parse_chain(found: Any, ticker: str, now: datetime) -> Chain:
    """Every contract of an option document, of every root; `as_of` is a quarter of an hour before its timestamp."""
    subject = f"the options of {ticker}"
    document = _require_object(found, subject)
    data = _require_data(document, ticker, subject)
    stamp = _parse_timestamp(document.get("timestamp"), UTC, "timestamp", subject)
    if stamp - now > MAX_CLOCK_SKEW:
        raise _document_error(subject, f"their timestamp {stamp:%Y-%m-%d %H:%M:%S} UTC lies ahead of the clock")
    spot = _require_price(data, "current_price", subject)
    # A document that is written anew around a price that stands still is as old as that price.
    traded = _last_trade_time(data, subject)
    as_of = stamp - QUOTE_DELAY if traded is None else min(stamp - QUOTE_DELAY, traded)
    rows = data.get("options")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _document_error(subject, "the field options is not a list of contracts")
    _check_fields(rows, subject)
    return Chain(
        underlying=ticker,
        spot=spot,
        as_of=as_of,
        source=SOURCE,
        quotes=_parse_quotes(rows, subject),
        delay_seconds=int(QUOTE_DELAY.total_seconds()),
    )


def _check_fields(rows: Sequence[Row], subject: str) -> None:
    """Raise when a field is missing everywhere, or empty everywhere although needed: the format has changed."""
    if not rows:
        return
    for field in ("option", *NUMBER_FIELDS, "last_trade_time"):
        if not any(field in row for row in rows):
            raise _document_error(subject, f"no contract has the field {field}")
    for field in REQUIRED_FIELDS:
        if all(_parse_nonnegative(row, field, subject) is None for row in rows):
            raise _document_error(subject, f"the field {field} is empty in every contract")


def _parse_quotes(rows: Sequence[Row], subject: str) -> tuple[OptionQuote, ...]:
    read = [(row, _parse_contract(row.get("option"))) for row in rows]
    strange = [row.get("option") for row, contract in read if contract is None]
    if len(strange) > MAX_UNREADABLE_SHARE * len(rows):
        problem = f"{len(strange)} of {len(rows)} contracts have no OCC symbol in the field option"
        raise _document_error(subject, f"{problem}, such as {quote_value(strange[0])}")
    return tuple(_parse_quote(row, contract, subject) for row, contract in read if contract is not None)


def _parse_contract(symbol: Any) -> Contract | None:
    """The contract of a symbol without blanks; None when it is not one."""
    try:
        return None if " " in symbol else parse_occ_symbol(symbol)
    except (TypeError, ValueError):
        return None


def _parse_quote(row: Row, contract: Contract, subject: str) -> OptionQuote:
    traded_at = _last_trade_time(row, subject)
    delta = _parse_number(row, "delta", subject)
    volatility = _parse_nonnegative(row, "iv", subject)
    return OptionQuote(
        **contract._asdict(),
        bid=_parse_nonnegative(row, "bid", subject),
        ask=_parse_nonnegative(row, "ask", subject),
        # What never traded has the price 0.
        last=None if traded_at is None else _parse_nonnegative(row, "last_trade_price", subject),
        volume=_parse_count(row, "volume", subject),
        open_interest=_parse_count(row, "open_interest", subject),
        # 0 says that none could be computed.
        feed_iv=None if volatility == 0 else volatility,
        feed_delta=delta if delta is not None and -1 <= delta <= 1 else None,
        traded_at=traded_at,
    )


# Quotes.


def parse_level(found: Any, ticker: str, field: str, now: datetime) -> QuotedValue:
    """One figure of a quote document; `Unusable` when it, or the time of the last trade, is missing."""
    subject = f"the quote of {ticker}"
    data = _require_data(_require_object(found, subject), ticker, subject)
    value = _parse_number(data, field, subject)
    if value is None:
        raise _document_error(subject, f"the field {field} is empty")
    as_of = _last_trade_time(data, subject)
    if as_of is None:
        raise _document_error(subject, "the field last_trade_time is empty")
    if as_of - now > MAX_CLOCK_SKEW:
        raise _document_error(subject, f"its last_trade_time {as_of:%Y-%m-%d %H:%M:%S} UTC lies ahead of the clock")
    return QuotedValue(value=value, as_of=as_of)


# Days before.


def parse_bars(found: Any, ticker: str, since: date, now: datetime) -> tuple[DailyBar, ...]:
    """Daily bars from `since` up to yesterday, oldest first; a day without a close is left out."""
    subject = f"the daily bars of {ticker}"
    document = _require_object(found, subject)
    _check_symbol(document, ticker, subject)
    rows = document.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _document_error(subject, "the field data is not a list of days")
    if not rows:
        raise _document_error(subject, "it has no day")
    # An index has no volume.
    for field in ("date", "open", "high", "low", "close"):
        if not any(field in row for row in rows):
            raise _document_error(subject, f"no day has the field {field}")
    today, bars = market_date(now), dict[date, DailyBar]()
    for row in rows:
        day = _parse_date(row.get("date"), "%Y-%m-%d", "date", subject)
        if not since <= day < today:
            continue
        close = _parse_price(row, "close", subject)
        if close is None:
            continue
        bar = DailyBar(
            day=_require_weekday(day, subject),
            close=close,
            open=_parse_price(row, "open", subject),
            high=_parse_price(row, "high", subject),
            low=_parse_price(row, "low", subject),
            volume=_parse_nonnegative(row, "volume", subject, from_text=True),
        )
        if bars.setdefault(day, bar) != bar:
            raise _document_error(subject, f"two different bars of {day}")
    return tuple(bars[day] for day in sorted(bars))


def parse_vix_closes(text: str, since: date, now: datetime) -> tuple[tuple[date, float], ...]:
    """VIX closes of the history file from `since` up to yesterday, oldest first."""
    subject = "the VIX history"
    lines = [[cell.strip() for cell in line.split(",")] for line in text.lstrip("\ufeff").splitlines() if line]
    heading = lines[0] if lines else []
    for field in ("DATE", "CLOSE"):
        if field not in heading:
            raise _document_error(subject, f"it has no column {field}")
    if len(lines) == 1:
        raise _document_error(subject, "it has no day")
    today, closes = market_date(now), dict[date, float]()
    for cells in lines[1:]:
        if len(cells) != len(heading):
            raise _document_error(
                subject, f"the line of {quote_value(cells[0])} has {len(cells)} cells under {len(heading)} columns"
            )
        row = dict(zip(heading, cells, strict=True))
        day = _parse_date(row["DATE"], "%m/%d/%Y", "DATE", subject)
        if not since <= day < today:
            continue
        close = _parse_price(row, "CLOSE", subject)
        if close is not None and closes.setdefault(_require_weekday(day, subject), close) != close:
            raise _document_error(subject, f"two different closes of {day}")
    return tuple(sorted(closes.items()))


# Fields.


def _document_error(subject: str, problem: str) -> Unusable:
    return Unusable(f"{SOURCE}: {subject} cannot be used: {problem}")


def _require_object(found: Any, subject: str) -> Row:
    if not isinstance(found, dict):
        raise _document_error(subject, "the document is not an object")
    return found


def _require_data(document: Row, ticker: str, subject: str) -> Row:
    """The `data` of a document that is about `ticker`."""
    data = document.get("data")
    if not isinstance(data, dict):
        raise _document_error(subject, "the field data is not an object")
    _check_symbol(data, ticker, subject)
    if "symbol" in document:
        _check_symbol(document, ticker, subject)
    return data


def _check_symbol(holder: Row, ticker: str, subject: str) -> None:
    """Raise unless the document names the ticker that was requested; indices come as ^SPX or _SPX."""
    symbol = holder.get("symbol")
    named = symbol[1:] if isinstance(symbol, str) and symbol[:1] in ("^", "_") else symbol
    if named != ticker:
        raise _document_error(subject, f"the field symbol is {quote_value(symbol)}")


def _parse_timestamp(found: Any, zone: Any, field: str, subject: str) -> datetime:
    """A time that is written without its zone, in UTC."""
    try:
        read = datetime.fromisoformat(found)
        if read.tzinfo is not None or len(found) < len("2022-07-12 22:57"):
            raise ValueError
        return read.replace(tzinfo=zone).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _document_error(subject, f"the field {field} is {quote_value(found)}, not a time") from None


def _last_trade_time(row: Row, subject: str) -> datetime | None:
    found = row.get("last_trade_time")
    return None if found is None or found == "" else _parse_timestamp(found, NEW_YORK, "last_trade_time", subject)


def _parse_date(found: Any, form: str, field: str, subject: str) -> date:
    try:
        return datetime.strptime(found, form).replace(tzinfo=UTC).date()
    except (TypeError, ValueError):
        raise _document_error(subject, f"the field {field} is {quote_value(found)}, not a day") from None


def _require_weekday(day: date, subject: str) -> date:
    """The day. Raises on a weekend, where dates that are off by one would show."""
    if day.weekday() > FRIDAY:
        raise _document_error(subject, f"it has {day}, a day without trading")
    return day


def _parse_number(row: Row, field: str, subject: str, *, from_text: bool = False) -> float | None:
    """A finite number; None when it is missing. Text in place of one is a changed document, unless it is expected."""
    found = row.get(field)
    if isinstance(found, str):
        if found.strip().lower() in MISSING_VALUES:
            return None
        found = _parse_text_number(found) if from_text else found
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _document_error(subject, f"the field {field} is {quote_value(row.get(field))}, not a number")
    return float(found) if -MAX_NUMBER <= found <= MAX_NUMBER else None


def _parse_text_number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _parse_nonnegative(row: Row, field: str, subject: str, *, from_text: bool = False) -> float | None:
    """A number from 0 on; a negative one stands for none."""
    number = _parse_number(row, field, subject, from_text=from_text)
    return number if number is not None and number >= 0 else None


def _parse_price(row: Row, field: str, subject: str) -> float | None:
    """A price of a day, which may stand as text; 0 is none."""
    number = _parse_nonnegative(row, field, subject, from_text=True)
    return None if number == 0 else number


def _require_price(row: Row, field: str, subject: str) -> float:
    number = _parse_number(row, field, subject)
    if number is None or number <= 0:
        raise _document_error(subject, f"the field {field} is {quote_value(row.get(field))}, not a price")
    return number


def _parse_count(row: Row, field: str, subject: str) -> int | None:
    number = _parse_nonnegative(row, field, subject)
    return None if number is None else int(number)
