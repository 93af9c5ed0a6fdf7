"""A prompt as it is sent: its words, the schema of its answer, and every field with the value that went out."""

from collections.abc import Mapping
from typing import Any

from spy32.domain.value import value


@value
class PromptField:
    """One field of a prompt. `text` is what the prompt shows; `value` is the number behind it, if it is one."""

    path: str
    text: str
    """`null` when it is missing."""
    value: float | None = None
    unit: str = ""
    note: str = ""
    """Source and age, or why it is missing."""
    is_missing: bool = False


@value
class RenderedPrompt:
    """One prompt for one snapshot and menu, in one order of the menu."""

    version: str
    """Folder of the templates, such as `v1-comprehensive`."""
    prompt_hash: str
    """SHA-256 of templates, schema template and renderer; the same for every run."""
    input_hash: str
    """SHA-256 of what was filled in."""
    as_of: str
    """The time stamp that an answer must repeat."""
    system: str
    user: str
    schema: Mapping[str, Any]
    """JSON Schema of the answer, with this run's ids and paths as enums."""
    fields: Mapping[str, PromptField]
    """By path, every one that may be cited."""
    ids: tuple[str, ...]
    """Of the candidates, in the order sent."""
    tokens: int
    """Estimate of what the service will count as input."""
