"""Pages around the menu: the candidates side by side, what was dropped and why, the quality gates, the history."""

from collections.abc import Callable, Iterable, Sequence

from spy32.domain.market import Gate, Verdict
from spy32.domain.run_view import RunView
from spy32.domain.runs import RunSummary
from spy32.domain.spreads import Candidate, RejectedSpread
from spy32.render.explain import chosen_candidate_id, format_outcome, view_badges
from spy32.render.figures import SIDES, sorted_menu, spread_words
from spy32.render.formatting import (
    DAYS,
    format_both_zones,
    format_dollars,
    format_gain,
    format_percent,
    format_price,
    format_strike,
    humanise,
    signed_delta,
    single_line,
)
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
    grid = candidate_grid(entries, chosen, lambda entry: "chosen" if entry.id == chosen else "")
    text = (
        "Credits a share; max loss, EV and costs in dollars a contract. POP: probability of any profit. "
        "The delta is the short option's, as an option chain shows it: negative for a put."
    )
    return Page(
        heading=heading_of(view, "candidates"), badges=view_badges(view), parts=(grid, Prose(title="", text=text))
    )


def candidate_grid(entries: Sequence[Candidate], marked: str | None, who: Callable[[Candidate], str]) -> Grid:
    """Every candidate by row number; a column that is empty in every row is left out."""
    rows = [_candidate(number, entry, who(entry)) for number, entry in enumerate(entries, 1)]
    filled = [at for at in range(len(COLUMNS)) if any(row[at] for row in rows)]
    return Grid(
        name="candidate",
        title=f"Candidates, expiration {entries[0].spread.expiration}" if entries else "Candidates",
        columns=tuple(COLUMNS[at] for at in filled),
        rows=tuple(tuple(row[at] for at in filled) for row in rows),
        marked=next((row for row, entry in enumerate(entries) if entry.id == marked), None),
        continues=True,
    )


def _candidate(number: int, entry: Candidate, who: str) -> tuple[str, ...]:
    ev = entry.ev
    values = (ev.market_expiry, ev.market_plan, ev.history_expiry, ev.history_plan)
    return (
        str(number),
        spread_words(entry),
        who,
        format_price(entry.start),
        format_price(entry.floor),
        format_percent(entry.pop_market),
        signed_delta(entry),
        format_dollars(entry.max_loss),
        " ".join(format_price(point) for point in entry.breakevens),
        "" if entry.pop_history is None else format_percent(entry.pop_history),
        format_price(entry.mid),
        format_price(entry.natural),
        *("" if value is None else format_gain(value) for value in values),
        format_dollars(entry.costs),
        entry.id,
    )


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
    """Runs, newest first, one a line; without results while no trade of them has ended."""
    rows = tuple(rows)
    columns = grid_columns(
        "run", "started (New York)", "outcome", "cause:1", "proposal:2", "trade:3", "result>4", "exit:5",
        "what came of it~6", "profile:7",
    )  # fmt: skip
    cells = [_history(row) for row in rows]
    shown = [
        at
        for at, column in enumerate(columns)
        if column.name not in ("result", "exit") or any(row[at] for row in cells)
    ]
    grid = Grid(
        name="run",
        title="Runs, newest first",
        columns=tuple(columns[at] for at in shown),
        rows=tuple(tuple(row[at] for at in shown) for row in cells),
    )
    return Page(parts=(grid,), following=(f"spy32 show R{rows[0].id}",) if rows else ())


def _history(row: RunSummary) -> tuple[str, ...]:
    started = row.started_at.astimezone(NEW_YORK)
    return (
        f"R{row.id}",
        f"{DAYS[started.weekday()]} {started:%Y-%m-%d %H:%M}",
        "unfinished" if row.outcome is None else humanise(row.outcome.value),
        humanise(row.cause or ""),
        "" if row.proposal_id is None else f"P{row.proposal_id}",
        "" if row.trade_id is None else f"T{row.trade_id}",
        "" if row.result is None else format_gain(row.result),
        "" if row.exit_reason is None else humanise(row.exit_reason),
        single_line(row.headline),
        single_line(row.profile),
    )


def heading_of(view: RunView, what: str) -> str:
    started = format_both_zones(view.run.started_at, NEW_YORK)
    return f"R{view.run.id}, {what}: {format_outcome(view.run)}, started {started}"
