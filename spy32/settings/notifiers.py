"""The addresses that notices go to, as they stand in one setting: label, classes of events, address."""

from collections.abc import Iterable

from spy32.domain.notices import EventClass
from spy32.domain.value import value
from spy32.settings.knob import Secret

PING_LABEL = "ping"
"""The label of the monitor that is pinged."""


@value
class NotifyAddress:
    """One address. All but its notifier name it by its label only, since the address may hold a password."""

    label: str
    classes: frozenset[EventClass]
    url: Secret

    @property
    def scheme(self) -> str:
        """What the address begins with, such as `mailtos`."""
        return self.url.reveal().partition("://")[0]

    def wants(self, event: EventClass) -> bool:
        """Whether a notice of this class goes here. A ping goes to its own address alone."""
        return event in self.classes or (EventClass.ALWAYS in self.classes and event is not EventClass.PING)


def notify_addresses(entries: Iterable[Secret]) -> tuple[NotifyAddress, ...]:
    """The addresses of `notify.addresses`, whose form has been checked when it was read."""
    found = []
    for entry in entries:
        head, _, url = entry.reveal().partition("=")
        label, _, names = head.partition("/")
        classes = frozenset(EventClass(name) for name in (names or EventClass.ALWAYS).split("+"))
        found.append(NotifyAddress(label=label, classes=classes, url=Secret(url)))
    return tuple(found)
