"""`status --watch`: the status on a screen of its own, read again every two seconds; single keys act."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from spy32.commands.common import App
from spy32.commands.screen import KeyScreen, build_input, screen_of
from spy32.commands.show import latest_run_page
from spy32.commands.switches import hold_runs, lift_switches
from spy32.commands.terminal_input import InputClosed, WindowResized
from spy32.errors import BadUsage, Spy32Error
from spy32.render.page import Page
from spy32.render.status import dashboard_pages, failure_page

if TYPE_CHECKING:
    from spy32.ops.status import Status

REFRESH_SECONDS = 2.0
"""Chosen: soon enough to follow the steps of a run, and a read takes a few milliseconds."""


def watch_status(app: App, read: "Callable[[], Status]") -> None:
    """Show what `read` gives until the person leaves. `BadUsage` where no screen can be drawn or no key be pressed."""
    first = read()  # settings that are wrong and a damaged store end the command before there is a screen
    with build_input(app.out) as terminal:
        screen = screen_of(app.out, terminal)
        if not isinstance(screen, KeyScreen):
            raise BadUsage("--watch needs a terminal that can place text; `spy32 status` prints the same once")
        StatusWatch(app, screen, read, first).run()


class StatusWatch:
    """Draws the status, or the latest run, and acts on keys."""

    def __init__(self, app: App, screen: KeyScreen, read: "Callable[[], Status]", status: "Status") -> None:
        self._app, self._screen, self._read = app, screen, read
        self._status: Status | None = status
        self._failure = ""
        """Why the database cannot be read now."""
        self._run_page: Page | None = None
        """The latest run while it is shown in place of the status."""
        self._message = ""

    def run(self) -> None:
        """Draw and act until the person leaves."""
        self._draw()
        while True:
            try:
                key = self._screen.answer_within(REFRESH_SECONDS)
                if key is None:
                    self._refresh()
                elif key in ("q", "esc") and self._run_page is None:
                    return
                else:
                    self._act(key)
                    self._draw()
            except WindowResized:
                self._screen.update(self._pages, self._choices(), self._message)
            except InputClosed:
                return

    def _refresh(self) -> None:
        try:
            self._status, self._failure = self._read(), ""
        except Spy32Error as error:
            self._status, self._failure = None, error.message
        self._screen.update(self._pages, self._choices(), self._message)

    def _draw(self) -> None:
        self._screen.draw(self._pages, self._choices(), self._message, scrolls=True)

    def _pages(self) -> Iterator[Page]:
        if self._run_page is not None:
            return iter((self._run_page,))
        return iter((failure_page(self._failure),)) if self._status is None else dashboard_pages(self._status)

    def _choices(self) -> Mapping[str, str]:
        if self._run_page is not None:
            return {"s": "", "q": "", "esc": "[Esc] back"}
        status = self._status
        is_held = status is not None and (status.paused is not None or status.context.halted is not None)
        switch = {"r": "[r]esume"} if is_held else {"p": "[p]ause"}
        return {**switch, "s": "[s]how", "q": "[q]uit"}

    def _act(self, key: str) -> None:
        self._message = ""
        if self._run_page is not None:
            self._run_page = None if key in self._choices() else self._run_page
            return
        if key not in self._choices():
            return
        try:
            if key == "p":
                self._message = hold_runs(self._app, f"by {self._app.user} in the watch")
            elif key == "r":
                is_wanted = self._screen.confirm("lift the pause and the halt?")
                self._message = lift_switches(self._app) if is_wanted else "nothing was lifted"
            elif key == "s":
                self._run_page = latest_run_page(self._app, self._app.open_for_reading(lapses=False))
            self._status = self._read()
        except Spy32Error as error:
            self._message = error.message
        finally:
            self._app.close()
