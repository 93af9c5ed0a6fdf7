"""Candidates of a menu on every screen: their order, their names in words, and what a column or line says of them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from spy32.domain.proposals import Decision
from spy32.domain.spreads import MULTIPLIER, Candidate, Strategy, value_bounds
from spy32.render.formatting import (
    format_chance,
    format_credit,
    format_dollars,
    format_gain,
    format_known,
    format_legs,
    format_percent,
    format_price,
    format_signed_price,
    format_whole,
    humanise,
    signed_delta,
    single_line,
)
from spy32.render.page import Grid, grid_columns, noun_grid, read_path

if TYPE_CHECKING:
    from spy32.domain.outcomes import CandidateOutcome
    from spy32.domain.proposals import Recommendation
    from spy32.domain.spreads import Menu

CANDIDATE_PATH, WORD = r"menu\.(\w+)\.([a-z][\w.]*)", r"(?<![\w.])\w+"


def sorted_menu(entries: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """By strategy and strike, puts first: never in the shuffled order that a model saw. Row n is the nth of these."""
    order = tuple(Strategy).index
    return tuple(
        sorted(
            entries,
            key=lambda entry: (order(entry.spread.strategy), entry.spread.short.strike, entry.spread.width),
        )
    )


def find_candidate(menu: "Menu | None", candidate_id: str | None) -> Candidate | None:
    """The candidate of this id; None without it or without a menu."""
    return None if menu is None else menu.find(candidate_id)


def spread_words(entry: Candidate) -> str:
    """`put 621/616`, `condor 621/616/650/655`."""
    return f"{entry.spread.strategy.short_name} {format_legs(entry.spread.legs)}"


def spread_or_id(answer: "Recommendation", menu: "Menu | None") -> str:
    """The spread in words; the id that was answered where the menu has no such spread."""
    entry = find_candidate(menu, answer.candidate_id)
    return single_line(answer.candidate_id or "") if entry is None else spread_words(entry)


def choice_words(answer: "Recommendation", menu: "Menu | None") -> str:
    """`chose put 621/616`, that and `which spy32 vetoes`, `abstained`, or `failed to answer`: four different things."""
    verb = {Decision.TRADE: f"chose {spread_or_id(answer, menu)}", Decision.ABSTAIN: "abstained"}
    refused = ", which spy32 vetoes" if answer.vetoes else ""
    return f"{verb.get(answer.decision, 'failed to answer')}{refused}"


def name_spreads(text: str, menu: "Menu | None") -> str:
    """Text of an analyst with the spreads themselves in the place of their ids, which only the record needs."""
    names = {} if menu is None else {entry.id: spread_words(entry) for entry in menu.candidates if entry.id in text}
    if not names:  # most texts: patterns take longer to compile than the page to draw
        return text

    def name_field(match: re.Match[str]) -> str:
        return f"{names[match[1]]} {humanise(match[2].replace('.', ' '))}" if match[1] in names else match[0]

    return re.sub(WORD, lambda match: names.get(match[0], match[0]), re.sub(CANDIDATE_PATH, name_field, text))


def came_to_words(outcome: "CandidateOutcome | None") -> str:
    """The result at expiration, or `open`; empty without an outcome."""
    return "" if outcome is None else "open" if outcome.expiry is None else format_gain(outcome.expiry)


def pick_words(outcomes: "Mapping[str, CandidateOutcome]", picked: str | None, *, is_over: bool) -> str:
    """`+$52.11 a contract held, +$20.83 by plan; of max loss +0.116, menu's mean +0.071 of 15`, or why it is open; no
    trade came to zero. Empty while nothing can be known; `is_over` says that the expiration has passed.

    Pick and menu are compared by shares of the maximum loss, as in the report: spreads have several widths.
    """
    known = [each.expiry_share for each in outcomes.values() if each.expiry_share is not None]
    pick = outcomes.get(picked) if picked is not None else None
    planned = read_path(pick, "plan.result")
    plan = format_known(lambda gain: f", {format_gain(gain)} by plan", planned)
    if not known:
        reasons = [each.pending for each in outcomes.values() if each.pending is not None]
        is_told = planned is not None or (is_over and len(reasons) > 0)
        return f"open{plan}: {''.join(reasons[:1])}" if is_told else ""
    held = f"{came_to_words(pick)} a contract held" if pick is not None else "zero without a trade"
    own = format_known(" {:+.3f},".format, read_path(pick, "expiry_share"))
    return f"{held}{plan}; of max loss{own} menu's mean {sum(known) / len(known):+.3f} of {len(known)}"


def _largest_profit(entry: Candidate, credit: Decimal) -> Decimal:
    return (credit + value_bounds(entry.spread.legs)[1]) * MULTIPLIER - entry.costs


def _outlook_fact(path: str, form: Callable[[Any], str]) -> Callable[[Candidate], str]:
    return lambda entry: format_known(form, read_path(entry.outlook, path))


OUTLOOK_FACTS: Mapping[str, Callable[[Candidate], str]] = {
    "win, exits": _outlook_fact("chosen_plan.probabilities.profit", format_chance),
    "EV each": _outlook_fact("chosen_plan.ev.mean", format_whole),
    "EV low": _outlook_fact("chosen_plan.ev.low", format_whole),
    "EV high": _outlook_fact("chosen_plan.ev.high", format_whole),
    "win, held": _outlook_fact("expiry.history.probabilities.profit", format_chance),
    "P(max loss)": _outlook_fact("expiry.history.probabilities.max_loss", format_chance),
    "P(touch)": _outlook_fact("expiry.history.probabilities.touch", format_chance),
    "EV, held": _outlook_fact("expiry.history.ev.mean", format_whole),
    "worst 5%": _outlook_fact("chosen_plan.shortfall.mean", format_whole),
}
"""By history under the exit plan, unless the column says another."""
CANDIDATE_FACTS: Mapping[str, Callable[[Candidate], str]] = {
    "spread": spread_words,
    "expiration": lambda entry: f"{entry.spread.expiration}",
    "price": lambda entry: format_credit(entry.start),
    "of width": lambda entry: format_percent(abs(float(entry.start / entry.spread.width))),
    "last price": lambda entry: format_credit(entry.floor),
    "mid": lambda entry: format_signed_price(entry.mid),
    "natural": lambda entry: format_signed_price(entry.natural),
    "max profit": lambda entry: f"{format_dollars(_largest_profit(entry, entry.mid))} at the mid",
    "max loss": lambda entry: format_dollars(entry.max_loss),
    "return on risk": lambda entry: format_percent(float(_largest_profit(entry, entry.start) / entry.max_loss)),
    "breakeven": lambda entry: " ".join(format_price(point) for point in entry.breakevens),
    "win, options": lambda entry: format_chance(entry.p_profit),
    "delta": signed_delta,
    "position": lambda entry: f"{entry.greeks.delta * MULTIPLIER:+.1f} shares",
    "theta": lambda entry: f"{format_gain(entry.greeks.theta * MULTIPLIER)} a day",
    "vega": lambda entry: f"{format_gain(entry.greeks.vega * MULTIPLIER)} a volatility point",
    "costs": lambda entry: format_dollars(entry.costs),
    "costs both ways": lambda entry: format_dollars(entry.costs_round_trip),
    "id": lambda entry: entry.id,
    **OUTLOOK_FACTS,
}
"""What a screen says of one candidate, one contract, by its label. Empty where it is not known."""


def candidate_grid(
    entries: Sequence[Candidate],
    heads: Sequence[str],
    places: Iterable[int],
    *,
    marked: str | None,
    own: Mapping[str, Callable[[Candidate], str]],
) -> Grid:
    """The candidates at these places of the sorted menu, by row number; a column that is empty in every row is left
    out. `heads` are column heads as `grid_columns` reads them; `own` has what a page says of each beside its facts, by
    label.
    """
    numbers = {entry.id: place + 1 for place, entry in enumerate(entries)}
    facts: Mapping[str, Callable[[Candidate], str]] = {
        **CANDIDATE_FACTS,
        "#": lambda entry: str(numbers[entry.id]),
        "loss each": lambda entry: format_dollars(entry.max_loss),
        **own,
    }
    labels = (column.name.strip() for column in grid_columns(*heads))
    columns = {head: facts[label] for head, label in zip(heads, labels, strict=True) if label in facts}
    chosen = [entries[place] for place in places]
    grid = noun_grid("candidate", "", chosen, columns, omits_empty=True)
    return grid._replace(marked=next((row for row, entry in enumerate(chosen) if entry.id == marked), None))
