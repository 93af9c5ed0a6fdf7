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
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from spy32.domain.market import OptionQuote, Right, plain_strike
from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.markets.chain_text import Columns, parse_columns, quote_cell, read_text
from spy32.sessions import FIRST_YEAR, LAST_YEAR, NEW_YORK

COUNT_COLUMNS = ("volume", "open_interest")
NONNEGATIVE_COLUMNS = ("underlying_price", "bid", "ask", "last", *COUNT_COLUMNS)
MAX_CONTRACTS_PER_EXPIRATION = 4_000
"""Contracts of one expiration; SPX has some two thousand. A gate that pairs strikes takes the square of it in time."""
MAX_NUMBER = 1e7
"""Dollars or contracts: anything above is not a figure of an option chain."""
MAX_STRIKE = 100_000
"""An OCC symbol has eight digits for strike x 1000."""
MISSING_VALUES = ("", "nan")


@value
class ChainFile:
    """One checked file. `columns` holds the cells as text, one sequence a column, all of one length."""

    name: str
    underlying: str
    spot: float
    as_of: datetime
    columns: Columns

    @property
    def expirations(self) -> tuple[date, ...]:
        """Every expiration in the file, in order."""
        return tuple(sorted(date.fromisoformat(text) for text in set(self.columns["expiration"])))

    def quotes(self, expirations: Iterable[date]) -> tuple[OptionQuote, ...]:
        """The contracts of these expirations in the order of the file, duplicates too."""
        wanted = set(expirations)
        days = {text: date.fromisoformat(text) for text in set(self.columns["expiration"])}
        rows = [row for row, text in enumerate(self.columns["expiration"]) if days[text] in wanted]
        cells = {name: [column[row] for row in rows] for name, column in self.columns.items()}
        numbers = {
            name: [_parse_number(cell) for cell in cells.get(name, [""] * len(rows))] for name in _NUMBER_COLUMNS
        }
        return tuple(
            OptionQuote(
                root=root,
                expiration=days[expiration],
                strike=plain_strike(Decimal(strike)),
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
                *(numbers[name] for name in _NUMBER_COLUMNS),
                strict=True,
            )
        )


_NUMBER_COLUMNS = ("bid", "ask", "last", "volume", "open_interest", "iv", "delta")


def read_chain_file(path: Path) -> ChainFile:
    """The chain in a file; `Unusable` says in one line what is wrong with it, and in which row."""
    return parse_chain_file(read_text(path), path.name)


def parse_chain_file(text: str, name: str) -> ChainFile:
    """The chain in the text of a file."""
    columns, rows = parse_columns(text, name)
    check = _ColumnChecker(name=name, columns=columns, row_numbers=rows)
    stamp, underlying, spot = (
        check.single_value(column) for column in ("quote_datetime", "underlying", "underlying_price")
    )
    as_of = _parse_timestamp(stamp, name)
    # A class of shares stands behind a dot, as in BRK.B.
    if not _is_upper_alphanumeric(underlying.replace(".", "", 1)):
        raise Unusable(f"{name}: underlying {quote_cell(underlying)} is not a ticker")
    check.check_all()
    check.check_numbers("underlying_price", needed=True)
    if float(spot) == 0:
        raise Unusable(f"{name}: underlying_price is 0")
    return ChainFile(name=name, underlying=underlying, spot=float(spot), as_of=as_of, columns=columns)


@value
class _ColumnChecker:
    """Every check of a column; a fault is told with its row and what stands there."""

    name: str
    columns: Columns
    row_numbers: Sequence[int]

    def check_all(self) -> None:
        self.check_cells("option_type", lambda cell: cell in ("C", "P"), "neither C nor P")
        self.check_cells("root", lambda cell: _is_upper_alphanumeric(cell) and len(cell) <= 6, "not an option root")
        self.check_cells("expiration", _is_date, "not a date")
        self.check_cells("strike", _is_strike, "not a strike")
        self.check_expiration_size()
        for column in _NUMBER_COLUMNS:
            if column in self.columns:
                self.check_numbers(column)

    def check_expiration_size(self) -> None:
        """No expiration has more contracts than any that is listed."""
        day, count = Counter(self.columns["expiration"]).most_common(1)[0]
        if count > MAX_CONTRACTS_PER_EXPIRATION:
            raise Unusable(
                f"{self.name} has {count:,} rows of the expiration {day}; {MAX_CONTRACTS_PER_EXPIRATION:,} are the most"
            )

    def single_value(self, column: str) -> str:
        """The one text that fills a column."""
        cells = self.columns[column]
        for place, cell in enumerate(cells):
            if cell != cells[0]:
                raise Unusable(
                    f"{self._location(place, column)} is {quote_cell(cell)}, the rows before it have "
                    f"{quote_cell(cells[0])}"
                )
        return cells[0]

    def check_cells(self, column: str, holds: Callable[[str], bool], problem: str) -> None:
        self.judge(column, lambda cell: None if holds(cell) else problem)

    def check_numbers(self, column: str, *, needed: bool = False) -> None:
        """Every cell is a figure that this column can have, or empty where it may be."""
        self.judge(column, lambda cell: _number_fault(column, cell, needed=needed))

    def judge(self, column: str, fault: Callable[[str], str | None]) -> None:
        """Each different cell is judged once: a chain repeats its roots, dates, strikes and most of its figures."""
        cells = self.columns[column]
        faults = {cell: words for cell in set(cells) if (words := fault(cell)) is not None}
        if faults:
            place = next(place for place, cell in enumerate(cells) if cell in faults)
            raise Unusable(f"{self._location(place, column)} is {quote_cell(cells[place])}, {faults[cells[place]]}")

    def _location(self, place: int, column: str) -> str:
        return f"{self.name}, row {self.row_numbers[place]}: {column}"


def _number_fault(column: str, cell: str, *, needed: bool) -> str | None:
    """What is wrong with one cell of a column of numbers."""
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and _is_plain_ascii(cell)):
        return None if cell.lower() in MISSING_VALUES and not needed else "not a number"
    if number < 0 and column in NONNEGATIVE_COLUMNS:
        return "which is negative"
    if number > MAX_NUMBER:
        return "more than any option chain has"
    return "not a whole number" if column in COUNT_COLUMNS and number % 1 else None


def _is_plain_ascii(text: str) -> bool:
    """No 1_000 and no digits of other scripts: Python reads them as numbers, nobody who writes a chain does."""
    return text.isascii() and "_" not in text


def _parse_number(cell: str) -> float | None:
    return None if cell.lower() in MISSING_VALUES else float(cell)


def _is_upper_alphanumeric(text: str) -> bool:
    return text.isascii() and text.isalnum() and text.upper() == text


def _is_date(text: str) -> bool:
    try:
        return FIRST_YEAR <= date.fromisoformat(text).year <= LAST_YEAR
    except ValueError:
        return False


def _is_strike(text: str) -> bool:
    """A positive figure that an OCC symbol can hold: whole thousandths in eight digits."""
    if not _is_plain_ascii(text):
        return False
    try:
        strike = Decimal(text)
    except InvalidOperation:
        return False
    return strike.is_finite() and 0 < strike < MAX_STRIKE and strike * 1000 % 1 == 0


ZONE_NAME = re.compile(r"(.*\d)\s*([A-Za-z][A-Za-z_/]+)")


def _parse_timestamp(text: str, name: str) -> datetime:
    prefix = f"{name}: quote_datetime {quote_cell(text)}"
    named = ZONE_NAME.fullmatch(text)
    try:
        stamp = datetime.fromisoformat(named[1] if named is not None else text)
    except ValueError:
        raise Unusable(f"{prefix} is not a time such as 2025-08-29T16:15:00-04:00") from None
    if not FIRST_YEAR <= stamp.year <= LAST_YEAR:
        raise Unusable(f"{prefix} is outside the exchange calendar")
    if stamp.tzinfo is None:
        has = f"names its zone {named[2]}" if named is not None else "has no zone"
        example = stamp.replace(tzinfo=NEW_YORK)
        raise Unusable(f"{prefix} {has}; write the offset, for New York on that date {example.isoformat()}")
    return stamp.astimezone(UTC)
