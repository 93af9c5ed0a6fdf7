"""The fixed rule: put side, short delta nearest 0.20, then width nearest 5 at this spot."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from spy32.analysts.rules import RulesAnalyst
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.settings import Settings
from tests.support import builders
from tests.support.shipped_menu import real, real_menu
from tests.support.strategies import menu_of

SETTINGS = Settings()


def choose(*candidates: Candidate, settings: Settings = SETTINGS, spot: float = 600.0) -> Recommendation:
    """The rule's answer; at a spot of 600 the widths of the settings are dollars as they stand."""
    snapshot = builders.snapshot(chain=replace(builders.chain(), spot=spot))
    return RulesAnalyst(settings).choose(snapshot, Menu(candidates=candidates), builders.briefing())


def put(strike: int, width: int, delta: float) -> Candidate:
    made = builders.candidate(str(strike), str(strike - width), id=f"P{strike}W{width}")
    return replace(made, short=replace(made.short, delta=-delta))


def test_the_short_delta_nearest_0_20_comes_first() -> None:
    assert choose(put(630, 2, 0.16), put(640, 2, 0.21), put(645, 5, 0.25)).candidate_id == "P640W2"


def test_then_the_width_nearest_5() -> None:
    assert choose(put(640, 2, 0.21), put(640, 6, 0.21), put(640, 10, 0.21)).candidate_id == "P640W6"


def test_the_width_scales_with_the_underlying() -> None:
    wide = choose(put(640, 5, 0.21), put(640, 10, 0.21), spot=1200.0)
    assert wide.candidate_id == "P640W10"


def test_of_two_equally_near_the_less_exposed_is_taken() -> None:
    quarter = replace(SETTINGS, choice=replace(SETTINGS.choice, rule_delta=0.25))
    # Fractions that a float holds exactly, so that both are a sixteenth away.
    assert choose(put(650, 5, 0.3125), put(640, 10, 0.1875), settings=quarter).candidate_id == "P640W10"
    assert choose(put(640, 7, 0.20), put(640, 3, 0.20)).candidate_id == "P640W3"


def test_the_order_of_the_menu_does_not_matter() -> None:
    puts = [put(strike, width, delta) for strike, delta in ((630, 0.16), (640, 0.21)) for width in (2, 5, 10)]
    picks = set()
    for seed in range(10):
        random.Random(seed).shuffle(puts)
        picks.add(choose(*puts).candidate_id)
    assert picks == {"P640W5"}


def test_a_call_is_never_taken_however_near() -> None:
    call = builders.candidate("695", "700", id="CALL")
    near = replace(call, short=replace(call.short, delta=0.20))
    assert choose(near, put(620, 2, 0.15)).candidate_id == "P620W2"


@pytest.mark.parametrize(
    ("strategies", "told"),
    [
        ((), "nothing"),
        ((Strategy.CALL_CREDIT,), "3 call spreads"),
        ((Strategy.CALL_DEBIT, Strategy.IRON_CONDOR), "3 iron condors, 3 call debit spreads"),
    ],
)
def test_without_a_put_on_the_menu_it_abstains_and_counts_what_is_by_strategy(
    strategies: tuple[Strategy, ...], told: str
) -> None:
    candidates = [entry for strategy in strategies for entry in menu_of(strategy, is_real=True).candidates[:3]]
    answer = choose(*candidates)
    assert (answer.decision, answer.candidate_id) == (Decision.ABSTAIN, None)
    assert answer.reason == f"the rule takes put spreads here, and none is on the menu ({told} instead)"


def test_the_settings_move_the_rule() -> None:
    settings = replace(SETTINGS, choice=replace(SETTINGS.choice, rule_delta=0.25, rule_width=Decimal(10)))
    puts = [put(strike, width, delta) for strike, delta in ((640, 0.21), (645, 0.25)) for width in (5, 10)]
    assert choose(*puts, settings=settings).candidate_id == "P645W10"


def test_it_explains_itself_with_figures() -> None:
    answer = choose(put(640, 5, 0.213))
    assert "640/635" in answer.reason
    assert "0.213" in answer.reason
    assert "0.20" in answer.reason
    assert f"{builders.candidate().floor}" in answer.analysis
    assert answer.probability == builders.candidate().pop_market
    assert all(path.startswith("menu.P640W5.") for path in answer.evidence)


def test_on_the_real_chain_it_takes_the_621_616_put_spread() -> None:
    # The listed put nearest 0.20 is the 621; strikes there are five dollars apart below it.
    chain, _ = real()
    menu = real_menu()
    answer = RulesAnalyst(SETTINGS).choose(builders.snapshot(chain=chain), menu, builders.briefing())
    candidate = menu.find(answer.candidate_id)
    assert candidate is not None
    assert candidate.spread.strategy is Strategy.PUT_CREDIT
    assert (candidate.spread.short.strike, candidate.spread.long.strike) == (Decimal(621), Decimal(616))
    assert candidate.natural == Decimal("0.53")
