"""The rows of the menu in a prompt: one cell a column, each with the path that an answer cites."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from spy32.analysts.prompt_fields import NOT_SENT, SPOT, FieldCollector
from spy32.analysts.prompt_format import DIVIDER, format_amount, format_exact, format_number, format_strategy
from spy32.domain.briefing import Briefing
from spy32.domain.market import Right
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import MULTIPLIER, Candidate, value_bounds

EXPECTED_MOVE = "market.expected_move"
CellReader = Callable[[Candidate, Briefing], str | None]
"""The text of a cell; None when the figure is missing."""


class Column(NamedTuple):
    """A column that a version may show. `note` says why a cell is missing."""

    unit: str
    read: CellReader
    note: str = NOT_SENT


def _number(read: Callable[[Candidate], float | None], digits: int) -> CellReader:
    def read_cell(candidate: Candidate, _briefing: Briefing) -> str | None:
        figure = read(candidate)
        return None if figure is None else format_number(figure, digits)

    return read_cell


def _outlook(path: str, digits: int) -> CellReader:
    """The figure at a path of attributes of the outlook."""

    def read(candidate: Candidate) -> float | None:
        found: Any = candidate.outlook
        for name in path.split("."):
            found = None if found is None else getattr(found, name)
        figure: float | None = found
        return figure

    return _number(read, digits)


def _least_count(place: int, name: str) -> CellReader:
    """The lower count of an iron condor's two sides; `place` is 0 for the sold leg, 1 for the bought one."""

    def read_cell(candidate: Candidate, _briefing: Briefing) -> str | None:
        views = (candidate.short, candidate.long, *candidate.calls)[place::2]
        counts = [getattr(view.quote, name) for view in views]
        return None if None in counts else str(min(counts))

    return read_cell


def _otm_distance(unit_path: str, digits: int) -> CellReader:
    """How far the nearest short strike is out of the money, measured in the market figure at this path."""

    def read_cell(candidate: Candidate, briefing: Briefing) -> str | None:
        spot, size = (metric.value if (metric := briefing.figures.get(path)) else None for path in (SPOT, unit_path))
        if spot is None or size is None or size <= 0:
            return None
        gaps = ((float(leg.strike) - spot, leg.right) for leg in candidate.spread.shorts)
        return format_number(min(-gap if right is Right.PUT else gap for gap, right in gaps) / size, digits)

    return read_cell


def _ask(candidate: Candidate) -> float | None:
    """What buying the spread back costs at once: the short legs' ask less the long legs' bid."""
    views = (candidate.short, candidate.long, *candidate.calls)
    asks = [view.quote.ask for view in views[::2] if view.quote.ask is not None]
    bids = [view.quote.bid for view in views[1::2] if view.quote.bid is not None]
    return sum(asks) - sum(bids) if len(asks) + len(bids) == len(views) else None


def _strikes(sign: int) -> CellReader:
    """The strike of the sold (+1) or bought (-1) leg; of an iron condor `621p/650c`."""

    def read_cell(candidate: Candidate, _briefing: Briefing) -> str:
        legs = [leg for leg in candidate.spread.legs if leg.action.sign == sign]
        return "/".join(f"{format_exact(leg.strike)}{leg.right.value.lower() if len(legs) > 1 else ''}" for leg in legs)

    return read_cell


def _breakeven(candidate: Candidate, _briefing: Briefing) -> str:
    """One price; of an iron condor `620.10p/650.90c`."""
    low, *high = map(format_amount, candidate.breakevens)
    return f"{low}p/{high[0]}c" if high else low


PROBABILITY, PER_SHARE, PER_CONTRACT = "probability", "dollars a share", "dollars a contract"
OUTLOOK_COLUMNS: Mapping[str, Column] = {
    "p_max_profit_history": Column(PROBABILITY, _outlook("expiry.history.probabilities.max_profit", 3)),
    "p_profit_plan": Column(PROBABILITY, _outlook("chosen_plan.probabilities.profit", 3)),
    "ev_plan": Column(PER_CONTRACT, _outlook("chosen_plan.ev.mean", 2)),
    "ev_plan_low": Column(PER_CONTRACT, _outlook("chosen_plan.ev.low", 2)),
    "ev_plan_high": Column(PER_CONTRACT, _outlook("chosen_plan.ev.high", 2)),
    "ev_plan_no_drift": Column(PER_CONTRACT, _outlook("plan.no_drift.ev.mean", 2)),
    "cost_of_trading": Column(PER_CONTRACT, _outlook("cost.total", 2)),
}
"""Figures of the outlook, which gives the reason when they are missing."""
COLUMNS: Mapping[str, Column] = {
    "type": Column("", lambda c, _: format_strategy(c.spread.strategy)),
    "short": Column("dollars", _strikes(1)),
    "long": Column("dollars", _strikes(-1)),
    "width": Column("points", lambda c, _: format_exact(c.spread.width)),
    "bid": Column(PER_SHARE, lambda c, _: format_amount(c.natural)),
    "mid": Column(PER_SHARE, lambda c, _: format_amount(c.mid)),
    "ask": Column(PER_SHARE, _number(_ask, 2)),
    "least": Column(PER_SHARE, lambda c, _: format_amount(c.floor)),
    "credit_to_width": Column("fraction", lambda c, _: format_amount(c.mid / c.spread.width, 3)),
    "max_profit": Column(
        PER_CONTRACT, lambda c, _: format_amount((c.mid + value_bounds(c.spread.legs)[1]) * MULTIPLIER - c.costs)
    ),
    "max_loss": Column(PER_CONTRACT, lambda c, _: format_amount(c.max_loss)),
    "breakeven": Column("dollars", _breakeven),
    "distance": Column("fraction", _otm_distance(SPOT, 4), "the spot is missing"),
    "distance_moves": Column("expected moves", _otm_distance(EXPECTED_MOVE, 2), "the expected move is missing"),
    "short_delta": Column("", _number(lambda c: c.short_delta, 3)),
    "theta": Column("dollars a share and day", _number(lambda c: c.greeks.theta, 4)),
    "vega": Column("dollars a share and volatility point", _number(lambda c: c.greeks.vega, 3)),
    "p_profit": Column(PROBABILITY, _number(lambda c: c.pop_market, 3)),
    "p_profit_market": Column(PROBABILITY, _number(lambda c: c.pop_market, 3)),
    "p_max_profit_market": Column(PROBABILITY, _number(lambda c: c.p_max_profit, 3)),
    "ev": Column(PER_CONTRACT, _number(lambda c: c.ev.market_expiry, 2), "not computed"),
    "short_oi": Column("contracts", _least_count(0, "open_interest")),
    "long_oi": Column("contracts", _least_count(1, "open_interest")),
    "short_volume": Column("contracts", _least_count(0, "volume")),
    "long_volume": Column("contracts", _least_count(1, "volume")),
    "fees": Column(PER_CONTRACT, lambda c, _: format_amount(c.costs)),
    **OUTLOOK_COLUMNS,
}


def write_menu_row(sheet: FieldCollector, candidate: Candidate, columns: Sequence[str]) -> str:
    """`K7Q2 | put | 640 | ...`, with a field for each cell."""
    cells = [candidate.id]
    why = candidate.outlook.missing if candidate.outlook is not None else None
    for name in columns:
        path, column = f"menu.{candidate.id}.{name}", COLUMNS[name]
        text = column.read(candidate, sheet.briefing)
        missing_note = plain_note(why or "not computed") if name in OUTLOOK_COLUMNS else column.note
        sheet.add(path, text, unit=column.unit, note=missing_note if text is None else "")
        cells.append(sheet.fields[path].text)
    return DIVIDER.join(cells)
