"""Everything that the sources show around the expiration nearest the target, at one moment."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from spy32.domain.events import Event, EventBook
from spy32.domain.market import Chain, Datum, Dividend, MarketSnapshot, Tried
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.pipeline.sources import Inquiry, Round, Sources
from spy32.ports import Market
from spy32.sessions import days_to_expiration, market_date, nearest_expiration
from spy32.settings import Settings

T = TypeVar("T")

HISTORY = timedelta(days=380)
"""A year of daily bars, as the 32-day row of the old data table asks: 252 returns need a few days more."""
INDICES = ("vix", "vix9d", "vix3m")
RATES = (-0.02, 0.20)
"""A year, continuous: outside of it the figure is not a rate."""
RATE_AGE = timedelta(days=7)
RATE_SETTING = "setting market.rate"
NEAR_FUTURE = timedelta(days=60)
"""How far ahead a next ex-date is expected by the interval of the past ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A source's chain: its expiration nearest the target with the neighbours."""

    chain: Chain
    target: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to ask for."""

    underlying: str
    settings: Settings
    now: datetime
    events: Callable[[tuple[Event, ...] | None], EventBook]
    """The calendar for this underlying, given its earnings if they are known."""

    @property
    def today(self) -> date:
        return market_date(self.now)


class Gathered:
    """What came: the snapshot but for its chain, and the chains that it may have, in the order of their sources."""

    def __init__(self, sources: Sources, wanted: Wanted, turn: Round) -> None:
        self._sources, self._wanted, self._turn = sources, wanted, turn
        self._asked = _Questions.of(sources, wanted)
        turn.run(self._asked.all)
        self._told = 0
        self.enough = self._asked.chain.wanted
        """Healthy chains that are wanted: one, or another one to check it."""

    def fresh(self) -> tuple[tuple[Market, Listed], ...]:
        """The chains that came since the last time."""
        found = sorted(self._asked.chain.answers.items())[self._told :]
        self._told += len(found)
        return tuple((self._asked.chain.sources[place], listed) for place, listed in found)

    def more(self, count: int) -> tuple[tuple[Market, Listed], ...]:
        """So many more chains, of the sources that were not asked yet, as far as there are any and time for them."""
        if count <= 0:
            return ()
        self._asked.chain.wanted = count
        self._turn.run([self._asked.chain])
        return self.fresh()

    def snapshot(self, found: Listed) -> MarketSnapshot:
        return _snapshot(self._asked, self._sources, self._wanted, found, self.tried)

    def may_trade(self, source: Market) -> bool:
        """False for a source that may only check."""
        return any(source.name == each.name for each in self._sources.chain)

    @property
    def tried(self) -> tuple[Tried, ...]:
        return (*self._sources.absent, *self._turn.tried)

    @property
    def trouble(self) -> Spy32Error:
        """Of the sources that may be traded on, when none of them has a chain that can be used."""
        return _no_chain(self._asked.chain, self._sources)


def gather(sources: Sources, wanted: Wanted, tell: Callable[[str], None]) -> Gathered:
    """All questions side by side."""
    return Gathered(sources, wanted, Round(wanted.settings.market.deadline_seconds, tell))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    chain: Inquiry[Listed]
    history: Inquiry[tuple[object, ...]]
    volatility: Inquiry[dict[str, Datum]]
    levels: dict[str, Datum]
    """The VIX family as far as any source had it; a later source fills what an earlier one lacked."""
    vix_history: Inquiry[tuple[tuple[date, float], ...]]
    dividends: tuple[Inquiry[tuple[Dividend, ...]], ...]
    rate: Inquiry[Datum]
    moves: Inquiry[dict[str, Datum]]
    metrics: Inquiry[dict[str, Datum]]
    earnings: Inquiry[tuple[Event, ...]]

    @classmethod
    def of(cls, sources: Sources, wanted: Wanted) -> "_Questions":
        name, knobs, since = wanted.underlying, wanted.settings.market, wanted.today - HISTORY
        chains = _once((*sources.chain, *sources.checks))
        levels: dict[str, Datum] = {}
        two = knobs.cross_check and len(chains) > 1
        return cls(
            chain=Inquiry(
                datum="chain", sources=chains, ask=lambda source: _listed(source, wanted), wanted=2 if two else 1
            ),
            history=Inquiry(
                datum="history", sources=sources.history, ask=lambda source: source.history(name, since) or None
            ),
            volatility=Inquiry(
                datum="vix", sources=sources.vix, ask=lambda source: _levels(source, levels, wanted.today)
            ),
            levels=levels,
            vix_history=Inquiry(
                datum="vix year", sources=sources.vix, ask=lambda source: source.volatility_history(since) or None
            ),
            # A source of past ex-dates and a table of coming ones are put together.
            dividends=tuple(
                Inquiry(datum="dividends", sources=(each,), ask=lambda source: source.dividends(name))
                for each in sources.dividends
            ),
            rate=Inquiry(datum="rate", sources=sources.rate, ask=lambda source: _served_rate(source, wanted.now)),
            moves=Inquiry(
                datum="moves",
                sources=sources.vix if knobs.related else (),
                ask=lambda source: _some_move(source, asked_tickers(wanted), wanted.today),
            ),
            metrics=Inquiry(datum="metrics", sources=sources.broker, ask=lambda source: source.metrics(name) or None),
            earnings=Inquiry(datum="earnings", sources=sources.broker, ask=lambda source: source.earnings(name)),
        )

    @property
    def all(self) -> list[Inquiry[object]]:
        asked: tuple[object, ...] = (
            self.chain,
            self.history,
            self.volatility,
            self.vix_history,
            *self.dividends,
            self.rate,
            self.moves,
            self.metrics,
            self.earnings,
        )
        return [inquiry for inquiry in asked if isinstance(inquiry, Inquiry)]


def _snapshot(
    asked: _Questions, sources: Sources, wanted: Wanted, found: Listed, tried: tuple[Tried, ...]
) -> MarketSnapshot:
    chain, settings = found.chain, wanted.settings
    rate = asked.rate.answer
    if rate is None:
        rate = Datum(value=settings.market.rate, unit="fraction", source=RATE_SETTING)
    return MarketSnapshot(
        underlying=wanted.underlying,
        as_of=chain.as_of,
        source=chain.source,
        is_recorded=sources.is_recorded,
        chain=chain,
        target=found.target,
        dte=days_to_expiration(found.target, wanted.today),
        history=asked.history.answer or (),  # type: ignore[arg-type]
        volatility=asked.levels or _missing(INDICES, asked.volatility, "percent"),
        volatility_history=asked.vix_history.answer or (),
        rate=rate,
        dividends=_together(asked.dividends, wanted.today),
        collected_at=None if sources.is_recorded else wanted.now,
        moves=asked.moves.answer or _missing(asked_tickers(wanted), asked.moves, "fraction"),
        metrics=asked.metrics.answer or {},
        events=wanted.events(asked.earnings.answer),
        tried=tried,
    )


def asked_tickers(wanted: Wanted) -> tuple[str, ...]:
    """The related tickers, without the underlying itself."""
    return tuple(ticker for ticker in wanted.settings.market.related if ticker != wanted.underlying)


def with_second(snapshot: MarketSnapshot, chain: Chain) -> MarketSnapshot:
    """The snapshot with the same expiration as a second source has it."""
    return replace(snapshot, second=chain.at(snapshot.target))


def _once(sources: Sequence[Market]) -> tuple[Market, ...]:
    """Each source at its first place."""
    return tuple({source.name: source for source in reversed(sources)}[name] for name in _names(sources))


def _names(sources: Sequence[Market]) -> Iterator[str]:
    yield from dict.fromkeys(source.name for source in sources)


def _listed(source: Market, wanted: Wanted) -> Listed:
    """The chain around the expiration nearest the target, as this source lists it."""
    listed = source.expirations(wanted.underlying)
    target = _target(listed, wanted.today, wanted.settings)
    chain = _around(source, wanted.underlying, _neighbours(listed, target), target)
    if chain.underlying != wanted.underlying:
        raise Unusable(f"asked for {wanted.underlying}, the source {source.name} answered {chain.underlying}")
    return Listed(chain=chain, target=target)


def _around(source: Market, underlying: str, days: tuple[date, ...], target: date) -> Chain:
    """The chain with the target's neighbours, or of the target alone where one of them cannot be had."""
    try:
        return source.chain(underlying, days)
    except Unusable:
        if days == (target,):
            raise
        return source.chain(underlying, (target,))


def _target(listed: tuple[date, ...], today: date, settings: Settings) -> date:
    aim, tolerance = settings.dte.default, settings.choice.dte_tolerance
    found = nearest_expiration(listed, today, aim, tolerance)
    if found is not None:
        return found
    ahead = sorted((days_to_expiration(day, today) for day in listed), key=lambda days: abs(days - aim))
    nearest = f"the nearest is {ahead[0]} days away" if ahead else "none is listed"
    raise Unusable(f"no expiration within {tolerance} days of {aim} days: {nearest}", gate="expiration")


def _neighbours(listed: tuple[date, ...], target: date) -> tuple[date, ...]:
    """The target with the expiration before and the one after it."""
    days = sorted(listed)
    place = days.index(target)
    return tuple(days[max(place - 1, 0) : place + 2])


def _levels(source: Market, levels: dict[str, Datum], today: date) -> dict[str, Datum] | None:
    """What this source adds to the VIX family; it served when nothing is missing any more."""
    served = source.volatility()
    if not served:
        return None
    for name, level in served.items():
        now = level if source.is_recorded else _of_today(level, today)
        if name not in levels or levels[name].value is None:
            levels[name] = now
    if source.is_recorded or all(levels.get(name) is not None and levels[name].value is not None for name in INDICES):
        return levels
    lacking = [f"{name.upper()}: {levels[name].missing}" for name in INDICES if name in levels and levels[name].missing]
    raise Unavailable("; ".join(lacking) or f"{source.name} has no VIX")


def _of_today(level: Datum, today: date) -> Datum:
    """A level or a move of another session is missing, not stale."""
    if level.value is None or (level.as_of is not None and market_date(level.as_of) == today):
        return level
    when = f"it is of {market_date(level.as_of)}" if level.as_of is not None else "it has no time"
    return Datum(value=None, unit=level.unit, source=level.source, missing=f"{when}, not of {today}")


def _served_rate(source: Market, now: datetime) -> Datum | None:
    rate = source.rate()
    if rate.value is None:
        return None
    if not RATES[0] <= rate.value <= RATES[1]:
        raise Unusable(f"{source.name}: a rate of {rate.value:.2%} a year is none")
    if not source.is_recorded and (rate.as_of is None or now - rate.as_of > RATE_AGE):
        raise Unusable(f"{source.name}: its rate is not of the last {RATE_AGE.days} days")
    return rate


def _some_move(source: Market, tickers: Sequence[str], today: date) -> dict[str, Datum] | None:
    """The moves that a source has; it failed when it has none of those that were asked."""
    moves = source.moves(tickers)
    if not source.is_recorded:
        moves = {ticker: _of_today(move, today) for ticker, move in moves.items()}
    if moves and all(move.value is None for move in moves.values()):
        raise Unavailable("; ".join(dict.fromkeys(move.missing or "" for move in moves.values())))
    return moves or None


def _missing(names: Sequence[str], inquiry: Inquiry[dict[str, Datum]], unit: str) -> dict[str, Datum]:
    """Each datum as missing, with what its sources said."""
    why = "; ".join(error.message for error in inquiry.errors) or "no source serves it"
    return {name: Datum(value=None, unit=unit, source="", missing=why) for name in names if inquiry.sources}


def _together(inquiries: Sequence[Inquiry[tuple[Dividend, ...]]], today: date) -> tuple[Dividend, ...] | None:
    """The ex-dates of all sources from the last past one on, the first source's word on each; None without a source."""
    answers = [inquiry.answer for inquiry in inquiries if inquiry.answer is not None]
    if not answers:
        return None
    found: dict[date, Dividend] = {}
    for answer in answers:
        for dividend in answer:
            found.setdefault(dividend.ex_date, dividend)
    last = max((day for day in found if day <= today), default=date.min)
    known = tuple(found[day] for day in sorted(found))
    return (*(each for each in known if each.ex_date >= last), *_next(known, today))


def _next(known: Sequence[Dividend], today: date) -> tuple[Dividend, ...]:
    """The next ex-dates by the interval of the past ones, as expected; none where a coming one is known."""
    days = [each.ex_date for each in known]
    if len(days) < 2 or days[-1] > today:
        return ()
    gaps = sorted((after - before).days for before, after in pairwise(days))
    day, step = days[-1], timedelta(days=gaps[len(gaps) // 2])
    found = []
    while (day := day + step) <= today + NEAR_FUTURE and step.days > 0:
        found.append(Dividend(ex_date=day, amount=known[-1].amount, is_expected=True))
    return tuple(each for each in found if each.ex_date > today)


def _no_chain(inquiry: Inquiry[Listed], sources: Sources) -> Spy32Error:
    """One source's own error; of several the kindest, since another try may help where one of them may come back."""
    errors = inquiry.errors
    if len(errors) == 1 and not sources.absent:
        return errors[0]
    said = [error.message for error in errors] + [f"{tried.source}: {tried.detail}" for tried in sources.absent]
    words = "no source has a usable chain: " + "; ".join(said)
    if any(isinstance(error, Unavailable) for error in errors):
        return Unavailable(words)
    return Unusable(words, gate=getattr(errors[0], "gate", None) if errors else None)
