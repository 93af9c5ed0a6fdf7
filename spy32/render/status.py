"""The status of a home as a page and as a document."""

from datetime import tzinfo

from spy32.domain.running import Run
from spy32.ops.status import Status, Waiting
from spy32.render.document_parts import Document, day, instant
from spy32.render.documents import VERSION, history_part, run_part
from spy32.render.explain import MODES, outcome_of, tone_of
from spy32.render.page import Column, Grid, Page, Pairs, Part, pair
from spy32.render.words import DAYS, age, both_zones, count, dollars, flat, human
from spy32.sessions import NEW_YORK


def status_document(status: Status) -> Document:
    """Where things stand, for a monitor: `attention` empty means all is well."""
    scene, slot = status.scene, status.next_slot
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
            {"id": one.id, "message": one.message, "command": one.command, "until": instant(one.until)}
            for one in status.waiting
        ],
        "open_trades": [
            {
                "id": one.id,
                "state": one.state.value,
                "trade": one.words,
                "credit": f"{one.credit}",
                "max_loss": f"{one.max_loss}",
                "dte": one.dte,
                "next_exit": day(one.next_exit),
            }
            for one in status.trades
        ],
        "failures": [history_part(row) for row in status.failures],
        "unsent_notices": status.unsent_notices,
    }


def status_page(status: Status, here: tzinfo | None = None) -> Page:
    """One screen: mode, last run, next slot, switches, what waits, what failed."""
    needed = len(status.attention)
    parts: list[Part] = [_overview(status, here)]
    waiting = {one.message for one in status.waiting}
    others = [flat(reason) for reason in status.attention if reason not in waiting]
    if others:
        reasons = tuple(pair(str(number), reason, "warn") for number, reason in enumerate(others, 1))
        parts.append(Pairs(name="attention", title="Needs a person", items=reasons))
    if status.waiting:
        parts.append(_waiting(status, here))
    if status.trades:
        parts.append(_trades(status))
    if status.failures:
        parts.append(_failures(status))
    return Page(
        heading=f"{count(needed, 'thing')} to look at" if needed else "nothing needs a person",
        tone="warn" if needed else "good",
        badges=(MODES[status.scene.settings.mode],),
        parts=tuple(parts),
        following=_following(status),
    )


def _following(status: Status) -> tuple[str, ...]:
    if status.waiting:
        return tuple(dict.fromkeys(one.command for one in status.waiting))
    return ("spy32 analyze (makes the first run)",) if status.is_new else ()


def _overview(status: Status, here: tzinfo | None) -> Pairs:
    scene = status.scene
    items = [
        pair("mode", f"{scene.settings.mode}, {scene.settings.environment}"),
        pair("home", flat(scene.home)),
        pair("last run", *_last(status, here)),
        pair("next slot", both_zones(status.next_slot.opens, here)),
    ]
    if status.running is not None:
        items.insert(2, pair("at work", _running(status.running, status)))
    if not scene.settings.enable_automation:
        items.append(pair("automation", "off (ENABLE_AUTOMATION): scheduled runs are skipped", "warn"))
    if status.paused is not None:
        reason, since = status.paused
        items.append(pair("paused", f"since {both_zones(since, here)}: {flat(reason) or 'no reason given'}", "warn"))
    if scene.halted is not None:
        items.append(pair("halted", f"{flat(scene.halted)} (nothing is sent in any mode)", "bad"))
    if status.unsent_notices:
        items.append(pair("notices", f"{status.unsent_notices} in the outbox; this version sends none"))
    return Pairs(title="Status", items=tuple(items))


def _last(status: Status, here: tzinfo | None) -> tuple[str, str]:
    if status.is_new:
        return f"none yet ({flat(status.scene.database)} is not there)", ""
    run = status.last_run
    if run is None:
        return "none yet", ""
    late = ", late" if run.late else ""
    ago = age(status.scene.now - run.started_at)
    return f"R{run.id} {outcome_of(run)}{late}, {ago} ago: {both_zones(run.started_at, here)}", tone_of(run.outcome)


def _running(run: Run, status: Status) -> str:
    step = f"step {human(run.step_running)}" if run.step_running is not None else "between two steps"
    return f"R{run.id}, {step}, for {age(status.scene.now - run.started_at)}"


def _waiting(status: Status, here: tzinfo | None) -> Grid:
    columns = (
        Column(name="id"),
        Column(name="what", flexible=True),
        Column(name="until", flexible=True),
        Column(name="type", rank=1),
    )
    rows = tuple((one.id, flat(one.message), _until(one, status, here), one.command) for one in status.waiting)
    return Grid(name="waiting", title="Waiting for a person", columns=columns, rows=rows)


def _trades(status: Status) -> Grid:
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
        (one.id, one.words, f"{one.credit}", dollars(one.max_loss), str(one.dte), f"{one.next_exit}", one.state.value)
        for one in status.trades
    )
    return Grid(name="trade", title="Open trades", columns=columns, rows=rows)


def _until(one: Waiting, status: Status, here: tzinfo | None) -> str:
    if one.until is None:
        return "no end"
    left = age(one.until - status.scene.now)
    over = one.until <= status.scene.now
    return both_zones(one.until, here) + (", over" if over else f", {left} left")


def _failures(status: Status) -> Grid:
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
        outcome = "unfinished" if row.outcome is None else human(row.outcome.value)
        started = f"{DAYS[at.weekday()]} {at:%Y-%m-%d %H:%M}"
        rows.append((f"R{row.id}", started, outcome, human(row.cause or ""), flat(row.headline)))
    return Grid(name="failure", title="Recent failures", columns=columns, rows=tuple(rows))
