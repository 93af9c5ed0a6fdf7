"""The status of a home as a page."""

from spy32.domain.runs import Run
from spy32.ops.status import PendingItem, Status
from spy32.render.explain import MODES, RUN_COLUMNS, format_outcome, outcome_tone
from spy32.render.formatting import format_age, format_both_zones, format_count, humanise, single_line
from spy32.render.open_trades import open_trade_items
from spy32.render.page import Cell, Grid, Page, Pairs, Part, noun_grid, pair


def status_page(status: Status) -> Page:
    """One screen: mode, last run, next slot, switches, what waits, what failed."""
    needed = len(status.attention)
    parts: list[Part] = [_overview_part(status)]
    if status.alarms:
        reasons = tuple(
            pair(str(number), single_line(reason), "warn") for number, reason in enumerate(status.alarms, 1)
        )
        parts.append(Pairs(name="attention", title="Needs a person", items=reasons))
    if status.waiting:
        parts.append(_waiting_grid(status))
    if status.trades:
        items = tuple(item for trade in status.trades for item in open_trade_items(trade))
        parts.append(Pairs(name="trade", title="Open trades", items=items))
    if status.failures:
        parts.append(_failures_grid(status))
    return Page(
        heading=f"{format_count(needed, 'thing')} to look at" if needed else "nothing needs a person",
        tone="warn" if needed else "good",
        badges=(MODES[status.context.settings.mode],),
        parts=tuple(parts),
        following=_next_commands(status),
    )


def _next_commands(status: Status) -> tuple[str, ...]:
    if status.waiting:
        return tuple(dict.fromkeys(item.command for item in status.waiting))
    return ("spy32 analyze (makes the first run)",) if status.is_new else ()


def _overview_part(status: Status) -> Pairs:
    context, running, paused = status.context, status.running, status.paused
    reason = "" if paused is None else single_line(paused.reason) or "no reason given"
    held = "" if paused is None else f"since {format_both_zones(paused.since)}: {reason}"
    halted = "" if context.halted is None else f"{single_line(context.halted)} (nothing is sent in any mode)"
    automation = "" if context.settings.enable_automation else "off (ENABLE_AUTOMATION): scheduled runs are skipped"
    unsent = status.unsent_notices
    items = (
        pair("mode", f"{context.settings.mode}, {context.settings.environment}"),
        pair("home", single_line(context.home)),
        pair("at work", "" if running is None else _running_text(running, status)),
        pair("last run", *_last_run_text(status)),
        pair("next slot", format_both_zones(status.next_slot.opens)),
        pair("automation", automation, "warn"),
        pair("paused", held, "warn"),
        pair("halted", halted, "bad"),
        pair("notices", f"{unsent} in the outbox; this version sends none" if unsent else ""),
    )
    return Pairs(title="Status", items=items)


def _last_run_text(status: Status) -> tuple[str, str]:
    if status.is_new:
        return f"none yet ({single_line(status.context.database)} is not there)", ""
    run = status.last_run
    if run is None:
        return "none yet", ""
    late = ", late" if run.late else ""
    ago = format_age(status.context.now - run.started_at)
    return f"R{run.id} {format_outcome(run)}{late}, {ago} ago: {format_both_zones(run.started_at)}", outcome_tone(
        run.outcome
    )


def _running_text(run: Run, status: Status) -> str:
    step = f"step {humanise(run.step_running)}" if run.step_running is not None else "between two steps"
    return f"R{run.id}, {step}, for {format_age(status.context.now - run.started_at)}"


def _waiting_grid(status: Status) -> Grid:
    columns: dict[str, Cell] = {
        "id": "id", "what~": "message", "until~": lambda item: _deadline_text(item, status), "type:1": "command",
    }  # fmt: skip
    return noun_grid("waiting", "Waiting for a person", status.waiting, columns)


def _deadline_text(item: PendingItem, status: Status) -> str:
    if item.until is None:
        return "no end"
    remaining = format_age(item.until - status.context.now)
    is_over = item.until <= status.context.now
    return format_both_zones(item.until) + (", over" if is_over else f", {remaining} left")


def _failures_grid(status: Status) -> Grid:
    return noun_grid("failure", "Recent failures", status.failures, {**RUN_COLUMNS, "what came of it~2": "headline"})
