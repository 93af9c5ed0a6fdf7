"""The page of `show --raw`: every text that went out and came back, and what the sources sent."""

from datetime import UTC
from typing import TYPE_CHECKING

from spy32.domain.run_view import RunView
from spy32.render.explain_answer import format_tokens
from spy32.render.formatting import (
    clean,
    format_both_zones,
    format_known,
    format_milliseconds,
    format_ticks,
    humanise,
    single_line,
)
from spy32.render.menu_pages import list_page
from spy32.render.page import Cell, Item, Page, Part, Prose, noun_grid, pair, pairs
from spy32.render.raw_texts import RawTexts
from spy32.sessions import NEW_YORK

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
        columns: dict[str, Cell] = {
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
    items = [
        pair("is", name),
        pair("prompt", f"{attempt.prompt}, {hashes}"),
        pair("asked", f"{attempt.model}, effort {attempt.effort}, {format_both_zones(call.at, NEW_YORK)}"),
    ]
    if response is None:
        items.append(pair("outcome", "no answer was ever written down", "bad"))
        items.append(pair("cost", f"{format_ticks(attempt.estimate_ticks)}, our estimate"))
    else:
        items += _response_items(response)
        items += _check_items(call.checked) if call.checked is not None else []
    return [
        pairs(items, f"attempt {call.id}", f"Attempt {call.id}: {name}"),
        _text_part(f"request {call.id}", attempt.request),
        _text_part(f"response {call.id}", response.response if response is not None else ""),
    ]


def _response_items(response: "ModelResponse") -> list[Item]:
    status = format_known("HTTP {}".format, response.status, "no HTTP status")
    took = f"{humanise(response.outcome)} ({status}, {format_milliseconds(response.ms)})"
    detail = f": {response.detail}" if response.detail else ""
    estimated = ", our estimate" if response.is_estimate else ""
    names = (("fingerprint", response.fingerprint), ("request", response.request_id))
    known = "".join(f", {label} {text}" for label, text in names if text)
    return [
        pair("outcome", f"{took}{detail}"),
        pair("answered by", f"{response.model or 'nobody'}{known}"),
        pair("tokens", format_tokens(response)),
        pair("cost", f"{format_ticks(response.cost_ticks)}{estimated}"),
    ]


def _check_items(checked: "ResponseCheck") -> list[Item]:
    """What the checks made of the words, one line each."""
    chosen = format_known(" {}".format, checked.candidate_id)
    ended = f"ended at {humanise(checked.check)}: {checked.words}" if checked.check else "every check passed"
    items = [pair("checks", f"{checked.decision}{chosen}, {ended} (parser {checked.parser})")]
    items += [pair("mark", mark, "warn") for mark in checked.marks]
    return items + [pair("veto", veto, "bad") for veto in checked.vetoes]
