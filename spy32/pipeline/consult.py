"""Who chooses: the analyst points at an entry of the menu, or abstains; the others choose beside it, for the record."""

from spy32.domain.deciding import Decision, Recommendation
from spy32.domain.running import Outcome, StepState
from spy32.domain.trading import Menu
from spy32.errors import Unusable
from spy32.pipeline.kit import Done, Ended, Kit, Seen


def consult(kit: Kit, seen: Seen, menu: Menu) -> Done[Recommendation] | Ended:
    """The recommendation that counts, stored beside the shadows', which are never acted on."""
    assert seen.briefing is not None
    chosen = kit.analyst.choose(seen.snapshot, menu, seen.briefing)
    kit.store.save_answer(kit.run_id, chosen, role="chosen", at=kit.clock())
    shadows = []
    for shadow in kit.shadows:
        shadows.append(shadow.choose(seen.snapshot, menu, seen.briefing))
        kit.store.save_answer(kit.run_id, shadows[-1], role="shadow", at=kit.clock())
    if chosen.decision is Decision.FAILED:
        return _without_answer(kit, chosen, shadows)
    if chosen.decision is Decision.ABSTAIN:
        return Ended(outcome=Outcome.NO_TRADE, cause="abstained", reasons=(f"{chosen.analyst}: {chosen.reason}",))
    return Done(value=chosen, detail=f"{chosen.analyst} chose {chosen.candidate_id}: {chosen.reason}")


def _without_answer(kit: Kit, failed: Recommendation, shadows: list[Recommendation]) -> Done[Recommendation] | Ended:
    """What the setting `analyst.on_failure` says: fail, no trade, or the fixed rule's pick."""
    why = f"{failed.analyst} gave no answer that can be used: {failed.reason}"
    rule = next((shadow for shadow in shadows if shadow.analyst == "rules"), None)
    if kit.settings.analyst.on_failure == "rules" and rule is not None and rule.decision is Decision.TRADE:
        return Done(value=rule, detail=f"{why}; the fixed rule's pick is taken instead", state=StepState.DEGRADED)
    if kit.settings.analyst.on_failure == "no_trade":
        return Ended(outcome=Outcome.NO_TRADE, cause="analyst_failed", reasons=(why,))
    code = failed.exit_code or Unusable.code
    return Ended(outcome=Outcome.FAILED, cause="analyst_failed", reasons=(why,), code=code)
