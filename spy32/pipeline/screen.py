"""The screen step: the menu of priced and risk-checked spreads."""

import random

from spy32.domain.findings import Finding
from spy32.domain.runs import Cause
from spy32.domain.spreads import Account, Menu, Strategy
from spy32.pipeline.context import CheckedMarket, HistoryLookup, RunContext, RunEnd, StepResult
from spy32.rules import conditions
from spy32.rules import menu as menu_rules
from spy32.rules.outlook import fill_outlooks
from spy32.settings import Settings


def screen(context: RunContext, market: CheckedMarket, account: Account | None) -> StepResult[Menu] | RunEnd:
    """Return the menu, stored with every rejected spread. An empty menu ends the run with the counts by rule."""
    menu = build_menu(market, context.settings, seed=context.seed, find_history=context.find_history)
    if account is not None:
        menu = menu_rules.exclude_candidates(menu, _account_refusals(context, market, menu, account))
    context.store.decisions.save_menu(context.run_id, menu, context.clock())
    counts = ", ".join(f"{rule} {count}" for rule, count in menu.counts.items())
    if not menu.candidates:
        return RunEnd.no_trade(Cause.EMPTY_MENU, f"no spread passed the rules; dropped: {counts}")
    sides = ", ".join(f"{len(menu.side(side))} {side.value.replace('_', ' ')}s" for side in Strategy if menu.side(side))
    return StepResult(value=menu, detail=f"{sides}; {len(menu.dropped)} dropped ({counts})")


def build_menu(market: CheckedMarket, settings: Settings, *, seed: int, find_history: HistoryLookup) -> Menu:
    """Return the menu of the market; the same seed gives the same ids and order again.

    The numbers of the past rest on sessions that had closed before the quotes.
    """
    rng = random.Random(seed)  # noqa: S311 - ids and order need to be repeatable, not secret
    menu = menu_rules.build_menu(market.chain, market.smile, settings, rng=rng, seed=seed)
    snapshot = market.snapshot
    refused = {
        candidate.id: finding
        for candidate in menu.candidates
        for finding in conditions.check_ex_dates(snapshot, candidate, settings, snapshot.evaluated_at)
        if finding.blocks
    }
    history = find_history(snapshot.underlying, snapshot.as_of)
    return fill_outlooks(menu_rules.exclude_candidates(menu, refused), snapshot, market.smile, settings, history)


CANDIDATE_RULES = frozenset({"duplicate", "size"})
"""Account rules that can refuse one candidate and accept another. All other rules refuse the whole menu."""


def _account_refusals(context: RunContext, market: CheckedMarket, menu: Menu, account: Account) -> dict[str, Finding]:
    """Return candidate id -> finding for the candidates that the account refuses, while it accepts another one.

    When every candidate is refused, the result is empty: the menu stays, and consult ends the run with the reasons.
    """
    refused: dict[str, Finding] = {}
    rulings = context.assess_risk(menu.candidates, market.snapshot, account, context.clock())
    for candidate, ruling in zip(menu.candidates, rulings, strict=True):
        blocking = [finding for finding in ruling.findings if finding.blocks]
        if blocking and all(finding.rule in CANDIDATE_RULES for finding in blocking):
            refused[candidate.id] = blocking[0]
    return refused if len(refused) < len(menu.candidates) else {}
