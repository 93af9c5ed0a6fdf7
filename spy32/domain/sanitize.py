"""Foreign text made harmless: nothing in it moves a cursor, hides, turns the reading or passes for a line of ours.

A model, a feed, a broker and a calendar may say anything. Markup stays, since screens show these words as plain text.
"""

import re

# Compiled on use: a start that shows only our own words needs neither.
LINE_ENDS = "\r\n?|[\u0085\u2028\u2029]"
# Scheme and rest, mailbox, and an absolute path: none of them helps a reader, each may say too much.
ADDRESSES = r"\b[A-Za-z][A-Za-z0-9+.-]*://\S*|\S+@\S+|(?<!\w)(?:~|[A-Za-z]:)?[/\\][^\s/\\]\S*"
ELSEWHERE = "(left out)"
CUT = "…"
EXCERPT = 60
"""Characters of a foreign text that a message of ours may hold."""
MOST = 200
"""Characters of a foreign note or reason."""


def strip_controls(text: str) -> str:
    """`text` without controls, direction marks, zero-width characters and surrogates; a tab becomes a space.

    Those are the Unicode categories that begin with C: control, format, surrogate, private use and unassigned. Line
    ends stay.
    """
    if text.isprintable():
        return text
    import unicodedata

    lines = re.sub(LINE_ENDS, "\n", text).replace("\t", " ")
    return "".join(sign for sign in lines if sign == "\n" or unicodedata.category(sign)[0] != "C")


def one_line(text: str) -> str:
    """`text` as `strip_controls` has it, on one line; every run of blanks becomes one space."""
    return " ".join(strip_controls(" ".join(text.split())).split())


def cap_text(text: str, most: int, cut: str = CUT) -> str:
    """At most `most` characters; `cut` shows that there were more."""
    return text if len(text) <= most else text[: most - len(cut)] + cut


def excerpt(text: str, most: int = EXCERPT) -> str:
    """The beginning of a foreign text on one line."""
    # What is cut away may be megabytes, and a character may vanish: look at a few times the cap only.
    return cap_text(one_line(text[: 4 * most]), most)


def plain_note(text: str, most: int = MOST) -> str:
    """A foreign note for a prompt: one line in compatibility form without web addresses, mailboxes and file paths."""
    # Normalising can lengthen a text eighteenfold, so far more than is kept is not looked at.
    import unicodedata

    line = one_line(unicodedata.normalize("NFKC", text[: 8 * most]))
    return cap_text(re.sub(ADDRESSES, ELSEWHERE, line).strip(), most, "...")


def quote_value(found: object, most: int = 40) -> str:
    """A foreign value as a literal in ASCII, for an error message."""
    return ascii(found)[:most]
