"""JSON Schemas: they follow from the parts of the documents, and keep what 0.3 published."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from spy32.render.encoder import attribute_type
from spy32.render.run_documents import run_document
from tests.support import builders as b
from tests.support import run_views
from tests.support.make_schemas import DOCUMENTS, FOLDER, PARTS, files, schema_of
from tests.support.paths import DATA

PUBLISHED: dict[str, dict[str, str]] = json.loads((DATA / "documents_0_3.json").read_text())
"""Document -> path of a key -> its JSON types, as the schemas of 0.3.0 had them; no type is any."""


def test_the_shipped_schemas_are_current() -> None:
    made = {path.name: text for path, text in files()}
    shipped = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert shipped == made, "run `make schemas`"


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(name))


def keys(
    part: dict[str, Any], root: dict[str, Any], path: str = "", is_required: bool = True
) -> Iterator[tuple[str, set[str]]]:
    """Path and JSON types of every key that is always there, through references."""
    types: set[str] = set()
    if "anyOf" in part:
        part, types = part["anyOf"][0], {"null"}
    if "$ref" in part:
        part = root["$defs"][part["$ref"].rpartition("/")[2]]
    kinds = part.get("type", [])
    if is_required:
        yield path, types | ({kinds} if isinstance(kinds, str) else set(kinds))
    for name, inner in part.get("properties", {}).items():
        yield from keys(inner, root, f"{path}.{name}".lstrip("."), name in part["required"])
    if "items" in part:
        yield from keys(part["items"], root, f"{path}[]")
    if part.get("additionalProperties"):
        yield from keys(part["additionalProperties"], root, f"{path}{{}}")


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_no_published_key_is_gone_or_of_another_type(name: str) -> None:
    now = dict(keys(schema_of(name), schema_of(name)))
    assert PUBLISHED[name].keys() - now.keys() == set()
    changed = {
        path: (types, now[path])
        for path, types in PUBLISHED[name].items()
        if types and now[path] and set(types.split("|")) != now[path]
    }
    assert changed == {}


def test_a_number_that_is_none_is_refused() -> None:
    menu = b.menu(candidates=(b.candidate(pop_market=math.nan, outlook=None),))
    with pytest.raises(ValueError, match="NaN"):
        run_document(run_views.proposed(menu=menu))


def test_a_value_that_is_missing_without_leave_is_refused() -> None:
    view = run_views.proposed()
    with pytest.raises(TypeError, match="NoneType"):
        run_document(replace(view, run=replace(view.run, profile=None)))


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_key_with_a_type_of_its_own_still_names_an_attribute(name: str) -> None:
    """Its type is not read from the attribute, so a renamed one would be seen by the first document only."""
    for key in PARTS[name].keys.values():
        if isinstance(key.source, str):
            attribute_type(PARTS[name].noun, key.source)
