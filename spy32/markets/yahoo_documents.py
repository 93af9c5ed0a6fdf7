"""What a document of Yahoo must have, checked before yfinance reads it, so that what is wrong has a name."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

from spy32.domain.value import value
from spy32.errors import Unusable

DOCUMENT_PATH = re.compile(r"/(?:v7/finance/(options)|v8/finance/(chart)|v10/finance/(quoteSummary))/([^/]+)")


@value
class YahooDocument:
    """One document that yfinance asks for."""

    kind: str
    symbol: str
    path: str
    query: dict[str, str]

    @property
    def name(self) -> str:
        parts = (self.query.get("date"), self.query.get("range"), self.query.get("period1"))
        return "_".join([self.kind, self.symbol.replace("^", ""), *(word for word in parts if word)]) + ".json"


def parse_request(path: str, query: str, params: Any) -> YahooDocument | None:
    """What a request asks for; None for cookies, crumbs and anything else."""
    found = DOCUMENT_PATH.fullmatch(unquote(path))
    if found is None:
        return None
    merged_query = {name: values[-1] for name, values in parse_qs(query).items()}
    merged_query |= {name: str(value) for name, value in (params or {}).items() if name != "crumb"}
    kind = next(word for word in found.groups()[:3] if word)
    return YahooDocument(kind=kind, symbol=found[4], path=unquote(path), query=merged_query)


def _require_field(document: Any, path: str, form: type | tuple[type, ...]) -> Any:
    """What stands at `path` ("chart.result.0.meta"); `Unusable` names the first part that is not there."""
    walked, found = [], document
    for part in path.split("."):
        walked.append(part)
        place: Any = int(part) if part.isdigit() else part
        try:
            found = found[place]
        except (LookupError, TypeError):
            raise Unusable(f"yahoo: the document has no {'.'.join(walked)}") from None
    if not isinstance(found, form) or isinstance(found, bool):
        raise Unusable(f"yahoo: {path} is {type(found).__name__}, not {_type_names(form)}")
    return found


def _require_numbers(document: Any, path: str, *, gaps: bool) -> list[float | None]:
    found: list[float | None] = _require_field(document, path, list)
    for item in found:
        if item is None and gaps:
            continue
        if isinstance(item, bool) or not isinstance(item, int | float):
            raise Unusable(f"yahoo: {path} holds {str(item)[:20]!r}, not a number")
    return found


def _require_symbol(document: Any, path: str, wanted: str) -> None:
    found = _require_field(document, path, str)
    if found.upper() != wanted.upper():
        raise Unusable(f"yahoo answered for {found[:12]!r}; asked for {wanted}")


def _check_options(document: Any, request: YahooDocument) -> None:
    if not _require_field(document, "optionChain.result", list):
        return  # no options, or not at this moment: the market says so
    first = document["optionChain"]["result"][0]
    _require_symbol(first, "quote.symbol", request.symbol)
    _require_field(first, "quote.quoteType", str)
    _require_numbers(first, "expirationDates", gaps=False)
    _require_field(first, "options", list)
    if "date" not in request.query or not first["options"]:
        return
    _require_field(first, "quote.regularMarketPrice", (int, float))
    _require_field(first, "quote.regularMarketTime", int)
    if _require_field(first, "options.0.expirationDate", int) != int(request.query["date"]):
        raise Unusable(f"yahoo answered for another expiration of {request.symbol} than it was asked for")
    for side in ("calls", "puts"):
        for row in _require_field(first, f"options.0.{side}", list):
            _check_row(row)


def _check_row(row: Any) -> None:
    """The stamp of a row, because pandas would read some texts as an instant."""
    if not isinstance(row, dict):
        raise Unusable(f"yahoo: a contract is {type(row).__name__}, not dict")
    if not isinstance(row.get("lastTradeDate", 0), int):
        raise Unusable(f"yahoo: 'lastTradeDate' holds {str(row['lastTradeDate'])[:20]!r}, not a number")


def _check_chart(document: Any, request: YahooDocument) -> None:
    if not _require_field(document, "chart.result", list):
        raise Unusable(f"yahoo has no prices of {request.symbol}")
    first = document["chart"]["result"][0]
    _require_symbol(first, "meta.symbol", request.symbol)
    for name in ("exchangeTimezoneName", "instrumentType"):
        _require_field(first, f"meta.{name}", str)
    stamps = _require_numbers(first, "timestamp", gaps=False)
    columns = [f"indicators.quote.0.{name}" for name in ("open", "high", "low", "close", "volume")]
    if "adjclose" in first["indicators"]:
        columns.append("indicators.adjclose.0.adjclose")
    for path in columns:
        if len(_require_numbers(first, path, gaps=True)) != len(stamps):
            raise Unusable(f"yahoo: {path} has another length than timestamp")


def _check_calendar(document: Any, request: YahooDocument) -> None:
    events = _require_field(document, "quoteSummary.result.0.calendarEvents", dict)
    if "earnings" in events:
        _require_numbers(events, "earnings.earningsDate", gaps=False)


def _type_names(form: type | tuple[type, ...]) -> str:
    return " or ".join(item.__name__ for item in (form if isinstance(form, tuple) else (form,)))


CHECKS: dict[str, Callable[[Any, YahooDocument], None]] = {
    "options": _check_options,
    "chart": _check_chart,
    "quoteSummary": _check_calendar,
}
