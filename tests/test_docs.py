"""What the documents show is true: commands exist and run, named tests exist, the samples load."""

import ast
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from html import escape
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.domain.market import SYNTHETIC_NOTE
from spy32.records.audit_files import write_audit_document
from spy32.schema import migrate
from spy32.settings.resolve import SettingsFile, resolve
from tests.support.audit_files import document_of, exporter, lived_history
from tests.support.make_lookback_page import fill_answers
from tests.support.paths import ROOT
from tests.support.terminal import ESCAPES, Terminal, plain

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:^|`|\$ )spy32 ([a-z][^`\n#|]*)", re.MULTILINE)
PLACEHOLDERS = {
    "R": "R1",
    "P": "P1",
    "T": "T1",
    "N": "32",
    "D": "2026-01-01",
    "DIR": "x",
    "FILE": "x",
    "S": "x",
    "M": "recorded",
    "A": "rules",
}


def shown() -> list[tuple[str, str]]:
    """Every command in the documents, with the document that shows it."""
    found = []
    for path in DOCS:
        for match in COMMAND.finditer(path.read_text()):
            found.append((path.name, match[1].strip()))
    return found


@cache
def help_of(*words: str) -> tuple[int, str]:
    """The exit code and the text of a command's help."""
    result = CliRunner().invoke(app, [*words, "--help"])
    return result.exit_code, result.output


@pytest.mark.parametrize(("document", "command"), sorted(set(shown())))
def test_every_command_in_the_documents_exists_with_every_option_it_shows(document: str, command: str) -> None:
    words = re.sub(r"[\[\]…]", " ", command).replace("\\|", " ").split()
    plain = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
    path = (
        plain[:2]
        if plain[0] in {"auth", "config", "db", "audit", "schedule", "prompts", "notify", "experiments", "outcomes"}
        and len(plain) > 1
        else plain[:1]
    )
    code, options = help_of(*path)
    assert code == 0, f"{document}: spy32 {command}"
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert option in options + help_of()[1], f"{document}: spy32 {command} has no {option}"


def session_of(page: str) -> list[tuple[str, str]]:
    """The commands of a page's walk, in order, each with the answer that stands under it."""
    block = re.search(r"<!-- session -->\n```\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert block is not None
    commands = re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]
    return [(line, answer) for line, _, answer in (command.partition("\n") for command in commands)]


@pytest.mark.slow
def test_the_monday_of_the_readme_runs_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPY32_HOME", str(tmp_path))
    passing = ("anna", "  spy32-", "home: ", "last run: ", "next slot: ", "model: ", "log ")  # of a home and a day
    for line, answer in session_of("README.md"):
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"
        lasting = [said for said in answer.splitlines() if not any(words in said for words in passing)]
        assert [said for said in lasting if said not in result.stdout.splitlines()] == [], result.stdout


def test_the_trade_of_the_managing_page_runs_and_answers_as_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPY32_HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)
    session = session_of("docs/managing.md")
    assert len(session) == 8
    for line, answer in session:
        result = CliRunner().invoke(app, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"
        assert answer in result.stdout, f"{line}: {result.stdout}"


def test_the_screen_of_the_readme_is_the_real_one(tmp_path: Path) -> None:
    block = re.search(r"<!-- screen -->\n```\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    assert plain(tmp_path, "analyze", "--market", "recorded", "--analyst", "rules").returncode == 0
    with Terminal(tmp_path, "approve", columns=80, rows=24) as terminal:
        terminal.wait_for("[Esc]")
        assert [line.rstrip() for line in terminal.frame] == block[1].split("\n")


def test_the_settings_of_the_readme_are_taken() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    settings = resolve({}, {}, None, SettingsFile(text="\n".join(blocks), path="config.toml")).settings
    assert (settings.choice.rule_delta, settings.profiles["qqq"].underlying) == (0.16, "QQQ")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--keep",)], ids=["", "--keep"])
def test_the_demo_ends_with_the_filled_trade_in_sixty_lines_and_leaves_a_home_only_when_asked(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with Terminal(tmp_path, "demo", *options, columns=80, TMPDIR=str(tmp_path)) as terminal:
        assert terminal.code() == 0
    lines = ESCAPES.sub("", terminal.checked).removesuffix("\n").split("\n")
    assert len(lines) <= 60
    order = [
        next(at for at, line in enumerate(lines) if word in line)
        for word in ("R1 proposed", "BP effect", "T1 of R1: open")
    ]
    assert order == sorted(order)
    assert lines[-4].startswith("## Three things to try")
    homes = list(tmp_path.glob("spy32-demo-*"))
    assert len(homes) == len(options)
    if homes:
        assert f"--home {homes[0]} " in terminal.checked


@pytest.mark.slow
def test_the_year_of_the_demo_answers_as_the_page_about_looking_back_shows(tmp_path: Path) -> None:
    said = plain(tmp_path, "demo", "--year", "--keep", TMPDIR=str(tmp_path))
    assert said.returncode == 0, said.stderr
    (home,) = tmp_path.glob("spy32-demo-*")
    order = [
        said.stdout.index(words) for words in ("A SYNTHETIC year", "E1 state: undecided", "report trades", "Three")
    ]
    assert order == sorted(order)
    assert f"$ spy32 report --html {home}/report.html" in said.stdout
    assert escape(SYNTHETIC_NOTE) in (home / "report.html").read_text()
    page = (ROOT / "docs" / "looking-back.md").read_text()
    assert page.count("\n$ spy32 ") >= 5
    assert fill_answers(page, home) == page


def test_the_pictures_of_the_documents_are_there_and_small() -> None:
    named = [
        (path.parent / name).resolve()
        for path in DOCS
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", path.read_text())
    ]
    assert (ROOT / "docs" / "report.png") in named
    assert all(picture.stat().st_size < 150_000 for picture in named)


def test_every_guarantee_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py|proofs/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) >= 7
    for path, test in named:
        source = (ROOT / path).read_text()
        assert not test or f"def {test}(" in source, f"{path} has no {test}"


def test_the_program_of_the_audit_files_page_verifies_a_file_and_finds_an_edit(tmp_path: Path) -> None:
    block = re.search(
        r"<!-- verify -->\n```python\n(.*?)```", (ROOT / "docs" / "audit-files.md").read_text(), re.DOTALL
    )
    assert block is not None
    with lived_history(tmp_path / "paper.db") as store:
        document, head = document_of(exporter(store).export_trade(1)), store.audit.head()
    for name, code in (("t.json", 0), ("t.json.gz", 0), ("edited.json", 1)):
        if code:
            document["rows"]["trade"][0]["result_e4"] = 1
        write_audit_document(tmp_path / name, document)
        done = subprocess.run([sys.executable, "-c", block[1], str(tmp_path / name)], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (code, "" if code else f"{head}\n"), done.stderr


def test_make_targets_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for path in DOCS:
        for target in re.findall(r"`make (\w+)", path.read_text()):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{path.name}: make {target}"


def test_every_room_is_in_the_architecture_and_every_module_that_it_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = text.partition("## Rooms and floors")[2].partition("\n## ")[0]
    package = ROOT / "spy32"
    for folder in package.iterdir():
        assert not (folder / "__init__.py").exists() or f"{folder.name}/" in rooms, folder.name
    modules = {path.name for path in package.rglob("*.py")}
    named = set(re.findall(r"\b(\w+\.py)\b", rooms))
    assert len(named) > 10
    assert named <= modules
    for name in set(re.findall(r"`([A-Z]\w+)`", text.partition("## How a Monday flows")[2].partition("\n## ")[0])):
        assert any(f"class {name}" in path.read_text() for path in package.rglob("*.py")), name


def test_make_check_leaves_out_what_is_slow_and_make_test_runs_all() -> None:
    recipes = {part.partition(":")[0]: part for part in (ROOT / "Makefile").read_text().split("\n\n")}
    check = next(part for part in recipes.values() if "\ncheck: lint" in f"\n{part}")
    assert '-m "not slow"' in check
    assert "not slow" not in recipes["test"]
    assert "make test" in (ROOT / ".ci" / "run").read_text()


NOUNS = (
    "Account", "MarketSnapshot", "Spread", "Candidate", "Menu", "Recommendation", "RiskDecision", "Proposal",
    "Approval", "Order", "Fill", "Trade", "Run",
)  # fmt: skip


def glossary_rows() -> list[tuple[str, ...]]:
    """Term, meaning, carrier and source of each entry of the glossary."""
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    return [row for row in rows if row[0] != "term" and set(row[0]) != {"-"}]


def bound_names(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """The names that statements bind, with their annotations."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, ""
        elif isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target), ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign):
            names = (name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
            yield from ((name.id, "") for name in names)


def code_names() -> tuple[dict[str, dict[str, str]], set[str], set[str]]:
    """The classes of the package with their members, inherited ones too; its functions; every name of its modules."""
    classes: dict[str, dict[str, str]] = {}
    bases: list[tuple[str, str]] = []
    functions: set[str] = set()
    names: set[str] = set()
    for path in (ROOT / "spy32").rglob("*.py"):
        body = ast.parse(path.read_text()).body
        names |= {name for name, _ in bound_names(body)}
        functions |= {node.name for node in body if isinstance(node, ast.FunctionDef)}
        for node in body:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, {}).update(bound_names(node.body))
                bases += [(node.name, base.id) for base in node.bases if isinstance(base, ast.Name)]
    for name, base in bases:
        classes[name] = {**classes.get(base, {}), **classes[name]}
    return classes, functions, names


def columns() -> set[str]:
    """Every column of the newest database, as `table.column`."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        tables = [name for (name,) in db.execute("select name from sqlite_master where type = 'table'")]
        return {f"{table}.{row[1]}" for table in tables for row in db.execute(f"pragma table_info({table})")}


def test_every_type_column_and_setting_of_the_glossary_exists() -> None:
    classes, functions, names = code_names()
    settings = {
        f"{section}.{key}" for section, kind in classes["Settings"].items() for key in classes.get(kind, ())
    } | columns()
    unknown = []
    for term, _, carrier, _ in glossary_rows():
        for name in re.findall(r"`([^`]+)`", carrier):
            owner, _, member = name.partition(".")
            is_known = (
                (name.removesuffix("()") in functions if name.endswith("()") else name in names)
                if not member
                else name in settings or member in classes.get(owner, ())
            )
            unknown += [] if is_known else [f"{term}: {name}"]
    assert unknown == []


def test_every_entry_of_the_glossary_is_complete_and_no_term_has_two() -> None:
    rows = glossary_rows()
    assert all(len(row) == 4 and all(row) for row in rows), [row for row in rows if len(row) != 4 or not all(row)]
    terms = [term for term, *_ in rows]
    assert sorted(terms) == sorted(set(terms))
    carried = {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}
    assert set(NOUNS) <= carried, set(NOUNS) - carried
