"""What a document of Yahoo must have, checked before yfinance reads it, so that what is wrong has a name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from spy32.errors import Unusable

DOCUMENT = re.compile(r"/(?:v7/finance/(options)|v8/finance/(chart)|v10/finance/(quoteSummary))/([^/]+)")


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document that yfinance asks for."""

    kind: str
    symbol: str
    path: str
    query: dict[str, str]

    @property
    def name(self) -> str:
        said = (self.query.get("date"), self.query.get("range"), self.query.get("period1"))
        return "_".join([self.kind, self.symbol.replace("^", ""), *(word for word in said if word)]) + ".json"


def document_of(path: str, query: str, params: Any) -> Document | None:
    """What a request asks for; None for cookies, crumbs and anything else."""
    found = DOCUMENT.fullmatch(unquote(path))
    if found is None:
        return None
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    asked |= {name: str(value) for name, value in (params or {}).items() if name != "crumb"}
    kind = next(word for word in found.groups()[:3] if word)
    return Document(kind=kind, symbol=found[4], path=unquote(path), query=asked)


def _field(document: Any, path: str, form: type | tuple[type, ...]) -> Any:
    """What stands at `path` ("chart.result.0.meta"); `Unusable` names the first part that is not there."""
    here, found = [], document
    for part in path.split("."):
        here.append(part)
        place: Any = int(part) if part.isdigit() else part
        try:
            found = found[place]
        except (LookupError, TypeError):
            raise Unusable(f"yahoo: the document has no {'.'.join(here)}") from None
    if not isinstance(found, form) or isinstance(found, bool):
        raise Unusable(f"yahoo: {path} is {type(found).__name__}, not {_words(form)}")
    return found


def _numbers(document: Any, path: str, *, gaps: bool) -> list[float | None]:
    found: list[float | None] = _field(document, path, list)
    for one in found:
        if one is None and gaps:
            continue
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise Unusable(f"yahoo: {path} holds {str(one)[:20]!r}, not a number")
    return found


def _same(document: Any, path: str, wanted: str) -> None:
    found = _field(document, path, str)
    if found.upper() != wanted.upper():
        raise Unusable(f"yahoo answered for {found[:12]!r}; asked for {wanted}")


def _check_options(document: Any, asked: Document) -> None:
    if not _field(document, "optionChain.result", list):
        return  # no options, or not at this moment: the market says so
    first = document["optionChain"]["result"][0]
    _same(first, "quote.symbol", asked.symbol)
    _field(first, "quote.quoteType", str)
    _numbers(first, "expirationDates", gaps=False)
    _field(first, "options", list)
    if "date" not in asked.query or not first["options"]:
        return
    _field(first, "quote.regularMarketPrice", (int, float))
    _field(first, "quote.regularMarketTime", int)
    if _field(first, "options.0.expirationDate", int) != int(asked.query["date"]):
        raise Unusable(f"yahoo answered for another expiration of {asked.symbol} than it was asked for")
    for side in ("calls", "puts"):
        for row in _field(first, f"options.0.{side}", list):
            _check_row(row)


def _check_row(row: Any) -> None:
    """The stamp of a row, because pandas would read some texts as an instant."""
    if not isinstance(row, dict):
        raise Unusable(f"yahoo: a contract is {type(row).__name__}, not dict")
    if not isinstance(row.get("lastTradeDate", 0), int):
        raise Unusable(f"yahoo: 'lastTradeDate' holds {str(row['lastTradeDate'])[:20]!r}, not a number")


def _check_chart(document: Any, asked: Document) -> None:
    if not _field(document, "chart.result", list):
        raise Unusable(f"yahoo has no prices of {asked.symbol}")
    first = document["chart"]["result"][0]
    _same(first, "meta.symbol", asked.symbol)
    for name in ("exchangeTimezoneName", "instrumentType"):
        _field(first, f"meta.{name}", str)
    stamps = _numbers(first, "timestamp", gaps=False)
    columns = [f"indicators.quote.0.{name}" for name in ("open", "high", "low", "close", "volume")]
    if "adjclose" in first["indicators"]:
        columns.append("indicators.adjclose.0.adjclose")
    for path in columns:
        if len(_numbers(first, path, gaps=True)) != len(stamps):
            raise Unusable(f"yahoo: {path} has another length than timestamp")


def _check_calendar(document: Any, asked: Document) -> None:
    events = _field(document, "quoteSummary.result.0.calendarEvents", dict)
    if "earnings" in events:
        _numbers(events, "earnings.earningsDate", gaps=False)


def _words(form: type | tuple[type, ...]) -> str:
    return " or ".join(one.__name__ for one in (form if isinstance(form, tuple) else (form,)))


CHECKS: dict[str, Callable[[Any, Document], None]] = {
    "options": _check_options,
    "chart": _check_chart,
    "quoteSummary": _check_calendar,
}
