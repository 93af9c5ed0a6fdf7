"""Compares the broker's dry-run answer with the proposal: did the broker understand the order as meant? Dollars."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeVar

from spy32.domain.findings import Finding, violation
from spy32.domain.orders import DryRun
from spy32.domain.proposals import ProposalKind, ProposalTerms
from spy32.domain.spreads import CENT, MULTIPLIER, Leg, Mode, value_bounds
from spy32.rules.pricing import closing_costs, opening_costs
from spy32.settings import Settings

T = TypeVar("T")

ROUNDING_TOLERANCE = Decimal(1)
"""Dollars. A smaller difference is rounding, however large its share."""
LOSS_TOLERANCE = Decimal("0.01")
"""Fraction of the maximum loss by which the buying power effect may differ. Chosen to allow for fees and rounding."""
FEES_TOLERANCE = Decimal("0.5")
"""Share of our fees by which the broker's may differ. Wide, because fee schedules change and the amounts are small."""
BLOCKING_WARNINGS = ("closing_with_no_position",)
"""Warning codes that block. With this one the broker would turn a closing order into an opening one."""


def check_dry_run(proposal: ProposalTerms, dry: DryRun, settings: Settings) -> tuple[Finding, ...]:
    """Return a blocking finding for each figure of an accepted dry run that is missing or differs from ours."""
    limit = dry.limit if dry.limit is not None and dry.limit.is_finite() else None
    legs, theirs = (sorted(map(_leg_text, part)) for part in (proposal.legs, dry.legs))
    findings = [
        *_check_echo("limit", limit, proposal.limit_price, _price_text),
        *_check_echo("quantity", dry.quantity, proposal.quantity, str),
        *_check_echo("legs", theirs or None, legs, ", ".join),
    ]
    for warning in dry.warnings:
        if any(code in warning for code in BLOCKING_WARNINGS):
            findings.append(violation("echo_warning", f"the broker warns: {warning}", warning, "no such warning"))
    findings += _check_fees(proposal, dry, settings)
    if proposal.kind is ProposalKind.OPEN:
        # The paper broker reports no margin, only the buying power effect.
        if dry.margin is not None or proposal.mode is not Mode.PAPER:
            findings += _check_amount("margin", "margin", dry.margin, _margin(proposal), CENT)
        findings += _check_buying_power(proposal, dry)
    return tuple(findings)


def _check_echo(name: str, theirs: T | None, ours: T, show: Callable[[T], str]) -> Iterator[Finding]:
    if theirs is None:
        yield _missing_finding(name, name, show(ours))
    elif theirs != ours:
        message = f"the broker reads the {name} as {show(theirs)}, it should be {show(ours)}"
        yield violation(f"echo_{name}", message, show(theirs), show(ours))


def _price_text(limit: Decimal) -> str:
    return f"a {'credit' if limit > 0 else 'debit'} of {abs(limit)}"


def _leg_text(leg: Leg) -> str:
    return f"{leg.quantity} x {leg.action} {leg.symbol}"


def _check_fees(proposal: ProposalTerms, dry: DryRun, settings: Settings) -> Iterator[Finding]:
    costs_per_contract = opening_costs if proposal.kind is ProposalKind.OPEN else closing_costs
    quantity, legs = proposal.quantity, proposal.legs
    ours = costs_per_contract(quantity, settings.costs, legs[0].root, len(legs)) * quantity
    yield from _check_amount("fees", "fees", dry.fees, ours, max(ROUNDING_TOLERANCE, FEES_TOLERANCE * ours))


def _check_buying_power(proposal: ProposalTerms, dry: DryRun) -> Iterator[Finding]:
    """The buying power effect is margin less credit at the first limit plus fees: the maximum loss as sent."""
    if dry.fees is None or not dry.fees.is_finite():
        return  # _check_fees has reported it.
    ours = _margin(proposal) - proposal.limit_price * MULTIPLIER * proposal.quantity + dry.fees
    if proposal.mode is Mode.PAPER and dry.buying_power_change is not None and dry.buying_power_change <= ours:
        return  # The paper broker nets open positions of the same expiration, which needs less.
    tolerance = max(ROUNDING_TOLERANCE, LOSS_TOLERANCE * abs(ours))
    yield from _check_amount("buying_power", "use of buying power", dry.buying_power_change, ours, tolerance)


def _margin(proposal: ProposalTerms) -> Decimal:
    """The most that the legs can owe at expiration, dollars for the whole quantity: the width of a credit spread, of an
    iron condor that of one side, and nothing of a debit spread."""
    return -value_bounds(proposal.legs)[0] * MULTIPLIER * proposal.quantity


def _check_amount(rule: str, name: str, theirs: Decimal | None, ours: Decimal, tolerance: Decimal) -> Iterator[Finding]:
    if theirs is None or not theirs.is_finite():
        yield _missing_finding(rule, name, f"{ours:,.2f}")
    elif not abs(theirs - ours) <= tolerance:
        message = f"{name} at the broker: {theirs:,.2f}, ours {ours:,.2f}; at most {tolerance:,.2f} apart is allowed"
        yield violation(f"echo_{rule}", message, f"{theirs:,.2f}", f"{ours:,.2f}")


def _missing_finding(rule: str, name: str, ours: str) -> Finding:
    message = f"the broker's dry run does not report the {name}; ours is {ours}"
    return violation(f"echo_{rule}", message, "missing", ours)
