"""Is a chain fit to trade on: every gate with its figure, limit and verdict, and the quotes that pass.

Thresholds are those of Cboe's VIX methodology (zero bids), of the filters usual in the literature on option returns
(bounds, parity, duplicates; Constantinides, Jackwerth and Savov 2013), and our own. A gate that stops does not hide the
others: all are judged, so that one look shows everything that is wrong.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.market import Chain, Gate, MarketSnapshot, QualityReport, Verdict
from spy32.rules import gates_prices, gates_quotes, gates_time
from spy32.rules.gate_parts import Grounds, Looked, Quotes, passed, stopped, strike_step
from spy32.sessions import market_date, years_to_expiration
from spy32.settings.model import Choice, MarketSources

if TYPE_CHECKING:
    from spy32.options.surface import Smile
    from spy32.rules.gates_vols import DroppedQuotes

CLOCK: tuple[Callable[[Grounds], Gate], ...] = (gates_time.in_session, gates_time.quote_age)

SIEVES: tuple[Callable[[Quotes, Grounds], Looked], ...] = (
    gates_time.expiration,
    gates_time.root,
    gates_quotes.duplicates,
    gates_quotes.dead_feed,
    gates_quotes.zero_bid,
    gates_quotes.crossed,
    gates_quotes.coverage,
    gates_prices.bounds,
    gates_prices.shape,
    gates_prices.parity,
    gates_prices.spot,
    gates_quotes.liquidity,
    gates_time.same_day_trades,
)
"""In this order: each sees what those before it let through."""

AROUND: tuple[Callable[[Grounds], Gate], ...] = (gates_time.ex_dividend, gates_time.history)


def inspect(snapshot: MarketSnapshot, now: datetime, choice: Choice) -> tuple[Chain, QualityReport]:
    """The target expiration's usable quotes by strike, and what every gate said; nothing is dropped without a count."""
    first = _underlying(snapshot)
    if first.verdict is not Verdict.PASS:
        return replace(snapshot.chain, quotes=()), QualityReport(gates=(first,))
    grounds = _grounds(snapshot, now, choice)
    gates = [first, *(gate(grounds) for gate in CLOCK)]
    quotes = gates_quotes.in_order(quote for quote in snapshot.chain.quotes if quote.expiration == snapshot.target)
    dropped: dict[str, int] = {}
    for sieve in SIEVES:
        looked = sieve(quotes, grounds)
        quotes = looked.quotes
        gates.append(looked.gate)
        if looked.dropped:
            dropped[looked.gate.name] = looked.dropped
    gates += [gate(grounds) for gate in AROUND]
    return replace(snapshot.chain, quotes=quotes), QualityReport(gates=tuple(gates), dropped=dropped)


def inspect_vols(smile: "Smile", snapshot: MarketSnapshot, choice: Choice) -> tuple["DroppedQuotes", tuple[Gate, ...]]:
    """The contracts that may not be legs because of their volatility, and what those gates said."""
    # numpy comes with the arrays that are judged here, and is not needed before.
    from spy32.rules import gates_vols

    return gates_vols.inspect_vols(smile, snapshot, choice)


def inspect_second(
    snapshot: MarketSnapshot, smile: "Smile", second: "Smile | None", knobs: MarketSources
) -> tuple[Gate, ...]:
    """What a second source says of the first; `second` is its own smile when its chain passed its own gates."""
    from spy32.rules import gates_second

    return gates_second.between(snapshot, smile, second, knobs)


def without(chain: Chain, symbols: Collection[str]) -> Chain:
    """The chain less these contracts, by OCC symbol."""
    return replace(chain, quotes=tuple(quote for quote in chain.quotes if quote.symbol not in symbols))


def _underlying(snapshot: MarketSnapshot) -> Gate:
    """The answer is about the underlying that was asked for, and has a price for it."""
    figure = f"{snapshot.chain.underlying} at {snapshot.spot:g}"
    limit = f"{snapshot.underlying} at a price"
    good = snapshot.chain.underlying == snapshot.underlying and 0 < snapshot.spot < 1e9
    return (passed if good else stopped)("underlying", figure, limit)


def _grounds(snapshot: MarketSnapshot, now: datetime, choice: Choice) -> Grounds:
    years = years_to_expiration(now, snapshot.target)
    rate = snapshot.rate.value if snapshot.rate.value is not None else 0.0
    return Grounds(
        snapshot=snapshot,
        now=now,
        today=market_date(now),
        years=years,
        discount=math.exp(-rate * years),
        choice=choice,
        step=_step(snapshot),
    )


def _step(snapshot: MarketSnapshot) -> float:
    """Of the target's grid near the money, a fraction of the spot."""
    quotes = (quote for quote in snapshot.chain.quotes if quote.expiration == snapshot.target)
    return strike_step(quotes, snapshot.spot) / snapshot.spot
