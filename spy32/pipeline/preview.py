"""A look at the market without a run: nothing is stored and nobody is asked."""

from collections.abc import Callable
from dataclasses import dataclass

from spy32.domain.briefing import Briefing, Held
from spy32.domain.market import MarketSnapshot, QualityReport
from spy32.domain.trading import Account, Menu
from spy32.errors import Unusable
from spy32.pipeline.brief import briefing_of
from spy32.pipeline.collect import look, stopped_by
from spy32.pipeline.gather import Wanted
from spy32.pipeline.kit import Seen
from spy32.pipeline.screen import menu_of
from spy32.pipeline.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a run would see now; `seen` is None when a gate would stop it."""

    snapshot: MarketSnapshot
    seen: Seen | None
    report: QualityReport
    briefing: Briefing


def preview(
    sources: Sources,
    wanted: Wanted,
    tell: Callable[[str], None],
    held: tuple[Held, ...] = (),
    account: Account | None = None,
) -> Preview:
    found = look(sources, wanted, tell)
    briefing = briefing_of(found.snapshot, found.seen, found.report, held=held, account=account)
    return Preview(snapshot=found.snapshot, seen=found.seen, report=found.report, briefing=briefing)


def menu_for(shown: Preview, wanted: Wanted, seed: int) -> Menu:
    """The menu that a run with this seed would make; `Unusable` when it would make none."""
    if shown.seen is None:
        raise stopped_by(shown.report)
    menu = menu_of(shown.seen, wanted.settings, seed=seed)
    if not menu.candidates:
        counts = ", ".join(f"{rule} {count}" for rule, count in menu.counts.items())
        raise Unusable(f"the menu is empty, so there is nothing to ask; dropped: {counts}")
    return menu
