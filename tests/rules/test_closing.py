"""The closing proposal: its prices, quantity, hash, and when one that waits no longer fits."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.marks import Mark, MarkFlag
from spy32.domain.orders import OrderKind, Trade
from spy32.domain.proposals import ExitReason, ProposalTerms
from spy32.domain.spreads import Action, ExitAuthority
from spy32.errors import Refused, Unavailable
from spy32.rules import plan
from spy32.rules.closing import closing_proposal, is_outdated, trade_exits
from spy32.settings import Settings
from tests.support import builders
from tests.support.builders import later
from tests.support.trades import call_trade, mark, opening, trade

D = Decimal
SETTINGS = Settings()
CALENDAR = ExitReason.LAST_EXIT
NICKELS = replace(SETTINGS, execution=replace(SETTINGS.execution, tick=D("0.05")))


def priced(mid: str, natural: str, **over: Any) -> Mark:
    return mark(mid, natural=D(natural), **over)


def made(
    seen: Mark | None = None,
    reason: ExitReason = CALENDAR,
    *,
    of: Trade | None = None,
    settings: Settings = SETTINGS,
    price: str | None = None,
    **over: Any,
) -> ProposalTerms:
    own = D(price) if price is not None else None
    return closing_proposal(opening(**over), of or trade(), reason, seen or priced("0.50", "0.55"), settings, price=own)


def prices(found: ProposalTerms) -> tuple[Decimal, Decimal]:
    """First limit and ceiling, as debits."""
    return -found.plan.start, -found.plan.limit


# Prices.


@pytest.mark.parametrize(
    ("mid", "natural", "start", "ceiling"),
    [
        ("0.50", "0.55", "0.50", "0.57"),  # two cents above the natural
        ("0.505", "0.55", "0.50", "0.57"),  # the mid is rounded to our advantage
        ("0.50", "0.555", "0.50", "0.58"),  # and the ceiling up
        ("4.95", "4.99", "4.95", "5.00"),  # never above the width
        ("5.05", "5.14", "5.00", "5.00"),  # a deep spread with wide quotes
        ("0.00", "0.00", "0.01", "0.02"),  # an order needs a price
        ("-0.01", "0.01", "0.01", "0.03"),
        ("0.004", "0.01", "0.01", "0.03"),
    ],
)
def test_the_walk_goes_from_the_mid_to_a_little_above_the_natural(
    mid: str, natural: str, start: str, ceiling: str
) -> None:
    assert prices(made(priced(mid, natural))) == (D(start), D(ceiling))


@pytest.mark.parametrize(
    ("mid", "natural", "start", "ceiling"),
    [
        ("0.20", "0.24", "0.20", "0.26"),
        ("0.27", "0.31", "0.27", "0.29"),  # never above the target
        ("0.29", "0.33", "0.29", "0.29"),
        ("0.00", "0.01", "0.01", "0.03"),
    ],
)
def test_a_close_at_the_target_never_pays_more_than_the_target(
    mid: str, natural: str, start: str, ceiling: str
) -> None:
    assert prices(made(priced(mid, natural), ExitReason.TARGET)) == (D(start), D(ceiling))


@pytest.mark.parametrize(
    ("mid", "natural", "start", "ceiling"),
    [("0.52", "0.56", "0.50", "0.60"), ("0.50", "0.53", "0.50", "0.55"), ("0.03", "0.05", "0.05", "0.10")],
)
def test_prices_are_multiples_of_the_tick(mid: str, natural: str, start: str, ceiling: str) -> None:
    assert prices(made(priced(mid, natural), settings=NICKELS)) == (D(start), D(ceiling))


def test_a_target_below_the_tick_is_kept() -> None:
    """The setting has changed since the approval."""
    found = made(priced("0.01", "0.02"), ExitReason.TARGET, settings=NICKELS, exit=builders.exit_plan(profit_target=D("0.03")))  # fmt: skip # noqa: E501
    assert prices(found) == (D("0.03"), D("0.03"))


@pytest.mark.parametrize(
    ("price", "start", "ceiling"),
    [("0.60", "0.50", "0.60"), ("0.40", "0.40", "0.40"), ("5.00", "0.50", "5.00"), ("0.01", "0.01", "0.01")],
)
def test_a_person_s_price_is_the_ceiling(price: str, start: str, ceiling: str) -> None:
    found = made(reason=ExitReason.PERSON, price=price)
    assert prices(found) == (D(start), D(ceiling))
    assert found.chosen_by == "person"


@pytest.mark.parametrize("price", ["0.00", "-0.10", "5.01", "0.505"])
def test_an_impossible_price_of_a_person_is_refused(price: str) -> None:
    with pytest.raises(Refused) as refusal:
        made(reason=ExitReason.PERSON, price=price)
    assert refusal.value.message == (
        f"a price of {price} is not a multiple of 0.01 between 0 and the width 5, the most that closing can be worth"
    )


@pytest.mark.parametrize("flag", list(MarkFlag))
def test_a_mark_that_decides_nothing_prices_nothing(flag: MarkFlag) -> None:
    with pytest.raises(Unavailable) as error:
        made(priced("0.50", "0.55", flags=(flag,)))
    assert error.value.message == f"T1 cannot be priced: the quotes of cboe are {flag.replace('_', '-')}; try again"


@pytest.mark.parametrize("missing", ["mid", "natural"])
def test_without_a_price_nothing_is_priced(missing: str) -> None:
    with pytest.raises(Unavailable):
        made(replace(priced("0.50", "0.55"), **{missing: None}))


def test_the_walk_is_that_of_the_settings() -> None:
    found = made().plan
    execution = SETTINGS.execution
    assert (found.tick, found.step_seconds, found.deadline_seconds) == (
        execution.tick, execution.step_seconds, execution.deadline_seconds,
    )  # fmt: skip


CENTS = st.integers(-20, 540)


@given(CENTS, st.integers(0, 60), st.sampled_from([SETTINGS, NICKELS]), st.sampled_from(list(ExitReason)[:5]))
def test_a_ceiling_is_between_the_start_and_the_width_and_the_start_is_a_tick_at_least(
    cents: int, half: int, settings: Settings, reason: ExitReason
) -> None:
    of_plan = builders.exit_plan(profit_target=D("0.30"))
    found = made(priced(str(D(cents) / 200), str(D(cents) / 200 + D(half) / 100)), reason, settings=settings, exit=of_plan)  # fmt: skip # noqa: E501
    start, ceiling = prices(found)
    tick = settings.execution.tick
    assert tick <= start <= ceiling <= trade().width
    assert start % tick == ceiling % tick == 0
    assert found.plan.prices[-1] == -ceiling
    if reason is ExitReason.TARGET:
        assert ceiling <= D("0.30")
    # Whatever the mark, the order can be written.
    plan.order_body(found.legs, found.quantity, found.limit_price, "r", kind=OrderKind.EXIT)
    plan.order_body(found.legs, found.quantity, found.floor_price, "r", kind=OrderKind.EXIT)


# What it says.


def test_a_close_is_of_what_is_left_with_the_other_actions() -> None:
    found = made(of=trade(closed_quantity=1), reason=ExitReason.STOP)
    assert (found.kind, found.quantity, found.trade_id, found.reason) == ("close", 1, 1, ExitReason.STOP)
    assert [leg.action for leg in found.legs] == [Action.BUY_TO_CLOSE, Action.SELL_TO_CLOSE]
    assert [leg.symbol for leg in found.legs] == [leg.symbol for leg in trade().legs]
    assert (found.chosen_by, found.candidate_id, found.breakevens, found.assignment_value) == ("plan", None, (), D(0))


def test_a_close_belongs_to_the_run_the_account_and_the_market_of_its_opening() -> None:
    own = opening(run_id=7, account="5WX", profile="weekly", market="tastytrade")
    found = closing_proposal(own, call_trade(), CALENDAR, priced("0.50", "0.55"), SETTINGS)
    for name in ("run_id", "mode", "account", "profile", "underlying", "strategy", "market", "exit"):
        assert getattr(found, name) == getattr(own, name), name


def test_the_results_are_those_at_the_ceiling_and_at_the_first_limit() -> None:
    """At 0.57: 0.01 x 200 - 4.52 - 0.52 = -3.04; at 0.50: 16 - 5.04 = 10.96."""
    found = made()
    assert (found.max_loss, found.max_profit) == (D("3.04"), D("10.96"))
    assert made(priced("0.20", "0.24")).max_loss == 0


def test_a_close_lapses_with_its_session_also_on_a_half_day() -> None:
    assert made().lapses_at == datetime(2025, 10, 6, 20, 15, tzinfo=UTC)
    half_day = datetime(2025, 11, 28, 15, 0, tzinfo=UTC)
    found = made(priced("0.50", "0.55", at=half_day, as_of=datetime(2025, 11, 28, 14, 59, tzinfo=UTC)))
    assert found.lapses_at == datetime(2025, 11, 28, 18, 15, tzinfo=UTC)
    assert found.quoted_at == datetime(2025, 11, 28, 14, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "reason"),
    [(datetime(2024, 3, 29, 15, tzinfo=UTC), "Good Friday"), (datetime(2025, 10, 11, 15, tzinfo=UTC), "Saturday")],
)
def test_nothing_is_closed_on_a_closed_day(at: datetime, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        made(priced("0.50", "0.55", at=at))
    assert refusal.value.message == f"{at:%Y-%m-%d} is no session ({reason}); nothing can be closed"


def test_the_exits_of_the_trade_go_before_those_of_the_proposal() -> None:
    own = builders.exit_plan(profit_target=D("0.11"))
    assert trade_exits(opening(), trade()) == builders.exit_plan()
    assert trade_exits(opening(), trade(exits=own)) == own
    found = made(priced("0.10", "0.14"), ExitReason.TARGET, of=trade(exits=own))
    assert (found.exit, prices(found)) == (own, (D("0.10"), D("0.11")))


# The hash.


def test_the_hash_is_of_reason_ceiling_and_quantity() -> None:
    whole = made()
    assert whole.hash == plan.proposal_digest(whole) == made().hash
    others = [
        made(reason=ExitReason.TIME),
        made(reason=ExitReason.PERSON),
        made(priced("0.50", "0.56")),
        made(priced("0.49", "0.55")),
        made(of=trade(closed_quantity=1)),
        made(of=trade(id=2)),
        replace(whole, reason=None),
    ]
    assert len({plan.proposal_digest(other) for other in others} | {whole.hash}) == len(others) + 1


def test_who_approves_the_exits_is_in_the_hash_and_asking_leaves_older_hashes_as_they_were() -> None:
    """The number is what 0.3.0 computed of this proposal, before there were reasons and authorities."""
    asked = builders.proposal_terms()
    assert plan.proposal_digest(asked) == "1433d3d6d36cd8385a80d2d50063c870279fccf823ae0f4a461f39fa8f2298ed"
    by_plan = replace(asked, exit=replace(asked.exit, authority=ExitAuthority.PLAN))
    assert plan.proposal_digest(by_plan) != plan.proposal_digest(asked)


# A close that waits.


@pytest.mark.parametrize(
    ("mid", "natural", "is_over"),
    [
        ("0.50", "0.55", False),
        ("0.57", "0.61", False),  # the ceiling of 0.57 reaches the mid
        ("0.575", "0.61", False),  # whose first limit is 0.57
        ("0.58", "0.62", True),  # it would not fill
        ("0.47", "0.50", False),  # its first limit of 0.50 is the natural price
        ("0.46", "0.49", True),  # it would pay more than is asked
    ],
)
def test_a_close_is_outdated_when_the_market_has_left_its_prices(mid: str, natural: str, is_over: bool) -> None:
    now = priced(mid, natural)
    assert is_outdated(made(), made(now), D(natural)) is is_over


def test_a_close_of_a_tick_is_not_outdated_by_a_market_of_nothing() -> None:
    assert not is_outdated(made(priced("0.00", "0.00")), made(priced("0.00", "0.00")), D("0.00"))


def test_a_close_for_another_reason_or_quantity_is_outdated() -> None:
    natural = D("0.55")
    assert is_outdated(made(), made(reason=ExitReason.TIME), natural)
    assert is_outdated(made(), made(of=trade(closed_quantity=1)), natural)
    assert not is_outdated(made(), made(), natural)


@given(CENTS, st.integers(0, 60))
def test_a_close_that_was_just_made_is_never_outdated(cents: int, half: int) -> None:
    mid, natural = D(cents) / 200, max(D(cents) / 200 + D(half) / 100, D(0))
    for reason in (CALENDAR, ExitReason.STOP):
        found = made(priced(str(mid), str(natural)), reason)
        assert not is_outdated(found, found, natural)


def test_the_day_of_the_mark_is_that_of_new_york() -> None:
    assert made(priced("0.50", "0.55", at=later(hours=9))).lapses_at.date() == date(2025, 10, 6)
