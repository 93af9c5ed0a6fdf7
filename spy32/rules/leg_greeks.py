"""Implied vol and greeks of single legs from fresh quotes, by Black 76 at the leg's own implied vol."""

from datetime import datetime
from math import exp, isnan

from spy32.domain.market import LegQuotes, Right
from spy32.domain.spreads import Greeks, Leg
from spy32.domain.value import value
from spy32.rules.pricing import bid_and_ask
from spy32.sessions import years_to_expiration

DIVIDEND_YIELD = 0.012
"""Fraction a year, about what large S&P 500 funds pay. The actual yield of one month is a whole quarterly dividend or
none, so this is only an average."""


@value
class LegGreeks:
    """Implied vol of the mid, a fraction a year, and the greeks of one share long."""

    iv: float
    greeks: Greeks


def leg_greeks(leg: Leg, quotes: LegQuotes, rate: float, now: datetime) -> LegGreeks | None:
    """Return the greeks of one leg at its mid; None when the mid has no implied vol or no time is left.

    Two legs of one right give no put-call parity, so the forward is the spot carried at `rate` (a fraction a year) less
    `DIVIDEND_YIELD`. For a month the delta is within 0.01 of the one at the parity forward.
    """
    from spy32.options.european import build_contracts, greeks, implied_vol

    sides, years = bid_and_ask(quotes.quotes.get(leg.symbol)), years_to_expiration(now, leg.expiration)
    if sides is None:
        return None
    contract = build_contracts(
        is_call=leg.right is Right.CALL,
        strike=float(leg.strike),
        forward=quotes.spot * exp((rate - DIVIDEND_YIELD) * years),
        years=years,
        discount=exp(-rate * years),
    )
    vol = implied_vol(contract, float(sum(sides) / 2))
    if isnan(vol.item()):
        return None
    columns = greeks(contract, vol)
    return LegGreeks(
        iv=vol.item(),
        greeks=Greeks(**{name: getattr(columns, name).item() for name in ("delta", "gamma", "theta", "vega")}),
    )
