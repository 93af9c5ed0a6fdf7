"""Does what was sent bear out the numbers in the words? A wrong one is a sign of poor work; it never reaches an order.

A written number counts as matched when, within half a unit of its own last digit, it is

1. the value or the printed text of a field that was sent, in a unit that it can be written in: a fraction also as per
   cent, dollars a share also a contract (x 100) and the other way round; of a candidate that is neither chosen, cited
   nor named, only what tells it from the others (type, strikes, width, delta);
2. the complement 1 - p of a probability, delta or ratio below 1, or the probability that the answer itself states;
3. digit for digit a number in the words of the prompt, such as the 21 of "out at 21 days";
4. a period in the name of a figure (the 50 of `market.sma_50`), or the days from the time of the data to a date sent.

Nothing is derived: any two of some hundred sent numbers would make almost every number there is.

Whole numbers up to 12 without a unit count things and are passed over. Dates must be among those sent, times too (or
the hours of the exchange). Magnitudes only: the sign of a number is not judged.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from math import isfinite
from typing import NamedTuple

from spy32.analysts.number_parser import ParsedDate, ParsedNumber, ParsedTime, ParsedToken, parse_tokens
from spy32.analysts.rendered_prompt import PromptField, RenderedPrompt
from spy32.domain.proposals import NumberCheck
from spy32.domain.value import value

MAX_COUNTING_NUMBER = 12
EXCHANGE_TIMES = frozenset({"09:30", "13:00", "16:00", "16:15"})
"""The exchange's own: open, early close, close, and the close of options on funds."""
IDENTIFYING_COLUMNS = ("type", "short", "long", "width", "short_delta")
NAME_PATTERN = re.compile(r"[A-Za-z](?:[\w.^-]*[\w^])?")

MONEY, CONTRACT, SHARE, DAYS, COUNT, PLAIN, ANY = "money", "contract", "share", "days", "count", "plain", "any"
"""Dollars or points a share; dollars a contract; a fraction; calendar days; a number of things; a ratio or an index; a
number in a text, whose kind is not known."""

UNIT_KINDS = (
    (frozenset({"usd", "dollars", "dollar", "points"}), MONEY),
    (frozenset({"days", "day", "dte", "sessions"}), DAYS),
    (frozenset({"contracts", "shares", "lots", "count"}), COUNT),
    (frozenset({"fraction", "percent", "decimal", "probability"}), SHARE),
)

WRITTEN_FORMS: dict[str, tuple[tuple[str, float], ...]] = {
    MONEY: (("", 1), ("dollars", 1), ("dollars", 100), ("points", 1)),
    CONTRACT: (("", 1), ("dollars", 1), ("dollars", 0.01)),
    SHARE: (("", 1), ("", 100), ("share", 100), ("bps", 10_000), ("points", 100), ("delta", 1), ("delta", 100)),
    DAYS: (("", 1), ("days", 1)),
    COUNT: (("", 1), ("count", 1)),
    PLAIN: (("", 1), ("share", 100), ("times", 1), ("points", 1), ("delta", 1), ("delta", 100)),
    ANY: (("", 1), ("dollars", 1), ("times", 1), ("points", 1), ("count", 1)),
}
"""How a value of a kind may be written: unit and factor."""


@value
class AnswerContext:
    """What the numbers of an answer are compared with."""

    rendered: RenderedPrompt
    chosen: str | None = None
    cited: Sequence[str] = ()
    stated: float | None = None
    """The probability that the answer gives."""


class KnownValue(NamedTuple):
    kind: str
    size: float


class NumberIndex:
    """Values by how they may be written, for a search by size."""

    def __init__(self, values: Iterable[KnownValue]) -> None:
        self._rows: dict[str, list[float]] = {}
        for known in dict.fromkeys(values):
            for unit, factor in WRITTEN_FORMS[known.kind]:
                self._rows.setdefault(unit, []).append(known.size * factor)
        for row in self._rows.values():
            row.sort()

    def has(self, number: ParsedNumber) -> bool:
        """Whether the number could be one of the values, by its own rounding."""
        row = self._rows.get(number.unit, [])
        # A float of a decimal is off by some 1e-16 of itself.
        reach = number.half + 1e-9 * max(1.0, number.value)
        place = bisect_left(row, number.value - reach)
        return place < len(row) and row[place] <= number.value + reach


def check_numbers(words: Iterable[str], context: AnswerContext) -> NumberCheck:
    """How many numbers of the words are borne out, and which are not, as written and in order."""
    texts = tuple(words)
    written = [token for text in texts for token in parse_tokens(_remove_names(text, context.rendered))]
    prompt_numbers = _PromptNumbers(context, texts)
    values = NumberIndex(prompt_numbers.values())

    def is_good(item: ParsedToken) -> bool:
        if isinstance(item, ParsedNumber):
            return any(
                all(prompt_numbers.has_number(part) or values.has(part) for part in parts)
                for parts in _possible_readings(item)
            )
        return prompt_numbers.has_day(item) if isinstance(item, ParsedDate) else item.time in prompt_numbers.times

    judged = [
        (token, is_good(token))
        for token in written
        if not (isinstance(token, ParsedNumber) and _is_counting_number(token))
    ]
    unmatched = tuple(token.text for token, good in judged if not good)
    return NumberCheck(matched=len(judged) - len(unmatched), unmatched=unmatched)


def _remove_names(text: str, rendered: RenderedPrompt) -> str:
    """The text without ids of the menu, paths, and the last parts of paths such as `sma_50`: their digits are names."""
    ends = {path.rsplit(".", 1)[-1] for path in rendered.fields if path.startswith("market.")}
    names = {*rendered.fields, *rendered.ids, *ends}
    return NAME_PATTERN.sub(lambda found: " " if found.group() in names else found.group(), text)


def _is_counting_number(number: ParsedNumber) -> bool:
    return number.unit in ("", "count") and number.is_whole and number.value <= MAX_COUNTING_NUMBER


def _possible_readings(number: ParsedNumber) -> Iterator[tuple[ParsedNumber, ...]]:
    """The number, and where commas stand in it the numbers between them: "640,635" may be two strikes."""
    if not isfinite(number.value) or number.unit == "power":
        return
    yield (number,)
    if "," in number.text and number.unit == "":
        parts = parse_tokens(number.text.replace(",", ", "))
        yield tuple(part for part in parts if isinstance(part, ParsedNumber))


class _PromptNumbers:
    """All numbers, dates and times in a prompt."""

    def __init__(self, context: AnswerContext, words: Sequence[str]) -> None:
        self._grounds = context
        rendered = context.rendered
        cited = {path.split(".")[1] for path in context.cited if path.startswith("menu.")}
        self._meant = {name for name in rendered.ids if name in cited or any(name in text for text in words)}
        self._meant |= {context.chosen} if context.chosen is not None else set()
        relevant = (prompt_field for path, prompt_field in rendered.fields.items() if self._is_relevant(path))
        fields = (text for prompt_field in relevant for text in (prompt_field.text, prompt_field.note))
        # The figures of another spread are no figures of the one that is spoken of.
        others = set(rendered.ids) - self._meant
        lines = (line for line in rendered.user.splitlines() if not others & set(line.replace("|", " ").split()[:1]))
        printed = parse_tokens(" ; ".join((rendered.system, *lines, rendered.as_of, *fields)))
        self._digits = {_printed_digits(token) for token in printed if isinstance(token, ParsedNumber)}
        # `bars.2025-10-03` and `events.fomc.2025-10-29` have their day in the path.
        days = (*printed, *parse_tokens(" ; ".join(rendered.fields)))
        self._days = [token for token in days if isinstance(token, ParsedDate)]
        self.times = EXCHANGE_TIMES | {token.time for token in printed if isinstance(token, ParsedTime)}

    def values(self) -> Iterator[KnownValue]:
        rendered, stated = self._grounds.rendered, self._grounds.stated
        for path, prompt_field in rendered.fields.items():
            if self._is_relevant(path):
                yield from _field_values(prompt_field)
        figures = (path for path in rendered.fields if path.startswith("market."))
        periods = (size for path in figures for size in re.findall(r"[0-9]{1,3}", path))
        yield from (KnownValue(DAYS, float(size)) for size in (*periods, *self._days_ahead()))
        if stated is not None:
            yield from (KnownValue(SHARE, stated), KnownValue(SHARE, 1 - stated))

    def _is_relevant(self, path: str) -> bool:
        first, _, rest = path.partition(".")
        name, _, column = rest.partition(".")
        return first != "menu" or name in self._meant or column in IDENTIFYING_COLUMNS

    def has_number(self, number: ParsedNumber) -> bool:
        """Whether these very digits stand in the prompt, with the same unit; a bare year stands there in dates."""
        is_year = number.unit == "" and number.is_whole and any(number.value == day.year for day in self._days)
        return is_year or _printed_digits(number) in self._digits

    def has_day(self, day: ParsedDate) -> bool:
        return any(
            item.month == day.month
            and day.day in (None, item.day)
            and (day.year == item.year or None in (day.year, item.year))
            for item in self._days
        )

    def _days_ahead(self) -> Iterator[int]:
        known = [found for day in self._days if (found := _full_date(day)) is not None]
        reference = next(
            (found for day in parse_tokens(self._grounds.rendered.as_of) if (found := _full_date(day)) is not None),
            None,
        )
        yield from ((day - reference).days for day in known if reference is not None and day >= reference)


def _printed_digits(number: ParsedNumber) -> tuple[str, str]:
    digits = re.sub(r"[^0-9.]", "", number.text)
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits, number.unit if number.unit == "share" else "")


def _full_date(day: ParsedToken) -> date | None:
    if not isinstance(day, ParsedDate) or day.year is None or day.day is None:
        return None
    try:
        return date(day.year, day.month, day.day)
    except ValueError:
        return None


def _field_values(prompt_field: PromptField) -> Iterator[KnownValue]:
    """The value of a field and the numbers that its text shows, which may be rounded."""
    kind = _unit_kind(prompt_field.unit)
    sizes = [item.value for item in parse_tokens(prompt_field.text) if isinstance(item, ParsedNumber)]
    if prompt_field.value is None:
        kind = kind or ANY
    else:
        kind = kind or PLAIN
        sizes.append(abs(prompt_field.value))
    for size in filter(isfinite, sizes):
        fraction = size / 100 if "percent" in prompt_field.unit.lower() else size
        yield KnownValue(kind, fraction if kind == SHARE else size)
        if (kind == PLAIN or "probability" in prompt_field.unit) and 0 < fraction < 1:
            yield KnownValue(SHARE, 1 - fraction)


def _unit_kind(unit: str) -> str | None:
    words = set(re.findall(r"[a-z]+", unit.lower()))
    if words & {"percent", "fraction"}:
        return SHARE
    kind = next((kind for names, kind in UNIT_KINDS if words & names), None)
    return CONTRACT if kind == MONEY and "contract" in words else kind
