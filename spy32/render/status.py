"""The status of a home as a page: all of it, as much as a terminal holds, or a few lines of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from spy32.domain.market import SYNTHETIC_NOTE
from spy32.domain.runs import STEPS, Run, RunSummary
from spy32.ops.logs import Level, LogEntry
from spy32.ops.status import PendingItem, Status
from spy32.render.explain import MODES, OUTCOME_TONES, format_outcome
from spy32.render.formatting import (
    calendar_day,
    format_age,
    format_both_zones,
    format_count,
    format_dollars,
    format_known,
    humanise,
    new_york_words,
    single_line,
    ticks_as_dollars,
)
from spy32.render.logs import entry_words
from spy32.render.marks import UNMARKED, held_words, open_trade_items, result_words, total_words
from spy32.render.page import Fact, Facts, Page, Pairs, pairs
from spy32.sessions import NEW_YORK, market_date

LISTED = 3
"""Entries of a list on the smallest screen; the rest is counted. Two lists of three leave room for five open trades."""


def dashboard_pages(status: Status) -> Iterator[Page]:
    """Everything, and then one screen at decreasing heights: the log goes before anything else is shortened."""
    whole = [_overview_part(status, home=True), *_person_parts(status), _trades_part(status)]
    held = (
        (trade.id, f"{held_words(trade)} · {UNMARKED if trade.mark is None else result_words(trade.mark, trade.trade)}")
        for trade in status.trades
    )
    following = _next_commands(status)
    layouts: tuple[tuple[list[Pairs], tuple[str, ...]], ...] = (
        ([*whole, pairs(map(_failure_item, status.failures), "failure", "Recent failures")], following),
        (whole, following),
        ([_overview_part(status, home=False), *_person_parts(status, LISTED), pairs(held)], following[:LISTED]),
    )
    for parts, commands in layouts:
        for entries in range(len(status.recent_log), -1, -1):
            newest = status.recent_log[len(status.recent_log) - entries :]
            yield _page(status, [*parts, pairs(map(_log_item, newest), "log", "Recent log")], commands)


def brief_page(status: Status) -> Page:
    """What a bare `spy32` shows: the runs, what needs a person, and what to type now."""
    trades = format_count(len(status.trades), "open trade") if status.trades else ""
    runs = pairs((*_run_items(status, home=status.is_new), ("trades", trades)))
    return _page(status, [runs, *_person_parts(status, LISTED)], _useful_commands(status))


def failure_page(message: str) -> Page:
    """What `--watch` shows while the database cannot be read."""
    return Page(heading=single_line(message), tone="bad")


def _page(status: Status, parts: Sequence[Pairs], following: tuple[str, ...]) -> Page:
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


def _overview_part(status: Status, *, home: bool) -> Pairs:
    return pairs((*_run_items(status, home=home), *_account_items(status)))


def _run_items(status: Status, *, home: bool) -> Facts:
    context, running, paused = status.context, status.running, status.paused
    opens = status.next_slot.opens
    yield "mode", f"{context.settings.mode}, {context.settings.environment}"
    yield "home", context.home if home else ""
    if running is not None:
        yield "at work", _running_words(running, status)
    yield _last_run_item(status)
    yield "next slot", f"{format_both_zones(opens)}, in {format_age(opens - context.now)}"
    if not context.settings.enable_automation:
        yield "automation", "off (ENABLE_AUTOMATION): scheduled runs are skipped", "warn"
    if paused is not None:
        reason = paused.reason or "no reason given"
        yield "paused", f"since {format_both_zones(paused.since)}: {reason}", "warn"
    if context.halted is not None:
        yield "halted", f"{context.halted} (nothing is sent in any mode)", "bad"


def _account_items(status: Status) -> Facts:
    spending, unsent = status.model_spending, status.unsent_notices
    if status.results is not None:
        yield "results", total_words(status.results)
    if spending is not None:
        words = f"{ticks_as_dollars(spending.spent)} of {format_dollars(spending.budget)} in {spending.month}"
        yield "model", words, "warn" if spending.is_used_up else ""
    yield "unknown", ", ".join(status.unknown_orders), "bad"
    if status.missed:
        newest = status.missed[0]
        slots, day = format_count(len(status.missed), "slot"), calendar_day(market_date(newest.started_at))
        yield "missed", f"{slots} in five weeks, the last by R{newest.id} on {day}", "warn"
    has_addresses = status.context.settings.notify.addresses
    hint = "`spy32 notify list` says why" if has_addresses else "no address is set (notify.addresses)"
    yield "notices", f"{unsent} unsent; {hint}" if unsent else ""


def _last_run_item(status: Status) -> Fact:
    run = status.last_run
    if status.is_new or run is None:
        return ("last run", f"none yet ({status.context.database} is not there)" if status.is_new else "none yet")
    late, ago = ", late" * run.late, format_age(status.context.now - run.started_at)
    words = f"R{run.id} {format_outcome(run)}{late}, {ago} ago: {new_york_words(run.started_at)}"
    return ("last run", words, OUTCOME_TONES.get(run.outcome, ""))


def _running_words(run: Run, status: Status) -> str:
    step = format_known("step {}".format, run.step_running, "between two steps")
    progress = f"{len(run.steps)} of {len(STEPS)} steps done"
    return f"R{run.id}, {humanise(step)}, for {format_age(status.context.now - run.started_at)}, {progress}"


# What needs a person.


def _person_parts(status: Status, most: int | None = None) -> list[Pairs]:
    """What must be looked at, and what waits for an answer; only the first ones of each on demand."""
    alarms = [(str(number), reason, "warn") for number, reason in enumerate(status.alarms, 1)]
    waiting = [(item.id, _waiting_words(item, status.context.now)) for item in status.waiting]
    return [
        pairs(_first_items(alarms, most), "attention", "Needs a person"),
        pairs(_first_items(waiting, most), "waiting", "Waiting for a person"),
    ]


def _first_items(items: Sequence[Fact], most: int | None) -> Sequence[Fact]:
    if most is None or len(items) <= most:
        return items
    return [*items[:most], ("and", f"{len(items) - most} more: spy32 status | more")]


def _waiting_words(item: PendingItem, now: datetime) -> str:
    if item.until is None:
        return item.message
    left = "over" if item.until <= now else f"{format_age(item.until - now)} left"
    return f"{item.message} · {format_both_zones(item.until)}, {left}"


# Trades, failures and the log.


def _trades_part(status: Status) -> Pairs:
    return pairs((item for trade in status.trades for item in open_trade_items(trade)), "trade", "Open trades")


def _failure_item(row: RunSummary) -> Fact:
    headline = f": {row.headline}" if row.headline else ""
    return (f"R{row.id}", f"{new_york_words(row.started_at)} {format_outcome(row)}{headline}", "dim")


def _log_item(entry: LogEntry) -> Fact:
    tone = "dim" if entry.level == Level.INFO else "warn"
    return (f"{entry.ts.astimezone(NEW_YORK):%m-%d %H:%M}", entry_words(entry), tone)
