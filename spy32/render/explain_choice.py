"""Setup, entry conditions and market figures of a choice, computed by spy32.

They cover what the former system asked its model to state: strategy, setup, risk metrics, support and resistance,
volatility, momentum, volume, and the conditions of an entry.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from spy32.render.candidates import CANDIDATE_FACTS, OUTLOOK_FACTS, find_candidate
from spy32.render.explain import chosen_candidate_id
from spy32.render.formatting import (
    format_count,
    format_dollars,
    format_price,
    humanise,
    single_line,
)
from spy32.render.market_pages import FIGURE_GROUPS, figure_label, format_value
from spy32.render.outlook import number_items
from spy32.render.page import Item, Pairs, Part, pair, pairs

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.domain.market import Metric
    from spy32.domain.run_view import RunView
    from spy32.domain.spreads import Candidate

LAST_PRICES = {True: ("debit", "ceiling", "above"), False: ("credit", "floor", "below")}
"""Of a debit spread, and of a credit spread: what its price and its last price are called."""
OF_A_PROPOSAL = ("vega", "costs", "costs both ways")
"""What the screen of a proposal does not say of its candidate."""


def choice_parts(view: "RunView") -> list[Part]:
    """Setup and conditions of the choice, and the figures that were put before the analyst."""
    parts: list[Part] = []
    entry = find_candidate(view.menu, chosen_candidate_id(view))
    if entry is not None:
        # The proposal's own lines say the rest where there is one.
        is_proposed = view.proposal is not None and view.proposal.candidate_id == entry.id
        parts.append(setup_part(entry, short=is_proposed))
        parts.append(entry_conditions_part(entry, view.decided_by))
    if view.briefing is not None:
        parts.append(figures_part(view.briefing))
    return parts


def setup_part(entry: "Candidate", *, short: bool = False) -> Pairs:
    """Every fact of the chosen spread, one contract; `short` leaves out what the screen of a proposal says."""
    by_numbers = ("win, options", "return on risk") if entry.outlook is not None else ()  # which follow
    told = {*OUTLOOK_FACTS, *by_numbers}
    labels = OF_A_PROPOSAL if short else [label for label in CANDIDATE_FACTS if label not in told]
    facts = {label: CANDIDATE_FACTS[label](entry) for label in labels}
    price, last, _ = LAST_PRICES[entry.spread.strategy.is_debit]
    names = {"price": price, "last price": last}
    items = (*(pair(names.get(label, label), text) for label, text in facts.items() if text), *number_items(entry))
    return pairs(items, "setup", "Setup of the choice, one contract")


# Conditions of an entry.


def entry_conditions_part(entry: "Candidate", by: Mapping[str, Mapping[str, object]] | None) -> Pairs:
    """At what price and in what market it may be opened; the settings are those that the run decided by."""
    price, _, beyond = LAST_PRICES[entry.spread.strategy.is_debit]
    first, last = (format_price(abs(amount)) for amount in (entry.start, entry.floor))
    first_item = pair("price", f"{price} {first} first, never {beyond} {last}")
    return pairs([first_item, *_condition_items(by or {})], "entry", "Conditions of an entry")


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
    if by:
        yield pair("momentum", "no condition")
    latest = by.get("execution", {}).get("no_entry_after")
    if isinstance(latest, str):
        yield pair("no entry after", f"{latest} New York (not on recorded markets)")


def _read_number(section: Mapping[str, object], name: str) -> float | None:
    found = section.get(name)
    return float(found) if isinstance(found, int | float) else None


# The market.


def figures_part(briefing: "Briefing") -> Pairs:
    """The market as it was put before the analyst, a line a subject; what is missing says why."""
    groups = [(title, [f"market.{name}" for name in names]) for title, names in FIGURE_GROUPS]
    groups.append(("related", [path for path in briefing.figures if path.startswith("related.")]))
    items = [pair(title.lower(), _figure_line(briefing.figures, paths)) for title, paths in groups]
    items += _event_items(briefing)
    held = f"{format_count(len(briefing.held), 'spread')}, open risk {format_dollars(briefing.open_risk)}"
    items.append(pair("held", held if briefing.held else ""))
    items += [pair("flag", flag, "warn") for flag in briefing.flags]
    return pairs(items, "figure", "Figures put before the analyst")


def _figure_line(known: "Mapping[str, Metric]", paths: Sequence[str]) -> str:
    present = {figure_label(path): known[path] for path in paths if path in known}
    values = (f"{label} {format_value(metric)}" for label, metric in present.items() if metric.value is not None)
    missing = (f"{label} missing: {metric.missing}" for label, metric in present.items() if metric.value is None)
    return "; ".join(filter(None, (", ".join(values), *missing)))


def _event_items(briefing: "Briefing") -> list[Item]:
    events = ", ".join(f"{event.kind.upper()} {event.day}" for event in briefing.events)
    dividends = ", ".join(f"{item.ex_date} {format_price(item.amount)}" for item in briefing.dividends or ())
    unknown = ", ".join(f"{humanise(kind)} {single_line(why)}" for kind, why in briefing.unknown_events.items())
    return [
        pair("events", f"{events} up to the expiration" if events else ""),
        pair("dividends", dividends),
        pair("not known", unknown, "warn"),
    ]
