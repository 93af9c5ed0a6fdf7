"""The risk decision on one candidate, used by the vet step, by a person's other choice, and by a replay."""

from datetime import datetime

from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import RiskDecision
from spy32.domain.spreads import Account, Candidate, Exposure
from spy32.rules import conditions, limits, sizing
from spy32.settings import Settings


def assess_risk(
    candidate: Candidate,
    snapshot: MarketSnapshot,
    account: Account,
    exposure: Exposure,
    *,
    settings: Settings,
    now: datetime,
) -> RiskDecision:
    """Return the decision by conditions, limits and size. Price moves since the menu are checked in `pricing`."""
    condition_findings, halve = conditions.check_conditions(snapshot, candidate, settings, now)
    limit_findings = limits.check_entry(candidate, account, exposure, settings, now)
    size = sizing.size_position(candidate, account, exposure, settings, halve=halve, snapshot=snapshot)
    findings = (*condition_findings, *limit_findings, *sizing.sizing_findings(size))
    return RiskDecision(
        quantity=size.quantity, findings=findings, sizing=size, account=account, exposure=exposure, at=now
    )
