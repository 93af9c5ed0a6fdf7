"""The approval of an opening that covers the closes of its plan: which ones, and what a person's word takes away."""

from datetime import timedelta
from decimal import Decimal

from spy32.domain.marks import Mark
from spy32.domain.proposals import ApprovalTerms, ExitReason, Finding, Proposal, ProposalTerms
from spy32.domain.spreads import ExitAuthority
from spy32.lifecycle import ProposalState
from spy32.rules import limits, plan
from spy32.sessions import market_date
from spy32.trading.context import TradingContext


def plan_name(opening_id: int) -> str:
    """Return who approves a close that the approval of its opening covers."""
    return f"the plan of P{opening_id}"


def is_covered(context: TradingContext, opening: Proposal, close: ProposalTerms, width: Decimal) -> bool:
    """Return whether the approval of the opening covers this close: its plan and the present settings say so, no person
    declined such a close today, and the price is in bounds."""
    approval = context.store.proposals.latest_approval(opening.id)
    return (
        opening.exit.authority is plan.exit_authority(context.settings) is ExitAuthority.PLAN
        and close.reason is not None
        and close.reason is not ExitReason.PERSON
        and approval is not None
        and approval.hash == opening.hash == plan.proposal_digest(opening)
        and close.trade_id is not None
        and not was_declined(context, close.trade_id, close.reason)
        and -close.floor_price <= width
    )


def is_by_plan(context: TradingContext, opening: Proposal, close: Proposal) -> bool:
    """Return whether the newest approval of a close was given by the plan and not by a person."""
    approval = context.store.proposals.latest_approval(close.id)
    return approval is not None and approval.by == plan_name(opening.id)


def was_declined(context: TradingContext, trade_id: int, reason: ExitReason | None) -> bool:
    """Return whether a person declined a close for this reason in today's session."""
    today = market_date(context.clock())
    return any(
        close.state is ProposalState.DECLINED and close.reason is reason and market_date(close.lapses_at) == today
        for close in context.store.proposals.select_closes(trade_id)
    )


def check_absent_closes(context: TradingContext, close: Proposal) -> tuple[Finding, ...]:
    """Return why no plan sends this close: another one of today was not found at the broker."""
    assert close.trade_id is not None
    absent = context.store.found_orders.absent_exits(market_date(context.clock()), close.trade_id)
    return tuple(limits.check_absent_orders(absent, close.mode))


def approve_by_plan(context: TradingContext, opening: Proposal, close: Proposal, mark: Mark, *, note: str) -> None:
    """Approve a close in the name of the opening's approval, at the prices of this mark."""
    assert mark.mid is not None and mark.natural is not None
    now = context.clock()
    context.store.proposals.approve(
        ApprovalTerms(
            proposal_id=close.id,
            hash=close.hash,
            by=plan_name(opening.id),
            at=now,
            until=now + timedelta(minutes=context.settings.execution.approval_minutes),
            spot=mark.spot,
            mid=-mark.mid,
            natural=-mark.natural,
            short_delta=max((abs(leg.delta) for leg in mark.legs if leg.delta is not None), default=0.0),
            note=note,
        )
    )
