"""The parts of JSON documents about deciding by words: the answer with its checks, and what asking it took."""

from typing import TYPE_CHECKING

from spy32.render.document_parts import Document, figure_part, instant
from spy32.render.formatting import ticks_as_usd

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.domain.documents import DocumentSummary
    from spy32.domain.model_calls import ModelCall, ModelResponse, ResponseCheck, UsageSummary
    from spy32.domain.proposals import Recommendation
    from spy32.render.raw_texts import StoredAnswer


def recommendation_part(word: "Recommendation", tally: "UsageSummary | None" = None) -> Document:
    """`tally` is what asking came to; null for who asks no model."""
    return {
        "analyst": word.analyst,
        "model": word.model,
        "prompt": word.prompt,
        "decision": word.decision.value,
        "candidate_id": word.candidate_id,
        "probability": word.probability,
        "reason": word.reason,
        "analysis": word.analysis,
        "evidence": list(word.evidence),
        "cost": ticks_as_usd(word.cost_ticks),
        "model_asked": word.model_asked,
        "market_bias": word.market_bias,
        "bull_case": word.bull_case,
        "bear_case": word.bear_case,
        "would_change_my_mind": word.would_change_my_mind,
        "data_problems": list(word.data_problems),
        "cited": [
            {"path": item.path, "value": item.value, "unit": item.unit, "note": item.note} for item in word.cited
        ],
        "numbers": None
        if word.numbers is None
        else {"matched": word.numbers.matched, "unmatched": list(word.numbers.unmatched)},
        "marks": list(word.marks),
        "vetoes": list(word.vetoes),
        "failure": word.failure,
        "votes": dict(word.votes),
        "cost_usd": ticks_as_usd(word.cost_ticks),
        "cost_ticks": word.cost_ticks,
        "attempts": None if tally is None else tally.attempts,
        "tokens": None if tally is None else _tokens(tally),
        "asked_before": [] if tally is None else [f"R{number}" for number in tally.asked_before],
    }


def answer_part(answer: "StoredAnswer") -> Document:
    return {
        "role": answer.role,
        "analyst": answer.analyst,
        "request": answer.request,
        "response": answer.response,
    }


# Asking.


def _tokens(counts: "UsageSummary | ModelResponse") -> Document:
    return {
        "input": counts.input_tokens,
        "cached": counts.cached_tokens,
        "output": counts.output_tokens,
        "reasoning": counts.reasoning_tokens,
    }


def figures_part(briefing: "Briefing") -> list[Document]:
    """The figures that were put before the analyst, in the order shown."""
    return [{"path": path, **figure_part(metric)} for path, metric in briefing.figures.items()]


def attempt_part(asked: "ModelCall") -> Document:
    """One request to a model, its bodies exactly as stored."""
    attempt = asked.attempt
    return {
        "id": asked.id,
        "at": instant(asked.at),
        "role": attempt.role,
        "sample": attempt.sample,
        "attempt": attempt.attempt,
        "prompt": attempt.prompt,
        "prompt_hash": attempt.prompt_hash,
        "input_hash": attempt.input_hash,
        "model_asked": attempt.model,
        "effort": attempt.effort,
        "estimate_usd": ticks_as_usd(attempt.estimate_ticks),
        "request": attempt.request,
        "heard": None if asked.heard is None else _heard(asked.heard),
        "checked": None if asked.checked is None else _checked(asked.checked),
    }


def _heard(response: "ModelResponse") -> Document:
    return {
        "outcome": response.outcome,
        "detail": response.detail,
        "status": response.status,
        "model_answered": response.model,
        "fingerprint": response.fingerprint,
        "request_id": response.request_id,
        "ms": response.ms,
        "tokens": _tokens(response),
        "cost_usd": ticks_as_usd(response.cost_ticks),
        "cost_ticks": response.cost_ticks,
        "is_estimate": response.is_estimate,
        "response": response.response,
    }


def _checked(checked: "ResponseCheck") -> Document:
    return {
        "parser": checked.parser,
        "decision": checked.decision,
        "candidate_id": checked.candidate_id,
        "check": checked.check or None,
        "words": checked.words or None,
        "marks": list(checked.marks),
        "vetoes": list(checked.vetoes),
    }


def raw_document_part(line: "DocumentSummary") -> Document:
    return {"source": line.source, "name": line.name, "at": instant(line.at), "bytes": line.size}
