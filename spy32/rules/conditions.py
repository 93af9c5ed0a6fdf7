"""Market conditions for an entry: volatility, dividends, the session and its last minutes."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from spy32.domain.findings import Finding, remark, violation
from spy32.domain.market import MarketSnapshot, Right
from spy32.domain.option_class import settles_in_cash
from spy32.domain.spreads import Candidate
from spy32.rules import plan
from spy32.sessions import CLOSE, clock_time, closure_reason, market_date, new_york_instant, new_york_time, session
from spy32.settings import Settings
from spy32.settings.model import Conditions


def check_conditions(
    snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, now: datetime
) -> tuple[tuple[Finding, ...], bool]:
    """Return every finding, and whether to halve the position size."""
    volatile, halves = _check_volatility(snapshot, settings.conditions)
    findings = (
        *volatile,
        *(finding for check in CONDITIONS.values() for finding in check(snapshot, candidate, settings, now)),
    )
    return findings, halves


# Volatility.


def _check_volatility(snapshot: MarketSnapshot, limits: Conditions) -> tuple[list[Finding], bool]:
    vix, vix3m = _index_level(snapshot, "vix"), _index_level(snapshot, "vix3m")
    if vix is None:
        # Without the VIX the market's volatility is unknown. Assume that it is high, but for a recorded market.
        halves = not snapshot.is_recorded
        effect = "the size is halved" if halves else "the rules on it were not applied"
        return [remark("vix", f"VIX is missing: {effect}", "missing")], halves
    findings, halves = [], vix >= limits.vix_halve
    for limit, effect, finding in (
        (limits.vix_none, "nothing is opened", violation),
        (limits.vix_halve, "the size is halved", remark),
        (limits.vix_warn, "high", remark),
    ):
        if not vix < limit:
            message = f"VIX {vix:.2f} is at or above {limit:g}: {effect}"
            findings.append(finding("vix", message, f"{vix:.2f}", f"{limit:g}"))
            break
    if vix3m is None:
        findings.append(remark("vix_term", "VIX3M is missing: the term structure was not judged", "missing"))
    elif not vix / vix3m <= limits.term_halve:
        ratio, limit_text = f"{vix / vix3m:.3f}", f"{limits.term_halve:g}"
        message = f"VIX over VIX3M is {ratio}, above {limit_text}: the size is halved"
        findings.append(remark("vix_term", message, ratio, limit_text))
        halves = True
    return findings, halves


def _index_level(snapshot: MarketSnapshot, name: str) -> float | None:
    """Return the index level, percent; None when it is missing or not positive."""
    metric = snapshot.volatility.get(name)
    return metric.value if metric is not None and metric.value is not None and metric.value > 0 else None


# Dividends.


def check_ex_dates(
    snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, now: datetime
) -> Iterator[Finding]:
    """Refuse a short call whose planned exit is on or after an ex-date.

    A call in the money may be assigned on the evening before the ex-date, because its holder wants the dividend.
    """
    has_call = any(leg.right is Right.CALL for leg in candidate.spread.shorts)
    if not has_call or settles_in_cash(candidate.spread.underlying):
        return
    today = market_date(now)
    exit_day = plan.planned_exit(candidate, today, settings)
    ex_dates = [dividend.ex_date for dividend in snapshot.dividends or ()]
    first = min((day for day in ex_dates if today < day <= exit_day), default=None)
    if first is not None:
        message = f"a short call would be held into the ex-date {first}; the planned exit is {exit_day}"
        yield violation("ex_dividend", message, first, f"after {exit_day}")
    last = max(ex_dates, default=None)
    if last is None or last < exit_day:
        reason = f"the ex-dates end {f'with {last}' if last is not None else 'before today'}"
        if snapshot.dividends is None:
            reason = "no source of ex-dates"
        message = f"{reason}: an ex-date before the planned exit {exit_day} would not be known here"
        yield remark("ex_dividend", message, "unknown", f"after {exit_day}")


# The session.


def check_session(now: datetime, *, is_recorded: bool) -> Iterator[Finding]:
    """Refuse to open or send while the exchange is closed. On a recorded market the session lasts until the options
    close (16:15 New York), inclusive."""
    today = market_date(now)
    hours = session(today)
    if hours is None:
        yield violation("session", f"the exchange is closed on {today}: {closure_reason(today)}", today)
        return
    end = hours.option_close if is_recorded else hours.close
    # A day order that arrives at the close has no session left. A recorded chain may be quoted exactly at the close.
    if hours.open <= now < end or (is_recorded and now == end):
        return
    figure = f"{new_york_time(now):%H:%M}"
    limit = f"{new_york_time(hours.open):%H:%M} to {new_york_time(end):%H:%M}"
    message = f"it is {figure} in New York, outside the session ({limit})"
    yield violation("session", message, figure, limit)


def check_late_entry(now: datetime, settings: Settings, *, is_recorded: bool) -> Iterator[Finding]:
    """Refuse an entry after `execution.no_entry_after` (New York); on an early close, as much earlier as the close."""
    hours = session(market_date(now))
    if is_recorded or hours is None:
        return
    last_entry = new_york_instant(hours.day, clock_time(settings.execution.no_entry_after))
    last_entry -= new_york_instant(hours.day, CLOSE) - hours.close
    if not now <= last_entry:
        figure, limit = f"{new_york_time(now):%H:%M}", f"{new_york_time(last_entry):%H:%M}"
        yield violation("late_entry", f"no entry after {limit} New York; it is {figure}", figure, limit)


Condition = Callable[[MarketSnapshot, Candidate, Settings, datetime], Iterator[Finding]]
CONDITIONS: Mapping[str, Condition] = {
    "ex_dividend": check_ex_dates,
    "session": lambda snapshot, _candidate, _settings, now: check_session(now, is_recorded=snapshot.is_recorded),
    "late_entry": lambda snapshot, _candidate, settings, now: check_late_entry(
        now, settings, is_recorded=snapshot.is_recorded
    ),
}
"""Beside volatility, which may also halve the size: the rule's name in its findings, and what finds them."""
RULES = frozenset({"vix", "vix_term", *CONDITIONS})
