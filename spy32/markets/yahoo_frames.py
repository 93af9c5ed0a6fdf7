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
MIN_IV = 0.001
"""Yahoo writes 1e-05 where it could not compute a volatility."""


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


def _read_column(frame: Any, name: str, *, is_needed: bool = False) -> list[float | None]:
    """The numbers of a column, None for NaN; `Unusable` for text, infinity, and nothing at all where it is needed."""
    found = [_parse_number(cell, name) for cell in frame[name].tolist()]
    if is_needed and found and all(number is None for number in found):
        raise Unusable(f"yahoo: no contract has {name!r}")
    return found


def _parse_number(cell: Any, name: str) -> float | None:
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float) or math.isinf(cell):
        raise Unusable(f"yahoo: {name!r} holds {quote_value(cell)}, not a number")
    return None if math.isnan(cell) else float(cell)


def _row_dates(frame: Any) -> list[date]:
    return [stamp.date() for stamp in frame.index]


def parse_bars(frame: Any, since: date) -> tuple[DailyBar, ...]:
    """The rows with a close. yfinance writes zeros and NaN for a session that has not begun or was lost."""
    columns = (_read_column(frame, name) for name in REQUIRED_COLUMNS[:6])
    rows = {day: row for day, *row in zip(_row_dates(frame), *columns, strict=True)}
    return tuple(
        DailyBar(day=day, close=close, open=first, high=high, low=low, volume=volume, adjusted=adjusted)
        for day, (first, high, low, close, adjusted, volume) in sorted(rows.items())
        if close is not None and close > 0 and day >= since
    )


def parse_quotes(frame: Any, right: Right, underlying: str, day: date) -> tuple[OptionQuote, ...]:
    """The rows of one side, each checked against its own symbol; adjusted contracts of a standard root are left out."""
    if not len(frame):
        return ()
    symbols, sizes = frame["contractSymbol"].tolist(), frame["contractSize"].tolist()
    for name in ("contractSymbol", "contractSize", "lastTradeDate"):
        if frame[name].isna().all():
            raise Unusable(f"yahoo: no contract has {name!r}")
    stamps = frame["lastTradeDate"]
    traded = [
        None if is_absent else datetime.fromtimestamp(stamp.timestamp(), UTC)
        for stamp, is_absent in zip(stamps, stamps.isna(), strict=True)
    ]
    strikes, bids, asks = (_read_column(frame, name, is_needed=True) for name in ("strike", "bid", "ask"))
    lasts, volumes, interest, ivs = (
        _read_column(frame, name) for name in ("lastPrice", "volume", "openInterest", "impliedVolatility")
    )
    found = []
    for place, symbol in enumerate(symbols):
        contract = _parse_contract(symbol, right, underlying, day, strikes[place])
        if sizes[place] != "REGULAR" and contract.root in option_roots(underlying):
            continue  # nothing later could tell it from a standard contract; another root tells itself
        iv = ivs[place]
        found.append(
            OptionQuote(
                **contract._asdict(),
                bid=_valid_price(bids[place]),
                ask=_valid_price(asks[place]),
                last=_valid_price(lasts[place]),
                volume=_valid_count(volumes[place]),
                open_interest=_valid_count(interest[place]),
                feed_iv=iv if iv is not None and iv >= MIN_IV else None,
                traded_at=traded[place],
            )
        )
    return tuple(found)


def _parse_contract(symbol: Any, right: Right, underlying: str, day: date, strike: float | None) -> Contract:
    """The contract of a row's symbol; `Unusable` when the row is not of what was asked for."""
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


def _valid_price(number: float | None) -> float | None:
    return number if number is not None and number >= 0 else None


def _valid_count(number: float | None) -> int | None:
    return int(number) if number is not None and number >= 0 else None


def drop_empty_interest(quotes: tuple[OptionQuote, ...]) -> tuple[OptionQuote, ...]:
    """Open interest 0 everywhere is a figure that was not loaded, not a market without positions."""
    if any(quote.open_interest for quote in quotes):
        return quotes
    return tuple(replace(quote, open_interest=None) for quote in quotes)


def parse_dividends(frame: Any) -> tuple[Dividend, ...]:
    """The ex-dates in a history, oldest first."""
    rows = zip(_row_dates(frame), _read_column(frame, "Dividends"), strict=True)
    paid = (Dividend(ex_date=day, amount=Decimal(f"{paid:.6f}").normalize()) for day, paid in rows if paid)
    return tuple(sorted(paid, key=lambda item: item.ex_date))
