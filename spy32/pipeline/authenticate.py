"""Who trades: the account's facts."""

from spy32.domain.trading import Account
from spy32.pipeline.kit import Done, Kit


def authenticate(kit: Kit) -> Done[Account]:
    """The account as its broker states it now."""
    account = kit.account.facts()
    worth = f"net liquidation {account.net_liquidation:,.2f}, buying power {account.buying_power:,.2f}"
    return Done(value=account, detail=f"{account.mode} account {account.masked}: {worth}")
