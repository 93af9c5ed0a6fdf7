"""The text of a chain file by columns: within bounds, and with a word for each habit of other programs.

Semicolons, decimal commas and quoted thousands are named as what they are and never guessed at: a comma in the wrong
place makes another price.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from spy32.errors import Unusable

REQUIRED_COLUMNS = (
    "quote_datetime", "underlying", "underlying_price", "root", "expiration", "strike", "option_type", "bid", "ask",
)  # fmt: skip
OPTIONAL_COLUMNS = ("last", "volume", "open_interest", "iv", "delta")
LAYOUT_HINT = "docs/recorded-chains.md describes the layout"

MEGABYTE = 1024 * 1024
MAX_FILE_BYTES = 8 * MEGABYTE
"""Bytes, unpacked. All of SPX, the largest chain there is, has some three million."""
MAX_ROWS = 50_000
"""Twice the contracts of SPX."""
MAX_LINE_LENGTH = 4_000
"""Characters; a row of this layout has about a hundred."""
MAX_CELL_LENGTH = 40
"""Characters of a cell that a message holds."""
CHUNK_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
SEPARATORS: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}
QUOTED_NUMBER = re.compile(r'"\s*[-+]?[\d.,]*\d,[\d.,]*\s*"')
GROUPED_NUMBER = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")

Columns = dict[str, Sequence[str]]


def read_text(path: Path) -> str:
    """The text of a file; `Unusable` for one that is no file, too large or not text, before it costs memory."""
    try:
        with _open_chain_file(path) as file:
            data = _read_bounded(file, path.name)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Unusable(f"{path.name} is not a chain file: damaged gzip ({error})") from None
    except (OSError, ValueError) as error:  # a path may hold what no file system takes
        raise Unusable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{path.name} is not a chain file: it is not UTF-8 text") from None


@contextmanager
def _open_chain_file(path: Path) -> Iterator[BinaryIO]:
    """A plain file, unpacked if it is packed. A pipe without a writer is not waited for."""
    if not path.exists():
        raise Unusable(f"no such chain file: {path}")
    if not path.is_file():
        raise Unusable(f"{path} is not a file")
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise _size_error(path.name, f"{size / MEGABYTE:,.1f} MB")
        is_packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if is_packed:
            with gzip.open(file) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            yield file


def _read_bounded(file: BinaryIO, name: str) -> bytes:
    """All bytes; it ends at the first piece that is too much, however much a packed file would still give."""
    pieces: list[bytes] = []
    size = lines = 0
    while piece := file.read(CHUNK_BYTES):
        pieces.append(piece)
        size += len(piece)
        lines += piece.count(b"\n")
        if size > MAX_FILE_BYTES:
            raise _size_error(name, f"more than {MAX_FILE_BYTES / MEGABYTE:g} MB")
        if lines > MAX_ROWS + 1:
            raise _size_error(name, f"more than {MAX_ROWS:,} rows")
    return b"".join(pieces)


def _size_error(name: str, figure: str) -> Unusable:
    most = f"{MAX_FILE_BYTES / MEGABYTE:g} MB unpacked and {MAX_ROWS:,} rows"
    return Unusable(f"{name} is too large for the chain of one underlying: {figure}; {most} are the most")


def parse_columns(text: str, name: str) -> tuple[Columns, list[int]]:
    """The cells by column, and from a place in them to the row of the file (the heading is row 1)."""
    if not text or "\0" in text:
        raise Unusable(f"{name} is not a chain file: " + ("it holds NUL bytes" if text else "it is empty"))
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    heading = _parse_heading(lines, name)
    rows = [number for number, line in enumerate(lines, 1) if line and number > 1]
    if not rows:
        raise Unusable(f"{name} has no rows")
    cells = []
    for number in rows:
        row = _split_line(lines[number - 1])
        if len(row) != len(heading):
            raise Unusable(f"{name}, row {number}: {_describe_cell_count(lines[number - 1], len(row), len(heading))}")
        cells.append(row)
    by_column: Columns = dict(zip(heading, zip(*cells, strict=True), strict=True))
    used = {column: by_column[column] for column in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS) if column in by_column}
    return used, rows


def _parse_heading(lines: Sequence[str], name: str) -> list[str]:
    """The names of the columns; `Unusable` says what stands there instead."""
    longest = max(range(len(lines)), key=lambda place: len(lines[place]))
    if len(lines[longest]) > MAX_LINE_LENGTH:
        if lines[0].lstrip().startswith(("{", "[{")):
            raise Unusable(f"{name} is a JSON document, not a chain file: {_describe_layout()}")
        figure = f"{len(lines[longest]):,} characters; {MAX_LINE_LENGTH:,} are the most"
        raise Unusable(f"{name} is not a chain file: row {longest + 1} has {figure}. {_describe_layout()}")
    heading = _split_line(lines[0])
    missing = [column for column in REQUIRED_COLUMNS if column not in heading]
    if missing:
        other = next((sign for sign in SEPARATORS if set(REQUIRED_COLUMNS) <= set(_split_line(lines[0], sign))), None)
        if other is not None:
            raise Unusable(f"{name}: {_describe_separator(lines, other)}")
    if len(missing) == len(REQUIRED_COLUMNS):
        raise Unusable(f"{name} is not a chain file: its first line has none of its columns. {_describe_layout()}")
    if missing:
        raise Unusable(f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; {LAYOUT_HINT}")
    twice = next((column for column in heading if heading.count(column) > 1), None)
    if twice is not None:
        raise Unusable(f"{name} has the column {quote_cell(twice)} twice")
    return heading


def _describe_layout() -> str:
    return f"A chain file is CSV whose first line names the columns {', '.join(REQUIRED_COLUMNS)}; {LAYOUT_HINT}"


def _describe_separator(lines: Sequence[str], sign: str) -> str:
    """What the columns are parted by, and whether decimals come after a comma."""
    cells = [cell for line in lines[1:3] for cell in _split_line(line, sign)]
    decimal = any(re.fullmatch(r"[-+]?\d+,\d+", cell) for cell in cells)
    more = " and its numbers have decimal commas" if decimal else ""
    points = ", and decimals after a point" if decimal else ""
    return f"its columns are parted by {SEPARATORS[sign]}{more}; write commas between the columns{points}"


def _describe_cell_count(line: str, cells: int, columns: int) -> str:
    """Why a row has another number of cells: mostly a comma inside a number."""
    words = f"{cells} cells under {columns} columns"
    quoted = QUOTED_NUMBER.search(line)
    if quoted is not None:
        number = quoted.group().strip('" ')
        is_grouped = GROUPED_NUMBER.fullmatch(number) is not None
        what = "a number with commas between its thousands" if is_grouped else "a number with a decimal comma"
        return f"{quote_cell(number)} is {what}; write {number.replace(',', '' if is_grouped else '.')}"
    if cells > columns:
        return f"{words}; a comma may stand inside a number (decimals come after a point, thousands are not parted)"
    return words


def _split_line(line: str, sign: str = ",") -> list[str]:
    """Cells of a line. No cell of this layout needs quotes, so a quoted one is only unwrapped."""
    cells = line.split(sign)
    return [cell.strip(' "') for cell in cells] if '"' in line or " " in line else cells


def quote_cell(cell: str) -> str:
    """A cell as a message holds it, however long it is."""
    return repr(cell if len(cell) <= MAX_CELL_LENGTH else cell[:MAX_CELL_LENGTH] + "…")
