"""A page independent of where it is shown: `tables` draws it on a terminal, `output` writes it as text.

Named tuples, since `show` pays for every class at every start, and a dataclass takes six times as long to make.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from spy32.render.formatting import clean, join_lines

if TYPE_CHECKING:
    from spy32.domain.orders import Trade
    from spy32.domain.proposals import ProposalTerms
    from spy32.domain.run_view import MarketSummary

Tone = str
"""`good`, `bad`, `warn`, `strong`, `dim` or nothing. Colour only repeats what word, sign or symbol say."""
Item = tuple[str, str, Tone]
"""Label, clean value and tone of one line; `pair` makes it."""
Fact = tuple[str, str] | Item
"""What becomes such a line: label, value, which may be foreign, and a tone where it has one."""


Facts = Iterator[Fact]


class Lines(str):
    """A value that keeps its line ends."""

    __slots__ = ()


class Pairs(NamedTuple):
    """Labelled values, a line each; one without a value is not shown. `name` leads each label in plain lines.

    A small payoff stands beside the first ones where there is room, and under them if it is wanted `below`.
    """

    items: tuple[Item, ...]
    name: str = ""
    title: str = ""
    payoff: "tuple[ProposalTerms | Trade, MarketSummary | None] | None" = None
    """What it is drawn of; plain lines never draw it."""
    below: bool = False


class Column(NamedTuple):
    """`rank` 0 always stays; of the others the highest goes first. A `flexible` column holds words and may fold."""

    name: str
    rank: int = 0
    right: bool = False
    flexible: bool = False


def grid_columns(*texts: str) -> tuple[Column, ...]:
    """Columns by name and, behind it, form and rank: `IV>` is right-aligned, `note~2` flexible with rank 2, `cause:1`
    ranked only. A name alone stays in every width.
    """
    parts = [(text, text.rstrip("0123456789")) for text in texts]
    return tuple(
        Column(head[:-1], int(text[len(head) :] or 0), head.endswith(">"), head.endswith("~"))
        if head.endswith((">", "~", ":"))
        else Column(text)
        for text, head in parts
    )


class Grid(NamedTuple):
    """Rows side by side. On a narrow screen columns go by rank, or, when it `continues`, follow in a further table."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None
    """The row that was chosen; it is marked by a symbol, too."""
    continues: bool = False
    framed: bool = True
    names_omitted: bool = True
    """False where a key shows the columns that do not fit."""


Cell = str | Callable[[Any], str]
"""What a column shows of a noun: what is at this path of its attributes, or what computes the text."""
Columns = dict[str, Cell]
"""What each column shows, by its head as `grid_columns` reads it."""


def noun_grid(
    name: str, title: str, nouns: Iterable[Any], columns: Mapping[str, Cell], *, omits_empty: bool = False
) -> Grid:
    """A row a noun. A column that is empty in every row is left out on demand."""
    rows = [tuple(_cell_text(noun, cell) for cell in columns.values()) for noun in nouns]
    kept = [at for at in range(len(columns)) if not (omits_empty and rows) or any(row[at] for row in rows)]
    heads = grid_columns(*columns)
    return Grid(name, title, tuple(heads[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows))


def _cell_text(noun: Any, cell: Cell) -> str:
    found = cell(noun) if callable(cell) else read_path(noun, cell)
    return "" if found is None else join_lines(str(found))


def read_path(noun: Any, path: str) -> Any:
    """What is at a path of attributes, such as `plan.history.ev`; None where one of them is None."""
    for name in path.split("."):
        noun = None if noun is None else getattr(noun, name)
    return noun


class Prose(NamedTuple):
    """Running text; foreign text has been cleaned."""

    text: str
    tone: Tone = ""
    title: str = ""


class Picture(NamedTuple):
    """A chart on a terminal that is wide enough; elsewhere lines behind its name, or nothing."""

    title: str
    draw: Callable[[int, bool], list[str]]
    """The rows by width in columns, and whether they are ASCII; none where there is too little to draw."""
    name: str = ""
    lines: tuple[str, ...] = ()
    min_columns: int = 0


Part = Pairs | Grid | Prose | Picture


class Page(NamedTuple):
    """`banner` and `badges` say aloud that something is paper, recorded or halted; `following` is what to type next.

    The banner is a line across the screen, its two texts at the left and the right.
    """

    banner: tuple[str, str] = ("", "")
    alarm: bool = False
    """Real money: the banner is red."""
    heading: str = ""
    tone: Tone = ""
    badges: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    following: tuple[str, ...] = ()


def pair(label: str, value: str, tone: Tone = "") -> Item:
    """Foreign words in the value are cleaned, and its line ends become blanks unless it keeps them."""
    return (label, clean(value) if isinstance(value, Lines) else join_lines(value), tone)


def pairs(items: Iterable[Fact], name: str = "", title: str = "") -> Pairs:
    """Labelled values as a part of a page."""
    return Pairs(tuple(pair(*item) for item in items), name, title)
