"""The broker's echo of a dry run: what it understood is what we meant, or nothing is sent."""

from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.orders import DryRun
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.rules import pricing
from spy32.rules.dry_run_check import check_dry_run
from spy32.settings import Settings
from tests.support import builders

D = Decimal
SETTINGS = Settings()
LIVE = builders.proposal(mode=Mode.LIVE)
"""Two contracts, 5 wide, at 0.57 and fees of 4.52: margin 1000, buying power 1000 - 114 + 4.52."""
NAN = D("NaN")


def dry(proposal: Proposal = LIVE, **over: Any) -> DryRun:
    fees = pricing.opening_costs(proposal.quantity, SETTINGS.costs, "SPY") * proposal.quantity
    base: dict[str, Any] = {
        "accepted": True,
        "fees": fees,
        "margin": D(1000),
        "buying_power_change": 1000 - proposal.limit_price * 200 + fees,
        "limit": proposal.limit_price,
        "quantity": proposal.quantity,
        "legs": proposal.legs,
    }
    return DryRun(**{**base, **over})


def rules(proposal: Proposal = LIVE, **over: Any) -> list[str]:
    found = check_dry_run(proposal, dry(proposal, **over), SETTINGS)
    assert all(finding.blocks and finding.figure and finding.limit and finding.message for finding in found)
    return [finding.rule for finding in found]


def test_an_echo_of_what_was_meant_says_nothing() -> None:
    assert rules() == []
    assert rules(legs=LIVE.legs[::-1]) == []


POWER = 1000 - LIVE.limit_price * 200 + D("4.52")


@pytest.mark.parametrize(
    ("over", "rule"),
    [
        ({"limit": None}, "echo_limit"),
        ({"limit": NAN}, "echo_limit"),
        ({"limit": -LIVE.limit_price}, "echo_limit"),
        ({"limit": D(0)}, "echo_limit"),
        ({"limit": LIVE.limit_price - D("0.01")}, "echo_limit"),
        ({"quantity": None}, "echo_quantity"),
        ({"quantity": 1}, "echo_quantity"),
        ({"legs": ()}, "echo_legs"),
        ({"legs": builders.spread("640", "634").legs}, "echo_legs"),
        ({"legs": LIVE.legs[:1]}, "echo_legs"),
        ({"margin": None}, "echo_margin"),
        ({"margin": NAN}, "echo_margin"),
        ({"margin": D("1000.02")}, "echo_margin"),
        ({"margin": D("999.98")}, "echo_margin"),
        ({"margin": D(-1000)}, "echo_margin"),
        ({"buying_power_change": None}, "echo_buying_power"),
        ({"buying_power_change": D("Infinity")}, "echo_buying_power"),
        ({"buying_power_change": POWER * D("1.0101")}, "echo_buying_power"),
        ({"buying_power_change": POWER * D("0.9899")}, "echo_buying_power"),
        ({"fees": None}, "echo_fees"),
        ({"fees": NAN}, "echo_fees"),
        ({"fees": D("6.79")}, "echo_fees"),
        ({"fees": D("2.25")}, "echo_fees"),
        ({"warnings": ("closing_with_no_position: it will open",)}, "echo_warning"),
    ],
)
def test_what_differs_or_is_missing_blocks_by_its_name(over: dict[str, Any], rule: str) -> None:
    assert rules(**over) == [rule]


@pytest.mark.parametrize(
    "over",
    [
        {"margin": D("1000.01")},
        {"margin": D("999.99")},
        {"buying_power_change": POWER * D("1.0099")},
        {"fees": D("6.78")},
        {"fees": D("2.26")},
        {"warnings": ("tif.next_valid_session: waits",)},
    ],
)
def test_what_is_within_the_tolerance_passes(over: dict[str, Any]) -> None:
    assert rules(**over) == []


def test_a_credit_that_is_read_as_a_debit_is_said_in_these_words() -> None:
    (found,) = check_dry_run(LIVE, dry(limit=-LIVE.limit_price), SETTINGS)
    assert f"a debit of {LIVE.limit_price}, it should be a credit of {LIVE.limit_price}" in found.message


def test_a_silent_dry_run_names_everything_that_it_does_not_tell() -> None:
    found = check_dry_run(LIVE, DryRun(accepted=True), SETTINGS)
    assert [finding.rule for finding in found] == [
        "echo_limit", "echo_quantity", "echo_legs", "echo_fees", "echo_margin",
    ]  # fmt: skip


def test_a_small_order_s_fees_may_be_a_dollar_off() -> None:
    closing = builders.close_proposal(31, mode=Mode.LIVE)
    assert rules(closing, fees=D("1.52"), margin=D(-1000), buying_power_change=D(-900)) == []
    assert rules(closing, fees=D("1.53"), margin=D(-1000)) == ["echo_fees"]


def test_the_paper_broker_tells_no_margin_and_nets_what_it_holds() -> None:
    paper = builders.proposal()
    assert rules(paper, margin=None, buying_power_change=D(0)) == []
    assert rules(paper, margin=None, buying_power_change=D(2000)) == ["echo_buying_power"]
    assert rules(paper, margin=None, buying_power_change=None) == ["echo_buying_power"]
