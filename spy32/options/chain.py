"""Option quotes as numpy columns, the input of the mathematics."""

from collections.abc import Sequence

import numpy as np

from spy32.domain.market import OptionQuote, Right
from spy32.domain.value import value
from spy32.options.normal import Bools, Floats


@value
class QuoteColumns:
    """Columns of shape (n,), parallel to the n quotes. Prices are dollars per share; a missing price is NaN."""

    strike: Floats
    is_call: Bools
    bid: Floats
    ask: Floats
    mid: Floats
    """NaN unless 0 <= bid <= ask and ask > 0."""

    @property
    def is_two_sided(self) -> Bools:
        """True where bid and ask are above zero and not crossed. Only then is the mid a fair estimate of the price."""
        return (self.bid > 0.0) & np.isfinite(self.mid)


def quote_columns(quotes: Sequence[OptionQuote]) -> QuoteColumns:
    """Return the quotes as columns, in the same order."""
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
