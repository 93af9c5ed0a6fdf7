"""Checks of the addresses that are told, of the monitor that is pinged, and of what waits in the outbox."""

from spy32.domain.notices import EVENT_CLASSES, EventClass
from spy32.errors import Unavailable
from spy32.ops.doctor.base import Diagnosis, DoctorContext, failure, skip, success, warning
from spy32.ops.doctor.home import NO_STORE
from spy32.settings.notifiers import PING_LABEL

NEWEST = 100
"""Notices that are searched for the last ping: more than those of a month."""


def check_addresses(context: DoctorContext) -> Diagnosis:
    """Every address can be used; none is asked."""
    addresses = context.notifiers
    if not addresses:
        return skip("no address is set in notify.addresses")
    for label, error in addresses.items():
        if isinstance(error, Unavailable):
            return failure(error.message, "python -m pip install 'spy32[notify]'")
        if error is not None:
            return failure(error.message, f"spy32 notify test {label}")
    return success(f"accepted: {', '.join(addresses)}")


def check_ping(context: DoctorContext) -> Diagnosis:
    """The monitor answered the last ping."""
    store = context.home.sound
    if not context.settings.ping.is_set:
        return skip("no monitor is set in [ping]")
    if store is None:
        return skip(NO_STORE)
    newest = store.notices.select_newest(NEWEST)
    last = next((notice for notice in newest if EVENT_CLASSES.get(notice.kind) is EventClass.PING), None)
    if last is None:
        return skip("no slot has ended since the monitor was set")
    if PING_LABEL not in store.notices.labels_served(last.id):
        return warning(f"the monitor has not taken the ping of {last.created_at:%Y-%m-%d}", "spy32 notify test --ping")
    return success(f"the monitor took the ping of {last.created_at:%Y-%m-%d}")


def check_outbox(context: DoctorContext) -> Diagnosis:
    store = context.home.sound
    if store is None:
        return skip(NO_STORE)
    has_address = bool(context.settings.notify.addresses) or context.settings.ping.is_set
    lost = store.notices.find_given_up(context.now, tried_only=not has_address)
    if lost is not None:
        return warning(f"N{lost.id} was given up: {lost.error or 'no command tried to send it'}", "spy32 notify list")
    pending = store.notices.select_pending(context.now)
    unsent = [notice for notice in pending if notice.error]
    if unsent:
        return warning(f"{len(unsent)} notices could not be sent yet", "spy32 notify flush")
    return success(f"{len(pending)} notices wait in the outbox" if pending else "the outbox is empty")
