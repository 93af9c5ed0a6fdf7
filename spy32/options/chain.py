"""Quotes as numpy columns, the form in which the mathematics takes them."""

from collections.abc import Sequence

import numpy as np

from spy32.domain.market import OptionQuote, Right
from spy32.domain.value import value
from spy32.options.normal import Bools, Floats


@value
class QuoteColumns:
    """Parallel to the quotes they came from. Dollars a share; what is missing is NaN."""

    strike: Floats
    is_call: Bools
    bid: Floats
    ask: Floats
    mid: Floats
    """NaN unless both sides are there, not crossed, and somebody offers at a price above zero."""

    @property
    def is_two_sided(self) -> Bools:
        """Somebody bids and somebody offers: the only quotes whose mid says what an option is worth."""
        return (self.bid > 0.0) & np.isfinite(self.mid)


def quote_columns(quotes: Sequence[OptionQuote]) -> QuoteColumns:
    """The quotes as columns, in their order."""
    bid = np.array([quote.bid for quote in quotes], dtype=np.float64)
    ask = np.array([quote.ask for quote in quotes], dtype=np.float64)
    sound = (bid >= 0.0) & (ask >= bid) & (ask > 0.0) & (ask < np.inf)
    return QuoteColumns(
        strike=np.array([quote.strike for quote in quotes], dtype=np.float64),
        is_call=np.array([quote.right is Right.CALL for quote in quotes], dtype=np.bool_),
        bid=bid,
        ask=ask,
        mid=np.where(sound, 0.5 * (bid + np.where(sound, ask, 0.0)), np.nan),
    )
