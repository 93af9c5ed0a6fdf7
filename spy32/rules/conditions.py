"""May anything be opened in this market, now: volatility, dividends, the session and its end."""

from collections.abc import Iterator
from datetime import date, datetime

from spy32.domain.deciding import Finding
from spy32.domain.market import MarketSnapshot, Right
from spy32.domain.trading import Candidate
from spy32.rules import plan
from spy32.sessions import CLOSE, at_new_york, clock_time, closure, market_date, new_york, session
from spy32.settings import Settings
from spy32.settings.model import Conditions

RULES = frozenset({"vix", "vix_term", "ex_dividend", "session", "late_entry"})


def weigh(
    snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, now: datetime
) -> tuple[tuple[Finding, ...], bool]:
    """Every finding, and whether the size is to be halved."""
    volatile, halves = _volatility(snapshot, settings.conditions)
    found = (
        *volatile,
        *ex_dates(snapshot, candidate, settings, market_date(now)),
        *not_in_session(now, is_recorded=snapshot.is_recorded),
        *too_late(now, settings, is_recorded=snapshot.is_recorded),
    )
    return found, halves


# Volatility.


def _volatility(snapshot: MarketSnapshot, limits: Conditions) -> tuple[tuple[Finding, ...], bool]:
    vix, vix3m = _value(snapshot, "vix"), _value(snapshot, "vix3m")
    if vix is None and snapshot.is_recorded:
        return (_missing("vix", "VIX", "the rules on it were not applied"),), False
    if vix is None:
        # How wild today's market is cannot be told, so it is taken for a wild one.
        return (_missing("vix", "VIX", "the size is halved"),), True
    level = _level(vix, limits)
    if vix3m is None:
        return (*level, _missing("vix_term", "VIX3M", "the term structure was not judged")), vix >= limits.vix_halve
    term = _term(vix / vix3m, limits)
    return (*level, *term), vix >= limits.vix_halve or bool(term)


def _value(snapshot: MarketSnapshot, name: str) -> float | None:
    """The figure, if it is there and can be one: an index of volatility is positive."""
    datum = snapshot.volatility.get(name)
    return datum.value if datum is not None and datum.value is not None and datum.value > 0 else None


def _missing(rule: str, name: str, so: str) -> Finding:
    return Finding(rule=rule, message=f"{name} is missing: {so}", figure="missing", blocks=False)


def _level(vix: float, limits: Conditions) -> tuple[Finding, ...]:
    for limit, words, blocks in (
        (limits.vix_none, "nothing is opened", True),
        (limits.vix_halve, "the size is halved", False),
        (limits.vix_warn, "high", False),
    ):
        if not vix < limit:
            message = f"VIX {vix:.2f} is at or above {limit:g}: {words}"
            return (Finding(rule="vix", message=message, figure=f"{vix:.2f}", limit=f"{limit:g}", blocks=blocks),)
    return ()


def _term(ratio: float, limits: Conditions) -> tuple[Finding, ...]:
    if ratio <= limits.term_halve:
        return ()
    message = f"VIX over VIX3M is {ratio:.3f}, above {limits.term_halve:g}: the size is halved"
    return (
        Finding(rule="vix_term", message=message, figure=f"{ratio:.3f}", limit=f"{limits.term_halve:g}", blocks=False),
    )


# Dividends.


def ex_dates(snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, today: date) -> Iterator[Finding]:
    """No short call is held into an ex-date: the night before, a call in the money may be assigned for the dividend."""
    if candidate.spread.right is not Right.CALL:
        return
    leave = plan.planned_exit(candidate, today, settings)
    if snapshot.dividends is None:
        yield _unknown_dates("no source of ex-dates", leave)
        return
    within = [dividend for dividend in snapshot.dividends if today < dividend.ex_date <= leave]
    if within:
        first = min(dividend.ex_date for dividend in within)
        yield Finding(
            rule="ex_dividend",
            message=f"a short call would be held into the ex-date {first}; the planned exit is {leave}",
            figure=f"{first}",
            limit=f"after {leave}",
        )
    known = max((dividend.ex_date for dividend in snapshot.dividends), default=None)
    if known is None or known < leave:
        yield _unknown_dates("the ex-dates end " + (f"with {known}" if known is not None else "before today"), leave)


def _unknown_dates(why: str, leave: date) -> Finding:
    message = f"{why}: an ex-date before the planned exit {leave} would not be known here"
    return Finding(rule="ex_dividend", message=message, figure="unknown", limit=f"after {leave}", blocks=False)


# The session.


def not_in_session(now: datetime, *, is_recorded: bool) -> Iterator[Finding]:
    """Nothing is opened or sent while the exchange is closed; a recorded chain has the option session to its end."""
    today = market_date(now)
    here = session(today)
    if here is None:
        yield Finding(rule="session", message=f"the exchange is closed on {today}: {closure(today)}", figure=f"{today}")
        return
    end = here.option_close if is_recorded else here.close
    # A day order that arrives at the close has no session left, while a recorded close is the last quote there is.
    if here.open <= now < end or (is_recorded and now == end):
        return
    figure = f"{new_york(now):%H:%M}"
    limit = f"{new_york(here.open):%H:%M} to {new_york(end):%H:%M}"
    message = f"it is {figure} in New York, outside the session ({limit})"
    yield Finding(rule="session", message=message, figure=figure, limit=limit)


def too_late(now: datetime, settings: Settings, *, is_recorded: bool) -> Iterator[Finding]:
    """No entry in the last minutes of a session: the setting's time, as much earlier as the session closes early."""
    here = session(market_date(now))
    if is_recorded or here is None:
        return
    last = at_new_york(here.day, clock_time(settings.execution.no_entry_after))
    last -= at_new_york(here.day, CLOSE) - here.close
    if not now <= last:
        figure, limit = f"{new_york(now):%H:%M}", f"{new_york(last):%H:%M}"
        message = f"no entry after {limit} New York; it is {figure}"
        yield Finding(rule="late_entry", message=message, figure=figure, limit=limit)
