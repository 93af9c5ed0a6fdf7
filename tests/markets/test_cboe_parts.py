"""What Cboe's documents say: every field and quirk, and every way in which a document can be another than we know."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.domain.codec import canonical_json
from spy32.domain.market import DailyBar, OptionQuote, Right
from spy32.errors import Unusable
from spy32.markets.cboe import parse_bars, parse_chain, parse_level, parse_vix_closes
from tests.support.paths import DATA

RAW = DATA / "raw"
SAMPLE_NOW = datetime(2022, 7, 12, 22, 58, tzinfo=UTC)
LONG_AGO = date(2000, 1, 1)


def sample(name: str) -> Any:
    return json.loads((RAW / f"cboe_{name}.json").read_text())


# The document as it comes.


def test_the_published_sample_is_read_field_by_field() -> None:
    chain = parse_chain(sample("options_SPY"), "SPY", SAMPLE_NOW)
    assert (chain.underlying, chain.spot, chain.source, chain.delay_seconds) == ("SPY", 380.88, "cboe", 900)
    # The shares had last traded before the document was written: the price is as old as that.
    assert chain.as_of == datetime(2022, 7, 12, 20, 0, tzinfo=UTC)
    assert chain.quotes[0] == OptionQuote(
        root="SPY",
        expiration=date(2024, 6, 21),
        strike=Decimal(190),
        right=Right.CALL,
        bid=194.63,
        ask=199.34,
        last=191.5,
        volume=0,
        open_interest=6,
        feed_iv=0.3363,
        feed_delta=0.9568,
        traded_at=datetime(2022, 7, 5, 13, 31, 44, tzinfo=UTC),
    )
    never = chain.quotes[2]
    assert (never.last, never.traded_at, never.volume) == (None, None, 0)
    assert {type(quote.open_interest) for quote in chain.quotes} == {int}


def test_winter_times_of_trades_are_five_hours_off() -> None:
    document = sample("options_SPY")
    document["data"]["options"][0]["last_trade_time"] = "2022-01-05T09:31:44"
    assert parse_chain(document, "SPY", SAMPLE_NOW).quotes[0].traded_at == datetime(2022, 1, 5, 14, 31, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value", "attribute", "then"),
    [
        ("iv", 0.0, "feed_iv", None),
        ("iv", None, "feed_iv", None),
        ("iv", "", "feed_iv", None),
        ("iv", -999.0, "feed_iv", None),
        ("delta", 0.0, "feed_delta", 0.0),
        ("delta", -999.0, "feed_delta", None),
        ("bid", 0.0, "bid", 0.0),
        ("bid", 0, "bid", 0.0),
        ("bid", None, "bid", None),
        ("bid", "NaN", "bid", None),
        ("bid", -0.05, "bid", None),
        ("ask", 1e300, "ask", None),
        ("ask", 10**400, "ask", None),
        ("ask", "", "ask", None),
        ("volume", 48.0, "volume", 48),
        ("volume", None, "volume", None),
        ("open_interest", 0.0, "open_interest", 0),
        ("open_interest", "nan", "open_interest", None),
        ("last_trade_time", None, "traded_at", None),
        ("last_trade_time", "", "last", None),
        ("last_trade_price", 0.0, "last", 0.0),
    ],
)
def test_what_is_missing_is_none_and_what_is_zero_is_zero(field: str, value: Any, attribute: str, then: Any) -> None:
    document = sample("options_SPY")
    document["data"]["options"][0][field] = value
    found = getattr(parse_chain(document, "SPY", SAMPLE_NOW).quotes[0], attribute)
    assert found == then
    assert type(found) is type(then)


def test_a_field_that_one_contract_lacks_is_missing() -> None:
    document = sample("options_SPY")
    for field in ("bid", "iv", "last_trade_time"):
        del document["data"]["options"][1][field]
    quote = parse_chain(document, "SPY", SAMPLE_NOW).quotes[1]
    assert (quote.bid, quote.feed_iv, quote.traded_at, quote.last) == (None, None, None, None)
    assert quote.ask == 6.63


@pytest.mark.parametrize(
    ("symbol", "root", "strike"),
    [
        ("SPY7220715C00380000", "SPY7", "380"),
        ("SPY1220715C00380500", "SPY1", "380.5"),
        ("BRKB220715C00380125", "BRKB", "380.125"),
        ("A220715C00001000", "A", "1"),
        ("SPXW220715C10000000", "SPXW", "10000"),
    ],
)
def test_symbols_are_read_from_the_right_and_keep_their_root(symbol: str, root: str, strike: str) -> None:
    document = sample("options_SPY")
    document["data"]["options"][0]["option"] = symbol
    quote = parse_chain(document, "SPY", SAMPLE_NOW).quotes[0]
    assert (quote.root, quote.expiration, quote.right) == (root, date(2022, 7, 15), Right.CALL)
    assert str(quote.strike) == strike


@pytest.mark.parametrize(
    "symbol",
    ["", None, 7, "SPY", "SPY240631C00190000", "SPY240621X00190000", "SPY240621C00000000", "SPY   240621C00190000",
     "SPY٢40621C00190000", "TOOLONGROOT240621C00190000", "SPY240621C001900001", "spy240621c00190000"],
)  # fmt: skip
def test_many_symbols_that_are_none_are_another_document_and_one_in_hundreds_is_dropped(symbol: Any) -> None:
    document = sample("options_SPY")
    good = document["data"]["options"][1]
    document["data"]["options"][0]["option"] = symbol
    with pytest.raises(Unusable, match="1 of 6 contracts have no OCC symbol in the field option"):
        parse_chain(document, "SPY", SAMPLE_NOW)
    document["data"]["options"] = [document["data"]["options"][0], *[good] * 99]
    assert len(parse_chain(document, "SPY", SAMPLE_NOW).quotes) == 99


# Changed documents.


@pytest.mark.parametrize(
    "field", ["option", "bid", "ask", "iv", "delta", "volume", "open_interest", "last_trade_price", "last_trade_time"]
)
def test_a_field_that_is_renamed_or_gone_is_named(field: str) -> None:
    for name in (f"{field}2", None):
        document = sample("options_SPY")
        for row in document["data"]["options"]:
            value = row.pop(field)
            if name is not None:
                row[name] = value
        with pytest.raises(Unusable, match=f"no contract has the field {field}$"):
            parse_chain(document, "SPY", SAMPLE_NOW)


@pytest.mark.parametrize("field", ["bid", "ask", "iv", "delta", "volume", "open_interest", "last_trade_price"])
@pytest.mark.parametrize("value", ["1.25", "\x1b[2J", True, [], {}])
def test_a_number_that_became_something_else_is_named(field: str, value: Any) -> None:
    document = sample("options_SPY")
    document["data"]["options"][1][field] = value
    with pytest.raises(Unusable, match=f"the field {field} is .*, not a number") as told:
        parse_chain(document, "SPY", SAMPLE_NOW)
    assert "\x1b" not in told.value.message


@pytest.mark.parametrize("field", ["bid", "ask"])
@pytest.mark.parametrize("value", [None, "", -1.0])
def test_prices_that_are_empty_everywhere_are_no_chain(field: str, value: Any) -> None:
    document = sample("options_SPY")
    for row in document["data"]["options"]:
        row[field] = value
    with pytest.raises(Unusable, match=f"the field {field} is empty in every contract"):
        parse_chain(document, "SPY", SAMPLE_NOW)


def test_what_is_only_looked_at_may_be_empty_everywhere() -> None:
    document = sample("options_SPY")
    for row in document["data"]["options"]:
        row.update(dict.fromkeys(("iv", "delta", "volume", "open_interest", "last_trade_price", "last_trade_time")))
    assert {quote.open_interest for quote in parse_chain(document, "SPY", SAMPLE_NOW).quotes} == {None}


@pytest.mark.parametrize("value", [None, "", 0.0, -1.0, "645.05", True, 1e300])
def test_a_spot_that_is_none_is_never_made_up_from_bid_and_ask(value: Any) -> None:
    document = sample("options_SPY")
    document["data"]["current_price"] = value
    with pytest.raises(Unusable, match="current_price"):
        parse_chain(document, "SPY", SAMPLE_NOW)


@pytest.mark.parametrize(
    ("holder", "field", "value"),
    [
        (None, "data", None), (None, "data", []), ("data", "options", None), ("data", "options", {}),
        ("data", "options", [1]), ("data", "symbol", "QQQ"), ("data", "symbol", None), (None, "symbol", "QQQ"),
        (None, "symbol", 7), ("data", "symbol", "^"), ("data", "symbol", "spy"), (None, "timestamp", None),
        (None, "timestamp", ""), (None, "timestamp", "yesterday"), (None, "timestamp", 1661436000),
        (None, "timestamp", "2022-07-12"), (None, "timestamp", "2022-07-12 22:57:33+00:00"),
    ],
)  # fmt: skip
def test_a_document_of_another_shape_or_ticker_or_without_a_time_is_refused_by_field(
    holder: str | None, field: str, value: Any
) -> None:
    document = sample("options_SPY")
    (document if holder is None else document[holder])[field] = value
    with pytest.raises(Unusable, match=field):
        parse_chain(document, "SPY", SAMPLE_NOW)


def test_the_name_inside_is_enough() -> None:
    document = sample("options_SPY")
    del document["symbol"]
    assert parse_chain(document, "SPY", SAMPLE_NOW).spot == 380.88


@pytest.mark.parametrize("found", [None, [], "text", 7])
def test_a_document_that_is_no_object_is_refused(found: Any) -> None:
    with pytest.raises(Unusable, match="not an object"):
        parse_chain(found, "SPY", SAMPLE_NOW)


def test_a_timestamp_may_lie_two_minutes_ahead_and_not_more() -> None:
    stamp = datetime(2022, 7, 12, 22, 57, 33, tzinfo=UTC)
    assert parse_chain(sample("options_SPY"), "SPY", stamp - timedelta(minutes=2)).spot == 380.88
    with pytest.raises(Unusable, match="timestamp 2022-07-12 22:57:33 UTC lies ahead"):
        parse_chain(sample("options_SPY"), "SPY", stamp - timedelta(minutes=2, seconds=1))


@pytest.mark.parametrize("value", [7, "soon", "2022-07-05", [], "2022-07-05T09:31:44Z"])
def test_a_time_of_trade_of_another_kind_is_named(value: Any) -> None:
    document = sample("options_SPY")
    document["data"]["options"][1]["last_trade_time"] = value
    with pytest.raises(Unusable, match="last_trade_time"):
        parse_chain(document, "SPY", SAMPLE_NOW)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_field_it_is_a_finite_chain_or_one_line(data: st.DataObject) -> None:
    document = sample("options_SPY")
    holders = [document, document["data"], *document["data"]["options"]]
    for _ in range(data.draw(st.integers(1, 4))):
        holder = data.draw(st.sampled_from(holders))
        holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(JUNK)
    try:
        canonical_json(parse_chain(document, "SPY", SAMPLE_NOW))
    except Unusable as told:
        assert told.message.isprintable()


# Quotes.


def test_the_level_of_an_index_is_of_its_last_trade_on_new_yorks_clock() -> None:
    level = parse_level(sample("quote_VIX"), "VIX", "current_price", SAMPLE_NOW)
    assert (level.value, level.as_of) == (27.29, datetime(2022, 7, 12, 20, 15, 1, tzinfo=UTC))


def test_the_change_of_a_share_is_in_percent() -> None:
    document = sample("quote_SPY")
    level = parse_level(document, "SPY", "price_change_percent", SAMPLE_NOW)
    # 380.83 was the close, 384.23 the one before, by the daily history: the sample's own change.
    assert level.value == pytest.approx(380.83 / 384.23 - 1, abs=5e-6)
    assert (level.unit, level.source) == ("fraction", "cboe SPY")


@pytest.mark.parametrize(
    ("field", "value"),
    [("current_price", None), ("current_price", ""), ("current_price", "27.29"), ("current_price", []),
     ("last_trade_time", None), ("last_trade_time", "soon"), ("symbol", "^VIX9D"), ("symbol", None),
     ("last_trade_time", "2022-07-12T19:01:00")],
)  # fmt: skip
def test_a_quote_without_figure_time_or_name_is_refused_by_field(field: str, value: Any) -> None:
    document = sample("quote_VIX")
    document["data"][field] = value
    with pytest.raises(Unusable, match=field):
        parse_level(document, "VIX", "current_price", SAMPLE_NOW)
    del document["data"][field]
    with pytest.raises(Unusable, match=field):
        parse_level(document, "VIX", "current_price", SAMPLE_NOW)


# Days before.


def test_daily_bars_come_as_text_and_are_read_as_numbers() -> None:
    bars = parse_bars(sample("chart_SPY"), "SPY", LONG_AGO, SAMPLE_NOW)
    assert len(bars) == 5
    assert bars[-1] == DailyBar(
        day=date(2022, 7, 11), close=384.23, open=385.85, high=386.87, low=383.5, volume=58366900.0, adjusted=None
    )


def test_daily_bars_may_come_as_numbers_too() -> None:
    document = sample("chart_SPY")
    for row in document["data"]:
        row.update({field: float(row[field]) for field in ("open", "high", "low", "close", "volume")})
    assert parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW) == parse_bars(
        sample("chart_SPY"), "SPY", LONG_AGO, SAMPLE_NOW
    )


def test_daily_bars_are_put_in_order_begin_where_asked_and_end_before_today() -> None:
    document = sample("chart_SPY")
    document["data"].reverse()
    days = [bar.day.day for bar in parse_bars(document, "SPY", date(2022, 7, 6), SAMPLE_NOW)]
    assert days == [6, 7, 8, 11]
    # 23:59 New York of the 11th: that day's bar is not whole by the exchange's own rule, the latest day is absent.
    assert [bar.day.day for bar in parse_bars(document, "SPY", LONG_AGO, datetime(2022, 7, 12, 3, 59, tzinfo=UTC))] == [
        5, 6, 7, 8,
    ]  # fmt: skip


@pytest.mark.parametrize("close", ["NaN", "", None, 0, "0.0000", -1, "-5"])
def test_a_day_without_a_close_is_left_out(close: Any) -> None:
    document = sample("chart_SPY")
    document["data"][2]["close"] = close
    assert [bar.day.day for bar in parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW)] == [5, 6, 8, 11]
    del document["data"][2]["close"]
    assert len(parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW)) == 4


def test_a_day_without_its_range_keeps_its_close_and_an_index_has_no_volume() -> None:
    document = sample("chart_SPY")
    document["data"][0].update({"open": "0.0", "high": None})
    for row in document["data"]:
        del row["volume"]
    first = parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW)[0]
    assert (first.open, first.high, first.low, first.close, first.volume) == (None, None, 372.9, 381.96, None)


@pytest.mark.parametrize("field", ["date", "open", "high", "low", "close"])
def test_a_field_that_no_day_has_is_named(field: str) -> None:
    document = sample("chart_SPY")
    for row in document["data"]:
        row[f"{field}_price"] = row.pop(field)
    with pytest.raises(Unusable, match=f"no day has the field {field}$"):
        parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"symbol": "QQQ"}, "symbol"), ({"symbol": None}, "symbol"), ({"data": None}, "data"), ({"data": [7]}, "data"),
        ({"data": []}, "no day"),
    ],
)  # fmt: skip
def test_bars_of_another_ticker_or_shape_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Unusable, match=word):
        parse_bars({**sample("chart_SPY"), **change}, "SPY", LONG_AGO, SAMPLE_NOW)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"close": "n/a"}, "close"), ({"close": "Infinity"}, "close"), ({"close": "1,234.5"}, "close"),
        ({"close": True}, "close"), ({"date": "07/07/2022"}, "date"), ({"date": None}, "date"),
        ({"date": "2022-07-09"}, "without trading"), ({"date": "2022-07-06"}, "2022-07-06 twice"),
    ],
)  # fmt: skip
def test_a_day_that_is_another_kind_is_told(row: dict[str, Any], word: str) -> None:
    document = sample("chart_SPY")
    document["data"][2].update(row)
    with pytest.raises(Unusable, match=word):
        parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW)


VIX = """DATE,OPEN,HIGH,LOW,CLOSE
07/07/2022,26.730000,26.790000,25.660000,26.080000
07/08/2022,26.410000,26.610000,24.430000,24.640000
07/11/2022,26.420000,26.740000,25.790000,26.170000
07/12/2022,27.140000,27.750000,25.820000,27.290000
"""


def test_vix_closes_end_before_today_and_are_in_order() -> None:
    closes = ((date(2022, 7, 7), 26.08), (date(2022, 7, 8), 24.64), (date(2022, 7, 11), 26.17))
    assert parse_vix_closes(VIX, LONG_AGO, SAMPLE_NOW) == closes
    heading, *lines = VIX.split()
    turned = "\r\n".join(["\ufeff" + heading, *reversed(lines), ""])
    assert parse_vix_closes(turned, date(2022, 7, 8), SAMPLE_NOW) == closes[1:]


@pytest.mark.parametrize("cell", ["", "NaN", "0.000000"])
def test_a_vix_close_that_is_missing_is_left_out(cell: str) -> None:
    assert len(parse_vix_closes(VIX.replace("24.640000", cell), LONG_AGO, SAMPLE_NOW)) == 2


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no day"), (VIX.replace("CLOSE", "LAST"), "CLOSE"), (VIX.replace("DATE", "DAY"), "DATE"),
        (VIX.splitlines()[0], "no day"), (VIX.replace("07/08/2022", "2022-07-08"), "DATE"),
        (VIX.replace("07/08/2022", "07/09/2022"), "without trading"),
        (VIX.replace("07/08/2022", "07/07/2022"), "2022-07-07 twice"),
        (VIX.replace("24.640000", "high"), "CLOSE"), (VIX.replace(",24.640000", ""), "4 cells under 5 columns"),
        (VIX.replace("24.640000", "24,640000"), "6 cells under 5 columns"),
    ],
)  # fmt: skip
def test_a_vix_history_of_another_shape_is_told(text: str, word: str) -> None:
    with pytest.raises(Unusable, match=word):
        parse_vix_closes(text, LONG_AGO, SAMPLE_NOW)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_histories_with_anything_in_them_are_finite_or_one_line(data: st.DataObject) -> None:
    document = sample("chart_SPY")
    holder = data.draw(st.sampled_from([document, *document["data"]]))
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(JUNK)
    place = data.draw(st.integers(0, len(VIX)))
    text = VIX[:place] + data.draw(st.text(max_size=5)) + VIX[place:]
    for read in (
        lambda: parse_bars(document, "SPY", LONG_AGO, SAMPLE_NOW),
        lambda: parse_vix_closes(text, LONG_AGO, SAMPLE_NOW),
    ):
        try:
            canonical_json(read())
        except Unusable as told:
            assert told.message.isprintable()
