"""Which recommendations may become an order with real money."""

from spy32.domain.proposals import ProposalTerms, Recommendation
from spy32.domain.spreads import Mode
from spy32.settings import Settings

SIMPLIFIED_VARIANT = "simplified"
"""The last part of a prompt version's name, as in `v1-simplified`."""


def ineligible_prompt_reason(prompt: str | None, settings: Settings) -> str | None:
    """Return why an answer to this prompt must not become a live order; None when it may.

    The simplified prompt gives the model little data, to save costs in development.
    """
    is_simplified = prompt is not None and prompt.rpartition("-")[2] == SIMPLIFIED_VARIANT
    if settings.mode is not Mode.LIVE or not is_simplified or settings.analyst.live_simplified:
        return None
    return f"an answer to the prompt {prompt} makes no live order; analyst.live_simplified = true allows it"


def ineligible_proposal_reason(
    proposal: ProposalTerms, chosen: Recommendation | None, settings: Settings
) -> str | None:
    """Return the same for a proposal under the present settings. A person's own choice is always eligible."""
    if chosen is None or proposal.chosen_by != chosen.analyst:
        return None
    return ineligible_prompt_reason(chosen.prompt, settings)
