"""A trade without a store, quotes of its legs as a table writes them, and the input of its exits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from spy32.domain.market import LegQuotes, OptionQuote, Right
from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Leg, Mode
from spy32.lifecycle import TradeState
from spy32.rules.exits import ExitInput
from tests.support import builders

D = Decimal
Sides = tuple[float | None, float | None]
"""Bid and ask, dollars per share."""


def trade(**over: Any) -> Trade:
    """Two open default put spreads, 640/635, sold at 0.58 with fees of 4.52."""
    base: dict[str, Any] = {
        "id": 1,
        "proposal_id": 1,
        "run_id": 1,
        "mode": Mode.PAPER,
        "state": TradeState.OPEN,
        "legs": builders.spread().legs,
        "quantity": 2,
        "credit": D("0.58"),
        "fees": D("4.52"),
        "opening_fees": over.get("fees", D("4.52")),
        "max_loss": D("888.52"),
        "opened_at": builders.later(minutes=7),
    }
    return Trade(**{**base, **over})


def call_trade(**over: Any) -> Trade:
    """The same on the call side, 695/700."""
    return trade(legs=builders.spread("695", "700").legs, **over)


def opening(**over: Any) -> Proposal:
    """The proposal that opened `trade()`."""
    return builders.proposal(**over)


def quote(leg: Leg, sides: Sides) -> OptionQuote:
    """One contract at this bid and ask."""
    parts = {"root": leg.root, "expiration": leg.expiration, "strike": leg.strike, "right": leg.right}
    return replace(builders.quote(), **parts, bid=sides[0], ask=sides[1])


def quotes(short: Sides, long: Sides, *, legs: Sequence[Leg] | None = None, **over: Any) -> LegQuotes:
    """Quotes of two legs, given as bid and ask; of now unless `as_of` says otherwise."""
    pair = legs if legs is not None else builders.spread().legs
    found = {leg.symbol: quote(leg, sides) for leg, sides in zip(pair, (short, long), strict=True)}
    return builders.leg_quotes(quotes=found, **over)


def with_quote(given: LegQuotes, leg: Leg, sides: Sides) -> LegQuotes:
    """The quotes with one more contract."""
    return replace(given, quotes={**given.quotes, leg.symbol: quote(leg, sides)})


def mark(mid: str | None = "0.50", at: datetime = builders.NOW, **over: Any) -> Mark:
    """A usable mark at this mid, with a natural 0.05 above it, of quotes of the same time."""
    price = D(mid) if mid is not None else None
    natural = price + D("0.05") if price is not None else None
    return builders.mark(1, **{"at": at, "mid": price, "natural": natural, **over})


def exit_input(*marks: Mark, now: datetime | None = None, of: Trade | None = None, **over: Any) -> ExitInput:
    """The input at the time of the last mark. `over` may name parts of the plan."""
    known = {name: over.pop(name) for name in ("exercise", "has_resting_target") if name in over}
    at = now if now is not None else marks[-1].at if marks else builders.NOW
    return ExitInput(trade=of or trade(), plan=builders.exit_plan(**over), marks=marks, now=at, **known)


PUT, CALL = Right.PUT, Right.CALL
