"""Runs all quality gates on a chain: is it fit to trade on? Returns every verdict and the quotes that pass.

Thresholds come from Cboe's VIX methodology (zero bids), from filters usual in the literature on option returns (bounds,
parity, duplicates; Constantinides, Jackwerth and Savov 2013), or are our own. A gate that stops does not end the
checks: all gates are judged, so that one report shows everything that is wrong.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from spy32.domain.market import Chain, Gate, MarketSnapshot, QualityReport
from spy32.quality import arbitrage, freshness, quotes
from spy32.quality.common import GateContext, GateResult, Quotes, passed_gate, stopped_gate, strike_step
from spy32.sessions import market_date, years_to_expiration
from spy32.settings.model import Choice

CLOCK_GATES: tuple[Callable[[GateContext], Gate], ...] = (freshness.check_session, freshness.check_quote_age)

QUOTE_FILTERS: tuple[Callable[[Quotes, GateContext], GateResult], ...] = (
    freshness.check_expiration,
    freshness.check_root,
    quotes.check_duplicates,
    quotes.check_dead_feed,
    quotes.check_zero_bids,
    quotes.check_crossed,
    quotes.check_coverage,
    arbitrage.check_bounds,
    arbitrage.check_shape,
    arbitrage.check_parity,
    arbitrage.check_spot,
    quotes.check_liquidity,
    freshness.check_same_day_trades,
)
"""In this order: each gate sees the quotes that passed those before it."""

CONTEXT_GATES: tuple[Callable[[GateContext], Gate], ...] = (freshness.check_ex_dividend, freshness.check_history)


def check_chain(snapshot: MarketSnapshot, now: datetime, choice: Choice) -> tuple[Chain, QualityReport]:
    """Return the usable quotes of the target expiration, by strike, and the report of every gate.

    `now` is the time at which ages are measured. Every dropped quote is counted in the report.
    """
    figure, limit = f"{snapshot.chain.underlying} at {snapshot.spot:g}", f"{snapshot.underlying} at a price"
    is_valid = snapshot.chain.underlying == snapshot.underlying and 0 < snapshot.spot < 1e9
    first = (passed_gate if is_valid else stopped_gate)("underlying", figure, limit)
    if not is_valid:
        return replace(snapshot.chain, quotes=()), QualityReport(gates=(first,))
    context = _build_context(snapshot, now, choice)
    gates = [first, *(check(context) for check in CLOCK_GATES)]
    usable_quotes = quotes.sort_quotes(quote for quote in snapshot.chain.quotes if quote.expiration == snapshot.target)
    dropped: dict[str, int] = {}
    for quote_filter in QUOTE_FILTERS:
        before = len(usable_quotes)
        gate, usable_quotes = quote_filter(usable_quotes, context)
        gates.append(gate)
        if len(usable_quotes) < before:
            dropped[gate.name] = before - len(usable_quotes)
    gates += [check(context) for check in CONTEXT_GATES]
    return replace(snapshot.chain, quotes=usable_quotes), QualityReport(gates=tuple(gates), dropped=dropped)


def _build_context(snapshot: MarketSnapshot, now: datetime, choice: Choice) -> GateContext:
    years = years_to_expiration(now, snapshot.target)
    rate = snapshot.rate.value if snapshot.rate.value is not None else 0.0
    target_quotes = (quote for quote in snapshot.chain.quotes if quote.expiration == snapshot.target)
    return GateContext(
        snapshot=snapshot,
        now=now,
        today=market_date(now),
        years=years,
        discount=math.exp(-rate * years),
        choice=choice,
        step=strike_step(target_quotes, snapshot.spot) / snapshot.spot,
    )
