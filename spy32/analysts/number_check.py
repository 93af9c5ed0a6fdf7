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

Reading the numbers: signs are left out, since words carry them ("fell 3 %"). Spelled-out numbers, ordinals ("2nd") and
the numbers of a list ("1. ") say nothing about the market and are passed over.
"""

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from math import isfinite

from spy32.analysts.rendered_prompt import PromptField, RenderedPrompt
from spy32.domain.proposals import NumberCheck
from spy32.domain.value import value

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_PATTERN = (
    r"(?:(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)|May|MAY)\.?"
)
_UNIT_PATTERN = r"""
    (?P<share>\s?(?:%|percent\b|percentage\spoints?\b|pct\b|pp\b)|(?:st|nd|rd|th)\s+percentile)
  | (?P<bps>\s?(?:bps?|basis\spoints?)\b)
  | (?P<times>\s?[x×](?![A-Za-z0-9])|\stimes\b)
  | (?P<days>[\s-]?(?:(?:calendar|trading)\s)?(?:days?|sessions?|DTE)\b|d\b)
  | (?P<weeks>[\s-]?weeks?\b)
  | (?P<points>[\s-]?(?:points?|pts?)\b)
  | (?P<cents>\s?(?:cents?\b|¢))
  | (?P<delta>[\s-]?(?:delta\b|[Δδ]))
  | (?P<dollars>\s?(?:dollars?|USD)\b)
  | (?P<count>\s?(?:contracts?|shares?|lots?)\b)
  | (?P<thousand>k\b|\sthousand\b)
  | (?P<million>m\b|\smillion\b)
  | (?P<billion>bn?\b|\sbillion\b)
  | (?P<power>e[-+]?[0-9]+)
"""
TOKEN_PATTERN = re.compile(
    rf"""
    (?P<occ_day>[0-9]{{6}})[CP](?P<occ_strike>[0-9]{{8}})
  | (?P<iso>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})
    (?:[T\ ](?P<iso_time>[0-9]{{2}}:[0-9]{{2}})(?::[0-9]{{2}}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?
  | \b(?P<month>{_MONTH_PATTERN})\s+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?\b(?:\s?[-–]\s?(?P<last>[0-9]{{1,2}})\b)?
    (?:,?\s+(?P<year>20[0-9]{{2}})\b(?!-[0-9]))?
  | \b(?P<first>[0-9]{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<of>{_MONTH_PATTERN})(?![a-z])
    (?:,?\s+(?P<of_year>20[0-9]{{2}})\b)?
  | \b(?P<whole>{_MONTH_PATTERN})\s+(?P<whole_year>20[0-9]{{2}})\b
  | (?P<clock>[0-9]{{1,2}}:[0-9]{{2}})(?::[0-9]{{2}})?(?:\s?(?P<half>[apAP])\.?[mM]\b)?
  | \b(?P<hour>[0-9]{{1,2}})\s?(?P<hour_half>[apAP])\.?[mM]\b
  | (?P<item>(?:^|(?<=\n))\s*\(?[0-9]{{1,2}}[.)]\s)
  | (?P<lead>\$\s?)?(?P<digits>[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|(?<!\w)\.[0-9]+)
    (?:(?i:{_UNIT_PATTERN})|(?P<ordinal>(?:st|nd|rd|th)\b))?
    """,
    re.VERBOSE,
)
# Their digits are part of the name.
NUMBERED_NAMES = re.compile(r"(?i:\bS&P\s?500|\bNasdaq[\s-]?100|\bRussell\s?[12]000|\bDow\s?30|\bVIX[0-9]{1,2}[DMY])\b")
RANGE_PATTERN = re.compile(r"\s?(?:-|–|—|to|through)\s?")
CONVERSIONS = {
    "thousand": (1e3, ""), "million": (1e6, ""), "billion": (1e9, ""), "weeks": (7, "days"), "cents": (0.01, "dollars"),
}  # fmt: skip
"""How a written unit becomes one that is compared: factor and unit."""
MAX_SHOWN_TEXT = 40
"""Characters of a number that are shown."""


@value
class ParsedNumber:
    """`value` in the unit; `half` is half a unit of its last digit."""

    text: str
    value: float
    half: float
    unit: str = ""
    """`share` (percent), `bps`, `times`, `days`, `points`, `delta`, `dollars`, `count`, `power`, or nothing."""

    @property
    def is_whole(self) -> bool:
        return self.half == 0.5

    @property
    def is_count(self) -> bool:
        """Whether it only counts things, such as the reasons."""
        return self.unit in ("", "count") and self.is_whole and self.value <= MAX_COUNTING_NUMBER


@value
class ParsedDate:
    """A date; a part that is not written is None."""

    text: str
    year: int | None
    month: int
    day: int | None


@value
class ParsedTime:
    text: str
    time: str
    """HH:MM, of 24 hours when it says which half of the day."""


ParsedToken = ParsedNumber | ParsedDate | ParsedTime


def parse_tokens(text: str) -> tuple[ParsedToken, ...]:
    """Everything that is written in digits, in order."""
    plain = NUMBERED_NAMES.sub(" ", text if text.isascii() else _normalise_digits(text))
    found: list[tuple[ParsedToken, int, int]] = []
    for token in TOKEN_PATTERN.finditer(plain):
        found += [(item, token.start(), token.end()) for item in _parse_token(token)]
    return tuple(_share_units(found, plain))


def _normalise_digits(text: str) -> str:
    """Replaces full-width forms, and the digits of every script, by ASCII."""
    marks = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in marks)


def _parse_token(token: re.Match[str]) -> Iterator[ParsedToken]:
    text = " ".join(token.group().split())[:MAX_SHOWN_TEXT]
    if token["occ_day"]:
        year, month, day = (int(token["occ_day"][place : place + 2]) for place in (0, 2, 4))
        yield ParsedDate(text=text, year=2000 + year, month=month, day=day)
        yield ParsedNumber(text=text, value=int(token["occ_strike"]) / 1000, half=0.0005)
    elif token["iso"]:
        year, month, day = map(int, token["iso"].split("-"))
        yield ParsedDate(text=text, year=year, month=month, day=day)
        if token["iso_time"]:
            yield ParsedTime(text=text, time=token["iso_time"])
    elif month_name := token["month"] or token["of"] or token["whole"]:
        year_text = token["year"] or token["of_year"] or token["whole_year"]
        day_texts = [day_text for day_text in (token["day"], token["last"], token["first"]) if day_text]
        for day_text in day_texts or [""]:
            yield ParsedDate(
                text=text,
                year=int(year_text) if year_text else None,
                month=MONTHS.index(month_name[:3].lower()) + 1,
                day=int(day_text) if day_text else None,
            )
    elif clock := token["clock"] or token["hour"]:
        yield ParsedTime(text=text, time=_format_time(clock, token["half"] or token["hour_half"]))
    elif not token["item"] and not token["ordinal"]:
        yield _parse_number(token, text)


def _format_time(written: str, half: str | None) -> str:
    hour, _, minute = written.partition(":")
    number = int(hour) % 12 + (12 if half in ("p", "P") else 0) if half else int(hour)
    return f"{number:02d}:{minute or '00'}"


def _parse_number(token: re.Match[str], text: str) -> ParsedNumber:
    digits = token["digits"].replace(",", "")
    _, _, decimals = digits.partition(".")
    value, half = float(digits), 0.5 * 10.0 ** -len(decimals)
    named = token.lastgroup if token.lastgroup not in (None, "digits") else ""
    factor, unit = CONVERSIONS.get(named, (1, named))
    if token["lead"] and unit == "":
        unit = "dollars"
    return ParsedNumber(text=text, value=value * factor, half=half * factor, unit=unit)


def _share_units(found: list[tuple[ParsedToken, int, int]], text: str) -> Iterator[ParsedToken]:
    """The numbers, where "20-25 %" and "$1.10 to 1.20" write the unit of both once."""
    shared = [item for item, _, _ in found]
    for place in range(len(found) - 1):
        before, after = shared[place], shared[place + 1]
        between = text[found[place][2] : found[place + 1][1]]
        if not (
            isinstance(before, ParsedNumber) and isinstance(after, ParsedNumber) and RANGE_PATTERN.fullmatch(between)
        ):
            continue
        if before.unit == "":
            shared[place] = replace(before, unit=after.unit)
        elif after.unit == "" and before.unit == "dollars":
            shared[place + 1] = replace(after, unit=before.unit)
    yield from shared


# What was sent.

MAX_COUNTING_NUMBER = 12
EXCHANGE_TIMES = frozenset({"09:30", "13:00", "16:00", "16:15"})
"""The exchange's own: open, early close, close, and the close of options on funds."""
IDENTIFYING_COLUMNS = ("type", "short", "long", "width", "short_delta")
NAME_PATTERN = re.compile(r"[A-Za-z](?:[\w.^-]*[\w^])?")

MONEY, CONTRACT, SHARE, DAYS, COUNT, PLAIN, ANY = "money", "contract", "share", "days", "count", "plain", "any"
"""Dollars or points a share; dollars a contract; a fraction; calendar days; a number of things; a ratio or an index; a
number in a text, whose kind is not known."""

UNIT_KINDS = (
    (frozenset({"fraction", "percent", "decimal", "probability"}), SHARE),
    (frozenset({"usd", "dollars", "dollar", "points"}), MONEY),
    (frozenset({"days", "day", "dte", "sessions"}), DAYS),
    (frozenset({"contracts", "shares", "lots", "count"}), COUNT),
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


def check_numbers(
    words: Sequence[str],
    rendered: RenderedPrompt,
    *,
    chosen: str | None = None,
    cited: Sequence[str] = (),
    stated: float | None = None,
) -> NumberCheck:
    """How many numbers of the words are borne out by a prompt, and which are not, as written and in order.

    `chosen`, `cited` and `stated` are the candidate, the paths and the probability that the answer gives.
    """
    named = {path.split(".")[1] for path in cited if path.startswith("menu.")} | {chosen}
    meant = {name for name in rendered.ids if name in named or any(name in text for text in words)}
    sent = _SentNumbers(rendered, meant, stated)
    judged = [
        (token, sent.has(token))
        for text in words
        for token in parse_tokens(_remove_names(text, rendered))
        if not (isinstance(token, ParsedNumber) and token.is_count)
    ]
    unmatched = tuple(token.text for token, is_sent in judged if not is_sent)
    return NumberCheck(matched=len(judged) - len(unmatched), unmatched=unmatched)


def _remove_names(text: str, rendered: RenderedPrompt) -> str:
    """The text without ids of the menu, paths, and the last parts of paths such as `sma_50`: their digits are names."""
    ends = {path.rsplit(".", 1)[-1] for path in rendered.fields if path.startswith("market.")}
    names = {*rendered.fields, *rendered.ids, *ends}
    return NAME_PATTERN.sub(lambda found: " " if found.group() in names else found.group(), text)


def _possible_readings(number: ParsedNumber) -> Iterator[tuple[ParsedNumber, ...]]:
    """The number, and where commas stand in it the numbers between them: "640,635" may be two strikes."""
    if not isfinite(number.value) or number.unit == "power":
        return
    yield (number,)
    if "," in number.text and number.unit == "":
        parts = parse_tokens(number.text.replace(",", ", "))
        yield tuple(part for part in parts if isinstance(part, ParsedNumber))


class _SentNumbers:
    """All numbers, dates and times in a prompt, with the figures of the candidates that are `meant`."""

    def __init__(self, rendered: RenderedPrompt, meant: set[str], stated: float | None) -> None:
        fields = [field for path, field in rendered.fields.items() if _is_relevant(path, meant)]
        # The figures of another spread are no figures of the one that is spoken of.
        others = set(rendered.ids) - meant
        lines = (line for line in rendered.user.splitlines() if not others & set(line.replace("|", " ").split()[:1]))
        texts = (text for field in fields for text in (field.text, field.note))
        printed = parse_tokens(" ; ".join((rendered.system, *lines, rendered.as_of, *texts)))
        self._digits = {_printed_digits(token) for token in printed if isinstance(token, ParsedNumber)}
        # `bars.2025-10-03` and `events.fomc.2025-10-29` have their day in the path.
        days = (*printed, *parse_tokens(" ; ".join(rendered.fields)))
        self._days = [token for token in days if isinstance(token, ParsedDate)]
        self._times = EXCHANGE_TIMES | {token.time for token in printed if isinstance(token, ParsedTime)}
        self._sizes = defaultdict[str, list[float]](list)
        """Sizes by the unit in which they may be written, ascending."""
        figures = (path for path in rendered.fields if path.startswith("market."))
        periods = (float(size) for path in figures for size in re.findall(r"[0-9]{1,3}", path))
        for kind, size in (
            *(found for field in fields for found in _field_values(field)),
            *((DAYS, size) for size in (*periods, *self._days_ahead(rendered.as_of))),
            *(((SHARE, stated), (SHARE, 1 - stated)) if stated is not None else ()),
        ):
            for unit, factor in WRITTEN_FORMS[kind]:
                self._sizes[unit].append(size * factor)
        for row in self._sizes.values():
            row.sort()

    def has(self, token: ParsedToken) -> bool:
        """Whether it was sent: the time, the date as far as it is written, or the number in one of its readings."""
        if isinstance(token, ParsedNumber):
            return any(all(map(self._has_number, parts)) for parts in _possible_readings(token))
        if isinstance(token, ParsedTime):
            return token.time in self._times
        return any(
            day.month == token.month
            and token.day in (None, day.day)
            and (token.year == day.year or None in (token.year, day.year))
            for day in self._days
        )

    def _has_number(self, number: ParsedNumber) -> bool:
        """Whether its digits stand in the prompt, with the same unit, or it could be a value by its own rounding.

        A bare year stands in dates.
        """
        if number.unit == "" and number.is_whole and any(number.value == day.year for day in self._days):
            return True
        row = self._sizes[number.unit]
        # A float of a decimal is off by some 1e-16 of itself.
        reach = number.half + 1e-9 * max(1.0, number.value)
        place = bisect_left(row, number.value - reach)
        is_near = place < len(row) and row[place] <= number.value + reach
        return is_near or _printed_digits(number) in self._digits

    def _days_ahead(self, as_of: str) -> Iterator[float]:
        """Days from the time of the data to each later date that was sent."""
        for reference in _full_dates(parse_tokens(as_of)):
            yield from ((day - reference).days for day in _full_dates(self._days) if day >= reference)


def _is_relevant(path: str, meant: set[str]) -> bool:
    group, name, column = (*path.split(".", 2), "", "")[:3]
    return group != "menu" or name in meant or column in IDENTIFYING_COLUMNS


def _printed_digits(number: ParsedNumber) -> tuple[str, bool]:
    """The digits without trailing zeros, and whether they are a percentage."""
    digits = re.sub(r"[^0-9.]", "", number.text)
    return digits.rstrip("0").rstrip(".") if "." in digits else digits, number.unit == "share"


def _full_dates(tokens: Iterable[ParsedToken]) -> Iterator[date]:
    for token in tokens:
        if isinstance(token, ParsedDate) and token.year is not None and token.day is not None:
            with suppress(ValueError):
                yield date(token.year, token.month, token.day)


def _field_values(field: PromptField) -> Iterator[tuple[str, float]]:
    """Kind and size of the value of a field and of the numbers that its text shows, which may be rounded."""
    kind = _unit_kind(field.unit) or (ANY if field.value is None else PLAIN)
    sizes = [item.value for item in parse_tokens(field.text) if isinstance(item, ParsedNumber)]
    sizes += [abs(field.value)] if field.value is not None else []
    for size in filter(isfinite, sizes):
        fraction = size / 100 if "percent" in field.unit.lower() else size
        yield kind, fraction if kind == SHARE else size
        if (kind == PLAIN or "probability" in field.unit) and 0 < fraction < 1:
            yield SHARE, 1 - fraction


def _unit_kind(unit: str) -> str | None:
    words = set(re.findall(r"[a-z]+", unit.lower()))
    kind = next((kind for names, kind in UNIT_KINDS if words & names), None)
    return CONTRACT if kind == MONEY and "contract" in words else kind
