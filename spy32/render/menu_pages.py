"""Pages around the menu: the candidates side by side, what was dropped and why, the quality gates, the history."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from spy32.domain.market import Verdict
from spy32.domain.run_view import RunView
from spy32.domain.runs import Outcome, RunSummary
from spy32.domain.spreads import Candidate
from spy32.render.candidates import SIDES, came_to_words, candidate_grid, sorted_menu
from spy32.render.explain import chosen_candidate_id, format_outcome, view_badges
from spy32.render.formatting import format_both_zones, format_gain, format_strike, humanise, single_line
from spy32.render.outlook import side_record_words
from spy32.render.page import Cell, Grid, Page, Pairs, Part, Prose, grid_columns, noun_grid, pair
from spy32.sessions import NEW_YORK

COLUMNS = grid_columns(
    "#>", "spread", "who:1", "price>1", "win, exits>1", "max loss>1", "EV each>1", "EV low>1", "EV high>1",
    "delta>1", "came to>1", "breakeven>1", "last price>1", "win, options>1", "win, held>1", "EV, held>1",
    "P(max loss)>1", "P(touch)>1", "worst 5%>1", "return on risk>1", "mid>1", "natural>1", "costs>1", "id:1",
)  # fmt: skip
"""What decides comes first: a narrow screen continues with the rest in a further table."""


MENU_NOTE = (
    "Prices a share, the rest dollars a contract after costs. By history with the exits of the plan: win, EV (average "
    "profit; EV low and high are the 90% interval of that average) and worst 5%, the average of the worst twentieth. "
    "By history held to expiration: win and EV, held; P(max loss); P(touch). Win, options: by option prices, held to "
    "expiration. `show --explain` says more."
)


def menu_note(entries: Iterable[Candidate]) -> str:
    """What the columns mean, and what the market's probabilities have been worth."""
    return " ".join(filter(None, (MENU_NOTE, side_record_words(entries))))


def candidates_page(view: RunView) -> Page:
    """The menu side by side, whole at any width; the choice is marked."""
    entries = sorted_menu(view.menu.candidates) if view.menu is not None else ()
    chosen = chosen_candidate_id(view)
    own = {
        "who": lambda entry: "chosen" if entry.id == chosen else "",
        "came to": lambda entry: came_to_words(view.outcomes.get(entry.id)),
    }
    grid = whole_menu_grid(entries, chosen, own)
    text = f"{menu_note(entries)} The delta is the short option's, as an option chain shows it: negative for a put."
    if view.outcomes:
        text += " Came to: the result of a contract held to its expiration, after costs."
    return Page(
        heading=heading_of(view, "candidates"), badges=view_badges(view), parts=(grid, Prose(title="", text=text))
    )


def whole_menu_grid(
    entries: Sequence[Candidate], marked: str | None, own: Mapping[str, Callable[[Candidate], str]]
) -> Grid:
    """Every candidate with every column; `own` has those of the page, by label."""
    title = f"Candidates, expiration {entries[0].spread.expiration}" if entries else "Candidates"
    return candidate_grid(entries, COLUMNS, range(len(entries)), marked=marked, own=own)._replace(title=title)


def rejected_page(view: RunView) -> Page:
    """Every spread that did not reach the menu, with the first rule that dropped it and how far off it was."""
    dropped = view.menu.dropped if view.menu is not None else ()
    counts = view.menu.counts if view.menu is not None else {}
    tally = Pairs(
        name="dropped by",
        title="Dropped, by the first rule that did it",
        items=tuple(pair(humanise(rule), str(number)) for rule, number in counts.items()) or (pair("any rule", "0"),),
    )
    columns: dict[str, Cell] = {
        "spread": lambda item: (
            f"{SIDES[item.strategy]} {format_strike(item.short_strike)}/{format_strike(item.long_strike)}"
        ),
        "rule~": lambda item: humanise(item.rule),
        "figure>": "figure",
        "limit>": "limit",
    }
    grid = noun_grid("rejected", "Dropped spreads", dropped, columns)
    return Page(heading=heading_of(view, "rejected"), badges=view_badges(view), parts=(tally, grid))


VERDICTS = {Verdict.PASS: "✓ pass", Verdict.WARN: "! warn", Verdict.STOP: "✗ stop", Verdict.SKIPPED: "- skipped"}


def quality_page(view: RunView) -> Page:
    """Each quality gate with what was measured, what is allowed, and the verdict."""
    columns: dict[str, Cell] = {
        "gate": lambda gate: humanise(gate.name),
        "verdict": lambda gate: VERDICTS[gate.verdict],
        "figure~": "figure",
        "limit~": "limit",
        "note~1": "note",
    }
    grid = noun_grid("gate", "Quality gates", view.quality.gates if view.quality is not None else (), columns)
    dropped = view.quality.dropped if view.quality is not None else {}
    parts: tuple[Part, ...] = (grid,)
    if dropped:
        items = tuple(pair(humanise(gate), str(number)) for gate, number in dropped.items())
        parts += (Pairs(name="quotes dropped by", title="Quotes dropped", items=items),)
    return Page(heading=heading_of(view, "quality"), badges=view_badges(view), parts=parts)


def _start_words(row: RunSummary) -> str:
    """When it started; of a run that never did the slot, which is older than its row."""
    if row.outcome is Outcome.SKIPPED and row.slot is not None:
        return f"{row.slot} slot"
    return f"{row.started_at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


HISTORY_COLUMNS: Mapping[str, Callable[[RunSummary], str]] = {
    "run": lambda row: f"R{row.id}",
    "started (NY)": _start_words,
    "outcome:4": lambda row: "unfinished" if row.outcome is None else humanise(row.outcome.value),
    "cause:6": lambda row: humanise(row.cause or ""),
    "proposal:5": lambda row: "" if row.proposal_id is None else f"P{row.proposal_id}",
    "trade:1": lambda row: "" if row.trade_id is None else f"T{row.trade_id}",
    "result>2": lambda row: "" if row.result is None else format_gain(row.result),
    "exit:3": lambda row: "" if row.exit_reason is None else humanise(row.exit_reason),
    "what came of it~7": lambda row: single_line(row.headline),
    "profile:8": lambda row: single_line(row.profile),
}
"""On 60 columns trade, result and exit stay."""


def history_page(rows: Iterable[RunSummary]) -> Page:
    """Runs, newest first, one a line; without the columns that are empty in all of them."""
    rows = tuple(rows)
    columns: dict[str, Cell] = {
        head: cell for head, cell in HISTORY_COLUMNS.items() if not rows or any(map(cell, rows))
    }
    grid = noun_grid("run", "Runs, newest first", rows, columns)
    return Page(parts=(grid,), following=(f"spy32 show R{rows[0].id}",) if rows else ())


def heading_of(view: RunView, what: str) -> str:
    started = format_both_zones(view.run.started_at, NEW_YORK)
    return f"R{view.run.id}, {what}: {format_outcome(view.run)}, started {started}"
