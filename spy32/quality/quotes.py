"""Gates on single quotes: duplicates, zero bids, a dead feed, crossed markets, coverage, open interest."""

from collections.abc import Iterable
from itertools import pairwise

from spy32.domain.market import OptionQuote, Right
from spy32.domain.value import value
from spy32.quality.common import (
    BAND,
    GateContext,
    GateResult,
    Quotes,
    filter_result,
    is_two_sided,
    passed_gate,
    percent,
    pluralise,
    put_call_pairs,
    stopped_gate,
    warned_gate,
)

MAX_SHARE_WITHOUT_BID = 0.20
"""Share of quotes near the money without a bid, above which nobody is making a market."""
MAX_SHARE_CROSSED = 0.02
MIN_STRIKES = 20
WARN_GAP, STOP_GAP = 0.004, 0.015
"""Of the spot, between strikes of the band. New expirations have steps of up to 1.2 % some way from the money."""
MIN_REACH = 0.025
"""Of the spot: how far strikes must go on either side."""
COARSE_STEP, MAX_STEP = 0.005, 0.05
"""Of the spot, between strikes: from the first on the band holds fewer than 20 strikes, and what is asked for follows
the grid; a grid wider than the second has no strikes to choose between."""
BAND_STEPS, REACH_STEPS = 8, 2
"""On a coarse grid the band and the reach are so many strikes, since 5 % of a cheap share hold three of them."""
MIN_SHARE_LISTED = 0.6
"""Share of the band's strikes that must be there."""
ONE_STEP, TWO_STEPS = 1.05, 2.05
"""Steps of the grid: a gap of one is none, of two is where a grid doubles or a strike is missing."""
WARN_SHARE_BOTH_SIDES, STOP_SHARE_BOTH_SIDES = 0.90, 0.60
"""Of the strikes. Some feeds leave out what never traded, which is the side in the money."""
ZERO_BIDS_IN_ROW = 2
"""Strikes in a row without a bid, after which the rest of that side is not used (Cboe's VIX methodology)."""


def sort_quotes(quotes: Iterable[OptionQuote]) -> Quotes:
    """By strike and right; the order in which a source sent its rows decides nothing."""
    return tuple(
        sorted(
            quotes,
            key=lambda quote: (quote.strike, quote.right, quote.root, *(map(_missing_last_key, _quote_figures(quote)))),
        )
    )


def _quote_figures(quote: OptionQuote) -> tuple[float | None, ...]:
    interest = (quote.volume, quote.open_interest)
    return (quote.bid, quote.ask, quote.last, *interest, quote.feed_iv, quote.feed_delta)


def _missing_last_key(figure: float | None) -> tuple[bool, float]:
    is_known = figure is not None and figure == figure  # noqa: PLR0124 - NaN is not equal to itself
    return (not is_known, figure if is_known and figure is not None else 0.0)


def check_duplicates(quotes: Quotes, context: GateContext) -> GateResult:
    """One row a contract: the same prices twice are one quote, different prices are none."""
    by_contract: dict[tuple[object, ...], list[OptionQuote]] = {}
    for quote in quotes:
        by_contract.setdefault((quote.strike, quote.right, quote.root), []).append(quote)
    remaining = [
        rows[0]
        for rows in by_contract.values()
        if all((row.bid, row.ask) == (rows[0].bid, rows[0].ask) for row in rows)
    ]
    repeated = sum(len(rows) > 1 for rows in by_contract.values())
    conflicting = len(by_contract) - len(remaining)
    figure = f"{pluralise(repeated, 'contract')} more than once" + (
        f", {conflicting} with different prices" if conflicting else ""
    )
    make_gate = warned_gate if conflicting else passed_gate
    return filter_result(make_gate("duplicates", figure, "identical: one is kept; different: none"), quotes, remaining)


def check_dead_feed(quotes: Quotes, context: GateContext) -> GateResult:
    """Near the money nearly everything has a bid."""
    near = [quote for quote in quotes if context.is_within(quote, BAND)]
    without = sum(not is_two_sided(quote) for quote in near)
    limit = f"at most {percent(MAX_SHARE_WITHOUT_BID)} without a bid within {percent(BAND)} of the spot"
    if not near:
        return GateResult(gate=stopped_gate("dead_feed", "no quotes there", limit), quotes=quotes)
    figure = f"{without} of {len(near)} ({percent(without / len(near))})"
    gate = (
        passed_gate("dead_feed", figure, limit)
        if without <= MAX_SHARE_WITHOUT_BID * len(near)
        else stopped_gate("dead_feed", figure, limit)
    )
    return GateResult(gate=gate, quotes=quotes)


def check_zero_bids(quotes: Quotes, context: GateContext) -> GateResult:
    """Quotes without a bid or ask go, and on each side all beyond two such strikes in a row."""
    without_bid = sum(not is_two_sided(quote) for quote in quotes)
    past_zero_bids = _quotes_past_zero_bids(quotes, context.spot)
    remaining = [quote for quote in quotes if is_two_sided(quote) and id(quote) not in past_zero_bids]
    figure = f"{without_bid} without a bid or ask, {len(quotes) - without_bid - len(remaining)} beyond them"
    return filter_result(
        passed_gate("zero_bid", figure, f"dropped, and all beyond {ZERO_BIDS_IN_ROW} in a row"), quotes, remaining
    )


def _quotes_past_zero_bids(quotes: Quotes, spot: float) -> set[int]:
    """Out-of-the-money quotes, by identity, that lie outward of two strikes in a row without a bid."""
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
    """An ask at or below its bid is no market."""
    crossed_quotes = [quote for quote in quotes if not _is_uncrossed(quote)]
    near = [quote for quote in quotes if context.is_within(quote, BAND)]
    crossed_near = sum(not _is_uncrossed(quote) for quote in near)
    figure = f"{len(crossed_quotes)} crossed or locked, {crossed_near} of {len(near)} near the money"
    limit = f"at most {percent(MAX_SHARE_CROSSED)} within {percent(BAND)} of the spot"
    gate = (passed_gate if crossed_near <= MAX_SHARE_CROSSED * len(near) else stopped_gate)("crossed", figure, limit)
    return filter_result(gate, quotes, (quote for quote in quotes if _is_uncrossed(quote)))


def _is_uncrossed(quote: OptionQuote) -> bool:
    return quote.bid is not None and quote.ask is not None and quote.bid < quote.ask


@value
class _CoverageTarget:
    """What a whole chain has near the money, on its own grid of strikes; all but `strikes` fractions of the spot."""

    band: float
    reach: float
    strikes: int
    gap: float
    stop_gap: float

    @classmethod
    def derive(cls, step: float) -> "_CoverageTarget":
        """By the grid's step: 2.50, 5 and 0.50 dollars are usual for shares, one dollar for SPY."""
        step = min(step, MAX_STEP)
        if step <= COARSE_STEP:
            return cls(band=BAND, reach=MIN_REACH, strikes=MIN_STRIKES, gap=WARN_GAP, stop_gap=STOP_GAP)
        band = max(BAND, BAND_STEPS * step)
        return cls(
            band=band,
            reach=max(MIN_REACH, REACH_STEPS * step),
            strikes=int(MIN_SHARE_LISTED * 2 * band / step),
            gap=max(WARN_GAP, ONE_STEP * step),
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
    """Enough strikes near the money, without holes on the chain's own grid, on both sides of it and of each strike."""
    target = _CoverageTarget.derive(context.step)
    near = [quote for quote in quotes if context.is_within(quote, target.band)]
    two_sided_strikes, strikes = len(put_call_pairs(near)), len({quote.strike for quote in near})
    distances = _otm_distances(near, context.spot)
    if not distances:
        gate = stopped_gate("coverage", f"no quotes within {percent(target.band)} of the spot", target.limit_text)
        return GateResult(gate=gate, quotes=quotes)
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
        gate = stopped_gate("coverage", figure, target.limit_text, "the chain is truncated or full of holes")
    else:
        gate = (passed_gate if gap <= target.gap and share >= WARN_SHARE_BOTH_SIDES else warned_gate)(
            "coverage", figure, target.limit_text
        )
    return GateResult(gate=gate, quotes=quotes)


def _otm_distances(quotes: Iterable[OptionQuote], spot: float) -> list[float]:
    """The strikes of calls above and puts below the spot, as fractions from it, ascending: the side that is sold."""
    strikes = {float(quote.strike) for quote in quotes if (quote.right is Right.CALL) == (float(quote.strike) >= spot)}
    return [strike / spot - 1 for strike in sorted(strikes)]


def check_liquidity(quotes: Quotes, context: GateContext) -> GateResult:
    """Open interest is there; all zero means that the source has none, not that nobody holds the contracts."""
    limit = "short leg as set in [choice]; all zero is missing"
    with_interest = sum(quote.open_interest is not None and quote.open_interest > 0 for quote in quotes)
    figure = f"{with_interest} of {len(quotes)} with open interest"
    note = "open interest is missing; the rule on it cannot be applied"
    gate = passed_gate("liquidity", figure, limit) if with_interest else warned_gate("liquidity", figure, limit, note)
    return GateResult(gate=gate, quotes=quotes)
