"""Units of what documents write as text. To everything else a `Price` is a Decimal and a `RunId` an int."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated


class Unit(StrEnum):
    PRICE = "price"
    """Dollars a share: two decimals at least, four at most."""
    DOLLARS = "dollars"
    """To the cent."""
    POINTS = "points"
    """Strikes and widths, without zeros that say nothing."""
    TICKS = "ticks"
    """xAI's unit of money, 10^10 a dollar; written as dollars, exact."""
    JSON = "json"
    """Text of JSON, written as what it stands for."""
    RUN = "R"
    PROPOSAL = "P"
    ORDER = "O"
    TRADE = "T"
    """Of a number that is an id: its letter, as people type it (`R31`)."""


Price = Annotated[Decimal, Unit.PRICE]
Dollars = Annotated[Decimal, Unit.DOLLARS]
Points = Annotated[Decimal, Unit.POINTS]
QuotedPrice = Annotated[float, Unit.PRICE]
ModelDollars = Annotated[float, Unit.DOLLARS]
Usd = Annotated[int, Unit.TICKS]
JsonText = Annotated[str, Unit.JSON]
RunId = Annotated[int, Unit.RUN]
ProposalId = Annotated[int, Unit.PROPOSAL]
OrderId = Annotated[int, Unit.ORDER]
TradeId = Annotated[int, Unit.TRADE]


def sum_amounts(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum, a Decimal of no amounts too."""
    return sum(amounts, Decimal(0))
