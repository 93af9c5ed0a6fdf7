"""The listed expirations, the one that a run would take, and why it is that one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from spy32.domain.value import value
from spy32.sessions import closure_reason, days_to_expiration, near_expirations, new_york_time, session

DAY_COST = 1
"""Spreads that a day of distance from the target is worth. Of 24 that a menu aims at, three days cost an eighth: more
than chance moves the count of two sound chains, less than a missing side."""


@value
class Tradability:
    """What an expiration within the tolerance offers."""

    day: date
    dte: int
    distance: int
    """Days off the target, either way."""
    quoted: int
    """Spreads of the target deltas and widths whose two legs are listed and pass the menu's rules on quotes."""
    wanted: int
    """How many there would be on a chain without holes."""
    open_interest: int
    """Contracts: the median of the short legs of those spreads."""
    stopped_by: str = ""
    """The gate that stops the chain, in words; empty when none does."""

    @property
    def score(self) -> int:
        """Spreads, less `DAY_COST` for each day off the target."""
        return self.quoted - DAY_COST * self.distance

    @property
    def words(self) -> str:
        """`18 of 24 spreads well quoted, less 3 for 3 days off: 15`, or the gate that stops it."""
        if self.stopped_by:
            return self.stopped_by
        days = f"{self.distance} day{'s' * (self.distance > 1)}"
        off = f", less {DAY_COST * self.distance} for {days} off: {self.score}" if self.distance else ""
        return f"{self.quoted} of {self.wanted} spreads well quoted{off}"


def most_tradable(judged: Sequence[Tradability]) -> Tradability | None:
    """Return the best of those that no gate stops; None without one.

    By score, then open interest, then distance; of two equally good ones the earlier.
    """
    usable = [each for each in judged if not each.stopped_by]
    return max(usable, key=lambda each: (each.score, each.open_interest, -each.distance, -each.dte), default=None)


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


def expiration_rows(
    listed: Iterable[date], today: date, target_dte: int, tolerance: int, judged: Sequence[Tradability] = ()
) -> tuple[ExpirationRow, ...]:
    """Every expiration from today on, with the one that a run would take, and why it is that one.

    That is the one of `judged` that can be traded best; where none is usable, or none was judged, the nearest.
    """
    days = sorted({each for each in listed if days_to_expiration(each, today) >= 0})
    near, best = near_expirations(days, today, target_dte, tolerance), most_tradable(judged)
    nearest = near[0] if near else None
    chosen = best.day if best is not None else nearest
    explained = (
        nearest
        if nearest is not None
        else min(days, key=lambda each: abs(days_to_expiration(each, today) - target_dte), default=None)
    )
    ideal = today + timedelta(days=target_dte)
    notes = {
        each: [
            *(_nearness_notes(each, days, ideal, is_near=nearest is not None) if each == explained else ()),
            *(_tradability_notes(each, judged, best) if each in near and judged else ()),
            *_calendar_notes(each),
        ]
        for each in days
    }
    return tuple(
        ExpirationRow(
            day=each,
            dte=days_to_expiration(each, today),
            distance=days_to_expiration(each, today) - target_dte,
            is_near=each in near,
            is_chosen=each == chosen,
            note="; ".join(notes[each]),
        )
        for each in days
    )


def _nearness_notes(nearest: date, days: Sequence[date], ideal: date, *, is_near: bool) -> Iterator[str]:
    """Why it is the nearest to the `ideal` day, and what that day is."""
    distance = abs(days_to_expiration(nearest, ideal))
    ties = [day for day in days if day > nearest and abs(days_to_expiration(day, ideal)) == distance]
    why = "the nearest" if not ties else f"as near as {ties[0]}, and earlier"
    yield why if is_near else "the nearest, but outside the tolerance"
    if distance:
        closed = closure_reason(ideal)
        yield f"{ideal:%a} {ideal} is {'not listed' if closed is None else f'closed: {closed}'}"


def _tradability_notes(day: date, judged: Sequence[Tradability], best: Tradability | None) -> Iterator[str]:
    found = next((each for each in judged if each.day == day), None)
    if found is None:
        yield "not looked at, since it could not be better"
        return
    if found is best and len(judged) > 1:
        yield "can be traded best"
    yield found.words


def _calendar_notes(day: date) -> Iterator[str]:
    closed, hours = closure_reason(day), session(day)
    if closed is not None:
        yield f"the exchange is closed: {closed}"
    elif hours is not None and hours.is_early:
        yield f"early close, {new_york_time(hours.close):%H:%M}"


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


def list_expirations(  # noqa: PLR0913 - what was listed, what is aimed at, and what was found
    listed: Iterable[date],
    *,
    underlying: str,
    source: str,
    today: date,
    target_dte: int,
    tolerance: int,
    judged: Sequence[Tradability] = (),
) -> Expirations:
    """The expirations from today on, as `expiration_rows` judges them."""
    rows = expiration_rows(listed, today, target_dte, tolerance, judged)
    return Expirations(
        underlying=underlying,
        today=today,
        source=source,
        target_dte=target_dte,
        tolerance=tolerance,
        chosen=next((row.day for row in rows if row.is_chosen), None),
        expirations=rows,
    )
