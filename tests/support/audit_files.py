"""A history worth exporting: a trade that was lost, one that is open, and rows that belong to neither."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from spy32.domain.audit_file import AuditFile
from spy32.domain.codec import decode
from spy32.domain.orders import Trade
from spy32.domain.runs import Outcome
from spy32.errors import StoreError
from spy32.records.audit_files import AuditExport, file_digest, verify_audit_file
from spy32.render.audit_files import AUDIT_FILE
from spy32.render.encoder import encode_document
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, later, notice_text
from tests.support.stores import asked, closing, filled, opened, whole_run

Document = dict[str, Any]
SCHEMA = {"schema": "spy32.audit_export", "version": 1}
BACK = tuple(replace(leg, action=leg.action.closing) for leg in builders.spread().legs)


def exporter(store: Store) -> AuditExport:
    return AuditExport(store.core, at=later(days=40), program="0.4.0")


def lived_history(path: Path) -> Store:
    """R1 with the lost trade T1, and R2 with the open trade T2. The caller closes the store."""
    store = opened(path)
    store.flags.record("paused", "yes", NOW)
    lost = _run_with_trade(store, "first ")
    store.marks.add(builders.mark(lost.id))
    store.attention.raise_item(f"T{lost.id}", "note", "look", NOW)
    _, order = closing(store, lost)
    fills = builders.fills(BACK, 2, ("4.10", "1.70"), at=later(minutes=20))
    ended = store.trades.record_fills(order.id, fills, fees=builders.cents("0.52"), at=later(minutes=20))
    assert ended is not None and ended.result is not None and ended.result < 0
    _run_with_trade(store, "second ")
    _record_outcome(store, lost.run_id)
    return store


def _run_with_trade(store: Store, note: str) -> Trade:
    run = whole_run(store)
    asked(store, run.id)
    _, trade = filled(store, run_id=run.id)
    store.notices.add(notice_text(f"{note} subject"), NOW, run_id=run.id)
    store.runs.finish(run.id, outcome=Outcome.PROPOSED, at=later(minutes=9))
    return trade


def _record_outcome(store: Store, run_id: int) -> None:
    """As the room of reviews does it, an event for many runs."""
    with store.core.write_transaction(later(days=33), "outcomes") as change:
        for day in (builders.TODAY, builders.EXPIRATION, builders.EXPIRATION.replace(year=2035)):
            change.insert("daily_close", ticker="SPY", day=day.isoformat(), body="{}")
        columns = {"expiration": builders.EXPIRATION.isoformat(), "strategy": "put_credit_spread", "max_loss_e4": 1}
        change.insert("outcome", run_id=run_id, candidate_id="a1", known=1, **columns)


def document_of(file: AuditFile) -> Document:
    """What stands in the file, as a program that reads it has it."""
    document: Document = json.loads(json.dumps(encode_document(AUDIT_FILE, file)))
    return document


def file_of(document: Document) -> AuditFile:
    return decode(AuditFile, {key: item for key, item in document.items() if key not in SCHEMA})


def forged(document: Document, edit: Callable[[Document], object]) -> AuditFile:
    """The file after an edit by somebody who computes its digest anew."""
    edited = deepcopy(document)
    edit(edited)
    file = file_of(edited)
    return replace(file, digest=file_digest(file))


def faults(file: AuditFile) -> tuple[str, ...]:
    """What is found in a file that can still be read; what cannot be is damage."""
    try:
        return verify_audit_file(Path("x"), file).faults
    except StoreError as damage:
        return (damage.message,)
