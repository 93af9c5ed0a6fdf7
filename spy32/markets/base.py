"""What a source says about what it does not serve."""

from collections.abc import Sequence
from datetime import date

from spy32.domain.events import Event
from spy32.domain.market import DailyBar, Datum, Dividend


class Unserved:
    """Nothing of what few sources have; a source overrides what it serves."""

    is_recorded = False

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        return ()

    def volatility(self) -> dict[str, Datum]:
        return {}

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        return ()

    def rate(self) -> Datum:
        return Datum(value=None, unit="fraction", source="", missing="not served")

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return None

    def moves(self, tickers: Sequence[str]) -> dict[str, Datum]:
        return {}

    def metrics(self, underlying: str) -> dict[str, Datum]:
        return {}

    def earnings(self, underlying: str) -> tuple[Event, ...] | None:
        return None
