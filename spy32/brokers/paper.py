"""A broker of our own that trades on paper, by one stated fill rule, against a real or recorded market.

It behaves as a broker does: an order is taken or refused, works, is replaced, cancelled or filled, and is read back by
id; what has expired is settled when the account is read. There is no early assignment. Its book is kept through the
`PaperLedger` port, apart from our own records, so that a lost answer can be settled by reading here as well.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar

from spy32.brokers.paper_settlement import PaperSettlement, StandIn
from spy32.domain.market import LegQuotes
from spy32.domain.option_class import underlying_for_root
from spy32.domain.orders import BrokerOrder, DryRun, Fill
from spy32.domain.spreads import CENT, MULTIPLIER, Account, Action, Leg, Mode, Position
from spy32.domain.transactions import Transaction, TransactionKind
from spy32.errors import BrokerRefused, Unavailable, Unusable
from spy32.lifecycle import FINAL, OrderState
from spy32.ports import Clock, DailyBarLookup, Market, PaperLedger
from spy32.rules.margin import margin_requirement
from spy32.rules.pricing import closing_costs, natural_and_mid, opening_costs, paper_threshold
from spy32.rules.settlement import exact_price, has_expired_leg
from spy32.sessions import market_date, next_session
from spy32.settings import Settings


@dataclass(eq=False, kw_only=True)
class PaperBroker:
    """The broker of paper mode. Without a market it shows and cancels orders, and fills nothing."""

    ledger: PaperLedger
    market: Market | None
    find_bar: DailyBarLookup
    clock: Clock
    settings: Settings
    number: str
    is_shared: ClassVar[bool] = False
    """The book is our own database, which accepts no reference twice."""

    # AccountGateway

    def facts(self) -> Account:
        """Cash and positions at their opening prices.

        Buying power is what the worst expiration leaves of the cash, less what working orders would use up.
        """
        self._settle()
        cash = self.ledger.cash()
        positions = self.ledger.positions()
        at_cost = sum((_position_cost(position) for position in positions), Decimal(0))
        working = (order for order in self.ledger.working_orders() if not self._is_expired(order))
        # Each by itself; one that frees buying power reserves nothing.
        reserved = sum((max(self._buying_power_change(order), Decimal(0)) for order in working), Decimal(0))
        return Account(
            number=self.number,
            mode=Mode.PAPER,
            net_liquidation=cash + at_cost,
            buying_power=cash - _required_margin(positions) - reserved,
            options_level="paper: defined risk",
            permits_spreads=True,
            positions=positions,
        )

    def positions(self) -> tuple[Position, ...]:
        self._settle()
        return self.ledger.positions()

    def transactions(self, since: date) -> tuple[Transaction, ...]:
        """One line a fill, and one a settled contract, delivery and sale of shares, oldest first."""
        self._settle()
        fills = [line for order in self.ledger.orders() for line in _fill_transactions(order)]
        events = [event.as_transaction(number) for number, event in enumerate(self.ledger.events(), 1)]
        return tuple(
            sorted((line for line in (*fills, *events) if market_date(line.at) >= since), key=lambda line: line.at)
        )

    def unsettled_notes(self) -> tuple[str, ...]:
        return self._settle()

    def clock_ahead(self) -> float | None:
        return None

    # OrderGateway

    def dry_run(self, body: str) -> DryRun:
        """Whether the order would be accepted: checks its terms and the buying power, as a broker's preflight does."""
        order = parse_order_body(body)
        try:
            errors = self._preflight(order)
        except BrokerRefused as refusal:
            return DryRun(accepted=False, errors=(refusal.message,))
        return DryRun(
            accepted=not errors,
            errors=errors,
            fees=self._fees(order),
            buying_power_change=self._buying_power_change(order),
            limit=order.limit,
            quantity=order.quantity,
            legs=order.legs,
        )

    def submit(self, body: str) -> BrokerOrder:
        errors = self._preflight(parse_order_body(body))
        if errors:
            raise BrokerRefused("; ".join(errors))
        return self._place(body)

    def order(self, broker_id: str) -> BrokerOrder:
        return self._try_fill(self._find_order(broker_id))

    def todays_orders(self) -> tuple[BrokerOrder, ...]:
        return self.ledger.orders()

    def search(self, since: date) -> tuple[BrokerOrder, ...]:
        return self.ledger.orders()

    def replace(self, broker_id: str, body: str) -> BrokerOrder:
        """Replaces a working order by a new one at another price; legs and unfilled quantity stay."""
        was = self.order(broker_id)
        if was.state in FINAL:
            raise BrokerRefused(f"cannot_update_order: the paper order {broker_id} is {was.status}")
        return self._place(body, broker_id)

    def cancel(self, broker_id: str) -> BrokerOrder:
        was = self.order(broker_id)
        if was.state in FINAL or not self.ledger.update_status(broker_id, was=was.status, status="Cancelled"):
            raise BrokerRefused(f"cannot_update_order: the paper order {broker_id} is {self.order(broker_id).status}")
        return self.order(broker_id)

    # The rules

    def _preflight(self, order: BrokerOrder) -> tuple[str, ...]:
        errors = []
        if any(order.reference == known.reference for known in self.ledger.orders()):
            # Stricter than tastytrade, which does not de-duplicate: on paper a doubled reference is always our defect.
            errors.append(f"duplicate_reference: {order.reference} was placed before")
        free, needed = self.facts().buying_power, self._buying_power_change(order)
        if needed > max(free, Decimal(0)):
            errors.append(f"margin_check_failed: needs {needed:.2f} of buying power, {free:.2f} is free")
        return tuple(errors)

    def _buying_power_change(self, order: BrokerOrder) -> Decimal:
        """Change in buying power if it fills at its limit: margin - credit + fees, positive when used up."""
        positions = self.ledger.positions()
        added = (
            Position(symbol=leg.symbol, quantity=-leg.action.sign * leg.quantity * order.quantity) for leg in order.legs
        )
        return (
            _required_margin((*positions, *added))
            - _required_margin(positions)
            - order.limit * MULTIPLIER * order.quantity
            + self._fees(order)
        )

    def _fees(self, order: BrokerOrder) -> Decimal:
        each = opening_costs if order.legs[0].action.opens else closing_costs
        return each(order.quantity, self.settings.costs, order.legs[0].root, len(order.legs)) * order.quantity

    def _settle(self) -> tuple[str, ...]:
        """Settle what has expired; return why anything that has expired is still held."""
        return PaperSettlement(
            ledger=self.ledger,
            find_bar=self.find_bar,
            find_stand_in=self._find_stand_in,
            now=self.clock(),
            is_recorded=self._is_recorded,
        ).settle()

    def _find_stand_in(self, ticker: str, day: date) -> StandIn | None:
        """The spot of a recorded market in the session after one that no bar is recorded of; None otherwise.

        A recorded market brings quotes of single instants, so that the bar may be missing for ever.
        """
        today = market_date(self.clock())
        if self.market is None or not self._is_recorded or today != next_session(day).day:
            return None
        try:
            price = exact_price(self.market.quotes(ticker, ()).spot)
        except (Unavailable, Unusable):
            return None
        source = f"assumed: the spot of {self.market.name} on {today}, which has no bar of {day}"
        return StandIn(price, source) if price is not None else None

    @property
    def _is_recorded(self) -> bool:
        return self.market is not None and self.market.is_recorded

    def _place(self, body: str, replacing: str | None = None) -> BrokerOrder:
        """Place an order and return it after the fill rule."""
        order, is_recorded = parse_order_body(body), self._is_recorded
        return self._try_fill(self.ledger.place(order, self.clock(), replacing=replacing, is_recorded=is_recorded))

    def _try_fill(self, order: BrokerOrder) -> BrokerOrder:
        """The order after the fill rule and its time in force have been applied."""
        if order.state in FINAL:
            return order
        if self._is_expired(order):
            self.ledger.update_status(order.broker_id, was=order.status, status="Expired")
            return self._find_order(order.broker_id)
        if self.market is None:
            return order
        try:
            quotes = self.market.quotes(underlying_for_root(order.legs[0].root), order.legs)
        except (Unavailable, Unusable):
            # Without a quote there is no trade; the order rests and the next read tries again.
            return order
        if self.would_fill(order, quotes):
            fills = _build_fills(order, quotes, self.clock())
            cash = order.limit * MULTIPLIER * order.quantity
            self.ledger.fill(order.broker_id, fills, cash, self._fees(order))
        return self._find_order(order.broker_id)

    def _find_order(self, broker_id: str) -> BrokerOrder:
        found = self.ledger.find_order(broker_id)
        if found is None:
            raise BrokerRefused(f"the paper broker knows no order {broker_id}")
        return found

    def _is_expired(self, order: BrokerOrder) -> bool:
        """Whether the order is over: a Day order with its New York day, any other when its contracts stop trading."""
        now = self.clock()
        if json.loads(order.body)["time-in-force"] == "Day":
            return order.placed_at is not None and market_date(order.placed_at) < market_date(now)
        return has_expired_leg(order.legs, now)

    def would_fill(self, order: BrokerOrder, quotes: LegQuotes) -> bool:
        """The paper rule: our limit is at or below `paper_threshold`."""
        prices = natural_and_mid(order.legs, quotes.quotes)
        return prices is not None and order.limit <= paper_threshold(*prices, self.settings.paper.fill_share)

    @property
    def assumption(self) -> str:
        """The fill rule in words, kept with every paper trade."""
        share = self.settings.paper.fill_share
        return f"paper fill, whole and at our limit, once it is at or below mid less {share} of half of (mid - natural)"


def parse_order_body(body: str) -> BrokerOrder:
    """The order that a tastytrade order body describes, as the broker would show it before it works."""
    fields = json.loads(body)
    sign = 1 if fields["price-effect"] == "Credit" else -1
    legs = tuple(Leg.parse_symbol(leg["symbol"], Action(leg["action"]), int(leg["quantity"])) for leg in fields["legs"])
    quantity = min(leg["quantity"] for leg in fields["legs"])
    return BrokerOrder(
        broker_id="",
        reference=fields["external-identifier"],
        status="Live",
        state=OrderState.WORKING,
        limit=sign * Decimal(fields["price"]),
        quantity=quantity,
        legs=tuple(replace(leg, quantity=leg.quantity // quantity) for leg in legs),
        body=body,
    )


def _build_fills(order: BrokerOrder, quotes: LegQuotes, at: datetime) -> tuple[Fill, ...]:
    """One fill a leg, adding up to our limit exactly: every leg at its mid but the first, which takes the rest."""
    prices, rest, first = {}, order.limit, order.legs[0]
    for leg in order.legs[1:]:
        quote = quotes.quotes[leg.symbol]
        assert quote.bid is not None and quote.ask is not None
        middle = (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2
        prices[leg.symbol] = middle.quantize(CENT, ROUND_HALF_UP)
        rest -= leg.action.sign * leg.quantity * prices[leg.symbol]
    prices[first.symbol] = rest * first.action.sign / first.quantity
    return tuple(
        Fill(
            fill_id=f"{order.broker_id}-{number}",
            symbol=leg.symbol,
            action=leg.action,
            quantity=leg.quantity * order.quantity,
            price=prices[leg.symbol],
            at=at,
        )
        for number, leg in enumerate(order.legs, 1)
    )


def _fill_transactions(order: BrokerOrder) -> tuple[Transaction, ...]:
    """One line a fill. The order's fees are divided by contracts; the first line takes the rest of the rounding."""
    contracts, fees = sum(fill.quantity for fill in order.fills), order.fees or Decimal(0)
    shares = [(fees * fill.quantity / contracts).quantize(CENT, ROUND_HALF_UP) for fill in order.fills]
    shares[:1] = [fees - sum(shares[1:], Decimal(0))]
    return tuple(
        Transaction(
            id=fill.fill_id,
            kind=TransactionKind.TRADE,
            at=fill.at,
            symbol=fill.symbol,
            action=fill.action,
            quantity=Decimal(fill.quantity),
            price=fill.price,
            net_value=fill.action.sign * fill.price * fill.quantity * MULTIPLIER - charge,
            fees=charge,
            order_id=order.broker_id,
            description=f"{fill.action} {fill.quantity} {fill.symbol} @ {fill.price}",
        )
        for fill, charge in zip(order.fills, shares, strict=False)
    )


def _position_cost(position: Position) -> Decimal:
    units = position.quantity * (MULTIPLIER if position.is_option else 1)
    return (position.average_price or Decimal(0)) * units


SHORT_SHARES_MARGIN = Decimal("1.5")
"""Of the value of shares sold short: their proceeds and half of it again (Regulation T, 12 CFR 220.12(c))."""


def _required_margin(positions: Sequence[Position]) -> Decimal:
    """Margin of what is held, dollars; `BrokerRefused` for an uncovered short call.

    Shares count at cost: long ones are paid in cash, short ones need `SHORT_SHARES_MARGIN`.
    """
    options = margin_requirement(position for position in positions if position.is_option)
    if options is None:
        raise BrokerRefused("uncovered_call: a short call without a long one is not defined risk")
    shares = (max(-_position_cost(position), Decimal(0)) for position in positions if not position.is_option)
    return options + sum(shares, Decimal(0)) * SHORT_SHARES_MARGIN
