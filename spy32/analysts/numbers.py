"""Does what was sent bear out the numbers in the words? A wrong one is a sign of poor work; it never reaches an order.

A written number counts as matched when, within half a unit of its own last digit, it is

1. the value or the printed text of a field that was sent, in a unit that it can be written in: a fraction also as per
   cent, dollars a share also a contract (x 100) and the other way round; of a candidate that is neither chosen, cited
   nor named, only what tells it from the others (type, strikes, width, delta);
2. the complement 1 - p of a probability, delta or ratio below 1, or the probability that the answer itself states;
3. digit for digit a number in the words of the prompt, such as the 21 of "out at 21 days";
4. a period in the name of a figure (the 50 of `market.sma_50`), or the days from the time of the data to a date sent;
5. of two figures *in play* and of one kind: difference, ratio, change up to a quarter in per cent, midpoint, or spot
   plus the other.
   In play are the spot, the fields of the chosen candidate and of the evidence, and what the words name clearly: any
   two of some hundred sent numbers would make almost every number there is.

Whole numbers up to 12 without a unit count things and are passed over. Dates must be among those sent, times too (or
the hours of the exchange). Magnitudes only: the sign of a number is not judged.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations
from math import isfinite

from spy32.analysts.rendered import Rendered, Sent
from spy32.analysts.written import Clock, Day, Number, Written, read
from spy32.domain.deciding import NumberCheck

COUNTING = 12
HOURS = frozenset({"09:30", "13:00", "16:00", "16:15"})
"""The exchange's own: open, early close, close, and the close of options on funds."""
IN_PLAY = 40
CLEAR = 3
"""A written number that could be more figures than this names none of them."""
QUARTER = 0.25
"""A larger change is told as a ratio; every two prices would make some number of per cent."""
TELLING = ("type", "short", "long", "width", "short_delta")
SPOT = "market.spot"
NAME = re.compile(r"[A-Za-z](?:[\w.^-]*[\w^])?")

MONEY, CONTRACT, SHARE, DAYS, COUNT, PLAIN, ANY = "money", "contract", "share", "days", "count", "plain", "any"
"""Dollars or points a share; dollars a contract; a fraction; calendar days; a number of things; a ratio or an index; a
number in a text, whose kind is not known."""

UNITS = (
    (frozenset({"usd", "dollars", "dollar", "points"}), MONEY),
    (frozenset({"days", "day", "dte", "sessions"}), DAYS),
    (frozenset({"contracts", "shares", "lots", "count"}), COUNT),
    (frozenset({"fraction", "percent", "decimal", "probability"}), SHARE),
)

FORMS: dict[str, tuple[tuple[str, float], ...]] = {
    MONEY: (("", 1), ("dollars", 1), ("dollars", 100), ("points", 1)),
    CONTRACT: (("", 1), ("dollars", 1), ("dollars", 0.01)),
    SHARE: (("", 1), ("", 100), ("share", 100), ("bps", 10_000), ("points", 100), ("delta", 1), ("delta", 100)),
    DAYS: (("", 1), ("days", 1)),
    COUNT: (("", 1), ("count", 1)),
    PLAIN: (("", 1), ("share", 100), ("times", 1), ("points", 1), ("delta", 1), ("delta", 100)),
    ANY: (("", 1), ("dollars", 1), ("times", 1), ("points", 1), ("count", 1)),
}
"""How a value of a kind may be written: unit and factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What an answer's words are held against."""

    rendered: Rendered
    chosen: str | None = None
    cited: Sequence[str] = ()
    stated: float | None = None
    """The probability that the answer gives."""


@dataclass(frozen=True, slots=True)
class Value:
    kind: str
    size: float


@dataclass(slots=True)
class Table:
    """Values by how they may be written, for a search by size."""

    _rows: dict[str, list[tuple[float, Value]]] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[Value]) -> "Table":
        table = cls()
        for value in dict.fromkeys(values):
            for unit, factor in FORMS[value.kind]:
                table.add(unit, value.size * factor, value)
        return table.sorted()

    def add(self, unit: str, size: float, value: Value) -> None:
        self._rows.setdefault(unit, []).append((size, value))

    def sorted(self) -> "Table":
        for row in self._rows.values():
            row.sort(key=lambda pair: pair[0])
        return self

    def find(self, number: Number) -> list[Value]:
        """The values that the number could be, by its own rounding."""
        row = self._rows.get(number.unit, [])
        # A float of a decimal is off by some 1e-16 of itself.
        reach = number.half + 1e-9 * max(1.0, number.value)
        place = bisect_left(row, number.value - reach, key=lambda pair: pair[0])
        found = []
        while place < len(row) and row[place][0] <= number.value + reach:
            found.append(row[place][1])
            place += 1
        return found


def check(words: Iterable[str], grounds: Grounds) -> NumberCheck:
    """How many numbers of the words are borne out, and which are not, as written and in order."""
    texts = tuple(words)
    written = [one for text in texts for one in read(_without_names(text, grounds.rendered))]
    sent = _Sent(grounds, texts)
    direct = Table.of(sent.values())
    numbers = [one for one in written if isinstance(one, Number) and not _counts(one)]
    named = [value for one in numbers for value in _clear(one, direct)]
    derived = _derived(sent.in_play(named))

    def is_good(one: Written) -> bool:
        if isinstance(one, Number):
            return any(
                all(sent.has(part) or direct.find(part) or derived.find(part) for part in parts)
                for parts in _readings(one)
            )
        return sent.has_day(one) if isinstance(one, Day) else one.time in sent.times

    judged = [(one, is_good(one)) for one in written if not (isinstance(one, Number) and _counts(one))]
    unmatched = tuple(one.text for one, good in judged if not good)
    return NumberCheck(matched=len(judged) - len(unmatched), unmatched=unmatched)


def _without_names(text: str, rendered: Rendered) -> str:
    """The text without ids of the menu, paths, and the last parts of paths such as `sma_50`: their digits are names."""
    ends = {path.rsplit(".", 1)[-1] for path in rendered.fields if path.startswith("market.")}
    names = {*rendered.fields, *rendered.ids, *ends}
    return NAME.sub(lambda found: " " if found.group() in names else found.group(), text)


def _counts(number: Number) -> bool:
    return number.unit in ("", "count") and number.is_whole and number.value <= COUNTING


def _readings(number: Number) -> Iterator[tuple[Number, ...]]:
    """The number, and where commas stand in it the numbers between them: "640,635" may be two strikes."""
    if not isfinite(number.value) or number.unit == "power":
        return
    yield (number,)
    if "," in number.text and number.unit == "":
        parts = read(number.text.replace(",", ", "))
        yield tuple(part for part in parts if isinstance(part, Number))


def _clear(number: Number, direct: Table) -> list[Value]:
    """The figures that a number names: none when it is short and bare, or could be many."""
    if number.unit == "" and number.is_whole and number.value < 100:
        return []
    found = list(dict.fromkeys(direct.find(number)))
    return found if len(found) <= CLEAR else []


class _Sent:
    """Everything that a prompt holds in digits."""

    def __init__(self, grounds: Grounds, words: Sequence[str]) -> None:
        self._grounds = grounds
        rendered = grounds.rendered
        cited = {path.split(".")[1] for path in grounds.cited if path.startswith("menu.")}
        self._meant = {name for name in rendered.ids if name in cited or any(name in text for text in words)}
        self._meant |= {grounds.chosen} if grounds.chosen is not None else set()
        meant = (sent for path, sent in rendered.fields.items() if self._is_meant(path))
        fields = (text for sent in meant for text in (sent.text, sent.note))
        # The figures of another spread are no figures of the one that is spoken of.
        others = set(rendered.ids) - self._meant
        lines = (line for line in rendered.user.splitlines() if not others & set(line.replace("|", " ").split()[:1]))
        printed = read(" ; ".join((rendered.system, *lines, rendered.as_of, *fields)))
        self._digits = {_as_printed(one) for one in printed if isinstance(one, Number)}
        # `bars.2025-10-03` and `events.fomc.2025-10-29` have their day in the path.
        days = (*printed, *read(" ; ".join(rendered.fields)))
        self._days = [one for one in days if isinstance(one, Day)]
        self.times = HOURS | {one.time for one in printed if isinstance(one, Clock)}

    def values(self) -> Iterator[Value]:
        rendered, stated = self._grounds.rendered, self._grounds.stated
        for path, sent in rendered.fields.items():
            if self._is_meant(path):
                yield from _values_of(sent)
        yield from (Value(DAYS, float(size)) for size in self._periods())
        yield from (Value(DAYS, float(size)) for size in self._days_ahead())
        if stated is not None:
            yield from (Value(SHARE, stated), Value(SHARE, 1 - stated))

    def _is_meant(self, path: str) -> bool:
        first, _, rest = path.partition(".")
        name, _, column = rest.partition(".")
        return first != "menu" or name in self._meant or column in TELLING

    def in_play(self, named: Iterable[Value]) -> list[Value]:
        """The figures that may be computed with, the spot first if it was sent."""
        fields, chosen = self._grounds.rendered.fields, self._grounds.chosen
        own = [path for path in fields if chosen is not None and path.startswith(f"menu.{chosen}.")]
        paths = [path for path in (SPOT, *own, *self._grounds.cited) if path in fields]
        values = [value for path in paths for value in _values_of(fields[path], complement=False)]
        # A contract's dollars and a share's are one kind once they are in one unit.
        same = (Value(MONEY, value.size / 100) if value.kind == CONTRACT else value for value in (*values, *named))
        return list(dict.fromkeys(value for value in same if value.size > 0))[:IN_PLAY]

    def has(self, number: Number) -> bool:
        """Whether these very digits stand in the prompt, with the same unit; a bare year stands there in dates."""
        is_year = number.unit == "" and number.is_whole and any(number.value == day.year for day in self._days)
        return is_year or _as_printed(number) in self._digits

    def has_day(self, day: Day) -> bool:
        return any(
            one.month == day.month
            and day.day in (None, one.day)
            and (day.year == one.year or None in (day.year, one.year))
            for one in self._days
        )

    def _periods(self) -> Iterator[int]:
        for path in self._grounds.rendered.fields:
            if path.startswith("market."):
                yield from map(int, re.findall(r"[0-9]{1,3}", path))

    def _days_ahead(self) -> Iterator[int]:
        known = [found for day in self._days if (found := _date(day)) is not None]
        of = next((found for day in read(self._grounds.rendered.as_of) if (found := _date(day)) is not None), None)
        yield from ((day - of).days for day in known if of is not None and day >= of)


def _as_printed(number: Number) -> tuple[str, str]:
    digits = re.sub(r"[^0-9.]", "", number.text)
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits, number.unit if number.unit == "share" else "")


def _date(day: Written) -> date | None:
    if not isinstance(day, Day) or day.year is None or day.day is None:
        return None
    try:
        return date(day.year, day.month, day.day)
    except ValueError:
        return None


def _values_of(sent: Sent, *, complement: bool = True) -> Iterator[Value]:
    """The value of a field and the numbers that its text shows, which may be rounded."""
    kind = _kind(sent.unit)
    shown = [one.value for one in read(sent.text) if isinstance(one, Number)]
    if sent.value is None:
        kind = kind or ANY
    else:
        kind = kind or PLAIN
        shown.append(abs(sent.value))
    for size in filter(isfinite, shown):
        fraction = size / 100 if "percent" in sent.unit.lower() else size
        yield Value(kind, fraction if kind == SHARE else size)
        if complement and (kind == PLAIN or "probability" in sent.unit) and 0 < fraction < 1:
            yield Value(SHARE, 1 - fraction)


def _kind(unit: str) -> str | None:
    words = set(re.findall(r"[a-z]+", unit.lower()))
    if words & {"percent", "fraction"}:
        return SHARE
    kind = next((kind for names, kind in UNITS if words & names), None)
    return CONTRACT if kind == MONEY and "contract" in words else kind


def _derived(values: Sequence[Value]) -> Table:
    """The functions of two figures of one kind; sizes only, so the order of the two does not matter."""
    table = Table()
    spot = next((value for value in values[:1] if value.kind == MONEY), None)
    for one, other in combinations(values, 2):
        if one.kind != other.kind or one.kind not in (MONEY, SHARE, COUNT, DAYS):
            continue
        low, high = sorted((one.size, other.size))
        made = [Value(one.kind, high - low)]
        if one.kind == MONEY:
            made.append(Value(MONEY, (low + high) / 2))
            made += [Value(MONEY, low + high)] if spot in (one, other) else []
        for value in made:
            for unit, factor in FORMS[value.kind]:
                table.add(unit, value.size * factor, value)
        if one.kind != DAYS:
            _add_ratios(table, low, high)
    return table.sorted()


def _add_ratios(table: Table, low: float, high: float) -> None:
    part = low / high
    sizes = [("", part), ("times", part), ("times", high / low)]
    if part < 1 - QUARTER:
        sizes.append(("share", 100 * part))
    else:
        sizes += [("share", 100 * (1 - part)), ("share", 100 * (high / low - 1))]
    for unit, size in sizes:
        table.add(unit, size, Value(PLAIN, size))
