"""The shipped JSON Schemas, and whether a document is one of theirs."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema


def schema(name: str) -> dict[str, Any]:
    return json.loads(files("spy32").joinpath(f"data/schemas/{name}.json").read_text())


def check(document: dict[str, Any]) -> None:
    """Valid, and every key of the document is one that the schema describes."""
    shipped = schema(document["schema"])
    jsonschema.Draft202012Validator(shipped, format_checker=jsonschema.FormatChecker()).validate(document)
    assert sorted(_undescribed(document, shipped, shipped)) == []


def _undescribed(value: Any, part: dict[str, Any], root: dict[str, Any], where: str = "") -> Iterator[str]:
    part = _resolved(part, root)
    if isinstance(value, list):
        for item in value:
            yield from _undescribed(item, part["items"], root, f"{where}[]")
    if isinstance(value, dict) and "properties" in part:
        for key, item in value.items():
            if key not in part["properties"]:
                yield f"{where}.{key}"
            else:
                yield from _undescribed(item, part["properties"][key], root, f"{where}.{key}")


def _resolved(part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in part:
        part = part["anyOf"][0]
    return root["$defs"][part["$ref"].split("/")[-1]] if "$ref" in part else part
