"""The menu rules, applied to one spread in a fixed order, and the candidate built from a spread that passes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import chain, cycle
from typing import TYPE_CHECKING

from spy32.domain.market import Chain, Right
from spy32.domain.outlook import TradingCost
from spy32.domain.spreads import MULTIPLIER, ZERO, Action, Candidate, ExpectedValue, Leg, LegView, Spread, Strategy
from spy32.domain.value import value
from spy32.options.spreads import breakevens, max_loss
from spy32.quality.common import strike_step
from spy32.rules.pricing import (
    REFERENCE_SPOT,
    check_premium,
    floor_credit,
    max_leg_width,
    opening_costs,
    round_trip_costs,
    round_up_to_tick,
    spread_tick,
)
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.options.density import Density
    from spy32.options.surface import Smile

MIN_GRID = Decimal(1)
"""Strike step of SPY near the money, dollars. A scaled width can only be met to half a step."""


@value
class TradableLeg:
    """A leg with a two-sided quote: its view, and bid, ask and mid as exact dollars per share."""

    view: LegView
    bid: Decimal
    ask: Decimal
    mid: Decimal

    @property
    def strike(self) -> Decimal:
        return self.view.quote.strike

    @property
    def delta(self) -> float:
        """Absolute delta, 0 to 1."""
        return abs(self.view.delta)


@value
class PricedSpread:
    """A vertical or iron condor that is not a candidate yet. Prices are credits, dollars per share, a debit is
    negative; `width` is dollars, of an iron condor that of its widest wing."""

    strategy: Strategy
    sides: tuple[tuple[TradableLeg, TradableLeg], ...]
    """The sold and the bought leg of a vertical, or of the put and then of the call side of an iron condor."""
    floor: Decimal

    @property
    def short(self) -> TradableLeg:
        return self.sides[0][0]

    @property
    def long(self) -> TradableLeg:
        return self.sides[0][1]

    @property
    def width(self) -> Decimal:
        return max(abs(short.strike - long.strike) for short, long in self.sides)

    @property
    def natural(self) -> Decimal:
        return sum((short.bid - long.ask for short, long in self.sides), ZERO)

    @property
    def mid(self) -> Decimal:
        return sum((short.mid - long.mid for short, long in self.sides), ZERO)


@value
class MenuTerms:
    """The menu settings, scaled to one chain."""

    settings: Settings
    scale: Decimal
    """Spot divided by `REFERENCE_SPOT`; dollar widths of the settings are multiplied by it."""
    spot: float
    grid: Decimal
    """Distance between strikes near the money, dollars."""
    tick: Decimal
    """Price step of a spread, dollars per share."""
    has_open_interest: bool

    @classmethod
    def derive(cls, quoted: Chain, settings: Settings) -> "MenuTerms":
        """Return the terms for this chain, whose contracts are of one root."""
        root = next((quote.root for quote in quoted.quotes), quoted.underlying)
        return cls(
            settings=settings,
            scale=Decimal(str(quoted.spot)) / REFERENCE_SPOT,
            spot=quoted.spot,
            grid=max(MIN_GRID, Decimal(str(strike_step(quoted.quotes, quoted.spot)))),
            tick=spread_tick(root, settings.execution),
            # A source without open interest sends zeros, so all zeros means missing, not illiquid.
            has_open_interest=any(quote.open_interest for quote in quoted.quotes if quote.open_interest is not None),
        )

    def price(self, strategy: Strategy, *sides: tuple[TradableLeg, TradableLeg]) -> PricedSpread:
        """Return the spread of these sides. The floor of an iron condor is of the whole price, as one order has it."""
        pair = PricedSpread(strategy=strategy, sides=sides, floor=ZERO)
        floor = floor_credit(pair.natural, pair.mid, self.settings.execution.floor_share, self.tick)
        return replace(pair, floor=floor)

    def costs(self, pair: PricedSpread) -> tuple[Decimal, Decimal]:
        """Return the costs to open, and to open and close, dollars per contract."""
        legs, costs, root = 2 * len(pair.sides), self.settings.costs, pair.short.view.quote.root
        return opening_costs(1, costs, root, legs), round_trip_costs(1, costs, root, legs)


Violation = tuple[str, str] | None
"""Figure and limit of a rule that rejects the spread, as text; None when the spread passes."""


def _check_delta(pair: PricedSpread, terms: MenuTerms) -> Violation:
    low, high = terms.settings.choice.delta_low, terms.settings.choice.delta_high
    deltas = (short.delta for short, _ in pair.sides)
    return next(((f"{delta:.4f}", f"{low:.2f} to {high:.2f}") for delta in deltas if not low <= delta <= high), None)


def _check_width(pair: PricedSpread, terms: MenuTerms) -> Violation:
    choice = terms.settings.choice
    low, high = choice.width_low * terms.scale, choice.width_high * terms.scale
    for short, long in pair.sides:
        width = abs(short.strike - long.strike)
        if not low - terms.grid / 2 <= width <= high + terms.grid / 2:
            return f"{width}", f"{low:.2f} to {high:.2f}, to the nearest listed strike"
    return None


def _check_leg_quotes(pair: PricedSpread, terms: MenuTerms) -> Violation:
    for leg in chain.from_iterable(pair.sides):
        allowed = max_leg_width(leg.mid, terms.spot, terms.settings.choice)
        if not leg.ask - leg.bid <= allowed:
            return f"{leg.strike} is {leg.ask - leg.bid} wide", f"{allowed:.2f}"
    return None


def _check_open_interest(pair: PricedSpread, terms: MenuTerms) -> Violation:
    if not terms.has_open_interest:
        return None
    minimum = terms.settings.choice.open_interest
    for short, _ in pair.sides:
        open_interest = short.view.quote.open_interest
        if open_interest is None or open_interest < minimum:
            return "missing" if open_interest is None else f"{open_interest}", f"{minimum}"
    return None


def _check_natural_credit(pair: PricedSpread, terms: MenuTerms) -> Violation:
    if pair.strategy.is_debit:
        return None
    credits = (short.bid - long.ask for short, long in pair.sides)
    return next(((f"{credit}", "above 0") for credit in credits if not credit > 0), None)


def _premium_rule(rule: str) -> "MenuRule":
    def judge(pair: PricedSpread, terms: MenuTerms) -> Violation:
        findings = check_premium(pair.floor, pair.width, terms.costs(pair)[1], terms.settings.choice)
        return next(((finding.figure, finding.limit) for finding in findings if finding.rule == rule), None)

    return judge


def _check_credit_below_width(pair: PricedSpread, terms: MenuTerms) -> Violation:
    start = round_up_to_tick(pair.mid, terms.tick)
    return None if start < pair.width else (f"{start}", f"below {pair.width}")


def _check_debit_above_zero(pair: PricedSpread, terms: MenuTerms) -> Violation:
    """A debit that rounds to nothing at the mid is no price that an order can have."""
    start = round_up_to_tick(pair.mid, terms.tick)
    return (f"{-start}", "above 0") if pair.strategy.is_debit and not start < 0 else None


MenuRule = Callable[[PricedSpread, MenuTerms], Violation]

MENU_RULES: tuple[tuple[str, MenuRule], ...] = (
    ("delta", _check_delta),
    ("width", _check_width),
    ("leg_quotes", _check_leg_quotes),
    ("open_interest", _check_open_interest),
    ("natural_credit", _check_natural_credit),
    ("debit_above_zero", _check_debit_above_zero),
    ("credit_to_width", _premium_rule("credit_to_width")),
    ("costs_to_credit", _premium_rule("costs_to_credit")),
    ("credit_below_width", _check_credit_below_width),
    ("debit_to_width", _premium_rule("debit_to_width")),
    ("costs_to_profit", _premium_rule("costs_to_profit")),
)


def first_violation(pair: PricedSpread, terms: MenuTerms) -> tuple[str, str, str] | None:
    """Return rule, figure and limit of the first rule that rejects the spread; None when all pass."""
    for rule, judge in MENU_RULES:
        violation = judge(pair, terms)
        if violation is not None:
            return (rule, *violation)
    return None


def build_spread(pair: PricedSpread, underlying: str) -> Spread:
    """Return the opening spread: sell the short legs, buy the long ones. A debit spread names the bought leg first."""
    actions = cycle((Action.SELL_TO_OPEN, Action.BUY_TO_OPEN))
    parts = list(zip(chain.from_iterable(pair.sides), actions, strict=False))
    if pair.strategy.is_debit:
        parts.reverse()
    legs = tuple(
        Leg(
            root=leg.view.quote.root,
            expiration=leg.view.quote.expiration,
            strike=leg.strike,
            right=leg.view.quote.right,
            action=action,
        )
        for leg, action in parts
    )
    return Spread(underlying=underlying, strategy=pair.strategy, legs=legs)


def build_candidate(
    pair: PricedSpread, name: str, underlying: str, smile: "Smile", density: "Density", terms: MenuTerms
) -> Candidate:
    """Return the candidate as the analyst and the person see it, with id `name`.

    POP, breakevens and greeks are at the mid; the maximum loss is at the floor.
    """
    spread = build_spread(pair, underlying)
    mid_breakevens = breakevens(spread, pair.mid)
    costs, costs_round_trip = terms.costs(pair)
    strikes = {leg.right: leg.strike for leg in spread.shorts}
    candidate = Candidate(
        id=name,
        spread=spread,
        short=pair.short.view,
        long=pair.long.view,
        natural=pair.natural,
        mid=pair.mid,
        start=round_up_to_tick(pair.mid, terms.tick),
        floor=pair.floor,
        max_loss=max_loss(spread, pair.floor, costs),
        breakevens=mid_breakevens,
        greeks=smile.spread_greeks(spread),
        pop_market=_probability_between(_profit_range(spread, mid_breakevens), density),
        pop_history=None,
        ev=ExpectedValue(),
        costs=costs,
        costs_round_trip=costs_round_trip,
        worthless_market=_probability_between((strikes.get(Right.PUT), strikes.get(Right.CALL)), density),
        calls=tuple(leg.view for leg in chain.from_iterable(pair.sides[1:])),
    )
    cost = trading_cost(candidate, smile.discount, terms.settings)
    return replace(candidate, ev=ExpectedValue(market_expiry=cost.total))


def trading_cost(candidate: Candidate, discount: float, settings: Settings) -> TradingCost:
    """Return the market's expected value of a spread that is held to expiration; it needs no density."""
    mid, costs, legs = float(candidate.mid), settings.costs, len(candidate.spread.legs)
    commissions = legs * min(costs.commission, costs.commission_cap)
    return TradingCost(
        interest=-(1 / discount - 1) * mid * MULTIPLIER,
        slippage=-float(costs.slippage * (candidate.mid - candidate.natural)) * MULTIPLIER,
        commissions=-commissions,
        fees=commissions - candidate.costs,
    )


Range = tuple[Decimal | None, Decimal | None]
"""Lower and upper price of the underlying; None is open."""


def _profit_range(spread: Spread, breakevens: Sequence[Decimal]) -> Range:
    """Return the prices at expiration that profit: between both breakevens of an iron condor, or of a single one the
    side with the short strike, where a credit spread keeps its credit and a debit spread earns the most."""
    low, high = breakevens[0], breakevens[-1]
    if low < high:
        return low, high
    return (low, None) if low < spread.short.strike else (None, low)


def _probability_between(bounds: Range, density: "Density") -> float:
    low, high = bounds
    if high is None:
        return 1.0 - density.probability_below(float(low or 0))
    below = density.probability_below(float(high))
    return below if low is None else below - density.probability_below(float(low))
