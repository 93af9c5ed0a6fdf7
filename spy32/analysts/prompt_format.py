"""How values are written in a prompt: digits by unit, ages, quoted foreign text, and an estimate of tokens."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from spy32.domain.sanitize import plain_note

NULL = "null"
DIVIDER = " | "
DECIMALS: Mapping[str, int] = {
    "dollars": 2, "percent": 2, "points": 2, "percent points": 2, "ratio": 3, "fraction": 4,
}  # fmt: skip
MAX_NUMBER = 1e12
"""Largest magnitude of any figure of this trade; a larger number is shown as missing."""
MAX_UNIT_LENGTH = 24
MAX_TICKER_LENGTH = 12

PREAMBLE_TOKENS = 200
"""Tokens that the service itself puts before every prompt; 15 tokens of a question were billed as some 200."""
TOKEN_PIECES = re.compile(r"[A-Za-z]+|\d{1,3}|[^\sA-Za-z\d]|\n| (?=\d)")
LETTERS_PER_TOKEN = 5
"""Letters a token holds at the least, on average, in English and in our paths."""


def format_number(value: float, decimals: int) -> str | None:
    """Digits without exponent and without a signed zero; None for what is no figure."""
    if not math.isfinite(value) or abs(value) >= MAX_NUMBER:
        return None
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.") else text


def format_amount(value: Decimal, decimals: int = 2) -> str:
    """An exact amount, rounded half to even."""
    return format(value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN) + 0, "f")


def format_exact(value: Decimal) -> str:
    """All its digits without trailing zeros: `640`, `647.5`."""
    return format(value.normalize(), "f")


def quote_text(text: str) -> str:
    """Foreign text in double quotes, which it cannot end, and without our divider."""
    return f'"{_escape(plain_note(text))}"'


def format_unit(text: str) -> str:
    return _escape(plain_note(text, MAX_UNIT_LENGTH))


def _escape(text: str) -> str:
    return text.replace('"', "'").replace("|", "/")


def format_strategy(strategy: str) -> str:
    """`put` and `call` for credit spreads, `iron condor`, `put debit`, `call debit`."""
    return strategy.replace("_credit", "").replace("_", " ").removesuffix(" spread")


def format_ticker(text: str) -> str:
    """A ticker cut to a few letters, so that foreign text cannot grow a line."""
    return re.sub(r"[^A-Z0-9.^-]", "", text.upper())[:MAX_TICKER_LENGTH] or "UNKNOWN"


def format_age(measured_at: datetime | None, now: datetime) -> str:
    """How old a figure is at the instant of deciding, in one unit; what is slightly ahead counts as new."""
    if measured_at is None:
        return "age unknown"
    minutes = max(0, int((now - measured_at).total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def estimate_tokens(text: str) -> int:
    """What a service may count at the most, about: words in fives, digits in threes, each sign, each line end, and each
    blank before a digit one.

    The service's tokeniser is not public. Two common ones, cl100k and o200k, need a twentieth to a third less for the
    parts of our prompts.
    """
    pieces = TOKEN_PIECES.findall(text)
    return sum(math.ceil(len(piece) / LETTERS_PER_TOKEN) if piece.isalpha() else 1 for piece in pieces)
