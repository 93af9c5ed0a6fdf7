"""The menu: what may be chosen, at which prices, and why everything else is not on it."""

import math
import random
from collections.abc import MutableSequence, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spy32.domain.market import Chain, Right
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.options.density import implied_density
from spy32.rules import menu as rules
from spy32.rules.candidates import MENU_RULES, MenuTerms
from spy32.settings import Settings
from tests.support import builders
from tests.support.shipped_menu import SETTINGS, real, real_menu, smile_of

CENT = Decimal("0.01")


def built(chain: Chain | None = None, made: Settings = SETTINGS, seed: int = 7) -> Menu:
    """The menu of a chain of the builders' world."""
    here = (chain or builders.chain()).select_expirations(builders.EXPIRATION)
    return rules.build_menu(here, smile_of(here), made, rng=random.Random(seed), seed=seed)


def with_quotes(**change: Any) -> Chain:
    """The builders' chain of one expiration with every quote changed: values, or functions of the quote."""
    here = builders.chain().select_expirations(builders.EXPIRATION)
    made = tuple(
        replace(quote, **{name: value(quote) if callable(value) else value for name, value in change.items()})
        for quote in here.quotes
    )
    return replace(here, quotes=made)


def choosing(**change: Any) -> Settings:
    return replace(SETTINGS, choice=replace(SETTINGS.choice, **change))


def both() -> list[tuple[Menu, Chain]]:
    return [(built(), builders.chain().select_expirations(builders.EXPIRATION)), (real_menu(), real()[0])]


def each() -> list[Candidate]:
    return [candidate for menu, _ in both() for candidate in menu.candidates]


# What gets on


def test_the_real_chain_gives_puts_and_calls_around_every_aimed_delta() -> None:
    menu = real_menu()
    assert menu.side(Strategy.PUT_CREDIT)
    assert menu.side(Strategy.CALL_CREDIT)
    assert {candidate.spread.strategy for candidate in menu.candidates} == set(SETTINGS.choice.strategies)
    assert len(menu.candidates) >= SETTINGS.choice.few


def test_every_short_strike_is_the_listed_one_nearest_an_aimed_delta() -> None:
    for menu, chain in both():
        smile = smile_of(chain, chain.quotes[0].expiration)
        for candidate in menu.candidates:
            right = candidate.spread.right
            deltas = {
                quote.strike: abs(float(delta))
                for quote, delta in zip(smile.quotes, smile.delta, strict=True)
                if quote.right is right and math.isfinite(float(delta))
            }
            nearest = {min(deltas, key=lambda k: abs(deltas[k] - aim)) for aim in SETTINGS.choice.deltas}
            assert candidate.spread.short.strike in nearest


def test_every_width_is_the_listed_one_nearest_an_aimed_width_at_this_spot() -> None:
    for menu, chain in both():
        scale = Decimal(str(chain.spot)) / 600
        for candidate in menu.candidates:
            short = candidate.spread.short
            listed = {
                abs(quote.strike - short.strike)
                for quote in chain.quotes
                if quote.right is short.right
                and (quote.strike < short.strike if short.right is Right.PUT else quote.strike > short.strike)
            }
            nearest = {min(listed, key=lambda w: abs(w - aim * scale)) for aim in SETTINGS.choice.widths}
            assert candidate.spread.width in nearest


def test_every_candidate_keeps_every_rule_at_its_floor() -> None:
    choice = SETTINGS.choice
    for candidate in each():
        assert choice.delta_low <= candidate.short_delta <= choice.delta_high
        assert candidate.natural > 0
        assert candidate.floor >= choice.credit_to_width * candidate.spread.width
        assert candidate.costs_round_trip <= choice.costs_to_credit * candidate.floor * 100
        assert candidate.start < candidate.spread.width


def test_no_spread_is_twice_on_the_menu() -> None:
    for menu, _ in both():
        spreads = [candidate.spread for candidate in menu.candidates]
        assert len(set(spreads)) == len(spreads)


def test_only_the_strategies_of_the_settings_are_built() -> None:
    menu = built(made=choosing(strategies=(Strategy.CALL_CREDIT,)))
    assert {candidate.spread.strategy for candidate in menu.candidates} == {Strategy.CALL_CREDIT}
    assert {spread.strategy for spread in menu.dropped} == {Strategy.CALL_CREDIT}


def test_put_spreads_are_protected_below_and_call_spreads_above() -> None:
    for candidate in each():
        spread = candidate.spread
        below = spread.long.strike < spread.short.strike
        assert below is (spread.strategy is Strategy.PUT_CREDIT)


# Prices


def test_prices_are_those_of_the_quotes_exactly() -> None:
    for candidate in each():
        bids = [Decimal(str(leg.quote.bid)) for leg in (candidate.short, candidate.long)]
        asks = [Decimal(str(leg.quote.ask)) for leg in (candidate.short, candidate.long)]
        assert candidate.natural == bids[0] - asks[1]
        assert candidate.mid == (bids[0] + asks[0] - bids[1] - asks[1]) / 2


def test_the_first_limit_is_the_mid_and_the_floor_half_way_to_the_natural_both_rounded_up_to_the_cent() -> None:
    for candidate in each():
        for price, exact in (
            (candidate.start, candidate.mid),
            (candidate.floor, (candidate.mid + candidate.natural) / 2),
        ):
            assert price % CENT == 0
            assert exact <= price < exact + CENT


def test_the_maximum_loss_is_width_less_floor_and_the_costs_to_open() -> None:
    for candidate in each():
        assert candidate.max_loss == (candidate.spread.width - candidate.floor) * 100 + Decimal("2.26")


def test_the_breakeven_is_the_short_strike_less_or_plus_the_mid() -> None:
    for candidate in each():
        sign = -1 if candidate.spread.right is Right.PUT else 1
        assert candidate.breakevens == (candidate.spread.short.strike + sign * candidate.mid,)


def test_every_price_is_a_decimal() -> None:
    for candidate in each():
        for price in (candidate.natural, candidate.mid, candidate.start, candidate.floor, candidate.max_loss):
            assert isinstance(price, Decimal)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=15)
@given(
    tick=st.sampled_from(["0.01", "0.05"]),
    share=st.decimals(0, 1, places=2),
    widen=st.integers(0, 6),
)
def test_the_floor_is_between_natural_and_mid_to_the_tick(tick: str, share: Decimal, widen: int) -> None:
    made = replace(SETTINGS, execution=replace(SETTINGS.execution, tick=Decimal(tick), floor_share=share))
    chain = with_quotes(ask=lambda quote: round(quote.ask + widen / 100, 2))
    for candidate in built(chain, made).candidates:
        assert candidate.natural <= candidate.floor < candidate.mid + Decimal(tick)
        assert candidate.floor <= candidate.start < candidate.mid + Decimal(tick)
        assert candidate.floor % Decimal(tick) == 0
        assert candidate.start % Decimal(tick) == 0


# Probabilities


def test_the_chance_of_profit_agrees_with_the_smile_s_own_digital_price() -> None:
    # A second way to the same number: the slope of the undiscounted option prices between listed strikes.
    chain, smile = real()
    mids = {(quote.right, quote.strike): (quote.bid + quote.ask) / 2 for quote in chain.quotes}  # type: ignore[operator]
    for candidate in real_menu().candidates:
        right, at = candidate.spread.right, candidate.breakevens[0]
        strikes = sorted(strike for side, strike in mids if side is right)
        low = max(strike for strike in strikes if strike <= at - 2)
        high = min(strike for strike in strikes if strike >= at + 2)
        slope = (mids[right, high] - mids[right, low]) / float(high - low) / smile.discount
        lost = abs(slope)
        assert candidate.pop_market == pytest.approx(1 - lost, abs=0.03)


def test_the_market_s_chance_of_expiring_worthless_is_its_density_beyond_the_short_strike() -> None:
    implied = implied_density(real()[1])
    puts = calls = 0
    for candidate in real_menu().candidates:
        short, is_put = float(candidate.spread.short.strike), candidate.spread.right is Right.PUT
        assert candidate.worthless_market == (
            1.0 - implied.probability_below(short) if is_put else implied.probability_below(short)
        )
        assert candidate.p_worthless == candidate.worthless_market
        # The delta is not that probability: on a skewed smile it is too low a chance for puts, too high for calls.
        apart = candidate.p_worthless - (1 - candidate.short_delta)
        assert 0.01 < apart < 0.11 if is_put else -0.11 < apart < 0.0
        puts, calls = puts + is_put, calls + (not is_put)
    assert puts >= 3 and calls >= 3


def test_the_expected_value_is_the_market_s_less_slippage_and_costs() -> None:
    # The market expects the spread to owe its mid, with interest; no density is needed, and none adds its noise.
    discount = real()[1].discount
    for candidate in real_menu().candidates:
        slip = Decimal("0.25") * (candidate.mid - candidate.natural)
        by_hand = (float(candidate.mid - slip) - float(candidate.mid) / discount) * 100 - 2.26
        assert candidate.ev.market_expiry == pytest.approx(by_hand, abs=1e-9)
        assert candidate.ev.market_plan is None
        assert candidate.ev.history_expiry is None
        assert candidate.pop_history is None


# Ids and order


@pytest.mark.slow
def test_ids_are_short_unique_and_without_look_alikes() -> None:
    for seed in range(20):
        ids = [candidate.id for candidate in built(seed=seed).candidates]
        assert len(set(ids)) == len(ids)
        for name in ids:
            assert len(name) == 4
            assert not set(name) & set("O0I1L")
            assert name == name.upper()


class Stutter:
    """Chance that draws every pair of samples twice."""

    def __init__(self) -> None:
        self.rng, self.draws = random.Random(1), 0
        self.last: dict[int, list[str]] = {}

    def sample(self, population: Sequence[str], k: int) -> list[str]:
        self.draws += 1
        place = self.draws % 2
        if self.draws % 4 in (1, 2):
            self.last[place] = self.rng.sample(population, k)
        return self.last[place]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        self.rng.shuffle(x)


def test_an_id_that_comes_up_again_is_not_given_twice() -> None:
    here = builders.chain().select_expirations(builders.EXPIRATION)
    menu = rules.build_menu(here, smile_of(here), SETTINGS, rng=Stutter(), seed=1)
    ids = [candidate.id for candidate in menu.candidates]
    assert len(ids) > 4
    assert len(set(ids)) == len(ids)


def test_the_same_seed_makes_the_same_menu_and_another_seed_other_ids_and_order() -> None:
    assert built(seed=3) == built(seed=3)
    one, other = built(seed=3), built(seed=4)
    assert one.seed == 3
    assert {candidate.id for candidate in one.candidates} != {candidate.id for candidate in other.candidates}
    assert [c.spread for c in one.candidates] != [c.spread for c in other.candidates]
    assert {c.spread for c in one.candidates} == {c.spread for c in other.candidates}


@pytest.mark.slow
def test_the_order_does_not_tell_the_sides_apart() -> None:
    firsts = {built(seed=seed).candidates[0].spread.strategy for seed in range(12)}
    assert firsts == {Strategy.PUT_CREDIT, Strategy.CALL_CREDIT}


# What is dropped


def rules_of(menu: Menu) -> set[str]:
    return {spread.rule for spread in menu.dropped}


def test_every_dropped_spread_names_a_known_rule_with_figure_and_limit() -> None:
    known = {rule for rule, _ in MENU_RULES} | {"not_nearest", "menu_full"}
    for menu, _ in both():
        assert rules_of(menu) <= known
        assert all(spread.figure and spread.limit for spread in menu.dropped)


def test_what_was_left_out_is_shown_and_bounded() -> None:
    for menu, _ in both():
        assert {"delta", "not_nearest"} <= rules_of(menu)
        assert 100 < len(menu.dropped) <= 400


def test_a_spread_is_either_on_the_menu_or_dropped_and_only_once() -> None:
    for menu, _ in both():
        on = {
            (candidate.spread.strategy, candidate.spread.short.strike, candidate.spread.long.strike)
            for candidate in menu.candidates
        }
        off = [(spread.strategy, spread.short_strike, spread.long_strike) for spread in menu.dropped]
        assert len(set(off)) == len(off)
        assert not on & set(off)


def test_the_first_rule_in_order_is_the_one_that_is_named() -> None:
    # Quotes a dollar wide break the rule on leg quotes and the one on the natural credit; the former comes first.
    menu = built(with_quotes(ask=lambda quote: quote.ask + 1))
    assert not menu.candidates
    inside = {spread.rule for spread in menu.dropped if spread.rule not in ("delta", "width")}
    assert inside == {"leg_quotes"}


def test_a_full_side_loses_what_is_farthest_from_the_fixed_rule() -> None:
    whole = built(made=choosing(per_side=20))
    cut = built(made=choosing(per_side=3))
    rule = min(
        whole.side(Strategy.PUT_CREDIT), key=lambda put: (abs(put.short_delta - 0.20), abs(put.spread.width - 5))
    ).spread
    kept = {candidate.spread for candidate in cut.side(Strategy.PUT_CREDIT)}
    assert len(kept) == 3
    assert rule in kept
    full = [spread for spread in cut.dropped if spread.rule == "menu_full"]
    assert len(full) == len(whole.candidates) - 6
    assert all(spread.limit == "3 a side" for spread in full)


def test_thin_open_interest_of_the_short_leg_drops_a_spread() -> None:
    menu = built(with_quotes(open_interest=lambda quote: 99 if quote.right is Right.PUT else 5000))
    assert not menu.side(Strategy.PUT_CREDIT)
    assert "open_interest" in rules_of(menu)
    assert menu.side(Strategy.CALL_CREDIT)
    assert any("put credit spread" in note for note in menu.notes)


def test_thin_open_interest_of_the_long_leg_alone_does_not() -> None:
    shorts = {candidate.spread.short.strike for candidate in built().candidates}
    menu = built(with_quotes(open_interest=lambda quote: 5000 if quote.strike in shorts else 1))
    assert {candidate.spread.short.strike for candidate in menu.candidates} == shorts


@pytest.mark.parametrize("nothing", [0, None])
def test_open_interest_that_is_nowhere_to_be_had_is_missing_and_said(nothing: int | None) -> None:
    menu = built(with_quotes(open_interest=nothing))
    assert len(menu.candidates) == len(built().candidates)
    assert any("open interest" in note for note in menu.notes)


def test_a_contract_whose_open_interest_alone_is_missing_is_not_sold() -> None:
    menu = built(with_quotes(open_interest=lambda quote: None if quote.right is Right.PUT else 5000))
    assert not menu.side(Strategy.PUT_CREDIT)
    assert "missing" in {spread.figure for spread in menu.dropped if spread.rule == "open_interest"}


def test_a_credit_below_the_share_of_the_width_drops_a_spread() -> None:
    menu = built(made=choosing(credit_to_width=Decimal("0.16")))
    assert all(candidate.floor >= Decimal("0.16") * candidate.spread.width for candidate in menu.candidates)
    assert "credit_to_width" in rules_of(menu)


def test_costs_above_their_share_of_the_credit_drop_a_spread() -> None:
    dear = replace(SETTINGS, costs=replace(SETTINGS.costs, commission=Decimal("3"), commission_cap=Decimal("30")))
    menu = built(made=dear)
    assert "costs_to_credit" in rules_of(menu)
    assert all(c.costs_round_trip <= Decimal("0.15") * c.floor * 100 for c in menu.candidates)


@pytest.mark.slow
def test_a_leg_without_two_sides_is_never_used() -> None:
    gone = built().candidates[0].spread.short
    for bid, ask in ((None, 1.0), (1.0, None), (0.0, 0.05), (math.nan, 1.0), (2.0, 1.0)):
        menu = built(
            with_quotes(
                bid=lambda quote: bid if quote.symbol == gone.symbol else quote.bid,  # noqa: B023
                ask=lambda quote: ask if quote.symbol == gone.symbol else quote.ask,  # noqa: B023
            )
        )
        used = {leg.symbol for candidate in menu.candidates for leg in candidate.spread.legs}
        assert gone.symbol not in used


def test_a_small_menu_says_so_and_an_empty_one_is_empty() -> None:
    small = built(made=choosing(deltas=(0.20,), widths=(Decimal(5),)))
    assert 0 < len(small.candidates) < 6
    assert any("6 are usual" in note for note in small.notes)
    empty = built(made=choosing(credit_to_width=Decimal("0.9")))
    assert empty.candidates == ()
    assert empty.counts["credit_to_width"] > 0


def test_a_short_side_is_not_filled_from_the_other() -> None:
    calls = with_quotes(open_interest=lambda quote: 1 if quote.right is Right.PUT else 5000)
    assert len(built(calls).side(Strategy.CALL_CREDIT)) == len(built().side(Strategy.CALL_CREDIT))


# Scale


def test_widths_scale_with_the_underlying() -> None:
    here = builders.chain().select_expirations(builders.EXPIRATION)
    assert MenuTerms.derive(here, SETTINGS).scale == Decimal("670.0") / 600
    assert {candidate.spread.width for candidate in built().candidates} == {Decimal(2), Decimal(6), Decimal(11)}


def test_quotes_of_another_expiration_are_left_alone() -> None:
    whole = builders.chain()
    menu = rules.build_menu(whole, smile_of(whole), SETTINGS, rng=random.Random(7), seed=7)
    assert {candidate.spread.expiration for candidate in menu.candidates} == {builders.EXPIRATION}
    assert menu == built()
