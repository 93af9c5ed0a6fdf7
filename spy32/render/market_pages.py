"""The market and the expirations as pages and documents: every figure with its source and age, or why it is missing."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot, Metric
from spy32.render.formatting import (
    format_age,
    format_both_zones,
    format_count,
    format_known,
    format_milliseconds,
    format_price,
    single_line,
)
from spy32.render.page import Columns, Fact, Facts, Grid, Page, Part, Picture, noun_grid, pairs, read_path
from spy32.sessions import market_date

if TYPE_CHECKING:
    from spy32.options.surface import Smile
    from spy32.rules.tradability import Expirations

# Name of a figure -> its label, of at most 20 characters: more would be cut beside a narrow frame.
FIGURE_GROUPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Price", {
        "spot": "spot", "prior_close": "prior close", "gap": "gap", "return_1d": "1-day return",
        "return_5d": "5-day return", "return_20d": "20-day return", "return_60d": "60-day return",
    }),
    ("Volatility", {
        "rv_10d": "realised 10 d", "rv_20d": "realised 20 d", "rv_32d": "realised 32 d", "rv_60d": "realised 60 d",
        "rv_180d": "realised 180 d", "rv_252d": "realised 252 d", "atm_iv": "ATM IV",
        "iv_less_rv_20d": "IV - realised 20 d", "iv_rank": "IV rank (VIX)", "iv_percentile": "IV percentile (VIX)",
        "vix": "VIX", "vix9d": "VIX9D", "vix3m": "VIX3M", "vix9d_over_vix": "VIX9D / VIX",
        "vix_over_vix3m": "VIX / VIX3M", "skew_25d": "25-delta skew", "broker_iv_rank": "broker IV rank",
        "broker_iv_percentile": "broker IV percentile",
    }),
    ("Options", {
        "put_call_open_interest": "put/call interest", "put_call_volume": "put/call volume",
        "expected_move": "expected move", "expected_move_share": "expected move share", "forward": "forward",
        "rate": "rate",
    }),
    ("Trend", {
        "sma_20": "SMA 20", "sma_50": "SMA 50", "ema_10": "EMA 10", "ema_20": "EMA 20", "from_sma_20": "from SMA 20",
        "from_sma_50": "from SMA 50", "rsi_14": "RSI 14", "bollinger_low": "Bollinger low",
        "bollinger_mid": "Bollinger mid", "bollinger_high": "Bollinger high", "bollinger_share": "place in the bands",
        "atr_14": "ATR 14", "atr_14_share": "ATR 14 share", "momentum_20d": "momentum 20 d",
        "volume_ratio_20d": "volume / 20 d", "low_20d": "low 20 d", "high_20d": "high 20 d", "low_180d": "low 180 d",
        "high_180d": "high 180 d",
    }),
)  # fmt: skip
LABELS = {f"market.{name}": label for _, names in FIGURE_GROUPS for name, label in names.items()}
SIGNED_FIGURES = tuple(
    f"market.{name}" for name in ("gap", "return_", "iv_less_rv_", "skew_25d", "from_sma_", "momentum_20d")
)
"""Beginnings of the paths of figures that are shown with a sign."""
TERM_HORIZON = timedelta(days=100)
EXPIRATION_IV = re.compile(r"iv_\d{4}-\d\d-\d\d")
EVENT_NAMES = {"fomc": "FOMC statement", "cpi": "CPI", "jobs": "jobs report", "earnings": "earnings", "other": "other"}


def build_market_page(briefing: Briefing, snapshot: MarketSnapshot, smile: "Smile | None") -> Page:
    """What is seen, in groups; what is missing, and why; what is scheduled; who was asked."""
    chain = snapshot.chain
    delay = f", delayed by {format_age(timedelta(seconds=chain.delay_seconds))}" if chain.delay_seconds else ""
    spot = read_path(briefing.figures.get("market.spot"), "value")
    overview = (
        ("looked at", format_both_zones(briefing.as_of)),
        ("quotes of", f"{format_both_zones(chain.as_of)}, from {chain.source}{delay}"),
        ("expiration", f"{briefing.target}, {format_count(briefing.dte, 'day')}", "strong"),
    )
    sources: Columns = {
        "asked for": "datum",
        "source": "source",
        "result": lambda each: "served" if each.ok else "failed",
        "took>2": lambda each: format_milliseconds(each.ms),
        "detail~1": "detail",
    }
    grids = [*_figure_grids(briefing), _term_structure(briefing, snapshot)]
    return Page(
        heading=f"{single_line(snapshot.underlying)} {format_known(format_price, spot, 'without a spot')},"
        f" {format_count(briefing.dte, 'day')} to {briefing.target}",
        badges=tuple(single_line(flag) for flag in briefing.flags),
        parts=(
            pairs(overview, "market"),
            *(grid for grid in grids if grid.rows),
            pairs(_missing_items(briefing.figures), "missing", "Missing"),
            *_pictures(briefing, snapshot, smile),
            *_event_parts(briefing),
            noun_grid("asked for", "Sources", snapshot.tried, sources),
        ),
    )


# Figures.


def figure_label(path: str) -> str:
    return LABELS.get(path, single_line(path.removeprefix("related.")))


def _figure_grids(briefing: Briefing) -> Iterator[Grid]:
    """A grid a group, of what is known."""
    known = {path: figure for path, figure in briefing.figures.items() if figure.value is not None}
    related = [path for path in known if path.startswith("related.")]
    columns: Columns = {
        "figure": figure_label,
        "value>": lambda path: format_value(known[path], signed=path.startswith(("related.", *SIGNED_FIGURES))),
        "age>1": lambda path: _figure_age(known[path], briefing.as_of),
        "of>3": lambda path: format_known(str, known[path].count),
        "source~2": lambda path: known[path].source,
    }
    for title, names in FIGURE_GROUPS:
        paths = (f"market.{name}" for name in names)
        yield noun_grid("figure", title, (path for path in paths if path in known), columns)
    yield noun_grid("related", "Moves of the day", related, columns)


def _term_structure(briefing: Briefing, snapshot: MarketSnapshot) -> Grid:
    """The term structure as the broker computes it, as far ahead as a term structure of 32 days is of use."""
    today = market_date(briefing.as_of)
    days = {name: date.fromisoformat(name[3:]) for name in snapshot.metrics if EXPIRATION_IV.fullmatch(name)}
    ahead = sorted(name for name, day in days.items() if today < day <= today + TERM_HORIZON)
    columns: Columns = {
        "expiration": lambda name: f"{days[name]}",
        "days>": lambda name: f"{(days[name] - today).days}",
        "IV>": lambda name: format_value(snapshot.metrics[name]),
        "age>1": lambda name: _figure_age(snapshot.metrics[name], briefing.as_of),
        "source~2": lambda name: snapshot.metrics[name].source,
    }
    return noun_grid("term", "Term structure at the broker", ahead, columns)


def _figure_age(figure: Metric, now: datetime) -> str:
    return "" if figure.as_of is None else format_age(now - figure.as_of)


def format_value(figure: Metric, *, signed: bool = False) -> str:
    """A figure that is there, as a person reads its unit; the document has all digits."""
    assert figure.value is not None
    sign, unit = "+" if signed else "", single_line(figure.unit)
    if unit.startswith("fraction"):
        return f"{figure.value + 0:{sign}.2%}"
    if unit in ("dollars", "USD", "percent", ""):
        return f"{figure.value:{sign}.2f}"
    decimals = {"points": 1, "percent points": 2, "ratio": 3}
    return f"{figure.value:.{decimals[unit]}f}" if unit in decimals else f"{figure.value:.2f} {unit}"


def _missing_items(figures: Mapping[str, Metric]) -> Facts:
    """One line a reason, with the figures that it takes away."""
    reasons: dict[str, list[str]] = {}
    for path, figure in figures.items():
        if figure.missing is not None:
            reasons.setdefault(figure.missing, []).append(figure_label(path))
    for why, names in reasons.items():
        if len(names) == 1:
            yield names[0], why, "warn"
        else:
            yield format_count(len(names), "figure"), f"{why}: {', '.join(names)}"


def _pictures(briefing: Briefing, snapshot: MarketSnapshot, smile: "Smile | None") -> Iterator[Picture]:
    from spy32.render import market_charts as charts
    from spy32.rules.daily_bars import finished_sessions

    figures, bars = briefing.figures, finished_sessions(snapshot).bars
    spot, move = (read_path(figures.get(f"market.{name}"), "value") for name in ("spot", "expected_move"))
    cone = charts.ExpectedMoveCone(market_date(briefing.as_of), briefing.target, move)
    pictures: dict[str, Callable[[int, bool], list[str]]] = {
        f"Smile of {briefing.target}": partial(charts.smile_chart, smile, spot),
        "Term structure": partial(charts.term_structure_chart, figures, briefing.dte),
        "Price and expected move": partial(charts.price_chart, bars, spot, cone),
    }
    return (Picture(title, draw, min_columns=charts.NARROW) for title, draw in pictures.items())


# Events and sources.


def _event_parts(briefing: Briefing) -> list[Part]:
    today = market_date(briefing.as_of)
    columns: Columns = {
        "day": lambda event: f"{event.day:%a %Y-%m-%d}",
        "event": lambda event: EVENT_NAMES[event.kind.value],
        "New York:1": "time",
        "in:1": lambda event: "today" if event.day == today else format_count((event.day - today).days, "day"),
        "state:2": lambda event: "confirmed" if event.is_confirmed else "tentative",
        "note~3": "note",
        "source~4": "source",
    }
    unknown = [(EVENT_NAMES.get(kind, kind), why, "warn") for kind, why in briefing.unknown_events.items()]
    if briefing.dividends is None:
        ex_dates: Fact = ("ex-dividend", "unknown: no source has ex-dates", "warn")
    else:
        entries = (f"{each.ex_date}, {format_price(each.amount)} a share" for each in briefing.dividends)
        ex_dates = ("ex-dividend", "; ".join(entries) or f"none known to {briefing.target}")
    events = noun_grid("event", f"Events to {briefing.target}", briefing.events, columns)
    return [events, pairs([*unknown, ex_dates], "calendar")]


# Expirations.


def build_expirations_page(found: "Expirations") -> Page:
    """The listed expirations with the one that is taken, and why."""
    rows, target_dte, tolerance = found.expirations, found.target_dte, found.tolerance
    place = next((at for at, row in enumerate(rows) if row.is_chosen), None)
    within = f"within {format_count(tolerance, 'day')} of {target_dte} days"
    summary = (
        f"no expiration {within}"
        if place is None
        else f"{rows[place].day} is taken, {format_count(rows[place].dte, 'day')}"
    )
    columns: Columns = {
        "expiration": lambda row: f"{row.day:%a %Y-%m-%d}",
        "days>": "dte",
        "off>": lambda row: f"{row.distance:+d}" if row.distance else "0",
        f"within {tolerance}:2": lambda row: "yes" if row.is_near else "no",
        "note~1": "note",
    }
    taken = min(rows, key=lambda row: (not row.is_chosen, abs(row.distance), row.day), default=None)
    items = (
        ("target", f"{target_dte} days, at most {tolerance} off"),
        ("listed", format_count(len(rows), "expiration")),
        # On a narrow screen the column of notes goes; the choice is explained here in any case.
        ("why", read_path(taken, "note") or ""),
        ("source", found.source),
    )
    grid = noun_grid("expiration", "Expirations", rows, columns)._replace(marked=place)
    return Page(
        heading=f"{single_line(found.underlying)}: {summary}",
        tone="warn" if place is None else "strong",
        parts=(pairs(items), grid),
    )
