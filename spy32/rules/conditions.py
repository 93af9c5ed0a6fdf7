"""Market conditions for an entry: volatility, dividends, the session and its last minutes."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime

from spy32.domain.market import MarketSnapshot, Right
from spy32.domain.option_class import settles_in_cash
from spy32.domain.proposals import Finding
from spy32.domain.spreads import Candidate
from spy32.domain.value import value
from spy32.rules import plan
from spy32.sessions import CLOSE, clock_time, closure_reason, market_date, new_york_instant, new_york_time, session
from spy32.settings import Settings
from spy32.settings.model import Conditions


@value
class Entry:
    """What is to be opened, and when: all that a condition may look at."""

    snapshot: MarketSnapshot
    candidate: Candidate
    settings: Settings
    now: datetime


def check_conditions(
    snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, now: datetime
) -> tuple[tuple[Finding, ...], bool]:
    """Return every finding, and whether to halve the position size."""
    volatile, halves = _check_volatility(snapshot, settings.conditions)
    findings = (
        *volatile,
        *(
            finding
            for check in CONDITIONS.values()
            for finding in check(Entry(snapshot=snapshot, candidate=candidate, settings=settings, now=now))
        ),
    )
    return findings, halves


# Volatility.


def _check_volatility(snapshot: MarketSnapshot, limits: Conditions) -> tuple[tuple[Finding, ...], bool]:
    vix, vix3m = _index_level(snapshot, "vix"), _index_level(snapshot, "vix3m")
    if vix is None and snapshot.is_recorded:
        return (_missing_index("vix", "VIX", "the rules on it were not applied"),), False
    if vix is None:
        # Without the VIX the market's volatility is unknown. Assume that it is high.
        return (_missing_index("vix", "VIX", "the size is halved"),), True
    level = _check_vix_level(vix, limits)
    if vix3m is None:
        return (
            *level,
            _missing_index("vix_term", "VIX3M", "the term structure was not judged"),
        ), vix >= limits.vix_halve
    term = _check_vix_term(vix / vix3m, limits)
    return (*level, *term), vix >= limits.vix_halve or bool(term)


def _index_level(snapshot: MarketSnapshot, name: str) -> float | None:
    """Return the index level, percent; None when it is missing or not positive."""
    metric = snapshot.volatility.get(name)
    return metric.value if metric is not None and metric.value is not None and metric.value > 0 else None


def _missing_index(rule: str, name: str, effect: str) -> Finding:
    return Finding(rule=rule, message=f"{name} is missing: {effect}", figure="missing", blocks=False)


def _check_vix_level(vix: float, limits: Conditions) -> tuple[Finding, ...]:
    for limit, effect, blocks in (
        (limits.vix_none, "nothing is opened", True),
        (limits.vix_halve, "the size is halved", False),
        (limits.vix_warn, "high", False),
    ):
        if not vix < limit:
            message = f"VIX {vix:.2f} is at or above {limit:g}: {effect}"
            return (Finding(rule="vix", message=message, figure=f"{vix:.2f}", limit=f"{limit:g}", blocks=blocks),)
    return ()


def _check_vix_term(ratio: float, limits: Conditions) -> tuple[Finding, ...]:
    if ratio <= limits.term_halve:
        return ()
    message = f"VIX over VIX3M is {ratio:.3f}, above {limits.term_halve:g}: the size is halved"
    return (
        Finding(rule="vix_term", message=message, figure=f"{ratio:.3f}", limit=f"{limits.term_halve:g}", blocks=False),
    )


# Dividends.


def check_ex_dates(
    snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, today: date
) -> Iterator[Finding]:
    """Refuse a short call whose planned exit is on or after an ex-date.

    A call in the money may be assigned on the evening before the ex-date, because its holder wants the dividend.
    """
    has_call = any(leg.right is Right.CALL for leg in candidate.spread.shorts)
    if not has_call or settles_in_cash(candidate.spread.underlying):
        return
    exit_day = plan.planned_exit(candidate, today, settings)
    if snapshot.dividends is None:
        yield _unknown_ex_dates("no source of ex-dates", exit_day)
        return
    within = [dividend for dividend in snapshot.dividends if today < dividend.ex_date <= exit_day]
    if within:
        first = min(dividend.ex_date for dividend in within)
        yield Finding(
            rule="ex_dividend",
            message=f"a short call would be held into the ex-date {first}; the planned exit is {exit_day}",
            figure=f"{first}",
            limit=f"after {exit_day}",
        )
    last_known = max((dividend.ex_date for dividend in snapshot.dividends), default=None)
    if last_known is None or last_known < exit_day:
        yield _unknown_ex_dates(
            "the ex-dates end " + (f"with {last_known}" if last_known is not None else "before today"), exit_day
        )


def _unknown_ex_dates(reason: str, exit_day: date) -> Finding:
    message = f"{reason}: an ex-date before the planned exit {exit_day} would not be known here"
    return Finding(rule="ex_dividend", message=message, figure="unknown", limit=f"after {exit_day}", blocks=False)


# The session.


def check_session(now: datetime, *, is_recorded: bool) -> Iterator[Finding]:
    """Refuse to open or send while the exchange is closed. On a recorded market the session lasts until the options
    close (16:15 New York), inclusive."""
    today = market_date(now)
    hours = session(today)
    if hours is None:
        yield Finding(
            rule="session", message=f"the exchange is closed on {today}: {closure_reason(today)}", figure=f"{today}"
        )
        return
    end = hours.option_close if is_recorded else hours.close
    # A day order that arrives at the close has no session left. A recorded chain may be quoted exactly at the close.
    if hours.open <= now < end or (is_recorded and now == end):
        return
    figure = f"{new_york_time(now):%H:%M}"
    limit = f"{new_york_time(hours.open):%H:%M} to {new_york_time(end):%H:%M}"
    message = f"it is {figure} in New York, outside the session ({limit})"
    yield Finding(rule="session", message=message, figure=figure, limit=limit)


def check_late_entry(now: datetime, settings: Settings, *, is_recorded: bool) -> Iterator[Finding]:
    """Refuse an entry after `execution.no_entry_after` (New York); on an early close, as much earlier as the close."""
    hours = session(market_date(now))
    if is_recorded or hours is None:
        return
    last_entry = new_york_instant(hours.day, clock_time(settings.execution.no_entry_after))
    last_entry -= new_york_instant(hours.day, CLOSE) - hours.close
    if not now <= last_entry:
        figure, limit = f"{new_york_time(now):%H:%M}", f"{new_york_time(last_entry):%H:%M}"
        message = f"no entry after {limit} New York; it is {figure}"
        yield Finding(rule="late_entry", message=message, figure=figure, limit=limit)


CONDITIONS: Mapping[str, Callable[[Entry], Iterator[Finding]]] = {
    "ex_dividend": lambda entry: check_ex_dates(
        entry.snapshot, entry.candidate, entry.settings, market_date(entry.now)
    ),
    "session": lambda entry: check_session(entry.now, is_recorded=entry.snapshot.is_recorded),
    "late_entry": lambda entry: check_late_entry(entry.now, entry.settings, is_recorded=entry.snapshot.is_recorded),
}
"""Beside volatility, which may also halve the size: the rule's name in its findings, and what finds them."""
RULES = frozenset({"vix", "vix_term", *CONDITIONS})
