"""Gates on single quotes: duplicates, zero bids, a dead feed, crossed markets, coverage, open interest."""

from collections.abc import Iterable
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


def coverage(quotes: Quotes, grounds: Grounds) -> Looked:
    """Enough strikes near the money, without holes, on both sides of it and of each strike."""
    near = [quote for quote in quotes if grounds.is_within(quote, BAND)]
    both, strikes = len(pairs(near)), len({quote.strike for quote in near})
    limit = f"{STRIKES} strikes from −{percent(REACH, 1)} to +{percent(REACH, 1)}, "
    limit += f"gap {percent(GAP, 1)} ({percent(GAP_AT_MOST, 1)} stops), "
    limit += f"both sides at {percent(BOTH)} (under {percent(BOTH_AT_LEAST)} stops)"
    ladder = _out_of_the_money(near, grounds.spot)
    if not ladder:
        gate = stopped("coverage", f"no quotes within {percent(BAND)} of the spot", limit)
        return Looked(gate=gate, quotes=quotes)
    share = both / strikes
    gap = max((high - low for low, high in pairwise(ladder)), default=2 * BAND)
    figure = f"{counted(both, 'strike')} from {ladder[0] * 100:+.1f} % to {ladder[-1] * 100:+.1f} %, "
    figure += f"largest gap {percent(gap, 2)}, both sides at {percent(share)}"
    reaches = ladder[0] <= -REACH and ladder[-1] >= REACH
    if not (both >= STRIKES and gap <= GAP_AT_MOST and share >= BOTH_AT_LEAST and reaches):
        gate = stopped("coverage", figure, limit, "the chain is truncated or full of holes")
    else:
        gate = (passed if gap <= GAP and share >= BOTH else warned)("coverage", figure, limit)
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
