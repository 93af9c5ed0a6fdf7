"""Price plan, exit plan, proposal, hash, and the exact order."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.market import Right
from spy32.domain.orders import OrderKind
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.spreads import Action, Leg, Mode
from spy32.errors import Refused
from spy32.lifecycle import ProposalState
from spy32.rules import plan, references
from spy32.sessions import closure_reason
from spy32.settings import Settings
from tests.support import builders

SETTINGS = Settings()
CENT = Decimal("0.01")


def proposed(short: str = "640", long: str = "635", quantity: int = 2, **seen: Any) -> Proposal:
    ruling = builders.ruling(quantity=quantity, account=builders.account(), at=builders.NOW)
    snapshot = builders.snapshot(**seen)
    candidate = builders.candidate(short, long)
    return plan.build_proposal(candidate, ruling, snapshot, SETTINGS, run=builders.run(id=31), chosen_by="rules")


# Price plan


def test_the_price_plan_goes_from_the_first_limit_to_the_floor_one_tick_a_step() -> None:
    candidate = builders.candidate()
    made = plan.price_plan(candidate, SETTINGS)
    assert (made.prices[0], made.prices[-1]) == (candidate.start, candidate.floor)
    assert {high - low for high, low in zip(made.prices, made.prices[1:], strict=False)} <= {CENT}
    assert (made.step_seconds, made.deadline_seconds) == (30, 600)


# Exit plan


def dated(opened: date, expiration: date) -> date | None:
    return plan.time_exit("SPY", expiration, opened, SETTINGS)


def test_the_profit_target_is_half_the_credit_rounded_down_and_the_stop_three_times_it_rounded_up() -> None:
    made = plan.exit_plan(builders.candidate(start=Decimal("0.57")), builders.TODAY, SETTINGS)
    assert made.profit_target == Decimal("0.28")
    assert made.stop == Decimal("1.71")


@given(st.integers(1, 400))
def test_the_target_never_pays_more_than_was_meant_and_never_nothing(cents: int) -> None:
    credit = CENT * cents
    made = plan.exit_plan(builders.candidate(start=credit), builders.TODAY, SETTINGS)
    assert CENT <= made.profit_target <= max(credit / 2, CENT)
    assert made.stop >= credit * 3
    assert made.profit_target % CENT == made.stop % CENT == 0


@pytest.mark.parametrize(
    ("credit", "target", "stop"),
    [("0.10", "0.05", "0.30"), ("0.15", "0.07", "0.45"), ("0.00", "0.01", "0.01"), ("-0.20", "0.01", "0.01")],
)
def test_exits_by_another_credit_keep_their_days(credit: str, target: str, stop: str) -> None:
    made = plan.exit_plan(builders.candidate(), builders.TODAY, SETTINGS)
    other = plan.reprice_exits(made, builders.spread(), Decimal(credit), SETTINGS)
    assert (other.profit_target, other.stop) == (Decimal(target), Decimal(stop))
    assert replace(other, profit_target=made.profit_target, stop=made.stop, note=made.note) == made


def test_a_trade_of_32_days_is_left_at_21() -> None:
    # 2025-11-07 is a Friday; 21 days before it is Friday 2025-10-17.
    assert dated(builders.TODAY, builders.EXPIRATION) == date(2025, 10, 17)


def test_a_trade_of_28_days_is_still_left_at_21() -> None:
    assert dated(date(2025, 10, 10), builders.EXPIRATION) == date(2025, 10, 17)


def test_a_shorter_trade_is_left_when_two_thirds_of_its_days_are_left() -> None:
    # 14 days: 9 left, on Wednesday 2025-10-29. 21 days: 14 left, on Friday 2025-10-24.
    assert dated(date(2025, 10, 24), builders.EXPIRATION) == date(2025, 10, 29)
    assert dated(date(2025, 10, 17), builders.EXPIRATION) == date(2025, 10, 24)


@pytest.mark.parametrize("days", [0, 1, 2, 3])
def test_three_days_or_fewer_have_no_time_exit(days: int) -> None:
    assert dated(builders.EXPIRATION - timedelta(days=days), builders.EXPIRATION) is None


def test_a_time_exit_on_a_closed_day_gives_way_to_the_session_before() -> None:
    # 21 days before Friday 2025-12-26 is Friday 2025-12-05; before Saturday-like dates the Friday counts.
    assert dated(date(2025, 6, 2), date(2025, 7, 10)) == date(2025, 6, 18)  # 19 June is a holiday
    assert dated(date(2025, 10, 1), date(2025, 11, 2)) == date(2025, 10, 10)  # 12 October is a Sunday


def test_the_last_exit_is_the_session_before_expiration() -> None:
    assert plan.last_exit("SPY", date(2025, 11, 7), builders.TODAY) == date(2025, 11, 6)
    assert plan.last_exit("SPY", date(2025, 11, 10), builders.TODAY) == date(2025, 11, 7)
    assert plan.last_exit("SPY", date(2025, 11, 28), builders.TODAY) == date(2025, 11, 26)  # Thanksgiving between


def test_options_that_settle_at_the_open_are_left_a_session_earlier() -> None:
    """RUT of Friday 2026-01-16 trades to Thursday; RUTW of the same day, which settles at the close, to Friday."""
    friday, opened = date(2026, 1, 16), date(2025, 12, 15)
    assert plan.last_exit("RUT", friday, opened) == date(2026, 1, 14)
    assert plan.last_exit("RUTW", friday, opened) == date(2026, 1, 15)
    spread = replace(
        builders.spread(), legs=tuple(replace(leg, root="RUT") for leg in builders.spread("640", "635", friday).legs)
    )
    assert plan.exit_plan(replace(builders.candidate(), spread=spread), opened, SETTINGS).last_exit == date(2026, 1, 14)


def test_an_expiration_dated_on_a_closed_day_is_planned_by_its_last_trading_day() -> None:
    # Good Friday 2027-03-26: the options stop trading on Thursday 25.
    good_friday, opened = date(2027, 3, 26), date(2027, 2, 22)
    assert plan.last_exit("SPY", good_friday, opened) == date(2027, 3, 24)
    assert plan.time_exit("SPY", good_friday, opened, SETTINGS) == plan.time_exit(
        "SPY", date(2027, 3, 25), opened, SETTINGS
    )
    # Juneteenth 2026 is a Friday; a Saturday is what monthly options were dated on until 2015.
    assert plan.last_exit("SPY", date(2026, 6, 19), date(2026, 5, 18)) == date(2026, 6, 17)
    assert plan.last_exit("SPY", date(2014, 11, 22), date(2014, 10, 20)) == date(2014, 11, 20)


@given(st.dates(date(2025, 1, 2), date(2026, 10, 1)), st.integers(0, 45))
def test_a_time_exit_is_a_session_after_the_opening_and_before_the_last_exit(opened: date, days: int) -> None:
    if closure_reason(opened) is not None:
        return
    expiration = opened + timedelta(days=days)
    found = dated(opened, expiration)
    if found is not None:
        assert closure_reason(found) is None
        assert opened < found < plan.last_exit("SPY", expiration, opened)


def test_the_note_says_when_the_alarm_can_never_ring() -> None:
    assert "out of reach" in plan.exit_plan(builders.candidate(start=Decimal("1.70")), builders.TODAY, SETTINGS).note
    assert "out of reach" not in plan.exit_plan(builders.candidate(), builders.TODAY, SETTINGS).note


# Proposal


@pytest.mark.parametrize(("short", "long"), [("640", "635"), ("695", "705")])
@pytest.mark.parametrize("quantity", [1, 2, 10, 20])
def test_figures_of_a_proposal_are_of_the_whole_quantity(short: str, long: str, quantity: int) -> None:
    made, candidate = proposed(short, long, quantity), builders.candidate(short, long)
    each = Decimal("2.26") if quantity <= 10 else Decimal("1.26")
    assert made.max_loss == ((candidate.spread.width - candidate.floor) * 100 + each) * quantity
    assert made.max_profit == (candidate.start * 100 - each) * quantity
    sign = -1 if Decimal(short) > Decimal(long) else 1
    assert made.breakevens == (Decimal(short) + sign * candidate.start,)
    assert made.assignment_value == Decimal(short) * 100 * quantity


def test_a_proposal_waits_until_the_close_of_its_session() -> None:
    assert proposed().lapses_at == datetime(2025, 10, 6, 20, 0, tzinfo=UTC)


def test_on_a_recorded_market_it_waits_until_the_end_of_the_option_session_and_says_recorded() -> None:
    made = proposed(is_recorded=True, source="cboe")
    assert made.lapses_at == datetime(2025, 10, 6, 20, 15, tzinfo=UTC)
    assert made.is_recorded
    assert proposed(is_recorded=True, source="recorded:file.csv").market == "recorded:file.csv"
    assert not proposed().is_recorded


def test_nothing_is_proposed_on_a_closed_day() -> None:
    ruling = builders.ruling(account=builders.account(), at=datetime(2025, 9, 1, 15, 0, tzinfo=UTC))
    with pytest.raises(Refused, match="Labor Day"):
        plan.build_proposal(
            builders.candidate(), ruling, builders.snapshot(), SETTINGS, run=builders.run(), chosen_by="rules"
        )


def test_another_quantity_makes_every_figure_and_the_hash_anew() -> None:
    made = plan.change_quantity(proposed(quantity=2), 5, SETTINGS)
    assert made == proposed(quantity=5)
    assert made.hash != proposed(quantity=2).hash


def test_another_floor_changes_the_maximum_loss_and_the_hash() -> None:
    was = proposed()
    floor = was.plan.limit + CENT
    assert floor <= was.plan.start
    made = plan.change_floor(was, floor, SETTINGS)
    assert made.floor_price == floor
    assert made.max_loss == was.max_loss - 2
    assert (made.max_profit, made.breakevens) == (was.max_profit, was.breakevens)
    assert made.hash == plan.proposal_digest(made) != was.hash


@pytest.mark.parametrize("floor", ["0", "-0.10", "0.575", "9.99", "0.01"])
def test_a_floor_that_cannot_be_is_refused(floor: str) -> None:
    with pytest.raises(Refused):
        plan.change_floor(proposed(), Decimal(floor), SETTINGS)


def test_no_contracts_are_refused() -> None:
    with pytest.raises(Refused):
        plan.change_quantity(proposed(), 0, SETTINGS)


def test_a_closing_keeps_its_size_and_price() -> None:
    closing = builders.close_proposal(31)
    with pytest.raises(Refused, match="T31"):
        plan.change_quantity(closing, 1, SETTINGS)
    with pytest.raises(Refused, match="T31"):
        plan.change_floor(closing, Decimal("0.10"), SETTINGS)


# Hash

CHANGES: dict[str, Any] = {
    "kind": ProposalKind.CLOSE,
    "mode": Mode.LIVE,
    "account": "5WX01234",
    "underlying": "QQQ",
    "legs": builders.spread("641", "636").legs,
    "quantity": 3,
    "plan": builders.price_plan(limit=Decimal("0.01")),
    "exit": builders.exit_plan(stop=Decimal("1.75")),
    "max_loss": Decimal("1"),
    "trade_id": 4,
    "market": "recorded:cboe",
    "profile": "small",
    "chosen_by": "person",
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_change_of_what_an_approval_covers_changes_the_hash(field: str) -> None:
    made = proposed()
    assert plan.proposal_digest(replace(made, **{field: CHANGES[field]})) != made.hash


@given(
    st.sampled_from(["start", "limit"]),
    st.integers(1, 400),
    st.integers(1, 20),
    st.sampled_from(["635", "634", "630.5"]),
)
def test_any_other_price_size_or_strike_has_another_hash(field: str, cents: int, quantity: int, strike: str) -> None:
    was = proposed()
    legs = (was.legs[0], replace(was.legs[1], strike=Decimal(strike)))
    prices: dict[str, Any] = {field: CENT * cents}
    made = replace(was, quantity=quantity, legs=legs, plan=replace(was.plan, **prices))
    assert (plan.proposal_digest(made) == was.hash) is (
        (made.quantity, made.legs, made.plan) == (2, was.legs, was.plan)
    )


def test_the_hash_does_not_depend_on_id_state_or_time() -> None:
    made = proposed()
    terms = replace(made, quoted_at=builders.later(60), hash="", run_id=4)
    other = builders.proposal(id=9, state=ProposalState.APPROVED).replace_terms(terms)
    assert (other.id, other.state, other.run_id) == (9, ProposalState.APPROVED, 4)
    assert plan.proposal_digest(other) == made.hash


def test_the_hash_does_not_depend_on_how_a_price_is_written() -> None:
    # The store gives 0.5700 back as 0.57; both are the same price.
    made = proposed()
    longer = replace(made, plan=replace(made.plan, start=made.plan.start.quantize(Decimal("0.0001"))))
    assert plan.proposal_digest(longer) == made.hash


# References


def test_a_reference_names_proposal_approval_and_attempt_and_is_short_enough() -> None:
    made = builders.proposal(id=31).replace_terms(proposed())
    reference = references.order_reference(builders.approval(made, id=2), attempt=1)
    assert reference.startswith("spy32-P31-A2-")
    assert reference.endswith("-1")
    huge = replace(made, id=10**6)
    assert len(references.order_reference(builders.approval(huge, id=10**6), attempt=100)) <= 36


def test_two_databases_with_the_same_numbers_do_not_share_a_reference() -> None:
    made = builders.proposal(id=31).replace_terms(proposed())
    one, other = (builders.approval(made, id=2, at=builders.later(seconds)) for seconds in (1, 2))
    assert references.order_reference(one, attempt=1) != references.order_reference(other, attempt=1)


def test_a_replacement_has_the_next_number() -> None:
    assert references.next_reference("spy32-P31-A2-3f9a01-9") == "spy32-P31-A2-3f9a01-10"


# The order


def test_the_body_of_an_entry_is_exactly_this() -> None:
    body = plan.order_body(builders.spread().legs, 2, Decimal("0.57"), "spy32-P31-A2-1", kind=OrderKind.ENTRY)
    assert body == (
        '{"time-in-force": "Day", "order-type": "Limit", "price": "0.57", "price-effect": "Credit", '
        '"source": "spy32", "external-identifier": "spy32-P31-A2-1", "legs": ['
        '{"action": "Sell to Open", "instrument-type": "Equity Option", "symbol": "SPY   251107P00640000", '
        '"quantity": 2}, '
        '{"action": "Buy to Open", "instrument-type": "Equity Option", "symbol": "SPY   251107P00635000", '
        '"quantity": 2}]}'
    )


def closing_legs(short: str = "640", long: str = "635") -> tuple[Leg, ...]:
    return tuple(replace(leg, action=leg.action.closing) for leg in builders.spread(short, long).legs)


@pytest.mark.parametrize(("kind", "lives"), [(OrderKind.EXIT, "Day"), (OrderKind.TARGET, "GTC")])
def test_a_closing_pays_a_debit_and_insists_on_closing(kind: OrderKind, lives: str) -> None:
    body = json.loads(plan.order_body(closing_legs(), 1, Decimal("-0.30"), "spy32-P32-A3-1", kind=kind))
    assert (body["price"], body["price-effect"], body["time-in-force"]) == ("0.30", "Debit", lives)
    assert body["advanced-instructions"] == {"strict-position-effect-validation": True}
    assert [leg["action"] for leg in body["legs"]] == ["Buy to Close", "Sell to Close"]


@given(st.integers(1, 499), st.integers(1, 10))
def test_a_price_on_the_wire_is_positive_with_two_decimals_and_its_sign_is_the_effect(
    cents: int, quantity: int
) -> None:
    for legs, sign, kind in (
        (builders.spread().legs, 1, OrderKind.ENTRY),
        (builders.spread("695", "700").legs, 1, OrderKind.ENTRY),
        (closing_legs(), -1, OrderKind.EXIT),
    ):
        body = json.loads(plan.order_body(legs, quantity, sign * CENT * cents, "r", kind=kind))
        assert body["price"] == f"{cents / 100:.2f}"
        assert body["price-effect"] == ("Credit" if sign > 0 else "Debit")
        assert [leg["quantity"] for leg in body["legs"]] == [quantity, quantity]


def bad(what: str) -> dict[str, Any]:
    legs = builders.spread().legs
    cases: dict[str, dict[str, Any]] = {
        "a credit spread as a debit": {"limit": Decimal("-0.57")},
        "a closing as a credit": {"legs": closing_legs(), "limit": Decimal("0.57"), "kind": OrderKind.EXIT},
        "zero": {"limit": Decimal(0)},
        "off the cent": {"limit": Decimal("0.575")},
        "off the nickel": {"legs": tuple(replace(leg, root="SPXW") for leg in legs), "limit": Decimal("0.57")},
        "not a number": {"limit": Decimal("NaN")},
        "beyond the width": {"limit": Decimal("5.01")},
        "no contracts": {"quantity": 0},
        "no reference": {"reference": ""},
        "a long reference": {"reference": "x" * 37},
        "one leg": {"legs": legs[:1]},
        "two sales": {"legs": (legs[0], replace(legs[1], action=Action.SELL_TO_OPEN))},
        "a ratio": {"legs": (legs[0], replace(legs[1], quantity=2))},
        "two expirations": {"legs": (legs[0], replace(legs[1], expiration=date(2025, 11, 14)))},
        "one strike": {"legs": (legs[0], replace(legs[1], strike=legs[0].strike))},
        "opening legs as an exit": {"limit": Decimal("-0.57"), "kind": OrderKind.EXIT},
        "closing legs as an entry": {"legs": closing_legs(), "limit": Decimal("-0.30")},
        "a put and a call": {"legs": (legs[0], replace(legs[1], right=Right.CALL))},
        "legs that open and close": {"legs": (legs[0], replace(legs[1], action=Action.BUY_TO_CLOSE))},
    }
    return cases[what]


@pytest.mark.parametrize(
    "what",
    [
        "a credit spread as a debit",
        "a closing as a credit",
        "zero",
        "off the cent",
        "off the nickel",
        "not a number",
        "beyond the width",
        "no contracts",
        "no reference",
        "a long reference",
        "one leg",
        "two sales",
        "a ratio",
        "two expirations",
        "one strike",
        "opening legs as an exit",
        "closing legs as an entry",
        "a put and a call",
        "legs that open and close",
    ],
)
def test_what_must_never_leave_is_refused(what: str) -> None:
    parts: dict[str, Any] = {
        "legs": builders.spread().legs,
        "quantity": 2,
        "limit": Decimal("0.57"),
        "reference": "r",
        "kind": OrderKind.ENTRY,
        **bad(what),
    }
    with pytest.raises(ValueError):
        plan.order_body(parts["legs"], parts["quantity"], parts["limit"], parts["reference"], kind=parts["kind"])


def test_an_iron_condor_is_one_credit_when_both_its_sides_are() -> None:
    legs = (*builders.spread().legs, *builders.spread("695", "700").legs)
    assert plan.price_effect(legs) == 1
    turned = tuple(
        replace(leg, action=Action.BUY_TO_OPEN if leg.action.sign > 0 else Action.SELL_TO_OPEN) for leg in legs[2:]
    )
    with pytest.raises(ValueError, match="agree"):
        plan.price_effect((*legs[:2], *turned))
