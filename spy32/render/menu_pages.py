"""Pages around the menu: the candidates side by side, what was dropped and why, the quality gates, the history."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from spy32.domain.market import Verdict
from spy32.domain.run_view import RunView
from spy32.domain.runs import Outcome, RunSummary
from spy32.domain.spreads import Candidate
from spy32.render.candidates import came_to_words, candidate_grid, sorted_menu
from spy32.render.explain import chosen_candidate_id, format_outcome, view_badges
from spy32.render.formatting import format_gain, format_known, format_strike, humanise, new_york_words
from spy32.render.outlook import side_record_words
from spy32.render.page import Columns, Grid, Page, Part, Prose, noun_grid, pairs
from spy32.sessions import NEW_YORK

COLUMNS = (
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
    return list_page(view, "candidates", (grid, Prose(text)))


def whole_menu_grid(
    entries: Sequence[Candidate], marked: str | None, own: Mapping[str, Callable[[Candidate], str]]
) -> Grid:
    """Every candidate with every column; `own` has those of the page, by label."""
    title = f"Candidates, expiration {entries[0].spread.expiration}" if entries else "Candidates"
    grid = candidate_grid(entries, COLUMNS, range(len(entries)), marked=marked, own=own)
    return grid._replace(title=title, continues=True)


def rejected_page(view: RunView) -> Page:
    """Every spread that did not reach the menu, with the first rule that dropped it and how far off it was."""
    dropped = view.menu.dropped if view.menu is not None else ()
    counts = view.menu.counts if view.menu is not None else {}
    counted = tuple((humanise(rule), str(number)) for rule, number in counts.items()) or (("any rule", "0"),)
    columns: Columns = {
        "spread": lambda item: (
            f"{item.strategy.short_name} {format_strike(item.short_strike)}/{format_strike(item.long_strike)}"
        ),
        "rule~": lambda item: humanise(item.rule),
        "figure>": "figure",
        "limit>": "limit",
    }
    grid = noun_grid("rejected", "Dropped spreads", dropped, columns)
    title = "Dropped, by the first rule that did it"
    return list_page(view, "rejected", (pairs(counted, "dropped by", title), grid))


VERDICTS = {Verdict.PASS: "✓ pass", Verdict.WARN: "! warn", Verdict.STOP: "✗ stop", Verdict.SKIPPED: "- skipped"}


def quality_page(view: RunView) -> Page:
    """Each quality gate with what was measured, what is allowed, and the verdict."""
    columns: Columns = {
        "gate": lambda gate: humanise(gate.name),
        "verdict": lambda gate: VERDICTS[gate.verdict],
        "figure~": "figure",
        "limit~": "limit",
        "note~1": "note",
    }
    gates, dropped = (view.quality.gates, view.quality.dropped) if view.quality is not None else ((), {})
    items = ((humanise(gate), str(number)) for gate, number in dropped.items())
    grid = noun_grid("gate", "Quality gates", gates, columns)
    return list_page(view, "quality", (grid, pairs(items, "quotes dropped by", "Quotes dropped")))


def _start_words(row: RunSummary) -> str:
    """When it started; of a run that never did the slot, which is older than its row."""
    if row.outcome is Outcome.SKIPPED and row.slot is not None:
        return f"{row.slot} slot"
    return f"{row.started_at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"


HISTORY_COLUMNS: Columns = {
    "run": lambda row: f"R{row.id}",
    "started (NY)": _start_words,
    "outcome:4": lambda row: "unfinished" if row.outcome is None else humanise(row.outcome.value),
    "cause:6": lambda row: humanise(row.cause or ""),
    "proposal:5": lambda row: format_known("P{}".format, row.proposal_id),
    "trade:1": lambda row: format_known("T{}".format, row.trade_id),
    "result>2": lambda row: format_known(format_gain, row.result),
    "exit:3": lambda row: humanise(row.exit_reason or ""),
    "what came of it~7": "headline",
    "profile:8": "profile",
}
"""On 60 columns trade, result and exit stay."""


def history_page(rows: Iterable[RunSummary]) -> Page:
    """Runs, newest first, one a line; without the columns that are empty in all of them."""
    rows = tuple(rows)
    grid = noun_grid("run", "Runs, newest first", rows, HISTORY_COLUMNS, omits_empty=True)
    return Page(parts=(grid,), following=(f"spy32 show R{rows[0].id}",) if rows else ())


def list_page(view: RunView, what: str, parts: Iterable[Part]) -> Page:
    """One list of a run under the run's heading and badges."""
    run, started = view.run, new_york_words(view.run.started_at)
    heading = f"R{run.id}, {what}: {format_outcome(run)}, started {started}"
    return Page(heading=heading, badges=view_badges(view), parts=tuple(parts))
