"""A model's words made safe to store and to show: nothing in them moves a cursor, hides or turns the reading.

Markup is left as it is, since a screen shows these words as plain text; what a terminal would act on is not.
"""

import re
import unicodedata

LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
EXCERPT_LENGTH = 60
"""Characters of a foreign text that a message of ours may hold."""


def clean(text: str, cap: int) -> str:
    """At most `cap` characters without controls (newline stays), direction marks, zero-width characters and surrogates.

    Those are the Unicode categories that begin with C: control, format, surrogate, private use and unassigned.
    """
    plain = LINE_ENDS.sub("\n", text).replace("\t", " ")
    kept = "".join(mark for mark in plain if mark == "\n" or unicodedata.category(mark)[0] != "C").strip()
    return kept if len(kept) <= cap else kept[: cap - 1] + "…"


def excerpt(text: str, cap: int = EXCERPT_LENGTH) -> str:
    """The beginning of a foreign text on one line, so that it cannot pass for a line of ours."""
    # What is cut away may be megabytes, and a character may vanish: look at a few times the cap only.
    return clean(" ".join(text[: 4 * cap].split()), cap)
