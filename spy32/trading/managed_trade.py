"""What a start of `manage` says of one trade."""

from dataclasses import replace
from datetime import datetime

from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitPlan, ExitReason, Proposal
from spy32.domain.value import value
from spy32.errors import Spy32Error
from spy32.lifecycle import TradeState
from spy32.rules.closing import trade_exits
from spy32.rules.exits import ExitCheck, due_exit
from spy32.sessions import days_to_expiration, market_date

URGENT = (ExitReason.LAST_EXIT, ExitReason.EX_DIVIDEND)
"""Closes that are proposed again at the next start when they are declined: the last session does not come back."""


@value
class ManagedTrade:
    """One trade after a start of `manage`."""

    trade: Trade
    opening: Proposal
    at: datetime
    """When it was looked at."""
    was: TradeState | None = None
    """The trade's state before this start; None when the start only looks."""
    mark: Mark | None = None
    """The mark of this start; None when the market gave no quotes, or the trade has ended."""
    checks: tuple[ExitCheck, ...] = ()
    """The exits, most urgent first."""
    proposal: Proposal | None = None
    """The close that waits, is approved or was sent."""
    is_new_close: bool = False
    """This start made the close."""
    warnings: tuple[str, ...] = ()
    needs_person: bool = False
    """One of the warnings is for a person to look at now."""
    error: Spy32Error | None = None
    """Why this trade could not be managed to the end."""

    def add_warnings(self, *warnings: str) -> "ManagedTrade":
        return replace(self, warnings=(*self.warnings, *warnings))

    @property
    def due(self) -> ExitCheck | None:
        return due_exit(self.checks)

    @property
    def reason(self) -> ExitReason | None:
        """Why the trade is to be closed: the due exit, or the reason of the close that there is."""
        if self.due is not None:
            return self.due.reason
        return self.proposal.reason if self.proposal is not None else None

    @property
    def dte(self) -> int:
        return days_to_expiration(self.trade.expiration, market_date(self.at))

    @property
    def is_news(self) -> bool:
        """Whether a person must hear of it: a new close, another state of the trade, an error, a warning that needs a
        person, an urgent close that cannot be made, or a trade that is held past its last exit."""
        reason = self.due.reason if self.due is not None else None
        is_urgent = reason in URGENT and self.proposal is None
        is_late = reason is ExitReason.LAST_EXIT and market_date(self.at) > self.exits.last_exit
        is_moved = self.was is not None and self.trade.state is not self.was
        is_told = self.is_new_close or self.needs_person or self.error is not None
        return is_told or is_moved or is_urgent or is_late

    @property
    def exits(self) -> ExitPlan:
        return trade_exits(self.opening, self.trade)
