"""Keeps what came of every candidate of every menu, computed from the store alone.

Of a run that is open, the closes of its sessions are stored, and then each candidate is settled at its expiration and
followed through its exit plan. What the sources do not have yet leaves an outcome open, with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import takewhile

from spy32.domain.market import DailyBar, MarketSnapshot
from spy32.domain.marks import Mark
from spy32.domain.outcomes import CandidateOutcome, DailyClose, PlanOutcome
from spy32.domain.spreads import Candidate
from spy32.domain.units import RunId
from spy32.domain.value import value
from spy32.errors import BadUsage, Spy32Error, Unavailable, Unusable
from spy32.options.surface import Smile
from spy32.ports import Clock, DailyBarLookup
from spy32.records.outcomes import OpenRun
from spy32.rules.outcomes import (
    expiry_result,
    find_split,
    modelled_marks,
    opening_fill,
    plan_outcome,
    settlement_price,
)
from spy32.rules.outlook import build_market_model, remaining_sessions
from spy32.rules.settlement import exact_price, expires_worthless
from spy32.sessions import last_trading_day, market_date
from spy32.settings import Settings
from spy32.settings.profiles import restore_settings
from spy32.store import Store

NO_PLAN = "the run saw no VIX or no usable chain, so that no plan can be followed on closes"


@value
class CloseSources:
    """Where closes come from."""

    name: str
    find_bar: DailyBarLookup
    vix_closes: Callable[[date], Mapping[date, float]]
    """Returns the VIX closes since a day, percent. Raises `Unavailable` or `Unusable`."""


@value
class OutcomeContext:
    """What outcomes are computed with."""

    store: Store
    clock: Clock
    sources: Callable[[bool], CloseSources]
    """Returns those of recorded markets, whose closes ship with the package, or of all other ones."""
    find_smile: Callable[[MarketSnapshot, Settings], Smile | None]
    """Returns the smile that a run saw, by its quality gates; None when a gate stops its chain."""


@value
class OpenReason:
    """Why a run is open."""

    run_id: RunId
    reason: str


@value
class OutcomeRefresh:
    """What one refresh did."""

    changed: tuple[RunId, ...]
    """Runs of which something became known."""
    pending: tuple[OpenReason, ...]
    """Runs that stay open."""
    errors: tuple[OpenReason, ...]
    """Runs whose records cannot be read."""


def refresh_outcomes(context: OutcomeContext, *, since: date | None = None, is_forced: bool = False) -> OutcomeRefresh:
    """Compute what is due, or with `is_forced` every open run that started since then, and store it."""
    outcomes, now = context.store.outcomes, context.clock()
    due = (
        tuple(outcomes.pair_with_last_session(outcomes.open_runs(since), now)) if is_forced else outcomes.due_runs(now)
    )
    changed: list[int] = []
    pending: list[OpenReason] = []
    errors: list[OpenReason] = []
    last_days = {run.is_recorded: last for run, last in due} if since is None else {}
    """Of each kind of market whose outcomes are all computed up to there."""
    for run, last in due:
        try:
            found = _RunOutcomes(context, run, last)
            results = found.compute()
            changed += [run.id] if outcomes.save(results, now) else []
        except Spy32Error as error:
            errors.append(OpenReason(run_id=run.id, reason=error.message))
            continue
        if found.is_late:
            last_days.pop(run.is_recorded, None)
        reason = next((each.pending for each in results if not each.is_final), None)
        pending += [OpenReason(run_id=run.id, reason=reason)] if reason is not None else []
    for is_recorded, last in last_days.items():
        outcomes.mark_computed(last, now, is_recorded=is_recorded)
    return OutcomeRefresh(changed=tuple(changed), pending=tuple(pending), errors=tuple(errors))


class _RunOutcomes:
    """The outcomes of one run by the closes up to `last`."""

    def __init__(self, context: OutcomeContext, run: OpenRun, last: date) -> None:
        self._context, self._run, self._store = context, run, context.store
        self._end = last_trading_day(run.expiration)
        days = [hours.day for hours in remaining_sessions(run.as_of, run.expiration)]
        self._due = [day for day in days if day <= last]
        self._is_over = last >= self._end
        self._fault = self._load_closes()
        closes = self._store.outcomes.closes.select(run.ticker, days[0], self._end)
        self._closes = {close.day: close for close in closes if close.day <= last}
        self.is_late = bool(self._due) and self._due[-1] == last and not self._has_close(last)
        """The newest close is not served yet, or not wholly: it is worth asking again soon."""
        self._split: date | None = None

    def compute(self) -> tuple[CandidateOutcome, ...]:
        """Return the outcome of each candidate of the menu."""
        decisions = self._store.decisions
        menu = decisions.menu(self._run.id, rejected=False)
        assert menu is not None
        stored = {each.candidate_id: each for each in self._store.outcomes.select(self._run.id)}
        if stored and all(each.plan is not None for each in stored.values()) and not self._is_over:
            return tuple(stored.values())
        snapshot = decisions.snapshot(self._run.id)
        settings = self._settings()
        self._split = find_split(snapshot.spot, [self._closes[day] for day in self._due if day in self._closes])
        modelled = self._model_marks(menu.candidates, snapshot, settings)
        trades = self._store.outcomes.trades(self._run.id)
        results = []
        for candidate in menu.candidates:
            known, marks = stored.get(candidate.id), modelled.get(candidate.id)
            plan = known.plan if known is not None else None
            if plan is None and marks is not None:
                marks_of_plan = self._add_stored_marks(marks, trades.get(candidate.id))
                plan = plan_outcome(candidate, snapshot.evaluated_at, marks_of_plan, settings)
            results.append(self._settle(candidate, plan, settings, has_marks=marks is not None))
        return tuple(results)

    def _settings(self) -> Settings:
        """Return the settings of the run; the defaults for one of the first version, which kept none."""
        try:
            return restore_settings(self._store.decisions.settings(self._run.id))
        except BadUsage:
            return Settings()

    def _model_marks(
        self, candidates: Sequence[Candidate], snapshot: MarketSnapshot, settings: Settings
    ) -> dict[str, tuple[Mark, ...]]:
        """Return the marks at closes by candidate id, without what the run saw too little of."""
        smile, vix = self._context.find_smile(snapshot, settings), _vix_level(snapshot)
        if smile is None or vix is None:
            return {}
        listed = [each for each in candidates if all(smile.view(leg.right, leg.strike) for leg in each.spread.legs)]
        path = [self._closes[day] for day in self._path()]
        marks = modelled_marks(listed, build_market_model(snapshot, smile), path, vix)
        return {each.id: found for each, found in zip(listed, marks, strict=True)}

    def _settle(
        self, candidate: Candidate, plan: PlanOutcome | None, settings: Settings, *, has_marks: bool
    ) -> CandidateOutcome:
        """Return the outcome of a candidate with what became of its plan so far."""
        history = candidate.outlook.expiry.history if candidate.outlook is not None else None
        close = self._closes.get(self._end)
        price = settlement_price(candidate.spread, close) if close is not None and self._split is None else None
        expiry = expiry_result(candidate, opening_fill(candidate, settings), price) if price is not None else None
        if expiry is not None and plan is None and has_marks and self._path() == self._due:
            plan = PlanOutcome(day=self._end, reason=None, result=expiry, is_modelled=True)
        is_final = price is not None and (plan is not None or not has_marks)
        return CandidateOutcome(
            run_id=self._run.id,
            candidate_id=candidate.id,
            strategy=candidate.spread.strategy,
            expiration=self._run.expiration,
            max_loss=candidate.max_loss,
            settlement=price,
            expiry=expiry,
            plan=plan,
            pending=self._pending() if not is_final else NO_PLAN if plan is None else None,
            is_final=is_final,
            is_worthless=expires_worthless(candidate.spread.legs, price) if price is not None else None,
            worthless_market=candidate.p_worthless,
            worthless_history=history.probabilities.worthless if history is not None else None,
        )

    def _add_stored_marks(self, modelled: Sequence[Mark], trade_id: int | None) -> Sequence[Mark]:
        """Return the marks that a plan is judged by: those on record of a real trade, and then the closes once it has
        ended."""
        if trade_id is None:
            return modelled
        marks = self._store.marks.select(trade_id)
        if self._store.trades.get(trade_id).closed_at is None and not self._is_over:
            return marks
        seen_until = market_date(marks[-1].at) if marks else date.min
        return (*marks, *(mark for mark in modelled if market_date(mark.at) > seen_until))

    def _path(self) -> list[date]:
        """Return the sessions whose closes are known without a gap, VIX and all."""
        return list(takewhile(lambda day: self._has_close(day) and day != self._split, self._due))

    def _has_close(self, day: date) -> bool:
        close = self._closes.get(day)
        return close is not None and close.vix is not None

    def _pending(self) -> str:
        """Return why something is not known."""
        if self._split is not None:
            return f"the close of {self._split} is of another scale than the price before it: a split, or a wrong bar"
        missing = next((day for day in self._due if not self._has_close(day)), None)
        if missing is None:
            return "its daily bar does not settle it" if self._is_over else f"it expires on {self._end}"
        what = "the VIX" if missing in self._closes else self._run.ticker
        return f"no source has the close of {what} on {missing}{f' ({self._fault})' if self._fault else ''}"

    def _load_closes(self) -> str | None:
        """Store the closes that are missing; return what kept the sources from telling."""
        outcomes, sources = self._store.outcomes, self._context.sources(self._run.is_recorded)
        if not self._due:
            return None
        known = {close.day: close for close in outcomes.closes.select(self._run.ticker, self._due[0], self._due[-1])}
        missing = [day for day in self._due if day not in known or known[day].vix is None]
        found: list[DailyClose] = []
        try:
            levels = sources.vix_closes(missing[0]) if missing else {}
            for day in missing:
                bar = sources.find_bar(self._run.ticker, day) if day not in known else None
                close = known.get(day) or _daily_close(self._run.ticker, bar, sources.name)
                found += [replace(close, vix=levels.get(day))] if close is not None else []
        except (Unavailable, Unusable) as error:
            return error.message
        finally:
            if found:
                outcomes.closes.save(found, self._context.clock())
        return None


def _vix_level(snapshot: MarketSnapshot) -> float | None:
    """Return the VIX that a run saw, percent, or its newest close before; None without either."""
    level = snapshot.volatility.get("vix")
    if level is not None and level.value is not None:
        return level.value
    return snapshot.volatility_history[-1][1] if snapshot.volatility_history else None


def _daily_close(ticker: str, bar: DailyBar | None, source: str) -> DailyClose | None:
    """Return the prices of a bar to the cent; None when it has no close."""
    price = exact_price(bar.close) if bar is not None else None
    if bar is None or price is None:
        return None
    return DailyClose(
        ticker=ticker,
        day=bar.day,
        close=price,
        source=source,
        open=exact_price(bar.open),
        low=exact_price(bar.low),
        high=exact_price(bar.high),
    )
