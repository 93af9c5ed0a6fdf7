"""The authenticate step: the account's figures and the broker's restrictions on it."""

from spy32.domain.runs import StepState
from spy32.domain.spreads import Account, Mode
from spy32.domain.value import value
from spy32.errors import NotPermitted, ServiceGone, Unavailable, Unusable
from spy32.pipeline.context import RunContext, StepResult


@value
class AccountStatus:
    """The account as the broker states it. With any `errors` the run makes no proposal."""

    account: Account | None
    errors: tuple[str, ...] = ()

    @property
    def usable(self) -> Account | None:
        """The account, when a spread may be opened in it."""
        return None if self.errors else self.account


def authenticate(context: RunContext) -> StepResult[AccountStatus]:
    """Return the account as the broker states it now.

    When a real broker is unreachable or refuses, the step fails but the run goes on: menu and choice are made and
    stored without a proposal. Errors of our own paper account and of the settings end the run.
    """
    try:
        account = context.account.facts()
    except (Unavailable, NotPermitted, ServiceGone, Unusable) as error:
        if context.settings.mode is Mode.PAPER:
            raise
        status = AccountStatus(account=None, errors=(error.message,))
        return StepResult(value=status, detail=error.message, state=StepState.FAILED)
    errors = tuple(
        f"the broker lets account {account.masked_number} open no spread: {restriction}"
        for restriction in account.restrictions
    )
    funds = f"net liquidation {account.net_liquidation:,.2f}, buying power {account.buying_power:,.2f}"
    return StepResult(
        value=AccountStatus(account=account, errors=errors),
        detail="; ".join((f"{account.mode} account {account.masked_number}: {funds}", *errors)),
        state=StepState.REFUSED if errors else StepState.OK,
    )
