"""Mutation score of the code that may never send twice, nor end a trade wrongly: every small change of it must fail a
test.

`python -m proofs.mutants [COUNT] [SEED] [WORKERS] [FILE ...]`; 0 is all of them. Works on copies of the tree in a
temporary folder, never in place. A mutant whose tests do not end in time counts as killed.
"""

import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "spy32/trading/execute.py": (
        "trading/test_execute_details", "trading/test_execute", "trading/test_last_checks", "trading/test_price_walk",
        "trading/test_order_state",
    ),
    "spy32/trading/order_book.py": (
        "trading/test_order_book", "trading/test_order_state", "trading/test_price_walk", "trading/test_profit_target",
    ),
    "spy32/trading/reconcile.py": (
        "trading/test_execute_details", "trading/test_order_state", "trading/test_reconcile",
        "trading/test_position_diff", "trading/test_profit_target", "trading/test_transactions",
    ),
    "spy32/trading/manage.py": ("trading/test_manage", "trading/test_manage_closes", "trading/test_manage_by_plan"),
    "spy32/rules/exits.py": ("rules/test_exits",),
    "spy32/rules/exercise.py": ("rules/test_exercise",),
    "spy32/rules/closing.py": ("rules/test_closing",),
    "spy32/rules/marks.py": ("rules/test_marks",),
    "spy32/rules/leg_greeks.py": ("rules/test_leg_greeks", "rules/test_marks"),
    "spy32/lifecycle.py": (
        "trading/test_execute_details", "records/test_orders", "records/test_trades", "trading/test_execute",
        "trading/test_last_checks",
    ),
}  # fmt: skip
"""Fast test files for each module, the likeliest to notice first."""
BASE_SECONDS = 300.0
"""For one run of the untouched code, which is also the measure of what is too long."""
SLOW_FACTOR, SLOW_LEAST = 4.0, 30.0
GOAL = 0.9

FLIPS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
SKIPPED = frozenset({"annotation", "returns", "decorator_list", "type_comment", "type_params"})
"""Parts of a node that say nothing of what it does."""
Where = tuple[tuple[str, int | None], ...]
"""The way from the module to a node: a field and, in a list, a place, again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one file. `source` is the whole changed text."""

    path: str
    line: int
    what: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    mutant: Mutant
    is_killed: bool
    by: str
    """The failing test, `too slow`, or empty."""


# Making mutants.


def mutants_of(path: str, source: str) -> tuple[Mutant, ...]:
    """Every mutant of a module, in the order of its lines; no two with the same text."""
    tree = ast.parse(source)
    plain = ast.unparse(tree)
    seen, made = {plain}, []
    for where, node in _nodes(tree, ()):
        for after, what in _changes(node, where[-1][0] if where else ""):
            text = ast.unparse(ast.fix_missing_locations(_put(copy.deepcopy(tree), where, after)))
            if text not in seen:
                seen.add(text)
                made.append(Mutant(path=path, line=getattr(node, "lineno", 0), what=what, source=text + "\n"))
    return tuple(sorted(made, key=lambda mutant: mutant.line))


def _nodes(node: ast.AST, where: Where) -> Iterator[tuple[Where, ast.AST]]:
    """Every node that does something, with the way to it. Asserts narrow types and docstrings do nothing."""
    yield where, node
    for name, part in ast.iter_fields(node):
        if name in SKIPPED:
            continue
        parts = enumerate(part) if isinstance(part, list) else [(None, part)]
        for place, child in parts:
            is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not isinstance(child, ast.Assert) and not is_text and not _lists(child):
                yield from _nodes(child, (*where, (name, place)))


def _lists(node: ast.AST) -> bool:
    """`__all__`, which changes nothing that runs here."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"


def _put(tree: ast.AST, where: Where, after: ast.AST) -> ast.AST:
    node = tree
    for name, place in where[:-1]:
        node = getattr(node, name) if place is None else getattr(node, name)[place]
    name, place = where[-1]
    if place is None:
        setattr(node, name, after)
    else:
        getattr(node, name)[place] = after
    return tree


def _changes(node: ast.AST, field: str) -> Iterator[tuple[ast.AST, str]]:
    """What takes the place of a node, and in words."""
    yield from _statements(node)
    if isinstance(node, ast.expr):
        yield from _expressions(node)
        if field in {"test", "ifs"}:
            yield ast.UnaryOp(op=ast.Not(), operand=node), f"not ({_short(node)})"


def _statements(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Expr | ast.Raise | ast.Continue | ast.Break | ast.AugAssign | ast.Return):
        yield ast.Pass(), f"removed: {_short(node)}"
    if isinstance(node, ast.FunctionDef):
        early = copy.deepcopy(node)
        early.body.insert(0, ast.Return(value=None))
        yield early, f"{node.name} returns at once"
    if isinstance(node, ast.With):
        yield ast.If(test=ast.Constant(value=True), body=node.body, orelse=[]), f"without: with {_short(node.items[0])}"
    if isinstance(node, ast.Try) and node.handlers:
        yield ast.If(test=ast.Constant(value=True), body=node.body, orelse=[]), "no exception is caught"


def _expressions(node: ast.expr) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for other in FLIPS[type(op)]:
                flipped = copy.deepcopy(node)
                flipped.ops[place] = other()
                yield flipped, f"{_short(node)} -> {_short(flipped)}"
    if isinstance(node, ast.BoolOp):
        joint: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(op=joint, values=node.values), f"{type(joint).__name__.lower()} in: {_short(node)}"
    if isinstance(node, ast.UnaryOp):
        yield node.operand, f"{_short(node)} -> {_short(node.operand)}"
    if isinstance(node, ast.BinOp):
        yield node.left, f"{_short(node)} -> {_short(node.left)}"
        yield node.right, f"{_short(node)} -> {_short(node.right)}"
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    if isinstance(node, ast.Set | ast.Tuple | ast.List) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        for place, element in enumerate(node.elts):
            fewer = copy.deepcopy(node)
            del fewer.elts[place]
            if fewer.elts or not isinstance(node, ast.Set):
                yield fewer, f"without {_short(element)} in {_short(node)}"


def _constants(node: ast.Constant) -> Iterator[tuple[ast.AST, str]]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(value=not value), f"{value} -> {not value}"
    elif isinstance(value, int | float):
        for step in (1, -1):
            yield ast.Constant(value=value + step), f"{value} -> {value + step}"


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else text[:87] + "..."


# Judging them.


class Copy:
    """A copy of the tree in which mutants run, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("spy32", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)

    def run(self, path: str, source: str | None, seconds: float) -> tuple[bool, str]:
        """Whether its tests pass with this text in place of the module, and what failed first."""
        target = self.folder / path
        before = target.read_text(encoding="utf-8")
        if source is not None:
            target.write_text(source, encoding="utf-8")
        try:
            return self._tested(path, seconds)
        finally:
            target.write_text(before, encoding="utf-8")

    def _tested(self, path: str, seconds: float) -> tuple[bool, str]:
        files = [f"tests/{name}.py" for name in TESTS[path]]
        with tempfile.TemporaryDirectory(prefix="spy32-mutant-", dir=_fast()) as scratch:
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
            # Stored bytecode is found by time and size, which a mutant may share with the original: none is written.
            surroundings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.folder)}
            command += ["-rfE", f"--basetemp={scratch}/t", *files]
            try:
                done = subprocess.run(
                    command,
                    check=False,
                    cwd=self.folder,
                    env=surroundings,
                    capture_output=True,
                    text=True,
                    timeout=seconds,
                )
            except subprocess.TimeoutExpired:
                return False, "too slow"
        failed = [line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return done.returncode == 0, failed[0] if failed else f"exit code {done.returncode}"


def _fast() -> str | None:
    """Memory where there is any, since the tests commit to disk very often."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def judge(chosen: Sequence[Mutant], workers: int) -> Iterator[Verdict]:
    """The verdict on each mutant, as it comes. `RuntimeError` when the untouched code fails its tests."""
    with tempfile.TemporaryDirectory(prefix="spy32-mutants-") as name:
        copies: Queue[Copy] = Queue()
        for number in range(workers):
            copies.put(Copy(Path(name) / str(number)))
        limits = _limits(copies, {mutant.path for mutant in chosen})

        def one(mutant: Mutant) -> Verdict:
            own = copies.get()
            try:
                passed, by = own.run(mutant.path, mutant.source, limits[mutant.path])
            finally:
                copies.put(own)
            return Verdict(mutant=mutant, is_killed=not passed, by="" if passed else by)

        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(one, chosen)


def _limits(copies: "Queue[Copy]", paths: set[str]) -> dict[str, float]:
    """Seconds that the tests of each module may take, from how long they take as they are."""
    own, found = copies.get(), {}
    for path in sorted(paths):
        began = time.monotonic()
        passed, why = own.run(path, None, BASE_SECONDS)
        if not passed:
            raise RuntimeError(f"the tests of {path} fail without any mutation: {why}")
        found[path] = max((time.monotonic() - began) * SLOW_FACTOR, SLOW_LEAST)
    copies.put(own)
    return found


def main(
    count: int = 0, seed: int = 32, workers: int = 2, paths: Sequence[str] = tuple(TESTS), goal: float = 0.9
) -> bool:
    """Whether the goal is reached over so many mutants, sampled; 0 is all."""
    every = [mutant for path in paths for mutant in mutants_of(path, (ROOT / path).read_text(encoding="utf-8"))]
    if 0 < count < len(every):
        every = sorted(random.Random(seed).sample(every, count), key=lambda mutant: (mutant.path, mutant.line))
    found = []
    for verdict in judge(every, workers):
        found.append(verdict)
        if not verdict.is_killed:
            print(f"  survived: {verdict.mutant}", flush=True)
    for path in paths:
        own = [verdict for verdict in found if verdict.mutant.path == path]
        killed = sum(verdict.is_killed for verdict in own)
        slow = sum(verdict.by == "too slow" for verdict in own)
        print(f"mutants of {path}: {killed} of {len(own)} killed, {slow} of them by taking too long")
    killed = sum(verdict.is_killed for verdict in found)
    print(f"mutation score: {killed} of {len(found)} ({killed / max(len(found), 1):.1%})")
    return killed >= GOAL * len(found)


if __name__ == "__main__":
    words = [*sys.argv[1:], *("120", "32", "2")[len(sys.argv) - 1 :]]
    sys.exit(0 if main(int(words[0]), int(words[1]), int(words[2]), words[3:] or tuple(TESTS)) else 1)
