"""Setup, entry conditions and market figures of a choice, computed by spy32.

They cover what the former system asked its model to state: strategy, setup, risk metrics, support and resistance,
volatility, momentum, volume, and the conditions of an entry.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from spy32.render.candidates import CANDIDATE_FACTS, OUTLOOK_FACTS, find_candidate
from spy32.render.explain import chosen_candidate_id
from spy32.render.formatting import (
    format_count,
    format_dollars,
    format_price,
    humanise,
)
from spy32.render.market_pages import FIGURE_GROUPS, figure_label, format_value
from spy32.render.outlook import number_items
from spy32.render.page import Facts, Pairs, Part, pairs

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
    entry, result = find_candidate(view.menu, chosen_candidate_id(view)), view.proposal
    if entry is not None:
        # The proposal's own lines say the rest where there is one.
        is_proposed = result is not None and result.candidate_id == entry.id
        parts += [setup_part(entry, short=is_proposed), entry_conditions_part(entry, view.decided_by or {})]
    if view.briefing is not None:
        parts.append(pairs(_figure_items(view.briefing), "figure", "Figures put before the analyst"))
    return parts


def setup_part(entry: "Candidate", *, short: bool = False) -> Pairs:
    """Every fact of the chosen spread, one contract; `short` leaves out what the screen of a proposal says."""
    labels: Iterable[str] = OF_A_PROPOSAL
    if not short:
        by_numbers = ("win, options", "return on risk") if entry.outlook is not None else ()  # which follow
        labels = [label for label in CANDIDATE_FACTS if label not in (*OUTLOOK_FACTS, *by_numbers)]
    price, last, _ = LAST_PRICES[entry.spread.strategy.is_debit]
    names = {"price": price, "last price": last}
    facts = ((names.get(label, label), CANDIDATE_FACTS[label](entry)) for label in labels)
    return pairs((*facts, *number_items(entry)), "setup", "Setup of the choice, one contract")


# Conditions of an entry.


def entry_conditions_part(entry: "Candidate", by: Mapping[str, Mapping[str, object]]) -> Pairs:
    """At what price and in what market it may be opened; the settings are those that the run decided by."""
    price, _, beyond = LAST_PRICES[entry.spread.strategy.is_debit]
    first, last = (format_price(abs(amount)) for amount in (entry.start, entry.floor))
    first_item = ("price", f"{price} {first} first, never {beyond} {last}")
    return pairs([first_item, *_condition_items(by)], "entry", "Conditions of an entry")


CONDITIONS = (
    (
        "drift", "drift", ("underlying", "credit", "short_delta"),
        "underlying within {:.2%}, credit not down more than {:.0%}, short delta at most {:.2f}",
    ),
    (
        "volatility", "conditions", ("vix_warn", "vix_halve", "vix_none"),
        "VIX from {:g} noted, from {:g} at half size, from {:g} no entry",
    ),
    (
        "liquidity", "choice", ("open_interest",),
        "open interest of the short leg at least {:.0f}; two-sided quotes of both legs",
    ),
)  # fmt: skip
"""Label, section and names of the settings, and the words for their values."""


def _condition_items(by: Mapping[str, Mapping[str, object]]) -> Facts:
    for label, section, names, words in CONDITIONS:
        values = [by.get(section, {}).get(name) for name in names]
        if all(isinstance(each, int | float) for each in values):
            yield label, words.format(*values)
    if by:
        yield "momentum", "no condition"
    latest = by.get("execution", {}).get("no_entry_after")
    if isinstance(latest, str):
        yield "no entry after", f"{latest} New York (not on recorded markets)"


# The market.


def _figure_items(briefing: "Briefing") -> Facts:
    """The market as it was put before the analyst, a line a subject; what is missing says why."""
    for title, names in FIGURE_GROUPS:
        yield title.lower(), _figure_line(briefing.figures, [f"market.{name}" for name in names])
    related = [path for path in briefing.figures if path.startswith("related.")]
    yield "related", _figure_line(briefing.figures, related)
    events = ", ".join(f"{event.kind.upper()} {event.day}" for event in briefing.events)
    yield "events", f"{events} up to the expiration" if events else ""
    dividends = briefing.dividends or ()
    yield "dividends", ", ".join(f"{item.ex_date} {format_price(item.amount)}" for item in dividends)
    unknown = (f"{humanise(kind)} {why}" for kind, why in briefing.unknown_events.items())
    yield "not known", ", ".join(unknown), "warn"
    if briefing.held:
        spreads, risk = format_count(len(briefing.held), "spread"), format_dollars(briefing.open_risk)
        yield "held", f"{spreads}, open risk {risk}"
    yield from (("flag", flag, "warn") for flag in briefing.flags)


def _figure_line(known: "Mapping[str, Metric]", paths: Sequence[str]) -> str:
    present = {figure_label(path): known[path] for path in paths if path in known}
    values = (f"{label} {format_value(metric)}" for label, metric in present.items() if metric.value is not None)
    missing = (f"{label} missing: {metric.missing}" for label, metric in present.items() if metric.value is None)
    return "; ".join(filter(None, (", ".join(values), *missing)))
