"""What a person will be asked: price plan, exit plan, the exact order, and the broker's word on it."""

from collections.abc import Iterator
from dataclasses import replace as changed

from spy32.domain.acting import OrderKind
from spy32.domain.deciding import Finding, Proposal, Recommendation, Ruling
from spy32.domain.market import MarketSnapshot
from spy32.domain.running import Outcome, Run
from spy32.domain.trading import Candidate
from spy32.pipeline.kit import Done, Ended, Kit, Seen
from spy32.pipeline.notify import headline
from spy32.rules import plan, references
from spy32.rules.echo import disagreements
from spy32.settings import Settings


def prepare(
    kit: Kit, seen: Seen, candidate: Candidate, ruling: Ruling, chosen: Recommendation
) -> Done[Proposal] | Ended:
    """The proposal, stored with its order body; a dry run that the broker refuses ends the run with its words."""
    run = kit.store.run(kit.run_id)
    proposal, body = proposal_of(candidate, ruling, chosen, seen.snapshot, kit.settings, run=run)
    answer = kit.orders.dry_run(body)
    if not answer.accepted:
        reasons = tuple(f"the broker refused the dry run: {error}" for error in answer.errors)
        return Ended(outcome=Outcome.NO_TRADE, cause="broker", reasons=reasons)
    findings = (*disagreements(proposal, answer, kit.settings), *warned(answer.warnings))
    if findings:
        ruling = changed(ruling, findings=(*ruling.findings, *findings))
        kit.store.save_ruling(kit.run_id, ruling, kit.clock())
    reasons = tuple(finding.message for finding in findings if finding.blocks)
    if reasons:
        return Ended(outcome=Outcome.NO_TRADE, cause="broker", reasons=reasons)
    stored = kit.store.add_proposal(proposal, body=body, at=kit.clock())
    detail = f"P{stored.id}: {headline(stored)}, floor {stored.floor_price}, maximum loss {stored.max_loss:,.2f}"
    return Done(value=stored, detail="; ".join((detail, *(finding.message for finding in findings))))


def warned(warnings: tuple[str, ...]) -> Iterator[Finding]:
    """What the broker warns of in a dry run that it accepts: notes for the reviewer."""
    for words in warnings:
        yield Finding(rule="broker", message=f"the broker warns: {words}", blocks=False)


def proposal_of(
    candidate: Candidate,
    ruling: Ruling,
    chosen: Recommendation,
    snapshot: MarketSnapshot,
    settings: Settings,
    *,
    run: Run,
) -> tuple[Proposal, str]:
    """The proposal and its exact order body: the part that a replay recomputes."""
    assert ruling.account is not None
    proposal = plan.propose(candidate, ruling, snapshot, settings, run=run, chosen_by=chosen.analyst)
    reference = references.draft_reference(run.id)
    body = plan.order_body(proposal.legs, proposal.quantity, proposal.limit_price, reference, kind=OrderKind.ENTRY)
    return proposal, body
