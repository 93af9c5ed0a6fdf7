"""Gates on single quotes: duplicates, zero bids, a dead feed, crossed markets, coverage, open interest."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from spy32.domain.market import OptionQuote, Right
from spy32.rules.gate_parts import (
    BAND,
    Grounds,
    Looked,
    Quotes,
    counted,
    is_two_sided,
    kept,
    pairs,
    passed,
    percent,
    stopped,
    warned,
)

DEAD = 0.20
"""Share of quotes near the money without a bid, above which nobody is making a market."""
CROSSED = 0.02
STRIKES = 20
GAP, GAP_AT_MOST = 0.004, 0.015
"""Of the spot, between strikes of the band. New expirations have steps of up to 1.2 % some way from the money."""
REACH = 0.025
"""Of the spot: how far strikes must go on either side."""
COARSE, COARSEST = 0.005, 0.05
"""Of the spot, between strikes: from the first on the band holds fewer than 20 strikes, and what is asked for follows
the grid; a grid wider than the second has no strikes to choose between."""
BAND_STEPS, REACH_STEPS = 8, 2
"""On a coarse grid the band and the reach are so many strikes, since 5 % of a cheap share hold three of them."""
LISTED = 0.6
"""Share of the band's strikes that must be there."""
ONE, TWICE = 1.05, 2.05
"""Steps of the grid: a gap of one is none, of two is where a grid doubles or a strike is missing."""
BOTH, BOTH_AT_LEAST = 0.90, 0.60
"""Of the strikes. Some feeds leave out what never traded, which is the side in the money."""
WITHOUT_BID = 2
"""Strikes in a row without a bid, after which the rest of that side is not used (Cboe's VIX methodology)."""


def in_order(quotes: Iterable[OptionQuote]) -> Quotes:
    """By strike and right; the order in which a source sent its rows decides nothing."""
    return tuple(
        sorted(
            quotes,
            key=lambda quote: (quote.strike, quote.right, quote.root, *(map(_known_first, _figures(quote)))),
        )
    )


def _figures(quote: OptionQuote) -> tuple[float | None, ...]:
    interest = (quote.volume, quote.open_interest)
    return (quote.bid, quote.ask, quote.last, *interest, quote.feed_iv, quote.feed_delta)


def _known_first(figure: float | None) -> tuple[bool, float]:
    is_known = figure is not None and figure == figure  # noqa: PLR0124 - NaN is not equal to itself
    return (not is_known, figure if is_known and figure is not None else 0.0)


def duplicates(quotes: Quotes, grounds: Grounds) -> Looked:
    """One row a contract: the same prices twice are one quote, different prices are none."""
    by_contract: dict[tuple[object, ...], list[OptionQuote]] = {}
    for quote in quotes:
        by_contract.setdefault((quote.strike, quote.right, quote.root), []).append(quote)
    left = [
        rows[0]
        for rows in by_contract.values()
        if all((row.bid, row.ask) == (rows[0].bid, rows[0].ask) for row in rows)
    ]
    twice = sum(len(rows) > 1 for rows in by_contract.values())
    torn = len(by_contract) - len(left)
    figure = f"{counted(twice, 'contract')} more than once" + (f", {torn} with different prices" if torn else "")
    make = warned if torn else passed
    return kept(make("duplicates", figure, "identical: one is kept; different: none"), quotes, left)


def dead_feed(quotes: Quotes, grounds: Grounds) -> Looked:
    """Near the money nearly everything has a bid."""
    near = [quote for quote in quotes if grounds.is_within(quote, BAND)]
    without = sum(not is_two_sided(quote) for quote in near)
    limit = f"at most {percent(DEAD)} without a bid within {percent(BAND)} of the spot"
    if not near:
        return Looked(gate=stopped("dead_feed", "no quotes there", limit), quotes=quotes)
    figure = f"{without} of {len(near)} ({percent(without / len(near))})"
    gate = passed("dead_feed", figure, limit) if without <= DEAD * len(near) else stopped("dead_feed", figure, limit)
    return Looked(gate=gate, quotes=quotes)


def zero_bid(quotes: Quotes, grounds: Grounds) -> Looked:
    """Quotes without a bid or ask go, and on each side all beyond two such strikes in a row."""
    silent = sum(not is_two_sided(quote) for quote in quotes)
    beyond = _beyond(quotes, grounds.spot)
    left = [quote for quote in quotes if is_two_sided(quote) and id(quote) not in beyond]
    figure = f"{silent} without a bid or ask, {len(quotes) - silent - len(left)} beyond them"
    return kept(passed("zero_bid", figure, f"dropped, and all beyond {WITHOUT_BID} in a row"), quotes, left)


def _beyond(quotes: Quotes, spot: float) -> set[int]:
    """Out-of-the-money quotes, by identity, that lie outward of two strikes in a row without a bid."""
    found: set[int] = set()
    calls = [quote for quote in quotes if quote.right is Right.CALL and float(quote.strike) >= spot]
    puts = [quote for quote in reversed(quotes) if quote.right is Right.PUT and float(quote.strike) <= spot]
    for outward in (calls, puts):
        silent = 0
        for quote in outward:
            if silent >= WITHOUT_BID:
                found.add(id(quote))
            silent = 0 if is_two_sided(quote) and silent < WITHOUT_BID else silent + 1
    return found


def crossed(quotes: Quotes, grounds: Grounds) -> Looked:
    """An ask at or below its bid is no market."""
    bad = [quote for quote in quotes if not _is_open(quote)]
    near = [quote for quote in quotes if grounds.is_within(quote, BAND)]
    bad_near = sum(not _is_open(quote) for quote in near)
    figure = f"{len(bad)} crossed or locked, {bad_near} of {len(near)} near the money"
    limit = f"at most {percent(CROSSED)} within {percent(BAND)} of the spot"
    gate = (passed if bad_near <= CROSSED * len(near) else stopped)("crossed", figure, limit)
    return kept(gate, quotes, (quote for quote in quotes if _is_open(quote)))


def _is_open(quote: OptionQuote) -> bool:
    return quote.bid is not None and quote.ask is not None and quote.bid < quote.ask


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a whole chain has near the money, on its own grid of strikes; all but `strikes` fractions of the spot."""

    band: float
    reach: float
    strikes: int
    gap: float
    gap_at_most: float

    @classmethod
    def of(cls, step: float) -> "_Wanted":
        """By the grid's step: 2.50, 5 and 0.50 dollars are usual for shares, one dollar for SPY."""
        step = min(step, COARSEST)
        if step <= COARSE:
            return cls(band=BAND, reach=REACH, strikes=STRIKES, gap=GAP, gap_at_most=GAP_AT_MOST)
        band = max(BAND, BAND_STEPS * step)
        return cls(
            band=band,
            reach=max(REACH, REACH_STEPS * step),
            strikes=int(LISTED * 2 * band / step),
            gap=max(GAP, ONE * step),
            gap_at_most=max(GAP_AT_MOST, TWICE * step),
        )

    @property
    def words(self) -> str:
        return (
            f"{self.strikes} strikes from −{percent(self.reach, 1)} to +{percent(self.reach, 1)}, "
            f"gap {percent(self.gap, 1)} ({percent(self.gap_at_most, 1)} stops), "
            f"both sides at {percent(BOTH)} (under {percent(BOTH_AT_LEAST)} stops)"
        )


def coverage(quotes: Quotes, grounds: Grounds) -> Looked:
    """Enough strikes near the money, without holes on the chain's own grid, on both sides of it and of each strike."""
    wanted = _Wanted.of(grounds.step)
    near = [quote for quote in quotes if grounds.is_within(quote, wanted.band)]
    both, strikes = len(pairs(near)), len({quote.strike for quote in near})
    ladder = _out_of_the_money(near, grounds.spot)
    if not ladder:
        gate = stopped("coverage", f"no quotes within {percent(wanted.band)} of the spot", wanted.words)
        return Looked(gate=gate, quotes=quotes)
    share = both / strikes
    gap = max((high - low for low, high in pairwise(ladder)), default=2 * wanted.band)
    figure = f"{counted(both, 'strike')} from {ladder[0] * 100:+.1f} % to {ladder[-1] * 100:+.1f} %, "
    figure += f"largest gap {percent(gap, 2)}, both sides at {percent(share)}"
    reaches = ladder[0] <= -wanted.reach and ladder[-1] >= wanted.reach
    if not (both >= wanted.strikes and gap <= wanted.gap_at_most and share >= BOTH_AT_LEAST and reaches):
        gate = stopped("coverage", figure, wanted.words, "the chain is truncated or full of holes")
    else:
        gate = (passed if gap <= wanted.gap and share >= BOTH else warned)("coverage", figure, wanted.words)
    return Looked(gate=gate, quotes=quotes)


def _out_of_the_money(quotes: Iterable[OptionQuote], spot: float) -> list[float]:
    """The strikes of calls above and puts below the spot, as fractions from it, ascending: the side that is sold."""
    strikes = {float(quote.strike) for quote in quotes if (quote.right is Right.CALL) == (float(quote.strike) >= spot)}
    return [strike / spot - 1 for strike in sorted(strikes)]


def liquidity(quotes: Quotes, grounds: Grounds) -> Looked:
    """Open interest is there; all zero means that the source has none, not that nobody holds the contracts."""
    limit = "short leg as set in [choice]; all zero is missing"
    held = sum(quote.open_interest is not None and quote.open_interest > 0 for quote in quotes)
    figure = f"{held} of {len(quotes)} with open interest"
    note = "open interest is missing; the rule on it cannot be applied"
    gate = passed("liquidity", figure, limit) if held else warned("liquidity", figure, limit, note)
    return Looked(gate=gate, quotes=quotes)
