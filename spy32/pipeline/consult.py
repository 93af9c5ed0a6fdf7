"""Who chooses: the analyst points at an entry of the menu, or abstains; the others choose beside it, for the record."""

from spy32.domain.deciding import Decision, Recommendation, Ruling
from spy32.domain.running import Outcome, StepState
from spy32.domain.trading import Account, Menu
from spy32.errors import Unusable
from spy32.pipeline.kit import Done, Ended, Kit, Seen
from spy32.pipeline.vet import cause_of
from spy32.rules.ruling import rule_on
from spy32.sessions import market_date, week_start

FREE = frozenset({"rules", "trend"})
"""Analysts that cost nothing to ask."""
HOPELESS = frozenset({69, 70, 77, 78})
"""Endings of an answer after which another question would end alike."""


def consult(kit: Kit, seen: Seen, menu: Menu, account: Account | None) -> Done[Recommendation] | Ended:
    """The recommendation that counts, stored beside the rules', which are never acted on."""
    assert seen.briefing is not None
    # First of all, so that a run that ends while a model thinks has them as well.
    shadows = _shadows(kit, seen, menu)
    if kit.analyst.name not in FREE and account is not None:
        hopeless = _nothing_fits(kit, seen, menu, account)
        if hopeless is not None:
            kit.store.save_ruling(kit.run_id, hopeless, kit.clock())
            reasons = (*hopeless.reasons, f"so {kit.analyst.name} was not asked")
            return Ended(outcome=Outcome.NO_TRADE, cause=cause_of(hopeless), reasons=reasons)
    chosen = kit.analyst.choose(seen.snapshot, menu, seen.briefing)
    kit.store.save_answer(kit.run_id, chosen, role="chosen", at=kit.clock())
    if chosen.decision is Decision.FAILED:
        return _without_answer(kit, chosen, shadows)
    if chosen.decision is Decision.ABSTAIN:
        return Ended(outcome=Outcome.NO_TRADE, cause="abstained", reasons=(f"{chosen.analyst}: {chosen.reason}",))
    return Done(value=chosen, detail=f"{chosen.analyst} chose {chosen.candidate_id}: {chosen.reason}")


def ask_beside(kit: Kit, seen: Seen, menu: Menu) -> None:
    """The shadows that cost money and time, once the run has come to its end: nothing waits for them."""
    assert seen.briefing is not None
    chosen = [answer for role, answer in kit.store.answers(kit.run_id) if role == "chosen"]
    if not chosen or chosen[-1].exit_code in HOPELESS:
        return
    for shadow in kit.shadows:
        if shadow.name not in FREE:
            answer = shadow.choose(seen.snapshot, menu, seen.briefing)
            kit.store.save_answer(kit.run_id, answer, role="shadow", at=kit.clock())


def _shadows(kit: Kit, seen: Seen, menu: Menu) -> list[Recommendation]:
    """What the rules take of the same menu."""
    assert seen.briefing is not None
    found = [shadow.choose(seen.snapshot, menu, seen.briefing) for shadow in kit.shadows if shadow.name in FREE]
    for answer in found:
        kit.store.save_answer(kit.run_id, answer, role="shadow", at=kit.clock())
    return found


def _nothing_fits(kit: Kit, seen: Seen, menu: Menu, account: Account) -> Ruling | None:
    """The ruling on the first entry when conditions or limits refuse every one; None while one may be traded."""
    now = kit.clock()
    today = market_date(now)
    exposure = kit.store.exposure(run_id=kit.run_id, today=today, week_start=week_start(today))
    rulings = [
        rule_on(candidate, seen.snapshot, account, exposure, settings=kit.settings, now=now)
        for candidate in menu.candidates
    ]
    return None if any(ruling.accepted for ruling in rulings) else rulings[0]


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
