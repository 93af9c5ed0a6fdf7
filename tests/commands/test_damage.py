"""A damaged store: every command ends 74, says what is hurt and the way back, and status is not silent about it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.push import PushServer
from tests.servers.web import status
from tests.support.forked import run_forked
from tests.support.program import ANALYZE, one_line, spy32

pytestmark = pytest.mark.slow

GOOD = "backups/paper-20260101T000000Z.db"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an approved proposal, a good backup, and a newer backup that is damaged."""
    home = tmp_path_factory.mktemp("damage") / "home"
    assert spy32(home, *ANALYZE).returncode == 0
    assert spy32(home, "approve", "--yes").returncode == 0
    assert spy32(home, "db", "backup", str(home / GOOD)).returncode == 0
    newer = shutil.copy(home / GOOD, home / "backups" / "paper-20270101T000000Z.db")
    spoil_text(Path(newer), "run", "profile")
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


def spoil_text(path: Path, table: str, column: str) -> None:
    """One byte of a text becomes one that is never part of UTF-8."""
    _edit(path, table, column, lambda text: b"\xff" + text[1:])


def spoil_word(path: Path, table: str, column: str) -> None:
    """One letter of it becomes another one."""
    _edit(path, table, column, lambda text: b"~" + text[1:])


def _edit(path: Path, table: str, column: str, change: Callable[[bytes], bytes]) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma foreign_keys = off")
        for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            trigger = db.execute("select sql from sqlite_master where name = ?", (name,)).fetchone()[0]
            db.execute(f"drop trigger {name}")
            db.execute("create temp table if not exists guard (sql text)")
            db.execute("insert into guard values (?)", (trigger,))
        text = db.execute(f"select cast({column} as blob) from {table} where {column} is not null").fetchone()[0]
        row = db.execute(f"select id from {table} where {column} is not null").fetchone()[0]
        db.execute(f"update {table} set {column} = cast(? as text) where id = ?", (change(text), row))
        for (sql,) in db.execute("select sql from guard").fetchall():
            db.execute(sql)
        db.commit()


PLACES = [
    ("run", "outcome"), ("run", "started_at"), ("run", "reasons"), ("run", "profile"), ("run", "started_by"),
    ("step", "state"), ("step", "detail"), ("snapshot", "line"), ("snapshot", "quality"), ("snapshot", "deciding"),
    ("menu", "body"), ("candidate", "body"), ("answer", "body"), ("proposal", "body"), ("proposal", "state"),
    ("proposal", "hash"), ("approval", "body"), ("approval", "at"), ("event", "at"), ("event", "data"),
    ("stamp", "mode"), ("stamp", "created_at"), ("stamp", "account"),
]  # fmt: skip
COMMANDS = (("show",), ("show", "--history"), ("execute",), ANALYZE)


@pytest.mark.parametrize("spoil", [spoil_text, spoil_word])
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_changed_byte_is_seen_and_never_a_defect(
    home: Path, place: tuple[str, str], spoil: Callable[[Path, str, str], None]
) -> None:
    spoil(home / "paper.db", *place)
    for words in (("db", "check"), ("audit", "verify")):
        done = run_forked(home, *words)
        assert done.code == 74, (words, done)
        assert any(word in done.out + done.err for word in (place[0], "event", f"column '{place[1]}'"))
        assert str(home / GOOD) in done.err
    done = run_forked(home, "status", "--check")
    assert done.code == 20, done
    assert str(home / GOOD) in done.err
    for words in COMMANDS:
        done = run_forked(home, *words)
        assert done.is_answer, (words, done)
        if words == ANALYZE or (done.code and done.code not in (10,)):
            assert done.code == 74, (words, done)
            assert str(home / GOOD) in done.err


def test_every_command_on_a_text_that_is_none_says_what_is_hurt_and_the_way_back(home: Path) -> None:
    spoil_text(home / "paper.db", "run", "reasons")
    for words in (("show",), ANALYZE):
        one_line(spy32(home, *words), 74, "paper.db is damaged", f"last good backup: {home / GOOD}")
    done = spy32(home, "status")
    assert done.returncode in (0, 74)
    assert "damaged" in done.stdout + done.stderr
    done = spy32(home, "db", "check")
    assert (done.returncode, done.stdout) == (74, "problem: row 1 of run was changed by hand\n")
    assert spy32(home, "db", "restore", str(home / GOOD)).returncode == 0
    assert spy32(home, "db", "check").returncode == 0


@pytest.mark.parametrize("words", [("show",), ("db", "check"), ("audit", "verify"), ("execute",), ("status",), ANALYZE])
def test_an_emptied_database_beside_a_damaged_backup_alone_is_74(home: Path, words: tuple[str, ...]) -> None:
    (home / GOOD).unlink()
    (home / "paper.db").write_bytes(b"")
    one_line(spy32(home, *words), 74, "the file is empty", "there is no good backup")


@pytest.mark.parametrize(
    "words", [("analyze", "--scheduled", "-q"), ("manage", "--scheduled", "-q"), ("execute",)], ids=" ".join
)
def test_a_database_that_cannot_be_opened_is_told_once_a_day_past_the_outbox(
    home: Path, words: tuple[str, ...]
) -> None:
    push = PushServer()
    secret = "PLANTEDmarker0123456789"
    with push.running():
        env = {"SPY32_NOTIFY_ADDRESSES": f"a={push.webhook}?+X-Key={secret},b/trade={push.webhook}"}
        env |= {"SPY32_PING_URL": push.ping}
        database = home / "paper.db"
        database.write_bytes(b"no database at all" * 1000)
        for moment in ("2025-10-06T14:05:00Z", "2025-10-06T14:20:00Z", "2025-10-07T14:05:00Z"):
            one_line(spy32(home, *words, env=env | {"SPY32_CLOCK": moment}), 74, "damaged")
    assert push.titles() == ["[PAPER] the database cannot be used"] * 2
    assert [request.path for request in push.requests].count("/ping/5f0c/fail") == 2
    assert not any(secret in request.body.decode() for request in push.requests)


def test_an_address_that_does_not_take_the_trouble_gets_it_with_the_next_start(home: Path) -> None:
    push = PushServer()
    (home / "paper.db").write_bytes(b"no database at all" * 1000)
    with push.running():
        env = {"SPY32_NOTIFY_ADDRESSES": f"a={push.webhook}", "SPY32_CLOCK": "2025-10-06T14:05:00Z"}
        push.always["/"] = status(500)
        one_line(spy32(home, "manage", "--scheduled", "-q", env=env), 74, "damaged")
        push.always.clear()
        one_line(spy32(home, "manage", "--scheduled", "-q", env=env), 74, "damaged")
        one_line(spy32(home, "manage", "--scheduled", "-q", env=env), 74, "damaged")
    assert push.titles() == ["[PAPER] the database cannot be used"] * 2


def test_a_damaged_backup_is_not_restored_and_says_why(home: Path) -> None:
    one_line(
        spy32(home, "db", "restore", "--force", str(home / "backups" / "paper-20270101T000000Z.db")),
        74,
        "nothing was changed",
        "row 1 of run",
    )


@pytest.mark.parametrize(("old", "new"), [("trade_id", "trade_ie"), ("CREATE TABLE run", "CREATE TABLE rum")])
def test_a_schema_that_is_not_ours_is_damage(home: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(home / "paper.db")) as db:
        db.execute("pragma writable_schema = on")
        db.execute("update sqlite_master set sql = replace(sql, ?, ?)", (old, new))
        db.commit()
    for words in (("show",), ("db", "check")):
        one_line(spy32(home, *words), 74, str(home / GOOD))
    for words in (("execute",), ANALYZE):
        assert spy32(home, *words).returncode == 74


def test_a_defect_of_ours_in_a_sound_home_is_still_called_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr("spy32.records.run_views.RunViews.summaries", fail)
    done = run_forked(home, "show", "--history")
    assert done.code == 70
    assert "a defect in spy32" in done.err
