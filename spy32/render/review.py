"""The review screen as a page: everything that decides, in sections, each figure whole at any width from 60 columns."""

from datetime import tzinfo
from typing import TYPE_CHECKING

from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Candidate, Mode
from spy32.lifecycle import ProposalState
from spy32.render.explain import MODES
from spy32.render.explain_answer import answer_items, probability_items
from spy32.render.formatting import (
    clean,
    format_both_zones,
    format_count,
    format_credit,
    format_dollars,
    format_gain,
    format_legs,
    format_percent,
    format_price,
    humanise,
    mask_account,
    option_side,
    single_line,
)
from spy32.render.page import Column, Grid, Page, Pairs, Part, Prose, pair
from spy32.render.pages import legs_grid
from spy32.render.review_figures import at_expiration, changes, deciding, findings_part, in_short, leaving
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.proposals import Proposal
    from spy32.domain.run_view import RunView
    from spy32.trading.review import Review

Item = tuple[str, str, str]

COLUMNS = (
    Column(name="id"),
    Column(name="spread"),
    Column(name="marked"),
    Column(name="floor", rank=3, right=True),
    Column(name="mid", rank=1, right=True),
    Column(name="natural", rank=5, right=True),
    Column(name="max loss", rank=2, right=True),
    Column(name="delta", rank=4, right=True),
    Column(name="breakeven", rank=7, right=True),
    Column(name="POP", rank=6, right=True),
    Column(name="EV", rank=8, right=True),
    Column(name="EV plan", rank=9, right=True),
    Column(name="POP history", rank=10, right=True),
    Column(name="costs", rank=11, right=True),
)
"""The rank says which goes first when the screen is narrow; no cell is ever cut."""


def review_page(shown: "Review", here: tzinfo | None = None) -> Page:
    """The screen on which a person decides."""
    parts: list[Part] = _menu(shown)
    parts += _choice(shown)
    result = shown.proposal
    if result is not None:
        parts += [deciding(shown, result, here), legs_grid(result.legs, result.quantity)]
        parts += at_expiration(shown, result)
        parts += [leaving(result), changes(shown, here)]
    parts += findings_part(shown.findings)
    if result is not None:
        parts.append(in_short(shown, result))
    return Page(heading=_heading(shown, here), tone="strong", badges=badges(shown, here), parts=tuple(parts))


def badges(shown: "Review", here: tzinfo | None = None) -> tuple[str, ...]:
    """What must not be overlooked, at the top: whose money, which market, quotes that are not fresh."""
    text = [f"{MODES[shown.run.mode]}, account {mask_account(shown.account.number)}"]
    if shown.market.is_recorded:
        text.append(f"RECORDED MARKET: quotes of {format_both_zones(shown.market.as_of, here)}, not of now")
    elif shown.stale_reason is not None:
        text.append(f"STORED QUOTES: {single_line(shown.stale_reason)}")
    if shown.draft is not None:
        text.append(f"DRAFT: {named(shown)}; it is kept only when you approve it")
    return tuple(text)


def named(shown: "Review") -> str:
    """What is decided on: `P31`, `P31 as changed here`, or `the choice for R31` over an abstention."""
    if shown.draft is None:
        return shown.name
    return f"the choice for {shown.name}" if shown.draft.proposal.id is None else f"{shown.name} as changed here"


def drop_words(shown: "Review") -> str:
    """What a person loses with a draft, so that it can be typed again; empty without one."""
    if shown.draft is None:
        return ""
    result = shown.draft.proposal
    return (
        f"; your draft is dropped ({result.candidate_id}, {format_count(result.quantity, 'contract')}, floor "
        f"{result.floor_price})"
    )


def _heading(shown: "Review", here: tzinfo | None) -> str:
    result = shown.proposal
    if result is None:
        return f"{shown.name}: nothing was proposed; a candidate may be chosen here"
    state = result.state if shown.draft is None else "draft"
    return (
        f"{shown.name} ({state}): {result.kind} {format_count(result.quantity, 'contract')} of {result.underlying} "
        f"{format_legs(result.legs)} {humanise(result.strategy)} for {format_credit(result.limit_price)}"
    )


# The menu.


def _menu(shown: "Review") -> list[Part]:
    if not shown.menu.candidates:
        return []
    all_columns = Prose(
        title="", text=f"every column at any width: spy32 show R{shown.run.id} --candidates", tone="dim"
    )
    return [candidates(shown), all_columns]


def candidates(shown: "Review") -> Grid:
    """The candidates side by side; the choice is marked by symbol and word, the fixed rule's pick by word."""
    chosen = _chosen_id(shown)
    rule = shown.rule_pick.candidate_id if shown.rule_pick is not None else None
    entries = shown.menu.candidates
    return Grid(
        name="candidate",
        title=f"Candidates, expiration {entries[0].spread.expiration}",
        columns=COLUMNS,
        rows=tuple(_candidate(entry, _marks(entry, chosen, rule)) for entry in entries),
        marked=next((place for place, entry in enumerate(entries) if entry.id == chosen), None),
    )


def _chosen_id(shown: "Review") -> str | None:
    if shown.proposal is not None:
        return shown.proposal.candidate_id
    return shown.recommendation.candidate_id if shown.recommendation is not None else None


def _marks(entry: Candidate, chosen: str | None, rule: str | None) -> str:
    words = [word for word, marked in (("chosen", chosen), ("rule", rule)) if entry.id == marked]
    return ", ".join(words)


def _candidate(entry: Candidate, marks: str) -> tuple[str, ...]:
    return (
        entry.id,
        f"{option_side(entry)} {format_legs(entry.spread.legs)}",
        marks,
        format_price(entry.floor),
        format_price(entry.mid),
        format_price(entry.natural),
        format_dollars(entry.max_loss),
        f"{entry.short_delta:.3f}",
        " ".join(format_price(point) for point in entry.breakevens),
        format_percent(entry.pop_market),
        _maybe(entry.ev.market_expiry),
        _maybe(entry.ev.market_plan),
        "" if entry.pop_history is None else format_percent(entry.pop_history),
        format_dollars(entry.costs),
    )


def _maybe(value: float | None) -> str:
    return "" if value is None else format_gain(value)


# The choice.


def _choice(shown: "Review") -> list[Part]:
    word, result = shown.recommendation, shown.proposal
    items: list[Item] = []
    if result is not None:
        items.append(pair("chosen by", _chooser(shown, result), "strong"))
    if word is not None:
        items.append(pair("analyst", _decided(word), "bad" if word.vetoes else ""))
        items.append(pair("reason", clean(word.reason)))
        items += probability_items(word, shown.menu.find(word.candidate_id))
        items += answer_items(word)
        items += _evidence(shown, word)
    items.append(pair("fixed rule", _rule(shown)))
    items += [pair("beside it", f"{_decided(shadow)}: {single_line(shadow.reason)}") for shadow in _others(shown)]
    return [Pairs(name="choice", title="The choice and its reasons", items=tuple(items))]


def _evidence(shown: "Review", word: Recommendation) -> list[Item]:
    """What was cited, as it was sent; an older answer without values has those of this screen."""
    if word.cited:
        text = [(item.path, f"{item.value} {item.unit}".strip(), item.note) for item in word.cited]
        return [
            pair(
                "evidence", f"{single_line(path)} = {single_line(value)}" + (f" ({single_line(note)})" if note else "")
            )
            for path, value, note in text
        ]
    missing = "not on this screen; `spy32 show` has it"
    return [
        pair("evidence", f"{single_line(item.path)} = {single_line(item.value or missing)}")
        for item in shown.evidence_items
    ]


def _chooser(shown: "Review", result: "Proposal") -> str:
    entry = f" {result.candidate_id}" if result.candidate_id is not None else ""
    if result.chosen_by == "person":
        message = shown.recommendation.candidate_id if shown.recommendation is not None else None
        instead = (
            f"instead of the analyst's {single_line(message)}"
            if message is not None
            else "over the analyst's abstention"
        )
        return f"a person:{entry}, {instead}"
    return f"{single_line(result.chosen_by)}:{entry}" if entry else single_line(result.chosen_by)


def _decided(word: Recommendation) -> str:
    who = ", ".join(single_line(part) for part in (word.analyst, word.model, word.prompt) if part)
    if word.decision is Decision.TRADE:
        return f"{who} chose {single_line(word.candidate_id or '')}"
    return f"{who} {'abstained' if word.decision is Decision.ABSTAIN else 'gave no usable answer'}"


def _rule(shown: "Review") -> str:
    pick = shown.rule_pick
    if pick is None:
        return "not on record"
    if pick.candidate_id is None:
        return f"would take nothing: {single_line(pick.reason)}"
    entry = shown.menu.find(pick.candidate_id)
    same = ", the same" if pick.candidate_id == _chosen_id(shown) else ""
    if entry is None:
        return f"would take {single_line(pick.candidate_id)}{same}"
    figures = f"mid {format_price(entry.mid)}, maximum loss {format_dollars(entry.max_loss)} a contract"
    return f"would take {entry.id}, {option_side(entry)} {format_legs(entry.spread.legs)}{same}: {figures}"


def _others(shown: "Review") -> tuple[Recommendation, ...]:
    return tuple(shadow for shadow in shown.shadows if shadow.analyst != "rules")


# Afterwards.


def decided_lines(view: "RunView", result: "Proposal") -> tuple[str, ...]:
    """How the proposal stands, until when, and what to type next."""
    simulated = f" [{result.mode}{', recorded market' if result.is_recorded else ''}]"
    approval = view.approval
    if result.state is not ProposalState.APPROVED or approval is None:
        return (f"P{result.id} is {result.state}{simulated}",)
    live = " --live" if result.mode is Mode.LIVE else ""
    never = "never below" if result.kind == "open" else "never above"
    until = approval.until.astimezone(NEW_YORK)
    return (
        f"P{result.id} approved by {single_line(approval.by)}, hash {result.hash[:8]}, until {until:%H:%M} "
        f"New York{simulated}",
        f"  {format_count(result.quantity, 'contract')} of {result.underlying} {format_legs(result.legs)} "
        f"for {format_credit(result.limit_price)}, {never} {format_price(abs(result.floor_price))}; "
        f"maximum loss {format_dollars(result.max_loss)}",
        f"next: spy32 execute P{result.id}{live}",
    )
