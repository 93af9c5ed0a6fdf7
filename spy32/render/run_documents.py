"""The documents of runs: one with all that came of it, the history, and a decision."""

from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.findings import RiskDecision
from spy32.domain.market import QualityReport
from spy32.domain.model_calls import ModelCall
from spy32.domain.proposals import Approval, Proposal, Recommendation
from spy32.domain.run_view import DocumentSummary, MarketSummary, RunView
from spy32.domain.runs import Run, RunSummary
from spy32.domain.spreads import Menu
from spy32.domain.value import value
from spy32.render.document_parts import AnalystChoice, BriefingFigure, MenuEntry, ProposalView, TradeView, proposal_view
from spy32.render.encoder import Document, Part, encode_document
from spy32.render.raw_texts import StoredAnswer

if TYPE_CHECKING:
    from spy32.render.raw_texts import RawTexts


@value
class FullRun:
    """One run with all that came of it."""

    run: Run
    market: MarketSummary | None
    """What the run saw, in one line."""
    quality: QualityReport | None
    """What the quality gates said."""
    menu: tuple[MenuEntry, ...]
    """What the analyst chose from; empty when there was none."""
    menu_notes: tuple[str, ...]
    rejected: Menu | None
    """Null unless --rejected was asked for."""
    recommendation: AnalystChoice | None
    shadows: tuple[AnalystChoice, ...]
    """What others would have chosen."""
    ruling: RiskDecision | None
    """The checks of the choice."""
    proposal: ProposalView | None
    trade: TradeView | None
    figures: tuple[BriefingFigure, ...]
    """What was put before the analyst, in the order shown."""
    answers: tuple[StoredAnswer, ...] | None
    """Null unless --raw was asked for."""
    attempts: tuple[ModelCall, ...] | None
    """Null unless --raw was asked for."""
    documents: tuple[DocumentSummary, ...] | None
    """What the sources sent, without the bodies; null unless --raw was asked for."""


@value
class History:
    """Runs, newest first."""

    runs: tuple[RunSummary, ...]


@value
class ApprovalDecision:
    """A proposal and a person's decision on it."""

    proposal: ProposalView
    """As it stands after the decision, or after none."""
    approval: Approval | None
    """Its newest approval; null when nobody approved it."""


RUN = Part(FullRun, called="spy32.run")
HISTORY = Part(History, called="spy32.history")
APPROVAL = Part(ApprovalDecision, called="spy32.approval")


def whole_run(view: RunView, *, raw: "RawTexts | None", rejected: bool) -> FullRun:
    return FullRun(
        run=view.run,
        market=view.market,
        quality=view.quality,
        menu=()
        if view.menu is None
        else tuple(MenuEntry(candidate=each, outcome=view.outcomes.get(each.id)) for each in view.menu.candidates),
        menu_notes=() if view.menu is None else view.menu.notes,
        rejected=view.menu if rejected else None,
        recommendation=None if view.recommendation is None else _choice(view, AnswerRole.CHOSEN, view.recommendation),
        shadows=tuple(_choice(view, AnswerRole.SHADOW, shadow) for shadow in view.shadows),
        ruling=view.ruling,
        proposal=None if view.proposal is None else proposal_view(view, view.proposal),
        trade=None if view.trade is None else TradeView(trade=view.trade, mark=view.marks[-1] if view.marks else None),
        figures=()
        if view.briefing is None
        else tuple(BriefingFigure(path=path, datum=metric) for path, metric in view.briefing.figures.items()),
        answers=None if raw is None else raw.answers,
        attempts=None if raw is None else raw.attempts,
        documents=None if raw is None else raw.documents,
    )


def _choice(view: RunView, role: AnswerRole, recommendation: Recommendation) -> AnalystChoice:
    """With what asking for it came to: the usage of its role and prompt."""
    found = (usage for usage in view.attempts_summary if (usage.role, usage.prompt) == (role, recommendation.prompt))
    return AnalystChoice(recommendation=recommendation, usage=next(found, None))


def run_document(view: RunView, *, raw: "RawTexts | None" = None, rejected: bool = False) -> Document:
    """Everything that came of one run. `raw` and `rejected` fill the keys that are null otherwise."""
    return encode_document(RUN, whole_run(view, raw=raw, rejected=rejected))


def approval_document(view: RunView, proposal: Proposal) -> Document:
    """The proposal as it stands, and its newest approval; null when nobody approved it."""
    return encode_document(APPROVAL, ApprovalDecision(proposal=proposal_view(view, proposal), approval=view.approval))
