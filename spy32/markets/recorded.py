"""Recorded markets: the chain of a file, or the snapshot of a stored run, with the quotes' instant as the clock."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.market import (
    RECORDED,
    Chain,
    DailyBar,
    Dividend,
    LegQuotes,
    MarketSnapshot,
    Metric,
    OptionQuote,
    parse_occ_symbol,
)
from spy32.domain.option_class import option_roots
from spy32.domain.spreads import Leg
from spy32.errors import Unusable
from spy32.markets import bundled_history
from spy32.markets.base import BaseMarket, leg_quotes, select_leg_quotes
from spy32.sessions import market_date

if TYPE_CHECKING:
    from spy32.domain.marks import Mark
    from spy32.markets.chain_file import ChainFile

SHIPPED_CHAIN = bundled_history.DATA_FOLDER / "SPY_2025-08-29.csv.gz"


class RecordedMarket(BaseMarket):
    """Serves one chain file; the days before it come from the shipped history.

    Bars and dividends ship for SPY only; the VIX family and the rate belong to no underlying and go by the date.
    """

    is_recorded = True

    def __init__(self, file: "ChainFile", name: str) -> None:
        self._file = file
        self.name = name
        self.underlying = file.underlying
        self.as_of = file.as_of
        """The instant of the quotes, UTC: the clock of everything that works on this market."""

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> "RecordedMarket":
        """The market in a chain file; `Unusable` when there is none."""
        from spy32.markets.chain_file import read_chain_file  # a stored snapshot needs no file

        return cls(read_chain_file(path), name or f"{RECORDED}:{path.name}")

    @classmethod
    def load_shipped(cls) -> "RecordedMarket":
        """The market that comes with the package: SPY at the close of 2025-08-29."""
        return cls.load(SHIPPED_CHAIN, RECORDED)

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Every expiration of a standard contract that is not past at the time of the quotes."""
        self._check_underlying(underlying)
        today = market_date(self.as_of)
        return tuple(day for day in self._listed_expirations if day >= today)

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The quotes of these expirations, as the file has them."""
        chain = self._chain(underlying, expirations)
        absent = [day.isoformat() for day in expirations if day not in self._file.expirations]
        if absent:
            raise Unusable(f"{self._file.name} has no expiration {', '.join(absent)}", gate="expiration")
        return chain

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes; one that the file does not have, or has with different prices, is left out.

        Raises `Unusable` when the file has none of their expirations, which is no market without quotes.
        """
        days = sorted({leg.expiration for leg in legs})
        if days and set(days).isdisjoint(self._file.expirations):
            raise Unusable(f"{', '.join(f'{day.day} {day:%b}' for day in days)} is not in {self._file.name}")
        return leg_quotes(self._chain(underlying, days), legs)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Daily bars that had closed by the time of the quotes; none for another underlying than SPY."""
        return bundled_history.daily_bars(self.as_of, since) if underlying == bundled_history.UNDERLYING else ()

    def volatility(self) -> dict[str, Metric]:
        """The VIX family at its last close before the quotes."""
        return bundled_history.volatility(self.as_of)

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """VIX closes before the quotes, oldest first."""
        return bundled_history.volatility_history(self.as_of, since)

    def rate(self) -> Metric:
        """The continuous short rate of the day before the quotes."""
        return bundled_history.rate(self.as_of)

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """SPY's ex-dates from the last one before the quotes on; None for another underlying."""
        return bundled_history.dividends(self.as_of) if underlying == bundled_history.UNDERLYING else None

    def _chain(self, underlying: str, expirations: Collection[date]) -> Chain:
        self._check_underlying(underlying)
        quotes = self._file.quotes(expirations)
        return Chain(underlying=underlying, spot=self._file.spot, as_of=self.as_of, source=self.name, quotes=quotes)

    def _check_underlying(self, underlying: str) -> None:
        if underlying != self.underlying:
            raise Unusable(f"{self._file.name} holds {self.underlying}; asked for {underlying}")

    @cached_property
    def _listed_expirations(self) -> tuple[date, ...]:
        roots = option_roots(self.underlying)
        pairs = set(zip(self._file.columns["root"], self._file.columns["expiration"], strict=True))
        listed = {date.fromisoformat(day) for root, day in pairs if root in roots}
        if not listed:
            strange = ", ".join(sorted({root for root, _ in pairs}))
            raise Unusable(
                f"{self._file.name} has no contract of root {' or '.join(roots)}; its roots are {strange}", gate="root"
            )
        return tuple(sorted(listed))


class MarkMarket(BaseMarket):
    """Serves the quotes of a mark, for a trade that is managed on a later recorded market than it was opened on."""

    is_recorded = True

    def __init__(self, mark: "Mark") -> None:
        self._mark = mark
        self.name = mark.source
        self.as_of = mark.at
        """When the mark was made, UTC: the time of its quotes on a recorded market."""

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The quotes of these legs that the mark holds: those of its trade."""
        mark = self._mark
        quotes = (OptionQuote(**parse_occ_symbol(leg.symbol)._asdict(), bid=leg.bid, ask=leg.ask) for leg in mark.legs)
        found = select_leg_quotes(quotes, legs)
        return LegQuotes(spot=mark.spot, as_of=mark.as_of, source=mark.source, quotes=found)


class SnapshotMarket(BaseMarket):
    """Serves what a stored run saw of its legs and of the days before, for a proposal made on a recorded market."""

    is_recorded = True

    def __init__(self, snapshot: MarketSnapshot) -> None:
        self._snapshot = snapshot
        self.name, self.as_of = snapshot.source, snapshot.as_of

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' stored quotes; one that was not stored, or with different prices, is left out."""
        if underlying != self._snapshot.underlying:
            raise Unusable(f"the stored snapshot holds {self._snapshot.underlying}; asked for {underlying}")
        return leg_quotes(self._snapshot.chain, legs)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        is_held = underlying == self._snapshot.underlying
        return tuple(bar for bar in self._snapshot.history if is_held and bar.day >= since)

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        return tuple(pair for pair in self._snapshot.volatility_history if pair[0] >= since)

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return self._snapshot.dividends if underlying == self._snapshot.underlying else None
