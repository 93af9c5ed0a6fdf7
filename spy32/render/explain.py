"""Outcomes, causes and states in words, and what to type next."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.market import SYNTHETIC
from spy32.domain.proposals import ProposalKind
from spy32.domain.runs import Cause, Outcome
from spy32.domain.spreads import Mode
from spy32.lifecycle import ENDED_TRADES, OrderState, ProposalState
from spy32.render.formatting import humanise, single_line
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.proposals import Proposal, Recommendation
    from spy32.domain.run_view import MarketSummary, RunView
    from spy32.domain.runs import Run, RunSummary

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.PROPOSED: "An order was prepared. Only a person who approves and executes it sends it.",
    Outcome.NO_TRADE: "The run is complete and there is no trade.",
    Outcome.SKIPPED: "There was nothing to analyse.",
    Outcome.FAILED: "The run could not be finished, so nothing was decided.",
    Outcome.INTERRUPTED: "The run was cut off before its end, so nothing was decided.",
}

# Three different ways to no trade must not be mistaken for each other: the analyst stayed out, our rules refused its
# choice, or there was no usable answer.
CAUSES: Mapping[Outcome, Mapping[str, str]] = {
    Outcome.NO_TRADE: {
        Cause.ABSTAINED: "Abstained: the analyst saw the menu and chose to stay out.",
        Cause.VETOED: "Vetoed: the analyst chose a spread, and spy32's own checks refused it.",
        Cause.CONDITION: "Market conditions: the analyst chose a spread, and the state of the market forbids an entry.",
        Cause.LIMITS: "Limits: the analyst chose a spread, and the account's limits leave no room for it.",
        Cause.EMPTY_MENU: "Empty menu: no spread passed the rules, so the analyst was not asked.",
        Cause.ACCOUNT: "Account: a choice was made and stored, but the account's facts could not be had, so there "
        "is no order.",
        Cause.BROKER: "Refused by the broker: its dry run of the order said no.",
        Cause.ANALYST_FAILED: "No answer: the analyst failed, and the setting analyst.on_failure makes that no trade. "
        "This is not an abstention.",
    },
    Outcome.FAILED: {
        Cause.ANALYST_FAILED: "Failed at the analyst: there was no answer that can be used. This is neither an "
        "abstention nor a veto.",
        Cause.DATA: "Failed at the data: missing, stale or contradictory; nothing was filled in.",
        Cause.ACCOUNT: "Failed at the account: the broker's facts could not be had.",
        Cause.SETTINGS: "Failed at the settings: something that the run needs is missing or wrong there.",
        Cause.DEADLINE: "Out of time: the run took longer than the setting schedule.run_deadline_seconds.",
    },
    Outcome.SKIPPED: {
        Cause.HOLIDAY: "The exchange was closed.",
        Cause.CLOSED: "The exchange had closed for the day, or the day was no trading day.",
        Cause.PAUSED: "Scheduled runs were paused.",
        Cause.MISSED: "Missed: no run finished in the slot and its grace. cron never catches up by itself.",
    },
    Outcome.INTERRUPTED: {Cause.STOPPED: "It was stopped by a signal."},
}

PROPOSAL_STATES: Mapping[ProposalState, str] = {
    ProposalState.PROPOSED: "waits for approval",
    ProposalState.APPROVED: "is approved, not sent",
    ProposalState.SENT: "is sent, not settled",
    ProposalState.DONE: "is done",
    ProposalState.DECLINED: "was declined",
    ProposalState.LAPSED: "lapsed without approval",
}

MODES: Mapping[Mode, str] = {
    Mode.PAPER: "PAPER: simulated orders, no real money",
    Mode.SANDBOX: "SANDBOX: the broker's test system, no real money",
    Mode.LIVE: "LIVE: real money",
}
BANNERS: Mapping[Mode, str] = {
    Mode.PAPER: "PAPER, no real money",
    Mode.SANDBOX: "SANDBOX, no real money",
    Mode.LIVE: "LIVE: REAL MONEY",
}
"""In a line across the screen that has more to say."""


def format_outcome(run: "Run | RunSummary") -> str:
    """`no trade (abstained)`."""
    if run.outcome is None:
        return "unfinished"
    cause = f" ({humanise(run.cause)})" if run.cause else ""
    return f"{humanise(run.outcome.value)}{cause}"


OUTCOME_TONES: Mapping[Outcome | None, str] = {
    Outcome.PROPOSED: "good", Outcome.FAILED: "bad", Outcome.INTERRUPTED: "bad",
}  # fmt: skip


def explain_outcome(run: "Run") -> str:
    """What the outcome means, and which of its causes it had."""
    if run.outcome is None:
        step = f", in step {humanise(run.step_running)}" if run.step_running else ""
        return f"The run has not ended: it is at work{step}, or was cut off and the next start will say so."
    sentences = [OUTCOMES[run.outcome]]
    if run.cause is not None:
        sentences.append(CAUSES.get(run.outcome, {}).get(run.cause, f"Cause: {humanise(run.cause)}."))
    return " ".join(sentences)


def analyst_name(recommendation: "Recommendation") -> str:
    """`grok, grok-4.3, v1-comprehensive`: the analyst, the model that answered, and the prompt."""
    parts = (recommendation.analyst, recommendation.model, recommendation.prompt)
    return ", ".join(single_line(part) for part in parts if part)


def approver(by: str) -> str:
    """` by anna`; nothing where the machine did not know who it was."""
    return "" if by in ("", "unknown") else f" by {single_line(by)}"


def view_badges(view: "RunView", modes: Mapping[Mode, str] = MODES) -> tuple[str, ...]:
    """Mode, recorded quotes and simulated fills, which a reader must not overlook."""
    simulated = ("SIMULATED FILLS",) if view.trade is not None and view.trade.assumption else ()
    return (modes[view.run.mode], *market_badge(view.market), *simulated)


def market_badge(line: "MarketSummary | None") -> tuple[str, ...]:
    """For a recorded market, the time of its quotes; that one is synthetic; nothing for a live one."""
    if line is not None and line.source == SYNTHETIC:
        return ("SYNTHETIC MARKET",)
    if line is None or not line.is_recorded:
        return ()
    return (f"RECORDED MARKET {line.as_of.astimezone(NEW_YORK):%Y-%m-%d %H:%M}",)


def chosen_candidate_id(view: "RunView") -> str | None:
    """The candidate of the proposal, which a person may have chosen, else that of the analyst."""
    if view.proposal is not None and view.proposal.candidate_id is not None:
        return view.proposal.candidate_id
    return view.recommendation.candidate_id if view.recommendation is not None else None


def is_proposal_expired(proposal: "Proposal", now: datetime) -> bool:
    """Whether the time for approval is over."""
    return proposal.state is ProposalState.PROPOSED and proposal.is_over(now)


def next_commands(view: "RunView", *, now: datetime) -> tuple[str, ...]:
    """What to type next, most useful first; nothing when nothing is to be done."""
    if any(order.state in (OrderState.UNKNOWN, OrderState.SUBMITTING) for order in view.orders):
        return ("spy32 reconcile (asks the broker what became of the order; sends nothing)",)
    if view.proposal is not None:
        return _proposal_commands(view.proposal, view, now)
    return _run_commands(view.run)


def proposal_command(proposal: "Proposal") -> str | None:
    """What a proposal that is alive needs next."""
    live = " --live" if proposal.mode is Mode.LIVE else ""
    return {
        ProposalState.PROPOSED: f"spy32 approve P{proposal.id}",
        ProposalState.APPROVED: f"spy32 execute P{proposal.id}{live}",
        ProposalState.SENT: f"spy32 execute P{proposal.id}{live}",
    }.get(proposal.state)


def _proposal_commands(proposal: "Proposal", view: "RunView", now: datetime) -> tuple[str, ...]:
    if is_proposal_expired(proposal, now) or proposal.state in (ProposalState.LAPSED, ProposalState.DECLINED):
        is_opening = proposal.kind is ProposalKind.OPEN
        again = f"spy32 manage T{proposal.trade_id} (judges its exits again)"
        return ("spy32 analyze --force (a new run; sends nothing)" if is_opening else again,)
    if proposal.state is ProposalState.SENT:
        return (f"spy32 reconcile, or spy32 cancel P{proposal.id}",)
    if (command := proposal_command(proposal)) is not None:
        return (command,)
    is_held = view.trade is not None and view.trade.state not in ENDED_TRADES
    return ("spy32 positions",) if is_held else ()


def _run_commands(run: "Run") -> tuple[str, ...]:
    show = f"spy32 show R{run.id}"
    if run.outcome is None:
        return ("spy32 status",)
    hints: dict[str | None, str] = {
        Cause.ABSTAINED: "spy32 approve (a person may override an abstention)",
        Cause.ANALYST_FAILED: f"{show} --raw (what was asked and what came back)",
        Cause.DATA: f"{show} --quality",
    }
    hint = (hints[run.cause],) if run.cause in hints else ()
    if run.outcome is Outcome.NO_TRADE:
        return (f"{show} --{'rejected' if run.cause == Cause.EMPTY_MENU else 'candidates'}", *hint)
    return (*hint, "spy32 analyze") if run.outcome in (Outcome.FAILED, Outcome.INTERRUPTED) else ()
