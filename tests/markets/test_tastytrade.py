"""tastytrade as a market: figures as the wire has them, few calls, nothing taken that is untrue or not asked for."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.clients.tastytrade import market as wire
from spy32.clients.tastytrade.market import NestedChain
from spy32.domain.events import EventKind
from spy32.domain.market import MarketSnapshot, OptionQuote, Right
from spy32.domain.spreads import Action, Leg
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.markets.recorded import RecordedMarket
from spy32.markets.tastytrade import TastytradeMarket, _select_contracts
from spy32.quality import checks
from spy32.settings.model import Choice
from tests.servers import web
from tests.servers.tastytrade import Reply, Rig, Row, TastytradeServer, number
from tests.support.snapshots import snapshot_of

BY_TYPE, NESTED, METRICS = "/market-data/by-type", "/option-chains/SPY/nested", "/market-metrics"
AT = datetime(2026, 11, 23, 15, 0, 1, 328000, tzinfo=UTC)
TARGET = date(2026, 12, 25)
"""The shipped expiration of 32 days, at `AT`."""
BEFORE = date(2026, 12, 21)


@pytest.fixture
def server() -> Iterator[TastytradeServer]:
    with TastytradeServer(AT).running() as running:
        yield running


@pytest.fixture
def rig(server: TastytradeServer) -> Rig:
    return Rig(server)


@pytest.fixture
def market(rig: Rig) -> TastytradeMarket:
    return TastytradeMarket(rig.rest, clock=rig.clock, seconds=5)


def unusable(act: Callable[[], object], *words: str) -> Unusable:
    with pytest.raises(Unusable) as caught:
        act()
    for word in words:
        assert word in caught.value.message
    return caught.value


def each(change: Callable[[Row], Row], *, where: Callable[[Row], bool] = lambda row: True) -> Callable[..., list[Row]]:
    """An edit of the rows that `where` picks."""
    return lambda rows: [change(dict(row)) if where(row) else row for row in rows]


def with_(**fields: Any) -> Callable[[Row], Row]:
    """Changes fields; underscores are dashes, and `...` takes the field away."""
    named = {key.replace("_", "-"): value for key, value in fields.items()}
    return lambda row: {key: value for key, value in {**row, **named}.items() if value is not ...}


def is_option(row: Row) -> bool:
    return len(row["symbol"]) == 21


def leg(strike: str, right: Right = Right.PUT, action: Action = Action.SELL_TO_OPEN) -> Leg:
    return Leg(root="SPY", expiration=TARGET, strike=Decimal(strike), right=right, action=action)


def shipped(server: TastytradeServer, day: date) -> dict[str, OptionQuote]:
    """The recorded quotes of one day as they would be listed at the server's time, by symbol."""
    market = RecordedMarket.load_shipped()
    chain = market.chain("SPY", [day - server.shift])
    moved = [replace(quote, expiration=day) for quote in chain.quotes]
    return {quote.symbol: quote for quote in moved}


# What comes.


def test_the_expirations_are_those_listed_from_today_on(server: TastytradeServer, market: TastytradeMarket) -> None:
    server.listing[0]["expirations"][0]["expiration-date"] = "2026-11-22"
    recorded = RecordedMarket.load_shipped().expirations("SPY")
    assert market.expirations("SPY") == tuple(day + server.shift for day in recorded[1:])
    assert TARGET in market.expirations("SPY")


def test_a_chain_has_every_figure_of_the_contracts_around_the_money(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    chain = market.chain("SPY", [TARGET])
    theirs = shipped(server, TARGET)
    assert chain.spot == pytest.approx(server.spot)
    assert (chain.as_of, chain.source, chain.delay_seconds) == (AT, "tastytrade", 0)
    for quote in chain.quotes:
        original = theirs[quote.symbol]
        iv = original.feed_iv if original.feed_iv else None
        assert quote == replace(original, feed_iv=iv, last=original.last or None)
    low, high = server.spot * 0.80, server.spot * 1.12
    near_low, near_high = server.spot * 0.95, server.spot * 1.05
    wanted = {
        symbol
        for symbol, quote in theirs.items()
        if (low <= quote.strike <= near_high if quote.right is Right.PUT else near_low <= quote.strike <= high)
    }
    assert {quote.symbol for quote in chain.quotes} == wanted
    assert len(wanted) == 220


def test_the_part_of_the_chain_that_is_asked_for_passes_the_gates_as_the_whole_does() -> None:
    whole = snapshot_of(RecordedMarket.load_shipped())
    assert isinstance(whole, MarketSnapshot)
    with TastytradeServer(whole.as_of).running() as server:
        rig = Rig(server)
        market = TastytradeMarket(rig.rest, clock=rig.clock, seconds=5)
        part = replace(whole, chain=market.chain("SPY", whole.chain.expirations))
    reports = [checks.check_chain(each, whole.as_of, Choice())[1] for each in (whole, part)]
    verdicts = [{gate.name: gate.verdict for gate in report.gates} for report in reports]
    assert verdicts[0] == verdicts[1]
    assert reports[1].stopped_by is None


def test_neighbours_are_asked_for_only_as_far_as_parity_needs(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    days = market.expirations("SPY")[-3:]
    chain = market.chain("SPY", days)
    assert chain.expirations == days
    # The target's strikes nearest the money share the first call with the spot.
    order = [(quote.expiration != days[1], abs(float(quote.strike) - chain.spot)) for quote in chain.quotes]
    assert order == sorted(order)
    for day in days:
        off = [float(quote.strike) / chain.spot - 1 for quote in chain.select_expirations(day).quotes]
        if day == days[1]:
            assert min(off) < -0.15
        else:
            assert -0.03 <= min(off) < -0.02
            assert 0.02 < max(off) <= 0.03


def test_the_calls_of_a_chain_are_few_and_none_asks_for_more_than_a_hundred(
    server: TastytradeServer, market: TastytradeMarket, rig: Rig
) -> None:
    days = market.expirations("SPY")[-3:]
    assert len(market.chain("SPY", days).quotes) == 328
    assert server.paths() == ["/oauth/token", NESTED] + [BY_TYPE] * 5
    assert [name for name, _ in rig.kept] == ["listing-SPY", "spot-SPY", *(f"quotes-SPY-{n}" for n in range(1, 5))]
    sizes = [len(json.loads(body)["data"]["items"]) for name, body in rig.kept if name.startswith("quotes")]
    assert sizes == [100, 100, 100, 32]
    market.expirations("SPY")
    assert server.calls(NESTED) == 1
    rig.move(301)
    market.expirations("SPY")
    assert server.calls(NESTED) == 2


def test_the_service_refuses_more_than_a_hundred_symbols(server: TastytradeServer, rig: Rig) -> None:
    symbols = list(shipped(server, TARGET))[:100]
    asked: dict[str, str | list[str]] = {"equity": ["SPY"], "equity-option": symbols}
    unusable(lambda: rig.rest.get(BY_TYPE, asked, seconds=5), "At most 100 symbols")
    assert len(rig.rest.get(BY_TYPE, {"equity-option": symbols}, seconds=5)["items"]) == 100


def test_fresh_quotes_of_legs_are_as_old_as_the_oldest_of_them(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    legs = [leg("620"), leg("615", action=Action.BUY_TO_OPEN)]
    found = market.quotes("SPY", legs)
    assert found.as_of == AT
    assert found.spot == pytest.approx(server.spot)
    theirs = shipped(server, TARGET)
    for symbol, quote in found.quotes.items():
        assert (quote.bid, quote.ask) == (theirs[symbol].bid, theirs[symbol].ask)
    assert set(found.quotes) == {each.symbol for each in legs}
    assert server.calls(BY_TYPE) == 1
    old = with_(updated_at="2026-11-23T14:59:47.000Z")
    server.edit = each(old, where=lambda row: row["symbol"] == legs[1].symbol)
    assert market.quotes("SPY", legs).as_of == AT.replace(minute=59, hour=14, second=47, microsecond=0)
    server.edit = each(old, where=lambda row: row["symbol"] == "SPY")
    assert market.quotes("SPY", legs).as_of < AT


def test_a_leg_that_is_halted_or_not_quoted_is_left_out(server: TastytradeServer, market: TastytradeMarket) -> None:
    legs = [leg("620"), leg("615", action=Action.BUY_TO_OPEN)]
    server.edit = each(with_(is_trading_halted=True), where=lambda row: row["symbol"] == legs[0].symbol)
    assert set(market.quotes("SPY", legs).quotes) == {legs[1].symbol}
    server.edit = lambda rows: [row for row in rows if row["symbol"] != legs[1].symbol]
    assert set(market.quotes("SPY", legs).quotes) == {legs[0].symbol}
    assert market.quotes("SPY", []).quotes == {}


def test_the_vix_family_and_what_is_not_quoted(server: TastytradeServer, market: TastytradeMarket) -> None:
    found = market.volatility()
    assert {name: datum.value for name, datum in found.items()} == {"vix": 15.36, "vix9d": 13.42, "vix3m": 18.06}
    assert {(datum.unit, datum.as_of) for datum in found.values()} == {("percent", AT)}
    server.edit = lambda rows: [row for row in rows if row["symbol"] != "VIX9D"]
    assert market.volatility()["vix9d"].missing == "tastytrade has no price of VIX9D"


def test_an_index_is_asked_for_as_one_and_priced_by_its_last_trade(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    assert market.quotes("SPX", []).spot == 6460.26
    assert server.requests[-1].query == {"index": "SPX"}
    assert market.earnings("SPX") == ()


def test_weekly_and_monthly_contracts_of_an_index_are_both_standard(server: TastytradeServer) -> None:
    def of_root(root: str) -> Row:
        symbols = {"call": f"{root:<6}261218C06400000", "put": f"{root:<6}261218P06400000"}
        days = [{"expiration-date": "2026-12-18", "strikes": [{"strike-price": "6400.0", **symbols}]}]
        return {**server.listing[0], "underlying-symbol": "SPX", "root-symbol": root, "expirations": days}

    listing = NestedChain({"items": [of_root("SPX"), of_root("SPXW"), of_root("SPXX")]}, "SPX")
    (day,) = listing.expirations
    assert [contract.root for contract in listing.contracts(day)] == ["SPX", "SPX", "SPXW", "SPXW"]


def test_a_class_of_shares_is_written_with_a_slash() -> None:
    for ticker, written in (("BRK.B", "BRK/B"), ("SPY", "SPY")):
        assert (wire.write_ticker(ticker), wire.read_ticker(written)) == (written, ticker)
    # A future is no share.
    assert wire.read_ticker("/ESZ6") == "/ESZ6"


def test_on_a_coarse_grid_of_strikes_more_of_the_price_range_is_asked_for() -> None:
    def of_step(step: int) -> list[Row]:
        strikes = [
            {"strike-price": f"{strike}.0"}
            | {side: f"XYZ   261224{side[0].upper()}{strike * 1000:08d}" for side in ("call", "put")}
            for strike in range(20, 181, step)
        ]
        day = {"expiration-date": "2026-12-24", "strikes": strikes}
        kind = {"option-chain-type": "Standard", "shares-per-contract": 100}
        return [{"underlying-symbol": "XYZ", "root-symbol": "XYZ", "expirations": [day], **kind}]

    for step, lowest_put, lowest_call in ((1, 60, 91), (2, 20, 84)):
        listing = NestedChain({"items": of_step(step)}, "XYZ")
        wanted = _select_contracts(listing, listing.expirations, 100.0).values()
        puts, calls = ({c.strike for c in wanted if c.right is right} for right in (Right.PUT, Right.CALL))
        assert (min(puts), min(calls)) == (lowest_put, lowest_call)


def test_moves_since_the_close_before(server: TastytradeServer, market: TastytradeMarket) -> None:
    found = market.moves(["SPY", "QQQ", "VIX"])
    assert found["SPY"].value == pytest.approx(0.01)
    assert found["QQQ"].missing is not None
    assert found["VIX"].missing is not None
    assert server.requests[-1].query == {"equity": "QQQ", "index": "VIX"}
    assert server.calls(BY_TYPE) == 1
    assert market.moves([]) == {}


# Quirks of the wire.


@pytest.mark.parametrize(
    ("sent", "read"),
    [("2.63", 2.63), ("0.0", 0.0), (2.63, 2.63), (3, 3.0), ("NaN", None), ("", None), (None, None), ("1.5E-3", 0.0015)],
)
def test_numbers_come_as_text_or_not_at_all(sent: Any, read: float | None) -> None:
    assert wire.parse_number({"bid": sent}, "bid") == read
    assert wire.parse_number({}, "bid") is None


@pytest.mark.parametrize(
    "sent",
    [
        "Infinity",
        "-inf",
        "1_000",
        "٣",
        "1e999",
        "0x10",
        "1,5",
        " 1",
        True,
        [],
        {},
        "1" * 99,
        10**400,
        10**13,
        1e13,
        -1e300,
    ],
)
def test_what_is_no_number_names_its_field(sent: Any) -> None:
    unusable(lambda: wire.parse_number({"open-interest": sent}, "open-interest"), "open-interest")


def test_keys_may_come_in_camel_case() -> None:
    row = {"symbol": "SPY", "updatedAt": "2026-11-23T15:00:01.328Z", "isTradingHalted": True, "prevClose": "1.0"}
    (found,) = wire.parse_quotes({"items": [row]}, ["SPY"])
    assert (found.at, found.is_halted, found.prior_close) == (AT, True, 1.0)


FIELDS: list[tuple[str, Any, str]] = [
    ("symbol", ..., "symbol is missing"),
    ("symbol", 5, "symbol is 5"),
    ("updated-at", ..., "updated-at is missing"),
    ("updated-at", "2026-11-23T15:00:01", "updated-at"),
    ("updated-at", "0001-01-01T00:00:00+23:00", "updated-at"),
    ("updated-at", "yesterday\x1b[2J", "updated-at"),
    ("updated-at", 1795446130114, "updated-at"),
    ("bid", "two", "bid is 'two'"),
    ("ask", ["2.65"], "ask"),
    ("volume", "2.5", "volume"),
    ("volume", "-2", "volume"),
    ("open-interest", "many", "open-interest"),
    ("volatility", {}, "volatility"),
    ("delta", "x" * 400, "delta"),
    ("is-trading-halted", "false", "is-trading-halted"),
]


@pytest.mark.parametrize(("field", "sent", "words"), FIELDS)
def test_a_field_of_another_type_is_refused_by_name(
    server: TastytradeServer, market: TastytradeMarket, field: str, sent: Any, words: str
) -> None:
    def spoil(rows: list[Row]) -> list[Row]:
        return [*rows[:-1], with_(**{field.replace("-", "_"): sent})(rows[-1])] if len(rows) > 1 else rows

    server.edit = spoil
    error = unusable(lambda: market.chain("SPY", [TARGET]), words)
    assert error.message.isprintable()
    assert len(error.message) < 120


@pytest.mark.parametrize("field", ["bid", "ask"])
def test_a_field_that_no_quote_has_any_more_is_refused_by_name(
    server: TastytradeServer, market: TastytradeMarket, field: str
) -> None:
    server.edit = each(with_(**{field: ..., f"{field}-price": "1.0"}), where=is_option)
    unusable(lambda: market.chain("SPY", [TARGET]), f"no quote has the field {field}")


def test_a_side_that_is_missing_is_missing_not_zero(server: TastytradeServer, market: TastytradeMarket) -> None:
    extra = with_(bid=..., ask="NaN", volume=None, open_interest=..., volatility="NaN", delta=..., last="0.0")
    server.edit = each(extra, where=lambda row: row["symbol"] == leg("640").symbol)
    found = next(quote for quote in market.chain("SPY", [TARGET]).quotes if quote.symbol == leg("640").symbol)
    figures = (found.bid, found.ask, found.last, found.volume, found.open_interest, found.feed_iv, found.feed_delta)
    assert figures == (None,) * 7


def test_crossed_negative_and_doubled_rows_are_left_to_the_gates(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    symbol = leg("640").symbol

    def spoil(rows: list[Row]) -> list[Row]:
        return [copy for row in rows for copy in ([with_(bid="9.9")(row), row] if row["symbol"] == symbol else [row])]

    server.edit = spoil
    found = [quote for quote in market.chain("SPY", [TARGET]).quotes if quote.symbol == symbol]
    assert len(found) == 2
    assert found[0].bid == 9.9
    # As a leg, a contract with two prices has none.
    assert market.quotes("SPY", [leg("640")]).quotes == {}


# C3, C4, C5: another answer than asked for, or of another time.


def test_an_expiration_that_is_gone_is_looked_up_once_more(server: TastytradeServer, market: TastytradeMarket) -> None:
    unusable(lambda: market.chain("SPY", [date(2026, 12, 26)]), "2026-12-26")
    assert server.calls(NESTED) == 2
    everything = server.listing[0]["expirations"]
    server.listing[0]["expirations"] = everything[:-1]
    assert TARGET not in TastytradeMarket(Rig(server).rest, clock=lambda: AT, seconds=5).expirations("SPY")
    market.expirations("SPY")
    server.listing[0]["expirations"] = everything
    assert market.chain("SPY", [TARGET]).quotes


def test_an_empty_list_of_expirations_is_asked_for_once_more(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    empty = [{**server.listing[0], "expirations": []}]
    server.faults[NESTED] = [web.changed(lambda _: Reply(body={"data": {"items": empty}}))]
    assert TARGET in market.expirations("SPY")
    assert server.calls(NESTED) == 2
    server.listing = empty
    again = TastytradeMarket(Rig(server).rest, clock=lambda: AT, seconds=5)
    assert unusable(lambda: again.expirations("SPY"), "no expiration").gate == "expiration"


def test_only_standard_contracts_are_listed(server: TastytradeServer, market: TastytradeMarket) -> None:
    kept = market.expirations("SPY")
    odd = server.listing[0]["expirations"][:1]
    for change in ({"shares-per-contract": 10}, {"option-chain-type": "Non-standard"}, {"root-symbol": "2SPY"}):
        moved = [{**each, "expiration-date": "2027-01-04"} for each in odd]
        server.listing = [server.listing[0], {**server.listing[0], **change, "expirations": moved}]
        assert TastytradeMarket(Rig(server).rest, clock=lambda: AT, seconds=5).expirations("SPY") == kept


LISTED: list[tuple[str, Callable[[Row], object], str]] = [
    ("another underlying", lambda item: item.update({"underlying-symbol": "QQQ"}), "one of 'QQQ' came"),
    ("another day", lambda item: _strike(item).update(put=_strike(item)["put"].replace("261225", "261226")), "the put"),
    ("another strike", lambda item: _strike(item).update({"strike-price": "641.0"}), "has the symbol"),
    ("sides swapped", lambda item: _strike(item).update(call=_strike(item)["put"]), "the call"),
    ("stripped", lambda item: _strike(item).update(put=_strike(item)["put"].replace(" ", "")), "the put"),
    ("no strike", lambda item: _strike(item).update({"strike-price": "NaN"}), "strike-price"),
    ("strike 0", lambda item: _strike(item).update({"strike-price": "0.0"}), "strike-price"),
    ("thin strike", lambda item: _strike(item).update({"strike-price": "640.0001"}), "strike-price"),
    ("no side", lambda item: _strike(item).pop("call"), "call is missing"),
    ("no strikes", lambda item: item["expirations"][-1].pop("strikes"), "strikes is missing"),
    ("no date", lambda item: item["expirations"][-1].update({"expiration-date": "soon"}), "expiration-date"),
    ("expirations text", lambda item: item.update(expirations="none"), "expirations"),
    ("an expiration is text", lambda item: item["expirations"].append("none"), "expirations"),
    ("a strike is text", lambda item: item["expirations"][-1]["strikes"].append("x"), "strikes"),
    ("no root", lambda item: item.pop("root-symbol"), "root-symbol"),
    ("shares", lambda item: item.update({"shares-per-contract": "all"}), "shares-per-contract"),
]


def _strike(item: Row) -> Row:
    row: Row = next(row for row in item["expirations"][-1]["strikes"] if row["strike-price"] == "640.0")
    return row


@pytest.mark.parametrize(("spoil", "words"), [row[1:] for row in LISTED], ids=[row[0] for row in LISTED])
def test_a_listing_that_contradicts_itself_is_refused(
    server: TastytradeServer, market: TastytradeMarket, spoil: Callable[[Row], object], words: str
) -> None:
    spoil(server.listing[0])
    unusable(lambda: market.chain("SPY", [TARGET]), words)
    assert server.calls(NESTED) == 1


def test_a_quote_that_was_not_asked_for_is_refused(server: TastytradeServer, market: TastytradeMarket) -> None:
    server.edit = each(with_(symbol="SPY   261225P00111000"), where=lambda row: row["symbol"] == leg("640").symbol)
    unusable(lambda: market.chain("SPY", [TARGET]), "'SPY   261225P00111000' came, which was not asked for")
    unusable(lambda: market.quotes("SPY", [leg("640")]), "not asked for")
    server.edit = each(with_(symbol="QQQ"), where=lambda row: row["symbol"] == "SPY")
    unusable(lambda: market.chain("SPY", [TARGET]), "'QQQ'")


def test_the_order_of_the_rows_decides_nothing(server: TastytradeServer, market: TastytradeMarket) -> None:
    straight = market.chain("SPY", [TARGET])
    server.edit = lambda rows: rows[::-1]
    assert set(market.chain("SPY", [TARGET]).quotes) == set(straight.quotes)
    assert market.chain("SPY", [TARGET]).spot == straight.spot


def test_contracts_that_the_service_does_not_know_are_absent(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    server.edit = lambda rows: [row for row in rows if row["symbol"] != leg("640").symbol]
    chain = market.chain("SPY", [TARGET])
    assert len(chain.quotes) == 219
    server.edit = lambda rows: [row for row in rows if not is_option(row)]
    assert unusable(lambda: market.chain("SPY", [TARGET]), "none of 220 contracts").gate == "dead_feed"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_(is_trading_halted=True), "halted"),
        (with_(bid=..., ask=..., last=...), "no price"),
        (with_(bid="0.0", ask="0.0", last="0.0"), "no price"),
    ],
)
def test_an_underlying_without_a_market_is_refused(
    server: TastytradeServer, market: TastytradeMarket, change: Callable[[Row], Row], words: str
) -> None:
    server.edit = each(change, where=lambda row: row["symbol"] == "SPY")
    for act in (lambda: market.chain("SPY", [TARGET]), lambda: market.quotes("SPY", [leg("640")])):
        assert unusable(act, words).gate == "underlying"
    server.edit = lambda rows: [row for row in rows if row["symbol"] != "SPY"]
    unusable(lambda: market.chain("SPY", [TARGET]), "no price of SPY")


@pytest.mark.parametrize(
    ("bid", "ask", "last", "spot"),
    [("645.0", "645.1", "600.0", 645.05), ("600.0", "690.0", "645.2", 645.2), ("646.0", "645.0", "645.2", 645.2)],
)
def test_the_spot_is_the_mid_of_a_narrow_market_else_the_last_trade(
    server: TastytradeServer, market: TastytradeMarket, bid: str, ask: str, last: str, spot: float
) -> None:
    server.shares |= {"bid": bid, "ask": ask, "last": last}
    assert market.chain("SPY", [TARGET]).spot == pytest.approx(spot)


@pytest.mark.parametrize(
    "change", [with_(is_trading_halted=True), with_(updated_at="2026-11-23T14:45:01.000Z")], ids=["halted", "old"]
)
def test_a_halted_or_old_quote_stays_in_the_chain_without_its_prices(
    server: TastytradeServer, market: TastytradeMarket, change: Callable[[Row], Row]
) -> None:
    server.edit = each(change, where=lambda row: row["symbol"] == leg("640").symbol)
    quotes = {quote.symbol: quote for quote in market.chain("SPY", [TARGET]).quotes}
    assert len(quotes) == 220
    dead = quotes[leg("640").symbol]
    assert (dead.bid, dead.ask, dead.feed_iv, dead.feed_delta) == (None,) * 4
    assert dead.open_interest is not None
    assert sum(quote.ask is None for quote in quotes.values()) == 1


def test_options_that_stand_still_make_the_chain_as_old_as_they_are(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    server.edit = each(with_(updated_at="2026-11-23T14:50:00.000Z"), where=is_option)
    assert market.chain("SPY", [TARGET]).as_of == datetime(2026, 11, 23, 14, 50, tzinfo=UTC)
    server.edit = each(with_(updated_at="2026-11-20T21:00:00.000Z"))
    assert market.chain("SPY", [TARGET]).as_of == datetime(2026, 11, 20, 21, tzinfo=UTC)


def test_a_market_that_runs_away_while_it_is_read_is_asked_for_again(
    server: TastytradeServer, market: TastytradeMarket
) -> None:
    calls: list[int] = []

    def drift(rows: list[Row]) -> list[Row]:
        calls.append(len(rows))
        up = 1 + 0.001 * len(calls)
        shares = {key: number(server.spot * up) for key in ("bid", "ask", "last")}
        return [{**row, **shares} if row["symbol"] == "SPY" else row for row in rows]

    server.edit = drift
    with pytest.raises(Unavailable, match=r"moved from 646\.34 to 647\.63"):
        market.chain("SPY", [TARGET])


# C1, C11, the sandbox, and the time that a question may take.


def test_a_call_that_failed_is_repeated_within_the_chain(server: TastytradeServer, market: TastytradeMarket) -> None:
    server.faults[BY_TYPE] = [None, web.cut, None, web.status(503)]
    assert len(market.chain("SPY", [TARGET]).quotes) == 220
    assert server.calls(BY_TYPE) == 1 + 3 + 2


@pytest.mark.slow
@pytest.mark.parametrize("fault", [web.hang, web.drip, web.late(0.5)], ids=["hang", "drip", "late"])
def test_a_question_ends_in_its_time_however_many_calls_it_takes(
    server: TastytradeServer, rig: Rig, fault: web.Fault
) -> None:
    market = TastytradeMarket(rig.rest, clock=rig.clock, seconds=0.8)
    server.faults[BY_TYPE] = [None, fault, fault, fault]

    def act() -> None:
        with pytest.raises(Unavailable):
            market.chain("SPY", [TARGET])

    assert web.elapsed(act) < 1.6


def test_the_sandbox_has_a_chain_but_no_market_data(server: TastytradeServer) -> None:
    server.is_sandbox = True
    rig = Rig(server, version="")
    market = TastytradeMarket(rig.rest, clock=rig.clock, seconds=5)
    assert TARGET in market.expirations("SPY")
    for act in (lambda: market.chain("SPY", [TARGET]), lambda: market.metrics("SPY")):
        with pytest.raises(Unavailable, match="HTTP 502"):
            act()


def test_an_underlying_without_options_is_gone(market: TastytradeMarket) -> None:
    with pytest.raises(Spy32Error) as caught:
        market.expirations("NOPE/A")
    assert caught.value.code == 69
    assert "/option-chains/NOPE%2FA/nested" in caught.value.message


# Metrics.


def test_the_brokers_own_figures_with_their_time(server: TastytradeServer, market: TastytradeMarket) -> None:
    found = market.metrics("SPY")
    values = {name: datum.value for name, datum in found.items()}
    assert values == {
        "iv_rank": 0.273,
        "iv_percentile": 0.418,
        "iv_2026-12-24": 0.1571,
    }
    assert found["iv_rank"].as_of == datetime(2026, 11, 23, 14, 53, tzinfo=UTC)
    assert found["iv_rank"].unit == "fraction"
    market.earnings("SPY")
    market.dividends("SPY")
    assert server.calls(METRICS) == 1


def test_metrics_that_are_missing_or_no_fraction_say_so(server: TastytradeServer, market: TastytradeMarket) -> None:
    server.metrics = {
        "symbol": "SPY",
        "implied-volatility-index-rank": "27.3",
    }
    found = market.metrics("SPY")
    assert found["iv_rank"].missing == "tastytrade sent no fraction for implied-volatility-index-rank"
    assert found["iv_percentile"].missing == "tastytrade sent no fraction for implied-volatility-percentile"
    assert set(found) == {"iv_rank", "iv_percentile"}


def test_metrics_of_another_symbol_are_refused(server: TastytradeServer, market: TastytradeMarket) -> None:
    items = [{**server.metrics, "symbol": "QQQ"}]
    server.faults[METRICS] = [web.changed(lambda _: Reply(body={"data": {"items": items}}))]
    unusable(lambda: market.metrics("SPY"), "market metrics of 'QQQ' came")
    assert market.metrics("IWM") == {}
    assert market.dividends("IWM") is None


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("implied-volatility-index-rank", ["0.2"]),
        ("implied-volatility-updated-at", "now"),
        ("option-expiration-implied-volatilities", {}),
        ("option-expiration-implied-volatilities", ["x"]),
    ],
)
def test_metrics_of_another_type_are_refused_by_name(
    server: TastytradeServer, market: TastytradeMarket, field: str, sent: Any
) -> None:
    server.metrics[field] = sent
    unusable(lambda: market.metrics("SPY"), field)


REPORT = {"expected-report-date": "2026-12-16", "estimated": False, "visible": True, "late-flag": 0}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (REPORT, (date(2026, 12, 16), True)),
        ({**REPORT, "estimated": True}, (date(2026, 12, 16), False)),
        ({**REPORT, "visible": False}, (date(2026, 12, 16), False)),
        ({"expected-report-date": "2026-11-23"}, (date(2026, 11, 23), False)),
        ({**REPORT, "expected-report-date": "2026-11-20"}, None),
        ({**REPORT, "expected-report-date": "2031-11-20"}, None),
        ({**REPORT, "expected-report-date": None}, None),
        ({}, None),
    ],
)
def test_the_next_report_of_a_company(
    server: TastytradeServer, market: TastytradeMarket, block: Row, expected: tuple[date, bool] | None
) -> None:
    server.metrics |= {"symbol": "ACME", "earnings": block}
    found = market.earnings("ACME")
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert [(event.kind, event.day, event.is_confirmed) for event in found] == [(EventKind.EARNINGS, *expected)]


def test_no_report_is_a_fund_or_an_index_or_not_known(server: TastytradeServer, market: TastytradeMarket) -> None:
    assert market.earnings("SPY") == ()
    server.metrics["symbol"] = "ACME"
    server.funds["ACME"] = False
    assert market.earnings("ACME") is None
    for block in ("soon", {"expected-report-date": 5}, {**REPORT, "estimated": "no"}):
        server.metrics["earnings"] = block
        fresh = TastytradeMarket(Rig(server).rest, clock=lambda: AT, seconds=5)
        unusable(lambda: fresh.earnings("ACME"))  # noqa: B023


@pytest.mark.parametrize(
    ("ex_date", "rate", "is_served"),
    [
        ("2026-12-18", "1.993", True),
        ("2026-09-18", "1.993", True),
        ("2022-12-16", "1.993", False),
        ("2030-12-16", "1.993", False),
        (None, "1.993", False),
        ("2026-12-18", None, False),
        ("2026-12-18", "0.0", False),
    ],
)
def test_the_ex_date_when_it_can_be_one(
    server: TastytradeServer, market: TastytradeMarket, ex_date: str | None, rate: str | None, is_served: bool
) -> None:
    server.metrics |= {"dividend-ex-date": ex_date, "dividend-rate-per-share": rate}
    found = market.dividends("SPY")
    assert (found is not None) == is_served
    for dividend in found or ():
        assert (dividend.ex_date.isoformat(), dividend.amount) == (ex_date, Decimal("1.993"))


# Whatever comes.

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)
ROWS = TastytradeServer(AT)
GOOD = [ROWS._row("equity", "SPY"), *(ROWS._row("equity-option", leg(strike).symbol) for strike in ("640", "645"))]
ITEM = ROWS.listing[0]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2), st.sampled_from(sorted({key for row in GOOD if row for key in row})), JUNK)
def test_a_row_with_anything_in_it_is_read_or_refused(place: int, field: str, junk: Any) -> None:
    rows = [dict(row) for row in GOOD if row]
    rows[place][field] = junk
    asked = [row["symbol"] for row in GOOD if row]
    try:
        found = wire.parse_quotes({"items": rows}, asked)
    except Unusable as error:
        assert error.message.isprintable()
        return
    assert {row.symbol for row in found} <= set(asked)
    for row in found:
        figures = (row.bid, row.ask, row.last, row.prior_close, row.volume, row.open_interest, row.iv, row.delta)
        assert all(figure is None or abs(figure) <= 1e12 for figure in figures)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["item", "expiration", "strike"]), st.integers(0, 9), JUNK)
def test_a_listing_with_anything_in_it_is_read_or_refused(level: str, place: int, junk: Any) -> None:
    strike = dict(ITEM["expirations"][-1]["strikes"][5])
    expiration = {**ITEM["expirations"][-1], "strikes": [strike]}
    item = {**ITEM, "expirations": [expiration]}
    spoiled = {"item": item, "expiration": expiration, "strike": strike}[level]
    spoiled[sorted(spoiled)[place % len(spoiled)]] = junk
    try:
        listing = NestedChain({"items": [item]}, "SPY")
        found = [contract for day in listing.expirations for contract in listing.contracts(day)]
    except Unusable as error:
        assert error.message.isprintable()
        return
    assert all(contract.root == "SPY" and contract.expiration - TARGET == timedelta() for contract in found)
