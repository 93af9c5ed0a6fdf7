"""Our book: its exposure, for sizing and limits, and its positions, to be valued again."""

from datetime import date
from decimal import Decimal

from spy32.domain.book import BookPosition, trade_position
from spy32.domain.orders import OrderKind
from spy32.domain.spreads import Exposure
from spy32.lifecycle import OrderState, ProposalState
from spy32.records.base import Database
from spy32.records.encoding import ceiling_e4, e4_to_dollars
from spy32.records.proposals import Proposals
from spy32.records.trades import OPEN_STATES, Trades

_LIVE_ENTRIES = """proposal_id = proposal.id and kind = 'entry' and state in ('submitting', 'working', 'unknown')
    and id not in (select replaces from broker_order where replaces is not null
        and state in ('submitting', 'working', 'unknown'))"""
PENDING_STATES = (ProposalState.APPROVED, ProposalState.SENT)


class Risk:
    """Exposure counts fills and what may still fill, not states."""

    def __init__(self, core: Database, proposals: Proposals, trades: Trades) -> None:
        self._core = core
        self._proposals = proposals
        self._trades = trades

    def exposure(self, *, run_id: int | None, today: date, week_start: date, but: int | None = None) -> Exposure:
        """Return the exposure on a New York day. `but` leaves out the unfilled part of the proposal that is checked."""
        with self._core.read_transaction():
            open_trades = self._trades.select(*OPEN_STATES)
            risk = sum(
                (_proportional_risk(trade.max_loss, trade.remaining, trade.quantity) for trade in open_trades),
                Decimal(0),
            )
            rows = self._core.rows(
                f"""select id, state, quantity, max_loss_e4,
                    (select sum(filled) from broker_order where proposal_id = proposal.id) as filled,
                    (select sum(quantity - filled) from broker_order where {_LIVE_ENTRIES}) as alive,
                    exists (select 1 from trade where trade.proposal_id = proposal.id) as is_trade
                    from proposal where kind = 'open' and id is not ?
                    and (state in (?, ?) or exists (select 1 from broker_order where {_LIVE_ENTRIES}))""",
                but,
                *PENDING_STATES,
            )
            for row in rows:
                is_pending = row["state"] in PENDING_STATES
                unfilled = max(row["quantity"] - (row["filled"] or 0), 0) if is_pending else 0
                # An order found at the broker may exceed what was approved; a replacement does not.
                risk += _proportional_risk(
                    e4_to_dollars(row["max_loss_e4"]), max(unfilled, row["alive"] or 0), row["quantity"]
                )
            sent_proposals = [self._proposals.get(row["id"]) for row in rows if row["state"] == ProposalState.SENT]
            # A working entry without fills may become a trade at any moment.
            pending_trades = sum(not row["is_trade"] for row in rows if row["state"] == ProposalState.SENT)
            legs = [
                *(leg for trade in open_trades for leg in trade.legs),
                *(leg for proposal in sent_proposals for leg in proposal.legs),
            ]
            return Exposure(
                open_risk=risk,
                open_trades=len(open_trades) + pending_trades,
                week_loss=self._realised_loss(week_start, today),
                submits_today=self._submit_count("market_day = ?", today.isoformat()),
                submits_of_run=self._submit_count("proposal_id in (select id from proposal where run_id = ?)", run_id),
                open_symbols=frozenset(leg.symbol for leg in legs),
            )

    def positions(self) -> tuple[BookPosition, ...]:
        """Return what is held, oldest trade first, each with its newest mark."""
        with self._core.read_transaction():
            return tuple(
                trade_position(
                    trade, self._proposals.get(trade.proposal_id).underlying, self._trades.latest_mark(trade.id)
                )
                for trade in self._trades.select(*OPEN_STATES)
            )

    def _realised_loss(self, first: date, last: date) -> Decimal:
        """Return the realised loss of the trades that ended in these days, dollars; 0 if they won in total."""
        row = self._core.row(
            "select sum(result_e4) from trade where closed_day between ? and ?", first.isoformat(), last.isoformat()
        )
        return max(-e4_to_dollars(row[0] or 0 if row is not None else 0), Decimal(0))

    def _submit_count(self, which: str, value: object) -> int:
        """Return the number of opening orders that were or may have been sent. Price steps do not count, nor do refused
        and absent orders, which never were at the broker."""
        row = self._core.row(
            f"""select count(*) from broker_order
                where kind = ? and replaces is null and state not in (?, ?) and {which}""",
            OrderKind.ENTRY,
            OrderState.REFUSED,
            OrderState.ABSENT,
            value,
        )
        return int(row[0]) if row is not None else 0


def _proportional_risk(amount: Decimal, count: int, whole: int) -> Decimal:
    """Return the risk of part of the contracts, rounded up."""
    return e4_to_dollars(ceiling_e4(amount * count / whole))
