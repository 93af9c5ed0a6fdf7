"""What was edited by hand is never written over: each event says how it found the rows that it touched."""

import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.orders import BrokerOrder
from spy32.domain.runs import Outcome
from spy32.errors import StoreError
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.records import base
from spy32.records.base import current_digest
from spy32.schema import NO_DELETE
from spy32.store import Store
from tests.support import builders, outcomes
from tests.support.builders import NOW, later, notice_text
from tests.support.stores import V1, asking, audit_events, begun, filled, heard, move_trade, opened, proposed, sent

Write = Callable[[Store], object]


def paper_order() -> BrokerOrder:
    return builders.broker_order(
        builders.stored_order(builders.proposal(id=1), builders.approval(builders.proposal(id=1)))
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A trade, an order that works, a proposal, and one row at least of every table that is written twice."""
    with opened(tmp_path / "paper.db", account="", opening_cash=Decimal(100_000)) as found:
        filled(found)
        sent(found)
        proposed(found, profile="other")
        found.model_calls.begin(1, asking(), NOW)
        found.paper.place(paper_order(), NOW)
        found.notices.add(notice_text(), NOW, run_id=1)
        found.flags.record("paused", "yes", NOW)
        found.outcomes.closes.save([outcomes.close()], NOW)
        found.outcomes.save([outcomes.outcome(plan=None, pending="a close is missing", is_final=False)], NOW)
        found.attention.raise_item("T1", "note", "look", NOW)
        found.experiments.register(builders.experiment_terms(), NOW)
        yield found


WRITES: dict[str, tuple[str, int, Write]] = {
    "stamp": ("created_at = '2020-01-01T00:00:00+00:00'", 1, lambda store: store.bind_account("ACCOUNT", NOW)),
    "run": ("cause = 'mine'", 1, lambda store: store.runs.finish(1, outcome=Outcome.NO_TRADE, at=NOW)),
    "proposal": (
        "quantity = 9",
        3,
        lambda store: store.proposals.move(3, was=ProposalState.PROPOSED, now=ProposalState.DECLINED, at=NOW),
    ),
    "broker_order": (
        "limit_e4 = 1",
        2,
        lambda store: store.orders.move(2, was=OrderState.WORKING, now=OrderState.CANCELLED, at=NOW),
    ),
    "trade": (
        "fees_e4 = 1",
        1,
        lambda store: move_trade(store, 1, now=TradeState.EXPIRED, at=later(days=40)),
    ),
    "paper_order": (
        "limit_e4 = 1",
        1,
        lambda store: store.paper.update_status(
            store.paper.orders()[0].broker_id, was=store.paper.orders()[0].status, status="Cancelled"
        ),
    ),
    "notice": ("body = 'mine'", 1, lambda store: store.notices.mark_sent(1, NOW)),
    "flag": ("value = 'mine'", 1, lambda store: store.flags.clear("paused", NOW)),
    "attempt": ("detail = 'mine'", 1, lambda store: store.model_calls.end(1, heard(), later(9))),
    "experiment": (
        "body = '{}'",
        1,
        lambda store: store.experiments.renew(builders.experiment(), builders.experiment_terms(weeks=52), later(9)),
    ),
    "daily_close": (
        "body = replace(body, '671.61', '600.00')",
        1,
        lambda store: store.outcomes.closes.save([outcomes.close(vix=16.4)], NOW),
    ),
    "outcome": (
        "max_loss_e4 = 1",
        1,
        lambda store: store.outcomes.save([outcomes.outcome()], NOW),
    ),
    "attention": ("message = 'mine'", 1, lambda store: store.attention.acknowledge("T1", "anna", NOW)),
}


def edit(store: Store, table: str, sets: str, row_id: int) -> None:
    if table == "attempt":
        store.core.db.execute("drop trigger attempt_answered_once")
    store.core.db.execute(f"update {table} set {sets} where id = ?", (row_id,))


def test_every_table_that_is_written_twice_is_tried_here() -> None:
    assert {*WRITES} == {*NO_DELETE} - {"last_event"}


@pytest.mark.parametrize("table", WRITES)
def test_a_row_that_was_edited_by_hand_is_not_written_to_and_the_edit_stays_seen(store: Store, table: str) -> None:
    sets, row_id, write = WRITES[table]
    edit(store, table, sets, row_id)
    edited, events = current_digest(store.core.db, f"{table}:{row_id}"), store.audit.head()
    with pytest.raises(StoreError, match=f"row {row_id} of {table} is not as the history left it") as refused:
        write(store)
    assert refused.value.code == 74
    assert (current_digest(store.core.db, f"{table}:{row_id}"), store.audit.head()) == (edited, events)
    assert store.audit.verify().broken == f"row {row_id} of {table} was changed by hand"


@pytest.mark.parametrize("table", WRITES)
def test_a_row_that_nobody_edited_is_written_and_its_event_says_how_it_was(store: Store, table: str) -> None:
    _, row_id, write = WRITES[table]
    before = current_digest(store.core.db, f"{table}:{row_id}")
    write(store)
    *_, event = audit_events(store)
    data = json.loads(event.data)
    assert data["before"][f"{table}:{row_id}"] == before
    assert data["rows"][f"{table}:{row_id}"] == current_digest(store.core.db, f"{table}:{row_id}") != before
    assert store.audit.verify().broken is None


def test_a_write_that_did_cover_up_an_edit_is_seen_in_the_chain(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program would leave it that does not look, whatever else of the file was made to fit."""
    sets, row_id, write = WRITES["proposal"]
    edit(store, "proposal", sets, row_id)
    monkeypatch.setattr(base, "check_row", lambda db, path, key: current_digest(db, key))
    write(store)
    last = store.audit.verify().events + 1
    assert store.audit.verify().broken == f"event {last} found proposal:3 changed by hand, and covered it up"
    assert store.audit.first_recent_fault(100) == store.audit.verify().broken


def test_an_edited_entry_of_last_event_is_found_and_writes_nothing(store: Store) -> None:
    store.core.db.execute("update last_event set event_id = 1 where row = 'proposal:3'")
    assert store.audit.verify().broken == "the entry of proposal:3 in last_event was changed by hand"
    assert store.audit.first_recent_fault(100) == store.audit.verify().broken
    with pytest.raises(StoreError, match="row 3 of proposal"):
        WRITES["proposal"][2](store)


def test_an_older_state_put_back_with_its_entry_is_found(store: Store) -> None:
    """The row fits the event that is named, which is not its newest."""
    older = dict(store.core.db.execute("select * from proposal where id = 3").fetchone())
    first = store.core.db.execute("select event_id from last_event where row = 'proposal:3'").fetchone()[0]
    WRITES["proposal"][2](store)
    sets = ", ".join(f"{name} = :{name}" for name in older)
    store.core.db.execute(f"update proposal set {sets} where id = 3", older)
    store.core.db.execute("update last_event set event_id = ? where row = 'proposal:3'", (first,))
    assert store.audit.verify().broken == "the entry of proposal:3 in last_event was changed by hand"


def test_a_first_layout_knows_by_its_history_how_its_rows_were(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    path.write_bytes(gzip.decompress(V1.read_bytes()))
    with opened(path) as store:
        store.core.db.execute("update run set cause = 'mine' where id = 1")
        with pytest.raises(StoreError, match="row 1 of run is not as the history left it"):
            store.decisions.save_ruling(1, builders.ruling(), NOW)
        store.core.db.execute("update run set cause = null where id = 1")
        store.decisions.save_ruling(1, builders.ruling(), NOW)
        begun(store)
        assert store.audit.verify().broken is None
