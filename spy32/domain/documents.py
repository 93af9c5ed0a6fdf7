"""The description of a raw document, without its body."""

from datetime import datetime

from spy32.domain.value import value


@value
class DocumentSummary:
    """One row of `show --raw`."""

    source: str
    name: str
    at: datetime
    size: int
    """Size of the body as the source sent it, bytes."""
