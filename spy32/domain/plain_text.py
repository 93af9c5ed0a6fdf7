"""Sanitises foreign text: one line, limited length, visible characters only.

Source names, calendar notes and error texts come from outside and may contain anything. After sanitising they cannot
move the cursor, reverse the reading direction, hide text, or imitate a line of our own output.
"""

import re
import unicodedata

MOST = 200
"""Maximum length in characters: long enough for an error message, short enough for two lines of a terminal."""
CUT = "..."
ELSEWHERE = "(left out)"

# URLs, e-mail addresses and absolute paths. They may contain keys or names and do not help the reader.
ADDRESSES = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://\S*|\S+@\S+|(?<!\w)(?:~|[A-Za-z]:)?[/\\][^\s/\\]\S*")


def visible(text: str) -> str:
    """Return `text` on one line, NFKC-normalised, without control, format, private and unassigned characters."""
    # split() treats line and paragraph separators and every other Unicode blank as a space.
    one_line = " ".join(unicodedata.normalize("NFKC", text).split())
    return "".join(letter for letter in one_line if not unicodedata.category(letter).startswith("C"))


def without_addresses(text: str) -> str:
    """Return `text` with URLs, e-mail addresses and file paths replaced by `ELSEWHERE`."""
    return ADDRESSES.sub(ELSEWHERE, text)


def truncate(text: str, most: int = MOST) -> str:
    """Return at most `most` characters; a cut text ends with "..."."""
    return text if len(text) <= most else text[: most - len(CUT)] + CUT


def plain(text: str, most: int = MOST) -> str:
    """Return foreign text that is safe to print inside a line of our own, at most `most` characters."""
    # Only the first part is normalised: NFKC can make a text 18 times longer, and the rest is cut anyway.
    return truncate(without_addresses(visible(text[: 8 * most])).strip(), most)
