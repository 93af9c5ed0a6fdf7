"""The prepare step: price plan, exit plan, the exact order, and the broker's dry run of it."""

from dataclasses import replace

from spy32.domain.findings import Finding, RiskDecision
from spy32.domain.market import MarketSnapshot
from spy32.domain.orders import OrderKind, bound_text
from spy32.domain.proposals import Proposal, ProposalTerms, Recommendation
from spy32.domain.runs import Cause, Run
from spy32.domain.spreads import Candidate
from spy32.pipeline.context import CheckedMarket, RunContext, RunEnd, StepResult
from spy32.rules import plan, references
from spy32.rules.dry_run_check import check_dry_run
from spy32.settings import Settings


def prepare(
    context: RunContext, market: CheckedMarket, candidate: Candidate, ruling: RiskDecision, chosen: Recommendation
) -> StepResult[Proposal] | RunEnd:
    """Return the proposal, stored with its order body. A refused dry run ends the run with the broker's reasons."""
    run = context.store.runs.get(context.run_id)
    proposal, body = build_proposal(candidate, ruling, chosen, market.snapshot, context.settings, run=run)
    dry_run = context.orders.dry_run(body)
    if not dry_run.accepted:
        reasons = tuple(f"the broker refused the dry run: {error}" for error in dry_run.errors)
        return RunEnd.no_trade(Cause.BROKER, *reasons)
    notes = [Finding(rule="broker", message=f"the broker warns: {words}", blocks=False) for words in dry_run.warnings]
    findings = (*check_dry_run(proposal, dry_run, context.settings), *notes)
    if findings:
        ruling = replace(ruling, findings=(*ruling.findings, *findings))
        context.store.decisions.save_ruling(context.run_id, ruling, context.clock())
    reasons = tuple(finding.message for finding in findings if finding.blocks)
    if reasons:
        return RunEnd.no_trade(Cause.BROKER, *reasons)
    stored = context.store.proposals.add(proposal, body=body, at=context.clock())
    detail = f"P{stored.id}: {stored.trade_text}, {bound_text(stored.floor_price)}, max loss {stored.max_loss:,.2f}"
    return StepResult(value=stored, detail="; ".join((detail, *(finding.message for finding in findings))))


def build_proposal(
    candidate: Candidate,
    ruling: RiskDecision,
    chosen: Recommendation,
    snapshot: MarketSnapshot,
    settings: Settings,
    *,
    run: Run,
) -> tuple[ProposalTerms, str]:
    """Return the proposal and its exact order body. A replay recomputes them with this function."""
    assert ruling.account is not None
    proposal = plan.build_proposal(candidate, ruling, snapshot, settings, run=run, chosen_by=chosen.analyst)
    reference = references.draft_reference(run.id)
    body = plan.order_body(proposal.legs, proposal.quantity, proposal.limit_price, reference, kind=OrderKind.ENTRY)
    return proposal, body
