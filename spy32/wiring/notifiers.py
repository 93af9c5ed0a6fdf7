"""Who is told: the addresses of the settings, each with what sends to it, built on use."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from spy32.domain.notices import EventClass
from spy32.errors import BadSettings
from spy32.settings.knob import Secret
from spy32.settings.notifiers import PING_LABEL, NotifyAddress, notify_addresses

if TYPE_CHECKING:
    from spy32.clients.http import HttpClient
    from spy32.notifiers.ping import PingNotifier
    from spy32.ops.outbox import Target
    from spy32.ports import Notifier
    from spy32.settings import Settings


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
    """What sends to an address; `BadSettings` that names its label when it cannot be used."""
    build = NOTIFIERS.get(address.scheme, NOTIFIERS["apprise"])
    try:
        return build(address.url)
    except BadSettings as error:
        raise BadSettings(f"notify.addresses: {address.label}: {error.message}") from None


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
