"""What may be traded: legs, spreads, candidates and the menu."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from spy32.domain.market import OptionQuote, Right, occ_symbol, parse_occ_symbol
from spy32.domain.value import value

CENT = Decimal("0.01")
MULTIPLIER = 100
"""Shares a contract delivers; adjusted contracts are refused at the edge."""


class Mode(StrEnum):
    PAPER = "paper"
    SANDBOX = "sandbox"
    LIVE = "live"


class Strategy(StrEnum):
    PUT_CREDIT = "put_credit_spread"
    CALL_CREDIT = "call_credit_spread"


class Action(StrEnum):
    """tastytrade's words for what happens to a leg."""

    SELL_TO_OPEN = "Sell to Open"
    BUY_TO_OPEN = "Buy to Open"
    BUY_TO_CLOSE = "Buy to Close"
    SELL_TO_CLOSE = "Sell to Close"

    @property
    def sign(self) -> int:
        """+1 receives premium (a sale), -1 pays it."""
        return 1 if self in (Action.SELL_TO_OPEN, Action.SELL_TO_CLOSE) else -1

    @property
    def opens(self) -> bool:
        return self in (Action.SELL_TO_OPEN, Action.BUY_TO_OPEN)

    @property
    def closing(self) -> "Action":
        """What undoes an opening action."""
        return {Action.SELL_TO_OPEN: Action.BUY_TO_CLOSE, Action.BUY_TO_OPEN: Action.SELL_TO_CLOSE}[self]


@value
class Leg:
    """One contract of a spread, one lot. `quantity` is per spread."""

    root: str
    expiration: date
    strike: Decimal
    right: Right
    action: Action
    quantity: int = 1

    def __post_init__(self) -> None:
        if self.quantity < 1 or self.strike <= 0:
            raise ValueError("a leg has a positive strike and at least one contract")

    @classmethod
    def from_symbol(cls, symbol: str, action: Action, quantity: int = 1) -> "Leg":
        """The leg of an OCC symbol; ValueError when it is none."""
        return cls(**parse_occ_symbol(symbol)._asdict(), action=action, quantity=quantity)

    @property
    def symbol(self) -> str:
        return occ_symbol(self.root, self.expiration, self.right, self.strike)


@value
class Spread:
    """Two to four legs of one expiration with defined risk."""

    underlying: str
    strategy: Strategy
    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.legs) <= 4:
            raise ValueError("a spread has two to four legs")
        if len({leg.expiration for leg in self.legs}) != 1:
            raise ValueError("the legs of a spread share one expiration")
        if len({leg.symbol for leg in self.legs}) != len(self.legs):
            raise ValueError("the legs of a spread are different contracts")
        sells = [leg for leg in self.legs if leg.action.sign > 0]
        if len(sells) * 2 != len(self.legs):
            raise ValueError("every short leg is covered by a long one")

    @property
    def expiration(self) -> date:
        return self.legs[0].expiration

    @property
    def short(self) -> Leg:
        return next(leg for leg in self.legs if leg.action.sign > 0)

    @property
    def long(self) -> Leg:
        return next(leg for leg in self.legs if leg.action.sign < 0)

    @property
    def right(self) -> Right:
        return self.short.right

    @property
    def width(self) -> Decimal:
        """Points between the strikes of a vertical."""
        return abs(self.short.strike - self.long.strike)


@value
class Greeks:
    """Per share of one spread, from our side. Theta is dollars a calendar day, vega dollars per volatility point."""

    delta: float
    gamma: float
    theta: float
    vega: float


@value
class LegView:
    """A leg as it was quoted and valued when the menu was built."""

    quote: OptionQuote
    iv: float
    delta: float


@value
class ExpectedValue:
    """Dollars a contract after costs; None until its mathematics is built.

    `market_*` under the density that the chain implies, `history_*` under the underlying's own past;
    `*_expiry` held to expiration, `*_plan` under the exit plan.
    """

    market_expiry: float | None = None
    market_plan: float | None = None
    history_expiry: float | None = None
    history_plan: float | None = None


@value
class Candidate:
    """A priced and risk-checked spread. Prices are credits per share; dollars are per contract (one spread)."""

    id: str
    spread: Spread
    short: LegView
    long: LegView
    natural: Decimal
    """Sell at the bid, buy at the ask."""
    mid: Decimal
    start: Decimal
    """The first limit: mid rounded up to the tick."""
    floor: Decimal
    max_loss: Decimal
    """(width - floor) x 100 + costs to open."""
    breakevens: tuple[Decimal, ...]
    """At the mid."""
    greeks: Greeks
    pop_market: float
    """Probability of any profit at expiration at the mid, under the chain's own density."""
    pop_history: float | None
    ev: ExpectedValue
    costs: Decimal
    """Commission, clearing and regulatory fees to open."""
    costs_round_trip: Decimal
    worthless_market: float | None = None
    """Probability that the short strike ends out of the money, under the chain's own density; None in runs before
    0.4."""

    @property
    def p_worthless(self) -> float:
        """The market's probability that the spread expires worthless.

        Where the density was not kept, 1 - |short delta|: by 2 to 10 points too low for puts, too high for calls.
        """
        return self.worthless_market if self.worthless_market is not None else 1.0 - self.short_delta

    @property
    def short_delta(self) -> float:
        """Absolute delta of the short leg."""
        return abs(self.short.delta)

    @property
    def credit_to_width(self) -> float:
        return float(self.floor / self.spread.width)


@value
class RejectedSpread:
    """A spread that did not reach the menu, with the first rule that dropped it and by how much."""

    strategy: Strategy
    short_strike: Decimal
    long_strike: Decimal
    rule: str
    figure: str
    limit: str


@value
class Menu:
    candidates: tuple[Candidate, ...]
    """In the order shown to the analyst."""
    dropped: tuple[RejectedSpread, ...] = ()
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Dropped spreads by rule, most first."""
        totals: dict[str, int] = {}
        for spread in self.dropped:
            totals[spread.rule] = totals.get(spread.rule, 0) + 1
        return dict(sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])))

    def side(self, strategy: Strategy) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if candidate.spread.strategy is strategy)

    def find(self, candidate_id: str | None) -> Candidate | None:
        """The candidate with exactly this id; nothing is folded or trimmed."""
        return next((candidate for candidate in self.candidates if candidate.id == candidate_id), None)


@value
class Position:
    """One contract held in an account. `quantity` is negative when short."""

    symbol: str
    quantity: int
    average_price: Decimal | None = None


@value
class Account:
    """Facts of the account that decide size. Dollars."""

    number: str
    mode: Mode
    net_liquidation: Decimal
    buying_power: Decimal
    options_level: str
    """In the broker's words, to be shown."""
    permits_spreads: bool | None = None
    """False where the options level carries no credit spread; None where the broker tells no level."""
    positions: tuple[Position, ...] = field(default=())
    restrictions: tuple[str, ...] = ()
    """Why the broker lets this account open nothing, or nothing of this kind: `closing only`, `margin call` ..."""

    @property
    def masked_number(self) -> str:
        """The last four characters behind dots, the only form that is ever shown."""
        return "…" + self.number[-4:]


@value
class Exposure:
    """What our own book already risks, for sizing and limits. Dollars of maximum loss."""

    open_risk: Decimal = Decimal(0)
    """Open trades, and the unfilled part of what is approved or working."""
    open_trades: int = 0
    week_loss: Decimal = Decimal(0)
    """Realised loss of the New York week, positive when money was lost."""
    submits_today: int = 0
    submits_of_run: int = 0
    open_symbols: frozenset[str] = frozenset()
