"""The risk of the book, against a second formula and by hand."""

from datetime import date, timedelta
from decimal import Decimal
from math import erf, exp, log, sqrt
from typing import Any

import pytest

from spy32.domain.book import BookPosition, LegVols
from spy32.domain.exposure import Exposure
from spy32.domain.market import Right
from spy32.rules.book_risk import SHOCKS, BookRisk, LimitName, ShockKind, add_position, assess_book
from spy32.sessions import years_to_expiration
from spy32.settings import Settings
from spy32.settings.model import Limits
from tests.support import builders

D = Decimal
RATE = 0.04
DIVIDENDS = 0.012
SPOT = 671.0
LIMITS = Settings().limits


def position(expiration: date = builders.EXPIRATION, **over: Any) -> BookPosition:
    base: dict[str, Any] = {
        "id": "T1",
        "underlying": "SPY",
        "legs": builders.spread(expiration=expiration).legs,
        "quantity": 2,
        "max_loss": D("888.52"),
        "market": LegVols(at=builders.NOW, spot=SPOT, vols=(0.18, 0.19)),
    }
    return BookPosition(**{**base, **over})


def assess(*positions: BookPosition, exposure: Exposure | None = None, limits: Limits = LIMITS) -> BookRisk:
    held = exposure or Exposure(open_risk=sum((each.max_loss for each in positions), D(0)), open_trades=len(positions))
    return assess_book(positions, held, builders.account(), limits, rate=RATE, now=builders.NOW)


def normal(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


def put(strike: float, spot: float, vol: float) -> float:
    """The textbook put on a forward (Hull, chapter 18)."""
    years = years_to_expiration(builders.NOW, builders.EXPIRATION)
    forward, discount = spot * exp((RATE - DIVIDENDS) * years), exp(-RATE * years)
    d1 = (log(forward / strike) + vol * vol * years / 2) / (vol * sqrt(years))
    return discount * (strike * normal(vol * sqrt(years) - d1) - forward * normal(-d1))


def held(spot: float, more: float = 0.0) -> float:
    """What two 640/635 put credit spreads are worth to their seller, dollars."""
    return 200 * (put(635, spot, 0.19 + more) - put(640, spot, 0.18 + more))


@pytest.mark.parametrize("place", range(len(SHOCKS)))
def test_a_shock_revalues_every_leg(place: int) -> None:
    shock, result = SHOCKS[place], assess(position()).shocks[place]
    assert result.shock == shock
    assert float(result.result) == pytest.approx(held(SPOT * (1 + shock.move), shock.vol) - held(SPOT), abs=0.01)
    loss = max(-result.result, D(0))
    assert result.of_max_loss == (pytest.approx(min(float(loss / D("888.52")), 1), rel=1e-4) if loss else None)
    assert result.of_account == (pytest.approx(float(loss / 100_000), rel=1e-4) if loss else None)


def test_the_table_has_the_gaps_and_the_slides_of_the_broker() -> None:
    moves = {kind: [round(each.move * 100) for each in SHOCKS if each.kind is kind] for kind in ShockKind}
    assert moves == {ShockKind.GAP: [-3, -5, -10, 3], ShockKind.VOL: [0], ShockKind.SLIDE: [-15, 10, -20, 15]}
    assert next(each for each in SHOCKS if each.kind is ShockKind.VOL).vol > 0


def test_greeks_are_those_of_everything_that_is_held() -> None:
    found, step = assess(position()).greeks, 0.5
    assert found.delta == pytest.approx((held(SPOT + step) - held(SPOT - step)) / (2 * step), rel=2e-3)
    assert found.vega == pytest.approx((held(SPOT, 0.0001) - held(SPOT, -0.0001)) / 0.02, rel=1e-3)
    assert found.delta > 0 > found.vega
    assert found.theta > 0
    twice = assess(position(), position(id="T2")).greeks
    assert twice.delta == pytest.approx(2 * found.delta)


def test_a_trade_without_a_mark_is_counted_and_not_revalued() -> None:
    found = assess(position(), position(id="T2", market=None))
    assert found.unmarked == ("T2",)
    assert found.max_loss == D("1777.04")
    assert found.shocks == assess(position()).shocks
    assert found.rungs[0].trades == ("T1", "T2")


def test_a_book_without_any_mark_has_no_figures_instead_of_zeros() -> None:
    found = assess(position(market=None))
    assert found.greeks is None and {each.result for each in found.shocks} == {None}
    nothing = assess()
    assert nothing.greeks is not None and nothing.shocks[0].result == 0


def test_a_trade_of_a_recorded_market_does_not_expire_while_one_looks() -> None:
    market = LegVols(at=builders.NOW - timedelta(days=400), spot=SPOT, vols=(0.18, 0.19))
    dte = [assess(position(market=market, is_recorded=recorded)).rungs[0].dte for recorded in (True, False)]
    assert dte[0] - dte[1] == 400


def test_a_rung_is_an_expiration_and_a_side() -> None:
    near = date(2025, 10, 17)
    calls = tuple(
        leg.__class__(root=leg.root, expiration=near, strike=leg.strike, right=Right.CALL, action=leg.action)
        for leg in builders.spread().legs
    )
    found = assess(position(), position(near, id="T2"), position(near, id="T3", legs=calls, max_loss=D("111.48")))
    assert [(rung.expiration, rung.side, rung.dte) for rung in found.rungs] == [
        (near, "call", 11), (near, "put", 11), (builders.EXPIRATION, "put", 32),
    ]  # fmt: skip
    assert found.rungs[1].share == pytest.approx(888.52 / 1888.52)
    assert found.largest is not None
    assert (found.largest.expiration, found.largest.max_loss) == (near, D("1000.00"))


def test_each_limit_has_its_room() -> None:
    exposure = Exposure(open_risk=D("1200"), open_trades=2, week_loss=D("400"), submits_today=1)
    uses = {use.name: use for use in assess(position(), exposure=exposure).limits}
    assert (uses[LimitName.OPEN_RISK].most, uses[LimitName.OPEN_RISK].room) == (D(5000), D(3800))
    assert (uses[LimitName.OPEN_TRADES].used, uses[LimitName.OPEN_TRADES].room) == (2, 3)
    assert uses[LimitName.SUBMITS_TODAY].room == 1
    assert uses[LimitName.WEEK_LOSS].room == D(2600)
    assert uses[LimitName.BUYING_POWER].most == D(50_000)


@pytest.mark.parametrize(
    ("exposure", "room"),
    [
        (Exposure(), "1000.00"),
        (Exposure(open_risk=D("4400.50")), "599.50"),
        (Exposure(open_risk=D(6000)), "0"),
        (Exposure(open_trades=5), "0"),
        (Exposure(submits_today=2), "0"),
        (Exposure(week_loss=D(3000)), "0"),
        (Exposure(unmeasured=("a naked call",)), "0"),
    ],
)
def test_the_room_of_a_new_trade_is_the_least_that_a_limit_leaves(exposure: Exposure, room: str) -> None:
    assert assess(exposure=exposure).trade_room == D(room)


def test_a_new_position_uses_buying_power_and_counts_as_a_trade() -> None:
    exposure, account = add_position(Exposure(open_risk=D(100)), builders.account(), position())
    assert (exposure.open_risk, exposure.open_trades, exposure.submits_today) == (D("988.52"), 1, 1)
    assert account.buying_power == D("99111.48")


def test_an_empty_book_has_nothing_to_lose() -> None:
    found = assess()
    assert (found.largest, found.rungs, found.greeks.delta) == (None, (), 0.0)
    assert {each.result for each in found.shocks} == {D(0)}


def test_expired_legs_move_with_the_spot_alone() -> None:
    over = LegVols(at=builders.later(days=40), spot=SPOT, vols=(0.18, 0.19))
    found = assess(position(market=over))
    assert {round(each.result) for each in found.shocks if each.shock.move < -0.06} == {-1000}
    assert found.greeks.delta == 0
