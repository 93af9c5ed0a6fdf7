"""A recorded option chain: one CSV file, plain or gzip, with one row a contract.

Needed columns: quote_datetime (RFC 3339 with its offset), underlying, underlying_price, root, expiration, strike,
option_type (C or P), bid, ask. Read when there: last, volume, open_interest, iv, delta. Others are ignored. An empty
cell, or the text NaN, is a missing number. Every row is checked when the file is read; contracts are built only for
the expirations that are asked for. Semicolons and decimal commas are never guessed at: a comma in the wrong place makes
another price.
"""

import gzip
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path

from spy32.domain.market import OptionQuote, Right, plain_strike
from spy32.domain.sanitize import cap_text
from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.sessions import FIRST_YEAR, LAST_YEAR, NEW_YORK

REQUIRED_COLUMNS = (
    "quote_datetime", "underlying", "underlying_price", "root", "expiration", "strike", "option_type", "bid", "ask",
)  # fmt: skip
OPTIONAL_COLUMNS = ("last", "volume", "open_interest", "iv", "delta")
NUMBER_COLUMNS = ("bid", "ask", *OPTIONAL_COLUMNS)
COUNT_COLUMNS = ("volume", "open_interest")
NONNEGATIVE_COLUMNS = ("underlying_price", "bid", "ask", "last", *COUNT_COLUMNS)
LAYOUT = (
    "A chain file has commas between its columns, decimals after a point, and a first line that names the columns "
    f"{', '.join(REQUIRED_COLUMNS)}; "
    "docs/recorded-chains.md describes the layout"
)
PLAIN_NUMBERS = "decimals come after a point, thousands are not parted"

MEGABYTE = 1024 * 1024
MAX_FILE_BYTES = 8 * MEGABYTE
"""Bytes, unpacked. All of SPX, the largest chain there is, has some three million."""
MAX_ROWS = 50_000
"""Twice the contracts of SPX."""
MAX_LINE_LENGTH = 4_000
"""Characters; a row of this layout has about a hundred."""
MAX_CELL_LENGTH = 41
"""Characters of a cell that a message holds."""
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
GZIP_MAGIC = b"\x1f\x8b"
MAX_CONTRACTS_PER_EXPIRATION = 4_000
"""Contracts of one expiration; SPX has some two thousand. A gate that pairs strikes takes the square of it in time."""
MAX_NUMBER = 1e7
"""Dollars or contracts: anything above is not a figure of an option chain."""
MAX_STRIKE = 100_000
"""An OCC symbol has eight digits for strike x 1000."""
MISSING_VALUES = ("", "nan")

Columns = Mapping[str, Sequence[str]]


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
        return tuple(
            self._build_quote(row, days[text])
            for row, text in enumerate(self.columns["expiration"])
            if days[text] in wanted
        )

    def _build_quote(self, row: int, day: date) -> OptionQuote:
        cells = {name: column[row] for name, column in self.columns.items()}
        numbers = {name: _parse_number(cells.get(name, "")) for name in NUMBER_COLUMNS}
        volume, interest, iv = (numbers[name] for name in ("volume", "open_interest", "iv"))
        return OptionQuote(
            root=cells["root"],
            expiration=day,
            strike=plain_strike(Decimal(cells["strike"])),
            right=Right(cells["option_type"]),
            bid=numbers["bid"],
            ask=numbers["ask"],
            last=numbers["last"],
            volume=None if volume is None else int(volume),
            open_interest=None if interest is None else int(interest),
            # A feed writes a negative volatility, such as -999, where it has none.
            feed_iv=iv if iv is None or iv >= 0 else None,
            feed_delta=numbers["delta"],
        )


def read_chain_file(path: Path) -> ChainFile:
    """The chain in a file; `Unusable` says in one line what is wrong with it, and in which row."""
    return parse_chain_file(_read_text(path), path.name)


# The text.


def _read_text(path: Path) -> str:
    """The text of a file; `Unusable` for one that is no file, too large or not text, before it costs memory."""
    try:
        if not path.is_file():  # a pipe without a writer is not waited for
            what = "is not a file" if path.exists() else "is no such chain file"
            raise Unusable(f"{path} {what}")
        with path.open("rb") as file:
            is_packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if is_packed else file).read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES or data.count(b"\n") > MAX_ROWS + 1:
            most = f"{MAX_FILE_BYTES / MEGABYTE:g} MB unpacked and {MAX_ROWS:,} rows are the most"
            raise Unusable(f"{path.name} is too large for the chain of one underlying: {most}")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{path.name} is not a chain file: it is not UTF-8 text") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unusable(f"{path.name} is not a chain file: damaged gzip ({error})") from None
    except (OSError, ValueError) as error:  # a path may hold what no file system takes
        raise Unusable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _parse_columns(text: str, name: str) -> tuple[Columns, list[int]]:
    """The cells by column, and from a place in them to the row of the file (the heading is row 1)."""
    if not text or "\0" in text:
        raise Unusable(f"{name} is not a chain file: " + ("it holds NUL bytes" if text else "it is empty"))
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    heading = _split_line(lines[0])
    _check_heading(heading, name)
    longest = max(range(len(lines)), key=lambda place: len(lines[place]))
    if len(lines[longest]) > MAX_LINE_LENGTH:
        figure = f"row {longest + 1} has {len(lines[longest]):,} characters; {MAX_LINE_LENGTH:,} are the most"
        raise Unusable(f"{name} is not a chain file: {figure}")
    rows = [number for number, line in enumerate(lines, 1) if line and number > 1]
    if not rows:
        raise Unusable(f"{name} has no rows")
    cells = [_split_line(lines[number - 1]) for number in rows]
    for number, found in zip(rows, cells, strict=True):
        if len(found) != len(heading):
            hint = f"; {PLAIN_NUMBERS}" if len(found) > len(heading) else ""
            raise Unusable(f"{name}, row {number}: {len(found)} cells under {len(heading)} columns{hint}")
    by_column = dict(zip(heading, zip(*cells, strict=True), strict=True))
    used = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    return {column: by_column[column] for column in used if column in by_column}, rows


def _check_heading(heading: Sequence[str], name: str) -> None:
    """`Unusable` says what stands there instead of the columns."""
    missing = [column for column in REQUIRED_COLUMNS if column not in heading]
    for sign, noun in OTHER_SEPARATORS.items():
        if len(heading) == 1 and set(REQUIRED_COLUMNS) <= set(_split_line(heading[0], sign)):
            raise Unusable(f"{name}: its columns are parted by {noun}; write commas, and decimals after a point")
    if len(missing) == len(REQUIRED_COLUMNS):
        raise Unusable(f"{name} is not a chain file: its first line has none of its columns. {LAYOUT}")
    if missing:
        raise Unusable(f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}. {LAYOUT}")
    column, count = Counter(heading).most_common(1)[0]
    if count > 1:
        raise Unusable(f"{name} has the column {_quote_cell(column)} twice")


def _split_line(line: str, sign: str = ",") -> list[str]:
    """Cells of a line. No cell of this layout needs quotes, so a quoted one is only unwrapped."""
    cells = line.split(sign)
    return [cell.strip(' "') for cell in cells] if '"' in line or " " in line else cells


def _quote_cell(cell: str) -> str:
    """A cell as a message holds it, however long it is."""
    return repr(cap_text(cell, MAX_CELL_LENGTH))


# The cells.


def parse_chain_file(text: str, name: str) -> ChainFile:
    """The chain in the text of a file."""
    columns, rows = _parse_columns(text, name)

    def check(column: str, find_fault: Callable[[str], str | None]) -> None:
        # Each different cell is judged once: a chain repeats its roots, dates, strikes and most of its figures.
        cells = columns[column]
        faults = {cell: fault for cell in set(cells) if (fault := find_fault(cell)) is not None}
        if faults:
            place = next(place for place, cell in enumerate(cells) if cell in faults)
            fault = f"{_quote_cell(cells[place])}, {faults[cells[place]]}"
            raise Unusable(f"{name}, row {rows[place]}: {column} is {fault}")

    stamp, underlying, spot = (columns[column][0] for column in REQUIRED_COLUMNS[:3])
    for column, first in zip(REQUIRED_COLUMNS, (stamp, underlying, spot), strict=False):
        check(column, partial(_other_value_fault, first))
    as_of = _parse_timestamp(stamp, name)
    # A class of shares stands behind a dot, as in BRK.B.
    if not _is_upper_alphanumeric(underlying.replace(".", "", 1)):
        raise Unusable(f"{name}: underlying {_quote_cell(underlying)} is not a ticker")
    for column in CELL_CHECKS:
        check(column, partial(_kind_fault, column))
    day, count = Counter(columns["expiration"]).most_common(1)[0]
    if count > MAX_CONTRACTS_PER_EXPIRATION:
        most = f"{MAX_CONTRACTS_PER_EXPIRATION:,} are the most"
        raise Unusable(f"{name} has {count:,} rows of the expiration {day}; {most}")
    for column in ("underlying_price", *NUMBER_COLUMNS):
        if column in columns:
            check(column, partial(_number_fault, column))
    price = _parse_number(spot)
    if price is None or price == 0:
        raise Unusable(f"{name}: underlying_price is {_quote_cell(spot)}, not a price")
    return ChainFile(name=name, underlying=underlying, spot=price, as_of=as_of, columns=columns)


def _other_value_fault(first: str, cell: str) -> str | None:
    return None if cell == first else f"the rows before it have {_quote_cell(first)}"


def _kind_fault(column: str, cell: str) -> str | None:
    holds, fault = CELL_CHECKS[column]
    return None if holds(cell) else fault


def _number_fault(column: str, cell: str) -> str | None:
    """What is wrong with one cell of a column of numbers."""
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and _is_plain_ascii(cell)):
        return None if cell.lower() in MISSING_VALUES else "not a number"
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
    try:
        strike = Decimal(text)
    except InvalidOperation:
        return False
    return _is_plain_ascii(text) and strike.is_finite() and 0 < strike < MAX_STRIKE and strike * 1000 % 1 == 0


CELL_CHECKS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "option_type": (lambda cell: cell in ("C", "P"), "neither C nor P"),
    "root": (lambda cell: _is_upper_alphanumeric(cell) and len(cell) <= 6, "not an option root"),
    "expiration": (_is_date, "not a date"),
    "strike": (_is_strike, "not a strike"),
}
"""What a cell of a column must be, and what is said of another one."""


def _parse_timestamp(text: str, name: str) -> datetime:
    prefix = f"{name}: quote_datetime {_quote_cell(text)}"
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable(f"{prefix} is not a time such as 2025-08-29T16:15:00-04:00") from None
    if not FIRST_YEAR <= stamp.year <= LAST_YEAR:
        raise Unusable(f"{prefix} is outside the exchange calendar")
    if stamp.tzinfo is None:
        example = stamp.replace(tzinfo=NEW_YORK).isoformat()
        raise Unusable(f"{prefix} has no zone; write the offset, for New York on that date {example}")
    return stamp.astimezone(UTC)
