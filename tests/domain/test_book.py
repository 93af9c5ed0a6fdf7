"""Positions of the book: what is left of a trade, and the vols that its mark gives."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.book import proposed_position, trade_position
from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.spreads import Mode
from spy32.lifecycle import TradeState
from tests.support import builders
from tests.support.books import leg_marks

LEGS = builders.spread().legs


def trade(**over: Any) -> Trade:
    base: dict[str, Any] = {
        "id": 3, "proposal_id": 1, "run_id": 1, "mode": Mode.PAPER, "state": TradeState.OPEN, "legs": LEGS,
        "quantity": 4, "credit": Decimal("0.58"), "fees": Decimal(0), "opening_fees": Decimal(0),
        "max_loss": Decimal(1000), "opened_at": builders.NOW,
    }  # fmt: skip
    return Trade(**{**base, **over})


def mark(*vols: float | None) -> Mark:
    return builders.mark(3, legs=leg_marks(LEGS, *vols))


@pytest.mark.parametrize(
    ("vols", "used"),
    [((0.2, 0.25), (0.2, 0.25)), ((0.2, None), (0.2, 0.2)), ((None, 0.25), (0.25, 0.25)), ((None, None), None)],
)
def test_a_leg_without_a_vol_takes_that_of_the_others(
    vols: tuple[float | None, ...], used: tuple[float, ...] | None
) -> None:
    market = trade_position(trade(), "SPY", mark(*vols)).market
    assert (market.vols if market is not None else None) == used


def test_what_is_closed_is_not_at_risk_any_more() -> None:
    found = trade_position(trade(closed_quantity=3), "SPY", None)
    assert (found.id, found.quantity, found.max_loss, found.market) == ("T3", 1, Decimal(250), None)


def test_a_proposal_takes_the_vols_of_its_candidate() -> None:
    candidate = builders.candidate()
    found = proposed_position("P1", builders.proposal_terms(), candidate, builders.market_line())
    assert found.market is not None
    assert found.market.vols == (candidate.short.iv, candidate.long.iv)
    assert proposed_position("P1", builders.proposal_terms(), None, builders.market_line()).market is None


def test_the_side_is_that_of_the_legs() -> None:
    found = trade_position(trade(), "SPY", None)
    assert found.side == "put"
    calls = builders.spread(short="700", long="705").legs
    assert replace(found, legs=(*found.legs, *(replace(leg, right=leg.right.CALL) for leg in calls))).side == "both"
