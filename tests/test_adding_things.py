"""`docs/architecture.md`, "Adding things", is true: toys are added at those places only, and the program runs."""

import ast
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.timeouts import PATIENCE


@dataclass(frozen=True)
class Edit:
    """Code that is added to a file of the package."""

    path: str
    code: str
    entry_of: str = ""
    """The registry, or the class, that gets the code as its last entry; without one the file is new."""
    above: str = ""
    """The registry that the code is put in front of."""


MARKET = """
from datetime import date, timedelta

from spy32.errors import Unavailable
from spy32.markets.base import BaseMarket
from spy32.sessions import market_date


class FlatMarket(BaseMarket):
    name = "flat"

    def __init__(self, clock):
        self._clock = clock

    def expirations(self, underlying):
        return (market_date(self._clock()) + timedelta(days=32),)

    def chain(self, underlying, expirations):
        raise Unavailable("flat has no chain")

    def quotes(self, underlying, legs):
        raise Unavailable("flat has no quotes")
"""
ANALYST = """
from spy32.domain.proposals import Decision, Recommendation


class FirstAnalyst:
    name = "first"

    def choose(self, snapshot, menu, briefing):
        chosen = menu.candidates[0]
        return Recommendation(
            analyst=self.name, decision=Decision.TRADE, candidate_id=chosen.id, reason="it is the first",
            probability=chosen.pop_market,
        )
"""
ANALYST_BUILDER = """
def _build_first(app, settings, store, run_id, seed, until):
    from spy32.analysts.first import FirstAnalyst

    return FirstAnalyst()


"""
BROKER = """
from dataclasses import replace
from decimal import Decimal

from spy32.brokers.paper import PaperBroker


class RichBroker(PaperBroker):
    def facts(self):
        return replace(super().facts(), net_liquidation=Decimal(765_432), buying_power=Decimal(765_432))
"""
BROKER_BUILDER = """
def _build_rich(app, store, market):
    from spy32.brokers.rich import RichBroker

    return RichBroker(
        ledger=store.paper,
        market=market,
        find_bar=app.daily_bar_lookup(market),
        clock=app.clock,
        settings=app.settings,
        number=app.account_number,
    )


"""
CONDITION = """
def check_moon(snapshot: MarketSnapshot, candidate: Candidate, settings: Settings, now: datetime) -> Iterator[Finding]:
    yield remark("moon", "the moon is full", "full", "half")


"""
GATE = """

def check_moon(context: GateContext) -> Gate:
    return passed_gate("moon", "full", "any")
"""
MENU_RULE = """
def _check_odd_strike(pair: PricedSpread, terms: MenuTerms) -> Violation:
    return (f"{pair.short.strike}", "even") if pair.short.strike % 2 else None


"""
MIGRATION = """
def version_with_weather(db: sqlite3.Connection) -> None:
    db.execute("alter table run add column weather text")


"""
COMMAND = """
import typer

from spy32.commands.common import get_app


def hello(ctx: typer.Context) -> None:
    "Says hello."
    get_app(ctx).out.print("hello")
"""
CHECK = """

def check_moon(context: DoctorContext) -> Diagnosis:
    return warning("the moon is full", "wait")
"""
NOTIFIER = """
from pathlib import Path

from spy32.settings.knob import Secret


class DrawerNotifier:
    def __init__(self, url: Secret):
        self._path = Path(url.reveal().removeprefix("drawer://"))

    def send(self, notice):
        self._path.write_text(notice.subject)
"""
NOTIFIER_BUILDER = """
def _build_drawer(url):
    from spy32.notifiers.drawer import DrawerNotifier

    return DrawerNotifier(url)


"""
TOYS: Mapping[str, tuple[Edit, ...]] = {
    "a market": (
        Edit("markets/flat.py", MARKET),
        Edit("wiring/markets.py", '"flat": _import_on_use("flat", "FlatMarket")', entry_of="MARKETS"),
    ),
    "an analyst": (
        Edit("analysts/first.py", ANALYST),
        Edit("wiring/__init__.py", ANALYST_BUILDER, above="ANALYSTS"),
        Edit("wiring/__init__.py", '"first": _build_first', entry_of="ANALYSTS"),
        Edit("settings/services.py", '"first"', entry_of="ANALYSTS"),
    ),
    "a broker": (
        Edit("brokers/rich.py", BROKER),
        Edit("wiring/__init__.py", BROKER_BUILDER, above="BROKERS"),
        Edit("wiring/__init__.py", "Mode.PAPER: _build_rich", entry_of="BROKERS"),
    ),
    "a notifier": (
        Edit("notifiers/drawer.py", NOTIFIER),
        Edit("wiring/notifiers.py", NOTIFIER_BUILDER, above="NOTIFIERS"),
        Edit("wiring/notifiers.py", '"drawer": _build_drawer', entry_of="NOTIFIERS"),
    ),
    "a condition": (
        Edit("rules/conditions.py", CONDITION, above="CONDITIONS"),
        Edit("rules/conditions.py", '"moon": check_moon', entry_of="CONDITIONS"),
    ),
    "a gate": (
        Edit("quality/freshness.py", GATE, entry_of="module"),
        Edit("quality/checks.py", "freshness.check_moon", entry_of="CONTEXT_GATES"),
    ),
    "a figure": (
        Edit(
            "rules/market_metrics.py",
            '"spot_again": DerivedFigure("dollars", float, ("spot",))',
            entry_of="DERIVED_FIGURES",
        ),
        Edit("rules/market_metrics.py", '"spot_again"', entry_of="DISPLAY_ORDER"),
        Edit("render/market_pages.py", '("Toys", {"spot_again": "spot again"})', entry_of="FIGURE_GROUPS"),
    ),
    "a menu rule": (
        Edit("rules/candidates.py", MENU_RULE, above="MENU_RULES"),
        Edit("rules/candidates.py", '("odd_strike", _check_odd_strike)', entry_of="MENU_RULES"),
    ),
    "a setting": (
        Edit("settings/model.py", '    naps: int = knob(3, "Naps a day", low=0, high=9)\n', entry_of="Schedule"),
    ),
    "a column": (
        Edit("schema.py", MIGRATION, above="MIGRATIONS"),
        Edit("schema.py", "version_with_weather", entry_of="MIGRATIONS"),
    ),
    "a check": (
        Edit("ops/doctor/machine.py", CHECK, entry_of="module"),
        Edit(
            "ops/doctor/__init__.py",
            '"install.moon": machine.check_moon',
            entry_of="CHECKS",
        ),
    ),
    "a command": (
        Edit("commands/hello.py", COMMAND),
        Edit("cli.py", '"hello": "hello"', entry_of="COMMANDS"),
    ),
}  # fmt: skip
NOT_HERE = {"a prompt"}
"""A prompt is data (`tests/analysts/test_prompt.py`)."""


def documented_rows() -> dict[str, str]:
    """Thing -> its row in the document."""
    section = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Adding things")[2]
    return {match[1]: match[0] for match in re.finditer(r"^\| (an? [a-z ]+) \|.*$", section, re.MULTILINE)}


def apply(package: Path, edit: Edit) -> None:
    """Do what the document says."""
    path = package / edit.path
    if not edit.entry_of and not edit.above:
        assert not path.exists()
        path.write_text(edit.code, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    if edit.entry_of == "module":
        path.write_text(text + edit.code, encoding="utf-8")
        return
    node = definition(text, edit.entry_of or edit.above)
    assert node.end_lineno is not None and node.end_col_offset is not None
    if edit.above:
        place = sum(map(len, lines[: node.lineno - 1]))
        path.write_text(text[:place] + edit.code.lstrip() + text[place:], encoding="utf-8")
    elif isinstance(node, ast.ClassDef):
        place = sum(map(len, lines[: node.end_lineno]))
        path.write_text(text[:place] + edit.code + text[place:], encoding="utf-8")
    else:
        # Columns count bytes; the last line of a registry is ASCII.
        place = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset - 1
        before = text[:place].rstrip()
        comma = "" if before.endswith((",", "(", "{")) else ","
        path.write_text(f"{before}{comma} {edit.code},\n{text[place:]}", encoding="utf-8")


def definition(text: str, name: str) -> ast.stmt:
    """The statement at the top of a module that defines `name`."""
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if name in names or (isinstance(node, ast.ClassDef) and node.name == name):
            return node
    raise AssertionError(f"no {name}")


@dataclass(frozen=True)
class Copy:
    """The program with every toy in it, and a home."""

    folder: Path

    def spy32(self, *words: str, code: int = 0, package: Path | None = None, **env: str) -> str:
        """The answer of a command of the copy."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "spy32", *words],
            capture_output=True,
            cwd=self.folder,
            env={"PYTHONPATH": str(package or self.folder), "SPY32_HOME": str(self.folder / "home"), **env},
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def document(self, *words: str, **env: str) -> Any:
        return json.loads(self.spy32(*words, "--json", **env))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A run of the program as it is, then the toys, then a run with them."""
    made = Copy(tmp_path_factory.mktemp("copy"))
    (made.folder / "home").mkdir()
    made.spy32("analyze", "--market", "recorded", "--analyst", "rules", package=ROOT)
    shutil.copytree(ROOT / "spy32", made.folder / "spy32", ignore=shutil.ignore_patterns("__pycache__"))
    for edits in TOYS.values():
        for edit in edits:
            apply(made.folder / "spy32", edit)
    made.spy32("analyze", "--market", "recorded", "--analyst", "first")
    return made


def test_every_thing_of_the_document_is_a_toy_here() -> None:
    assert documented_rows().keys() == TOYS.keys() | NOT_HERE


@pytest.mark.parametrize("thing", TOYS)
def test_the_document_names_the_places_of_the_toy_and_no_other(thing: str) -> None:
    row = documented_rows()[thing]
    edited = {edit.path for edit in TOYS[thing] if edit.entry_of or edit.above}
    created = {f"{Path(edit.path).parent}/" for edit in TOYS[thing] if not edit.entry_of and not edit.above}
    named = set(re.findall(r"`((?!tests/)[\w/]+\.py)`", row)) - {"ports.py"}
    assert edited <= named
    assert created <= set(re.findall(r"`([a-z]+/)`", row))
    assert all((ROOT / "spy32" / path).exists() for path in named)
    for edit in TOYS[thing]:
        registry = edit.entry_of or edit.above
        assert not registry.isupper() or f"`{registry}`" in row
    for test in re.findall(r"`(tests/[\w/]+\.py)`", row):
        assert (ROOT / test).exists()


@pytest.mark.slow
def test_a_market_is_asked(copy: Copy) -> None:
    assert len(copy.document("expirations", "--market", "flat")["expirations"]) == 1
    assert "flat" in copy.spy32("config", "show", SPY32_MARKET_CHAIN="flat,cboe")
    assert "yahoo, flat" in copy.spy32("analyze", "--help")


@pytest.mark.slow
def test_an_analyst_chooses(copy: Copy) -> None:
    assert copy.document("show", "R2")["recommendation"]["analyst"] == "first"
    assert "or first" in copy.spy32("analyze", "--help")


@pytest.mark.slow
def test_a_broker_says_what_the_account_holds(copy: Copy) -> None:
    assert copy.document("positions")["net_liquidation"] == "765432.00"


@pytest.mark.slow
def test_a_notifier_tells(copy: Copy) -> None:
    drawer = copy.folder / "drawer.txt"
    copy.spy32("notify", "test", SPY32_NOTIFY_ADDRESSES=f"me=drawer://{drawer}")
    assert drawer.read_text() == "[PAPER] spy32 can reach me"


@pytest.mark.slow
def test_a_condition_finds(copy: Copy) -> None:
    assert "the moon is full" in json.dumps(copy.document("show", "R2"))


@pytest.mark.slow
def test_a_gate_judges(copy: Copy) -> None:
    gates = copy.document("show", "R2", "--quality")["quality"]["gates"]
    assert [gate["figure"] for gate in gates if gate["name"] == "moon"] == ["full"]


@pytest.mark.slow
def test_a_figure_is_on_record_and_on_the_screen(copy: Copy) -> None:
    figures = {figure["path"]: figure["value"] for figure in copy.document("show", "R2")["figures"]}
    assert figures["market.spot_again"] == figures["market.spot"]
    assert "spot again" in copy.spy32("market", "--market", "recorded")


@pytest.mark.slow
def test_a_menu_rule_drops_spreads(copy: Copy) -> None:
    assert "odd strike" in copy.spy32("show", "R2", "--rejected")
    assert "odd strike" not in copy.spy32("show", "R1", "--rejected")


@pytest.mark.slow
def test_a_setting_has_its_variable_its_check_and_its_line(copy: Copy) -> None:
    rows = copy.document("config", "show", SPY32_SCHEDULE_NAPS="5")["settings"]
    assert {row["key"]: row["value"] for row in rows}["schedule.naps"] in (5, "5")
    copy.spy32("config", "show", code=78, SPY32_SCHEDULE_NAPS="10")


@pytest.mark.slow
def test_a_column_comes_to_an_older_database_and_its_history_holds(copy: Copy) -> None:
    with closing(sqlite3.connect(copy.folder / "home" / "paper.db")) as db:
        assert db.execute("select id, weather from run").fetchall() == [(1, None), (2, None)]
    copy.spy32("db", "check")
    copy.spy32("audit", "verify")


@pytest.mark.slow
def test_a_check_is_told(copy: Copy) -> None:
    (check,) = copy.document("doctor", "--offline", "--only", "install.moon")["checks"]
    assert (check["status"], check["fix"]) == ("warn", "wait")


@pytest.mark.slow
def test_a_command_answers(copy: Copy) -> None:
    assert copy.spy32("hello") == "hello\n"
    assert "hello" in copy.spy32("--help")
