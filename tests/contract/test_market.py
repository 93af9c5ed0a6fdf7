"""What every market must do, whatever is behind it: the port `Market`."""

from dataclasses import replace
from datetime import UTC, date
from decimal import Decimal

import pytest

from spy32.domain.codec import canonical_json
from spy32.domain.market import MarketSnapshot
from spy32.domain.spreads import Action, Leg
from spy32.errors import Unusable
from spy32.markets.recorded import RecordedMarket, SnapshotMarket
from spy32.ports import Market
from spy32.sessions import closure_reason, market_date, session
from tests.support.paths import DATA
from tests.support.snapshots import snapshot_of

CHAINS = DATA / "chains"
LONG_AGO = date(2000, 1, 1)


class MarketContract:
    """Subclassed once a market; `make` gives one that serves `underlying`."""

    underlying = "SPY"

    def make(self) -> Market:
        raise NotImplementedError

    def test_expirations_come_once_each_in_order(self) -> None:
        listed = self.make().expirations(self.underlying)
        assert listed
        assert list(listed) == sorted(set(listed))

    def test_a_chain_holds_what_was_asked_for_and_nothing_else(self) -> None:
        market = self.make()
        wanted = market.expirations(self.underlying)[:2]
        chain = market.chain(self.underlying, wanted)
        assert chain.underlying == self.underlying
        assert chain.source == market.name
        assert chain.as_of.tzinfo is UTC
        assert set(chain.expirations) == set(wanted)

    def test_no_expiration_is_past_at_the_time_of_the_quotes(self) -> None:
        market = self.make()
        listed = market.expirations(self.underlying)
        assert listed[0] >= market_date(market.chain(self.underlying, listed[:1]).as_of)

    def test_quotes_are_finite_and_not_negative_or_missing(self) -> None:
        market = self.make()
        chain = market.chain(self.underlying, market.expirations(self.underlying)[:3])
        canonical_json(chain)
        for quote in chain.quotes:
            for figure in (quote.bid, quote.ask, quote.last, quote.volume, quote.open_interest, quote.feed_iv):
                assert figure is None or figure >= 0
            assert quote.strike > 0

    def test_legs_are_quoted_as_the_chain_has_them(self) -> None:
        market = self.make()
        chain = market.chain(self.underlying, market.expirations(self.underlying)[:1])
        chosen = (chain.quotes[0], chain.quotes[-1])
        legs = [leg(quote.root, quote.expiration, quote.strike, quote.right) for quote in chosen]
        found = market.quotes(self.underlying, legs)
        assert (found.spot, found.as_of, found.source) == (chain.spot, chain.as_of, market.name)
        assert found.quotes == {quote.symbol: quote for quote in chosen}

    def test_a_leg_that_is_not_listed_is_left_out(self) -> None:
        market = self.make()
        quote = market.chain(self.underlying, market.expirations(self.underlying)[:1]).quotes[0]
        odd = leg(quote.root, quote.expiration, Decimal("1.001"), quote.right)
        assert market.quotes(self.underlying, [odd]).quotes == {}

    def test_an_expiration_that_is_not_listed_is_refused(self) -> None:
        with pytest.raises(Unusable, match="2050-01-01"):
            self.make().chain(self.underlying, [date(2050, 1, 1)])

    def test_an_unknown_underlying_is_refused(self) -> None:
        market = self.make()
        for ask in (
            lambda: market.expirations("NOPE"),
            lambda: market.chain("NOPE", [date(2025, 9, 30)]),
            lambda: market.quotes("NOPE", []),
        ):
            with pytest.raises(Unusable, match="NOPE"):
                ask()

    def test_history_is_of_sessions_in_order_that_had_closed_by_the_quotes(self) -> None:
        market = self.make()
        as_of = market.chain(self.underlying, market.expirations(self.underlying)[:1]).as_of
        days = [bar.day for bar in market.history(self.underlying, LONG_AGO)]
        assert days == sorted(set(days))
        for day in days:
            assert closure_reason(day) is None
        if days:
            last = session(days[-1])
            assert last is not None
            assert last.close <= as_of

    def test_history_begins_where_it_was_asked_to(self) -> None:
        market = self.make()
        whole = market.history(self.underlying, LONG_AGO)
        if whole:
            since = whole[len(whole) // 2].day
            assert market.history(self.underlying, since) == tuple(bar for bar in whole if bar.day >= since)

    def test_volatility_has_the_three_of_the_family_with_source_and_time_or_a_reason(self) -> None:
        market = self.make()
        as_of = market.chain(self.underlying, market.expirations(self.underlying)[:1]).as_of
        levels = market.volatility()
        assert set(levels) == {"vix", "vix9d", "vix3m"}
        for level in levels.values():
            assert level.unit == "percent"
            if level.value is not None:
                assert 5 < level.value < 150
                assert level.as_of is not None
                assert level.as_of <= as_of

    def test_the_vix_of_now_is_the_last_of_its_history(self) -> None:
        market = self.make()
        past, vix = market.volatility_history(LONG_AGO), market.volatility()["vix"]
        assert [day for day, _ in past] == sorted({day for day, _ in past})
        if vix.value is not None:
            assert past[-1][1] == vix.value

    def test_the_rate_is_a_fraction_or_missing_with_a_reason(self) -> None:
        rate = self.make().rate()
        assert rate.unit == "fraction"
        assert rate.missing if rate.value is None else -0.01 < rate.value < 0.2

    def test_dividends_are_in_order_and_positive(self) -> None:
        """How many past ones there are is the source's affair; collecting keeps the last of them."""
        dividends = self.make().dividends(self.underlying)
        if dividends is not None:
            days = [dividend.ex_date for dividend in dividends]
            assert days == sorted(set(days))
            assert all(dividend.amount > 0 for dividend in dividends)


def leg(root: str, expiration: date, strike: Decimal, right: str) -> Leg:
    from spy32.domain.market import Right

    return Leg(root=root, expiration=expiration, strike=strike, right=Right(right), action=Action.SELL_TO_OPEN)


def recorded(name: str) -> RecordedMarket:
    return RecordedMarket.load(CHAINS / f"{name}.csv.gz")


class TestShippedMarket(MarketContract):
    def make(self) -> Market:
        return RecordedMarket.load_shipped()


@pytest.mark.slow
class TestMarketOfAFile(MarketContract):
    def make(self) -> Market:
        return recorded("SPY_2025-09-25")


@pytest.mark.slow
class TestMarketInTheMorning(MarketContract):
    def make(self) -> Market:
        return recorded("SPY_2025-05-02")


@pytest.mark.slow
class TestMarketOfAnIndex(MarketContract):
    underlying = "SPX"

    def make(self) -> Market:
        return recorded("SPX_2020-03-20")


def test_a_stored_snapshot_serves_exactly_what_was_stored() -> None:
    snapshot = snapshot_of(RecordedMarket.load_shipped())
    assert isinstance(snapshot, MarketSnapshot)
    # What the snapshot does not say must not be filled in from elsewhere.
    snapshot = replace(snapshot, history=snapshot.history[-100:])
    market: Market = SnapshotMarket(snapshot)
    assert (market.name, market.is_recorded) == (snapshot.source, True)
    assert market.history("SPY", LONG_AGO) == snapshot.history
    assert market.history("SPY", snapshot.history[50].day) == snapshot.history[50:]
    assert market.volatility_history(LONG_AGO) == snapshot.volatility_history
    assert market.dividends("SPY") == snapshot.dividends
    assert (market.history("QQQ", LONG_AGO), market.dividends("QQQ")) == ((), None)


def test_a_stored_snapshot_quotes_the_legs_that_were_stored() -> None:
    snapshot = snapshot_of(RecordedMarket.load_shipped())
    assert isinstance(snapshot, MarketSnapshot)
    market, chosen = SnapshotMarket(snapshot), (snapshot.chain.quotes[0], snapshot.chain.quotes[-1])
    legs = [leg(quote.root, quote.expiration, quote.strike, quote.right) for quote in chosen]
    odd = leg("SPY", chosen[0].expiration, Decimal("1.001"), chosen[0].right)
    found = market.quotes("SPY", [*legs, odd])
    assert (found.spot, found.as_of, found.source) == (snapshot.spot, snapshot.chain.as_of, market.name)
    assert found.quotes == {quote.symbol: quote for quote in chosen}
    with pytest.raises(Unusable, match="NOPE"):
        market.quotes("NOPE", [])
