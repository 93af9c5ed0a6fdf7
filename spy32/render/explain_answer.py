"""The decision explained: the choice and its reasons, evidence, number check, shadow analysts, and cost."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import Decision, Finding, Recommendation
from spy32.render.candidates import CANDIDATE_FACTS, name_spreads, spread_words
from spy32.render.explain import analyst_name
from spy32.render.formatting import (
    format_chance,
    format_count,
    format_milliseconds,
    format_percent,
    format_ticks,
    humanise,
    single_line,
)
from spy32.render.outlook import record_words
from spy32.render.page import Cell, Grid, Item, Pairs, Part, grid_columns, noun_grid, pair, paragraph

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelResponse, UsageSummary
    from spy32.domain.run_view import RunView
    from spy32.domain.spreads import Candidate, Menu

RULE_NAMES: dict[str, str] = {"rules": "fixed rule", "trend": "trend rule"}
"""Names for people of the analysts that are rules."""


def finding_item(finding: Finding) -> Item:
    """What a check found, with its figure and limit; refusals in red."""
    limit = f", limit {single_line(finding.limit)}" if finding.limit else ""
    figures = f" ({single_line(finding.figure)}{limit})" if finding.figure or finding.limit else ""
    label, tone = ("refused by", "bad") if finding.blocks else ("note", "warn")
    return pair(label, f"{humanise(finding.rule)}: {finding.message}{figures}", tone)


def answer_parts(view: "RunView") -> list[Part]:
    """The recommendation that counts, its evidence, what others would have taken, and what asking cost."""
    parts: list[Part] = []
    recommendation = view.recommendation
    if recommendation is not None:
        parts.append(_recommendation_part(recommendation, view))
        if recommendation.cited:
            parts.append(cited_grid(recommendation, view.menu))
    if view.shadows:
        parts.append(shadows_grid(view))
    if view.hides_models and any(tally.role is AnswerRole.SHADOW for tally in view.attempts_summary):
        parts.append(Pairs(items=(pair("other prompts", "their choices are shown once this proposal is decided"),)))
    if view.attempts_summary:
        parts.append(_requests_part(view.attempts_summary))
    return parts


def _recommendation_part(recommendation: Recommendation, view: "RunView") -> Pairs:
    entry = view.menu.find(recommendation.candidate_id) if view.menu is not None else None
    is_refused = bool(recommendation.vetoes or recommendation.failure)
    uncited = () if recommendation.cited else recommendation.evidence
    items = (
        pair("decision", describe_decision(recommendation, entry), "bad" if is_refused else "strong"),
        paragraph("reason", name_spreads(recommendation.reason, view.menu)),
        pair("failed at", humanise(recommendation.failure), "bad"),
        *probability_items(recommendation, entry),
        *answer_items(recommendation, view.menu),
        pair("evidence", ", ".join(_evidence(path, view) for path in uncited)),
        *_model_items(recommendation),
    )
    return Pairs(name="analyst", title="Recommendation", items=items)


def _evidence(path: str, view: "RunView") -> str:
    """`put 621/616 short delta = 0.201`: what was cited, with what the menu or the market line holds there."""
    place: object = None
    match path.split("."):
        case ["menu", entry, *names] if names and view.menu is not None:
            place = view.menu.find(entry)
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


def describe_decision(recommendation: Recommendation, entry: "Candidate | None") -> str:
    """Chosen, chosen and refused, abstained, or failed: four different things in words."""
    choice = {
        Decision.TRADE: f"chose {_spread_or_id(recommendation, entry)}",
        Decision.ABSTAIN: "abstained",
        Decision.FAILED: "failed to answer",
    }[recommendation.decision]
    refused = ", which spy32 vetoes" if recommendation.vetoes else ""
    return f"{choice}{refused} ({analyst_name(recommendation)})"


def _spread_or_id(recommendation: Recommendation, entry: "Candidate | None") -> str:
    """The spread in words; the id that was answered where the menu has no such spread."""
    return single_line(recommendation.candidate_id or "") if entry is None else spread_words(entry)


def probability_items(recommendation: Recommendation, entry: "Candidate | None") -> list[Item]:
    """The stated probability beside the market's. The market's of the largest profit is what the answer was
    judged by, too. A rule states none of its own: it repeats the market's."""
    if recommendation.probability is None or recommendation.analyst in RULE_NAMES:
        return []
    is_debit = entry is not None and entry.spread.strategy.is_debit
    event = "of the largest profit at expiration" if is_debit else "that it expires worthless"
    items = [pair("stated chance", f"{format_percent(recommendation.probability)} {event}")]
    if entry is not None:
        is_implied = entry.outlook is not None or entry.worthless_market is not None
        source = "by the option prices" if is_implied else "by the short delta"
        record = record_words(entry)
        profit = f"{format_chance(entry.p_profit)} for any profit"
        market_text = f"{format_percent(entry.p_max_profit)} {source}; {profit}"
        items.append(pair("market's chance", f"{market_text}{f'; {record}' if record else ''}"))
    return items


def answer_items(recommendation: Recommendation, menu: "Menu | None") -> list[Item]:
    """The words of an answer and what the checks say of them; nothing that is empty."""
    total = sum(recommendation.votes.values())
    votes = ", ".join(f"{single_line(choice)} {count}" for choice, count in recommendation.votes.items())
    texts = {
        "market bias": humanise(recommendation.market_bias),
        "analysis": recommendation.analysis,
        "bull case": recommendation.bull_case,
        "bear case": recommendation.bear_case,
        "would change it": recommendation.would_change_my_mind,
    }
    doubts = ", ".join(single_line(path) for path in recommendation.data_problems)
    return [
        *(pair("vetoed", veto, "bad") for veto in recommendation.vetoes),
        *(pair("look at", mark, "warn") for mark in recommendation.marks),
        *(paragraph(label, name_spreads(text, menu)) for label, text in texts.items()),
        pair("doubts the data", name_spreads(doubts, menu), "warn"),
        *_number_check_items(recommendation),
        pair("votes", f"{name_spreads(votes, menu)} (of {format_count(total, 'sample')})" if votes else ""),
    ]


def _number_check_items(recommendation: Recommendation) -> list[Item]:
    """The number check: unmatched ones are listed, and marked by a word as well as by colour."""
    if recommendation.numbers is None:
        return []
    unmatched = recommendation.numbers.unmatched
    summary = f"{format_count(recommendation.numbers.matched, 'number')} of the words found in what was sent"
    return [
        pair("number check", f"{summary}, {len(unmatched)} not", "" if unmatched else "good"),
        pair("not in the data", ", ".join(f"✗ {number}" for number in unmatched), "bad"),
    ]


def _model_items(recommendation: Recommendation) -> list[Item]:
    asked, answered, tone, cost = recommendation.model_asked, recommendation.model, "", ""
    models = ""
    if asked is not None:
        is_other = answered not in (None, asked)
        models = f"asked {single_line(asked)}, answered by {single_line(answered or 'nobody')}"
        models, tone = (f"{models}: another name", "warn") if is_other else (models, "")
    if recommendation.cost_ticks:
        cost = format_ticks(recommendation.cost_ticks)
    return [
        pair("model", models, tone),
        pair("prompt", recommendation.prompt or ""),
        pair("cost", cost),
    ]


# Evidence.


def cited_grid(recommendation: Recommendation, menu: "Menu | None") -> Grid:
    """Each field that the answer relied on, with the value as it was sent."""
    columns: dict[str, Cell] = {
        "field~": lambda item: name_spreads(single_line(item.path), menu),
        "value>1": "value",
        "unit~1": "unit",
        "note~1": "note",
    }
    grid = noun_grid("cited", "Fields that the answer cites, as sent", recommendation.cited, columns)
    return grid._replace(continues=True)


# What others would have taken.


def shadows_grid(view: "RunView") -> Grid:
    """The fixed rule and the other shadows on the same menu."""
    columns = grid_columns("who~", "would take:1", "it is:1", "mid>1", "max loss>1", "reason~1")
    rows = tuple(_shadow_row(recommendation, view.recommendation, view.menu) for recommendation in view.shadows)
    title = "What others would have taken of this menu"
    return Grid(name="beside", title=title, columns=columns, rows=rows, continues=True)


def _shadow_row(recommendation: Recommendation, chosen: Recommendation | None, menu: "Menu | None") -> tuple[str, ...]:
    entry = menu.find(recommendation.candidate_id) if menu is not None else None
    nothing = {Decision.ABSTAIN: "nothing", Decision.FAILED: "no answer"}
    figures = ("", "") if entry is None else tuple(CANDIDATE_FACTS[label](entry) for label in ("mid", "max loss"))
    return (
        analyst_label(recommendation),
        nothing.get(recommendation.decision, _spread_or_id(recommendation, entry)),
        _compare_choice(recommendation, chosen),
        *figures,
        name_spreads(single_line(recommendation.reason), menu),
    )


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


def _requests_part(tallies: "Iterable[UsageSummary]") -> Pairs:
    items: list[Item] = []
    for tally in tallies:
        asked, answered = _join_names(tally.asked), _join_names(tally.answered) or "nobody"
        attempts = f"{_describe_attempts(tally)}, {format_milliseconds(tally.ms)}"
        runs = ", ".join(f"R{number}" for number in tally.asked_before)
        estimated = " (partly our estimate)" if tally.is_estimate else ""
        items += [
            pair(humanise(tally.role), f"{tally.prompt}: {attempts}"),
            pair("models", f"asked {asked}, answered by {answered}"),
            pair("tokens", format_tokens(tally)),
            pair("asked before", f"the same question, to the letter, in {runs}: a re-run" if runs else "", "warn"),
            pair("cost", f"{format_ticks(tally.cost_ticks)}{estimated}"),
        ]
    return Pairs(name="request", title="Requests to models (`show --raw` has their words)", items=tuple(items))


def _join_names(models: Iterable[str]) -> str:
    return ", ".join(single_line(model) for model in models)


def _describe_attempts(tally: "UsageSummary") -> str:
    unanswered = f", {tally.unanswered} without an answer" if tally.unanswered else ""
    return f"{format_count(tally.attempts, 'attempt')}{unanswered}"


def format_tokens(tally: "UsageSummary | ModelResponse") -> str:
    """As the service counts them: input has the cached ones in it, output those of reasoning."""
    return (
        f"{tally.input_tokens} in ({tally.cached_tokens} cached), "
        f"{tally.output_tokens} out ({tally.reasoning_tokens} reasoning)"
    )
