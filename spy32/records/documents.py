"""Documents exactly as the sources sent them, compressed, so that a run can be replayed offline."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from spy32.domain.documents import DocumentSummary
from spy32.domain.market import RawDocument
from spy32.records.base import Records
from spy32.records.encoding import columns_of, compress_bytes, decode_row, decompress_bytes, row_decoder
from spy32.records.runs import run_transaction


class Documents(Records):
    """The raw documents of runs."""

    def save(self, run_id: int, documents: Sequence[RawDocument], at: datetime) -> None:
        """Store the documents of a run; without any nothing is written."""
        bodies = [compress_bytes(document.body) for document in documents]
        with run_transaction(self._core, run_id, at, "documents kept") as change:
            for document, body in zip(documents, bodies, strict=True):
                columns = columns_of(document, "body")
                change.insert("document", run_id=run_id, size=len(document.body), body=body, **columns)

    def select_by_run(self, run_id: int) -> tuple[RawDocument, ...]:
        """Return every document of the run with its body, in the order stored."""
        self._core.get_row("run", run_id)
        return self._core.select(_document, "select * from document where run_id = ? order by id", run_id)

    def summaries(self, run_id: int) -> tuple[DocumentSummary, ...]:
        """Return the documents without their bodies; nothing is decompressed."""
        self._core.get_row("run", run_id)
        query = "select id, source, name, at, size from document where run_id = ? order by id"
        return self._core.select(row_decoder(DocumentSummary, "document"), query, run_id)


def _document(row: sqlite3.Row) -> RawDocument:
    body = decompress_bytes(row["body"], f"document {row['id']} of R{row['run_id']}")
    return decode_row(RawDocument, row, "document", body=body)
