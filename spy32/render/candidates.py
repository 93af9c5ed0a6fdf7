"""Candidates of a menu on every screen: their order, their names in words, and what a column or line says of them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from spy32.domain.spreads import MULTIPLIER, Candidate, Strategy, value_bounds
from spy32.render.formatting import (
    format_dollars,
    format_gain,
    format_legs,
    format_percent,
    format_price,
    humanise,
    signed_delta,
)
from spy32.render.page import Column, Grid

if TYPE_CHECKING:
    from decimal import Decimal

    from spy32.domain.spreads import Menu

SIDES = {
    Strategy.PUT_CREDIT: "put",
    Strategy.CALL_CREDIT: "call",
    Strategy.IRON_CONDOR: "condor",
    Strategy.PUT_DEBIT: "put debit",
    Strategy.CALL_DEBIT: "call debit",
}
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


def spread_words(entry: Candidate) -> str:
    """`put 621/616`, `condor 621/616/650/655`."""
    return f"{SIDES[entry.spread.strategy]} {format_legs(entry.spread.legs)}"


def name_spreads(text: str, menu: "Menu | None") -> str:
    """Text of an analyst with the spreads themselves in the place of their ids, which only the record needs."""
    names = {} if menu is None else {entry.id: spread_words(entry) for entry in menu.candidates if entry.id in text}
    if not names:  # most texts: patterns take longer to compile than the page to draw
        return text

    def name_field(match: re.Match[str]) -> str:
        return f"{names[match[1]]} {humanise(match[2].replace('.', ' '))}" if match[1] in names else match[0]

    return re.sub(WORD, lambda match: names.get(match[0], match[0]), re.sub(CANDIDATE_PATH, name_field, text))


def pop_words(entry: Candidate) -> str:
    """Why it is not 1 - delta: delta knows one strike only, and neither the credit nor the shape of the smile.

    Of an iron condor or a debit spread 1 - delta is no probability of profit at all.
    """
    history = "" if entry.pop_history is None else f" · {format_percent(entry.pop_history)} by history"
    if entry.calls or entry.spread.strategy.is_debit:
        return f"{format_percent(entry.pop_market)}{history}"
    by_delta = format_percent(1 - entry.short_delta)
    return f"{format_percent(entry.pop_market)}{history} (1 - delta = {by_delta} ignores credit and skew)"


def _profit_at_mid(entry: Candidate) -> "Decimal":
    return (entry.mid + value_bounds(entry.spread.legs)[1]) * MULTIPLIER - entry.costs


def _gain(amount: float | None) -> str:
    return "" if amount is None else format_gain(amount)


CANDIDATE_FACTS: Mapping[str, Callable[[Candidate], str]] = {
    "spread": spread_words,
    "expiration": lambda entry: f"{entry.spread.expiration}",
    "credit": lambda entry: format_price(entry.start),
    "of width": lambda entry: format_percent(abs(float(entry.start / entry.spread.width))),
    "floor": lambda entry: format_price(entry.floor),
    "mid": lambda entry: format_price(entry.mid),
    "natural": lambda entry: format_price(entry.natural),
    "max profit": lambda entry: f"{format_dollars(_profit_at_mid(entry))} at the mid",
    "max loss": lambda entry: format_dollars(entry.max_loss),
    "return on risk": lambda entry: format_percent(float(_profit_at_mid(entry) / entry.max_loss)),
    "breakeven": lambda entry: " ".join(format_price(point) for point in entry.breakevens),
    "POP": lambda entry: format_percent(entry.pop_market),
    "POP history": lambda entry: "" if entry.pop_history is None else format_percent(entry.pop_history),
    "POP and delta": pop_words,
    "delta": signed_delta,
    "position": lambda entry: f"{entry.greeks.delta * MULTIPLIER:+.1f} shares",
    "theta": lambda entry: f"{format_gain(entry.greeks.theta * MULTIPLIER)} a day",
    "vega": lambda entry: f"{format_gain(entry.greeks.vega * MULTIPLIER)} a volatility point",
    "worthless": lambda entry: "" if entry.worthless_market is None else format_percent(entry.worthless_market),
    "EV market": lambda entry: _gain(entry.ev.market_expiry),
    "EV market plan": lambda entry: _gain(entry.ev.market_plan),
    "EV history": lambda entry: _gain(entry.ev.history_expiry),
    "EV history plan": lambda entry: _gain(entry.ev.history_plan),
    "costs": lambda entry: format_dollars(entry.costs),
    "costs both ways": lambda entry: format_dollars(entry.costs_round_trip),
    "id": lambda entry: entry.id,
}
"""What a screen says of one candidate, one contract, by its label. Empty where it is not known."""


def candidate_grid(
    entries: Sequence[Candidate],
    columns: Iterable[Column],
    places: Iterable[int],
    *,
    marked: str | None,
    who: Callable[[Candidate], str],
    is_small: bool = False,
) -> Grid:
    """The candidates at these places of the sorted menu, by row number; a column that is empty in every row is left
    out. A small grid has no frame, and gives columns up on a narrow screen instead of going on in a further table.
    """
    places = tuple(places)
    own: Mapping[str, Callable[[int], str]] = {
        "#": lambda place: f"{place + 1:{2 if is_small else 1}d}",
        "who": lambda place: who(entries[place]),
        "loss each": lambda place: format_dollars(entries[place].max_loss),
    }
    cells = {
        column: [
            own[name](place) if (name := column.name.strip()) in own else CANDIDATE_FACTS[name](entries[place])
            for place in places
        ]
        for column in columns
    }
    filled = [column for column, texts in cells.items() if any(texts)]
    return Grid(
        name="candidate",
        title="",
        columns=tuple(filled),
        rows=tuple(zip(*(cells[column] for column in filled), strict=True)),
        marked=next((row for row, place in enumerate(places) if entries[place].id == marked), None),
        continues=not is_small,
        framed=not is_small,
    )
