"""Builds the closing proposal of a trade: quantity, price plan from the mid towards the natural, ceiling, hash."""

from dataclasses import replace
from decimal import Decimal

from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitPlan, ExitReason, PricePlan, Proposal, ProposalKind, ProposalTerms
from spy32.domain.spreads import CENT, ZERO
from spy32.errors import Refused, Unavailable
from spy32.rules.marks import closing_result
from spy32.rules.plan import proposal_digest
from spy32.rules.pricing import is_on_tick, round_down_to_tick, round_up_to_tick, spread_tick
from spy32.sessions import closure_reason, market_date, session
from spy32.settings import Settings

ABOVE_NATURAL = 2 * CENT
"""The ceiling stands this far above the natural debit, so that an order at the ceiling fills in a moving market."""


def closing_proposal(
    opening: Proposal,
    trade: Trade,
    reason: ExitReason,
    mark: Mark,
    settings: Settings,
    *,
    price: Decimal | None = None,
) -> ProposalTerms:
    """Return the proposal that closes what the trade still holds, with its hash.

    `price` is a person's own ceiling, dollars per share and positive: the most to pay, or for a debit spread the least
    to receive. Prices of the plan are credits, negative where closing pays. `max_loss` and `max_profit` are the trade's
    result when it closes at the ceiling and at the first limit.
    Raises `Unavailable` when the mark cannot price an order, `Refused` for an impossible price and on a closed day.
    """
    now = mark.at
    hours = session(market_date(now))
    if hours is None:
        raise Refused(f"{market_date(now)} is no session ({closure_reason(market_date(now))}); nothing can be closed")
    exits = trade_exits(opening, trade)
    plan = closing_plan(trade, exits, reason, mark, settings, price=price)
    worst = closing_result(trade, -plan.limit, trade.remaining, settings)
    terms = ProposalTerms(
        run_id=opening.run_id,
        kind=ProposalKind.CLOSE,
        mode=opening.mode,
        account=opening.account,
        profile=opening.profile,
        underlying=opening.underlying,
        strategy=opening.strategy,
        legs=trade.closing_legs,
        quantity=trade.remaining,
        plan=plan,
        exit=exits,
        max_loss=max(-worst, ZERO),
        max_profit=closing_result(trade, -plan.start, trade.remaining, settings),
        breakevens=(),
        assignment_value=ZERO,
        candidate_id=None,
        chosen_by="person" if reason is ExitReason.PERSON else "plan",
        quoted_at=mark.as_of,
        lapses_at=hours.option_close,
        market=opening.market,
        trade_id=trade.id,
        reason=reason,
    )
    return replace(terms, hash=proposal_digest(terms))


def trade_exits(opening: Proposal, trade: Trade) -> ExitPlan:
    """Return the exit plan in force: the approved one, or the one made anew when it opened below its floor."""
    return trade.exits or opening.exit


def is_outdated(close: ProposalTerms, made: ProposalTerms, natural: Decimal) -> bool:
    """Return whether a waiting close no longer fits beside the one that is made now: another reason or quantity, its
    ceiling has become too low to fill, or its first limit is above the natural debit, which the price collar refuses.
    """
    is_other = close.reason is not made.reason or close.quantity != made.quantity
    least = close.plan.tick if close.limit_price < 0 else natural
    is_high = -close.limit_price > max(natural, least)
    return is_other or is_high or close.floor_price > made.limit_price


def closing_plan(
    trade: Trade,
    exits: ExitPlan,
    reason: ExitReason,
    mark: Mark,
    settings: Settings,
    *,
    price: Decimal | None = None,
) -> PricePlan:
    """Return the walk from the mid to the ceiling: `price`, or a little above the natural, but the target or the most
    that closing can cost. Raises `Unavailable` when the mark cannot price an order, `Refused` for an impossible price.
    """
    execution, tick = settings.execution, spread_tick(trade.legs[0].root, settings.execution)
    highest = trade.closing_bounds[1]
    most = min(exits.profit_target if reason is ExitReason.TARGET else highest, highest)
    if price is not None and not (0 < price <= trade.width and is_on_tick(price, tick)):
        raise Refused(
            f"a price of {price} is not a multiple of {tick} between 0 and the width {trade.width:f}, the most that "
            "closing can be worth"
        )
    if not mark.is_usable or mark.mid is None or mark.natural is None:
        flags = ", ".join(flag.replace("_", "-") for flag in mark.flags)
        raise Unavailable(f"T{trade.id} cannot be priced: the quotes of {mark.source} are {flags}; try again")
    natural = round_up_to_tick(mark.natural + ABOVE_NATURAL, tick)
    # An order needs a price of one tick at least; a target below it, of an older tick, is a price too.
    pays = trade.closing_bounds[0] == 0
    least, most = (min(tick, most), most) if pays else (trade.closing_bounds[0], min(-tick, most))
    wanted = min(natural, most) if price is None else price if pays else -price
    ceiling = max(wanted, least)
    # The mid is rounded to our advantage, down.
    start = max(min(round_down_to_tick(mark.mid, tick), ceiling), least)
    return PricePlan(
        start=-start,
        limit=-ceiling,
        tick=tick,
        step_seconds=execution.step_seconds,
        deadline_seconds=execution.deadline_seconds,
    )
