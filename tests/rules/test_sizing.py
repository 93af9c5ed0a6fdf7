"""How many contracts the account bears: every bound, and the least of them."""

import math
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.exposure import Exposure
from spy32.domain.findings import Sizing
from spy32.domain.market import Right
from spy32.domain.spreads import Candidate, Strategy
from spy32.rules import menu as menu_rules
from spy32.rules import sizing
from spy32.settings import Settings
from spy32.settings.profiles import multiplier
from tests.support import builders
from tests.support.shipped_menu import real, real_menu

SETTINGS = Settings()
D = Decimal


def sized(
    candidate: Candidate | None = None,
    *,
    worth: str | Decimal = "100000",
    power: str | Decimal | None = None,
    halve: bool = False,
    made: Settings = SETTINGS,
    dte: int = 32,
    **book: Any,
) -> Sizing:
    account = builders.account(net_liquidation=D(worth), buying_power=D(worth if power is None else power))
    snapshot = builders.snapshot(dte=dte)
    return sizing.size_position(
        candidate or builders.candidate(), account, Exposure(**book), made, halve=halve, snapshot=snapshot
    )


def losing(dollars: str | Decimal) -> Candidate:
    return builders.candidate(max_loss=D(dollars))


def limiting(**change: Any) -> Settings:
    return replace(SETTINGS, limits=replace(SETTINGS.limits, **change))


# Single bounds


def test_the_budget_of_a_trade_is_one_per_cent_of_the_account() -> None:
    assert sized(losing("500")).quantity == 2
    assert sized(losing("500.01")).quantity == 1
    assert sized(losing("500")).binding == "max_loss"


def test_the_hard_cap_of_two_per_cent_holds_whatever_the_settings_say() -> None:
    loose = limiting(max_loss=D("0.10"), open_risk=D("1"), buying_power=D("1"), daily_swing=D("0.01"))
    found = sized(losing("500"), made=loose)
    assert (found.quantity, found.binding) == (4, "hard_cap")


def test_open_spreads_and_this_one_stay_within_five_per_cent() -> None:
    assert sized(losing("500"), open_risk=D("4000")).bounds["open_risk"] == 2
    assert sized(losing("500"), open_risk=D("4500")).quantity == 1
    assert sized(losing("500"), open_risk=D("4500.01")).quantity == 0
    assert sized(losing("500"), open_risk=D("9000")).quantity == 0


def test_half_of_the_buying_power_stays_free() -> None:
    assert sized(losing("500"), power="51000").bounds["buying_power"] == 2
    assert sized(losing("500"), power="50499").quantity == 0


def test_a_margin_account_s_larger_buying_power_is_not_counted_as_used() -> None:
    assert sized(losing("500"), power="200000").bounds["buying_power"] == 100


def test_what_is_free_to_trade_is_never_exceeded() -> None:
    free = limiting(buying_power=D("1"))
    assert sized(losing("500"), power="900", made=free).bounds["buying_power"] == 1


def test_never_more_than_the_set_number_of_contracts() -> None:
    assert sized(losing("1"), worth="10000000", made=limiting(contracts=7)).quantity == 7


def test_halving_halves_the_budget_before_dividing() -> None:
    # 1,000 hold three of 300; 500 hold one, not one and a half.
    assert sized(losing("300")).quantity == 3
    halved = sized(losing("300"), halve=True)
    assert (halved.quantity, halved.halved) == (1, True)
    # 500 hold two of 250: half of the four.
    assert sized(losing("250"), halve=True).quantity == 2


# The daily swing


def test_the_swing_loss_is_delta_and_gamma_over_one_daily_deviation() -> None:
    candidate = builders.candidate()
    step = 670 * candidate.short.iv / 252**0.5
    by_hand = 100 * (abs(candidate.greeks.delta) * step + 0.001 * step**2 / 2)
    assert float(sizing.one_sigma_loss(candidate, 670)) == pytest.approx(by_hand, abs=0.01)


def test_the_swing_loss_is_close_to_a_revaluation_after_the_move() -> None:
    # A second way: the same legs priced again with the underlying one deviation lower.
    candidate = builders.candidate()
    years = 32 / 365

    def cdf(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    def worth(spot: float) -> float:
        """Dollars per share to close at unchanged vols."""
        values = []
        for leg in (candidate.short, candidate.long):
            strike = float(leg.quote.strike)
            vol = leg.iv * math.sqrt(years)
            forward = spot * math.exp((builders.RATE - builders.DIVIDEND_YIELD) * years)
            d1 = math.log(forward / strike) / vol + vol / 2
            put = strike * cdf(vol - d1) - forward * cdf(-d1)
            values.append(math.exp(-builders.RATE * years) * put)
        return values[0] - values[1]

    assert candidate.spread.right is Right.PUT
    step = builders.SPOT * candidate.short.iv / 252**0.5
    lost = (worth(builders.SPOT - step) - worth(builders.SPOT)) * 100
    assert float(sizing.one_sigma_loss(candidate, builders.SPOT)) == pytest.approx(lost, rel=0.25)


def test_the_swing_loss_never_exceeds_the_maximum_loss() -> None:
    wild = replace(builders.candidate().greeks, gamma=-9.0)
    candidate = builders.candidate(greeks=wild)
    assert sizing.one_sigma_loss(candidate, 670) == candidate.max_loss


def test_a_vol_that_is_not_a_number_counts_as_the_maximum_loss() -> None:
    candidate = builders.candidate()
    candidate = replace(candidate, short=replace(candidate.short, iv=float("nan")))
    assert sizing.one_sigma_loss(candidate, 670) == candidate.max_loss


def test_the_swing_budget_is_the_base_times_the_multiplier_of_the_days() -> None:
    assert sized().swing_budget == D("150.00")
    assert sized(dte=1).swing_budget == D("36.00")
    assert multiplier(SETTINGS.dte, 32) == 5.0


def test_a_small_swing_budget_takes_contracts_away_and_says_so() -> None:
    found = sized(losing("100"), made=limiting(daily_swing=D("0.0001")))
    assert found.binding == "daily_swing"
    (note,) = sizing.sizing_findings(found)
    assert not note.blocks
    assert f"{found.quantity} of {min(v for k, v in found.bounds.items() if k != 'daily_swing')}" in note.message


@given(st.sampled_from(SETTINGS.dte.available))
def test_the_multiplier_never_raises_a_quantity_above_the_other_bounds(dte: int) -> None:
    found = sized(dte=dte)
    others = min(count for name, count in found.bounds.items() if name != "daily_swing")
    assert found.quantity == min(others, found.bounds["daily_swing"])


# Nothing fits


def test_an_account_too_small_is_told_which_one_would_do() -> None:
    found = sized(losing("450"), worth="20000")
    assert found.quantity == 0
    assert found.account_needed == D("45000")
    (refusal,) = sizing.sizing_findings(found)
    assert refusal.blocks
    assert "45,000" in refusal.message


def test_a_quantity_leaves_no_account_needed_and_no_finding() -> None:
    assert sized().account_needed is None
    assert sizing.sizing_findings(sized()) == ()


def test_when_no_account_would_do_that_is_said() -> None:
    found = sized(made=limiting(buying_power=D(0)))
    assert (found.quantity, found.account_needed) == (0, None)
    assert "none would do" in sizing.sizing_findings(found)[0].message


@pytest.mark.parametrize("worth", ["0", "-5000"])
def test_an_empty_or_negative_account_gets_nothing(worth: str) -> None:
    assert sized(worth=worth).quantity == 0


MONEY = st.decimals(0, 500_000, places=2)
LOSS = st.decimals(D("1"), D("3000"), places=2)


@given(worth=MONEY, used=st.decimals(0, 1, places=3), loss=LOSS, risk=MONEY, halve=st.booleans())
def test_the_quantity_keeps_every_bound(
    worth: Decimal, used: Decimal, loss: Decimal, risk: Decimal, halve: bool
) -> None:
    found = sized(losing(loss), worth=worth, power=worth * (1 - used), halve=halve, open_risk=risk)
    whole = found.quantity * loss
    if found.quantity > 0:
        assert whole <= worth / (200 if halve else 100)
        assert whole + risk <= worth / 20
        assert whole + worth * used <= worth / 2
        assert whole <= worth * (1 - used)
        assert found.quantity * found.swing_loss <= worth * D("0.0015")
    assert found.quantity == min(found.bounds.values()) == found.bounds[found.binding]
    assert 0 <= found.quantity <= 10


@given(worth=MONEY, more=MONEY, loss=LOSS, risk=MONEY, halve=st.booleans())
def test_a_larger_account_never_gets_fewer(
    worth: Decimal, more: Decimal, loss: Decimal, risk: Decimal, halve: bool
) -> None:
    less = sized(losing(loss), worth=worth, halve=halve, open_risk=risk)
    assert sized(losing(loss), worth=worth + more, halve=halve, open_risk=risk).quantity >= less.quantity


@given(worth=MONEY, used=MONEY, loss=LOSS, risk=MONEY, halve=st.booleans())
def test_the_account_needed_is_enough_for_one_contract(
    worth: Decimal, used: Decimal, loss: Decimal, risk: Decimal, halve: bool
) -> None:
    found = sized(losing(loss), worth=worth, power=worth - used, halve=halve, open_risk=risk)
    if found.account_needed is not None:
        enough = found.account_needed
        assert sized(losing(loss), worth=enough, power=enough - used, halve=halve, open_risk=risk).quantity >= 1


# The real chain


def test_the_paper_account_can_trade_the_real_chain() -> None:
    chain, _ = real()
    snapshot = builders.snapshot(chain=chain, dte=32)
    account = builders.account()
    by_width: dict[Decimal, set[int]] = {}
    for candidate in real_menu().candidates:
        found = sizing.size_position(candidate, account, Exposure(), SETTINGS, halve=False, snapshot=snapshot)
        assert found.quantity >= 1
        assert found.binding == "max_loss"
        if candidate.spread.strategy is Strategy.PUT_CREDIT:
            by_width.setdefault(candidate.spread.width, set()).add(found.quantity)
    assert by_width[D(5)] == {2}
    assert by_width[D(11)] == {1}


def test_the_swing_of_the_real_chain_is_a_few_per_cent_of_the_maximum_loss() -> None:
    # The published table of the old system gives 7 % for a 0.20-delta 5-wide put spread at 32 days.
    chain, smile = real()
    menu = menu_rules.build_menu(chain, smile, SETTINGS, rng=random.Random(1), seed=1)
    five = [candidate for candidate in menu.side(Strategy.PUT_CREDIT) if candidate.spread.width == 5]
    for candidate in five:
        share = float(sizing.one_sigma_loss(candidate, chain.spot) / candidate.max_loss)
        assert 0.03 < share < 0.12
