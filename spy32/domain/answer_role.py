"""What an answer of an analyst is for."""

from enum import StrEnum


class AnswerRole(StrEnum):
    """What an answer is for. The value is stored and appears in JSON."""

    CHOSEN = "chosen"
    """It decides the run."""
    SHADOW = "shadow"
    """For comparison."""
    AGAIN = "again"
    """Asked for later, by `replay`."""
