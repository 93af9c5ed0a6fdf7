"""The market and the expirations as pages and documents: every figure with its source and age, or why it is missing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot, Metric, SourceAttempt
from spy32.render.formatting import (
    format_age,
    format_both_zones,
    format_count,
    format_float_price,
    format_milliseconds,
    format_price,
    single_line,
)
from spy32.render.market_charts import NARROW
from spy32.render.output import is_ascii_console, is_full_terminal, print_page
from spy32.render.page import Cell, Grid, Page, Pairs, Part, Prose, grid_columns, noun_grid, pair
from spy32.rules.expirations import Expirations
from spy32.sessions import market_date

if TYPE_CHECKING:
    from spy32.console import AnyConsole
    from spy32.options.surface import Smile

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
SIGNED_FIGURES = frozenset({"gap", "iv_less_rv_20d", "skew_25d", "from_sma_20", "from_sma_50", "momentum_20d"})
TERM_HORIZON = timedelta(days=100)
EXPIRATION_IV = re.compile(r"iv_\d{4}-\d\d-\d\d")
EVENT_NAMES = {"fomc": "FOMC statement", "cpi": "CPI", "jobs": "jobs report", "earnings": "earnings", "other": "other"}


def print_market_page(out: "AnyConsole", briefing: Briefing, snapshot: MarketSnapshot, smile: "Smile | None") -> None:
    """Write the page; with pictures on a terminal."""
    drawn = _draw_charts(out, briefing, snapshot, smile) if is_full_terminal(out) and out.width >= NARROW else ()
    print_page(out, build_market_page(briefing, snapshot, drawn=drawn))


def build_market_page(briefing: Briefing, snapshot: MarketSnapshot, *, drawn: Sequence[Prose] = ()) -> Page:
    """What is seen, in groups; what is missing, and why; what is scheduled; who was asked."""
    known = {path: figure for path, figure in briefing.figures.items() if figure.value is not None}
    parts: list[Part] = [_overview_part(briefing, snapshot)]
    parts += [grid for grid in _figure_grids(known, briefing.as_of) if grid.rows]
    parts += _term_structure_part(briefing, snapshot)
    parts += _missing_part(briefing.figures)
    parts += drawn
    parts += _event_parts(briefing)
    parts.append(_sources_grid(snapshot.tried))
    return Page(
        heading=f"{single_line(snapshot.underlying)} {_spot_text(briefing.figures.get('market.spot'))},"
        f" {format_count(briefing.dte, 'day')} to {briefing.target}",
        badges=tuple(single_line(flag) for flag in briefing.flags),
        parts=tuple(parts),
    )


def _overview_part(briefing: Briefing, snapshot: MarketSnapshot) -> Pairs:
    chain = snapshot.chain
    delay = f", delayed by {format_age(timedelta(seconds=chain.delay_seconds))}" if chain.delay_seconds else ""
    items = (
        pair("looked at", format_both_zones(briefing.as_of)),
        pair("quotes of", f"{format_both_zones(chain.as_of)}, from {single_line(chain.source)}{delay}"),
        pair("expiration", f"{briefing.target}, {format_count(briefing.dte, 'day')}", "strong"),
    )
    return Pairs(name="market", items=items)


# Figures.


def _figure_grids(known: Mapping[str, Metric], now: datetime) -> list[Grid]:
    columns = grid_columns("figure", "value>", "age>1", "of>3", "source~2")
    grids = []
    for title, labels in FIGURE_GROUPS:
        rows = [
            _figure_row(label, name, known[f"market.{name}"], now)
            for name, label in labels.items()
            if f"market.{name}" in known
        ]
        grids.append(Grid(name="figure", title=title, columns=columns, rows=tuple(rows)))
    related = [
        _figure_row(single_line(path.removeprefix("related.")), "gap", figure, now)
        for path, figure in known.items()
        if path.startswith("related.")
    ]
    return [*grids, Grid(name="related", title="Moves of the day", columns=columns, rows=tuple(related))]


def _term_structure_part(briefing: Briefing, snapshot: MarketSnapshot) -> list[Part]:
    """The term structure as the broker computes it, as far ahead as a term structure of 32 days is of use."""
    today = market_date(briefing.as_of)
    known = {
        date.fromisoformat(name[3:]): each for name, each in snapshot.metrics.items() if EXPIRATION_IV.fullmatch(name)
    }
    rows = tuple(
        (
            f"{day}",
            f"{(day - today).days}",
            format_value(known[day]),
            _figure_age(known[day], briefing.as_of),
            known[day].source,
        )
        for day in sorted(known)
        if today < day <= today + TERM_HORIZON
    )
    columns = grid_columns("expiration", "days>", "IV>", "age>1", "source~2")
    return [Grid(name="term", title="Term structure at the broker", columns=columns, rows=rows)] if rows else []


def _figure_age(figure: Metric, now: datetime) -> str:
    return "" if figure.as_of is None else format_age(now - figure.as_of)


def _figure_row(label: str, name: str, figure: Metric, now: datetime) -> tuple[str, ...]:
    used = "" if figure.count is None else str(figure.count)
    return (
        label,
        format_value(figure, signed=name in SIGNED_FIGURES or name.startswith("return_")),
        _figure_age(figure, now),
        used,
        single_line(figure.source),
    )


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


def _spot_text(figure: Metric | None) -> str:
    return "without a spot" if figure is None or figure.value is None else format_float_price(figure.value)


def _missing_part(figures: Mapping[str, Metric]) -> list[Part]:
    """One line a reason, with the figures that it takes away."""
    labels = {f"market.{name}": label for _, names in FIGURE_GROUPS for name, label in names.items()}
    reasons: dict[str, list[str]] = {}
    for path, figure in figures.items():
        if figure.missing is not None:
            reasons.setdefault(single_line(figure.missing), []).append(labels.get(path, single_line(path)))
    items = tuple(
        pair(names[0], why, "warn")
        if len(names) == 1
        else pair(format_count(len(names), "figure"), f"{why}: {', '.join(names)}")
        for why, names in reasons.items()
    )
    return [Pairs(name="missing", title="Missing", items=items)] if items else []


def _draw_charts(
    out: "AnyConsole", briefing: Briefing, snapshot: MarketSnapshot, smile: "Smile | None"
) -> tuple[Prose, ...]:
    from spy32.render import market_charts as drawing
    from spy32.rules.daily_bars import finished_sessions

    width, plain, figures = out.width, is_ascii_console(out), briefing.figures
    levels = {name: figures[f"market.{name}"] for name in ("vix9d", "vix", "vix3m") if f"market.{name}" in figures}
    spot, move, atm_iv = (figures.get(f"market.{name}") for name in ("spot", "expected_move", "atm_iv"))
    pictures = [
        ("Term structure", drawing.term_structure_chart(levels, atm_iv, briefing.dte, width=width, plain=plain))
    ]
    if spot is not None and spot.value is not None:
        ahead = drawing.ExpectedMoveCone(
            market_date(briefing.as_of), briefing.target, move.value if move is not None else None
        )
        bars = finished_sessions(snapshot).bars
        price_lines = drawing.price_chart(bars, spot.value, ahead, width=width, plain=plain)
        pictures.append(("Price and expected move", price_lines))
        if smile is not None:
            smile_lines = drawing.smile_chart(smile, spot.value, width=width, plain=plain)
            pictures.insert(0, (f"Smile of {briefing.target}", smile_lines))
    # A titled text would stand in from the edge and fold where a picture takes the whole width.
    drawn = ((Prose("", title, "strong"), Prose("", "\n".join(lines))) for title, lines in pictures if lines)
    return tuple(part for both in drawn for part in both)


# Events and sources.


def _event_parts(briefing: Briefing) -> list[Part]:
    today = market_date(briefing.as_of)
    columns: dict[str, Cell] = {
        "day": lambda event: f"{event.day:%a %Y-%m-%d}",
        "event": lambda event: EVENT_NAMES[event.kind.value],
        "New York:1": lambda event: event.time or "",
        "in:1": lambda event: "today" if event.day == today else format_count((event.day - today).days, "day"),
        "state:2": lambda event: "confirmed" if event.is_confirmed else "tentative",
        "note~3": "note",
        "source~4": "source",
    }
    items = [
        pair(EVENT_NAMES.get(kind, kind), single_line(why), "warn") for kind, why in briefing.unknown_events.items()
    ]
    items += _ex_date_items(briefing)
    events = noun_grid("event", f"Events to {briefing.target}", briefing.events, columns)
    return [events, Pairs(name="calendar", title="", items=tuple(items))]


def _ex_date_items(briefing: Briefing) -> list[tuple[str, str, str]]:
    if briefing.dividends is None:
        return [pair("ex-dividend", "unknown: no source has ex-dates", "warn")]
    entries = [f"{each.ex_date}, {format_price(each.amount)} a share" for each in briefing.dividends]
    return [pair("ex-dividend", "; ".join(entries) or f"none known to {briefing.target}")]


def _sources_grid(sources: Iterable[SourceAttempt]) -> Grid:
    columns: dict[str, Cell] = {
        "asked for": "datum",
        "source": "source",
        "result": lambda each: "served" if each.ok else "failed",
        "took>2": lambda each: format_milliseconds(each.ms),
        "detail~1": "detail",
    }
    return noun_grid("asked for", "Sources", sources, columns)


# Expirations.


def build_expirations_page(found: Expirations) -> Page:
    """The listed expirations with the one that is taken, and why."""
    rows, target_dte, tolerance = found.expirations, found.target_dte, found.tolerance
    place = next((at for at, row in enumerate(rows) if row.is_chosen), None)
    within = f"within {format_count(tolerance, 'day')} of {target_dte} days"
    summary = (
        f"no expiration {within}"
        if place is None
        else f"{rows[place].day} is taken, {format_count(rows[place].dte, 'day')}"
    )
    columns: dict[str, Cell] = {
        "expiration": lambda row: f"{row.day:%a %Y-%m-%d}",
        "days>": "dte",
        "off>": lambda row: f"{row.distance:+d}" if row.distance else "0",
        f"within {tolerance}:2": lambda row: "yes" if row.is_near else "no",
        "note~1": "note",
    }
    items = [
        pair("target", f"{target_dte} days, at most {tolerance} off"),
        pair("listed", format_count(len(rows), "expiration")),
    ]
    taken = min(rows, key=lambda row: (not row.is_chosen, abs(row.distance), row.day), default=None)
    # On a narrow screen the column of notes goes; the choice is explained here in any case.
    items += [pair("why", taken.note)] if taken is not None else []
    items += [pair("source", single_line(found.source))] if found.source else []
    grid = noun_grid("expiration", "Expirations", rows, columns)._replace(marked=place)
    return Page(
        heading=f"{single_line(found.underlying)}: {summary}",
        tone="warn" if place is None else "strong",
        parts=(Pairs(name="", items=tuple(items)), grid),
    )
