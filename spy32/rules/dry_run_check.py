"""Compares the broker's dry-run answer with the proposal: did the broker understand the order as meant? Dollars."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from spy32.domain.orders import DryRun
from spy32.domain.proposals import Finding, ProposalKind, ProposalTerms
from spy32.domain.spreads import CENT, MULTIPLIER, Leg, Mode, value_bounds
from spy32.rules.pricing import closing_costs, opening_costs
from spy32.settings import Settings

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
    findings = [
        *_check_limit(proposal, dry),
        *_check_quantity(proposal, dry),
        *_check_legs(proposal, dry),
        *_check_warnings(dry),
    ]
    findings += _check_fees(proposal, dry, settings)
    if proposal.kind is ProposalKind.OPEN:
        findings += _check_margin(proposal, dry)
        findings += _check_buying_power(proposal, dry)
    return tuple(findings)


def _check_limit(proposal: ProposalTerms, dry: DryRun) -> Iterator[Finding]:
    ours, theirs = proposal.limit_price, dry.limit
    if theirs is None or not theirs.is_finite():
        yield _missing_finding("echo_limit", "limit", f"{ours}")
    elif theirs * ours <= 0:
        names = {True: "credit", False: "debit"}
        message = f"the broker reads the limit as a {names[theirs > 0]} of {abs(theirs)}, it is a {names[ours > 0]}"
        yield _difference_finding("echo_limit", f"{message} of {abs(ours)}", f"{theirs}", f"{ours}")
    elif theirs != ours:
        yield _difference_finding(
            "echo_limit", f"the broker reads the limit as {theirs}, it is {ours}", f"{theirs}", f"{ours}"
        )


def _check_quantity(proposal: ProposalTerms, dry: DryRun) -> Iterator[Finding]:
    ours, theirs = proposal.quantity, dry.quantity
    if theirs is None:
        yield _missing_finding("echo_quantity", "quantity", f"{ours}")
    elif theirs != ours:
        yield _difference_finding(
            "echo_quantity", f"the broker reads {theirs} contracts, it is {ours}", f"{theirs}", f"{ours}"
        )


def _check_legs(proposal: ProposalTerms, dry: DryRun) -> Iterator[Finding]:
    ours, theirs = _legs_text(proposal.legs), _legs_text(dry.legs)
    if not dry.legs:
        yield _missing_finding("echo_legs", "legs", ours)
    elif theirs != ours:
        yield _difference_finding("echo_legs", f"the broker reads the legs as {theirs}, they are {ours}", theirs, ours)


def _legs_text(legs: Sequence[Leg]) -> str:
    return ", ".join(sorted(f"{leg.quantity} x {leg.action} {leg.symbol}" for leg in legs))


def _check_warnings(dry: DryRun) -> Iterator[Finding]:
    for warning in dry.warnings:
        if any(code in warning for code in BLOCKING_WARNINGS):
            yield _difference_finding("echo_warning", f"the broker warns: {warning}", warning, "no such warning")


def _check_fees(proposal: ProposalTerms, dry: DryRun, settings: Settings) -> Iterator[Finding]:
    costs_per_contract = opening_costs if proposal.kind is ProposalKind.OPEN else closing_costs
    quantity, legs = proposal.quantity, proposal.legs
    ours = costs_per_contract(quantity, settings.costs, legs[0].root, len(legs)) * quantity
    yield from _check_amount("echo_fees", "fees", dry.fees, ours, max(ROUNDING_TOLERANCE, FEES_TOLERANCE * ours))


def _check_margin(proposal: ProposalTerms, dry: DryRun) -> Iterator[Finding]:
    """The margin of a credit spread is its width, of a debit spread none. The paper broker reports no margin, only the
    buying power effect."""
    if dry.margin is None and proposal.mode is Mode.PAPER:
        return
    yield from _check_amount("echo_margin", "margin", dry.margin, _margin(proposal), CENT)


def _check_buying_power(proposal: ProposalTerms, dry: DryRun) -> Iterator[Finding]:
    """The buying power effect is margin less credit at the first limit plus fees: the maximum loss as sent."""
    if dry.fees is None or not dry.fees.is_finite():
        return  # _check_fees has reported it.
    ours = _margin(proposal) - proposal.limit_price * MULTIPLIER * proposal.quantity + dry.fees
    if proposal.mode is Mode.PAPER and dry.buying_power_change is not None and dry.buying_power_change <= ours:
        return  # The paper broker nets open positions of the same expiration, which needs less.
    tolerance = max(ROUNDING_TOLERANCE, LOSS_TOLERANCE * abs(ours))
    yield from _check_amount("echo_buying_power", "use of buying power", dry.buying_power_change, ours, tolerance)


def _margin(proposal: ProposalTerms) -> Decimal:
    """The most that the legs can owe at expiration, dollars for the whole quantity: of an iron condor one side."""
    return -value_bounds(proposal.legs)[0] * MULTIPLIER * proposal.quantity


def _check_amount(rule: str, name: str, theirs: Decimal | None, ours: Decimal, tolerance: Decimal) -> Iterator[Finding]:
    if theirs is None or not theirs.is_finite():
        yield _missing_finding(rule, name, f"{ours:,.2f}")
    elif not abs(theirs - ours) <= tolerance:
        message = f"{name} at the broker: {theirs:,.2f}, ours {ours:,.2f}; at most {tolerance:,.2f} apart is allowed"
        yield _difference_finding(rule, message, f"{theirs:,.2f}", f"{ours:,.2f}")


def _missing_finding(rule: str, name: str, ours: str) -> Finding:
    message = f"the broker's dry run does not report the {name}; ours is {ours}"
    return Finding(rule=rule, message=message, figure="missing", limit=ours)


def _difference_finding(rule: str, message: str, theirs: str, ours: str) -> Finding:
    return Finding(rule=rule, message=message, figure=theirs, limit=ours)
