"""Our block in a crontab of somebody else's making, and `schedule install` and `remove`."""

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spy32.cli import app as spy32_app
from spy32.errors import Refused, StoreError, Unavailable
from spy32.ops.cron import parse_crontab
from spy32.ops.crontab import (
    BEGIN,
    END,
    CrontabEdit,
    install_edit,
    read_crontab,
    removal_edit,
    replace_crontab,
)
from tests.support.builders import NOW
from tests.support.crontab_program import fake_crontab
from tests.support.schemas import check as fits_schema

LINES = ("*/15 * * * * /bin/spy32 analyze --scheduled -q", "20 */3 * * * /bin/spy32 status --check")
OTHERS = ("*/10 * * * * /opt/other/spy32 analyze --scheduled -q",)
FOREIGN = [
    b"",
    b"# mine\nMAILTO=me\n@daily backup\n",
    b"0 1 * * * x",
    b"\n\n",
    b"\r\n0 1 * * * x\r\n",
    "# K\u00e4se\n".encode("latin-1"),
    b"\x00\xff\x1b[2J\n",
    b"#disabled 0 10 * * 1 spy32 analyze\n",
]


def installed(crontab: bytes, lines: tuple[str, ...] = LINES) -> bytes:
    return install_edit(crontab, lines).after


# The text.


@pytest.mark.parametrize("crontab", FOREIGN)
def test_install_install_remove_gives_every_byte_back(crontab: bytes) -> None:
    once = installed(crontab)
    assert once.startswith(crontab)
    assert installed(once) == once
    assert not install_edit(once, LINES).is_change
    assert removal_edit(once, LINES).after == crontab
    assert removal_edit(installed(once, OTHERS), LINES).after == crontab


rows = st.binary(max_size=40).filter(lambda row: row.strip() not in {BEGIN, END} and b"spy32" not in row)


@given(st.lists(rows, max_size=6), st.booleans(), st.lists(rows, max_size=3))
def test_any_crontab_comes_back_whatever_was_added_below(
    above: list[bytes], is_ended: bool, below: list[bytes]
) -> None:
    crontab = b"\n".join(above) + (b"\n" if is_ended else b"")
    once = installed(crontab)
    assert removal_edit(installed(once), LINES).after == crontab
    added = b"".join(row + b"\n" for row in below)
    taken_out = removal_edit(installed(once + added, OTHERS), LINES).after
    assert taken_out == (crontab if not added or crontab.endswith(b"\n") or not crontab else crontab + b"\n") + added


def test_the_block_is_replaced_where_it_stands() -> None:
    crontab = installed(b"# above\n") + b"# below\n"
    new = installed(crontab, OTHERS)
    assert new.startswith(b"# above\n" + BEGIN)
    assert new.endswith(END + b"\n# below\n")
    assert [job.text for job in parse_crontab(new.decode()).jobs] == list(OTHERS)


def test_the_block_sets_no_variable_for_the_lines_below_it() -> None:
    assert b"=" not in installed(b"")


@pytest.mark.parametrize(
    "line",
    [
        "*/15 * * * * spy32 analyze --scheduled -q",
        '*/15 * * * * PATH="$HOME/.local/bin:$PATH" spy32 analyze --scheduled -q',
        "  0 10 * * 1\t/opt/bin/spy32 analyze",
        "0 10 * * 1 cd / && '/my tools/spy32' analyze",
        "0 10 * * 1 python3 -m spy32 analyze",
        "@hourly spy32 status --check",
        "20 * * * * spy32;true",
        "*/15 * * * * spy32 analyze --scheduled --profile default",
    ],
)
def test_a_line_outside_the_block_that_runs_spy32_is_named(line: str) -> None:
    for crontab in (f"# mine\n{line}\n".encode(), installed(b"") + f"{line}\n".encode()):
        number = crontab.decode().splitlines().index(line) + 1
        with pytest.raises(Refused, match=rf"line {number} of the crontab runs spy32 outside") as refusal:
            install_edit(crontab, LINES)
        assert line.strip().split()[-1] in refusal.value.message


@pytest.mark.parametrize(
    "line",
    [
        "# 0 10 * * 1 spy32 analyze",
        "SPY32_HOME=/srv/spy32",
        "0 1 * * * tar cf /b.tar /home/spy32/data",
        "0 1 * * * x > /var/log/spy32.log",
        "0 1 * * * myspy32 x",
        "*/15 * * * * spy32 analyze --scheduled -q --profile qqq",
    ],
)
def test_a_line_that_only_mentions_spy32_may_stay(line: str) -> None:
    assert removal_edit(installed(f"{line}\n".encode()), LINES).after == f"{line}\n".encode()


@pytest.mark.parametrize(
    ("marks", "numbers"),
    [
        ([BEGIN], "1"),
        ([END], "1"),
        ([END, BEGIN], "1, 2"),
        ([BEGIN, BEGIN, END], "1, 2, 3"),
        ([BEGIN, END] * 2, "1, 2"),
    ],
)
def test_marks_that_do_not_pair_are_left_to_a_person(marks: list[bytes], numbers: str) -> None:
    crontab = b"\n".join(marks) + b"\n"
    for edit in (lambda: install_edit(crontab, LINES), lambda: removal_edit(crontab, LINES)):
        with pytest.raises(Refused, match=f"not one pair \\(lines {numbers}"):
            edit()


@pytest.mark.parametrize(
    "options",
    ["", "--home /desk", "--home /desk --mode live", "--mode sandbox", "--home '/my homes/100\\%'"],
)
def test_a_block_of_another_home_or_mode_is_refused_and_named(options: str) -> None:
    def lines_of(words: str) -> tuple[str, ...]:
        return tuple(line.replace("/bin/spy32", f"/bin/spy32 {words}".strip()) for line in LINES)

    crontab, named = installed(b"# mine\n", lines_of(options)), options.replace("\\%", "%")
    assert removal_edit(crontab, lines_of(options)).after == b"# mine\n"
    for edit in (install_edit, removal_edit):
        with pytest.raises(Refused) as refusal:
            edit(crontab, lines_of("--home /other --mode live"))
        assert (f"is of `{named}`;" if named else "is of the default home") in refusal.value.message
        assert f"`{f'spy32 {named}'.strip()} schedule remove`" in refusal.value.message


def test_the_difference_shows_foreign_bytes_without_their_controls() -> None:
    diff = install_edit(b"# \xff \x1b[2J\n", LINES).diff
    assert "\x1b" not in diff
    assert f"+{LINES[0]}\n" in diff
    assert " # \\xff [2J\n" in diff
    assert CrontabEdit(before=b"x", after=b"x").diff == ""
    assert CrontabEdit(before=b"x", after=b"x\n").diff.endswith("-x\n\\ No newline at end of file\n+x\n")


# The program.


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which a program is looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(path: Path) -> None:
    file = fake_crontab(path, b"# new\n")
    with pytest.raises(Unavailable, match="changed meanwhile"):
        replace_crontab(install_edit(b"# old\n", LINES), path / "state", NOW)
    assert file.read_bytes() == b"# new\n"


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"before_write": "echo 'no space left' >&2; exit 1"}, "cannot be written: `crontab` ended 1, no space left"),
        ({"before_write": "/bin/cat > /dev/null; exit 0"}, "is not what was written; `crontab .*` puts back"),
        ({"before_list": "echo 'you are not allowed' >&2; exit 1"}, "cannot be read: `crontab` ended 1, you are not"),
        ({"before_list": "exit 3"}, "cannot be read: `crontab` ended 3$"),
    ],
)
def test_a_crontab_program_that_fails_is_said_and_changes_nothing(
    path: Path, faults: dict[str, str], words: str
) -> None:
    file = fake_crontab(path, b"# mine\n", **faults)
    with pytest.raises(StoreError, match=words):
        replace_crontab(install_edit(b"# mine\n", LINES), path / "state", NOW)
    assert file.read_bytes() == b"# mine\n"


def test_where_a_last_line_needs_its_end_it_keeps_the_one_that_it_got(path: Path) -> None:
    # Debian's crontab refuses such a file; only an edit of the spool by hand makes one.
    kept = path / "stdin"
    refuse = f'/bin/cat > {kept}; if [ -n "$(/usr/bin/tail -c 1 {kept})" ]; then exit 1; fi; exec < {kept}'
    crontab = installed(b"0 1 * * * x")
    file = fake_crontab(path, crontab, before_write=refuse)
    edit = removal_edit(crontab, LINES)
    assert edit.after == b"0 1 * * * x"
    replace_crontab(edit, path / "state", NOW)
    assert file.read_bytes() == b"0 1 * * * x\n"


def test_a_program_that_cannot_be_started_is_said(path: Path) -> None:
    (path / "crontab").touch(mode=0o755)
    with pytest.raises(StoreError, match="`crontab -l` did not work"):
        read_crontab()


# The commands.


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`spy32 schedule WORDS` in a fresh home, with the crontab program of the test."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LOGNAME", "someone")
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/spy32"])
    for name in ("SPY32_HOME", "SPY32_CLOCK", "TZ"):
        monkeypatch.delenv(name, raising=False)
    words = ["--home", str(tmp_path / "home"), "schedule"]
    return lambda *more, **options: CliRunner().invoke(spy32_app, [*words, *more], **options)


def test_install_shows_the_difference_asks_and_keeps_the_crontab_before(invoke: Any, tmp_path: Path) -> None:
    file = fake_crontab(tmp_path, FOREIGN[1])
    done = invoke("install", input="yes\n")
    assert done.exit_code == 0
    lines = parse_crontab(invoke("show").stdout).jobs
    assert all(f"+{job.text}\n" in done.stdout for job in lines)
    assert "change the crontab of someone like this?" in done.stderr
    assert [job.text for job in parse_crontab(file.read_text()).jobs][1:] == [job.text for job in lines]
    (backup,) = (tmp_path / "home").glob("crontab-*")
    assert str(backup) in done.stdout
    assert backup.read_bytes() == FOREIGN[1]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


@pytest.mark.parametrize("crontab", [None, *FOREIGN])
def test_the_commands_leave_the_crontab_as_it_was(invoke: Any, tmp_path: Path, crontab: bytes | None) -> None:
    file = fake_crontab(tmp_path, crontab)
    assert invoke("install", "--yes").exit_code == 0
    once = file.read_bytes()
    again = invoke("install", "--yes")
    assert "has these lines already" in again.stdout
    assert file.read_bytes() == once
    assert invoke("check").exit_code == 0
    assert invoke("remove", "--yes").exit_code == 0
    assert file.read_bytes() == (crontab or b"")
    assert "no such block" in invoke("remove").stdout
    assert len(list((tmp_path / "home").glob("crontab-*"))) == 2


@pytest.mark.parametrize("typed", ["", "no\n", "\n", "yes"])
def test_without_a_yes_nothing_is_changed(invoke: Any, tmp_path: Path, typed: str) -> None:
    file = fake_crontab(tmp_path, b"# mine\n")
    done = invoke("install", input=typed)
    assert done.exit_code == 2
    assert "`schedule install` needs --yes" in done.stderr
    assert file.read_bytes() == b"# mine\n"
    assert not list(tmp_path.glob("home/crontab-*"))


def test_a_line_of_ones_own_is_refused_with_10(invoke: Any, tmp_path: Path) -> None:
    file = fake_crontab(tmp_path, b"0 10 * * 1 spy32 analyze --scheduled\n")
    done = invoke("install", "--yes")
    assert (done.exit_code, file.read_bytes()) == (10, b"0 10 * * 1 spy32 analyze --scheduled\n")
    assert "line 1 of the crontab" in done.stderr


def test_the_block_of_another_home_is_refused_with_10_and_stays(invoke: Any, tmp_path: Path) -> None:
    file = fake_crontab(tmp_path)
    assert invoke("install", "--yes", "--home", str(tmp_path / "other")).exit_code == 0
    before = file.read_bytes()
    for command in ("install", "remove"):
        done = invoke(command, "--yes")
        assert (done.exit_code, file.read_bytes()) == (10, before)
        assert f"is of `--home {tmp_path / 'other'}`" in done.stderr
    assert invoke("remove", "--yes", "--home", str(tmp_path / "other")).exit_code == 0


def test_a_machine_without_crontab_ends_69_and_names_the_other_way(invoke: Any) -> None:
    for command in ("install", "remove"):
        done = invoke(command, "--yes")
        assert done.exit_code == 69
        assert "`schedule show --systemd`" in done.stderr


def test_a_home_that_cannot_be_written_changes_nothing(invoke: Any, tmp_path: Path) -> None:
    file = fake_crontab(tmp_path, b"# mine\n")
    done = invoke("install", "--yes", "--home", "/proc/desk")  # where nobody can make a folder, root neither
    assert done.exit_code == 73
    assert "no backup of the crontab in /proc/desk" in done.stderr
    assert file.read_bytes() == b"# mine\n"


def test_traps_above_the_block_and_settings_of_the_shell_are_said(
    invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_crontab(tmp_path, b'MAILTO=""\n')
    monkeypatch.setenv("SPY32_XAI_MODEL", "grok-4.5")
    said = invoke("install", "--yes").stderr
    assert "line 1: an empty MAILTO= drops every message" in said
    assert "cron does not have this shell's SPY32_XAI_MODEL" in said


def test_install_and_remove_as_documents(invoke: Any, tmp_path: Path) -> None:
    fake_crontab(tmp_path, b"# mine\n")
    for command, changed in (("install", True), ("install", False), ("remove", True), ("remove", False)):
        document = json.loads(invoke(command, "--yes", "--json").stdout)
        fits_schema(document)
        assert (document["action"], document["changed"]) == (command, changed)
        assert bool(document["diff"]) is bool(document["backup"]) is changed
    asked = invoke("install", "--json", input="yes\n")
    assert "+" + json.loads(asked.stdout)["diff"].split("\n+")[1] in asked.stderr
