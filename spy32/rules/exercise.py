"""Early exercise: when it pays the holder of what we are short.

A call is exercised early only on the eve of an ex-date, and pays when the dividend exceeds the put of the same strike
and expiration plus the interest saved by paying the strike later (Hull, Options, Futures and Other Derivatives, chapter
15.12). A put pays when the interest on the strike exceeds the call. "Extrinsic value below the dividend" is only nearly
the same and raises false alarms. That it pays does not mean that it happens: holders left more than half of the calls
that should have been exercised (Pool, Stoll and Whaley, "Failure to exercise call options", 2008).
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from math import exp

from spy32.domain.market import Dividend, LegQuotes, Right
from spy32.domain.option_class import settles_in_cash
from spy32.domain.spreads import Leg
from spy32.domain.value import value
from spy32.rules.pricing import bid_and_ask
from spy32.sessions import market_date, previous_session, years_to_expiration


@value
class ExerciseCheck:
    """Whether early exercise of a short leg pays tonight. Amounts are dollars per share."""

    leg: Leg
    eve: date | None
    """The last session before the ex-date; None while the ex-dates are unknown."""
    is_worthwhile: bool | None
    """None when it cannot be judged."""
    message: str


def parity_leg(leg: Leg) -> Leg:
    """Return the option of the other right with the same strike, whose price decides about exercise."""
    other = Right.CALL if leg.right is Right.PUT else Right.PUT
    return Leg(root=leg.root, expiration=leg.expiration, strike=leg.strike, right=other, action=leg.action)


def is_american(leg: Leg) -> bool:
    """Return whether the leg may be exercised early; the index options that settle in cash are European."""
    return not settles_in_cash(leg.root)


def is_american_call(leg: Leg) -> bool:
    """Return whether the leg is a call that may be exercised early, before an ex-date."""
    return leg.right is Right.CALL and is_american(leg)


def next_ex_date(dividends: Iterable[Dividend] | None, expiration: date, today: date) -> Dividend | None:
    """Return the first dividend after today whose ex-date is not after the expiration; None without one."""
    return min(
        (each for each in dividends or () if today < each.ex_date <= expiration),
        key=lambda each: each.ex_date,
        default=None,
    )


def check_call_exercise(
    leg: Leg, quotes: LegQuotes, dividend: Dividend, rate: float, now: datetime
) -> ExerciseCheck | None:
    """Judge a short call; None unless this is the eve of the ex-date.

    `quotes` holds the put of `parity_leg`. In the money without its ask, exercise counts as worthwhile: what cannot be
    ruled out overnight is closed.
    """
    eve = exercise_eve(dividend)
    if not is_american_call(leg) or market_date(now) != eve:
        return None
    strike, spot, paid = float(leg.strike), quotes.spot, float(dividend.amount)
    strike_text = f"{leg.strike.normalize():f} call"
    if not spot > strike:
        message = f"ex-date {dividend.ex_date}: the {strike_text} is out of the money at {spot:.2f}"
        return ExerciseCheck(leg=leg, eve=eve, is_worthwhile=False, message=message)
    carry = strike * (1 - exp(-rate * years_to_expiration(now, leg.expiration)))
    sides = bid_and_ask(quotes.quotes.get(parity_leg(leg).symbol))
    if sides is None:
        message = f"ex-date {dividend.ex_date}: the {strike_text} is in the money and its put has no two-sided quote"
        return ExerciseCheck(leg=leg, eve=eve, is_worthwhile=True, message=message)
    cost = float(sides[1]) + carry
    relation = "below" if cost < paid else "not below"
    message = (
        f"ex-date {dividend.ex_date}: put {sides[1]} + carry {carry:.2f} = {cost:.2f} is {relation} the dividend "
        f"{paid:.2f}{' (expected)' if dividend.is_expected else ''}: exercise of the {strike_text} "
        f"{'pays' if cost < paid else 'does not pay'}"
    )
    return ExerciseCheck(leg=leg, eve=eve, is_worthwhile=cost < paid, message=message)


def exercise_eve(dividend: Dividend) -> date:
    """Return the last session before an ex-date, on whose evening calls are exercised."""
    return previous_session(dividend.ex_date).day


def put_exercise_note(leg: Leg, quotes: LegQuotes, rate: float, now: datetime) -> str | None:
    """Return a note when early exercise of a short put pays: the interest on its strike exceeds the call. None if not.

    Only far in the money; it is told and closes nothing.
    """
    strike = float(leg.strike)
    sides = bid_and_ask(quotes.quotes.get(parity_leg(leg).symbol))
    if leg.right is not Right.PUT or not is_american(leg) or not quotes.spot < strike or sides is None:
        return None
    interest = strike * (1 - exp(-rate * years_to_expiration(now, leg.expiration)))
    call = sum(sides, Decimal(0)) / 2
    if not interest > float(call):
        return None
    return (
        f"early exercise of the {leg.strike.normalize():f} put pays its holder: interest {interest:.2f} until "
        f"expiration against a call of {call:.2f}"
    )
