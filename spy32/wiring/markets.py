"""Which sources of market data there are, built from the settings on use."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.events import EventCalendar, ScheduledEvent
from spy32.domain.market import RECORDED, SYNTHETIC, Dividend, RawDocument, SourceAttempt, is_recorded_source
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, Unavailable, Unusable
from spy32.sessions import market_date
from spy32.settings import Locations, Settings

if TYPE_CHECKING:
    from spy32.markets.recorded import MarkMarket, RecordedMarket
    from spy32.options.history import DailyHistory
    from spy32.pipeline.sources import Sources
    from spy32.ports import Market
    from spy32.settings.keys import Source
    from spy32.store import Store
    from spy32.wiring.tastytrade import TastytradeConnection

NO_SANDBOX_QUOTES = "tastytrade's sandbox has no market data; name other sources in market.chain, or --market"


def load_recorded_market(name: str) -> "RecordedMarket":
    """The market of `recorded` or `recorded:FILE`."""
    from spy32.markets.recorded import RecordedMarket

    _, _, file = name.partition(":")
    if name.endswith(":"):
        raise BadUsage("recorded: needs the name of a file; the shipped market is `recorded`")
    return RecordedMarket.load(Path(file).expanduser()) if file else RecordedMarket.load_shipped()


def load_later_market(name: str, mode: Mode, proposals: "Iterable[Proposal]") -> "RecordedMarket":
    """The recorded market on which trades made on an earlier one are managed.

    Raises `BadUsage` for a name that is no recorded market, or whose market can manage none of the `proposals`.
    """
    if not is_recorded_source(name):
        raise BadUsage(f"--market {name}: a trade is marked by its own source; only recorded:FILE may be named")
    if mode is not Mode.PAPER:
        raise BadSettings(f"a recorded market goes with mode paper only, not with mode {mode}")
    market = load_recorded_market(name)
    if not any(can_manage(market, proposal) for proposal in proposals):
        raise BadUsage(f"{name} holds {market.underlying}, and no such open trade was made on a recorded market")
    return market


def find_marked_market(store: "Store", proposal: Proposal) -> "MarkMarket | None":
    """The newest mark of the proposal's trade as a market, when the trade was marked by a later recorded market."""
    from spy32.markets.recorded import MarkMarket

    trade = store.trades.find_by_proposal(proposal.id)
    mark = store.marks.latest(trade.id) if trade is not None else None
    if trade is None or mark is None or mark.as_of <= store.proposals.get(trade.proposal_id).quoted_at:
        return None
    return MarkMarket(mark)


def can_manage(market: "RecordedMarket", proposal: Proposal) -> bool:
    """Whether a trade of this proposal may be managed on another recorded market."""
    return proposal.is_recorded and proposal.underlying == market.underlying


class MarketRegistry:
    """The live sources of one process, each built once; what they send is kept in `documents`."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime], tastytrade: "TastytradeConnection") -> None:
        """`tastytrade` is the log-in there, which the broker shares."""
        self.settings, self.clock, self.tastytrade = settings, clock, tastytrade
        self.documents: list[RawDocument] = []
        self._markets: dict[str, Market] = {}

    def sources(self, requested: str | None) -> "Sources":
        """The sources of every datum in the order of the settings; with `requested` the chain comes from that source
        only.
        """
        from spy32.pipeline.sources import Sources

        order = self.settings.market
        asked = None if requested is None else self.get_market(requested)
        chain = self._get_markets("chain", order.chain)
        found = {name: self._find_market(name) for name in order.chain}
        unavailable = tuple(
            SourceAttempt(datum="chain", source=name, ok=False, detail=f"not set up: {error.message}")
            for name, error in found.items()
            if isinstance(error, BadSettings)
        )
        if not chain and asked is None:
            raise BadSettings(f"market.chain has no source that can be asked: {unavailable[0].detail}")
        return Sources(
            chain=chain if asked is None else (asked,),
            checks=chain,
            history=self.history_sources,
            vix=self.vix_sources,
            dividends=self._get_markets("dividends", order.dividends),
            rate=self.history_sources,
            broker=self._get_markets("chain", ("tastytrade", *(name for name in order.history if name == "yahoo"))),
            unavailable=unavailable if asked is None else (),
        )

    @property
    def history_sources(self) -> "tuple[Market, ...]":
        """The sources of daily bars, in the order of the settings."""
        return self._get_markets("history", self.settings.market.history)

    @property
    def vix_sources(self) -> "tuple[Market, ...]":
        """The sources of the VIX, in the order of the settings."""
        return self._get_markets("vix", self.settings.market.vix)

    def quote_market(self, first: str) -> "Market":
        """The market that quotes what is approved and sent: the broker in live mode, else the proposal's source, then
        others.

        In live mode no other source is asked, even when the broker fails: theirs are quotes of a quarter of an hour
        ago. A synthetic market is over with its year: it serves nothing, and no other has its prices.
        """
        from spy32.markets.base import BaseMarket, FallbackMarket

        if self.settings.mode is Mode.LIVE:
            return self.get_market("tastytrade")
        if first == SYNTHETIC:
            over = BaseMarket()
            over.name = "the synthetic market"
            return over
        names = [name for name in dict.fromkeys((first, *self.settings.market.chain)) if not is_recorded_source(name)]
        markets = [market for name in names if not isinstance(market := self._find_market(name), BadSettings)]
        return FallbackMarket(markets or [self.get_market(first)])

    def find_dividends(self, market: "Market | None", ticker: str) -> "tuple[Dividend, ...] | None":
        """Past and coming ex-dates: a recorded market's own, else by all sources of the settings; None if unknown."""
        if market is not None and market.is_recorded:
            return market.dividends(ticker)
        from spy32.pipeline.gather import merge_dividends

        found = []
        for source in self._get_markets("dividends", self.settings.market.dividends):
            # What one source lacks another may have; where ex-dates are judged it is said when none has it.
            with suppress(Unavailable, Unusable):
                found.append(source.dividends(ticker))
        return merge_dividends(found, market_date(self.clock()))

    def get_market(self, name: str) -> "Market":
        """The source `name`; `BadSettings` when it cannot be asked at all."""
        if name not in self._markets:
            self._markets[name] = MARKETS[name](self)
        return self._markets[name]

    def _get_markets(self, kind: str, names: Sequence[str]) -> "tuple[Market, ...]":
        for name in names:
            if is_recorded_source(name):
                raise BadSettings(f"market.{kind} holds {name} beside live sources; a recorded market stands alone")
        markets = map(self._find_market, names)
        return tuple(market for market in markets if not isinstance(market, BadSettings))

    def _find_market(self, name: str) -> "Market | BadSettings":
        """The source, or why it cannot be asked: only tastytrade needs credentials, and its sandbox has no quotes."""
        try:
            return self.get_market(name)
        except BadSettings as error:
            return error

    def document_recorder(self, source: str) -> Callable[[str, bytes], None]:
        def record(name: str, body: bytes) -> None:
            self.documents.append(RawDocument(source=source, name=name, at=self.clock(), body=body))

        return record


def _build_cboe(registry: MarketRegistry) -> "Market":
    from spy32.markets.cboe import CboeMarket
    from spy32.wiring.process import build_http

    http = build_http("Cboe", registry.settings.cboe.url, registry.clock, registry.document_recorder("cboe"))
    return CboeMarket(http, clock=registry.clock, seconds=registry.settings.market.source_seconds)


def _build_yahoo(registry: MarketRegistry) -> "Market":
    from spy32.markets.yahoo import YahooMarket

    return YahooMarket(
        address=registry.settings.yahoo.url,
        clock=registry.clock,
        monotonic=time.monotonic,
        seconds=registry.settings.market.source_seconds,
        keep=registry.document_recorder("yahoo"),
    )


def _import_on_use(module: str, name: str) -> "Callable[[MarketRegistry], Market]":
    """The builder of a class of `markets` that needs only the clock."""

    def build_market(registry: MarketRegistry) -> "Market":
        market: Market = getattr(import_module(f"spy32.markets.{module}"), name)(registry.clock)
        return market

    return build_market


def _build_tastytrade(registry: MarketRegistry) -> "Market":
    from spy32.markets.tastytrade import TastytradeMarket

    if registry.settings.mode is Mode.SANDBOX:
        raise BadSettings(NO_SANDBOX_QUOTES)
    rest = registry.tastytrade.rest(registry.document_recorder("tastytrade"))
    return TastytradeMarket(rest, clock=registry.clock, seconds=registry.settings.market.source_seconds)


MARKETS: "Mapping[str, Callable[[MarketRegistry], Market]]" = {
    "tastytrade": _build_tastytrade,
    "cboe": _build_cboe,
    "yahoo": _build_yahoo,
    "table": _import_on_use("bundled_history", "DividendTableMarket"),
}
"""Every live source by its name in the settings; a recorded one stands alone, see `load_recorded_market`."""
NO_CHAIN = ("table",)
"""Sources that serve dividends only."""


def chain_source_names() -> tuple[str, ...]:
    """What `--market` takes, and every list of sources in the settings."""
    return (*(name for name in MARKETS if name not in NO_CHAIN), RECORDED)


def check_source_names(settings: Settings, sources: "Mapping[str, Source]") -> None:
    """`BadSettings` for a list of sources that holds an unknown name: it says where it stood, and the known ones."""
    known = chain_source_names()
    for kind in ("chain", "history", "vix", "dividends"):
        allowed = (*known, *NO_CHAIN) if kind == "dividends" else known
        for name in getattr(settings.market, kind):
            if name not in allowed and not is_recorded_source(name):
                raise BadSettings(
                    f"{sources[f'market.{kind}'].where}: market.{kind} takes a list, each entry one of "
                    f"{', '.join(allowed)}, recorded:FILE; {name!r} is none of them"
                )


def find_history(underlying: str, now: datetime) -> "DailyHistory | None":
    """The long daily history of an underlying until `now`, which ships; None where none ships."""
    from spy32.markets.bundled_history import total_returns

    return total_returns(underlying, now)


def event_calendar(
    locations: Locations, underlying: str
) -> "Callable[[tuple[ScheduledEvent, ...] | None], EventCalendar]":
    """The shipped events with the user's own."""
    from spy32.markets.events import load_event_book

    file = locations.config.parent / "events.toml"
    return partial(load_event_book, file, underlying=underlying)
