"""The fields of a prompt: what is shown of a briefing and the plan, each with the path that an answer cites."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from spy32.analysts.prompt_text import (
    DIVIDER,
    NULL,
    age,
    amount,
    decimals,
    number,
    quoted,
    strike,
    ticker,
    unit_of,
)
from spy32.analysts.rendered import Sent
from spy32.domain.briefing import Briefing, Held
from spy32.domain.events import Event
from spy32.domain.market import DailyBar, Datum
from spy32.domain.plain_text import plain
from spy32.domain.trading import Strategy
from spy32.rules.plan import last_exit, time_exit
from spy32.sessions import closure, days_to_expiration, market_date, new_york, session
from spy32.settings import Settings

PATH = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_^-]+)+")
TIME = re.compile(r"\d\d:\d\d")
BARS = 32
MOST = 40
"""Lines of one list that are shown; how many more there are is said."""
UNKNOWN = "not sent by the source"
RIGHTS: Mapping[str, str] = {Strategy.PUT_CREDIT: "put", Strategy.CALL_CREDIT: "call"}


class Sheet:
    """Collects the fields while the lines are written; no path comes twice."""

    def __init__(self) -> None:
        self.fields: dict[str, Sent] = {}

    def add(self, sent: Sent) -> Sent:
        if not PATH.fullmatch(sent.path):
            raise ValueError(f"{sent.path!r} is not the path of a field")
        if sent.path in self.fields:
            raise ValueError(f"{sent.path} would be there twice")
        self.fields[sent.path] = sent
        return sent

    def line(self, sent: Sent, *more: str) -> str:
        """Path, value and what else stands on the line."""
        self.add(sent)
        return DIVIDER.join((sent.path, sent.text, *filter(None, more)))

    def free(self, path: str) -> str:
        """`path`, with a running number behind it when it is taken."""
        count, found = 1, path
        while found in self.fields:
            count += 1
            found = f"{path}.{count}"
        return found


# Figures.


def figure(path: str, datum: Datum, now: datetime) -> Sent:
    """A datum as it is sent: rounded by its unit, or null with the reason."""
    unit = unit_of(datum.unit)
    if datum.value is None:
        return Sent(path=path, text=NULL, unit=unit, note=plain(datum.missing or ""), is_missing=True)
    text = number(datum.value, decimals(datum.unit, datum.value))
    if text is None:
        return Sent(path=path, text=NULL, unit=unit, note="what the source sent is no figure", is_missing=True)
    counted = f", n={datum.count}" if datum.count is not None else ""
    note = f"{age(datum.as_of, now)}, {plain(datum.source)}{counted}"
    return Sent(path=path, text=text, value=float(text), unit=unit, note=note)


def figure_line(sheet: Sheet, path: str, datum: Datum, now: datetime) -> str:
    sent = figure(path, datum, now)
    if sent.is_missing:
        return sheet.line(sent, sent.unit, quoted(sent.note))
    counted = f" n={datum.count}" if datum.count is not None else ""
    return sheet.line(sent, sent.unit, age(datum.as_of, now), quoted(datum.source) + counted)


def market(sheet: Sheet, briefing: Briefing) -> list[str]:
    return [figure_line(sheet, path, datum, briefing.as_of) for path, datum in briefing.figures.items()] or ["none"]


def spot(sheet: Sheet, briefing: Briefing) -> list[str]:
    """The one figure without which no strike says anything."""
    path = "market.spot"
    datum = briefing.figures.get(path, Datum(value=None, unit="dollars", source="", missing="not collected"))
    return [figure_line(sheet, path, datum, briefing.as_of)]


# The moment, the plan, bars.


def moment(briefing: Briefing) -> list[str]:
    """What is decided on, the session, and of when the quotes are."""
    lines = [f"underlying: {ticker(briefing.underlying)}", f"session: {session_of(briefing.as_of)}"]
    datum = briefing.figures.get("market.spot")
    if datum is None or datum.as_of is None:
        return [*lines, "quotes: of an unknown time"]
    return [*lines, f"quotes: of {stamp(datum.as_of)}, {age(datum.as_of, briefing.as_of)} old, {quoted(datum.source)}"]


def stamp(instant: datetime) -> str:
    """ISO 8601 with New York's offset, whole seconds."""
    return new_york(instant).replace(microsecond=0).isoformat()


def session_of(now: datetime) -> str:
    hours = session(market_date(now))
    if hours is None:
        return f"none today ({closure(market_date(now))})"
    times = f"options {new_york(hours.open):%H:%M} to {new_york(hours.option_close):%H:%M} New York"
    times += ", early close" if hours.is_early else ""
    if now < hours.open:
        return f"not open yet; {times}"
    return f"open; {times}" if now <= hours.option_close else f"over; {times}"


def plan(sheet: Sheet, briefing: Briefing, settings: Settings) -> list[str]:
    """Expiration and the exits that are planned."""
    today = market_date(briefing.as_of)
    leave = time_exit(briefing.target, today, settings)
    dates = (
        ("plan.expiration", briefing.target.isoformat(), "the options settle"),
        ("plan.time_exit", leave.isoformat() if leave is not None else "none", "bought back then at the latest"),
        ("plan.last_exit", last_exit(briefing.target, today).isoformat(), "never held beyond"),
    )
    exits = settings.exit
    figures = (
        ("plan.dte", str(briefing.dte), "calendar days to the expiration"),
        ("plan.profit_target", amount(exits.profit_target), "of the credit; bought back once it is earned"),
        ("plan.stop_multiple", amount(exits.stop_multiple), "closing costs over the credit; then a person is called"),
    )
    lines = [sheet.line(Sent(path=path, text=text, unit=unit), unit) for path, text, unit in dates]
    for path, text, unit in figures:
        lines.append(sheet.line(Sent(path=path, text=text, value=float(text), unit=unit), unit))
    return lines


def checks(sheet: Sheet, settings: Settings) -> list[str]:
    """Every rule that can still refuse a choice from the menu, with its limit."""
    knobs, drift, choice = settings.analyst, settings.drift, settings.choice
    figures = (
        ("probability", knobs.probability_veto, "p_max_profit is farther from p_worthless"),
        (
            "numbers",
            Decimal(knobs.unmatched_veto),
            "so many numbers of your words, or more, match nothing that was sent",
        ),
        ("underlying", drift.underlying, "the underlying has moved by a larger share when the legs are quoted again"),
        ("credit", drift.credit, "the mid credit has fallen by a larger share then"),
        (
            "leg_width",
            choice.leg_width_of_mid,
            "a leg is quoted wider than this share of its mid, and than some cents, then",
        ),
    )
    words = (
        ("quotes", "a leg has no bid or ask then, or the first limit is outside the market"),
        ("session", f"the exchange is closed, or it is after {settings.execution.no_entry_after} New York, by then"),
        ("account", "a limit of the account or of the day is used up by then"),
        ("broker", "the broker's rehearsal of the order refuses it, or a person does"),
    )
    lines = []
    for name, limit, meaning in figures:
        text = f"{limit.normalize():f}" if isinstance(limit, Decimal) else number(limit, 4) or NULL
        sent = Sent(path=f"checks.{name}", text=text, value=float(text), unit=meaning)
        lines.append(sheet.line(sent, meaning))
    return [*lines, *(sheet.line(Sent(path=f"checks.{name}", text="yes", unit=said), said) for name, said in words)]


def bars(sheet: Sheet, briefing: Briefing) -> list[str]:
    lines = []
    for bar in briefing.bars[-BARS:]:
        lines.append(sheet.line(_bar(bar)))
    return lines or ["none"]


def _bar(bar: DailyBar) -> Sent:
    texts = [None if value is None else number(value, 2) for value in (bar.high, bar.low, bar.close)]
    path, text, close = f"bars.{bar.day}", DIVIDER.join(text or NULL for text in texts), texts[-1]
    if close is None:
        return Sent(path=path, text=text, unit="dollars", note=UNKNOWN, is_missing=True)
    return Sent(path=path, text=text, value=float(close), unit="dollars", note="high, low, close")


# Events, portfolio, flags.


def events(sheet: Sheet, briefing: Briefing) -> list[str]:
    """What is scheduled up to the expiration, where the tables end, and the ex-dates."""
    today = market_date(briefing.as_of)
    lines = [_event(sheet, event, today) for event in briefing.events[:MOST]]
    lines += _more(briefing.events)
    for kind, why in briefing.unknown_events.items():
        path = sheet.free(f"events.{_word(kind)}.unknown")
        sent = Sent(path=path, text=NULL, note=plain(why), is_missing=True)
        lines.append(sheet.line(sent, quoted(why)))
    if not lines:
        lines = [f"none from {today} to {briefing.target}"]
    return [*lines, *_dividends(sheet, briefing, today)]


def _word(text: str) -> str:
    """A kind as a piece of a path."""
    return re.sub(r"[^a-z0-9_]", "", text.lower())[:16] or "other"


def _event(sheet: Sheet, event: Event, today: date) -> str:
    """`events.fomc.2025-10-29 | 14:00 | 23 days away | "source" | "note"`."""
    time = event.time if event.time is not None and TIME.fullmatch(event.time) else "time unknown"
    away = (event.day - today).days
    path = sheet.free(f"events.{_word(event.kind.value)}.{event.day}")
    more = [f"{away} days away", quoted(event.source)]
    more += [quoted(event.note)] if event.note else []
    more += [] if event.is_confirmed else ["not confirmed"]
    note = plain(f"{event.note}, {event.source}" if event.note else event.source)
    return sheet.line(Sent(path=path, text=time, value=float(away), unit="days away", note=note), *more)


def _dividends(sheet: Sheet, briefing: Briefing, today: date) -> list[str]:
    if briefing.dividends is None:
        why = "no source has the ex-dates"
        return [sheet.line(Sent(path="events.ex_dividend", text=NULL, note=why, is_missing=True), quoted(why))]
    if not briefing.dividends:
        until = f"up to {briefing.target}"
        return [sheet.line(Sent(path="events.ex_dividend", text="none", note=until), until)]
    lines = _more(briefing.dividends)
    for dividend in briefing.dividends[:MOST]:
        text = amount(dividend.amount)
        path = sheet.free(f"events.ex_dividend.{dividend.ex_date}")
        sent = Sent(path=path, text=text, value=float(text), unit="dollars a share")
        lines.append(sheet.line(sent, sent.unit, f"{(dividend.ex_date - today).days} days away"))
    return lines


def portfolio(sheet: Sheet, briefing: Briefing) -> list[str]:
    """Open spreads and what they risk, as shares of the account: no dollars of it, no number of it."""
    worth = briefing.net_liquidation
    lines = [
        _held(sheet, f"portfolio.{place}", held, briefing) for place, held in enumerate(briefing.held[:MOST], start=1)
    ]
    lines += _more(briefing.held)
    if not lines:
        lines = ["no spread is open"]
    unit = "of the account: most that all open spreads can lose"
    share = _share(briefing.open_risk, worth)
    if share is None:
        why = "the value of the account is not known"
        return [*lines, sheet.line(Sent(path="portfolio.open_risk", text=NULL, note=why, is_missing=True), quoted(why))]
    return [*lines, sheet.line(Sent(path="portfolio.open_risk", text=share, value=float(share), unit=unit), unit)]


def _held(sheet: Sheet, path: str, held: Held, briefing: Briefing) -> str:
    right = RIGHTS.get(held.strategy, "spread")
    name = f"{ticker(held.underlying)} {right} {strike(held.short_strike)}/{strike(held.long_strike)}"
    days = f"{days_to_expiration(held.expiration, market_date(briefing.as_of))} days left"
    share = _share(held.max_loss, briefing.net_liquidation)
    return sheet.line(
        Sent(path=path, text=name, note=f"{held.expiration}, {days}"),
        held.expiration.isoformat(),
        days,
        f"credit {amount(held.credit)}",
        f"can lose {share} of the account" if share is not None else "risk unknown",
    )


def _share(dollars: Decimal, worth: Decimal | None) -> str | None:
    """Four decimals; None without an account's value."""
    return amount(dollars / worth, 4) if worth is not None and worth > 0 else None


def flags(sheet: Sheet, texts: Sequence[str]) -> list[str]:
    """What a reader must know about the data, one quoted line each."""
    lines = [
        sheet.line(Sent(path=f"flags.{place}", text=quoted(text))) for place, text in enumerate(texts[:MOST], start=1)
    ]
    return [*lines, *_more(texts)] or ["none"]


def _more(shown: Sequence[object]) -> list[str]:
    """How many of a list are left out, so that nothing goes in silence."""
    return [f"{len(shown) - MOST} more are not shown"] if len(shown) > MOST else []
