"""The fields of a prompt: what is shown of a briefing and the plan, each with the path that an answer cites."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from spy32.analysts.prompt_format import (
    DIVIDER,
    NULL,
    decimal_places,
    format_age,
    format_amount,
    format_number,
    format_strike,
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
NOT_SENT = "not sent by the source"
TYPE_NAMES: Mapping[str, str] = {
    Strategy.PUT_CREDIT: "put",
    Strategy.CALL_CREDIT: "call",
    Strategy.IRON_CONDOR: "iron condor",
    Strategy.PUT_DEBIT: "put debit",
    Strategy.CALL_DEBIT: "call debit",
}


class FieldCollector:
    """Collects the fields while the lines are written; no path comes twice."""

    def __init__(self) -> None:
        self.fields: dict[str, PromptField] = {}

    def add(self, field: PromptField) -> PromptField:
        if not PATH_PATTERN.fullmatch(field.path):
            raise ValueError(f"{field.path!r} is not the path of a field")
        if field.path in self.fields:
            raise ValueError(f"{field.path} would be there twice")
        self.fields[field.path] = field
        return field

    def add_line(self, field: PromptField, *more: str) -> str:
        """Path, value and what else stands on the line."""
        self.add(field)
        return DIVIDER.join((field.path, field.text, *filter(None, more)))

    def add_figure(self, path: str, text: str, unit: str) -> str:
        """The line of a number, with its unit."""
        return self.add_line(PromptField(path=path, text=text, value=float(text), unit=unit), unit)

    def add_missing(self, path: str, reason: str) -> str:
        """The line of a datum that is missing, with the reason."""
        field = PromptField(path=path, text=NULL, note=plain_note(reason), is_missing=True)
        return self.add_line(field, quote_text(reason))

    def unused_path(self, path: str) -> str:
        """`path`, with a running number behind it when it is taken."""
        count, found = 1, path
        while found in self.fields:
            count += 1
            found = f"{path}.{count}"
        return found


# Figures.


def build_figure_field(path: str, metric: Metric, now: datetime) -> PromptField:
    """A datum as it is sent: rounded by its unit, or null with the reason."""
    unit = format_unit(metric.unit)
    if metric.value is None:
        return PromptField(path=path, text=NULL, unit=unit, note=plain_note(metric.missing or ""), is_missing=True)
    text = format_number(metric.value, decimal_places(metric.unit, metric.value))
    if text is None:
        return PromptField(path=path, text=NULL, unit=unit, note="what the source sent is no figure", is_missing=True)
    counted = f", n={metric.count}" if metric.count is not None else ""
    note = f"{format_age(metric.as_of, now)}, {plain_note(metric.source)}{counted}"
    return PromptField(path=path, text=text, value=float(text), unit=unit, note=note)


def write_figure(sheet: FieldCollector, path: str, metric: Metric, now: datetime) -> str:
    field = build_figure_field(path, metric, now)
    if field.is_missing:
        return sheet.add_line(field, field.unit, quote_text(field.note))
    counted = f" n={metric.count}" if metric.count is not None else ""
    return sheet.add_line(field, field.unit, format_age(metric.as_of, now), quote_text(metric.source) + counted)


def write_market_section(sheet: FieldCollector, briefing: Briefing) -> list[str]:
    return [write_figure(sheet, path, metric, briefing.as_of) for path, metric in briefing.figures.items()] or ["none"]


def write_spot_section(sheet: FieldCollector, briefing: Briefing) -> list[str]:
    """The spot, without which no strike can be judged."""
    path = "market.spot"
    metric = briefing.figures.get(path, Metric(value=None, unit="dollars", source="", missing="not collected"))
    return [write_figure(sheet, path, metric, briefing.as_of)]


# The moment, the plan, bars.


def write_moment_section(briefing: Briefing) -> list[str]:
    """Underlying, session, and the instant of the quotes."""
    lines = [f"underlying: {format_ticker(briefing.underlying)}", f"session: {describe_session(briefing.as_of)}"]
    metric = briefing.figures.get("market.spot")
    if metric is None or metric.as_of is None:
        return [*lines, "quotes: of an unknown time"]
    return [
        *lines,
        f"quotes: of {format_timestamp(metric.as_of)}, {format_age(metric.as_of, briefing.as_of)} old, "
        f"{quote_text(metric.source)}",
    ]


def format_timestamp(instant: datetime) -> str:
    """ISO 8601 with New York's offset, whole seconds."""
    return new_york_time(instant).replace(microsecond=0).isoformat()


def describe_session(now: datetime) -> str:
    hours = session(market_date(now))
    if hours is None:
        return f"none today ({closure_reason(market_date(now))})"
    times = f"options {new_york_time(hours.open):%H:%M} to {new_york_time(hours.option_close):%H:%M} New York"
    times += ", early close" if hours.is_early else ""
    if now < hours.open:
        return f"not open yet; {times}"
    return f"open; {times}" if now <= hours.option_close else f"over; {times}"


def write_plan_section(sheet: FieldCollector, briefing: Briefing, settings: Settings) -> list[str]:
    """Expiration and the exits that are planned."""
    today = market_date(briefing.as_of)
    root = next(iter(option_roots(briefing.underlying)), briefing.underlying)
    leave = time_exit(root, briefing.target, today, settings)
    dates = (
        ("plan.expiration", briefing.target.isoformat(), "the options settle"),
        ("plan.time_exit", leave.isoformat() if leave is not None else "none", "bought back then at the latest"),
        ("plan.last_exit", last_exit(root, briefing.target, today).isoformat(), "never held beyond"),
    )
    exits = settings.exit
    figures = (
        ("plan.dte", str(briefing.dte), "calendar days to the expiration"),
        ("plan.profit_target", format_amount(exits.profit_target), "of the credit; bought back once it is earned"),
        (
            "plan.stop_multiple",
            format_amount(exits.stop_multiple),
            "closing costs over the credit; then a person is called",
        ),
    )
    lines = [sheet.add_line(PromptField(path=path, text=text, unit=unit), unit) for path, text, unit in dates]
    return [*lines, *(sheet.add_figure(*figure) for figure in figures)]


def write_checks_section(sheet: FieldCollector, settings: Settings) -> list[str]:
    """Every rule that can still refuse a choice from the menu, with its limit."""
    knobs, drift, choice = settings.analyst, settings.drift, settings.choice
    figures = (
        ("probability", knobs.probability_veto, "p_max_profit is farther from p_max_profit_market"),
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
        text = f"{limit.normalize():f}" if isinstance(limit, Decimal) else format_number(limit, 4) or NULL
        lines.append(sheet.add_figure(f"checks.{name}", text, meaning))
    return [
        *lines,
        *(sheet.add_line(PromptField(path=f"checks.{name}", text="yes", unit=rule), rule) for name, rule in words),
    ]


def write_bars_section(sheet: FieldCollector, briefing: Briefing) -> list[str]:
    return [sheet.add_line(_bar_field(bar)) for bar in briefing.bars[-MAX_BARS:]] or ["none"]


def _bar_field(bar: DailyBar) -> PromptField:
    texts = [None if value is None else format_number(value, 2) for value in (bar.high, bar.low, bar.close)]
    path, text, close = f"bars.{bar.day}", DIVIDER.join(text or NULL for text in texts), texts[-1]
    if close is None:
        return PromptField(path=path, text=text, unit="dollars", note=NOT_SENT, is_missing=True)
    return PromptField(path=path, text=text, value=float(close), unit="dollars", note="high, low, close")


# Events, portfolio, flags.


def write_events_section(sheet: FieldCollector, briefing: Briefing) -> list[str]:
    """What is scheduled up to the expiration, where the tables end, and the ex-dates."""
    today = market_date(briefing.as_of)
    lines = [_write_event(sheet, event, today) for event in briefing.events[:MAX_LINES]]
    lines += _omitted_line(briefing.events)
    for kind, why in briefing.unknown_events.items():
        lines.append(sheet.add_missing(sheet.unused_path(f"events.{_path_word(kind)}.unknown"), why))
    if not lines:
        lines = [f"none from {today} to {briefing.target}"]
    return [*lines, *_write_dividends(sheet, briefing, today)]


def _path_word(text: str) -> str:
    """A kind as a piece of a path."""
    return re.sub(r"[^a-z0-9_]", "", text.lower())[:16] or "other"


def _write_event(sheet: FieldCollector, event: ScheduledEvent, today: date) -> str:
    """`events.fomc.2025-10-29 | 14:00 | 23 days away | "source" | "note"`."""
    time = event.time if event.time is not None and TIME_PATTERN.fullmatch(event.time) else "time unknown"
    days_away = (event.day - today).days
    path = sheet.unused_path(f"events.{_path_word(event.kind.value)}.{event.day}")
    more = [f"{days_away} days away", quote_text(event.source)]
    more += [quote_text(event.note)] if event.note else []
    more += [] if event.is_confirmed else ["not confirmed"]
    note = plain_note(f"{event.note}, {event.source}" if event.note else event.source)
    return sheet.add_line(PromptField(path=path, text=time, value=float(days_away), unit="days away", note=note), *more)


def _write_dividends(sheet: FieldCollector, briefing: Briefing, today: date) -> list[str]:
    if briefing.dividends is None:
        return [sheet.add_missing("events.ex_dividend", "no source has the ex-dates")]
    if not briefing.dividends:
        period = f"up to {briefing.target}"
        return [sheet.add_line(PromptField(path="events.ex_dividend", text="none", note=period), period)]
    lines = _omitted_line(briefing.dividends)
    for dividend in briefing.dividends[:MAX_LINES]:
        text = format_amount(dividend.amount)
        path = sheet.unused_path(f"events.ex_dividend.{dividend.ex_date}")
        field = PromptField(path=path, text=text, value=float(text), unit="dollars a share")
        lines.append(sheet.add_line(field, field.unit, f"{(dividend.ex_date - today).days} days away"))
    return lines


def write_portfolio_section(sheet: FieldCollector, briefing: Briefing) -> list[str]:
    """Open spreads and what they risk, as shares of the account: no dollars of it, no number of it."""
    lines = [
        _write_holding(sheet, f"portfolio.{place}", holding, briefing)
        for place, holding in enumerate(briefing.held[:MAX_LINES], start=1)
    ]
    lines = [*lines, *_omitted_line(briefing.held)] or ["no spread is open"]
    path, share = "portfolio.open_risk", _account_share(briefing.open_risk, briefing.net_liquidation)
    if share is None:
        return [*lines, sheet.add_missing(path, "the value of the account is not known")]
    return [*lines, sheet.add_figure(path, share, "of the account: most that all open spreads can lose")]


def _write_holding(sheet: FieldCollector, path: str, holding: OpenSpread, briefing: Briefing) -> str:
    name = (
        f"{format_ticker(holding.underlying)} {TYPE_NAMES.get(holding.strategy, 'spread')} "
        f"{format_strike(holding.short_strike)}/{format_strike(holding.long_strike)}"
    )
    days = f"{days_to_expiration(holding.expiration, market_date(briefing.as_of))} days left"
    share = _account_share(holding.max_loss, briefing.net_liquidation)
    return sheet.add_line(
        PromptField(path=path, text=name, note=f"{holding.expiration}, {days}"),
        holding.expiration.isoformat(),
        days,
        f"credit {format_amount(holding.credit)}",
        f"can lose {share} of the account" if share is not None else "risk unknown",
    )


def _account_share(dollars: Decimal, net_liquidation: Decimal | None) -> str | None:
    """Four decimals; None without an account's value."""
    return format_amount(dollars / net_liquidation, 4) if net_liquidation is not None and net_liquidation > 0 else None


def write_record_section(sheet: FieldCollector, briefing: Briefing, menu: Menu) -> list[str]:
    """By how much the market's probability of profit was wrong in the past, by side and short delta, for the sides of
    the menu that the record speaks of."""
    today = market_date(briefing.as_of)
    lines = []
    for strategy in (strategy for strategy in Strategy if menu.side(strategy)):
        for row in find_track_record(briefing.underlying, strategy, days=briefing.dte, today=today):
            texts = [format_number(figure, 3) or NULL for figure in (row.difference, row.low, row.high)]
            path = f"record.{TYPE_NAMES[strategy]}_{row.delta * 100:.0f}"
            note = f"up to {row.until}"
            field = PromptField(path=path, text=texts[0], value=float(texts[0]), unit="fraction", note=note)
            lines.append(sheet.add_line(field, *texts[1:], field.note))
    return lines or ["none"]


def write_flags_section(sheet: FieldCollector, texts: Sequence[str]) -> list[str]:
    """The warnings about the data, one quoted line each."""
    lines = [
        sheet.add_line(PromptField(path=f"flags.{place}", text=quote_text(text)))
        for place, text in enumerate(texts[:MAX_LINES], start=1)
    ]
    return [*lines, *_omitted_line(texts)] or ["none"]


def _omitted_line(entries: Sequence[object]) -> list[str]:
    """A line that says how many entries of a list are left out."""
    return [f"{len(entries) - MAX_LINES} more are not shown"] if len(entries) > MAX_LINES else []
