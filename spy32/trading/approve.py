"""A person's decision on a proposal: approve it, decline it, or draft a change within the limits and approve that.

A draft exists only on the screen. It is stored when it is approved, and is lost when the person leaves.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.domain.findings import Finding, RiskDecision
from spy32.domain.market import MarketSnapshot
from spy32.domain.orders import OrderKind, bound_text
from spy32.domain.proposals import (
    Approval,
    ApprovalTerms,
    Draft,
    Proposal,
    ProposalKind,
    ProposalTerms,
    spread_description,
)
from spy32.domain.runs import Cause, Outcome, Run
from spy32.domain.spreads import MULTIPLIER, Account, Candidate, value_bounds
from spy32.errors import BadUsage, Refused, Unavailable
from spy32.lifecycle import ProposalState
from spy32.rules import plan, pricing, references
from spy32.rules.dry_run_check import check_dry_run
from spy32.rules.limits import assess_risk
from spy32.sessions import market_date, new_york_time
from spy32.trading.context import TradingContext, refuse_if_blocked, revoke_ended_approval
from spy32.trading.review import Review, build_review, candidate_quote, check_limits, review_proposal, run_notes

PERSON = "person"


def load_pending_proposal(context: TradingContext, proposal_id: int) -> Proposal:
    """Return the proposal if it waits for a decision; `Refused` says what became of it, by whom and when.

    A proposal whose approval has ended becomes `proposed` again; one whose session has ended is lapsed first.
    """
    revoke_ended_approval(context, context.store.proposals.get(proposal_id))
    proposal, now = context.store.proposals.get(proposal_id), context.clock()
    if proposal.state is ProposalState.APPROVED:
        approval = context.store.proposals.latest_approval(proposal_id)
        assert approval is not None
        times = f"at {_format_time(approval.at)}, until {_format_time(approval.until)}"
        next_steps = f"`spy32 execute P{proposal_id}` sends it, `spy32 approve P{proposal_id} --decline` takes it back"
        raise Refused(f"P{proposal_id} was approved by {approval.by} {times}; {next_steps}")
    if proposal.state is not ProposalState.PROPOSED:
        live = context.store.proposals.find_live_close(proposal.trade_id) if proposal.trade_id is not None else None
        hint = ""
        if live is not None and live.state is ProposalState.PROPOSED:
            hint = f"; `spy32 approve P{live.id}` decides about the close in its place"
        status = context.store.proposals.status_text(proposal_id)
        raise Refused(f"P{proposal_id} waits for no decision: it is {status}{hint}")
    if proposal.is_over(now):
        context.store.proposals.lapse_overdue(now)
        raise Refused(
            f"P{proposal_id} lapsed with its session at {_format_time(proposal.lapses_at)}; {proposal.successor_text}"
        )
    return proposal


def approve(context: TradingContext, review: Review, *, by: str, note: str = "") -> Approval:
    """Approve exactly the hash that was shown and return the approval.

    A draft is checked once more against the market and the limits; it replaces the proposal in the same transaction as
    its approval. When two people decide at once, the second gets `Refused` with who was first and when.
    """
    proposal, draft = _proposal_to_decide(context, review), review.draft
    if plan.proposal_digest(proposal) != proposal.hash:
        raise Refused(
            f"{review.name} does not match its own hash {proposal.hash[:8]}: an older spy32 made it, or it was edited "
            f"(`spy32 audit verify` looks); {proposal.successor_text}"
        )
    if review.current_quote is None or (review.stale_reason is not None and not proposal.is_recorded):
        raise Unavailable(f"{review.name} cannot be approved without quotes: {review.stale_reason}; try again")
    now, message = context.clock(), f"{review.name} was not approved"
    refuse_if_blocked(check_limits(context, proposal, context.account.facts()), message)
    if draft is not None:
        _vet_change(context, review, proposal, message)
    terms = ApprovalTerms(
        proposal_id=review.proposal_id or 0,  # the store sets the id of a proposal that it adds
        hash=proposal.hash,
        by=by,
        at=now,
        until=now + timedelta(minutes=context.settings.execution.approval_minutes),
        spot=review.current_quote.spot,
        mid=review.current_quote.mid,
        natural=review.current_quote.natural,
        short_delta=review.short_delta,
        note=note,
    )
    try:
        return context.store.proposals.approve(terms, draft=draft)
    except Refused:
        _proposal_to_decide(context, review)  # raises with who was first
        raise


def decline(context: TradingContext, proposal_id: int, *, by: str, note: str = "") -> Proposal:
    """Decline the proposal for good and return it. An approved proposal that is not yet sent can be declined too."""
    proposal = context.store.proposals.get(proposal_id)
    if proposal.state is not ProposalState.APPROVED:
        proposal = load_pending_proposal(context, proposal_id)
    context.store.proposals.move(
        proposal_id,
        was=proposal.state,
        now=ProposalState.DECLINED,
        at=context.clock(),
        reason=f"declined by {by}" + (f": {note}" if note else ""),
    )
    return context.store.proposals.get(proposal_id)


def choose_candidate(context: TradingContext, current_review: Review, candidate_id: str) -> Review:
    """Return the review of another candidate of the same menu, checked and sized like the analyst's choice.

    This is also how a person overrides an abstention of the analyst. Raises `Refused` when a rule blocks the candidate.
    """
    candidate = current_review.menu.find(candidate_id)
    if candidate is None:
        raise BadUsage(
            f"{candidate_id!r} is not on this menu; `spy32 show R{current_review.run.id} --candidates "
            "--json` has its ids"
        )
    stored, shown = _stored_proposal(context, current_review), current_review.proposal
    if shown is not None and shown.kind is not ProposalKind.OPEN:
        raise Refused(f"this proposal closes T{shown.trade_id} as a whole; another candidate is not for it")
    if shown is not None and shown.candidate_id == candidate_id:
        raise BadUsage(f"{candidate_id} is the choice already; its quantity and floor can be changed")
    if stored is not None and stored.candidate_id == candidate_id:
        return review_proposal(context, stored.id)
    ruling, snapshot = vet_candidate(context, current_review, candidate)
    refuse_if_blocked(
        ruling.findings, f"{spread_description(candidate.spread.underlying, candidate.spread.legs)} was not taken"
    )
    proposal = plan.build_proposal(
        candidate, ruling, snapshot, context.settings, run=current_review.run, chosen_by=PERSON
    )
    return _build_draft_review(context, stored, proposal, ruling)


def preview(context: TradingContext, shown: Review, candidate: Candidate) -> Review:
    """Return the review of another candidate from stored data only; `choose_candidate` checks it against the market.

    If our limits refuse it, the refusal is among the findings and the figures are those of one contract.
    """
    ruling, snapshot = _ruling_now(context, shown, candidate, shown.account)
    sized = replace(ruling, quantity=max(ruling.quantity, 1))
    result = plan.build_proposal(candidate, sized, snapshot, context.settings, run=shown.run, chosen_by=PERSON)
    kept = shown.proposal
    version = kept.replace_terms(result) if isinstance(kept, Proposal) else result
    quote = candidate_quote(shown.view, candidate)
    return replace(
        shown,
        proposal=version,
        draft=Draft(proposal=version, body="", was_hash=_reviewed_hash(shown) if kept is not None else ""),
        candidate=candidate,
        run_quote=quote,
        current_quote=quote,
        stale_reason="the quotes of the run; approving asks for new ones",
        findings=(*ruling.findings, *run_notes(shown.view)),
        sizing=ruling.sizing,
        is_preview=True,
    )


def change_quantity(context: TradingContext, review: Review, quantity: int) -> Review:
    """Return the review with another number of contracts, from 1 to what the limits allow at the present floor."""
    return _review_change(
        context, review, plan.change_quantity(_proposal_to_decide(context, review), quantity, context.settings)
    )


def change_floor(context: TradingContext, review: Review, floor: Decimal) -> Review:
    """Return the review with another floor, between natural price and first limit; every limit is checked at it."""
    proposal = plan.change_floor(_proposal_to_decide(context, review), floor, context.settings)
    low, high = review.floor_range
    if not low <= floor <= high:
        prices = f"{abs(low)} (the natural price) to {abs(high)} (the first limit)"
        raise Refused(f"a {bound_text(floor).replace(' ', ' of ')} is outside {prices}")
    return _review_change(context, review, proposal)


def refresh_review(context: TradingContext, current_review: Review) -> Review:
    """Return the same review, or a new one if another window changed the proposal; `Refused` if it no longer waits."""
    if current_review.proposal_id is None:
        check_overridable(context, current_review.run)
        return current_review
    stored = load_pending_proposal(context, current_review.proposal_id)
    return current_review if stored.hash == _reviewed_hash(current_review) else review_proposal(context, stored.id)


def check_overridable(context: TradingContext, run: Run) -> None:
    """Raise `Refused` unless the analyst abstained, the run has no proposal, and no newer proposal would be lapsed."""
    if run.outcome is not Outcome.NO_TRADE or run.cause != Cause.ABSTAINED:
        ending = run.cause or run.outcome or "unfinished"
        raise Refused(f"R{run.id} ended {ending}: only an abstention of the analyst can be overridden")
    proposal = context.store.proposals.find_by_run(run.id)
    if proposal is not None:
        raise Refused(f"R{run.id} has been overridden already: P{proposal.id} is {proposal.state}")
    for newer in context.store.proposals.select(ProposalState.PROPOSED):
        if newer.profile == run.profile and newer.run_id > run.id:
            raise Refused(
                f"P{newer.id} of the newer run R{newer.run_id} waits; decline it before R{run.id} is overridden"
            )


def vet_candidate(context: TradingContext, review: Review, candidate: Candidate) -> tuple[RiskDecision, MarketSnapshot]:
    """Return the risk decision on a candidate by today's conditions, limits and quotes, like the run's vet step."""
    ruling, snapshot = _ruling_now(context, review, candidate, context.account.facts())
    price_findings: tuple[Finding, ...] = ()
    if context.market is not None:
        quotes = context.market.quotes(snapshot.underlying, candidate.spread.legs)
        price_findings = pricing.check_prices(candidate, snapshot.spot, quotes, context.settings)
    return replace(ruling, findings=(*price_findings, *ruling.findings)), snapshot


def _ruling_now(
    context: TradingContext, shown: Review, candidate: Candidate, account: Account
) -> tuple[RiskDecision, MarketSnapshot]:
    """Return the risk decision of now at the quotes of the run; `Refused` once the run's session is over."""
    now, snapshot = context.clock(), context.store.decisions.snapshot(shown.run.id)
    if market_date(now) != market_date(snapshot.as_of):
        raise Refused(
            f"the session of R{shown.run.id} ({market_date(snapshot.as_of)}) is over; a new run makes a new menu"
        )
    exposure = context.exposure(account, shown.run.id, excluding=shown.proposal_id)
    return assess_risk(candidate, snapshot, account, exposure, settings=context.settings, now=now), snapshot


# Drafting.


def _review_change(context: TradingContext, review: Review, proposal: ProposalTerms) -> Review:
    """Check the same choice at another size or floor. `chosen_by` stays as it is."""
    assert review.proposal is not None
    if proposal.hash == review.proposal.hash:
        return review
    ruling = _vet_change(context, review, proposal, f"{review.name} stays as it was")
    return _build_draft_review(context, _stored_proposal(context, review), proposal, ruling)


def _vet_change(context: TradingContext, review: Review, proposal: ProposalTerms, message: str) -> RiskDecision:
    """Return the risk decision on a changed proposal; `Refused` unless it allows the size at the floor."""
    if review.candidate is None:
        raise Refused("the menu of this proposal is not on record; only approve, decline and leave are left")
    ruling, _ = vet_candidate(context, review, _candidate_at_floor(review.candidate, proposal.floor_price))
    refuse_if_blocked(ruling.findings, message)
    if not proposal.quantity <= ruling.quantity:
        bound = f" ({ruling.sizing.binding.replace('_', ' ')})" if ruling.sizing is not None else ""
        raise Refused(
            f"{proposal.quantity} contracts at the {bound_text(proposal.floor_price)} are too many: "
            f"the limits leave {ruling.quantity}{bound}"
        )
    return ruling


def _build_draft_review(
    context: TradingContext, stored: Proposal | None, proposal: ProposalTerms, ruling: RiskDecision
) -> Review:
    """Return the review of a draft of the stored proposal, or of a run without one.

    The broker's dry run must accept the draft's order. Nothing is written.
    """
    if stored is not None and proposal.hash == stored.hash:
        return review_proposal(context, stored.id)
    reference = references.draft_reference(proposal.run_id)
    body = plan.order_body(proposal.legs, proposal.quantity, proposal.limit_price, reference, kind=OrderKind.ENTRY)
    dry_run = context.orders.dry_run(body)
    if not dry_run.accepted:
        raise Refused(f"the broker's dry run refuses it: {'; '.join(dry_run.errors)}", dry_run.errors)
    refuse_if_blocked(check_dry_run(proposal, dry_run, context.settings), "the broker's dry run means another order")
    version = stored.replace_terms(proposal) if stored is not None else proposal
    draft = Draft(proposal=version, body=body, was_hash=stored.hash if stored is not None else "")
    return replace(build_review(context, version, ruling.sizing), draft=draft)


def _candidate_at_floor(candidate: Candidate, floor: Decimal) -> Candidate:
    max_loss = (-value_bounds(candidate.spread.legs)[0] - floor) * MULTIPLIER + candidate.costs
    return replace(candidate, floor=floor, max_loss=max_loss)


# Checking.


def _proposal_to_decide(context: TradingContext, review: Review) -> ProposalTerms:
    """Return the draft, or the stored proposal if there is no draft. `Refused` if it is not as it was shown."""
    if review.proposal is None:
        raise Refused(f"R{review.run.id} has no proposal; choose a candidate first")
    if review.is_preview:
        raise Refused(f"{review.name}: this candidate was only looked at; it is judged by the market before a decision")
    stored = _stored_proposal(context, review)
    return stored if stored is not None and review.draft is None else review.proposal


def _stored_proposal(context: TradingContext, review: Review) -> Proposal | None:
    """Return the stored proposal if it waits and is as it was shown; None when an abstention is being overridden."""
    if review.proposal_id is None:
        check_overridable(context, review.run)
        return None
    stored, reviewed_hash = load_pending_proposal(context, review.proposal_id), _reviewed_hash(review)
    if stored.hash != reviewed_hash:
        message = f"was changed since it was shown (hash {reviewed_hash[:8]}, now {stored.hash[:8]})"
        raise Refused(f"P{stored.id} {message}; `spy32 approve P{stored.id}` shows it as it is")
    return stored


def _reviewed_hash(review: Review) -> str:
    """Return the hash that the stored proposal had when this review was made."""
    assert review.proposal is not None
    return review.draft.was_hash if review.draft is not None else review.proposal.hash


def _format_time(instant: datetime) -> str:
    return f"{new_york_time(instant):%Y-%m-%d %H:%M} New York"
