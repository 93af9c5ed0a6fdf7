"""tastytrade as a source of market data: live quotes with greeks and open interest, and the broker's own metrics.

Quotes come at most a hundred a call, so a chain is not asked for whole. Its middle expiration, the target, gets every
strike that could be sold, bought or needed for parity; the ones beside it get what parity needs. That is one call
for the listing, one for the spot, and one for each 99 contracts: six or seven for SPY with two neighbours.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from spy32.clients.tastytrade import market as wire
from spy32.clients.tastytrade.market import NestedChain, Quote
from spy32.clients.tastytrade.rest import RestClient
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Chain, Contract, Dividend, LegQuotes, Metric, OptionQuote, Right, parse_occ_symbol
from spy32.domain.option_class import INDEX_TICKERS
from spy32.domain.spreads import Leg
from spy32.errors import Unavailable, Unusable
from spy32.markets.base import BaseMarket, Memo, find_listing, select_leg_quotes
from spy32.quality.arbitrage import PARITY_BAND_STEPS
from spy32.quality.common import strike_step
from spy32.quality.quotes import BAND_STEPS

NEIGHBOUR_RANGE = 0.03
"""Share of the spot either way, for an expiration beside the target."""
BOTH_SIDES_RANGE = 0.05
"""Share of the spot within which the target's calls and puts are both asked for."""
PUT_RANGE, CALL_RANGE = 0.20, 0.12
"""Share of the spot down to which puts, and up to which calls are asked for: at a volatility of 40 % the 0.16-delta
strikes of 32 days and the legs beyond them still lie inside."""
COARSE_STRIKES = 40
"""Strikes out of the money that are asked for at least: shares with a coarse grid are also the volatile ones."""
MAX_QUOTE_LAG = timedelta(minutes=15)
"""How far a quote may lie behind the underlying's own time; an older one is dropped."""
MAX_SPOT_MOVE = 0.001
"""Of the spot, between the first and the last call of one chain; more, and they are of different markets."""
CACHE_SECONDS = 300.0
"""For which listing and metrics, which change once a day, are not asked for again."""
VIX_FAMILY = {"VIX": "vix", "VIX9D": "vix9d", "VIX3M": "vix3m"}
MAX_FUTURE = timedelta(days=200)
MAX_PAST = timedelta(days=100)
"""Dates further off than this are not believed: one recorded answer had a next dividend of four years ago."""

RANK_FIELDS = {"iv_rank": "implied-volatility-index-rank", "iv_percentile": "implied-volatility-percentile"}


class TastytradeMarket(BaseMarket):
    """Live market data of an account. `seconds` bounds each question, however many calls it takes."""

    name = "tastytrade"

    def __init__(self, rest: RestClient, *, clock: Callable[[], datetime], seconds: float) -> None:
        self._rest = rest
        self._clock = clock
        self._seconds = seconds
        self._listings = Memo[NestedChain](self.name, rest.http.monotonic)
        self._metrics = Memo[wire.Fields | None](self.name, rest.http.monotonic)

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Every expiration of a standard contract that is not past."""
        return self._listed_days(self._find_listing(underlying, (), self._deadline()))

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The quotes around the money; of three expirations the outer two only as far as parity needs."""
        deadline = self._deadline()
        listing = self._find_listing(underlying, expirations, deadline)
        spot = self._fetch_batch(underlying, (), deadline, name=f"spot-{underlying}").spot
        wanted = _select_contracts(listing, sorted(set(expirations)), spot)
        batches = self._fetch_batches("quotes", underlying, list(wanted), deadline)
        first, last = batches[0], batches[-1]
        if not abs(last.spot / first.spot - 1) <= MAX_SPOT_MOVE:
            words = f"{underlying} moved from {first.spot:.2f} to {last.spot:.2f} while its options were read"
            raise Unavailable(f"tastytrade: {words}; try again")
        quotes = tuple(
            _build_option_quote(wanted[row.symbol], row, batch.quoted_at) for batch in batches for row in batch.options
        )
        if not quotes:
            raise Unusable(f"tastytrade quotes none of {len(wanted)} contracts of {underlying}", gate="dead_feed")
        # The first call holds the strikes nearest the money. Quotes that all stand still are as old as the newest.
        return Chain(
            underlying=underlying,
            spot=first.spot,
            as_of=min(first.quoted_at, max((row.at for row in first.options), default=first.quoted_at)),
            source=self.name,
            quotes=quotes,
        )

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes of now; one that is halted or not quoted is left out. `as_of` is the oldest of them all."""
        contracts = {leg.symbol: parse_occ_symbol(leg.symbol) for leg in legs}
        batches = self._fetch_batches("legs", underlying, list(contracts), self._deadline())
        rows = [row for batch in batches for row in batch.options if not row.is_halted]
        found = select_leg_quotes((_build_option_quote(contracts[row.symbol], row, row.at) for row in rows), legs)
        return LegQuotes(
            spot=batches[0].spot,
            as_of=min([*(row.at for row in rows), *(batch.quoted_at for batch in batches)]),
            source=self.name,
            quotes=found,
        )

    def volatility(self) -> dict[str, Metric]:
        """The VIX family, percent; an index that is not quoted is missing."""
        found = self._quote_metrics(list(VIX_FAMILY), "volatility", "percent", lambda row: row.price, "no price")
        return {key: found[ticker] for ticker, key in VIX_FAMILY.items()}

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """The move of each ticker since the close before, a fraction."""

        def move(row: Quote) -> float | None:
            is_known = row.price is not None and row.prior_close is not None and row.prior_close > 0
            return row.price / row.prior_close - 1 if is_known else None  # type: ignore[operator]

        return self._quote_metrics(tickers, "moves", "fraction", move, "no price or no close before")

    def metrics(self, underlying: str) -> dict[str, Metric]:
        """What the broker computes, fractions: `iv_rank`, `iv_percentile`, and `iv_YYYY-MM-DD`, the volatility of an
        expiration."""
        row = self._get_metrics(underlying)
        if row is None:
            return {}
        keys = ("implied-volatility-updated-at", "updated-at")
        at = next((wire.parse_timestamp(row, key) for key in keys if row.get(key) is not None), None)
        found = {}
        for name, field in RANK_FIELDS.items():
            rank = wire.parse_number(row, field)
            is_fraction = rank is not None and 0 <= rank <= 1
            missing = f"sent no fraction for {field}"
            found[name] = _metric(rank if is_fraction else None, at, unit="fraction", missing=missing)
        vols = wire.parse_expiration_vols(row)
        return found | {f"iv_{day}": _metric(iv, at, unit="fraction", missing="") for day, iv in vols}

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        """The next report; () when it is a fund or an index, None when no coming date is known."""
        if underlying in INDEX_TICKERS:
            return ()
        row = self._get_metrics(underlying)
        block = None if row is None else row.get("earnings")
        if block is None:
            return () if self._is_fund(underlying) else None
        fields = wire.require_fields(block, "earnings")
        day, today = wire.parse_optional_date(fields, "expected-report-date"), self._today
        if day is None or not today <= day <= today + MAX_FUTURE:
            return None
        is_estimated = wire.parse_optional_flag(fields, "estimated") is not False
        is_sure = not is_estimated and wire.parse_optional_flag(fields, "visible") is not False
        note = "" if is_sure else "estimated"
        event = ScheduledEvent(
            kind=EventKind.EARNINGS, day=day, time=None, source=self.name, note=note, is_confirmed=is_sure
        )
        return (event,)

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """The ex-date that the metrics name, past or coming, at the rate per share; None without both."""
        row = self._get_metrics(underlying)
        if row is None:
            return None
        day, rate = wire.parse_optional_date(row, "dividend-ex-date"), wire.parse_amount(row, "dividend-rate-per-share")
        today = self._today
        if day is None or rate is None or rate <= 0 or not today - MAX_PAST <= day <= today + MAX_FUTURE:
            return None
        return (Dividend(ex_date=day, amount=rate),)

    def _deadline(self) -> float:
        return self._rest.http.monotonic() + self._seconds

    def _remaining_seconds(self, deadline: float) -> float:
        remaining = deadline - self._rest.http.monotonic()
        if remaining <= 0:
            raise Unavailable(f"tastytrade gave no whole answer within {self._seconds:.0f} s")
        return remaining

    def _listed_days(self, listing: NestedChain) -> tuple[date, ...]:
        today = self._today
        return tuple(day for day in listing.expirations if day >= today)

    def _find_listing(self, underlying: str, wanted: Sequence[date], deadline: float) -> NestedChain:
        def ask() -> NestedChain:
            path, name = f"/option-chains/{_quote_path(underlying)}/nested", f"listing-{underlying}"
            return NestedChain(self._rest.get(path, seconds=self._remaining_seconds(deadline), name=name), underlying)

        def fetch(oldest: float) -> NestedChain:
            return self._listings.get(underlying, ask, oldest=oldest, seconds=self._remaining_seconds(deadline))

        return find_listing(self.name, underlying, wanted, fetch, self._listed_days, oldest=CACHE_SECONDS)

    def _fetch_batches(
        self, name: str, underlying: str, symbols: Sequence[str], deadline: float
    ) -> list["_QuoteBatch"]:
        """The quotes of these contracts, in as few calls as take them beside the underlying; at least one call."""
        size = wire.MAX_SYMBOLS_PER_CALL - 1
        return [
            self._fetch_batch(
                underlying, symbols[start : start + size], deadline, name=f"{name}-{underlying}-{start // size + 1}"
            )
            for start in range(0, max(len(symbols), 1), size)
        ]

    def _fetch_batch(self, underlying: str, symbols: Sequence[str], deadline: float, *, name: str) -> "_QuoteBatch":
        """The underlying and these contracts in one call, so that they share a moment."""
        rows = self._fetch_quotes([underlying], deadline, name, options=symbols)
        own = next((row for row in rows if row.symbol == underlying), None)
        if own is None or own.price is None:
            raise Unusable(f"tastytrade has no price of {underlying}", gate="underlying")
        if own.is_halted:
            raise Unusable(f"tastytrade: trading in {underlying} is halted", gate="underlying")
        options = tuple(row for row in rows if row.symbol != underlying)
        return _QuoteBatch(spot=own.price, quoted_at=own.at, options=options)

    def _fetch_quotes(
        self, tickers: Sequence[str], deadline: float, name: str, *, options: Sequence[str] = ()
    ) -> tuple[Quote, ...]:
        by_kind = {
            "equity": [wire.write_ticker(ticker) for ticker in tickers if ticker not in INDEX_TICKERS],
            "index": [ticker for ticker in tickers if ticker in INDEX_TICKERS],
            "equity-option": list(options),
        }
        params = {kind: symbols for kind, symbols in by_kind.items() if symbols}
        data = self._rest.get("/market-data/by-type", params, seconds=self._remaining_seconds(deadline), name=name)
        return wire.parse_quotes(data, [*tickers, *options])

    def _quote_metrics(
        self, tickers: Sequence[str], name: str, unit: str, read: Callable[[Quote], float | None], missing: str
    ) -> dict[str, Metric]:
        """What `read` finds in the quote of each ticker, or that `missing` is why there is none."""
        wanted = list(dict.fromkeys(tickers))
        rows = self._fetch_quotes(wanted, self._deadline(), name) if wanted else ()
        quoted = {row.symbol: (read(row), row.at) for row in rows}
        return {
            ticker: _metric(*quoted.get(ticker, (None, None)), unit=unit, missing=f"has {missing} of {ticker}")
            for ticker in wanted
        }

    def _get_metrics(self, underlying: str) -> wire.Fields | None:
        def ask() -> wire.Fields | None:
            params, name = {"symbols": wire.write_ticker(underlying)}, f"metrics-{underlying}"
            data = self._rest.get("/market-metrics", params, seconds=self._seconds, name=name)
            return wire.parse_metrics(data, underlying)

        return self._metrics.get(underlying, ask, oldest=CACHE_SECONDS, seconds=self._seconds)

    def _is_fund(self, underlying: str) -> bool:
        path, name = f"/instruments/equities/{_quote_path(underlying)}", f"instrument-{underlying}"
        fields = wire.require_fields(self._rest.get(path, seconds=self._seconds, name=name), "instruments")
        if wire.read_ticker(wire.require_text(fields, "symbol")) != underlying:
            raise Unusable(f"tastytrade: asked for the instrument {underlying}, another one came")
        return wire.parse_optional_flag(fields, "is-etf") is True


class _QuoteBatch(NamedTuple):
    """One answer: the shares or the index, and the contracts of the same moment."""

    spot: float
    quoted_at: datetime
    options: tuple[Quote, ...]


def _metric(value: float | None, at: datetime | None, *, unit: str, missing: str) -> Metric:
    """A figure of tastytrade; without a value `missing` goes on after its name."""
    source = TastytradeMarket.name
    if value is None:
        return Metric(value=None, unit=unit, source=source, missing=f"{source} {missing}")
    return Metric(value=value, unit=unit, source=source, as_of=at)


def _select_contracts(listing: NestedChain, days: Sequence[date], spot: float) -> dict[str, Contract]:
    """The contracts to ask for by symbol, those of full days first, nearest the money first."""
    full = {days[1]} if len(days) == 3 else set(days)
    listed = {day: listing.contracts(day) for day in days}
    step = strike_step((contract for day in full for contract in listed[day]), spot) / spot
    found = [
        contract
        for day in days
        for contract in listed[day]
        if _is_wanted(contract, float(contract.strike) / spot - 1, step, is_full=day in full)
    ]
    found.sort(key=lambda contract: (contract.expiration not in full, abs(float(contract.strike) - spot)))
    return {contract.symbol: contract for contract in found}


def _is_wanted(contract: Contract, moneyness: float, step: float, *, is_full: bool) -> bool:
    """`moneyness` is the signed distance of the strike from the spot, `step` that between strikes, both fractions of
    the spot."""
    # A strike more than the gates look at, because the spot moves between the calls.
    if not is_full:
        return abs(moneyness) <= max(NEIGHBOUR_RANGE, (PARITY_BAND_STEPS + 1) * step)
    both_sides = max(BOTH_SIDES_RANGE, (BAND_STEPS + 1) * step)
    puts, calls = max(PUT_RANGE, COARSE_STRIKES * step), max(CALL_RANGE, COARSE_STRIKES * step)
    return -puts <= moneyness <= both_sides if contract.right is Right.PUT else -both_sides <= moneyness <= calls


def _build_option_quote(contract: Contract, row: Quote, now: datetime) -> OptionQuote:
    """The quote of a contract. A halted or old one has no prices; the contract stays, so that the gates count it."""
    is_live = not row.is_halted and now - row.at <= MAX_QUOTE_LAG
    return OptionQuote(
        **contract._asdict(),
        bid=row.bid if is_live else None,
        ask=row.ask if is_live else None,
        last=row.last,
        volume=row.volume,
        open_interest=row.open_interest,
        feed_iv=row.iv if is_live else None,
        feed_delta=row.delta if is_live else None,
    )


def _quote_path(symbol: str) -> str:
    return quote(wire.write_ticker(symbol), safe="")
