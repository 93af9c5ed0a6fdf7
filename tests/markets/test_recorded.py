"""Recorded markets: what a chain file gives, what it refuses, and that nothing from after its quotes is seen."""

import csv
import gzip
import math
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.domain.market import OptionQuote, Right
from spy32.domain.marks import LegMark
from spy32.domain.spreads import Action, Leg
from spy32.errors import Unavailable, Unusable
from spy32.markets import bundled_history, chain_file
from spy32.markets.recorded import SHIPPED_CHAIN, MarkMarket, RecordedMarket
from spy32.sessions import market_date, session
from tests.support import builders as b
from tests.support.broken_chains import UNREADABLE, Dirt, Row, clean, text_of, with_all, with_one
from tests.support.paths import DATA, ROOT

CHAINS = DATA / "chains"
TARGET = date(2025, 9, 30)


def market_of(tmp_path: Path, spoil: Callable[[list[Row]], list[Row]]) -> RecordedMarket:
    path = tmp_path / "chain.csv"
    path.write_text(text_of(spoil(clean())))
    return RecordedMarket.load(path)


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """The most bytes that Python held at once inside."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def first_quote(market: RecordedMarket) -> OptionQuote:
    return market.chain("SPY", market.expirations("SPY")[:1]).quotes[0]


# Reading.


@pytest.mark.slow
@pytest.mark.parametrize("name", [SHIPPED_CHAIN, *sorted(CHAINS.glob("*.gz"))], ids=lambda path: path.name)
def test_every_row_is_read_as_the_csv_module_reads_it(name: Path) -> None:
    with gzip.open(name, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    chain = chain_file.read_chain_file(name)
    quotes = {}
    for quote in chain.quotes(chain.expirations):
        quotes[quote.root, quote.expiration.isoformat(), float(quote.strike), str(quote.right)] = quote
    assert len(quotes) == len(rows)
    for row in rows:
        quote = quotes[row["root"], row["expiration"], float(row["strike"]), row["option_type"]]
        told = (quote.bid, quote.ask, quote.last, quote.volume, quote.open_interest, quote.feed_iv, quote.feed_delta)
        names = ("bid", "ask", "last", "volume", "open_interest", "iv", "delta")
        assert told == tuple(float(row[column]) if row[column] else None for column in names)
        assert chain.spot == float(row["underlying_price"])
        assert chain.as_of == datetime.fromisoformat(row["quote_datetime"])


def test_the_clock_is_the_time_of_the_quotes_in_utc() -> None:
    assert RecordedMarket.load_shipped().as_of == datetime(2025, 8, 29, 20, 15, tzinfo=UTC)
    assert RecordedMarket.load_shipped().as_of.tzinfo is UTC


def test_the_name_says_recorded_and_which_file() -> None:
    assert RecordedMarket.load_shipped().name == "recorded"
    market = RecordedMarket.load(CHAINS / "SPY_2025-09-25.csv.gz")
    assert market.name == "recorded:SPY_2025-09-25.csv.gz"
    assert market.chain("SPY", market.expirations("SPY")[:1]).source == market.name


def test_plain_and_packed_files_and_line_ends_of_windows_are_the_same(tmp_path: Path) -> None:
    text = text_of(clean())
    (tmp_path / "plain.csv").write_text(text)
    (tmp_path / "windows.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (tmp_path / "misnamed.csv").write_bytes(gzip.compress(text.encode()))
    packed = RecordedMarket.load_shipped().chain("SPY", [TARGET]).quotes
    for name in ("plain.csv", "windows.csv", "misnamed.csv"):
        assert RecordedMarket.load(tmp_path / name).chain("SPY", [TARGET]).quotes == packed


def test_the_order_of_columns_and_further_ones_do_not_matter(tmp_path: Path) -> None:
    heading = ["colour", *reversed(clean()[0])]
    path = tmp_path / "chain.csv"
    path.write_text(text_of([row | {"colour": "blue"} for row in clean()], heading))
    shipped = RecordedMarket.load_shipped().chain("SPY", [TARGET])
    assert RecordedMarket.load(path).chain("SPY", [TARGET]).quotes == shipped.quotes


def test_a_file_without_the_columns_that_one_can_do_without_is_read(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(text_of(clean(), chain_file.REQUIRED_COLUMNS))
    quote = first_quote(RecordedMarket.load(path))
    assert (quote.bid, quote.ask) == (243.69, 246.49)
    assert (quote.last, quote.volume, quote.open_interest, quote.feed_iv, quote.feed_delta) == (None,) * 5


@pytest.mark.parametrize("nothing", ["", "NaN", "nan"])
def test_an_empty_or_nan_figure_is_missing_and_never_zero(tmp_path: Path, nothing: str) -> None:
    spoil = with_one(0, bid=nothing, ask=nothing, last=nothing, open_interest=nothing, iv=nothing, delta=nothing)
    quote = first_quote(market_of(tmp_path, spoil))
    assert (quote.bid, quote.ask, quote.last, quote.open_interest, quote.feed_iv, quote.feed_delta) == (None,) * 6


def test_a_zero_stays_a_zero(tmp_path: Path) -> None:
    quote = first_quote(market_of(tmp_path, with_one(0, bid="0.0", ask="0", open_interest="0")))
    assert (quote.bid, quote.ask, quote.open_interest) == (0.0, 0.0, 0)


def test_counts_may_be_written_as_floats_and_a_negative_volatility_is_missing(tmp_path: Path) -> None:
    quote = first_quote(market_of(tmp_path, with_one(0, volume="48.0", iv="-999")))
    assert quote.volume == 48
    assert quote.feed_iv is None


@pytest.mark.parametrize(("written", "strike"), [("400.0", "400"), ("400", "400"), ("4E2", "400"), ("400.50", "400.5")])
def test_a_strike_has_one_form_however_it_is_written(tmp_path: Path, written: str, strike: str) -> None:
    assert str(first_quote(market_of(tmp_path, with_one(0, strike=written))).strike) == strike


def test_past_expirations_are_not_listed(tmp_path: Path) -> None:
    market = market_of(tmp_path, with_all(quote_datetime="2025-09-05T12:00:00-04:00"))
    assert market.expirations("SPY")[0] == date(2025, 9, 5)


def test_expirations_of_mini_contracts_are_not_listed(tmp_path: Path) -> None:
    def some_minis(rows: list[Row]) -> list[Row]:
        return [row | {"root": "SPY7"} if row["expiration"] == "2025-09-30" else row for row in rows]

    assert TARGET not in market_of(tmp_path, some_minis).expirations("SPY")


def test_morning_and_afternoon_roots_of_an_index_are_both_read() -> None:
    market = RecordedMarket.load(CHAINS / "SPX_2020-03-20.csv.gz")
    roots = {quote.root for quote in market.chain("SPX", market.expirations("SPX")).quotes}
    assert roots == {"SPX", "SPXW"}


def test_a_contract_that_stands_there_with_two_prices_has_no_quote(tmp_path: Path) -> None:
    def torn(rows: list[Row]) -> list[Row]:
        return [*rows, rows[0] | {"bid": "1.00"}, rows[1]]

    market = market_of(tmp_path, torn)
    legs = [
        Leg(root="SPY", expiration=date(2025, 9, 2), strike=Decimal(400), right=right, action=Action.SELL_TO_OPEN)
        for right in Right
    ]
    assert {quote.right for quote in market.quotes("SPY", legs).quotes.values()} == {Right.PUT}


# Refusals.


@pytest.mark.parametrize("dirt", UNREADABLE, ids=lambda dirt: dirt.name)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, dirt: Dirt) -> None:
    path = tmp_path / "chain.csv"
    path.write_bytes(dirt.data())
    with pytest.raises(Unusable) as refused:
        RecordedMarket.load(path).expirations("SPY")
    assert refused.value.code == 65
    assert dirt.words in refused.value.message
    assert "\n" not in refused.value.message
    assert "chain.csv" in refused.value.message


def test_mini_options_are_refused_by_the_gate_on_roots(tmp_path: Path) -> None:
    with pytest.raises(Unusable) as refused:
        market_of(tmp_path, with_all(root="SPY7")).expirations("SPY")
    assert refused.value.gate == "root"


def test_a_missing_file_a_folder_and_an_impossible_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"none\.csv is no such chain file"):
        RecordedMarket.load(tmp_path / "none.csv")
    with pytest.raises(Unusable, match="is not a file"):
        RecordedMarket.load(tmp_path)
    with pytest.raises(Unusable):
        RecordedMarket.load(tmp_path / ("x" * 300))
    with pytest.raises(Unusable):
        RecordedMarket.load(Path("a\0b"))


LINE = "2026-12-07T10:00:00-05:00,SPY,600.0,SPY,2027-01-08,480.0,C,120.53,122.97\n"


def heading_and(lines: int) -> bytes:
    return (",".join(chain_file.REQUIRED_COLUMNS) + "\n" + LINE * lines).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plain.csv", lambda: heading_and(200_000)),
        ("packed.csv.gz", lambda: gzip.compress(heading_and(800_000), 1)),
        ("bomb.csv.gz", lambda: gzip.compress(bytes(64 * 1024 * 1024), 1)),
        ("rows.csv", lambda: heading_and(50_001)),
    ],
    ids=["plain", "packed", "bomb", "rows"],
)
def test_a_file_too_large_for_a_chain_is_refused_before_it_costs_memory(
    tmp_path: Path, name: str, data: Callable[[], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(data())
    with traced() as peak, pytest.raises(Unusable) as refused:
        RecordedMarket.load(path)
    assert refused.value.code == 65
    assert "too large" in refused.value.message
    assert "8 MB unpacked and 50,000 rows are the most" in refused.value.message
    assert peak() < 40 * 1024 * 1024


def test_more_contracts_of_one_expiration_than_any_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "dense.csv"
    path.write_bytes(heading_and(4_001))
    with pytest.raises(Unusable, match="4,001 rows of the expiration 2027-01-08; 4,000 are the most"):
        RecordedMarket.load(path)


def test_one_endless_line_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    path.write_text("a," * 1_000_000)
    with pytest.raises(Unusable, match="its first line has none of its columns") as refused:
        RecordedMarket.load(path)
    assert len(refused.value.message) < 500


def test_an_endless_cell_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "ticker.csv"
    path.write_text(heading_and(1).decode().replace(",SPY,", f",{'A' * 1_000_000},", 1))
    with pytest.raises(Unusable, match=r"row 2 has 1,000,\d+ characters; 4,000 are the most") as refused:
        RecordedMarket.load(path)
    assert len(refused.value.message) < 500


def test_a_long_cell_is_cut_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"row 2: root is 'A{40}…', not an option root"):
        market_of(tmp_path, with_one(0, root="A" * 3_000))


def test_a_pipe_a_device_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero"), Path("/dev/null"), tmp_path):
        with pytest.raises(Unusable, match="is not a file"):
            RecordedMarket.load(path)


# Habits of other programs.


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace(",", ";"), "its columns are parted by semicolons; write commas"),
        (
            lambda text: text.replace(",", ";").replace(".", ","),
            "its columns are parted by semicolons; write commas, and decimals after a point",
        ),
        (lambda text: text.replace(",", "\t"), "its columns are parted by tabs"),
        (
            lambda text: text.replace(",600.0,", ',"600,0",'),
            "row 2: 10 cells under 9 columns; decimals come after a point, thousands are not parted",
        ),
        (
            lambda text: text.replace(",600.0,", ',"6,000.25",'),
            "row 2: 10 cells under 9 columns; decimals come after a point, thousands are not parted",
        ),
        (lambda text: text.replace(",600.0,", ",600,0,"), "row 2: 10 cells under 9 columns; decimals come after"),
        (
            lambda text: text.replace("-05:00", ""),
            "has no zone; write the offset, for New York on that date 2026-12-07T10:00:00-05:00",
        ),
        (
            lambda text: text.replace("12-07T10:00:00-05:00", "07-06 10:00 EST"),
            "'2026-07-06 10:00 EST' is not a time such as 2025-08-29T16:15:00-04:00",
        ),
        (lambda text: '{"data": 1}', "its first line has none of its columns. A chain file has commas"),
        (lambda text: text.replace("bid", "BID"), "lacks the column bid. A chain file has commas"),
    ],
    ids=["semicolons", "decimals", "tabs", "decimal", "thousands", "bare", "zone", "named zone", "json", "column"],
)
def test_what_other_programs_write_is_named_as_what_it_is(
    tmp_path: Path, spoil: Callable[[str], str], words: str
) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(spoil(heading_and(2).decode()))
    with pytest.raises(Unusable) as refused:
        RecordedMarket.load(path)
    assert words in refused.value.message


FOREIGN = DATA / "foreign"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("optionsdx.csv", "its first line has none of its columns"),
        ("cboe_by_curl.json", "its first line has none of its columns"),
        ("semicolons.csv", "its columns are parted by semicolons"),
    ],
)
def test_files_of_other_sources_are_refused_with_the_columns_that_are_wanted(name: str, words: str) -> None:
    with pytest.raises(Unusable) as refused:
        RecordedMarket.load(FOREIGN / name)
    assert words in refused.value.message
    if name != "semicolons.csv":
        assert all(column in refused.value.message for column in chain_file.REQUIRED_COLUMNS)


def test_the_docs_name_every_column_of_a_chain_file() -> None:
    page = (ROOT / "docs" / "recorded-chains.md").read_text()
    for column in (*chain_file.REQUIRED_COLUMNS, *chain_file.OPTIONAL_COLUMNS):
        assert f"`{column}`" in page
    assert "8 MB" in page
    assert "50,000 rows" in page


# The days before.


def test_the_history_ends_with_the_day_of_a_chain_of_the_close() -> None:
    bars = RecordedMarket.load_shipped().history("SPY", date(2024, 8, 29))
    assert (bars[0].day, bars[-1].day, bars[-1].close) == (date(2024, 8, 29), date(2025, 8, 29), 645.05)
    assert len(bars) == 251


def test_an_intraday_chain_does_not_see_its_own_close() -> None:
    market = RecordedMarket.load(CHAINS / "SPY_2025-05-02.csv.gz")
    assert market.history("SPY", date(2025, 4, 1))[-1].day == date(2025, 5, 1)
    assert market.volatility_history(date(2025, 4, 1))[-1] == (date(2025, 5, 1), 24.6)
    vix = market.volatility()["vix"]
    assert (vix.value, vix.as_of) == (24.6, datetime(2025, 5, 1, 20, 15, tzinfo=UTC))


def test_between_the_two_closes_the_bar_is_known_and_the_vix_is_not() -> None:
    now = datetime(2025, 8, 29, 20, 5, tzinfo=UTC)
    assert bundled_history.daily_bars(now, date(2025, 8, 1))[-1].day == date(2025, 8, 29)
    assert bundled_history.volatility_history(now, date(2025, 8, 1))[-1][0] == date(2025, 8, 28)


INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2026, 8, 31), timezones=st.just(UTC))


@settings(max_examples=150, deadline=None)
@given(INSTANTS)
def test_nothing_from_after_the_quotes_is_ever_seen(now: datetime) -> None:
    since = market_date(now) - timedelta(days=30)
    for day in [bar.day for bar in bundled_history.daily_bars(now, since)]:
        closed = session(day)
        assert closed is not None
        assert closed.close <= now
    for day, _ in bundled_history.volatility_history(now, since):
        closed = session(day)
        assert closed is not None
        assert closed.option_close <= now
    for level in bundled_history.volatility(now).values():
        assert level.as_of is None or level.as_of <= now
    rate = bundled_history.rate(now)
    assert rate.as_of is None or market_date(rate.as_of) < market_date(now)


def test_the_vix_family_and_the_rate_of_a_day_are_those_that_were_published() -> None:
    now = datetime(2020, 3, 20, 20, 15, tzinfo=UTC)
    levels = {name: level.value for name, level in bundled_history.volatility(now).items()}
    assert levels["vix"] == 66.04
    assert levels["vix3m"] is not None
    assert levels["vix3m"] < 66.04
    rate = bundled_history.rate(datetime(2025, 8, 29, 14, 0, tzinfo=UTC))
    assert rate.value == pytest.approx(0.0437, abs=5e-5)
    assert "2025-08-28" in rate.source


def test_a_bond_yield_and_a_bill_discount_become_continuous_rates() -> None:
    assert math.exp(bundled_history.continuous_bond_yield(4.42)) == pytest.approx((1 + 0.0442 / 2) ** 2)
    assert bundled_history.continuous_bill_rate(3.90) == pytest.approx(0.0397, abs=5e-5)
    assert math.exp(-bundled_history.continuous_bill_rate(3.90) * 91 / 365) == pytest.approx(1 - 0.039 * 91 / 360)


def test_where_the_month_rate_ends_the_bill_takes_over() -> None:
    rate = bundled_history.rate(datetime(2026, 7, 10, 20, 15, tzinfo=UTC))
    assert "bill" in rate.source
    assert rate.value == pytest.approx(0.038, abs=1e-3)


def test_beyond_the_shipped_history_all_is_missing_with_a_reason() -> None:
    for now in (datetime(2026, 11, 24, 15, 0, tzinfo=UTC), datetime(1993, 1, 28, 15, 0, tzinfo=UTC)):
        for level in bundled_history.volatility(now).values():
            assert level.value is None
            assert level.missing is not None
            assert "2026-08-20" in level.missing
        assert bundled_history.rate(now).missing
        assert bundled_history.daily_bars(now, market_date(now) - timedelta(days=30)) == ()


def test_dividends_begin_with_the_last_one_paid_and_end_where_the_table_ends() -> None:
    dividends = RecordedMarket.load_shipped().dividends("SPY")
    assert dividends is not None
    days = [dividend.ex_date for dividend in dividends]
    assert days[:2] == [date(2025, 6, 20), date(2025, 9, 19)]
    assert days[-1] == date(2026, 9, 18)
    assert dividends[1].amount == Decimal("1.831114")


def test_an_ex_date_belongs_to_the_past_on_its_own_day() -> None:
    assert bundled_history.dividends(datetime(2025, 9, 19, 14, 0, tzinfo=UTC))[0].ex_date == date(2025, 9, 19)
    assert bundled_history.dividends(datetime(2025, 9, 18, 20, 0, tzinfo=UTC))[0].ex_date == date(2025, 6, 20)


def test_another_underlying_has_no_shipped_bars_or_dividends_but_the_market_has_its_vix() -> None:
    market = RecordedMarket.load(CHAINS / "SPX_2020-03-20.csv.gz")
    assert market.history("SPX", date(2019, 3, 20)) == ()
    assert market.dividends("SPX") is None
    assert market.volatility()["vix"].value == 66.04


def test_every_shipped_bar_is_a_session_with_its_low_below_its_high() -> None:
    bars = bundled_history.daily_bars(datetime(2026, 12, 1, tzinfo=UTC), date(2014, 1, 1))
    assert len(bars) == 3159
    for bar in bars:
        assert session(bar.day) is not None
        assert bar.low is not None
        assert bar.high is not None
        assert bar.low <= bar.close + 0.011
        assert bar.close <= bar.high + 0.011


def test_reading_a_chain_imports_neither_numpy_nor_pandas() -> None:
    import subprocess

    code = (
        "import sys; from spy32.markets.recorded import RecordedMarket as R; m = R.load_shipped();"
        "m.chain('SPY', m.expirations('SPY')[:3]); m.volatility(); m.rate();"
        "sys.exit(bool({'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The quotes of a mark.


def test_a_mark_serves_the_quotes_of_its_legs_and_nothing_else() -> None:
    legs = b.spread().legs
    sides = (LegMark(symbol=legs[0].symbol, bid=2.1, ask=None, iv=None, delta=None),)
    market = MarkMarket(b.mark(1, legs=sides, source="recorded:later.csv"))
    found = market.quotes("SPY", legs)
    assert (found.spot, found.as_of, found.source) == (671.0, b.later(900), "recorded:later.csv")
    (quote,) = found.quotes.values()
    assert (quote.symbol, quote.bid, quote.ask) == (legs[0].symbol, 2.1, None)
    assert market.is_recorded and market.dividends("SPY") is None
    with pytest.raises(Unavailable):
        market.expirations("SPY")
