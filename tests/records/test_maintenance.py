"""Backup, restore and check, as functions and as commands."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import jsonschema
import pytest
import typer
from typer.testing import CliRunner, Result

from spy32.cli import AnsweringCommand
from spy32.commands import audit, db
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, CannotCreate, Refused, Spy32Error, StoreError, Unavailable
from spy32.records import maintenance
from spy32.records.connection import check_header
from spy32.schema import MIGRATIONS, VERSION
from spy32.settings.paths import locations
from spy32.wiring import PAPER_ACCOUNT, App
from tests.support.builders import ACCOUNT, NOW, later
from tests.support.stores import audit_events, begun, filled, opened, whole_run


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "paper.db"
    with opened(path) as store:
        whole_run(store)
        filled(store)
    return path


def backed_up(path: Path) -> Path:
    with opened(path) as store:
        return store.backup.create(maintenance.backup_path(path, NOW))


def spoil(path: Path) -> None:
    path.write_bytes(b"\xa5" * 20_000)


# Backup.


def test_a_backup_is_one_private_file_that_opens_by_itself(made: Path) -> None:
    backup = backed_up(made)
    assert backup == made.parent / "backups" / "paper-20251006T140000Z.db"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in backup.parent.iterdir()] == [backup.name]
    with opened(backup, read_only=True) as copy, opened(made, read_only=True) as store:
        assert copy.audit.verify() == store.audit.verify()
        assert copy.history.summaries() == store.history.summaries()


@pytest.mark.slow
def test_a_backup_holds_what_is_still_in_the_log(made: Path) -> None:
    with opened(made) as store, opened(made) as other:
        run = begun(other)
        backup = store.backup.create(made.parent / "copy.db")
    with opened(backup, read_only=True) as copy:
        assert copy.runs.get(run.id) == run


def test_backups_of_one_second_get_different_names(made: Path) -> None:
    names = [backed_up(made).name for _ in range(3)]
    assert names == ["paper-20251006T140000Z.db", "paper-20251006T140000Z-2.db", "paper-20251006T140000Z-3.db"]
    assert maintenance.last_good_backup(made) is not None


def test_a_backup_never_overwrites(made: Path) -> None:
    target = made.parent / "precious.txt"
    target.write_text("mine")
    with opened(made) as store, pytest.raises(CannotCreate, match="never overwritten"):
        store.backup.create(target)
    assert target.read_text() == "mine"


def test_a_backup_that_loses_the_race_for_its_name_overwrites_nothing(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = made.parent / "copy.db"
    fill = maintenance._fill_backup

    def slow(*args: object) -> None:
        fill(*args)  # type: ignore[arg-type]
        target.write_text("theirs")

    monkeypatch.setattr(maintenance, "_fill_backup", slow)
    with opened(made) as store, pytest.raises(CannotCreate, match="never overwritten"):
        store.backup.create(target)
    assert target.read_text() == "theirs"
    assert sorted(file.name for file in made.parent.glob(".*")) == []


def test_a_backup_into_nowhere_is_73(made: Path) -> None:
    with opened(made) as store, pytest.raises(CannotCreate):
        store.backup.create(made / "below-a-file" / "copy.db")


def test_a_copy_that_is_not_sound_is_not_kept(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "integrity_faults", lambda _: ("page 3 is odd",))
    with opened(made) as store, pytest.raises(StoreError, match="page 3 is odd"):
        store.backup.create(made.parent / "copy.db")
    assert not list(made.parent.glob("*copy*"))


def test_a_plain_copy_without_its_log_lacks_rows_and_a_backup_does_not(made: Path, tmp_path: Path) -> None:
    with opened(made) as store:
        run = begun(store)
        shutil.copy(made, tmp_path / "paper.db")
        backup = store.backup.create(tmp_path / "backup.db")
    with opened(tmp_path / "paper.db", read_only=True) as copied, pytest.raises(BadUsage):
        copied.runs.get(run.id)
    with opened(backup, read_only=True) as copied:
        assert copied.runs.get(run.id) == run


# Restore.


def test_a_backup_takes_the_place_of_a_damaged_store_which_is_kept(made: Path) -> None:
    backup = backed_up(made)
    spoil(made)
    aside = maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60))
    assert aside is not None
    assert aside.read_bytes() == b"\xa5" * 20_000
    with opened(made) as store:
        assert store.integrity.check() == ()
        *_, last = audit_events(store)
        assert (last.kind, last.at) == ("restored", later(60).isoformat())
        assert json.loads(last.data)["backup"] == backup.name
        assert begun(store).id == 3


def test_an_old_log_goes_aside_with_its_store(made: Path) -> None:
    backup = backed_up(made)
    wal = made.with_name("paper.db-wal")
    wal.write_bytes(b"old frames")
    spoil(made)
    aside = maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60))
    assert aside is not None
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"old frames"
    assert not wal.exists() or wal.stat().st_size == 0
    with opened(made) as store:
        assert store.integrity.check() == ()


def test_a_lost_store_is_restored_with_its_marker(made: Path, tmp_path: Path) -> None:
    backup = backed_up(made)
    elsewhere = tmp_path / "other" / "paper.db"
    assert maintenance.restore(backup, elsewhere, mode=Mode.PAPER, at=NOW) is None
    assert (tmp_path / "other" / "paper.db.stamp").exists()
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    with opened(elsewhere) as store:
        assert store.integrity.check() == ()


def test_what_was_moved_aside_before_is_never_overwritten(made: Path) -> None:
    backup = backed_up(made)
    places = []
    for _ in range(3):
        spoil(made)
        places.append(maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60)))
    assert [place.name for place in places if place] == [f"paper.db.damaged-{n}" for n in (1, 2, 3)]


def test_a_damaged_backup_changes_nothing(made: Path) -> None:
    backup = backed_up(made)
    with backup.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 9000)
    before = made.read_bytes()
    with pytest.raises(StoreError, match="nothing was changed"):
        maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60))
    assert made.read_bytes() == before


def test_an_edited_backup_changes_nothing(made: Path) -> None:
    backup = backed_up(made)
    with closing(sqlite3.connect(backup)) as edit:
        edit.execute("update run set cause = 'mine'")
        edit.commit()
    with pytest.raises(StoreError, match=r"nothing was changed, since .* was edited: row 1 of run"):
        maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60))
    assert maintenance.last_good_backup(made) is None


def test_a_backup_without_an_owner_changes_nothing(made: Path) -> None:
    backup = backed_up(made)
    with closing(sqlite3.connect(backup)) as edit:
        edit.execute("drop trigger stamp_no_delete")
        edit.execute("delete from stamp")
        edit.commit()
    with pytest.raises(StoreError, match="whose it is"):
        maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60))


def test_a_backup_of_another_mode_is_78(made: Path) -> None:
    backup = backed_up(made)
    with pytest.raises(BadSettings, match="mode paper"):
        maintenance.restore(backup, made.with_name("live.db"), mode=Mode.LIVE, at=later(60))
    assert not made.with_name("live.db").exists()


def test_a_backup_that_is_not_there_is_2(made: Path) -> None:
    with pytest.raises(BadUsage, match="no file"):
        maintenance.restore(made.parent / "none.db", made, mode=Mode.PAPER, at=later(60))


def test_a_store_that_is_being_written_to_is_not_replaced(made: Path) -> None:
    backup = backed_up(made)
    with opened(made) as store, store.core.write_transaction(NOW, "busy") as change:
        change.insert("flag", name="a", value="b", at=change.at)
        with pytest.raises(Unavailable):
            maintenance.restore(backup, made, mode=Mode.PAPER, at=later(60))
    with opened(made) as store:
        assert store.flags.get("a") is not None


# Check.


def test_a_sound_store_has_no_problems(made: Path) -> None:
    with opened(made, read_only=True) as store:
        assert store.integrity.check() == ()
    assert maintenance.is_sound(made)


def test_a_broken_reference_is_a_problem(made: Path) -> None:
    with closing(sqlite3.connect(made)) as edit:
        edit.execute("insert into notice (run_id, subject, body, created_at) values (99, '', '', '')")
        edit.commit()
    with opened(made) as store:
        problems = store.integrity.check()
    assert any("notice points to a row of run that is not there" in problem for problem in problems)
    assert any("put in by hand" in problem for problem in problems)
    assert not maintenance.is_sound(made)


def test_an_unexpected_version_is_a_problem(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "VERSION", VERSION + 1)
    with opened(made) as store:
        assert store.integrity.check() == (f"version {VERSION}, {VERSION + 1} was expected",)


def test_an_older_backup_is_good_enough_to_restore(made: Path) -> None:
    backup = backed_up(made)
    check_header(backup, len(MIGRATIONS))
    assert maintenance.last_good_backup(made) == backup


# The commands.

runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    with opened(folder / "paper.db", account=PAPER_ACCOUNT) as store:
        begun(store)
    return folder


def run(home: Path, *words: str) -> Result:
    """The commands with the real wiring, in a home of their own."""
    app = typer.Typer()
    env = {"SPY32_HOME": str(home), "SPY32_CLOCK": "2025-10-06T14:00:00+00:00"}

    @app.callback()
    def root(ctx: typer.Context, mode: Annotated[str, typer.Option()] = "paper") -> None:
        ctx.obj = App(flags={"mode": mode}, env=env, locations=locations(env, None))
        ctx.call_on_close(ctx.obj.close)

    app.command(cls=AnsweringCommand)(db.check)
    app.command(cls=AnsweringCommand)(db.backup)
    app.command(cls=AnsweringCommand)(db.restore)
    app.command(cls=AnsweringCommand)(audit.verify)
    return runner.invoke(app, list(words))


def refusal(result: Result) -> Spy32Error:
    assert isinstance(result.exception, Spy32Error), result.output
    return result.exception


def test_db_check_of_a_sound_store_ends_0(home: Path) -> None:
    plain, document = run(home, "check"), run(home, "check", "--json")
    assert (plain.exit_code, plain.stdout) == (0, f"{home / 'paper.db'}: no problem found\n")
    assert json.loads(document.stdout) == {
        "schema": "spy32.db",
        "version": 1,
        "action": "check",
        "database": str(home / "paper.db"),
        "problems": [],
        "backup": None,
        "moved": None,
        "home": None,
    }


def test_db_check_ends_74_with_the_problems(home: Path) -> None:
    with closing(sqlite3.connect(home / "paper.db")) as edit:
        edit.execute("update run set cause = 'mine'")
        edit.commit()
    plain, document = run(home, "check"), run(home, "check", "--json")
    assert (plain.exit_code, plain.stdout) == (74, "problem: row 1 of run was changed by hand\n")
    assert "row 1 of run was changed by hand" in plain.stderr
    assert document.exit_code == 74
    assert json.loads(document.stdout)["problems"] == ["row 1 of run was changed by hand"]


def test_db_check_of_a_damaged_store_ends_74(home: Path) -> None:
    spoil(home / "paper.db")
    assert refusal(run(home, "check")).code == 74


def test_db_backup_takes_a_dated_name_or_the_one_that_is_given(home: Path, tmp_path: Path) -> None:
    dated = json.loads(run(home, "backup", "--json").stdout)["backup"]
    assert Path(dated).parent == home / "backups"
    assert Path(dated).name.startswith("paper-20251006T1400")
    given = run(home, "backup", str(tmp_path / "mine.db"))
    assert (given.exit_code, given.stdout) == (0, f"backup: {tmp_path / 'mine.db'}\n")
    assert maintenance.is_sound(tmp_path / "mine.db")
    assert refusal(run(home, "backup", str(tmp_path / "mine.db"))).code == 73


def test_db_restore_asks_nothing_when_the_store_is_damaged(home: Path) -> None:
    backup = json.loads(run(home, "backup", "--json").stdout)["backup"]
    spoil(home / "paper.db")
    done = run(home, "restore", backup)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"restored: {home / 'paper.db'} from {backup}",
        f"moved aside: {home / 'paper.db.damaged-1'}",
    ]
    (home / "paper.db").unlink()
    document = json.loads(run(home, "restore", backup, "--json").stdout)
    assert (document["action"], document["backup"]) == ("restore", backup)
    assert run(home, "check").exit_code == 0


def test_db_restore_refuses_to_replace_a_healthy_store_unless_forced(home: Path) -> None:
    backup = json.loads(run(home, "backup", "--json").stdout)["backup"]
    with opened(home / "paper.db", account=PAPER_ACCOUNT) as store:
        begun(store)
    no = refusal(run(home, "restore", backup))
    assert isinstance(no, Refused)
    assert "--force" in no.message
    assert run(home, "restore", backup, "--force").exit_code == 0
    with opened(home / "paper.db.damaged-1", account=None, read_only=True) as store:
        assert len(store.history.summaries()) == 2
    with opened(home / "paper.db", account=None, read_only=True) as store:
        assert len(store.history.summaries()) == 1


def test_db_restore_of_another_mode_is_78(home: Path) -> None:
    backup = json.loads(run(home, "backup", "--json").stdout)["backup"]
    assert refusal(run(home, "--mode", "live", "restore", backup)).code == 78


def test_db_without_any_store_is_2(tmp_path: Path) -> None:
    for command in ("check", "backup", "verify"):
        assert refusal(run(tmp_path / "none", command)).code == 2


def test_audit_verify_prints_head_and_count(home: Path) -> None:
    with opened(home / "paper.db", account=None, read_only=True) as store:
        report = store.audit.verify()
    plain, document = run(home, "verify"), run(home, "verify", "--json")
    assert (plain.exit_code, plain.stdout) == (0, f"chain intact: {report.events} events\nhead: {report.head}\n")
    assert json.loads(document.stdout) == {
        "schema": "spy32.audit",
        "version": 1,
        "head": report.head,
        "events": report.events,
        "broken": None,
    }


def test_audit_verify_ends_74_naming_the_first_edited_row(home: Path) -> None:
    with closing(sqlite3.connect(home / "paper.db")) as edit:
        edit.execute("update run set cause = 'mine'")
        edit.commit()
    plain, document = run(home, "verify"), run(home, "verify", "--json")
    assert plain.exit_code == document.exit_code == 74
    assert plain.stdout.startswith("NOT intact: ")
    assert "row 1 of run was changed by hand" in plain.stderr
    assert json.loads(document.stdout)["broken"] == "row 1 of run was changed by hand"


def test_audit_verify_sees_a_head_that_the_history_does_not_hold(home: Path) -> None:
    assert run(home, "verify", "--head", "f" * 64).exit_code == 74
    with opened(home / "paper.db", account=None, read_only=True) as store:
        assert run(home, "verify", "--head", store.audit.head()).exit_code == 0


@pytest.mark.parametrize("command", ["check", "backup", "verify"])
def test_the_documents_fit_their_schemas(home: Path, command: str) -> None:
    document = json.loads(run(home, command, "--json").stdout)
    schema = Path(db.__file__).parents[1] / "data" / "schemas" / f"{document['schema']}.json"
    jsonschema.validate(document, json.loads(schema.read_text()))


def test_the_commands_of_the_builders_account_are_of_their_own(made: Path) -> None:
    assert ACCOUNT != PAPER_ACCOUNT
    assert made.exists()
