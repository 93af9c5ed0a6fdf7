"""Drift between approval and execution, and between menu and vet."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.findings import Finding
from spy32.domain.market import LegQuotes, OptionQuote
from spy32.domain.proposals import Approval, Proposal
from spy32.domain.spreads import Mode
from spy32.rules import price_guard, pricing
from spy32.settings import Settings
from tests.support import builders
from tests.support.shipped_menu import real, real_menu

SETTINGS = Settings()
D = Decimal


def made(**over: Any) -> tuple[Proposal, Approval]:
    proposal = builders.proposal(id=1, **over)
    return proposal, builders.approval(proposal)


def quoted(short: tuple[Any, Any] = (4.81, 4.85), long: tuple[Any, Any] = (4.24, 4.28), **over: Any) -> LegQuotes:
    """Fresh quotes of the default legs, given as bid and ask."""
    first, second = builders.spread().legs
    quotes = {
        leg.symbol: replace(builders.quote(leg.right, str(leg.strike)), bid=pair[0], ask=pair[1])
        for leg, pair in ((first, short), (second, long))
    }
    return builders.leg_quotes(quotes=quotes, as_of=over.pop("as_of", builders.later(minutes=6)), **over)


def checked(
    quotes: LegQuotes, now: datetime | None = None, approval: dict[str, Any] | None = None, **over: Any
) -> tuple[Finding, ...]:
    proposal, yes = made(**over)
    yes = replace(yes, **(approval or {}))
    return price_guard.check(proposal, yes, quotes, SETTINGS, now or builders.later(minutes=6))


def blocking(found: tuple[Finding, ...]) -> list[str]:
    return [finding.rule for finding in found if finding.blocks]


AT_APPROVAL: dict[str, Any] = {"mid": D("0.57"), "natural": D("0.53"), "short_delta": 0.2}
PLAN = builders.price_plan(start=D("0.57"), limit=D("0.55"))


def now_at(quotes: LegQuotes, **over: Any) -> tuple[Finding, ...]:
    """Checked against an approval at a mid of 0.57, with limits from 0.57 to 0.55."""
    return checked(quotes, approval=AT_APPROVAL, plan=PLAN, **over)


def test_quotes_that_have_not_moved_say_nothing() -> None:
    assert now_at(quoted()) == ()


@pytest.mark.parametrize(("factor", "blocked"), [(1.0074, []), (0.9926, []), (1.0076, True), (0.9924, True)])
def test_the_underlying_may_move_three_quarters_of_a_per_cent(factor: float, blocked: Any) -> None:
    found = [finding for finding in now_at(quoted(spot=builders.SPOT * factor)) if finding.rule == "underlying"]
    assert bool(found) is bool(blocked)


def test_the_credit_may_fall_by_fifteen_per_cent() -> None:
    # 0.57 less 15 % is 0.4845.
    assert "credit_fall" not in blocking(now_at(quoted(short=(4.725, 4.765))))
    assert "credit_fall" in blocking(now_at(quoted(short=(4.72, 4.76))))


def test_a_credit_that_rose_is_no_fall() -> None:
    assert "credit_fall" not in blocking(now_at(quoted(short=(5.81, 5.85))))


def test_a_closing_s_debit_may_rise_by_fifteen_per_cent() -> None:
    closing = builders.close_proposal(31, id=1)
    yes = replace(builders.approval(closing), mid=D("-0.57"), natural=D("-0.61"))
    for short, blocked in (((4.89, 4.93), False), ((4.90, 4.94), True)):
        found = price_guard.check(closing, yes, quoted(short=short), SETTINGS, builders.later(minutes=6))
        assert ("credit_fall" in blocking(found)) is blocked


def test_a_debit_is_never_told_by_its_sign() -> None:
    plan = builders.price_plan(start=D("-0.10"), limit=D("-0.12"))
    closing = builders.close_proposal(31, id=1, plan=plan)
    yes = replace(builders.approval(closing), mid=D("-0.40"), natural=D("-0.44"))
    found = price_guard.check(closing, yes, quoted(), SETTINGS, builders.later(minutes=6))
    assert {finding.rule: finding.message for finding in found} == {
        "credit_fall": "the mid went from 0.40 db to 0.57 db, 42.5% worse; 15% is allowed",
        "limit_price": "the limit 0.10 db is outside 0.62 db to 0.51 db (natural 0.61 db, mid 0.57 db)",
        "floor": "the ceiling 0.12 is below the mid 0.57 db: it fills only if the market comes back",
    }


@pytest.mark.parametrize(
    ("limit", "blocked"),
    # Natural 0.53 less a cent, mid 0.57 plus ten per cent.
    [("0.51", True), ("0.52", False), ("0.57", False), ("0.62", False), ("0.63", True)],
)
def test_the_limit_stays_in_a_collar_around_the_market(limit: str, blocked: bool) -> None:
    plan = builders.price_plan(start=D(limit), limit=D("0.50"))
    found = checked(quoted(), approval=AT_APPROVAL, plan=plan)
    assert ("limit_price" in blocking(found)) is blocked


def test_a_floor_above_the_mid_is_a_note() -> None:
    found = now_at(quoted(short=(4.78, 4.82)))
    assert [(finding.rule, finding.blocks) for finding in found] == [("floor", False)]


def test_a_short_leg_that_came_near_the_money_blocks() -> None:
    # At a spot 2.2 % lower the 640 put is worth about 9; its delta is above 0.33.
    near = quoted(short=(9.80, 9.90), long=(8.40, 8.50), spot=655.0)
    assert "short_delta" in blocking(now_at(near))
    assert "short_delta" not in blocking(now_at(quoted()))


def test_a_short_leg_whose_delta_cannot_be_had_blocks() -> None:
    found = now_at(quoted(short=(700.0, 701.0), long=(699.4, 700.4)))
    assert "short_delta" in blocking(found)
    assert any(finding.figure == "unknown" for finding in found)


def test_a_closing_does_not_mind_its_short_delta() -> None:
    closing = builders.close_proposal(31, id=1)
    near = quoted(short=(9.80, 9.90), long=(8.40, 8.50), spot=655.0)
    found = price_guard.check(closing, builders.approval(closing), near, SETTINGS, builders.later(minutes=6))
    assert "short_delta" not in blocking(found)


@pytest.mark.parametrize("pair", [(None, 4.85), (4.81, None), (4.9, 4.85), (float("nan"), 4.85), (4.81, float("inf"))])
def test_a_leg_without_two_sides_blocks(pair: tuple[Any, Any]) -> None:
    assert blocking(now_at(quoted(short=pair))) == ["two_sided"]


@pytest.mark.parametrize(("ask", "wide"), [(5.59, False), (5.62, True)])
def test_a_leg_may_be_as_wide_as_a_choice_allows_and_no_wider(ask: float, wide: bool) -> None:
    # 15 % of a mid of 5.20 is 0.78.
    found = now_at(quoted(short=(4.81, ask)))
    assert ("leg_width" in blocking(found)) is wide
    # The mid of a wide market is held against nothing.
    assert not wide or blocking(found) == ["leg_width"]


@pytest.mark.parametrize(("ask", "wide"), [(0.12, False), (0.13, True)])
def test_a_cheap_leg_may_be_a_dime_wide_scaled_to_the_underlying(ask: float, wide: bool) -> None:
    # A dime at 600 is 0.1117 at 670.
    assert ("leg_width" in blocking(now_at(quoted(long=(0.01, ask))))) is wide


def test_a_closing_goes_out_of_a_wide_market_and_says_so() -> None:
    closing = builders.close_proposal(31, id=1, plan=builders.price_plan(start=D("-0.57"), limit=D("-0.62")))
    yes = replace(builders.approval(closing), mid=D("-0.57"), natural=D("-0.61"))
    found = price_guard.check(closing, yes, quoted(short=(4.03, 5.63)), SETTINGS, builders.later(minutes=6))
    assert [(finding.rule, finding.blocks) for finding in found] == [("leg_width", False)]


def test_a_leg_that_is_not_quoted_at_all_blocks() -> None:
    quotes = quoted()
    one = dict(list(quotes.quotes.items())[:1])
    assert blocking(now_at(replace(quotes, quotes=one))) == ["two_sided"]


@pytest.mark.parametrize(
    ("mode", "age", "blocked", "noted"),
    [
        (Mode.LIVE, 10, False, False),
        (Mode.LIVE, 11, True, False),
        (Mode.SANDBOX, 900, False, True),
        (Mode.SANDBOX, 1201, True, False),
        (Mode.LIVE, -11, True, False),
        (Mode.PAPER, 10, False, False),
        (Mode.PAPER, 900, False, True),
        (Mode.PAPER, 1201, True, False),
    ],
)
def test_an_order_is_priced_from_fresh_quotes(mode: Mode, age: float, blocked: bool, noted: bool) -> None:
    quotes = quoted(as_of=builders.later(minutes=6, seconds=-age))
    found = [finding for finding in now_at(quotes, mode=mode) if finding.rule == "quote_age"]
    assert [finding.blocks for finding in found] == ([True] if blocked else [False] if noted else [])


@pytest.mark.parametrize(("mode", "blocked"), [(Mode.LIVE, ["quote_delay"]), (Mode.SANDBOX, []), (Mode.PAPER, [])])
def test_a_live_order_is_not_priced_from_delayed_quotes(mode: Mode, blocked: list[str]) -> None:
    assert blocking(now_at(quoted(delay_seconds=900), mode=mode)) == blocked


@pytest.mark.parametrize(
    ("then", "now", "name"),
    [
        ({"spot": 0.0}, {}, "underlying at approval"),
        ({"spot": float("nan")}, {}, "underlying at approval"),
        ({"mid": D("NaN")}, {}, "mid at approval"),
        ({}, {"spot": float("nan")}, "underlying now"),
        ({}, {"spot": float("inf")}, "underlying now"),
        ({}, {"spot": -1.0}, "underlying now"),
    ],
)
def test_what_cannot_be_compared_refuses_by_its_name(then: dict[str, Any], now: dict[str, Any], name: str) -> None:
    (found,) = checked(quoted(**now), approval={**AT_APPROVAL, **then}, plan=PLAN)
    assert found.blocks and found.rule == "unknown" and name in found.message


def test_a_recorded_market_has_no_age() -> None:
    quotes = quoted(as_of=builders.later(-86_400))
    assert now_at(quotes, market="recorded") == ()


def test_all_findings_are_returned() -> None:
    found = now_at(quoted(short=(9.80, 9.90), spot=600.0, as_of=builders.later(-86_400)))
    assert {"underlying", "limit_price", "short_delta", "quote_age"} <= set(blocking(found))


def test_a_late_or_missing_quote_does_not_take_the_approval_back() -> None:
    assert {"underlying", "credit_fall", "limit_price", "short_delta"} == price_guard.WITHDRAWING_RULES


@given(
    short=st.tuples(st.floats(0, 20), st.floats(0, 20)),
    long=st.tuples(st.floats(0, 20), st.floats(0, 20)),
    spot=st.floats(600, 740),
)
def test_whatever_is_accepted_keeps_every_limit(
    short: tuple[float, float], long: tuple[float, float], spot: float
) -> None:
    quotes = quoted(short=short, long=long, spot=spot)
    if not blocking(now_at(quotes)):
        mid = (D(str(short[0])) + D(str(short[1])) - D(str(long[0])) - D(str(long[1]))) / 2
        natural = D(str(short[0])) - D(str(long[1]))
        assert short[0] <= short[1]
        assert long[0] <= long[1]
        assert mid >= D("0.57") * D("0.85")
        assert natural - D("0.01") <= D("0.57") <= mid * D("1.10")
        assert abs(spot / builders.SPOT - 1) <= 0.0075


def test_the_short_delta_agrees_with_the_one_of_the_menu_without_knowing_the_forward() -> None:
    chain, _ = real()
    by_symbol = {quote.symbol: quote for quote in chain.quotes}
    for candidate in real_menu().candidates:
        legs = candidate.spread.legs
        quotes: dict[str, OptionQuote] = {leg.symbol: by_symbol[leg.symbol] for leg in legs}
        seen = LegQuotes(spot=chain.spot, as_of=chain.as_of, source="recorded", quotes=quotes)
        proposal = builders.proposal(legs=legs)
        assert price_guard.short_delta(proposal, seen, SETTINGS, chain.as_of) == pytest.approx(
            candidate.short_delta, abs=0.01
        )


# Between menu and vet


def vetted(quotes: LegQuotes, start: str = "0.57") -> list[str]:
    candidate = builders.candidate(mid=D("0.57"), natural=D("0.53"), start=D(start))
    return [finding.rule for finding in pricing.check_prices(candidate, builders.SPOT, quotes, SETTINGS)]


def test_a_candidate_whose_quotes_stand_is_not_moved() -> None:
    assert vetted(quoted()) == []


def test_every_way_in_which_a_candidate_may_have_moved_is_named() -> None:
    assert vetted(quoted(spot=680.0)) == ["underlying"]
    assert vetted(quoted(short=(4.69, 4.73))) == ["credit_fall", "limit_price"]
    assert vetted(quoted(short=(5.81, 5.85))) == ["limit_price"]
    assert vetted(quoted(short=(None, 4.85), spot=680.0)) == ["underlying", "two_sided"]
    assert vetted(quoted(short=(0.01, 13.0), long=(0.01, 13.0))) == ["leg_width", "leg_width"]
    assert {"underlying", "credit_fall", "limit_price", "two_sided", "leg_width"} == pricing.PRICE_RULES
