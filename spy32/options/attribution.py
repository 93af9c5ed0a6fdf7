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
    """The m legs of a spread, columns of shape (m,)."""

    is_call: Bools
    strike: Floats
    weight: Floats
    """Contracts held per spread: negative for sold legs."""


@value
class MarketStates:
    """The market at the n + 1 ends of n successive intervals. NaN where something is not known."""

    years: Floats
    """To expiration, shape (n + 1,)."""
    spot: Floats
    """Dollars, shape (n + 1,)."""
    mids: Floats
    """Of each leg, dollars per share, shape (n + 1, m)."""


@value
class ChangeParts:
    """Parts of the change of value in each interval, dollars per share from our side, shape (n,)."""

    time: Floats
    spot: Floats
    vol: Floats
    smile: Floats


def change_parts(legs: LegColumns, states: MarketStates, *, rate: float, dividend_yield: float) -> ChangeParts:
    """Return the parts of each interval. The forward is the spot carried at the rate less `dividend_yield`.

    A spot or vol that is known at one end of an interval only did not change in it. With one that is known at neither,
    all parts are 0.
    """

    def contracts(years: Floats, spot: Floats) -> Contracts:
        """Every leg at each time, one after the other."""
        times, size = len(years), len(legs.strike)
        return build_contracts(
            is_call=np.tile(legs.is_call, times),
            strike=np.tile(legs.strike, times),
            forward=np.repeat(spot * np.exp((rate - dividend_yield) * years), size),
            years=np.repeat(years, size),
            discount=np.repeat(np.exp(-rate * years), size),
        )

    def values(years: Floats, spot: Floats, vols: Floats) -> Floats:
        prices = price(contracts(years, spot), vols.ravel()).reshape(vols.shape)
        return np.asarray((prices * legs.weight).sum(axis=1))

    vols = implied_vol(contracts(states.years, states.spot), states.mids.ravel()).reshape(states.mids.shape)
    years, end = states.years[:-1], states.years[1:]
    spot, spot_after = _known_ends(states.spot)
    vol, vol_after = _known_ends(vols)
    vegas = greeks(contracts(end, spot_after), vol.ravel()).vega.reshape(vol.shape)
    shift = _common_shift(np.nan_to_num(vegas * np.abs(legs.weight)), vol_after - vol)
    steps = np.array(
        [
            values(years, spot, vol),
            values(end, spot, vol),
            values(end, spot_after, vol),
            values(end, spot_after, np.maximum(vol + shift[:, None], 0.0)),
            values(end, spot_after, vol_after),
        ]
    )
    time, by_spot, by_vol, smile = np.where(np.isfinite(steps).all(axis=0), np.diff(steps, axis=0), 0.0)
    return ChangeParts(time=time, spot=by_spot, vol=by_vol, smile=smile)


def _known_ends(found: Floats) -> tuple[Floats, Floats]:
    """Return the values at both ends of each interval, a missing one replaced by that of the other end."""
    before, after = found[:-1], found[1:]
    return np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)


def _common_shift(vegas: Floats, shifts: Floats) -> Floats:
    """Return the mean shift by vega, shape (n,); 0 where no leg has any, since no vol matters there."""
    total = vegas.sum(axis=1)
    return np.where(total > 0.0, (vegas * shifts).sum(axis=1) / np.where(total > 0.0, total, 1.0), 0.0)
