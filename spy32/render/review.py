"""The review screen as a page: everything that decides, in sections, each figure whole at any width from 60 columns."""

from datetime import tzinfo
from typing import TYPE_CHECKING

from spy32.domain.deciding import Decision, Recommendation
from spy32.domain.trading import Candidate, Mode
from spy32.lifecycle import ProposalState
from spy32.render.explain import MODES
from spy32.render.explain_answer import chances, said
from spy32.render.page import Column, Grid, Page, Pairs, Part, Prose, pair
from spy32.render.pages import legs_grid
from spy32.render.review_figures import at_expiration, changes, deciding, findings_part, in_short, leaving
from spy32.render.words import (
    both_zones,
    clean,
    count,
    credit,
    dollars,
    flat,
    gain,
    human,
    legs_of,
    masked,
    percent,
    price,
    side_of,
)
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.desk.shown import Review
    from spy32.domain.deciding import Proposal
    from spy32.domain.views import RunView
    from spy32.render.document_parts import Document

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
    made = shown.proposal
    if made is not None:
        parts += [deciding(shown, made, here), legs_grid(made.legs, made.quantity)]
        parts += at_expiration(shown, made)
        parts += [leaving(made), changes(shown, here)]
    parts += findings_part(shown.findings)
    if made is not None:
        parts.append(in_short(shown, made))
    return Page(heading=_heading(shown, here), tone="strong", badges=badges(shown, here), parts=tuple(parts))


def badges(shown: "Review", here: tzinfo | None = None) -> tuple[str, ...]:
    """What must not be overlooked, at the top: whose money, which market, quotes that are not fresh."""
    told = [f"{MODES[shown.run.mode]}, account {masked(shown.account.number)}"]
    if shown.market.is_recorded:
        told.append(f"RECORDED MARKET: quotes of {both_zones(shown.market.as_of, here)}, not of now")
    elif shown.stale is not None:
        told.append(f"STORED QUOTES: {flat(shown.stale)}")
    if shown.draft is not None:
        told.append(f"DRAFT: {named(shown)}; it is kept only when you approve it")
    return tuple(told)


def named(shown: "Review") -> str:
    """What is decided on: `P31`, `P31 as changed here`, or `the choice for R31` over an abstention."""
    if shown.draft is None:
        return shown.name
    return f"the choice for {shown.name}" if shown.draft.proposal.id is None else f"{shown.name} as changed here"


def drop_words(shown: "Review") -> str:
    """What a person loses with a draft, so that it can be typed again; empty without one."""
    if shown.draft is None:
        return ""
    made = shown.draft.proposal
    return (
        f"; your draft is dropped ({made.candidate_id}, {count(made.quantity, 'contract')}, floor {made.floor_price})"
    )


def _heading(shown: "Review", here: tzinfo | None) -> str:
    made = shown.proposal
    if made is None:
        return f"{shown.name}: nothing was proposed; a candidate may be chosen here"
    state = made.state if shown.draft is None else "draft"
    return (
        f"{shown.name} ({state}): {made.kind} {count(made.quantity, 'contract')} of {made.underlying} "
        f"{legs_of(made.legs)} {human(made.strategy)} for {credit(made.limit_price)}"
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
        f"{side_of(entry)} {legs_of(entry.spread.legs)}",
        marks,
        price(entry.floor),
        price(entry.mid),
        price(entry.natural),
        dollars(entry.max_loss),
        f"{entry.short_delta:.3f}",
        " ".join(price(point) for point in entry.breakevens),
        percent(entry.pop_market),
        _maybe(entry.ev.market_expiry),
        _maybe(entry.ev.market_plan),
        "" if entry.pop_history is None else percent(entry.pop_history),
        dollars(entry.costs),
    )


def _maybe(value: float | None) -> str:
    return "" if value is None else gain(value)


# The choice.


def _choice(shown: "Review") -> list[Part]:
    word, made = shown.recommendation, shown.proposal
    items: list[Item] = []
    if made is not None:
        items.append(pair("chosen by", _chooser(shown, made), "strong"))
    if word is not None:
        items.append(pair("analyst", _decided(word), "bad" if word.vetoes else ""))
        items.append(pair("reason", clean(word.reason)))
        items += chances(word, shown.menu.find(word.candidate_id))
        items += said(word)
        items += _evidence(shown, word)
    items.append(pair("fixed rule", _rule(shown)))
    items += [pair("beside it", f"{_decided(shadow)}: {flat(shadow.reason)}") for shadow in _others(shown)]
    return [Pairs(name="choice", title="The choice and its reasons", items=tuple(items))]


def _evidence(shown: "Review", word: Recommendation) -> list[Item]:
    """What was cited, as it was sent; an older answer without values has those of this screen."""
    if word.cited:
        told = [(one.path, f"{one.value} {one.unit}".strip(), one.note) for one in word.cited]
        return [
            pair("evidence", f"{flat(path)} = {flat(value)}" + (f" ({flat(note)})" if note else ""))
            for path, value, note in told
        ]
    missing = "not on this screen; `spy32 show` has it"
    return [pair("evidence", f"{flat(one.path)} = {flat(one.value or missing)}") for one in shown.cited]


def _chooser(shown: "Review", made: "Proposal") -> str:
    entry = f" {made.candidate_id}" if made.candidate_id is not None else ""
    if made.chosen_by == "person":
        said = shown.recommendation.candidate_id if shown.recommendation is not None else None
        instead = f"instead of the analyst's {flat(said)}" if said is not None else "over the analyst's abstention"
        return f"a person:{entry}, {instead}"
    return f"{flat(made.chosen_by)}:{entry}" if entry else flat(made.chosen_by)


def _decided(word: Recommendation) -> str:
    who = ", ".join(flat(part) for part in (word.analyst, word.model, word.prompt) if part)
    if word.decision is Decision.TRADE:
        return f"{who} chose {flat(word.candidate_id or '')}"
    return f"{who} {'abstained' if word.decision is Decision.ABSTAIN else 'gave no usable answer'}"


def _rule(shown: "Review") -> str:
    pick = shown.rule_pick
    if pick is None:
        return "not on record"
    if pick.candidate_id is None:
        return f"would take nothing: {flat(pick.reason)}"
    entry = shown.menu.find(pick.candidate_id)
    same = ", the same" if pick.candidate_id == _chosen_id(shown) else ""
    if entry is None:
        return f"would take {flat(pick.candidate_id)}{same}"
    figures = f"mid {price(entry.mid)}, maximum loss {dollars(entry.max_loss)} a contract"
    return f"would take {entry.id}, {side_of(entry)} {legs_of(entry.spread.legs)}{same}: {figures}"


def _others(shown: "Review") -> tuple[Recommendation, ...]:
    return tuple(shadow for shadow in shown.shadows if shadow.analyst != "rules")


# Afterwards.


def approval_document(view: "RunView", made: "Proposal") -> "Document":
    """The proposal as it stands, and its newest approval; null when nobody approved it."""
    from spy32.render.document_parts import proposal_part

    proposal = proposal_part(view, made)
    return {"schema": "spy32.approval", "version": 1, "proposal": proposal, "approval": proposal["approval"]}


def decided_lines(view: "RunView", made: "Proposal") -> tuple[str, ...]:
    """How the proposal stands, until when, and what to type next."""
    simulated = f" [{made.mode}{', recorded market' if made.is_recorded else ''}]"
    yes = view.approval
    if made.state is not ProposalState.APPROVED or yes is None:
        return (f"P{made.id} is {made.state}{simulated}",)
    live = " --live" if made.mode is Mode.LIVE else ""
    never = "never below" if made.kind == "open" else "never above"
    until = yes.until.astimezone(NEW_YORK)
    return (
        f"P{made.id} approved by {flat(yes.by)}, hash {made.hash[:8]}, until {until:%H:%M} New York{simulated}",
        f"  {count(made.quantity, 'contract')} of {made.underlying} {legs_of(made.legs)} "
        f"for {credit(made.limit_price)}, {never} {price(abs(made.floor_price))}; "
        f"maximum loss {dollars(made.max_loss)}",
        f"next: spy32 execute P{made.id}{live}",
    )
