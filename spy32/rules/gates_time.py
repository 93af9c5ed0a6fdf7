"""Gates on the clock and on what is quoted: session, age, expiration, root, and what the days before look like."""

from datetime import date, datetime, timedelta
from itertools import pairwise

from spy32.domain.market import DailyBar, Dividend, Gate, roots_of
from spy32.domain.trading import Strategy
from spy32.rules.gate_parts import Grounds, Looked, Quotes, counted, kept, passed, skipped, stopped, warned
from spy32.sessions import (
    Session,
    closure,
    days_to_expiration,
    market_date,
    new_york,
    previous_session,
    session,
    sessions_between,
)  # fmt: skip

SETTLED = timedelta(minutes=20)
"""After the open: a feed that is a quarter of an hour late shows the session only from 09:45 on."""
OLDEST = timedelta(minutes=20)
AHEAD = timedelta(minutes=2)
NEAREST = 10
SILENCE = timedelta(minutes=60)
"""Without a trade near the money for so long, a feed a quarter of an hour late is dead, or the contracts are."""
EUROPEAN = frozenset({"SPX", "XSP"})
QUARTER = timedelta(days=80)
"""Ex-dates are some 91 days apart: a table that ends less than this before the expiration misses none."""
CLOSES = 200
"""Fewer closes than this do not make one-year statistics."""
LARGEST_GAP = timedelta(days=5)
LARGEST_MOVE = 0.12


def in_session(grounds: Grounds) -> Gate:
    """The exchange is open; on a recorded market its options were, at the time of the quotes."""
    recorded = grounds.snapshot.is_recorded
    figure = f"{new_york(grounds.now):%a %Y-%m-%d %H:%M} New York"
    hours = session(grounds.today)
    if hours is None:
        limit = "a session of the exchange"
        return stopped("session", figure, limit, f"closed: {closure(grounds.today)}")
    first, last = (hours.open, hours.option_close) if recorded else (hours.open + SETTLED, hours.option_close)
    limit = f"{new_york(first):%H:%M} to {new_york(last):%H:%M}"
    if first <= grounds.now <= last:
        return passed("session", figure, limit, "early close" if hours.is_early else "")
    return stopped("session", figure, limit, "outside the session of the options")


def quote_age(grounds: Grounds) -> Gate:
    """The quotes are of now; recorded ones are their own clock."""
    limit = f"at most {_minutes(OLDEST)} old, {_minutes(AHEAD)} ahead"
    if grounds.snapshot.is_recorded:
        return skipped("quote_age", limit, "recorded: the clock is the time of the quotes")
    age = grounds.now - grounds.snapshot.chain.as_of
    figure = f"{age.total_seconds() / 60:.1f} min"
    return passed("quote_age", figure, limit) if -AHEAD <= age <= OLDEST else stopped("quote_age", figure, limit)


def same_day_trades(quotes: Quotes, grounds: Grounds) -> Looked:
    """The newest trade near the money is of this hour: a chain that stands still may come under a fresh time."""
    limit = f"a trade of the last {_minutes(SILENCE)} at the {NEAREST} strikes nearest the money"
    near = sorted({quote.strike for quote in quotes}, key=lambda strike: abs(float(strike) - grounds.spot))[:NEAREST]
    times = [quote.traded_at for quote in quotes if quote.strike in near and quote.traded_at is not None]
    if not times:
        gate = skipped("same_day_trades", limit, "the quotes come without times of trades")
        return Looked(gate=gate, quotes=quotes)
    newest = max(times)
    figure = f"newest {new_york(newest):%Y-%m-%d %H:%M} New York"
    age = grounds.now - newest
    good = market_date(newest) == grounds.today and -AHEAD <= age <= SILENCE
    return Looked(gate=(passed if good else stopped)("same_day_trades", figure, limit), quotes=quotes)


def expiration(quotes: Quotes, grounds: Grounds) -> Looked:
    """The target is listed, not past, and as many days away as the snapshot says."""
    target = grounds.snapshot.target
    days = days_to_expiration(target, grounds.today)
    figure = f"{target}, {counted(days, 'day')}, {counted(len(quotes), 'quote')}"
    limit = "listed and not past"
    good = bool(quotes) and days >= 0 and days == grounds.snapshot.dte
    gate = passed("expiration", figure, limit) if good else stopped("expiration", figure, limit)
    return Looked(gate=gate, quotes=quotes)


def root(quotes: Quotes, grounds: Grounds) -> Looked:
    """Standard contracts of the underlying only: a mini or adjusted one delivers another number of shares."""
    counts: dict[str, int] = {}
    for quote in quotes:
        counts[quote.root] = counts.get(quote.root, 0) + 1
    known = roots_of(grounds.snapshot.underlying)
    taken = next((name for name in known if name in counts), None)
    figure = ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "no quotes"
    limit = " or ".join(known)
    if taken is None:
        return kept(stopped("root", figure, limit, "mini or adjusted contracts are not traded"), quotes, ())
    strange = sorted(counts.keys() - set(known))
    note = f"dropped: {', '.join(sorted(counts.keys() - {taken}))}" if len(counts) > 1 else ""
    gate = (warned if strange else passed)("root", figure, limit, note)
    return kept(gate, quotes, (quote for quote in quotes if quote.root == taken))


def ex_dividend(grounds: Grounds) -> Gate:
    """An ex-date up to the expiration: a short call in the money may be assigned on the evening before."""
    name, limit = "ex_dividend", "no short call over an ex-date"
    dividends, target = grounds.snapshot.dividends, grounds.snapshot.target
    if grounds.snapshot.underlying in EUROPEAN:
        return passed(name, "European, settled in cash", limit)
    if dividends is None:
        return warned(name, "unknown", limit, "the source has no ex-dates")
    if Strategy.CALL_CREDIT not in grounds.choice.strategies:
        return passed(name, "no calls are sold", limit)
    inside = [dividend for dividend in dividends if grounds.today < dividend.ex_date <= target]
    if inside:
        return _ex_date_inside(name, limit, inside[0])
    end = max((dividend.ex_date for dividend in dividends), default=None)
    if end is None or end + QUARTER < target:
        return warned(name, "unknown", limit, f"known ex-dates end {end}" if end is not None else "no ex-date is known")
    return passed(name, f"none up to {target}", limit)


def _ex_date_inside(name: str, limit: str, dividend: Dividend) -> Gate:
    out = previous_session(dividend.ex_date).day
    note = f"close short calls by the end of {out}"
    what = "expected ex-date" if dividend.is_expected else "ex-date"
    return warned(name, f"{what} {dividend.ex_date}, ${dividend.amount:.2f}", limit, note)


def history(grounds: Grounds) -> Gate:
    """A year of daily closes without holes, up to the last session."""
    name, limit = (
        "history",
        f"{CLOSES} closes up to the last session, no gap over {LARGEST_GAP.days} days, no move over 12 %",
    )
    bars = grounds.snapshot.history
    if not bars:
        return warned(name, "none", limit, "the source has no daily bars for this underlying and time")
    troubles = _troubles(bars, grounds.today)
    figure = f"{counted(len(bars), 'close')}, {bars[0].day} to {bars[-1].day}"
    return warned(name, figure, limit, "; ".join(troubles)) if troubles else passed(name, figure, limit)


def _troubles(bars: tuple[DailyBar, ...], today: date) -> list[str]:
    troubles = [] if len(bars) >= CLOSES else ["too few closes for one-year statistics"]
    if not all(0 < bar.close < 1e9 for bar in bars):
        return [*troubles, "a close is not a price"]
    last = previous_session(today).day
    if not last <= bars[-1].day <= today:
        troubles.append(f"the last bar is not of {last} or {today}")
    for before, after in pairwise(bars):
        lacking = sessions_between(before.day, after.day) - 1
        if after.day - before.day > LARGEST_GAP or lacking > 0:
            troubles.append(f"no bar between {before.day} and {after.day}")
        if not abs(after.close / before.close - 1) <= LARGEST_MOVE:
            troubles.append(f"{after.day} moved {after.close / before.close - 1:+.1%}")
    return troubles[:4]


def shares_close(now: datetime) -> Session | None:
    """The session whose shares have closed while its options still trade."""
    hours = session(market_date(now))
    return hours if hours is not None and hours.close < now <= hours.option_close else None


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} min"
