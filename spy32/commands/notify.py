"""`notify`: try the addresses, look into the outbox, send what waits in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from spy32.commands.common import App, get_app, print_answer, print_lines
from spy32.errors import BadSettings, BadUsage, Unavailable

if TYPE_CHECKING:
    from spy32.ops.outbox import NoticeTarget

LISTED = 20
"""Newest notices that are listed."""


def test(
    ctx: typer.Context,
    label: Annotated[str | None, typer.Argument(help="Label of one address; all by default.")] = None,
    ping: Annotated[
        bool, typer.Option("--ping", help="Try the monitor instead, and print the check that it needs.")
    ] = False,
) -> None:
    """Send a test notice now and say which address took it; 75 when one did not."""
    from spy32.ops.outbox import try_targets
    from spy32.render.notices import TESTED, NotifyTestResults, tested_lines

    app = get_app(ctx)
    if ping:
        _test_ping(app, label)
        return
    results = try_targets(_chosen_targets(app, label), app.settings.mode, app.process_clock.now(), app.monotonic)
    print_answer(app, TESTED, NotifyTestResults(results=results), tested_lines(results))
    failed = [result.label for result in results if result.error]
    if failed:
        _end_unsent(app, f"not reached: {', '.join(failed)}")


def _chosen_targets(app: App, label: str | None) -> "Sequence[NoticeTarget]":
    """The addresses of the settings, or the one of that label."""
    from spy32.wiring.notifiers import build_address_targets

    targets = build_address_targets(app.settings)
    if not targets:
        raise BadSettings(
            "notify.addresses is not set; put SPY32_NOTIFY_ADDRESSES=mail=mailtos://... into .env "
            "(docs/notices.md has the forms)"
        )
    chosen = [target for target in targets if label in (None, target.label)]
    if not chosen:
        raise BadUsage(f"no address is called {label}; there are {', '.join(target.label for target in targets)}")
    return chosen


def _test_ping(app: App, label: str | None) -> None:
    """Send a line that changes no state of the check, and print how to set the check up."""
    from spy32.render.notices import ping_recipe
    from spy32.wiring.notifiers import build_ping

    if label is not None or app.wants_json:
        raise BadUsage("--ping takes neither a label nor --json")
    print_lines(app, ping_recipe(app.settings.schedule, app.settings.environment))
    if not app.settings.ping.is_set:
        raise BadSettings("no [ping] address is set; put SPY32_PING_URL=https://... into .env")
    was_asked = build_ping(app.settings).log("a test of spy32; nothing has run")
    words = "the monitor answered" if was_asked else "addresses of single events are not called by a test"
    print_lines(app, [words])


def notices(ctx: typer.Context) -> None:
    """The addresses by their labels, and the newest notices: sent, waiting, or given up after a day."""
    from spy32.render.notices import NOTICES, notice_list, notices_page
    from spy32.wiring.notifiers import build_targets

    app = get_app(ctx)
    outbox = app.open_for_reading().notices if app.has_store else None
    rows = [(row, outbox.labels_served(row.id)) for row in outbox.select_newest(LISTED)] if outbox is not None else []
    listed = notice_list([target.address for target in build_targets(app.settings)], rows, app.process_clock.now())
    print_answer(app, NOTICES, listed, notices_page(listed))


def flush(ctx: typer.Context) -> None:
    """Send what waits in the outbox now; 75 when something still waits."""
    from spy32.ops.reminders import queue_reminders
    from spy32.render.notices import FLUSHED, FlushResult, flushed_lines

    app = get_app(ctx)
    app.check_store_exists()
    store = app.store()
    outbox = app.notice_sender.build_outbox(store)
    if outbox.targets:
        queue_reminders(store, app.settings, app.process_clock.now())
    deliveries = outbox.flush()
    waiting = len(store.notices.select_pending(app.process_clock.now()))
    lines = flushed_lines(deliveries, waiting, has_addresses=bool(outbox.targets))
    print_answer(app, FLUSHED, FlushResult(deliveries=deliveries, waiting=waiting), lines)
    if waiting and outbox.targets:
        _end_unsent(app, f"{waiting} unsent; the next command tries again, `spy32 notify list` says why")


def _end_unsent(app: App, message: str) -> NoReturn:
    """End with 75; a JSON document has told why already."""
    if app.wants_json:
        raise typer.Exit(Unavailable.code)
    raise Unavailable(message)
