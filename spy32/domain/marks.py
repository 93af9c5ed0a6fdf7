"""Marks: what closing a trade would cost at one moment, and how the trade stands then."""

from datetime import datetime
from enum import StrEnum

from spy32.domain.spreads import Greeks
from spy32.domain.units import Dollars, Price, QuotedPrice, TradeId
from spy32.domain.value import value


class MarkFlag(StrEnum):
    """Why a mark is kept and decides nothing. The value is stored and appears in JSON."""

    ONE_SIDED = "one_sided"
    """A leg has no bid, no ask, or no quote at all."""
    CROSSED = "crossed"
    """The bid of a leg is above its ask."""
    STALE = "stale"
    """The quotes are too old, or from the future."""
    IMPOSSIBLE = "impossible"
    """All prices between the natural ones are below zero or above the width, which arbitrage forbids, or the spot is no
    price. A mid that is a little outside is a deep spread with wide quotes."""


@value
class LegMark:
    """The quote of one leg. Prices are dollars per share; None where there is none."""

    symbol: str
    bid: QuotedPrice | None
    ask: QuotedPrice | None
    iv: float | None
    """Implied volatility of the mid, a fraction a year."""
    delta: float | None
    """Of one share long, signed."""


@value
class Mark:
    """The cost of closing a trade at one time, and what the trade would have earned by then.

    Amounts are dollars for the spreads still held; they are None where the quotes give no mid.
    """

    trade_id: TradeId
    at: datetime
    """When the mark was made."""
    as_of: datetime
    """Time of the quotes."""
    source: str
    spot: QuotedPrice
    mid: Price | None
    """Debit to close at the mids, dollars per share."""
    natural: Price | None
    """Debit to close, bought legs at the ask and sold legs at the bid."""
    legs: tuple[LegMark, ...] = ()
    flags: tuple[MarkFlag, ...] = ()
    quantity: int = 0
    """Spreads held."""
    dte: int = 0
    unrealized: Dollars | None = None
    """Profit of the spreads held if they were closed at the mid, after the fees so far and those of closing."""
    of_max_profit: float | None = None
    """`unrealized` as a share of the maximum profit of the spreads held."""
    distance_percent: float | None = None
    """How far the nearest short strike is out of the money, per cent of the spot; negative in the money."""
    distance_moves: float | None = None
    """The same in expected moves (one standard deviation until expiration)."""
    greeks: Greeks | None = None
    """Of the whole position, in dollars: delta in shares, theta a calendar day, vega a volatility point."""

    @property
    def is_usable(self) -> bool:
        """Whether the mark may decide an exit: two-sided, fresh and possible."""
        return not self.flags and self.mid is not None

    @property
    def two_sided(self) -> bool:
        """Whether every leg had a bid and an ask."""
        return MarkFlag.ONE_SIDED not in self.flags
