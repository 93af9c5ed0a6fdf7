"""A recorded option chain: one CSV file, plain or gzip, with one row a contract.

Needed columns: quote_datetime (RFC 3339 with its offset), underlying, underlying_price, root, expiration, strike,
option_type (C or P), bid, ask. Read when there: last, volume, open_interest, iv, delta. Others are ignored. An empty
cell, or the text NaN, is a missing number. Every row is checked when the file is read; contracts are built only for
the expirations that are asked for.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path

from spy32.domain.market import OptionQuote, Right
from spy32.errors import Unusable
from spy32.markets.chain_text import Columns, cell_words, columns_of, read_text
from spy32.sessions import FIRST_YEAR, LAST_YEAR, NEW_YORK

COUNTS = ("volume", "open_interest")
NEVER_NEGATIVE = ("underlying_price", "bid", "ask", "last", *COUNTS)
MOST_OF_ONE = 4_000
"""Contracts of one expiration; SPX has some two thousand. A gate that pairs strikes takes the square of it in time."""
LARGEST = 1e7
"""Dollars or contracts: anything above is not a figure of an option chain."""
LARGEST_STRIKE = 100_000
"""An OCC symbol has eight digits for strike x 1000."""
NOT_GIVEN = ("", "nan")


@dataclass(frozen=True)
class ChainFile:
    """One checked file. `columns` holds the cells as text, one sequence a column, all of one length."""

    name: str
    underlying: str
    spot: float
    as_of: datetime
    columns: Columns

    @cached_property
    def expirations(self) -> tuple[date, ...]:
        """Every expiration in the file, in order."""
        return tuple(sorted(date.fromisoformat(text) for text in set(self.columns["expiration"])))

    def quotes(self, expirations: Iterable[date]) -> tuple[OptionQuote, ...]:
        """The contracts of these expirations in the order of the file, duplicates too."""
        wanted = set(expirations)
        days = {text: date.fromisoformat(text) for text in set(self.columns["expiration"])}
        rows = [row for row, text in enumerate(self.columns["expiration"]) if days[text] in wanted]
        cells = {name: [column[row] for row in rows] for name, column in self.columns.items()}
        numbers = {name: [_number(cell) for cell in cells.get(name, [""] * len(rows))] for name in _NUMBERS}
        return tuple(
            OptionQuote(
                root=root,
                expiration=days[expiration],
                strike=strike_of(strike),
                right=Right(right),
                bid=bid,
                ask=ask,
                last=last,
                volume=None if volume is None else int(volume),
                open_interest=None if interest is None else int(interest),
                # A feed writes a negative volatility, such as -999, where it has none.
                feed_iv=iv if iv is None or iv >= 0 else None,
                feed_delta=delta,
            )
            for root, expiration, strike, right, bid, ask, last, volume, interest, iv, delta in zip(
                *(cells[name] for name in ("root", "expiration", "strike", "option_type")),
                *(numbers[name] for name in _NUMBERS),
                strict=True,
            )
        )


_NUMBERS = ("bid", "ask", "last", "volume", "open_interest", "iv", "delta")


def read(path: Path) -> ChainFile:
    """The chain in a file; `Unusable` says in one line what is wrong with it, and in which row."""
    return parse(read_text(path), path.name)


def parse(text: str, name: str) -> ChainFile:
    """The chain in the text of a file."""
    columns, rows = columns_of(text, name)
    check = _Check(name=name, columns=columns, row_numbers=rows)
    stamp, underlying, spot = (check.same(column) for column in ("quote_datetime", "underlying", "underlying_price"))
    as_of = _instant(stamp, name)
    if not _is_word(underlying):
        raise Unusable(f"{name}: underlying {cell_words(underlying)} is not a ticker")
    check.rows()
    check.numbers("underlying_price", needed=True)
    if float(spot) == 0:
        raise Unusable(f"{name}: underlying_price is 0")
    return ChainFile(name=name, underlying=underlying, spot=float(spot), as_of=as_of, columns=columns)


def strike_of(text: str) -> Decimal:
    """The one form of a strike, without trailing zeros: 645 and 645.0 are the same contract."""
    strike = Decimal(text)
    return strike.quantize(Decimal(1)) if strike == strike.to_integral_value() else strike.normalize()


@dataclass(frozen=True, kw_only=True)
class _Check:
    """Every check of a column; a fault is told with its row and what stands there."""

    name: str
    columns: Columns
    row_numbers: Sequence[int]

    def rows(self) -> None:
        self.cells("option_type", lambda cell: cell in ("C", "P"), "neither C nor P")
        self.cells("root", lambda cell: _is_word(cell) and len(cell) <= 6, "not an option root")
        self.cells("expiration", _is_date, "not a date")
        self.cells("strike", _is_strike, "not a strike")
        self.one_expiration()
        for column in _NUMBERS:
            if column in self.columns:
                self.numbers(column)

    def one_expiration(self) -> None:
        """No expiration has more contracts than any that is listed."""
        day, count = Counter(self.columns["expiration"]).most_common(1)[0]
        if count > MOST_OF_ONE:
            raise Unusable(f"{self.name} has {count:,} rows of the expiration {day}; {MOST_OF_ONE:,} are the most")

    def same(self, column: str) -> str:
        """The one text that fills a column."""
        cells = self.columns[column]
        for place, cell in enumerate(cells):
            if cell != cells[0]:
                raise Unusable(
                    f"{self._at(place, column)} is {cell_words(cell)}, the rows before it have {cell_words(cells[0])}"
                )
        return cells[0]

    def cells(self, column: str, holds: Callable[[str], bool], trouble: str) -> None:
        """Each different cell is judged once: a chain repeats its roots, dates, rights and strikes."""
        cells = self.columns[column]
        bad = {cell for cell in set(cells) if not holds(cell)}
        if bad:
            place = next(place for place, cell in enumerate(cells) if cell in bad)
            raise Unusable(f"{self._at(place, column)} is {cell_words(cells[place])}, {trouble}")

    def numbers(self, column: str, *, needed: bool = False) -> None:
        """Every cell is a figure that this column can have, or empty where it may be."""
        cells = self.columns[column]
        if _all_plain(column, cells, needed=needed):
            return
        for place, cell in enumerate(cells):
            trouble = _fault(column, cell, needed=needed)
            if trouble is not None:
                raise Unusable(f"{self._at(place, column)} is {cell_words(cell)}, {trouble}")

    def _at(self, place: int, column: str) -> str:
        return f"{self.name}, row {self.row_numbers[place]}: {column}"


def _all_plain(column: str, cells: Sequence[str], *, needed: bool) -> bool:
    """Whether nothing in the column needs a closer look, at the speed of C: one sum sees every NaN and infinity."""
    try:
        numbers = [float(cell) if cell else 0.0 for cell in cells]
    except ValueError:
        return False
    if not math.isfinite(sum(numbers)) or max(numbers) > LARGEST or (needed and "" in cells):
        return False
    if column in NEVER_NEGATIVE and min(numbers) < 0:
        return False
    if column in COUNTS and any(number % 1 for number in set(numbers)):
        return False
    return _is_plain("".join(cells))


def _fault(column: str, cell: str, *, needed: bool) -> str | None:
    """What is wrong with one cell of a column of numbers."""
    if cell.lower() in NOT_GIVEN:
        return "not a number" if needed else None
    try:
        number = float(cell) if _is_plain(cell) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        return "not a number"
    if number < 0 and column in NEVER_NEGATIVE:
        return "which is negative"
    if number > LARGEST:
        return "more than any option chain has"
    return "not a whole number" if column in COUNTS and number % 1 else None


def _is_plain(text: str) -> bool:
    """No 1_000 and no digits of other scripts: Python reads them as numbers, nobody who writes a chain does."""
    return text.isascii() and "_" not in text


def _number(cell: str) -> float | None:
    return None if cell.lower() in NOT_GIVEN else float(cell)


def _is_word(text: str) -> bool:
    return text.isascii() and text.isalnum() and text.upper() == text


def _is_date(text: str) -> bool:
    try:
        return FIRST_YEAR <= date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


def _is_strike(text: str) -> bool:
    """A positive figure that an OCC symbol can hold: whole thousandths in eight digits."""
    if not _is_plain(text):
        return False
    try:
        strike = Decimal(text)
    except InvalidOperation:
        return False
    return strike.is_finite() and 0 < strike < LARGEST_STRIKE and strike * 1000 % 1 == 0


ZONE_NAME = re.compile(r"(.*\d)\s*([A-Za-z][A-Za-z_/]+)")


def _instant(text: str, name: str) -> datetime:
    said = f"{name}: quote_datetime {cell_words(text)}"
    named = ZONE_NAME.fullmatch(text)
    try:
        stamp = datetime.fromisoformat(named[1] if named is not None else text)
    except ValueError:
        raise Unusable(f"{said} is not a time such as 2025-08-29T16:15:00-04:00") from None
    if not FIRST_YEAR <= stamp.year <= LAST_YEAR:
        raise Unusable(f"{said} is outside the exchange calendar")
    if stamp.tzinfo is None:
        has = f"names its zone {named[2]}" if named is not None else "has no zone"
        example = stamp.replace(tzinfo=NEW_YORK)
        raise Unusable(f"{said} {has}; write the offset, for New York on that date {example.isoformat()}")
    return stamp.astimezone(UTC)
