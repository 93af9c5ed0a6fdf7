"""The notify step: queues one notice per run for the notifiers. It never changes the outcome."""

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.proposals import Proposal
from spy32.domain.runs import Cause, Outcome
from spy32.pipeline.context import RunContext, RunEnd, StepResult
from spy32.rules.notices import ending_notice
from spy32.rules.trade_notices import proposal_notice


def notify(context: RunContext, ending: Proposal | RunEnd) -> StepResult[int]:
    """Queue a notice of the run's result, and return its id. It is sent once the run is committed."""
    text = _run_end_notice(context, ending) if isinstance(ending, RunEnd) else _proposal_notice(context, ending)
    notice_id = context.store.notices.add(text, context.clock(), run_id=context.run_id)
    return StepResult(value=notice_id, detail="queued")


def _run_end_notice(context: RunContext, end: RunEnd) -> NoticeText:
    return ending_notice(ending_kind(end), context.run_id, context.settings.mode, end.outcome, end.cause, end.reasons)


def ending_kind(end: RunEnd) -> NoticeKind:
    """Whether a run without a proposal is trouble, a limit of the book, or simply a week without a trade."""
    if end.outcome is not Outcome.NO_TRADE:
        return NoticeKind.FAILED
    return NoticeKind.LIMIT if end.cause is Cause.LIMITS else NoticeKind.NO_TRADE


def _proposal_notice(context: RunContext, proposal: Proposal) -> NoticeText:
    menu = context.store.decisions.menu(context.run_id)
    candidate = menu.find(proposal.candidate_id) if menu is not None else None
    return proposal_notice(proposal, candidate, context.store.decisions.recommendation(context.run_id))
