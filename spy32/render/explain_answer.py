"""The decision explained: the choice and its reasons, evidence, number check, shadow analysts, and cost."""

from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.findings import Finding
from spy32.domain.proposals import Decision, Recommendation
from spy32.render.candidates import (
    CANDIDATE_FACTS,
    choice_words,
    find_candidate,
    name_spreads,
    spread_or_id,
)
from spy32.render.explain import analyst_name
from spy32.render.formatting import (
    format_chance,
    format_count,
    format_known,
    format_milliseconds,
    format_percent,
    format_ticks,
    humanise,
    single_line,
)
from spy32.render.outlook import record_words
from spy32.render.page import Cell, Columns, Fact, Facts, Grid, Lines, Part, noun_grid, pairs

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelResponse, UsageSummary
    from spy32.domain.run_view import RunView
    from spy32.domain.spreads import Candidate, Menu

RULE_NAMES: dict[str, str] = {"rules": "fixed rule", "trend": "trend rule"}
"""Names for people of the analysts that are rules."""


def finding_item(finding: Finding) -> Fact:
    """What a check found, with its figure and limit; refusals in red."""
    limit = f", limit {single_line(finding.limit)}" if finding.limit else ""
    figures = f" ({single_line(finding.figure)}{limit})" if finding.figure or finding.limit else ""
    label, tone = ("refused by", "bad") if finding.blocks else ("note", "warn")
    return (label, f"{humanise(finding.rule)}: {finding.message}{figures}", tone)


def answer_parts(view: "RunView") -> list[Part]:
    """The recommendation that counts, its evidence, what others would have taken, and what asking cost."""
    parts: list[Part] = []
    answer = view.recommendation
    if answer is not None:
        parts.append(pairs(_recommendation_items(answer, view), "analyst", "Recommendation"))
        if answer.cited:
            parts.append(_cited_grid(answer, view.menu))
    if view.shadows:
        parts.append(_shadows_grid(view))
    if view.hides_models and any(usage.role is AnswerRole.SHADOW for usage in view.attempts_summary):
        parts.append(pairs([("other prompts", "their choices are shown once this proposal is decided")]))
    requests = (item for usage in view.attempts_summary for item in _request_items(usage))
    return [*parts, pairs(requests, "request", "Requests to models (`show --raw` has their words)")]


def _recommendation_items(answer: Recommendation, view: "RunView") -> Facts:
    menu, is_refused = view.menu, bool(answer.vetoes or answer.failure)
    words = f"{choice_words(answer, menu)} ({analyst_name(answer)})"
    yield "decision", words, "bad" if is_refused else "strong"
    yield "reason", Lines(name_spreads(answer.reason, menu))
    yield "failed at", humanise(answer.failure), "bad"
    yield from _probability_items(answer, find_candidate(menu, answer.candidate_id))
    yield from (("vetoed", veto, "bad") for veto in answer.vetoes)
    yield from (("look at", mark, "warn") for mark in answer.marks)
    yield "market bias", humanise(answer.market_bias)
    yield "analysis", Lines(name_spreads(answer.analysis, menu))
    yield "bull case", Lines(name_spreads(answer.bull_case, menu))
    yield "bear case", Lines(name_spreads(answer.bear_case, menu))
    yield "would change it", Lines(name_spreads(answer.would_change_my_mind, menu))
    yield "doubts the data", name_spreads(", ".join(answer.data_problems), menu), "warn"
    if answer.numbers is not None:  # marked by a word as well as by colour
        unmatched = answer.numbers.unmatched
        summary = f"{format_count(answer.numbers.matched, 'number')} of the words found in what was sent"
        yield "number check", f"{summary}, {len(unmatched)} not", "" if unmatched else "good"
        yield "not in the data", ", ".join(f"✗ {number}" for number in unmatched), "bad"
    if answer.votes:
        votes = name_spreads(", ".join(f"{choice} {count}" for choice, count in answer.votes.items()), menu)
        yield "votes", f"{votes} (of {format_count(sum(answer.votes.values()), 'sample')})"
    if not answer.cited:
        yield "evidence", ", ".join(_evidence(path, view) for path in answer.evidence)
    if answer.model_asked is not None:
        is_other = answer.model not in (None, answer.model_asked)
        models = f"asked {answer.model_asked}, answered by {answer.model or 'nobody'}"
        yield "model", f"{models}{': another name' * is_other}", "warn" if is_other else ""
    yield "prompt", answer.prompt or ""
    yield "cost", format_ticks(answer.cost_ticks) if answer.cost_ticks else ""


def _evidence(path: str, view: "RunView") -> str:
    """`put 621/616 short delta = 0.201`: what was cited, with what the menu or the market line holds there."""
    place: object = None
    match path.split("."):
        case ["menu", entry, *names] if names:
            place = find_candidate(view.menu, entry)
        case ["market", *names] if names:
            place = view.market
        case ["volatility", "vix"]:
            place, names = view.market, ["vix"]
        case _:
            names = []
    for name in names:
        place = None if name.startswith("_") else getattr(place, name, None)
    figure = f"{place:.4g}" if isinstance(place, float) else f"{place:f}" if isinstance(place, Decimal) else place
    name = name_spreads(single_line(path), view.menu)
    return f"{name} = {figure}" if isinstance(figure, str | int) else name


def _probability_items(answer: Recommendation, entry: "Candidate | None") -> Facts:
    """The stated probability beside the market's. The market's of the largest profit is what the answer was
    judged by, too. A rule states none of its own: it repeats the market's."""
    if answer.probability is None or answer.analyst in RULE_NAMES:
        return
    is_debit = entry is not None and entry.spread.strategy.is_debit
    event = "of the largest profit at expiration" if is_debit else "that it expires worthless"
    yield "stated chance", f"{format_percent(answer.probability)} {event}"
    if entry is not None:
        is_implied = entry.outlook is not None or entry.worthless_market is not None
        market = f"{format_percent(entry.p_max_profit)} by the {'option prices' if is_implied else 'short delta'}"
        profit = f"{format_chance(entry.p_profit)} for any profit"
        yield "market's chance", "; ".join(filter(None, (market, profit, record_words(entry))))


# Evidence.


def _cited_grid(answer: Recommendation, menu: "Menu | None") -> Grid:
    """Each field that the answer relied on, with the value as it was sent."""
    columns: Columns = {
        "field~": lambda item: name_spreads(single_line(item.path), menu),
        "value>1": "value",
        "unit~1": "unit",
        "note~1": "note",
    }
    return noun_grid("cited", "Fields that the answer cites, as sent", answer.cited, columns)._replace(continues=True)


# What others would have taken.


def _shadows_grid(view: "RunView") -> Grid:
    """The fixed rule and the other shadows on the same menu."""
    menu, nothing = view.menu, {Decision.ABSTAIN: "nothing", Decision.FAILED: "no answer"}

    def fact(label: str) -> Cell:
        return lambda answer: format_known(CANDIDATE_FACTS[label], find_candidate(menu, answer.candidate_id))

    columns: Columns = {
        "who~": analyst_label,
        "would take:1": lambda answer: nothing.get(answer.decision, spread_or_id(answer, menu)),
        "it is:1": lambda answer: _compare_choice(answer, view.recommendation),
        "mid>1": fact("mid"),
        "max loss>1": fact("max loss"),
        "reason~1": lambda answer: name_spreads(single_line(answer.reason), menu),
    }
    title = "What others would have taken of this menu"
    return noun_grid("beside", title, view.shadows, columns)._replace(continues=True)


def _compare_choice(recommendation: Recommendation, chosen: Recommendation | None) -> str:
    """How another choice compares with the one that counts; a failure is not compared."""
    if chosen is None or Decision.FAILED in (recommendation.decision, chosen.decision):
        return ""
    return "the same" if recommendation.candidate_id == chosen.candidate_id else "another"


def analyst_label(recommendation: Recommendation) -> str:
    """`fixed rule`, or the analyst with its prompt."""
    if recommendation.analyst in RULE_NAMES:
        return RULE_NAMES[recommendation.analyst]
    return " ".join(single_line(part) for part in (recommendation.analyst, recommendation.prompt) if part)


# What asking cost.


def _request_items(usage: "UsageSummary") -> Facts:
    unanswered = f", {usage.unanswered} without an answer" if usage.unanswered else ""
    attempts = f"{format_count(usage.attempts, 'attempt')}{unanswered}, {format_milliseconds(usage.ms)}"
    runs = ", ".join(f"R{number}" for number in usage.asked_before)
    yield humanise(usage.role), f"{usage.prompt}: {attempts}"
    yield "models", f"asked {', '.join(usage.asked)}, answered by {', '.join(usage.answered) or 'nobody'}"
    yield "tokens", format_tokens(usage)
    yield "asked before", f"the same question, to the letter, in {runs}: a re-run" if runs else "", "warn"
    yield "cost", f"{format_ticks(usage.cost_ticks)}{' (partly our estimate)' if usage.is_estimate else ''}"


def format_tokens(usage: "UsageSummary | ModelResponse") -> str:
    """As the service counts them: input has the cached ones in it, output those of reasoning."""
    return (
        f"{usage.input_tokens} in ({usage.cached_tokens} cached), "
        f"{usage.output_tokens} out ({usage.reasoning_tokens} reasoning)"
    )
