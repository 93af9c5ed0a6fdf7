"""The account as it was last seen, where no broker is asked."""

from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.spreads import Account

if TYPE_CHECKING:
    from spy32.store import Store

RECENT_RUNS = 20
"""Newest runs that are searched for one with an account on record."""


def last_known_account(store: "Store") -> tuple[Account, datetime] | None:
    """Return the account of the newest run that sized a trade, and when that was; None without one."""
    for summary in store.history.summaries(limit=RECENT_RUNS):
        ruling = store.decisions.ruling(summary.id)
        if ruling is not None and ruling.account is not None:
            return ruling.account, ruling.at or summary.started_at
    return None
