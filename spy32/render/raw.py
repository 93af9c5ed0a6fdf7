"""The texts of a run exactly as they are stored."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from spy32.domain.asking import Asked
    from spy32.domain.documents import DocumentLine


class Answer(NamedTuple):
    """One stored answer with the exact texts that went out and came back."""

    role: str
    analyst: str
    request: str
    response: str


class Raw(NamedTuple):
    """Requests to models, answers, and what the sources sent (without bodies)."""

    answers: tuple[Answer, ...] = ()
    attempts: "tuple[Asked, ...]" = ()
    documents: "tuple[DocumentLine, ...]" = ()
