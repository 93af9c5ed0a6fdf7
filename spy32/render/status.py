"""The status of a home as a page: all of it as lines, one screen of it on a terminal, or a few lines of it."""

from collections.abc import Iterator, Sequence

from spy32.domain.market import SYNTHETIC_NOTE
from spy32.domain.runs import STEPS, Run, RunSummary
from spy32.ops.logs import Level, LogEntry
from spy32.ops.status import PendingItem, Status
from spy32.render.explain import MODES, RUN_COLUMNS, format_outcome, outcome_tone
from spy32.render.formatting import (
    calendar_day,
    format_age,
    format_both_zones,
    format_count,
    format_dollars,
    humanise,
    new_york_words,
    single_line,
    ticks_as_dollars,
)
from spy32.render.open_trades import held_words, open_trade_items, result_of
from spy32.render.page import Cell, Grid, Item, Page, Pairs, Part, noun_grid, pair
from spy32.sessions import NEW_YORK, market_date

LISTED = 3
"""Entries of a list on the smallest screen; the rest is counted. Two lists of three leave room for five open trades."""


def status_page(status: Status) -> Page:
    """Everything, for plain lines."""
    parts: list[Part] = [_overview_part(status, home=True)]
    if status.alarms:
        parts.append(_alarms_part(status, len(status.alarms)))
    if status.waiting:
        parts.append(_waiting_grid(status))
    if status.trades:
        parts.append(_trades_part(status))
    if status.failures:
        parts.append(_failures_grid(status))
    parts.append(_log_part(status, len(status.recent_log)))
    return _page(status, parts, _next_commands(status))


def dashboard_pages(status: Status) -> Iterator[Page]:
    """One screen, at decreasing heights: the log goes before anything else is shortened."""
    needs_person = [_alarms_part(status, len(status.alarms)), _waiting_part(status, len(status.waiting))]
    failures = Pairs(title="Recent failures", items=tuple(_failure_item(row) for row in status.failures))
    trades = _trades_part(status)
    following = _next_commands(status)
    short = [_alarms_part(status, LISTED), _waiting_part(status, LISTED), _short_trades_part(status)]
    layouts = (
        ([_overview_part(status, home=True), *needs_person, trades, failures], following),
        ([_overview_part(status, home=True), *needs_person, trades], following),
        ([_overview_part(status), *short], following[:LISTED]),
    )
    for parts, commands in layouts:
        for entries in range(len(status.recent_log), -1, -1):
            yield _page(status, [*parts, _log_part(status, entries)], commands)


def brief_page(status: Status) -> Page:
    """What a bare `spy32` shows: the runs, what needs a person, and what to type now."""
    trades = format_count(len(status.trades), "open trade") if status.trades else ""
    parts = [
        Pairs(items=(*_run_items(status, home=status.is_new), pair("trades", trades))),
        _alarms_part(status, LISTED),
        _waiting_part(status, LISTED),
    ]
    return _page(status, parts, _useful_commands(status))


def failure_page(message: str) -> Page:
    """What `--watch` shows while the database cannot be read."""
    return Page(heading=single_line(message), tone="bad")


def _page(status: Status, parts: Sequence[Part], following: tuple[str, ...]) -> Page:
    needed = len(status.attention)
    return Page(
        heading=f"{format_count(needed, 'thing')} to look at" if needed else "nothing needs a person",
        tone="warn" if needed else "good",
        badges=(MODES[status.context.settings.mode], *((SYNTHETIC_NOTE,) if status.is_synthetic else ())),
        parts=tuple(parts),
        following=following,
    )


# What to type next.


def _next_commands(status: Status) -> tuple[str, ...]:
    if status.waiting:
        return tuple(dict.fromkeys(item.command for item in status.waiting))
    return ("spy32 analyze (makes the first run)",) if status.is_new else ()


def _useful_commands(status: Status) -> tuple[str, ...]:
    """The two or three commands that make sense now, most urgent first."""
    if status.is_new:
        return (
            "spy32 demo (the whole cycle offline, in a home that goes afterwards)",
            "spy32 config init (writes a config.toml with every setting)",
            "spy32 analyze --market recorded --analyst rules (a first run without keys)",
        )
    commands = list(_next_commands(status))
    if status.paused is not None or status.context.halted is not None:
        commands.insert(0, "spy32 resume (lifts pause and halt)")
    if status.running is not None:
        commands.append("spy32 status --watch (follows the run)")
    if status.trades:
        commands.append("spy32 positions (open trades beside the broker's view)")
    commands += ["spy32 show (the last run on one screen)", "spy32 --help (all commands)"]
    return tuple(commands[:LISTED])


# What is going on.


def _overview_part(status: Status, *, home: bool = False) -> Pairs:
    return Pairs(items=(*_run_items(status, home=home), *_account_items(status)))


def _run_items(status: Status, *, home: bool) -> Iterator[Item]:
    context, running, paused = status.context, status.running, status.paused
    reason = "" if paused is None else single_line(paused.reason) or "no reason given"
    held = "" if paused is None else f"since {format_both_zones(paused.since)}: {reason}"
    halted = "" if context.halted is None else f"{single_line(context.halted)} (nothing is sent in any mode)"
    automation = "" if context.settings.enable_automation else "off (ENABLE_AUTOMATION): scheduled runs are skipped"
    opens = status.next_slot.opens
    yield pair("mode", f"{context.settings.mode}, {context.settings.environment}")
    yield pair("home", single_line(context.home) if home else "")
    yield pair("at work", "" if running is None else _running_text(running, status))
    yield pair("last run", *_last_run_text(status))
    yield pair("next slot", f"{format_both_zones(opens)}, in {format_age(opens - context.now)}")
    yield pair("automation", automation, "warn")
    yield pair("paused", held, "warn")
    yield pair("halted", halted, "bad")


def _account_items(status: Status) -> Iterator[Item]:
    unsent = status.unsent_notices
    if status.results is not None:
        from spy32.render.results import total_words  # a home without trades does not pay for it

        yield pair("results", total_words(status.results))
    yield pair("model", *_spending_text(status))
    yield pair("unknown", ", ".join(map(single_line, status.unknown_orders)), "bad")
    yield pair("missed", _missed_text(status), "warn")
    has_addresses = status.context.settings.notify.addresses
    hint = "`spy32 notify list` says why" if has_addresses else "no address is set (notify.addresses)"
    yield pair("notices", f"{unsent} unsent; {hint}" if unsent else "")


def _last_run_text(status: Status) -> tuple[str, str]:
    if status.is_new:
        return f"none yet ({single_line(status.context.database)} is not there)", ""
    run = status.last_run
    if run is None:
        return "none yet", ""
    late = ", late" if run.late else ""
    ago = format_age(status.context.now - run.started_at)
    return f"R{run.id} {format_outcome(run)}{late}, {ago} ago: {new_york_words(run.started_at)}", outcome_tone(
        run.outcome
    )


def _running_text(run: Run, status: Status) -> str:
    step = f"step {humanise(run.step_running)}" if run.step_running is not None else "between two steps"
    progress = f"{len(run.steps)} of {len(STEPS)} steps done"
    return f"R{run.id}, {step}, for {format_age(status.context.now - run.started_at)}, {progress}"


def _spending_text(status: Status) -> tuple[str, str]:
    spending = status.model_spending
    if spending is None:
        return "", ""
    words = f"{ticks_as_dollars(spending.spent)} of {format_dollars(spending.budget)} in {spending.month}"
    return words, "warn" if spending.is_used_up else ""


def _missed_text(status: Status) -> str:
    if not status.missed:
        return ""
    newest = status.missed[0]
    day = calendar_day(market_date(newest.started_at))
    return f"{format_count(len(status.missed), 'slot')} in five weeks, the last by R{newest.id} on {day}"


# What needs a person.


def _alarms_part(status: Status, most: int) -> Pairs:
    items = [pair(str(number), single_line(reason), "warn") for number, reason in enumerate(status.alarms, 1)]
    return Pairs(name="attention", title="Needs a person", items=_first_items(items, most))


def _waiting_part(status: Status, most: int) -> Pairs:
    items = [pair(item.id, _waiting_text(item, status)) for item in status.waiting]
    return Pairs(title="Waiting for a person", items=_first_items(items, most))


def _first_items(items: list[Item], most: int) -> tuple[Item, ...]:
    more = len(items) - most
    return (*items[:most], pair("and", f"{more} more: spy32 status | more")) if more > 0 else tuple(items)


def _waiting_text(item: PendingItem, status: Status) -> str:
    until = f" · {_deadline_text(item, status)}" if item.until is not None else ""
    return f"{single_line(item.message)}{until}"


def _waiting_grid(status: Status) -> Grid:
    columns: dict[str, Cell] = {
        "id": "id", "what~": "message", "until~": lambda item: _deadline_text(item, status), "type:1": "command",
    }  # fmt: skip
    return noun_grid("waiting", "Waiting for a person", status.waiting, columns)


def _deadline_text(item: PendingItem, status: Status) -> str:
    if item.until is None:
        return "you decide"
    remaining = format_age(item.until - status.context.now)
    is_over = item.until <= status.context.now
    return format_both_zones(item.until) + (", over" if is_over else f", {remaining} left")


# Trades and failures.


def _trades_part(status: Status) -> Pairs:
    items = tuple(item for trade in status.trades for item in open_trade_items(trade))
    return Pairs(name="trade", title="Open trades", items=items)


def _short_trades_part(status: Status) -> Pairs:
    """A line each: what is held, and what closing it would earn."""
    return Pairs(items=tuple(pair(trade.id, f"{held_words(trade)} · {result_of(trade)}") for trade in status.trades))


def _failures_grid(status: Status) -> Grid:
    return noun_grid("failure", "Recent failures", status.failures, {**RUN_COLUMNS, "what came of it~2": "headline"})


def _failure_item(row: RunSummary) -> Item:
    cause = f" ({humanise(row.cause)})" if row.cause else ""
    outcome = humanise(row.outcome.value) if row.outcome is not None else "unfinished"
    headline = f": {single_line(row.headline)}" if row.headline else ""
    return pair(f"R{row.id}", f"{new_york_words(row.started_at)} {outcome}{cause}{headline}", "dim")


def _log_part(status: Status, count: int) -> Pairs:
    """The newest `count` entries of the log."""
    newest = status.recent_log[len(status.recent_log) - count :]
    return Pairs(name="log", title="Recent log", items=tuple(_log_item(entry) for entry in newest))


def _log_item(entry: LogEntry) -> Item:
    words = (
        entry.command,
        "" if entry.run is None else f"R{entry.run}",
        entry.step or "",
        "" if entry.code is None else f"code {entry.code}",
        entry.message,
    )
    text = "  ".join(single_line(word) for word in words if word)
    return pair(f"{entry.ts.astimezone(NEW_YORK):%m-%d %H:%M}", text, "dim" if entry.level == Level.INFO else "warn")
