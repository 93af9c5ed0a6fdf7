"""The menu rules, applied to one spread in a fixed order, and the candidate built from a spread that passes."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.market import Chain
from spy32.domain.outlook import TradingCost
from spy32.domain.proposals import Finding
from spy32.domain.spreads import MULTIPLIER, Action, Candidate, ExpectedValue, Leg, LegView, Spread, Strategy
from spy32.domain.value import value
from spy32.options.spreads import breakevens, max_loss
from spy32.quality.common import strike_step
from spy32.rules.pricing import (
    REFERENCE_SPOT,
    check_credit,
    floor_credit,
    max_leg_width,
    opening_costs,
    round_trip_costs,
    round_up_to_tick,
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
class Vertical:
    """A vertical that is not a candidate yet. Prices are credits, dollars per share; `width` is dollars."""

    strategy: Strategy
    short: TradableLeg
    long: TradableLeg
    width: Decimal
    natural: Decimal
    mid: Decimal
    floor: Decimal


@value
class MenuTerms:
    """The menu settings, scaled to one chain."""

    settings: Settings
    scale: Decimal
    """Spot divided by `REFERENCE_SPOT`; dollar widths of the settings are multiplied by it."""
    spot: float
    grid: Decimal
    """Distance between strikes near the money, dollars."""
    has_open_interest: bool
    opening_costs: Decimal
    costs_round_trip: Decimal

    @classmethod
    def derive(cls, chain: Chain, settings: Settings) -> "MenuTerms":
        """Return the terms for this chain."""
        return cls(
            settings=settings,
            scale=Decimal(str(chain.spot)) / REFERENCE_SPOT,
            spot=chain.spot,
            grid=max(MIN_GRID, Decimal(str(strike_step(chain.quotes, chain.spot)))),
            # A source without open interest sends zeros, so all zeros means missing, not illiquid.
            has_open_interest=any(quote.open_interest for quote in chain.quotes if quote.open_interest is not None),
            opening_costs=opening_costs(1, settings.costs),
            costs_round_trip=round_trip_costs(1, settings.costs),
        )

    def pair(self, strategy: Strategy, short: TradableLeg, long: TradableLeg) -> Vertical:
        """Return the vertical of two legs, with natural price, mid and floor."""
        natural, mid = short.bid - long.ask, short.mid - long.mid
        execution = self.settings.execution
        return Vertical(
            strategy=strategy,
            short=short,
            long=long,
            width=abs(short.strike - long.strike),
            natural=natural,
            mid=mid,
            floor=floor_credit(natural, mid, execution.floor_share, execution.tick),
        )


Violation = tuple[str, str] | None
"""Figure and limit of a rule that rejects the spread, as text; None when the spread passes."""


def _check_delta(pair: Vertical, terms: MenuTerms) -> Violation:
    low, high = terms.settings.choice.delta_low, terms.settings.choice.delta_high
    return None if low <= pair.short.delta <= high else (f"{pair.short.delta:.4f}", f"{low:.2f} to {high:.2f}")


def _check_width(pair: Vertical, terms: MenuTerms) -> Violation:
    choice = terms.settings.choice
    low, high = choice.width_low * terms.scale, choice.width_high * terms.scale
    if low - terms.grid / 2 <= pair.width <= high + terms.grid / 2:
        return None
    return f"{pair.width}", f"{low:.2f} to {high:.2f}, to the nearest listed strike"


def _check_leg_quotes(pair: Vertical, terms: MenuTerms) -> Violation:
    for leg in (pair.short, pair.long):
        allowed = max_leg_width(leg.mid, terms.spot, terms.settings.choice)
        if not leg.ask - leg.bid <= allowed:
            return f"{leg.strike} is {leg.ask - leg.bid} wide", f"{allowed:.2f}"
    return None


def _check_open_interest(pair: Vertical, terms: MenuTerms) -> Violation:
    if not terms.has_open_interest:
        return None
    open_interest, minimum = pair.short.view.quote.open_interest, terms.settings.choice.open_interest
    return (
        None
        if open_interest is not None and open_interest >= minimum
        else ("missing" if open_interest is None else f"{open_interest}", f"{minimum}")
    )


def _check_natural_credit(pair: Vertical, terms: MenuTerms) -> Violation:
    return None if pair.natural > 0 else (f"{pair.natural}", "above 0")


def _credit_rule(rule: str) -> "MenuRule":
    def judge(pair: Vertical, terms: MenuTerms) -> Violation:
        findings: list[Finding] = [
            finding
            for finding in check_credit(pair.floor, pair.width, terms.costs_round_trip, terms.settings.choice)
            if finding.rule == rule
        ]
        return (findings[0].figure, findings[0].limit) if findings else None

    return judge


def _check_credit_below_width(pair: Vertical, terms: MenuTerms) -> Violation:
    start = round_up_to_tick(pair.mid, terms.settings.execution.tick)
    return None if start < pair.width else (f"{start}", f"below {pair.width}")


MenuRule = Callable[[Vertical, MenuTerms], Violation]

MENU_RULES: tuple[tuple[str, MenuRule], ...] = (
    ("delta", _check_delta),
    ("width", _check_width),
    ("leg_quotes", _check_leg_quotes),
    ("open_interest", _check_open_interest),
    ("natural_credit", _check_natural_credit),
    ("credit_to_width", _credit_rule("credit_to_width")),
    ("costs_to_credit", _credit_rule("costs_to_credit")),
    ("credit_below_width", _check_credit_below_width),
)


def first_violation(pair: Vertical, terms: MenuTerms) -> tuple[str, str, str] | None:
    """Return rule, figure and limit of the first rule that rejects the spread; None when all pass."""
    for rule, judge in MENU_RULES:
        violation = judge(pair, terms)
        if violation is not None:
            return (rule, *violation)
    return None


def build_spread(pair: Vertical, underlying: str) -> Spread:
    """Return the opening spread: sell the short leg, buy the long one."""
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


def build_candidate(
    pair: Vertical, name: str, underlying: str, smile: "Smile", density: "Density", terms: MenuTerms
) -> Candidate:
    """Return the candidate as the analyst and the person see it, with id `name`.

    POP, breakevens and greeks are at the mid; the maximum loss is at the floor.
    """
    spread = build_spread(pair, underlying)
    mid_breakevens = breakevens(spread, pair.mid)
    probability = density.probability_above if pair.strategy is Strategy.PUT_CREDIT else density.probability_below
    candidate = Candidate(
        id=name,
        spread=spread,
        short=pair.short.view,
        long=pair.long.view,
        natural=pair.natural,
        mid=pair.mid,
        start=round_up_to_tick(pair.mid, terms.settings.execution.tick),
        floor=pair.floor,
        max_loss=max_loss(spread, pair.floor, terms.opening_costs),
        breakevens=mid_breakevens,
        greeks=smile.spread_greeks(spread),
        pop_market=float(probability(float(mid_breakevens[0]))),
        pop_history=None,
        ev=ExpectedValue(),
        costs=terms.opening_costs,
        costs_round_trip=terms.costs_round_trip,
        worthless_market=float(probability(float(pair.short.strike))),
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
