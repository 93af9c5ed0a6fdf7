"""Who chooses: the analyst points at an entry of the menu, or abstains; the others choose beside it, for the record."""

from spy32.domain.deciding import Decision, Recommendation
from spy32.domain.market import MarketSnapshot
from spy32.domain.running import Outcome, StepState
from spy32.domain.trading import Menu
from spy32.pipeline.kit import Done, Ended, Kit


def consult(kit: Kit, snapshot: MarketSnapshot, menu: Menu) -> Done[Recommendation] | Ended:
    """The recommendation that counts, stored beside the shadows'."""
    chosen = kit.analyst.choose(snapshot, menu)
    kit.store.save_answer(kit.run_id, chosen, role="chosen", at=kit.clock())
    shadows = [shadow.choose(snapshot, menu) for shadow in kit.shadows]
    for shadow in shadows:
        kit.store.save_answer(kit.run_id, shadow, role="shadow", at=kit.clock())
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
    outcome = Outcome.NO_TRADE if kit.settings.analyst.on_failure == "no_trade" else Outcome.FAILED
    return Ended(outcome=outcome, cause="analyst_failed", reasons=(why,))
