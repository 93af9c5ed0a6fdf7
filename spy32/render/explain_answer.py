"""Why it was decided so: the analyst's choice and words, what it relied on, the number check, the others, the cost."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from spy32.domain.deciding import Decision, Recommendation
from spy32.render.page import Column, Grid, Pairs, Part, Tone, pair
from spy32.render.words import (
    clean,
    count,
    dollars,
    dollars_of_ticks,
    flat,
    human,
    legs_of,
    milliseconds,
    percent,
    price,
    side_of,
)

if TYPE_CHECKING:
    from spy32.domain.asking import Heard, Tally
    from spy32.domain.trading import Candidate, Menu
    from spy32.domain.views import RunView

Item = tuple[str, str, Tone]

RULES: dict[str, str] = {"rules": "fixed rule", "trend": "trend rule"}
"""What people call the analysts that are rules."""


def answer_parts(view: "RunView") -> list[Part]:
    """The recommendation that counts, its evidence, what others would have taken, and what asking cost."""
    parts: list[Part] = []
    word = view.recommendation
    if word is not None:
        parts.append(_recommendation(word, view.menu))
        if word.cited:
            parts.append(cited_grid(word))
    if view.shadows:
        parts.append(others_grid(view))
    if view.attempts_summary:
        parts.append(_requests(view.attempts_summary))
    return parts


def _recommendation(word: Recommendation, menu: "Menu | None") -> Pairs:
    entry = menu.find(word.candidate_id) if menu is not None else None
    items = [pair("decision", decided(word), "bad" if word.vetoes or word.failure else "strong")]
    items.append(pair("reason", clean(word.reason)))
    if word.failure:
        items.append(pair("failed at", human(word.failure), "bad"))
    if entry is not None:
        items.append(pair("choice", f"{human(entry.spread.strategy)} {legs_of(entry.spread.legs)}"))
    items += chances(word, entry)
    items += said(word)
    if word.evidence and not word.cited:
        items.append(pair("evidence", ", ".join(flat(path) for path in word.evidence)))
    items += _who(word)
    return Pairs(name="analyst", title="Recommendation", items=tuple(items))


def decided(word: Recommendation) -> str:
    """Chosen, chosen and refused, abstained, or failed: four different things in words."""
    told = {
        Decision.TRADE: f"chose {flat(word.candidate_id or '')}",
        Decision.ABSTAIN: "abstained",
        Decision.FAILED: "failed to answer",
    }[word.decision]
    refused = ", which spy32 vetoes" if word.vetoes else ""
    return f"{told}{refused} ({name_of(word)})"


def name_of(word: Recommendation) -> str:
    return ", ".join(flat(part) for part in (word.analyst, word.model, word.prompt) if part)


def chances(word: Recommendation, entry: "Candidate | None") -> list[Item]:
    """The stated probability beside the market's. The market's of expiring worthless is what the answer was
    judged by, too. A rule states none of its own: it repeats the market's."""
    if word.probability is None or word.analyst in RULES:
        return []
    items = [pair("stated chance", f"{percent(word.probability)} that it expires worthless")]
    if entry is not None:
        source = "by the option prices" if entry.worthless_market is not None else "by the short delta"
        told = f"{percent(entry.p_worthless)} {source}; {percent(entry.pop_market)} for any profit"
        items.append(pair("market's chance", told))
    return items


def said(word: Recommendation) -> list[Item]:
    """The words of an answer and what the checks say of them; nothing that is empty."""
    items = [pair("vetoed", flat(veto), "bad") for veto in word.vetoes]
    items += [pair("look at", flat(mark), "warn") for mark in word.marks]
    items += [
        pair(label, clean(text))
        for label, text in (
            ("market bias", human(word.market_bias)),
            ("analysis", word.analysis),
            ("bull case", word.bull_case),
            ("bear case", word.bear_case),
            ("would change it", word.would_change_my_mind),
        )
        if text
    ]
    if word.data_problems:
        items.append(pair("doubts the data", ", ".join(flat(path) for path in word.data_problems), "warn"))
    items += _numbers(word)
    if word.votes:
        total = sum(word.votes.values())
        told = ", ".join(f"{flat(choice)} {votes}" for choice, votes in word.votes.items())
        items.append(pair("votes", f"{told} (of {count(total, 'sample')})"))
    return items


def _numbers(word: Recommendation) -> list[Item]:
    """The number check: unmatched ones are listed, and marked by a word as well as by colour."""
    if word.numbers is None:
        return []
    unmatched = word.numbers.unmatched
    told = f"{count(word.numbers.matched, 'number')} of the words found in what was sent"
    items = [pair("number check", f"{told}, {len(unmatched)} not", "" if unmatched else "good")]
    if unmatched:
        listed = ", ".join(f"✗ {flat(number)}" for number in unmatched)
        items.append(pair("not in the data", listed, "bad"))
    return items


def _who(word: Recommendation) -> list[Item]:
    items: list[Item] = []
    if word.model_asked is not None:
        answered = flat(word.model) if word.model is not None else "nobody"
        other = word.model is not None and word.model != word.model_asked
        told = f"asked {flat(word.model_asked)}, answered by {answered}"
        items.append(pair("model", f"{told}: another name" if other else told, "warn" if other else ""))
    if word.prompt is not None:
        items.append(pair("prompt", flat(word.prompt)))
    if word.cost_ticks:
        items.append(pair("cost", dollars_of_ticks(word.cost_ticks)))
    return items


# Evidence.


def cited_grid(word: Recommendation) -> Grid:
    """Each field that the answer relied on, with the value as it was sent."""
    columns = (
        Column(name="field", flexible=True),
        Column(name="value", rank=1, right=True, flexible=True),
        Column(name="unit", rank=1, flexible=True),
        Column(name="note", rank=1, flexible=True),
    )
    rows = tuple((flat(one.path), flat(one.value), flat(one.unit), flat(one.note)) for one in word.cited)
    title = "Fields that the answer cites, as sent"
    return Grid(name="cited", title=title, columns=columns, rows=rows, continues=True)


# What others would have taken.


def others_grid(view: "RunView") -> Grid:
    """The fixed rule and the other shadows on the same menu."""
    columns = (
        Column(name="who", flexible=True),
        Column(name="would take", rank=1),
        Column(name="it is", rank=1),
        Column(name="spread", rank=1),
        Column(name="mid", rank=1, right=True),
        Column(name="max loss", rank=1, right=True),
        Column(name="reason", rank=1, flexible=True),
    )
    rows = tuple(_other(word, view.recommendation, view.menu) for word in view.shadows)
    title = "What others would have taken of this menu"
    return Grid(name="beside", title=title, columns=columns, rows=rows, continues=True)


def _other(word: Recommendation, chosen: Recommendation | None, menu: "Menu | None") -> tuple[str, ...]:
    entry = menu.find(word.candidate_id) if menu is not None else None
    nothing = {Decision.ABSTAIN: "nothing", Decision.FAILED: "no answer"}
    taken = nothing.get(word.decision, flat(word.candidate_id or ""))
    figures = ("", "", "")
    if entry is not None:
        figures = (f"{side_of(entry)} {legs_of(entry.spread.legs)}", price(entry.mid), dollars(entry.max_loss))
    return (who_of(word), taken, _same(word, chosen), *figures, flat(word.reason))


def _same(word: Recommendation, chosen: Recommendation | None) -> str:
    """A failure is neither the same as an abstention nor another choice."""
    if chosen is None or Decision.FAILED in (word.decision, chosen.decision):
        return ""
    return "the same" if word.candidate_id == chosen.candidate_id else "another"


def who_of(word: Recommendation) -> str:
    """`fixed rule`, or the analyst with its prompt."""
    if word.analyst in RULES:
        return RULES[word.analyst]
    return " ".join(flat(part) for part in (word.analyst, word.prompt) if part)


# What asking cost.


def _requests(tallies: "Iterable[Tally]") -> Pairs:
    items: list[Item] = []
    for tally in tallies:
        models = f"asked {_names(tally.asked)}, answered by {_names(tally.answered) or 'nobody'}"
        items.append(pair(human(tally.role), f"{flat(tally.prompt)}: {_attempts(tally)}, {milliseconds(tally.ms)}"))
        items.append(pair("models", models))
        items.append(pair("tokens", tokens_of(tally)))
        if tally.asked_before:
            runs = ", ".join(f"R{number}" for number in tally.asked_before)
            items.append(pair("asked before", f"the same question, to the letter, in {runs}: a re-run", "warn"))
        estimated = " (partly our estimate)" if tally.is_estimate else ""
        items.append(pair("cost", f"{dollars_of_ticks(tally.cost_ticks)}{estimated}"))
    return Pairs(name="request", title="Requests to models (`show --raw` has their words)", items=tuple(items))


def _names(models: Iterable[str]) -> str:
    return ", ".join(flat(model) for model in models)


def _attempts(tally: "Tally") -> str:
    unanswered = f", {tally.unanswered} without an answer" if tally.unanswered else ""
    return f"{count(tally.attempts, 'attempt')}{unanswered}"


def tokens_of(tally: "Tally | Heard") -> str:
    """As the service counts them: input has the cached ones in it, output those of reasoning."""
    return (
        f"{tally.input_tokens} in ({tally.cached_tokens} cached), "
        f"{tally.output_tokens} out ({tally.reasoning_tokens} reasoning)"
    )
