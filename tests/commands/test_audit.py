"""`audit export` and `audit verify FILE`, as a person types them."""

import json
from pathlib import Path

import pytest

from tests.support.audit_files import lived_history
from tests.support.forked import Ending, run_forked
from tests.support.schemas import check


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    lived_history(home / "paper.db").close()
    return home


def answer(home: Path, code: int, *words: str) -> Ending:
    done = run_forked(home, "audit", *words)
    assert done.code == code, done
    return done


def test_a_trade_is_exported_and_verified_where_there_is_no_home(home: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "t1.json.gz")
    made = answer(home, 0, "export", file, "--trade", "T1")
    assert f"file: {file}\nholds: T1, mode paper: 34 rows\n" in made.out
    assert "private: the account number" in made.out
    nowhere = tmp_path / "nowhere"
    seen = answer(nowhere, 0, "verify", file)
    assert "\nwhole: every row is as events " in seen.out
    assert "\ncannot show: what was before event " in seen.out
    assert not (nowhere / "paper.db").exists()
    head = json.loads(answer(home, 0, "verify", "--json").out)["head"]
    assert f"\nhead: {head}\n" in seen.out
    answer(nowhere, 0, "verify", file, "--head", head)
    assert "is not in it" in answer(nowhere, 74, "verify", file, "--head", "f" * 64).err


@pytest.mark.parametrize("part", [("--run", "R2"), ("--since", "2025-01-01"), ()])
def test_the_documents_fit_their_schemas(home: Path, tmp_path: Path, part: tuple[str, ...]) -> None:
    file = tmp_path / "part.json"
    made = json.loads(answer(home, 0, "export", str(file), *part, "--json").out)
    seen = json.loads(answer(home, 0, "verify", str(file), "--json").out)
    assert made == seen
    assert made["schema"] == "spy32.audit_file"
    check(made)
    check(json.loads(file.read_text()))


def test_an_edited_file_ends_74_with_what_was_done_to_it_and_no_escape_reaches_the_terminal(
    home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "t1.json"
    answer(home, 0, "export", str(file), "--trade", "T1")
    document = json.loads(file.read_text())
    document["rows"]["fill"].pop(0)
    document["rows"]["trade"][0]["result_e4"] = 1
    document["rows"]["\x1b[2J"] = [{"id": 7}]
    file.write_text(json.dumps(document))
    seen = answer(home, 74, "verify", str(file))
    assert {"fault: row 1 of trade was changed", "fault: row 1 of fill is missing"} <= {*seen.out.splitlines()}
    assert "\x1b" not in seen.out + seen.err
    assert seen.err.endswith("was edited or is damaged: row 1 of trade was changed (3 faults in all)\n")
    told = json.loads(answer(home, 74, "verify", str(file), "--json").out)
    assert len(told["faults"]) == 3


def test_bad_words_and_bad_files_have_their_codes(home: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "x.json")
    answer(home, 2, "export", file, "--trade", "T9")
    answer(home, 2, "export", file, "--run", "nine")
    answer(home, 2, "export", file, "--since", "yesterday")
    answer(home, 2, "export", file, "--trade", "T1", "--run", "R1")
    answer(tmp_path / "nowhere", 2, "export", file)
    answer(home, 2, "verify", file)
    assert not Path(file).exists()
    answer(home, 0, "export", file)
    before = Path(file).read_bytes()
    assert "is there already" in answer(home, 73, "export", file).err
    assert Path(file).read_bytes() == before
    answer(home, 73, "export", f"{file}/below.json")
    Path(file).write_bytes(before[:-100])
    answer(home, 74, "verify", file)
    Path(file).write_text('{"schema": "spy32.audit_export", "version": 9}')
    answer(home, 78, "verify", file)


def test_an_export_leaves_the_database_as_it_was(home: Path, tmp_path: Path) -> None:
    before = answer(home, 0, "verify").out
    answer(home, 0, "export", str(tmp_path / "all.json"))
    assert answer(home, 0, "verify").out == before
