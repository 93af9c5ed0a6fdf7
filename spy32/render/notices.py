"""The outbox and its addresses as pages, lines and documents. An address is its label; nothing else of it is shown."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from spy32.domain.notices import AddressTest, Delivery, Notice, NoticeKind, NoticeState
from spy32.domain.value import value
from spy32.render.encoder import Key, Part
from spy32.render.formatting import format_count, format_milliseconds, humanise, new_york_words
from spy32.render.page import Columns, Page, noun_grid
from spy32.settings.model import WEEKDAYS, Environment, Schedule
from spy32.settings.notifiers import NotifyAddress

RECIPE_MARGIN = timedelta(minutes=15)
"""A check waits so long beyond the grace of the slot: the start of cron that tells that a slot is lost."""


@value
class ListedAddress:
    """An address by its label, and the classes of events that it gets."""

    label: str
    events: tuple[str, ...]


@value
class ListedNotice:
    """A notice of the outbox and how it stands."""

    notice: Notice
    sent_to: tuple[str, ...]
    """Labels of the addresses that have taken it."""
    state: NoticeState


@value
class NoticeList:
    """Addresses, and the newest notices first."""

    addresses: tuple[ListedAddress, ...]
    notices: tuple[ListedNotice, ...]


@value
class NotifyTestResults:
    """The results of `notify test`."""

    results: tuple[AddressTest, ...]


@value
class FlushResult:
    """What `notify flush` sent, and how many notices still wait."""

    deliveries: tuple[Delivery, ...]
    waiting: int


Part(ListedAddress)
Part(AddressTest)
Part(
    ListedNotice,
    "id at kind subject text state sent_at sent_to tries error",
    inner="notice",
    id=Key(str, lambda row: f"N{row.notice.id}", "As the text of the notice has it."),
    at=Key(datetime, "notice.created_at"),
    kind=Key(NoticeKind, "notice.kind"),
    text=Key(str, "notice.short", "The one-line form."),
    error=Key(str | None, lambda row: row.notice.error or None, "Which addresses failed at the last try, and why."),
)
Part(Delivery, "id label error", id=Key(str, lambda row: f"N{row.notice_id}"))
NOTICES = Part(NoticeList, called="spy32.notices")
TESTED = Part(NotifyTestResults, called="spy32.notify_test")
FLUSHED = Part(FlushResult, called="spy32.notify_flush")


def notice_list(
    addresses: Sequence[NotifyAddress], rows: Sequence[tuple[Notice, frozenset[str]]], now: datetime
) -> NoticeList:
    """What `notify list` shows; each notice with the labels of the addresses that have taken it."""
    return NoticeList(
        addresses=tuple(ListedAddress(label=each.label, events=tuple(sorted(each.classes))) for each in addresses),
        notices=tuple(
            ListedNotice(notice=row, sent_to=tuple(sorted(served)), state=_state(row, served, now))
            for row, served in rows
        ),
    )


def _state(notice: Notice, served: frozenset[str], now: datetime) -> NoticeState:
    if notice.sent_at is not None:
        return NoticeState.SENT if served else NoticeState.UNWANTED
    return NoticeState.GIVEN_UP if notice.is_given_up(now) else NoticeState.WAITING


def notices_page(listed: NoticeList) -> Page:
    """The addresses, and a row a notice; without an address, what sets one."""
    columns: Columns = {
        "id": lambda row: f"N{row.notice.id}",
        "queued~": lambda row: new_york_words(row.notice.created_at),
        "state": lambda row: humanise(row.state),
        "subject~": "notice.subject",
        "sent to~": lambda row: ", ".join(row.sent_to),
        "failed at~1": "notice.error",
    }
    addresses: Columns = {"label": "label", "gets~": lambda address: ", ".join(address.events)}
    waiting = sum(row.state is NoticeState.WAITING for row in listed.notices)
    heading = f"{format_count(waiting, 'notice')} unsent" if waiting else "nothing waits to be sent"
    return Page(
        heading=heading if listed.addresses else f"{heading}; set an address (notify.addresses) to be told",
        tone="warn" if waiting else "good",
        parts=(
            noun_grid("address", "Addresses", listed.addresses, addresses),
            noun_grid("notice", "Newest notices", listed.notices, columns),
        ),
        following=("spy32 notify flush",) if waiting and listed.addresses else (),
    )


def tested_lines(results: Sequence[AddressTest]) -> Iterator[str]:
    """A line an address."""
    for result in results:
        words = f"not reached: {result.error}" if result.error is not None else "took it"
        yield f"{result.label}: {words} ({format_milliseconds(result.ms)})"


def flushed_lines(deliveries: Sequence[Delivery], waiting: int, *, has_addresses: bool) -> Iterator[str]:
    """A line a delivery, and how many notices still wait."""
    for delivery in deliveries:
        outcome = f"was not sent: {delivery.error}" if delivery.error else "was sent"
        yield f"N{delivery.notice_id} to {delivery.label} {outcome}"
    if not has_addresses:
        yield "no address is set (notify.addresses), so nothing is sent"
    elif not deliveries:
        yield "another process is sending what waits" if waiting else "nothing waits to be sent"


def ping_recipe(schedule: Schedule, environment: Environment) -> Iterator[str]:
    """How a check at healthchecks.io, or in its shape, is set up for the slot: only it sees a machine that is off."""
    is_daily = environment is Environment.DEVELOPMENT
    hour, minute = (schedule.development_time if is_daily else schedule.time).split(":")
    days = "1-5" if is_daily else f"{WEEKDAYS.index(schedule.weekday) + 1}"
    grace = timedelta(minutes=schedule.grace_minutes) + RECIPE_MARGIN
    hours, minutes = divmod(round(grace.total_seconds()) // 60, 60)
    yield "a check that sees a machine that is off (healthchecks.io: Schedule, Cron):"
    yield f"  schedule   {int(minute)} {int(hour)} * * {days}"
    yield "  time zone  America/New_York"
    yield f"  grace      {hours} h {minutes} min"
    yield "then put its ping address into .env as SPY32_PING_URL=https://hc-ping.com/..."
