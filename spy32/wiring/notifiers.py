"""Who is told: the addresses of the settings, each with what sends to it, built on use."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from spy32.domain.notices import EventClass
from spy32.errors import Spy32Error, StoreError
from spy32.settings import Settings
from spy32.settings.knob import Secret
from spy32.settings.notifiers import PING_LABEL, NotifyAddress, notify_addresses

if TYPE_CHECKING:
    from spy32.clients.http import HttpClient
    from spy32.notifiers.ping import PingNotifier
    from spy32.ops.outbox import NoticeTarget, Outbox
    from spy32.ports import Notifier
    from spy32.store import Store
    from spy32.wiring.base import AppBase


START_PING_SECONDS = 1.5
"""A command waits so long for the ping of its start."""


def _build_apprise(url: Secret) -> "Notifier":
    from spy32.notifiers.apprise import AppriseNotifier

    return AppriseNotifier(url)


NOTIFIERS: "Mapping[str, Callable[[Secret], Notifier]]" = {
    "apprise": _build_apprise,
}
"""Notifier builders by the scheme of their addresses; apprise has every scheme that is not here."""


def build_address_targets(settings: Settings) -> "list[NoticeTarget]":
    """Every address of the settings."""
    return [
        _build_target(address, partial(build_notifier, address))
        for address in notify_addresses(settings.notify.addresses)
    ]


def build_targets(settings: Settings) -> "list[NoticeTarget]":
    """Every address of the settings, and the monitor that is pinged."""
    targets = build_address_targets(settings)
    if settings.ping.is_set:
        address = NotifyAddress(label=PING_LABEL, classes=frozenset({EventClass.PING}), url=Secret(""))
        targets.append(_build_target(address, partial(build_ping, settings)))
    return targets


def _build_target(address: NotifyAddress, build: "Callable[[], Notifier]") -> "NoticeTarget":
    from spy32.ops.outbox import NoticeTarget

    return NoticeTarget(address=address, build=build)


def build_notifier(address: NotifyAddress) -> "Notifier":
    """What sends to an address; `BadSettings` when it cannot be used."""
    return NOTIFIERS.get(address.scheme, NOTIFIERS["apprise"])(address.url)


def build_ping(settings: Settings) -> "PingNotifier":
    from spy32.notifiers.ping import PingNotifier

    return PingNotifier(settings.ping, build_client)


def build_client(base: str) -> "HttpClient":
    """The client of the monitor at `base`; each request has a limit of its own."""
    from spy32.wiring.process import build_http

    return build_http("the monitor", base, lambda: datetime.now(UTC))


class NoticeSender:
    """Sends the notices of a home. What goes wrong is told; what a command has done stands, and its exit code too."""

    def __init__(self, app: "AppBase") -> None:
        self._app, self._settings = app, app.settings
        self._threads: list[threading.Thread] = []
        """The ping of the start, while it is on its way."""

    def ping_start(self, rid: str) -> None:
        """Ping on a thread of its own, since a run waits for no monitor."""
        if self._settings.ping.url is not None or self._settings.ping.start is not None:
            self._threads.append(threading.Thread(target=self._ping, args=(rid,), daemon=True, name="ping start"))
            self._threads[-1].start()

    def _ping(self, rid: str) -> None:
        try:
            build_ping(self._settings).start(rid)
        except Spy32Error as error:
            self._app.report(f"the start was not pinged: {error.message}")

    def build_outbox(self, store: "Store") -> "Outbox":
        """What sends the notices of a store."""
        from spy32.ops.outbox import Outbox

        app = self._app
        return Outbox(
            notices=store.notices,
            targets=build_targets(self._settings),
            locks=app.locks,
            clock=app.process_clock.now,
            monotonic=app.monotonic,
            make_page=partial(app.make_page, store) if app.make_page is not None else None,
        )

    def send(self) -> None:
        """Queue the reminders that are due and send what waits; nothing where no address is set."""
        if not (self._settings.notify.addresses or self._settings.ping.is_set):
            return
        try:
            for thread in self._threads:
                # So that the monitor hears of the start before the end.
                thread.join(START_PING_SECONDS)
            if self._app.database.exists():
                self._send_pending(self._app.store())
        except StoreError as error:
            self._app.warn(f"notices were not sent: {error.message}")
            self.send_store_error(error)
        except Exception as error:  # noqa: BLE001 - a notice never changes what came of a command
            message = error.message if isinstance(error, Spy32Error) else f"a defect ({type(error).__name__})"
            self._app.warn(f"notices were not sent: {message}; `spy32 notify list` shows them")

    def send_store_error(self, error: StoreError) -> None:
        """Tell of a database that cannot be used, at most once a day, straight to the addresses and the monitor."""
        from spy32.ops.logs import hide_secrets
        from spy32.ops.outbox import StoreErrorMarker, send_store_error
        from spy32.settings.describe import secret_texts

        try:
            message = hide_secrets(error.message, secret_texts({}, self._settings))
            day, state = self._app.process_clock.now(), self._app.locations.state
            marker = StoreErrorMarker(folder=state, mode=self._settings.mode, day=day)
            found = send_store_error(message, build_targets(self._settings), marker, self._app.monotonic)
        except Exception as bug:  # noqa: BLE001 - what stopped the command is what a person must read
            self._app.report(f"nobody was told of the database ({type(bug).__name__})")
            return
        for label, failure in found.items():
            outcome = "was told of the database" if failure is None else f"was not told of the database: {failure}"
            self._app.report(f"{label} {outcome}")

    def _send_pending(self, store: "Store") -> None:
        from spy32.ops.reminders import queue_reminders

        queue_reminders(store, self._settings, self._app.process_clock.now())
        for delivery in self.build_outbox(store).flush():
            outcome = "was sent" if delivery.error is None else f"was not sent: {delivery.error}"
            self._app.report(f"notice N{delivery.notice_id} to {delivery.label} {outcome}")
