"""What is known of a raw document without its body."""

from datetime import datetime

from spy32.domain.value import value


@value
class DocumentSummary:
    source: str
    name: str
    at: datetime
    size: int
    """Bytes of the body as it was sent."""
