"""Send an approved order exactly once: quote again, check again, commit, send, work the price, report."""

from collections.abc import Mapping
from dataclasses import replace

from spy32.domain.findings import Finding, blocking_reasons
from spy32.domain.market import LegQuotes
from spy32.domain.orders import BrokerOrder, DryRun, Order, limit_text
from spy32.domain.proposals import Approval, Proposal
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import (
    TERMINATIONS,
    BrokerRefused,
    NotFilled,
    NotPermitted,
    Refused,
    Spy32Error,
    Unavailable,
    Unresolved,
)
from spy32.lifecycle import OPEN_TRADES, EndedBy, OrderState, ProposalState
from spy32.rules import dry_run_check, limits, plan, price_guard
from spy32.sessions import market_date
from spy32.trading import order_adoption, order_state, profit_target, transactions
from spy32.trading.context import TradingContext, refuse_if_blocked, revoke_ended_approval
from spy32.trading.order_book import OrderBook, load_order_book
from spy32.trading.price_walk import cancel_and_conclude, check_duplicates_with_retry, walk_price

SUBMIT_LOCK = "submits"
SUBMIT_LOCK_SECONDS = 30.0


@value
class ExecutionPreview:
    """The exact order that would be sent, and the results of the last checks."""

    proposal: Proposal
    body: str
    quotes: LegQuotes
    findings: tuple[Finding, ...]
    dry_run: DryRun


def preview_execution(context: TradingContext, proposal_id: int) -> ExecutionPreview:
    """Run every check of `execute` and the broker's dry run. Nothing is sent or written."""
    _stop_if_edited(context)
    proposal = context.store.proposals.get(proposal_id)
    approval = _require_approval(context, proposal)
    ticket = OrderBook(context, proposal).first_ticket(approval)
    account_findings = _check_account(context, proposal)
    dry_run = context.orders.dry_run(ticket.body)
    quotes = _fetch_quotes(context, proposal)
    findings = (
        *_check_now(context, proposal, approval, quotes),
        *account_findings,
        *limits.check_held_contracts(proposal, context.account.positions()),
        *(dry_run_check.check_dry_run(proposal, dry_run, context.settings) if dry_run.accepted else ()),
    )
    return ExecutionPreview(proposal=proposal, body=ticket.body, quotes=quotes, findings=findings, dry_run=dry_run)


def execute(context: TradingContext, proposal_id: int, *, wait: bool = True) -> Proposal:
    """Return the proposal once it is filled, wholly or in part; any other outcome raises the exception that names it.

    It may be started twice, from two terminals, and after any crash. Three things come before anything is sent: the
    proposal's lock, the recovery of orders in flight, and the compare-and-set of `Orders.begin`.
    """
    with context.hold_proposal(proposal_id):
        try:
            return _execute(context, proposal_id, wait=wait)
        except TERMINATIONS:
            if context.store.proposals.get(proposal_id).state is ProposalState.SENT:
                cancel_and_conclude(context, proposal_id)
            raise


def _stop_if_edited(context: TradingContext) -> None:
    """In live mode, raise `StoreDamaged` if a row that the order rests on was edited outside the program."""
    if context.store.core.mode is Mode.LIVE:
        context.store.audit.verify_order_basis()


def _execute(context: TradingContext, proposal_id: int, *, wait: bool) -> Proposal:
    _stop_if_edited(context)
    was_sent = context.store.proposals.get(proposal_id).state is ProposalState.SENT
    errors = order_state.recover_orders(context, proposal_id)
    if errors:
        _stop_if_past_deadline(context, proposal_id)
        raise errors[0]
    if context.store.proposals.get(proposal_id).state is ProposalState.APPROVED:
        was_sent = order_adoption.adopt_before_sending(context, proposal_id)
    book = load_order_book(context, proposal_id)
    proposal = book.proposal
    if was_sent and proposal.state is ProposalState.PROPOSED:
        # The order of a dead process or of another home has ended unfilled, so this command ends the same way.
        raise _not_filled_error(proposal_id, book.orders[-1])
    if proposal.state is ProposalState.DONE:
        context.report(f"P{proposal_id} is done already; nothing was sent")
        # The process that filled it, or `reconcile`, may have ended before it placed the profit target.
        _settle_fill(context, proposal_id)
        return proposal
    # An earlier command may have handed over a working order; our own goes before an adopted one.
    order = max(book.working_orders, key=lambda working: (not working.is_adopted, working.id), default=None)
    if order is None or order.is_adopted:
        order_adoption.stop_if_unreviewed(context, proposal_id)
    order = check_duplicates_with_retry(context, order or _submit_first_order(context, proposal_id))
    if order.state is OrderState.WORKING and not wait:
        order_adoption.stop_if_unreviewed(context, proposal_id)
        return context.store.proposals.get(proposal_id)
    last = walk_price(context, proposal, order) if order.state is OrderState.WORKING else order
    return _conclude(context, proposal_id, last)


def _stop_if_past_deadline(context: TradingContext, proposal_id: int) -> bool:
    """Cancel everything that works once the price plan's deadline has passed, although other orders are unsettled;
    return whether it has."""
    book = load_order_book(context, proposal_id)
    is_past = bool(book.orders) and context.clock() >= book.deadline(book.orders[-1].approval_id)
    for error in order_state.cancel_working_orders(context, proposal_id) if is_past else ():
        context.report(error.message)
    return is_past


def end_abandoned(context: TradingContext, proposal_id: int) -> bool:
    """End a sent proposal whose process has ended, once its price plan's deadline has passed; return whether it has.

    Raises `LockHeld` while a process works it, `Unresolved` when its legs filled unevenly.
    """
    with context.hold_proposal(proposal_id):
        is_past = _stop_if_past_deadline(context, proposal_id)
        if is_past:
            reason = "no process worked it, and the deadline of its price plan had passed"
            order_state.conclude_proposal(context, proposal_id, reason=reason)
        return is_past


def _require_approval(context: TradingContext, proposal: Proposal) -> Approval:
    """Return the approval that covers exactly this proposal now; raise `Refused` if there is none. Writes nothing."""
    name = f"P{proposal.id}"
    if proposal.state is ProposalState.PROPOSED:
        raise Refused(f"{name} is {proposal.state}, not approved; `spy32 approve {name}` decides")
    if proposal.state is not ProposalState.APPROVED:
        raise Refused(
            f"{name} is not approved: {context.store.proposals.status_text(proposal.id)}; {proposal.successor_text}"
        )
    approval = context.store.proposals.latest_approval(proposal.id)
    if approval is None:
        raise Refused(f"{name} has no approval on record")
    now = context.clock()
    if not approval.is_valid(now):
        raise Refused(f"the approval of {name} {approval.invalidity_text(now)}; approve it again")
    if not plan.proposal_digest(proposal) == proposal.hash == approval.hash:
        raise Refused(f"{name} is not what was approved (hash {approval.hash[:8]}); approve it again")
    return approval


def _revoke_approval(context: TradingContext, proposal_id: int, reason: str) -> None:
    context.store.proposals.move(
        proposal_id, was=ProposalState.APPROVED, now=ProposalState.PROPOSED, at=context.clock(), reason=reason
    )


def _fetch_quotes(context: TradingContext, proposal: Proposal) -> LegQuotes:
    assert context.market is not None
    return context.market.quotes(proposal.underlying, proposal.legs)


def _check_now(
    context: TradingContext, proposal: Proposal, approval: Approval, quotes: LegQuotes
) -> tuple[Finding, ...]:
    """Return the findings of everything that depends on the time: the approval, age and drift of the quotes, the
    session, the two clocks. It makes no request, so it can be repeated as time passes."""
    now, settings = context.clock(), context.settings
    return (
        *price_guard.check(proposal, approval, quotes, settings, now),
        *limits.check_time(proposal, settings, now),
        *limits.check_clock(context.account.clock_ahead(), proposal.mode),
    )


def _check_account(context: TradingContext, proposal: Proposal) -> tuple[Finding, ...]:
    """Return the findings of the account, our limits and today's orders at the broker."""
    account = context.account.facts()
    exposure = context.exposure(account, proposal.run_id, excluding=proposal.id)
    return (
        *limits.check_proposal(proposal, account, exposure, context.settings, context.clock()),
        *limits.check_price_step(proposal),
        *limits.check_orders_on_legs(proposal, _other_orders(context, proposal)),
        *check_absences(context, proposal),
    )


def check_absences(context: TradingContext, proposal: Proposal) -> tuple[Finding, ...]:
    """Return the findings of today's orders that were not found at the broker and may double this one when they
    arrive."""
    today, found = market_date(context.clock()), context.store.found_orders
    trade_id = proposal.trade_id
    absent = found.absent_entries(today) if trade_id is None else found.absent_exits(today, trade_id)
    return tuple(limits.check_absent_orders(absent, proposal.mode))


def _other_orders(context: TradingContext, proposal: Proposal) -> tuple[BrokerOrder, ...]:
    """Return today's orders at the broker, ours and manual ones. The profit target of the trade that this proposal
    closes is left out, because it is cancelled before anything is sent."""
    orders = context.orders.todays_orders()
    if proposal.trade_id is None:
        return orders
    target = load_order_book(context, context.store.trades.get(proposal.trade_id).proposal_id).live_target
    target_ids = {target.broker_id, target.reference} if target is not None else set()
    return tuple(order for order in orders if not {order.broker_id, order.reference} & target_ids)


def _submit_first_order(context: TradingContext, proposal_id: int) -> Order:
    """Commit and send the first order of the approval. Raises before sending when any check refuses it."""
    proposal = context.store.proposals.get(proposal_id)
    ended = revoke_ended_approval(context, proposal)
    if ended is not None:
        invalidity = ended.invalidity_text(context.clock())
        raise Refused(f"the approval of P{proposal_id} {invalidity}; approve it again")
    approval = _require_approval(context, proposal)
    # Limits count over all proposals, so they are checked and used up under one lock.
    with context.locks.hold(SUBMIT_LOCK, wait_seconds=SUBMIT_LOCK_SECONDS):
        committed, quotes = _commit_first_order(context, proposal, approval)

    def submit_if_current() -> BrokerOrder:
        reasons = blocking_reasons(_check_now(context, proposal, approval, quotes))
        if reasons:  # the commit took too long
            raise Refused(reasons[0], reasons)
        return context.orders.submit(committed.body)

    order = order_state.send_order(context, committed, submit_if_current)
    context.report(f"{order.reference}: {order.state} at {limit_text(order.limit)}")
    return order


def _commit_first_order(context: TradingContext, proposal: Proposal, approval: Approval) -> tuple[Order, LegQuotes]:
    """Store the first order as `submitting`, after every check and the broker's dry run.

    Account requests and dry runs may take seconds. So the market is asked once more after them, and only the commit
    comes between those quotes and the request.
    """
    proposal_id = proposal.id
    account_findings = _check_account(context, proposal)
    quotes = _fetch_quotes(context, proposal)
    findings = (*_check_now(context, proposal, approval, quotes), *account_findings)
    _refuse_if_blocked(context, proposal_id, findings)
    held = None
    if proposal.trade_id is not None:
        context.stop_if_halted()
        held = _cancel_target(context, proposal.trade_id)
        if held == 0:
            reason = f"T{proposal.trade_id} holds nothing any more"
            context.store.proposals.lapse(proposal_id, was=proposal.state, at=context.clock(), reason=reason)
            raise Refused(f"P{proposal_id} was not sent: {reason}; `spy32 show T{proposal.trade_id}` says why")
    ticket = OrderBook(context, proposal).first_ticket(approval, held=held)
    as_sent = replace(proposal, quantity=ticket.quantity)
    if proposal.trade_id is not None:
        # After the cancel, since what the target filled before it is not held any more.
        found = limits.check_held_contracts(as_sent, context.account.positions())
        _refuse_if_blocked(context, proposal_id, tuple(found))
    dry_run = context.orders.dry_run(ticket.body)
    for warning in dry_run.warnings:
        context.report(f"the broker warns: {warning}")
    if not dry_run.accepted:
        reason = "; ".join(dry_run.errors) or "without a reason"
        _revoke_approval(context, proposal_id, f"refused by the broker's dry run: {reason}")
        raise BrokerRefused(f"the broker refused P{proposal_id} in its dry run: {reason}")
    _refuse_if_blocked(context, proposal_id, dry_run_check.check_dry_run(as_sent, dry_run, context.settings))
    remaining = OrderBook(context, proposal).remaining()
    if not ticket.quantity <= remaining:
        raise Refused(f"P{proposal_id} was not sent: only {remaining} of {ticket.quantity} contracts may still be sent")
    order_adoption.stop_if_already_sent(context, proposal_id)
    quotes = _fetch_quotes(context, proposal)
    context.stop_if_halted()
    _refuse_if_blocked(context, proposal_id, _check_now(context, proposal, approval, quotes))
    committed = context.store.orders.begin(ticket, at=context.clock())
    context.report(f"{committed.reference}: submitting at {limit_text(committed.limit)}")
    return committed, quotes


def _refuse_if_blocked(context: TradingContext, proposal_id: int, findings: tuple[Finding, ...]) -> None:
    """Raise `Refused` with every blocking finding. The approval is revoked when the market has moved."""
    if any(finding.rule in price_guard.WITHDRAWING_RULES for finding in findings if finding.blocks):
        _revoke_approval(context, proposal_id, f"drifted: {blocking_reasons(findings)[0]}")
    refuse_if_blocked(findings, f"P{proposal_id} was not sent")


def _cancel_target(context: TradingContext, trade_id: int) -> int:
    """Cancel the trade's resting profit target and confirm it, before another order may close the trade.

    Returns the spreads still held; what the target filled meanwhile is recorded.
    """
    with context.hold_proposal(context.store.trades.get(trade_id).proposal_id):
        profit_target.cancel_target(context, trade_id)
    trade = context.store.trades.get(trade_id)
    return trade.remaining if trade.state in OPEN_TRADES else 0


def _conclude(context: TradingContext, proposal_id: int, last: Order) -> Proposal:
    """Conclude the proposal and return it if anything was filled; otherwise raise how it ended."""
    last = check_duplicates_with_retry(context, last)
    load_order_book(context, proposal_id).stop_if_live()
    filled = order_state.conclude_proposal(context, proposal_id, reason=last.reason)
    proposal = context.store.proposals.get(proposal_id)
    if filled > proposal.quantity:
        raise Unresolved(f"{filled} spreads of P{proposal_id} were filled and {proposal.quantity} approved")
    if filled > 0:
        _settle_fill(context, proposal_id)
        return proposal
    order_adoption.stop_if_unreviewed(context, proposal_id)
    halt_reason = context.halt_reason()
    if halt_reason is not None:
        raise NotPermitted(f"halted: {halt_reason}; nothing was filled and nothing works; `spy32 resume` lifts it")
    raise _not_filled_error(proposal_id, last)


def _settle_fill(context: TradingContext, proposal_id: int) -> None:
    """Record the broker's fees and place the approved profit target. A second call does only what is still missing.

    Raises `Unresolved` at the end while a fill beyond the approved price, or an order of ours that was found at the
    broker, is not acknowledged.
    """
    transactions.settle_fees(context, proposal_id)
    profit_target.place_target(context, proposal_id)
    error = order_state.unreviewed_price_error(context, proposal_id)
    if error is not None:
        raise error
    order_adoption.stop_if_unreviewed(context, proposal_id)


def _not_filled_error(proposal_id: int, last: Order) -> Spy32Error:
    hint = f"P{proposal_id} is proposed again, and a new approval counts against the submits of its run and day"
    not_sent: Mapping[EndedBy | None, type[Spy32Error]] = {
        EndedBy.TOO_LATE: Refused,
        EndedBy.HALT: NotPermitted,
        EndedBy.NOT_SENT: Unavailable,
    }
    if last.ended_by in not_sent:
        start = f"{last.reference} was not sent" if last.ended_by is EndedBy.TOO_LATE else last.reference
        return not_sent[last.ended_by](f"{start}: {last.reason}; {hint}")
    if last.state in (OrderState.REFUSED, OrderState.REJECTED):
        return BrokerRefused(f"the broker said no to {last.reference}: {last.reason}; {hint}")
    if last.state is OrderState.ABSENT:
        return NotFilled(f"order {last.reference} is not at the broker; {hint}")
    return NotFilled(f"not filled at {limit_text(last.limit)} and {last.state}; {hint}")
