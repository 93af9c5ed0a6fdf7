"""Documents exactly as the sources sent them, compressed, so that a run can be judged again without a network."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.market import RawDocument
from spy32.records.runs import Runs
from spy32.records.values import instant, packed_bytes, reads_row, storable, unpacked_bytes, when

if TYPE_CHECKING:
    from spy32.domain.documents import DocumentLine


class Documents(Runs):
    """The raw documents of runs."""

    def save_documents(self, run_id: int, documents: Sequence[RawDocument], at: datetime) -> None:
        """Keep what the sources sent; none is nothing to write."""
        rows = [(one, packed_bytes(one.body)) for one in documents]
        with self._on_run(run_id, at, "documents kept") as change:
            for one, body in rows:
                change.insert(
                    "document",
                    run_id=run_id,
                    source=storable(one.source),
                    name=storable(one.name),
                    at=instant(one.at),
                    size=len(one.body),
                    body=body,
                )

    def documents(self, run_id: int) -> tuple[RawDocument, ...]:
        """Every document of the run with its body, in the order kept."""
        self.run_row(run_id)
        return tuple(_document(row) for row in self.rows("select * from document where run_id = ? order by id", run_id))

    def document_lines(self, run_id: int) -> "tuple[DocumentLine, ...]":
        """The same without the bodies: nothing is decompressed."""
        self.run_row(run_id)
        found = self.rows("select id, source, name, at, size from document where run_id = ? order by id", run_id)
        return tuple(_line(row) for row in found)


@reads_row("document")
def _document(row: sqlite3.Row) -> RawDocument:
    return RawDocument(
        source=row["source"],
        name=row["name"],
        at=when(row["at"]),
        body=unpacked_bytes(row["body"], f"document {row['id']} of R{row['run_id']}"),
    )


@reads_row("document")
def _line(row: sqlite3.Row) -> "DocumentLine":
    from spy32.domain.documents import DocumentLine

    return DocumentLine(source=row["source"], name=row["name"], at=when(row["at"]), size=row["size"])
