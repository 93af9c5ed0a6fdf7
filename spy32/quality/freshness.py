"""Gates on time and contract: session, quote age, expiration, option root, ex-dates and the history of closes."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

from spy32.domain.market import DailyBar, Gate
from spy32.domain.option_class import option_roots, settles_in_cash
from spy32.domain.spreads import Strategy
from spy32.quality.common import (
    GateContext,
    GateResult,
    Quotes,
    passed_gate,
    pluralise,
    skipped_gate,
    stopped_gate,
    warned_gate,
)
from spy32.sessions import (
    closure_reason,
    days_to_expiration,
    market_date,
    new_york_time,
    previous_session,
    session,
    sessions_between,
)  # fmt: skip

SETTLING_TIME = timedelta(minutes=20)
"""Waiting time after the open. A feed that is 15 minutes late shows the session only from 09:45; 5 are margin."""
MAX_QUOTE_AGE = timedelta(minutes=20)
"""The 15 minutes of a delayed feed plus 5 for its publication."""
MAX_CLOCK_AHEAD = timedelta(minutes=2)
"""Quotes from farther in the future mean a wrong clock, ours or the source's."""
NEAREST_STRIKES = 10
"""Number of strikes nearest the spot whose last trades are looked at."""
MAX_TRADE_AGE = timedelta(minutes=60)
"""Longest time without a trade near the money. After it, even a feed that is 15 minutes late is dead, or the contracts
are not traded."""
MIN_DIVIDEND_INTERVAL = timedelta(days=80)
"""Ex-dates are about 91 days apart, so a table that ends less than this before the expiration misses none."""
MAX_GAP = timedelta(days=5)
"""Longest distance between two bars, and from the last bar to today. A long weekend has at most 4 days, so more is a
gap."""
MAX_MOVE = 0.12
"""Largest return of a session, a fraction. A larger one is taken for a split or a wrong bar: since 1957 the S&P 500
moved more only on 19 October 1987 (-20.5 %)."""
MIN_CLOSES = 200
"""Fewest closes for one-year statistics (our choice)."""


def check_session(context: GateContext) -> Gate:
    """Stop outside the session. On a recorded market the options must have been open at the time of the quotes."""
    is_recorded = context.snapshot.is_recorded
    figure = f"{new_york_time(context.now):%a %Y-%m-%d %H:%M} New York"
    hours = session(context.today)
    if hours is None:
        limit = "a session of the exchange"
        return stopped_gate("session", figure, limit, f"closed: {closure_reason(context.today)}")
    first, last = (hours.open, hours.option_close) if is_recorded else (hours.open + SETTLING_TIME, hours.option_close)
    limit = f"{new_york_time(first):%H:%M} to {new_york_time(last):%H:%M}"
    if first <= context.now <= last:
        return passed_gate("session", figure, limit, "early close" if hours.is_early else "")
    return stopped_gate("session", figure, limit, "outside the session of the options")


def check_quote_age(context: GateContext) -> Gate:
    """Stop when the quotes are older than `MAX_QUOTE_AGE`. Recorded quotes are not judged: their time is the clock."""
    limit = f"at most {_minutes(MAX_QUOTE_AGE)} old, {_minutes(MAX_CLOCK_AHEAD)} ahead"
    if context.snapshot.is_recorded:
        return skipped_gate("quote_age", limit, "recorded: the clock is the time of the quotes")
    age = context.now - context.snapshot.chain.as_of
    figure = f"{age.total_seconds() / 60:.1f} min"
    return (passed_gate if -MAX_CLOCK_AHEAD <= age <= MAX_QUOTE_AGE else stopped_gate)("quote_age", figure, limit)


def check_same_day_trades(quotes: Quotes, context: GateContext) -> GateResult:
    """Stop when the newest trade near the money is older than an hour: a frozen chain may carry a fresh timestamp."""
    limit = f"a trade of the last {_minutes(MAX_TRADE_AGE)} at the {NEAREST_STRIKES} strikes nearest the money"
    near = sorted({quote.strike for quote in quotes}, key=lambda strike: abs(float(strike) - context.spot))[
        :NEAREST_STRIKES
    ]
    times = [quote.traded_at for quote in quotes if quote.strike in near and quote.traded_at is not None]
    if not times:
        return skipped_gate("same_day_trades", limit, "the quotes come without times of trades"), quotes
    newest = max(times)
    figure = f"newest {new_york_time(newest):%Y-%m-%d %H:%M} New York"
    age = context.now - newest
    is_fresh = market_date(newest) == context.today and -MAX_CLOCK_AHEAD <= age <= MAX_TRADE_AGE
    return (passed_gate if is_fresh else stopped_gate)("same_day_trades", figure, limit), quotes


def check_expiration(quotes: Quotes, context: GateContext) -> GateResult:
    """Stop unless the target expiration is listed, not past, and has the DTE that the snapshot says."""
    target = context.snapshot.target
    days = days_to_expiration(target, context.today)
    figure = f"{target}, {pluralise(days, 'day')}, {pluralise(len(quotes), 'quote')}"
    is_valid = bool(quotes) and days >= 0 and days == context.snapshot.dte
    return (passed_gate if is_valid else stopped_gate)("expiration", figure, "listed and not past"), quotes


def check_root(quotes: Quotes, context: GateContext) -> GateResult:
    """Keep the standard contracts of one root. A mini or adjusted contract delivers another number of shares."""
    counts = Counter(quote.root for quote in quotes)
    standard_roots = option_roots(context.snapshot.underlying)
    chosen_root = next((name for name in standard_roots if name in counts), None)
    figure = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no quotes"
    limit = " or ".join(standard_roots)
    if chosen_root is None:
        return stopped_gate("root", figure, limit, "mini or adjusted contracts are not traded"), ()
    unknown_roots = sorted(counts.keys() - set(standard_roots))
    note = f"dropped: {', '.join(sorted(counts.keys() - {chosen_root}))}" if len(counts) > 1 else ""
    gate = (warned_gate if unknown_roots else passed_gate)("root", figure, limit, note)
    return gate, tuple(quote for quote in quotes if quote.root == chosen_root)


def check_ex_dividend(context: GateContext) -> Gate:
    """Warn of an ex-date up to the expiration: a short call in the money may be assigned on the evening before it."""
    name, limit = "ex_dividend", "no short call over an ex-date"
    dividends, target = context.snapshot.dividends, context.snapshot.target
    if settles_in_cash(context.snapshot.underlying):
        return passed_gate(name, "European, settled in cash", limit)
    if dividends is None:
        return warned_gate(name, "unknown", limit, "the source has no ex-dates")
    if not set(context.choice.strategies) - {Strategy.PUT_CREDIT, Strategy.PUT_DEBIT}:
        return passed_gate(name, "no calls are sold", limit)
    inside = [dividend for dividend in dividends if context.today < dividend.ex_date <= target]
    if inside:
        first = inside[0]
        note = f"close short calls by the end of {previous_session(first.ex_date).day}"
        figure = f"{'expected ' * first.is_expected}ex-date {first.ex_date}, ${first.amount:.2f}"
        return warned_gate(name, figure, limit, note)
    end = max((dividend.ex_date for dividend in dividends), default=None)
    if end is None or end + MIN_DIVIDEND_INTERVAL < target:
        return warned_gate(
            name, "unknown", limit, f"known ex-dates end {end}" if end is not None else "no ex-date is known"
        )
    return passed_gate(name, f"none up to {target}", limit)


def check_history(context: GateContext) -> Gate:
    """Warn unless there is a year of daily closes without gaps, up to the last session."""
    name, limit = (
        "history",
        f"{MIN_CLOSES} closes up to the last session, no gap over {MAX_GAP.days} days, no move over 12 %",
    )
    bars = context.snapshot.history
    if not bars:
        return warned_gate(name, "none", limit, "the source has no daily bars for this underlying and time")
    faults = _history_faults(bars, context.today)
    figure = f"{pluralise(len(bars), 'close')}, {bars[0].day} to {bars[-1].day}"
    return warned_gate(name, figure, limit, "; ".join(faults)) if faults else passed_gate(name, figure, limit)


def _history_faults(bars: tuple[DailyBar, ...], today: date) -> list[str]:
    faults = [] if len(bars) >= MIN_CLOSES else ["too few closes for one-year statistics"]
    if not all(0 < bar.close < 1e9 for bar in bars):
        return [*faults, "a close is not a price"]
    last = previous_session(today).day
    if not last <= bars[-1].day <= today:
        faults.append(f"the last bar is not of {last} or {today}")
    for before, after in pairwise(bars):
        missing_sessions = sessions_between(before.day, after.day) - 1
        if after.day - before.day > MAX_GAP or missing_sessions > 0:
            faults.append(f"no bar between {before.day} and {after.day}")
        if not abs(after.close / before.close - 1) <= MAX_MOVE:
            faults.append(f"{after.day} moved {after.close / before.close - 1:+.1%}")
    return faults[:4]


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"
