"""The newest ids for a prompt: never an error, never a change."""

from pathlib import Path

import pytest

from spy32.records.recent_ids import recent_ids
from tests.support.trading import TradingDesk


def test_ids_come_newest_first_with_their_states(desk: TradingDesk) -> None:
    path = desk.store.core.path
    first, second = desk.approved(), desk.approved()
    assert recent_ids(path, "P") == ((f"P{second}", "approved"), (f"P{first}", "approved"))
    assert recent_ids(path, "P", limit=1) == ((f"P{second}", "approved"),)
    assert recent_ids(path, "P", ("sent", "done")) == ()
    assert [name[0] for name, _ in recent_ids(path, "TPR")] == ["P", "P", "R", "R"]


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_what_is_no_database_has_no_ids(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a %2F? #.db"
    if content is not None:
        path.write_bytes(content)
    assert recent_ids(path, "RPT") == ()
    assert path.exists() == (content is not None)
