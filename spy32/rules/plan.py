"""Builds what a person approves from a sized candidate: price plan, exit plan, proposal, hash and the exact order."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from spy32.domain.codec import digest
from spy32.domain.findings import RiskDecision
from spy32.domain.market import RECORDED, MarketSnapshot, is_recorded_source
from spy32.domain.orders import OrderKind
from spy32.domain.proposals import ExitPlan, PricePlan, ProposalKind, ProposalTerms
from spy32.domain.runs import Run
from spy32.domain.spreads import (
    MULTIPLIER,
    ZERO,
    Candidate,
    ExitAuthority,
    Leg,
    Mode,
    Spread,
    max_width,
    price_effect,
    value_bounds,
)
from spy32.errors import Refused
from spy32.options.spreads import breakevens, max_loss
from spy32.rules.pricing import (
    check_premium,
    is_on_tick,
    least_tick,
    opening_costs,
    percent,
    round_down_to_tick,
    round_trip_costs,
    round_up_to_tick,
    spread_tick,
)
from spy32.rules.settlement import trading_end
from spy32.sessions import (
    closure_reason,
    days_to_expiration,
    last_trading_day,
    market_date,
    next_session,
    previous_session,
    session,
)  # fmt: skip
from spy32.settings import Settings

LONG_DTE = 28
"""A trade opened with at least this DTE uses the setting `exit.time_exit_dte`."""
SHORT_DTE = 3
"""A trade opened with at most this DTE has no time exit, only the last exit, which is a day or two away."""
MAX_REFERENCE_LENGTH = 36

# Plans.


def price_plan(candidate: Candidate, settings: Settings) -> PricePlan:
    """Return the price walk from the first limit down to the floor, one tick a step."""
    execution = settings.execution
    return PricePlan(
        start=candidate.start,
        limit=candidate.floor,
        tick=spread_tick(candidate.spread.short.root, execution),
        step_seconds=execution.step_seconds,
        deadline_seconds=execution.deadline_seconds,
    )


def exit_plan(candidate: Candidate, opened: date, settings: Settings) -> ExitPlan:
    """Return the exit plan of a trade that is opened on `opened` at the first limit."""
    root, expiration = candidate.spread.short.root, candidate.spread.expiration
    unpriced = ExitPlan(
        profit_target=ZERO,
        stop=ZERO,
        time_exit=time_exit(root, expiration, opened, settings),
        last_exit=last_exit(root, expiration, opened),
        note="",
        rests_target=settings.exit.rest_target,
        authority=exit_authority(settings),
    )
    return reprice_exits(unpriced, candidate.spread, candidate.start, settings)


def exit_authority(settings: Settings) -> ExitAuthority:
    """Return who approves the closing orders; in live mode the plan does only when a second setting says so."""
    is_allowed = settings.mode is not Mode.LIVE or settings.exit.authorise_live
    return settings.exit.authorise if is_allowed else ExitAuthority.ASK


def reprice_exits(exits: ExitPlan, spread: Spread, credit: Decimal, settings: Settings) -> ExitPlan:
    """Return the exit plan with the same days and the prices for this credit (dollars per share, a debit is negative).

    The target keeps a share of the largest profit, which for a credit spread is the credit. A debit spread has no stop:
    it loses its debit at the most, and a multiple of a credit says nothing of it.
    """
    tick = spread_tick(spread.legs[0].root, settings.execution)
    # Round the target down, so that closing never costs more, or brings less, than planned. Round the stop up, so that
    # its alarm never comes before the set multiple.
    low, high = value_bounds(spread.legs)
    target = credit - settings.exit.profit_target * (credit + high)
    target = max(round_down_to_tick(target, tick), tick if high == 0 else -high)
    stop = max(round_up_to_tick(credit * settings.exit.stop_multiple, tick), tick) if low else ZERO
    priced = replace(exits, profit_target=target, stop=stop)
    return replace(priced, note=_exit_note(priced, spread, settings))


def last_exit(root: str, expiration: date, opened: date) -> date:
    """Return the session before the last one in which the options of a root trade, or `opened` if that is later."""
    return max(previous_session(market_date(trading_end(root, expiration))).day, opened)


def time_exit(root: str, expiration: date, opened: date, settings: Settings) -> date | None:
    """Return the day of the time exit; None when the last exit is not later.

    It is the day with `exit.time_exit_dte` days to expiration if the trade is opened with at least `LONG_DTE`, else
    with two thirds of its DTE (as 21 of 32 days is about two thirds). A closed day is replaced by the session before,
    and a day not later than `opened` by the session after it.
    """
    end = last_trading_day(expiration)
    dte = (end - opened).days
    if dte <= SHORT_DTE:
        return None
    day = end - timedelta(days=time_exit_dte(dte, settings))
    if closure_reason(day) is not None:
        day = previous_session(day).day
    if day <= opened:
        day = next_session(opened).day
    return day if day < last_exit(root, expiration, opened) else None


def time_exit_dte(dte: int, settings: Settings) -> int:
    """Return the days to expiration at the time exit of a trade that is opened with so many."""
    exit_dte = settings.exit.time_exit_dte
    return exit_dte if dte >= LONG_DTE and exit_dte < dte else dte * 2 // 3


def planned_exit(candidate: Candidate, opened: date, settings: Settings) -> date:
    """Return the latest planned exit day of a trade that is opened on `opened`."""
    root, expiration = candidate.spread.short.root, candidate.spread.expiration
    return time_exit(root, expiration, opened, settings) or last_exit(root, expiration, opened)


def _exit_note(exits: ExitPlan, spread: Spread, settings: Settings) -> str:
    exit_day, stop = exits.time_exit, exits.stop
    share, is_debit = percent(settings.exit.profit_target), spread.strategy.is_debit
    if is_debit:
        parts = [f"close for a credit of {-exits.profit_target} or more ({share} of the largest profit)"]
    else:
        parts = [f"close at {exits.profit_target} or less ({share} of the credit kept)"]
    if exit_day is not None:
        days = days_to_expiration(spread.expiration, exit_day)
        parts.append(f"on {exit_day}, {days} days before expiration, at any rate")
    parts.append(f"never held past {exits.last_exit}")
    if is_debit:
        parts.append("no stop, since no more than the debit can be lost")
    elif stop < spread.width:
        parts.append(f"alarm when closing costs {stop} or more")
    else:
        parts.append(f"the alarm at {stop} is out of reach, since closing costs at most the width")
    if exits.authority is ExitAuthority.PLAN:
        worst = "down to a credit of one tick" if is_debit else "at the width at most"
        parts.append(f"this approval covers the closing orders too, {worst}")
    return "; ".join(parts)


# The proposal.


def build_proposal(
    candidate: Candidate,
    ruling: RiskDecision,
    snapshot: MarketSnapshot,
    settings: Settings,
    *,
    run: Run,
    chosen_by: str,
) -> ProposalTerms:
    """Return the proposal for a person's approval, with its hash. `ruling.account` must be set.

    Raises `Refused` when the day is not a session.
    """
    assert ruling.account is not None
    today = market_date(ruling.at or snapshot.as_of)
    hours = session(today)
    if hours is None:
        raise Refused(f"{today} is no session ({closure_reason(today)}); nothing can be proposed")
    spread, market = candidate.spread, snapshot.source
    if snapshot.is_recorded and not is_recorded_source(market):
        # The clock and the quotes of an approval follow from this name.
        market = f"{RECORDED}:{market}"
    terms = ProposalTerms(
        run_id=run.id,
        kind=ProposalKind.OPEN,
        mode=ruling.account.mode,
        account=ruling.account.number,
        profile=run.profile,
        underlying=spread.underlying,
        strategy=spread.strategy,
        legs=spread.legs,
        quantity=ruling.quantity,
        plan=price_plan(candidate, settings),
        exit=exit_plan(candidate, today, settings),
        max_loss=ZERO,
        max_profit=ZERO,
        breakevens=(),
        assignment_value=ZERO,
        candidate_id=candidate.id,
        chosen_by=chosen_by,
        quoted_at=snapshot.as_of,
        # A recorded chain may have been quoted in the last 15 minutes, when only options trade.
        lapses_at=hours.option_close if snapshot.is_recorded else hours.close,
        market=market,
    )
    return complete_proposal(terms, settings)


def complete_proposal(proposal: ProposalTerms, settings: Settings) -> ProposalTerms:
    """Return an opening with all figures derived from legs, quantity and price plan, and with its hash."""
    spread = proposal_spread(proposal)
    quantity, plan = proposal.quantity, proposal.plan
    costs_per_contract = opening_costs(quantity, settings.costs, proposal.legs[0].root, len(spread.legs))
    changed = replace(
        proposal,
        max_loss=max_loss(spread, plan.limit, costs_per_contract) * quantity,
        max_profit=((plan.start + value_bounds(spread.legs)[1]) * MULTIPLIER - costs_per_contract) * quantity,
        breakevens=breakevens(spread, plan.start),
        assignment_value=max(leg.strike for leg in spread.shorts) * MULTIPLIER * quantity,
    )
    return replace(changed, hash=proposal_digest(changed))


def proposal_spread(proposal: ProposalTerms) -> Spread:
    """Return the spread of the proposal's legs."""
    return Spread(underlying=proposal.underlying, strategy=proposal.strategy, legs=proposal.legs)


def change_quantity(proposal: ProposalTerms, quantity: int, settings: Settings) -> ProposalTerms:
    """Return the opening with another number of contracts. It does not check the limits; `limits` does.

    Raises `Refused` for a closing or a quantity below 1.
    """
    _require_opening(proposal)
    if quantity < 1:
        raise Refused(f"{quantity} is not a number of contracts; 1 is the least")
    return complete_proposal(replace(proposal, quantity=quantity), settings)


def change_floor(proposal: ProposalTerms, floor: Decimal, settings: Settings) -> ProposalTerms:
    """Return the opening with another floor (credit, dollars per share, a debit is negative).

    Raises `Refused` when the floor is off the tick, above the first limit, or unfit for the width or the costs.
    """
    _require_opening(proposal)
    plan, spread = proposal.plan, proposal_spread(proposal)
    worst = -spread.width if spread.strategy.is_debit else ZERO
    word, sign = ("ceiling", -1) if spread.strategy.is_debit else ("floor", 1)
    if not worst < floor <= plan.start:
        between = f"between {sign * worst:f} and the first limit {sign * plan.start}"
        raise Refused(f"a {word} of {sign * floor} is not {between}")
    if not is_on_tick(floor, plan.tick):
        raise Refused(f"a {word} of {sign * floor} is not a multiple of the tick {plan.tick}")
    round_trip = round_trip_costs(proposal.quantity, settings.costs, proposal.legs[0].root, len(spread.legs))
    findings = tuple(check_premium(floor, spread.width, round_trip, settings.choice))
    if findings:
        raise Refused(findings[0].message, tuple(finding.message for finding in findings))
    return complete_proposal(replace(proposal, plan=replace(plan, limit=floor)), settings)


def _require_opening(proposal: ProposalTerms) -> None:
    if proposal.kind is not ProposalKind.OPEN:
        raise Refused(f"this proposal closes T{proposal.trade_id}: its size and price follow the trade")


HASHED_0_3 = (
    "kind", "mode", "account", "underlying", "strategy", "legs", "quantity", "plan", "exit", "max_loss", "trade_id",
)  # fmt: skip
"""What the hash of a proposal covered until 0.3.0; nothing is approved or sent by such a hash any more."""
HASHED_FIELDS = (*HASHED_0_3, "market", "profile", "chosen_by", "reason")
"""What an approval covers: the market decides on the clock and the quotes, the profile on the limits, who chose on
whether it may be sent. Not id, state and times: a proposal that is offered again is the same one."""


def proposal_digest(proposal: ProposalTerms, names: Sequence[str] = HASHED_FIELDS) -> str:
    """SHA-256 of what an approval covers, hexadecimal."""
    return digest(_hashed_fields(proposal, names))


LATER_FIELDS = {"authority": ExitAuthority.ASK, "reason": None}
"""Fields that came after 0.3.0, with what they were before: at that value they are not hashed, so that older hashes
still hold."""


def _hashed_fields(noun: Any, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(noun, name) for name in names}
    return {
        name: _normalise_prices(item)
        for name, item in values.items()
        if name not in LATER_FIELDS or item != LATER_FIELDS[name]
    }


def _normalise_prices(value: Any) -> Any:
    """Return the value with every Decimal normalised, because 0.57 and 0.5700 are the same price."""
    if isinstance(value, Decimal):
        return value.normalize()
    if is_dataclass(value):
        return _hashed_fields(value, (field.name for field in fields(value)))
    return [_normalise_prices(part) for part in value] if isinstance(value, tuple) else value


# The order.


def order_body(legs: Sequence[Leg], quantity: int, limit: Decimal, reference: str, *, kind: OrderKind) -> str:
    """Return the exact JSON text of a tastytrade limit order (tastytrade API, POST /accounts/{n}/orders).

    `limit` is a credit, dollars per share, a debit negative; the body has the absolute price and the price effect.
    A profit target is GTC, every other order a day order. Raises ValueError for an order that must never be sent: a
    limit of zero, off the tick or beyond the width, a credit spread at a debit or the reverse, or legs that do not
    open (close) as `kind` says.
    """
    _check_order(legs, quantity, limit, reference, kind)
    body: dict[str, object] = {
        "time-in-force": "GTC" if kind is OrderKind.TARGET else "Day",
        "order-type": "Limit",
        "price": f"{abs(limit):.2f}",
        "price-effect": "Credit" if limit > 0 else "Debit",
        "source": "spy32",
        "external-identifier": reference,
        "legs": [
            {
                "action": leg.action.value,
                "instrument-type": "Equity Option",
                "symbol": leg.symbol,
                "quantity": leg.quantity * quantity,
            }
            for leg in legs
        ],
    }
    if kind is not OrderKind.ENTRY:
        # Without this, the broker turns a closing order without a position into an opening order.
        body["advanced-instructions"] = {"strict-position-effect-validation": True}
    return json.dumps(body)


def _check_order(legs: Sequence[Leg], quantity: int, limit: Decimal, reference: str, kind: OrderKind) -> None:
    if quantity < 1:
        raise ValueError(f"an order of {quantity} contracts")
    if not 0 < len(reference) <= MAX_REFERENCE_LENGTH:
        raise ValueError(f"the reference {reference!r} is not 1 to {MAX_REFERENCE_LENGTH} characters long")
    tick = least_tick(legs[0].root)
    if not limit.is_finite() or limit == 0 or not is_on_tick(limit, tick):
        raise ValueError(f"a limit of {limit} is not a positive multiple of {tick} on either side")
    opens = {leg.action.opens for leg in legs}
    if opens != {kind is OrderKind.ENTRY}:
        raise ValueError(f"an {kind} order with legs that {'open' if True in opens else 'close'}")
    if limit * price_effect(legs) < 0:
        raise ValueError(
            f"legs that {'receive' if price_effect(legs) > 0 else 'pay'} premium cannot have the limit {limit}"
        )
    if not abs(limit) <= max_width(legs):
        raise ValueError(f"a limit of {limit} is beyond the width {max_width(legs)}")
