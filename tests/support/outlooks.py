"""Made-up outlooks of candidates, and a made-up record of the market's probabilities."""

from datetime import date
from decimal import Decimal
from typing import Any

from spy32.domain.market import Right
from spy32.domain.outlook import (
    Estimate,
    Forecast,
    Forecasts,
    Outlook,
    Probabilities,
    TrackRecord,
    TradingCost,
)

UNTIL = "2025-06-30"
NO_HISTORY = "QQQ has no daily history here"


def estimate(mean: float, half: float = 9.0) -> Estimate:
    return Estimate(mean=mean, low=mean - half, high=mean + half)


def forecast(profit: float, ev: float | None = None, *, is_plan: bool = False, **over: Any) -> Forecast:
    """`profit` is the probability of any profit; the others keep their order beside it."""
    ends = {"stopped": 0.05} if is_plan else {"worthless": profit - 0.02, "max_loss": 0.9 - profit}
    probabilities = {"profit": profit, "max_profit": profit - 0.02, "touch": 0.41, **ends, **over}
    return Forecast(
        probabilities=Probabilities(**probabilities),
        ev=None if ev is None else estimate(ev),
        shortfall=None if ev is None else estimate(-301.5, 40.25),
        average_win=None if ev is None else 24.25,
        average_loss=None if ev is None else -88.5,
    )


def plan_forecasts() -> Forecasts:
    market, history, no_drift = (forecast(*each, is_plan=True) for each in ((0.774,), (0.853, 7.7), (0.812, 1.4)))
    return Forecasts(market=market, history=history, no_drift=no_drift)


def outlook(**over: Any) -> Outlook:
    base: dict[str, Any] = {
        "expiry": Forecasts(
            market=forecast(0.802, touch=None), history=forecast(0.864, 9.3), no_drift=forecast(0.821, 2.2)
        ),
        "plan": plan_forecasts(),
        "cost": TradingCost(interest=-0.2, slippage=-1.75, commissions=Decimal("-2.00"), fees=Decimal("-0.26")),
        "premium_per_day": 1.796875,
        "return_on_risk": 0.12351,
        "score": -0.0029,
        "days": 32,
        "sessions": 1344,
        "history_until": date(2025, 10, 3),
    }
    return Outlook(**{**base, **over})


def without_history(**over: Any) -> Outlook:
    """As it is for an underlying whose past is not known."""
    base: dict[str, Any] = {
        "expiry": Forecasts(market=forecast(0.802, touch=None)),
        "plan": None,
        "score": None,
        "sessions": 0,
        "history_until": None,
        "missing": NO_HISTORY,
    }
    return outlook(**{**base, **over})


def track_record() -> tuple[TrackRecord, ...]:
    """Puts came true more often than stated, calls less often."""
    figures = ((Right.PUT, 0.16, 0.888, 0.921), (Right.PUT, 0.20, 0.854, 0.888), (Right.CALL, 0.20, 0.795, 0.729))
    return tuple(
        TrackRecord(
            right=right, delta=delta, stated=stated, came_true=true, difference=true - stated,
            low=true - stated - 0.025, high=true - stated + 0.024, until=UNTIL, history_difference=-0.02,
        )
        for right, delta, stated, true in figures
    )  # fmt: skip
