"""What outcomes are computed with, and their refresh after `manage`, which nothing of it may fail."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING

from spy32.domain.market import DailyBar, MarketSnapshot
from spy32.errors import Spy32Error
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.options.surface import Smile
    from spy32.ports import Clock
    from spy32.review.outcomes import CloseSources, OutcomeContext
    from spy32.store import Store
    from spy32.wiring.base import AppBase
    from spy32.wiring.markets import MarketRegistry


def refresh_due_outcomes(app: "AppBase", store: "Store", registry: "Callable[[], MarketRegistry]") -> None:
    """Compute what a session has closed for since; what goes wrong is a line of progress and in the log."""
    try:
        if not store.outcomes.due_runs(app.process_clock.now()):
            return
        from spy32.review.outcomes import refresh_outcomes

        found = refresh_outcomes(build_outcome_context(app, store, registry()))
    except Spy32Error as error:
        app.report(f"outcomes were not computed: {error.message}")
        return
    for run in found.errors:
        app.report(f"the outcomes of R{run.run_id} were not computed: {run.reason}")


def build_outcome_context(app: "AppBase", store: "Store", registry: "MarketRegistry") -> "OutcomeContext":
    """The store, the clock of the process, and the sources of closes: of recorded markets what ships with the package,
    whatever their files hold, else those of the settings.
    """
    from spy32.review.outcomes import OutcomeContext

    clock = app.process_clock.now
    recorded, other = _shipped_sources(clock), _live_sources(registry, clock)
    return OutcomeContext(
        store=store,
        clock=clock,
        sources=lambda is_recorded: recorded if is_recorded else other,
        find_smile=find_smile,
    )


def find_smile(snapshot: MarketSnapshot, settings: Settings) -> "Smile | None":
    """The smile that a run saw; None when a quality gate stops its chain."""
    from spy32.pipeline.collect import inspect_snapshot

    market, _ = inspect_snapshot(snapshot, settings)
    return market.smile if market is not None else None


def _shipped_sources(clock: "Clock") -> "CloseSources":
    from spy32.markets import bundled_history
    from spy32.review.outcomes import CloseSources
    from spy32.wiring.daily_bars import DailyBarMemo

    def request_bars(ticker: str, since: date) -> "tuple[DailyBar, ...]":
        return bundled_history.daily_bars(clock(), since) if ticker == bundled_history.UNDERLYING else ()

    return CloseSources(
        name=bundled_history.SOURCE,
        find_bar=DailyBarMemo(request_bars, clock),
        vix_closes=lambda since: dict(bundled_history.volatility_history(clock(), since)),
    )


def _live_sources(registry: "MarketRegistry", clock: "Clock") -> "CloseSources":
    from spy32.review.outcomes import CloseSources
    from spy32.wiring.daily_bars import DailyBarMemo, request_history, request_vix_closes

    answers: dict[date, dict[date, float]] = {}

    def find_vix_closes(since: date) -> Mapping[date, float]:
        """One request for all runs of a refresh, of which the oldest comes first."""
        known = next((found for first, found in answers.items() if first <= since), None)
        if known is None:
            known = answers[since] = request_vix_closes(registry.vix_sources, since)
        return known

    return CloseSources(
        name=", ".join(registry.settings.market.history),
        find_bar=DailyBarMemo(lambda ticker, since: request_history(registry.history_sources, ticker, since), clock),
        vix_closes=find_vix_closes,
    )
