"""What a candidate is worth and how it may end: probabilities and expected values, each with its law and horizon."""

from datetime import date

from spy32.domain.market import Right
from spy32.domain.units import Dollars, ModelDollars
from spy32.domain.value import value


@value
class Estimate:
    """A mean, dollars per contract after costs, with its 90 % interval from a moving-block bootstrap."""

    mean: ModelDollars
    low: ModelDollars
    high: ModelDollars


@value
class Probabilities:
    """Probabilities of a candidate's endings, 0 to 1. The end is expiration, or the close at which the plan leaves."""

    profit: float
    """Any profit after slippage and costs, sold at the mid less slippage."""
    max_profit: float
    """To expiration, the largest possible payoff; under the exit plan, a close at the profit target or better."""
    worthless: float | None = None
    """Every leg expires out of the money; of a credit spread: no short strike is reached there. None under the exit
    plan, which closes before expiration."""
    max_loss: float | None = None
    """The least possible payoff at expiration. None under the exit plan, where time value is left."""
    touch: float | None = None
    """A short strike is reached at any time before the end, by highs and lows. None where the law does not tell."""
    stopped: float | None = None
    """Closed at the plan's stop. What is left of 1 beside `max_profit` and this leaves by time. None to expiration."""


@value
class Forecast:
    """A candidate under one law, to expiration or under the exit plan."""

    probabilities: Probabilities
    ev: Estimate | None = None
    """Expected profit. None under the market's law, whose expected value is the cost of trading and no judgement."""
    shortfall: Estimate | None = None
    """Expected shortfall at 5 %: the mean profit of the worst twentieth, negative for a loss. None as above. It may
    exceed the maximum loss of the proposal, which is at the floor, by the cost of closing."""
    average_win: ModelDollars | None = None
    """Mean profit of the trades that make one, dollars per contract after costs; None when none does, or as above."""
    average_loss: ModelDollars | None = None
    """Mean result of all others, negative."""


@value
class Forecasts:
    """A candidate under every law over one horizon; history is None where the underlying has none."""

    market: Forecast
    history: Forecast | None = None
    no_drift: Forecast | None = None


@value
class TradingCost:
    """The market's expected value of a candidate held to expiration, split; it needs no density.

    Dollars per contract, each zero or negative for a credit spread at fair quotes.
    """

    interest: ModelDollars
    """-(e^(rT) - 1) x mid x 100: the premium is valued at expiration."""
    slippage: ModelDollars
    commissions: Dollars
    fees: Dollars
    """Clearing and regulatory."""

    @property
    def total(self) -> ModelDollars:
        return self.interest + self.slippage + float(self.commissions + self.fees)


@value
class Outlook:
    """All such numbers of one candidate."""

    expiry: Forecasts
    """Held to expiration."""
    plan: Forecasts | None
    """Under the exit plan: profit target, stop, time exit, last exit, as `rules/exits.py` judges them."""
    cost: TradingCost
    premium_per_day: ModelDollars
    """Credit at the mid, dollars per contract and calendar day to expiration."""
    return_on_risk: float
    """Largest profit at the first limit over the maximum loss, as the order shows it."""
    score: float | None = None
    """Lower end of the history's expected value under the plan, over the maximum loss. Shown, never binding."""
    days: int | None = None
    """Calendar days from the market's day to expiration. None where an older build did not store it."""
    sessions: int = 0
    """Start days of the past windows that the history's numbers rest on."""
    history_until: date | None = None
    """The last day of that history."""
    missing: str | None = None
    """Why the history's numbers are not there."""

    @property
    def chosen_plan(self) -> Forecast | None:
        """The forecast that a decision rests on: the history's, under the exit plan."""
        return self.plan.history if self.plan is not None else None


@value
class TrackRecord:
    """What the market's probability of profit was worth in the past, for spreads of one right and short delta.

    Fractions, walk-forward over past Mondays.
    """

    right: Right
    delta: float
    stated: float
    """By the market's density."""
    came_true: float
    difference: float
    """came_true - stated."""
    low: float
    high: float
    """The 95 % interval of the difference."""
    until: str
    """The last month or day of the outcomes, as the table writes it."""
    history_difference: float | None = None
    """came_true less what the history's probability stated; None in a table that does not have it."""
