"""What a person must look at stays until it is acknowledged; what was viewed is a row of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.store import Store
from tests.support.builders import NOW, later
from tests.support.stores import opened, proposed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def test_an_item_stays_open_until_its_subject_is_acknowledged(store: Store) -> None:
    store.raise_attention("T1", "below_floor", "T1 was filled below its floor", NOW)
    store.raise_attention("P2", "lapsed", "P2 lapsed", NOW)
    assert [item.subject for item in store.open_attention_items()] == ["T1", "P2"]
    assert store.acknowledge("T1", "anna", later(minutes=1)) == 1
    assert [item.message for item in store.open_attention_items()] == ["P2 lapsed"]
    assert store.verify().broken is None


def test_the_same_item_is_open_once_and_may_come_back(store: Store) -> None:
    store.raise_attention("T1", "below_floor", "first", NOW)
    store.raise_attention("T1", "below_floor", "second", NOW)
    assert [item.message for item in store.open_attention_items()] == ["first"]
    store.acknowledge("T1", "anna", later(minutes=1))
    store.raise_attention("T1", "below_floor", "again", later(minutes=2))
    assert [item.message for item in store.open_attention_items()] == ["again"]


def test_acknowledging_what_has_no_item_changes_nothing(store: Store) -> None:
    before = store.head()
    assert (store.acknowledge("T9", "anna", NOW), store.head()) == (0, before)


def test_a_proposal_is_viewed_without_being_touched(store: Store) -> None:
    made = proposed(store)
    assert made.id is not None
    row = store.row("select * from proposal where id = ?", made.id)
    assert row is not None
    before = tuple(row)
    assert not store.was_viewed(made.id)
    store.record_viewing(made.id, "anna", later(1))
    after = store.row("select * from proposal where id = ?", made.id)
    assert after is not None
    assert (store.was_viewed(made.id), tuple(after)) == (True, before)
