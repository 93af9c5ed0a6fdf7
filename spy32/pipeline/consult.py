"""The consult step: the analyst chooses a candidate of the menu or abstains. Shadow analysts answer for the record."""

from spy32.domain.answer_role import AnswerRole
from spy32.domain.findings import RiskDecision
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.runs import Cause, Outcome, StepState
from spy32.domain.spreads import Account, Menu
from spy32.errors import HOPELESS, ExitCode
from spy32.pipeline.context import RULE_ANALYSTS, CheckedMarket, RunContext, RunEnd, StepResult
from spy32.pipeline.vet import refusal_cause
from spy32.ports import Analyst
from spy32.rules.conditions import check_conditions


def consult(
    context: RunContext, market: CheckedMarket, menu: Menu, account: Account | None
) -> StepResult[Recommendation] | RunEnd:
    """Return the recommendation that decides the run. It is stored, and so are the shadow analysts' answers.

    A paid analyst is not asked when conditions or limits refuse every candidate.
    """
    # First, so that they are stored even if the run ends while the model works.
    shadows = _ask_shadows(context, market, menu, is_rule=True)
    if context.analyst.name not in RULE_ANALYSTS:
        refusal = _refusal_of_all(context, market, menu, account)
        if refusal is not None:
            unasked = f"so {context.analyst.name} was not asked"
            return RunEnd.no_trade(refusal_cause(refusal), *refusal.reasons, unasked)
    chosen = _ask(context, market, menu, context.analyst, AnswerRole.CHOSEN)
    if chosen.decision is Decision.FAILED:
        return _handle_failed_answer(context, chosen, shadows)
    if chosen.decision is Decision.ABSTAIN:
        return RunEnd.no_trade(Cause.ABSTAINED, f"{chosen.analyst}: {chosen.reason}")
    return StepResult(value=chosen, detail=f"{chosen.analyst} chose {chosen.candidate_id}: {chosen.reason}")


def _refusal_of_all(
    context: RunContext, market: CheckedMarket, menu: Menu, account: Account | None
) -> RiskDecision | None:
    """Return the refusal of the first candidate when conditions and limits refuse them all, else None.

    Without an account only the conditions are known; with one the refusal is stored.
    """
    now = context.clock()
    if account is None:
        conditions = [
            check_conditions(market.snapshot, candidate, context.settings, now)[0] for candidate in menu.candidates
        ]
        if not all(any(finding.blocks for finding in findings) for findings in conditions):
            return None
        return RiskDecision(quantity=0, findings=conditions[0], sizing=None)
    rulings = context.assess_risk(menu.candidates, market.snapshot, account, now)
    if any(ruling.is_accepted for ruling in rulings):
        return None
    context.store.decisions.save_ruling(context.run_id, rulings[0], now)
    return rulings[0]


def ask_shadow_models(context: RunContext, market: CheckedMarket, menu: Menu) -> None:
    """Ask the paid shadow analysts after the run has ended, so that nothing waits for them."""
    chosen = [answer for role, answer in context.store.decisions.answers(context.run_id) if role is AnswerRole.CHOSEN]
    if chosen and chosen[-1].exit_code not in HOPELESS:
        _ask_shadows(context, market, menu, is_rule=False)


def _ask_shadows(context: RunContext, market: CheckedMarket, menu: Menu, *, is_rule: bool) -> list[Recommendation]:
    """Return and store the choices from the same menu of the free shadow analysts, or of the paid ones."""
    shadows = [shadow for shadow in context.shadows if (shadow.name in RULE_ANALYSTS) is is_rule]
    return [_ask(context, market, menu, shadow, AnswerRole.SHADOW) for shadow in shadows]


def _ask(context: RunContext, market: CheckedMarket, menu: Menu, analyst: Analyst, role: AnswerRole) -> Recommendation:
    assert market.briefing is not None
    answer = analyst.choose(market.snapshot, menu, market.briefing)
    context.store.decisions.save_answer(context.run_id, answer, role=role, at=context.clock())
    return answer


def _handle_failed_answer(
    context: RunContext, failed: Recommendation, shadows: list[Recommendation]
) -> StepResult[Recommendation] | RunEnd:
    """Apply the setting `analyst.on_failure`: fail the run, end it without a trade, or take the fixed rule's choice."""
    reason = f"{failed.analyst} gave no answer that can be used: {failed.reason}"
    rule = next((shadow for shadow in shadows if shadow.analyst == "rules"), None)
    if context.settings.analyst.on_failure == "rules" and rule is not None and rule.decision is Decision.TRADE:
        return StepResult(
            value=rule, detail=f"{reason}; the fixed rule's pick is taken instead", state=StepState.DEGRADED
        )
    if context.settings.analyst.on_failure == "no_trade":
        return RunEnd.no_trade(Cause.ANALYST_FAILED, reason)
    code = failed.exit_code or ExitCode.UNUSABLE
    return RunEnd(outcome=Outcome.FAILED, cause=Cause.ANALYST_FAILED, reasons=(reason,), code=code)
