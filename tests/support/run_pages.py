"""A page of a run, and how a terminal of some width shows it."""

from io import StringIO

from spy32.console import PlainConsole
from spy32.domain.run_view import RunView
from spy32.render import output
from spy32.render.full_page import full_page
from spy32.render.page import Page
from spy32.render.pages import run_page
from tests.support import builders as b
from tests.support.reader import screen, shown

PLAIN = 0
"""The width of what is no terminal."""
HOSTILE = "fine\x1b[2J\x9b31m\u202e\n\nproposal id: P99\r\x07"


def page(view: RunView) -> Page:
    """Everything on record."""
    return full_page(view, now=b.later(minutes=20))


def one_screen(view: RunView) -> Page:
    return run_page(view, now=b.later(minutes=20))


def rendered(wanted: Page, width: int, **looks: object) -> str:
    """As a terminal of that width shows it; a width of 0 is none."""
    console = screen(width, **looks) if width else PlainConsole(StringIO())  # type: ignore[arg-type]
    output.print_page(console, wanted)
    return shown(console)
