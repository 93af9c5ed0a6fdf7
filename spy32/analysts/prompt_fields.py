"""The fields of a prompt: what is shown of a briefing and the plan, each with the path that an answer cites."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from spy32.analysts.prompt_format import (
    DECIMALS,
    DIVIDER,
    NULL,
    format_age,
    format_amount,
    format_exact,
    format_number,
    format_strategy,
    format_ticker,
    format_unit,
    quote_text,
)
from spy32.analysts.rendered_prompt import PromptField
from spy32.domain.briefing import Briefing, OpenSpread
from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, Metric
from spy32.domain.option_class import option_roots
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import Menu, Strategy
from spy32.rules.plan import last_exit, time_exit
from spy32.sessions import closure_reason, days_to_expiration, market_date, new_york_time, session
from spy32.settings import Settings
from spy32.track_record import find_track_record

PATH_PATTERN = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_^-]+)+")
TIME_PATTERN = re.compile(r"\d\d:\d\d")
MAX_BARS = 32
MAX_LINES = 40
"""Most lines of one list; how many more there are is stated."""
SPOT = "market.spot"
NOT_SENT = "not sent by the source"


class FieldCollector:
    """What a prompt is made of, and the fields that its lines show; no path comes twice."""

    def __init__(self, briefing: Briefing, menu: Menu, settings: Settings) -> None:
        self.briefing, self.menu, self.settings = briefing, menu, settings
        self.now, self.today = briefing.as_of, market_date(briefing.as_of)
        self.fields: dict[str, PromptField] = {}

    def add(
        self,
        path: str,
        text: str | None,
        *more: str,
        value: float | None = None,
        unit: str = "",
        note: str = "",
        is_missing: bool = False,
    ) -> str:
        """Adds a field, missing without a text, and returns its line: path, text and what else stands there.

        `value` is the number of the text unless it is given.
        """
        if not PATH_PATTERN.fullmatch(path):
            raise ValueError(f"{path!r} is not the path of a field")
        if path in self.fields:
            raise ValueError(f"{path} would be there twice")
        self.fields[path] = PromptField(
            path=path,
            text=NULL if text is None else text,
            value=_plain_number(text) if value is None else value,
            unit=unit,
            note=note,
            is_missing=is_missing or text is None,
        )
        return DIVIDER.join((path, self.fields[path].text, *filter(None, more)))

    def add_missing(self, path: str, reason: str) -> str:
        """The line of a datum that is missing, with the reason."""
        return self.add(path, None, quote_text(reason), note=plain_note(reason))

    def unused_path(self, path: str) -> str:
        """`path`, with a running number behind it when it is taken."""
        count, found = 1, path
        while found in self.fields:
            count += 1
            found = f"{path}.{count}"
        return found


def _plain_number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


# Figures.


def _write_figure(sheet: FieldCollector, path: str, metric: Metric) -> str:
    """A datum as it is sent: rounded by its unit, or null with the reason."""
    unit = format_unit(metric.unit)
    text = None
    if metric.value is not None:
        # Where the unit is not known, the size says how many digits count.
        text = format_number(metric.value, DECIMALS.get(metric.unit, 2 if abs(metric.value) >= 10 else 4))
    if text is None:
        reason = plain_note(metric.missing or "what the source sent is no figure")
        return sheet.add(path, None, unit, quote_text(reason), unit=unit, note=reason)
    age = format_age(metric.as_of, sheet.now)
    count = f"n={metric.count}" if metric.count is not None else ""
    note = ", ".join(filter(None, (age, plain_note(metric.source), count)))
    return sheet.add(path, text, unit, age, f"{quote_text(metric.source)} {count}".rstrip(), unit=unit, note=note)


def write_market_section(sheet: FieldCollector) -> list[str]:
    return [_write_figure(sheet, path, metric) for path, metric in sheet.briefing.figures.items()] or ["none"]


def write_spot_section(sheet: FieldCollector) -> list[str]:
    """The spot, without which no strike can be judged."""
    missing = Metric(value=None, unit="dollars", source="", missing="not collected")
    return [_write_figure(sheet, SPOT, sheet.briefing.figures.get(SPOT, missing))]


# The moment, the plan, bars.


def write_moment_section(sheet: FieldCollector) -> list[str]:
    """Underlying, session, and the instant of the quotes."""
    metric = sheet.briefing.figures.get(SPOT)
    quoted = "an unknown time"
    if metric is not None and metric.as_of is not None:
        age = format_age(metric.as_of, sheet.now)
        quoted = f"{format_timestamp(metric.as_of)}, {age} old, {quote_text(metric.source)}"
    return [
        f"underlying: {format_ticker(sheet.briefing.underlying)}",
        f"session: {_describe_session(sheet.now)}",
        f"quotes: of {quoted}",
    ]


def format_timestamp(instant: datetime) -> str:
    """ISO 8601 with New York's offset, whole seconds."""
    return new_york_time(instant).replace(microsecond=0).isoformat()


def _describe_session(now: datetime) -> str:
    hours = session(market_date(now))
    if hours is None:
        return f"none today ({closure_reason(market_date(now))})"
    times = f"options {new_york_time(hours.open):%H:%M} to {new_york_time(hours.option_close):%H:%M} New York"
    state = "not open yet" if now < hours.open else "open" if now <= hours.option_close else "over"
    return f"{state}; {times}{', early close' if hours.is_early else ''}"


def write_plan_section(sheet: FieldCollector) -> list[str]:
    """Expiration and the exits that are planned."""
    briefing, today, exits = sheet.briefing, sheet.today, sheet.settings.exit
    root = next(iter(option_roots(briefing.underlying)), briefing.underlying)
    leave = time_exit(root, briefing.target, today, sheet.settings)
    return _write_rows(
        sheet,
        "plan",
        ("expiration", briefing.target, "the options settle"),
        ("time_exit", leave or "none", "bought back then at the latest"),
        ("last_exit", last_exit(root, briefing.target, today), "never held beyond"),
        ("dte", briefing.dte, "calendar days to the expiration"),
        ("profit_target", format_amount(exits.profit_target), "of the credit; bought back once it is earned"),
        ("stop_multiple", format_amount(exits.stop_multiple), "closing costs over the credit; then a person is called"),
    )


def write_checks_section(sheet: FieldCollector) -> list[str]:
    """Every rule that can still refuse a choice from the menu, with its limit."""
    settings = sheet.settings
    knobs, drift = settings.analyst, settings.drift
    return _write_rows(
        sheet,
        "checks",
        ("probability", format_number(knobs.probability_veto, 4), "p_max_profit is farther from p_max_profit_market"),
        ("numbers", knobs.unmatched_veto, "so many numbers of your words, or more, match nothing that was sent"),
        (
            "underlying",
            format_number(drift.underlying, 4),
            "the underlying has moved by a larger share when the legs are quoted again",
        ),
        ("credit", format_number(drift.credit, 4), "the mid credit has fallen by a larger share then"),
        (
            "leg_width",
            format_exact(settings.choice.leg_width_of_mid),
            "a leg is quoted wider than this share of its mid, and than some cents, then",
        ),
        ("quotes", "yes", "a leg has no bid or ask then, or the first limit is outside the market"),
        (
            "session",
            "yes",
            f"the exchange is closed, or it is after {settings.execution.no_entry_after} New York, by then",
        ),
        ("account", "yes", "a limit of the account or of the day is used up by then"),
        ("broker", "yes", "the broker's rehearsal of the order refuses it, or a person does"),
    )


def _write_rows(sheet: FieldCollector, group: str, *rows: tuple[str, object, str]) -> list[str]:
    """A line for each name, value and meaning."""
    return [sheet.add(f"{group}.{name}", str(value), meaning, unit=meaning) for name, value, meaning in rows]


def write_bars_section(sheet: FieldCollector) -> list[str]:
    return [_write_bar(sheet, bar) for bar in sheet.briefing.bars[-MAX_BARS:]] or ["none"]


def _write_bar(sheet: FieldCollector, bar: DailyBar) -> str:
    texts = [None if value is None else format_number(value, 2) for value in (bar.high, bar.low, bar.close)]
    path, text, close = f"bars.{bar.day}", DIVIDER.join(text or NULL for text in texts), texts[-1]
    if close is None:
        return sheet.add(path, text, unit="dollars", note=NOT_SENT, is_missing=True)
    return sheet.add(path, text, value=float(close), unit="dollars", note="high, low, close")


# Events, portfolio, flags.


def write_events_section(sheet: FieldCollector) -> list[str]:
    """What is scheduled up to the expiration, where the tables end, and the ex-dates."""
    briefing = sheet.briefing
    lines = [_write_event(sheet, event) for event in briefing.events[:MAX_LINES]]
    lines += _omitted_line(briefing.events)
    for kind, why in briefing.unknown_events.items():
        lines.append(sheet.add_missing(sheet.unused_path(f"events.{_path_word(kind)}.unknown"), why))
    return [*(lines or [f"none from {sheet.today} to {briefing.target}"]), *_write_dividends(sheet)]


def _path_word(text: str) -> str:
    """A kind as a piece of a path."""
    return re.sub(r"[^a-z0-9_]", "", text.lower())[:16] or "other"


def _write_event(sheet: FieldCollector, event: ScheduledEvent) -> str:
    """`events.fomc.2025-10-29 | 14:00 | 23 days away | "source" | "note"`."""
    time = event.time if event.time is not None and TIME_PATTERN.fullmatch(event.time) else "time unknown"
    days_away = (event.day - sheet.today).days
    return sheet.add(
        sheet.unused_path(f"events.{_path_word(event.kind.value)}.{event.day}"),
        time,
        f"{days_away} days away",
        quote_text(event.source),
        quote_text(event.note) if event.note else "",
        "" if event.is_confirmed else "not confirmed",
        value=float(days_away),
        unit="days away",
        note=plain_note(f"{event.note}, {event.source}" if event.note else event.source),
    )


def _write_dividends(sheet: FieldCollector) -> list[str]:
    path, dividends = "events.ex_dividend", sheet.briefing.dividends
    if dividends is None:
        return [sheet.add_missing(path, "no source has the ex-dates")]
    if not dividends:
        period = f"up to {sheet.briefing.target}"
        return [sheet.add(path, "none", period, note=period)]
    lines, unit = _omitted_line(dividends), "dollars a share"
    for dividend in dividends[:MAX_LINES]:
        days_away = f"{(dividend.ex_date - sheet.today).days} days away"
        dated_path = sheet.unused_path(f"{path}.{dividend.ex_date}")
        lines.append(sheet.add(dated_path, format_amount(dividend.amount), unit, days_away, unit=unit))
    return lines


def write_portfolio_section(sheet: FieldCollector) -> list[str]:
    """Open spreads and what they risk, as shares of the account: no dollars of it, no number of it."""
    briefing = sheet.briefing
    lines = [
        _write_holding(sheet, f"portfolio.{place}", holding)
        for place, holding in enumerate(briefing.held[:MAX_LINES], start=1)
    ]
    lines = [*lines, *_omitted_line(briefing.held)] or ["no spread is open"]
    share = _account_share(briefing.open_risk, briefing.net_liquidation)
    if share is None:
        return [*lines, sheet.add_missing("portfolio.open_risk", "the value of the account is not known")]
    meaning = "of the account: most that all open spreads can lose"
    return [*lines, *_write_rows(sheet, "portfolio", ("open_risk", share, meaning))]


def _write_holding(sheet: FieldCollector, path: str, holding: OpenSpread) -> str:
    # What is stored as a strategy may be anything, and only our own names go into a prompt.
    name = format_strategy(holding.strategy) if holding.strategy in set(Strategy) else "spread"
    strikes = f"{format_exact(holding.short_strike)}/{format_exact(holding.long_strike)}"
    days = f"{days_to_expiration(holding.expiration, sheet.today)} days left"
    share = _account_share(holding.max_loss, sheet.briefing.net_liquidation)
    return sheet.add(
        path,
        f"{format_ticker(holding.underlying)} {name} {strikes}",
        holding.expiration.isoformat(),
        days,
        f"credit {format_amount(holding.credit)}",
        f"can lose {share} of the account" if share is not None else "risk unknown",
        note=f"{holding.expiration}, {days}",
    )


def _account_share(dollars: Decimal, net_liquidation: Decimal | None) -> str | None:
    """Four decimals; None without an account's value."""
    return format_amount(dollars / net_liquidation, 4) if net_liquidation is not None and net_liquidation > 0 else None


def write_record_section(sheet: FieldCollector) -> list[str]:
    """By how much the market's probability of profit was wrong in the past, by side and short delta, for the sides of
    the menu that the record speaks of."""
    briefing, lines = sheet.briefing, []
    for strategy in (strategy for strategy in Strategy if sheet.menu.side(strategy)):
        for row in find_track_record(briefing.underlying, strategy, days=briefing.dte, today=sheet.today):
            texts = [format_number(figure, 3) or NULL for figure in (row.difference, row.low, row.high)]
            path, note = f"record.{format_strategy(strategy)}_{row.delta * 100:.0f}", f"up to {row.until}"
            lines.append(sheet.add(path, *texts, note, unit="fraction", note=note))
    return lines or ["none"]


def write_flags_section(sheet: FieldCollector) -> list[str]:
    """The warnings about the data, one quoted line each."""
    texts = (*sheet.briefing.flags, *sheet.menu.notes)
    lines = [sheet.add(f"flags.{place}", quote_text(text)) for place, text in enumerate(texts[:MAX_LINES], start=1)]
    return [*lines, *_omitted_line(texts)] or ["none"]


def _omitted_line(entries: Sequence[object]) -> list[str]:
    """A line that says how many entries of a list are left out."""
    return [f"{len(entries) - MAX_LINES} more are not shown"] if len(entries) > MAX_LINES else []


SECTIONS: Mapping[str, Callable[[FieldCollector], list[str]]] = {
    "moment": write_moment_section,
    "spot": write_spot_section,
    "plan": write_plan_section,
    "checks": write_checks_section,
    "market": write_market_section,
    "bars": write_bars_section,
    "events": write_events_section,
    "portfolio": write_portfolio_section,
    "record": write_record_section,
    "flags": write_flags_section,
}
"""The writer of each section that a version may have."""
