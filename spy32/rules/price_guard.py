"""The price guard: has the market moved away from what a person approved? Compares fresh quotes with the approval's."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from math import isfinite, isnan, nan

from spy32.domain.findings import Finding, remark, violation
from spy32.domain.market import LegQuotes
from spy32.domain.orders import bound_text, limit_text
from spy32.domain.proposals import Approval, Proposal, ProposalKind
from spy32.domain.spreads import Mode
from spy32.rules import pricing
from spy32.settings import Settings

WITHDRAWING_RULES = pricing.PRICE_RULES - {"two_sided", "leg_width"} | {"short_delta"}
"""Rules whose violation withdraws the approval. A missing, wide or late quote does not withdraw it, because it does not
show where the market is."""

DELAYED_SECONDS = 1200
"""Maximum age of quotes on paper and in the sandbox, seconds. Free sources are 15 minutes behind, which is acceptable
for practice; the sandbox has no quotes of its own. Live mode does not use this."""


def check(
    proposal: Proposal, approval: Approval, quotes: LegQuotes, settings: Settings, now: datetime
) -> tuple[Finding, ...]:
    """Return every finding, blocking or not. A closing is checked the same way, with debits as negative credits."""
    drift = settings.drift
    if unknown := tuple(_check_approval(approval, quotes, now)):
        return unknown
    findings = [
        *_check_quote_age(proposal, quotes, settings, now),
        *pricing.check_underlying_move(approval.spot, quotes.spot, drift),
    ]
    prices = pricing.natural_and_mid(proposal.legs, quotes.quotes)
    if prices is None:
        return (*findings, *pricing.check_two_sided(proposal.legs, quotes))
    wide = tuple(pricing.check_leg_widths(proposal.legs, quotes, settings.choice))
    if proposal.kind is ProposalKind.OPEN and wide:
        return (*findings, *wide)
    # A closing order may be sent in a wide market too; the approved ceiling still limits its price.
    findings += [replace(finding, blocks=False) for finding in wide]
    natural, mid = prices
    findings += pricing.check_credit_fall(approval.mid, mid, drift)
    findings += pricing.check_price_collar(proposal.limit_price, natural, mid, proposal.plan.tick, drift)
    if not proposal.floor_price <= mid:
        side = "below" if proposal.floor_price < 0 else "above"
        bound = f"the {bound_text(proposal.floor_price)} is {side} the mid {limit_text(mid)}"
        message = f"{bound}: it fills only if the market comes back"
        findings.append(remark("floor", message, proposal.floor_price, mid))
    if proposal.kind is ProposalKind.OPEN:
        delta, most = short_delta(proposal, quotes, settings, now), settings.drift.short_delta
        if not delta <= most:
            text = "unknown" if isnan(delta) else f"{delta:.3f}"
            message = f"the short delta is {text}; {most:.2f} is the most"
            findings.append(violation("short_delta", message, text, f"{most:.2f}"))
    return tuple(findings)


def _check_approval(approval: Approval, quotes: LegQuotes, now: datetime) -> Iterator[Finding]:
    """Check that the approval is still valid, since it may end while the broker answers, and yield a finding for each
    price to compare that is missing. That blocks but does not withdraw the approval."""
    if not approval.is_valid(now):
        limit = f"{approval.at:%H:%M} to {approval.until:%H:%M}"
        yield violation("approval", f"the approval {approval.invalidity_text(now)}", f"{now:%H:%M}", limit)
    for name, figure in (
        ("the underlying at approval", approval.spot),
        ("the underlying now", quotes.spot),
        ("the mid at approval", approval.mid),
    ):
        if not isfinite(figure) or (isinstance(figure, float) and not figure > 0):
            yield violation("unknown", f"{name} is not known ({figure})", figure, "a price")


def _check_quote_age(proposal: Proposal, quotes: LegQuotes, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Refuse quotes that are too old to price an order. A recorded market has no others, so it is not checked."""
    if proposal.is_recorded:
        return
    if quotes.delay_seconds > 0 and proposal.mode is Mode.LIVE:
        message = f"the quotes of {quotes.source} are delayed by {quotes.delay_seconds} s; live orders need live ones"
        yield violation("quote_delay", message, f"{quotes.delay_seconds} s", "0 s")
    age, max_age = (now - quotes.as_of).total_seconds(), settings.drift.quote_seconds
    max_allowed_age = max_quote_age(proposal.mode, settings)
    # A quote from the future means a wrong clock, ours or theirs; a small difference is normal.
    if not -max_age <= age <= max_allowed_age:
        message = f"the quotes of {quotes.source} are {age:.0f} s old; {max_allowed_age} s is the most"
        yield violation("quote_age", message, f"{age:.0f} s", f"{max_allowed_age} s")
    elif age > max_age:
        message = f"the quotes of {quotes.source} are {age:.0f} s old, which is good enough for {proposal.mode} only"
        yield remark("quote_age", message, f"{age:.0f} s", f"{max_age} s")


def max_quote_age(mode: Mode, settings: Settings) -> int:
    """Return the greatest age of quotes that an order may be priced from, seconds."""
    max_age = settings.drift.quote_seconds
    return max_age if mode is Mode.LIVE else max(max_age, DELAYED_SECONDS)


def short_delta(proposal: Proposal, quotes: LegQuotes, settings: Settings, now: datetime) -> float:
    """Return the largest absolute delta of the short legs at their fresh mids; NaN when a mid has no implied vol."""
    shorts, rate = [leg for leg in proposal.legs if leg.is_sold], settings.market.rate
    found = [pricing.leg_greeks(leg, quotes, rate, now) for leg in shorts]
    deltas = [abs(each.greeks.delta) if each is not None else nan for each in found]
    return nan if any(map(isnan, deltas)) else max(deltas)
