"""What Cboe's delayed documents say: option documents, quotes, daily bars and the VIX history, as our values.

Nothing is invented: a field that is missing is None, one that has become another kind ends in `Unusable` with its name.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from spy32.domain.market import Chain, DailyBar, OptionQuote, Right
from spy32.errors import Unusable
from spy32.sessions import FRIDAY, NEW_YORK, market_date

NAME = "cboe"
DELAY = timedelta(minutes=15)
AHEAD = timedelta(minutes=2)
"""How far a time in a document may lie ahead of our clock."""
INDEXES = frozenset({"SPX", "VIX", "XSP", "RUT", "NDX", "VIX9D", "VIX3M"})
"""Tickers that Cboe writes with a leading underscore."""
LARGEST = 1e9
"""Dollars or contracts: anything above is no figure of a market."""
SYMBOL = re.compile(r"([A-Z0-9]{1,6})([0-9]{6})([CP])([0-9]{8})")
"""An OCC symbol without blanks. Read from the right: a root may hold digits."""
STRANGE_SHARE = 0.01
"""More options than this share without a readable symbol are another document than we know."""
NEEDED = ("bid", "ask")
NUMBERS = (*NEEDED, "last_trade_price", "volume", "open_interest", "iv", "delta")
BLANK = frozenset({"", "nan"})

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One figure of a quote document, with the instant of the last trade."""

    value: float
    as_of: datetime


def file_of(ticker: str) -> str:
    """The name by which Cboe's documents go: `SPY.json`, `_VIX.json`."""
    return f"_{ticker}.json" if ticker in INDEXES else f"{ticker}.json"


# Option documents.


def chain_of(found: Any, ticker: str, now: datetime) -> Chain:
    """Every contract of an option document, of every root; `as_of` is a quarter of an hour before its timestamp."""
    what = f"the options of {ticker}"
    document = _object(found, what)
    data = _own_data(document, ticker, what)
    stamp = _instant(document.get("timestamp"), UTC, "timestamp", what)
    if stamp - now > AHEAD:
        raise _changed(what, f"their timestamp {stamp:%Y-%m-%d %H:%M:%S} UTC lies ahead of the clock")
    spot = _needed(data, "current_price", what)
    # A document that is written anew around a price that stands still is as old as that price.
    traded = _traded_at(data, what)
    as_of = stamp - DELAY if traded is None else min(stamp - DELAY, traded)
    rows = data.get("options")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _changed(what, "the field options is not a list of contracts")
    _check_fields(rows, what)
    return Chain(
        underlying=ticker,
        spot=spot,
        as_of=as_of,
        source=NAME,
        quotes=_quotes(rows, what),
        delay_seconds=int(DELAY.total_seconds()),
    )


def _check_fields(rows: Sequence[Row], what: str) -> None:
    """A field that no contract has, or that is needed and empty in all of them, is a changed document."""
    if not rows:
        return
    for field in ("option", *NUMBERS, "last_trade_time"):
        if not any(field in row for row in rows):
            raise _changed(what, f"no contract has the field {field}")
    for field in NEEDED:
        if all(_positive(row, field, what) is None for row in rows):
            raise _changed(what, f"the field {field} is empty in every contract")


def _quotes(rows: Sequence[Row], what: str) -> tuple[OptionQuote, ...]:
    read = [(row, _contract(row.get("option"))) for row in rows]
    strange = [row.get("option") for row, contract in read if contract is None]
    if len(strange) > STRANGE_SHARE * len(rows):
        told = f"{len(strange)} of {len(rows)} contracts have no OCC symbol in the field option"
        raise _changed(what, f"{told}, such as {_shown(strange[0])}")
    return tuple(_quote(row, *contract, what) for row, contract in read if contract is not None)


def _contract(symbol: Any) -> tuple[str, date, Decimal, Right] | None:
    """Root, expiration, strike and right of a symbol; None when it is not one."""
    parts = SYMBOL.fullmatch(symbol) if isinstance(symbol, str) else None
    if parts is None:
        return None
    root, day, right, strike = parts.groups()
    try:
        expiration = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError:
        return None
    whole, thousandths = divmod(int(strike), 1000)
    if int(strike) == 0:
        return None
    exact = Decimal(whole) if thousandths == 0 else (Decimal(int(strike)) / 1000).normalize()
    return root, expiration, exact, Right(right)


def _quote(row: Row, root: str, expiration: date, strike: Decimal, right: Right, what: str) -> OptionQuote:
    traded_at = _traded_at(row, what)
    delta = _number(row, "delta", what)
    volatility = _positive(row, "iv", what)
    return OptionQuote(
        root=root,
        expiration=expiration,
        strike=strike,
        right=right,
        bid=_positive(row, "bid", what),
        ask=_positive(row, "ask", what),
        # What never traded has the price 0.
        last=None if traded_at is None else _positive(row, "last_trade_price", what),
        volume=_count(row, "volume", what),
        open_interest=_count(row, "open_interest", what),
        # 0 says that none could be computed.
        feed_iv=None if volatility == 0 else volatility,
        feed_delta=delta if delta is not None and -1 <= delta <= 1 else None,
        traded_at=traded_at,
    )


# Quotes.


def level_of(found: Any, ticker: str, field: str, now: datetime) -> Level:
    """One figure of a quote document; `Unusable` when it, or the time of the last trade, is missing."""
    what = f"the quote of {ticker}"
    data = _own_data(_object(found, what), ticker, what)
    value = _number(data, field, what)
    if value is None:
        raise _changed(what, f"the field {field} is empty")
    as_of = _traded_at(data, what)
    if as_of is None:
        raise _changed(what, "the field last_trade_time is empty")
    if as_of - now > AHEAD:
        raise _changed(what, f"its last_trade_time {as_of:%Y-%m-%d %H:%M:%S} UTC lies ahead of the clock")
    return Level(value=value, as_of=as_of)


# Days before.


def bars_of(found: Any, ticker: str, since: date, now: datetime) -> tuple[DailyBar, ...]:
    """Daily bars from `since` up to yesterday, oldest first; a day without a close is left out."""
    what = f"the daily bars of {ticker}"
    document = _object(found, what)
    _check_symbol(document, ticker, what)
    rows = document.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _changed(what, "the field data is not a list of days")
    if not rows:
        raise _changed(what, "it has no day")
    # An index has no volume.
    for field in ("date", "open", "high", "low", "close"):
        if not any(field in row for row in rows):
            raise _changed(what, f"no day has the field {field}")
    today, bars = market_date(now), dict[date, DailyBar]()
    for row in rows:
        day = _day(row.get("date"), "%Y-%m-%d", "date", what)
        if not since <= day < today:
            continue
        close = _price(row, "close", what)
        if close is None:
            continue
        bar = DailyBar(
            day=_trading(day, what),
            close=close,
            open=_price(row, "open", what),
            high=_price(row, "high", what),
            low=_price(row, "low", what),
            volume=_positive(row, "volume", what, from_text=True),
        )
        if bars.setdefault(day, bar) != bar:
            raise _changed(what, f"two different bars of {day}")
    return tuple(bars[day] for day in sorted(bars))


def vix_closes(text: str, since: date, now: datetime) -> tuple[tuple[date, float], ...]:
    """VIX closes of the history file from `since` up to yesterday, oldest first."""
    what = "the VIX history"
    lines = [[cell.strip() for cell in line.split(",")] for line in text.lstrip("\ufeff").splitlines() if line]
    heading = lines[0] if lines else []
    for field in ("DATE", "CLOSE"):
        if field not in heading:
            raise _changed(what, f"it has no column {field}")
    if len(lines) == 1:
        raise _changed(what, "it has no day")
    today, closes = market_date(now), dict[date, float]()
    for cells in lines[1:]:
        if len(cells) != len(heading):
            raise _changed(what, f"the line of {_shown(cells[0])} has {len(cells)} cells under {len(heading)} columns")
        row = dict(zip(heading, cells, strict=True))
        day = _day(row["DATE"], "%m/%d/%Y", "DATE", what)
        if not since <= day < today:
            continue
        close = _price(row, "CLOSE", what)
        if close is not None and closes.setdefault(_trading(day, what), close) != close:
            raise _changed(what, f"two different closes of {day}")
    return tuple(sorted(closes.items()))


# Fields.


def _changed(what: str, trouble: str) -> Unusable:
    return Unusable(f"{NAME}: {what} cannot be used: {trouble}")


def _shown(found: Any) -> str:
    """What stands there, short and harmless on a screen."""
    return ascii(found)[:40]


def _object(found: Any, what: str) -> Row:
    if not isinstance(found, dict):
        raise _changed(what, "the document is not an object")
    return found


def _own_data(document: Row, ticker: str, what: str) -> Row:
    """The `data` of a document that is about `ticker`."""
    data = document.get("data")
    if not isinstance(data, dict):
        raise _changed(what, "the field data is not an object")
    _check_symbol(data, ticker, what)
    if "symbol" in document:
        _check_symbol(document, ticker, what)
    return data


def _check_symbol(holder: Row, ticker: str, what: str) -> None:
    """The document names the ticker that was asked for; indices come as ^SPX or _SPX."""
    symbol = holder.get("symbol")
    named = symbol[1:] if isinstance(symbol, str) and symbol[:1] in ("^", "_") else symbol
    if named != ticker:
        raise _changed(what, f"the field symbol is {_shown(symbol)}")


def _instant(found: Any, zone: Any, field: str, what: str) -> datetime:
    """A time that is written without its zone, in UTC."""
    try:
        read = datetime.fromisoformat(found)
        if read.tzinfo is not None or len(found) < len("2022-07-12 22:57"):
            raise ValueError
        return read.replace(tzinfo=zone).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _changed(what, f"the field {field} is {_shown(found)}, not a time") from None


def _traded_at(row: Row, what: str) -> datetime | None:
    found = row.get("last_trade_time")
    return None if found is None or found == "" else _instant(found, NEW_YORK, "last_trade_time", what)


def _day(found: Any, form: str, field: str, what: str) -> date:
    try:
        return datetime.strptime(found, form).replace(tzinfo=UTC).date()
    except (TypeError, ValueError):
        raise _changed(what, f"the field {field} is {_shown(found)}, not a day") from None


def _trading(day: date, what: str) -> date:
    """The day, which is none of a weekend: days that are off by one would show there."""
    if day.weekday() > FRIDAY:
        raise _changed(what, f"it has {day}, a day without trading")
    return day


def _number(row: Row, field: str, what: str, *, from_text: bool = False) -> float | None:
    """A finite number; None when it is missing. Text in place of one is a changed document, unless it is expected."""
    found = row.get(field)
    if isinstance(found, str):
        if found.strip().lower() in BLANK:
            return None
        found = _of_text(found) if from_text else found
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _changed(what, f"the field {field} is {_shown(row.get(field))}, not a number")
    return float(found) if -LARGEST <= found <= LARGEST else None


def _of_text(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _positive(row: Row, field: str, what: str, *, from_text: bool = False) -> float | None:
    """A number from 0 on; a negative one stands for none."""
    number = _number(row, field, what, from_text=from_text)
    return number if number is not None and number >= 0 else None


def _price(row: Row, field: str, what: str) -> float | None:
    """A price of a day, which may stand as text; 0 is none."""
    number = _positive(row, field, what, from_text=True)
    return None if number == 0 else number


def _needed(row: Row, field: str, what: str) -> float:
    number = _number(row, field, what)
    if number is None or number <= 0:
        raise _changed(what, f"the field {field} is {_shown(row.get(field))}, not a price")
    return number


def _count(row: Row, field: str, what: str) -> int | None:
    number = _positive(row, field, what)
    return None if number is None else int(number)
