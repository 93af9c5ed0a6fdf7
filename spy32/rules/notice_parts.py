"""What the notices share: how one is put together, the payoff as text, amounts and times."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.proposals import Proposal, ProposalTerms
from spy32.domain.spreads import MULTIPLIER, Leg, Mode
from spy32.rules.settlement import intrinsic_value
from spy32.sessions import new_york_time

BAR = 24
"""Characters of the longest bar of a payoff: with its figures a line fits the screen of a phone."""
LABEL = 14
"""Columns of a label."""
Facts = Mapping[str, str | Sequence[str]]
"""The lines of a long form by their labels; an empty one is left out, and several of a label are a line each."""


def compose(  # noqa: PLR0913 - the parts of a notice
    kind: NoticeKind,
    mode: Mode,
    head: str,
    more: str = "",
    *,
    facts: Facts,
    after: str = "",
    about: str = "",
) -> NoticeText:
    """A notice of a `head` for the subject, `more` of the one line, the facts of the long form and what is `after`."""
    badge = f"[{mode.upper()}]"
    lines = [
        f"{label:<{LABEL}}{line}"
        for label, words in facts.items()
        for line in ([words] if isinstance(words, str) else words)
        if line
    ]
    return NoticeText(
        kind=kind,
        subject=f"{badge} {head}",
        short=f"{badge} {head}{more}",
        body="\n".join([f"{badge} {head}", *(["", *lines] if lines else []), *(["", after] if after else [])]),
        about=about,
    )


def proposal_payoff_text(proposal: ProposalTerms) -> str:
    """The result of a proposal at expiration, a bar a price."""
    terms = proposal.underlying, proposal.legs, proposal.quantity, proposal.limit_price
    return payoff_text(*terms, proposal.opening_costs)


def payoff_text(underlying: str, legs: Sequence[Leg], quantity: int, credit: Decimal, costs: Decimal) -> str:
    """The result at each strike, between, and beyond both ends, in lines that need no picture."""
    strikes = sorted(leg.strike for leg in legs)
    room = max(strikes[-1] - strikes[0], Decimal(1))
    middles = [(low + high) / 2 for low, high in pairwise(strikes)]
    prices = sorted({strikes[0] - room, *strikes, *middles, strikes[-1] + room}, reverse=True)
    results = [(price, (credit - _closing_cost(legs, price)) * MULTIPLIER * quantity - costs) for price in prices]
    largest = max(abs(result) for _, result in results) or Decimal(1)
    lines = [f"{underlying} at expiration, result after costs to open:"]
    for price, result in results:
        bar = ("+" if result > 0 else "-") * int(abs(result) / largest * BAR)
        lines.append(f"{price.normalize():>9f} {signed_dollars(result):>9} {bar}".rstrip())
    return "\n".join(lines)


def _closing_cost(legs: Iterable[Leg], price: Decimal) -> Decimal:
    """What the legs cost at expiration, dollars per share."""
    return -sum((leg.signed_quantity * intrinsic_value(leg, price) for leg in legs), Decimal(0))


def deadline(proposal: Proposal) -> str:
    """Until when it waits, to be put behind it; nothing on a recorded market, which has no end of its own."""
    return "" if proposal.is_recorded else f", until {clock_text(proposal.lapses_at)}"


def clock_text(instant: datetime) -> str:
    return f"{new_york_time(instant):%H:%M} New York"


def whole_dollars(amount: Decimal) -> str:
    return f"${amount.quantize(Decimal(1), ROUND_HALF_EVEN):,}"


def dollars_rounded_up(amount: Decimal) -> str:
    return f"${amount.to_integral_value(ROUND_CEILING):,}"


def signed_dollars(amount: Decimal) -> str:
    """With its sign."""
    whole = amount.quantize(Decimal(1), ROUND_HALF_EVEN)
    return f"{'-' if whole < 0 else '+'}${abs(whole):,}" if whole else "$0"
