"""The bytes of an exported file: written once, read back, and refused or found wanting when they are not as written."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spy32.domain.audit_file import AuditFile
from spy32.errors import BadSettings, BadUsage, CannotCreate, Spy32Error, StoreError
from spy32.records.audit_files import file_digest, read_audit_file, verify_audit_file, write_audit_document
from spy32.records.encoding import DECODE_ERRORS
from spy32.render.audit_files import AUDIT_FILE_REPORT, file_lines, verdict_lines
from spy32.render.encoder import encode_document
from tests.support.audit_files import SCHEMA, Document, document_of, exporter, faults, file_of, lived_history


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The file of the lost trade."""
    with lived_history(tmp_path_factory.mktemp("lost") / "paper.db") as found:
        return document_of(exporter(found).export_trade(1))


def written(path: Path, document: Document) -> Path:
    write_audit_document(path, document)
    return path


def read(path: Path) -> AuditFile:
    return read_audit_file(path, schema="spy32.audit_export", version=1)


def test_a_file_comes_back_as_it_was_written_compressed_or_not(tmp_path: Path, lost: Document) -> None:
    plain, small = written(tmp_path / "t.json", lost), written(tmp_path / "t.json.gz", lost)
    assert read(plain) == read(small) == file_of(lost)
    assert plain.stat().st_mode & 0o777 == 0o600
    assert small.stat().st_size < plain.stat().st_size
    assert sorted(tmp_path.iterdir()) == [plain, small]
    # Any program may lay the same JSON out anew.
    plain.write_text(json.dumps(json.loads(plain.read_text()), sort_keys=True))
    assert faults(read(plain)) == ()


def test_no_file_is_overwritten_and_none_is_made_where_none_can_be(tmp_path: Path, lost: Document) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "file").write_text("")
    for path in (precious, tmp_path / "file" / "t.json", tmp_path, Path()):
        with pytest.raises(CannotCreate):
            write_audit_document(path, lost)
    assert precious.read_text() == "mine"
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.geteuid() != 0:
        with pytest.raises(CannotCreate):
            write_audit_document(folder / "t.json", lost)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (b"", StoreError, "cannot be read"),
        (b"\xff\xfe\xfd", StoreError, "cannot be read"),
        (b"[]", BadSettings, "is no file of"),
        (b'{"schema": "spy32.run", "version": 1}', BadSettings, "is no file of"),
        (b'{"schema": "spy32.audit_export", "version": 2}', BadSettings, "newer spy32"),
        (b'{"schema": "spy32.audit_export", "version": "1"}', StoreError, "its version is '1'"),
        (b'{"schema": "spy32.audit_export", "version": 1}', StoreError, "cannot be read"),
        (b'{"schema": "x", "schema": "spy32.audit_export", "version": 1}', StoreError, "stands twice"),
        (b"[" * 100_000, StoreError, "cannot be read"),
        (b"\x1f\x8b\x08\x00", StoreError, "cannot be read"),
    ],
)
def test_what_is_no_sound_file_of_ours_is_refused(
    tmp_path: Path, text: bytes, error: type[Spy32Error], words: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(text)
    with pytest.raises(error, match=words):
        read(path)


def test_a_missing_file_is_bad_usage_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="there is no file"):
        read(tmp_path / "none")
    with pytest.raises(StoreError, match="cannot be read"):
        read(tmp_path)


@given(data=st.data())
def test_any_changed_byte_and_any_cut_is_found(
    data: st.DataObject, lost: Document, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    path = written(folder / data.draw(st.sampled_from(["t.json", "t.json.gz"])), lost)
    text = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    cut = data.draw(st.booleans())
    if cut:
        del text[place:]
    else:
        text[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(text)
    try:
        file = read(path)
    except Spy32Error as error:
        assert error.code in (74, 78)
        return
    # A byte of the layout, or of the header of gzip, that says nothing; the last line end.
    assert faults(file) != () or file == file_of(lost)


@given(
    path=st.lists(st.integers(0, 50), min_size=1, max_size=4),
    value=st.recursive(st.none() | st.text() | st.integers(), st.lists),
    mends=st.booleans(),
)
def test_nonsense_in_any_place_is_a_fault_and_never_a_defect(
    path: list[int], value: Any, mends: bool, lost: Document
) -> None:
    document: Any = json.loads(json.dumps({key: item for key, item in lost.items() if key not in SCHEMA}))
    place = document
    for step in path[:-1]:
        items = place.values() if isinstance(place, dict) else place
        parts = [part for part in items if isinstance(part, dict | list)]
        place = parts[step % len(parts)] if parts else place
    keys = [*place] if isinstance(place, dict) else [*range(len(place))]
    key = keys[path[-1] % len(keys)]
    assume(place[key] != value)
    place[key] = value
    try:
        file = file_of(document)
        report = verify_audit_file(Path("x"), replace(file, digest=file_digest(file)) if mends else file)
    except (StoreError, *DECODE_ERRORS):
        return
    assert report.faults != () or mends
    assert encode_document(AUDIT_FILE_REPORT, report)
    assert all(line.isprintable() for line in [*file_lines(report), *verdict_lines(report)])


def test_a_full_disk_leaves_no_file(tmp_path: Path, lost: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(StoreError, match="cannot be written: No space left"):
        write_audit_document(tmp_path / "t.json", lost)
    assert list(tmp_path.iterdir()) == []
