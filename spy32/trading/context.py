"""What a trading use case works with."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from spy32.domain.exposure import Exposure
from spy32.domain.findings import Finding, blocking_reasons
from spy32.domain.market import Dividend
from spy32.domain.proposals import Approval, Proposal
from spy32.domain.spreads import Account
from spy32.domain.value import value
from spy32.errors import NotPermitted, Refused
from spy32.lifecycle import ProposalState
from spy32.ports import AccountGateway, Clock, Locks, Market, OrderGateway, Sleep
from spy32.sessions import market_date, week_start
from spy32.settings import Settings
from spy32.store import Store


@value
class TradingContext:
    """Store, broker, market and time for acting on a proposal. Paper and live differ in `orders` and `account` only."""

    store: Store
    market: Market | None
    orders: OrderGateway
    account: AccountGateway
    locks: Locks
    settings: Settings
    clock: Clock
    sleep: Sleep
    halt_reason: Callable[[], str | None]
    """The reason in the halt file, or None."""
    report: Callable[[str], None]
    """Prints a line for the person."""
    show_progress: Callable[[tuple[str, ...]], None]
    """Shows the parts of a progress line, which the next one replaces on a terminal; the first part may be left out."""
    dividends: Callable[[str], tuple[Dividend, ...] | None]
    """Returns past and coming ex-dates of a ticker; None when no source serves them."""

    def hold_proposal(self, proposal_id: int) -> AbstractContextManager[None]:
        """Hold the lock of a proposal while the block runs; `LockHeld` when another process has it.

        An unknown id is `BadUsage` before any lock is asked for.
        """
        self.store.proposals.get(proposal_id)
        return self.locks.hold(proposal_lock_name(proposal_id))

    def exposure(self, account: Account, run_id: int, *, excluding: int | None = None) -> Exposure:
        """Return the exposure of our book and of what else the account holds, without the proposal `excluding`."""
        today = market_date(self.clock())
        return self.store.risk.exposure(
            run_id=run_id, today=today, week_start=week_start(today), but=excluding, account=account
        )

    def stop_if_halted(self) -> None:
        """Raise `NotPermitted` while the halt file exists."""
        reason = self.halt_reason()
        if reason is not None:
            raise NotPermitted(f"halted: {reason}; `spy32 resume` lifts it")


ContextFor = Callable[[int | None], TradingContext]
"""Makes the context of a proposal, since a recorded one keeps its own market and clock; of none, a general one."""


def revoke_ended_approval(context: TradingContext, proposal: Proposal) -> Approval | None:
    """Let a proposal wait again if its approval is not valid now; return that approval, or None if nothing changed."""
    approval, now = context.store.proposals.latest_approval(proposal.id), context.clock()
    if proposal.state is not ProposalState.APPROVED or approval is None or approval.is_valid(now):
        return None
    reason = f"the approval {approval.invalidity_text(now)}"
    context.store.proposals.move(proposal.id, was=proposal.state, now=ProposalState.PROPOSED, at=now, reason=reason)
    return approval


def refuse_if_blocked(findings: tuple[Finding, ...], message: str) -> None:
    """Raise `Refused` with the message and every blocking finding."""
    reasons = blocking_reasons(findings)
    if reasons:
        raise Refused(f"{message}: {'; '.join(reasons)}", reasons)


def proposal_lock_name(proposal_id: int) -> str:
    """Return the name of the kernel lock that is held while this process may have a live order of the proposal."""
    return f"proposal-{proposal_id}"
