"""What a candidate came to: settled at its expiration, and left by its exit plan, at the paper broker's fills.

Amounts are dollars per contract, of an order of one contract. The exit plan is judged by `rules/exits.py` on marks:
those on record of the trade that was made of the candidate, else one at each close, computed from the close, the VIX
and the smile of the run as in `options/plan_paths.py`, with the width between mid and natural as it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from spy32.domain.marks import Mark
from spy32.domain.option_class import class_of_root
from spy32.domain.orders import Trade
from spy32.domain.outcomes import DailyClose, PlanOutcome
from spy32.domain.spreads import CENT, MULTIPLIER, Candidate, Mode, Spread
from spy32.domain.units import Dollars, Price
from spy32.lifecycle import TradeState
from spy32.options.history import Scenarios
from spy32.options.plan_paths import closing_debits, log_spot_paths
from spy32.quality.freshness import MAX_MOVE
from spy32.rules.closing import closing_plan
from spy32.rules.endings import MarketModel
from spy32.rules.exits import STOP_INTERVAL, ExitInput, check_exits, due_exit
from spy32.rules.marks import closing_result
from spy32.rules.plan import exit_plan, price_plan
from spy32.rules.pricing import paper_fill
from spy32.rules.settlement import settled_amount
from spy32.sessions import market_date
from spy32.settings import Settings

MODELLED = "modelled"
"""Source of the marks that are computed from closes."""
TENTH_OF_A_CENT = Decimal("0.001")
"""Modelled mids are rounded to this; those of quotes in cents are multiples of half a cent."""


def opening_fill(candidate: Candidate, settings: Settings) -> Price:
    """Return the credit at which the paper broker fills the candidate at the quotes of its menu.

    Where its price walk ends above the first limit that fills, it would have waited for better quotes; the floor, the
    least that is accepted, stands for that.
    """
    plan = price_plan(candidate, settings)
    found = paper_fill(plan, candidate.natural, candidate.mid, settings.paper.fill_share)
    return plan.limit if found is None else found


def settlement_price(spread: Spread, close: DailyClose) -> Price | None:
    """Return the official price that settles a spread at its expiration; None where it is not known."""
    terms = class_of_root(spread.legs[0].root)
    if terms is None:
        return None
    return close.open if terms.settles_at_open else close.close


def expiry_result(candidate: Candidate, fill: Price, price: Price) -> Dollars:
    """Return the result of holding a candidate until it is settled at `price`.

    Delivered shares count at that price, since a registered metric cannot wait for the next session; the paper account
    sells them at its open.
    """
    settled = settled_amount(candidate.spread.legs, price)
    return (fill * MULTIPLIER - candidate.costs + settled).quantize(CENT, ROUND_HALF_EVEN)


def find_split(spot: float, closes: Sequence[DailyClose]) -> date | None:
    """Return the first session whose close is of another scale than the price before it, `spot` at first; None without
    one. The strikes of the run do not fit such prices."""
    before = spot
    for each in closes:
        if abs(float(each.close) / before - 1) > MAX_MOVE:
            return each.day
        before = float(each.close)
    return None


def plan_outcome(
    candidate: Candidate, opened_at: datetime, marks: Sequence[Mark], settings: Settings
) -> PlanOutcome | None:
    """Return how its exit plan left a candidate that was filled on paper, at the first mark at which an exit was due
    and its close filled; None when it held on to the last of the marks, which are in order of time."""
    trade = Trade(
        id=0,
        proposal_id=0,
        run_id=0,
        mode=Mode.PAPER,
        state=TradeState.OPEN,
        legs=candidate.spread.legs,
        quantity=1,
        credit=opening_fill(candidate, settings),
        fees=candidate.costs,
        opening_fees=candidate.costs,
        max_loss=candidate.max_loss,
        opened_at=opened_at,
    )
    exits = exit_plan(candidate, market_date(opened_at), settings)
    for count, mark in enumerate(marks, 1):
        due = due_exit(check_exits(ExitInput(trade=trade, plan=exits, marks=marks[:count], now=mark.at)))
        if due is None or not mark.is_usable or mark.mid is None or mark.natural is None:
            continue
        close = closing_plan(trade, exits, due.reason, mark, settings)
        found = paper_fill(close, -mark.natural, -mark.mid, settings.paper.fill_share)
        if found is not None:
            return PlanOutcome(
                day=market_date(mark.at),
                reason=due.reason,
                result=closing_result(trade, -found, 1, settings),
                is_modelled=any(each.source == MODELLED for each in marks[:count]),
            )
    return None


def modelled_marks(
    candidates: Sequence[Candidate], model: MarketModel, closes: Sequence[DailyClose], vix: float
) -> list[tuple[Mark, ...]]:
    """Return the marks of each candidate at the `closes` of the first sessions of the model's horizon, all with a VIX.

    `vix` is that of the run, percent. Each close is read twice, as often as the stop wants to see it.
    """
    if not closes:
        return [() for _ in candidates]
    count = len(closes)
    spots = np.log([float(each.close) for each in closes])[None, :]
    # The moves that lead to these closes: the forward and its carry follow from them as they do for a scenario.
    moves = spots - log_spot_paths(np.zeros((1, count)), model.horizon, model.shape, model.spot)
    ratios = np.array([[each.vix for each in closes]], dtype=np.float64) / vix
    path = Scenarios(starts=np.array([0]), close=moves, high=moves, low=moves, vix=ratios)
    values = model.marks([each.spread for each in candidates], path)
    return [
        tuple(
            mark
            for debit, close, at in zip(closing_debits(each.spread, values)[:, 0], closes, model.closes, strict=False)
            for mark in _read_twice(each, float(debit), close, at)
        )
        for each in candidates
    ]


def _read_twice(candidate: Candidate, debit: float, close: DailyClose, at: datetime) -> tuple[Mark, Mark]:
    mid = max(Decimal(str(debit)).quantize(TENTH_OF_A_CENT), Decimal(0))
    last = Mark(
        trade_id=0,
        at=at,
        as_of=at,
        source=MODELLED,
        spot=float(close.close),
        mid=mid,
        natural=mid + candidate.mid - candidate.natural,
        quantity=1,
    )
    return replace(last, at=at - STOP_INTERVAL, as_of=at - STOP_INTERVAL), last
