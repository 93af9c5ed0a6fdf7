"""What two sources say of each other."""

from dataclasses import replace

import pytest

from spy32.domain.market import Chain, Gate, MarketSnapshot, OptionQuote, SourceAttempt, Verdict
from spy32.options import surface
from spy32.quality import smile_gates
from spy32.sessions import years_to_expiration
from spy32.settings.model import MarketSources
from tests.support import builders

KNOBS = MarketSources()


def smile_of(chain: Chain) -> surface.Smile:
    return surface.build_smile(
        chain.quotes,
        spot=chain.spot,
        years=years_to_expiration(builders.NOW, builders.EXPIRATION),
        rate=builders.RATE,
        expiration=builders.EXPIRATION,
    )


def gates(second: Chain | None, knobs: MarketSources = KNOBS, **over: object) -> dict[str, Gate]:
    snapshot: MarketSnapshot = builders.snapshot(second=second, **over)
    checked = smile_of(second) if second is not None else None
    return {gate.name: gate for gate in smile_gates.check_sources(snapshot, smile_of(snapshot.chain), checked, knobs)}


def other(spot: float = builders.SPOT, shift: float = 0.0, dearer: float = 0.0) -> Chain:
    """A second chain: its spot, its strikes' prices moved as calls and puts move, or all dearer."""

    def moved(quote: OptionQuote) -> OptionQuote:
        delta = quote.feed_delta or 0.0
        by = delta * shift + dearer
        bid, ask = (max(0.01, round((side or 0) + by, 2)) for side in (quote.bid, quote.ask))
        return replace(quote, bid=bid, ask=max(ask, bid + 0.01))

    chain = builders.chain((builders.EXPIRATION,))
    return replace(chain, spot=spot, source="yahoo", quotes=tuple(map(moved, chain.quotes)))


def test_two_sources_that_agree_pass_all_three() -> None:
    found = gates(other())
    assert {name: gate.verdict for name, gate in found.items()} == {
        "second_spot": Verdict.PASS,
        "second_forward": Verdict.PASS,
        "second_quotes": Verdict.PASS,
    }
    assert "cboe 670.00, yahoo 670.00" in found["second_spot"].figure


@pytest.mark.parametrize(("share", "verdict"), [(0.004, Verdict.PASS), (-0.004, Verdict.PASS), (0.03, Verdict.STOP)])
def test_spots_that_lie_apart_stop_the_run(share: float, verdict: Verdict) -> None:
    spot = builders.SPOT * (1 + share)
    assert gates(other(spot, shift=builders.SPOT * share))["second_spot"].verdict is verdict


def test_a_wild_market_may_move_further_in_a_quarter_of_an_hour() -> None:
    """At a VIX of 30 three standard deviations of 15 minutes are 1.11 %; more than 1.5 % is another price."""
    wild = {"volatility": {"vix": builders.datum(30.0)}}
    assert gates(other(builders.SPOT * 1.010), **wild)["second_spot"].verdict is Verdict.PASS
    assert gates(other(builders.SPOT * 1.012), **wild)["second_spot"].verdict is Verdict.STOP
    absurd = {"volatility": {"vix": builders.datum(5000.0)}}
    assert gates(other(builders.SPOT * 1.014), **absurd)["second_spot"].verdict is Verdict.PASS
    assert gates(other(builders.SPOT * 1.030), **absurd)["second_spot"].verdict is Verdict.STOP


def test_a_spot_that_moved_with_its_options_is_no_difference_of_quotes() -> None:
    found = gates(other(builders.SPOT + 2.0, shift=2.0))
    assert found["second_quotes"].verdict is Verdict.PASS
    assert found["second_forward"].verdict is Verdict.PASS


def test_options_that_moved_without_their_spot_show_in_the_forward() -> None:
    assert gates(other(shift=1.5))["second_forward"].verdict is Verdict.WARN
    assert gates(other(shift=6.0))["second_forward"].verdict is Verdict.STOP


def test_dearer_quotes_are_marked_and_named() -> None:
    found = gates(other(dearer=0.30))["second_quotes"]
    assert found.verdict is Verdict.WARN
    assert "SPY   251107" in found.note
    assert "price them again" in found.note


def test_without_a_second_source_the_run_is_marked_and_says_why() -> None:
    why = SourceAttempt(datum="chain", source="yahoo", ok=False, detail="rate limited")
    found = gates(None, tried=(why,))
    assert list(found) == ["second_spot"]
    assert found["second_spot"].verdict is Verdict.WARN
    assert found["second_spot"].note == "yahoo: rate limited"


def test_recorded_markets_and_a_switched_off_check_are_not_judged() -> None:
    off = gates(None, knobs=replace(KNOBS, cross_check=False))
    recorded = gates(None, is_recorded=True)
    for found in (off, recorded):
        assert {gate.verdict for gate in found.values()} == {Verdict.SKIPPED}
        assert len(found) == 3


def test_sources_without_a_contract_in_common_are_marked() -> None:
    chain = other()
    strange = replace(chain, quotes=tuple(replace(quote, root="SPYX") for quote in chain.quotes))
    assert gates(strange)["second_quotes"].verdict is Verdict.WARN
