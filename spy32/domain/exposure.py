"""The risk that is already in our own book."""

from decimal import Decimal

from spy32.domain.value import value


@value
class Exposure:
    """The risk already in our own book, for sizing and limits. Amounts are dollars of maximum loss."""

    open_risk: Decimal = Decimal(0)
    """Open trades, plus the unfilled part of approved proposals and working orders."""
    open_trades: int = 0
    week_loss: Decimal = Decimal(0)
    """Loss since Monday, New York time: realised, and by the marks of open trades; positive for a loss, else 0."""
    week_unrealized: Decimal = Decimal(0)
    """What the marks of open trades add to it: how their unrealised result changed since before Monday."""
    submits_today: int = 0
    submits_of_run: int = 0
    open_symbols: frozenset[str] = frozenset()
    assigned_trades: int = 0
    """Trades of which shares or contracts are left after an assignment; they count as open."""
    foreign_trades: int = 0
    """Of the open trades: positions of the account that our book does not know, one an expiration."""
    unmeasured: tuple[str, ...] = ()
    """Such positions whose maximum loss cannot be computed, in words."""
