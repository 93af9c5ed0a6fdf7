"""Marks a trade: what closing it would cost by fresh quotes, and what it would have earned."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from math import isfinite, sqrt

from spy32.domain.market import LegQuotes, Right
from spy32.domain.marks import LegMark, Mark, MarkFlag
from spy32.domain.orders import Trade
from spy32.domain.spreads import CENT, MULTIPLIER, Greeks, Leg
from spy32.rules.price_guard import max_quote_age
from spy32.rules.pricing import GREEK_NAMES, LegGreeks, closing_costs, leg_greeks, natural_and_mid
from spy32.sessions import days_to_expiration, market_date, years_to_expiration
from spy32.settings import Settings

FUTURE_SECONDS = 120
"""Quotes may be this far ahead of our clock, the difference between two clocks that is accepted elsewhere."""


def mark_trade(
    trade: Trade, quotes: LegQuotes, settings: Settings, now: datetime, *, is_recorded: bool = False
) -> Mark:
    """Return the mark of what the trade still holds. It is flagged, not refused, when the quotes cannot decide.

    `is_recorded` is for a market of the past, whose quotes have no age.
    """
    closing = trade.closing_legs
    prices = natural_and_mid(closing, quotes.quotes)
    natural, mid = (_round_to_cents(-prices[0]), _round_to_cents(-prices[1])) if prices is not None else (None, None)
    values = [leg_greeks(leg, quotes, settings.market.rate, now) for leg in trade.legs]
    unrealized = None
    if mid is not None:
        unrealized = closing_result(trade, mid, trade.remaining, settings) if trade.remaining > 0 else Decimal(0)
    max_profit = (trade.max_profit * MULTIPLIER - trade.opening_fees / trade.quantity) * trade.remaining
    distance = _short_distance(trade.legs, quotes.spot)
    return Mark(
        trade_id=trade.id,
        at=now,
        as_of=quotes.as_of,
        source=quotes.source,
        spot=quotes.spot,
        mid=mid,
        natural=natural,
        legs=tuple(_leg_mark(leg, quotes, found) for leg, found in zip(trade.legs, values, strict=True)),
        flags=_flags(trade, quotes, settings, now, is_recorded=is_recorded),
        quantity=trade.remaining,
        dte=days_to_expiration(trade.expiration, market_date(now)),
        unrealized=unrealized,
        of_max_profit=float(unrealized / max_profit) if unrealized is not None and max_profit > 0 else None,
        distance_percent=distance / quotes.spot * 100 if distance is not None else None,
        distance_moves=_moves(distance, trade, values, quotes.spot, now),
        greeks=_position_greeks(trade, values),
    )


def _round_to_cents(price: Decimal) -> Decimal:
    """Return the price with two decimals when it has no more: halves of ticks have three."""
    return price.quantize(CENT) if price == price.quantize(CENT) else price


def closing_result(trade: Trade, debit: Decimal, quantity: int, settings: Settings) -> Decimal:
    """Return the profit of closing so many spreads at this debit, dollars, after their share of the fees to open."""
    costs = closing_costs(quantity, settings.costs, trade.legs[0].root, len(trade.legs)) * quantity
    fees = trade.opening_fees * quantity / trade.quantity
    return ((trade.credit - debit) * MULTIPLIER * quantity - fees - costs).quantize(CENT, ROUND_HALF_EVEN)


def _flags(
    trade: Trade, quotes: LegQuotes, settings: Settings, now: datetime, *, is_recorded: bool
) -> tuple[MarkFlag, ...]:
    age = (now - quotes.as_of).total_seconds()
    is_fresh = is_recorded or -FUTURE_SECONDS <= age <= max_quote_age(trade.mode, settings)
    legs = [quotes.quotes.get(leg.symbol) for leg in trade.legs]
    sides = [(quote.bid, quote.ask) if quote is not None else (None, None) for quote in legs]
    checks = {
        MarkFlag.ONE_SIDED: any(_is_one_sided(*side) for side in sides),
        MarkFlag.CROSSED: any(bid is not None and ask is not None and bid > ask for bid, ask in sides),
        MarkFlag.STALE: not is_fresh,
        MarkFlag.IMPOSSIBLE: not _is_price(quotes.spot) or not _is_possible(trade, quotes),
    }
    return tuple(flag for flag, is_set in checks.items() if is_set)


def _is_possible(trade: Trade, quotes: LegQuotes) -> bool:
    """Return whether some price between the natural ones is possible: `closing_bounds` has the possible ones."""
    low, high = trade.closing_bounds
    bought = natural_and_mid(trade.closing_legs, quotes.quotes)
    sold = natural_and_mid(trade.legs, quotes.quotes)
    return bought is None or sold is None or (-bought[0] >= low and sold[0] <= high)


def _is_price(spot: float) -> bool:
    return isfinite(spot) and spot > 0


def _is_one_sided(bid: float | None, ask: float | None) -> bool:
    """A bid of zero under an ask is a two-sided quote: of an option that is worth almost nothing."""
    return bid is None or ask is None or not (isfinite(bid) and isfinite(ask) and bid >= 0 and ask > 0)


def _leg_mark(leg: Leg, quotes: LegQuotes, found: LegGreeks | None) -> LegMark:
    quote = quotes.quotes.get(leg.symbol)
    bid, ask = (
        side if side is not None and isfinite(side) else None
        for side in ((quote.bid, quote.ask) if quote is not None else (None, None))
    )
    iv, delta = (found.iv, found.greeks.delta) if found is not None else (None, None)
    return LegMark(symbol=leg.symbol, bid=bid, ask=ask, iv=iv, delta=delta)


def _short_distance(legs: Sequence[Leg], spot: float) -> float | None:
    """Return how far the nearest short strike is out of the money, dollars; negative in the money."""
    if not _is_price(spot):
        return None
    return min(
        spot - float(leg.strike) if leg.right is Right.PUT else float(leg.strike) - spot for leg in legs if leg.is_sold
    )


def _moves(
    distance: float | None, trade: Trade, values: Sequence[LegGreeks | None], spot: float, now: datetime
) -> float | None:
    """Return the distance in expected moves, at the largest implied vol of the short legs."""
    vols = [
        found.iv
        for leg, found in zip(trade.legs, values, strict=True)
        if found is not None and leg.is_sold and found.iv > 0
    ]
    years = years_to_expiration(now, trade.expiration)
    return distance / (spot * max(vols) * sqrt(years)) if distance is not None and vols and years > 0 else None


def _position_greeks(trade: Trade, values: Sequence[LegGreeks | None]) -> Greeks | None:
    """Return the greeks of everything held; None unless every leg has them."""
    totals = dict.fromkeys(GREEK_NAMES, 0.0)
    for leg, found in zip(trade.legs, values, strict=True):
        if found is None:
            return None
        for name in totals:
            per_share = leg.signed_quantity * float(getattr(found.greeks, name))
            totals[name] += per_share * MULTIPLIER * trade.remaining
    return Greeks(**totals)
