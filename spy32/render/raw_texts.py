"""The texts of a run exactly as they are stored."""

from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.answer_role import AnswerRole

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelCall
    from spy32.domain.run_view import DocumentSummary


class StoredAnswer(NamedTuple):
    """One stored answer with the exact texts that went out and came back."""

    role: AnswerRole
    analyst: str
    request: str
    response: str


class RawTexts(NamedTuple):
    """Requests to models, answers, and what the sources sent (without bodies)."""

    answers: tuple[StoredAnswer, ...] = ()
    attempts: "tuple[ModelCall, ...]" = ()
    documents: "tuple[DocumentSummary, ...]" = ()
