"""The listed expirations, the one that a run would take, and why it is that one."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from spy32.domain.value import value
from spy32.sessions import closure_reason, days_to_expiration, nearest_expiration, new_york_time, session


@value
class ExpirationRow:
    """One listed expiration as seen from today."""

    day: date
    dte: int
    distance: int
    """Days from the target: below zero is nearer to today."""
    is_near: bool
    """Within the tolerance."""
    is_chosen: bool
    note: str


def expiration_rows(listed: Iterable[date], today: date, target_dte: int, tolerance: int) -> tuple[ExpirationRow, ...]:
    """Every expiration from today on, with the one that a run would take, and why it is that one."""
    days = sorted({each for each in listed if days_to_expiration(each, today) >= 0})
    chosen = nearest_expiration(days, today, target_dte, tolerance)
    explained = (
        chosen
        if chosen is not None
        else min(days, key=lambda each: abs(days_to_expiration(each, today) - target_dte), default=None)
    )
    return tuple(
        ExpirationRow(
            day=each,
            dte=days_to_expiration(each, today),
            distance=days_to_expiration(each, today) - target_dte,
            is_near=abs(days_to_expiration(each, today) - target_dte) <= tolerance,
            is_chosen=each == chosen,
            note="; ".join(_expiration_notes(each, days, today + timedelta(days=target_dte), explained, chosen)),
        )
        for each in days
    )


def _expiration_notes(
    each: date, days: Sequence[date], ideal: date, explained: date | None, chosen: date | None
) -> list[str]:
    notes = []
    distance = abs(days_to_expiration(each, ideal))
    if each == explained:
        ties = [other for other in days if other > each and abs(days_to_expiration(other, ideal)) == distance]
        why = "the nearest" if not ties else f"as near as {ties[0]}, and earlier"
        notes.append(why if chosen is not None else "the nearest, but outside the tolerance")
        if distance:
            closed = closure_reason(ideal)
            notes.append(f"{ideal:%a} {ideal} is {'not listed' if closed is None else f'closed: {closed}'}")
    closed, hours = closure_reason(each), session(each)
    if closed is not None:
        notes.append(f"the exchange is closed: {closed}")
    elif hours is not None and hours.is_early:
        notes.append(f"early close, {new_york_time(hours.close):%H:%M}")
    return notes


@value
class Expirations:
    """The listed expirations, and the one that a run would take."""

    underlying: str
    today: date
    source: str
    target_dte: int
    """Days to expiration that are aimed at."""
    tolerance: int
    chosen: date | None
    expirations: tuple[ExpirationRow, ...]


def list_expirations(
    listed: Iterable[date], *, underlying: str, source: str, today: date, target_dte: int, tolerance: int
) -> Expirations:
    """The expirations from today on, as `expiration_rows` judges them."""
    rows = expiration_rows(listed, today, target_dte, tolerance)
    return Expirations(
        underlying=underlying,
        today=today,
        source=source,
        target_dte=target_dte,
        tolerance=tolerance,
        chosen=next((row.day for row in rows if row.is_chosen), None),
        expirations=rows,
    )
