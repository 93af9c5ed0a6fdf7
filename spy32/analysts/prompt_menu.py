"""The rows of the menu in a prompt: one cell a column, each with the path that an answer cites."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from spy32.analysts.prompt_fields import NOT_SENT, RIGHT_NAMES, FieldCollector
from spy32.analysts.prompt_format import (
    DIVIDER,
    NULL,
    format_amount,
    format_number,
    format_strike,
)
from spy32.analysts.rendered_prompt import PromptField
from spy32.domain.briefing import Briefing
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import MULTIPLIER, Candidate, Strategy
from spy32.domain.value import value


@value
class Cell:
    """One figure of a candidate. Without text it is missing."""

    text: str | None
    note: str = NOT_SENT


@value
class ColumnInputs:
    """What some columns need beside the candidate."""

    spot: float | None
    expected_move: float | None


CellReader = Callable[[Candidate, ColumnInputs], Cell]


def _money_cell(value: Decimal) -> Cell:
    return Cell(text=format_amount(value))


def _number_cell(value: float | None, digits: int, why: str = NOT_SENT) -> Cell:
    return Cell(text=None if value is None else format_number(value, digits), note=why)


def _outlook_cell(path: str, digits: int) -> CellReader:
    """The figure at a path of attributes of the outlook; missing with the reason that the outlook gives."""
    names = path.split(".")

    def read(candidate: Candidate, _inputs: ColumnInputs) -> Cell:
        found: Any = candidate.outlook
        for name in names:
            found = None if found is None else getattr(found, name)
        why = candidate.outlook.missing if candidate.outlook is not None else None
        return _number_cell(found, digits, plain_note(why or "not computed"))

    return read


def _count_cell(value: int | None) -> Cell:
    return Cell(text=None if value is None else str(value))


def _ask_cell(candidate: Candidate, _inputs: ColumnInputs) -> Cell:
    """What buying the spread back costs at once: the short leg's ask less the long leg's bid."""
    ask, bid = candidate.short.quote.ask, candidate.long.quote.bid
    return _number_cell(None if ask is None or bid is None else ask - bid, 2)


def _otm_points(candidate: Candidate, inputs: ColumnInputs) -> float | None:
    """Points from the spot to the short strike, positive when it is out of the money."""
    if inputs.spot is None:
        return None
    points = float(candidate.spread.short.strike) - inputs.spot
    return -points if candidate.spread.strategy is Strategy.PUT_CREDIT else points


def _otm_distance_cell(candidate: Candidate, inputs: ColumnInputs) -> Cell:
    points = _otm_points(candidate, inputs)
    is_known = points is not None and inputs.spot is not None and inputs.spot > 0
    return _number_cell(points / inputs.spot if is_known else None, 4, "the spot is missing")  # type: ignore[operator]


def _otm_moves_cell(candidate: Candidate, inputs: ColumnInputs) -> Cell:
    points, move = _otm_points(candidate, inputs), inputs.expected_move
    is_known = points is not None and move is not None and move > 0
    return _number_cell(points / move if is_known else None, 2, "the expected move is missing")  # type: ignore[operator]


COLUMNS: Mapping[str, tuple[str, CellReader]] = {
    "type": ("", lambda c, _: Cell(text=RIGHT_NAMES[c.spread.strategy])),
    "short": ("dollars", lambda c, _: Cell(text=format_strike(c.spread.short.strike))),
    "long": ("dollars", lambda c, _: Cell(text=format_strike(c.spread.long.strike))),
    "width": ("points", lambda c, _: Cell(text=format_strike(c.spread.width))),
    "bid": ("dollars a share", lambda c, _: _money_cell(c.natural)),
    "mid": ("dollars a share", lambda c, _: _money_cell(c.mid)),
    "ask": ("dollars a share", _ask_cell),
    "least": ("dollars a share", lambda c, _: _money_cell(c.floor)),
    "credit_to_width": ("fraction", lambda c, _: Cell(text=format_amount(c.mid / c.spread.width, 3))),
    "max_profit": ("dollars a contract", lambda c, _: _money_cell(c.mid * MULTIPLIER - c.costs)),
    "max_loss": ("dollars a contract", lambda c, _: _money_cell(c.max_loss)),
    "breakeven": ("dollars", lambda c, _: _money_cell(c.breakevens[0])),
    "distance": ("fraction", _otm_distance_cell),
    "distance_moves": ("expected moves", _otm_moves_cell),
    "short_delta": ("", lambda c, _: _number_cell(c.short_delta, 3)),
    "theta": ("dollars a share and day", lambda c, _: _number_cell(c.greeks.theta, 4)),
    "vega": ("dollars a share and volatility point", lambda c, _: _number_cell(c.greeks.vega, 3)),
    "p_profit": ("probability", lambda c, _: _number_cell(c.pop_market, 3)),
    "p_worthless_market": ("probability", lambda c, _: _number_cell(c.p_worthless, 3)),
    "p_worthless_history": ("probability", _outlook_cell("expiry.history.probabilities.worthless", 3)),
    "p_profit_market": ("probability", lambda c, _: _number_cell(c.pop_market, 3)),
    "p_profit_plan": ("probability", _outlook_cell("chosen_plan.probabilities.profit", 3)),
    "ev_plan": ("dollars a contract", _outlook_cell("chosen_plan.ev.mean", 2)),
    "ev_plan_low": ("dollars a contract", _outlook_cell("chosen_plan.ev.low", 2)),
    "ev_plan_high": ("dollars a contract", _outlook_cell("chosen_plan.ev.high", 2)),
    "ev_plan_no_drift": ("dollars a contract", _outlook_cell("plan.no_drift.ev.mean", 2)),
    "cost_of_trading": ("dollars a contract", _outlook_cell("cost.total", 2)),
    "ev": ("dollars a contract", lambda c, _: _number_cell(c.ev.market_expiry, 2, "not computed")),
    "short_oi": ("contracts", lambda c, _: _count_cell(c.short.quote.open_interest)),
    "long_oi": ("contracts", lambda c, _: _count_cell(c.long.quote.open_interest)),
    "short_volume": ("contracts", lambda c, _: _count_cell(c.short.quote.volume)),
    "long_volume": ("contracts", lambda c, _: _count_cell(c.long.quote.volume)),
    "fees": ("dollars a contract", lambda c, _: _money_cell(c.costs)),
}
"""Unit and figure of each column that a version may show."""


def build_column_inputs(briefing: Briefing) -> ColumnInputs:
    def value(path: str) -> float | None:
        metric = briefing.figures.get(path)
        return None if metric is None else metric.value

    return ColumnInputs(spot=value("market.spot"), expected_move=value("market.expected_move"))


def write_menu_row(sheet: FieldCollector, candidate: Candidate, columns: Sequence[str], inputs: ColumnInputs) -> str:
    """`K7Q2 | put | 640 | ...`, with a field for each cell."""
    cells = [candidate.id]
    for name in columns:
        unit, read_cell = COLUMNS[name]
        cell = read_cell(candidate, inputs)
        sheet.add(_cell_field(f"menu.{candidate.id}.{name}", unit, cell))
        cells.append(cell.text if cell.text is not None else NULL)
    return DIVIDER.join(cells)


def _cell_field(path: str, unit: str, cell: Cell) -> PromptField:
    if cell.text is None:
        return PromptField(path=path, text=NULL, unit=unit, note=cell.note, is_missing=True)
    value = float(cell.text) if cell.text[-1].isdigit() else None
    return PromptField(path=path, text=cell.text, value=value, unit=unit)
