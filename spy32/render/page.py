"""A view in neutral form: what is said, before it is known where. `tables` draws it, `lines` writes it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spy32.render.payoff import Payoff

Tone = str
"""`good`, `bad`, `warn`, `strong`, `dim` or nothing. Colour only repeats what word, sign or symbol say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Labelled values. `name` leads each label where there is no frame to say it."""

    name: str = ""
    title: str = ""
    items: tuple[tuple[str, str, Tone], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`rank` 0 always stays; of the others the highest goes first. A `flexible` column holds words and may fold."""

    name: str
    rank: int = 0
    right: bool = False
    flexible: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows side by side. On a narrow screen columns go by rank, or, when it `continues`, follow in a further table."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None
    """The row that was chosen; it is marked by a symbol, too."""
    continues: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """Running text; foreign text has been cleaned."""

    title: str
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    payoff: "Payoff"


Part = Pairs | Grid | Prose | Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`badges` say aloud that something is paper, recorded or halted; `following` is what to type next."""

    heading: str = ""
    tone: Tone = ""
    badges: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    following: tuple[str, ...] = ()


def pair(label: str, value: str, tone: Tone = "") -> tuple[str, str, Tone]:
    return (label, value, tone)
