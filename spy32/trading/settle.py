"""Settles trades that ended without an order of ours: expiration, assignment, exercise, cash settlement.

One function for every command: the broker's own history decides, on paper as in live mode, where the paper broker makes
it from the official closes. What that history explains wholly is adopted without asking, with every line on record.
What a person did at the broker stays for `reconcile --adopt`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from spy32.domain.orders import Trade
from spy32.domain.value import value
from spy32.errors import Spy32Error, Unavailable
from spy32.lifecycle import ProposalState, TradeState
from spy32.trading import order_state, profit_target
from spy32.trading.context import TradingContext, proposal_lock_name
from spy32.trading.position_diff import OPEN_STATES, compare_positions, history_start, missing_counts
from spy32.trading.transactions import (
    MissingContracts,
    UnmatchedTransactions,
    find_disposal,
    find_missing_contracts,
    load_unmatched,
)

SETTLE_LOCK = "settle"
"""One process at a time decides which trade a line of the history belongs to."""
DIFFERENCE = "difference"
"""Kind of the attention item for contracts that are gone at the broker and that only a person can explain."""
LOCK_SECONDS = 20.0
"""Settling reads positions and history once: seconds."""


@value
class SettledTrades:
    """The trades that have just changed, and what was noticed, by trade."""

    trades: tuple[Trade, ...] = ()
    warnings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    for_person: Mapping[int, str] = field(default_factory=dict)
    """Of the warnings, contracts that are gone and that only a person can take over or explain, by trade."""


def settle_ended(
    context_for: Callable[[int | None], TradingContext], *, reads_positions: bool = False
) -> SettledTrades:
    """Settle what has ended and return it.

    The broker is asked only when the last session of an open trade is over or a trade is assigned; with
    `reads_positions` also whether any other trade was assigned early. What cannot be read is a warning of its trade.
    """
    context = context_for(None)
    trades = context.store.trades
    expired = tuple(trade for trade in trades.select_expired(context.clock()) if _is_of_clock(context, trade))
    checked = trades.select(*OPEN_STATES) if reads_positions else expired
    assigned = trades.select(TradeState.ASSIGNED)
    if not checked and not assigned:
        return SettledTrades()
    try:
        with context.locks.hold(SETTLE_LOCK, wait_seconds=LOCK_SECONDS):
            return _Settlement(context, expired).settle(checked, assigned)
    except Spy32Error as error:
        warnings = {
            trade.id: (f"T{trade.id} was not compared with the broker's positions: {error.message}",)
            for trade in checked
        }
        for trade in (*expired, *assigned):
            warnings[trade.id] = (f"T{trade.id} {_due_text(trade)} is not settled yet: {error.message}",)
        return SettledTrades(warnings=warnings)


def _is_of_clock(context: TradingContext, trade: Trade) -> bool:
    """Return whether the clock is the trade's: one of a recorded market expires by such a market's clock only."""
    is_recorded = context.market is not None and context.market.is_recorded
    return is_recorded or not context.store.proposals.get(trade.proposal_id).is_recorded


def _due_text(trade: Trade) -> str:
    return "was assigned and" if trade.state is TradeState.ASSIGNED else f"expired on {trade.expiration} and"


class _Settlement:
    """One pass over trades that may have ended. The caller holds `SETTLE_LOCK`."""

    def __init__(self, context: TradingContext, expired: Sequence[Trade]) -> None:
        self._context = context
        self._expired = {trade.id for trade in expired}
        self._changed: dict[int, Trade] = {}
        self._warnings: dict[int, list[str]] = defaultdict(list)
        self._for_person: dict[int, str] = {}

    def settle(self, checked: Sequence[Trade], assigned: Sequence[Trade]) -> SettledTrades:
        shortfall = missing_counts(compare_positions(self._context))
        suspects = [trade for trade in checked if any(shortfall.get(leg.symbol) for leg in trade.legs)]
        without_orders = {trade.id for trade in suspects if self._settle_orders(trade)}
        if suspects:
            # A target may have filled meanwhile.
            shortfall = missing_counts(compare_positions(self._context))
        if assigned or any(shortfall.values()):
            unmatched = load_unmatched(self._context, history_start(self._context))
            for trade in assigned:
                self._dispose(trade, unmatched)
            open_trades = self._context.store.trades.select(*OPEN_STATES)
            for contracts in find_missing_contracts(open_trades, shortfall, unmatched):
                if contracts.trade.id in without_orders:
                    self._adopt(contracts)
        self._explain_delay()
        return SettledTrades(
            trades=tuple(self._changed.values()),
            warnings={number: tuple(messages) for number, messages in self._warnings.items() if messages},
            for_person=self._for_person,
        )

    def _settle_orders(self, trade: Trade) -> bool:
        """Settle orders that may still close the trade; return whether none is left in flight or worked."""
        messages = settle_orders(self._context, trade)
        self._warnings[trade.id] += messages
        after = self._context.store.trades.get(trade.id)
        if after.state not in OPEN_STATES:
            self._changed[trade.id] = after
        return not messages

    def _dispose(self, trade: Trade, unmatched: UnmatchedTransactions) -> None:
        """Record what became of an assigned trade's shares and contracts."""
        adoptions = self._context.store.adoptions
        known = len(adoptions.disposals(trade.id))
        disposal = find_disposal(adoptions.position(trade.id), unmatched)
        if disposal is not None:
            after = adoptions.dispose(disposal, known=known, at=self._context.clock())
            self._context.report(f"T{trade.id}: {trade.state} before, {after.state} now")
            self._changed[trade.id] = after

    def _adopt(self, contracts: MissingContracts) -> None:
        """Adopt what explains itself; of anything else a person is told."""
        trade = contracts.trade
        if contracts.is_self_explained:
            (self._changed[trade.id],) = adopt_trades(self._context, [contracts])
            return
        remedy = "`spy32 reconcile --adopt` takes it over" if contracts.adoption is not None else "nothing is settled"
        message = f"{contracts.explanation}: {remedy}"
        self._warnings[trade.id].append(message)
        if contracts.adoption is not None or trade.id not in self._expired:
            self._for_person[trade.id] = message

    def _explain_delay(self) -> None:
        """Add why an expired trade is still open."""
        for trade in self._context.store.trades.select(*OPEN_STATES):
            if trade.id in self._expired and trade.id not in self._changed and not self._warnings[trade.id]:
                reasons = "; ".join(self._context.account.unsettled_notes()) or "the broker still shows its contracts"
                self._warnings[trade.id].append(f"T{trade.id} {_due_text(trade)} is not settled yet: {reasons}")


def raise_differences(context: TradingContext, ended: SettledTrades) -> None:
    """Raise an attention item for contracts that are gone and that only a person can explain; another one when it was
    acknowledged and something else is gone since."""
    for number, message in ended.for_person.items():
        context.store.attention.raise_change(f"T{number}", DIFFERENCE, message, context.clock())


def settle_orders(context: TradingContext, trade: Trade) -> list[str]:
    """Read the resting target and the orders of a close that no process works; return what could not be settled."""
    close = context.store.proposals.find_live_close(trade.id)
    messages: list[str] = []
    for proposal_id in [trade.proposal_id, *([close.id] if close is not None else [])]:
        try:
            with context.locks.hold(proposal_lock_name(proposal_id)):
                errors = [
                    *order_state.recover_orders(context, proposal_id),
                    *profit_target.refresh_targets(context, proposal_id),
                ]
        except Unavailable as busy:
            errors = [busy]
        messages += [error.message for error in errors]
    return messages


def adopt_trades(context: TradingContext, chosen: Iterable[MissingContracts]) -> tuple[Trade, ...]:
    """Adopt what the broker's transactions say of these trades and return them.

    `Refused` for a trade that has changed since it was shown, or that an order of ours may still close.
    """
    trades = []
    for contracts in chosen:
        assert contracts.adoption is not None
        with context.locks.hold(proposal_lock_name(contracts.trade.proposal_id)):
            trade = context.store.adoptions.adopt(
                contracts.adoption, was=contracts.trade.state, held=contracts.trade.remaining, at=context.clock()
            )
            _lapse_close(context, trade)
        context.report(f"T{trade.id}: {contracts.trade.state} before, {trade.state} now")
        trades.append(trade)
    return tuple(trades)


def _lapse_close(context: TradingContext, trade: Trade) -> None:
    """Lapse the close that waits for a trade that has ended or whose quantity has changed."""
    close = context.store.proposals.find_live_close(trade.id)
    if close is not None and close.state is not ProposalState.SENT:
        words = str(trade.state) if trade.state not in OPEN_STATES else f"{trade.remaining} of {trade.quantity} spreads"
        context.store.proposals.lapse(close.id, was=close.state, at=context.clock(), reason=f"T{trade.id} is {words}")
