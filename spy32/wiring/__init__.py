"""The only place that builds things: clock, settings, store, ports, consoles."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.trading import Mode
from spy32.errors import BadSettings, Unusable
from spy32.settings import Settings
from spy32.wiring.base import PAPER_ACCOUNT, Base
from spy32.wiring.clockwork import Clockwork
from spy32.wiring.process import log_traceback

if TYPE_CHECKING:
    from spy32.brokers.paper import PaperBroker
    from spy32.desk.bench import Bench
    from spy32.domain.deciding import Proposal, Recommendation
    from spy32.domain.running import Run
    from spy32.pipeline.gather import Wanted
    from spy32.pipeline.kit import Kit
    from spy32.pipeline.replay import Heard
    from spy32.pipeline.sources import Sources
    from spy32.ports import Analyst, Market
    from spy32.settings.knob import Secret
    from spy32.store import Store
    from spy32.wiring.markets import Shelf
    from spy32.wiring.tastytrade import Brokerage, Line

    Broker = PaperBroker | Brokerage

__all__ = ["PAPER_ACCOUNT", "App", "Clockwork", "log_traceback"]


@dataclass
class App(Base):
    """What a command gets: settings, places, consoles, and builders of everything that acts."""

    _has_said_xai: bool = False

    @property
    def _refused(self) -> Path:
        return self.locations.state / f"tastytrade-refused-{self.settings.mode}.json"

    @cached_property
    def shelf(self) -> "Shelf":
        from spy32.wiring.markets import Shelf

        return Shelf(self.settings, self.locations, self.clock, self.line)

    @cached_property
    def line(self) -> "Line":
        """The one log-in at tastytrade of this process."""
        from spy32.wiring.tastytrade import Line

        return Line(self.settings, self.clock, self.warn, refused=self._refused)

    def line_with(self, secret: "Secret", token: "Secret") -> "Line":
        """A log-in with credentials that are not in the settings yet."""
        from spy32.wiring.tastytrade import Line

        return Line(self.settings, self.clock, self.warn, secrets=(secret, token), refused=self._refused)

    def sources_of_market(self, asked: str | None) -> "Sources":
        """Who is asked for market data; a recorded market also sets this process's clock to its quotes' time."""
        from spy32.pipeline.sources import Sources
        from spy32.wiring.markets import is_recorded, recorded

        name = asked or self.settings.market.chain[0]
        if not is_recorded(name):
            return self.shelf.sources(asked)
        if self.settings.mode is not Mode.PAPER:
            raise BadSettings(f"a recorded market goes with mode paper only, not with mode {self.settings.mode}")
        market = recorded(name)
        self.clockwork = Clockwork(market.as_of, frozen=True)
        return Sources.alone(market)

    def wanted(self, settings: Settings, profile: str) -> "Wanted":
        """What to collect for a profile, now."""
        from spy32.pipeline.gather import Wanted
        from spy32.wiring.markets import calendar

        underlying = settings.profiles[profile].underlying
        events = calendar(self.locations, underlying)
        return Wanted(underlying=underlying, settings=settings, now=self.clock(), events=events)

    def rule(self, name: str, settings: Settings) -> "Analyst":
        """One of the fixed rules, which need nothing of the world."""
        from spy32.wiring import analysts

        return analysts.trend(settings) if name == "trend" else analysts.rules(settings)

    def analyst(self, name: str, settings: Settings, store: "Store", run_id: int, seed: int = 0) -> "Analyst":
        """Who chooses in a run."""
        from spy32.wiring import analysts

        if name == "rules":
            return self.rule(name, settings)
        version = analysts.version_of(settings)
        return self.asker(settings, store, run_id, version=version, role="chosen", seed=seed)

    def asker(
        self, settings: Settings, store: "Store", run_id: int, *, version: str, role: str, seed: int
    ) -> "Analyst":
        """Grok with one prompt version, its attempts written down under `run_id`."""
        from spy32.records.spending import HomeJournal
        from spy32.settings.addresses import foreign_xai
        from spy32.wiring.analysts import grok

        elsewhere = foreign_xai(settings)
        if elsewhere is not None and not self._has_said_xai:
            self._has_said_xai = True
            self.warn(elsewhere)
        databases = {mode: self.locations.database(mode) for mode in Mode}
        return grok(
            settings,
            version=version,
            role=role,
            journal=HomeJournal(store, databases),
            run_id=run_id,
            seed=seed,
            clock=self.clock,
            tell=self.tell,
        )

    def heard_by(self, store: "Store", run_id: int) -> "Heard":
        """How a replay gets the model as this run heard it: role, answer, settings and seed -> analyst, differences."""
        from spy32.analysts.recorded import UNASKED, analyst_of_then
        from spy32.wiring.analysts import renderer

        attempts = store.attempts(run_id)

        def of(
            role: str, answer: "Recommendation", settings: Settings, seed: int
        ) -> "tuple[Analyst, list[str]] | None":
            asked = [each for each in attempts if each.attempt.role == role and each.attempt.prompt == answer.prompt]
            if not asked or answer.failure in UNASKED:
                return None
            render = renderer(asked[0].attempt.prompt, settings)
            analyst, model = analyst_of_then(
                answer, asked, render, settings, seed=seed, at=self.clock(), monotonic=time.monotonic
            )
            return analyst, model.differences

        return of

    def _shadows(self, name: str, settings: Settings, store: "Store", run_id: int, seed: int) -> "tuple[Analyst, ...]":
        """Who chooses beside it, for the record: the rules always, another prompt only beside the model."""
        from spy32.wiring import analysts

        found = [self.rule("rules", settings)]
        if settings.analyst.shadow_trend:
            found.append(self.rule("trend", settings))
        if settings.analyst.shadow_prompt and name == "grok":
            from spy32.analysts.prompt import other_variant

            version = other_variant(analysts.version_of(settings))
            found.append(self.asker(settings, store, run_id, version=version, role="shadow", seed=seed))
        return tuple(found)

    def broker(self, store: "Store", market: "Market | None") -> "Broker":
        """Who takes orders and knows the account: our own on paper, else tastytrade at the mode's host."""
        if self.settings.mode is not Mode.PAPER:
            from spy32.settings.checks import broker_secrets
            from spy32.wiring.tastytrade import Brokerage

            broker_secrets(self.settings)  # says at once what is missing
            return Brokerage(self.line, store)
        from spy32.brokers.paper import PaperBroker

        return PaperBroker(
            ledger=store, market=market, clock=self.clock, settings=self.settings, number=self.account_number
        )

    def kit(self, store: "Store", *, sources: "Sources", analyst: str, settings: Settings, run: "Run") -> "Kit":
        """Everything that one weekly run needs of the world."""
        from spy32.pipeline.kit import Kit
        from spy32.wiring.markets import calendar

        broker = self.broker(store, sources.chain[0])
        seed = int.from_bytes(os.urandom(4), "big")
        return Kit(
            store=store,
            sources=sources,
            events=calendar(self.locations, settings.profiles[run.profile].underlying),
            documents=lambda: tuple(self.shelf.documents) if not sources.is_recorded else (),
            analyst=self.analyst(analyst, settings, store, run.id, seed),
            shadows=self._shadows(analyst, settings, store, run.id, seed),
            account=broker,
            orders=broker,
            settings=settings,
            profile=run.profile,
            run_id=run.id,
            clock=self.clock,
            seed=seed,
            tell=self.tell,
        )

    def bench(
        self, store: "Store", proposal: "Proposal | None", *, tell: Callable[[str], None] | None = None
    ) -> "Bench":
        """Everything that a desk command needs to act on `proposal`, on the market that it was made on."""
        profile = proposal.profile if proposal is not None else "default"
        return self._bench(store, self.market_of(store, proposal), profile, tell)

    def bench_of_run(self, store: "Store", run_id: int) -> "Bench":
        """Everything to act on a run that made no proposal, on the market that it saw."""
        view = store.view(run_id)
        recorded = view.market is not None and view.market.is_recorded
        name = view.market.source if view.market is not None else self.settings.market.chain[0]
        market = self._recorded(store, run_id) if recorded else self.shelf.quoting(name)
        return self._bench(store, market, view.run.profile, None)

    def _bench(
        self, store: "Store", market: "Market | None", profile: str, tell: Callable[[str], None] | None
    ) -> "Bench":
        from spy32.desk.bench import Bench
        from spy32.settings.profiles import for_profile

        broker = self.broker(store, market)
        return Bench(
            store=store,
            market=market,
            orders=broker,
            account=broker,
            locks=self.locks,
            settings=for_profile(self.settings, profile),
            clock=self.clock,
            sleep=self.sleep,
            halted=self.halted,
            tell=tell or self.tell,
            watch=self.watch,
        )

    def market_of(self, store: "Store", proposal: "Proposal | None") -> "Market | None":
        """The market of a proposal: a recorded one is its stored snapshot, with that instant as the clock."""
        if proposal is None:
            return None
        if proposal.is_recorded:
            return self._recorded(store, proposal.run_id)
        self.clockwork = self.process_clock
        return self.shelf.quoting(proposal.market)

    def _recorded(self, store: "Store", run_id: int) -> "Market":
        from spy32.markets.recorded import RecordedMarket

        if self.settings.mode is not Mode.PAPER:
            raise Unusable("a proposal made on a recorded market can only be executed on paper")
        snapshot = store.snapshot(run_id)
        self.clockwork = Clockwork(snapshot.as_of, frozen=True)
        return RecordedMarket.from_snapshot(snapshot)
