"""A view in neutral form: what is said, before it is known where. `tables` draws it, `lines` writes it.

Named tuples, since `show` pays for every class at every start, and a dataclass takes six times as long to make.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spy32.domain.proposals import Proposal
    from spy32.domain.run_view import MarketSummary

Tone = str
"""`good`, `bad`, `warn`, `strong`, `dim` or nothing. Colour only repeats what word, sign or symbol say."""


class Pairs(NamedTuple):
    """Labelled values. `name` leads each label where there is no frame to say it."""

    items: tuple[tuple[str, str, Tone], ...]
    name: str = ""
    title: str = ""


class Column(NamedTuple):
    """`rank` 0 always stays; of the others the highest goes first. A `flexible` column holds words and may fold."""

    name: str
    rank: int = 0
    right: bool = False
    flexible: bool = False


class Grid(NamedTuple):
    """Rows side by side. On a narrow screen columns go by rank, or, when it `continues`, follow in a further table."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None
    """The row that was chosen; it is marked by a symbol, too."""
    continues: bool = False


class Prose(NamedTuple):
    """Running text; foreign text has been cleaned."""

    title: str
    text: str
    tone: Tone = ""


class Picture(NamedTuple):
    """The payoff of a proposal; computed where it is drawn."""

    made: "Proposal"
    market: "MarketSummary | None"


Part = Pairs | Grid | Prose | Picture


class Page(NamedTuple):
    """`badges` say aloud that something is paper, recorded or halted; `following` is what to type next."""

    heading: str = ""
    tone: Tone = ""
    badges: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    following: tuple[str, ...] = ()


def pair(label: str, value: str, tone: Tone = "") -> tuple[str, str, Tone]:
    return (label, value, tone)
