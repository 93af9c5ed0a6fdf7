"""The prompts as pages: the versions there are, one template, and what was sent for a run."""

import json
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, NamedTuple

from spy32.render.candidates import find_candidate, name_spreads, spread_words
from spy32.render.formatting import clean, format_count, single_line
from spy32.render.page import Columns, Page, noun_grid, pairs

if TYPE_CHECKING:
    from spy32.analysts.prompt import Template
    from spy32.domain.model_calls import ModelCall
    from spy32.domain.proposals import Recommendation
    from spy32.domain.spreads import Menu
    from spy32.review.prompt_comparison import PromptComparison

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
    columns: Columns = {
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


def comparison_page(said: "PromptComparison") -> Page:
    """What two prompts said of the same snapshots: agreement, what each did and cost, and their experiment."""
    if not said.runs:
        return Page(heading="no run was answered with both")
    columns: Columns = {
        "prompt": "version",
        "traded>": "traded",
        "abstained>": "abstained",
        "failed>": "failed",
        "vetoed>": "vetoed",
        "numbers unmatched>1": "unmatched",
        "cost>": lambda each: f"${each.cost:.4f}",
        "score>": lambda each: _score(each.score, each.scored),
        "market's score>": lambda each: _score(each.market_score, each.scored),
    }
    agreement = ((name, f"{count} of {len(said.runs)}") for name, count in said.agreement.items() if count)
    found = said.experiment
    experiment = [] if found is None else [("experiment", f"{found.experiment.name}: {found.words}")]
    choices = (
        (single_line(each.prompt or ""), f"{_choice_words(each, said.menu)}: {name_spreads(each.reason, said.menu)}")
        for each in (choice.answer for choice in said.choices)
    )
    return Page(
        heading=f"{format_count(len(said.runs), 'run')} answered with both",
        tone="strong",
        parts=(
            pairs(choices, "choice", "What they chose"),
            pairs(agreement, "agreement", "They take"),
            noun_grid("record", "What each did", said.records, columns)._replace(continues=True),
            pairs(experiment),
        ),
    )


def _choice_words(choice: "Recommendation", menu: "Menu | None") -> str:
    entry = find_candidate(menu, choice.candidate_id)
    return f"{choice.decision} {spread_words(entry)}" if entry is not None else str(choice.decision)


def _score(value: float | None, count: int) -> str:
    return "none yet" if value is None else f"{value:.3f} of {count}"


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
