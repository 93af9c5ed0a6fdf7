"""The risk of the whole book: what its limits leave, its greeks, and what it would lose at once in a gap.

Every leg is valued again by Black 76 at its own implied vol. These figures are shown and limit nothing: the cap on the
maximum loss of all spreads binds before any of them (a ladder of five puts at the cap loses half of it at -5 %).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

import numpy as np

from spy32.domain.book import BookPosition, LegVols, book_max_loss
from spy32.domain.exposure import Exposure
from spy32.domain.spreads import CENT, MULTIPLIER, ZERO, Account, Greeks
from spy32.domain.units import Dollars
from spy32.domain.value import value
from spy32.options.european import Contracts, greeks, price
from spy32.options.normal import Floats
from spy32.rules.pricing import GREEK_NAMES, carried_contracts
from spy32.rules.sizing import HARD_CAP, buying_power_used
from spy32.sessions import days_to_expiration, market_date, years_to_expiration
from spy32.settings.model import Limits

LEAST_VOL = 0.01
"""A fraction a year. A shock never takes an implied vol below it, since a price needs a positive one."""


class ShockKind(StrEnum):
    """Our own gap, a rise of implied vols alone, or a slide that the broker publishes."""

    GAP = "gap"
    VOL = "vol"
    SLIDE = "slide"


@value
class Shock:
    """A move of the underlying and of every implied vol, both at once and before anybody can trade."""

    kind: ShockKind
    move: float
    """Of the underlying, a fraction."""
    vol: float
    """Added to every implied vol, a fraction a year: 0.09 is nine points."""


_MOVES = (
    (ShockKind.GAP, -0.03, 0.09),
    (ShockKind.GAP, -0.05, 0.16),
    (ShockKind.GAP, -0.10, 0.34),
    (ShockKind.GAP, 0.03, 0.0),
    (ShockKind.VOL, 0.0, 0.10),
    (ShockKind.SLIDE, -0.15, 0.0),
    (ShockKind.SLIDE, 0.10, 0.0),
    (ShockKind.SLIDE, -0.20, 0.0),
    (ShockKind.SLIDE, 0.15, 0.0),
)
SHOCKS = tuple(Shock(kind=kind, move=move, vol=vol) for kind, move, vol in _MOVES)
"""The vols of the gaps take a VIX of 16 to 25 after -3 %, 32 after -5 %, 50 after -10 %. The slides are those of
tastytrade's portfolio margin for indices, -15/+10 % and, in high volatility, -20/+15 % (help article 43000595351); it
publishes moves only, so the vols stay."""


class LimitName(StrEnum):
    """A limit of the settings that the whole book uses up."""

    OPEN_RISK = "open_risk"
    BUYING_POWER = "buying_power"
    OPEN_TRADES = "open_trades"
    SUBMITS_TODAY = "submits_today"
    WEEK_LOSS = "week_loss"


@value
class LimitUse:
    """How much of one limit is used: dollars, or a count of trades or orders."""

    name: LimitName
    used: Decimal
    most: Decimal

    @property
    def room(self) -> Decimal:
        """What is left, never below zero."""
        return max(self.most - self.used, ZERO)


@value
class Rung:
    """The spreads of one expiration and side: one step of the ladder."""

    expiration: date
    side: str
    """`put`, `call`, or `both` of iron condors."""
    dte: int
    """Calendar days from today, New York; on a recorded market from the day of its quotes."""
    trades: tuple[str, ...]
    contracts: int
    max_loss: Dollars
    share: float
    """Of the maximum loss of all that is held."""


@value
class ExpirationRisk:
    """What one expiration, both sides of it, may lose."""

    expiration: date
    max_loss: Dollars
    share: float
    """Of the maximum loss of all that is held."""


@value
class ShockResult:
    """What the revalued spreads would gain or lose at once."""

    shock: Shock
    result: Dollars | None = None
    """Dollars; a loss is negative. None when something is held and none of it has vols."""
    of_max_loss: float | None = None
    """The loss as a share of their maximum loss, at most 1; None of a gain. From now on more can go than since the
    opening, less its fees: what the spreads have earned on paper is no part of their maximum loss."""
    of_account: float | None = None
    """The same as a share of net liquidation."""


@value
class BookRisk:
    """The book at one moment."""

    positions: tuple[BookPosition, ...]
    max_loss: Dollars
    """Open maximum loss: of the spreads held, of what is approved or working and may still fill, of assigned shares and
    of foreign positions."""
    limits: tuple[LimitUse, ...]
    trade_room: Dollars
    """Most maximum loss that the limits leave to one new trade; 0 when they leave no trade."""
    rungs: tuple[Rung, ...]
    """By expiration, then side."""
    largest: ExpirationRisk | None
    """The expiration with the most maximum loss; None while nothing is held."""
    greeks: Greeks | None
    """Of all revalued spreads: delta in shares, theta dollars a calendar day, vega dollars a volatility point. None
    when something is held and none of it has vols."""
    shocks: tuple[ShockResult, ...]
    unmarked: tuple[str, ...]
    """Held, and in neither greeks nor shocks, since neither a mark nor the run of the opening gives their vols."""


def assess_book(
    positions: Sequence[BookPosition],
    exposure: Exposure,
    account: Account,
    limits: Limits,
    *,
    rate: float,
    now: datetime,
) -> BookRisk:
    """Return the risk of the book. `rate` is the continuous interest rate, a fraction a year."""
    held = [position for position in positions if position.quantity > 0]
    marked = [position for position in held if position.market is not None]
    is_known = bool(marked) or not held
    uses = _limit_uses(exposure, account, limits)
    return BookRisk(
        positions=tuple(held),
        max_loss=exposure.open_risk,
        limits=uses,
        trade_room=_trade_room(uses, account, limits) if not exposure.unmeasured else ZERO,
        rungs=_rungs(held, now),
        largest=_largest_expiration(held),
        greeks=_book_greeks(marked, rate) if is_known else None,
        shocks=tuple(
            _shock_result(marked, shock, account, rate) if is_known else ShockResult(shock=shock) for shock in SHOCKS
        ),
        unmarked=tuple(position.id for position in held if position.market is None),
    )


def add_position(exposure: Exposure, account: Account, added: BookPosition) -> tuple[Exposure, Account]:
    """Return exposure and account as they would be with this position opened: its maximum loss is reserved."""
    return (
        replace(
            exposure,
            open_risk=exposure.open_risk + added.max_loss,
            open_trades=exposure.open_trades + 1,
            submits_today=exposure.submits_today + 1,
        ),
        replace(account, buying_power=account.buying_power - added.max_loss),
    )


# Limits.


def _limit_uses(exposure: Exposure, account: Account, limits: Limits) -> tuple[LimitUse, ...]:
    net_liquidation = account.net_liquidation
    money = (
        (LimitName.OPEN_RISK, exposure.open_risk, limits.open_risk * net_liquidation),
        (LimitName.BUYING_POWER, buying_power_used(account), limits.buying_power * net_liquidation),
        (LimitName.WEEK_LOSS, exposure.week_loss, limits.week_loss * net_liquidation),
    )
    uses = (
        *((name, used.quantize(CENT, ROUND_CEILING), most.quantize(CENT, ROUND_FLOOR)) for name, used, most in money),
        (LimitName.OPEN_TRADES, Decimal(exposure.open_trades), Decimal(limits.open_trades)),
        (LimitName.SUBMITS_TODAY, Decimal(exposure.submits_today), Decimal(limits.submits_per_day)),
    )
    return tuple(LimitUse(name=name, used=used, most=most) for name, used, most in uses)


def _trade_room(uses: Sequence[LimitUse], account: Account, limits: Limits) -> Decimal:
    """Return what the limits leave to one trade, whole cents; a used-up count or the week's loss leaves nothing."""
    rooms = {use.name: use.room for use in uses}
    if not all(room > 0 for room in rooms.values()):
        return ZERO
    own = min(limits.max_loss, HARD_CAP) * account.net_liquidation
    room = min(own, rooms[LimitName.OPEN_RISK], rooms[LimitName.BUYING_POWER], account.buying_power)
    return max(room, ZERO).quantize(CENT, ROUND_FLOOR)


# The ladder.


def _rungs(held: Sequence[BookPosition], now: datetime) -> tuple[Rung, ...]:
    whole = book_max_loss(held)
    ordered = sorted(held, key=attrgetter("expiration", "side"))
    groups = [(key, tuple(group)) for key, group in groupby(ordered, key=attrgetter("expiration", "side"))]
    return tuple(
        Rung(
            expiration=expiration,
            side=side,
            dte=min(_dte(position, now) for position in group),
            trades=tuple(position.id for position in group),
            contracts=sum(position.quantity for position in group),
            max_loss=book_max_loss(group),
            share=_share(book_max_loss(group), whole) or 0.0,
        )
        for (expiration, side), group in groups
    )


def _dte(position: BookPosition, now: datetime) -> int:
    """Calendar days from today, or on a recorded market from the day of its quotes."""
    at = position.market.at if position.is_recorded and position.market is not None else now
    return days_to_expiration(position.expiration, market_date(at))


def _largest_expiration(held: Sequence[BookPosition]) -> ExpirationRisk | None:
    """Of two equally large ones the earlier."""
    expirations = sorted({position.expiration for position in held})
    losses = {day: book_max_loss([each for each in held if each.expiration == day]) for day in expirations}
    if not losses:
        return None
    largest = max(losses, key=lambda day: losses[day])
    share = _share(losses[largest], book_max_loss(held)) or 0.0
    return ExpirationRisk(expiration=largest, max_loss=losses[largest], share=share)


def _share(part: Decimal, whole: Decimal) -> float | None:
    return float(part / whole) if whole > 0 else None


# Revaluation.


def _book_greeks(marked: Sequence[BookPosition], rate: float) -> Greeks:
    totals = dict.fromkeys(GREEK_NAMES, 0.0)
    for position in marked:
        assert position.market is not None
        columns = greeks(_contracts(position, position.market, rate), position.market.vols)
        for name in totals:
            # A leg without time or with a vol too small for its distance has no greeks; it no longer moves.
            totals[name] += float(np.nansum(getattr(columns, name) * _signed_shares(position)))
    return Greeks(**totals)


def _shock_result(marked: Sequence[BookPosition], shock: Shock, account: Account, rate: float) -> ShockResult:
    change = Decimal(str(sum(_value_change(position, shock, rate) for position in marked)))
    loss = max(-change, ZERO)
    return ShockResult(
        shock=shock,
        result=change.quantize(CENT, ROUND_HALF_EVEN),
        of_max_loss=min(_share(loss, book_max_loss(marked)) or 0.0, 1.0) if loss > 0 else None,
        of_account=_share(loss, account.net_liquidation) if loss > 0 else None,
    )


def _value_change(position: BookPosition, shock: Shock, rate: float) -> float:
    """Return the gain or loss of all spreads held, dollars, by the same model before and after."""
    market = position.market
    assert market is not None
    vols = np.array(market.vols)
    before = price(_contracts(position, market, rate), vols)
    moved = replace(market, spot=market.spot * (1 + shock.move))
    after = price(_contracts(position, moved, rate), np.maximum(vols + shock.vol, LEAST_VOL))
    return float(np.sum((after - before) * _signed_shares(position)))


def _signed_shares(position: BookPosition) -> Floats:
    """Return the shares of each leg that the whole position holds; sold ones are negative."""
    per_spread = [leg.signed_quantity for leg in position.legs]
    return np.array(per_spread, dtype=np.float64) * MULTIPLIER * position.quantity


def _contracts(position: BookPosition, market: LegVols, rate: float) -> Contracts:
    return carried_contracts(position.legs, market.spot, rate, years_to_expiration(market.at, position.expiration))
