"""Setup, entry conditions and market figures of a choice, computed by spy32.

They cover what the former system asked its model to state: strategy, setup, risk metrics, support and resistance,
volatility, momentum, volume, and the conditions of an entry.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from spy32.render.candidates import CANDIDATE_FACTS
from spy32.render.explain import chosen_candidate_id
from spy32.render.formatting import (
    format_count,
    format_dollars,
    format_float_price,
    format_percent,
    format_price,
    humanise,
    single_line,
)
from spy32.render.page import Item, Pairs, Part, pair

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.domain.market import Metric
    from spy32.domain.run_view import RunView
    from spy32.domain.spreads import Candidate

FIGURE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "support": ("low_20d", "low_180d", "bollinger_low"),
    "resistance": ("high_20d", "high_180d", "bollinger_high"),
    "volatility": (
        "atm_iv", "iv_rank", "iv_percentile", "rv_20d", "iv_less_rv_20d", "vix", "vix_over_vix3m", "skew_25d",
    ),
    "range": ("expected_move", "atr_14"),
    "momentum": ("rsi_14", "momentum_20d", "return_1d", "return_5d", "return_20d"),
    "trend": ("sma_20", "sma_50", "ema_10", "ema_20", "from_sma_20", "from_sma_50"),
    "volume": ("volume_ratio_20d", "put_call_volume", "put_call_open_interest"),
}  # fmt: skip
"""Figures by the line that they stand on; paths lead with `market.`."""

FIGURE_NAMES: Mapping[str, str] = {
    "low_20d": "20-day low", "low_180d": "180-day low", "high_20d": "20-day high", "high_180d": "180-day high",
    "bollinger_low": "lower Bollinger band", "bollinger_high": "upper Bollinger band", "atm_iv": "at the money",
    "iv_rank": "rank", "iv_percentile": "percentile", "rv_20d": "realised 20 days",
    "iv_less_rv_20d": "implied less realised",
    "vix": "VIX", "vix_over_vix3m": "VIX over VIX3M", "skew_25d": "25-delta skew", "expected_move": "expected move",
    "atr_14": "ATR 14", "rsi_14": "RSI 14", "momentum_20d": "20-day momentum", "return_1d": "1 day",
    "return_5d": "5 days", "return_20d": "20 days", "sma_20": "SMA 20", "sma_50": "SMA 50", "ema_10": "EMA 10",
    "ema_20": "EMA 20", "from_sma_20": "from SMA 20", "from_sma_50": "from SMA 50",
    "volume_ratio_20d": "ratio to 20 days", "put_call_volume": "put/call volume",
    "put_call_open_interest": "put/call open interest",
}  # fmt: skip


SETUP = (
    "spread", "expiration", "mid", "natural", "max profit", "max loss", "return on risk", "breakeven",
    "POP and delta", "delta", "position", "theta",
)  # fmt: skip
EXPECTED_VALUES = ("EV market", "EV market plan", "EV history", "EV history plan")
SETUP_TONES = {"max profit": "good", "max loss": "bad"}


def choice_parts(view: "RunView") -> list[Part]:
    """Setup and conditions of the choice, and the figures that were put before the analyst."""
    parts: list[Part] = []
    entry = view.menu.find(chosen_candidate_id(view)) if view.menu is not None else None
    if entry is not None:
        # The proposal's own lines say the rest where there is one.
        is_proposed = view.proposal is not None and view.proposal.candidate_id == entry.id
        parts.append(setup_part(entry, short=is_proposed))
        parts.append(entry_conditions_part(entry, view.decided_by))
    if view.briefing is not None:
        parts.append(figures_part(view.briefing))
    return parts


def setup_part(entry: "Candidate", *, short: bool = False) -> Pairs:
    """The chosen spread, one contract; `short` leaves out what the screen of a proposal says."""
    labels = (*(() if short else SETUP), "worthless", *EXPECTED_VALUES, "vega", "costs", "costs both ways")
    facts = ((label, CANDIDATE_FACTS[label](entry)) for label in labels)
    items = [pair(label, text, SETUP_TONES.get(label, "")) for label, text in facts if text]
    return Pairs(name="setup", title="Setup of the choice, one contract", items=tuple(items))


# Conditions of an entry.


def entry_conditions_part(entry: "Candidate", by: Mapping[str, Mapping[str, object]] | None) -> Pairs:
    """At what price and in what market it may be opened; the settings are those that the run decided by."""
    items = [pair("price", f"{format_price(entry.start)} first, never below {format_price(entry.floor)}")]
    if by is not None:
        items += _condition_items(by)
    return Pairs(name="entry", title="Conditions of an entry", items=tuple(items))


def _condition_items(by: Mapping[str, Mapping[str, object]]) -> Iterator[Item]:
    drift, conditions = by.get("drift", {}), by.get("conditions", {})
    moved, fell, delta = (_read_number(drift, name) for name in ("underlying", "credit", "short_delta"))
    if moved is not None and fell is not None and delta is not None:
        limits_text = (
            f"underlying within {moved:.2%}, credit not down more than {fell:.0%}, short delta at most {delta:.2f}"
        )
        yield pair("drift", limits_text)
    warn, halve, none = (_read_number(conditions, name) for name in ("vix_warn", "vix_halve", "vix_none"))
    if warn is not None and halve is not None and none is not None:
        yield pair("volatility", f"VIX from {warn:g} noted, from {halve:g} at half size, from {none:g} no entry")
    least = _read_number(by.get("choice", {}), "open_interest")
    if least is not None:
        yield pair("liquidity", f"open interest of the short leg at least {least:.0f}; two-sided quotes of both legs")
    yield pair("momentum", "no condition")
    latest = by.get("execution", {}).get("no_entry_after")
    if isinstance(latest, str):
        yield pair("no entry after", f"{single_line(latest)} New York (not on recorded markets)")


def _read_number(section: Mapping[str, object], name: str) -> float | None:
    found = section.get(name)
    return float(found) if isinstance(found, int | float) else None


# The market.


def figures_part(briefing: "Briefing") -> Pairs:
    """The market as it was put before the analyst, a line a subject; what is missing says why."""
    items = [
        pair(label, _figure_line(briefing.figures, tuple(f"market.{name}" for name in names)))
        for label, names in FIGURE_GROUPS.items()
        if any(f"market.{name}" in briefing.figures for name in names)
    ]
    related = tuple(path for path in briefing.figures if path.startswith("related."))
    if related:
        items.append(pair("related", _figure_line(briefing.figures, related)))
    items += _event_items(briefing)
    if briefing.held:
        items.append(
            pair(
                "held", f"{format_count(len(briefing.held), 'spread')}, open risk {format_dollars(briefing.open_risk)}"
            )
        )
    items += [pair("flag", single_line(flag), "warn") for flag in briefing.flags]
    return Pairs(name="figure", title="Figures put before the analyst", items=tuple(items))


def _figure_line(known: "Mapping[str, Metric]", paths: tuple[str, ...]) -> str:
    present = [path for path in paths if path in known]
    values = [f"{_figure_name(path)} {format_figure(known[path])}" for path in present if known[path].value is not None]
    missing = [
        f"{_figure_name(path)} missing: {single_line(known[path].missing or '')}"
        for path in present
        if known[path].value is None
    ]
    return "; ".join((*([", ".join(values)] if values else []), *missing))


def _figure_name(path: str) -> str:
    last = path.partition(".")[2]
    return FIGURE_NAMES.get(last, single_line(last))


def format_figure(metric: "Metric") -> str:
    """A figure with its unit: dollars to the cent, fractions as per cent, anything else with two decimals."""
    value, unit = metric.value, single_line(metric.unit)
    assert value is not None
    if unit in ("dollars", "USD"):
        return format_float_price(round(value, 2))
    if unit.startswith("fraction"):
        return format_percent(value)
    return f"{value:.2f}" if unit in ("", "ratio", "points", "percent points") else f"{value:.2f} {unit}"


def _event_items(briefing: "Briefing") -> Iterator[Item]:
    if briefing.events:
        listed = ", ".join(f"{event.kind.upper()} {event.day}" for event in briefing.events)
        yield pair("events", f"{listed} up to the expiration")
    if briefing.dividends:
        yield pair("dividends", ", ".join(f"{item.ex_date} {format_price(item.amount)}" for item in briefing.dividends))
    if briefing.unknown_events:
        listed = ", ".join(f"{humanise(kind)} {single_line(why)}" for kind, why in briefing.unknown_events.items())
        yield pair("not known", listed, "warn")
