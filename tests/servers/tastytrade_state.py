"""What the local broker remembers, and its arithmetic: accounts, holdings, orders, fills, fees, margin, buying power.

Money is dollars, prices are dollars per share; a credit is positive, a debit negative. Nothing here knows HTTP.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import gcd
from typing import Any

Row = dict[str, Any]

ZERO = Decimal(0)
CENT = Decimal("0.01")
SHARES = 100
OPTION_LENGTH = 21

RECEIVED, ROUTED, IN_FLIGHT, LIVE = "Received", "Routed", "In Flight", "Live"
CONTINGENT, CANCEL_REQUESTED, REPLACE_REQUESTED = "Contingent", "Cancel Requested", "Replace Requested"
FILLED, CANCELLED, REJECTED, EXPIRED = "Filled", "Cancelled", "Rejected", "Expired"
TERMINAL = frozenset({FILLED, CANCELLED, REJECTED, EXPIRED, "Removed", "Partially Removed"})


def text(value: Decimal) -> str:
    """As the service writes numbers: never an exponent, at least one decimal."""
    whole, _, part = f"{value:f}".partition(".")
    return f"{whole}.{part.rstrip('0') or '0'}"


def effect(value: Decimal) -> str:
    return "Credit" if value > 0 else "Debit" if value < 0 else "None"


def signed(name: str, value: Decimal) -> Row:
    """An amount without its sign, and the sign beside it."""
    return {name: text(abs(value)), f"{name}-effect": effect(value)}


def iso(instant: datetime | None) -> str | None:
    """2026-11-23T15:02:10.114+00:00, as orders have it."""
    return None if instant is None else instant.isoformat(timespec="milliseconds")


def zulu(instant: datetime) -> str:
    """2026-11-23T15:02:10.114Z, as transactions have it."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sign(action: str) -> int:
    """+1 for a sale, which receives premium."""
    return 1 if action.startswith("Sell") else -1


def is_opening(action: str) -> bool:
    return action.endswith("Open")


def is_option(symbol: str) -> bool:
    return len(symbol) == OPTION_LENGTH


def strike(symbol: str) -> Decimal:
    return Decimal(symbol[13:]) / 1000


@dataclass(frozen=True, slots=True)
class Fill:
    id: str
    execution: str
    group: str
    quantity: int
    price: Decimal
    at: datetime
    venue: str


@dataclass(slots=True)
class LegState:
    """`quantity` is that of the whole order, not of one spread."""

    action: str
    symbol: str
    quantity: int
    fills: list[Fill] = field(default_factory=list)

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill in self.fills)

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def change(self) -> int:
        """Of the position, once what remains has filled."""
        return -sign(self.action) * self.remaining


@dataclass(slots=True, kw_only=True)
class Ticket:
    """One order of the broker."""

    id: int
    account: str
    kind: str
    """`Limit`, `Market` ..."""
    force: str
    """`Day`, `GTC` ..."""
    legs: list[LegState]
    credit: Decimal | None
    """Limit per spread; a debit is negative, None for a market order."""
    at: datetime
    status: str = RECEIVED
    reference: str | None = None
    source: str | None = None
    gtc_date: str | None = None
    is_strict: bool = False
    updated_at: datetime | None = None
    in_flight_at: datetime | None = None
    live_at: datetime | None = None
    terminal_at: datetime | None = None
    cancelled_at: datetime | None = None
    reason: str = ""
    replaces: int | None = None
    replacing: int | None = None
    """Set once the exchange has confirmed."""
    pending: int | None = None
    """The order that waits for this one's end."""
    filled_at_request: int = 0
    rejects: tuple[str, str] | None = None
    """(status, reason): in that status it will be rejected."""
    race: int | None = None
    """So many spreads fill after a cancel or replace was asked for, before it is confirmed."""
    hidden: int = 0
    """Reads that will not show it yet."""
    late: int = 0
    """Reads that will show the fills of its first leg only."""

    @property
    def size(self) -> int:
        return gcd(*(leg.quantity for leg in self.legs))

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def spreads(self) -> int:
        """Whole spreads that are filled."""
        return min(leg.filled // (leg.quantity // self.size) for leg in self.legs)

    @property
    def contracts(self) -> int:
        return sum(leg.filled for leg in self.legs)


@dataclass(slots=True)
class Holding:
    """`quantity` is negative when short; `average` is dollars per share."""

    symbol: str
    quantity: int
    average: Decimal
    opened: datetime
    updated: datetime

    def change(self, quantity: int, price: Decimal, at: datetime) -> None:
        after = self.quantity + quantity
        if self.quantity == 0 or (self.quantity > 0) == (quantity > 0):
            self.average = (self.average * abs(self.quantity) + price * abs(quantity)) / abs(after)
        elif after != 0 and (after > 0) != (self.quantity > 0):
            self.average = price
        self.quantity, self.updated = after, at


@dataclass(slots=True)
class BrokerAccount:
    """Everything may be set by a test. A status of None leaves its key out of trading-status: unknown."""

    number: str = "5WX01234"
    cash: Decimal = Decimal(100_000)
    kind: str = "Margin"
    is_closed: bool = False
    is_frozen: bool | None = False
    is_closing_only: bool | None = False
    is_risk_reducing_only: bool | None = False
    is_in_margin_call: bool | None = False
    options_level: str | None = "No Restrictions"
    order_size_limit: int = 500
    nickname: str = "Individual"
    holdings: dict[str, Holding] = field(default_factory=dict)
    transactions: list[Row] = field(default_factory=list)

    @property
    def held(self) -> dict[str, int]:
        return {symbol: holding.quantity for symbol, holding in self.holdings.items() if holding.quantity}

    def take(self, symbol: str, quantity: int, price: Decimal, at: datetime) -> None:
        holding = self.holdings.setdefault(symbol, Holding(symbol, 0, ZERO, at, at))
        holding.change(quantity, price, at)
        if holding.quantity == 0:
            del self.holdings[symbol]


INDEX_FEES = {"SPX": Decimal("0.65"), "SPXW": Decimal("0.65"), "RUTW": Decimal("0.18"), "NDXP": Decimal("0.25")}
"""Dollars a contract, whatever the action. XSP's begins with ten contracts."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars a contract."""

    commission: Decimal = Decimal("1.00")
    """To open; closing is free."""
    clearing: Decimal = Decimal("0.10")
    regulatory: Decimal = Decimal("0.02")
    selling: Decimal = Decimal("0.01")
    """On top of the regulatory fee, for what is sold."""

    def fees(self, action: str, quantity: int, symbol: str = "") -> dict[str, Decimal]:
        sold = self.selling if sign(action) > 0 else ZERO
        return {
            "commission": self.commission * quantity if is_opening(action) else ZERO,
            "clearing-fees": self.clearing * quantity,
            "regulatory-fees": (self.regulatory + sold) * quantity,
            "proprietary-index-option-fees": INDEX_FEES.get(symbol[:6].rstrip(), ZERO) * quantity,
        }

    def of_legs(self, legs: Iterable[LegState]) -> dict[str, Decimal]:
        total: dict[str, Decimal] = defaultdict(Decimal)
        for leg in legs:
            for name, amount in self.fees(leg.action, leg.remaining, leg.symbol).items():
                total[name] += amount
        return dict(total)


def margin(held: Mapping[str, int]) -> Decimal:
    """The most that the options of each expiration can cost at expiration, whatever the underlying does."""
    expirations: dict[str, list[tuple[str, Decimal, int]]] = defaultdict(list)
    for symbol, quantity in held.items():
        if is_option(symbol) and quantity:
            expirations[symbol[:12]].append((symbol[12], strike(symbol), quantity))
    return sum((_worst(legs) for legs in expirations.values()), ZERO)


def _worst(legs: Sequence[tuple[str, Decimal, int]]) -> Decimal:
    levels = [ZERO, *(level for _, level, _ in legs)]
    levels.append(2 * max(levels))  # calls have no ceiling
    values = (sum((worth(right, level, spot) * quantity for right, level, quantity in legs), ZERO) for spot in levels)
    return max(ZERO, -min(values)) * SHARES


def worth(right: str, level: Decimal, spot: Decimal) -> Decimal:
    """What an option is worth per share at expiration."""
    return max(ZERO, spot - level if right == "C" else level - spot)


@dataclass(frozen=True, slots=True)
class Impact:
    """What an order would do to an account. `change` is buying power used up, dollars."""

    margin: Decimal
    isolated: Decimal
    fees: dict[str, Decimal]
    change: Decimal
    power: Decimal
    is_spread: bool

    @property
    def rows(self) -> Row:
        total = sum(self.fees.values(), ZERO)
        fees: Row = {}
        for name, amount in {**self.fees, "total-fees": total}.items():
            fees |= signed(name, -amount)
        return {
            "buying-power-effect": {
                **signed("change-in-margin-requirement", -self.margin),
                **signed("change-in-buying-power", -self.change),
                **signed("current-buying-power", self.power),
                **signed("new-buying-power", self.power - self.change),
                **signed("isolated-order-margin-requirement", -self.isolated),
                "is-spread": self.is_spread,
                "impact": text(abs(self.change)),
                "effect": effect(-self.change),
            },
            "fee-calculation": fees,
        }


def impact(account: BrokerAccount, legs: Sequence[LegState], credit: Decimal, rates: Rates, power: Decimal) -> Impact:
    """`credit` is dollars for all that remains of the order."""
    after = dict(account.held)
    for leg in legs:
        after[leg.symbol] = after.get(leg.symbol, 0) + leg.change
    more = margin(after) - margin(account.held)
    fees = rates.of_legs(legs)
    return Impact(
        margin=more,
        isolated=margin({leg.symbol: leg.change for leg in legs}),
        fees=fees,
        change=more - credit + sum(fees.values(), ZERO),
        power=power,
        is_spread=len(legs) > 1,
    )


def leg_prices(ticket: Ticket, credit: Decimal, mids: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """A price for each leg, in cents, near its mid, that make exactly `credit` a spread."""
    prices = {leg.symbol: max(CENT, mids.get(leg.symbol, Decimal(1)).quantize(CENT)) for leg in ticket.legs}
    last = ticket.legs[-1]
    rest = ticket.legs[:-1]

    def owed() -> Decimal:
        net = sum((sign(leg.action) * prices[leg.symbol] * (leg.quantity // ticket.size) for leg in rest), ZERO)
        return (credit - net) * sign(last.action) / (last.quantity // ticket.size)

    while owed() < CENT and rest:
        # More for what is sold, or for what is bought: whichever brings the last price above nothing.
        first = next((leg for leg in rest if sign(leg.action) != sign(last.action)), None)
        if first is None:
            break
        prices[first.symbol] += max(CENT, (CENT - owed()).quantize(CENT))
    prices[last.symbol] = abs(owed())
    return prices
