"""Sends the notices that wait in the outbox: each once to each address that wants it, in bounded time.

A notice is sent at least once, never by two processes at a time: one kernel lock covers reading, sending and marking.
What fails here is on record, and neither a run nor a command ends otherwise for it. Of a database that cannot be opened
or written the addresses are told directly, at most once a New York day.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from spy32.domain.notices import AddressTest, Delivery, EventClass, Notice, NoticeKind, NoticeText
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import ExitCode, Spy32Error, Unavailable
from spy32.ports import Clock, Locks, Monotonic, Notifier
from spy32.records.notices import Notices
from spy32.rules.notices import sample_notice, store_error_notices
from spy32.sessions import market_date
from spy32.settings.notifiers import NotifyAddress

OUTBOX_LOCK = "notices"
ADDRESS_SECONDS = 5.0
"""An address has so long for everything that waits for it. All are served at a time, so that together with the ping of
the start, the wait for another process and the loading of apprise they take at most 10 s."""
LOCK_SECONDS = 2.0
"""A start waits so long for another one that sends."""
TOO_SLOW = f"no answer within {ADDRESS_SECONDS:.0f} s"


@value
class NoticeTarget:
    """An address and what sends to it, which is built only when there is something to send."""

    address: NotifyAddress
    build: Callable[[], Notifier]
    """`Spy32Error` when the address cannot be used."""

    @property
    def label(self) -> str:
        return self.address.label


@value
class Outbox:
    """What sending needs."""

    notices: Notices
    targets: Sequence[NoticeTarget]
    locks: Locks
    clock: Clock
    """The clock of the process."""
    monotonic: Monotonic
    make_page: Callable[[], str] | None = None
    """Makes the report's HTML page, which the weekly summary takes along."""

    def flush(self) -> tuple[Delivery, ...]:
        """Send what waits, and return how each address took each notice; empty when another process is sending."""
        if not self.targets or not self.notices.select_pending(self.clock()):
            return ()
        try:
            with self.locks.hold(OUTBOX_LOCK, wait_seconds=LOCK_SECONDS):
                return self._send_pending()
        except Unavailable:
            return ()

    def _send_pending(self) -> tuple[Delivery, ...]:
        pending = [self._add_page(notice) for notice in self.notices.select_pending(self.clock())]
        jobs = [
            (target, due)
            for target in self.targets
            if (due := [notice for notice in pending if self._lacks(target, notice)])
        ]
        failures = send_all(jobs, self.monotonic, self._record_delivery)
        for notice in pending:
            self._conclude(notice, failures)
        return tuple(
            Delivery(
                notice_id=notice.id,
                label=target.label,
                error=failures.get(target.label) if self._lacks(target, notice) else None,
            )
            for target, due in jobs
            for notice in due
        )

    def _lacks(self, target: NoticeTarget, notice: Notice) -> bool:
        """Whether the address wants the notice and has not taken it yet."""
        return target.address.wants(notice.event_class) and target.label not in self.notices.labels_served(notice.id)

    def _add_page(self, notice: Notice) -> Notice:
        """The notice; the weekly summary with the report's page, or with the reason why it goes without."""
        if notice.kind is not NoticeKind.WEEK or self.make_page is None:
            return notice
        try:
            return replace(notice, page=self.make_page())
        except Exception as error:  # noqa: BLE001 - the summary is sent whatever its page comes to
            reason = error.message if isinstance(error, Spy32Error) else f"a defect ({type(error).__name__})"
            return replace(notice, body=f"{notice.body}\n\nThe report's page could not be made: {reason}.")

    def _record_delivery(self, label: str, notice: Notice | None) -> None:
        if notice is not None:
            self.notices.record_delivery(notice.id, label, self.clock())

    def _conclude(self, notice: Notice, failures: Mapping[str, str]) -> None:
        """Mark a notice as done once every address that wants it has it; else record who has not, and why."""
        lacking = [target.label for target in self.targets if self._lacks(target, notice)]
        errors = [f"{label}: {failures[label]}" for label in lacking if label in failures]
        if errors:
            self.notices.record_failure(notice.id, "; ".join(errors), self.clock())
        else:
            self.notices.mark_sent(notice.id, self.clock())


def direct_notice(text: NoticeText, at: datetime) -> Notice:
    """Return a notice that is sent past the outbox."""
    return Notice(
        id=0, run_id=None, created_at=at, kind=text.kind, subject=text.subject, short=text.short, body=text.body
    )


def try_targets(
    targets: Sequence[NoticeTarget], mode: Mode, now: datetime, monotonic: Monotonic
) -> tuple[AddressTest, ...]:
    """Send a test notice to each address, past the outbox, and return how each took it."""
    began = monotonic()
    took: dict[str, float] = {}

    failures = send_all(
        [(target, [direct_notice(sample_notice(mode, target.label), now)]) for target in targets],
        monotonic,
        lambda label, _notice: took.update({label: monotonic() - began}),
    )
    elapsed = monotonic() - began
    return tuple(
        AddressTest(
            label=target.label,
            ms=round(took.get(target.label, elapsed) * 1000),
            error=failures.get(target.label),
        )
        for target in targets
    )


def send_all(
    jobs: Sequence[tuple[NoticeTarget, Sequence[Notice]]],
    monotonic: Monotonic,
    record: Callable[[str, Notice | None], None],
) -> dict[str, str]:
    """Send to all addresses at a time; return by label why an address failed.

    `record` gets each notice that an address took at once, on this thread, and None at its end. After its first
    failure an address is left alone. One that is too slow is left behind with its daemon thread, and may still deliver:
    a later copy bears the same id.
    """
    results: SimpleQueue[tuple[str, Notice | None, str]] = SimpleQueue()
    failures: dict[str, str] = {}
    waiting: set[str] = set()
    for target, due in jobs:
        try:
            arguments = (target.label, target.build(), due, results)
        except Spy32Error as error:
            failures[target.label] = error.message
            continue
        waiting.add(target.label)
        threading.Thread(target=_serve, args=arguments, daemon=True, name=f"notify {target.label}").start()
    until = monotonic() + ADDRESS_SECONDS
    while waiting:
        try:
            label, taken, reason = results.get(timeout=max(until - monotonic(), 0.0))
        except Empty:
            break
        record(label, taken)
        if taken is None:
            waiting.discard(label)
        if reason:
            failures[label] = reason
    return failures | dict.fromkeys(waiting, TOO_SLOW)


def _serve(
    label: str, notifier: Notifier, due: Sequence[Notice], results: "SimpleQueue[tuple[str, Notice | None, str]]"
) -> None:
    """Send to one address until it fails. Each notice that it took is a result, and so is its end, with the reason."""
    reason = ""
    for notice in due:
        try:
            notifier.send(notice)
        except Spy32Error as failure:
            reason = failure.message
        except Exception as bug:  # noqa: BLE001 - a notifier never changes what came of a run
            reason = f"the notifier stumbled ({type(bug).__name__})"
        if reason:
            break
        results.put((label, notice, ""))
    results.put((label, None, reason))


# A database that cannot be used has no outbox.


@value
class StoreErrorMarker:
    """An empty file whose name holds the day. Making it decides between processes, and works on a full disk."""

    folder: Path
    mode: Mode
    day: datetime

    @property
    def path(self) -> Path:
        return self.folder / f"store-trouble-{self.mode}-{market_date(self.day)}"

    def claim(self) -> bool:
        """Return whether nobody has told of it today. Raises `OSError` where no file can be made."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        for earlier in self.folder.glob(f"store-trouble-{self.mode}-*"):
            if earlier != self.path:
                earlier.unlink(missing_ok=True)
        return True


def send_store_error(
    message: str, targets: Sequence[NoticeTarget], marker: StoreErrorMarker, monotonic: Monotonic
) -> dict[str, str | None]:
    """Tell every address that wants trouble, and the monitor, and return by label why one failed, or None.

    Nobody who took it hears of it again that day; when nobody did, the next start tries again. Without a marker, as on
    a disk that is read-only, only the monitor is told: it takes the same word again and again.
    """
    texts = store_error_notices(marker.mode, message, ExitCode.STORE_ERROR)
    notices = [direct_notice(text, marker.day) for text in texts]
    try:
        is_claimed = marker.claim()
        due = notices if is_claimed else []
    except OSError:
        is_claimed, due = False, [notice for notice in notices if notice.event_class is EventClass.PING]
    jobs = [
        (target, wanted)
        for target in targets
        if (wanted := [notice for notice in due if target.address.wants(notice.event_class)])
    ]
    failures = send_all(jobs, monotonic, lambda _label, _notice: None)
    found = {target.label: failures.get(target.label) for target, _ in jobs}
    if is_claimed and None not in found.values():
        marker.path.unlink(missing_ok=True)
    return found
