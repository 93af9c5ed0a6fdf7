"""The numbers, dates and times in a text, each as it is written, with its unit and the precision of its digits.

Signs are left out: words carry them ("fell 3 %"), so only magnitudes are compared. Spelled-out numbers, ordinals
("2nd") and the numbers of a list ("1. ") say nothing about the market and are passed over.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

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
