"""Early exercise: when it pays the holder of what we are short.

A call is exercised early only on the eve of an ex-date, and pays when the dividend exceeds the put of the same strike
and expiration plus the interest saved by paying the strike later (Hull, Options, Futures and Other Derivatives, chapter
15.12). "Extrinsic value below the dividend" is only nearly the same and raises false alarms. A put pays when the
interest on the strike exceeds the call and the dividends before expiration. Both compare exercise with holding to
expiration. The American engine adds what exercise and the best of keeping are worth, and decides about a call on which
a second dividend falls, where keeping it until that one may be better. That exercise pays does not mean that it
happens: holders left more than half of the calls that should have been exercised (Pool, Stoll and Whaley, "Failure to
exercise call options", 2008).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import exp, isfinite

from spy32.domain.market import Dividend, LegQuotes, Right
from spy32.domain.option_class import settles_in_cash
from spy32.domain.spreads import Leg
from spy32.domain.value import value
from spy32.rules.pricing import bid_and_ask
from spy32.sessions import (
    YEAR,
    market_date,
    new_york_instant,
    next_session,
    previous_session,
    years_to_expiration,
)

OPENING = time(9, 30)
"""New York: from then on of its ex-date a share trades without the dividend."""


@value
class ExerciseCheck:
    """Whether early exercise of a short leg pays tonight. Amounts are dollars per share."""

    eve: date | None
    """The last session before the ex-date; None while the ex-dates are unknown."""
    is_worthwhile: bool | None
    """None when it cannot be judged."""
    message: str


@value
class ExerciseValues:
    """What a holder has by exercising an option now or keeping it, dollars per share."""

    vol: float
    """Of the mid of the option of the other right at the same strike, fraction a year."""
    exercised: float
    kept: float
    """With the right to exercise from the close of the next session on."""
    held: float
    """To expiration."""

    @property
    def text(self) -> str:
        """The figures as the end of a sentence."""
        wait = "" if self.exercised > self.kept else ", so not yet"
        return (
            f"; worth {self.exercised:.2f} exercised, {self.kept:.2f} kept at best, {self.held:.2f} held to expiration "
            f"(vol {self.vol:.1%}){wait}"
        )


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
    leg: Leg,
    quotes: LegQuotes,
    dividend: Dividend,
    rate: float,
    now: datetime,
    *,
    dividends: Sequence[Dividend] = (),
) -> ExerciseCheck | None:
    """Judge a short call; None unless this is the eve of the ex-date of `dividend`.

    `quotes` holds the put of `parity_leg`, `dividends` all that are known. In the money without the put's ask, exercise
    counts as worthwhile: what cannot be ruled out overnight is closed.
    """
    eve = exercise_eve(dividend)
    if not is_american_call(leg) or market_date(now) != eve:
        return None
    strike, spot, paid = float(leg.strike), quotes.spot, float(dividend.amount)
    start, strike_text = f"ex-date {dividend.ex_date}", f"{leg.strike.normalize():f} call"
    sides = bid_and_ask(quotes.quotes.get(parity_leg(leg).symbol))
    if not spot > strike or sides is None:
        is_in = spot > strike
        state = "in the money and its put has no two-sided quote" if is_in else f"out of the money at {spot:.2f}"
        return ExerciseCheck(eve=eve, is_worthwhile=is_in, message=f"{start}: the {strike_text} is {state}")
    carry = strike * (1 - exp(-rate * years_to_expiration(now, leg.expiration)))
    cost = float(sides[1]) + carry
    later = [each for each in dividends if dividend.ex_date < each.ex_date <= leg.expiration]
    worth = exercise_values(leg, quotes, (dividend, *later), rate, now)
    pays = worth.exercised > worth.kept if later and worth is not None else cost < paid
    message = (
        f"{start}: put {sides[1]} + carry {carry:.2f} = {cost:.2f} is "
        f"{'below' if cost < paid else 'not below'} the dividend {paid:.2f}"
        f"{' (expected)' if dividend.is_expected else ''}{' and one is paid later' if later else ''}: exercise of the "
        f"{strike_text} {'pays' if pays else 'does not pay'}{worth.text if worth is not None else ''}"
    )
    return ExerciseCheck(eve=eve, is_worthwhile=pays, message=message)


def exercise_values(
    leg: Leg, quotes: LegQuotes, dividends: Iterable[Dividend], rate: float, now: datetime
) -> ExerciseValues | None:
    """Return what a holder of the leg has by exercise and by keeping it; None when no vol can be read from `quotes`."""
    from spy32.options.american import AmericanContract, price_american
    from spy32.options.european import build_contracts, implied_vol

    sides, years = bid_and_ask(quotes.quotes.get(parity_leg(leg).symbol)), years_to_expiration(now, leg.expiration)
    if sides is None:
        return None
    contract = AmericanContract(
        is_call=leg.right is Right.CALL,
        spot=quotes.spot,
        strike=float(leg.strike),
        years=years,
        rate=rate,
        dividends=tuple(
            ((new_york_instant(each.ex_date, OPENING) - now) / YEAR, float(each.amount)) for each in dividends
        ),
        first_exercise=(next_session(market_date(now)).close - now) / YEAR,
    )
    forward = (contract.spot - contract.escrow(0.0)) * exp(rate * years)
    parity = build_contracts(
        is_call=not contract.is_call, strike=contract.strike, forward=forward, years=years, discount=exp(-rate * years)
    )
    vol = implied_vol(parity, float(sum(sides)) / 2).item()
    if not isfinite(vol):
        return None
    found = price_american(contract, vol)
    return ExerciseValues(vol=vol, exercised=contract.intrinsic, kept=found.price, held=found.european)


def exercise_eve(dividend: Dividend) -> date:
    """Return the last session before an ex-date, on whose evening calls are exercised."""
    return previous_session(dividend.ex_date).day


def put_exercise_note(
    leg: Leg, quotes: LegQuotes, rate: float, now: datetime, dividends: Sequence[Dividend] | None = None
) -> str | None:
    """Return a note when early exercise of a short put pays: the interest on its strike exceeds the call and the
    dividends before expiration (None: unknown). None if not.

    Only far in the money; it is told and closes nothing.
    """
    strike = float(leg.strike)
    sides = bid_and_ask(quotes.quotes.get(parity_leg(leg).symbol))
    if leg.right is not Right.PUT or not is_american(leg) or not quotes.spot < strike or sides is None:
        return None
    interest = strike * (1 - exp(-rate * years_to_expiration(now, leg.expiration)))
    call = sum(sides, Decimal(0)) / 2
    inside = [each for each in dividends or () if market_date(now) < each.ex_date <= leg.expiration]
    paid = sum(float(each.amount) for each in inside)
    if not interest > float(call) + paid:
        return None
    worth = exercise_values(leg, quotes, inside, rate, now) if dividends is not None else None
    return (
        f"early exercise of the {leg.strike.normalize():f} put pays its holder: interest {interest:.2f} until "
        f"expiration against a call of {call:.2f}{f' and dividends of {paid:.2f}' if paid else ''}"
        f"{worth.text if worth is not None else ''}"
    )
