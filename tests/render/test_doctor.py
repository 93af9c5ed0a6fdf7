"""The page of `doctor`: what is broken first in sight, whole at any width, and readable without colour."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from spy32.ops.doctor import CHECKS, Examination, run_checks, select_checks
from spy32.ops.doctor.base import Answers
from spy32.render.doctor import DOCTOR, doctor_page
from spy32.render.encoder import encode_document
from spy32.render.output import format_page, print_page
from spy32.store import Store
from tests.support import stores
from tests.support.checkups import context, machine
from tests.support.reader import screen, shown
from tests.support.schemas import check


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with stores.opened(tmp_path / "paper.db") as opened:
        yield opened


@pytest.fixture
def examination(store: Store) -> Examination:
    """A home with a failure, warnings, and services that were not asked."""
    broken = machine(is_cron_running=False, file_system="nfs")
    offline = Answers(reason="left out by --offline")
    return run_checks(CHECKS, context(store, machine=broken, halted="storm\x1b[2J", answers=offline))


def drawn(examination: Examination, width: int, *, every: bool = False, encoding: str = "utf-8") -> list[str]:
    console = screen(width, encoding=encoding)
    print_page(console, doctor_page(examination, every=every))
    return shown(console).splitlines()


def test_a_screen_tells_what_is_broken_and_counts_the_rest(examination: Examination) -> None:
    lines = drawn(examination, 80)
    assert len(lines) <= 23
    assert lines[0].startswith("1 of 40 checks failed; 2 warnings, which may be harmless; ")
    text = "\n".join(lines)
    assert "✗ cron.daemon" in text
    assert "  fix                 sudo systemctl enable --now cron" in text
    assert "✓ Settings            4 pass" in text
    assert "- Broker              4 left out" in text
    assert "install.packages" not in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_with_v_every_check_stands_whole_at_any_width(examination: Examination, width: int) -> None:
    lines = drawn(examination, width, every=True)
    assert max(cell_len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert all(check_id in text for check_id in CHECKS)
    assert "…" not in text


def test_lines_say_the_verdict_in_a_word(examination: Examination) -> None:
    lines = format_page(doctor_page(examination, every=False, as_lines=True)).splitlines()
    assert "fail cron.daemon: no cron daemon is running, so no line is started" in lines
    assert lines[lines.index("warn state.halt: halted: storm[2J; nothing is sent") + 1] == "  fix: spy32 resume"
    assert sum(line.split()[0] in ("pass", "warn", "fail", "skip") for line in lines) == len(CHECKS)


def test_symbols_are_plain_where_the_terminal_has_no_others(examination: Examination) -> None:
    assert all(line.isascii() for line in drawn(examination, 80, every=True, encoding="ascii"))


def test_a_good_home_is_said_to_be_one(store: Store) -> None:
    found = run_checks(select_checks(["files"]), context(store))
    assert drawn(found, 80)[0] == "nothing is broken in 4 checks; no warning; 0 left out"


def test_the_document_is_one_of_its_schema(examination: Examination) -> None:
    document = json.loads(json.dumps(encode_document(DOCTOR, examination)))
    check(document)
    assert document["ok"] is False
    daemon = next(each for each in document["checks"] if each["id"] == "cron.daemon")
    assert (daemon["group"], daemon["status"], daemon["fix"]) == ("cron", "fail", "sudo systemctl enable --now cron")
