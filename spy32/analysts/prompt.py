"""Versioned prompts: fixed templates, filled with one briefing and one menu.

A version is a folder under `prompts` and a `Layout` here. Once released neither changes: its hash covers both, and a
test holds every released hash. What is filled in is hashed apart.
"""

import json
import random
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spy32.analysts.prompt_fields import SECTIONS, FieldCollector, format_timestamp
from spy32.analysts.prompt_format import DIVIDER, PREAMBLE_TOKENS, estimate_tokens
from spy32.analysts.prompt_menu import write_menu_row
from spy32.analysts.rendered_prompt import PromptField, RenderedPrompt
from spy32.domain.briefing import Briefing
from spy32.domain.codec import digest
from spy32.domain.spreads import Candidate, Menu, Strategy
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

    variant: str
    renderer: int
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
        variant=COMPREHENSIVE,
        renderer=1,
        sections=("moment", "plan", "market", "bars", "events", "portfolio", "flags"),
        columns=(
            *FULL_COLUMNS, "p_profit", "ev", "short_oi", "long_oi", "short_volume", "long_volume", "fees",
        ),
        typical_tokens=12_700,
    ),
    "v1-simplified": Layout(
        variant=SIMPLIFIED,
        renderer=1,
        sections=("moment", "spot", "plan", "flags"),
        columns=BASIC_COLUMNS,
        per_side=3,
        typical_tokens=2_700,
    ),
    "v2-comprehensive": Layout(
        variant=COMPREHENSIVE,
        renderer=1,
        sections=("moment", "plan", "checks", "market", "bars", "events", "portfolio", "record", "flags"),
        columns=(
            *FULL_COLUMNS, "p_max_profit_market", "p_max_profit_history", "p_profit_market", "p_profit_plan", "ev_plan",
            "ev_plan_low", "ev_plan_high", "ev_plan_no_drift", "cost_of_trading", "short_oi", "long_oi", "fees",
        ),
        typical_tokens=15_400,
    ),
    "v2-simplified": Layout(
        variant=SIMPLIFIED,
        renderer=1,
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
    folder = PROMPTS_FOLDER / version
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
        "features": [layout.variant, *layout.sections, *layout.columns, layout.per_side],
    }
    return Template(
        version=version,
        variant=layout.variant,
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
    return [version for version, layout in LAYOUTS.items() if layout.variant == wanted][-1]


def other_variant(version: str) -> str:
    """The simplified version of a comprehensive one with the same number, and the other way round."""
    current = read_template(version)
    number = version.removesuffix(current.variant)
    return read_template(number + (SIMPLIFIED if current.variant == COMPREHENSIVE else COMPREHENSIVE)).version


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
