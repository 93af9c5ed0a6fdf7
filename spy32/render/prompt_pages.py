"""The prompts as pages: the versions there are, one template, and what was sent for a run."""

import json
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, NamedTuple

from spy32.render.formatting import clean
from spy32.render.page import Cell, Page, noun_grid

if TYPE_CHECKING:
    from spy32.analysts.prompt import Template
    from spy32.domain.model_calls import ModelCall

HASH_LENGTH = 8


class PromptRow(NamedTuple):
    """One version in the list."""

    version: str
    variant: str
    hash: str
    """SHA-256 of templates and layout."""
    tokens: int
    """Of input for the shipped market, about."""
    is_used: bool
    """Whether the present settings choose it."""


def prompt_list_page(rows: tuple[PromptRow, ...]) -> Page:
    columns: dict[str, Cell] = {
        "version": "version",
        "variant:2": "variant",
        "hash:1": lambda row: row.hash[:HASH_LENGTH],
        "tokens, about>3": "tokens",
        "used": lambda row: "by these settings" if row.is_used else "no",
    }
    grid = noun_grid("prompt", "Prompts", rows, columns)
    return Page(parts=(grid,), following=("spy32 prompts show VERSION",))


def template_text(template: "Template") -> str:
    """The three files as they are, each under its name."""
    parts = "\n".join(f"--- {name}\n{text.rstrip()}\n" for name, text in template_files(template).items())
    return (
        f"prompt {template.version}, hash {template.hash}\nThis is the template; what stands behind a $ is filled in "
        f"by a run. `spy32 prompts show --run R31` prints\nwhat was sent for a run.\n\n{parts}"
    )


def template_files(template: "Template") -> Mapping[str, str]:
    return {
        "system.txt": template.system,
        "user.txt": template.user,
        "schema.json": json.dumps(template.schema, indent=2) + "\n",
    }


def template_diff(first: "Template", second: "Template") -> str:
    """The unified difference of the templates, file by file; empty when they are alike."""
    lines: list[str] = []
    others = template_files(second)
    for name, text in template_files(first).items():
        names = (f"{first.version}/{name}", f"{second.version}/{name}")
        lines += unified_diff(text.splitlines(keepends=True), others[name].splitlines(keepends=True), *names)
    return "".join(lines)


def diff_text(first: "Template", second: "Template") -> str:
    heads = "".join(f"{template.version}: hash {template.hash}\n" for template in (first, second))
    return heads + (template_diff(first, second) or "the templates are alike\n")


def requests_text(calls: "Iterable[ModelCall]") -> str:
    """What was sent, oldest first: each message as the model read it, then the schema of the answer."""
    return "\n".join(_request_text(each) for each in calls)


def _request_text(call: "ModelCall") -> str:
    attempt = call.attempt
    head = (
        f"request {call.id}: {attempt.role}, sample {attempt.sample}, attempt {attempt.attempt}, prompt "
        f"{attempt.prompt}, hash {attempt.prompt_hash}, input {attempt.input_hash}, model {attempt.model}, "
        f"effort {attempt.effort}"
    )
    return clean(f"{head}\n\n{_request_messages(attempt.request)}")


def _request_messages(request: str) -> str:
    """The messages of a request body; the body itself when it has none that can be told."""
    try:
        body = json.loads(request)
        messages = [f"--- {message['role']}\n{_content_text(message['content'])}\n" for message in body["input"]]
    except (ValueError, TypeError, KeyError):
        return f"--- body\n{request}\n"
    schema = body.get("text")
    return "\n".join([*messages, f"--- text\n{json.dumps(schema, indent=2)}\n"] if schema is not None else messages)


def _content_text(content: Any) -> str:
    """A text, or the joined parts of one."""
    return content if isinstance(content, str) else "\n".join(str(part["text"]) for part in content)
