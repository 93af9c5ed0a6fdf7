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


def authenticate(context: RunContext) -> StepResult[AccountStatus]:
    """Return the account as the broker states it now.

    When a real broker is unreachable or refuses, the step fails but the run goes on: menu and choice are made and
    stored without a proposal. Errors of our own paper account and of the settings end the run.
    """
    if context.settings.mode is Mode.PAPER:
        return _check_restrictions(context.account.facts())
    try:
        return _check_restrictions(context.account.facts())
    except (Unavailable, NotPermitted, ServiceGone, Unusable) as error:
        return StepResult(
            value=AccountStatus(account=None, errors=(error.message,)), detail=error.message, state=StepState.FAILED
        )


def _check_restrictions(account: Account) -> StepResult[AccountStatus]:
    funds = f"net liquidation {account.net_liquidation:,.2f}, buying power {account.buying_power:,.2f}"
    summary = f"{account.mode} account {account.masked_number}: {funds}"
    errors = tuple(
        f"the broker lets account {account.masked_number} open no spread: {restriction}"
        for restriction in account.restrictions
    )
    if errors:
        detail = "; ".join((summary, *errors))
        return StepResult(value=AccountStatus(account=account, errors=errors), detail=detail, state=StepState.REFUSED)
    return StepResult(value=AccountStatus(account=account), detail=summary)
