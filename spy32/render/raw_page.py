"""The page of `show --raw`: every text that went out and came back, and what the sources sent."""

from datetime import UTC
from typing import TYPE_CHECKING

from spy32.domain.run_view import RunView
from spy32.render.explain_answer import format_tokens
from spy32.render.formatting import (
    clean,
    format_known,
    format_milliseconds,
    format_ticks,
    humanise,
    new_york_words,
    single_line,
)
from spy32.render.menu_pages import list_page
from spy32.render.page import Columns, Fact, Facts, Page, Part, Prose, noun_grid, pairs
from spy32.render.raw_texts import RawTexts

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelCall, ModelResponse, ResponseCheck


def raw_page(view: RunView, raw: RawTexts) -> Page:
    """The texts that went out and came back, as stored; only what could upset a terminal is taken out."""
    parts: list[Part] = []
    for call in raw.attempts:
        parts += _attempt_parts(call)
    for answer in raw.answers:
        if answer.request or answer.response or not raw.attempts:  # else its words stand with the attempts
            who = f"{answer.role} {single_line(answer.analyst)}"
            parts += [_text_part(f"request to {who}", answer.request), _text_part(f"answer of {who}", answer.response)]
    if view.body:
        parts.append(_text_part("order body", view.body))
    parts += [_text_part(f"body of order {order.reference}", order.body) for order in view.orders]
    if raw.documents:
        columns: Columns = {
            "source": "source",
            "name~": "name",
            "bytes>": "size",
            "at (UTC):1": lambda line: f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        }
        parts.append(noun_grid("document", "Documents as the sources sent them", raw.documents, columns))
    return list_page(view, "raw", parts)


def _text_part(title: str, text: str) -> Prose:
    return Prose(clean(text) or "none", title=title)


def _attempt_parts(call: "ModelCall") -> list[Part]:
    """One request to a model: its facts, then the bodies."""
    attempt, response = call.attempt, call.heard
    name = f"{attempt.role}, sample {attempt.sample}, attempt {attempt.attempt}"
    hashes = f"hash {attempt.prompt_hash[:8]}, input {attempt.input_hash[:8]}"
    items: list[Fact] = [
        ("is", name),
        ("prompt", f"{attempt.prompt}, {hashes}"),
        ("asked", f"{attempt.model}, effort {attempt.effort}, {new_york_words(call.at)}"),
    ]
    if response is None:
        items.append(("outcome", "no answer was ever written down", "bad"))
        items.append(("cost", f"{format_ticks(attempt.estimate_ticks)}, our estimate"))
    else:
        items += _response_items(response, call.checked)
    return [
        pairs(items, f"attempt {call.id}", f"Attempt {call.id}: {name}"),
        _text_part(f"request {call.id}", attempt.request),
        _text_part(f"response {call.id}", response.response if response is not None else ""),
    ]


def _response_items(response: "ModelResponse", checked: "ResponseCheck | None") -> Facts:
    """What came back, and what the checks made of the words."""
    status = format_known("HTTP {}".format, response.status, "no HTTP status")
    took = f"{humanise(response.outcome)} ({status}, {format_milliseconds(response.ms)})"
    detail = f": {response.detail}" if response.detail else ""
    estimated = ", our estimate" if response.is_estimate else ""
    names = (("fingerprint", response.fingerprint), ("request", response.request_id))
    known = "".join(f", {label} {text}" for label, text in names if text)
    yield "outcome", f"{took}{detail}"
    yield "answered by", f"{response.model or 'nobody'}{known}"
    yield "tokens", format_tokens(response)
    yield "cost", f"{format_ticks(response.cost_ticks)}{estimated}"
    if checked is not None:
        chosen = format_known(" {}".format, checked.candidate_id)
        ended = f"ended at {humanise(checked.check)}: {checked.words}" if checked.check else "every check passed"
        yield "checks", f"{checked.decision}{chosen}, {ended} (parser {checked.parser})"
        yield from (("mark", mark, "warn") for mark in checked.marks)
        yield from (("veto", veto, "bad") for veto in checked.vetoes)
