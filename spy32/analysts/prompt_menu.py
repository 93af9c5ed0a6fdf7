"""The rows of the menu in a prompt: one cell a column, each with the path that an answer cites."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from spy32.analysts.prompt_fields import RIGHTS, UNKNOWN, Sheet
from spy32.analysts.prompt_text import (
    DIVIDER,
    NULL,
    amount,
    number,
    strike,
)
from spy32.analysts.rendered import Sent
from spy32.domain.briefing import Briefing
from spy32.domain.trading import MULTIPLIER, Candidate, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One figure of a candidate. Without text it is missing."""

    text: str | None
    note: str = UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What some columns need beside the candidate."""

    spot: float | None
    expected_move: float | None


Read = Callable[[Candidate, Scene], Cell]


def _money(value: Decimal) -> Cell:
    return Cell(text=amount(value))


def _float(value: float | None, digits: int, why: str = UNKNOWN) -> Cell:
    return Cell(text=None if value is None else number(value, digits), note=why)


def _count(value: int | None) -> Cell:
    return Cell(text=None if value is None else str(value))


def _ask(candidate: Candidate, _scene: Scene) -> Cell:
    """What buying the spread back costs at once: the short leg's ask less the long leg's bid."""
    ask, bid = candidate.short.quote.ask, candidate.long.quote.bid
    return _float(None if ask is None or bid is None else ask - bid, 2)


def _outside(candidate: Candidate, scene: Scene) -> float | None:
    """Points from the spot to the short strike, positive when it is out of the money."""
    if scene.spot is None:
        return None
    away = float(candidate.spread.short.strike) - scene.spot
    return -away if candidate.spread.strategy is Strategy.PUT_CREDIT else away


def _distance(candidate: Candidate, scene: Scene) -> Cell:
    away = _outside(candidate, scene)
    good = away is not None and scene.spot is not None and scene.spot > 0
    return _float(away / scene.spot if good else None, 4, "the spot is missing")  # type: ignore[operator]


def _distance_moves(candidate: Candidate, scene: Scene) -> Cell:
    away, move = _outside(candidate, scene), scene.expected_move
    good = away is not None and move is not None and move > 0
    return _float(away / move if good else None, 2, "the expected move is missing")  # type: ignore[operator]


COLUMNS: Mapping[str, tuple[str, Read]] = {
    "type": ("", lambda c, _: Cell(text=RIGHTS[c.spread.strategy])),
    "short": ("dollars", lambda c, _: Cell(text=strike(c.spread.short.strike))),
    "long": ("dollars", lambda c, _: Cell(text=strike(c.spread.long.strike))),
    "width": ("points", lambda c, _: Cell(text=strike(c.spread.width))),
    "bid": ("dollars a share", lambda c, _: _money(c.natural)),
    "mid": ("dollars a share", lambda c, _: _money(c.mid)),
    "ask": ("dollars a share", _ask),
    "least": ("dollars a share", lambda c, _: _money(c.floor)),
    "credit_to_width": ("fraction", lambda c, _: Cell(text=amount(c.mid / c.spread.width, 3))),
    "max_profit": ("dollars a contract", lambda c, _: _money(c.mid * MULTIPLIER - c.costs)),
    "max_loss": ("dollars a contract", lambda c, _: _money(c.max_loss)),
    "breakeven": ("dollars", lambda c, _: _money(c.breakevens[0])),
    "distance": ("fraction", _distance),
    "distance_moves": ("expected moves", _distance_moves),
    "short_delta": ("", lambda c, _: _float(c.short_delta, 3)),
    "theta": ("dollars a share and day", lambda c, _: _float(c.greeks.theta, 4)),
    "vega": ("dollars a share and volatility point", lambda c, _: _float(c.greeks.vega, 3)),
    "p_profit": ("probability", lambda c, _: _float(c.pop_market, 3)),
    "p_worthless": ("probability", lambda c, _: _float(c.p_worthless, 3)),
    "ev": ("dollars a contract", lambda c, _: _float(c.ev.market_expiry, 2, "not computed")),
    "short_oi": ("contracts", lambda c, _: _count(c.short.quote.open_interest)),
    "long_oi": ("contracts", lambda c, _: _count(c.long.quote.open_interest)),
    "short_volume": ("contracts", lambda c, _: _count(c.short.quote.volume)),
    "long_volume": ("contracts", lambda c, _: _count(c.long.quote.volume)),
    "fees": ("dollars a contract", lambda c, _: _money(c.costs)),
}
"""Unit and figure of each column that a version may show."""


def scene_of(briefing: Briefing) -> Scene:
    def value(path: str) -> float | None:
        datum = briefing.figures.get(path)
        return None if datum is None else datum.value

    return Scene(spot=value("market.spot"), expected_move=value("market.expected_move"))


def menu_row(sheet: Sheet, candidate: Candidate, columns: Sequence[str], scene: Scene) -> str:
    """`K7Q2 | put | 640 | ...`, with a field for each cell."""
    cells = [candidate.id]
    for name in columns:
        unit, read = COLUMNS[name]
        cell = read(candidate, scene)
        sheet.add(_cell(f"menu.{candidate.id}.{name}", unit, cell))
        cells.append(cell.text if cell.text is not None else NULL)
    return DIVIDER.join(cells)


def _cell(path: str, unit: str, cell: Cell) -> Sent:
    if cell.text is None:
        return Sent(path=path, text=NULL, unit=unit, note=cell.note, is_missing=True)
    value = float(cell.text) if cell.text[-1].isdigit() else None
    return Sent(path=path, text=cell.text, value=value, unit=unit)
