"""Numbers, instants and foreign text as people read them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.render import formatting


@given(st.text())
def test_ascii_only_is_ascii(text: str) -> None:
    assert formatting.ascii_only(text).isascii()


def test_our_symbols_have_readable_ascii_forms() -> None:
    assert formatting.ascii_only("±1σ … × ≥ −") == "+/-1 sigma ... x >= -"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.5", "0.50"), ("0.58", "0.58"), ("0.575", "0.575"), ("640", "640.00"), ("1E+2", "100.00"), ("-0.3", "-0.30"),
     ("0.5833333333", "0.5833"), ("-0.00001", "0.00"), ("0", "0.00")],
)  # fmt: skip
def test_a_price_has_cents_at_least_and_what_is_there_at_most(amount: str, text: str) -> None:
    assert formatting.format_price(Decimal(amount)) == text


@given(st.integers(-(10**9), 10**9))
def test_a_price_in_ten_thousandths_reads_back_exactly(e4: int) -> None:
    amount = Decimal(e4).scaleb(-4)
    assert Decimal(formatting.format_price(amount)) == amount


def test_a_strike_has_no_idle_zeros() -> None:
    assert [formatting.format_strike(Decimal(text)) for text in ("640", "640.0", "647.50", "6E+2")] == [
        "640",
        "640",
        "647.5",
        "600",
    ]


def test_dollars_carry_their_sign_before_the_currency() -> None:
    assert formatting.format_dollars(Decimal("-386.256")) == "-$386.26"
    assert (formatting.format_gain(9.3), formatting.format_gain(-4.1), formatting.format_gain(Decimal(0))) == (
        "+$9.30",
        "-$4.10",
        "+$0.00",
    )
    assert formatting.format_dollars(Decimal("-0.001")) == "$0.00"


def test_a_debit_is_called_one() -> None:
    assert (formatting.format_credit(Decimal("0.58")), formatting.format_credit(Decimal("-0.3"))) == (
        "0.58 cr",
        "0.30 db",
    )


def test_the_cost_of_an_answer_is_exact() -> None:
    # 194 500 000 ticks of 10^-10 dollars: an answer recorded in xAI's documentation.
    assert Decimal(formatting.ticks_as_usd(194_500_000)) == Decimal("0.01945")


def test_only_the_ending_of_an_account_is_left() -> None:
    assert formatting.mask_account("5WX01234") == "…1234"


@pytest.mark.parametrize(
    ("instant", "here", "text"),
    [
        (datetime(2025, 10, 6, 14, 0, tzinfo=UTC), "Europe/Berlin", "Mon 2025-10-06 10:00 New York (16:00 here)"),
        (datetime(2025, 10, 6, 14, 0, tzinfo=UTC), "America/New_York", "Mon 2025-10-06 10:00 New York"),
        (datetime(2025, 11, 3, 15, 0, tzinfo=UTC), "America/Toronto", "Mon 2025-11-03 10:00 New York"),
        (datetime(2025, 10, 7, 1, 0, tzinfo=UTC), "Asia/Tokyo", "Mon 2025-10-06 21:00 New York (Tue 10:00 here)"),
    ],
)
def test_both_zones_are_told_when_they_differ(instant: datetime, here: str, text: str) -> None:
    assert formatting.format_both_zones(instant, ZoneInfo(here)) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [(timedelta(seconds=12), "12 s"), (timedelta(minutes=3, seconds=40), "3 min"),
     (timedelta(hours=2, minutes=5), "2 h 05 min"),
     (timedelta(days=4, hours=3), "4 days"), (timedelta(seconds=-5), "0 s")],
)  # fmt: skip
def test_an_age_is_told_in_the_units_that_matter(span: timedelta, text: str) -> None:
    assert formatting.format_age(span) == text


def test_one_is_singular() -> None:
    assert (formatting.format_count(1, "contract"), formatting.format_count(2, "contract")) == (
        "1 contract",
        "2 contracts",
    )
