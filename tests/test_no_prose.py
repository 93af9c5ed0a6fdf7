"""No decision hangs on words: outside `clients/`, what is said for people is only shown and kept."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import spy32

ROOT = Path(spy32.__file__).parent
PROSE = frozenset(
    {"reason", "message", "broker_status", "detail", "description", "words", "note", "options_level", "unread"}
)
"""Attributes and columns that hold words for people, ours or a vendor's."""
OPTIONAL = frozenset({"words", "note"})
"""Of these a truth value only says whether there are any."""
TYPED = frozenset({"status", "state", "outcome", "cause", "decision", "ended_by", "mode", "verdict", "trigger"})
"""Attributes that an enum carries, and a vendor's status, which `clients/` translates into one."""
NAMED = frozenset({"market", "source"})
"""Attributes that name a source; `is_recorded_source` alone looks into the name."""
LOOKS = frozenset({"startswith", "endswith", "lower", "upper", "casefold", "find", "partition", "split", "count"})
"""What looks into a text."""
PATTERNS = frozenset({"match", "fullmatch", "search", "findall"})
NO_WORDS = frozenset({"home_id", "_ask_account", "_read_hidden"})
"""Functions whose text is an identifier, or what a person typed: whether there is any is a fact."""
ALLOWED = {"domain/orders.py": 1, "records/notices.py": 1}
"""`Order.matches` asks whether the broker's word on record is still the same, to keep it. An acknowledged item of
`status` is raised again when its message is another one."""


def modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if "clients" not in path.relative_to(ROOT).parts]


@cache
def text_functions() -> tuple[frozenset[str], frozenset[str]]:
    """Names of the functions, and of the properties, that give a text wherever the package defines them."""
    functions: dict[str, set[str]] = {}
    properties: dict[str, set[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.returns is not None:
                is_property = any("property" in ast.unparse(each) for each in node.decorator_list)
                (properties if is_property else functions).setdefault(node.name, set()).add(ast.unparse(node.returns))
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                properties.setdefault(node.target.id, set()).add("a plain attribute")
    texts = [{name for name, types in found.items() if types == {"str"}} for found in (functions, properties)]
    return frozenset(texts[0] - NO_WORDS), frozenset(texts[1])


def is_composed(node: ast.AST, variables: frozenset[str] = frozenset()) -> bool:
    """A text that a function or a property of the package composes, or a variable that holds one."""
    functions, properties = text_functions()
    if isinstance(node, ast.NamedExpr):
        return is_composed(node.value, variables)
    if isinstance(node, ast.IfExp | ast.BoolOp):
        parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        return any(is_composed(part, variables) for part in parts)
    if isinstance(node, ast.Attribute):
        return node.attr in properties
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", "")) in functions
    return isinstance(node, ast.Name) and node.id in variables


def composed_names(function: ast.AST) -> frozenset[str]:
    """The variables of a function that hold such a text."""
    return frozenset(
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.NamedExpr) and is_composed(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    )


def is_fallback(node: ast.AST) -> bool:
    """`text or another text or None`, which says what is shown."""
    if not (isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)):
        return False
    *texts, last = node.values
    is_none = isinstance(last, ast.Constant) and last.value is None
    return all(isinstance(each, ast.Name) or is_composed(each) or is_prose(each) for each in texts) and (
        is_none or is_words(last) or isinstance(last, ast.Name) or is_composed(last) or is_prose(last)
    )


def composed_truths(tree: ast.AST) -> Iterator[int]:
    """The lines on which the truth of such a text, or of a variable that holds one, decides."""
    scopes = [(node, composed_names(node)) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for scope, variables in [(tree, frozenset[str]()), *scopes]:
        for node in ast.walk(scope):
            tests = [] if is_fallback(node) else [*truths(node)]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "bool":
                tests += node.args
            for test in tests:
                if is_composed(test, variables):
                    yield getattr(test, "lineno", 0)


def is_prose(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in PROSE
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value in PROSE
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_prose(node.func.value)


def is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_status_literal(node: ast.Compare) -> bool:
    """A vendor's status, or a word of ours that has an enum, held against a literal."""
    sides = (node.left, *node.comparators)
    has_status = any(isinstance(side, ast.Attribute) and side.attr in TYPED for side in sides)
    return has_status and any(is_words(part) for side in sides for part in (side, *getattr(side, "elts", ())))


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
            value = node.func.value
            is_named = isinstance(value, ast.Attribute) and value.attr in NAMED
            looks = node.func.attr in LOOKS and (is_named or is_prose(value))
            if looks or (node.func.attr in PATTERNS and any(is_prose(each) for each in node.args)):
                yield node.lineno
        for test in truths(node):
            if is_prose(test) and getattr(test, "attr", None) not in OPTIONAL:
                yield node.lineno if hasattr(node, "lineno") else getattr(test, "lineno", 0)
    yield from composed_truths(tree)


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
        "if broker_order.unread: pass",
        'run.cause == "abstained"',
        'proposal.market.startswith("recorded")',
        "if objection := approval.invalidity_text(now): pass",
        "is_even = not uneven_fill_text(fills, legs)",
        "x = state in FINAL and bool(uneven_fill_text(fills, legs))",
        "if figures.caution_text: pass",
        "def f(): why = uneven_fill_text(fills, legs) if fills else ''; return 1 if why or is_over else 2",
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
        "shown = join_lines(item.why) or None",
        "reason = report_overfill(context, book) or reason",
        "if location.home_id(): pass",
    ],
)
def test_what_is_only_shown_is_no_decision(line: str) -> None:
    assert list(decisions(ast.parse(line))) == []
