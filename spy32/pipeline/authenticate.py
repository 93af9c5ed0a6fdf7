"""Who trades: the account's facts, and what the broker does not let it do."""

from spy32.domain.runs import StepState
from spy32.domain.spreads import Account, Mode
from spy32.domain.value import value
from spy32.errors import NotPermitted, ServiceGone, Unavailable, Unusable
from spy32.pipeline.context import RunContext, StepResult


@value
class AccountStatus:
    """The account as its broker states it; `troubles` are why it makes no proposal today."""

    account: Account | None
    errors: tuple[str, ...] = ()


def authenticate(context: RunContext) -> StepResult[AccountStatus]:
    """The account as its broker states it now.

    A broker out of reach, or one that refuses, stops neither menu nor choice: they are made and kept without a
    proposal. Our own paper account has no such excuse, and wrong settings are for a person at once.
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
