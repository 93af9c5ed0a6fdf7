"""The paper broker's own book, apart from our records; it implements `ports.PaperLedger`."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from spy32.domain.market import OCC_LENGTH
from spy32.domain.orders import BrokerOrder, Fill
from spy32.domain.spreads import Position
from spy32.domain.transactions import PaperEvent
from spy32.errors import BadUsage, BrokerRefused
from spy32.lifecycle import OrderState
from spy32.records.base import Records
from spy32.records.encoding import (
    E4_UNIT,
    columns_of,
    decode_items,
    decode_row,
    dollars_to_e4,
    e4_to_dollars,
    nearest_e4,
    parse_instant,
    row_decoder,
)

FINAL_STATES = {
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "Removed": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
    "Expired": OrderState.EXPIRED,
    "Replaced": OrderState.REPLACED,
}
"""Broker statuses of an order that has ended; with any other status it works."""
_OF_MARKET = "coalesce(recorded, 0) is coalesce(?, recorded, 0)"
"""SQL condition: orders or events of recorded markets (1), of other ones (0), or of both (null)."""


class PaperAccount(Records):
    """Orders, events, cash and positions of the paper account. Each call is one transaction."""

    @property
    def is_read_only(self) -> bool:
        """Whether the database was opened for reading."""
        return bool(self._core.total("pragma query_only"))

    def orders(self) -> tuple[BrokerOrder, ...]:
        """Return all paper orders, oldest first."""
        return self._core.select(_paper_order, "select * from paper_order order by id")

    def find_order(self, broker_id: str) -> BrokerOrder | None:
        """Return the paper order of this id; None without one."""
        return self._core.find(_paper_order, "select * from paper_order where broker_id = ?", broker_id)

    def working_orders(self, *, is_recorded: bool | None = None) -> tuple[BrokerOrder, ...]:
        """Return the paper orders that have not ended, oldest first; of one kind of market when told."""
        has_ended = "status in (select value from json_each(?))"
        query = f"select * from paper_order where not {has_ended} and {_OF_MARKET} order by id"
        return self._core.select(_paper_order, query, tuple(FINAL_STATES), is_recorded)

    def place(
        self, order: BrokerOrder, at: datetime, *, replacing: str | None = None, is_recorded: bool = False
    ) -> BrokerOrder:
        """Store an order and return it with its id. `BrokerRefused` if `replacing` does not work any more."""
        with self._core.write_transaction(at, "paper order placed", order.reference) as change:
            if self._core.has("select 1 from paper_order where reference = ?", order.reference):
                raise BrokerRefused(f"duplicate_reference: {order.reference} was placed before")
            replaced = self._require_replaceable(replacing) if replacing is not None else None
            broker_id = order.broker_id or f"paper-{self._core.total('select count(*) from paper_order') + 1}"
            if replaced is not None:
                change.update("paper_order", replaced["id"], status="Replaced", replaced_by=broker_id)
            change.insert(
                "paper_order",
                broker_id=broker_id,
                reference=order.reference,
                status=order.status,
                limit_e4=order.limit,
                quantity=order.quantity,
                placed_at=change.at,
                replaces=replacing,
                reason=order.reason,
                legs=order.legs,
                body=order.body,
                recorded=1 if is_recorded else None,
            )
        return _paper_order(self._paper_row(broker_id))

    def update_status(self, broker_id: str, *, was: str, status: str) -> bool:
        """Change the broker status by compare-and-set; return False if it has changed already."""
        with self._core.write_transaction(self._last_event_time(), f"paper order {status}", broker_id) as change:
            row = self._paper_row(broker_id)
            if row["status"] != was:
                return False
            change.update("paper_order", row["id"], status=status)
        return True

    def fill(self, broker_id: str, fills: tuple[Fill, ...], cash: Decimal, fees: Decimal) -> bool:
        """Fill a working order for `cash` less `fees`, dollars (payments are negative); False if it has ended."""
        with self._core.write_transaction(max(fill.at for fill in fills), "paper order filled", broker_id) as change:
            row = self._paper_row(broker_id)
            if _order_state(row["status"]) is not OrderState.WORKING:
                return False
            fees_e4 = nearest_e4(fees)
            change.update("paper_order", row["id"], status="Filled", fills=fills, fees_e4=fees_e4)
            amounts = {"premium": dollars_to_e4(cash), "fees": -fees_e4}
            change.insert_cash("paper", amounts, paper_order_id=row["id"])
        return True

    def events(self, *, is_recorded: bool | None = None) -> tuple[PaperEvent, ...]:
        """Return what the broker did without an order, in the order of its records; by one kind of clock when told."""
        query = f"select * from paper_event where {_OF_MARKET} order by id"
        return self._core.select(row_decoder(PaperEvent, "paper event"), query, is_recorded)

    def record_events(
        self, events: Sequence[PaperEvent], at: datetime, *, known: int, is_recorded: bool = False
    ) -> bool:
        """Store events with their cash and fees; False, and nothing stored, unless `known` events are stored.

        A settlement is computed from what is on record, so that the same one can be computed by two processes at once:
        the count lets only the first of them through.
        """
        with self._core.write_transaction(at, "paper positions settled", events[0].symbol) as change:
            if self._core.total("select count(*) from paper_event") != known:
                return False
            for event in events:
                number = change.insert("paper_event", recorded=1 if is_recorded else None, **columns_of(event))
                kind = "premium" if len(event.symbol) == OCC_LENGTH else "shares"
                amounts = {kind: dollars_to_e4(event.cash), "fees": -dollars_to_e4(event.fees)}
                change.insert_cash("paper", amounts, paper_event_id=number)
        return True

    def cash(self) -> Decimal:
        """Return the cash of the paper account, dollars."""
        return e4_to_dollars(self._core.total("select sum(amount_e4) from cash where book = 'paper'"))

    def positions(self) -> tuple[Position, ...]:
        """Return the positions, contracts and shares, with their average opening price."""
        positions: dict[str, tuple[int, Decimal]] = {}
        changes = [(fill.symbol, -fill.action.sign * fill.quantity, fill.price) for fill, _ in self._fills()]
        changes += [(event.symbol, event.quantity, event.price) for event in self.events()]
        for symbol, change, price in changes:
            positions[symbol] = _updated_position(*positions.get(symbol, (0, Decimal(0))), change, price)
        return tuple(
            Position(symbol=symbol, quantity=count, average_price=price)
            for symbol, (count, price) in sorted(positions.items())
            if count
        )

    def lots(self, *, is_recorded: bool) -> tuple[Position, ...]:
        """Return what is held by orders on recorded, or on other, markets, without prices.

        The same contract may be held on both. A closing fill takes from its own kind of market first.
        """
        counts: Counter[tuple[str, bool]] = Counter()
        for fill, recorded in self._fills():
            change = -fill.action.sign * fill.quantity
            own, other = (fill.symbol, recorded), (fill.symbol, not recorded)
            beyond = change - _closing_part(counts[own], change)
            elsewhere = 0 if fill.action.opens else _closing_part(counts[other], beyond)
            counts[other] += elsewhere
            counts[own] += change - elsewhere
        for event in self.events(is_recorded=is_recorded):
            counts[event.symbol, is_recorded] += event.quantity
        return tuple(
            Position(symbol=symbol, quantity=count)
            for (symbol, recorded), count in sorted(counts.items())
            if recorded is is_recorded and count
        )

    def _fills(self) -> Iterator[tuple[Fill, bool]]:
        """Yield each fill, and whether its order was placed on a recorded market."""
        for row in self._core.rows(
            "select broker_id, fills, recorded from paper_order where fills <> '[]' order by id"
        ):
            for fill in decode_items(Fill, row["fills"], f"paper order {row['broker_id']}"):
                yield fill, bool(row["recorded"])

    def _require_replaceable(self, broker_id: str) -> sqlite3.Row:
        row = self._paper_row(broker_id)
        if _order_state(row["status"]) is not OrderState.WORKING:
            raise BrokerRefused(f"cannot_update_order: the paper order {broker_id} is {row['status']}")
        return row

    def _paper_row(self, broker_id: str) -> sqlite3.Row:
        row = self._core.row("select * from paper_order where broker_id = ?", broker_id)
        if row is None:
            raise BadUsage(f"the paper broker knows no order {broker_id}")
        return row

    def _last_event_time(self) -> datetime:
        """Return the time of the last event, for calls without a time."""
        row = self._core.row("select at from event order by id desc limit 1")
        assert row is not None
        return parse_instant(row["at"])


def _updated_position(count: int, average: Decimal, change: int, price: Decimal) -> tuple[int, Decimal]:
    """Return quantity and average opening price after a change of the quantity at a price."""
    new_count = count + change
    if count * change >= 0:
        total = average * abs(count) + price * abs(change)
        return new_count, (total / abs(new_count)).quantize(E4_UNIT)
    # Closing keeps the average; a quantity that passes zero starts a new one.
    return new_count, average if count * new_count > 0 else price


def _closing_part(count: int, change: int) -> int:
    """Return the part of a change that brings a count nearer to zero."""
    return max(min(change, -count), 0) if change > 0 else min(max(change, -count), 0)


def _order_state(status: str) -> OrderState:
    return FINAL_STATES.get(status, OrderState.WORKING)


def _paper_order(row: sqlite3.Row) -> BrokerOrder:
    return decode_row(BrokerOrder, row, "paper order", state=_order_state(row["status"]))
