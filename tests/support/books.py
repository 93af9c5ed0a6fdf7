"""Ladders: stores with a trade at each of several expirations, marked with implied vols."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from spy32.domain.marks import LegMark
from spy32.domain.orders import Trade
from spy32.domain.spreads import Leg
from spy32.store import Store
from tests.support import builders, stores

FRIDAYS = tuple(date(2025, 10, 10) + timedelta(weeks=week) for week in range(5))
"""The expirations of a ladder, 4 to 32 days from `builders.NOW`."""
SPOT = 671.0


def rung(store: Store, expiration: date, *, quantity: int = 1, iv: float | None = 0.18) -> Trade:
    """An open trade of the default put spread at another expiration, with a mark; no mark where `iv` is None."""
    legs = tuple(replace(leg, expiration=expiration) for leg in builders.spread().legs)
    _, _, order = stores.sent(store, legs=legs, quantity=quantity)
    fills = tuple(
        replace(fill, symbol=leg.symbol) for fill, leg in zip(builders.fills(quantity=quantity), legs, strict=True)
    )
    trade = store.trades.record_fills(order.id, fills, fees=Decimal("2.26") * quantity, at=builders.later(minutes=7))
    assert trade is not None
    if iv is not None:
        store.marks.add(builders.mark(trade.id, quantity=quantity, legs=leg_marks(legs, iv), spot=SPOT))
    return trade


def leg_marks(legs: tuple[Leg, ...], *vols: float | None) -> tuple[LegMark, ...]:
    """Marks of the legs with these implied vols; one stands for all."""
    every = vols if len(vols) > 1 else vols * len(legs)
    return tuple(
        LegMark(symbol=leg.symbol, bid=1.0, ask=1.1, iv=iv, delta=-0.2) for leg, iv in zip(legs, every, strict=True)
    )


def ladder(store: Store, **over: Any) -> tuple[Trade, ...]:
    """A rung at each of five Fridays."""
    return tuple(rung(store, day, **over) for day in FRIDAYS)
