"""Notices: what a person is told when nobody sits at the terminal, and to whom each of them goes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from spy32.domain.value import value

SHORT_LENGTH = 160
"""Characters of the one-line form, the notice's id included: one SMS in the GSM alphabet (3GPP TS 23.038)."""
NOTICE_LIFE = timedelta(hours=24)
"""A notice that could not be sent for so long is given up: what it asked for is over."""


class EventClass(StrEnum):
    """What an address may ask for. `ping` is for the ping address alone."""

    TRADE = "trade"
    TROUBLE = "trouble"
    WEEKLY = "weekly"
    ALWAYS = "always"
    """Everything."""
    PING = "ping"


class NoticeKind(StrEnum):
    """What happened. The value is stored and appears in JSON."""

    PROPOSED = "proposed"
    LAPSING = "lapsing"
    """A proposal, or its approval, is about to lapse."""
    FILLED = "filled"
    NOT_FILLED = "not_filled"
    EXIT_DUE = "exit_due"
    CLOSED = "closed"
    EXPIRED = "expired"
    ASSIGNED = "assigned"
    FAILED = "failed"
    """A run failed or was interrupted."""
    MISSED = "missed"
    """A slot has gone by without a finished run."""
    UNKNOWN_ORDER = "unknown_order"
    LIMIT = "limit"
    """A limit is breached."""
    NO_TRADE = "no_trade"
    WEEK = "week"
    """The weekly summary."""
    TEST = "test"
    PING_OK = "ping_ok"
    PING_FAIL = "ping_fail"


class NoticeState(StrEnum):
    """How a notice of the outbox stands. The value appears in JSON."""

    SENT = "sent"
    UNWANTED = "unwanted"
    """No address asks for it."""
    WAITING = "waiting"
    GIVEN_UP = "given_up"


_BY_CLASS: Mapping[EventClass, tuple[NoticeKind, ...]] = {
    EventClass.TRADE: (
        NoticeKind.PROPOSED,
        NoticeKind.LAPSING,
        NoticeKind.FILLED,
        NoticeKind.NOT_FILLED,
        NoticeKind.EXIT_DUE,
        NoticeKind.CLOSED,
        NoticeKind.EXPIRED,
    ),
    EventClass.TROUBLE: (
        NoticeKind.ASSIGNED,
        NoticeKind.FAILED,
        NoticeKind.MISSED,
        NoticeKind.UNKNOWN_ORDER,
        NoticeKind.LIMIT,
    ),
    EventClass.WEEKLY: (NoticeKind.NO_TRADE, NoticeKind.WEEK),
    EventClass.ALWAYS: (NoticeKind.TEST,),
    EventClass.PING: (NoticeKind.PING_OK, NoticeKind.PING_FAIL),
}
EVENT_CLASSES: Mapping[NoticeKind, EventClass] = {kind: name for name, kinds in _BY_CLASS.items() for kind in kinds}
"""The class of each kind."""


@value
class NoticeText:
    """What is to be said, before it is stored. It names no account and holds no secret and no link."""

    kind: NoticeKind
    subject: str
    """One line, the mode first."""
    short: str
    """Everything that decides in one line, for an SMS."""
    body: str
    """The long form, plain text."""
    about: str = ""
    """What it is about (`P31`, `T31`, a week), so that a reminder is not repeated too soon; of a ping its `rid`."""


@value
class Notice(NoticeText):
    """A message in the outbox. It is pending while `sent_at` is None and it is younger than `NOTICE_LIFE`."""

    id: int
    run_id: int | None
    created_at: datetime
    sent_at: datetime | None = None
    """When the last of its addresses took it, or when it was put away since no address wants it."""
    tries: int = 0
    """Failed and successful ones."""
    error: str = ""
    """Which addresses failed at the last try, and why."""
    page: str = ""
    """The report's HTML page, for an address that takes files. It is made when the notice is sent, not stored."""

    @property
    def event_class(self) -> EventClass:
        return EVENT_CLASSES[self.kind]

    def is_given_up(self, now: datetime) -> bool:
        """Whether it is too old to be sent; it never was."""
        return self.sent_at is None and self.created_at < now - NOTICE_LIFE

    @property
    def short_text(self) -> str:
        """The one-line form with the notice's id, at most `SHORT_LENGTH` characters."""
        mark = f" (N{self.id})"
        room = SHORT_LENGTH - len(mark)
        return (self.short if len(self.short) <= room else f"{self.short[: room - 1]}…") + mark

    @property
    def long_text(self) -> str:
        """The long form with the notice's id, by which a second copy is known as one."""
        return f"{self.body}\n\nNotice N{self.id} of {self.created_at:%Y-%m-%d %H:%M} UTC."


@value
class Delivery:
    """How one address took one notice."""

    notice_id: int
    label: str
    error: str | None = None
    """Why it did not take it; None when it did."""


@value
class AddressTest:
    """How one address took a test notice."""

    label: str
    ms: int
    """Milliseconds."""
    error: str | None
    """Why it did not take it; None when it did."""
