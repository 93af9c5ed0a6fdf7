"""A person's decision on what was shown: approve or decline it, or draft a change within the limits and approve that.

A draft is a value on the screen. Nothing of it is on record before its approval, and it goes when the person leaves.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.desk.bench import Bench
from spy32.desk.shown import Review, exposure_of, limits_now, review, review_draft
from spy32.domain.acting import OrderKind
from spy32.domain.deciding import Approval, Draft, Finding, Proposal, Ruling
from spy32.domain.market import MarketSnapshot
from spy32.domain.running import Outcome, Run
from spy32.domain.trading import MULTIPLIER, Candidate
from spy32.errors import Refused, Unavailable, Usage
from spy32.lifecycle import ProposalState
from spy32.sessions import market_date, new_york

PERSON = "person"


def waiting(bench: Bench, proposal_id: int) -> Proposal:
    """The proposal, waiting for a decision; `Refused` says what became of it, by whom and when.

    An approval that is over makes it wait again, and the end of its session lapses it, here as anywhere.
    """
    proposal = bench.store.proposal(proposal_id)
    now = bench.clock()
    if proposal.state is ProposalState.APPROVED:
        yes = bench.store.approval_of(proposal_id)
        over = yes.objection(now) if yes is not None else ""
        if not over:
            raise Refused(_approved(proposal_id, yes))
        _move(bench, proposal, ProposalState.PROPOSED, f"the approval {over}")
        proposal = bench.store.proposal(proposal_id)
    if proposal.state is not ProposalState.PROPOSED:
        raise Refused(f"P{proposal_id} waits for no decision: it is {bench.store.standing(proposal_id)}")
    if proposal.is_over(now):
        bench.store.lapse_over(now)
        raise Refused(
            f"P{proposal_id} lapsed with its session at {_clock(proposal.lapses_at)}; a new run makes a new one"
        )
    return proposal


def approve(bench: Bench, shown: Review, *, by: str, note: str = "") -> Approval:
    """The approval of exactly the hash that was shown; of two at once one wins, the other is told who and when.

    A draft is judged once more, as the change was, and becomes the proposal together with its approval.
    """
    from spy32.rules import plan

    proposal, draft = _decided_on(bench, shown), shown.draft
    if plan.digest_of(proposal) != proposal.hash:
        raise Refused(
            f"{shown.name} does not match its own hash {proposal.hash[:8]}: an older spy32 made it, or it was edited "
            "(`spy32 audit verify` looks); a new run makes a new one"
        )
    if shown.now is None or (shown.stale is not None and not proposal.is_recorded):
        raise Unavailable(f"{shown.name} cannot be approved without quotes: {shown.stale}; try again")
    now, refused = bench.clock(), f"{shown.name} was not approved"
    _allowed(limits_now(bench, proposal, bench.account.facts(), now), refused)
    if draft is not None:
        _ruled(bench, shown, proposal, refused)
    wanted = Approval(
        id=None,
        proposal_id=proposal.id or 0,  # the store has the id of one that is added
        hash=proposal.hash,
        by=by,
        at=now,
        until=now + timedelta(minutes=bench.settings.execution.approval_minutes),
        spot=shown.now.spot,
        mid=shown.now.mid,
        natural=shown.now.natural,
        short_delta=shown.short_delta,
        note=note,
    )
    try:
        return bench.store.approve(wanted, draft=draft)
    except Refused:
        _decided_on(bench, shown)  # says who was first
        raise


def decline(bench: Bench, proposal_id: int, *, by: str, note: str = "") -> Proposal:
    """The proposal, declined for good; an approved one that was not sent yet is taken back this way."""
    proposal = bench.store.proposal(proposal_id)
    if proposal.state is not ProposalState.APPROVED:
        proposal = waiting(bench, proposal_id)
    words = f"declined by {by}" + (f": {note}" if note else "")
    _move(bench, proposal, ProposalState.DECLINED, words)
    return bench.store.proposal(proposal_id)


def choose(bench: Bench, shown: Review, candidate_id: str) -> Review:
    """The screen after a person chose another candidate of the same menu, judged and sized as any choice is.

    An abstention of the analyst may be overridden this way; a veto of the code never is.
    """
    from spy32.rules import plan

    candidate = shown.menu.find(candidate_id)
    if candidate is None:
        raise Usage(f"{candidate_id!r} is not on this menu; its ids stand in the first column")
    kept = _kept(bench, shown)
    if shown.proposal is not None:
        _openable(shown.proposal, "another candidate")
        if shown.proposal.candidate_id == candidate_id:
            raise Usage(f"{candidate_id} is the choice already; its quantity and floor can be changed")
    if kept is not None and kept.candidate_id == candidate_id:
        return review(bench, _id(kept))
    ruling, snapshot = judge(bench, shown, candidate)
    _allowed(ruling.findings, f"{candidate_id} was not taken")
    made = plan.propose(candidate, ruling, snapshot, bench.settings, run=shown.run, chosen_by=PERSON)
    return _drafted(bench, kept, made, ruling)


def resize(bench: Bench, shown: Review, quantity: int) -> Review:
    """The screen with another number of contracts, 1 up to what the limits leave at the present floor."""
    from spy32.rules import plan

    return _again(bench, shown, plan.requantified(_decided_on(bench, shown), quantity, bench.settings))


def refloor(bench: Bench, shown: Review, floor: Decimal) -> Review:
    """The screen with another floor, between the natural price and the first limit, every limit judged at it."""
    from spy32.rules import plan

    made = plan.refloored(_decided_on(bench, shown), floor, bench.settings)
    low, high = shown.floors
    if not low <= floor <= high:
        raise Refused(f"a floor of {floor} is outside {low} (the natural price) to {high} (the first limit)")
    return _again(bench, shown, made)


def look_again(bench: Bench, shown: Review) -> Review:
    """The same screen, or the proposal as another window left it; `Refused` when nothing is left to decide on."""
    if shown.proposal is None or shown.proposal.id is None:
        overridable(bench, shown.run)
        return shown
    kept = waiting(bench, shown.proposal.id)
    return shown if kept.hash == _hash_under(shown) else review(bench, _id(kept))


def overridable(bench: Bench, run: Run) -> None:
    """`Refused` unless the analyst abstained in this run, nothing came of it, and no newer proposal would be lapsed."""
    if run.outcome is not Outcome.NO_TRADE or run.cause != "abstained":
        what = run.cause or run.outcome or "unfinished"
        raise Refused(f"R{run.id} ended {what}: only an abstention of the analyst can be overridden")
    made = bench.store.proposal_of_run(run.id)
    if made is not None:
        raise Refused(f"R{run.id} has been overridden already: P{made.id} is {made.state}")
    for other in bench.store.proposals(ProposalState.PROPOSED):
        if other.profile == run.profile and other.run_id > run.id:
            raise Refused(
                f"P{other.id} of the newer run R{other.run_id} waits; decline it before R{run.id} is overridden"
            )


def judge(bench: Bench, shown: Review, candidate: Candidate) -> tuple[Ruling, MarketSnapshot]:
    """The ruling of today's conditions, limits and size on a candidate, as the weekly run's vet step makes it."""
    from spy32.rules import pricing
    from spy32.rules.ruling import rule_on

    now, account = bench.clock(), bench.account.facts()
    snapshot = bench.store.snapshot(shown.run.id)
    if market_date(now) != market_date(snapshot.as_of):
        raise Refused(
            f"the session of R{shown.run.id} ({market_date(snapshot.as_of)}) is over; a new run makes a new menu"
        )
    exposure = exposure_of(bench, shown.run.id, now, but=shown.proposal.id if shown.proposal is not None else None)
    ruling = rule_on(candidate, snapshot, account, exposure, settings=bench.settings, now=now)
    moved: tuple[Finding, ...] = ()
    if bench.market is not None:
        quotes = bench.market.quotes(snapshot.underlying, candidate.spread.legs)
        moved = pricing.moved(candidate, snapshot.spot, quotes, bench.settings)
    return replace(ruling, findings=(*moved, *ruling.findings)), snapshot


# Drafting.


def _again(bench: Bench, shown: Review, made: Proposal) -> Review:
    """The same choice at another size or floor, judged there; who chose stays who chose."""
    assert shown.proposal is not None
    if made.hash == shown.proposal.hash:
        return shown
    ruling = _ruled(bench, shown, made, f"{shown.name} stays as it was")
    return _drafted(bench, _kept(bench, shown), made, ruling)


def _ruled(bench: Bench, shown: Review, made: Proposal, refused: str) -> Ruling:
    """The ruling of now on a person's version of what is shown, which it must allow in its size and at its floor."""
    if shown.candidate is None:
        raise Refused("the menu of this proposal is not on record; only approve, decline and leave are left")
    ruling, _ = judge(bench, shown, _floored(shown.candidate, made.floor_price))
    _allowed(ruling.findings, refused)
    if not made.quantity <= ruling.quantity:
        bound = f" ({ruling.sizing.binding.replace('_', ' ')})" if ruling.sizing is not None else ""
        raise Refused(
            f"{made.quantity} contracts at a floor of {made.floor_price} are too many: "
            f"the limits leave {ruling.quantity}{bound}"
        )
    return ruling


def _drafted(bench: Bench, kept: Proposal | None, made: Proposal, ruling: Ruling) -> Review:
    """The screen of a person's version of the proposal on record, or of one that there is none of yet.

    The broker's dry run has its word first. Nothing is written.
    """
    from spy32.rules import plan, references
    from spy32.rules.echo import disagreements

    if kept is not None and made.hash == kept.hash:
        return review(bench, _id(kept))
    reference = references.draft_reference(made.run_id)
    body = plan.order_body(made.legs, made.quantity, made.limit_price, reference, kind=OrderKind.ENTRY)
    answer = bench.orders.dry_run(body)
    if not answer.accepted:
        raise Refused(f"the broker's dry run refuses it: {'; '.join(answer.errors)}", answer.errors)
    _allowed(disagreements(made, answer, bench.settings), "the broker's dry run means another order")
    version = replace(made, id=kept.id if kept is not None else None, state=ProposalState.PROPOSED)
    draft = Draft(proposal=version, body=body, was_hash=kept.hash if kept is not None else "")
    return review_draft(bench, draft, ruling.sizing)


def _floored(candidate: Candidate, floor: Decimal) -> Candidate:
    loss = (candidate.spread.width - floor) * MULTIPLIER + candidate.costs
    return replace(candidate, floor=floor, max_loss=loss)


# Checking.


def _decided_on(bench: Bench, shown: Review) -> Proposal:
    """The draft, or without one the proposal on record, which must still be as it was shown."""
    if shown.proposal is None:
        raise Refused(f"R{shown.run.id} has no proposal; choose a candidate first")
    kept = _kept(bench, shown)
    return kept if kept is not None and shown.draft is None else shown.proposal


def _kept(bench: Bench, shown: Review) -> Proposal | None:
    """The proposal on record, still waiting and as it was shown; None while an abstention may be overridden."""
    if shown.proposal is None or shown.proposal.id is None:
        overridable(bench, shown.run)
        return None
    kept, was = waiting(bench, shown.proposal.id), _hash_under(shown)
    if kept.hash != was:
        changed = f"was changed since it was shown (hash {was[:8]}, now {kept.hash[:8]})"
        raise Refused(f"P{kept.id} {changed}; `spy32 approve P{kept.id}` shows it as it is")
    return kept


def _hash_under(shown: Review) -> str:
    """The hash of the proposal on record as it was when this screen was drawn."""
    assert shown.proposal is not None
    return shown.draft.was_hash if shown.draft is not None else shown.proposal.hash


def _allowed(findings: tuple[Finding, ...], what: str) -> None:
    reasons = tuple(finding.message for finding in findings if finding.blocks)
    if reasons:
        raise Refused(f"{what}: {'; '.join(reasons)}", reasons)


def _openable(proposal: Proposal, what: str) -> None:
    if proposal.kind != "open":
        raise Refused(f"P{proposal.id} closes T{proposal.trade_id} as a whole; {what} is not for it")


def _move(bench: Bench, proposal: Proposal, now: ProposalState, reason: str) -> None:
    bench.store.move_proposal(_id(proposal), was=proposal.state, now=now, at=bench.clock(), reason=reason)


def _approved(proposal_id: int, yes: Approval | None) -> str:
    if yes is None:
        return f"P{proposal_id} is approved already, but by nobody on record"
    when = f"at {_clock(yes.at)}, until {_clock(yes.until)}"
    after = f"`spy32 execute P{proposal_id}` sends it, `spy32 approve P{proposal_id} --decline` takes it back"
    return f"P{proposal_id} was approved by {yes.by} {when}; {after}"


def _clock(instant: datetime) -> str:
    return f"{new_york(instant):%Y-%m-%d %H:%M} New York"


def _id(proposal: Proposal) -> int:
    assert proposal.id is not None
    return proposal.id
