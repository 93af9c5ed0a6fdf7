"""Foreign text made harmless: on one line, short, of visible characters only.

Names of sources, notes of calendars and reasons of failures come from outside. What they say may be anything, so
nothing in them may move a cursor, turn the reading direction, hide words, or pass for a line of ours.
"""

import re
import unicodedata

MOST = 200
"""Characters that are kept of one text."""
CUT = "..."
ELSEWHERE = "(left out)"

# Scheme and rest, mailbox, and an absolute path: none of them helps a reader, each may say too much.
ADDRESSES = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://\S*|\S+@\S+|(?<!\w)(?:~|[A-Za-z]:)?[/\\][^\s/\\]\S*")


def visible(text: str) -> str:
    """`text` on one line, in compatibility form, without control, format, private and unassigned characters."""
    # Line and paragraph separators are spaces here, and so is every other kind of blank.
    one_line = " ".join(unicodedata.normalize("NFKC", text).split())
    return "".join(letter for letter in one_line if not unicodedata.category(letter).startswith("C"))


def without_addresses(text: str) -> str:
    """Web addresses, mailboxes and file paths are replaced by words that say so."""
    return ADDRESSES.sub(ELSEWHERE, text)


def capped(text: str, most: int = MOST) -> str:
    """At most so many characters; a cut shows as dots."""
    return text if len(text) <= most else text[: most - len(CUT)] + CUT


def plain(text: str, most: int = MOST) -> str:
    """Foreign text as it may stand in a line of ours."""
    # Far more than is kept need not be looked at; normalising can lengthen a text eighteenfold.
    return capped(without_addresses(visible(text[: 8 * most])).strip(), most)
