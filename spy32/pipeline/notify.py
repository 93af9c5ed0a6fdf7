"""The notify step: queues one notice per run for the notifiers. It never changes the outcome."""

from spy32.domain.notices import NoticeKind
from spy32.domain.proposals import Proposal
from spy32.domain.runs import Cause, Outcome
from spy32.pipeline.context import RunContext, RunEnd, StepResult
from spy32.rules.notices import ending_notice
from spy32.rules.trade_notices import proposal_notice


def notify(context: RunContext, ending: Proposal | RunEnd) -> StepResult[int]:
    """Queue a notice of the run's result, and return its id. It is sent once the run is committed."""
    run_id, mode, decisions = context.run_id, context.settings.mode, context.store.decisions
    if isinstance(ending, RunEnd):
        text = ending_notice(ending_kind(ending), run_id, mode, ending.outcome, ending.cause, ending.reasons)
    else:
        menu = decisions.menu(run_id)
        candidate = menu.find(ending.candidate_id) if menu is not None else None
        text = proposal_notice(ending, candidate, decisions.recommendation(run_id))
    notice_id = context.store.notices.add(text, context.clock(), run_id=run_id)
    return StepResult(value=notice_id, detail="queued")


def ending_kind(end: RunEnd) -> NoticeKind:
    """Whether a run without a proposal is trouble, a limit of the book, or simply a week without a trade."""
    if end.outcome is not Outcome.NO_TRADE:
        return NoticeKind.FAILED
    return NoticeKind.LIMIT if end.cause is Cause.LIMITS else NoticeKind.NO_TRADE
