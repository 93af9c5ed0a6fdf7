"""Writes `spy32/data/schemas` from the parts that documents are made of: `make schemas`. A test compares the two."""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import spy32
from spy32.render import (
    audit_files,
    doctor,
    document_parts,
    documents,
    home_documents,
    manage_documents,
    market_documents,
    notices,
    outcome_pages,
    prompt_documents,
    replay_documents,
    report_documents,
    risk_documents,
    run_documents,
    trading_documents,
)
from spy32.render.encoder import VERSION, Part, attribute_type

FOLDER = Path(spy32.__file__).parent / "data" / "schemas"
MODULES = (
    audit_files, doctor, trading_documents, document_parts, documents, home_documents,
    manage_documents, market_documents, notices, outcome_pages, prompt_documents, replay_documents, report_documents,
    risk_documents, run_documents,
)  # fmt: skip
FOUND = {
    *Part.by_noun.values(),
    *(part for module in MODULES for part in vars(module).values() if isinstance(part, Part)),
}
PARTS = {part.name: part for part in FOUND}
assert len(PARTS) == len(FOUND), "two parts have one name"
DOCUMENTS = {name: part for name, part in PARTS.items() if name.startswith("spy32.")}


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of one document."""
    part = DOCUMENTS[name]
    head = {"schema": {"const": name}, "version": {"const": VERSION}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('.', ':')}:{VERSION}",
        "title": _line(inspect.getdoc(part.noun)).rstrip("."),
        "$comment": "Keys may be added within a version; none is removed or changes its meaning.",
        **_object(part, head),
        "$defs": {used: _described(PARTS[used]) for used in sorted(_used(part))},
    }


def _object(part: Part, head: Mapping[str, Any]) -> dict[str, Any]:
    properties = {**head, **{key: _property(part, key) for key in part.keys}}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _described(part: Part) -> dict[str, Any]:
    text = _line(inspect.getdoc(part.noun))
    return {**({"description": text} if text != part.noun.__name__ else {}), **_object(part, {})}


def _property(part: Part, name: str) -> dict[str, Any]:
    key, schema = part.keys[name], dict(part.fields[name].schema)
    source = key.source or name
    description = key.description or (_docstring(part.noun, source) if isinstance(source, str) else "")
    return {**schema, **({"description": description} if description else {})}


def _docstring(noun: Any, path: str) -> str:
    """The text under the attribute where its class declares it."""
    before, _, name = path.rpartition(".")
    owner = attribute_type(noun, before) if before else noun
    owner = next((kind for kind in get_args(owner) if kind is not type(None)), owner)
    attribute = getattr(owner, name, None)
    return _docstrings(owner).get(name, "") or (_line(attribute.__doc__) if isinstance(attribute, property) else "")


@cache
def _docstrings(kind: Any) -> Mapping[str, str]:
    tree = ast.parse(inspect.getsource(inspect.getmodule(kind)))
    (body,) = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == kind.__name__]
    pairs = pairwise(body)
    bases = [_docstrings(base) for base in kind.__bases__ if base.__module__.startswith("spy32.")]
    inherited = {name: text for declared in bases for name, text in declared.items()}
    return inherited | {
        field.target.id: _line(text.value.value)
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }


def _line(text: str | None) -> str:
    """The first paragraph on one line, in the words of JSON."""
    return " ".join((text or "").split("\n\n")[0].split()).replace("None", "null")


def _used(part: Part) -> set[str]:
    """The names of all parts inside it."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        schema = json.dumps([shape.schema for shape in waiting.pop().fields.values()], default=str)
        names = {piece.split('"')[0] for piece in schema.split("#/$defs/")[1:]} - found
        found |= names
        waiting += [PARTS[name] for name in names]
    return found


def text_of(value: Any, indent: str = "") -> str:
    """JSON with what fits on a line on one line."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or len(indent) + len(short) < 118:
        return short
    inner = indent + "  "
    return (
        "{\n"
        + ",\n".join(f"{inner}{json.dumps(key)}: {text_of(item, inner)}" for key, item in value.items())
        + f"\n{indent}}}"
    )


def files() -> Iterator[tuple[Path, str]]:
    for name in sorted(DOCUMENTS):
        yield FOLDER / f"{name}.json", text_of(schema_of(name)) + "\n"


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text)
