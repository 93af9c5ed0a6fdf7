"""No decision hangs on words: outside `clients/`, what is said for people is only shown and kept."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import spy32

ROOT = Path(spy32.__file__).parent
PROSE = frozenset({"reason", "message", "broker_status", "detail", "description", "words", "note", "options_level"})
"""Attributes and columns that hold words for people, ours or a vendor's."""
OPTIONAL = frozenset({"words", "note"})
"""Of these a truth value only says whether there are any."""
LOOKS = frozenset({"startswith", "endswith", "lower", "upper", "casefold", "find", "partition", "split", "count"})
"""What looks into a text."""
PATTERNS = frozenset({"match", "fullmatch", "search", "findall"})
ALLOWED = {"domain/orders.py": 1}
"""`Order.matches` asks whether the broker's word on record is still the same, to keep it."""


def modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if "clients" not in path.relative_to(ROOT).parts]


def is_prose(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in PROSE
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value in PROSE
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_prose(node.func.value)


def is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_status_literal(node: ast.Compare) -> bool:
    """A vendor's status held against a word of its."""
    sides = (node.left, *node.comparators)
    has_status = any(isinstance(side, ast.Attribute) and side.attr == "status" for side in sides)
    return has_status and any(is_words(part) for side in sides for part in ast.walk(side))


def truths(node: ast.AST) -> Iterator[ast.AST]:
    """What is taken as true or false, but for a choice between words to show."""
    if isinstance(node, ast.IfExp) and not (is_words(node.body) and is_words(node.orelse)):
        yield node.test
    if isinstance(node, ast.If | ast.While | ast.Assert):
        yield node.test
    if isinstance(node, ast.comprehension):
        yield from node.ifs
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    if isinstance(node, ast.BoolOp) and not all(is_prose(part) or is_words(part) for part in node.values):
        yield from node.values


def decisions(tree: ast.AST) -> Iterator[int]:
    """The lines on which something depends on words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and not all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            parts = [part for side in (node.left, *node.comparators) for part in (side, *getattr(side, "elts", ()))]
            if any(is_prose(part) for part in parts) or is_status_literal(node):
                yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            looks = node.func.attr in LOOKS and is_prose(node.func.value)
            if looks or (node.func.attr in PATTERNS and any(is_prose(each) for each in node.args)):
                yield node.lineno
        for test in truths(node):
            if is_prose(test) and getattr(test, "attr", None) not in OPTIONAL:
                yield node.lineno if hasattr(node, "lineno") else getattr(test, "lineno", 0)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_outside_the_clients_decides_by_words(path: Path) -> None:
    found = sorted(set(decisions(ast.parse(path.read_text(encoding="utf-8")))))
    assert len(found) == ALLOWED.get(str(path.relative_to(ROOT)), 0), f"{path}: words decide on lines {found}"


@pytest.mark.parametrize(
    "line",
    [
        'order.reason.startswith("not sent: ")',
        "if order.is_adopted or order.reason: pass",
        "x = order.is_adopted or order.reason or fills",
        '"cancel" in order.broker_status.lower()',
        "(now, why) != (order.state, order.reason)",
        'row["reason"] == "replaced"',
        'seen.status in ("Live", "Filled")',
        "[each for each in orders if each.reason]",
        "not error.message",
        "PATTERN.search(error.message)",
    ],
)
def test_a_decision_by_words_is_seen(line: str) -> None:
    assert set(decisions(ast.parse(line))) == {1}


@pytest.mark.parametrize(
    "line",
    [
        'why = f": {order.reason}" if order.reason else ""',
        'shown = order.reason or order.broker_status or "none"',
        "if answer.status == 404: pass",
        "if trade.note is None: pass",
    ],
)
def test_what_is_only_shown_is_no_decision(line: str) -> None:
    assert list(decisions(ast.parse(line))) == []
