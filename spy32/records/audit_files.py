"""Files of the history: made from the database, and verified without it."""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from spy32.domain.audit_file import AuditFile, AuditFileReport
from spy32.domain.codec import decode, row_digest, sha256_hex
from spy32.domain.sanitize import quote_value
from spy32.errors import BadSettings, BadUsage, Refused, StoreDamaged, StoreError
from spy32.records.audit import LastDigest, follow_chain
from spy32.records.base import EVENT_QUERY, Database, row_key, split_key
from spy32.records.connection import creating
from spy32.records.encoding import DECODE_ERRORS, format_day_start
from spy32.records.proposals import HIDDEN_ANSWERS
from spy32.schema import AUDITED_TABLES

Event = Mapping[str, Any]
RowId = tuple[str, int]
"""Table and id."""

SUBJECT_LETTERS = {"run": "R", "proposal": "P", "broker_order": "O", "trade": "T"}
REFERENCES = {
    "run_id": "run",
    "proposal_id": "proposal",
    "approval_id": "approval",
    "order_id": "broker_order",
    "trade_id": "trade",
    "attempt_id": "attempt",
    "notice_id": "notice",
}
"""Column -> the table whose row the row belongs to. `forced_from` and `replaces` name a neighbour, not an owner."""
MENTIONS = (("attention", "subject"), ("notice", "about"))
"""Columns that name a subject."""
COLUMNS = """select owned.name, columns.name from sqlite_master as owned, pragma_table_info(owned.name) as columns
    where owned.type = 'table'"""
CLOSES = """select id from daily_close
    where ticker = (select json_extract(line, '$.underlying') from snapshot where run_id = ?1)
    and day >= (select substr(started_at, 1, 10) from run where id = ?1)
    and day <= (select max(expiration) from outcome where run_id = ?1)"""
"""The closes that outcomes of a run were computed from."""


class AuditExport:
    """Makes files of a database's history. `StoreDamaged` where a row or an event is not as it was written, `Refused`
    where a file would tell what other prompts chose before a person has decided."""

    def __init__(self, core: Database, *, at: datetime, program: str) -> None:
        self._core = core
        self._at = at
        self._program = program

    def export_trade(self, trade_id: int) -> AuditFile:
        """Return the file of a trade: the run that it came of, and all that came of that run."""
        return self.export_run(self._core.get_row("trade", trade_id)["run_id"], f"T{trade_id}")

    def export_run(self, run_id: int, selection: str = "") -> AuditFile:
        """Return the file of a run: its record, and its proposals, orders and trades to their end."""
        self._core.get_row("run", run_id)
        with self._core.read_transaction():
            row_ids = self._dependents({("run", run_id)})
            owned = {row_id for row_id in row_ids if row_id[0] in SUBJECT_LETTERS}
            row_ids |= {("daily_close", row["id"]) for row in self._core.rows(CLOSES, run_id)}
            for table, column in MENTIONS:
                row_ids |= self._select(table, column, _subjects(owned))
            row_ids = self._dependents(row_ids)
            events = self._events(1)
            concerning = [event for event in events if _concerns(event, owned)]
            row_ids |= {row_id for event in concerning for row_id in _touched_rows(event)}
            rows = self._load(row_ids, with_owners=True)
            newest = {row_id: event["id"] for event in events for row_id in _touched_rows(event)}
            first = min(
                *(newest[row_id] for row_id in rows if row_id in newest), *(event["id"] for event in concerning)
            )
            return self._file(selection or f"R{run_id}", rows, events[first - 1 :])

    def export_period(self, since: date | None) -> AuditFile:
        """Return the file of all that was written since a New York day; None: of the whole history."""
        with self._core.read_transaction():
            first = 1
            if since is not None:
                first = self._core.total("select min(id) from event where at >= ?", format_day_start(since))
                if not first:
                    raise BadUsage(f"nothing was written since {since}")
            events = self._events(first)
            rows = self._load({row_id for event in events for row_id in _touched_rows(event)}, with_owners=False)
            return self._file("all" if since is None else f"since {since}", rows, events)

    def _file(self, selection: str, rows: Mapping[RowId, dict[str, Any]], events: list[Event]) -> AuditFile:
        # The events name these answers, so that a file without them would look as if they were taken out.
        hidden = next((row["id"] for row in self._core.rows(HIDDEN_ANSWERS) if ("answer", row["id"]) in rows), None)
        if hidden is not None:
            raise Refused(
                f"the proposal of R{rows['answer', hidden]['run_id']} waits for a decision, and the file "
                "would tell what other prompts chose; approve, reject or let it lapse first"
            )
        tables = {table: [rows[row_id] for row_id in sorted(rows) if row_id[0] == table] for table in AUDITED_TABLES}
        file = AuditFile(
            selection=selection,
            made_at=self._at.astimezone(UTC),
            program=self._program,
            mode=self._core.mode,
            rows={table: tuple(map(_plain_row, found)) for table, found in tables.items() if found},
            events=tuple(events),
            head=events[-1]["hash"],
            digest="",
        )
        file = replace(file, digest=file_digest(file))
        for fault in file_faults(file):
            raise StoreDamaged(fault, self._core.path)
        return file

    def _events(self, first: int) -> list[Event]:
        return [dict(row) for row in self._core.rows(f"{EVENT_QUERY} where id >= ? order by id", first)]

    def _select(self, table: str, column: str, values: Iterable[object]) -> set[RowId]:
        sql = f"select id from {table} where {column} in (select value from json_each(?))"
        return {(table, row["id"]) for row in self._core.rows(sql, list(values))}

    def _dependents(self, row_ids: set[RowId]) -> set[RowId]:
        """Return rows and all that belongs to them, to any depth."""
        columns = map(tuple, self._core.rows(COLUMNS))
        links = [(table, name) for table, name in columns if table in AUDITED_TABLES and name in REFERENCES]
        found, size = set(row_ids), 0
        while len(found) > size:
            size = len(found)
            for table, column in links:
                owners = [number for owner, number in found if owner == REFERENCES[column]]
                found |= self._select(table, column, owners)
        return found

    def _load(self, row_ids: set[RowId], *, with_owners: bool) -> dict[RowId, dict[str, Any]]:
        """Return rows, and the rows that they belong to if `with_owners`."""
        rows: dict[RowId, dict[str, Any]] = {}
        waiting = set(row_ids)
        while waiting:
            table, number = waiting.pop()
            row = self._core.row(f"select * from {table} where id = ?", number)
            if row is not None:
                rows[table, number] = dict(row)
                waiting |= set(_owners(dict(row))) - rows.keys() if with_owners else set()
        return rows


def file_faults(file: AuditFile, head: str | None = None) -> tuple[str, ...]:
    """Return what was changed in a file, taken out of it or put into it; all of that as far as its events show it.

    `head` is a hash noted elsewhere, which must be that of an event of the file, or of the one before its first.
    """
    chain, last_digests = follow_chain(map(dict, file.events), is_whole=_is_from_start(file))
    if chain.broken is not None:
        return (chain.broken,)
    faults = [*_head_faults(file, head), *_row_faults(file, last_digests), *_missing_rows(file)]
    if not faults and file_digest(file) != file.digest:
        faults.append("the file is not as it was written, in what its events do not speak of")
    return tuple(faults)


def file_digest(file: AuditFile) -> str:
    """Return the SHA-256 of what a file holds, as JSON with sorted keys and without spaces."""
    # Rows and events are plain already, so a pass over a hundred thousand of them is spared.
    content = {each.name: getattr(file, each.name) for each in fields(file) if each.name != "digest"}
    return sha256_hex(json.dumps(content, sort_keys=True, separators=(",", ":"), default=datetime.isoformat).encode())


def _is_from_start(file: AuditFile) -> bool:
    return bool(file.events) and file.events[0]["id"] == 1


def _head_faults(file: AuditFile, head: str | None) -> Iterator[str]:
    if file.head != file.events[-1]["hash"]:
        yield "its head is not the hash of its newest event"
    if head is not None and head not in {file.events[0]["previous"], *(event["hash"] for event in file.events)}:
        first, last = file.events[0]["id"], file.events[-1]["id"]
        yield f"{head} is not in it: noted before event {first} or after event {last}, or the history was written anew"
    if file.selection == "all" and not _is_from_start(file):
        yield "the beginning of the history is missing"


def _row_faults(file: AuditFile, last_digests: Mapping[str, LastDigest]) -> Iterator[str]:
    seen: set[str] = set()
    for table, rows in file.rows.items():
        for row in rows:
            key = row_key(table, row["id"])
            last = last_digests.get(key)
            if last is None or key in seen:
                yield f"row {row['id']} of {table} was put in"
            elif _digest_of_plain(row) != last.digest:
                yield f"row {row['id']} of {table} was changed"
            seen.add(key)


def _missing_rows(file: AuditFile) -> Iterator[str]:
    """Rows that belong into the file: of a period those of every event; of a run those that its own events and the rows
    themselves name."""
    held = {(table, row["id"]) for table, rows in file.rows.items() for row in rows}
    needed: set[RowId] = set()
    owned: set[RowId] | None = None
    if file.selection != "all" and not file.selection.startswith("since "):
        letter, number = file.selection[:1], int(file.selection[1:])
        needed.add(({"R": "run", "T": "trade"}[letter], number))
        owned = _owned_rows(file, number if letter == "R" else _run_of_trade(file, number))
        needed |= owned | {owner for rows in file.rows.values() for row in rows for owner in _owners(row)}
    for event in file.events:
        if owned is None or _concerns(event, owned):
            needed |= set(_touched_rows(event))
    for table, number in sorted(needed - held):
        yield f"row {number} of {table} is missing"


def _run_of_trade(file: AuditFile, number: int) -> int | None:
    return next((row["run_id"] for row in file.rows.get("trade", ()) if row["id"] == number), None)


def _owned_rows(file: AuditFile, run_id: int | None) -> set[RowId]:
    """Return the run and its proposals, orders and trades, as far as the file holds them."""
    parts = {table: file.rows.get(table, ()) for table in SUBJECT_LETTERS}
    found = {(table, row["id"]) for table in ("proposal", "trade") for row in parts[table] if row["run_id"] == run_id}
    found |= {("broker_order", row["id"]) for row in parts["broker_order"] if ("proposal", row["proposal_id"]) in found}
    return found | ({("run", run_id)} if run_id is not None else set())


def _subjects(row_ids: set[RowId]) -> set[str]:
    return {f"{SUBJECT_LETTERS[table]}{number}" for table, number in row_ids}


def _concerns(event: Event, owned: set[RowId]) -> bool:
    """Whether an event is about one of these rows, or touched one."""
    names = {*event["subject"].split(",")}
    return not (names.isdisjoint(_subjects(owned)) and owned.isdisjoint(_touched_rows(event)))


def _touched_rows(event: Event) -> Iterator[RowId]:
    return map(split_key, json.loads(event["data"])["rows"])


def _owners(row: Mapping[str, Any]) -> Iterator[RowId]:
    """Return the rows that a row belongs to."""
    return ((REFERENCES[name], row[name]) for name in REFERENCES.keys() & row.keys() if row[name] is not None)


def _plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"base64": base64.b64encode(item).decode()} if isinstance(item, bytes) else item
        for name, item in row.items()
        if item is not None
    }


def _digest_of_plain(row: Mapping[str, Any]) -> str:
    """Return the digest of a row of a file; a made-up one where bytes stand in no form of ours."""
    # `row_digest` writes bytes as their hash, so a hash in the place of bytes would have the right digest.
    if any(isinstance(item, Mapping) and item.keys() != {"base64"} for item in row.values()):
        return ""
    return row_digest(
        {
            name: base64.b64decode(item["base64"], validate=True) if isinstance(item, Mapping) else item
            for name, item in row.items()
        }
    )


# The file itself.


def write_audit_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a new private file, compressed if its name ends in `.gz`; `CannotCreate` where there is one already."""
    text = (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
    try:
        with creating(path) as draft:
            draft.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def read_audit_file(path: Path, *, schema: str, version: int) -> AuditFile:
    """Return an exported file. `BadSettings` for another program's or a newer version's, `StoreError` for damage."""
    try:
        text = path.read_bytes()
        document = json.loads(
            gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text, object_pairs_hook=_unique_keys
        )
        if not isinstance(document, dict) or document.pop("schema", None) != schema:
            raise BadSettings(f"{path} is no file of `spy32 audit export`")
        written = document.pop("version", None)
        if isinstance(written, int) and written > version:
            raise BadSettings(f"{path} was written by a newer spy32 (version {written}, this one reads {version})")
        if written != version:
            raise StoreError(f"{path} is damaged: its version is {quote_value(written)}")
        return decode(AuditFile, document)
    except FileNotFoundError:
        raise BadUsage(f"there is no file {path}") from None
    except (EOFError, gzip.BadGzipFile, *DECODE_ERRORS) as error:
        raise _damaged_file_error(path, error) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error


def verify_audit_file(path: Path, file: AuditFile, head: str | None = None) -> AuditFileReport:
    """Return what a file holds and what is wrong with it; `StoreError` where it is not made as ours are."""
    try:
        first, last = file.events[0]["id"], file.events[-1]["id"]
        words = (file.selection, file.program, file.mode, file.head)
        if not all(isinstance(each, str) for each in words) or not all(isinstance(each, int) for each in (first, last)):
            raise TypeError("a word or a number of it is of another type")
        return AuditFileReport(
            file=str(path),
            selection=file.selection,
            made_at=file.made_at,
            program=file.program,
            mode=file.mode,
            rows=sum(map(len, file.rows.values())),
            first_event=first,
            last_event=last,
            head=file.head,
            faults=file_faults(file, head),
        )
    except DECODE_ERRORS as error:
        raise _damaged_file_error(path, error) from error


def _damaged_file_error(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} is damaged: it cannot be read ({quote_value(error, 120)})")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; ValueError where a key stands twice, of which two readers may see different ones."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found
