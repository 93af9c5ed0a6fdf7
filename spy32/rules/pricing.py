"""Prices of a spread from its legs' quotes, limits on their move, trading costs, and the greeks of single legs.

Credits are dollars per share, debits negative. Costs are dollars per contract (one spread), rounded up to the cent.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import exp, isfinite, isnan
from typing import TYPE_CHECKING

from spy32.domain.findings import Finding, violation
from spy32.domain.market import LegQuotes, OptionQuote, Right
from spy32.domain.option_class import NICKEL, class_of_root
from spy32.domain.orders import limit_text
from spy32.domain.proposals import PricePlan
from spy32.domain.spreads import CENT, MULTIPLIER, ZERO, Candidate, Greeks, Leg
from spy32.domain.value import value
from spy32.sessions import years_to_expiration
from spy32.settings import Settings
from spy32.settings.model import Choice, Costs, Drift, Execution

if TYPE_CHECKING:
    from spy32.options.european import Contracts

PRICE_RULES = frozenset({"two_sided", "leg_width", "underlying", "credit_fall", "limit_price"})
"""Names of the rules that compare fresh quotes with the displayed prices."""
REFERENCE_SPOT = 600
"""Dollars. Dollar widths of the settings are meant at this price (SPY's, when they were chosen) and scale with it."""
LEGS_PER_SPREAD = 2

GREEK_NAMES = ("delta", "gamma", "theta", "vega")
DIVIDEND_YIELD = 0.012
"""Fraction a year, about what large S&P 500 funds pay. The actual yield of one month is a whole quarterly dividend or
none, so this is only an average."""


def bid_and_ask(quote: OptionQuote | None) -> tuple[Decimal, Decimal] | None:
    """Return bid and ask, dollars per share; None when a side is missing or not finite, or the quote is crossed."""
    if quote is None or quote.bid is None or quote.ask is None:
        return None
    if not (0 <= quote.bid <= quote.ask and quote.ask > 0 and isfinite(quote.ask)):
        return None
    return Decimal(str(quote.bid)), Decimal(str(quote.ask))


def natural_and_mid(legs: Sequence[Leg], quotes: Mapping[str, OptionQuote]) -> tuple[Decimal, Decimal] | None:
    """Return the net credit at natural prices (sell at the bid, buy at the ask) and at the mids.

    None when a leg has no two-sided quote.
    """
    natural = mid = ZERO
    for leg in legs:
        quote_sides = bid_and_ask(quotes.get(leg.symbol))
        if quote_sides is None:
            return None
        bid, ask = quote_sides
        natural -= leg.signed_quantity * (bid if leg.is_sold else ask)
        mid -= leg.signed_quantity * (bid + ask) / 2
    return natural, mid


def least_tick(root: str) -> Decimal:
    """Return the smallest price step that the exchange takes of a spread, dollars per share; a cent without a class."""
    found = class_of_root(root)
    return found.spread_tick if found is not None else CENT


def spread_tick(root: str, execution: Execution) -> Decimal:
    """Return the price step of a spread, dollars per share: the set one, or the class's where that is no multiple."""
    least = least_tick(root)
    return execution.tick if execution.tick % least == 0 else least


def round_up_to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """Return the lowest multiple of the tick that is not below `price`: more credit, or less debit."""
    return (price / tick).to_integral_value(ROUND_CEILING) * tick


def round_down_to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """Return the highest multiple of the tick that is not above `price`."""
    return (price / tick).to_integral_value(ROUND_FLOOR) * tick


def is_on_tick(price: Decimal, tick: Decimal) -> bool:
    """Return whether the price is a multiple of the tick."""
    return price % tick == 0


def percent(share: Decimal | float) -> str:
    """Return a fraction as a person writes it: 0.0075 is `0.75%`."""
    return f"{float(share) * 100:.4g}%"


def floor_credit(natural: Decimal, mid: Decimal, share: Decimal, tick: Decimal) -> Decimal:
    """Return the least acceptable credit: the mid less `share` of (mid - natural), rounded up to the tick. A debit is
    negative, so that of it is the most acceptable one."""
    return round_up_to_tick(mid - share * (mid - natural), tick)


def paper_threshold(natural: Decimal, mid: Decimal, share: Decimal) -> Decimal:
    """Return the highest limit that fills on paper, a credit: the mid less `share` of half of (mid - natural).

    That half is what a price plan gives up by default, before its floor is rounded up to the tick: a share of 0 fills
    at the mid, and 1 would need the whole of it.
    """
    return mid - share * (mid - natural) / 2


def paper_fill(plan: PricePlan, natural: Decimal, mid: Decimal, share: Decimal) -> Decimal | None:
    """Return the first limit of a price plan that fills on paper at these quotes, a credit; None when none does."""
    threshold = paper_threshold(natural, mid, share)
    return next((limit for limit in plan.prices if limit <= threshold), None)


def check_premium(floor: Decimal, width: Decimal, round_trip: Decimal, choice: Choice) -> Iterator[Finding]:
    """Check a premium at the floor: a credit must be a large enough share of the width, a debit a small enough one, and
    costs a small share of the largest profit, which for a credit is the credit.

    `floor` (a debit is negative) and `width` are dollars per share; `round_trip` is costs to open and close, dollars
    per contract.
    """
    is_debit, price = floor < 0, abs(floor)
    share, profit = (choice.debit_to_width, width - price) if is_debit else (choice.credit_to_width, price)
    bound, premium = share * width, "debit" if is_debit else "credit"
    if not (price <= bound if is_debit else price >= bound):
        side = "over" if is_debit else "under"
        yield violation(
            f"{premium}_to_width",
            f"a {premium} of {price} is {side} {bound:.2f}, {percent(share)} of the width",
            f"{price} ({price / width:.1%} of width)",
            f"{bound:.2f} ({percent(share)} of width)",
        )
    max_costs, share_text = choice.costs_to_credit * profit * MULTIPLIER, percent(choice.costs_to_credit)
    if not round_trip <= max_costs:
        base = "largest profit" if is_debit else "credit"
        message = f"costs of {round_trip} are over {max_costs:.2f}, {share_text} of the {base} at the floor"
        limit = f"{max_costs:.2f} ({share_text} of the {base} at the floor)"
        yield violation("costs_to_profit" if is_debit else "costs_to_credit", message, round_trip, limit)


def check_prices(candidate: Candidate, spot: float, quotes: LegQuotes, settings: Settings) -> tuple[Finding, ...]:
    """Return a finding for each limit by which fresh quotes differ too much from the menu. `spot` is the menu's."""
    drift, legs = settings.drift, candidate.spread.legs
    prices = natural_and_mid(legs, quotes.quotes)
    findings = list(check_underlying_move(spot, quotes.spot, drift))
    if prices is None:
        return (*findings, *check_two_sided(legs, quotes))
    if wide := tuple(check_leg_widths(legs, quotes, settings.choice)):
        return (*findings, *wide)
    natural, mid = prices
    findings += check_credit_fall(candidate.mid, mid, drift)
    tick = spread_tick(legs[0].root, settings.execution)
    findings += check_price_collar(candidate.start, natural, mid, tick, drift)
    return tuple(findings)


def check_two_sided(legs: Sequence[Leg], quotes: LegQuotes) -> Iterator[Finding]:
    """Yield a finding for each leg without a two-sided quote."""
    for leg in legs:
        quote = quotes.quotes.get(leg.symbol)
        if bid_and_ask(quote) is None:
            quote_text = "no quote" if quote is None else f"bid {quote.bid}, ask {quote.ask}"
            message = f"{leg.strike} {leg.right} has no two-sided quote ({quote_text})"
            yield violation("two_sided", message, quote_text, "0 <= bid <= ask")


def max_leg_width(mid: Decimal, spot: float, choice: Choice) -> Decimal:
    """Return the widest bid-ask spread at which a leg's mid is still a usable price, dollars per share.

    On cheap shares too it is a nickel, the narrowest market of a class that quotes in nickels.
    """
    scale = Decimal(str(spot)) / REFERENCE_SPOT if isfinite(spot) else Decimal(1)
    return max(choice.leg_width * scale, min(choice.leg_width, NICKEL), choice.leg_width_of_mid * mid)


def check_leg_widths(legs: Sequence[Leg], quotes: LegQuotes, choice: Choice) -> Iterator[Finding]:
    """Yield a finding for each leg that is quoted wider than `max_leg_width`; its mid is not a usable price."""
    for leg in legs:
        quote_sides = bid_and_ask(quotes.quotes.get(leg.symbol))
        if quote_sides is None:
            continue
        bid, ask = quote_sides
        width, allowed = ask - bid, max_leg_width((bid + ask) / 2, quotes.spot, choice)
        if not width <= allowed:
            message = f"{leg.strike} {leg.right} is quoted {bid} x {ask}, {width} wide; {allowed:.2f} is the most"
            yield violation("leg_width", message, width, f"{allowed:.2f}")


def check_underlying_move(before: float, now: float, drift: Drift) -> Iterator[Finding]:
    """Refuse when the underlying moved by more than `drift.underlying`, up or down."""
    move, maximum = now / before - 1, percent(drift.underlying)
    if not abs(move) <= drift.underlying:
        message = f"the underlying moved {move:+.2%}, from {before:.2f} to {now:.2f}; {maximum} is allowed"
        yield violation("underlying", message, f"{move:+.2%}", maximum)


def check_credit_fall(was: Decimal, mid: Decimal, drift: Drift) -> Iterator[Finding]:
    """Refuse when the credit shrank, or the debit grew, by more than `drift.credit` of the displayed mid."""
    share = Decimal(str(drift.credit))
    if not mid >= was - share * abs(was):
        fall = (was - mid) / abs(was) if was != 0 else Decimal(1)
        change = f"the mid went from {limit_text(was)} to {limit_text(mid)}, {fall:.1%} worse"
        message = f"{change}; {percent(share)} is allowed"
        yield violation("credit_fall", message, f"{fall:.1%}", percent(share))


def check_price_collar(
    limit: Decimal, natural: Decimal, mid: Decimal, tick: Decimal, drift: Drift
) -> Iterator[Finding]:
    """Refuse a limit outside the price collar: below the natural price less `drift.below_natural` (it would give the
    spread away), or above the mid by more than `drift.above_mid` (it would not fill)."""
    # A limit is the mid rounded to the tick, which of a mid of a few cents is more than its share.
    low, high = natural - drift.below_natural, mid + max(Decimal(str(drift.above_mid)) * abs(mid), tick)
    if not low <= limit <= high:
        collar = f"{limit_text(round(low, 2))} to {limit_text(round(high, 2))}"
        now = f"natural {limit_text(natural)}, mid {limit_text(mid)}"
        message = f"the limit {limit_text(limit)} is outside {collar} ({now})"
        yield violation("limit_price", message, limit_text(limit), collar)


def opening_costs(quantity: int, costs: Costs, root: str, legs: int = LEGS_PER_SPREAD) -> Decimal:
    """Return commission and fees to open, dollars per contract of an order of `quantity`; `root` is that of its legs.

    Raises ValueError for a quantity below 1.
    """
    return _costs_per_contract(quantity, costs.commission, costs, root, legs)


def closing_costs(quantity: int, costs: Costs, root: str, legs: int = LEGS_PER_SPREAD) -> Decimal:
    """Return commission and fees to close by an order, dollars per contract. Expiring worthless costs nothing."""
    return _costs_per_contract(quantity, costs.commission_close, costs, root, legs)


def round_trip_costs(quantity: int, costs: Costs, root: str, legs: int = LEGS_PER_SPREAD) -> Decimal:
    """Return the costs to open and to close by an order, dollars per contract."""
    return opening_costs(quantity, costs, root, legs) + closing_costs(quantity, costs, root, legs)


def _costs_per_contract(quantity: int, commission: Decimal, costs: Costs, root: str, legs: int) -> Decimal:
    if quantity < 1:
        raise ValueError(f"{quantity} contracts have no cost a contract")
    found = class_of_root(root)
    exchange = ZERO
    if found is None or not found.settles_in_cash:
        # The cap applies to a whole leg of an order, so a contract of a large order costs less.
        commission = min(commission * quantity, costs.commission_cap) / quantity
    elif quantity > found.fee_free_contracts:
        # tastytrade's price list excludes index options from the cap.
        exchange = found.exchange_fee if costs.exchange is None else costs.exchange
    return (legs * (commission + costs.clearing + costs.regulatory + exchange)).quantize(CENT, ROUND_CEILING)


# Greeks.


@value
class LegGreeks:
    """Implied vol of the mid, a fraction a year, and the greeks of one share long."""

    iv: float
    greeks: Greeks


def leg_greeks(leg: Leg, quotes: LegQuotes, rate: float, now: datetime) -> LegGreeks | None:
    """Return the greeks of one leg at its mid; None when the mid has no implied vol or no time is left."""
    from spy32.options.european import greeks, implied_vol

    sides = bid_and_ask(quotes.quotes.get(leg.symbol))
    if sides is None:
        return None
    contract = carried_contracts([leg], quotes.spot, rate, years_to_expiration(now, leg.expiration))
    vol = implied_vol(contract, float(sum(sides) / 2))
    if isnan(vol.item()):
        return None
    columns = greeks(contract, vol)
    return LegGreeks(iv=vol.item(), greeks=Greeks(**{name: getattr(columns, name).item() for name in GREEK_NAMES}))


def carried_contracts(legs: Sequence[Leg], spot: float, rate: float, years: float) -> "Contracts":
    """Return the legs on the spot carried at `rate` (a fraction a year) less `DIVIDEND_YIELD`.

    Two legs of one right give no put-call parity. For a month the delta is within 0.01 of the one at the parity
    forward.
    """
    from spy32.options.european import build_contracts

    return build_contracts(
        is_call=[leg.right is Right.CALL for leg in legs],
        strike=[float(leg.strike) for leg in legs],
        forward=spot * exp((rate - DIVIDEND_YIELD) * years),
        years=years,
        discount=exp(-rate * years),
    )
