"""What the rules find about a trade, and what they decide on its size."""

from collections.abc import Mapping
from datetime import datetime

from spy32.domain.exposure import Exposure
from spy32.domain.spreads import Account
from spy32.domain.units import Dollars
from spy32.domain.value import value


@value
class Finding:
    """The finding of one rule. With `blocks` it refuses the trade; without, it is a note for the reviewer."""

    rule: str
    message: str
    figure: str = ""
    limit: str = ""
    blocks: bool = True


def violation(rule: str, message: str, figure: object, limit: object = "") -> Finding:
    """Return the finding of a rule that refuses the trade."""
    return Finding(rule=rule, message=message, figure=str(figure), limit=str(limit))


def remark(rule: str, message: str, figure: object, limit: object = "") -> Finding:
    """Return the finding of a rule that is a note for the reviewer."""
    return Finding(rule=rule, message=message, figure=str(figure), limit=str(limit), blocks=False)


def blocking_reasons(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return the messages of the findings that refuse the trade, each once."""
    return tuple(dict.fromkeys(finding.message for finding in findings if finding.blocks))


@value
class Sizing:
    """The position size. `bounds` gives, per limit, the contracts that it allows; `binding` names the smallest."""

    quantity: int
    bounds: Mapping[str, int]
    """Contracts that each bound would allow."""
    binding: str
    """The bound that decides."""
    halved: bool
    account_needed: Dollars | None
    """When quantity is 0: the net liquidation value that would allow one contract."""
    swing_loss: Dollars
    """One-sigma daily loss of a contract, dollars."""
    swing_budget: Dollars
    """Allowed one-sigma daily loss, dollars."""


@value
class RiskDecision:
    """The vet step's decision on a candidate: accepted with a quantity, or refused with all reasons."""

    quantity: int
    findings: tuple[Finding, ...]
    sizing: Sizing | None
    account: Account | None = None
    """The account, exposure and time behind the decision, stored so that a replay can repeat it."""
    exposure: Exposure | None = None
    at: datetime | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether at least one contract is allowed and no finding blocks."""
        return self.quantity > 0 and not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """The messages of the blocking findings."""
        return blocking_reasons(self.findings)
