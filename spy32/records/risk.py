"""Our book: its exposure, for sizing and limits, and its positions, to be valued again."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from spy32.domain.book import BookPosition, opening_vols, trade_position
from spy32.domain.exposure import Exposure
from spy32.domain.orders import Trade
from spy32.domain.spreads import Account, Mode
from spy32.lifecycle import OPEN_TRADES, ProposalState, TradeState
from spy32.records.adoptions import Adoptions
from spy32.records.base import Records
from spy32.records.decisions import Decisions
from spy32.records.encoding import ceiling_e4, e4_to_dollars
from spy32.records.marks import Marks
from spy32.records.proposals import Proposals
from spy32.records.results import Results
from spy32.records.trades import Trades
from spy32.rules.assignment import AssignedPosition, worst_loss
from spy32.rules.margin import ForeignRisk, foreign_risk
from spy32.rules.results import realized_profit, unrealized_change

_LIVE_ENTRIES = """proposal_id = proposal.id and kind = 'entry' and state in ('submitting', 'working', 'unknown')
    and id not in (select replaces from broker_order where replaces is not null
        and state in ('submitting', 'working', 'unknown'))"""
PENDING_STATES = (ProposalState.APPROVED, ProposalState.SENT)


class Risk(Records):
    """Exposure counts fills and what may still fill, not states."""

    def exposure(
        self,
        *,
        run_id: int | None,
        today: date,
        week_start: date,
        but: int | None = None,
        account: Account | None = None,
    ) -> Exposure:
        """Return the exposure on a New York day. `but` leaves out the unfilled part of the proposal that is checked.

        Positions of a broker's `account` that our book does not know count as well; a paper account has none.
        """
        with self._core.read_transaction():
            trades, adoptions = Trades(self._core), Adoptions(self._core)
            open_trades = trades.select(*OPEN_TRADES)
            assigned = [adoptions.position(trade.id) for trade in trades.select(TradeState.ASSIGNED)]
            foreign = _foreign_risk(account, open_trades, assigned)
            openings = self._select_openings(but)
            sent_rows = [row for row in openings if row["state"] == ProposalState.SENT]
            sent_proposals = [Proposals(self._core).get(row["id"]) for row in sent_rows]
            # A working entry without fills may become a trade at any moment.
            pending_trades = sum(not row["is_trade"] for row in sent_rows)
            legs = [
                *(leg for trade in open_trades for leg in trade.legs),
                *(leg for proposal in sent_proposals for leg in proposal.legs),
            ]
            realized, marked = self._week_profit(week_start, today)
            return Exposure(
                open_risk=foreign.risk + _book_risk(open_trades, assigned, openings),
                open_trades=len(open_trades) + len(assigned) + pending_trades + foreign.trades,
                week_loss=max(-(realized + marked), Decimal(0)),
                week_unrealized=marked,
                submits_today=self._submit_count("market_day = ?", today),
                submits_of_run=self._submit_count("proposal_id in (select id from proposal where run_id = ?)", run_id),
                open_symbols=frozenset(leg.symbol for leg in legs),
                assigned_trades=len(assigned),
                foreign_trades=foreign.trades,
                unmeasured=foreign.unmeasured,
            )

    def positions(self) -> tuple[BookPosition, ...]:
        """Return the spreads held, oldest trade first, each with its newest usable mark, or the vols of its run."""
        with self._core.read_transaction():
            return tuple(self._position(trade) for trade in Trades(self._core).select(*OPEN_TRADES))

    def _position(self, trade: Trade) -> BookPosition:
        proposal = Proposals(self._core).get(trade.proposal_id)
        mark = Marks(self._core).latest_usable(trade.id)
        opening = None
        if mark is None or all(leg.iv is None for leg in mark.legs):
            decisions = Decisions(self._core)
            candidate = decisions.candidate(proposal.run_id, proposal.candidate_id)
            opening = opening_vols(trade.legs, candidate, decisions.market(proposal.run_id))
        return trade_position(trade, proposal.underlying, mark, opening, is_recorded=proposal.is_recorded)

    def _select_openings(self, but: int | None) -> list[sqlite3.Row]:
        """Return the openings that may still fill, but one, with the spreads that are filled and alive."""
        return self._core.rows(
            f"""select id, state, quantity, max_loss_e4,
                (select sum(filled) from broker_order where proposal_id = proposal.id) as filled,
                (select sum(quantity - filled) from broker_order where {_LIVE_ENTRIES}) as alive,
                exists (select 1 from trade where trade.proposal_id = proposal.id) as is_trade
                from proposal where kind = 'open' and id is not ?
                and (state in ('approved', 'sent') or exists (select 1 from broker_order where {_LIVE_ENTRIES}))""",
            but,
        )

    def _week_profit(self, first: date, last: date) -> tuple[Decimal, Decimal]:
        """Return what was realised in these days, and the change of the unrealised result of what is held, dollars."""
        results, marks = Results(self._core), Marks(self._core)
        recent = [(trade, results.compute(trade)) for trade in results.select_recent(first)]
        changes = (
            unrealized_change(trade, result, marks.latest_usable(trade.id, before=first), first)
            for trade, result in recent
        )
        return realized_profit([result for _, result in recent], first, last), sum(changes, Decimal(0))

    def _submit_count(self, which: str, value: object) -> int:
        """Return the number of opening orders that were or may have been sent. Price steps do not count, nor do refused
        and absent orders, which never were at the broker."""
        return self._core.total(
            f"""select count(*) from broker_order
                where kind = 'entry' and replaces is null and state not in ('refused', 'absent') and {which}""",
            value,
        )


def _book_risk(
    open_trades: Iterable[Trade], assigned: Iterable[AssignedPosition], openings: Iterable[sqlite3.Row]
) -> Decimal:
    """Return the risk of what our book holds and of what may still fill, dollars."""
    risks = (
        *(_proportional_risk(trade.max_loss, trade.remaining, trade.quantity) for trade in open_trades),
        *(_assigned_risk(position) for position in assigned),
        *(_unfilled_risk(row) for row in openings),
    )
    return sum(risks, Decimal(0))


def _foreign_risk(
    account: Account | None, open_trades: Iterable[Trade], assigned: Iterable[AssignedPosition]
) -> ForeignRisk:
    """Return the risk of positions that our book does not know; a paper account has none."""
    if account is None or account.mode is Mode.PAPER:
        return ForeignRisk()
    held: Counter[str] = Counter()
    for trade in open_trades:
        for leg in trade.legs:
            held[leg.symbol] -= leg.action.sign * leg.quantity * trade.remaining
    for position in (each for trade in assigned for each in trade.positions):
        held[position.symbol] += position.quantity
    return foreign_risk(account, held)


def _assigned_risk(position: AssignedPosition) -> Decimal:
    """Return the risk of an assigned trade, dollars; its maximum loss where nothing bounds it: it blocks entries then
    as well."""
    loss = worst_loss(position)
    return loss if loss is not None and position.ticker else position.trade.max_loss


def _unfilled_risk(row: sqlite3.Row) -> Decimal:
    """Return the risk of what may still fill of an opening, dollars."""
    is_pending = row["state"] in PENDING_STATES
    unfilled = max(row["quantity"] - (row["filled"] or 0), 0) if is_pending else 0
    # An order found at the broker may exceed what was approved; a replacement does not.
    return _proportional_risk(e4_to_dollars(row["max_loss_e4"]), max(unfilled, row["alive"] or 0), row["quantity"])


def _proportional_risk(amount: Decimal, count: int, whole: int) -> Decimal:
    """Return the risk of part of the contracts, rounded up."""
    return e4_to_dollars(ceiling_e4(amount * count / whole))
