"""A database that 0.3.0 wrote: what it told in words is in columns after the upgrade, and its history is whole."""

import gzip
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.errors import StoreError
from spy32.lifecycle import EndedBy, OrderState
from spy32.schema import VERSION, columns_of_words, schema_version
from spy32.store import Store
from tests.support.builders import NOW
from tests.support.paths import DATA
from tests.support.stores import audit_events, opened

V4 = DATA / "store" / "paper-v4.db.gz"
HEAD = "2f99172ff79d21d6ee93341e0838a53228a068dad9e788b85c07078d13a0d4a7"
ENDED_BY = {
    1: None,
    2: EndedBy.HALT,
    3: EndedBy.NOT_SENT,
    4: EndedBy.BROKER,  # in words that begin otherwise, and hold "not sent: "
    5: EndedBy.PERSON,
    6: None,
}
"""By the proposal of the order."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "paper.db"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress(V4.read_bytes()))
    return path


def open_old(path: Path, **over: Any) -> Store:
    return opened(path, account="PAPER0001", **over)


def test_who_ended_an_order_is_read_from_its_words_once_and_the_history_says_so(old: Path) -> None:
    with open_old(old) as store:
        assert schema_version(store.core.db) == VERSION
        assert {number: store.orders.select_by_proposal(number)[-1].ended_by for number in ENDED_BY} == ENDED_BY
        edited = store.orders.select_by_proposal(6)[-1]
        assert (edited.state, edited.is_replaced_by_hand, edited.is_unclear) == (OrderState.WORKING, True, False)
        assert not any(store.orders.select_by_proposal(number)[-1].is_replaced_by_hand for number in range(1, 6))
        report = store.audit.verify(head=HEAD)
        assert (report.broken, report.events, store.integrity.check()) == (None, 68, ())
        *_, last = audit_events(store)
        assert last.kind == "orders classified"


def test_an_upgraded_order_is_written_to_like_any_other(old: Path) -> None:
    with open_old(old) as store:
        order = store.orders.select_by_proposal(6)[-1]
        store.orders.move(order.id, was=OrderState.WORKING, now=OrderState.CANCELLED, at=NOW)
        assert store.orders.select_by_proposal(6)[-1].is_replaced_by_hand
        assert store.audit.verify(head=HEAD).broken is None


@pytest.mark.parametrize(
    ("state", "words", "columns"),
    [
        # 0.3.0 worked no price beside any words.
        ("working", "filled at the broker, which lists 1 of 2 so far", {"unclear": 1}),
        ("cancelled", "uneven fill: 1 x Sell to Open", {}),
        ("absent", "not at the broker in 3 reads", {}),
        ("unknown", "timed out", {}),
        ("cancelled", "replaced at the broker: 1 gave way to 2", {"replaced_by_hand": 1}),
    ],
)
def test_what_other_words_stand_for(state: str, words: str, columns: dict[str, object]) -> None:
    assert columns_of_words(state, words) == columns


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audit", "verify"), "chain intact: 68 events"),
        (("show", "R1"), "621/616 put spread"),
        (("show", "P2"), "halted: strange fills"),
        (("replay", "R1"), "R1: recomputed gates, menu"),
    ],
)
def test_the_commands_that_look_back_read_it(old: Path, words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["--home", str(old.parent), *words])
    assert (result.exit_code, said in result.output, "DIFFERENT" in result.output) == (0, True, False), result.output


def test_reading_alone_sees_the_same_and_leaves_the_file_as_it_was(old: Path) -> None:
    before = old.read_bytes()
    with open_old(old, read_only=True) as store:
        assert {number: store.orders.select_by_proposal(number)[-1].ended_by for number in ENDED_BY} == ENDED_BY
        head = store.audit.verify(head=HEAD).head
    assert old.read_bytes() == before
    with open_old(old) as store:
        assert store.audit.verify().head == head


def test_a_row_that_was_edited_before_the_upgrade_is_still_found(old: Path) -> None:
    with sqlite3.connect(old) as db:
        db.execute("update broker_order set reason = 'halted: by me' where id = 4")
    db.close()
    with open_old(old) as store:
        assert store.audit.verify().broken == "row 4 of broker_order was changed by hand"
        with pytest.raises(StoreError, match="row 4 of broker_order is not as the history left it"):
            store.adoptions.settle_fees(4, store.orders.select_by_proposal(3)[0].limit, is_final=True, at=NOW)
