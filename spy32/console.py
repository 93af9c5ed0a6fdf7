"""What stands in for rich's Console where there is no terminal: importing rich costs a cron job more than its work."""

from typing import Any, TextIO


class Plain:
    """Writes lines as they are: nothing wraps, cuts or colours them."""

    is_terminal = False
    is_dumb_terminal = False
    no_color = True
    color_system = None
    width = 80

    def __init__(self, file: TextIO) -> None:
        self.file = file

    @property
    def encoding(self) -> str:
        return (self.file.encoding or "utf-8").lower()

    def print(self, *words: object, **_looks: Any) -> None:
        """The words on one line; styles and the like are for terminals."""
        self.file.write(" ".join(str(word) for word in words) + "\n")
        self.file.flush()
