"""What our own book already risks, for sizing and limits."""

from datetime import date
from decimal import Decimal

from spy32.domain.acting import OrderKind
from spy32.domain.trading import Exposure
from spy32.lifecycle import OrderState, ProposalState
from spy32.records.adopted import Adopted
from spy32.records.trades import HELD
from spy32.records.values import ceiling_e4, from_e4

_ALIVE = """proposal_id = proposal.id and kind = 'entry' and state in ('submitting', 'working', 'unknown')
    and id not in (select replaces from broker_order where replaces is not null
        and state in ('submitting', 'working', 'unknown'))"""
PENDING = (ProposalState.APPROVED, ProposalState.SENT)


class Risk(Adopted):
    """Exposure counts fills and what may still be filled, not states."""

    def exposure(self, *, run_id: int | None, today: date, week_start: date, but: int | None = None) -> Exposure:
        """Exposure on a New York day; `but` leaves the unfilled part of one proposal out, for the checks of itself."""
        with self.consistent():
            held = self.trades(*HELD)
            risk = sum((_part(trade.max_loss, trade.remaining, trade.quantity) for trade in held), Decimal(0))
            waiting = self.rows(
                f"""select id, state, quantity, max_loss_e4,
                    (select sum(filled) from broker_order where proposal_id = proposal.id) as filled,
                    (select sum(quantity - filled) from broker_order where {_ALIVE}) as alive,
                    exists (select 1 from trade where trade.proposal_id = proposal.id) as is_trade
                    from proposal where kind = 'open' and id is not ?
                    and (state in (?, ?) or exists (select 1 from broker_order where {_ALIVE}))""",
                but,
                *PENDING,
            )
            for row in waiting:
                is_pending = row["state"] in PENDING
                left = max(row["quantity"] - (row["filled"] or 0), 0) if is_pending else 0
                # An order that was found at the broker may be beyond what was approved; a replacement is not.
                risk += _part(from_e4(row["max_loss_e4"]), max(left, row["alive"] or 0), row["quantity"])
            sent = [self.proposal(row["id"]) for row in waiting if row["state"] == ProposalState.SENT]
            # An entry that works and has filled nothing yet may become a trade at any moment.
            coming = sum(not row["is_trade"] for row in waiting if row["state"] == ProposalState.SENT)
            legs = [
                *(leg for trade in held for leg in trade.legs),
                *(leg for proposal in sent for leg in proposal.legs),
            ]
            return Exposure(
                open_risk=risk,
                open_trades=len(held) + coming,
                week_loss=self._loss(week_start, today),
                submits_today=self._submits("market_day = ?", today.isoformat()),
                submits_of_run=self._submits("proposal_id in (select id from proposal where run_id = ?)", run_id),
                open_symbols=frozenset(leg.symbol for leg in legs),
            )

    def _loss(self, first: date, last: date) -> Decimal:
        """Realised loss of trades that ended in these days, 0 when they won on the whole."""
        row = self.row(
            "select sum(result_e4) from trade where closed_day between ? and ?", first.isoformat(), last.isoformat()
        )
        return max(-from_e4(row[0] or 0 if row is not None else 0), Decimal(0))

    def _submits(self, which: str, value: object) -> int:
        """Opening orders that were sent or may have been. A price step is not a new one; one that was refused, or is
        absent at the broker, was never there, and the person may try again."""
        row = self.row(
            f"""select count(*) from broker_order
                where kind = ? and replaces is null and state not in (?, ?) and {which}""",
            OrderKind.ENTRY,
            OrderState.REFUSED,
            OrderState.ABSENT,
            value,
        )
        return int(row[0]) if row is not None else 0


def _part(amount: Decimal, count: int, whole: int) -> Decimal:
    """The share of so many of the contracts, never understated."""
    return from_e4(ceiling_e4(amount * count / whole))
