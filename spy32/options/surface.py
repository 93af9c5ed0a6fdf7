"""The smile of one expiration: the forward from parity, one curve of vols, each contract's greeks on the curve."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date
from decimal import Decimal
from math import exp, isfinite

import numpy as np

from spy32.domain.market import OptionQuote, Right
from spy32.domain.spreads import Greeks, LegView, Spread
from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.options.european import POINT, Contracts, build_contracts, greeks, implied_vol
from spy32.options.normal import Bools, Floats
from spy32.options.smile_fit import MIN_HALF_SPREAD, QuotedVols, SmileCurve, fit_curve

PARITY_BAND = 0.02
"""Fraction of the spot: strikes this near give the forward. Farther out, American prices stick to intrinsic value."""
PARITY_REACH = 0.10
"""Fraction of the spot: the limit for the nearest strikes of a coarse grid, such as 2.50 dollars on a share at 40."""
MIN_PAIRS = 3
"""Fewest pairs: the median of three ignores one bad quote."""
MIN_STRIKES = 8
"""Fewest out-of-the-money strikes for a curve; fewer do not determine the shape of a smile."""


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


@value
class Smile:
    """One expiration as columns of shape (n,), parallel to `quotes`.

    Prices are dollars per share, vols fractions a year, greeks as in `GreekColumns`. Vols and greeks are NaN where the
    mid has no vol.
    """

    expiration: date
    years: float
    forward: float
    discount: float
    quotes: tuple[OptionQuote, ...]
    strike: Floats
    is_call: Bools
    bid: Floats
    ask: Floats
    mid: Floats
    quote_iv: Floats
    """Vol of the quote's own mid."""
    iv: Floats
    """Vol of the curve at the strike, from which the greeks are; without a curve, `quote_iv`."""
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    curve: SmileCurve | None
    """None with fewer than `MIN_STRIKES` out-of-the-money quotes."""
    rows: Mapping[tuple[Right, Decimal], int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = {(quote.right, quote.strike): row for row, quote in enumerate(self.quotes)}
        object.__setattr__(self, "rows", rows)

    def view(self, right: Right, strike: Decimal) -> LegView | None:
        """Return the contract with quote, vol and delta; None when it is not listed or its mid has no vol."""
        row = self.rows.get((right, strike))
        if row is None or not np.isfinite(self.iv[row]):
            return None
        return LegView(quote=self.quotes[row], iv=float(self.iv[row]), delta=float(self.delta[row]))

    @property
    def is_otm(self) -> Bools:
        """True for two-sided out-of-the-money quotes with a vol: puts below the forward, calls at or above it."""
        return _is_otm(self.strike, self.is_call, self.bid, self.quote_iv, self.forward)

    def atm_iv(self) -> float:
        """Return the vol at the forward; NaN without out-of-the-money quotes to both sides of it.

        It is the curve's, and without one linear in the strike between the neighbours.
        """
        used = np.flatnonzero(self.is_otm)
        order = used[np.argsort(self.strike[used], kind="stable")]
        linear = float(np.interp(self.forward, self.strike[order], self.iv[order], left=np.nan, right=np.nan))
        if self.curve is None or not isfinite(linear):
            return linear
        return float(self.curve.vol(np.array([self.forward]))[0])

    def spread_greeks(self, spread: Spread) -> Greeks:
        """Return the greeks of one spread, per share, from our side: a sold leg counts negative.

        Raises `Unusable` when a leg has no vol.
        """
        for leg in spread.legs:
            if self.view(leg.right, leg.strike) is None:
                raise Unusable(f"{leg.symbol} has no usable quote, so the spread has no greeks; choose other strikes")
        rows = [self.rows[leg.right, leg.strike] for leg in spread.legs]
        weights = [float(-leg.action.sign * leg.quantity) for leg in spread.legs]
        names = ("delta", "gamma", "theta", "vega")
        return Greeks(**{name: float(np.dot(weights, getattr(self, name)[rows])) for name in names})


def build_smile(
    quotes: Sequence[OptionQuote],
    *,
    spot: float,
    years: float,
    rate: float,
    expiration: date,
    earlier: SmileCurve | None = None,
) -> Smile:
    """Return the smile of one expiration. `rate` is continuous, a fraction a year; `years` is time to expiration.

    `earlier` is the curve of an earlier expiration, below whose total variance the curve does not fall. Raises
    `Unusable` when no time is left, an input is not usable, or parity gives no forward.
    """
    if not (isfinite(rate) and years > 0.0 and spot > 0.0 and isfinite(years * spot)):
        raise Unusable(
            f"no smile for {expiration}: needs a spot and a time left above zero, and a rate;"
            f" spot {spot}, years {years}, rate {rate}"
        )
    listed = tuple(quote for quote in quotes if quote.expiration == expiration)
    columns = quote_columns(listed)
    discount = exp(-rate * years)
    forward = parity_forward(columns, spot=spot, discount=discount, expiration=expiration)
    contracts = build_contracts(
        is_call=columns.is_call, strike=columns.strike, forward=forward, years=years, discount=discount
    )
    quote_iv = implied_vol(contracts, columns.mid)
    curve = _fit_quotes(columns, contracts, quote_iv, earlier)
    iv = quote_iv if curve is None else np.where(np.isfinite(quote_iv), curve.vol(columns.strike), np.nan)
    # By the European model: early exercise is ignored.
    greek = greeks(contracts, iv)
    return Smile(
        expiration=expiration,
        years=years,
        forward=forward,
        discount=discount,
        quotes=listed,
        strike=columns.strike,
        is_call=columns.is_call,
        bid=columns.bid,
        ask=columns.ask,
        mid=columns.mid,
        quote_iv=quote_iv,
        iv=iv,
        delta=greek.delta,
        gamma=greek.gamma,
        theta=greek.theta,
        vega=greek.vega,
        curve=curve,
    )


def _fit_quotes(
    columns: QuoteColumns, contracts: Contracts, quote_iv: Floats, earlier: SmileCurve | None
) -> SmileCurve | None:
    """Return the curve through the two-sided out-of-the-money quotes; None with fewer than `MIN_STRIKES`."""
    forward, years = float(contracts.forward[0]), float(contracts.years[0])
    is_otm = _is_otm(columns.strike, columns.is_call, columns.bid, quote_iv, forward)
    if np.unique(columns.strike[is_otm]).size < MIN_STRIKES:
        return None
    half = np.maximum((columns.ask - columns.bid)[is_otm] / 2, MIN_HALF_SPREAD)
    vega = greeks(contracts, quote_iv).vega[is_otm] / POINT
    order = np.argsort(columns.strike[is_otm], kind="stable")
    strike, vol, weight = (column[order] for column in (columns.strike[is_otm], quote_iv[is_otm], vega / half))
    return fit_curve(QuotedVols(strike=strike, vol=vol, weight=weight), forward, years, earlier)


def _is_otm(strike: Floats, is_call: Bools, bid: Floats, quote_iv: Floats, forward: float) -> Bools:
    return np.asarray((is_call == (strike >= forward)) & (bid > 0.0) & np.isfinite(quote_iv))


def parity_forward(columns: QuoteColumns, *, spot: float, discount: float, expiration: date) -> float:
    """Return the median of K + (C - P)/discount, dollars, over strikes near the spot with a two-sided call and put.

    It uses the strikes within 2 % of the spot, and on a coarse grid the three nearest. Raises `Unusable` with fewer
    than three.
    """
    near = columns.is_two_sided & (np.abs(columns.strike / spot - 1.0) <= PARITY_REACH)
    calls, puts = np.flatnonzero(near & columns.is_call), np.flatnonzero(near & ~columns.is_call)
    strikes, call_rows, put_rows = np.intersect1d(columns.strike[calls], columns.strike[puts], return_indices=True)
    if strikes.size < MIN_PAIRS:
        raise Unusable(
            f"{strikes.size} strikes of {expiration} within {PARITY_REACH:.0%} of {spot:g} have a call and a put quoted"
            f" on both sides; {MIN_PAIRS} are needed to infer the forward",
            gate="parity",
        )
    distance = np.abs(strikes / spot - 1.0)
    used = distance <= max(PARITY_BAND, np.sort(distance)[MIN_PAIRS - 1])
    forwards = strikes + (columns.mid[calls][call_rows] - columns.mid[puts][put_rows]) / discount
    # `np.median` would load masked arrays, which takes longer than the whole smile.
    ordered = np.sort(forwards[used])
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
