"""The status of a home as a page and as a document."""

from datetime import tzinfo

from spy32.domain.runs import Run
from spy32.ops.status import PendingItem, Status
from spy32.render.document_parts import Document, day, instant
from spy32.render.documents import VERSION, history_part, run_part
from spy32.render.explain import MODES, format_outcome, outcome_tone
from spy32.render.formatting import (
    DAYS,
    format_age,
    format_both_zones,
    format_count,
    format_dollars,
    humanise,
    single_line,
)
from spy32.render.page import Column, Grid, Page, Pairs, Part, pair
from spy32.sessions import NEW_YORK


def status_document(status: Status) -> Document:
    """Where things stand, for a monitor: `attention` empty means all is well."""
    scene, slot = status.context, status.next_slot
    return {
        "schema": "spy32.status",
        "version": VERSION,
        "mode": scene.settings.mode.value,
        "environment": scene.settings.environment.value,
        "home": scene.home,
        "database": scene.database,
        "new": status.is_new,
        "now": instant(scene.now),
        "attention": list(status.attention),
        "last_run": None if status.last_run is None else run_part(status.last_run),
        "running": None if status.running is None else run_part(status.running),
        "next_slot": {"day": day(slot.day), "opens": instant(slot.opens), "closes": instant(slot.closes)},
        "automation": scene.settings.enable_automation,
        "paused": None if status.paused is None else {"reason": status.paused[0], "since": instant(status.paused[1])},
        "halted": scene.halted,
        "waiting": [
            {"id": item.id, "message": item.message, "command": item.command, "until": instant(item.until)}
            for item in status.waiting
        ],
        "open_trades": [
            {
                "id": item.id,
                "state": item.state.value,
                "trade": item.words,
                "credit": f"{item.credit}",
                "max_loss": f"{item.max_loss}",
                "dte": item.dte,
                "next_exit": day(item.next_exit),
            }
            for item in status.trades
        ],
        "failures": [history_part(row) for row in status.failures],
        "unsent_notices": status.unsent_notices,
    }


def status_page(status: Status, here: tzinfo | None = None) -> Page:
    """One screen: mode, last run, next slot, switches, what waits, what failed."""
    needed = len(status.attention)
    parts: list[Part] = [_overview_part(status, here)]
    if status.alarms:
        reasons = tuple(
            pair(str(number), single_line(reason), "warn") for number, reason in enumerate(status.alarms, 1)
        )
        parts.append(Pairs(name="attention", title="Needs a person", items=reasons))
    if status.waiting:
        parts.append(_waiting_grid(status, here))
    if status.trades:
        parts.append(_trades_grid(status))
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


def _overview_part(status: Status, here: tzinfo | None) -> Pairs:
    scene = status.context
    items = [
        pair("mode", f"{scene.settings.mode}, {scene.settings.environment}"),
        pair("home", single_line(scene.home)),
        pair("last run", *_last_run_text(status, here)),
        pair("next slot", format_both_zones(status.next_slot.opens, here)),
    ]
    if status.running is not None:
        items.insert(2, pair("at work", _running_text(status.running, status)))
    if not scene.settings.enable_automation:
        items.append(pair("automation", "off (ENABLE_AUTOMATION): scheduled runs are skipped", "warn"))
    if status.paused is not None:
        reason, since = status.paused
        items.append(
            pair(
                "paused", f"since {format_both_zones(since, here)}: {single_line(reason) or 'no reason given'}", "warn"
            )
        )
    if scene.halted is not None:
        items.append(pair("halted", f"{single_line(scene.halted)} (nothing is sent in any mode)", "bad"))
    if status.unsent_notices:
        items.append(pair("notices", f"{status.unsent_notices} in the outbox; this version sends none"))
    return Pairs(title="Status", items=tuple(items))


def _last_run_text(status: Status, here: tzinfo | None) -> tuple[str, str]:
    if status.is_new:
        return f"none yet ({single_line(status.context.database)} is not there)", ""
    run = status.last_run
    if run is None:
        return "none yet", ""
    late = ", late" if run.late else ""
    ago = format_age(status.context.now - run.started_at)
    return f"R{run.id} {format_outcome(run)}{late}, {ago} ago: {format_both_zones(run.started_at, here)}", outcome_tone(
        run.outcome
    )


def _running_text(run: Run, status: Status) -> str:
    step = f"step {humanise(run.step_running)}" if run.step_running is not None else "between two steps"
    return f"R{run.id}, {step}, for {format_age(status.context.now - run.started_at)}"


def _waiting_grid(status: Status, here: tzinfo | None) -> Grid:
    columns = (
        Column(name="id"),
        Column(name="what", flexible=True),
        Column(name="until", flexible=True),
        Column(name="type", rank=1),
    )
    rows = tuple(
        (item.id, single_line(item.message), _deadline_text(item, status, here), item.command)
        for item in status.waiting
    )
    return Grid(name="waiting", title="Waiting for a person", columns=columns, rows=rows)


def _trades_grid(status: Status) -> Grid:
    columns = (
        Column(name="id"),
        Column(name="trade", flexible=True),
        Column(name="credit", right=True),
        Column(name="max loss", right=True),
        Column(name="DTE", right=True),
        Column(name="out by", rank=1),
        Column(name="state", rank=2),
    )
    rows = tuple(
        (
            item.id,
            item.words,
            f"{item.credit}",
            format_dollars(item.max_loss),
            str(item.dte),
            f"{item.next_exit}",
            item.state.value,
        )
        for item in status.trades
    )
    return Grid(name="trade", title="Open trades", columns=columns, rows=rows)


def _deadline_text(item: PendingItem, status: Status, here: tzinfo | None) -> str:
    if item.until is None:
        return "no end"
    remaining = format_age(item.until - status.context.now)
    is_over = item.until <= status.context.now
    return format_both_zones(item.until, here) + (", over" if is_over else f", {remaining} left")


def _failures_grid(status: Status) -> Grid:
    columns = (
        Column(name="run"),
        Column(name="started (New York)"),
        Column(name="outcome"),
        Column(name="cause", rank=1),
        Column(name="what came of it", rank=2, flexible=True),
    )
    rows = []
    for row in status.failures:
        at = row.started_at.astimezone(NEW_YORK)
        outcome = "unfinished" if row.outcome is None else humanise(row.outcome.value)
        started = f"{DAYS[at.weekday()]} {at:%Y-%m-%d %H:%M}"
        rows.append((f"R{row.id}", started, outcome, humanise(row.cause or ""), single_line(row.headline)))
    return Grid(name="failure", title="Recent failures", columns=columns, rows=tuple(rows))
