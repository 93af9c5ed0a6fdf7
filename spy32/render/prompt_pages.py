"""The prompts as pages: the versions there are, one template, and what was sent for a run."""

import json
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, NamedTuple

from spy32.render.page import Column, Grid, Page
from spy32.render.words import clean

if TYPE_CHECKING:
    from spy32.analysts.prompt import Template
    from spy32.domain.asking import Asked

SHORT = 8


class Listed(NamedTuple):
    """One version in the list."""

    version: str
    variant: str
    hash: str
    tokens: int
    is_used: bool


def list_page(rows: tuple[Listed, ...]) -> Page:
    columns = (
        Column("version"),
        Column("variant", rank=2),
        Column("hash", rank=1),
        Column("tokens, about", rank=3, right=True),
        Column("used"),
    )
    cells = tuple(
        (row.version, row.variant, row.hash[:SHORT], f"{row.tokens}", "by these settings" if row.is_used else "no")
        for row in rows
    )
    grid = Grid(name="prompt", title="Prompts", columns=columns, rows=cells)
    return Page(parts=(grid,), following=("spy32 prompts show VERSION",))


def template_text(template: "Template") -> str:
    """The three files as they are, each under its name."""
    parts = "\n".join(f"--- {name}\n{text.rstrip()}\n" for name, text in files_of(template).items())
    return (
        f"prompt {template.version}, hash {template.hash}\n"
        "This is the template; what stands behind a $ is filled in by a run. `spy32 prompts show --run R31` prints\n"
        f"what was sent for a run.\n\n{parts}"
    )


def files_of(template: "Template") -> Mapping[str, str]:
    return {
        "system.txt": template.system,
        "user.txt": template.user,
        "schema.json": json.dumps(template.schema, indent=2) + "\n",
    }


def comparison(first: "Template", second: "Template") -> str:
    """The unified difference of the templates, file by file; empty when they are alike."""
    lines: list[str] = []
    others = files_of(second)
    for name, text in files_of(first).items():
        names = (f"{first.version}/{name}", f"{second.version}/{name}")
        lines += unified_diff(text.splitlines(keepends=True), others[name].splitlines(keepends=True), *names)
    return "".join(lines)


def compare_text(first: "Template", second: "Template") -> str:
    heads = "".join(f"{made.version}: hash {made.hash}\n" for made in (first, second))
    return heads + (comparison(first, second) or "the templates are alike\n")


def sent_text(asked: "Iterable[Asked]") -> str:
    """What was sent, oldest first: each message as the model read it, then the schema of the answer."""
    return "\n".join(_one(each) for each in asked)


def _one(asked: "Asked") -> str:
    attempt = asked.attempt
    head = (
        f"request {asked.id}: {attempt.role}, sample {attempt.sample}, attempt {attempt.attempt}, prompt "
        f"{attempt.prompt}, hash {attempt.prompt_hash}, input {attempt.input_hash}, model {attempt.model}, "
        f"effort {attempt.effort}"
    )
    return clean(f"{head}\n\n{_messages(attempt.request)}")


def _messages(request: str) -> str:
    """The messages of a request body; the body itself when it has none that can be told."""
    try:
        body = json.loads(request)
        messages = [f"--- {message['role']}\n{_words(message['content'])}\n" for message in body["input"]]
    except (ValueError, TypeError, KeyError):
        return f"--- body\n{request}\n"
    schema = body.get("text")
    return "\n".join([*messages, f"--- text\n{json.dumps(schema, indent=2)}\n"] if schema is not None else messages)


def _words(content: Any) -> str:
    """A text, or the joined parts of one."""
    return content if isinstance(content, str) else "\n".join(str(part["text"]) for part in content)


def prompts_document(
    action: str,
    *,
    prompts: Iterable[Listed] = (),
    template: "Template | None" = None,
    sent: "Iterable[Asked] | None" = None,
    compared: "tuple[Template, Template] | None" = None,
) -> dict[str, Any]:
    """The document of each command of the group; keys of the others are empty or null."""
    return {
        "schema": "spy32.prompts",
        "version": 1,
        "action": action,
        "prompts": [
            {
                "version": row.version,
                "variant": row.variant,
                "hash": row.hash,
                "tokens": row.tokens,
                "used": row.is_used,
            }
            for row in prompts
        ],
        "template": None if template is None else _template_part(template),
        "sent": None if sent is None else [_sent_part(asked) for asked in sent],
        "compared": None if compared is None else _compared_part(*compared),
    }


def _template_part(template: "Template") -> dict[str, Any]:
    return {
        "version": template.version,
        "variant": template.variant,
        "hash": template.hash,
        "system": template.system,
        "user": template.user,
        "schema": template.schema,
    }


def _sent_part(asked: "Asked") -> dict[str, Any]:
    attempt = asked.attempt
    return {
        "role": attempt.role,
        "sample": attempt.sample,
        "attempt": attempt.attempt,
        "prompt": attempt.prompt,
        "prompt_hash": attempt.prompt_hash,
        "input_hash": attempt.input_hash,
        "model": attempt.model,
        "effort": attempt.effort,
        "request": attempt.request,
    }


def _compared_part(first: "Template", second: "Template") -> dict[str, Any]:
    return {
        "versions": [first.version, second.version],
        "hashes": [first.hash, second.hash],
        "difference": comparison(first, second),
    }
