"""Why the value of a spread changed from one time to the next: full revaluation in a fixed order.

A spread is revalued while one input after the other moves: time, spot, at-the-money vol, smile. Each part is the change
of value of its step, so the parts depend on the order, and their sum does not. Revaluing every session by itself keeps
them small; greeks from the opening would be wrong after a week.

The quotes are of the spread's own legs, so the smile is known at their strikes only. "Vol" is the common shift of the
legs' vols, the mean of their own shifts weighted by vega; "smile" is what each leg moved beyond it. Vols stay with
their strikes while the spot moves: what skew does then is part of vol and smile.
"""

import numpy as np

from spy32.domain.value import value
from spy32.options.european import Contracts, build_contracts, greeks, implied_vol, price
from spy32.options.normal import Bools, Floats


@value
class LegColumns:
    """The m legs of the spread of each of n intervals, columns of shape (n, m)."""

    is_call: Bools
    strike: Floats
    weight: Floats
    """Contracts held per spread: negative for sold legs."""
    rate: Floats
    """Continuous, fractions a year, shape (n,)."""


@value
class MarketStates:
    """The market at one end of each of n intervals. NaN where something is not known."""

    years: Floats
    """To expiration, shape (n,)."""
    spot: Floats
    """Dollars, shape (n,)."""
    mids: Floats
    """Of each leg, dollars per share, shape (n, m)."""


@value
class ChangeParts:
    """Parts of the change of value in each interval, dollars per share from our side, shape (n,)."""

    time: Floats
    spot: Floats
    vol: Floats
    smile: Floats


def change_parts(legs: LegColumns, before: MarketStates, after: MarketStates, *, dividend_yield: float) -> ChangeParts:
    """Return the parts of each interval. The forward is the spot carried at the rate less `dividend_yield`.

    A spot or vol that is known at one end of an interval only did not change in it. With one that is known at neither,
    all parts are 0.
    """
    pricer = _Pricer(legs, dividend_yield)
    spot, spot_after = _known_ends(before.spot, after.spot)
    vol, vol_after = _known_ends(pricer.vols(before), pricer.vols(after))
    shift = _common_shift(pricer.vegas(after.years, spot_after, vol), vol_after - vol)
    steps = np.array(
        [
            pricer.values(before.years, spot, vol),
            pricer.values(after.years, spot, vol),
            pricer.values(after.years, spot_after, vol),
            pricer.values(after.years, spot_after, np.maximum(vol + shift[:, None], 0.0)),
            pricer.values(after.years, spot_after, vol_after),
        ]
    )
    time, by_spot, by_vol, smile = np.where(np.isfinite(steps).all(axis=0), np.diff(steps, axis=0), 0.0)
    return ChangeParts(time=time, spot=by_spot, vol=by_vol, smile=smile)


class _Pricer:
    """Prices of the legs. Spots and years have shape (n,), vols (n, m)."""

    def __init__(self, legs: LegColumns, dividend_yield: float) -> None:
        self._legs = legs
        self._carry = legs.rate - dividend_yield

    def vols(self, states: MarketStates) -> Floats:
        """Return the implied vol of each mid, shape (n, m); NaN where it has none."""
        contracts = self._contracts(states.years, states.spot)
        return implied_vol(contracts, states.mids.ravel()).reshape(states.mids.shape)

    def values(self, years: Floats, spot: Floats, vols: Floats) -> Floats:
        """Return what one spread is worth to us, shape (n,)."""
        prices = price(self._contracts(years, spot), vols.ravel()).reshape(vols.shape)
        return np.asarray((prices * self._legs.weight).sum(axis=1))

    def vegas(self, years: Floats, spot: Floats, vols: Floats) -> Floats:
        """Return the vega of the contracts of each leg, positive, shape (n, m); 0 where there is none."""
        vegas = greeks(self._contracts(years, spot), vols.ravel()).vega.reshape(vols.shape)
        return np.nan_to_num(vegas * np.abs(self._legs.weight))

    def _contracts(self, years: Floats, spot: Floats) -> Contracts:
        size = self._legs.strike.shape[1]
        return build_contracts(
            is_call=self._legs.is_call.ravel(),
            strike=self._legs.strike.ravel(),
            forward=np.repeat(spot * np.exp(self._carry * years), size),
            years=np.repeat(years, size),
            discount=np.repeat(np.exp(-self._legs.rate * years), size),
        )


def _known_ends(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    """Return the values at both ends, a missing one replaced by that of the other end."""
    return np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)


def _common_shift(vegas: Floats, shifts: Floats) -> Floats:
    """Return the mean shift by vega, shape (n,); 0 where no leg has any, since no vol matters there."""
    total = vegas.sum(axis=1)
    return np.where(total > 0.0, (vegas * shifts).sum(axis=1) / np.where(total > 0.0, total, 1.0), 0.0)
