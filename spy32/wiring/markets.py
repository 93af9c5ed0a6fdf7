"""Which sources of market data there are, built from the settings on use."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.market import RawDocument, Tried
from spy32.domain.trading import Mode
from spy32.errors import BadSettings, Usage
from spy32.settings import Locations, Settings

if TYPE_CHECKING:
    from spy32.clients.http import Http
    from spy32.domain.events import Event, EventBook
    from spy32.markets.recorded import RecordedMarket
    from spy32.pipeline.sources import Sources
    from spy32.ports import Market
    from spy32.wiring.tastytrade import Line

RECORDED = "recorded"
NO_SANDBOX_QUOTES = "tastytrade's sandbox has no market data; name other sources in market.chain, or --market"


def recorded(name: str) -> "RecordedMarket":
    """The market of `recorded` or `recorded:FILE`."""
    from spy32.markets.recorded import RecordedMarket

    _, _, file = name.partition(":")
    if name.endswith(":"):
        raise Usage("recorded: needs the name of a file; the shipped market is `recorded`")
    return RecordedMarket.of_file(Path(file).expanduser()) if file else RecordedMarket.shipped()


def is_recorded(name: str) -> bool:
    return name.partition(":")[0] == RECORDED


@dataclass(slots=True)
class Shelf:
    """The live sources of one process, each built once; what they send is kept in `documents`."""

    settings: Settings
    locations: Locations
    clock: Callable[[], datetime]
    line: "Line"
    """The log-in at tastytrade, which the broker shares."""
    documents: list[RawDocument] = field(default_factory=list)
    _built: "dict[str, Market]" = field(default_factory=dict)

    def sources(self, asked: str | None) -> "Sources":
        """Every datum's sources in the settings' order; `asked` is then the only one whose chain is traded on."""
        from spy32.pipeline.sources import Sources

        order = self.settings.market
        if asked is not None:
            self.one(asked)
        absent = tuple(tried for name in order.chain if (tried := self._absent(name)) is not None)
        chain = self._several("chain", order.chain)
        if not chain and asked is None:
            raise BadSettings(f"market.chain has no source that can be asked: {absent[0].detail}")
        broker = self._several("chain", ("tastytrade", *(name for name in order.history if name == "yahoo")))
        return Sources(
            chain=(self.one(asked),) if asked is not None else chain,
            checks=chain,
            history=self._several("history", order.history),
            vix=self._several("vix", order.vix),
            dividends=self._several("dividends", order.dividends),
            rate=self._several("history", order.history),
            broker=broker,
            absent=absent if asked is None else (),
        )

    def quoting(self, first: str) -> "Market":
        """Who quotes what is approved and sent: the broker in live mode, else the proposal's source and then others.

        In live mode no other source is asked, whatever the broker's trouble: theirs are quotes of a quarter of an
        hour ago.
        """
        from spy32.markets.ordered import OrderedMarket

        if self.settings.mode is Mode.LIVE:
            return self.one("tastytrade")
        names = [name for name in dict.fromkeys((first, *self.settings.market.chain)) if not is_recorded(name)]
        return OrderedMarket([self.one(name) for name in names if self._absent(name) is None] or [self.one(first)])

    def one(self, name: str) -> "Market":
        """The source `name`; `BadSettings` when it cannot be asked at all."""
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _several(self, kind: str, names: Sequence[str]) -> "tuple[Market, ...]":
        for name in names:
            if is_recorded(name):
                raise BadSettings(f"market.{kind} holds {name} beside live sources; a recorded market stands alone")
        return tuple(self.one(name) for name in names if self._absent(name) is None)

    def _absent(self, name: str) -> Tried | None:
        """Why the source cannot be asked, if so: only tastytrade needs credentials, and its sandbox has no quotes."""
        from spy32.settings.checks import broker_secrets

        if name != "tastytrade":
            return None
        try:
            broker_secrets(self.settings)
        except BadSettings as missing:
            return Tried(datum="chain", source=name, ok=False, detail=f"not set up: {missing.message}")
        if self.settings.mode is Mode.SANDBOX:
            return Tried(datum="chain", source=name, ok=False, detail=f"not set up: {NO_SANDBOX_QUOTES}")
        return None

    def _build(self, name: str) -> "Market":
        seconds = float(self.settings.market.source_seconds)
        if name == "cboe":
            from spy32.markets.cboe import CboeMarket

            return CboeMarket(self._http("Cboe", self.settings.cboe.url, name), clock=self.clock, seconds=seconds)
        if name == "yahoo":
            from spy32.markets.yahoo import YahooMarket

            return YahooMarket(
                address=self.settings.yahoo.url,
                cache=self.locations.state / "yahoo",
                clock=self.clock,
                monotonic=time.monotonic,
                seconds=seconds,
                keep=self._keep(name),
            )
        if name == "table":
            from spy32.markets.table import TableMarket

            return TableMarket(self.clock)
        return self._tastytrade(seconds)

    def _tastytrade(self, seconds: float) -> "Market":
        from spy32.markets.tastytrade import TastytradeMarket

        if self.settings.mode is Mode.SANDBOX:
            raise BadSettings(NO_SANDBOX_QUOTES)
        return TastytradeMarket(self.line.rest(self._keep("tastytrade")), clock=self.clock, seconds=seconds)

    def _http(self, service: str, base: str, name: str) -> "Http":
        from spy32.clients.http import Http

        return Http(
            service=service,
            base=base,
            clock=self.clock,
            sleep=time.sleep,
            monotonic=time.monotonic,
            keep=self._keep(name),
        )

    def _keep(self, source: str) -> Callable[[str, bytes], None]:
        def keep(name: str, body: bytes) -> None:
            self.documents.append(RawDocument(source=source, name=name, at=self.clock(), body=body))

        return keep


def calendar(locations: Locations, underlying: str) -> "Callable[[tuple[Event, ...] | None], EventBook]":
    """The shipped events with the user's own."""
    from spy32.markets.events import book

    file = locations.config.parent / "events.toml"

    def of(earnings: "tuple[Event, ...] | None") -> "EventBook":
        return book(("fomc", "cpi", "jobs", "earnings"), file, earnings, underlying)

    return of
