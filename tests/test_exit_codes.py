"""An exit code has one name and stands in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import spy32
from spy32.errors import HOPELESS, ExitCode

ROOT = Path(spy32.__file__).parent
HIGH = frozenset(code.value for code in ExitCode if code >= ExitCode.UNUSABLE)
"""These are hardly ever anything else; `FREE` has what is."""
FREE = {("brokers/tastytrade.py", 70)}
"""Characters of an order's number in a message."""
NAMES = frozenset({"code", "exit_code"})
CALLS = frozenset({"Exit", "exit", "report"})


def modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if path.name != "errors.py"]


def is_code(node: ast.AST | None) -> bool:
    return getattr(node, "attr", getattr(node, "id", getattr(node, "arg", None))) in NAMES


def is_number(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def literals(tree: ast.AST) -> Iterator[ast.AST]:
    """Whole numbers where an exit code belongs, and those that look like one wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value in HIGH:
            yield node
        if isinstance(node, ast.keyword) and node.arg in NAMES and is_number(node.value):
            yield node.value
        if isinstance(node, ast.AnnAssign) and is_code(node.target) and is_number(node.value):
            yield node
        if isinstance(node, ast.Assign) and any(is_code(target) for target in node.targets) and is_number(node.value):
            yield node
        if isinstance(node, ast.Compare) and any(is_code(side) for side in (node.left, *node.comparators)):
            yield from (
                part
                for side in (node.left, *node.comparators)
                for part in (side, *getattr(side, "elts", ()))
                if is_number(part)
            )
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in CALLS:
            yield from (argument for argument in node.args[:1] if is_number(argument))
        if isinstance(node, ast.arguments):
            pairs = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            yield from (default for argument, default in pairs if is_code(argument) and default and is_number(default))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_exit_code_is_written_as_a_number(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    found = {
        (node.lineno, ast.unparse(node)) for node in literals(ast.parse(path.read_text())) if hasattr(node, "lineno")
    }
    assert {line for line in found if (name, int(line[1]) if line[1].isdigit() else 0) not in FREE} == set()


@pytest.mark.parametrize(
    "line",
    [
        "raise typer.Exit(20)", "Ended(code=0)", "exit_code: int = 0", "busy = code == 13", "HOPELESS = {10, 69}",
        "sys.exit(2)", "if answer.exit_code in (10, 12): pass", "def end(*, exit_code: int = 2): pass",
    ],
)  # fmt: skip
def test_a_number_for_an_exit_code_is_seen(line: str) -> None:
    assert list(literals(ast.parse(line)))


def test_the_codes_after_which_nobody_is_asked_again_are_one_set() -> None:
    assert {code.name for code in HOPELESS} == {"REFUSED", "GONE", "BUG", "NOT_PERMITTED", "BAD_SETTINGS"}
    sets = [path for path in ROOT.rglob("*.py") if "HOPELESS =" in path.read_text()]
    assert [path.name for path in sets] == ["errors.py"]
