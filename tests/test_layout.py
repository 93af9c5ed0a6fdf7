"""Every module of the program is reached by a test that is not slow, so that `make check` sees it break."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "spy32"


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the program that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name in known)


def test_the_tests_mirror_the_rooms() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert rooms - folders == set()
    assert folders - rooms == {"support", "servers", "contract"}


def test_one_class_name_is_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.slow
def test_every_module_is_within_reach_of_a_test_that_is_not_slow() -> None:
    known = modules()
    quick = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if "\npytestmark = pytest.mark.slow" not in path.read_text()
    ]
    reached = {"spy32.__main__"}  # as a program, by `tests/commands/test_offline.py`
    waiting = [name for path in quick for name in imported(path, known)]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imported(known[name], known)
            if name == "spy32.cli":
                waiting += [module for module in known if module.startswith("spy32.commands.")]
    assert {name for name in known.keys() - reached if known[name].name != "__init__.py"} == set()
