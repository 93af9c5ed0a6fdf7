"""Who trades: the account's facts, and what the broker does not let it do."""

from dataclasses import dataclass

from spy32.domain.running import StepState
from spy32.domain.trading import Account, Mode
from spy32.errors import Gone, NotPermitted, Unavailable, Unusable
from spy32.pipeline.kit import Done, Kit


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    """The account as its broker states it; `troubles` are why it makes no proposal today."""

    account: Account | None
    troubles: tuple[str, ...] = ()


def authenticate(kit: Kit) -> Done[Trader]:
    """The account as its broker states it now.

    A broker out of reach, or one that refuses, stops neither menu nor choice: they are made and kept without a
    proposal. Our own paper account has no such excuse, and wrong settings are for a person at once.
    """
    if kit.settings.mode is Mode.PAPER:
        return _known(kit.account.facts())
    try:
        return _known(kit.account.facts())
    except (Unavailable, NotPermitted, Gone, Unusable) as trouble:
        return Done(
            value=Trader(account=None, troubles=(trouble.message,)), detail=trouble.message, state=StepState.FAILED
        )


def _known(account: Account) -> Done[Trader]:
    worth = f"net liquidation {account.net_liquidation:,.2f}, buying power {account.buying_power:,.2f}"
    told = f"{account.mode} account {account.masked}: {worth}"
    troubles = tuple(f"the broker lets account {account.masked} open no spread: {why}" for why in account.restrictions)
    if troubles:
        detail = "; ".join((told, *troubles))
        return Done(value=Trader(account=account, troubles=troubles), detail=detail, state=StepState.REFUSED)
    return Done(value=Trader(account=account), detail=told)
