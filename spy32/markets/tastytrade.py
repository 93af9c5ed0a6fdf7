"""tastytrade as a source of market data: live quotes with greeks and open interest, and the broker's own metrics.

Quotes come at most a hundred a call, so a chain is not asked for whole. Its middle expiration, the target, gets every
strike that could be sold, bought or needed for parity; the ones beside it get what parity needs. That is one call
for the listing, one for the spot, and one for each 99 contracts: six or seven for SPY with two neighbours.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from urllib.parse import quote

from spy32.clients.tastytrade import market as wire
from spy32.clients.tastytrade.market import NestedChain, Quote
from spy32.clients.tastytrade.rest import RestClient
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Chain, Contract, Dividend, LegQuotes, Metric, OptionQuote, Right, parse_occ_symbol
from spy32.domain.option_class import INDEX_TICKERS
from spy32.domain.spreads import Leg
from spy32.errors import Unavailable, Unusable
from spy32.markets.base import BaseMarket, select_leg_quotes
from spy32.markets.memo import Memo
from spy32.quality.arbitrage import PARITY_BAND_STEPS
from spy32.quality.common import strike_step
from spy32.quality.quotes import BAND_STEPS
from spy32.sessions import market_date

NEIGHBOUR_RANGE = 0.03
"""Share of the spot either way, for an expiration beside the target."""
BOTH_SIDES_RANGE = 0.05
"""Share of the spot within which the target's calls and puts are both asked for."""
PUT_RANGE, CALL_RANGE = 0.20, 0.12
"""Share of the spot down to which puts, and up to which calls are asked for: at a volatility of 40 % the 0.16-delta
strikes of 32 days and the legs beyond them still lie inside."""
COARSE_STRIKES = 40
"""Strikes out of the money that are asked for at least: shares with a coarse grid are also the volatile ones."""
MAX_CONTRACTS = 1980
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
PERCENT_FIELDS = {"iv_30d": "implied-volatility-30-day", "hv_30d": "historical-volatility-30-day"}


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
        deadline, today = self._deadline(), market_date(self._clock())
        for fresh in (False, True):
            found = tuple(
                day for day in self._get_nested_chain(underlying, deadline, fresh=fresh).expirations if day >= today
            )
            if found:
                return found
        raise Unusable(f"tastytrade lists no expiration of {underlying}", gate="expiration")

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The quotes around the money; of three expirations the outer two only as far as parity needs."""
        deadline = self._deadline()
        listing = self._require_expirations(underlying, expirations, deadline)
        spot, _ = _underlying_quote(self._fetch_quotes(underlying, (), deadline, name=f"spot-{underlying}"), underlying)
        wanted = _select_contracts(listing, sorted(set(expirations)), spot)
        if len(wanted) > MAX_CONTRACTS:
            raise Unusable(f"tastytrade: {len(wanted)} contracts in one question, at most {MAX_CONTRACTS}")
        calls = self._fetch_batches("quotes", underlying, list(wanted), deadline)
        first, last = calls[0], calls[-1]
        if not abs(last.spot / first.spot - 1) <= MAX_SPOT_MOVE:
            words = f"{underlying} moved from {first.spot:.2f} to {last.spot:.2f} while its options were read"
            raise Unavailable(f"tastytrade: {words}; try again")
        quotes = tuple(
            _build_option_quote(wanted[row.symbol], row, call.quoted_at) for call in calls for row in call.options
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
        deadline = self._deadline()
        contracts = {leg.symbol: parse_occ_symbol(leg.symbol) for leg in legs}
        calls = self._fetch_batches("legs", underlying, list(contracts), deadline)
        rows = [row for call in calls for row in call.options if not row.is_halted]
        found = select_leg_quotes((_build_option_quote(contracts[row.symbol], row, row.at) for row in rows), legs)
        return LegQuotes(
            spot=calls[0].spot,
            as_of=min([*(row.at for row in rows), *(call.quoted_at for call in calls)]),
            source=self.name,
            quotes=found,
        )

    def volatility(self) -> dict[str, Metric]:
        """The VIX family, percent; an index that is not quoted is missing."""
        names = list(VIX_FAMILY)
        rows = {row.symbol: row for row in self._fetch_by_type({"index": names}, self._deadline(), "volatility")}
        return {key: self._vix_metric(rows.get(name), name) for name, key in VIX_FAMILY.items()}

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """The move of each ticker since the close before, a fraction."""
        if not tickers:
            return {}
        params: dict[str, str | list[str]] = {}
        for kind in ("equity", "index"):
            of_kind = [ticker for ticker in dict.fromkeys(tickers) if (ticker in INDEX_TICKERS) == (kind == "index")]
            params |= {kind: of_kind} if of_kind else {}
        rows = {row.symbol: row for row in self._fetch_by_type(params, self._deadline(), "moves")}
        return {ticker: self._move_metric(rows.get(ticker), ticker) for ticker in tickers}

    def metrics(self, underlying: str) -> dict[str, Metric]:
        """What the broker computes: `iv_rank`, `iv_percentile` and `iv_index`, fractions, and what else it has.

        `iv_30d` and `hv_30d` are fractions, `beta` a number, `iv_YYYY-MM-DD` the volatility of an expiration.
        """
        row = self._get_metrics(underlying)
        if row is None:
            return {}
        at = _parse_timestamp(row, "implied-volatility-updated-at") or _parse_timestamp(row, "updated-at")
        found = {key: self._fraction_metric(row, name, at, most=1.0) for key, name in RANK_FIELDS.items()}
        found["iv_index"] = self._fraction_metric(row, "implied-volatility-index", at, most=10.0)
        for key, name in PERCENT_FIELDS.items():
            percent = wire.parse_number(row, name)
            if percent is not None and 0 <= percent <= 1000:
                found[key] = Metric(value=percent / 100, unit="fraction", source=self.name, as_of=at)
        beta = wire.parse_number(row, "beta")
        if beta is not None:
            found["beta"] = Metric(
                value=beta, unit="number", source=self.name, as_of=_parse_timestamp(row, "updated-at")
            )
        for day, iv in wire.parse_expiration_vols(row):
            found[f"iv_{day}"] = Metric(value=iv, unit="fraction", source=self.name, as_of=at)
        return found

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        """The next report; () when it is a fund or an index, None when no coming date is known."""
        if underlying in INDEX_TICKERS:
            return ()
        row = self._get_metrics(underlying)
        block = None if row is None else row.get("earnings")
        if block is None:
            return () if self._is_fund(underlying) else None
        fields = wire.require_fields(block, "earnings")
        day, today = wire.parse_optional_date(fields, "expected-report-date"), market_date(self._clock())
        if day is None or not today <= day <= today + MAX_FUTURE:
            return None
        is_sure = (
            wire.parse_optional_flag(fields, "estimated") is False
            and wire.parse_optional_flag(fields, "visible") is not False
        )
        note = "" if is_sure else "estimated"
        return (
            ScheduledEvent(
                kind=EventKind.EARNINGS, day=day, time=None, source=self.name, note=note, is_confirmed=is_sure
            ),
        )

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """The ex-date that the metrics name, past or coming, at the rate per share; None without both."""
        row = self._get_metrics(underlying)
        if row is None:
            return None
        day, rate = wire.parse_optional_date(row, "dividend-ex-date"), wire.parse_amount(row, "dividend-rate-per-share")
        today = market_date(self._clock())
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

    def _get_nested_chain(self, underlying: str, deadline: float, *, fresh: bool) -> NestedChain:
        def ask() -> NestedChain:
            path, name = f"/option-chains/{_quote_path(underlying)}/nested", f"listing-{underlying}"
            return NestedChain(self._rest.get(path, seconds=self._remaining_seconds(deadline), name=name), underlying)

        oldest = 0.0 if fresh else CACHE_SECONDS
        return self._listings.get(underlying, ask, oldest=oldest, seconds=self._remaining_seconds(deadline))

    def _require_expirations(self, underlying: str, expirations: Sequence[date], deadline: float) -> NestedChain:
        """The listing that has these expirations; asked for anew once when it has not."""
        absent: list[str] = []
        for fresh in (False, True):
            listing = self._get_nested_chain(underlying, deadline, fresh=fresh)
            absent = [day.isoformat() for day in expirations if day not in listing.expirations]
            if not absent:
                return listing
        raise Unusable(f"tastytrade lists no expiration {', '.join(absent)} of {underlying}", gate="expiration")

    def _fetch_batches(
        self, name: str, underlying: str, symbols: Sequence[str], deadline: float
    ) -> list["_QuoteBatch"]:
        """The quotes of these contracts, in as few calls as take them beside the underlying; at least one call."""
        size = wire.MAX_SYMBOLS_PER_CALL - 1
        return [
            _QuoteBatch(
                self._fetch_quotes(
                    underlying, symbols[start : start + size], deadline, name=f"{name}-{underlying}-{place}"
                ),
                underlying,
            )
            for place, start in enumerate(range(0, max(len(symbols), 1), size), 1)
        ]

    def _fetch_quotes(
        self, underlying: str, symbols: Sequence[str], deadline: float, *, name: str
    ) -> tuple[Quote, ...]:
        """The underlying and these contracts in one call, so that they share a moment."""
        kind = "index" if underlying in INDEX_TICKERS else "equity"
        params: dict[str, str | list[str]] = {kind: [underlying]}
        return self._fetch_by_type(params | ({"equity-option": list(symbols)} if symbols else {}), deadline, name)

    def _fetch_by_type(self, params: dict[str, str | list[str]], deadline: float, name: str) -> tuple[Quote, ...]:
        written = {kind: [wire.write_ticker(symbol) for symbol in symbols] for kind, symbols in params.items()}
        data = self._rest.get("/market-data/by-type", written, seconds=self._remaining_seconds(deadline), name=name)
        return wire.parse_quotes(data, [symbol for symbols in params.values() for symbol in symbols])

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

    def _vix_metric(self, row: Quote | None, name: str) -> Metric:
        if row is None or row.price is None:
            return Metric(value=None, unit="percent", source=self.name, missing=f"tastytrade does not quote {name}")
        return Metric(value=row.price, unit="percent", source=self.name, as_of=row.at)

    def _move_metric(self, row: Quote | None, ticker: str) -> Metric:
        if row is None or row.price is None or row.prior_close is None or row.prior_close <= 0:
            words = f"tastytrade has no price or no close before of {ticker}"
            return Metric(value=None, unit="fraction", source=self.name, missing=words)
        return Metric(value=row.price / row.prior_close - 1, unit="fraction", source=self.name, as_of=row.at)

    def _fraction_metric(self, row: wire.Fields, name: str, at: datetime | None, *, most: float) -> Metric:
        """A fraction; missing when it is none, such as a rank in percent."""
        found = wire.parse_number(row, name)
        if found is None:
            return Metric(value=None, unit="fraction", source=self.name, missing=f"tastytrade sent no {name}")
        if not 0 <= found <= most:
            words = f"tastytrade sent {name} {found:g}, which is no fraction"
            return Metric(value=None, unit="fraction", source=self.name, missing=words)
        return Metric(value=found, unit="fraction", source=self.name, as_of=at)


class _QuoteBatch:
    """One answer: the shares or the index, and the contracts of the same moment."""

    def __init__(self, quotes: tuple[Quote, ...], underlying: str) -> None:
        self.spot, self.quoted_at = _underlying_quote(quotes, underlying)
        self.options = tuple(row for row in quotes if row.symbol != underlying)


def _underlying_quote(quotes: Iterable[Quote], underlying: str) -> tuple[float, datetime]:
    """Price and instant of the underlying's own quote, which is not halted."""
    found = next((row for row in quotes if row.symbol == underlying), None)
    if found is None or found.price is None:
        raise Unusable(f"tastytrade has no price of {underlying}", gate="underlying")
    if found.is_halted:
        raise Unusable(f"tastytrade: trading in {underlying} is halted", gate="underlying")
    return found.price, found.at


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


def _parse_timestamp(row: wire.Fields, key: str) -> datetime | None:
    return None if row.get(key) is None else wire.parse_timestamp(row, key)


def _quote_path(symbol: str) -> str:
    return quote(wire.write_ticker(symbol), safe="")
