"""Collects everything that the sources offer around the expirations near the target, at one time."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from spy32.domain.events import EventCalendar, ScheduledEvent
from spy32.domain.market import Chain, Dividend, MarketSnapshot, Metric, SourceAttempt
from spy32.domain.value import value
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.pipeline.sources import Inquiry, InquiryRound, Sources
from spy32.ports import Market, Monotonic
from spy32.sessions import days_to_expiration, market_date, near_expirations
from spy32.settings import Settings

HISTORY_SPAN = timedelta(days=380)
"""A year of daily bars (setting `dte.data` at 32 DTE); 252 returns need 253 sessions, a few days more than a year."""
INDICES = ("vix", "vix9d", "vix3m")
RATE_RANGE = (-0.02, 0.20)
"""Plausible interest rates, continuous, fractions a year. A figure outside is an error of the source."""
MAX_RATE_AGE = timedelta(days=7)
"""Oldest usable rate: bill rates are published daily, and a week covers every run of closed days."""
RATE_SETTING = "setting market.rate"
DIVIDEND_HORIZON = timedelta(days=60)
"""How far ahead ex-dates are extrapolated: beyond the longest DTE of the settings (40 days)."""


MAX_OTHERS = 5
"""Most expirations beside the nearest that a source is asked for: within the three days of the settings there are never
more, and a tolerance of ten days must not ask a source for a month of dailies."""


@value
class SourceChain:
    """A source's chain of one expiration, with its neighbours."""

    chain: Chain
    target: date
    others: tuple[date, ...] = ()
    """The other expirations within the tolerance, nearest the target of the settings first."""


@value
class CollectRequest:
    """What to request from the sources."""

    underlying: str
    settings: Settings
    now: datetime
    events: Callable[[tuple[ScheduledEvent, ...] | None], EventCalendar]
    """The calendar for this underlying, given its earnings if they are known."""
    monotonic: Monotonic
    seconds: float
    """Longest time for everything."""

    @property
    def today(self) -> date:
        return market_date(self.now)


class SourceAnswers:
    """The sources' answers to all questions, asked side by side: chains in the order of their sources, and the rest."""

    def __init__(self, sources: Sources, request: CollectRequest, report: Callable[[str], None]) -> None:
        self._sources, self._request = sources, request
        self._round = InquiryRound(request.seconds, request.monotonic, report)
        self._served_count = 0
        knobs, name, since = request.settings.market, request.underlying, request.today - HISTORY_SPAN
        chains = tuple(dict.fromkeys((*sources.chain, *sources.checks)))
        self.chains_needed = 2 if knobs.cross_check and len(chains) > 1 else 1
        """Number of usable chains wanted: one, or two with a cross-check."""
        self._chain = Inquiry("chain", chains, lambda source: _load_chain(source, request), self.chains_needed)
        self._history = Inquiry("history", sources.history, lambda source: source.history(name, since) or None)
        self._levels: dict[str, Metric] = {}
        """The VIX family. A later source fills in what an earlier one lacked."""
        self._vix = Inquiry(
            "vix", sources.vix, lambda source: _load_volatility_levels(source, self._levels, request.today)
        )
        self._vix_year = Inquiry("vix year", sources.vix, lambda source: source.volatility_history(since) or None)
        # One source has past ex-dates, a table has coming ones; both are merged.
        self._dividends = [
            Inquiry("dividends", (dividend_source,), lambda source: source.dividends(name))
            for dividend_source in sources.dividends
        ]
        self._rate = Inquiry("rate", sources.rate, lambda source: _load_rate(source, request.now))
        self._related = tuple(ticker for ticker in knobs.related if ticker != name)
        self._moves = Inquiry(
            "moves",
            sources.vix if knobs.related else (),
            lambda source: _load_moves(source, self._related, request.today),
        )
        self._metrics = Inquiry("metrics", sources.broker, lambda source: source.metrics(name) or None)
        self._earnings = Inquiry("earnings", sources.broker, lambda source: source.earnings(name))
        first = (self._chain, self._history, self._vix, self._vix_year)
        self._round.run([*first, *self._dividends, self._rate, self._moves, self._metrics, self._earnings])

    def new_chains(self) -> tuple[tuple[Market, SourceChain], ...]:
        """Return the chains that arrived since the last call."""
        answers = sorted(self._chain.answers.items())[self._served_count :]
        self._served_count += len(answers)
        return tuple((self._chain.sources[place], chain) for place, chain in answers)

    def request_chains(self, count: int) -> tuple[tuple[Market, SourceChain], ...]:
        """Request `count` more chains from sources that were not asked yet, while there are any and time is left."""
        if count <= 0:
            return ()
        self._chain.answers_needed = count
        self._round.run([self._chain])
        return self.new_chains()

    def load_expiration(self, source: Market, day: date) -> SourceChain | None:
        """Return the source's chain of another expiration, with its neighbours; None when it cannot be had in time."""
        name = self._request.underlying

        def ask(source: Market) -> SourceChain:
            return SourceChain(chain=_load_around(source, name, source.expirations(name), day), target=day)

        inquiry = Inquiry("expiration", (source,), ask)
        self._round.run([inquiry])
        return inquiry.answer

    def days_left(self, day: date) -> int:
        """Return the days to an expiration."""
        return days_to_expiration(day, self._request.today)

    def snapshot(self, source_chain: SourceChain) -> MarketSnapshot:
        """Return the snapshot with this chain."""
        chain, request = source_chain.chain, self._request
        rate = self._rate.answer
        if rate is None:
            rate = Metric(value=request.settings.market.rate, unit="fraction", source=RATE_SETTING)
        is_recorded = self._sources.is_recorded
        return MarketSnapshot(
            underlying=request.underlying,
            as_of=chain.as_of,
            source=chain.source,
            is_recorded=is_recorded,
            chain=chain,
            target=source_chain.target,
            dte=days_to_expiration(source_chain.target, request.today),
            history=self._history.answer or (),
            volatility=self._levels or _missing_data(INDICES, self._vix, "percent"),
            volatility_history=self._vix_year.answer or (),
            rate=rate,
            dividends=merge_dividends([inquiry.answer for inquiry in self._dividends], request.today),
            collected_at=None if is_recorded else request.now,
            moves=self._moves.answer or _missing_data(self._related, self._moves, "fraction"),
            metrics=self._metrics.answer or {},
            events=request.events(self._earnings.answer),
            tried=self.attempts,
        )

    def may_trade(self, source: Market) -> bool:
        """Return False for a source that is only used for the cross-check."""
        return source in self._sources.chain

    @property
    def attempts(self) -> tuple[SourceAttempt, ...]:
        """What was asked for. Of further expirations only failures: the offer tells what came of the rest."""
        asked = (attempt for attempt in self._round.attempts if attempt.datum != "expiration" or not attempt.ok)
        return (*self._sources.unavailable, *asked)

    @property
    def error(self) -> Spy32Error:
        """The error when no source that may be traded on has a usable chain.

        With several sources it is `Unavailable` (try later) if any error is, because that source may come back.
        """
        errors, unavailable = self._chain.errors, self._sources.unavailable
        if len(errors) == 1 and not unavailable:
            return errors[0]
        details = [error.message for error in errors] + [f"{each.source}: {each.detail}" for each in unavailable]
        message = "no source has a usable chain: " + "; ".join(details)
        if any(isinstance(error, Unavailable) for error in errors):
            return Unavailable(message)
        return Unusable(message, gate=getattr(errors[0], "gate", None) if errors else None)


def _load_chain(source: Market, request: CollectRequest) -> SourceChain:
    """Return the source's chain around the expiration nearest the target. Raises `Unusable` without one."""
    expirations = source.expirations(request.underlying)
    target, *others = _near_expirations(expirations, request.today, request.settings)
    chain = _load_around(source, request.underlying, expirations, target)
    if chain.underlying != request.underlying:
        raise Unusable(f"asked for {request.underlying}, the source {source.name} answered {chain.underlying}")
    return SourceChain(chain=chain, target=target, others=tuple(others[:MAX_OTHERS]))


def _load_around(source: Market, underlying: str, expirations: tuple[date, ...], target: date) -> Chain:
    """Return the chain of the target with the expirations before and after it; alone when one of those is unusable."""
    listed = sorted(expirations)
    place = listed.index(target)
    days = tuple(listed[max(place - 1, 0) : place + 2])
    try:
        return source.chain(underlying, days)
    except Unusable:
        if days == (target,):
            raise
        return source.chain(underlying, (target,))


def _near_expirations(expirations: tuple[date, ...], today: date, settings: Settings) -> tuple[date, ...]:
    """Return the expirations within the tolerance, nearest first. Raises `Unusable` without one."""
    target_dte, tolerance = settings.dte.default, settings.choice.dte_tolerance
    near = near_expirations(expirations, today, target_dte, tolerance)
    if near:
        return near
    distances = sorted((days_to_expiration(day, today) for day in expirations), key=lambda days: abs(days - target_dte))
    hint = f"the nearest is {distances[0]} days away" if distances else "none is listed"
    raise Unusable(f"no expiration within {tolerance} days of {target_dte} days: {hint}", gate="expiration")


def _load_volatility_levels(source: Market, levels: dict[str, Metric], today: date) -> dict[str, Metric] | None:
    """Add this source's levels of the VIX family. Raises `Unavailable` while one is missing, so that the next source is
    asked."""
    served = _todays_metrics(source, source.volatility(), today)
    if not served:
        return None
    levels |= {name: level for name, level in served.items() if name not in levels or levels[name].value is None}
    missing = [name for name in INDICES if name not in levels or levels[name].value is None]
    if source.is_recorded or not missing:
        return levels
    reasons = [f"{name.upper()}: {levels[name].missing}" for name in missing if name in levels]
    raise Unavailable("; ".join(reasons) or f"{source.name} has no VIX")


def _todays_metrics(source: Market, metrics: dict[str, Metric], today: date) -> dict[str, Metric]:
    """Return the metrics; of a live source those of another day are missing."""
    if source.is_recorded:
        return metrics
    return {name: _require_today(metric, today) for name, metric in metrics.items()}


def _require_today(level: Metric, today: date) -> Metric:
    """Return the metric; missing when it is from another day. A stale value is never used."""
    if level.value is None or (level.as_of is not None and market_date(level.as_of) == today):
        return level
    reason = f"it is of {market_date(level.as_of)}" if level.as_of is not None else "it has no time"
    return Metric(value=None, unit=level.unit, source=level.source, missing=f"{reason}, not of {today}")


def _load_rate(source: Market, now: datetime) -> Metric | None:
    rate = source.rate()
    if rate.value is None:
        return None
    if not RATE_RANGE[0] <= rate.value <= RATE_RANGE[1]:
        raise Unusable(f"{source.name}: a rate of {rate.value:.2%} a year is not plausible")
    if not source.is_recorded and (rate.as_of is None or now - rate.as_of > MAX_RATE_AGE):
        raise Unusable(f"{source.name}: its rate is not of the last {MAX_RATE_AGE.days} days")
    return rate


def _load_moves(source: Market, tickers: Sequence[str], today: date) -> dict[str, Metric] | None:
    """Return the source's moves of the tickers. Raises `Unavailable` when it has none of them."""
    moves = _todays_metrics(source, source.moves(tickers), today)
    if moves and all(move.value is None for move in moves.values()):
        raise Unavailable("; ".join(dict.fromkeys(move.missing or "" for move in moves.values())))
    return moves or None


def _missing_data(names: Sequence[str], inquiry: Inquiry[dict[str, Metric]], unit: str) -> dict[str, Metric]:
    """Return each datum as missing, with the sources' error messages as the reason."""
    reason = "; ".join(error.message for error in inquiry.errors) or "no source serves it"
    return {name: Metric(value=None, unit=unit, source="", missing=reason) for name in names if inquiry.sources}


def merge_dividends(found: Iterable[tuple[Dividend, ...] | None], today: date) -> tuple[Dividend, ...] | None:
    """Return the ex-dates of all sources from the last past one onwards; None when no source answered.

    `found` has one answer a source, None where it gave none. For one ex-date the first source's amount counts.
    """
    answers = [answer for answer in found if answer is not None]
    if not answers:
        return None
    dividends = {dividend.ex_date: dividend for answer in reversed(answers) for dividend in answer}
    last = max((day for day in dividends if day <= today), default=date.min)
    known = tuple(dividends[day] for day in sorted(dividends))
    return (*(each for each in known if each.ex_date >= last), *_expected_dividends(known, today))


def _expected_dividends(known: Sequence[Dividend], today: date) -> tuple[Dividend, ...]:
    """Return the next ex-dates, extrapolated by the median interval of past ones; () when a coming one is known."""
    days = [dividend.ex_date for dividend in known]
    if len(days) < 2 or days[-1] > today:
        return ()
    gaps = sorted((after - before).days for before, after in pairwise(days))
    day, step = days[-1], timedelta(days=gaps[len(gaps) // 2])
    expected = []
    while (day := day + step) <= today + DIVIDEND_HORIZON and step.days > 0:
        expected.append(Dividend(ex_date=day, amount=known[-1].amount, is_expected=True))
    return tuple(dividend for dividend in expected if dividend.ex_date > today)
