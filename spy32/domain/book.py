"""The book: what is held, with the newest implied vols of its legs."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.market import Right
from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ProposalTerms
from spy32.domain.run_view import MarketSummary
from spy32.domain.spreads import Candidate, Leg
from spy32.domain.units import Dollars
from spy32.domain.value import value


@value
class LegVols:
    """The market by which a spread is valued: its time, the spot, and the implied vol of each leg."""

    at: datetime
    spot: float
    vols: tuple[float, ...]
    """In the order of the legs, fractions a year."""


@value
class BookPosition:
    """One spread of the book, or one that a proposal would add to it."""

    id: str
    """`T3` of a trade, `P12` of a proposal."""
    underlying: str
    legs: tuple[Leg, ...]
    """Of one spread, as it was opened."""
    quantity: int
    """Spreads still held."""
    max_loss: Dollars
    """Of the spreads still held, dollars."""
    market: LegVols | None = None
    """None when neither a mark nor the run of the opening gives the vols; it is then counted and not revalued."""
    is_recorded: bool = False
    """Whether it is of a recorded market, so that it lives by the time of `market`."""

    @property
    def expiration(self) -> date:
        return self.legs[0].expiration

    @property
    def side(self) -> str:
        """`put`, `call`, or `both` of an iron condor."""
        rights = {leg.right for leg in self.legs}
        return "both" if len(rights) > 1 else "put" if Right.PUT in rights else "call"


def trade_position(
    trade: Trade, underlying: str, mark: Mark | None, opening: LegVols | None = None, *, is_recorded: bool = False
) -> BookPosition:
    """Return the position of a trade, valued by its newest mark; before that by the vols at its `opening`."""
    return BookPosition(
        id=f"T{trade.id}",
        underlying=underlying,
        legs=trade.legs,
        quantity=trade.remaining,
        max_loss=trade.max_loss * trade.remaining / trade.quantity,
        market=(_mark_vols(trade.legs, mark) if mark is not None else None) or opening,
        is_recorded=is_recorded,
    )


def proposed_position(
    name: str, terms: ProposalTerms, candidate: Candidate | None, market: MarketSummary | None
) -> BookPosition:
    """Return the position that a proposal would open, valued at the quotes of its run."""
    return BookPosition(
        id=name,
        underlying=terms.underlying,
        legs=terms.legs,
        quantity=terms.quantity,
        max_loss=terms.max_loss,
        market=opening_vols(terms.legs, candidate, market),
        is_recorded=terms.is_recorded,
    )


def opening_vols(legs: Sequence[Leg], candidate: Candidate | None, market: MarketSummary | None) -> LegVols | None:
    """Return the vols of a candidate's legs at the quotes of its run; None without them."""
    if candidate is None or market is None:
        return None
    views = candidate.views
    vols = [views[leg.symbol].iv if leg.symbol in views else None for leg in legs]
    return _leg_vols(market.as_of, market.spot, vols)


def book_max_loss(positions: Sequence[BookPosition]) -> Decimal:
    return sum((position.max_loss for position in positions), Decimal(0))


def _mark_vols(legs: Sequence[Leg], mark: Mark) -> LegVols | None:
    by_symbol = {leg.symbol: leg.iv for leg in mark.legs}
    return _leg_vols(mark.at, mark.spot, [by_symbol.get(leg.symbol) for leg in legs])


def _leg_vols(at: datetime, spot: float, vols: Sequence[float | None]) -> LegVols | None:
    """A leg whose mid has no implied vol is worth almost nothing; it takes the highest of the others."""
    highest = max((vol for vol in vols if vol is not None), default=None)
    if highest is None:
        return None
    return LegVols(at=at, spot=spot, vols=tuple(vol if vol is not None else highest for vol in vols))
