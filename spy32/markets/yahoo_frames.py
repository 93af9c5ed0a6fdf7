"""The frames that yfinance makes of Yahoo's documents, as quotes and bars."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from spy32.domain.market import Contract, DailyBar, Dividend, OptionQuote, Right, parse_occ_symbol
from spy32.domain.option_class import option_roots
from spy32.domain.sanitize import quote_value
from spy32.errors import Unusable

REQUIRED_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends")
NEEDED_COLUMNS = ("contractSymbol", "contractSize", "lastTradeDate", "strike", "bid", "ask")
MIN_IV = 0.001
"""Yahoo writes 1e-05 where it could not compute a volatility."""

Row = Mapping[str, Any]


def parse_timestamp(message: Mapping[str, Any]) -> datetime:
    """The instant of the last price, UTC. Yahoo has it in seconds, yfinance makes an aware timestamp of some."""
    stamp = message.get("regularMarketTime")
    if isinstance(stamp, datetime) and stamp.tzinfo is not None:
        return datetime.fromtimestamp(stamp.timestamp(), UTC)
    if isinstance(stamp, bool) or not isinstance(stamp, int) or not 0 < stamp < 2**32:
        raise Unusable(f"yahoo: regularMarketTime of {message.get('symbol')} is {quote_value(stamp)}, not an instant")
    return datetime.fromtimestamp(stamp, UTC)


def check_frame(frame: Any, underlying: str) -> None:
    absent = [name for name in REQUIRED_COLUMNS if name not in frame.columns]
    if absent or not len(frame):
        what = f"column {absent[0]!r}" if len(frame) else "bars"
        raise Unusable(f"yahoo has no {what} in the history of {underlying}")


def _parse_number(row: Row, name: str) -> float | None:
    """None for NaN; `Unusable` for text and infinity."""
    cell = row[name]
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float) or math.isinf(cell):
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


def drop_empty_interest(quotes: tuple[OptionQuote, ...]) -> tuple[OptionQuote, ...]:
    """Open interest 0 everywhere is a figure that was not loaded, not a market without positions."""
    if any(quote.open_interest for quote in quotes):
        return quotes
    return tuple(replace(quote, open_interest=None) for quote in quotes)


def parse_dividends(frame: Any) -> tuple[Dividend, ...]:
    """The ex-dates in a history, oldest first."""
    rows = ((day, _parse_number(row, "Dividends")) for day, row in _dated_rows(frame))
    paid = (Dividend(ex_date=day, amount=Decimal(f"{paid:.6f}").normalize()) for day, paid in rows if paid)
    return tuple(sorted(paid, key=lambda item: item.ex_date))
