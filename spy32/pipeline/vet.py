"""The vet step: may the choice be traded? Fresh quotes, market conditions, limits and size decide, not the analyst."""

from dataclasses import replace

from spy32.domain.findings import Finding, RiskDecision
from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Recommendation
from spy32.domain.runs import Cause
from spy32.domain.spreads import Candidate, Menu
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.pipeline.authenticate import AccountStatus
from spy32.pipeline.context import CheckedMarket, RunContext, RunEnd, StepResult
from spy32.quality.common import pluralise
from spy32.rules import conditions, pricing
from spy32.rules.limits import ineligible_prompt_reason


def vet(
    context: RunContext, market: CheckedMarket, menu: Menu, chosen: Recommendation, account_status: AccountStatus
) -> StepResult[RiskDecision] | RunEnd:
    """Return the risk decision on the chosen candidate, stored. A refusal ends the run with all reasons."""
    candidate = menu.find(chosen.candidate_id)
    if candidate is None:
        return RunEnd.no_trade(Cause.VETOED, f"{chosen.candidate_id!r} is not on this menu")
    if chosen.vetoes:
        return RunEnd.no_trade(Cause.VETOED, *chosen.vetoes)
    unfit = ineligible_prompt_reason(chosen.prompt, context.settings)
    if unfit is not None:
        return RunEnd.no_trade(Cause.VETOED, unfit)
    if account_status.usable is None:
        return RunEnd.no_trade(Cause.ACCOUNT, *account_status.errors)
    now = context.clock()
    price_findings = _requote(context, candidate, market.snapshot)
    (ruling,) = context.assess_risk((candidate,), market.snapshot, account_status.usable, now)
    ruling = replace(ruling, findings=(*price_findings, *ruling.findings))
    context.store.decisions.save_ruling(context.run_id, ruling, now)
    if ruling.is_accepted:
        notes = [finding.message for finding in ruling.findings]
        return StepResult(value=ruling, detail="; ".join((pluralise(ruling.quantity, "contract"), *notes)))
    return RunEnd.no_trade(refusal_cause(ruling), *ruling.reasons)


def _requote(context: RunContext, candidate: Candidate, snapshot: MarketSnapshot) -> tuple[Finding, ...]:
    """Fetch fresh quotes of the chosen legs and return the findings of the comparison with the menu's prices.

    The source of the chain is asked first, then the others, so that one failing source does not waste a paid answer.
    Raises the first one's error when none answers.
    """
    known = dict.fromkeys((*context.sources.chain, *context.sources.checks))
    errors: list[Spy32Error] = []
    for source in sorted(known, key=lambda market: market.name != snapshot.source):
        try:
            quotes = source.quotes(context.underlying, candidate.spread.legs)
        except (Unavailable, Unusable) as error:
            errors.append(error)
        else:
            return pricing.check_prices(candidate, snapshot.spot, quotes, context.settings)
    raise errors[0]


def refusal_cause(ruling: RiskDecision) -> Cause:
    """Return the cause of a refusal: `vetoed` for a moved quote, else `condition` for the market, else `limits`."""
    rules = [finding.rule for finding in ruling.findings if finding.blocks]
    if any(rule in pricing.PRICE_RULES for rule in rules):
        return Cause.VETOED
    return Cause.CONDITION if any(rule in conditions.RULES for rule in rules) else Cause.LIMITS
