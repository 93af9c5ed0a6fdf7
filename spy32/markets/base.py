"""What a source says about what it does not serve."""

from collections.abc import Sequence
from datetime import date

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, Metric


class BaseMarket:
    """Nothing of what few sources have; a source overrides what it serves."""

    is_recorded = False

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        return ()

    def volatility(self) -> dict[str, Metric]:
        return {}

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        return ()

    def rate(self) -> Metric:
        return Metric(value=None, unit="fraction", source="", missing="not served")

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return None

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        return {}

    def metrics(self, underlying: str) -> dict[str, Metric]:
        return {}

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        return None
