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
    store.attention.raise_item("T1", "below_floor", "T1 was filled below its floor", NOW)
    store.attention.raise_item("P2", "lapsed", "P2 lapsed", NOW)
    assert [item.subject for item in store.attention.open_items()] == ["T1", "P2"]
    assert store.attention.acknowledge("T1", "anna", later(minutes=1)) == 1
    assert [item.message for item in store.attention.open_items()] == ["P2 lapsed"]
    assert store.audit.verify().broken is None


def test_the_same_item_is_open_once_and_may_come_back(store: Store) -> None:
    store.attention.raise_item("T1", "below_floor", "first", NOW)
    store.attention.raise_item("T1", "below_floor", "second", NOW)
    assert [item.message for item in store.attention.open_items()] == ["first"]
    store.attention.acknowledge("T1", "anna", later(minutes=1))
    store.attention.raise_item("T1", "below_floor", "again", later(minutes=2))
    assert [item.message for item in store.attention.open_items()] == ["again"]


def test_an_item_comes_back_once_acknowledged_only_when_it_says_something_else(store: Store) -> None:
    def raised(message: str) -> bool:
        return store.attention.raise_change("T1", "difference", message, NOW)

    assert raised("one is gone")
    assert not raised("one is gone")
    assert not raised("two are gone")
    store.attention.acknowledge("T1", "anna", later(minutes=1))
    assert not raised("one is gone")
    assert raised("two are gone")
    store.attention.acknowledge("T1", "anna", later(minutes=2))
    assert raised("one is gone")
    assert [item.message for item in store.attention.open_items()] == ["one is gone"]


def test_acknowledging_what_has_no_item_changes_nothing(store: Store) -> None:
    before = store.audit.head()
    assert (store.attention.acknowledge("T9", "anna", NOW), store.audit.head()) == (0, before)


def test_a_proposal_is_viewed_without_being_touched(store: Store) -> None:
    made = proposed(store)
    row = store.core.row("select * from proposal where id = ?", made.id)
    assert row is not None
    before = tuple(row)
    assert not store.proposals.was_viewed(made.id)
    store.proposals.record_viewing(made.id, "anna", later(1))
    after = store.core.row("select * from proposal where id = ?", made.id)
    assert after is not None
    assert (store.proposals.was_viewed(made.id), tuple(after)) == (True, before)
