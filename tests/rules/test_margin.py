"""Margin at expiration, and what positions that are not of our book may lose."""

from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.spreads import Position
from spy32.rules.margin import ForeignRisk, foreign_risk, margin_requirement
from tests.support import builders

D = Decimal
PUT, LOWER_PUT = "SPY   251107P00640000", "SPY   251107P00635000"
CALL, HIGHER_CALL = "SPY   251107C00700000", "SPY   251107C00710000"
OTHER_CALL = "SPY   251121C00700000"


def held(*rows: tuple[str, int] | tuple[str, int, str]) -> tuple[Position, ...]:
    return tuple(
        Position(symbol=row[0], quantity=row[1], average_price=D(row[2]) if len(row) > 2 else None) for row in rows
    )


def risk(*rows: Any, own: dict[str, int] | None = None) -> ForeignRisk:
    return foreign_risk(builders.account(positions=held(*rows)), own or {})


@pytest.mark.parametrize(
    ("rows", "margin"),
    [
        ([], 0),
        ([(PUT, -1), (LOWER_PUT, 1)], 500),
        ([(PUT, -2)], 128_000),
        ([(PUT, 1)], 0),
        ([(CALL, -1), (HIGHER_CALL, 1)], 1000),
        ([(CALL, -1), (HIGHER_CALL, 1), (PUT, -1), (LOWER_PUT, 1)], 1000),
        ([(CALL, -1), (CALL, 1)], 0),
        ([(CALL, -1)], None),
        ([(CALL, -1), (OTHER_CALL, 1)], None),
        ([("SPY", 100), (CALL, -1)], None),
        ([("SPY", -100)], 0),
    ],
)
def test_margin_is_the_worst_value_of_each_expiration_and_none_without_bound(rows: Any, margin: int | None) -> None:
    assert margin_requirement(held(*rows)) == margin


def test_a_foreign_spread_counts_with_what_it_may_lose_after_its_credit() -> None:
    assert risk((PUT, -2, "2.00"), (LOWER_PUT, 2, "1.50")) == ForeignRisk(trades=1, risk=D(900))


def test_a_credit_that_is_not_told_counts_as_none_and_a_debit_that_is_not_told_cannot_be_computed() -> None:
    assert risk((PUT, -1), (LOWER_PUT, 1, "1.50")).risk == 650
    assert risk((PUT, -1, "2.00"), (LOWER_PUT, 1)).unmeasured == (f"-1 x {PUT}, +1 x {LOWER_PUT}",)


def test_a_long_option_may_lose_what_was_paid() -> None:
    assert risk((PUT, 2, "3.10")) == ForeignRisk(trades=1, risk=D(620))


def test_what_is_ours_is_not_counted_and_what_is_beyond_it_is() -> None:
    own = {PUT: -2, LOWER_PUT: 2}
    assert risk((PUT, -2, "2.00"), (LOWER_PUT, 2, "1.50"), own=own) == ForeignRisk()
    assert risk((PUT, -3, "2.00"), (LOWER_PUT, 3, "1.50"), own=own) == ForeignRisk(trades=1, risk=D(450))
    assert risk((PUT, 1, "2.00"), own=own) == ForeignRisk(trades=1, risk=D(200))
    assert risk((PUT, -1, "2.00"), own=own) == ForeignRisk()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(CALL, -1, "1.00")], f"-1 x {CALL}"),
        ([(CALL, -2, "1.00"), ("SPY", 100, "600")], f"-2 x {CALL}"),
        ([("SPY", -100, "600")], "100 SPY short"),
        ([("/ESZ5", 1, "6000")], "1 /ESZ5"),
        ([("./ESZ5 EW2V5 251010P6600", -1, "10")], "1 ./ESZ5 EW2V5 251010P6600 short"),
        ([("./NGX5 ONX5 251028C10", 1, "10")], "1 ./NGX5 ONX5 251028C10"),
    ],
    ids=["short call", "half covered", "short shares", "future", "future option", "as long as an option of shares"],
)
def test_what_cannot_be_computed_is_told(rows: Any, words: str) -> None:
    assert risk(*rows).unmeasured == (words,)


def test_long_shares_count_as_cover_only_and_once() -> None:
    assert risk(("SPY", 500, "600"), ("SGOV", 300, "100")) == ForeignRisk()
    assert risk(("SPY", 100, "600"), (CALL, -1, "1.00")) == ForeignRisk(trades=1)
    twice = risk(("SPY", 100, "600"), (CALL, -1, "1.00"), (OTHER_CALL, -1, "1.00"))
    assert twice.unmeasured == (f"-1 x {OTHER_CALL}",)
