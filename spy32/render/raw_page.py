"""The page of `show --raw`: every text that went out and came back, and what the sources sent."""

from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING

from spy32.domain.orders import Order
from spy32.domain.run_view import RunView
from spy32.render.explain import view_badges
from spy32.render.explain_answer import format_tokens
from spy32.render.formatting import clean, format_both_zones, format_milliseconds, format_ticks, humanise, single_line
from spy32.render.menu_pages import heading_of
from spy32.render.page import Cell, Grid, Page, Pairs, Part, Prose, noun_grid, pair
from spy32.render.raw_texts import RawTexts
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.documents import DocumentSummary
    from spy32.domain.model_calls import ModelCall, ModelResponse, ResponseCheck


def raw_page(view: RunView, raw: RawTexts) -> Page:
    """The texts that went out and came back, as stored; only what could upset a terminal is taken out."""
    parts: list[Part] = []
    for call in raw.attempts:
        parts += _attempt_parts(call)
    for answer in raw.answers:
        if raw.attempts and not answer.request and not answer.response:
            continue  # its words stand with the attempts, or there were none
        who = f"{single_line(answer.role)} {single_line(answer.analyst)}"
        parts.append(Prose(title=f"request to {who}", text=clean(answer.request) or "none"))
        parts.append(Prose(title=f"answer of {who}", text=clean(answer.response) or "none"))
    if view.body:
        parts.append(Prose(title="order body", text=clean(view.body)))
    parts += [_order_body_part(order) for order in view.orders]
    if raw.documents:
        parts.append(_documents_grid(raw.documents))
    return Page(heading=heading_of(view, "raw"), badges=view_badges(view), parts=tuple(parts))


def _attempt_parts(call: "ModelCall") -> list[Part]:
    """One request to a model: its facts, then the bodies."""
    attempt, response = call.attempt, call.heard
    name = f"{single_line(attempt.role)}, sample {attempt.sample}, attempt {attempt.attempt}"
    items = [
        pair(
            "prompt",
            f"{single_line(attempt.prompt)}, hash {_short_hash(attempt.prompt_hash)}, input "
            f"{_short_hash(attempt.input_hash)}",
        ),
        pair(
            "asked",
            f"{single_line(attempt.model)}, effort {single_line(attempt.effort)}, "
            f"{format_both_zones(call.at, NEW_YORK)}",
        ),
    ]
    if response is None:
        items.append(pair("outcome", "no answer was ever written down", "bad"))
        items.append(pair("cost", f"{format_ticks(attempt.estimate_ticks)}, our estimate"))
        answer = "none"
    else:
        items += _response_items(response)
        items += _check_items(call.checked) if call.checked is not None else []
        answer = clean(response.response) or "none"
    return [
        Pairs(name=f"attempt {call.id}", title=f"Attempt {call.id}: {name}", items=(pair("is", name), *items)),
        Prose(title=f"request {call.id}", text=clean(attempt.request) or "none"),
        Prose(title=f"response {call.id}", text=answer),
    ]


def _short_hash(digest: str) -> str:
    return single_line(digest)[:8]


def _response_items(response: "ModelResponse") -> list[tuple[str, str, str]]:
    status = f"HTTP {response.status}" if response.status is not None else "no HTTP status"
    detail = f": {single_line(response.detail)}" if response.detail else ""
    estimated = ", our estimate" if response.is_estimate else ""
    names = (("fingerprint", response.fingerprint), ("request", response.request_id))
    known = "".join(f", {label} {single_line(text)}" for label, text in names if text)
    return [
        pair("outcome", f"{humanise(response.outcome)} ({status}, {format_milliseconds(response.ms)}){detail}"),
        pair("answered by", f"{single_line(response.model or 'nobody')}{known}"),
        pair("tokens", format_tokens(response)),
        pair("cost", f"{format_ticks(response.cost_ticks)}{estimated}"),
    ]


def _check_items(checked: "ResponseCheck") -> list[tuple[str, str, str]]:
    """What the checks made of the words, one line each."""
    chosen = f" {single_line(checked.candidate_id)}" if checked.candidate_id is not None else ""
    ended = (
        f", ended at {humanise(checked.check)}: {single_line(checked.words)}"
        if checked.check
        else ", every check passed"
    )
    items = [pair("checks", f"{single_line(checked.decision)}{chosen}{ended} (parser {checked.parser})")]
    items += [pair("mark", single_line(mark), "warn") for mark in checked.marks]
    return items + [pair("veto", single_line(veto), "bad") for veto in checked.vetoes]


def _documents_grid(lines: "Iterable[DocumentSummary]") -> Grid:
    columns: dict[str, Cell] = {
        "source": "source",
        "name~": "name",
        "bytes>": "size",
        "at (UTC):1": lambda line: f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    }
    return noun_grid("document", "Documents as the sources sent them", lines, columns)


def _order_body_part(order: Order) -> Prose:
    return Prose(title=f"body of order {single_line(order.reference)}", text=clean(order.body))
