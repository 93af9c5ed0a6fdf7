"""A file of the history is verified without the database: what was changed, taken out or put in is named."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.audit_file import AuditFile
from spy32.domain.codec import GENESIS, canonical_json, event_hash, row_digest
from spy32.errors import BadUsage, Refused, StoreDamaged
from spy32.records.audit_files import (
    file_faults,
)
from spy32.schema import AUDITED_TABLES
from spy32.store import Store
from tests.support.audit_files import (
    SCHEMA,
    Document,
    document_of,
    exporter,
    faults,
    file_of,
    forged,
    lived_history,
)
from tests.support.builders import NOW, TODAY, later, notice_text, recommendation
from tests.support.schemas import check
from tests.support.stores import V1, approved, begun, opened, proposed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with lived_history(tmp_path / "paper.db") as found:
        yield found


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The file of the lost trade."""
    with lived_history(tmp_path_factory.mktemp("lost") / "paper.db") as found:
        return document_of(exporter(found).export_trade(1))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The file of the whole history."""
    with lived_history(tmp_path_factory.mktemp("whole") / "paper.db") as found:
        return document_of(exporter(found).export_period(None))


def ids(document: Document) -> dict[str, list[int]]:
    return {table: [row["id"] for row in rows] for table, rows in document["rows"].items()}


# What is in a file.


def test_the_file_of_a_trade_has_all_that_came_of_its_run_and_nothing_of_another(lost: Document) -> None:
    check(lost)
    assert lost["selection"] == "T1"
    assert ids(lost) == {
        "step": [1], "snapshot": [1], "menu": [1], "candidate": [1, 2, 3, 4], "answer": [1, 2], "attempt": [1],
        "approval": [1, 2], "fill": [1, 2, 3, 4], "mark": [1], "run": [1], "proposal": [1, 2],
        "broker_order": [1, 2], "trade": [1], "notice": [1, 2], "attention": [1, 2],
        "cash": [1, 2, 3, 4], "daily_close": [1, 2], "outcome": [1],
    }  # fmt: skip
    assert faults(file_of(lost)) == ()


def test_prompt_and_answer_can_be_read_from_the_file_alone(lost: Document) -> None:
    (attempt,) = lost["rows"]["attempt"]
    assert zlib.decompress(base64.b64decode(attempt["request"]["base64"])) == b'{"model": "grok-4.3"}'
    (snapshot,) = lost["rows"]["snapshot"]
    assert json.loads(zlib.decompress(base64.b64decode(snapshot["data"]["base64"])))["chain"]["underlying"] == "SPY"


def test_the_events_go_from_the_first_of_the_run_to_the_head(store: Store) -> None:
    second = exporter(store).export_run(2)
    assert second.events[0]["kind"] == "run begun" and second.events[0]["subject"] == "R2"
    assert second.head == store.audit.head() == second.events[-1]["hash"]
    assert [event["id"] for event in second.events] == [*range(second.events[0]["id"], second.events[-1]["id"] + 1)]


def test_the_whole_history_has_every_row_of_every_table(store: Store) -> None:
    rows = exporter(store).export_period(None).rows
    for table in AUDITED_TABLES:
        assert len(rows.get(table, ())) == store.core.db.execute(f"select count(*) from {table}").fetchone()[0], table


def test_a_proposal_that_another_run_ended_stands_beside_that_run(store: Store) -> None:
    """One event lapses the older proposal and adds the newer one: each file shows both, with the run of the other."""
    older = proposed(store)
    newer = proposed(store)
    for proposal in (older, newer):
        file = document_of(exporter(store).export_run(proposal.run_id))
        assert (ids(file)["proposal"], ids(file)["run"]) == ([older.id, newer.id], [older.run_id, newer.run_id])
        assert faults(file_of(file)) == ()


def test_notices_about_what_came_of_the_run_are_in_its_file(store: Store) -> None:
    number = store.notices.add(notice_text(about="T2"), NOW)
    store.notices.record_delivery(number, "mail", NOW)
    rows = ids(document_of(exporter(store).export_trade(2)))
    assert number in rows["notice"] and rows["delivery"] == [1]
    assert number not in ids(document_of(exporter(store).export_trade(1)))["notice"]


def test_an_event_that_covers_up_an_edit_is_named(whole: Document) -> None:
    event = {
        "id": 1, "at": "now", "kind": "made", "subject": "", "previous": GENESIS,
        "data": canonical_json({"before": {"flag:1": "0" * 64}, "rows": {"flag:1": row_digest({"id": 1})}}),
    }  # fmt: skip
    link = event_hash(GENESIS, event)
    edited = {**whole, "rows": {"flag": [{"id": 1}]}, "events": [{**event, "hash": link}], "head": link}
    assert faults(forged(edited, dict)) == ("event 1 found flag:1 changed by hand, and covered it up",)


def test_a_period_has_every_row_that_was_written_in_it(store: Store) -> None:
    file = exporter(store).export_period(later(days=33).date())
    assert ids(document_of(file)) == {"daily_close": [1, 2, 3], "outcome": [1]}


def test_a_store_of_the_first_release_has_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    path.write_bytes(gzip.decompress(V1.read_bytes()))
    with opened(path, account=None) as store:
        for file in (exporter(store).export_period(None), exporter(store).export_run(1)):
            assert file_faults(file) == ()


def test_what_is_not_there_is_bad_usage(store: Store) -> None:
    for wrong in (
        lambda: exporter(store).export_run(9),
        lambda: exporter(store).export_trade(9),
        lambda: exporter(store).export_period(date(2099, 1, 1)),
    ):
        with pytest.raises(BadUsage):
            wrong()


def test_an_edited_database_makes_no_file(store: Store) -> None:
    store.core.db.execute("drop trigger fill_no_delete")
    store.core.db.execute("delete from fill where id = 3")
    for export in (lambda: exporter(store).export_trade(1), lambda: exporter(store).export_period(None)):
        with pytest.raises(StoreDamaged, match="row 3 of fill is missing"):
            export()
    assert exporter(store).export_trade(2).selection == "T2"


def test_no_file_tells_what_other_prompts_chose_before_a_person_has_decided(store: Store) -> None:
    run = begun(store, slot=date(2025, 10, 13))
    made = proposed(store, run_id=run.id)
    exporter(store).export_period(None)
    store.decisions.save_answer(run.id, recommendation(prompt="other"), role="shadow", at=later(days=33))
    for export in (lambda: exporter(store).export_run(run.id), lambda: exporter(store).export_period(TODAY)):
        with pytest.raises(Refused, match=f"R{run.id} waits for a decision"):
            export()
    assert exporter(store).export_trade(1).selection == "T1"
    approved(store, made)
    assert file_faults(exporter(store).export_run(run.id)) == ()


def test_a_day_of_new_york_begins_a_period(store: Store) -> None:
    assert exporter(store).export_period(TODAY).events[0]["id"] == 1


# What is found by whoever has only the file.


def leaves(item: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of each value."""
    parts = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    yield from [path] if not parts and not isinstance(item, dict | list) else ()
    for key, part in parts:
        yield from leaves(part, (*path, key))


def other(value: Any) -> Any:
    return f"{value}!" if isinstance(value, str) else value + 1


def put(document: Document, path: tuple[Any, ...], value: Any) -> None:
    *parents, last = path
    for key in parents:
        document = document[key]
    document[last] = value


def get(document: Document, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize("name", ["lost", pytest.param("whole", marks=pytest.mark.slow)])
def test_every_value_of_a_row_or_an_event_is_covered_even_from_one_who_mends_the_digest(
    name: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(name)
    for path in leaves({key: document[key] for key in ("rows", "events", "head")}):
        file = forged(document, lambda edited, path=path: put(edited, path, other(get(edited, path))))
        assert faults(file) != (), path


def test_every_other_value_is_covered_by_the_digest(lost: Document) -> None:
    for path in leaves({key: item for key, item in lost.items() if key not in {"rows", "events", *SCHEMA}}):
        value = "2020-01-01T00:00:00Z" if path == ("made_at",) else other(get(lost, path))
        assert faults(file_of({**lost, path[0]: value})) != (), path


def test_a_changed_row_is_named(lost: Document) -> None:
    file = forged(lost, lambda edited: edited["rows"]["fill"][3].update(price_e4=1))
    assert faults(file) == ("row 4 of fill was changed",)


def test_bytes_cannot_be_replaced_by_their_hash(lost: Document) -> None:
    digest = "0" * 64
    file = forged(lost, lambda edited: edited["rows"]["snapshot"][0].update(data={"sha256": digest}))
    assert faults(file) == ("row 1 of snapshot was changed",)


def test_a_row_put_in_is_named(lost: Document) -> None:
    new = {**lost["rows"]["fill"][0], "id": 77}
    assert faults(forged(lost, lambda edited: edited["rows"]["fill"].append(new))) == ("row 77 of fill was put in",)
    twice = forged(lost, lambda edited: edited["rows"]["fill"].append(edited["rows"]["fill"][0]))
    assert faults(twice) == ("row 1 of fill was put in",)


def _without(document: Document, table: str, row_id: int) -> AuditFile:
    def remove(edited: Document) -> None:
        edited["rows"][table] = [row for row in edited["rows"][table] if row["id"] != row_id]

    return forged(document, remove)


UNTIED = {"daily_close", "outcome"}
"""One event writes them for many runs, so that no event says whose they are."""


def test_a_row_taken_out_is_named(lost: Document, whole: Document) -> None:
    for document, silent in ((lost, UNTIED), (whole, set())):
        for table, numbers in ids(document).items():
            for number in numbers:
                found = faults(_without(document, table, number))
                assert (f"row {number} of {table} is missing" in found) == (table not in silent), (table, number)


CLOSE = {"proposal": [2], "approval": [2], "broker_order": [2], "fill": [3, 4], "cash": [3, 4]}
"""The close of the lost trade."""
LOST_TRADE = {"trade": [1], "proposal": [1, 2], "approval": [1, 2], "broker_order": [1, 2], "fill": [1, 2, 3, 4],
    "cash": [1, 2, 3, 4], "mark": [1], "attention": [1, 2]}  # fmt: skip


@pytest.mark.parametrize(("name", "gone"), [("lost", CLOSE), ("whole", CLOSE), ("whole", LOST_TRADE)])
def test_a_trade_or_its_close_taken_out_with_all_that_names_it_is_missed(
    name: str, gone: dict[str, list[int]], request: pytest.FixtureRequest
) -> None:
    def forget(edited: Document) -> None:
        for table, numbers in gone.items():
            edited["rows"][table] = [row for row in edited["rows"][table] if row["id"] not in numbers]

    found = faults(forged(request.getfixturevalue(name), forget))
    missing = {f"row {number} of {table} is missing" for table, numbers in gone.items() for number in numbers}
    assert {*found} == missing if name == "whole" else {*found} & missing


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda edited: edited["events"].pop(5), "is out of place"),
        (lambda edited: edited["events"].insert(5, edited["events"][4]), "is out of place"),
        (lambda edited: edited["events"].pop(), "its head is not the hash of its newest event"),
        (lambda edited: edited.update(selection="all"), "the beginning of the history is missing"),
        (lambda edited: edited.update(events=[]), "damaged"),
        (lambda edited: edited.update(selection="T2"), "row 2 of trade is missing"),
        (lambda edited: edited.update(selection="mine"), "damaged"),
        (lambda edited: edited["rows"].update(fill={}), "damaged|missing"),
    ],
)
def test_an_edit_of_the_frame_is_named(lost: Document, edit: Any, found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        assert not faults(forged(lost, edit))


def test_a_head_that_was_noted_must_be_in_the_file(store: Store) -> None:
    noted = store.audit.head()
    store.flags.clear("paused", later(days=34))
    file = exporter(store).export_run(2)
    assert file_faults(file, noted) == file_faults(file, file.head) == ()
    assert file_faults(file, file.events[0]["previous"]) == ()
    (fault,) = file_faults(file, "f" * 64)
    assert "was written anew" in fault
    assert file_faults(file, GENESIS) != ()
