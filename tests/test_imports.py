"""Who may import whom: no circles in the program; proofs and benchmarks use the helpers of the tests, not the reverse.

Inside `spy32` import-linter watches the floors (`pyproject.toml`).
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = ("spy32", "tests", "proofs", "benchmarks")
HELPERS = ("tests.support", "tests.servers")
MAY_IMPORT = {
    "spy32": ("spy32",),
    "tests.support": ("spy32", *HELPERS),
    "tests.servers": ("spy32", *HELPERS),
    "tests": ("spy32", *HELPERS, "tests.contract"),
    "proofs": ("spy32", *HELPERS, "proofs"),
    "benchmarks": ("spy32", *HELPERS, "benchmarks"),
}
"""The four packages as floors: a table without a circle. A module of tests takes nothing from another one but the
contract of a port."""


def imported_modules(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


def owner(path: Path) -> str:
    """The entry of `MAY_IMPORT` that a file falls under."""
    place = path.relative_to(ROOT)
    helpers = f"tests.{place.parts[1]}"
    return helpers if helpers in HELPERS and not place.name.startswith("test_") else place.parts[0]


def is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    files = [path for path in (ROOT / package).rglob("*.py") if "data" not in path.relative_to(ROOT).parts[1:2]]
    assert files
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files
        for module in imported_modules(path)
        if not is_within(module, MAY_IMPORT[owner(path)])
    ]
    assert wrong == []


def import_graph(sources: dict[str, Path]) -> dict[str, set[str]]:
    """The modules of `sources` that each of them imports: at its top, in a function or for its types."""
    return {
        name: {
            module if module in sources else module.rpartition(".")[0]
            for module in imported_modules(path)
            if module in sources or module.rpartition(".")[0] in sources
        }
        - {name}
        for name, path in sources.items()
    }


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle of imports, its first one repeated at the end; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_of_the_program_import_each_other_in_a_circle() -> None:
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "spy32").rglob("*.py")}
    graph = import_graph({name.removesuffix(".__init__"): path for path, name in names.items()})
    assert len(graph) > 200
    assert find_circle(graph) == []


def test_a_circle_through_an_import_in_a_function_is_found(tmp_path: Path) -> None:
    texts = {"upper": "from spy32.lower import half\n", "lower": "def half():\n    from spy32 import upper\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    graph = import_graph({f"spy32.{name}": tmp_path / f"{name}.py" for name in texts})
    assert sorted(find_circle(graph)) in (
        ["spy32.lower", "spy32.lower", "spy32.upper"],
        ["spy32.lower", "spy32.upper", "spy32.upper"],
    )
