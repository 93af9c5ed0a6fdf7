"""The page and the document of a refresh of outcomes."""

from spy32.render.encoder import Part
from spy32.render.formatting import format_count, single_line
from spy32.render.page import Page, Pairs, pair
from spy32.review.outcomes import OpenReason, OutcomeRefresh

Part(OpenReason)
OUTCOMES = Part(OutcomeRefresh, called="spy32.outcomes")


def refresh_page(found: OutcomeRefresh) -> Page:
    """What became known, and what is still open and why."""
    names = ", ".join(f"R{number}" for number in found.changed)
    items = [pair("new", f"{format_count(len(found.changed), 'run')}{f': {names}' if names else ''}")]
    items += [pair(f"R{run.run_id}", f"open: {single_line(run.reason)}") for run in found.pending]
    return Page(parts=(Pairs(items=tuple(items)),))
