"""The documents about prompts: the versions, one of them, what was sent, how two differ, what would be sent."""

from typing import Annotated, Any

from spy32.analysts.prompt import Template
from spy32.domain.model_calls import ModelCall
from spy32.domain.value import value
from spy32.render import report_documents  # noqa: F401 - the part of an experiment's state
from spy32.render.encoder import Key, Part
from spy32.render.prompt_pages import PromptRow, template_diff
from spy32.review.prompt_comparison import PromptChoice, PromptComparison, PromptRecord


@value
class PromptPreview:
    """What would be sent to the model, and was not."""

    prompt: str
    """Version of the prompt."""
    tokens: int
    """Estimate of what the service will count as input."""
    body: str
    """The request body exactly as it would leave, JSON as text."""


@value
class TemplateComparison:
    """How two templates differ."""

    versions: tuple[str, ...]
    hashes: tuple[str, ...]
    difference: str
    """A unified difference; empty when they are alike."""
    said: PromptComparison | None = None
    """What both said of the same snapshots; null in a home without runs."""


@value
class Prompts:
    """Prompts: the versions there are, one of them, what was sent, or how two differ."""

    action: str
    """`list`, `show` or `compare`."""
    prompts: tuple[PromptRow, ...] = ()
    """The versions, oldest first; empty but for `list`."""
    template: Template | None = None
    sent: tuple[ModelCall, ...] | None = None
    """With --run: every request of the run, oldest first."""
    compared: TemplateComparison | None = None


SENT = Part(
    ModelCall,
    "role sample attempt=attempt.attempt prompt prompt_hash input_hash model effort request",
    called="SentRequest",
    inner="attempt",
)
Part(PromptRow, "version variant hash tokens used=is_used")
Part(Template, "version variant hash system user schema", schema=Key(dict[str, Any], "schema", "Of the answer."))
Part(PromptRecord)
Part(
    PromptChoice,
    "run_id version decision candidate_id stated=answer.probability reason",
    inner="answer",
    version=Key(str, "answer.prompt"),
)
Part(PromptComparison, "runs agreement records choices experiment")
Part(TemplateComparison)
PROMPT = Part(PromptPreview, called="spy32.prompt")
PROMPTS = Part(
    Prompts,
    "action prompts template sent compared",
    called="spy32.prompts",
    sent=Key(tuple[Annotated[ModelCall, SENT], ...] | None),
)


def compare_templates(first: Template, second: Template, said: PromptComparison | None) -> TemplateComparison:
    """How two templates differ, and what both said."""
    return TemplateComparison(
        versions=(first.version, second.version),
        hashes=(first.hash, second.hash),
        difference=template_diff(first, second),
        said=said,
    )
