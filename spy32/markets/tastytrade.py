"""tastytrade as a source of market data: live quotes with greeks and open interest, and the broker's own metrics.

Quotes come at most a hundred a call, so a chain is not asked for whole. Its middle expiration, the target, gets every
strike that could be sold, bought or needed for parity; the ones beside it get what parity needs. That is one call
for the listing, one for the spot, and one for each 99 contracts: six or seven for SPY with two neighbours.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Generic, TypeVar
from urllib.parse import quote

from spy32.clients.tastytrade import market as wire
from spy32.clients.tastytrade.market import Contract, Listing, Quote
from spy32.clients.tastytrade.rest import Rest
from spy32.domain.events import Event, EventKind
from spy32.domain.market import Chain, Datum, Dividend, LegQuotes, OptionQuote, Right
from spy32.domain.trading import Leg
from spy32.errors import Unavailable, Unusable
from spy32.markets.base import Unserved
from spy32.markets.recorded import of_legs
from spy32.sessions import market_date

T = TypeVar("T")

NEIGHBOUR = 0.03
"""Share of the spot either way, for an expiration beside the target."""
BOTH = 0.05
"""Share of the spot within which the target's calls and puts are both asked for."""
LOWEST, HIGHEST = 0.20, 0.12
"""Share of the spot down to which puts, and up to which calls are asked for: at a volatility of 40 % the 0.16-delta
strikes of 32 days and the legs beyond them still lie inside."""
MOST_CONTRACTS = 1980
STALE = timedelta(minutes=15)
"""Behind the underlying's own time. An older quote is none."""
MOVE = 0.001
"""Of the spot, between the first and the last call of one chain; more, and they are of different markets."""
DELAY_SECONDS = 900
KEPT_SECONDS = 300.0
"""For which listing and metrics, which change once a day, are not asked for again."""
VOLATILITY = {"VIX": "vix", "VIX9D": "vix9d", "VIX3M": "vix3m"}
AHEAD = timedelta(days=200)
BEHIND = timedelta(days=100)
"""Dates further off than this are not believed: one recorded answer had a next dividend of four years ago."""

RANKS = {"iv_rank": "implied-volatility-index-rank", "iv_percentile": "implied-volatility-percentile"}
PERCENTS = {"iv_30d": "implied-volatility-30-day", "hv_30d": "historical-volatility-30-day"}


class TastytradeMarket(Unserved):
    """Live market data of an account. `seconds` bounds each question, however many calls it takes."""

    name = "tastytrade"

    def __init__(self, rest: Rest, *, clock: Callable[[], datetime], seconds: float, is_delayed: bool = False) -> None:
        self._rest = rest
        self._clock = clock
        self._seconds = seconds
        self._delay_seconds = DELAY_SECONDS if is_delayed else 0
        self._listings = _Memo[Listing](rest.http.monotonic)
        self._metrics = _Memo[wire.Fields | None](rest.http.monotonic)

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Every expiration of a standard contract that is not past."""
        until, today = self._until(), market_date(self._clock())
        for fresh in (False, True):
            found = tuple(day for day in self._listing(underlying, until, fresh=fresh).expirations if day >= today)
            if found:
                return found
        raise Unusable(f"tastytrade lists no expiration of {underlying}", gate="expiration")

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The quotes around the money; of three expirations the outer two only as far as parity needs."""
        until = self._until()
        listing = self._with(underlying, expirations, until)
        about = _spot(self._ask(underlying, (), until, name=f"spot-{underlying}"), underlying).price
        assert about is not None
        wanted = _around(listing, sorted(set(expirations)), about)
        if len(wanted) > MOST_CONTRACTS:
            raise Unusable(f"tastytrade: {len(wanted)} contracts in one question, at most {MOST_CONTRACTS}")
        calls = [
            _Call(quotes=self._ask(underlying, part, until, name=f"quotes-{underlying}-{place}"), underlying=underlying)
            for place, part in enumerate(_parts(list(wanted)), 1)
        ]
        first, last = calls[0], calls[-1]
        if not abs(last.spot / first.spot - 1) <= MOVE:
            words = f"{underlying} moved from {first.spot:.2f} to {last.spot:.2f} while its options were read"
            raise Unavailable(f"tastytrade: {words}; try again")
        quotes = tuple(_option(wanted[row.symbol], row, call.at) for call in calls for row in call.options)
        if not quotes:
            raise Unusable(f"tastytrade quotes none of {len(wanted)} contracts of {underlying}", gate="dead_feed")
        # The first call holds the strikes nearest the money. Quotes that all stand still are as old as the newest.
        return Chain(
            underlying=underlying,
            spot=first.spot,
            as_of=min(first.at, max((row.at for row in first.options), default=first.at)),
            source=self.name,
            quotes=quotes,
            delay_seconds=self._delay_seconds,
        )

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes of now; one that is halted or not quoted is left out. `as_of` is the oldest of them all."""
        until = self._until()
        asked = {
            leg.symbol: Contract(
                symbol=leg.symbol, root=leg.root, expiration=leg.expiration, strike=leg.strike, right=leg.right
            )
            for leg in legs
        }
        calls = [
            _Call(quotes=self._ask(underlying, part, until, name=f"legs-{underlying}-{place}"), underlying=underlying)
            for place, part in enumerate(_parts(list(asked)) or [[]], 1)
        ]
        rows = [row for call in calls for row in call.options if not row.is_halted]
        found = of_legs((_option(asked[row.symbol], row, row.at) for row in rows), legs)
        return LegQuotes(
            spot=calls[0].spot,
            as_of=min(row.at for row in (*rows, *(call.shares for call in calls))),
            source=self.name,
            quotes=found,
            delay_seconds=self._delay_seconds,
        )

    def volatility(self) -> dict[str, Datum]:
        """The VIX family, percent; an index that is not quoted is missing."""
        names = list(VOLATILITY)
        rows = {row.symbol: row for row in self._by_type({"index": names}, self._until(), "volatility")}
        return {key: self._datum(rows.get(name), name) for name, key in VOLATILITY.items()}

    def moves(self, tickers: Sequence[str]) -> dict[str, Datum]:
        """The move of each ticker since the close before, a fraction."""
        if not tickers:
            return {}
        asked: dict[str, str | list[str]] = {}
        for kind in ("equity", "index"):
            of_kind = [ticker for ticker in dict.fromkeys(tickers) if (ticker in wire.INDICES) == (kind == "index")]
            asked |= {kind: of_kind} if of_kind else {}
        rows = {row.symbol: row for row in self._by_type(asked, self._until(), "moves")}
        return {ticker: self._move(rows.get(ticker), ticker) for ticker in tickers}

    def metrics(self, underlying: str) -> dict[str, Datum]:
        """What the broker computes: `iv_rank`, `iv_percentile` and `iv_index`, fractions, and what else it has.

        `iv_30d` and `hv_30d` are fractions, `beta` a number, `iv_YYYY-MM-DD` the volatility of an expiration.
        """
        row = self._metrics_of(underlying)
        if row is None:
            return {}
        at = _instant(row, "implied-volatility-updated-at") or _instant(row, "updated-at")
        found = {key: self._share(row, name, at, most=1.0) for key, name in RANKS.items()}
        found["iv_index"] = self._share(row, "implied-volatility-index", at, most=10.0)
        for key, name in PERCENTS.items():
            percent = wire.number(row, name)
            if percent is not None and 0 <= percent <= 1000:
                found[key] = Datum(value=percent / 100, unit="fraction", source=self.name, as_of=at)
        beta = wire.number(row, "beta")
        if beta is not None:
            found["beta"] = Datum(value=beta, unit="number", source=self.name, as_of=_instant(row, "updated-at"))
        for day, iv in wire.standard_vols(row):
            found[f"iv_{day}"] = Datum(value=iv, unit="fraction", source=self.name, as_of=at)
        return found

    def earnings(self, underlying: str) -> tuple[Event, ...] | None:
        """The next report; () when it is a fund or an index, None when no coming date is known."""
        if underlying in wire.INDICES:
            return ()
        row = self._metrics_of(underlying)
        block = None if row is None else row.get("earnings")
        if block is None:
            return () if self._is_fund(underlying) else None
        fields = wire.fields_of(block, "earnings")
        day, today = wire.day_if_any(fields, "expected-report-date"), market_date(self._clock())
        if day is None or not today <= day <= today + AHEAD:
            return None
        is_sure = wire.flag_if_any(fields, "estimated") is False and wire.flag_if_any(fields, "visible") is not False
        note = "" if is_sure else "estimated"
        return (Event(kind=EventKind.EARNINGS, day=day, time=None, source=self.name, note=note, is_confirmed=is_sure),)

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """The ex-date that the metrics name, past or coming, at the rate per share; None without both."""
        row = self._metrics_of(underlying)
        if row is None:
            return None
        day, rate = wire.day_if_any(row, "dividend-ex-date"), wire.amount(row, "dividend-rate-per-share")
        today = market_date(self._clock())
        if day is None or rate is None or rate <= 0 or not today - BEHIND <= day <= today + AHEAD:
            return None
        return (Dividend(ex_date=day, amount=rate),)

    def _until(self) -> float:
        return self._rest.http.monotonic() + self._seconds

    def _left(self, until: float) -> float:
        left = until - self._rest.http.monotonic()
        if left <= 0:
            raise Unavailable(f"tastytrade gave no whole answer within {self._seconds:.0f} s")
        return left

    def _listing(self, underlying: str, until: float, *, fresh: bool) -> Listing:
        def ask() -> Listing:
            path, name = f"/option-chains/{_in_path(underlying)}/nested", f"listing-{underlying}"
            return Listing(self._rest.get(path, seconds=self._left(until), name=name), underlying)

        return self._listings.get(underlying, ask, fresh=fresh)

    def _with(self, underlying: str, expirations: Sequence[date], until: float) -> Listing:
        """The listing that has these expirations; asked for anew once when it has not."""
        absent: list[str] = []
        for fresh in (False, True):
            listing = self._listing(underlying, until, fresh=fresh)
            absent = [day.isoformat() for day in expirations if day not in listing.expirations]
            if not absent:
                return listing
        raise Unusable(f"tastytrade lists no expiration {', '.join(absent)} of {underlying}", gate="expiration")

    def _ask(self, underlying: str, symbols: Sequence[str], until: float, *, name: str) -> tuple[Quote, ...]:
        """The underlying and these contracts in one call, so that they share a moment."""
        kind = "index" if underlying in wire.INDICES else "equity"
        asked: dict[str, str | list[str]] = {kind: [underlying]}
        return self._by_type(asked | ({"equity-option": list(symbols)} if symbols else {}), until, name)

    def _by_type(self, asked: dict[str, str | list[str]], until: float, name: str) -> tuple[Quote, ...]:
        data = self._rest.get("/market-data/by-type", asked, seconds=self._left(until), name=name)
        return wire.quotes(data, [symbol for symbols in asked.values() for symbol in symbols])

    def _metrics_of(self, underlying: str) -> wire.Fields | None:
        def ask() -> wire.Fields | None:
            data = self._rest.get(
                "/market-metrics", {"symbols": underlying}, seconds=self._seconds, name=f"metrics-{underlying}"
            )
            return wire.metrics_of(data, underlying)

        return self._metrics.get(underlying, ask)

    def _is_fund(self, underlying: str) -> bool:
        path, name = f"/instruments/equities/{_in_path(underlying)}", f"instrument-{underlying}"
        fields = wire.fields_of(self._rest.get(path, seconds=self._seconds, name=name), "instruments")
        if wire.text(fields, "symbol") != underlying:
            raise Unusable(f"tastytrade: asked for the instrument {underlying}, another one came")
        return wire.flag_if_any(fields, "is-etf") is True

    def _datum(self, row: Quote | None, name: str) -> Datum:
        if row is None or row.price is None:
            return Datum(value=None, unit="percent", source=self.name, missing=f"tastytrade does not quote {name}")
        return Datum(value=row.price, unit="percent", source=self.name, as_of=row.at)

    def _move(self, row: Quote | None, ticker: str) -> Datum:
        if row is None or row.price is None or row.prior_close is None or row.prior_close <= 0:
            words = f"tastytrade has no price or no close before of {ticker}"
            return Datum(value=None, unit="fraction", source=self.name, missing=words)
        return Datum(value=row.price / row.prior_close - 1, unit="fraction", source=self.name, as_of=row.at)

    def _share(self, row: wire.Fields, name: str, at: datetime | None, *, most: float) -> Datum:
        """A fraction; missing when it is none, such as a rank in percent."""
        found = wire.number(row, name)
        if found is None:
            return Datum(value=None, unit="fraction", source=self.name, missing=f"tastytrade sent no {name}")
        if not 0 <= found <= most:
            words = f"tastytrade sent {name} {found:g}, which is no fraction"
            return Datum(value=None, unit="fraction", source=self.name, missing=words)
        return Datum(value=found, unit="fraction", source=self.name, as_of=at)


class _Call:
    """One answer: the shares or the index, and the contracts of the same moment."""

    def __init__(self, quotes: tuple[Quote, ...], underlying: str) -> None:
        self.shares = _spot(quotes, underlying)
        self.options = tuple(row for row in quotes if row.symbol != underlying)

    @property
    def spot(self) -> float:
        price = self.shares.price
        assert price is not None
        return price

    @property
    def at(self) -> datetime:
        return self.shares.at


class _Memo(Generic[T]):
    """What was asked lately, by name; threads that want the same share one question."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, T]] = {}

    def get(self, name: str, ask: Callable[[], T], *, fresh: bool = False) -> T:
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or fresh or self._monotonic() - kept[0] > KEPT_SECONDS:
                kept = self._kept[name] = (self._monotonic(), ask())
            return kept[1]


def _spot(quotes: Iterable[Quote], underlying: str) -> Quote:
    """The underlying's own quote, which has a price and is not halted."""
    found = next((row for row in quotes if row.symbol == underlying), None)
    if found is None or found.price is None:
        raise Unusable(f"tastytrade has no price of {underlying}", gate="underlying")
    if found.is_halted:
        raise Unusable(f"tastytrade: trading in {underlying} is halted", gate="underlying")
    return found


def _around(listing: Listing, days: Sequence[date], spot: float) -> dict[str, Contract]:
    """The contracts to ask for by symbol, those of full days first, nearest the money first."""
    full = {days[1]} if len(days) == 3 else set(days)
    found = [
        contract
        for day in days
        for contract in listing.contracts(day)
        if _is_wanted(contract, float(contract.strike) / spot - 1, is_full=day in full)
    ]
    found.sort(key=lambda contract: (contract.expiration not in full, abs(float(contract.strike) - spot)))
    return {contract.symbol: contract for contract in found}


def _is_wanted(contract: Contract, off: float, *, is_full: bool) -> bool:
    """`off` is how far the strike lies from the spot, a share of it."""
    if not is_full:
        return abs(off) <= NEIGHBOUR
    return -LOWEST <= off <= BOTH if contract.right is Right.PUT else -BOTH <= off <= HIGHEST


def _parts(symbols: Sequence[str]) -> list[Sequence[str]]:
    """Pieces that fit into one call beside the underlying."""
    size = wire.MOST_SYMBOLS - 1
    return [symbols[start : start + size] for start in range(0, len(symbols), size)]


def _option(contract: Contract, row: Quote, now: datetime) -> OptionQuote:
    """A quote that is halted or old is none: the contract stays, so that the gates count it as silent."""
    is_live = not row.is_halted and now - row.at <= STALE
    return OptionQuote(
        root=contract.root,
        expiration=contract.expiration,
        strike=contract.strike,
        right=contract.right,
        bid=row.bid if is_live else None,
        ask=row.ask if is_live else None,
        last=row.last,
        volume=row.volume,
        open_interest=row.open_interest,
        feed_iv=row.iv if is_live else None,
        feed_delta=row.delta if is_live else None,
    )


def _instant(row: wire.Fields, key: str) -> datetime | None:
    return None if row.get(key) is None else wire.instant(row, key)


def _in_path(symbol: str) -> str:
    return quote(symbol, safe="")
