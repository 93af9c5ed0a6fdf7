"""What trades earned, without a store."""

from decimal import Decimal
from typing import Any

from spy32.domain.proposals import ExitReason
from spy32.domain.results import Realization, TradeResult
from spy32.lifecycle import TradeState
from tests.support import builders as b

D = Decimal


def result(**over: Any) -> TradeResult:
    """A trade of two spreads that was stopped out."""
    base: dict[str, Any] = {
        "trade_id": 5, "state": TradeState.CLOSED, "exit_reason": ExitReason.STOP, "premium": D("116.00"),
        "closing_cost": D("348.00"), "opening_fees": D("4.52"), "closing_fees": D("0.52"), "settlement_fees": D(0),
        "opening_slippage": D("1.00"), "closing_slippage": D("-4.00"), "open_cash": D(0), "unrealized": None,
        "realizations": (Realization(at=b.later(days=3), amount=D("-237.04")),), "marked_at": None, "days_held": 3,
        "credit_kept": -2.0, "of_max_profit": None, "of_max_loss": 0.265,
    }  # fmt: skip
    return TradeResult(**{**base, **over})
