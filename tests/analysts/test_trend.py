"""The trend and volatility rule: with the trend, farther out when it pays little or moves are large, else nothing."""

import math
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from spy32.analysts.trend import REQUIRED_FIGURES, TrendAnalyst
from spy32.domain.briefing import Briefing
from spy32.domain.codec import canonical_json
from spy32.domain.market import Metric
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.ports import Analyst
from spy32.settings import Settings
from tests.support import builders

SETTINGS = Settings()
CALM = {
    "market.spot": 670.0, "market.sma_50": 650.0, "market.momentum_20d": 18.0, "market.vix_over_vix3m": 0.86,
    "market.iv_rank": 0.40, "market.vix": 16.5,
}  # fmt: skip
FALLING = {"spot": 630.0, "momentum_20d": -18.0}


def briefing(**over: float | None) -> Briefing:
    """The calm rising market, with figures replaced by the last part of their path; None is missing."""
    figures = dict.fromkeys(CALM, Metric(value=None, unit="", source="", missing="57 of 252 days"))
    for path, value in {**CALM, **{f"market.{name}": value for name, value in over.items()}}.items():
        if value is not None:
            figures[path] = Metric(value=value, unit="percent" if path == "market.vix" else "fraction", source="cboe")
    return Briefing(underlying="SPY", as_of=builders.NOW, target=builders.EXPIRATION, dte=32, figures=figures)


def one(side: str, delta: float, width: int = 5, away: int = 30) -> Candidate:
    short = 670 - away if side == "put" else 670 + away
    long = short - width if side == "put" else short + width
    made = builders.candidate(str(short), str(long), id=f"{side}{delta}w{width}a{away}")
    return replace(made, short=replace(made.short, delta=-delta if side == "put" else delta))


BOTH = (
    one("put", 0.16, away=35),
    one("put", 0.20),
    one("put", 0.25, away=25),
    one("call", 0.16),
    one("call", 0.20, away=25),
)


def choose(
    told: Briefing, *candidates: Candidate, settings: Settings = SETTINGS, spot: float = 600.0
) -> Recommendation:
    snapshot = builders.snapshot(chain=replace(builders.chain(), spot=spot))
    return TrendAnalyst(settings).choose(snapshot, Menu(candidates=candidates or BOTH), told)


@pytest.mark.parametrize(
    ("spot", "momentum", "side"),
    [
        (670.0, 18.0, Strategy.PUT_CREDIT),
        (650.01, 0.01, Strategy.PUT_CREDIT),
        (630.0, -18.0, Strategy.CALL_CREDIT),
        (670.0, -1.0, None),
        (630.0, 1.0, None),
        (650.0, 18.0, None),
        (670.0, 0.0, None),
        (650.0, 0.0, None),
    ],
)
def test_the_side_is_that_of_the_trend(spot: float, momentum: float, side: Strategy | None) -> None:
    answer = choose(briefing(spot=spot, momentum_20d=momentum))
    chosen = Menu(candidates=BOTH).find(answer.candidate_id)
    assert (chosen.spread.strategy if chosen is not None else None) is side
    assert (answer.decision is Decision.ABSTAIN) == (side is None)
    assert answer.market_bias == {Strategy.PUT_CREDIT: "bullish", Strategy.CALL_CREDIT: "bearish", None: ""}[side]


@pytest.mark.parametrize(("slope", "trades"), [(0.86, True), (1.0, True), (1.0001, False), (1.4, False)])
def test_it_stays_out_when_near_volatility_is_dearer_than_far(slope: float, trades: bool) -> None:
    answer = choose(briefing(vix_over_vix3m=slope))
    assert (answer.decision is Decision.TRADE) == trades
    assert trades or "VIX3M" in answer.reason


@pytest.mark.parametrize(
    ("rank", "vix", "delta"),
    [
        (0.40, 16.5, "0.2"), (0.20, 24.9, "0.2"), (0.19, 16.5, "0.16"), (0.40, 25.0, "0.16"), (0.0, 60.0, "0.16"),
    ],
)  # fmt: skip
def test_it_goes_farther_out_when_premium_is_thin_or_moves_are_large(rank: float, vix: float, delta: str) -> None:
    rising = choose(briefing(iv_rank=rank, vix=vix))
    falling = choose(briefing(iv_rank=rank, vix=vix, **FALLING))
    assert str(rising.candidate_id).startswith(f"put{delta}w")
    assert str(falling.candidate_id).startswith(f"call{delta}w")


@pytest.mark.parametrize("path", REQUIRED_FIGURES)
def test_a_missing_figure_is_a_reason_to_abstain(path: str) -> None:
    answer = choose(briefing(**{path.removeprefix("market."): None}))
    assert answer.decision is Decision.ABSTAIN
    assert answer.reason == f"{path} is missing: 57 of 252 days"
    assert path not in answer.evidence


def test_figures_that_are_not_there_or_no_numbers_are_missing() -> None:
    told = briefing()
    without = {path: datum for path, datum in told.figures.items() if path != "market.vix"}
    assert choose(replace(told, figures=without)).reason == "market.vix is missing: not collected"
    assert choose(briefing(sma_50=math.nan)).reason == "market.sma_50 is missing: what came is no number"
    empty = choose(replace(told, figures={}))
    assert empty.reason.startswith("market.spot is missing: not collected (market.sma_50, ")


def test_a_zero_is_a_figure() -> None:
    assert choose(briefing(iv_rank=0.0)).decision is Decision.TRADE


@pytest.mark.parametrize("falls", [False, True])
def test_without_a_spread_of_its_side_it_abstains(falls: bool) -> None:
    told = briefing(**FALLING) if falls else briefing()
    answer = choose(told, one("put" if falls else "call", 0.20))
    assert answer.decision is Decision.ABSTAIN
    assert f"a {'call' if falls else 'put'} spread, and none is on the menu" in answer.reason


def test_ties_are_broken_as_the_fixed_rule_does() -> None:
    # Fractions that a float holds exactly, so that both are a sixteenth away.
    quarter = replace(SETTINGS, choice=replace(SETTINGS.choice, rule_delta=0.25))
    lower = choose(briefing(), one("put", 0.3125), one("put", 0.1875, width=10), settings=quarter)
    assert lower.candidate_id == "put0.1875w10a30"
    assert choose(briefing(), one("put", 0.2, 7), one("put", 0.2, 3)).candidate_id == "put0.2w3a30"
    farther = choose(briefing(), one("put", 0.2, away=30), one("put", 0.2, away=31))
    assert farther.candidate_id == "put0.2w5a31"
    falling = briefing(**FALLING)
    assert (
        choose(falling, one("call", 0.2, away=20), one("call", 0.2, away=21), spot=670.0).candidate_id == "call0.2w5a21"
    )


def test_the_width_scales_with_the_underlying() -> None:
    assert choose(briefing(), one("put", 0.2), one("put", 0.2, 10), spot=1200.0).candidate_id == "put0.2w10a30"


def test_the_settings_move_the_rule_and_caution_never_goes_nearer() -> None:
    near = replace(SETTINGS, choice=replace(SETTINGS.choice, rule_delta=0.25, rule_width=Decimal(10)))
    assert choose(briefing(), *BOTH, one("put", 0.25, 10), settings=near).candidate_id == "put0.25w10a30"
    far = replace(SETTINGS, choice=replace(SETTINGS.choice, rule_delta=0.10))
    assert choose(briefing(vix=30), one("put", 0.1), *BOTH, settings=far).candidate_id == "put0.1w5a30"


def test_the_order_of_the_menu_does_not_matter() -> None:
    picks = set()
    for seed in range(10):
        shuffled = list(BOTH)
        random.Random(seed).shuffle(shuffled)
        picks.add(choose(briefing(), *shuffled).candidate_id)
    assert len(picks) == 1


def test_it_explains_itself_with_figures() -> None:
    answer = choose(briefing(vix=27.25))
    assert answer.analyst == "trend"
    assert "above its 50-day average" in answer.reason
    assert "0.16 since the VIX of 27.2 is not below 25" in answer.reason
    assert answer.evidence == (*REQUIRED_FIGURES, f"menu.{answer.candidate_id}.short_delta")
    assert [(one.path, one.value) for one in answer.cited][-1] == ("market.vix", "27.25")
    assert answer.probability == builders.candidate().pop_market
    canonical_json(answer)


def test_it_is_an_analyst() -> None:
    analyst: Analyst = TrendAnalyst(SETTINGS)
    assert analyst.name == "trend"
