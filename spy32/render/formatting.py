"""Numbers, instants and foreign text as people read them. Digits are the JSON document's digits, never shortened."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from spy32.domain.sanitize import one_line, strip_controls
from spy32.domain.spreads import CENT, Candidate, Leg
from spy32.sessions import NEW_YORK

T = TypeVar("T")
UNKNOWN = "n/a"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

clean, single_line = strip_controls, one_line
"""Foreign text without control and direction characters: with its line ends, and on one line."""


def join_lines(text: str) -> str:
    """Foreign text on one line; the blanks inside an option symbol stay."""
    return clean(text).replace("\n", " ")


ASCII_SYMBOLS: Mapping[str, str] = {
    "−": "-", "–": "-", "—": "-", "…": "...", "±": "+/-", "×": "x", "→": "->", "≤": "<=", "≥": ">=",
    "σ": " sigma", "·": "-", "▶": ">", "✓": "ok", "✗": "x", "“": '"', "”": '"', "’": "'",
}  # fmt: skip


def ascii_only(text: str) -> str:
    """Our symbols in ASCII, anything else that is not ASCII as `?`: for terminals that know no better."""
    for fancy, plain in ASCII_SYMBOLS.items():
        text = text.replace(fancy, plain)
    return text.encode("ascii", "replace").decode("ascii")


def shorten(text: str, most: int, *, rest: str, after: str = "") -> str:
    """Foreign text in so many characters, with what comes `after` it; a cut is marked, with what has the `rest`."""
    line = single_line(text)
    if len(line) + len(after) <= most:
        return f"{line}{after}"
    more = f" ... ({rest}){after}"
    return f"{line[: most - len(more)].rpartition(' ')[0]}{more}"


def humanise(word: str) -> str:
    """`put_credit_spread` as `put credit spread`."""
    return single_line(word.replace("_", " "))


def format_known(form: Callable[[T], str], found: T | None, missing: str = "") -> str:
    """What is there in its form, else the word for what is missing."""
    return missing if found is None else form(found)


# Numbers.


def _exact(amount: Decimal | float) -> Decimal:
    return amount if isinstance(amount, Decimal) else Decimal(str(amount))


def format_price(amount: Decimal | float) -> str:
    """Dollars per share: two decimals at least, four at most (an average of fills may have more)."""
    exact = _exact(amount).quantize(Decimal("0.0001")).normalize() + 0
    return format(exact.quantize(CENT) if exact == exact.quantize(CENT) else exact, "f")


def format_cents(amount: Decimal) -> str:
    """Dollars to the cent, digits only, as documents carry them."""
    return format(amount.quantize(CENT) + 0, "f")  # + 0 takes the sign off a zero


def format_strike(amount: Decimal) -> str:
    """`640`, `647.5`: no zeros that say nothing."""
    return format(amount.normalize(), "f")


def format_dollars(amount: Decimal) -> str:
    """`$1,386.26` or `-$386.26`."""
    text = format(amount.quantize(CENT) + 0, ",.2f")  # + 0 takes the sign off a zero
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def format_gain(amount: Decimal | float) -> str:
    """Dollars with their sign: `+$9.30`, `-$4.10`."""
    text = format_dollars(_exact(amount))
    return text if text.startswith("-") else f"+{text}"


def format_whole(amount: Decimal | float) -> str:
    """Whole dollars with their sign: `+$9`, `-$4`, `$0`. Of an estimate, whose cents say nothing."""
    rounded = round(amount)
    sign = "-" if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}${abs(rounded):,}"


def format_signed_price(amount: Decimal) -> str:
    """`0.575` of a credit, `0.53 db` of a debit, dollars per share."""
    return format_price(amount) if amount >= 0 else format_credit(amount)


def format_credit(amount: Decimal) -> str:
    """`0.58 cr` or `0.30 db`, dollars per share."""
    return f"{format_price(abs(amount))} {'db' if amount < 0 else 'cr'}"


def format_debit(debit: Decimal) -> str:
    """`0.28`, a debit per share; `1.86 cr` where closing receives a credit."""
    return format_price(debit) if debit >= 0 else format_credit(-debit)


def ticks_as_usd(ticks: int) -> str:
    """Dollars of xAI's own unit, of which 10^10 make one (docs.x.ai, usage.cost_in_usd_ticks); exact."""
    return format(Decimal(ticks).scaleb(-10), "f")


def ticks_as_dollars(ticks: int) -> str:
    """`$0.02`, to the nearest cent."""
    amount = Decimal(ticks).scaleb(-10)
    return "less than $0.01" if 0 < amount < CENT else format_dollars(amount.quantize(CENT, ROUND_HALF_UP))


def format_ticks(ticks: int) -> str:
    """`$0.02 (241500000 ticks)`: to the nearest cent for people, exact behind it."""
    return f"{ticks_as_dollars(ticks)} ({ticks} ticks)"


def format_legs(legs: Iterable[Leg]) -> str:
    """`640/635`, in the order of the legs: the short one first, of a debit spread the long one."""
    return "/".join(format_strike(leg.strike) for leg in legs)


def mask_account(account: str) -> str:
    """The ending of an account number, the only form that leaves the store."""
    return "…" + account[-4:]


def format_percent(fraction: float) -> str:
    return f"{round(fraction * 100, 1) + 0:.1f}%"  # + 0 takes the sign off a zero


def format_chance(fraction: float) -> str:
    """Whole per cent of a probability; one that is neither none nor sure is never shown as 0% or 100%."""
    if 0.0 < fraction < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= fraction < 1.0 else f"{fraction:.0%}"


def signed_delta(entry: Candidate) -> str:
    """Delta of the short option as an option chain shows it: `-0.20` of a put, `+0.20` of a call, and both."""
    return "/".join(f"{view.delta:+.2f}" for view in (entry.short, *entry.calls[:1]))


def calendar_day(day: date) -> str:
    """`30 Sep`."""
    return f"{day.day} {day:%b}"


def format_count(number: int, noun: str) -> str:
    """`1 contract`, `2 contracts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# Time.


def format_both_zones(instant: datetime, here: tzinfo | None = None) -> str:
    """`Mon 2025-10-06 10:00 New York (16:00 here)`; the machine's own zone unless `here` is given."""
    new_york_time, local, text = instant.astimezone(NEW_YORK), instant.astimezone(here), new_york_words(instant)
    if local.utcoffset() == new_york_time.utcoffset():
        return text
    day = "" if local.date() == new_york_time.date() else f"{DAYS[local.weekday()]} "
    return f"{text} ({day}{local:%H:%M} here)"


def new_york_words(instant: datetime) -> str:
    """`Fri 2025-08-29 16:15 New York`."""
    there = instant.astimezone(NEW_YORK)
    return f"{DAYS[there.weekday()]} {there:%Y-%m-%d %H:%M} New York"


def format_age(span: timedelta) -> str:
    """How long ago or how long still, in the two largest units that matter; never negative."""
    seconds = max(0, round(span.total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} days"


def format_milliseconds(ms: int) -> str:
    return f"{ms} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"
