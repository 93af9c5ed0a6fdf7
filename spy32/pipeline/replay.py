"""Repeats a run's decision offline, from its snapshot and with its settings; or asks the model about it again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from math import isclose
from typing import Any

from spy32.domain.answer_role import AnswerRole
from spy32.domain.briefing import Briefing
from spy32.domain.codec import encode
from spy32.domain.findings import Finding, RiskDecision
from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Account, ExpectedValue, Greeks, Menu
from spy32.domain.value import value
from spy32.errors import BadUsage
from spy32.options.history import DailyHistory
from spy32.pipeline.collect import build_briefing, inspect_snapshot
from spy32.pipeline.context import RULE_ANALYSTS, HistoryLookup
from spy32.pipeline.prepare import build_proposal
from spy32.pipeline.screen import CANDIDATE_RULES, build_menu
from spy32.ports import Analyst, Clock
from spy32.rules import plan, pricing
from spy32.rules.limits import assess_risk
from spy32.rules.menu import exclude_candidates
from spy32.settings import Settings
from spy32.settings.profiles import restore_settings
from spy32.store import Store

RecordedAnalystLookup = Callable[[AnswerRole, Recommendation, Settings, int], "tuple[Analyst, list[str]] | None"]
"""Role, answer, settings and seed -> an analyst that gives the recorded response, and the differences of its requests
from the recorded ones; None when no model was asked."""
ROUNDING_TOLERANCE = 1e-9
"""Relative and absolute: float sums differ in the last digits between processors."""


@value
class ReplayResult:
    """The names of what was recomputed, and every difference from the record."""

    run_id: int
    checked: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def name(self) -> str:
        """The id of the run as people type it."""
        return f"R{self.run_id}"


@value
class ReplayContext:
    """The run, and what is needed beside its record."""

    store: Store
    run_id: int
    find_history: HistoryLookup
    build_rule_analyst: Callable[[str, Settings], Analyst]
    find_recorded_analyst: RecordedAnalystLookup


def replay(context: ReplayContext) -> ReplayResult:
    """Recompute gates, menu, the rules' choices, the model's answer, checks and order; compare each with the record.

    Raises `BadUsage` when the run has no snapshot.
    """
    run = context.store.runs.get(context.run_id)
    if not context.store.decisions.has_snapshot(run.id):
        raise BadUsage(f"R{run.id} ended before it had a snapshot ({run.cause}); there is nothing to replay")
    checked: list[str] = []
    differences: list[str] = []
    for name, recorded, recomputed in _compare_steps(context):
        checked.append(name)
        differences += [f"{name}: {difference}" for difference in diff_values(encode(recorded), encode(recomputed))]
    return ReplayResult(run_id=run.id, checked=tuple(checked), differences=tuple(differences))


def _compare_steps(context: ReplayContext) -> Iterator[tuple[str, Any, Any]]:
    """Yield each step's name, its record, and what it comes to now."""
    decisions, run_id = context.store.decisions, context.run_id
    snapshot, settings = decisions.snapshot(run_id), restore_settings(decisions.settings(run_id))
    market, quality = inspect_snapshot(snapshot, settings)
    yield "gates", decisions.quality(run_id), quality
    menu = decisions.menu(run_id)
    if menu is None or market is None:
        return
    find_history = partial(_history_of_run, menu, context.find_history)
    recomputed_menu = build_menu(market, settings, seed=menu.seed, find_history=find_history)
    recomputed_menu = drop_account_refusals(recomputed_menu, menu)
    recorded = decisions.briefing(run_id)
    briefing = build_briefing(snapshot, market, quality)
    is_old = bool(menu.candidates) and all(candidate.outlook is None for candidate in menu.candidates)
    if is_old:
        yield "menu without figures of its smile", _drop_smile_figures(menu), _drop_smile_figures(recomputed_menu)
    else:
        yield "menu", menu, recomputed_menu
    if recorded is not None:
        # Positions and account of that day are recorded only there.
        held, open_risk, net = recorded.held, recorded.open_risk, recorded.net_liquidation
        briefing = replace(briefing, held=held, open_risk=open_risk, net_liquidation=net)
        briefing = _restore_smile_figures(briefing, recorded) if is_old else briefing
        yield "briefing", recorded, briefing
    answers = decisions.answers(run_id)
    for role, answer in answers:
        if answer.analyst in RULE_ANALYSTS:
            recomputed = context.build_rule_analyst(answer.analyst, settings).choose(snapshot, menu, briefing)
            yield f"{role} of the rule {answer.analyst}", answer, recomputed
        elif role is not AnswerRole.AGAIN:
            recorded_analyst = context.find_recorded_analyst(role, answer, settings, menu.seed)
            if recorded_analyst is not None:
                model, differences = recorded_analyst
                yield f"{role} answer to {answer.prompt}", answer, model.choose(snapshot, menu, briefing)
                yield f"{role} requests of {answer.prompt}", [], differences
    chosen = _deciding_answer(answers)
    if chosen is not None and not chosen.vetoes:
        yield from _compare_decision(context, snapshot, settings, menu, chosen)


def _history_of_run(menu: Menu, find_history: HistoryLookup, underlying: str, at: datetime) -> DailyHistory | None:
    """Return the daily history as far as it reached for the run's menu; a later version may ship more of it."""
    history = find_history(underlying, at)
    ends = [each.outlook.history_until for each in menu.candidates if each.outlook is not None]
    last = next((day for day in ends if day is not None), None)
    return history.until(last) if history is not None and last is not None else history


def drop_account_refusals(recomputed: Menu, recorded: Menu) -> Menu:
    """Return the recomputed menu without the candidates that the account of that day refused.

    Those refusals are recorded only in the menu.
    """
    ids = {candidate.id for candidate in recorded.candidates}
    account_drops = [spread for spread in recorded.dropped if spread.rule in CANDIDATE_RULES]
    drops_by_strikes = {(drop.strategy, drop.short_strike, drop.long_strike): drop for drop in account_drops}
    refused = {
        candidate.id: Finding(rule=dropped.rule, message="", figure=dropped.figure, limit=dropped.limit)
        for candidate in recomputed.candidates
        if candidate.id not in ids
        if (spread := candidate.spread)
        and (dropped := drops_by_strikes.get((spread.strategy, spread.short.strike, spread.long.strike))) is not None
    }
    return exclude_candidates(recomputed, refused)


SMILE_FIGURES = ("atm_iv", "iv_less_rv_20d", "skew_25d", "expected_move", "expected_move_share")
"""Market figures that are read from the smile."""
DELTA_RULES = frozenset({"delta", "not_nearest", "menu_full"})
"""Rules of the menu whose figure is a delta."""


def _drop_smile_figures(menu: Menu) -> Menu:
    """Return the menu without what rests on the smile: runs before 0.4 took each vol from its own quote."""
    nothing = Greeks(delta=0.0, gamma=0.0, theta=0.0, vega=0.0)
    candidates = (
        replace(
            each,
            short=replace(each.short, iv=0.0, delta=0.0),
            long=replace(each.long, iv=0.0, delta=0.0),
            greeks=nothing,
            pop_market=0.0,
            pop_history=None,
            worthless_market=None,
            outlook=None,
            ev=ExpectedValue(),
        )
        for each in menu.candidates
    )
    dropped = (replace(each, figure="") if each.rule in DELTA_RULES else each for each in menu.dropped)
    return replace(menu, candidates=tuple(candidates), dropped=tuple(dropped))


def _restore_smile_figures(briefing: Briefing, recorded: Briefing) -> Briefing:
    """Return the briefing with the recorded figures of the smile; its order stays."""
    kept = {f"market.{name}" for name in SMILE_FIGURES} & recorded.figures.keys()
    figures = {path: recorded.figures[path] if path in kept else metric for path, metric in briefing.figures.items()}
    return replace(briefing, figures=figures)


def _account_of_ruling(account: Account, ruling: RiskDecision) -> Account:
    """The account of a ruling; until 0.3.0 only what the limits said of it tells whether its level carries spreads."""
    if account.permits_spreads is not None or any(finding.rule == "unknown" for finding in ruling.findings):
        return account
    return replace(account, permits_spreads=not any(finding.rule == "options_level" for finding in ruling.findings))


def _deciding_answer(answers: Sequence[tuple[AnswerRole, Recommendation]]) -> Recommendation | None:
    """Return the answer that decided the run: the analyst's, or the fixed rule's if the analyst failed."""
    chosen = next((answer for role, answer in answers if role is AnswerRole.CHOSEN), None)
    if chosen is None or chosen.decision is not Decision.FAILED:
        return chosen
    return next((answer for role, answer in answers if role is AnswerRole.SHADOW and answer.analyst == "rules"), None)


def _compare_decision(
    context: ReplayContext, snapshot: MarketSnapshot, settings: Settings, menu: Menu, chosen: Recommendation
) -> Iterator[tuple[str, Any, Any]]:
    store, run_id = context.store, context.run_id
    candidate, ruling = menu.find(chosen.candidate_id), store.decisions.ruling(run_id)
    if candidate is None or ruling is None or ruling.account is None or ruling.exposure is None or ruling.at is None:
        return
    account = _account_of_ruling(ruling.account, ruling)
    recomputed = assess_risk(candidate, snapshot, account, ruling.exposure, settings=settings, now=ruling.at)
    price_findings = tuple(finding for finding in ruling.findings if finding.rule in pricing.PRICE_RULES)
    yield "checks", ruling.findings, (*price_findings, *recomputed.findings)
    yield "size", ruling.sizing, recomputed.sizing
    proposal = store.proposals.find_by_run(run_id)
    if proposal is None or proposal.chosen_by != chosen.analyst:
        return
    first, first_body = store.proposals.get_original(run_id)
    rebuilt, body = build_proposal(candidate, recomputed, chosen, snapshot, settings, run=store.runs.get(run_id))
    is_old = first.hash == plan.proposal_digest(first, plan.HASHED_0_3)
    yield "proposal", first.hash, plan.proposal_digest(rebuilt, plan.HASHED_0_3) if is_old else rebuilt.hash
    yield "order", first_body, body


def diff_values(recorded: Any, recomputed: Any, path: str = "") -> Iterator[str]:
    """Yield every place where two JSON values differ, as `PATH was X, is now Y`."""
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        for key in sorted(recorded.keys() | recomputed.keys()):
            yield from diff_values(recorded.get(key), recomputed.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(recorded, list) and isinstance(recomputed, list) and len(recorded) == len(recomputed):
        for place, (old, new) in enumerate(zip(recorded, recomputed, strict=True)):
            yield from diff_values(old, new, f"{path}[{place}]")
    elif recorded != recomputed and not _is_rounding(recorded, recomputed):
        yield f"{path or 'value'} was {_shorten(recorded)}, is now {_shorten(recomputed)}"


def _is_rounding(recorded: Any, recomputed: Any) -> bool:
    """Return whether two floats differ only by rounding. Money is never a float, so it is compared exactly."""
    return (
        isinstance(recorded, float)
        and isinstance(recomputed, float)
        and isclose(recorded, recomputed, rel_tol=ROUNDING_TOLERANCE, abs_tol=ROUNDING_TOLERANCE)
    )


def _shorten(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


# The model asked again. The answer is for comparison, never for an order.


@value
class StoredQuestion:
    """The analyst's input in a finished run, and its answer."""

    run_id: int
    snapshot: MarketSnapshot
    menu: Menu
    briefing: Briefing
    settings: Settings
    """The settings of that run."""
    then: Recommendation | None
    """The analyst's answer in that run."""

    @classmethod
    def load(cls, store: Store, run_id: int) -> "StoredQuestion":
        """Load the question of a run. Raises `BadUsage` when the run had no menu."""
        run = store.runs.get(run_id)
        menu = store.decisions.menu(run_id)
        briefing = store.decisions.briefing(run_id)
        if menu is None or not menu.candidates or briefing is None:
            raise BadUsage(
                f"R{run_id} had no menu to choose from ({run.cause or run.outcome}); there is nothing to ask"
            )
        chosen = [answer for role, answer in store.decisions.answers(run_id) if role is AnswerRole.CHOSEN]
        return cls(
            run_id=run_id,
            snapshot=store.decisions.snapshot(run_id),
            menu=menu,
            briefing=briefing,
            settings=restore_settings(store.decisions.settings(run_id)),
            then=chosen[-1] if chosen else None,
        )


def ask_model_again(
    store: Store, run_id: int, question: StoredQuestion, analyst: Analyst, clock: Clock
) -> Recommendation:
    """Ask, store and return the answer, with the role `again` beside the run's own answers."""
    answer = analyst.choose(question.snapshot, question.menu, question.briefing)
    store.decisions.save_answer(run_id, answer, role=AnswerRole.AGAIN, at=clock())
    return answer
