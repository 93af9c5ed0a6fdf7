"""What may be chosen: the menu of priced and risk-checked spreads."""

import random

from spy32.domain.deciding import Finding
from spy32.domain.running import Outcome
from spy32.domain.trading import Account, Menu, Strategy
from spy32.pipeline.kit import Done, Ended, Kit, Seen
from spy32.rules import conditions
from spy32.rules import menu as menu_rules
from spy32.rules.ruling import rule_on
from spy32.sessions import market_date, week_start
from spy32.settings import Settings


def screen(kit: Kit, seen: Seen, account: Account | None) -> Done[Menu] | Ended:
    """The menu, stored with every dropped spread; an empty one ends the run with the counts."""
    menu = menu_of(seen, kit.settings, seed=kit.seed)
    if account is not None:
        menu = menu_rules.without(menu, _refused_by_account(kit, seen, menu, account))
    kit.store.save_menu(kit.run_id, menu, kit.clock())
    counts = ", ".join(f"{rule} {count}" for rule, count in menu.counts.items())
    if not menu.candidates:
        return Ended(
            outcome=Outcome.NO_TRADE, cause="empty_menu", reasons=(f"no spread passed the rules; dropped: {counts}",)
        )
    sides = ", ".join(f"{len(menu.side(side))} {side.value.replace('_', ' ')}s" for side in Strategy if menu.side(side))
    return Done(value=menu, detail=f"{sides}; {len(menu.dropped)} dropped ({counts})")


def menu_of(seen: Seen, settings: Settings, *, seed: int) -> Menu:
    """The menu that this seed makes of what was seen; the same seed makes the same menu again."""
    rng = random.Random(seed)  # noqa: S311 - ids and order need to be repeatable, not secret
    menu = menu_rules.build(seen.chain, seen.smile, settings, rng=rng, seed=seed)
    today = market_date(seen.snapshot.judged_at)
    refused = {
        candidate.id: finding
        for candidate in menu.candidates
        for finding in conditions.ex_dates(seen.snapshot, candidate, settings, today)
        if finding.blocks
    }
    return menu_rules.without(menu, refused)


OF_A_CANDIDATE = frozenset({"duplicate", "size"})
"""Rules of the account that refuse one candidate and let another pass; all the others refuse the whole menu."""


def _refused_by_account(kit: Kit, seen: Seen, menu: Menu, account: Account) -> dict[str, Finding]:
    """The finding against each candidate that could not be traded, while another one can.

    Where none can, the menu stays, and the run ends before anybody is asked with what an account would need.
    """
    now = kit.clock()
    today = market_date(now)
    exposure = kit.store.exposure(run_id=kit.run_id, today=today, week_start=week_start(today))
    refused: dict[str, Finding] = {}
    for candidate in menu.candidates:
        ruling = rule_on(candidate, seen.snapshot, account, exposure, settings=kit.settings, now=now)
        found = [finding for finding in ruling.findings if finding.blocks]
        if found and all(finding.rule in OF_A_CANDIDATE for finding in found):
            refused[candidate.id] = found[0]
    return refused if len(refused) < len(menu.candidates) else {}
