"""Documents exactly as the sources sent them, compressed, so that a run can be replayed offline."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.market import RawDocument
from spy32.records.base import Database
from spy32.records.encoding import (
    compress_bytes,
    decompress_bytes,
    format_instant,
    parse_instant,
    row_decoder,
    storable_text,
)
from spy32.records.runs import Runs

if TYPE_CHECKING:
    from spy32.domain.documents import DocumentSummary


class Documents:
    """The raw documents of runs."""

    def __init__(self, core: Database, runs: Runs) -> None:
        self._core = core
        self._runs = runs

    def save(self, run_id: int, documents: Sequence[RawDocument], at: datetime) -> None:
        """Store the documents of a run; without any nothing is written."""
        rows = [(document, compress_bytes(document.body)) for document in documents]
        with self._runs.run_transaction(run_id, at, "documents kept") as change:
            for document, body in rows:
                change.insert(
                    "document",
                    run_id=run_id,
                    source=storable_text(document.source),
                    name=storable_text(document.name),
                    at=format_instant(document.at),
                    size=len(document.body),
                    body=body,
                )

    def select_by_run(self, run_id: int) -> tuple[RawDocument, ...]:
        """Return every document of the run with its body, in the order stored."""
        self._runs.get_row(run_id)
        return tuple(
            _document(row) for row in self._core.rows("select * from document where run_id = ? order by id", run_id)
        )

    def summaries(self, run_id: int) -> "tuple[DocumentSummary, ...]":
        """Return the documents without their bodies; nothing is decompressed."""
        self._runs.get_row(run_id)
        rows = self._core.rows("select id, source, name, at, size from document where run_id = ? order by id", run_id)
        return tuple(_document_summary(row) for row in rows)


@row_decoder("document")
def _document(row: sqlite3.Row) -> RawDocument:
    return RawDocument(
        source=row["source"],
        name=row["name"],
        at=parse_instant(row["at"]),
        body=decompress_bytes(row["body"], f"document {row['id']} of R{row['run_id']}"),
    )


@row_decoder("document")
def _document_summary(row: sqlite3.Row) -> "DocumentSummary":
    from spy32.domain.documents import DocumentSummary

    return DocumentSummary(source=row["source"], name=row["name"], at=parse_instant(row["at"]), size=row["size"])
