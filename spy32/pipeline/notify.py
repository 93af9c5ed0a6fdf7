"""Tell: one notice a run into the outbox, where the notifiers find it. It never changes the outcome."""

from spy32.domain.proposals import Proposal
from spy32.pipeline.context import RunContext, RunEnd, StepResult


def notify(context: RunContext, ending: Proposal | RunEnd) -> StepResult[int]:
    """Queue what happened: state, figures and ids, never an account number or a way to approve."""
    if isinstance(ending, RunEnd):
        subject = f"spy32: {ending.outcome.replace('_', ' ')} ({ending.cause})"
        body = "\n".join((*ending.reasons, "See: spy32 show"))
    else:
        subject = f"spy32: order prepared: {headline(ending)}"
        body = f"{headline(ending)}\nReview and decide with: spy32 approve P{ending.id}"
    return StepResult(value=context.store.notices.add(context.run_id, subject, body, context.clock()), detail="queued")


def headline(proposal: Proposal) -> str:
    """The proposal in one line, as a subject carries it."""
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in proposal.legs)
    kind = proposal.strategy.value.replace("_", " ")
    return f"{proposal.underlying} {strikes} {kind} {proposal.limit_price} x{proposal.quantity}"
