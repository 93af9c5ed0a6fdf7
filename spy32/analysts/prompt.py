"""Versioned prompts: fixed templates, filled with one briefing and one menu.

A version is a folder under `prompts` and a `Layout` here. Once released neither changes: its hash covers both, and a
test holds every released hash. What is filled in is hashed apart.
"""

import json
import random
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spy32.analysts.prompt_fields import NOT_SENT, SECTIONS, SPOT, FieldCollector, format_timestamp
from spy32.analysts.prompt_format import (
    DIVIDER,
    PREAMBLE_TOKENS,
    estimate_tokens,
    format_amount,
    format_exact,
    format_number,
    format_strategy,
)
from spy32.analysts.rendered_prompt import PromptField, RenderedPrompt
from spy32.domain.briefing import Briefing
from spy32.domain.codec import digest
from spy32.domain.market import Right
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import MULTIPLIER, Candidate, Menu, Strategy, value_bounds
from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.settings import Environment, Settings

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
AUTO = "auto"
COMPREHENSIVE, SIMPLIFIED = "comprehensive", "simplified"
NEAR_DELTA = 0.20
"""The short menu takes, of each side, those whose short delta is nearest this."""


@value
class Layout:
    """What the code adds to the templates of a version; part of its hash."""

    renderer: int = 1
    """Counts up when the code writes the same data in another way."""
    sections: tuple[str, ...]
    """Blanks of the user template beside time stamp, version and menu."""
    columns: tuple[str, ...]
    per_side: int | None = None
    """Most rows of a side; None shows the whole menu."""
    typical_tokens: int
    """Of input for the shipped market, about; the schema of the answer, which may or may not be billed, included. Not
    part of the hash."""


BASIC_COLUMNS = ("type", "short", "long", "mid", "max_loss", "short_delta")
FULL_COLUMNS = (
    "type", "short", "long", "width", "bid", "mid", "ask", "least", "credit_to_width", "max_profit", "max_loss",
    "breakeven", "distance", "distance_moves", "short_delta", "theta", "vega",
)  # fmt: skip
LAYOUTS: Mapping[str, Layout] = {
    "v1-comprehensive": Layout(
        sections=("moment", "plan", "market", "bars", "events", "portfolio", "flags"),
        columns=(
            *FULL_COLUMNS, "p_profit", "ev", "short_oi", "long_oi", "short_volume", "long_volume", "fees",
        ),
        typical_tokens=12_700,
    ),
    "v1-simplified": Layout(
        sections=("moment", "spot", "plan", "flags"),
        columns=BASIC_COLUMNS,
        per_side=3,
        typical_tokens=2_700,
    ),
    "v2-comprehensive": Layout(
        sections=("moment", "plan", "checks", "market", "bars", "events", "portfolio", "record", "flags"),
        columns=(
            *FULL_COLUMNS, "p_max_profit_market", "p_max_profit_history", "p_profit_market", "p_profit_plan", "ev_plan",
            "ev_plan_low", "ev_plan_high", "ev_plan_no_drift", "cost_of_trading", "short_oi", "long_oi", "fees",
        ),
        typical_tokens=15_400,
    ),
    "v2-simplified": Layout(
        sections=("moment", "spot", "plan", "checks", "flags"),
        columns=(*BASIC_COLUMNS, "p_max_profit_market", "p_profit_plan", "ev_plan"),
        per_side=3,
        typical_tokens=3_600,
    ),
}  # fmt: skip
"""Oldest first."""


@value
class Template:
    """One version as its files have it. The schema's `const` and the enums of ids and paths are filled per run."""

    version: str
    variant: str
    system: str
    user: str
    """What stands behind a $ is filled in by a run."""
    schema: dict[str, Any]
    hash: str
    """SHA-256 over the three files and the layout."""


def read_template(version: str) -> Template:
    """The templates of a version; `BadSettings` names the known ones."""
    layout = LAYOUTS.get(version)
    if layout is None:
        raise BadSettings(f"there is no prompt {version!r}; known are {', '.join(LAYOUTS)}")
    folder, variant = PROMPTS_FOLDER / version, version.partition("-")[2]
    # Read as text: the ends of lines are the same whatever a checkout made of them.
    system, user, schema = (
        (folder / name).read_text(encoding="utf-8") for name in ("system.txt", "user.txt", "schema.json")
    )
    # The schema goes in as text: canonical JSON sorts keys, and the order of its properties is the order of the answer.
    hashed = {
        "system": system,
        "user": user,
        "schema": schema,
        "renderer": layout.renderer,
        "features": [variant, *layout.sections, *layout.columns, layout.per_side],
    }
    return Template(
        version=version,
        variant=variant,
        system=system,
        user=user,
        schema=json.loads(schema),
        hash=digest(hashed),
    )


def resolve_version(knob: str, environment: Environment) -> str:
    """The version that the setting `analyst.prompt` means; `BadSettings` for one that is not there."""
    if knob != AUTO:
        return read_template(knob).version
    wanted = COMPREHENSIVE if environment is Environment.PRODUCTION else SIMPLIFIED
    return [version for version in LAYOUTS if version.endswith(wanted)][-1]


def other_variant(version: str) -> str:
    """The simplified version of a comprehensive one with the same number, and the other way round."""
    number, _, variant = read_template(version).version.partition("-")
    return read_template(f"{number}-{SIMPLIFIED if variant == COMPREHENSIVE else COMPREHENSIVE}").version


# The rows of the menu: one cell a column, each with the path that an answer cites.

EXPECTED_MOVE = "market.expected_move"
CellReader = Callable[[Candidate, Briefing], str | None]
"""The text of a cell; None when the figure is missing."""


class PromptColumn(NamedTuple):
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

    def read_figure(candidate: Candidate) -> float | None:
        found: Any = candidate.outlook
        for name in path.split("."):
            found = None if found is None else getattr(found, name)
        figure: float | None = found
        return figure

    return _number(read_figure, digits)


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
OUTLOOK_COLUMNS: Mapping[str, PromptColumn] = {
    "p_max_profit_history": PromptColumn(PROBABILITY, _outlook("expiry.history.probabilities.max_profit", 3)),
    "p_profit_plan": PromptColumn(PROBABILITY, _outlook("chosen_plan.probabilities.profit", 3)),
    "ev_plan": PromptColumn(PER_CONTRACT, _outlook("chosen_plan.ev.mean", 2)),
    "ev_plan_low": PromptColumn(PER_CONTRACT, _outlook("chosen_plan.ev.low", 2)),
    "ev_plan_high": PromptColumn(PER_CONTRACT, _outlook("chosen_plan.ev.high", 2)),
    "ev_plan_no_drift": PromptColumn(PER_CONTRACT, _outlook("plan.no_drift.ev.mean", 2)),
    "cost_of_trading": PromptColumn(PER_CONTRACT, _outlook("cost.total", 2)),
}
"""Figures of the outlook, which gives the reason when they are missing."""
POP = PromptColumn(PROBABILITY, _number(lambda c: c.pop_market, 3))
COLUMNS: Mapping[str, PromptColumn] = {
    "type": PromptColumn("", lambda c, _: format_strategy(c.spread.strategy)),
    "short": PromptColumn("dollars", _strikes(1)),
    "long": PromptColumn("dollars", _strikes(-1)),
    "width": PromptColumn("points", lambda c, _: format_exact(c.spread.width)),
    "bid": PromptColumn(PER_SHARE, lambda c, _: format_amount(c.natural)),
    "mid": PromptColumn(PER_SHARE, lambda c, _: format_amount(c.mid)),
    "ask": PromptColumn(PER_SHARE, _number(_ask, 2)),
    "least": PromptColumn(PER_SHARE, lambda c, _: format_amount(c.floor)),
    "credit_to_width": PromptColumn("fraction", lambda c, _: format_amount(c.mid / c.spread.width, 3)),
    "max_profit": PromptColumn(
        PER_CONTRACT, lambda c, _: format_amount((c.mid + value_bounds(c.spread.legs)[1]) * MULTIPLIER - c.costs)
    ),
    "max_loss": PromptColumn(PER_CONTRACT, lambda c, _: format_amount(c.max_loss)),
    "breakeven": PromptColumn("dollars", _breakeven),
    "distance": PromptColumn("fraction", _otm_distance(SPOT, 4), "the spot is missing"),
    "distance_moves": PromptColumn("expected moves", _otm_distance(EXPECTED_MOVE, 2), "the expected move is missing"),
    "short_delta": PromptColumn("", _number(lambda c: c.short_delta, 3)),
    "theta": PromptColumn("dollars a share and day", _number(lambda c: c.greeks.theta, 4)),
    "vega": PromptColumn("dollars a share and volatility point", _number(lambda c: c.greeks.vega, 3)),
    # One figure, which the second version tells from that of the plan.
    "p_profit": POP,
    "p_profit_market": POP,
    "p_max_profit_market": PromptColumn(PROBABILITY, _number(lambda c: c.p_max_profit, 3)),
    "ev": PromptColumn(PER_CONTRACT, _number(lambda c: c.ev.market_expiry, 2), "not computed"),
    "short_oi": PromptColumn("contracts", _least_count(0, "open_interest")),
    "long_oi": PromptColumn("contracts", _least_count(1, "open_interest")),
    "short_volume": PromptColumn("contracts", _least_count(0, "volume")),
    "long_volume": PromptColumn("contracts", _least_count(1, "volume")),
    "fees": PromptColumn(PER_CONTRACT, lambda c, _: format_amount(c.costs)),
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


# Rendering.


def render_prompt(
    template: Template, menu: Menu, briefing: Briefing, *, shuffle: int, settings: Settings | None = None
) -> RenderedPrompt:
    """The prompt for this menu and briefing, its rows in the order that the seed `shuffle` makes.

    The exits of PLAN are those of `settings`. ValueError for an empty menu: there is nothing to ask then.
    """
    layout = LAYOUTS[template.version]
    rows = _select_rows(menu, layout, shuffle)
    sheet = FieldCollector(briefing, menu, settings or Settings())
    as_of = format_timestamp(briefing.as_of)
    texts = {name: "\n".join(SECTIONS[name](sheet)) for name in layout.sections}
    table = [write_menu_row(sheet, row, layout.columns) for row in rows]
    user = string.Template(template.user).substitute(
        texts,
        as_of=as_of,
        version=template.version,
        columns=DIVIDER.join(("id", *layout.columns)),
        menu="\n".join(table),
    )
    ids = tuple(row.id for row in rows)
    schema = _fill_schema(template, as_of, ids, sheet.fields)
    return RenderedPrompt(
        version=template.version,
        prompt_hash=template.hash,
        # Ids and the order of the rows are not of the instance: each run draws its own, and each sample has another.
        input_hash=digest(
            {"as_of": as_of, "sections": texts, "menu": sorted(line.partition(DIVIDER)[2] for line in table)}
        ),
        as_of=as_of,
        system=template.system,
        user=user,
        schema=schema,
        fields=sheet.fields,
        ids=ids,
        tokens=PREAMBLE_TOKENS + sum(map(estimate_tokens, (template.system, user, json.dumps(schema)))),
    )


def _select_rows(menu: Menu, layout: Layout, shuffle: int) -> list[Candidate]:
    """The candidates that are shown, in the order of the seed."""

    def key(row: Candidate) -> tuple[object, ...]:
        # Nearest the delta first; of two alike the less exposed one, whatever order they came in.
        spread = row.spread
        return abs(row.short_delta - NEAR_DELTA), row.short_delta, spread.width, spread.short.strike, row.id

    rows = list(menu.candidates)
    if layout.per_side is not None:
        rows = [row for side in Strategy for row in sorted(menu.side(side), key=key)[: layout.per_side]]
    if not rows:
        raise ValueError("an empty menu leaves nothing to ask")
    random.Random(shuffle).shuffle(rows)  # noqa: S311 - the order must be repeatable, not secret
    return rows


def _fill_schema(
    template: Template, as_of: str, ids: Sequence[str], sent_fields: Mapping[str, PromptField]
) -> dict[str, Any]:
    """The schema of the answer to this very prompt."""
    schema: dict[str, Any] = json.loads(json.dumps(template.schema))
    properties, shared = schema["properties"], schema["$defs"]
    properties["schema_version"]["const"] = template.version
    properties["as_of_echo"]["const"] = as_of
    properties["candidate_id"]["enum"] = [*ids, None]
    missing = [path for path, field in sent_fields.items() if field.is_missing]
    shared["present"]["enum"] = [path for path in sent_fields if path not in missing]
    if missing:
        shared["missing"]["enum"] = missing
    else:
        # The service refuses an empty enum.
        del shared["missing"]
        properties["data_problems"]["items"] = properties["evidence"]["items"]
    return schema
