"""One spread against the rules of the menu, in a fixed order, and what a spread that passes is worth."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.deciding import Finding
from spy32.domain.market import Chain
from spy32.domain.trading import Action, Candidate, ExpectedValue, Leg, LegView, Spread, Strategy
from spy32.options.spreads import breakevens, max_loss, profit
from spy32.rules import costs
from spy32.rules.gate_parts import strike_step
from spy32.rules.pricing import REFERENCE_SPOT, floor_of, tick_up, widest, worth
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.options.density import Density
    from spy32.options.surface import Smile

LEAST_GRID = Decimal(1)
"""Dollars between strikes near the money, at best on SPY: a scaled width can be met to half of that only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A leg that could be traded: its view with exact bid, ask and mid."""

    view: LegView
    bid: Decimal
    ask: Decimal
    mid: Decimal

    @property
    def strike(self) -> Decimal:
        return self.view.quote.strike

    @property
    def delta(self) -> float:
        """Absolute."""
        return abs(self.view.delta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A vertical before it is a candidate, with its prices."""

    strategy: Strategy
    short: Quoted
    long: Quoted
    width: Decimal
    natural: Decimal
    mid: Decimal
    floor: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings as they apply to one chain."""

    settings: Settings
    scale: Decimal
    """Price of the underlying over the one that dollar widths are meant at."""
    spot: float
    grid: Decimal
    """Dollars between the strikes near the money."""
    knows_open_interest: bool
    costs_open: Decimal
    costs_round_trip: Decimal

    @classmethod
    def of(cls, chain: Chain, settings: Settings) -> "Terms":
        return cls(
            settings=settings,
            scale=Decimal(str(chain.spot)) / REFERENCE_SPOT,
            spot=chain.spot,
            grid=max(LEAST_GRID, Decimal(str(strike_step(chain.quotes, chain.spot)))),
            # A source that sends no open interest sends zeros: all zero is missing, not illiquid.
            knows_open_interest=any(quote.open_interest for quote in chain.quotes if quote.open_interest is not None),
            costs_open=costs.to_open(1, settings.costs),
            costs_round_trip=costs.round_trip(1, settings.costs),
        )

    def pair(self, strategy: Strategy, short: Quoted, long: Quoted) -> Pair:
        natural, mid = short.bid - long.ask, short.mid - long.mid
        execution = self.settings.execution
        return Pair(
            strategy=strategy,
            short=short,
            long=long,
            width=abs(short.strike - long.strike),
            natural=natural,
            mid=mid,
            floor=floor_of(natural, mid, execution.floor_share, execution.tick),
        )


Judged = tuple[str, str] | None
"""Figure and limit of a rule that drops the spread; None when it passes."""


def _delta(pair: Pair, terms: Terms) -> Judged:
    low, high = terms.settings.choice.delta_low, terms.settings.choice.delta_high
    return None if low <= pair.short.delta <= high else (f"{pair.short.delta:.4f}", f"{low:.2f} to {high:.2f}")


def _width(pair: Pair, terms: Terms) -> Judged:
    choice = terms.settings.choice
    low, high = choice.width_low * terms.scale, choice.width_high * terms.scale
    if low - terms.grid / 2 <= pair.width <= high + terms.grid / 2:
        return None
    return f"{pair.width}", f"{low:.2f} to {high:.2f}, to the nearest listed strike"


def _leg_quotes(pair: Pair, terms: Terms) -> Judged:
    for leg in (pair.short, pair.long):
        allowed = widest(leg.mid, terms.spot, terms.settings.choice)
        if not leg.ask - leg.bid <= allowed:
            return f"{leg.strike} is {leg.ask - leg.bid} wide", f"{allowed:.2f}"
    return None


def _open_interest(pair: Pair, terms: Terms) -> Judged:
    if not terms.knows_open_interest:
        return None
    held, least = pair.short.view.quote.open_interest, terms.settings.choice.open_interest
    return None if held is not None and held >= least else ("missing" if held is None else f"{held}", f"{least}")


def _natural(pair: Pair, terms: Terms) -> Judged:
    return None if pair.natural > 0 else (f"{pair.natural}", "above 0")


def _worth(rule: str) -> "Judge":
    def judge(pair: Pair, terms: Terms) -> Judged:
        found: list[Finding] = [
            finding
            for finding in worth(pair.floor, pair.width, terms.costs_round_trip, terms.settings.choice)
            if finding.rule == rule
        ]
        return (found[0].figure, found[0].limit) if found else None

    return judge


def _below_width(pair: Pair, terms: Terms) -> Judged:
    start = tick_up(pair.mid, terms.settings.execution.tick)
    return None if start < pair.width else (f"{start}", f"below {pair.width}")


Judge = Callable[[Pair, Terms], Judged]

RULES: tuple[tuple[str, Judge], ...] = (
    ("delta", _delta),
    ("width", _width),
    ("leg_quotes", _leg_quotes),
    ("open_interest", _open_interest),
    ("natural_credit", _natural),
    ("credit_to_width", _worth("credit_to_width")),
    ("costs_to_credit", _worth("costs_to_credit")),
    ("credit_below_width", _below_width),
)


def first_against(pair: Pair, terms: Terms) -> tuple[str, str, str] | None:
    """Rule, figure and limit of the first rule that drops the spread, or None."""
    for rule, judge in RULES:
        found = judge(pair, terms)
        if found is not None:
            return (rule, *found)
    return None


def spread_of(pair: Pair, underlying: str) -> Spread:
    parts = ((pair.short, Action.SELL_TO_OPEN), (pair.long, Action.BUY_TO_OPEN))
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


def candidate_of(pair: Pair, name: str, underlying: str, smile: "Smile", density: "Density", terms: Terms) -> Candidate:
    """The spread as the analyst and the person see it."""
    spread = spread_of(pair, underlying)
    at_mid = breakevens(spread, pair.mid)
    wins = density.above if pair.strategy is Strategy.PUT_CREDIT else density.below
    return Candidate(
        id=name,
        spread=spread,
        short=pair.short.view,
        long=pair.long.view,
        natural=pair.natural,
        mid=pair.mid,
        start=tick_up(pair.mid, terms.settings.execution.tick),
        floor=pair.floor,
        max_loss=max_loss(spread, pair.floor, terms.costs_open),
        breakevens=at_mid,
        greeks=smile.greeks_of(spread),
        pop_market=float(wins(float(at_mid[0]))),
        pop_history=None,
        ev=ExpectedValue(market_expiry=_expected(pair, spread, density, terms)),
        costs=terms.costs_open,
        costs_round_trip=terms.costs_round_trip,
        worthless_market=float(wins(float(pair.short.strike))),
    )


def _expected(pair: Pair, spread: Spread, density: "Density", terms: Terms) -> float:
    """Dollars a contract, held to expiration: sold at the mid less slippage, less the costs to open."""
    credit = pair.mid - terms.settings.costs.slippage * (pair.mid - pair.natural)
    return float(density.expect(lambda prices: profit(spread, credit, prices))) - float(terms.costs_open)
