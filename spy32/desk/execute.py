"""Send what a person approved, once: re-quote, re-check, commit, send, work the price, report."""

from dataclasses import dataclass
from datetime import timedelta

from spy32.desk import history, own_orders, settle, target
from spy32.desk.bench import Bench, lock_of
from spy32.desk.doubles import look_after_placing
from spy32.desk.work import wind_down, work
from spy32.domain.acting import BrokerOrder, DryRun, Order, OrderKind
from spy32.domain.codec import digest
from spy32.domain.deciding import Approval, Finding, Proposal
from spy32.domain.market import LegQuotes
from spy32.domain.trading import Mode
from spy32.errors import STOPS, BrokerRefused, NotFilled, NotPermitted, Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState
from spy32.rules import drift, echo, limits, plan, references
from spy32.sessions import market_date, week_start

SUBMITS = "submits"
SUBMITS_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Exactly what would be sent, and what the last checks say of it."""

    proposal: Proposal
    body: str
    quotes: LegQuotes
    findings: tuple[Finding, ...]
    answer: DryRun


def rehearse(bench: Bench, proposal_id: int) -> Rehearsal:
    """Every check of `execute` and the broker's dry run, without sending or writing anything."""
    _stop_if_edited(bench)
    proposal = bench.store.proposal(proposal_id)
    approval = _approval_of(bench, proposal)
    order = _first_order(bench, proposal, approval)
    at_account = _account_findings(bench, proposal)
    answer = bench.orders.dry_run(order.body)
    look = _look(bench, proposal, approval)
    findings, quotes = (*look.findings(), *at_account), look.quotes
    if answer.accepted:
        findings = (*findings, *echo.disagreements(proposal, answer, bench.settings))
    return Rehearsal(proposal=proposal, body=order.body, quotes=quotes, findings=findings, answer=answer)


def execute(bench: Bench, proposal_id: int, *, wait: bool = True) -> Proposal:
    """The proposal at rest, filled wholly or in part; every other ending is an exception that names it.

    Safe to start twice, from two terminals, and after any crash: the proposal's lock, the compare-and-set of
    `begin_order` and the recovery of what is in flight come before anything is sent.
    """
    bench.store.proposal(proposal_id)
    with bench.locks.hold(lock_of(proposal_id)):
        try:
            return _executed(bench, proposal_id, wait=wait)
        except STOPS:
            if bench.store.proposal(proposal_id).state is ProposalState.SENT:
                wind_down(bench, proposal_id)
            raise


def _stop_if_edited(bench: Bench) -> None:
    """Real money is not sent by rows that were changed behind the history's back."""
    if bench.store.mode is Mode.LIVE:
        bench.store.check_acted_on()


def _executed(bench: Bench, proposal_id: int, *, wait: bool) -> Proposal:
    _stop_if_edited(bench)
    was_sent = bench.store.proposal(proposal_id).state is ProposalState.SENT
    troubles = settle.recover(bench, proposal_id)
    if troubles:
        _stop_if_late(bench, proposal_id)
        raise troubles[0]
    if bench.store.proposal(proposal_id).state is ProposalState.APPROVED:
        was_sent = own_orders.adopt_before_sending(bench, proposal_id)
    proposal = bench.store.proposal(proposal_id)
    if was_sent and proposal.state is ProposalState.PROPOSED:
        # The order of a process that died, or of another home, has come to its end: that is how this one ends too.
        raise _nothing_filled(proposal_id, settle.mine(bench, proposal_id)[-1])
    if proposal.state is ProposalState.DONE:
        bench.tell(f"P{proposal_id} is done already; nothing was sent")
        # The process that filled it, or `reconcile`, may have ended before its target was left with the broker.
        _after_the_fill(bench, proposal_id)
        own_orders.stop_if_unseen(bench, proposal_id)
        return proposal
    order = _working(bench, proposal_id)
    if order is None or order.is_adopted:
        own_orders.stop_if_unseen(bench, proposal_id)
    order = look_after_placing(bench, order or _sent(bench, proposal_id))
    if order.state is OrderState.WORKING and not wait:
        own_orders.stop_if_unseen(bench, proposal_id)
        return bench.store.proposal(proposal_id)
    last = work(bench, proposal, order) if order.state is OrderState.WORKING else order
    return _report(bench, proposal_id, last)


def _stop_if_late(bench: Bench, proposal_id: int) -> None:
    """Past the deadline nothing may work on, also while something else of the proposal cannot be settled."""
    orders = settle.mine(bench, proposal_id)
    plan_of = bench.store.proposal(proposal_id).plan
    first = next((order for order in orders if order.approval_id == orders[-1].approval_id), None)
    if first is not None and bench.clock() >= first.created_at + timedelta(seconds=plan_of.deadline_seconds):
        settle.stop_working(bench, proposal_id)


def _working(bench: Bench, proposal_id: int) -> Order | None:
    """The order of this proposal that is alive at the broker, handed over by an earlier command; our own first."""
    alive = [order for order in settle.mine(bench, proposal_id) if order.state is OrderState.WORKING]
    return max(alive, key=lambda order: (not order.is_adopted, order.id), default=None)


def _approval_of(bench: Bench, proposal: Proposal) -> Approval:
    """The approval that covers exactly this proposal, now; `Refused` otherwise. Writes nothing."""
    name = f"P{proposal.id}"
    if proposal.state is ProposalState.PROPOSED:
        raise Refused(f"{name} is {proposal.state}, not approved; `spy32 approve {name}` decides")
    if proposal.state is not ProposalState.APPROVED:
        raise Refused(f"{name} is not approved: {bench.store.standing(_id(proposal))}; a new run makes a new one")
    approval = bench.store.approval_of(_id(proposal))
    if approval is None:
        raise Refused(f"{name} has no approval on record")
    if why := approval.objection(bench.clock()):
        raise Refused(f"the approval of {name} {why}; approve it again")
    if not plan.digest_of(proposal) == proposal.hash == approval.hash:
        raise Refused(f"{name} is not what was approved (hash {approval.hash[:8]}); approve it again")
    return approval


def _take_back_if_over(bench: Bench, proposal_id: int) -> None:
    """An approval whose time is over, or has not come, makes the proposal wait for a person again."""
    approval = bench.store.approval_of(proposal_id)
    is_approved = bench.store.proposal(proposal_id).state is ProposalState.APPROVED
    if is_approved and approval is not None and (why := approval.objection(bench.clock())):
        _back(bench, proposal_id, f"the approval {why}")
        raise Refused(f"the approval of P{proposal_id} {why}; approve it again")


def _back(bench: Bench, proposal_id: int, reason: str) -> None:
    bench.store.move_proposal(
        proposal_id, was=ProposalState.APPROVED, now=ProposalState.PROPOSED, at=bench.clock(), reason=reason
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the market, which the passing of time may outdate at any moment."""

    bench: Bench
    proposal: Proposal
    approval: Approval
    quotes: LegQuotes

    def findings(self) -> tuple[Finding, ...]:
        """Everything that time decides, judged at this moment: the approval, the quotes' age and drift, the session and
        its last minutes, the two clocks. Nobody is asked."""
        now, settings = self.bench.clock(), self.bench.settings
        return (
            *drift.check(self.proposal, self.approval, self.quotes, settings, now),
            *limits.check_time(self.proposal, settings, now),
            *limits.clocks(self.bench.account.clock_ahead(), self.proposal.mode),
        )


def _look(bench: Bench, proposal: Proposal, approval: Approval) -> Look:
    assert bench.market is not None
    quotes = bench.market.quotes(proposal.underlying, proposal.legs)
    return Look(bench=bench, proposal=proposal, approval=approval, quotes=quotes)


def _account_findings(bench: Bench, proposal: Proposal) -> tuple[Finding, ...]:
    """What the account, our limits and the orders at the broker say of it."""
    account = bench.account.facts()
    now = bench.clock()
    today = market_date(now)
    exposure = bench.store.exposure(run_id=proposal.run_id, today=today, week_start=week_start(today), but=proposal.id)
    return (
        *limits.check_proposal(proposal, account, exposure, bench.settings, now),
        *limits.on_root(proposal),
        *limits.on_order(proposal, _others(bench, proposal)),
        *limits.not_found_today(bench.store.absences(today) if proposal.kind == "open" else (), proposal.mode),
    )


def _others(bench: Bench, proposal: Proposal) -> tuple[BrokerOrder, ...]:
    """Today's orders at the broker, ours or by hand, without the target of the trade that this closes: that is
    cancelled before anything is sent."""
    trade = bench.store.trade(proposal.trade_id) if proposal.trade_id is not None else None
    resting = target.living(bench, trade.proposal_id) if trade is not None else None
    ours = (resting.broker_id, resting.reference) if resting is not None else ()
    return tuple(
        seen for seen in bench.orders.todays_orders() if seen.broker_id not in ours and seen.reference not in ours
    )


def _first_order(bench: Bench, proposal: Proposal, approval: Approval) -> Order:
    """The order that opens this approval, not yet committed."""
    reference = references.reference_of(approval, attempt=1)
    kind = OrderKind.ENTRY if proposal.kind == "open" else OrderKind.EXIT
    body = plan.order_body(proposal.legs, proposal.quantity, proposal.limit_price, reference, kind=kind)
    return Order(
        id=None,
        proposal_id=_id(proposal),
        approval_id=approval.id,
        reference=reference,
        kind=kind,
        mode=proposal.mode,
        account=proposal.account,
        body=body,
        body_hash=digest(body),
        limit=proposal.limit_price,
        quantity=proposal.quantity,
        state=OrderState.SUBMITTING,
        created_at=bench.clock(),
    )


def _id(proposal: Proposal) -> int:
    assert proposal.id is not None
    return proposal.id


def _sent(bench: Bench, proposal_id: int) -> Order:
    """The first order of the approval, committed and then sent; nothing is sent when any check says no."""
    _take_back_if_over(bench, proposal_id)
    proposal = bench.store.proposal(proposal_id)
    approval = _approval_of(bench, proposal)
    # Limits count over all proposals, so they are judged and used up under one lock.
    with bench.locks.hold(SUBMITS, wait_seconds=SUBMITS_SECONDS):
        committed, look = _committed(bench, proposal, approval)
    after = settle.send(bench, committed, lambda: _submitted(committed, look))
    bench.tell(f"{after.reference}: {after.state} at {after.limit}")
    if after.state is OrderState.UNKNOWN:
        after = settle.resolve(bench, after)
    return after


def _submitted(order: Order, look: Look) -> BrokerOrder:
    """The broker's answer to the one request; `Refused` when too much time went by in the commit itself."""
    reasons = _reasons(look.findings())
    if reasons:
        raise Refused(reasons[0], reasons)
    return look.bench.orders.submit(order.body)


def _committed(bench: Bench, proposal: Proposal, approval: Approval) -> tuple[Order, Look]:
    """The first order of the approval as `submitting`, after every check and the broker's dry run.

    Accounts and dry runs may take their time. So the market is asked once more after them, and between that last look
    and the request there is nothing but the commit.
    """
    proposal_id = _id(proposal)
    at_account = _account_findings(bench, proposal)
    _refuse_for(bench, proposal_id, (*_look(bench, proposal, approval).findings(), *at_account))
    if proposal.trade_id is not None:
        bench.stop_if_halted()
        _clear_target(bench, proposal.trade_id)
    order = _first_order(bench, proposal, approval)
    answer = bench.orders.dry_run(order.body)
    for warning in answer.warnings:
        bench.tell(f"the broker warns: {warning}")
    if not answer.accepted:
        words = "; ".join(answer.errors) or "without a reason"
        _back(bench, proposal_id, f"refused by the broker's dry run: {words}")
        raise BrokerRefused(f"the broker refused P{proposal_id} in its dry run: {words}")
    _refuse_for(bench, proposal_id, echo.disagreements(proposal, answer, bench.settings))
    left = settle.room(bench, proposal_id)
    if not order.quantity <= left:
        raise Refused(f"P{proposal_id} was not sent: only {left} of {order.quantity} contracts may still be sent")
    own_orders.stop_if_taken(bench, proposal_id)
    look = _look(bench, proposal, approval)
    bench.stop_if_halted()
    _refuse_for(bench, proposal_id, look.findings())
    committed = bench.store.begin_order(order, at=bench.clock())
    bench.tell(f"{committed.reference}: submitting at {committed.limit}")
    return committed, look


def _refuse_for(bench: Bench, proposal_id: int, findings: tuple[Finding, ...]) -> None:
    """`Refused` with every reason; the approval is taken back when it is the market that has moved."""
    reasons = _reasons(findings)
    if reasons:
        if any(finding.rule in drift.RULES for finding in findings if finding.blocks):
            _back(bench, proposal_id, f"drifted: {reasons[0]}")
        raise Refused(f"P{proposal_id} was not sent: {'; '.join(reasons)}", reasons)


def _reasons(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.message for finding in findings if finding.blocks))


def _clear_target(bench: Bench, trade_id: int) -> None:
    """Cancel the resting target of the trade and confirm it, before anything else may close the trade."""
    with bench.locks.hold(lock_of(bench.store.trade(trade_id).proposal_id)):
        target.cancel_target(bench, trade_id)


def _report(bench: Bench, proposal_id: int, last: Order) -> Proposal:
    """The proposal at rest when something was filled, else the exception that names how it ended."""
    last = look_after_placing(bench, last)
    alive = [order for order in settle.mine(bench, proposal_id) if order.state in IN_FLIGHT]
    if alive:
        raise Unresolved(f"order {alive[-1].reference} is {alive[-1].state}; run `spy32 reconcile`")
    filled = settle.conclude(bench, proposal_id, reason=last.reason)
    proposal = bench.store.proposal(proposal_id)
    if filled > proposal.quantity:
        raise Unresolved(f"{filled} spreads of P{proposal_id} were filled and {proposal.quantity} approved")
    if filled > 0:
        _after_the_fill(bench, proposal_id)
        own_orders.stop_if_unseen(bench, proposal_id)
        return proposal
    own_orders.stop_if_unseen(bench, proposal_id)
    halt = bench.halted()
    if halt is not None:
        raise NotPermitted(f"halted: {halt}; nothing was filled and nothing works; `spy32 resume` lifts it")
    raise _nothing_filled(proposal_id, last)


def _after_the_fill(bench: Bench, proposal_id: int) -> None:
    """The fees that the broker booked, and the target that was approved; asked again it does what is left of it.

    `Unresolved` at its end while a price that nobody approved waits to be looked at.
    """
    history.settle_fees(bench, proposal_id)
    target.rest_target(bench, proposal_id)
    trouble = settle.price_trouble(bench, proposal_id)
    if trouble is not None:
        raise trouble


def _nothing_filled(proposal_id: int, last: Order) -> Spy32Error:
    again = f"P{proposal_id} is proposed again, and a new approval counts against the submits of its run and day"
    if settle.came_too_late(last):
        return Refused(f"{last.reference} was not sent: {last.reason}; {again}")
    if settle.never_left(last):
        return Unavailable(f"{last.reference}: {last.reason}; {again}")
    if last.state in (OrderState.REFUSED, OrderState.REJECTED):
        return BrokerRefused(f"the broker said no to {last.reference}: {last.reason}; {again}")
    if last.state is OrderState.ABSENT:
        return NotFilled(f"order {last.reference} is not at the broker; {again}")
    return NotFilled(f"not filled at {last.limit} and {last.state}; {again}")
