"""Spreads revalued along scenarios of the underlying, and left by an exit plan at the close of a session.

The smile is sticky in moneyness: vol over the at-the-money vol is a fixed function of the log-moneyness in standard
deviations of what is left, and the at-the-money vol moves with the scenario's VIX. Sticky strikes would let the skew of
today wander off with the spot; a smile fixed in plain log-moneyness would flatten as the expiration nears. Each
contract keeps the small ratio of its own vol to the smile, so that the first mark is the mid of today.
"""

from collections.abc import Callable, Mapping

import numpy as np

from spy32.domain.market import Right
from spy32.domain.spreads import MULTIPLIER, Spread
from spy32.domain.value import value
from spy32.options.history import Horizon, Scenarios
from spy32.options.normal import Floats, normal_cdf

SHAPE_REACH = 8.0
"""Standard deviations to each side for which the shape of the smile is tabulated; beyond them it is flat."""
SHAPE_STEP = 1 / 32
"""Distance of its nodes in deviations; linear between them, it is within 1e-5 of the vol."""


@value
class SmileShape:
    """A smile as vol over at-the-money vol, on even nodes of log(strike / forward) in standard deviations."""

    forward: float
    discount: float
    """To expiration."""
    atm: float
    """At-the-money vol, a fraction a year."""
    ratios: Floats

    @classmethod
    def tabulate(
        cls, vol_at: Callable[[Floats], Floats], *, forward: float, discount: float, years: float
    ) -> "SmileShape":
        """Return the shape of a smile that is a function of the strike (dollars)."""
        atm = float(vol_at(np.array([forward]))[0])
        nodes = np.linspace(-SHAPE_REACH, SHAPE_REACH, round(2 * SHAPE_REACH / SHAPE_STEP) + 1)
        strikes = forward * np.exp(nodes * atm * np.sqrt(years))
        return cls(forward=forward, discount=discount, atm=atm, ratios=vol_at(strikes) / atm)

    def ratio(self, deviations: Floats) -> Floats:
        """Return vol over at-the-money vol, elementwise."""
        place = np.clip((deviations + SHAPE_REACH) / SHAPE_STEP, 0.0, len(self.ratios) - 1.000001)
        left = place.astype(np.int32)
        low = self.ratios[left]
        return np.asarray(low + (place - left) * (self.ratios[left + 1] - low))


@value
class PlanTerms:
    """The exit plan of one candidate as numbers. Prices are debits to close, dollars per share."""

    credit: float
    """Received at the opening; negative for a debit."""
    target: float
    stop: float | None
    """None when it is out of reach."""
    ceiling: float
    """The most that a closing may cost: the width of a credit spread, 0 for a debit spread."""
    slippage: float
    """Given up below the mid when the trade is closed."""
    costs: float
    """To open and to close, dollars per contract."""


@value
class PlanResult:
    """The ends of one candidate's trades, shape (scenarios,)."""

    session: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    """Index of the session at whose close the trade is left."""
    mark: Floats
    """The mid then, a debit in dollars per share."""
    profit: Floats
    """Dollars per contract after slippage and costs."""


def forward_paths(moves: Floats, horizon: Horizon, shape: SmileShape) -> Floats:
    """Return the forward to expiration along log total-return moves since now, shape of `moves`.

    The total return of the shares less the interest of today moves the forward; dividends are inside the forward.
    """
    elapsed = horizon.years - horizon.left[: moves.shape[1]]
    return np.asarray(shape.forward * np.exp(moves + np.log(shape.discount) / horizon.years * elapsed))


def log_spot_paths(moves: Floats, horizon: Horizon, shape: SmileShape, spot: float) -> Floats:
    """Return the log of the underlying's price along such moves, shape of `moves`; it meets the forward at expiration.

    The dividends until expiration come off evenly, which is within a dividend of the truth.
    """
    left = horizon.left[: moves.shape[1]]
    carry = (np.log(spot / shape.forward) * left + np.log(shape.discount) * (horizon.years - left)) / horizon.years
    return np.asarray(moves + (np.log(shape.forward) + carry))


def mark_contracts(
    contracts: Mapping[tuple[Right, float], float], scenarios: Scenarios, horizon: Horizon, shape: SmileShape
) -> dict[tuple[Right, float], Floats]:
    """Return the value of each contract at each close, dollars per share, shape (sessions, scenarios), by right and
    strike.

    `contracts` are the vols of today by right and strike. Where no time is left, the value is the payoff.
    """
    forward = forward_paths(scenarios.close, horizon, shape).T
    left = horizon.left[: len(forward)][:, None]
    log_forward = np.log(forward)
    deviation = np.maximum(shape.atm * scenarios.vix.T * np.sqrt(left), 1e-12)
    discount = np.exp(np.log(shape.discount) / horizon.years * left)
    now = shape.atm * np.sqrt(horizon.years)
    marks: dict[tuple[Right, float], Floats] = {}
    for (right, strike), vol in contracts.items():
        log_strike = np.log(strike)
        today = float(shape.ratio(np.array([(log_strike - np.log(shape.forward)) / now]))[0])
        moneyness = log_strike - log_forward
        total = deviation * shape.ratio(moneyness / deviation) * (vol / (today * shape.atm))
        sign = 1.0 if right is Right.CALL else -1.0
        d1 = total / 2 - moneyness / total
        values = forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * (d1 - total))
        marks[right, strike] = discount * sign * values
    return marks


def closing_debits(spread: Spread, marks: dict[tuple[Right, float], Floats]) -> Floats:
    """Return what buying a spread back at the mid costs at each close, dollars per share."""
    parts = [leg.action.sign * leg.quantity * marks[leg.right, float(leg.strike)] for leg in spread.legs]
    return np.asarray(sum(parts[1:], parts[0]))


def simulate_plan(debits: Floats, terms: PlanTerms) -> PlanResult:
    """Return how the trades of one candidate end under its plan; the last session of `debits` closes what is left.

    One mark a session decides, as in `rules/exits.py` with two readings of it: the target at or below, the stop at or
    above.
    """
    due = debits <= terms.target
    if terms.stop is not None:
        due |= debits >= terms.stop
    due[-1] = True
    session = np.argmax(due, axis=0)
    mark = debits[session, np.arange(debits.shape[1])]
    paid = np.minimum(mark + terms.slippage, terms.ceiling)
    return PlanResult(session=session, mark=mark, profit=(terms.credit - paid) * MULTIPLIER - terms.costs)
