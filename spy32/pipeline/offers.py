"""What one source offers: its chain of the expiration nearest the target, and the others nearby that may be better.

An expiration is loaded and judged only while it could still beat the best one found, so a whole nearest chain costs
nothing more.
"""

from collections.abc import Callable
from datetime import date
from functools import cached_property

from spy32.domain.market import MarketSnapshot, QualityReport, SourceAttempt
from spy32.domain.value import value
from spy32.errors import Spy32Error, Unusable
from spy32.pipeline.context import CheckedMarket
from spy32.pipeline.gather import SourceAnswers, SourceChain
from spy32.ports import Market
from spy32.rules.tradability import Tradability, best_score, judge_tradability, most_tradable
from spy32.settings import Settings

SOURCE_GATES = frozenset({"underlying", "session", "quote_age", "spot"})
"""Gates of the whole source: what stops one of its expirations so stops every other."""

Inspection = Callable[[MarketSnapshot], tuple[CheckedMarket | None, QualityReport]]


@value
class CollectedMarket:
    """A snapshot with its quality report. `checked` is the usable part, None when a gate stopped it."""

    snapshot: MarketSnapshot
    checked: CheckedMarket | None
    quality: QualityReport
    tradabilities: tuple[Tradability, ...] = ()
    """The expirations that were looked at before this one was taken, in that order."""


def gate_error(report: QualityReport) -> Spy32Error:
    """Return the error of the gate that stopped a chain. The report must have one."""
    gate = report.stopped_by
    assert gate is not None
    note = f"; {gate.note}" if gate.note else ""
    return Unusable(f"gate {gate.name}: {gate.figure}, allowed {gate.limit}{note}", gate=gate.name)


class SourceOffer:
    """The expirations of one source within the tolerance, each loaded and inspected once."""

    def __init__(
        self, source: Market, chain: SourceChain, gathered: SourceAnswers, inspect: Inspection, settings: Settings
    ) -> None:
        self.source = source
        self._chain, self._gathered, self._inspect, self._settings = chain, gathered, inspect, settings
        self._markets: dict[date, CollectedMarket | None] = {chain.target: self._collect(chain)}

    @property
    def nearest(self) -> CollectedMarket:
        """The market of the expiration nearest the target, usable or not."""
        market = self._markets[self._chain.target]
        assert market is not None
        return market

    def find(self, day: date) -> CollectedMarket | None:
        """Return the market of an expiration; None when the source does not have it within the tolerance."""
        if day not in self._markets and day in self._chain.others:
            chain = self._gathered.load_expiration(self.source, day)
            self._markets[day] = self._collect(chain) if chain is not None else None
        return self._markets.get(day)

    def find_usable(self, day: date) -> CollectedMarket | None:
        """Return the market of an expiration; None when the source does not have it, or a gate stops it."""
        market = self.find(day)
        return market if market is not None and market.checked is not None else None

    @cached_property
    def tradabilities(self) -> tuple[Tradability, ...]:
        """The expirations that were looked at, nearest first, until none of the rest could be better."""
        judged: list[Tradability] = []
        for day in (self._chain.target, *self._chain.others):
            best, distance = most_tradable(judged), self._distance(day)
            if best is not None and best.score > best_score(distance, self._settings.choice):
                break
            market = self.find(day)
            if market is None:
                continue
            judged.append(self._judge(market))
            stop = market.quality.stopped_by
            if stop is not None and stop.name in SOURCE_GATES:
                break
        return tuple(judged)

    @cached_property
    def best(self) -> CollectedMarket | None:
        """The market of the expiration that can be traded best; None when a gate stops every one."""
        taken = most_tradable(self.tradabilities)
        return self.find(taken.day) if taken is not None else None

    @property
    def choice_attempts(self) -> tuple[SourceAttempt, ...]:
        """A line for each expiration that was looked at; none when the nearest was good enough at once."""
        if len(self.tradabilities) < 2:
            return ()
        taken = most_tradable(self.tradabilities)
        return tuple(
            SourceAttempt(
                datum="expiration",
                source=self.source.name,
                ok=not each.stopped_by,
                detail=f"{each.day} ({each.dte} days){' taken' if each is taken else ''}: {each.words}",
            )
            for each in self.tradabilities
        )

    def _collect(self, chain: SourceChain) -> CollectedMarket:
        snapshot = self._gathered.snapshot(chain)
        checked, quality = self._inspect(snapshot)
        return CollectedMarket(snapshot=snapshot, checked=checked, quality=quality)

    def _judge(self, market: CollectedMarket) -> Tradability:
        snapshot, checked = market.snapshot, market.checked
        distance = self._distance(snapshot.target)
        if checked is None:
            reason = gate_error(market.quality).message
            return Tradability(
                day=snapshot.target, dte=snapshot.dte, distance=distance, quoted=0, wanted=0, open_interest=0,
                stopped_by=reason,
            )  # fmt: skip
        return judge_tradability(
            checked.chain, checked.smile, snapshot.chain, self._settings, dte=snapshot.dte, distance=distance
        )

    def _distance(self, day: date) -> int:
        return abs(self._gathered.days_left(day) - self._settings.dte.default)
