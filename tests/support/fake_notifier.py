"""A notifier that keeps what it is sent, and may hold or fail."""

import threading
from dataclasses import dataclass, field

from spy32.domain.notices import EventClass, Notice
from spy32.errors import BadSettings
from spy32.ops.outbox import NoticeTarget
from spy32.ports import Notifier
from spy32.settings.knob import Secret
from spy32.settings.notifiers import NotifyAddress
from tests.support.timeouts import NEVER


@dataclass
class FakeNotifier:
    """Keeps what it is sent; `trouble` is raised instead, and `holds` waits first."""

    label: str = "mail"
    classes: tuple[EventClass, ...] = (EventClass.ALWAYS,)
    trouble: Exception | None = None
    unusable: BadSettings | None = None
    holds: threading.Event | None = None
    got: list[str] = field(default_factory=list)
    """Subjects."""
    notices: list[Notice] = field(default_factory=list)

    def send(self, notice: Notice) -> None:
        if self.holds is not None:
            self.holds.wait(NEVER)
        if self.trouble is not None:
            raise self.trouble
        self.got.append(notice.subject)
        self.notices.append(notice)

    def target(self) -> NoticeTarget:
        def build() -> Notifier:
            if self.unusable is not None:
                raise self.unusable
            return self

        address = NotifyAddress(label=self.label, classes=frozenset(self.classes), url=Secret("json://nowhere"))
        return NoticeTarget(address=address, build=build)
