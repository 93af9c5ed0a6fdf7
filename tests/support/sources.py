"""Sources that fail, are slow or lack a datum, and what is collected from them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from spy32.domain.events import EventCalendar
from spy32.domain.market import Chain, DailyBar, Dividend, Metric
from spy32.pipeline.collect import CollectedMarket, collect_market
from spy32.pipeline.gather import CollectRequest
from spy32.pipeline.sources import Sources
from spy32.settings import Settings
from spy32.settings.model import MarketSources
from tests.support import builders
from tests.support.fakes import FakeMarket


@dataclass(eq=False)
class Source(FakeMarket):
    """A fake that can be slow, wrong, or without a datum."""

    seconds: float = 0.0
    no_history: bool = False
    asked: list[str] = field(default_factory=list)
    bug: Exception | None = None
    table: tuple[Dividend, ...] | None = None

    def _serve(self) -> Chain:
        self.asked.append("chain")
        time.sleep(self.seconds)
        if self.bug is not None:
            raise self.bug
        return replace(super()._serve(), source=self.name)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        self.asked.append("history")
        return () if self.no_history else super().history(underlying, since)

    def volatility(self) -> dict[str, Metric]:
        if self.trouble is not None:
            raise self.trouble
        return super().volatility()

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return self.table


def everything(markets: Sequence[Source], checks: Sequence[Source] = ()) -> Sources:
    order = tuple(markets)
    return Sources(
        chain=order, checks=tuple(checks) or order, history=order, vix=order, dividends=order, rate=order, broker=order
    )


def seen(
    sources: Sources,
    tell: Callable[[str], None] = lambda line: None,
    *,
    seconds: int = 20,
    settings: Settings | None = None,
    **knobs: object,
) -> CollectedMarket:
    market = replace(MarketSources(), **{"deadline_seconds": seconds, "related": (), **knobs})  # type: ignore[arg-type]
    wanted = CollectRequest(
        underlying="SPY",
        settings=replace(settings or Settings(), market=market),
        now=builders.NOW,
        events=lambda earnings: EventCalendar(),
        monotonic=time.monotonic,
        seconds=seconds,
    )
    return collect_market(sources, wanted, tell)
