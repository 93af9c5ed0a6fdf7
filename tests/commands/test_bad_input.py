"""Bad input at every command: one clear line, the right exit code, nothing lost, no traceback."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.locks import locks_in
from tests.support.paths import DATA
from tests.support.program import ANALYZE, one_line, spy32

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one proposed run."""
    home = tmp_path_factory.mktemp("template")
    assert spy32(home, *ANALYZE).returncode == 0
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.mark.parametrize(
    "words",
    [
        ("show", "R99"), ("show", "P99"), ("show", "T99"), ("show", "X1"), ("approve", "P99", "--yes"),
        ("execute", "P99"), ("cancel", "P99"), ("replay", "R99"), ("replay", "P"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_unknown_id_is_a_usage_error(home: Path, words: tuple[str, ...]) -> None:
    one_line(spy32(home, *words), 2)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "--nonsense"), ("analyze", "--dte", "soon"), ("analyze", "--dte", "33"), ("nonsense",),
        ("show", "--limit", "many"), ("execute", "--live"), ("execute", "--confirm", "1:SPY:1"),
        ("analyze", "--scheduled", "--force"), ("--home", "", "show"), ("approve", "--yes", "--decline"),
        ("analyze", "--market", "moon"), ("analyze", "--analyst", "oracle"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_words_are_a_usage_error(home: Path, words: tuple[str, ...]) -> None:
    one_line(spy32(home, *words), 2)


def test_errors_are_a_document_when_json_was_asked_for(home: Path) -> None:
    done = spy32(home, "show", "R99", "--json")
    error = json.loads(done.stdout)
    assert (error["schema"], error["code"]) == ("spy32.error", 2)
    assert error["message"] in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(("execute",), 10), (("execute", "P1"), 10), (("cancel", "P1"), 10)],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_acting_on_what_nobody_approved_is_refused(home: Path, words: tuple[str, ...], code: int) -> None:
    one_line(spy32(home, *words), code)


def test_no_terminal_and_no_flag_approves_nothing(home: Path) -> None:
    one_line(spy32(home, "approve"), 2, "--yes")


def test_an_empty_home_says_what_to_type(tmp_path: Path) -> None:
    one_line(spy32(tmp_path / "none", "show"), 2, "spy32 analyze")


def test_the_history_of_an_empty_home_is_an_empty_list(tmp_path: Path) -> None:
    done = spy32(tmp_path / "none", "show", "--history", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"schema": "spy32.history", "version": 1, "runs": []}
    one_line(spy32(tmp_path / "none", "show", "--history"), 2, "spy32 analyze")


# Settings.


def test_an_unknown_setting_is_refused_with_the_nearest_and_its_place(home: Path) -> None:
    (home / "config.toml").write_text("[limits]\n\nmax_los = 0.01\n")
    one_line(spy32(home, "show"), 78, "max_loss", "config.toml:3")


def test_an_unknown_variable_is_refused(home: Path) -> None:
    one_line(spy32(home, "status", env={"SPY32_MODEE": "paper"}), 78, "SPY32_MODE")


# Databases.


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def damaged(path: Path) -> None:
    sqlite3.connect(path).execute("pragma wal_checkpoint(truncate)")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)


def deleted(path: Path) -> None:
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def newer(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 999")
    db.close()


def foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("pragma application_id = 77")
    db.close()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(emptied, 74), (damaged, 74), (deleted, 74), (newer, 78), (foreign, 78)],
    ids=lambda f: getattr(f, "__name__", str(f)),
)
@pytest.mark.parametrize("words", [("show",), ANALYZE, ("approve", "--yes"), ("execute",)], ids=lambda words: words[0])
def test_a_database_that_cannot_be_trusted_is_refused_untouched(
    home: Path, spoil: Callable[[Path], None], code: int, words: tuple[str, ...]
) -> None:
    spoil(home / "paper.db")
    before = (home / "paper.db").read_bytes() if (home / "paper.db").exists() else None
    one_line(spy32(home, *words), code)
    after = (home / "paper.db").read_bytes() if (home / "paper.db").exists() else None
    assert before == after


def test_a_database_of_another_mode_is_refused(home: Path) -> None:
    shutil.copy(home / "paper.db", home / "live.db")
    one_line(spy32(home, "--mode", "live", "show"), 78, "paper")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_still_shows(home: Path) -> None:
    home.chmod(0o500)
    try:
        assert spy32(home, "show").returncode == 0
        assert spy32(home, *ANALYZE).returncode in (73, 74)
    finally:
        home.chmod(0o700)


# Chains.


def test_a_missing_chain_file_is_65_and_leaves_a_row(home: Path) -> None:
    one_line(
        spy32(home, "analyze", "--market", "recorded:/nowhere/chain.csv", "--analyst", "rules"),
        65,
        "/nowhere/chain.csv",
    )
    history = json.loads(spy32(home, "show", "--history", "--json").stdout)
    assert history["runs"][0]["outcome"] == "failed"


@pytest.mark.parametrize("name", ["SPY_2025-05-07", "SPY_2025-05-16"])
def test_a_chain_without_a_near_expiration_is_65(tmp_path: Path, name: str) -> None:
    done = spy32(tmp_path, "analyze", "--market", f"recorded:{DATA / 'chains' / name}.csv.gz", "--analyst", "rules")
    one_line(done, 65, "no expiration within 3 days of 32")


def test_a_chain_of_another_underlying_is_65(tmp_path: Path) -> None:
    done = spy32(
        tmp_path, "analyze", "--market", f"recorded:{DATA / 'chains' / 'SPX_2020-03-20'}.csv.gz", "--analyst", "rules"
    )
    one_line(done, 65, "SPX")


HEADER = (
    "quote_datetime,underlying,underlying_price,spot_parity,root,expiration,strike,option_type,"
    "bid,ask,last,volume,open_interest,iv,delta,gamma,theta,vega"
)


def shipped_rows() -> list[list[str]]:
    import gzip
    from importlib.resources import files

    packed = (files("spy32") / "data" / "SPY_2025-08-29.csv.gz").read_bytes()
    return [line.split(",") for line in gzip.decompress(packed).decode().splitlines()]


def zeroed(row: list[str]) -> list[str]:
    return [*row[:8], "0.0", "0.0", *row[10:]]


def crossed(row: list[str]) -> list[str]:
    return [*row[:8], row[9], row[8], *row[10:]]


def holiday(row: list[str]) -> list[str]:
    return ["2025-09-01T18:50:00-04:00", *row[1:]]


def stale_spot(row: list[str]) -> list[str]:
    return [*row[:2], "655.00", *row[3:]]


def mini(row: list[str]) -> list[str]:
    return [*row[:4], "SPY7", *row[5:]]


@pytest.mark.parametrize("spoil", [zeroed, crossed, holiday, stale_spot, mini], ids=lambda f: f.__name__)
def test_a_dirty_chain_ends_with_its_gate_and_no_traceback(
    tmp_path: Path, spoil: Callable[[list[str]], list[str]]
) -> None:
    header, *rows = shipped_rows()
    path = tmp_path / "dirty.csv"
    path.write_text("\n".join(",".join(row) for row in [header, *map(spoil, rows)]) + "\n")
    done = spy32(tmp_path / "home", "analyze", "--market", f"recorded:{path}", "--analyst", "rules", "--json")
    document = json.loads(done.stdout)
    assert document["run"]["outcome"] in ("failed", "no_trade")
    assert document["run"]["reasons"]
    assert done.returncode in (0, 65)
    assert document["proposal"] is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "chain"), (HEADER + "\n", ""), ("a,b\n1,2\n", "quote_datetime"), ("\x00\x01", "chain"),
        (HEADER.replace(",bid", "") + "\n1,2\n", "bid"),
    ],
    ids=["empty", "header only", "other columns", "binary", "no bid"],
)  # fmt: skip
def test_a_file_that_is_no_chain_is_65(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    one_line(spy32(tmp_path / "home", "analyze", "--market", f"recorded:{path}", "--analyst", "rules"), 65, word)


def test_a_lock_that_another_process_holds_is_75_and_names_it(home: Path) -> None:
    with locks_in(home).hold("analyze"):
        done = spy32(home, *ANALYZE, env={"SPY32_SCHEDULE_LOCK_WAIT_SECONDS": "0"})
    one_line(done, 75)


def test_a_closed_pipe_ends_quietly(home: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m spy32 show --candidates | head -1",
        shell=True,
        env={"PATH": "/usr/bin:/bin", "SPY32_HOME": str(home), "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ("show",), ("show", "--json"), ("show", "--quality"), ("show", "--history"), ("positions",), ("status",),
        ("market", "--market", "recorded"), ("market", "--market", "recorded", "--json"), ("prompts", "list"),
        ("config", "show"), ANALYZE, (*ANALYZE, "--json"), ("approve", "--yes"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_answer_that_cannot_be_written_is_74(home: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = spy32(home, *words, stdout=full)
    assert done.returncode == 74, done.stderr
    assert done.stderr.splitlines()[-1] == "spy32: the answer cannot be written: No space left on device"


@pytest.mark.parametrize("stream", ["full disk", "closed pipe"])
def test_progress_that_nobody_can_read_stops_no_order(home: Path, stream: str) -> None:
    assert spy32(home, "approve", "--yes").returncode == 0
    if stream == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    try:
        done = spy32(home, "-v", "execute", stderr=writer)
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert "T1" in done.stdout
    assert json.loads(spy32(home, "show", "P1", "--json").stdout)["proposal"]["state"] == "done"


def test_a_full_disk_is_74_and_loses_nothing(home: Path) -> None:
    before = spy32(home, "show", "--history", "--json").stdout
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from spy32.cli import app; app(sys.argv[1:])"
    )
    env = {"PATH": "/usr/bin:/bin", "SPY32_HOME": str(home), "HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", script, *ANALYZE], env=env, capture_output=True, text=True)
    assert done.returncode in (73, 74), done.stderr
    assert "Traceback" not in done.stderr
    assert spy32(home, "db", "check").returncode == 0
    assert spy32(home, "show", "R1", "--json").returncode == 0
    assert json.loads(before)["runs"][0]["id"] == "R1"


def test_a_halt_link_that_leads_nowhere_stops_execute(home: Path) -> None:
    assert spy32(home, "approve", "--yes").returncode == 0
    (home / "halt").symlink_to("nowhere")
    one_line(spy32(home, "execute"), 77, "halted", "leads nowhere")
    (home / "halt").unlink()
    assert spy32(home, "execute").returncode == 0


CLOSED = {"saturday": "2026-11-28T20:00:00Z", "holiday": "2026-11-26T16:00:00Z", "new year": "2027-01-01T04:59:00Z"}


@pytest.mark.parametrize("clock", CLOSED.values(), ids=CLOSED)
def test_a_file_that_a_person_names_is_judged_first_on_any_day(clock: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("a,b,c\n1,2,3\n")
    for name, words in (
        (tmp_path / "none.csv", ("none.csv",)),
        (foreign, ("quote_datetime",)),
        (tmp_path, (str(tmp_path),)),
    ):
        done = spy32(tmp_path, "analyze", "--market", f"recorded:{name}", env={"SPY32_CLOCK": clock})
        one_line(done, 65, *words)


def test_a_weekend_is_closed_and_no_holiday(tmp_path: Path) -> None:
    done = spy32(tmp_path, "analyze", "--analyst", "rules", "--json", env={"SPY32_CLOCK": CLOSED["saturday"]})
    run = json.loads(done.stdout)["run"]
    assert (done.returncode, run["outcome"], run["cause"]) == (0, "skipped", "closed")
