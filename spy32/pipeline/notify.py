"""The notify step: queues one notice per run for the notifiers. It never changes the outcome."""

from spy32.domain.proposals import Proposal
from spy32.pipeline.context import RunContext, RunEnd, StepResult


def notify(context: RunContext, ending: Proposal | RunEnd) -> StepResult[int]:
    """Queue a notice of the run's result: state, figures and ids. It never contains an account number or a link that
    approves. Returns the notice's id."""
    if isinstance(ending, RunEnd):
        subject = f"spy32: {ending.outcome.replace('_', ' ')} ({ending.cause})"
        body = "\n".join((*ending.reasons, "See: spy32 show"))
    else:
        subject = f"spy32: order prepared: {headline(ending)}"
        body = f"{headline(ending)}\nReview and decide with: spy32 approve P{ending.id}"
    return StepResult(value=context.store.notices.add(context.run_id, subject, body, context.clock()), detail="queued")


def headline(proposal: Proposal) -> str:
    """Return the proposal in one line, for a subject."""
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in proposal.legs)
    kind = proposal.strategy.value.replace("_", " ")
    return f"{proposal.underlying} {strikes} {kind} {proposal.limit_price} x{proposal.quantity}"
