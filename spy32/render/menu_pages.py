"""Pages around the menu: the candidates side by side, what was dropped and why, the quality gates, the history."""

from collections.abc import Callable, Iterable, Sequence

from spy32.domain.market import Gate, Verdict
from spy32.domain.run_view import RunView
from spy32.domain.runs import RunSummary
from spy32.domain.spreads import Candidate, RejectedSpread
from spy32.render.candidates import SIDES, candidate_grid, sorted_menu
from spy32.render.explain import chosen_candidate_id, format_outcome, run_cells, view_badges
from spy32.render.formatting import format_both_zones, format_strike, humanise, single_line
from spy32.render.page import Grid, Page, Pairs, Part, Prose, grid_columns, pair
from spy32.sessions import NEW_YORK

COLUMNS = grid_columns(
    "#>", "spread", "who:1", "credit>1", "floor>1", "POP>1", "delta>1", "max loss>1", "breakeven>1",
    "POP history>1", "mid>1", "natural>1", "EV market>1", "EV market plan>1", "EV history>1", "EV history plan>1",
    "costs>1", "id:1",
)  # fmt: skip
"""What decides comes first: a narrow screen continues with the rest in a further table."""


def candidates_page(view: RunView) -> Page:
    """The menu side by side, whole at any width; the choice is marked."""
    entries = sorted_menu(view.menu.candidates) if view.menu is not None else ()
    chosen = chosen_candidate_id(view)
    grid = whole_menu_grid(entries, chosen, lambda entry: "chosen" if entry.id == chosen else "")
    text = (
        "Credits a share; max loss, EV and costs in dollars a contract. POP: probability of any profit. "
        "The delta is the short option's, as an option chain shows it: negative for a put."
    )
    return Page(
        heading=heading_of(view, "candidates"), badges=view_badges(view), parts=(grid, Prose(title="", text=text))
    )


def whole_menu_grid(entries: Sequence[Candidate], marked: str | None, who: Callable[[Candidate], str]) -> Grid:
    """Every candidate with every column."""
    title = f"Candidates, expiration {entries[0].spread.expiration}" if entries else "Candidates"
    return candidate_grid(entries, COLUMNS, range(len(entries)), marked=marked, who=who)._replace(title=title)


def rejected_page(view: RunView) -> Page:
    """Every spread that did not reach the menu, with the first rule that dropped it and how far off it was."""
    dropped = view.menu.dropped if view.menu is not None else ()
    counts = view.menu.counts if view.menu is not None else {}
    tally = Pairs(
        name="dropped by",
        title="Dropped, by the first rule that did it",
        items=tuple(pair(humanise(rule), str(number)) for rule, number in counts.items()) or (pair("any rule", "0"),),
    )
    columns = grid_columns("spread", "rule~", "figure>", "limit>")
    grid = Grid(
        name="rejected", title="Dropped spreads", columns=columns, rows=tuple(_rejected_cells(item) for item in dropped)
    )
    return Page(heading=heading_of(view, "rejected"), badges=view_badges(view), parts=(tally, grid))


def _rejected_cells(item: RejectedSpread) -> tuple[str, ...]:
    spread = f"{SIDES[item.strategy]} {format_strike(item.short_strike)}/{format_strike(item.long_strike)}"
    return (spread, humanise(item.rule), single_line(item.figure), single_line(item.limit))


VERDICTS = {Verdict.PASS: "✓ pass", Verdict.WARN: "! warn", Verdict.STOP: "✗ stop", Verdict.SKIPPED: "- skipped"}


def quality_page(view: RunView) -> Page:
    """Each quality gate with what was measured, what is allowed, and the verdict."""
    columns = grid_columns("gate", "verdict", "figure~", "limit~", "note~1")
    gates = view.quality.gates if view.quality is not None else ()
    grid = Grid(name="gate", title="Quality gates", columns=columns, rows=tuple(_gate(gate) for gate in gates))
    dropped = view.quality.dropped if view.quality is not None else {}
    parts: tuple[Part, ...] = (grid,)
    if dropped:
        items = tuple(pair(humanise(gate), str(number)) for gate, number in dropped.items())
        parts += (Pairs(name="quotes dropped by", title="Quotes dropped", items=items),)
    return Page(heading=heading_of(view, "quality"), badges=view_badges(view), parts=parts)


def _gate(gate: Gate) -> tuple[str, ...]:
    return (
        humanise(gate.name),
        VERDICTS[gate.verdict],
        single_line(gate.figure),
        single_line(gate.limit),
        single_line(gate.note),
    )


def history_page(rows: Iterable[RunSummary]) -> Page:
    """Runs, newest first, one a line."""
    rows = tuple(rows)
    columns = grid_columns(
        "run", "started (New York)", "outcome", "cause:1", "proposal:2", "trade:3", "what came of it~4", "profile:5"
    )
    grid = Grid(name="run", title="Runs, newest first", columns=columns, rows=tuple(_history(row) for row in rows))
    return Page(parts=(grid,), following=(f"spy32 show R{rows[0].id}",) if rows else ())


def _history(row: RunSummary) -> tuple[str, ...]:
    return (
        *run_cells(row),
        "" if row.proposal_id is None else f"P{row.proposal_id}",
        "" if row.trade_id is None else f"T{row.trade_id}",
        single_line(row.headline),
        single_line(row.profile),
    )


def heading_of(view: RunView, what: str) -> str:
    started = format_both_zones(view.run.started_at, NEW_YORK)
    return f"R{view.run.id}, {what}: {format_outcome(view.run)}, started {started}"
