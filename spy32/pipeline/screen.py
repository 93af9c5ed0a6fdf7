"""What may be chosen: the menu of priced and risk-checked spreads."""

import random

from spy32.domain.running import Outcome
from spy32.domain.trading import Menu, Strategy
from spy32.pipeline.kit import Done, Ended, Kit, Seen
from spy32.rules import menu as menu_rules
from spy32.settings import Settings


def screen(kit: Kit, seen: Seen) -> Done[Menu] | Ended:
    """The menu, stored with every dropped spread; an empty one ends the run with the counts."""
    menu = menu_of(seen, kit.settings, seed=kit.seed)
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
    return menu_rules.build(seen.chain, seen.smile, settings, rng=rng, seed=seed)
