"""Gates on single quotes: duplicates, a dead feed, zero bids, crossed markets, coverage of strikes, open interest."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby, pairwise

from spy32.domain.market import OptionQuote, Right
from spy32.domain.value import value
from spy32.quality.common import (
    BAND,
    GateContext,
    GateResult,
    Quotes,
    is_two_sided,
    passed_gate,
    percent,
    pluralise,
    put_call_pairs,
    stopped_gate,
    warned_gate,
)

MAX_SHARE_WITHOUT_BID = 0.20
"""Largest share of quotes near the money without a bid or ask. Above it the feed is dead (our choice)."""
MAX_SHARE_CROSSED = 0.02
"""Largest share of crossed quotes near the money (our choice)."""
MIN_STRIKES = 20
"""Fewest strikes within 5 % of the spot with a two-sided call and put. SPY lists about 60 there (our choice)."""
WARN_GAP, STOP_GAP = 0.004, 0.015
"""Gaps between strikes near the money, fractions of the spot, that warn and stop. New expirations have steps of up to
0.012 away from the money, which must not stop."""
MIN_REACH = 0.025
"""Distance from the spot, a fraction, that the strikes must reach on either side (our choice)."""
COARSE_STEP, MAX_STEP = 0.005, 0.05
"""Strike steps, fractions of the spot. Above the first, the band holds fewer than 20 strikes, so the requirements scale
with the step. Above the second, there are too few strikes to choose from."""
BAND_STEPS, REACH_STEPS = 8, 2
"""Band and reach in strike steps on a coarse grid, because 5 % of a cheap share hold only three strikes."""
MIN_SHARE_LISTED = 0.6
"""Share of the coarse grid's strikes in the band that must be listed (our choice)."""
ONE_STEP, TWO_STEPS = 1.05, 2.05
"""Gaps in strike steps of a coarse grid, with 5 % for uneven steps. One step is no gap. Two steps occur where the grid
doubles or a strike is missing."""
WARN_SHARE_BOTH_SIDES, STOP_SHARE_BOTH_SIDES = 0.90, 0.60
"""Share of strikes with both call and put. Some feeds omit contracts that never traded, mostly those in the money."""
ZERO_BIDS_IN_ROW = 2
"""Consecutive strikes without a bid, after which the rest of that side is dropped (Cboe's VIX methodology)."""


def sort_quotes(quotes: Iterable[OptionQuote]) -> Quotes:
    """Return the quotes sorted by contract and then by all figures, so that the source's order has no effect."""
    return tuple(sorted(quotes, key=_sort_key))


def _sort_key(quote: OptionQuote) -> tuple[Decimal, Right, str, str]:
    interest = (quote.volume, quote.open_interest)
    figures = (quote.bid, quote.ask, quote.last, *interest, quote.feed_iv, quote.feed_delta)
    return (*_contract_key(quote), repr(figures))


def _contract_key(quote: OptionQuote) -> tuple[Decimal, Right, str]:
    return quote.strike, quote.right, quote.root


def check_duplicates(quotes: Quotes, context: GateContext) -> GateResult:
    """Keep one row per contract. Rows with equal prices are one quote; rows with different prices are all dropped."""
    contracts = [tuple(rows) for _, rows in groupby(quotes, key=_contract_key)]
    remaining = tuple(rows[0] for rows in contracts if len({(row.bid, row.ask) for row in rows}) == 1)
    conflicting = len(contracts) - len(remaining)
    figure = f"{pluralise(sum(len(rows) > 1 for rows in contracts), 'contract')} more than once"
    if conflicting:
        figure += f", {conflicting} with different prices"
    make_gate = warned_gate if conflicting else passed_gate
    return make_gate("duplicates", figure, "identical: one is kept; different: none"), remaining


def check_dead_feed(quotes: Quotes, context: GateContext) -> GateResult:
    """Stop when too many quotes near the money have no bid or ask."""
    near = [quote for quote in quotes if context.is_within(quote, BAND)]
    without = sum(not is_two_sided(quote) for quote in near)
    limit = f"at most {percent(MAX_SHARE_WITHOUT_BID)} without a bid within {percent(BAND)} of the spot"
    if not near:
        return stopped_gate("dead_feed", "no quotes there", limit), quotes
    figure = f"{without} of {len(near)} ({percent(without / len(near))})"
    is_alive = without <= MAX_SHARE_WITHOUT_BID * len(near)
    return (passed_gate if is_alive else stopped_gate)("dead_feed", figure, limit), quotes


def check_zero_bids(quotes: Quotes, context: GateContext) -> GateResult:
    """Drop quotes without a bid or ask, and on each side all beyond two such strikes in a row."""
    without_bid = sum(not is_two_sided(quote) for quote in quotes)
    past_zero_bids = _quotes_past_zero_bids(quotes, context.spot)
    remaining = tuple(quote for quote in quotes if is_two_sided(quote) and id(quote) not in past_zero_bids)
    figure = f"{without_bid} without a bid or ask, {len(quotes) - without_bid - len(remaining)} beyond them"
    return passed_gate("zero_bid", figure, f"dropped, and all beyond {ZERO_BIDS_IN_ROW} in a row"), remaining


def _quotes_past_zero_bids(quotes: Quotes, spot: float) -> set[int]:
    """Return the ids (`id()`) of out-of-the-money quotes beyond two consecutive strikes without a bid."""
    quote_ids: set[int] = set()
    calls = [quote for quote in quotes if quote.right is Right.CALL and float(quote.strike) >= spot]
    puts = [quote for quote in reversed(quotes) if quote.right is Right.PUT and float(quote.strike) <= spot]
    for outward in (calls, puts):
        zero_bids = 0
        for quote in outward:
            if zero_bids >= ZERO_BIDS_IN_ROW:
                quote_ids.add(id(quote))
            zero_bids = 0 if is_two_sided(quote) and zero_bids < ZERO_BIDS_IN_ROW else zero_bids + 1
    return quote_ids


def check_crossed(quotes: Quotes, context: GateContext) -> GateResult:
    """Drop quotes whose ask is at or below the bid (crossed or locked). Stop when too many near the money are."""
    crossed_quotes = [quote for quote in quotes if not _is_uncrossed(quote)]
    near = [quote for quote in quotes if context.is_within(quote, BAND)]
    crossed_near = sum(not _is_uncrossed(quote) for quote in near)
    figure = f"{len(crossed_quotes)} crossed or locked, {crossed_near} of {len(near)} near the money"
    limit = f"at most {percent(MAX_SHARE_CROSSED)} within {percent(BAND)} of the spot"
    gate = (passed_gate if crossed_near <= MAX_SHARE_CROSSED * len(near) else stopped_gate)("crossed", figure, limit)
    return gate, tuple(quote for quote in quotes if _is_uncrossed(quote))


def _is_uncrossed(quote: OptionQuote) -> bool:
    return quote.bid is not None and quote.ask is not None and quote.bid < quote.ask


@value
class _CoverageTarget:
    """The required coverage near the money for the chain's strike step. All but `strikes` are fractions of the spot."""

    band: float
    reach: float
    strikes: int
    gap: float
    stop_gap: float

    @classmethod
    def derive(cls, step: float) -> "_CoverageTarget":
        """Return the requirement for a strike step, a fraction of the spot. SPY lists strikes a dollar apart, shares
        0.50, 2.50 or 5."""
        step = min(step, MAX_STEP)
        band, is_coarse = max(BAND, BAND_STEPS * step), step > COARSE_STEP
        return cls(
            band=band,
            reach=max(MIN_REACH, REACH_STEPS * step),
            strikes=int(MIN_SHARE_LISTED * 2 * band / step) if is_coarse else MIN_STRIKES,
            gap=max(WARN_GAP, ONE_STEP * step) if is_coarse else WARN_GAP,
            stop_gap=max(STOP_GAP, TWO_STEPS * step),
        )

    @property
    def limit_text(self) -> str:
        return (
            f"{self.strikes} strikes from −{percent(self.reach, 1)} to +{percent(self.reach, 1)}, "
            f"gap {percent(self.gap, 1)} ({percent(self.stop_gap, 1)} stops), "
            f"both sides at {percent(WARN_SHARE_BOTH_SIDES)} (under {percent(STOP_SHARE_BOTH_SIDES)} stops)"
        )


def check_coverage(quotes: Quotes, context: GateContext) -> GateResult:
    """Stop or warn unless there are enough strikes near the money, without gaps, with call and put at each."""
    target = _CoverageTarget.derive(context.step)
    near = [quote for quote in quotes if context.is_within(quote, target.band)]
    two_sided_strikes, strikes = len(put_call_pairs(near)), len({quote.strike for quote in near})
    spot = context.spot
    # Calls above and puts below the spot.
    otm_strikes = {float(quote.strike) for quote in near if (quote.right is Right.CALL) == (quote.strike >= spot)}
    distances = [strike / spot - 1 for strike in sorted(otm_strikes)]
    if not distances:
        return stopped_gate(
            "coverage", f"no quotes within {percent(target.band)} of the spot", target.limit_text
        ), quotes
    share = two_sided_strikes / strikes
    gap = max((high - low for low, high in pairwise(distances)), default=2 * target.band)
    figure = (
        f"{pluralise(two_sided_strikes, 'strike')} from {distances[0] * 100:+.1f} % to {distances[-1] * 100:+.1f} %, "
    )
    figure += f"largest gap {percent(gap, 2)}, both sides at {percent(share)}"
    reaches = distances[0] <= -target.reach and distances[-1] >= target.reach
    if not (
        two_sided_strikes >= target.strikes and gap <= target.stop_gap and share >= STOP_SHARE_BOTH_SIDES and reaches
    ):
        return stopped_gate("coverage", figure, target.limit_text, "the chain is truncated or full of holes"), quotes
    is_dense = gap <= target.gap and share >= WARN_SHARE_BOTH_SIDES
    return (passed_gate if is_dense else warned_gate)("coverage", figure, target.limit_text), quotes


def check_liquidity(quotes: Quotes, context: GateContext) -> GateResult:
    """Warn when the source has no open interest: all zeros mean missing data, not illiquid contracts."""
    limit = "short leg as set in [choice]; all zero is missing"
    with_interest = sum(quote.open_interest is not None and quote.open_interest > 0 for quote in quotes)
    figure = f"{with_interest} of {len(quotes)} with open interest"
    note = "open interest is missing; the rule on it cannot be applied"
    gate = passed_gate("liquidity", figure, limit) if with_interest else warned_gate("liquidity", figure, limit, note)
    return gate, quotes
