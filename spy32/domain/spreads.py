"""Legs, spreads, candidates and the menu; the account and its exposure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from spy32.domain.market import OCC, OCC_LENGTH, OptionQuote, Right, occ_symbol, parse_occ_symbol
from spy32.domain.outlook import Outlook
from spy32.domain.units import Dollars, ModelDollars, Points, Price
from spy32.domain.value import value

ZERO, CENT = Decimal(0), Decimal("0.01")
MULTIPLIER = 100
"""Shares per contract (OCC standard). Adjusted contracts with another deliverable are refused when data is read."""


class Mode(StrEnum):
    """Where orders go: our own simulation, the certification host of tastytrade, or the real account."""

    PAPER = "paper"
    SANDBOX = "sandbox"
    LIVE = "live"


class ExitAuthority(StrEnum):
    """Who approves the closing orders of a trade."""

    ASK = "ask"
    """A person approves each one."""
    PLAN = "plan"
    """The approval of the opening covers the exits of its plan."""


class Strategy(StrEnum):
    """The kind of spread. The value is stored, appears in JSON and is a setting."""

    PUT_CREDIT = "put_credit_spread"
    CALL_CREDIT = "call_credit_spread"
    IRON_CONDOR = "iron_condor"
    PUT_DEBIT = "put_debit_spread"
    CALL_DEBIT = "call_debit_spread"

    @property
    def is_debit(self) -> bool:
        """Whether opening it pays premium."""
        return self in (Strategy.PUT_DEBIT, Strategy.CALL_DEBIT)

    @property
    def short_name(self) -> str:
        """`put`, `call`, `condor`, `put debit` or `call debit`: without a word a credit spread is meant."""
        return self.value.removeprefix("iron_").removesuffix("_spread").removesuffix("_credit").replace("_", " ")


class Action(StrEnum):
    """The action of a leg, as tastytrade's API writes it (FIX: Side 54 with PositionEffect 77)."""

    SELL_TO_OPEN = "Sell to Open"
    BUY_TO_OPEN = "Buy to Open"
    BUY_TO_CLOSE = "Buy to Close"
    SELL_TO_CLOSE = "Sell to Close"

    @property
    def sign(self) -> int:
        """+1 for a sale, which receives premium; -1 for a purchase, which pays it."""
        return 1 if self in (Action.SELL_TO_OPEN, Action.SELL_TO_CLOSE) else -1

    @property
    def opens(self) -> bool:
        return self in (Action.SELL_TO_OPEN, Action.BUY_TO_OPEN)

    @property
    def closing(self) -> "Action":
        """The closing action for an opening one. Raises KeyError for a closing action."""
        return {Action.SELL_TO_OPEN: Action.BUY_TO_CLOSE, Action.BUY_TO_OPEN: Action.SELL_TO_CLOSE}[self]


@value
class Leg:
    """One leg of a spread. `quantity` is contracts per spread, at least 1. Raises ValueError for values <= 0."""

    root: str
    expiration: date
    strike: Points
    right: Right
    action: Action
    quantity: int = 1

    def __post_init__(self) -> None:
        if self.quantity < 1 or self.strike <= 0:
            raise ValueError("a leg has a positive strike and at least one contract")

    @classmethod
    def parse_symbol(cls, symbol: str, action: Action, quantity: int = 1) -> "Leg":
        """The leg of an OCC symbol; ValueError when it is none."""
        return cls(**parse_occ_symbol(symbol)._asdict(), action=action, quantity=quantity)

    @property
    def symbol(self) -> str:
        """The OCC symbol."""
        return occ_symbol(self.root, self.expiration, self.right, self.strike)

    @property
    def is_sold(self) -> bool:
        return self.action.sign > 0

    @property
    def signed_quantity(self) -> int:
        """Contracts per spread that the leg adds to a position; negative when sold."""
        return -self.action.sign * self.quantity


def whole_order(legs: Iterable[Leg], quantity: int) -> tuple[Leg, ...]:
    """The legs with their contracts of the whole order, not of one spread."""
    return tuple(replace(leg, quantity=leg.quantity * quantity) for leg in legs)


def price_effect(legs: Sequence[Leg]) -> int:
    """Return +1 when the legs must receive a credit, -1 when they must pay a debit, whatever the quotes say: by no
    arbitrage the put with the higher strike, or the call with the lower one, costs at least as much.

    Raises ValueError when the legs are not verticals or do not agree."""
    signs = {sign for sign, _ in _verticals(legs)}
    if len(signs) != 1:
        raise ValueError("the legs do not agree on a credit or a debit")
    return signs.pop()


def max_width(legs: Sequence[Leg]) -> Points:
    """Return the points between the strikes of the widest vertical. Raises ValueError as `price_effect` does."""
    return max(width for _, width in _verticals(legs))


def value_bounds(legs: Sequence[Leg]) -> tuple[Points, Points]:
    """Return the least and the most that the legs are worth at expiration, dollars per share: -width to 0 for a credit,
    of the widest vertical since only one side of an iron condor ends in the money; 0 to width for a debit."""
    width = max_width(legs)
    return (-width, ZERO) if price_effect(legs) > 0 else (ZERO, width)


def _verticals(legs: Sequence[Leg]) -> list[tuple[int, Decimal]]:
    """Return the sign of the premium and the width (dollars) of the vertical of each right."""
    verticals = []
    for right in {leg.right for leg in legs}:
        both = sorted((leg for leg in legs if leg.right is right), key=lambda leg: leg.is_sold)
        series = {(leg.root, leg.expiration, leg.quantity) for leg in both}
        if [leg.is_sold for leg in both] != [False, True] or len(series) != 1 or both[0].strike == both[1].strike:
            raise ValueError(
                "not a vertical: it needs one leg sold and one bought of each right that differ in the strike alone"
            )
        long, short = both
        difference = short.strike - long.strike if right is Right.PUT else long.strike - short.strike
        verticals.append((1 if difference > 0 else -1, abs(difference)))
    return verticals


@value
class Spread:
    """Two to four legs of one expiration with defined risk: every short leg has a long one.

    Raises ValueError otherwise.
    """

    underlying: str
    strategy: Strategy
    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        expirations, symbols = {leg.expiration for leg in self.legs}, {leg.symbol for leg in self.legs}
        is_covered = len(self.shorts) * 2 == len(self.legs)
        if not (2 <= len(self.legs) <= 4 and len(expirations) == 1 and len(symbols) == len(self.legs) and is_covered):
            raise ValueError("a spread has two to four different legs of one expiration, as many sold as bought")

    @property
    def expiration(self) -> date:
        return self.legs[0].expiration

    @property
    def short(self) -> Leg:
        """The first sold leg."""
        return self.shorts[0]

    @property
    def long(self) -> Leg:
        """The first bought leg."""
        return next(leg for leg in self.legs if not leg.is_sold)

    @property
    def right(self) -> Right:
        """The right of the short leg."""
        return self.short.right

    @property
    def shorts(self) -> tuple[Leg, ...]:
        return tuple(leg for leg in self.legs if leg.is_sold)

    @property
    def width(self) -> Points:
        """Points between the strikes of a vertical, the widest of an iron condor."""
        return max_width(self.legs)


@value
class Greeks:
    """Greeks of one spread, per share, from our side. Theta is dollars a calendar day, vega dollars a vol point."""

    delta: float
    gamma: float
    theta: float
    """Dollars a calendar day."""
    vega: float
    """Dollars a volatility point."""


@value
class LegView:
    """A leg with its quote, implied vol (a fraction) and signed delta at the time the menu was built."""

    quote: OptionQuote
    iv: float
    delta: float


@value
class ExpectedValue:
    """Expected profit, dollars per contract after costs; None where it is not computed.

    `market_*` uses the density that the option prices imply, `history_*` the underlying's past returns. `*_expiry`
    holds to expiration, `*_plan` follows the exit plan.
    """

    market_expiry: ModelDollars | None = None
    """The chain's density, held to expiration."""
    market_plan: ModelDollars | None = None
    """The chain's density, under the exit plan."""
    history_expiry: ModelDollars | None = None
    """Own past, held to expiration."""
    history_plan: ModelDollars | None = None
    """Own past, under the exit plan."""


@value
class Candidate:
    """A priced and checked spread. Prices are credits a share, a debit is negative; dollar amounts are per contract."""

    id: str
    spread: Spread
    short: LegView
    """Of the sold leg; of an iron condor the put."""
    long: LegView
    """Of the bought leg; of an iron condor the put."""
    natural: Price
    """Sell at the bid, buy at the ask."""
    mid: Price
    """Middle of bid and ask."""
    start: Price
    """The first limit: mid rounded up to the tick."""
    floor: Price
    """Never below it."""
    max_loss: Dollars
    """(width - floor) x 100 + costs to open, by the widest wing; of a debit spread the debit at the floor with them."""
    breakevens: tuple[Price, ...]
    """At the mid."""
    greeks: Greeks
    pop_market: float
    """POP: probability of any profit at expiration, sold at the mid, under the density that the chain implies."""
    pop_history: float | None
    """Under the underlying's own past; None until it is computed."""
    ev: ExpectedValue
    costs: Dollars
    """Commission, clearing and regulatory fees to open."""
    costs_round_trip: Dollars
    """The same to open and to close."""
    worthless_market: float | None = None
    """Probability that the short strike ends out of the money, under the density that the chain implies. None in runs
    before 0.4."""
    outlook: Outlook | None = None
    """Probabilities and expected values with their laws. None in runs before 0.4."""
    calls: tuple[LegView, ...] = ()
    """The sold and the bought call of an iron condor; empty for a vertical."""

    @property
    def views(self) -> Mapping[str, LegView]:
        """The legs by their OCC symbols."""
        return {view.quote.symbol: view for view in (self.short, self.long, *self.calls)}

    @property
    def p_profit(self) -> float:
        """The market's probability of any profit at expiration, 0 to 1: after costs, in older runs before them."""
        return self.outlook.expiry.market.probabilities.profit if self.outlook is not None else self.pop_market

    @property
    def p_worthless(self) -> float:
        """The market's probability that the spread expires worthless, 0 to 1, by the density of the run.

        Runs before 0.4 did not store it; for them it is 1 - |short delta|, which is 2 to 10 points too low for puts
        and too high for calls.
        """
        stated = self.outlook.expiry.market.probabilities.worthless if self.outlook is not None else None
        if stated is not None:
            return stated
        return self.worthless_market if self.worthless_market is not None else 1.0 - self.short_delta

    @property
    def p_max_profit(self) -> float:
        """The market's probability of the largest possible profit at expiration, 0 to 1. Without an outlook that of a
        debit spread is the probability that its short strike ends in the money."""
        if self.outlook is not None:
            return self.outlook.expiry.market.probabilities.max_profit
        return 1.0 - self.p_worthless if self.spread.strategy.is_debit else self.p_worthless

    @property
    def short_delta(self) -> float:
        """Absolute delta of the short leg, 0 to 1; of an iron condor the larger one."""
        return max(abs(view.delta) for view in (self.short, *self.calls[:1]))

    @property
    def credit_to_width(self) -> float:
        """Credit at the floor as a share of the width; negative for a debit."""
        return float(self.floor / self.spread.width)


@value
class RejectedSpread:
    """A spread that is not on the menu, with the first rule that rejected it, its figure and the limit."""

    strategy: Strategy
    short_strike: Points
    long_strike: Points
    rule: str
    """The first rule that dropped it."""
    figure: str
    limit: str


@value
class Menu:
    """The candidates that an analyst may choose from, and the rejected spreads."""

    candidates: tuple[Candidate, ...]
    """In the order shown to the analyst, which is shuffled by `seed`."""
    dropped: tuple[RejectedSpread, ...] = ()
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of rejected spreads by rule, most first."""
        totals = Counter(spread.rule for spread in self.dropped)
        return dict(sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])))

    def side(self, strategy: Strategy) -> tuple[Candidate, ...]:
        """Return the candidates of one strategy, in menu order."""
        return tuple(candidate for candidate in self.candidates if candidate.spread.strategy is strategy)

    def find(self, candidate_id: str | None) -> Candidate | None:
        """Return the candidate with exactly this id, or None. Case and spaces count."""
        return next((candidate for candidate in self.candidates if candidate.id == candidate_id), None)


@value
class Position:
    """One contract, or the shares of one ticker, held in an account. `quantity` is negative for a short position."""

    symbol: str
    quantity: int
    average_price: Decimal | None = None
    """Dollars per share."""

    @property
    def is_option(self) -> bool:
        """Whether the symbol is an OCC symbol; otherwise it is that of shares, or of a future or an option on one."""
        return len(self.symbol) == OCC_LENGTH and OCC.fullmatch(self.symbol) is not None


@value
class Account:
    """The account as the broker states it. Amounts are dollars."""

    number: str
    mode: Mode
    net_liquidation: Dollars
    buying_power: Dollars
    options_level: str
    """In the broker's words, to be shown."""
    permits_spreads: bool | None = None
    """False where the options level carries no credit spread; None where the broker tells no level."""
    positions: tuple[Position, ...] = ()
    restrictions: tuple[str, ...] = ()
    """The broker's restrictions on opening spreads, such as `closing only` or `margin call`."""

    @property
    def masked_number(self) -> str:
        """The last four characters after an ellipsis. Output shows the number only in this form."""
        return "…" + self.number[-4:]
