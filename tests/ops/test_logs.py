"""The log of a home: whole lines, months kept by count, and no error whatever becomes of the disk."""

import errno
import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spy32.ops.logs import (
    KEPT_MONTHS,
    KEPT_REPORTS,
    MAX_MESSAGE,
    Level,
    LogEntry,
    LogEvent,
    LogFilter,
    append_entry,
    hide_secrets,
    load_entries,
    write_report,
)

NOW = datetime(2026, 11, 30, 15, 0, 3, 250_000, tzinfo=UTC)
ENTRY = LogEntry(
    ts=NOW, level=Level.INFO, event=LogEvent.STEP, mode="paper", command="analyze", pid=7, run=31, step="collect",
    ms=149, code=None, message="SPY 645.05",
)  # fmt: skip
ALL = LogFilter()
MONTH = "spy32-2026-11.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def test_an_entry_is_one_line_of_json_for_its_user_alone(folder: Path) -> None:
    append_entry(folder, replace(ENTRY, message="two\nlines \u2028 and …"))
    path = folder / MONTH
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "ts": "2026-11-30T15:00:03.250Z", "level": "info", "event": "step", "mode": "paper", "command": "analyze",
        "pid": 7, "run": "R31", "step": "collect", "ms": 149, "code": None, "message": "two\nlines \u2028 and …",
    }  # fmt: skip
    assert path.read_bytes().count(b"\n") == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_was_written_is_read_again(folder: Path) -> None:
    entries = [ENTRY, replace(ENTRY, ts=NOW + timedelta(days=1), run=None, step=None, ms=None, code=65, mode=None)]
    for entry in entries:
        append_entry(folder, entry)
    assert [path.name for path in sorted(folder.iterdir())] == [MONTH, "spy32-2026-12.jsonl"]
    assert load_entries(folder, ALL, 10) == tuple(entries)
    assert load_entries(folder, ALL, 1) == (entries[1],)


def test_a_run_a_mode_and_a_day_can_be_asked_for(folder: Path) -> None:
    other = replace(ENTRY, run=32, ts=NOW + timedelta(hours=1))
    live = replace(ENTRY, mode="live")
    for entry in (ENTRY, other, live):
        append_entry(folder, entry)
    assert load_entries(folder, LogFilter(run=31), 10) == (ENTRY, live)
    assert load_entries(folder, LogFilter(run=31, mode="live"), 10) == (live,)
    assert load_entries(folder, LogFilter(since=other.ts), 10) == (other,)


def test_only_the_newest_months_and_reports_are_kept(folder: Path) -> None:
    months = [datetime(2025 + month // 12, month % 12 + 1, 3, tzinfo=UTC) for month in range(KEPT_MONTHS + 3)]
    for month in months:
        append_entry(folder, replace(ENTRY, ts=month))
    assert sorted(path.name for path in folder.iterdir()) == [f"spy32-{month:%Y-%m}.jsonl" for month in months[3:]]
    for number in range(KEPT_REPORTS + 2):
        write_report(folder, f"20261130T1500{number:02d}-7", "Traceback")
    reports = sorted(folder.glob("bug-*.txt"))
    assert len(reports) == KEPT_REPORTS
    assert reports[0].name == "bug-20261130T150002-7.txt"
    assert stat.S_IMODE(reports[0].stat().st_mode) == 0o600


def _append_many(folder: Path, pid: int) -> None:
    for number in range(200):
        append_entry(folder, replace(ENTRY, pid=pid, ms=number, message="x" * (pid * 150)))


def test_lines_of_several_processes_stay_whole(folder: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_append_many, [folder] * 8, range(8)))
    entries = load_entries(folder, ALL, 10_000)
    assert len(entries) == len((folder / MONTH).read_text().splitlines()) == 1600
    for pid in range(8):
        assert [entry.ms for entry in entries if entry.pid == pid] == list(range(200))


def test_a_line_that_a_full_disk_cut_off_costs_no_other(folder: Path) -> None:
    append_entry(folder, ENTRY)
    with (folder / MONTH).open("a") as log:
        log.write('{"ts": "2026-11-30T15:00:0')
    quoting = replace(ENTRY, run=32, message='a message with {"ts": 1} in it')
    append_entry(folder, quoting)
    with (folder / MONTH).open("a") as log:
        log.write("not json\n\n[]\n{}\n")
    assert load_entries(folder, ALL, 10) == (ENTRY, quoting)


def test_a_line_that_was_edited_is_read_as_text_and_one_of_a_newer_version_as_far_as_it_is_known(folder: Path) -> None:
    append_entry(folder, ENTRY)
    line = json.loads((folder / MONTH).read_text())
    with (folder / MONTH).open("a") as log:
        log.write(json.dumps({**line, "message": 5}) + "\n" + json.dumps({**line, "host": "desk"}) + "\n")
        log.write(json.dumps({**line, "ms": "long"}) + "\n")
    assert load_entries(folder, ALL, 10) == (ENTRY, replace(ENTRY, message="5"), ENTRY)


@pytest.mark.parametrize("obstacle", ["a file", "a folder in its place", "a pipe", "a link", "no home"])
def test_a_log_that_cannot_be_written_is_no_error(folder: Path, tmp_path: Path, obstacle: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    if obstacle == "a file":
        folder.write_text("")
    elif obstacle == "a folder in its place":
        (folder / MONTH).mkdir(parents=True)
    elif obstacle == "a pipe":
        folder.mkdir()
        os.mkfifo(folder / MONTH)
    elif obstacle == "a link":
        folder.mkdir()
        (folder / MONTH).symlink_to(elsewhere)
    else:
        folder = tmp_path / "nowhere" / "logs"
    append_entry(folder, ENTRY)
    assert not elsewhere.exists()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_full_or_broken_disk_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)
    append_entry(folder, ENTRY)


def test_a_message_is_cut_and_bytes_that_are_no_characters_are_written_as_escapes(folder: Path) -> None:
    append_entry(folder, replace(ENTRY, message="\udcff" + "x" * 9000))
    (entry,) = load_entries(folder, ALL, 1)
    assert entry.message == "\udcff" + "x" * (MAX_MESSAGE - 1)


def test_secrets_are_hidden_also_as_an_address_holds_them() -> None:
    text = "key Pa/ss+word, https://me:Pa%2Fss%2Bword@host, Pa/ss+word-longer"
    assert hide_secrets(text, ["Pa/ss+word", "Pa/ss+word-longer", "", "e"]) == "key ****, https://me:****@host, ****"
    assert hide_secrets(text, []) == text
