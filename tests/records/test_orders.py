"""Proposals, approvals and orders: every move a compare-and-set, and the right to send given once."""

import itertools
import json
import multiprocessing
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.proposals import Approval, Draft, Proposal
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, Refused, Spy32Error, Unusable
from spy32.lifecycle import ORDER_TRANSITIONS, PROPOSAL_TRANSITIONS, OrderState, ProposalState
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, later
from tests.support.stores import approved, audit_events, begun, closing, filled, opened, proposed, sent, working

P, O = ProposalState, OrderState  # noqa: E741 - read better below


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def number(noun: object) -> int:
    found = noun.id  # type: ignore[attr-defined]
    assert isinstance(found, int)
    return found


def state_of(store: Store, made: Proposal) -> ProposalState:
    return store.proposals.get(number(made)).state


# Proposals.


def test_a_proposal_comes_back_as_it_was_made(store: Store) -> None:
    made = proposed(store)
    assert (
        store.proposals.get(number(made))
        == made
        == store.proposals.find_by_run(made.run_id)
        == store.proposals.latest()
    )
    assert made == builders.proposal(id=made.id, hash=made.hash)
    assert store.proposals.order_body(number(made)) == "{}"
    assert store.proposals.latest_approval(number(made)) is None


def test_a_newer_proposal_lapses_older_unapproved_ones_of_its_profile_only(store: Store) -> None:
    older, yes = proposed(store), approved(store, profile="approved before")[0]
    other = proposed(store, profile="other")
    spoken = store.proposals.add(builders.proposal_terms(run_id=1, profile="approved before"), body="{}", at=NOW)
    newer = proposed(store)
    assert state_of(store, older) is P.LAPSED
    assert state_of(store, yes) is P.APPROVED
    assert state_of(store, other) is state_of(store, newer) is state_of(store, spoken) is P.PROPOSED


def test_a_closing_lapses_nothing(store: Store) -> None:
    _, trade = filled(store)
    made = proposed(store)
    closing(store, trade)
    assert state_of(store, made) is P.PROPOSED
    assert store.proposals.find_by_run(trade.run_id) == store.proposals.get(trade.proposal_id)


def test_proposals_are_listed_by_state_oldest_first(store: Store) -> None:
    first, _ = approved(store)
    second = proposed(store)
    assert [found.id for found in store.proposals.select()] == [first.id, second.id]
    assert [found.id for found in store.proposals.select(P.APPROVED, P.PROPOSED)] == [first.id, second.id]
    assert [found.id for found in store.proposals.select(P.APPROVED)] == [first.id]
    assert store.proposals.select(P.DONE) == ()


def test_there_is_no_proposal_in_a_new_store(store: Store) -> None:
    assert store.proposals.latest() is None
    assert store.proposals.find_by_run(begun(store).id) is None
    with pytest.raises(BadUsage, match="made no proposal"):
        store.proposals.get_original(1)


@pytest.mark.parametrize("read", ["proposals.get", "proposals.order_body"])
def test_an_unknown_proposal_is_2(store: Store, read: str) -> None:
    with pytest.raises(BadUsage, match="P99"):
        attrgetter(read)(store)(99)


def test_a_proposal_of_another_mode_is_refused(store: Store) -> None:
    run = begun(store)
    with pytest.raises(BadSettings):
        store.proposals.add(builders.proposal_terms(run_id=run.id, mode=Mode.LIVE), body="{}", at=NOW)


def drafted(made: Proposal, **over: Any) -> Draft:
    return Draft(
        proposal=replace(made, **{"quantity": 1, "hash": "0f" * 32, **over}), body="drafted", was_hash=made.hash
    )


def test_a_draft_becomes_the_proposal_with_its_approval_and_what_was_first_is_kept(store: Store) -> None:
    made = proposed(store)
    draft = drafted(made)
    yes = store.proposals.approve(builders.approval(draft.proposal), draft=draft)
    assert store.proposals.get(number(made)) == replace(draft.proposal, state=P.APPROVED)
    assert store.proposals.order_body(number(made)) == "drafted"
    assert store.proposals.latest_approval(number(made)) == yes
    first, body = store.proposals.get_original(made.run_id)
    assert (first.hash, first.quantity) == (made.hash, 2)
    assert body == "{}"
    *_, last = audit_events(store)
    assert (last.kind, last.subject) == ("approved by anna", f"P{made.id}")
    assert json.loads(last.data)["was_hash"] == made.hash


def test_a_draft_of_a_hash_that_is_gone_is_not_approved(store: Store) -> None:
    made = proposed(store)
    draft = drafted(made)
    with pytest.raises(Refused, match="was changed at 10:00"):
        store.proposals.approve(builders.approval(draft.proposal), draft=replace(draft, was_hash="elsewhere"))
    assert store.proposals.get(number(made)) == made
    assert store.proposals.latest_approval(number(made)) is None


def test_a_draft_of_a_proposal_that_another_window_approved_is_not_approved(store: Store) -> None:
    made, yes = approved(store)
    draft = drafted(made)
    with pytest.raises(Refused, match="approved by anna at 10:05"):
        store.proposals.approve(builders.approval(draft.proposal, by="bert"), draft=draft)
    assert store.proposals.get(number(made)).quantity == made.quantity
    assert store.proposals.latest_approval(number(made)) == yes


def test_a_draft_without_a_proposal_under_it_is_added_approved_and_only_once(store: Store) -> None:
    run = begun(store)
    made = builders.proposal_terms(run_id=run.id)
    draft = Draft(proposal=made, body="{}", was_hash="")
    yes = store.proposals.approve(builders.approval(builders.proposal(id=0, run_id=run.id)), draft=draft)
    kept = store.proposals.get(yes.proposal_id)
    assert kept == builders.proposal(id=yes.proposal_id, run_id=run.id, state=P.APPROVED)
    assert store.proposals.latest_approval(yes.proposal_id) == yes
    with pytest.raises(Refused, match=f"R{run.id} has been overridden already: P{kept.id} is approved"):
        store.proposals.approve(builders.approval(builders.proposal(id=0, run_id=run.id)), draft=draft)
    assert store.proposals.select() == (kept,)


# Approvals.


def test_an_approval_is_given_once_and_the_loser_is_told_who_and_when(store: Store) -> None:
    made, yes = approved(store)
    assert state_of(store, made) is P.APPROVED
    assert store.proposals.latest_approval(number(made)) == yes
    with pytest.raises(Refused) as loss:
        store.proposals.approve(builders.approval(made, by="bert", at=later(minutes=6)))
    assert loss.value.message == f"P{made.id} is already approved by anna at 10:05"


def test_an_approval_of_another_hash_is_refused(store: Store) -> None:
    made = proposed(store)
    with pytest.raises(Refused, match="look at it again"):
        store.proposals.approve(builders.approval(made, hash="0" * 64))
    assert state_of(store, made) is P.PROPOSED


def test_a_declined_proposal_tells_when_and_why(store: Store) -> None:
    made = proposed(store)
    store.proposals.move(number(made), was=P.PROPOSED, now=P.DECLINED, at=later(minutes=2), reason="too thin")
    with pytest.raises(Refused, match=r"already declined since 10:02: too thin"):
        store.proposals.approve(builders.approval(made))


def test_a_sent_proposal_tells_whose_approval_it_was(store: Store) -> None:
    made, _, _ = sent(store)
    with pytest.raises(Refused, match=r"already sent since 10:06 \(approved by anna at 10:05\)"):
        store.proposals.approve(builders.approval(made))


def test_the_newest_approval_counts(store: Store) -> None:
    made, _ = approved(store)
    store.proposals.move(number(made), was=P.APPROVED, now=P.PROPOSED, at=later(minutes=70), reason="approval over")
    second = store.proposals.approve(builders.approval(made, by="bert", at=later(minutes=71), until=later(minutes=131)))
    assert store.proposals.latest_approval(number(made)) == second


# Every move of a proposal.


def brought_to(store: Store, state: ProposalState) -> Proposal:
    if state is P.PROPOSED:
        return proposed(store)
    if state is P.APPROVED:
        return approved(store)[0]
    if state is P.SENT:
        made, _, order = sent(store)
        store.orders.move(number(order), was=O.WORKING, now=O.CANCELLED, at=later(minutes=7))
        return made
    if state is P.DONE:
        return filled(store)[0]
    made = proposed(store)
    store.proposals.move(number(made), was=P.PROPOSED, now=state, at=NOW)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("was", "now"), [*itertools.product(ProposalState, repeat=2)])
def test_a_proposal_moves_only_as_its_table_says(store: Store, was: ProposalState, now: ProposalState) -> None:
    made = brought_to(store, was)
    allowed = now in PROPOSAL_TRANSITIONS[was] and now not in (P.APPROVED, P.SENT)
    if allowed:
        store.proposals.move(number(made), was=was, now=now, at=later(900), reason="so")
        assert state_of(store, made) is now
    else:
        with pytest.raises(Refused):
            store.proposals.move(number(made), was=was, now=now, at=later(900))
        assert state_of(store, made) is was


def test_a_move_from_a_state_that_it_has_left_is_refused(store: Store) -> None:
    made, _ = approved(store)
    with pytest.raises(Refused, match="already approved"):
        store.proposals.move(number(made), was=P.PROPOSED, now=P.DECLINED, at=later(600))


def test_a_sent_proposal_does_not_rest_while_an_order_may_fill(store: Store) -> None:
    made, _, order = sent(store)
    for now in (P.DONE, P.PROPOSED):
        with pytest.raises(Refused, match=f"{order.reference} is working"):
            store.proposals.finish(number(made), now=now, at=later(600))


def test_what_is_filled_cannot_be_proposed_again(store: Store) -> None:
    made, _, order = sent(store)
    store.trades.record_fills(number(order), builders.fills(quantity=1), fees=Decimal(0), at=later(420))
    store.orders.move(number(order), was=O.WORKING, now=O.CANCELLED, at=later(430))
    with pytest.raises(Refused, match="1 of"):
        store.proposals.finish(number(made), now=P.PROPOSED, at=later(440))
    store.proposals.finish(number(made), now=P.DONE, at=later(440))


# Beginning an order.


def test_an_order_is_committed_with_its_body_before_it_is_sent(store: Store) -> None:
    made, yes = approved(store)
    wanted = builders.order(made, yes)
    order = store.orders.begin(wanted, at=later(minutes=6))
    assert order == builders.stored_order(made, yes) == store.orders.get(1)
    assert state_of(store, made) is P.SENT
    assert store.orders.select_by_proposal(number(made)) == store.orders.select(O.SUBMITTING) == (order,)


def test_an_order_of_what_is_not_approved_is_refused(store: Store) -> None:
    made, yes = approved(store)
    other = proposed(store)
    with pytest.raises(Refused, match=f"P{other.id} is already proposed"):
        store.orders.begin(builders.order(other, yes), at=later(360))
    store.proposals.move(number(made), was=P.APPROVED, now=P.DECLINED, at=later(360))
    with pytest.raises(Refused, match="declined"):
        store.orders.begin(builders.order(made, yes), at=later(360))
    assert store.orders.select(*OrderState) == ()


@pytest.mark.parametrize("approval_id", [0, 99])
def test_an_order_of_another_approval_is_refused(store: Store, approval_id: int) -> None:
    made, yes = approved(store)
    with pytest.raises(Refused, match="approval"):
        store.orders.begin(builders.order(made, yes, approval_id=approval_id), at=later(360))


def test_an_order_of_an_approval_that_is_over_is_refused(store: Store) -> None:
    made, yes = approved(store)
    with pytest.raises(Refused, match="ended at"):
        store.orders.begin(builders.order(made, yes), at=later(minutes=65, seconds=1))
    store.orders.begin(builders.order(made, yes), at=later(minutes=65))


def test_an_order_of_an_older_approval_is_refused(store: Store) -> None:
    made, first = approved(store)
    store.proposals.move(number(made), was=P.APPROVED, now=P.PROPOSED, at=later(minutes=6))
    store.proposals.approve(builders.approval(made))
    with pytest.raises(Refused, match="approval"):
        store.orders.begin(builders.order(made, first), at=later(minutes=7))


def test_an_order_of_another_mode_is_refused(store: Store) -> None:
    made, yes = approved(store)
    with pytest.raises(BadSettings):
        store.orders.begin(builders.order(made, yes, mode=Mode.LIVE), at=later(360))


def test_more_than_was_approved_is_refused(store: Store) -> None:
    made, yes = approved(store)
    with pytest.raises(Refused, match="is for 3, only 2"):
        store.orders.begin(builders.order(made, yes, quantity=3), at=later(360))


def test_an_approval_begins_one_order_ever(store: Store) -> None:
    made, yes, order = sent(store)
    with pytest.raises(Refused, match="already sent"):
        store.orders.begin(builders.order(made, yes, reference="again"), at=later(400))
    store.orders.move(number(order), was=O.WORKING, now=O.CANCELLED, at=later(410))
    store.proposals.finish(number(made), now=P.PROPOSED, at=later(420))
    with pytest.raises(Refused):
        store.orders.begin(builders.order(made, yes, reference="again"), at=later(430))
    with pytest.raises(sqlite3.IntegrityError, match="approval_id"):
        _insert_by_hand(store, made, yes)


def _insert_by_hand(store: Store, made: Proposal, yes: Approval) -> None:
    store.core.db.execute(
        """insert into broker_order (proposal_id, approval_id, reference, kind, mode, account, body, body_hash,
            limit_e4, quantity, state, created_at, market_day, changed_at)
            values (?, ?, 'by hand', 'entry', 'paper', '', '', '', 1, 1, 'filled', '', '', '')""",
        (made.id, yes.id),
    )


def test_a_new_approval_may_begin_anew_once_nothing_was_filled(store: Store) -> None:
    made, _, order = sent(store)
    store.orders.move(number(order), was=O.WORKING, now=O.EXPIRED, at=later(410))
    store.proposals.finish(number(made), now=P.PROPOSED, at=later(420))
    again = store.proposals.approve(builders.approval(made, at=later(430)))
    second = store.orders.begin(builders.order(made, again), at=later(440))
    assert [found.id for found in store.orders.select_by_proposal(number(made))] == [order.id, second.id]


def test_a_reference_is_used_once(store: Store) -> None:
    _, _, order = sent(store)
    made, yes = approved(store)
    with pytest.raises(Refused, match="UNIQUE"):
        store.orders.begin(builders.order(made, yes, reference=order.reference), at=later(360))
    assert state_of(store, made) is P.APPROVED


def test_a_price_that_is_no_whole_ten_thousandth_is_refused(store: Store) -> None:
    made, yes = approved(store)
    with pytest.raises(Unusable, match="ten-thousandths"):
        store.orders.begin(builders.order(made, yes, limit=Decimal("0.58001")), at=later(360))
    assert state_of(store, made) is P.APPROVED


# Replacing.


def replacement(made: Proposal, yes: Approval, old: int, **over: object):  # type: ignore[no-untyped-def]
    return builders.order(made, yes, **{"reference": f"R-{old}", "replaces": old, "limit": Decimal("0.57"), **over})


def test_a_replacement_lives_beside_the_working_order_until_that_is_replaced(store: Store) -> None:
    made, yes, old = sent(store)
    new = working(store, store.orders.begin(replacement(made, yes, number(old)), at=later(400)))
    assert new.replaces == old.id
    assert state_of(store, made) is P.SENT
    store.orders.move(number(old), was=O.WORKING, now=O.REPLACED, at=later(401))
    third = store.orders.begin(replacement(made, yes, number(new)), at=later(430))
    assert third.replaces == new.id


def test_nothing_is_replaced_while_a_replacement_is_unanswered(store: Store) -> None:
    made, yes, old = sent(store)
    new = store.orders.begin(replacement(made, yes, number(old)), at=later(400))
    for state in (O.SUBMITTING, O.UNKNOWN):
        with pytest.raises(Refused, match=f"R-{old.id} is {state}: nothing new"):
            store.orders.begin(replacement(made, yes, number(old), reference="second"), at=later(410))
        if state is O.SUBMITTING:
            store.orders.move(number(new), was=O.SUBMITTING, now=O.UNKNOWN, at=later(405))
    with pytest.raises(sqlite3.IntegrityError):
        store.core.db.execute("update broker_order set state = 'unknown' where id = ?", (old.id,))
    store.orders.move(number(new), was=O.UNKNOWN, now=O.ABSENT, at=later(500))
    assert store.orders.begin(replacement(made, yes, number(old), reference="second"), at=later(510)).replaces == old.id


def test_nothing_is_replaced_beside_another_working_order(store: Store) -> None:
    made, yes, old = sent(store)
    new = working(store, store.orders.begin(replacement(made, yes, number(old)), at=later(400)))
    with pytest.raises(Refused, match=f"{old.reference} is working"):
        store.orders.begin(replacement(made, yes, number(new)), at=later(410))


def test_an_order_that_was_cancelled_with_nothing_filled_gives_way_to_another(store: Store) -> None:
    """Where a broker refuses replacements the price is changed so: cancel, confirm, then a new order."""
    made, yes, old = sent(store)
    store.orders.move(number(old), was=O.WORKING, now=O.CANCELLED, at=later(400))
    assert store.orders.begin(replacement(made, yes, number(old)), at=later(410)).replaces == old.id


def test_an_order_that_was_cancelled_with_a_part_filled_does_not(store: Store) -> None:
    made, yes, old = sent(store)
    store.trades.record_fills(number(old), builders.fills(quantity=1), fees=Decimal(0), at=later(399))
    store.orders.move(number(old), was=O.WORKING, now=O.CANCELLED, at=later(400))
    with pytest.raises(Refused):
        store.orders.begin(replacement(made, yes, number(old)), at=later(410))


@pytest.mark.parametrize("state", [O.FILLED, O.REPLACED])
def test_an_order_that_does_not_work_cannot_be_replaced(store: Store, state: OrderState) -> None:
    made, yes, old = sent(store)
    store.orders.move(number(old), was=O.WORKING, now=state, at=later(400))
    with pytest.raises(Refused, match=f"cannot be replaced: it is {state}"):
        store.orders.begin(replacement(made, yes, number(old)), at=later(410))


def test_an_order_of_another_proposal_cannot_be_replaced(store: Store) -> None:
    _, _, theirs = sent(store)
    made, yes, _ = sent(store)
    with pytest.raises(Refused, match="another approval"):
        store.orders.begin(replacement(made, yes, number(theirs)), at=later(410))
    with pytest.raises(BadUsage, match="O99"):
        store.orders.begin(replacement(made, yes, 99), at=later(410))


def test_a_replacement_of_what_is_not_sent_is_refused(store: Store) -> None:
    made, yes = approved(store)
    with pytest.raises(Refused, match="already approved"):
        store.orders.begin(replacement(made, yes, 1), at=later(410))


def test_a_replacement_is_for_no_more_than_what_is_left(store: Store) -> None:
    made, yes, old = sent(store)
    store.trades.record_fills(number(old), builders.fills(quantity=1), fees=Decimal(0), at=later(400))
    with pytest.raises(Refused, match="only 1"):
        store.orders.begin(replacement(made, yes, number(old)), at=later(410))
    assert store.orders.begin(replacement(made, yes, number(old), quantity=1), at=later(410)).quantity == 1


# Every move of an order.


@pytest.mark.slow
@pytest.mark.parametrize(("was", "now"), [*itertools.product(OrderState, repeat=2)])
def test_an_order_moves_only_as_its_table_says(store: Store, was: OrderState, now: OrderState) -> None:
    made, yes = approved(store)
    order = store.orders.begin(builders.order(made, yes), at=later(360))
    for state in {
        O.SUBMITTING: (),
        O.REPLACED: (O.UNKNOWN, O.REPLACED),
        O.ABSENT: (O.UNKNOWN, O.ABSENT),
    }.get(was, (was,)):
        order = store.orders.move(number(order), was=order.state, now=state, at=later(370))
    if now in ORDER_TRANSITIONS[was]:
        assert store.orders.move(number(order), was=was, now=now, at=later(380), reason="so").state is now
    else:
        with pytest.raises(Refused):
            store.orders.move(number(order), was=was, now=now, at=later(380))
        assert store.orders.get(number(order)).state is was


def test_a_move_keeps_the_brokers_id_and_words(store: Store) -> None:
    made, yes = approved(store)
    order = store.orders.begin(builders.order(made, yes), at=later(360))
    seen = builders.broker_order(order, broker_id="77", status="Rejected", reason="buying power")
    after = store.orders.move(number(order), was=O.SUBMITTING, now=O.REJECTED, at=later(361), broker=seen)
    assert (after.broker_id, after.broker_status, after.reason) == ("77", "Rejected", "buying power")


def test_the_brokers_word_may_change_without_a_move(store: Store) -> None:
    _, _, order = sent(store)
    seen = builders.broker_order(order, status="Cancel Requested")
    after = store.orders.move(number(order), was=O.WORKING, now=O.WORKING, at=later(400), broker=seen)
    assert (after.state, after.broker_status) == (O.WORKING, "Cancel Requested")


def test_who_moves_an_order_second_is_told_how_it_stands(store: Store) -> None:
    _, _, order = sent(store)
    store.orders.move(number(order), was=O.WORKING, now=O.FILLED, at=later(400))
    with pytest.raises(Refused, match=f"{order.reference} is already filled since"):
        store.orders.move(number(order), was=O.WORKING, now=O.CANCELLED, at=later(400))


# Closings.


def test_two_closings_of_a_trade_never_live_at_once(store: Store) -> None:
    _, trade = filled(store)
    first, order = closing(store, trade)
    with pytest.raises(Refused, match=f"P{first.id} closes T{trade.id} already"):
        closing(store, trade)
    store.orders.move(number(order), was=O.WORKING, now=O.CANCELLED, at=later(900))
    store.proposals.finish(number(first), now=P.PROPOSED, at=later(901))
    with pytest.raises(Refused, match="closes T1 already"):
        closing(store, trade)
    store.proposals.lapse(first.id, was=ProposalState.PROPOSED, at=later(902), reason="another takes its place")
    closing(store, trade)


def test_a_closing_is_for_no_more_than_the_trade_holds(store: Store) -> None:
    _, trade = filled(store)
    with pytest.raises(Refused, match="is for 3, only 2"):
        closing(store, trade, quantity=3)


# Many at once.


def _claim(job: tuple[Path, int, int]) -> str:
    path, proposal_id, worker = job
    won = []
    with opened(path) as store:
        made, yes = store.proposals.get(proposal_id), store.proposals.latest_approval(proposal_id)
        for attempt in range(50):
            try:
                store.orders.begin(builders.order(made, yes, reference=f"{worker}-{attempt}"), at=later(360))
                won.append(attempt)
            except Refused:
                pass
            except Spy32Error as trouble:
                return f"{type(trouble).__name__}: {trouble}"
    return str(len(won))


@pytest.mark.slow
def test_of_eight_processes_with_fifty_tries_each_one_may_send_once(store: Store) -> None:
    made, _ = approved(store)
    jobs = [(store.core.path, number(made), worker) for worker in range(8)]
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        results = pool.map(_claim, jobs, chunksize=1)
    assert sorted(results) == ["0"] * 7 + ["1"]
    assert len(store.orders.select_by_proposal(number(made))) == 1
    assert store.integrity.check() == ()


def _approve(job: tuple[Path, int, int]) -> bool:
    path, proposal_id, worker = job
    with opened(path) as store:
        try:
            store.proposals.approve(builders.approval(store.proposals.get(proposal_id), by=f"person {worker}"))
        except Refused:
            return False
        return True


def test_of_many_who_approve_one_wins(store: Store) -> None:
    made = proposed(store)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        results = pool.map(_approve, [(store.core.path, number(made), worker) for worker in range(12)], chunksize=1)
    assert results.count(True) == 1
