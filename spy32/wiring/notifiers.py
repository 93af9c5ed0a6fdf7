"""Who is told: the addresses of the settings, each with what sends to it, built on use."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.notices import EventClass
from spy32.domain.value import value
from spy32.errors import Spy32Error, StoreError
from spy32.ports import Clock, Monotonic
from spy32.settings.knob import Secret
from spy32.settings.notifiers import PING_LABEL, NotifyAddress, notify_addresses

if TYPE_CHECKING:
    from spy32.clients.http import HttpClient
    from spy32.notifiers.ping import PingNotifier
    from spy32.ops.outbox import Outbox, Target
    from spy32.ports import Locks, Notifier
    from spy32.settings import Settings
    from spy32.store import Store


START_PING_SECONDS = 1.5
"""A command waits so long for the ping of its start."""


def _build_apprise(url: Secret) -> "Notifier":
    from spy32.notifiers.apprise import AppriseNotifier

    return AppriseNotifier(url)


NOTIFIERS: "Mapping[str, Callable[[Secret], Notifier]]" = {
    "apprise": _build_apprise,
}
"""Notifier builders by the scheme of their addresses; apprise has every scheme that is not here."""


def build_address_targets(settings: "Settings") -> "list[Target]":
    """Every address of the settings."""
    return [
        _build_target(address, partial(build_notifier, address))
        for address in notify_addresses(settings.notify.addresses)
    ]


def build_targets(settings: "Settings") -> "list[Target]":
    """Every address of the settings, and the monitor that is pinged."""
    targets = build_address_targets(settings)
    if settings.ping.is_set:
        address = NotifyAddress(label=PING_LABEL, classes=frozenset({EventClass.PING}), url=Secret(""))
        targets.append(_build_target(address, partial(build_ping, settings)))
    return targets


def _build_target(address: NotifyAddress, build: "Callable[[], Notifier]") -> "Target":
    from spy32.ops.outbox import Target

    return Target(address=address, build=build)


def build_notifier(address: NotifyAddress) -> "Notifier":
    """What sends to an address; `BadSettings` when it cannot be used."""
    return NOTIFIERS.get(address.scheme, NOTIFIERS["apprise"])(address.url)


def build_ping(settings: "Settings") -> "PingNotifier":
    from spy32.notifiers.ping import PingNotifier

    return PingNotifier(settings.ping, build_client)


def build_client(base: str) -> "HttpClient":
    """The client of the monitor at `base`; each request has a limit of its own."""
    from spy32.clients.http import HttpClient

    return HttpClient(
        service="the monitor",
        base=base,
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        monotonic=time.monotonic,
    )


@value
class NoticeSender:
    """Sends the notices of a home. What goes wrong is told; what a command has done stands, and its exit code too."""

    settings: "Settings"
    locks: "Locks"
    clock: Clock
    """The clock of the process."""
    monotonic: Monotonic
    open_store: "Callable[[], Store | None]"
    """Opens the database for writing; None when there is none yet."""
    state: Path
    """The folder that remembers what was told past the outbox."""
    report: Callable[[str], None]
    warn: Callable[[str], None]
    make_page: "Callable[[Store], str] | None" = None
    """Makes the report's HTML page for the weekly summary."""
    _threads: list[threading.Thread] = field(default_factory=list)
    """The ping of the start, while it is on its way."""

    def ping_start(self, rid: str) -> None:
        """Ping on a thread of its own, since a run waits for no monitor."""
        if self.settings.ping.url is not None or self.settings.ping.start is not None:
            self._threads.append(threading.Thread(target=self._ping, args=(rid,), daemon=True, name="ping start"))
            self._threads[-1].start()

    def _ping(self, rid: str) -> None:
        try:
            build_ping(self.settings).start(rid)
        except Spy32Error as error:
            self.report(f"the start was not pinged: {error.message}")

    def build_outbox(self, store: "Store") -> "Outbox":
        """What sends the notices of a store."""
        from spy32.ops.outbox import Outbox

        return Outbox(
            notices=store.notices,
            targets=build_targets(self.settings),
            locks=self.locks,
            clock=self.clock,
            monotonic=self.monotonic,
            make_page=partial(self.make_page, store) if self.make_page is not None else None,
        )

    def send(self) -> None:
        """Queue the reminders that are due and send what waits; nothing where no address is set."""
        if not (self.settings.notify.addresses or self.settings.ping.is_set):
            return
        try:
            for thread in self._threads:
                # So that the monitor hears of the start before the end.
                thread.join(START_PING_SECONDS)
            store = self.open_store()
            if store is not None:
                self._send_pending(store)
        except StoreError as trouble:
            self.warn(f"notices were not sent: {trouble.message}")
            self.send_store_trouble(trouble)
        except Exception as error:  # noqa: BLE001 - a notice never changes what came of a command
            message = error.message if isinstance(error, Spy32Error) else f"a defect ({type(error).__name__})"
            self.warn(f"notices were not sent: {message}; `spy32 notify list` shows them")

    def send_store_trouble(self, trouble: StoreError) -> None:
        """Tell of a database that cannot be used, at most once a day, straight to the addresses and the monitor."""
        from spy32.ops.logs import hide_secrets
        from spy32.ops.outbox import TroubleMarker, send_store_trouble
        from spy32.settings.describe import secret_texts

        try:
            message = hide_secrets(trouble.message, secret_texts({}, self.settings))
            marker = TroubleMarker(folder=self.state, mode=self.settings.mode, day=self.clock())
            found = send_store_trouble(message, build_targets(self.settings), marker, self.monotonic)
        except Exception as error:  # noqa: BLE001 - what stopped the command is what a person must read
            self.report(f"nobody was told of the database ({type(error).__name__})")
            return
        for label, failure in found.items():
            outcome = "was told of the database" if failure is None else f"was not told of the database: {failure}"
            self.report(f"{label} {outcome}")

    def _send_pending(self, store: "Store") -> None:
        from spy32.ops.reminders import queue_reminders

        queue_reminders(store, self.settings, self.clock())
        for delivery in self.build_outbox(store).flush():
            outcome = "was sent" if delivery.error is None else f"was not sent: {delivery.error}"
            self.report(f"notice N{delivery.notice_id} to {delivery.label} {outcome}")
