"""The only place that builds things: clock, settings, store, ports, consoles."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.market import DailyBar, is_recorded_source
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, Spy32Error, StoreError
from spy32.lifecycle import TradeState
from spy32.settings import Settings
from spy32.settings.knob import Secret
from spy32.wiring.base import PAPER_ACCOUNT, AppBase
from spy32.wiring.clockwork import Clockwork

if TYPE_CHECKING:
    from spy32.brokers.paper import PaperBroker
    from spy32.brokers.tastytrade import TastytradeBroker
    from spy32.domain.runs import Run
    from spy32.markets.recorded import MarkMarket, RecordedMarket, SnapshotMarket
    from spy32.pipeline.context import RunContext
    from spy32.pipeline.gather import CollectRequest
    from spy32.pipeline.sources import Sources
    from spy32.pipeline.start import StartContext
    from spy32.ports import Analyst, DailyBarLookup, Market
    from spy32.store import Store
    from spy32.trading.context import TradingContext
    from spy32.wiring.markets import MarketRegistry
    from spy32.wiring.notifiers import NoticeSender
    from spy32.wiring.tastytrade import TastytradeConnection

    Broker = PaperBroker | TastytradeBroker

__all__ = ["PAPER_ACCOUNT", "App", "Clockwork"]


class App(AppBase):
    """What a command gets: settings, places, consoles, and builders of everything that acts."""

    @property
    def refusal_path(self) -> Path:
        return self.locations.state / f"tastytrade-refused-{self.settings.mode}.json"

    @cached_property
    def market_registry(self) -> "MarketRegistry":
        from spy32.wiring.markets import MarketRegistry

        return MarketRegistry(self.settings, self.clock, self.tastytrade)

    @cached_property
    def tastytrade(self) -> "TastytradeConnection":
        """The one log-in at tastytrade of this process."""
        return self.connect_tastytrade()

    def connect_tastytrade(self, secrets: "tuple[Secret, Secret] | None" = None) -> "TastytradeConnection":
        """A log-in with the credentials of the settings, or with a client secret and a token that are not there yet."""
        from spy32.wiring.tastytrade import TastytradeConnection

        return TastytradeConnection(self.settings, self.clock, self.warn, secrets=secrets, refused=self.refusal_path)

    @cached_property
    def notice_sender(self) -> "NoticeSender":
        """What sends the notices of this home."""
        from spy32.wiring.notifiers import NoticeSender

        return NoticeSender(self)

    def send_notices(self) -> None:
        """Send what waits in the outbox; it never raises."""
        with suppress(Spy32Error):  # settings that are wrong have been told
            self.notice_sender.send()

    def send_store_error(self, error: StoreError) -> None:
        """Tell of a database that cannot be used, once a day; it never raises."""
        with suppress(Spy32Error):  # as above
            self.notice_sender.send_store_error(error)

    def load_sources(self, requested: str | None) -> "Sources":
        """The sources of market data; a recorded market also sets the process clock to the time of its quotes."""
        from spy32.pipeline.sources import Sources
        from spy32.wiring.markets import load_recorded_market

        name = requested or self.settings.market.chain[0]
        if not is_recorded_source(name):
            return self.market_registry.sources(requested)
        return Sources.single_source(self._use_recorded_market(load_recorded_market(name)))

    def build_collect_request(self, settings: Settings, profile: str) -> "CollectRequest":
        """What to collect for a profile, now."""
        from spy32.pipeline.gather import CollectRequest
        from spy32.wiring.markets import event_calendar

        underlying = settings.profiles[profile].underlying
        return CollectRequest(
            underlying=underlying,
            settings=settings,
            now=self.clock(),
            events=event_calendar(self.locations, underlying),
            monotonic=self.monotonic,
            seconds=settings.market.deadline_seconds,
        )

    def rule(self, name: str, settings: Settings) -> "Analyst":
        """One of the fixed rules, which need nothing of the world."""
        from spy32.wiring import analysts

        return analysts.RULES[name](settings)

    def analyst(self, name: str, settings: Settings, store: "Store", run_id: int, seed: int, until: float) -> "Analyst":
        """The analyst of a run; it stops asking at `until` on the monotonic clock."""
        return ANALYSTS[name](self, settings, store, run_id, seed, until)

    def _build_shadows(
        self, name: str, settings: Settings, store: "Store", run_id: int, seed: int
    ) -> "tuple[Analyst, ...]":
        """The shadow analysts, whose choices are recorded only: the rules always, other prompts beside the model."""
        from spy32.wiring import analysts

        rules = ["rules", *(["trend"] if settings.analyst.shadow_trend else [])]
        versions = analysts.shadow_versions(settings) if name == "grok" else ()
        build = partial(analysts.build_model_analyst, self, settings, store, run_id, role=AnswerRole.SHADOW, seed=seed)
        return (*(self.rule(rule, settings) for rule in rules), *(build(version=version) for version in versions))

    def broker(self, store: "Store", market: "Market | None") -> "Broker":
        """The broker of this mode: our own on paper, else tastytrade at the address of the mode."""
        return BROKERS[self.settings.mode](self, store, market)

    def daily_bar_lookup(self, market: "Market | None") -> "DailyBarLookup":
        """Official daily bars: of a recorded market its own history, else of the history sources of the settings."""
        if market is None or not market.is_recorded:
            return self._daily_bars
        from spy32.wiring.daily_bars import DailyBarMemo

        return DailyBarMemo(market.history, self.clock)

    @cached_property
    def _daily_bars(self) -> "DailyBarLookup":
        from spy32.wiring.daily_bars import DailyBarMemo, request_history
        from spy32.wiring.markets import load_recorded_market

        def request_bars(ticker: str, since: date) -> "tuple[DailyBar, ...]":
            recorded = (load_recorded_market(self.settings.market.chain[0]),) if self.is_recorded(None) else ()
            return request_history(recorded or self.market_registry.history_sources, ticker, since)

        return DailyBarMemo(request_bars, self.clock)

    def is_recorded(self, requested: str | None) -> bool:
        """Whether the chain comes from a recorded market, also where its file cannot be read."""

        return is_recorded_source(requested or self.settings.market.chain[0])

    def start_context(self, settings: Settings, *, market: str | None, analyst: str | None) -> "StartContext":
        """Everything that a start of `analyze` needs of the world; `settings` are those of its profile."""
        from spy32.pipeline.start import StartContext

        name = analyst or settings.analyst.name
        return StartContext(
            open_store=self.store,
            has_database=self.database.exists(),
            locks=self.locks,
            settings=self.settings,
            set_up_at=self.set_up_at,
            clock=self.clock,
            load_sources=lambda: self.load_sources(market),
            settle_ended=lambda store, sources: self.settle_ended(
                store, sources.chain[0] if sources.is_recorded else None
            ),
            is_recorded=self.is_recorded(market),
            build_run_context=lambda store, sources, run: self.run_context(
                store, sources=sources, analyst=name, settings=settings, run=run
            ),
            warn=self.warn,
            ping_start=self.notice_sender.ping_start,
        )

    def run_context(
        self, store: "Store", *, sources: "Sources", analyst: str, settings: Settings, run: "Run"
    ) -> "RunContext":
        """Everything that one weekly run needs of the world."""
        from spy32.pipeline.context import RunContext
        from spy32.wiring.analysts import renew_experiments
        from spy32.wiring.markets import event_calendar, find_history

        broker = self.broker(store, sources.chain[0])
        self.log.begin_run(run.id)
        renew_experiments(self, store, run.profile, settings)
        seed = int.from_bytes(os.urandom(4), "big")
        until = self.monotonic() + settings.schedule.run_deadline_seconds
        return RunContext(
            store=store,
            sources=sources,
            events=event_calendar(self.locations, settings.profiles[run.profile].underlying),
            documents=lambda: tuple(self.market_registry.documents) if not sources.is_recorded else (),
            find_history=find_history,
            analyst=self.analyst(analyst, settings, store, run.id, seed, until),
            shadows=self._build_shadows(analyst, settings, store, run.id, seed),
            account=broker,
            orders=broker,
            settings=settings,
            profile=run.profile,
            run_id=run.id,
            clock=self.clock,
            monotonic=self.monotonic,
            until=until,
            seed=seed,
            report=self.report,
            report_step=self.report_step,
        )

    def trading_context(
        self,
        store: "Store",
        proposal: "Proposal | None",
        *,
        tell: Callable[[str], None] | None = None,
        later: "RecordedMarket | None" = None,
    ) -> "TradingContext":
        """Everything to act on `proposal`, with the market that it was made on or a `later` recorded one."""
        profile = proposal.profile if proposal is not None else "default"
        self.log.run_id = proposal.run_id if proposal is not None else None
        return self._build_trading_context(store, self.load_proposal_market(store, proposal, later), profile, tell)

    def build_run_trading_context(self, store: "Store", run_id: int) -> "TradingContext":
        """Everything to act on a run that made no proposal, on the market that it saw."""
        view = store.history.view(run_id)
        is_recorded = view.market is not None and view.market.is_recorded
        name = view.market.source if view.market is not None else self.settings.market.chain[0]
        market = self._load_seen_market(store, run_id) if is_recorded else self.market_registry.quote_market(name)
        return self._build_trading_context(store, market, view.run.profile, None)

    def _build_trading_context(
        self, store: "Store", market: "Market | None", profile: str, tell: Callable[[str], None] | None
    ) -> "TradingContext":
        from spy32.settings.profiles import for_profile
        from spy32.trading.context import TradingContext

        broker = self.broker(store, market)
        return TradingContext(
            store=store,
            market=market,
            orders=broker,
            account=broker,
            locks=self.locks,
            settings=for_profile(self.settings, profile),
            clock=self.clock,
            sleep=self.sleep,
            halt_reason=self.halt_reason,
            report=tell or self.report,
            show_progress=self.show_progress,
            dividends=partial(self.market_registry.find_dividends, market),
        )

    def settle_ended(self, store: "Store", market: "Market | None" = None) -> None:
        """Settle what has ended, and warn of what cannot be settled yet; `market` has the closes of a recorded one.

        Nothing of a broker is loaded while nothing can have ended.
        """
        if not store.trades.select_expired(self.clock()) and not store.trades.select(TradeState.ASSIGNED):
            return
        from spy32.trading import reconcile

        try:
            settled = reconcile.settle_ended(self._build_trading_context(store, market, "default", None))
        except Spy32Error as error:
            self.warn(f"trades that have ended are not settled: {error.message}")
            return
        for message in chain.from_iterable(settled.warnings.values()):
            self.warn(message)

    def load_proposal_market(
        self, store: "Store", proposal: "Proposal | None", later: "RecordedMarket | None" = None
    ) -> "Market | None":
        """The market of a proposal. A recorded one is a `later` one, the newest mark of its trade, or what its run saw;
        its time is the clock.
        """
        from spy32.wiring.markets import can_manage, find_marked_market

        if proposal is None:
            return self._use_recorded_market(later) if later is not None else None
        if proposal.is_recorded:
            is_later = later is not None and can_manage(later, proposal)
            marked = later if is_later else find_marked_market(store, proposal)
            return self._use_recorded_market(marked) if marked else self._load_seen_market(store, proposal.run_id)
        self.clockwork = self.process_clock
        return self.market_registry.quote_market(proposal.market)

    def _load_seen_market(self, store: "Store", run_id: int) -> "Market":
        from spy32.markets.recorded import SnapshotMarket

        return self._use_recorded_market(SnapshotMarket(store.decisions.snapshot(run_id)))

    def _use_recorded_market(self, market: "RecordedMarket | SnapshotMarket | MarkMarket") -> "Market":
        """The market, with the time of its quotes as the clock of this process; on paper only."""
        if self.settings.mode is not Mode.PAPER:
            raise BadSettings(f"a recorded market goes with mode paper only, not with mode {self.settings.mode}")
        self.clockwork = Clockwork(market.as_of, frozen=True)
        return market


def _build_grok(app: App, settings: Settings, store: "Store", run_id: int, seed: int, until: float) -> "Analyst":
    from spy32.wiring import analysts

    version = analysts.prompt_version(settings)
    return analysts.build_model_analyst(
        app, settings, store, run_id, version=version, role=AnswerRole.CHOSEN, seed=seed, until=until
    )


def _build_paper(app: App, store: "Store", market: "Market | None") -> "Broker":
    from spy32.brokers.paper import PaperBroker

    return PaperBroker(
        ledger=store.paper,
        market=market,
        find_bar=app.daily_bar_lookup(market),
        clock=app.clock,
        settings=app.settings,
        number=app.account_number,
    )


def _build_tastytrade(app: App, store: "Store", _market: "Market | None") -> "Broker":
    """The account of the setting, else the one that the database is stamped with, else the only open one.

    A database of another account refuses it; a new one is stamped.
    """
    from spy32.settings.checks import broker_secrets

    broker_secrets(app.settings)  # says at once what is missing

    def find_number() -> str:
        number = app.tastytrade.account(app.settings.tastytrade.account or store.core.account)
        store.bind_account(number, app.clock())
        return number

    return app.tastytrade.broker(find_number)


ANALYSTS: "Mapping[str, Callable[[App, Settings, Store, int, int, float], Analyst]]" = {
    "grok": _build_grok,
    "rules": lambda app, settings, *_: app.rule("rules", settings),
}
"""Analyst builders by their name in the settings."""
BROKERS: "Mapping[Mode, Callable[[App, Store, Market | None], Broker]]" = {
    Mode.PAPER: _build_paper,
    Mode.SANDBOX: _build_tastytrade,
    Mode.LIVE: _build_tastytrade,
}
"""Broker builders by mode."""
