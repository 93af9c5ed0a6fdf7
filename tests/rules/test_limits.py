"""Our own limits on an entry: every refusal names its figure and its limit."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.exposure import Exposure
from spy32.domain.findings import Finding
from spy32.domain.orders import BrokerOrder
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.spreads import Mode, Position
from spy32.lifecycle import FINAL, OrderState
from spy32.rules import limits
from spy32.settings import Settings
from tests.support import builders

SETTINGS = Settings()
D = Decimal


def checked(account: Any = None, **book: Any) -> tuple[Finding, ...]:
    return limits.check_entry(builders.candidate(), account or builders.account(), Exposure(**book), SETTINGS)


def sent(
    proposal: Proposal | None = None, now: datetime = builders.NOW, account: Any = None, **book: Any
) -> tuple[Finding, ...]:
    return limits.check_proposal(
        proposal or builders.proposal(), account or builders.account(), Exposure(**book), SETTINGS, now
    )


def rules(found: tuple[Finding, ...]) -> list[str]:
    assert all(finding.blocks and finding.figure and finding.limit for finding in found)
    return [finding.rule for finding in found]


def test_a_quiet_account_may_open() -> None:
    assert checked() == ()
    assert sent() == ()


@pytest.mark.parametrize(
    ("rule", "book", "still"),
    [
        ("open_trades", {"open_trades": 5}, {"open_trades": 4}),
        ("submits_of_run", {"submits_of_run": 1}, {"submits_of_run": 0}),
        ("submits_today", {"submits_today": 2}, {"submits_today": 1}),
        ("week_loss", {"week_loss": D("3000")}, {"week_loss": D("2999.99")}),
        ("assigned", {"assigned_trades": 1}, {"assigned_trades": 0}),
        ("foreign", {"unmeasured": ("100 SPY short",)}, {"foreign_trades": 4, "open_trades": 4}),
        ("duplicate", {"open_symbols": frozenset({builders.leg("640").symbol})}, {"open_symbols": frozenset({"SPY"})}),
        ("duplicate", {"open_symbols": frozenset({builders.leg("635").symbol})}, {}),
    ],
)
def test_a_limit_blocks_exactly_from_its_figure_on(rule: str, book: dict[str, Any], still: dict[str, Any]) -> None:
    for found in (checked(**book), sent(**book)):
        assert rules(found) == [rule]
    assert checked(**still) == sent(**still) == ()


def test_the_limit_on_trades_says_how_many_are_not_ours() -> None:
    (found,) = checked(open_trades=5, foreign_trades=2)
    assert found.message == "5 trades are open, 2 of them not of our book; 5 is the most"


def test_an_assigned_trade_and_an_unknown_risk_stop_no_close() -> None:
    close = builders.proposal(kind=ProposalKind.CLOSE, trade_id=1)
    assert sent(close, assigned_trades=1, unmeasured=("100 SPY short",)) == ()


@pytest.mark.parametrize(
    ("short", "long", "refused"),
    [
        (-2, 2, []),
        (-3, 3, []),
        (-1, 2, ["the account holds -1 of 640 P of 2025-11-07, and the close needs -2"]),
        (-2, 0, ["the account holds 0 of 635 P of 2025-11-07, and the close needs 2"]),
        (2, -2, [
            "the account holds 2 of 640 P of 2025-11-07, and the close needs -2",
            "the account holds -2 of 635 P of 2025-11-07, and the close needs 2",
        ]),
    ],
)  # fmt: skip
def test_a_close_needs_what_the_account_holds_leg_by_leg(short: int, long: int, refused: list[str]) -> None:
    close = builders.proposal(kind=ProposalKind.CLOSE, trade_id=1, legs=builders.close_proposal(1).legs, quantity=2)
    held = [Position(symbol=leg.symbol, quantity=count) for leg, count in zip(close.legs, (short, long), strict=True)]
    found = tuple(limits.check_held_contracts(close, held))
    assert [finding.message for finding in found] == refused
    assert set(rules(found)) <= {"held"}
    assert tuple(limits.check_held_contracts(builders.proposal(), ())) == ()


def test_a_contract_that_the_account_holds_is_a_duplicate_too() -> None:
    held = builders.account(positions=(Position(symbol=builders.leg("635").symbol, quantity=-1),))
    assert rules(checked(account=held)) == rules(sent(account=held)) == ["duplicate"]
    closed = builders.account(positions=(Position(symbol=builders.leg("635").symbol, quantity=0),))
    assert checked(account=closed) == ()


def test_an_options_level_that_carries_no_spread_blocks() -> None:
    (found,) = checked(account=builders.account(options_level="Covered", permits_spreads=False))
    assert (found.rule, found.figure) == ("options_level", "Covered")


def test_every_refusal_is_returned_not_only_the_first() -> None:
    found = checked(open_trades=9, submits_today=9, submits_of_run=9, week_loss=D(9999))
    assert rules(found) == ["open_trades", "submits_of_run", "submits_today", "week_loss"]


def test_an_account_without_money_opens_nothing() -> None:
    assert "week_loss" in rules(checked(account=builders.account(net_liquidation=D(0), buying_power=D(0))))


# The whole quantity


def test_too_many_contracts_are_refused() -> None:
    made = builders.proposal(quantity=11, max_loss=D("900"))
    assert rules(sent(made)) == ["contracts"]


@pytest.mark.parametrize(("loss", "blocked"), [("1000", []), ("1000.01", ["max_loss"])])
def test_the_maximum_loss_is_one_per_cent_at_most(loss: str, blocked: list[str]) -> None:
    assert rules(sent(builders.proposal(max_loss=D(loss)))) == blocked


@pytest.mark.parametrize(("risk", "blocked"), [("4100", []), ("4100.01", ["open_risk"])])
def test_with_the_open_spreads_it_is_five_per_cent_at_most(risk: str, blocked: list[str]) -> None:
    assert rules(sent(builders.proposal(max_loss=D(900)), open_risk=D(risk))) == blocked


def test_the_buying_power_counts_what_is_in_use() -> None:
    made = builders.proposal(max_loss=D(900))
    assert sent(made, account=builders.account(buying_power=D(50900))) == ()
    assert rules(sent(made, account=builders.account(buying_power=D(50899)))) == ["buying_power"]
    assert rules(sent(made, account=builders.account(buying_power=D(899)))) == ["buying_power", "buying_power"]


@given(
    loss=st.decimals(0, 5000, places=2),
    risk=st.decimals(0, 6000, places=2),
    power=st.decimals(0, 100_000, places=2),
)
def test_nothing_that_is_accepted_breaks_a_cap(loss: Decimal, risk: Decimal, power: Decimal) -> None:
    account = builders.account(buying_power=power)
    if sent(builders.proposal(max_loss=loss), account=account, open_risk=risk) == ():
        assert loss <= 1000
        assert loss + risk <= 5000
        assert loss + (100_000 - power) <= 50_000
        assert loss <= power


def test_a_profile_s_tighter_limits_are_the_ones_that_count() -> None:
    tight = replace(SETTINGS, limits=replace(SETTINGS.limits, max_loss=D("0.005"), contracts=1))
    found = limits.check_proposal(builders.proposal(), builders.account(), Exposure(), tight, builders.NOW)
    assert rules(found) == ["contracts", "max_loss"]


# The session


@pytest.mark.parametrize(
    ("at", "blocked"),
    [
        (datetime(2025, 10, 6, 13, 29, tzinfo=UTC), ["session"]),
        (datetime(2025, 10, 6, 13, 30, tzinfo=UTC), []),
        (datetime(2025, 10, 6, 19, 45, tzinfo=UTC), []),
        (datetime(2025, 10, 6, 19, 46, tzinfo=UTC), ["late_entry"]),
        (datetime(2025, 10, 6, 20, 0, tzinfo=UTC), ["session", "late_entry"]),
        (datetime(2025, 10, 5, 15, 0, tzinfo=UTC), ["session"]),
    ],
)
def test_an_entry_is_sent_in_the_session_and_not_in_its_last_minutes(at: datetime, blocked: list[str]) -> None:
    found = sent(now=at)
    assert [finding.rule for finding in found] == blocked


def test_a_closing_is_limited_by_the_session_alone() -> None:
    closing = builders.close_proposal(31, max_loss=D(99999), quantity=50)
    late = datetime(2025, 10, 6, 19, 59, tzinfo=UTC)
    assert sent(closing, now=late, open_trades=9, week_loss=D(99999), open_risk=D(99999)) == ()
    assert [finding.rule for finding in sent(closing, now=datetime(2025, 10, 6, 21, 0, tzinfo=UTC))] == ["session"]


def test_a_proposal_of_a_recorded_market_has_the_option_session_to_its_end() -> None:
    recorded = builders.proposal(market="recorded")
    assert sent(recorded, now=datetime(2025, 10, 6, 20, 15, tzinfo=UTC)) == ()
    assert [f.rule for f in sent(recorded, now=datetime(2025, 10, 6, 20, 16, tzinfo=UTC))] == ["session"]


# What a broker adds


def test_each_restriction_of_the_account_blocks_an_opening_by_its_word_and_no_closing() -> None:
    held = builders.account(restrictions=("closing only", "margin call"))
    for found in (checked(account=held), sent(account=held)):
        assert rules(found) == ["restriction", "restriction"]
        assert [finding.figure for finding in found] == ["closing only", "margin call"]
    assert sent(builders.close_proposal(31), account=held) == ()


@pytest.mark.parametrize(
    ("account", "book", "name"),
    [
        ({"net_liquidation": D("NaN")}, {}, "net liquidation"),
        ({"buying_power": D("NaN")}, {}, "buying power"),
        ({"buying_power": D("Infinity")}, {}, "buying power"),
        ({}, {"open_risk": D("NaN")}, "risk of open trades"),
        ({}, {"week_loss": D("NaN")}, "week's loss"),
    ],
)
def test_a_figure_that_is_none_refuses_by_its_name(account: dict[str, Any], book: dict[str, Any], name: str) -> None:
    for found in (
        checked(account=builders.account(**account), **book),
        sent(account=builders.account(**account), **book),
    ):
        assert rules(found) == ["unknown"]
        assert name in found[0].message


def test_a_maximum_loss_that_is_none_refuses() -> None:
    assert rules(sent(builders.proposal(max_loss=D("NaN")))) == ["unknown"]


@pytest.mark.parametrize(("mode", "blocked"), [(Mode.PAPER, []), (Mode.SANDBOX, ["unknown"]), (Mode.LIVE, ["unknown"])])
def test_a_broker_s_account_without_an_options_level_opens_nothing(mode: Mode, blocked: list[str]) -> None:
    assert rules(checked(account=builders.account(mode=mode, options_level="", permits_spreads=None))) == blocked


def test_what_was_made_for_one_account_and_mode_is_not_sent_in_another() -> None:
    other = builders.account(number="5WX09999")
    (found,) = sent(account=other)
    assert found.rule == "account" and "5WX0" not in found.message
    assert rules(sent(account=builders.account(mode=Mode.LIVE))) == ["mode"]
    live = builders.proposal(mode=Mode.LIVE)
    assert rules(sent(live)) == ["mode"]
    assert rules(sent(builders.close_proposal(31, mode=Mode.LIVE))) == ["mode"]


def at_broker(state: OrderState, strike: str = "635") -> BrokerOrder:
    legs = (builders.leg(strike),)
    return BrokerOrder(broker_id="77", reference="", status="Odd", state=state, limit=D("0.5"), quantity=1, legs=legs)


@pytest.mark.parametrize("state", [OrderState.WORKING, OrderState.UNKNOWN, OrderState.SUBMITTING])
def test_a_leg_in_a_living_order_at_the_broker_is_a_duplicate_whoever_placed_it(state: OrderState) -> None:
    found = tuple(limits.check_orders_on_legs(builders.proposal(), (at_broker(state), at_broker(state, "600"))))
    assert rules(found) == ["duplicate"]
    assert "order 77" in found[0].message
    assert rules(tuple(limits.check_orders_on_legs(builders.close_proposal(31), (at_broker(state),)))) == ["duplicate"]


@pytest.mark.parametrize("state", sorted(FINAL))
def test_an_order_that_has_ended_is_none(state: OrderState) -> None:
    assert tuple(limits.check_orders_on_legs(builders.proposal(), (at_broker(state),))) == ()


@pytest.mark.parametrize(
    ("ahead", "mode", "blocked"),
    [
        (None, Mode.PAPER, False),
        (None, Mode.SANDBOX, True),
        (None, Mode.LIVE, True),
        (0.0, Mode.LIVE, False),
        (120.0, Mode.LIVE, False),
        (-120.0, Mode.LIVE, False),
        (120.5, Mode.LIVE, True),
        (-120.5, Mode.SANDBOX, True),
        (121.0, Mode.PAPER, True),
        (float("nan"), Mode.LIVE, True),
        (float("inf"), Mode.LIVE, True),
    ],
)
def test_the_clocks_are_two_minutes_apart_at_most(ahead: float | None, mode: Mode, blocked: bool) -> None:
    assert rules(tuple(limits.check_clock(ahead, mode))) == (["clock"] if blocked else [])


@pytest.mark.parametrize(("start", "limit", "blocked"), [("8.70", "8.55", []), ("8.72", "8.55", ["tick"])])
def test_a_spread_of_spx_has_prices_in_nickels(start: str, limit: str, blocked: list[str]) -> None:
    made = builders.proposal()
    legs = tuple(replace(leg, root="SPXW") for leg in made.legs)
    plan = replace(made.plan, start=Decimal(start), limit=Decimal(limit))
    assert [found.rule for found in limits.check_price_step(replace(made, legs=legs, plan=plan))] == blocked
    assert list(limits.check_price_step(replace(made, plan=plan))) == []
