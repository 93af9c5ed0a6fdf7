"""What an HTML page says, as its reader sees it."""

import re
from html.parser import HTMLParser

VOID = {"meta", "line", "polyline", "polygon", "circle", "rect"}


class PageReader(HTMLParser):
    """Collects the texts of a page by kind: the scales of pictures are apart from what is stated."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        """Tag, name, value of each."""
        self.stated: list[str] = []
        self.scales: list[str] = []
        self.style = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID or tag == "circle":
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "style":
            self.style += data
        elif tag == "text" and "class" not in attributes:
            self.scales.append(data)
        else:
            self.stated.append(data)


def numbers(text: str) -> list[str]:
    """Every number as it is written, with its sign."""
    return re.findall(r"-?\$?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?", text)
