"""tastytrade's market documents as plain values: contracts of the nested chain, quotes by symbol, metrics.

Keys are dasherised, numbers are strings, and both are only what is usual: a number may be a number, a key may come in
camelCase. A field that may be missing is None; one of another type is `Unusable`, with its name.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from spy32.domain.market import Right, occ_symbol, roots_of
from spy32.errors import Unusable

MOST_SYMBOLS = 100
"""A call to /market-data/by-type may ask for, over all its parameters."""
INDICES = frozenset({"SPX", "XSP", "NDX", "RUT", "DJX", "VIX", "VIX9D", "VIX3M"})
SHARES = 100

_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,18})?([eE][-+]?\d{1,2})?", re.ASCII)
_NOT_GIVEN = ("", "nan", "null")
_LARGEST = 1e12
_LARGEST_STRIKE = 100_000

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One listed option of standard size."""

    symbol: str
    root: str
    expiration: date
    strike: Decimal
    right: Right


@dataclass(frozen=True, slots=True, kw_only=True)
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


class Listing:
    """The nested chain of one underlying. Strikes are read when their expiration is asked for."""

    def __init__(self, data: Any, underlying: str) -> None:
        self._underlying = underlying
        self._roots: list[tuple[str, date, Sequence[Any]]] = []
        for item in items_of(data, "the nested chain"):
            self._take(fields_of(item, "the nested chain"))

    @property
    def expirations(self) -> tuple[date, ...]:
        return tuple(sorted({day for _, day, _ in self._roots}))

    def contracts(self, expiration: date) -> tuple[Contract, ...]:
        """Every call and put of one day, each once."""
        found: dict[str, Contract] = {}
        for root, day, strikes in self._roots:
            for row in strikes if day == expiration else ():
                fields = fields_of(row, f"strikes of {day}")
                strike = _strike(fields)
                for key, right in (("call", Right.CALL), ("put", Right.PUT)):
                    made = Contract(
                        symbol=occ_symbol(root, day, right, strike),
                        root=root,
                        expiration=day,
                        strike=strike,
                        right=right,
                    )
                    # The symbol is what would be ordered: it must be the contract that its place in the chain says.
                    if text(fields, key) != made.symbol:
                        raise Unusable(
                            f"tastytrade: the {key} of {day} {strike} has the symbol {_shown(fields.get(key))}"
                        )
                    found[made.symbol] = made
        return tuple(found.values())

    def _take(self, item: Fields) -> None:
        if text(item, "underlying-symbol") != self._underlying:
            raise Unusable(
                f"tastytrade: asked for the chain of {self._underlying}, "
                f"one of {_shown(item.get('underlying-symbol'))} came"
            )
        root, kind = text(item, "root-symbol"), text(item, "option-chain-type")
        # Other roots and deliverables are minis and adjusted contracts.
        if (
            kind != "Standard"
            or number(item, "shares-per-contract") != SHARES
            or root not in roots_of(self._underlying)
        ):
            return
        for row in _list(item, "expirations"):
            fields = fields_of(row, "expirations")
            self._roots.append((root, day(fields, "expiration-date"), _list(fields, "strikes")))


def quotes(data: Any, asked: Collection[str]) -> tuple[Quote, ...]:
    """The quotes in an answer, in its order; a symbol that the service does not know is not among them."""
    rows = [fields_of(item, "market data") for item in items_of(data, "market data")]
    wanted = set(asked)
    for row in rows:
        if text(row, "symbol") not in wanted:
            raise Unusable(f"tastytrade: sent a quote of {_shown(row.get('symbol'))}, which was not asked for")
    options = [row for row in rows if len(row["symbol"]) == 21]
    for key in ("bid", "ask") if options else ():
        if not any(key in row for row in options):
            raise Unusable(f"tastytrade: no quote has the field {key}")
    return tuple(_quote(row) for row in rows)


def _quote(row: Fields) -> Quote:
    iv, last = number(row, "volatility"), number(row, "last")
    return Quote(
        symbol=text(row, "symbol"),
        at=instant(row, "updated-at"),
        bid=number(row, "bid"),
        ask=number(row, "ask"),
        last=last if last != 0 else None,
        prior_close=number(row, "prev-close"),
        volume=count(row, "volume"),
        open_interest=count(row, "open-interest"),
        iv=iv if iv is not None and iv > 0 else None,
        delta=number(row, "delta"),
        is_halted=_flag(row, "is-trading-halted"),
    )


def metrics_of(data: Any, symbol: str) -> Fields | None:
    """The metrics of one symbol; None when the service has none."""
    rows = [fields_of(item, "market metrics") for item in items_of(data, "market metrics")]
    for row in rows:
        if text(row, "symbol") != symbol:
            raise Unusable(f"tastytrade: asked for metrics of {symbol}, those of {_shown(row.get('symbol'))} came")
    return rows[0] if rows else None


def items_of(data: Any, what: str) -> list[Any]:
    """The list under `items`."""
    found = data.get("items") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise Unusable(f"tastytrade: {what} has no list items")
    return found


def fields_of(item: Any, what: str) -> Fields:
    if not isinstance(item, dict):
        raise Unusable(f"tastytrade: an entry of {what} is no object")
    return item


def text(fields: Fields, key: str) -> str:
    """A text that must be there."""
    found = _get(fields, key)
    if not isinstance(found, str) or not found:
        raise _wrong(key, found, "a text")
    return found


def number(fields: Fields, key: str) -> float | None:
    """A finite number; None where there is none, also by the words NaN and null."""
    found = _get(fields, key)
    if found is None or (isinstance(found, str) and found.strip().lower() in _NOT_GIVEN):
        return None
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise _wrong(key, found, "a number")
    if isinstance(found, str) and not _NUMBER.fullmatch(found):
        raise _wrong(key, found, "a number")
    figure = float(found) if isinstance(found, str) else found
    # An integer of any size can be compared, but not turned into a float.
    if not abs(figure) <= _LARGEST:
        raise _wrong(key, found, "a number")
    return float(figure)


def count(fields: Fields, key: str) -> int | None:
    """A whole number that is not negative."""
    found = number(fields, key)
    if found is None:
        return None
    if found < 0 or found % 1:
        raise _wrong(key, _get(fields, key), "a whole number")
    return int(found)


def amount(fields: Fields, key: str) -> Decimal | None:
    """Dollars, as they are written."""
    return None if number(fields, key) is None else Decimal(str(_get(fields, key)))


def instant(fields: Fields, key: str) -> datetime:
    """A time with its zone, in UTC."""
    found = text(fields, key)
    try:
        made = datetime.fromisoformat(found)
    except ValueError:
        raise _wrong(key, found, "a time") from None
    if made.tzinfo is None:
        raise _wrong(key, found, "a time with its zone")
    try:
        return made.astimezone(UTC)
    except OverflowError:
        raise _wrong(key, found, "a time") from None


def day(fields: Fields, key: str) -> date:
    """A date that must be there."""
    found = text(fields, key)
    try:
        return date.fromisoformat(found)
    except ValueError:
        raise _wrong(key, found, "a date") from None


def day_if_any(fields: Fields, key: str) -> date | None:
    return None if _get(fields, key) in (None, "") else day(fields, key)


def standard_vols(fields: Fields) -> Iterable[tuple[date, float]]:
    """The implied volatility, a fraction, of each expiration that has one; the last word on a day holds."""
    key = "option-expiration-implied-volatilities"
    for row in _list(fields, key) if _get(fields, key) is not None else ():
        entry = fields_of(row, key)
        iv = number(entry, "implied-volatility")
        if text(entry, "option-chain-type") == "Standard" and iv is not None and iv > 0:
            yield day(entry, "expiration-date"), iv


def flag_if_any(fields: Fields, key: str) -> bool | None:
    found = _get(fields, key)
    if found is not None and not isinstance(found, bool):
        raise _wrong(key, found, "true or false")
    return found


def _flag(fields: Fields, key: str) -> bool:
    return flag_if_any(fields, key) is True


def _list(fields: Fields, key: str) -> Sequence[Any]:
    found = _get(fields, key)
    if not isinstance(found, list):
        raise _wrong(key, found, "a list")
    return found


def _strike(fields: Fields) -> Decimal:
    """In the one form of a strike, without trailing zeros."""
    found = amount(fields, "strike-price")
    if found is None or not 0 < found < _LARGEST_STRIKE or found * 1000 % 1:
        raise _wrong("strike-price", _get(fields, "strike-price"), "a strike")
    return found.quantize(Decimal(1)) if found == found.to_integral_value() else found.normalize()


def _get(fields: Fields, key: str) -> Any:
    """By the dasherised key, else by its camelCase form, which the service's schema has."""
    if key in fields or "-" not in key:
        return fields.get(key)
    head, *rest = key.split("-")
    return fields.get(head + "".join(word.capitalize() for word in rest))


def _wrong(key: str, found: Any, wanted: str) -> Unusable:
    return Unusable(f"tastytrade: {key} is {'missing' if found is None else _shown(found)}, not {wanted}")


def _shown(found: Any) -> str:
    """What stands there, short and without anything that a terminal would act on."""
    shown = ascii(found)
    return shown if len(shown) <= 40 else shown[:39] + "…"
