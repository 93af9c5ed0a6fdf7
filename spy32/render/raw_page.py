"""The page of `show --raw`: every text that went out and came back, and what the sources sent."""

from collections.abc import Iterable
from datetime import UTC
from typing import TYPE_CHECKING

from spy32.domain.acting import Order
from spy32.domain.views import RunView
from spy32.render.explain import badges_of
from spy32.render.explain_answer import tokens_of
from spy32.render.menu_pages import heading_of
from spy32.render.page import Column, Grid, Page, Pairs, Part, Prose, pair
from spy32.render.raw import Raw
from spy32.render.words import both_zones, clean, dollars_of_ticks, flat, human, milliseconds
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.asking import Asked, Checked, Heard
    from spy32.domain.documents import DocumentLine


def raw_page(view: RunView, raw: Raw) -> Page:
    """The texts that went out and came back, as stored; only what could upset a terminal is taken out."""
    parts: list[Part] = []
    for asked in raw.attempts:
        parts += _attempt(asked)
    for answer in raw.answers:
        if raw.attempts and not answer.request and not answer.response:
            continue  # its words stand with the attempts, or there were none
        who = f"{flat(answer.role)} {flat(answer.analyst)}"
        parts.append(Prose(title=f"request to {who}", text=clean(answer.request) or "none"))
        parts.append(Prose(title=f"answer of {who}", text=clean(answer.response) or "none"))
    if view.body:
        parts.append(Prose(title="order body", text=clean(view.body)))
    parts += [_sent(order) for order in view.orders]
    if raw.documents:
        parts.append(_documents(raw.documents))
    return Page(heading=heading_of(view, "raw"), badges=badges_of(view), parts=tuple(parts))


def _attempt(asked: "Asked") -> list[Part]:
    """One request to a model: what is known of it, then the bodies."""
    attempt, heard = asked.attempt, asked.heard
    name = f"{flat(attempt.role)}, sample {attempt.sample}, attempt {attempt.attempt}"
    items = [
        pair(
            "prompt", f"{flat(attempt.prompt)}, hash {_short(attempt.prompt_hash)}, input {_short(attempt.input_hash)}"
        ),
        pair("asked", f"{flat(attempt.model)}, effort {flat(attempt.effort)}, {both_zones(asked.at, NEW_YORK)}"),
    ]
    if heard is None:
        items.append(pair("outcome", "no answer was ever written down", "bad"))
        items.append(pair("cost", f"{dollars_of_ticks(attempt.estimate_ticks)}, our estimate"))
        answer = "none"
    else:
        items += _heard(heard)
        items += _checked(asked.checked) if asked.checked is not None else []
        answer = clean(heard.response) or "none"
    return [
        Pairs(name=f"attempt {asked.id}", title=f"Attempt {asked.id}: {name}", items=(pair("is", name), *items)),
        Prose(title=f"request {asked.id}", text=clean(attempt.request) or "none"),
        Prose(title=f"response {asked.id}", text=answer),
    ]


def _short(digest: str) -> str:
    return flat(digest)[:8]


def _heard(heard: "Heard") -> list[tuple[str, str, str]]:
    status = f"HTTP {heard.status}" if heard.status is not None else "no HTTP status"
    detail = f": {flat(heard.detail)}" if heard.detail else ""
    estimated = ", our estimate" if heard.is_estimate else ""
    names = (("fingerprint", heard.fingerprint), ("request", heard.request_id))
    known = "".join(f", {label} {flat(text)}" for label, text in names if text)
    return [
        pair("outcome", f"{human(heard.outcome)} ({status}, {milliseconds(heard.ms)}){detail}"),
        pair("answered by", f"{flat(heard.model or 'nobody')}{known}"),
        pair("tokens", tokens_of(heard)),
        pair("cost", f"{dollars_of_ticks(heard.cost_ticks)}{estimated}"),
    ]


def _checked(checked: "Checked") -> list[tuple[str, str, str]]:
    """What the checks made of the words, one line each."""
    chosen = f" {flat(checked.candidate_id)}" if checked.candidate_id is not None else ""
    ended = f", ended at {human(checked.check)}: {flat(checked.words)}" if checked.check else ", every check passed"
    items = [pair("checks", f"{flat(checked.decision)}{chosen}{ended} (parser {checked.parser})")]
    items += [pair("mark", flat(mark), "warn") for mark in checked.marks]
    return items + [pair("veto", flat(veto), "bad") for veto in checked.vetoes]


def _documents(lines: "Iterable[DocumentLine]") -> Grid:
    columns = (
        Column(name="source"),
        Column(name="name", flexible=True),
        Column(name="bytes", right=True),
        Column(name="at (UTC)", rank=1),
    )
    rows = tuple(
        (flat(line.source), flat(line.name), str(line.size), f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}")
        for line in lines
    )
    return Grid(name="document", title="Documents as the sources sent them", columns=columns, rows=rows)


def _sent(order: Order) -> Prose:
    return Prose(title=f"body of order {flat(order.reference)}", text=clean(order.body))
