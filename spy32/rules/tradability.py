"""The listed expirations, how well each can be traded, which one a run would take, and why.

An expiration can be traded as well as spreads that a menu aims at have legs with usable quotes. A daily expiration is
listed weeks after the Friday beside it, with fewer strikes, wider quotes and hardly any open interest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from spy32.domain.market import Chain
from spy32.domain.spreads import Strategy
from spy32.domain.value import value
from spy32.quality.common import median
from spy32.rules.candidates import MENU_RULES, MenuTerms, PricedSpread
from spy32.rules.menu import build_ladder, nearest_delta_leg, price_spreads
from spy32.sessions import closure_reason, days_to_expiration, near_expirations, new_york_time, session
from spy32.settings import Settings
from spy32.settings.model import Choice

if TYPE_CHECKING:
    from spy32.options.surface import Smile

DAY_COST = 1
"""Spreads that a day of distance from the target is worth. Of 24 that a menu aims at, three days cost an eighth: more
than chance moves the count of two sound chains, less than a missing side."""
QUOTE_RULES = tuple(
    rule for name, rule in MENU_RULES if name in ("width", "leg_quotes", "open_interest", "natural_credit")
)
"""The menu's rules on quotes and strikes; the delta is chosen within its band. Those on the credit are left out: a
later expiration always pays more."""
CREDIT_SIDES = (Strategy.PUT_CREDIT, Strategy.CALL_CREDIT)


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


def best_score(distance: int, choice: Choice) -> int:
    """Return the score of an expiration so far off the target when nothing of it is missing."""
    return wanted_spreads(choice) - DAY_COST * distance


def wanted_spreads(choice: Choice) -> int:
    return len(_sides(choice)) * len(choice.deltas) * len(choice.widths)


def judge_tradability(
    chain: Chain, smile: "Smile", listed: Chain, settings: Settings, *, dte: int, distance: int
) -> Tradability:
    """Return the tradability of the smile's expiration.

    `chain` holds its usable quotes, `listed` what the source sent with its neighbours: a source that knows open
    interest there has said of this expiration that it has none.
    """
    terms = MenuTerms.derive(chain, settings)
    terms = replace(
        terms, has_open_interest=terms.has_open_interest or any(quote.open_interest for quote in listed.quotes)
    )
    pairs = [pair for side in _sides(settings.choice) for pair in _quoted_spreads(chain, smile, side, terms)]
    interests = {pair.short.view.quote.symbol: pair.short.view.quote.open_interest or 0 for pair in pairs}
    return Tradability(
        day=smile.expiration,
        dte=dte,
        distance=distance,
        quoted=len(pairs),
        wanted=wanted_spreads(settings.choice),
        open_interest=round(median([*interests.values()])) if interests else 0,
    )


def _sides(choice: Choice) -> tuple[Strategy, ...]:
    """The sides that are sold: both where a strategy is not of one side only."""
    is_vertical = all(strategy in CREDIT_SIDES for strategy in choice.strategies)
    return tuple(side for side in CREDIT_SIDES if side in choice.strategies or not is_vertical)


def _quoted_spreads(chain: Chain, smile: "Smile", side: Strategy, terms: MenuTerms) -> list[PricedSpread]:
    """Return the different spreads of one side that pass `QUOTE_RULES`.

    Of each target delta and width: the leg nearest the delta within its band, with the leg nearest the width. A pair of
    strikes that stands for two targets counts once.
    """
    choice, ladder = terms.settings.choice, build_ladder(chain, smile, side)
    inside = [leg for leg in ladder.legs.values() if choice.delta_low <= leg.delta <= choice.delta_high]
    shorts = [[nearest_delta_leg(inside, delta)] for delta in choice.deltas] if inside else []
    spreads = price_spreads(side, [ladder], shorts, terms)
    return [pair for pair in spreads.values() if all(judge(pair, terms) is None for judge in QUOTE_RULES)]


# The listed expirations.


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
    """Every expiration from today on, with the one that a run would take, and why it is that one.

    That is the one of `judged` that can be traded best; where none is usable, or none was judged, the nearest.
    """
    days_left = {day: days_to_expiration(day, today) for day in sorted(set(listed))}
    distances = {day: days - target_dte for day, days in days_left.items() if days >= 0}
    near, best = near_expirations(distances, today, target_dte, tolerance), most_tradable(judged)
    nearest = min(distances, key=lambda day: abs(distances[day]), default=None)
    chosen = best.day if best is not None else next(iter(near), None)
    rows = []
    for day, distance in distances.items():
        notes: list[str] = []
        if day == nearest:
            notes += _nearness_notes(day, distances, today + timedelta(days=target_dte), is_near=day in near)
        if day in near and judged:
            notes += _tradability_notes(day, judged, best)
        notes += _calendar_notes(day)
        rows.append(
            ExpirationRow(
                day=day,
                dte=days_left[day],
                distance=distance,
                is_near=day in near,
                is_chosen=day == chosen,
                note="; ".join(notes),
            )
        )
    return Expirations(
        underlying=underlying,
        today=today,
        source=source,
        target_dte=target_dte,
        tolerance=tolerance,
        chosen=chosen if chosen in distances else None,
        expirations=tuple(rows),
    )


def _nearness_notes(nearest: date, distances: Mapping[date, int], ideal: date, *, is_near: bool) -> Iterator[str]:
    """Why it is the nearest to the `ideal` day, and what that day is."""
    distance = abs(distances[nearest])
    ties = [day for day in distances if day > nearest and abs(distances[day]) == distance]
    why = f"as near as {ties[0]}, and earlier" if ties else "the nearest"
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
