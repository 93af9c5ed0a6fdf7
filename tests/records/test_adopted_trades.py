"""In the store: profit targets beside the entry, fees for good, and what is adopted from the broker's history."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing as shutting
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.codec import encode
from spy32.domain.orders import Order, OrderKind, Trade
from spy32.domain.proposals import Draft, Proposal
from spy32.domain.spreads import Action, Mode
from spy32.domain.transactions import Adoption, Transaction, TransactionKind
from spy32.errors import Refused
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.records.adoptions import OTHER_ACTIONS
from spy32.records.base import Database
from spy32.records.connection import connect
from spy32.records.encoding import decode_items, e4_to_dollars
from spy32.schema import MIGRATIONS, migrate, schema_version
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, fills, later
from tests.support.open_trades import LONG, SHORT, D, line, number
from tests.support.stores import FEES, audit_events, closing, filled, move_trade, opened, profit_targets, sent, working

HAND, EXPIRATION = TransactionKind.TRADE, TransactionKind.EXPIRATION
RESTS = builders.exit_plan(rests_target=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def cash_of(store: Store) -> Any:
    return e4_to_dollars(
        store.core.db.execute("select sum(amount_e4) from cash where book = 'account'").fetchone()[0] or 0
    )


def kinds_of(store: Store) -> list[str]:
    return [row[0] for row in store.core.db.execute("select kind from cash where trade_id is not null order by id")]


# Targets.


def target(store: Store, trade: Trade, **over: Any) -> Order:
    made = store.proposals.get(trade.proposal_id)
    yes = store.proposals.latest_approval(trade.proposal_id)
    base = {"kind": OrderKind.TARGET, "limit": D("-0.29"), "reference": "spy32-P1-A1-t1", "body": "{}"}
    return builders.order(made, yes, **{**base, **over})


def test_a_target_rests_on_the_approval_of_a_done_opening_even_when_that_is_over(store: Store) -> None:
    made, trade = filled(store, exit=RESTS)
    order = store.orders.begin(target(store, trade), at=later(days=1))
    assert number(order)
    assert store.proposals.get(trade.proposal_id).state is ProposalState.DONE
    assert profit_targets(store, trade.proposal_id) == (store.orders.get(number(order)),)
    assert made.id == trade.proposal_id


@pytest.mark.parametrize(
    ("plan", "over", "words"),
    [
        ({"rests_target": False}, {}, "not the profit target that was approved"),
        ({"rests_target": True}, {"limit": D("-0.28")}, "not the profit target that was approved"),
        ({"rests_target": True}, {"limit": D("0.29")}, "not the profit target that was approved"),
        ({"rests_target": True}, {"approval_id": 99}, "does not belong to the approval"),
        ({"rests_target": True}, {"approval_id": 0}, "does not belong to the approval"),
        ({"rests_target": True}, {"replaces": 1}, "does not belong to the approval"),
        ({"rests_target": True}, {"quantity": 3}, "only 2 may still be sent"),
    ],
)
def test_a_target_that_is_not_what_was_approved_is_refused(
    store: Store, plan: dict[str, Any], over: dict[str, Any], words: str
) -> None:
    _, trade = filled(store, exit=builders.exit_plan(**plan))
    with pytest.raises(Refused, match=words):
        store.orders.begin(target(store, trade, **over), at=later(minutes=9))
    assert profit_targets(store, trade.proposal_id) == ()


def test_a_target_of_an_approval_of_another_content_is_refused(store: Store) -> None:
    made, yes, order = sent(store, exit=RESTS)
    store.orders.move(number(order), was=OrderState.WORKING, now=OrderState.CANCELLED, at=later(minutes=7))
    store.proposals.finish(made.id, now=ProposalState.PROPOSED, at=later(minutes=8))
    other = replace(builders.proposal(run_id=made.run_id, exit=RESTS, quantity=1), id=made.id)
    _, trade = _filled_again(store, other, was_hash=made.hash)
    with pytest.raises(Refused, match="does not belong to the approval"):
        store.orders.begin(target(store, trade, approval_id=yes.id, quantity=1), at=later(minutes=12))


def _filled_again(store: Store, made: Proposal, *, was_hash: str) -> tuple[Order, Trade]:
    draft = Draft(proposal=made, body="{}", was_hash=was_hash)
    yes = store.proposals.approve(builders.approval(made, at=later(minutes=9)), draft=draft)
    order = store.orders.begin(builders.order(made, yes, reference="again-1"), at=later(minutes=10))
    order = working(store, order)
    trade = store.trades.record_fills(number(order), fills(quantity=1), fees=FEES, at=later(minutes=11))
    store.orders.move(number(order), was=OrderState.WORKING, now=OrderState.FILLED, at=later(minutes=11))
    store.proposals.finish(number(made), now=ProposalState.DONE, at=later(minutes=11))
    assert trade is not None
    return order, trade


def test_no_target_while_the_entry_works(store: Store) -> None:
    made, yes, _ = sent(store, exit=RESTS)
    order = builders.order(made, yes, kind=OrderKind.TARGET, limit=D("-0.29"), reference="t1")
    with pytest.raises(Refused, match="already sent"):
        store.orders.begin(order, at=later(minutes=9))


def test_no_target_of_a_trade_that_is_closing_or_over(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    move_trade(store, number(trade), now=TradeState.CLOSING, at=later(minutes=9))
    with pytest.raises(Refused, match="no open trade to close: T1 is closing"):
        store.orders.begin(target(store, trade), at=later(minutes=9))


def test_no_target_of_an_opening_without_a_trade(store: Store) -> None:
    made, yes, order = sent(store, exit=RESTS)
    store.orders.move(number(order), was=OrderState.WORKING, now=OrderState.CANCELLED, at=later(minutes=7))
    store.proposals.finish(made.id, now=ProposalState.DONE, at=later(minutes=8))
    order = builders.order(made, yes, kind=OrderKind.TARGET, limit=D("-0.29"), reference="t1")
    with pytest.raises(Refused, match="it opened no trade"):
        store.orders.begin(order, at=later(minutes=9))


def test_a_second_target_waits_for_the_end_of_the_first(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    first = working(store, store.orders.begin(target(store, trade), at=later(minutes=9)))
    with pytest.raises(Refused, match="is working: nothing new"):
        store.orders.begin(target(store, trade, reference="t2"), at=later(minutes=10))
    store.orders.move(number(first), was=OrderState.WORKING, now=OrderState.CANCELLED, at=later(minutes=11))
    store.orders.begin(target(store, trade, reference="t2"), at=later(minutes=12))


def test_the_table_itself_holds_one_living_target_an_opening_and_one_entry_an_approval(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    store.orders.begin(target(store, trade), at=later(minutes=9))
    copy = "insert into broker_order select {} from broker_order where id = {}"
    names = [row[1] for row in store.core.db.execute("pragma table_info(broker_order)")]
    for source, state in ((2, "'working'"), (1, "'filled'")):
        columns = ["null" if name == "id" else "'new'" if name == "reference" else name for name in names]
        columns[names.index("state")] = state
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            store.core.db.execute(copy.format(", ".join(columns), source))


def test_a_closing_waits_for_the_end_of_the_target(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    store.orders.begin(target(store, trade), at=later(minutes=9))
    with pytest.raises(Refused, match="spy32-P1-A1-t1 is submitting"):
        closing(store, trade)


def test_a_target_waits_for_the_end_of_a_closing(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    closing(store, trade)
    with pytest.raises(Refused, match="T1 is closing"):
        store.orders.begin(target(store, trade), at=later(minutes=20))


def test_a_fill_of_a_target_that_opens_is_refused(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    order = working(store, store.orders.begin(target(store, trade), at=later(minutes=9)))
    with pytest.raises(Refused, match="0 were ordered"):
        store.trades.record_fills(number(order), fills(prefix="T"), fees=None, at=later(minutes=10))


def test_late_fees_of_the_entry_leave_what_a_target_closed(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    order = working(store, store.orders.begin(target(store, trade), at=later(minutes=9)))
    legs = tuple(replace(leg, action=leg.action.closing) for leg in trade.legs)
    back = fills(legs, quantity=1, prices=("2.29", "2.00"), prefix="T", at=later(minutes=20))
    store.trades.record_fills(number(order), back, fees=D("0.26"), at=later(minutes=20))
    part = store.trades.record_fills(1, fills(), fees=D("5.00"), at=later(minutes=21))
    assert part is not None
    assert (part.closed_quantity, part.fees, part.debit) == (1, D("5.26"), D("0.29"))
    assert part.max_loss == (5 - D("0.58")) * 200 + 5


# Orders at the broker.


def test_an_order_is_known_by_its_id_at_the_broker_or_by_its_reference(store: Store) -> None:
    _, _, order = sent(store)
    assert store.orders.find(broker_id=str(order.broker_id)) == order
    assert store.orders.find(broker_id="somewhere else", reference=order.reference) == order
    assert store.orders.find(broker_id="somewhere else", reference="a reference of another") is None
    assert store.orders.find() is None


# Fees.


def test_fees_that_are_not_told_leave_what_is_known(store: Store) -> None:
    _, trade = filled(store)
    head = store.audit.head()
    for untold in (None, D(0)):
        same = store.trades.record_fills(1, fills(), fees=untold, at=later(minutes=9))
        assert same == trade
    assert store.audit.head() == head


def test_final_fees_take_the_place_of_the_estimate_in_trade_and_cash(store: Store) -> None:
    _, trade = filled(store)
    assert store.adoptions.orders_with_estimated_fees(1) == ((store.orders.get(1), FEES),)
    assert store.adoptions.trades_with_estimated_fees() == (trade,)
    after = store.adoptions.settle_fees(1, D("4.61"), is_final=True, at=later(days=1), transactions=("17", "18"))
    assert after is not None
    assert (after.fees, after.fees_final) == (D("4.61"), True)
    assert after.max_loss == trade.max_loss + D("0.09")
    assert cash_of(store) == D("116.00") - D("4.61")
    assert (store.adoptions.orders_with_estimated_fees(1), store.adoptions.trades_with_estimated_fees()) == ((), ())
    (event,) = [event for event in audit_events(store) if event.kind == "fees final"]
    assert '"transactions":["17","18"]' in event.data
    assert '"was":"4.52"' in event.data
    assert store.audit.verify().broken is None


def test_final_fees_change_no_more(store: Store) -> None:
    filled(store)
    after = store.adoptions.settle_fees(1, D("4.52"), is_final=True, at=later(days=1))
    head = store.audit.head()
    assert store.adoptions.settle_fees(1, D("9.99"), is_final=True, at=later(days=2)) == after
    assert store.trades.record_fills(1, fills(), fees=D("7.00"), at=later(days=2)) == after
    assert store.audit.head() == head


def test_an_estimate_of_the_broker_is_taken_and_stays_one(store: Store) -> None:
    _, trade = filled(store)
    after = store.adoptions.settle_fees(1, D("4.70"), is_final=False, at=later(days=1))
    assert after is not None
    assert (after.fees, after.fees_final) == (D("4.70"), False)
    head = store.audit.head()
    store.adoptions.settle_fees(1, D("4.70"), is_final=False, at=later(days=2))
    assert store.audit.head() == head
    assert store.adoptions.trades_with_estimated_fees() == (store.trades.get(number(trade)),)


def test_more_fills_make_final_fees_an_estimate_again(store: Store) -> None:
    _, _, order = sent(store)
    first = fills(quantity=1)
    store.trades.record_fills(number(order), first, fees=D("2.26"), at=later(minutes=7))
    store.adoptions.settle_fees(number(order), D("2.30"), is_final=True, at=later(minutes=8))
    after = store.trades.record_fills(
        number(order), first + fills(quantity=1, prefix="G"), fees=D("4.52"), at=later(minutes=9)
    )
    assert after is not None
    assert (after.fees, after.fees_final) == (D("4.52"), False)


def test_a_trade_has_final_fees_once_every_filled_order_has_and_its_result_follows(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    legs = tuple(replace(leg, action=leg.action.closing) for leg in trade.legs)
    back = fills(legs, prices=("2.30", "2.00"), prefix="X", at=later(minutes=20))
    store.trades.record_fills(number(order), back, fees=D("0.26"), at=later(minutes=20))
    half = store.adoptions.settle_fees(1, D("4.60"), is_final=True, at=later(days=1))
    assert half is not None
    assert not half.fees_final
    done = store.adoptions.settle_fees(number(order), D("0.30"), is_final=True, at=later(days=1))
    assert done is not None
    assert (done.fees_final, done.fees) == (True, D("4.90"))
    assert done.result == D("56.00") - D("4.90")
    assert cash_of(store) == done.result


def test_fees_of_a_leg_that_opened_nothing_yet_are_kept(store: Store) -> None:
    _, _, order = sent(store)
    store.trades.record_fills(number(order), fills()[:1], fees=D(1), at=later(minutes=7))
    assert store.adoptions.settle_fees(number(order), D("1.13"), is_final=True, at=later(minutes=8)) is None
    assert cash_of(store) == D("966.00") - D("1.13")


# Adoption.


def expired(trade: Trade, **over: Any) -> Adoption:
    lines = tuple(line(7 + n, leg.symbol, EXPIRATION) for n, leg in enumerate(trade.legs))
    base: dict[str, Any] = {
        "trade_id": number(trade),
        "state": TradeState.EXPIRED,
        "spreads": 2,
        "transactions": lines,
        "reason": "expired",
    }
    return Adoption(**{**base, **over})


def by_hand(trade: Trade, spreads: int = 2) -> Adoption:
    own = {"kind": HAND, "at": later(days=3), "quantity": D(spreads), "fees": D("0.13") * spreads}
    lines = (
        line(11, SHORT, action=Action.BUY_TO_CLOSE, net_value=-D("230.13") * spreads, **own),
        line(12, LONG, action=Action.SELL_TO_CLOSE, net_value=D("199.87") * spreads, **own),
    )
    return expired(trade, state=TradeState.CLOSED, spreads=spreads, transactions=lines, reason="closed by hand")


def test_an_expired_trade_keeps_its_premium_and_ends_when_the_broker_says(store: Store) -> None:
    _, trade = filled(store)
    after = store.adoptions.adopt(expired(trade), was=TradeState.OPEN, held=2, at=later(days=34))
    assert (after.state, after.remaining, after.result) == (TradeState.EXPIRED, 0, D("116.00") - FEES)
    assert after.closed_at == later(days=32)
    assert cash_of(store) == after.result
    assert store.adoptions.select(number(trade)) == store.adoptions.select() == (expired(trade),)
    assert store.adoptions.select(99) == ()
    assert store.core.db.execute("select reason from trade").fetchone()[0] == "expired"
    (event,) = [event for event in audit_events(store) if event.kind == "adopted as expired"]
    assert '"reason":"expired"' in event.data
    assert store.audit.verify().broken is None


def test_a_trade_closed_by_hand_has_the_cash_and_the_result_of_the_broker_s_lines(store: Store) -> None:
    _, trade = filled(store)
    after = store.adoptions.adopt(by_hand(trade), was=TradeState.OPEN, held=2, at=later(days=4))
    assert (after.state, after.debit, after.closed_at) == (TradeState.CLOSED, D("0.30"), later(days=3))
    assert after.fees == FEES + D("0.52")
    assert after.result == D("56.00") - FEES - D("0.52")
    assert cash_of(store) == after.result
    assert kinds_of(store) == ["premium", "fees", "premium", "fees"]


def test_a_part_closed_by_hand_leaves_the_rest_open(store: Store) -> None:
    _, trade = filled(store)
    half = store.adoptions.adopt(by_hand(trade, 1), was=TradeState.OPEN, held=2, at=later(days=4))
    assert (half.state, half.remaining, half.result, half.debit) == (TradeState.OPEN, 1, None, D("0.30"))
    done = store.adoptions.adopt(by_hand(trade, 1), was=TradeState.OPEN, held=1, at=later(days=5))
    assert (done.state, done.result) == (TradeState.CLOSED, D("56.00") - FEES - D("0.52"))


def test_an_assigned_trade_has_no_result_while_its_shares_are_held(store: Store) -> None:
    _, trade = filled(store)
    shares = line(9, "SPY", TransactionKind.ASSIGNMENT, quantity=D(200), net_value=D(-133_000), fees=D(5))
    lines = (line(8, SHORT, TransactionKind.ASSIGNMENT), shares)
    after = store.adoptions.adopt(
        expired(trade, state=TradeState.ASSIGNED, transactions=lines), was=TradeState.OPEN, held=2, at=later(days=33)
    )
    assert (after.state, after.result, after.closed_at, after.debit) == (TradeState.ASSIGNED, None, None, D("0.00"))
    assert after.fees == FEES + 5
    assert cash_of(store) == D("116.00") - FEES - 133_000
    assert kinds_of(store) == ["shares", "fees"]
    later_fees = store.adoptions.settle_fees(1, D("4.60"), is_final=True, at=later(days=34))
    assert later_fees is not None
    assert later_fees.result is None


def test_the_result_that_a_person_gave_an_assigned_trade_stays(store: Store) -> None:
    _, trade = filled(store)
    lines = (line(8, SHORT, TransactionKind.ASSIGNMENT), line(9, "SPY", TransactionKind.OTHER, net_value=D(-128_000)))
    adoption = expired(trade, state=TradeState.ASSIGNED, transactions=lines)
    store.adoptions.adopt(adoption, was=TradeState.OPEN, held=2, at=later(days=33))
    move_trade(store, number(trade), now=TradeState.CLOSED, at=later(days=34), result=D("-500.00"))
    after = store.adoptions.settle_fees(1, D("4.60"), is_final=True, at=later(days=35))
    assert after is not None
    assert after.result == D("-500.00")


@pytest.mark.parametrize(
    ("over", "was", "held", "words"),
    [
        ({}, TradeState.CLOSING, 2, "T1 is open with 2 held by now"),
        ({}, TradeState.OPEN, 1, "T1 is open with 2 held by now"),
        ({"spreads": 3}, TradeState.OPEN, 2, "3 of 2 spreads"),
        ({"spreads": 0}, TradeState.OPEN, 2, "0 of 2 spreads"),
        ({"transactions": ()}, TradeState.OPEN, 2, "2 of 2 spreads"),
        ({"spreads": 1}, TradeState.OPEN, 2, "a part of T1 cannot be expired"),
        ({"state": TradeState.OPEN}, TradeState.OPEN, 2, "cannot go from open to open"),
    ],
)
def test_what_does_not_fit_the_trade_is_not_adopted(
    store: Store, over: dict[str, Any], was: TradeState, held: int, words: str
) -> None:
    _, trade = filled(store)
    with pytest.raises(Refused, match=words):
        store.adoptions.adopt(expired(trade, **over), was=was, held=held, at=later(days=33))
    assert store.adoptions.select() == ()


def test_a_trade_that_is_over_is_not_adopted_again(store: Store) -> None:
    _, trade = filled(store)
    after = store.adoptions.adopt(expired(trade), was=TradeState.OPEN, held=2, at=later(days=33))
    with pytest.raises(Refused, match="look at it again"):
        store.adoptions.adopt(expired(trade), was=after.state, held=0, at=later(days=33))


def test_nothing_is_adopted_while_an_order_of_ours_may_close_the_trade(store: Store) -> None:
    _, trade = filled(store, exit=RESTS)
    store.orders.begin(target(store, trade), at=later(minutes=9))
    with pytest.raises(Refused, match="may still close T1"):
        store.adoptions.adopt(expired(trade), was=TradeState.OPEN, held=2, at=later(days=33))
    _, other = filled(store)
    closing(store, other)
    with pytest.raises(Refused, match="may still close T2"):
        store.adoptions.adopt(expired(other), was=TradeState.CLOSING, held=2, at=later(days=33))


# The layout.


def test_a_database_of_the_version_before_becomes_this_one_and_its_history_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    path.touch()
    with shutting(connect(path, "mode=rw")) as db:
        migrate(db, MIGRATIONS[:2])
        # What a program of then did not write goes with this connection.
        db.execute("create temp table last_event (row text primary key, event_id integer)")
        with Database(db, path, mode=Mode.PAPER, account=builders.ACCOUNT).write_transaction(NOW, "made") as change:
            change.insert("stamp", id=1, mode="paper", account=builders.ACCOUNT, created_at=change.at)
            change.insert("cash", book="paper", kind="opening", amount_e4=10_000, at=change.at)
        assert schema_version(db) == 2
    with opened(path) as store:
        assert schema_version(store.core.db) == len(MIGRATIONS)
        assert store.audit.verify().broken is None
        _, trade = filled(store, exit=RESTS)
        store.orders.begin(target(store, trade), at=later(minutes=9))
        assert store.audit.verify().broken is None


@pytest.mark.parametrize("word", ["", "Buy"])
def test_an_action_of_an_older_adoption_that_is_none_of_ours_is_read_as_none(word: str) -> None:
    body = json.dumps([encode(line(11, SHORT, HAND)) | {"action": word}])
    (found,) = decode_items(Transaction, body, "adoption 1", action=OTHER_ACTIONS)
    assert (found.id, found.action) == ("11", None)
