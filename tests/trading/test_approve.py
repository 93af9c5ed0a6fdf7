"""`approve`: what a person is shown, the decisions on it, and each refusal with its exit code."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.exposure import Exposure
from spy32.domain.proposals import Approval, Proposal, ProposalTerms
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, Refused, Spy32Error, Unavailable
from spy32.lifecycle import ProposalState
from spy32.records.proposals import Proposals
from spy32.rules import limits, plan
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading.approve import (
    approve,
    change_floor,
    change_quantity,
    choose_candidate,
    decline,
    load_pending_proposal,
    preview,
)
from spy32.trading.execute import execute
from spy32.trading.review import MOVES, Review, expiration_scenarios, review_proposal, review_run
from tests.support import builders as b
from tests.support.approvals import ApprovalDesk, abstained
from tests.support.open_trades import held

P = ProposalState


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApprovalDesk]:
    made = ApprovalDesk(tmp_path)
    yield made
    made.store.close()


def number(made: Proposal) -> int:
    return made.id


def code_of(trouble: Spy32Error) -> int:
    return trouble.code


def changed_elsewhere(desk: ApprovalDesk, shown: Review) -> None:
    """Another window approved one contract, and that approval is over."""
    approve(desk.trading_context, change_quantity(desk.trading_context, shown, 1), by="bert")
    desk.trading_desk.clock.at = b.later(minutes=61)
    assert shown.proposal is not None
    load_pending_proposal(desk.trading_context, number(shown.proposal))


# What is shown.


def test_the_proposal_has_the_loss_in_dollars_and_what_assignment_would_move(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    loss = (Decimal(5) - made.floor_price) * 100 * 2 + Decimal("4.52")
    assert made.max_loss == loss
    assert made.assignment_value == 640 * 100 * 2


def test_a_fall_through_both_strikes_costs_the_width_less_the_credit_with_costs(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    by_move = {each.percent: each for each in review_proposal(desk.trading_context, number(made)).scenarios}
    assert tuple(by_move) == MOVES
    assert by_move[-10].price == Decimal("603.00")
    assert by_move[-10].profit == (made.floor_price - 5) * 200 - Decimal("4.52") == -made.max_loss
    assert by_move[-5].profit == (made.floor_price - (640 - Decimal("636.5"))) * 200 - Decimal("4.52")
    assert by_move[-3].profit == by_move[0].profit == made.max_profit


@given(spot=st.floats(min_value=100, max_value=1500), quantity=st.integers(min_value=1, max_value=10))
def test_no_move_loses_more_than_the_width_or_earns_more_than_the_credit(spot: float, quantity: int) -> None:
    made = plan.complete_proposal(b.proposal(quantity=quantity), Settings())
    for each in expiration_scenarios(made, spot):
        assert -made.max_loss <= each.profit <= made.max_profit


def test_fresh_quotes_are_shown_beside_those_of_the_run(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.moved(points=-2, cents=4)
    shown = review_proposal(desk.trading_context, number(made))
    assert shown.run_quote is not None
    assert shown.current_quote is not None
    assert (shown.run_quote.spot, shown.current_quote.spot) == (670.0, 668.0)
    assert shown.current_quote.mid - shown.run_quote.mid == Decimal("0.04")
    assert shown.current_quote.natural - shown.run_quote.natural == Decimal("0.04")
    assert shown.stale_reason is None


def test_a_market_that_has_run_away_is_said_without_forbidding_anything(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.moved(points=-7, cents=-20)
    shown = review_proposal(desk.trading_context, number(made))
    assert {finding.rule for finding in shown.findings} == {"underlying", "credit_fall", "limit_price"}
    assert not any(finding.blocks for finding in shown.findings)


def test_a_market_that_does_not_answer_leaves_the_stored_quotes_and_says_so(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.trading_desk.market.trouble = Unavailable("429 from cboe")
    shown = review_proposal(desk.trading_context, number(made))
    assert shown.current_quote == shown.run_quote
    assert shown.stale_reason is not None
    assert "429 from cboe" in shown.stale_reason
    with pytest.raises(Unavailable, match=r"without quotes: .*429 from cboe"):
        approve(desk.trading_context, shown, by="ann")
    assert desk.trading_context.store.proposals.latest_approval(number(made)) is None


def test_a_recorded_market_says_that_nothing_newer_exists(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.trading_desk.market.is_recorded = True
    stale = review_proposal(desk.trading_context, number(made)).stale_reason
    assert stale is not None
    assert "recorded market" in stale


def looked_at(desk: ApprovalDesk, place: int = 2) -> Review:
    """Another candidate on the screen, with nothing decided."""
    base = review_proposal(desk.trading_context, number(desk.proposed()))
    return preview(desk.trading_context, base, b.menu().candidates[place])


def test_looking_at_another_candidate_asks_no_market_and_no_broker_and_writes_nothing(desk: ApprovalDesk) -> None:
    base = review_proposal(desk.trading_context, number(desk.proposed()))
    before = "\n".join(desk.store.core.db.iterdump())
    desk.trading_desk.market.trouble = Unavailable("must not be asked")
    desk.trading_desk.orders.reject_credentials = "must not be asked"
    entry = b.menu().candidates[2]
    shown = preview(desk.trading_context, base, entry)
    assert "\n".join(desk.store.core.db.iterdump()) == before
    assert shown.is_preview
    assert shown.proposal is not None
    assert (shown.proposal.candidate_id, shown.proposal.legs) == (entry.id, entry.spread.legs)
    assert shown.current_quote is not None
    assert (shown.current_quote.mid, shown.current_quote.natural) == (entry.mid, entry.natural)
    assert shown.sizing is not None
    assert shown.proposal.quantity == shown.sizing.quantity
    assert shown.scenarios[-1].profit < 0 < shown.scenarios[3].profit


ACTS: dict[str, Callable[[ApprovalDesk, Review], object]] = {
    "approve": lambda desk, shown: approve(desk.trading_context, shown, by="ann"),
    "resize": lambda desk, shown: change_quantity(desk.trading_context, shown, 1),
    "refloor": lambda desk, shown: change_floor(desk.trading_context, shown, Decimal("0.55")),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_was_only_looked_at_cannot_be_approved_or_changed(desk: ApprovalDesk, act: str) -> None:
    shown = looked_at(desk)
    with pytest.raises(Refused, match="only looked at"):
        ACTS[act](desk, shown)
    assert desk.store.proposals.latest_approval(1) is None


def test_a_candidate_that_our_limits_refuse_says_so_while_it_is_looked_at(desk: ApprovalDesk) -> None:
    base = review_proposal(desk.trading_context, number(desk.proposed()))
    small = replace(base, account=replace(base.account, net_liquidation=Decimal(900)))
    shown = preview(desk.trading_context, small, b.menu().candidates[2])
    assert any(finding.blocks and "not one contract fits" in finding.message for finding in shown.findings)


def test_looking_goes_on_over_an_abstention(desk: ApprovalDesk) -> None:
    shown = preview(desk.trading_context, review_run(desk.trading_context, abstained(desk.store).id), b.candidate())
    assert shown.proposal is not None
    assert (shown.proposal_id, shown.name) == (None, "R1")


def test_nothing_is_looked_at_after_the_session(desk: ApprovalDesk) -> None:
    base = review_proposal(desk.trading_context, number(desk.proposed()))
    desk.trading_desk.clock.at = b.later(days=1)
    with pytest.raises(Refused, match="session of R1"):
        preview(desk.trading_context, base, b.menu().candidates[2])


def test_the_fixed_rules_pick_is_on_the_screen(desk: ApprovalDesk) -> None:
    pick = review_proposal(desk.trading_context, number(desk.proposed())).rule_pick
    assert pick is not None
    assert pick.candidate_id == b.menu().candidates[1].id


# Yes.


def test_an_approval_holds_the_hash_and_the_quotes_that_were_shown_for_an_hour(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.moved(points=1, cents=1)
    shown = review_proposal(desk.trading_context, number(made))
    yes = approve(desk.trading_context, shown, by="anna", note="looks fine")
    assert shown.current_quote is not None
    assert (yes.hash, yes.by, yes.note) == (made.hash, "anna", "looks fine")
    assert (yes.spot, yes.mid, yes.natural) == (671.0, shown.current_quote.mid, shown.current_quote.natural)
    assert yes.until - yes.at == timedelta(minutes=60)
    assert desk.trading_desk.state(number(made)) is P.APPROVED


def test_what_was_approved_can_be_executed(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    approve(desk.trading_context, review_proposal(desk.trading_context, number(made)), by="anna")
    desk.trading_desk.orders.fills_at = Decimal(9)
    assert execute(desk.trading_context, number(made)).state is P.DONE


def test_an_approved_proposal_is_not_approved_again_and_says_who_and_when(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    approve(desk.trading_context, shown, by="anna")
    with pytest.raises(Refused, match=r"approved by anna at 2025-10-06 10:00 New York") as trouble:
        approve(desk.trading_context, shown, by="bert")
    assert code_of(trouble.value) == 10


def test_a_declined_proposal_cannot_be_approved_and_says_who_declined_it(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    assert shown.proposal is not None
    decline(desk.trading_context, number(shown.proposal), by="bert", note="too thin")
    with pytest.raises(Refused, match="declined by bert: too thin") as trouble:
        approve(desk.trading_context, shown, by="anna")
    assert code_of(trouble.value) == 10


def test_a_proposal_lapses_with_its_session(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = review_proposal(desk.trading_context, number(made))
    desk.trading_desk.clock.at = made.lapses_at + timedelta(seconds=1)
    with pytest.raises(Refused, match="lapsed with its session") as trouble:
        approve(desk.trading_context, shown, by="anna")
    assert code_of(trouble.value) == 10
    assert desk.trading_desk.state(number(made)) is P.LAPSED


def test_a_proposal_that_was_changed_in_another_window_is_not_approved(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    changed_elsewhere(desk, shown)
    with pytest.raises(Refused, match="was changed since it was shown") as trouble:
        approve(desk.trading_context, shown, by="anna")
    assert code_of(trouble.value) == 10
    assert shown.proposal is not None
    assert desk.trading_desk.state(number(shown.proposal)) is P.PROPOSED


def test_an_approval_that_is_over_makes_the_proposal_wait_again(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    approve(desk.trading_context, review_proposal(desk.trading_context, number(made)), by="anna")
    desk.trading_desk.clock.at = b.later(minutes=61)
    assert load_pending_proposal(desk.trading_context, number(made)).state is P.PROPOSED
    yes = approve(desk.trading_context, review_proposal(desk.trading_context, number(made)), by="bert")
    assert yes.by == "bert"


def test_without_any_quotes_nothing_is_approved(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.trading_desk.market.trouble = Unavailable("gone")
    shown = replace(review_proposal(desk.trading_context, number(made)), current_quote=None)
    with pytest.raises(Unavailable, match="without quotes"):
        approve(desk.trading_context, shown, by="anna")


@pytest.mark.parametrize(("worth", "rule"), [("50000", "max_loss"), ("0", "max_loss")])
def test_limits_are_judged_again_at_the_yes(desk: ApprovalDesk, worth: str, rule: str) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    poorer = b.account(net_liquidation=Decimal(worth), buying_power=Decimal(worth))
    desk.trading_desk.account.account = poorer
    with pytest.raises(Refused, match="was not approved") as trouble:
        approve(desk.trading_context, shown, by="anna")
    assert any("max loss" in reason for reason in trouble.value.reasons)
    assert shown.proposal is not None
    found = limits.check_proposal(shown.proposal, poorer, Exposure(), Settings(), b.NOW)
    assert rule in {finding.rule for finding in found if finding.blocks}


def test_after_the_last_entry_time_nothing_is_approved(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    desk.trading_desk.clock.at = datetime(2025, 10, 6, 19, 50, tzinfo=UTC)
    with pytest.raises(Refused, match="was not approved"):
        approve(desk.trading_context, shown, by="anna")


def test_of_two_windows_that_approve_at_once_exactly_one_wins(tmp_path: Path) -> None:
    desk = ApprovalDesk(tmp_path)
    made = desk.proposed()
    shown = review_proposal(desk.trading_context, number(made))
    start = threading.Barrier(8)
    won: list[Approval] = []
    lost: list[str] = []

    def window(name: str) -> None:
        with Store.open(tmp_path / "paper.db", mode=Mode.PAPER, account=b.ACCOUNT, at=b.NOW) as store:
            bench = replace(desk.trading_context, store=store)
            start.wait()
            try:
                won.append(approve(bench, shown, by=name))
            except Refused as refusal:
                lost.append(refusal.message)

    windows = [threading.Thread(target=window, args=(f"user{each}",)) for each in range(8)]
    for each in windows:
        each.start()
    for each in windows:
        each.join()
    assert len(won) == 1
    assert len(lost) == 7
    assert all(f"approved by {won[0].by} at" in words for words in lost)
    assert desk.store.proposals.latest_approval(number(made)) == won[0]
    desk.store.close()


# No.


def test_a_declined_proposal_is_declined_for_good(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    assert decline(desk.trading_context, number(made), by="anna", note="earnings week").state is P.DECLINED
    with pytest.raises(Refused, match="declined by anna: earnings week"):
        decline(desk.trading_context, number(made), by="anna")


def test_an_approved_proposal_can_be_taken_back(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    approve(desk.trading_context, review_proposal(desk.trading_context, number(made)), by="anna")
    assert decline(desk.trading_context, number(made), by="bert").state is P.DECLINED
    with pytest.raises(Refused):
        execute(desk.trading_context, number(made))


# Changes.


def test_another_quantity_makes_a_new_hash_and_new_figures(desk: ApprovalDesk) -> None:
    before = desk.proposed()
    after = change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(before)), 1).proposal
    assert after is not None
    assert after.hash != before.hash
    assert after.hash == plan.proposal_digest(after)
    assert (after.id, after.quantity, after.chosen_by) == (before.id, 1, "grok")
    assert after.max_loss * 2 == before.max_loss


def everything(desk: ApprovalDesk) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    db = desk.store.core.db
    names = [row[0] for row in db.execute("select name from sqlite_master where type = 'table'")]
    return {name: [tuple(row) for row in db.execute(f"select * from {name}")] for name in names}


def test_a_change_is_a_draft_that_writes_nothing(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    before = everything(desk)
    for other in (
        change_quantity(desk.trading_context, shown, 1),
        change_floor(desk.trading_context, shown, Decimal("0.52")),
        choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id),
        change_floor(desk.trading_context, change_quantity(desk.trading_context, shown, 1), Decimal("0.52")),
    ):
        assert other.draft is not None
        assert other.proposal == other.draft.proposal
    assert everything(desk) == before


def test_an_override_is_a_draft_that_writes_nothing(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    before = everything(desk)
    shown = choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.candidate().id)
    shown = change_quantity(desk.trading_context, shown, 1)
    assert shown.draft is not None
    assert (type(shown.draft.proposal), shown.proposal_id) == (ProposalTerms, None)
    assert everything(desk) == before


def test_an_approved_draft_becomes_the_proposal_with_its_approval(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = change_floor(
        desk.trading_context,
        change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(made)), 1),
        Decimal("0.52"),
    )
    assert shown.proposal is not None
    yes = approve(desk.trading_context, shown, by="anna")
    kept = desk.store.proposals.get(number(made))
    assert kept == replace(shown.proposal, state=P.APPROVED)
    assert (kept.quantity, kept.floor_price) == (1, Decimal("0.52"))
    assert yes.hash == kept.hash == plan.proposal_digest(kept)
    assert desk.store.proposals.get_original(made.run_id)[0] == made
    desk.store.audit.verify_order_basis()
    desk.trading_desk.orders.fills_at = Decimal(9)
    assert execute(desk.trading_context, number(made)).state is P.DONE
    trade = desk.store.trades.find_by_proposal(number(made))
    assert trade is not None
    assert trade.quantity == 1


def test_changing_it_back_leaves_no_draft(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = review_proposal(desk.trading_context, number(made))
    back = change_quantity(desk.trading_context, change_quantity(desk.trading_context, shown, 1), 2)
    assert (back.draft, back.proposal) == (None, made)
    other = choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id)
    assert made.candidate_id is not None
    again = choose_candidate(desk.trading_context, change_quantity(desk.trading_context, other, 1), made.candidate_id)
    assert (again.draft, again.proposal) == (None, made)
    assert approve(desk.trading_context, again, by="anna").hash == made.hash


def test_a_draft_whose_market_moved_away_is_refused_and_nothing_is_written(desk: ApprovalDesk) -> None:
    shown = change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(desk.proposed())), 1)
    before = everything(desk)
    desk.moved(points=-8)
    with pytest.raises(Refused, match="P1 was not approved: the underlying moved"):
        approve(desk.trading_context, shown, by="anna")
    assert everything(desk) == before


def test_a_draft_that_the_limits_of_now_leave_no_room_for_is_refused(desk: ApprovalDesk) -> None:
    shown = change_floor(
        desk.trading_context, review_proposal(desk.trading_context, number(desk.proposed())), Decimal("0.52")
    )
    poorer = Decimal(89_500)
    desk.trading_desk.account.account = b.account(net_liquidation=poorer, buying_power=poorer)
    with pytest.raises(Refused, match="max loss"):
        approve(desk.trading_context, shown, by="anna")
    assert desk.trading_desk.state(1) is P.PROPOSED


def test_a_draft_over_a_proposal_that_was_decided_elsewhere_says_by_whom(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(made)), 1)
    decline(desk.trading_context, number(made), by="bert", note="too thin")
    with pytest.raises(Refused, match="declined by bert: too thin"):
        approve(desk.trading_context, shown, by="anna")
    assert desk.store.proposals.get(number(made)).quantity == made.quantity


def test_a_draft_over_a_proposal_that_a_newer_run_lapsed_is_refused(desk: ApprovalDesk) -> None:
    shown = change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(desk.proposed())), 1)
    desk.proposed()
    with pytest.raises(Refused, match=r"lapsed since .*: a newer run proposed"):
        approve(desk.trading_context, shown, by="anna")


def test_an_override_is_refused_once_another_window_made_one(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    first = choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.candidate().id)
    second = choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.menu().candidates[2].id)
    approve(desk.trading_context, first, by="anna")
    for act in (
        lambda: approve(desk.trading_context, second, by="bert"),
        lambda: change_quantity(desk.trading_context, second, 1),
        lambda: choose_candidate(desk.trading_context, second, b.candidate().id),
    ):
        with pytest.raises(Refused, match=f"R{run.id} has been overridden already: P1 is approved"):
            act()
    assert [made.candidate_id for made in desk.store.proposals.select()] == [b.candidate().id]


def test_an_override_does_not_push_aside_what_a_newer_run_proposed_at_the_last_moment(
    desk: ApprovalDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = choose_candidate(
        desk.trading_context, review_run(desk.trading_context, abstained(desk.store).id), b.candidate().id
    )
    keep, newer = Proposals.approve, list[Proposal]()

    def approve_late(proposals: Proposals, *words: Any, **more: Any) -> Approval:
        """After the last check, just before the transaction, a newer run proposes."""
        newer.append(desk.proposed())
        return keep(proposals, *words, **more)

    monkeypatch.setattr(Proposals, "approve", approve_late)
    with pytest.raises(Refused, match=r"P1 of the newer run R2 waits"):
        approve(desk.trading_context, shown, by="anna")
    assert desk.store.proposals.select() == (newer[0],)
    assert desk.store.proposals.latest_approval(1) is None


def test_the_order_body_follows_the_quantity(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(made)), 1)
    approve(desk.trading_context, shown, by="anna")
    assert '"quantity": 1' in desk.store.proposals.order_body(number(made))
    assert '"quantity": 2' not in desk.store.proposals.order_body(number(made))


@pytest.mark.parametrize("quantity", [3, 10, 99])
def test_more_contracts_than_the_limits_leave_are_refused_with_the_bound(desk: ApprovalDesk, quantity: int) -> None:
    made = desk.proposed()
    with pytest.raises(Refused, match=r"the limits leave 2 \(max loss\)"):
        change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(made)), quantity)
    assert desk.store.proposals.get(number(made)).hash == made.hash


@pytest.mark.parametrize("quantity", [0, -1])
def test_less_than_one_contract_is_refused(desk: ApprovalDesk, quantity: int) -> None:
    with pytest.raises(Refused, match="1 is the least"):
        change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(desk.proposed())), quantity)


def test_the_same_quantity_writes_nothing(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    assert change_quantity(desk.trading_context, shown, 2) is shown


def test_a_lower_floor_makes_a_new_hash_and_a_larger_loss(desk: ApprovalDesk) -> None:
    before = desk.proposed()
    after = change_floor(
        desk.trading_context, review_proposal(desk.trading_context, number(before)), Decimal("0.52")
    ).proposal
    assert after is not None
    assert after.hash not in ("", before.hash)
    assert after.floor_price == Decimal("0.52")
    assert after.limit_price == before.limit_price
    assert after.max_loss - before.max_loss == (before.floor_price - Decimal("0.52")) * 200


@pytest.mark.parametrize("floor", ["0.50", "0.10", "0", "-0.55", "0.59", "5", "0.555"])
def test_a_floor_below_the_natural_above_the_start_or_off_the_tick_is_refused(desk: ApprovalDesk, floor: str) -> None:
    made = desk.proposed()
    with pytest.raises(Refused):
        change_floor(desk.trading_context, review_proposal(desk.trading_context, number(made)), Decimal(floor))
    assert desk.store.proposals.get(number(made)).hash == made.hash


def test_a_floor_whose_credit_is_too_small_for_the_width_is_refused(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.moved(cents=-3)
    with pytest.raises(Refused, match="of the width"):
        change_floor(desk.trading_context, review_proposal(desk.trading_context, number(made)), Decimal("0.49"))


def test_a_floor_at_which_the_loss_breaks_a_limit_is_refused(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = review_proposal(desk.trading_context, number(made))
    tight = Decimal(90_000)
    desk.trading_desk.account.account = b.account(net_liquidation=tight, buying_power=tight)
    with pytest.raises(Refused, match="too many"):
        change_floor(desk.trading_context, shown, Decimal("0.51"))


def test_another_candidate_is_recorded_as_a_persons_choice(desk: ApprovalDesk) -> None:
    before = desk.proposed()
    other = b.menu().candidates[2]
    shown = choose_candidate(desk.trading_context, review_proposal(desk.trading_context, number(before)), other.id)
    after = shown.proposal
    assert after is not None
    assert (after.id, after.candidate_id, after.chosen_by) == (before.id, other.id, "person")
    assert after.legs == other.spread.legs
    assert after.hash != before.hash
    assert shown.candidate == other
    assert shown.max_quantity is not None


def test_an_id_that_is_not_on_the_menu_is_a_usage_error(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    with pytest.raises(BadUsage, match="is not on this menu"):
        choose_candidate(desk.trading_context, shown, "p6405")


def test_a_candidate_that_the_conditions_refuse_is_not_taken(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    shown = review_proposal(desk.trading_context, number(made))
    desk.trading_desk.clock.at = datetime(2025, 10, 6, 19, 50, tzinfo=UTC)
    with pytest.raises(Refused, match="was not taken"):
        choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id)
    assert desk.store.proposals.get(number(made)).hash == made.hash


def test_a_candidate_whose_quotes_moved_away_is_not_taken(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    desk.moved(points=-8)
    with pytest.raises(Refused, match="underlying moved"):
        choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id)


def test_a_broker_that_refuses_the_dry_run_leaves_the_proposal_as_it_was(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.trading_desk.orders.reject_credentials = "margin_check_failed"
    with pytest.raises(Refused, match="margin_check_failed"):
        change_quantity(desk.trading_context, review_proposal(desk.trading_context, number(made)), 1)
    assert desk.store.proposals.get(number(made)).hash == made.hash


@pytest.mark.parametrize("change", ["choose", "resize", "refloor"])
def test_of_two_windows_that_change_at_once_the_second_is_refused(desk: ApprovalDesk, change: str) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    changed_elsewhere(desk, shown)
    with pytest.raises(Refused, match="was changed since it was shown"):
        if change == "choose":
            choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id)
        elif change == "resize":
            change_quantity(desk.trading_context, shown, 1)
        else:
            change_floor(desk.trading_context, shown, Decimal("0.54"))


def test_nothing_of_an_approved_proposal_can_be_changed(desk: ApprovalDesk) -> None:
    shown = review_proposal(desk.trading_context, number(desk.proposed()))
    approve(desk.trading_context, shown, by="anna")
    for change in (
        lambda: change_quantity(desk.trading_context, shown, 1),
        lambda: change_floor(desk.trading_context, shown, Decimal("0.54")),
        lambda: choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id),
    ):
        with pytest.raises(Refused, match="approved by anna"):
            change()


def test_a_closing_is_neither_resized_nor_refloored_nor_exchanged(desk: ApprovalDesk) -> None:
    opening = desk.proposed()
    approve(desk.trading_context, review_proposal(desk.trading_context, number(opening)), by="anna")
    desk.trading_desk.orders.fills_at = Decimal(9)
    execute(desk.trading_context, number(opening))
    trade = desk.store.trades.find_by_proposal(number(opening))
    assert trade is not None
    held(desk.trading_desk, short=-2, long=2)
    closing = b.close_proposal(trade.id, run_id=opening.run_id)
    closing = desk.store.proposals.add(replace(closing, hash=plan.proposal_digest(closing)), body="{}", at=b.NOW)
    shown = review_proposal(desk.trading_context, number(closing))
    assert shown.scenarios == ()
    assert shown.trade == trade
    for change in (
        lambda: change_quantity(desk.trading_context, shown, 1),
        lambda: change_floor(desk.trading_context, shown, Decimal("-0.32")),
        lambda: choose_candidate(desk.trading_context, shown, b.menu().candidates[2].id),
    ):
        with pytest.raises(Refused, match=f"closes T{trade.id}"):
            change()
    assert approve(desk.trading_context, shown, by="anna").hash == closing.hash


# Overriding an abstention.


def test_an_abstention_is_overridden_by_approving_a_choice_which_makes_the_proposal(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    shown = choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.candidate().id)
    yes = approve(desk.trading_context, shown, by="anna")
    made = desk.store.proposals.get(yes.proposal_id)
    assert (made.run_id, made.chosen_by, made.state, made.quantity) == (run.id, "person", P.APPROVED, 2)
    assert yes.hash == made.hash == plan.proposal_digest(made)
    assert desk.store.proposals.find_by_run(run.id) == made
    assert desk.store.proposals.latest_approval(yes.proposal_id) == yes
    desk.store.audit.verify_order_basis()
    assert not desk.store.audit.verify().broken
    desk.trading_desk.orders.fills_at = Decimal(9)
    assert execute(desk.trading_context, yes.proposal_id).state is P.DONE


@pytest.mark.parametrize("cause", ["vetoed", "condition", "limits", "account", "analyst_failed"])
def test_a_veto_is_never_overridden(desk: ApprovalDesk, cause: str) -> None:
    run = abstained(desk.store, cause=cause)
    with pytest.raises(Refused, match=f"ended {cause}") as trouble:
        choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.candidate().id)
    assert code_of(trouble.value) == 10
    assert desk.store.proposals.find_by_run(run.id) is None


def test_an_abstention_is_overridden_once(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    shown = review_run(desk.trading_context, run.id)
    approve(desk.trading_context, choose_candidate(desk.trading_context, shown, b.candidate().id), by="anna")
    with pytest.raises(Refused, match="overridden already"):
        choose_candidate(desk.trading_context, shown, b.candidate().id)


def test_an_override_that_the_limits_refuse_makes_no_proposal(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    desk.trading_desk.account.account = b.account(net_liquidation=Decimal(20_000), buying_power=Decimal(20_000))
    with pytest.raises(Refused, match="not one contract fits"):
        choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.candidate().id)
    assert desk.store.proposals.find_by_run(run.id) is None


def test_an_abstention_of_yesterday_is_not_overridden(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    desk.trading_desk.clock.at = b.later(days=1)
    with pytest.raises(Refused, match="is over"):
        choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.candidate().id)


def test_an_older_abstention_does_not_push_a_newer_proposal_aside(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    newer = desk.proposed()
    with pytest.raises(Refused, match=f"P{newer.id} of the newer run"):
        choose_candidate(desk.trading_context, review_run(desk.trading_context, run.id), b.menu().candidates[2].id)
    assert desk.trading_desk.state(number(newer)) is P.PROPOSED


def test_without_a_proposal_there_is_nothing_to_approve_or_change(desk: ApprovalDesk) -> None:
    shown = review_run(desk.trading_context, abstained(desk.store).id)
    with pytest.raises(Refused, match="choose a candidate first"):
        approve(desk.trading_context, shown, by="anna")
    with pytest.raises(Refused, match="choose a candidate first"):
        change_quantity(desk.trading_context, shown, 1)
