"""One word on one candidate: the run's vet step, a person's other choice and a replay all judge by it."""

from datetime import datetime

from spy32.domain.deciding import Ruling
from spy32.domain.market import MarketSnapshot
from spy32.domain.trading import Account, Candidate, Exposure
from spy32.rules import conditions, limits, sizing
from spy32.settings import Settings


def rule_on(
    candidate: Candidate,
    snapshot: MarketSnapshot,
    account: Account,
    exposure: Exposure,
    *,
    settings: Settings,
    now: datetime,
) -> Ruling:
    """Conditions, limits and size of one candidate: everything but how far the market has moved."""
    found, halve = conditions.weigh(snapshot, candidate, settings, now)
    limited = limits.check(candidate, account, exposure, settings, now)
    size = sizing.size(candidate, account, exposure, settings, halve=halve, snapshot=snapshot)
    findings = (*found, *limited, *sizing.findings(size))
    return Ruling(quantity=size.quantity, findings=findings, sizing=size, account=account, exposure=exposure, at=now)
