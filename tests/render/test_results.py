"""What a trade earned, in words."""

from dataclasses import replace
from decimal import Decimal

from spy32.domain.results import TradeResult
from spy32.lifecycle import TradeState
from spy32.render.marks import result_items
from tests.support import builders as b
from tests.support.results import result

D = Decimal


def words(found: TradeResult) -> list[str]:
    return [f"{label}: {text}" for label, text, *_ in result_items(found)]


def test_an_ended_trade_says_how_much_why_and_of_how_much() -> None:
    assert words(result()) == [
        "Realised: -$237.04 by stop, held 3 days, -200.0% of the credit kept, 26.5% of max loss",
        "Costs: fees $5.04, slippage $1.00 to open, slippage -$4.00 to close",
    ]


def test_an_open_trade_says_what_it_would_earn() -> None:
    fresh = result(
        state=TradeState.OPEN, exit_reason=None, realizations=(), unrealized=D("12.30"), marked_at=b.NOW,
        days_held=None, credit_kept=None, of_max_loss=None, closing_fees=D(0), closing_slippage=None,
    )  # fmt: skip
    assert words(fresh) == [
        "Unrealised: +$12.30 by the newest usable mark",
        "Costs: fees $4.52, slippage $1.00 to open",
    ]
    part = replace(fresh, realizations=result().realizations)
    assert words(part)[0] == "Realised: -$237.04"


def test_fees_of_a_settlement_are_told_apart() -> None:
    settled = result(settlement_fees=D("10.00"), opening_slippage=None, closing_slippage=None)
    assert words(settled)[-1] == "Costs: fees $15.04, of them $10.00 for settlement"
