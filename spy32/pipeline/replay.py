"""A run's decision again, offline, from its stored snapshot, with the settings that it was made with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import Any

from spy32.domain.codec import plain
from spy32.domain.deciding import Decision, Finding, Proposal, Recommendation, Ruling
from spy32.domain.market import MarketSnapshot
from spy32.domain.trading import Menu
from spy32.errors import Usage
from spy32.pipeline.brief import briefing_of
from spy32.pipeline.collect import judge
from spy32.pipeline.prepare import proposal_of
from spy32.pipeline.screen import OF_A_CANDIDATE, menu_of
from spy32.ports import Analyst
from spy32.rules import pricing
from spy32.rules.menu import without
from spy32.rules.ruling import rule_on
from spy32.settings import Settings
from spy32.settings.deciding import restored
from spy32.store import Store

Heard = Callable[[str, Recommendation, Settings, int], "tuple[Analyst, list[str]] | None"]
"""Role, answer, settings and seed -> the model as the run heard it, and where its requests differ; None if unasked."""
ROUNDING = 1e-9
RULES = ("rules", "trend")
"""Analysts that answer the same whenever they are asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What was recomputed, and every difference from the record."""

    run_id: int
    checked: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"R{self.run_id}"


def replay(
    store: Store, run_id: int, *, analyst_of: Callable[[str, Settings], Analyst], heard: Heard | None = None
) -> Replay:
    """Quality gates, menu, the rules' picks, the model's answer, checks and order, each recomputed and compared."""
    run = store.run(run_id)
    if not store.has_snapshot(run_id):
        raise Usage(f"R{run_id} ended before it had a snapshot ({run.cause}); there is nothing to replay")
    snapshot = store.snapshot(run_id)
    settings = restored(store.deciding(run_id))
    checked: list[str] = []
    differences: list[str] = []
    for name, then, now in _comparisons(store, run_id, snapshot, settings, analyst_of, heard):
        checked.append(name)
        differences += [f"{name}: {difference}" for difference in differing(plain(then), plain(now))]
    return Replay(run_id=run_id, checked=tuple(checked), differences=tuple(differences))


def _comparisons(
    store: Store,
    run_id: int,
    snapshot: MarketSnapshot,
    settings: Settings,
    analyst_of: Callable[[str, Settings], Analyst],
    heard: Heard | None,
) -> Iterator[tuple[str, Any, Any]]:
    seen, quality = judge(snapshot, settings)
    yield "gates", store.quality(run_id), quality
    menu = store.menu(run_id)
    if menu is None or seen is None:
        return
    yield "menu", menu, as_recorded(menu_of(seen, settings, seed=menu.seed), menu)
    then = store.briefing(run_id)
    briefing = briefing_of(snapshot, seen, quality)
    if then is not None:
        # What was held then is on record only here.
        briefing = replace(briefing, held=then.held, open_risk=then.open_risk, net_liquidation=then.net_liquidation)
        yield "briefing", then, briefing
    answers = store.answers(run_id)
    for role, answer in answers:
        if answer.analyst in RULES:
            again = analyst_of(answer.analyst, settings).choose(snapshot, menu, briefing)
            yield f"{role} of the rule {answer.analyst}", answer, again
        elif heard is not None and role in ("chosen", "shadow"):
            asked = heard(role, answer, settings, menu.seed)
            if asked is not None:
                model, differences = asked
                yield f"{role} answer to {answer.prompt}", answer, model.choose(snapshot, menu, briefing)
                yield f"{role} requests of {answer.prompt}", [], differences
    ruling, proposal = store.ruling(run_id), store.proposal_of_run(run_id)
    chosen = _decided_by(answers)
    if ruling is None or chosen is None:
        return
    yield from _judged(store, run_id, snapshot, settings, menu, chosen, ruling, proposal)


def as_recorded(again: Menu, then: Menu) -> Menu:
    """The recomputed menu, less what the account of that day refused, which is on record in the menu only.

    Runs before 0.4 kept no probability of expiring worthless, so there is none to compare.
    """
    ids = {candidate.id for candidate in then.candidates}
    of_account = [spread for spread in then.dropped if spread.rule in OF_A_CANDIDATE]
    gone = {(spread.short_strike, spread.long_strike): spread for spread in of_account}
    refused = {
        candidate.id: Finding(rule=lost.rule, message="", figure=lost.figure, limit=lost.limit)
        for candidate in again.candidates
        if candidate.id not in ids
        if (lost := gone.get((candidate.spread.short.strike, candidate.spread.long.strike))) is not None
    }
    again = without(again, refused)
    if any(candidate.worthless_market is not None for candidate in then.candidates):
        return again
    return replace(again, candidates=tuple(replace(each, worthless_market=None) for each in again.candidates))


def _decided_by(answers: Sequence[tuple[str, Recommendation]]) -> Recommendation | None:
    """The answer that the run went by: the analyst's, or the fixed rule's where it stood in for a failed one."""
    chosen = next((answer for role, answer in answers if role == "chosen"), None)
    if chosen is None or chosen.decision is not Decision.FAILED:
        return chosen
    return next((answer for role, answer in answers if role == "shadow" and answer.analyst == "rules"), None)


def _judged(  # noqa: PLR0913, PLR0917 - what a decision consists of
    store: Store,
    run_id: int,
    snapshot: MarketSnapshot,
    settings: Settings,
    menu: Menu,
    chosen: Recommendation,
    ruling: Ruling,
    proposal: Proposal | None,
) -> Iterator[tuple[str, Any, Any]]:
    candidate = menu.find(chosen.candidate_id)
    if candidate is None or ruling.account is None or ruling.exposure is None or ruling.at is None:
        return
    if chosen.vetoes:
        return
    again = rule_on(candidate, snapshot, ruling.account, ruling.exposure, settings=settings, now=ruling.at)
    moved = tuple(finding for finding in ruling.findings if finding.rule in pricing.RULES)
    yield "checks", ruling.findings, (*moved, *again.findings)
    yield "size", ruling.sizing, again.sizing
    if proposal is None or proposal.chosen_by != chosen.analyst:
        return
    first = store.first_proposal_of_run(run_id)
    made, body = proposal_of(candidate, again, chosen, snapshot, settings, run=store.run(run_id))
    yield "proposal", first.hash, made.hash
    yield "order", store.first_body_of_run(run_id), body


def differing(then: Any, now: Any, path: str = "") -> Iterator[str]:
    """Every place where two plain values differ, as `path: was, is now`."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from differing(then.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (was, will) in enumerate(zip(then, now, strict=True)):
            yield from differing(was, will, f"{path}[{place}]")
    elif then != now and not _is_rounding(then, now):
        yield f"{path or 'value'} was {_short(then)}, is now {_short(now)}"


def _is_rounding(then: Any, now: Any) -> bool:
    """Sums of floats differ in the last digits from one processor's arithmetic to another's; money is never a float."""
    return isinstance(then, float) and isinstance(now, float) and isclose(then, now, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
