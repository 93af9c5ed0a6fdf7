"""tastytrade's market documents as plain values: contracts of the nested chain, quotes by symbol, metrics.

Keys are dasherised, numbers are strings, and both are only what is usual: a number may be a number, a key may come in
camelCase. A field that may be missing is None; one of another type is `Unusable`, with its name.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from spy32.domain.market import Contract, Right, plain_strike
from spy32.domain.option_class import option_roots
from spy32.domain.sanitize import quote_value
from spy32.domain.value import value
from spy32.errors import Unusable

MAX_SYMBOLS_PER_CALL = 100
"""A call to /market-data/by-type may ask for, over all its parameters."""
SHARES_PER_CONTRACT = 100

_SHARE_CLASS = re.compile(r"[A-Z]{1,5}/[A-Z]")
_NUMBER_PATTERN = re.compile(r"-?\d{1,12}(\.\d{1,18})?([eE][-+]?\d{1,2})?", re.ASCII)
_MISSING_VALUES = ("", "nan", "null")
_MAX_NUMBER = 1e12
_MAX_STRIKE = 100_000

Fields = Mapping[str, Any]


@value
class Quote:
    """One symbol as it was quoted. Prices are dollars per share, points for an index; `iv` is a fraction."""

    symbol: str
    at: datetime
    bid: float | None
    ask: float | None
    last: float | None
    prior_close: float | None
    volume: int | None
    open_interest: int | None
    iv: float | None
    delta: float | None
    is_halted: bool

    @property
    def price(self) -> float | None:
        """The mid of a narrow market, else the last trade; an index has only the latter."""
        if self.bid is not None and self.ask is not None and 0 < self.bid <= self.ask <= self.bid * 1.005:
            return (self.bid + self.ask) / 2
        return self.last if self.last is not None and self.last > 0 else None


def write_ticker(ticker: str) -> str:
    """The ticker as the service writes it: the class of a share after a slash, `BRK/B`."""
    return ticker.replace(".", "/")


def read_ticker(symbol: str) -> str:
    """The ticker of a symbol as the service writes it. Other symbols with slashes, such as futures, stay."""
    return symbol.replace("/", ".") if _SHARE_CLASS.fullmatch(symbol) else symbol


class NestedChain:
    """The nested chain of one underlying. Strikes are read when their expiration is asked for."""

    def __init__(self, data: Any, underlying: str) -> None:
        self._roots: list[tuple[str, date, Sequence[Any]]] = []
        for entry in require_items(data, "the nested chain"):
            item = require_fields(entry, "the nested chain")
            ticker = require_text(item, "underlying-symbol")
            if read_ticker(ticker) != underlying:
                raise Unusable(f"tastytrade: asked for the chain of {underlying}, one of {quote_value(ticker)} came")
            root, kind = require_text(item, "root-symbol"), require_text(item, "option-chain-type")
            is_full = parse_number(item, "shares-per-contract") == SHARES_PER_CONTRACT
            # Other roots and deliverables are minis and adjusted contracts.
            rows = _require_list(item, "expirations") if kind == "Standard" and is_full else ()
            for row in rows if root in option_roots(underlying) else ():
                fields = require_fields(row, "expirations")
                self._roots.append((root, parse_date(fields, "expiration-date"), _require_list(fields, "strikes")))

    @property
    def expirations(self) -> tuple[date, ...]:
        return tuple(sorted({day for _, day, _ in self._roots}))

    def contracts(self, expiration: date) -> tuple[Contract, ...]:
        """Every call and put of one day, each once."""
        found: dict[str, Contract] = {}
        for root, day, strikes in self._roots:
            for row in strikes if day == expiration else ():
                fields = require_fields(row, f"strikes of {day}")
                strike = _parse_strike(fields)
                for key, right in (("call", Right.CALL), ("put", Right.PUT)):
                    contract = Contract(root, day, right, strike)
                    # The symbol is what would be ordered: it must be the contract that its place in the chain says.
                    if require_text(fields, key) != contract.symbol:
                        raise Unusable(
                            f"tastytrade: the {key} of {day} {strike} has the symbol {quote_value(fields.get(key))}"
                        )
                    found[contract.symbol] = contract
        return tuple(found.values())


def parse_quotes(data: Any, symbols: Collection[str]) -> tuple[Quote, ...]:
    """The quotes in an answer, in its order; a symbol that the service does not know is not among them."""
    rows = _parse_rows(data, "market data", set(symbols))
    options = [row for row in rows if len(row["symbol"]) == 21]
    for key in ("bid", "ask") if options else ():
        if not any(key in row for row in options):
            raise Unusable(f"tastytrade: no quote has the field {key}")
    return tuple(map(_parse_quote, rows))


def _parse_quote(row: Fields) -> Quote:
    iv, last = parse_number(row, "volatility"), parse_number(row, "last")
    return Quote(
        symbol=read_ticker(require_text(row, "symbol")),
        at=parse_timestamp(row, "updated-at"),
        bid=parse_number(row, "bid"),
        ask=parse_number(row, "ask"),
        last=last if last != 0 else None,
        prior_close=parse_number(row, "prev-close"),
        volume=parse_count(row, "volume"),
        open_interest=parse_count(row, "open-interest"),
        iv=iv if iv is not None and iv > 0 else None,
        delta=parse_number(row, "delta"),
        is_halted=parse_optional_flag(row, "is-trading-halted") is True,
    )


def parse_metrics(data: Any, symbol: str) -> Fields | None:
    """The metrics of one symbol; None when the service has none."""
    rows = _parse_rows(data, "market metrics", {symbol})
    return rows[0] if rows else None


def _parse_rows(data: Any, subject: str, symbols: Collection[str]) -> list[Fields]:
    """The rows of an answer, each of one of the symbols that were asked for."""
    rows = [require_fields(item, subject) for item in require_items(data, subject)]
    for row in rows:
        if read_ticker(require_text(row, "symbol")) not in symbols:
            raise Unusable(f"tastytrade: {subject} of {quote_value(row.get('symbol'))} came, which was not asked for")
    return rows


def require_items(data: Any, subject: str) -> list[Any]:
    """The list under `items`."""
    found = data.get("items") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise Unusable(f"tastytrade: {subject} has no list items")
    return found


def require_fields(item: Any, subject: str) -> Fields:
    if not isinstance(item, dict):
        raise Unusable(f"tastytrade: an entry of {subject} is no object")
    return item


def require_text(fields: Fields, key: str) -> str:
    """A text that must be there."""
    found = _get_field(fields, key)
    if not isinstance(found, str) or not found:
        raise _field_error(key, found, "a text")
    return found


def parse_number(fields: Fields, key: str) -> float | None:
    """A finite number; None where there is none, also by the words NaN and null."""
    found = _get_field(fields, key)
    if found is None or (isinstance(found, str) and found.strip().lower() in _MISSING_VALUES):
        return None
    figure = float(found) if isinstance(found, str) and _NUMBER_PATTERN.fullmatch(found) else found
    is_number = isinstance(figure, int | float) and not isinstance(figure, bool)
    # An integer of any size can be compared, but not turned into a float.
    if not is_number or not abs(figure) <= _MAX_NUMBER:
        raise _field_error(key, found, "a number")
    return float(figure)


def parse_count(fields: Fields, key: str) -> int | None:
    """A whole number that is not negative."""
    found = parse_number(fields, key)
    if found is None:
        return None
    if found < 0 or found % 1:
        raise _field_error(key, _get_field(fields, key), "a whole number")
    return int(found)


def parse_amount(fields: Fields, key: str) -> Decimal | None:
    """Dollars, as they are written."""
    return None if parse_number(fields, key) is None else Decimal(str(_get_field(fields, key)))


def parse_timestamp(fields: Fields, key: str) -> datetime:
    """A time with its zone, in UTC."""
    found = require_text(fields, key)
    try:
        parsed = datetime.fromisoformat(found)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _field_error(key, found, "a time with its zone")


def parse_date(fields: Fields, key: str) -> date:
    """A date that must be there."""
    found = require_text(fields, key)
    try:
        return date.fromisoformat(found)
    except ValueError:
        raise _field_error(key, found, "a date") from None


def parse_optional_date(fields: Fields, key: str) -> date | None:
    return None if _get_field(fields, key) in (None, "") else parse_date(fields, key)


def parse_expiration_vols(fields: Fields) -> Iterable[tuple[date, float]]:
    """The implied volatility, a fraction, of each expiration that has one; the last word on a day holds."""
    key = "option-expiration-implied-volatilities"
    for row in _require_list(fields, key) if _get_field(fields, key) is not None else ():
        entry = require_fields(row, key)
        iv = parse_number(entry, "implied-volatility")
        if require_text(entry, "option-chain-type") == "Standard" and iv is not None and iv > 0:
            yield parse_date(entry, "expiration-date"), iv


def parse_optional_flag(fields: Fields, key: str) -> bool | None:
    found = _get_field(fields, key)
    if found is not None and not isinstance(found, bool):
        raise _field_error(key, found, "true or false")
    return found


def _require_list(fields: Fields, key: str) -> Sequence[Any]:
    found = _get_field(fields, key)
    if not isinstance(found, list):
        raise _field_error(key, found, "a list")
    return found


def _parse_strike(fields: Fields) -> Decimal:
    """In the one form of a strike, without trailing zeros."""
    found = parse_amount(fields, "strike-price")
    if found is None or not 0 < found < _MAX_STRIKE or found * 1000 % 1:
        raise _field_error("strike-price", _get_field(fields, "strike-price"), "a strike")
    return plain_strike(found)


def _get_field(fields: Fields, key: str) -> Any:
    """By the dasherised key, else by its camelCase form, which the service's schema has."""
    if key in fields or "-" not in key:
        return fields.get(key)
    head, *rest = key.split("-")
    return fields.get(head + "".join(word.capitalize() for word in rest))


def _field_error(key: str, found: Any, wanted: str) -> Unusable:
    return Unusable(f"tastytrade: {key} is {'missing' if found is None else quote_value(found)}, not {wanted}")
