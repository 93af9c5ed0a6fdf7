"""The market as a run would see it now, without a run: nothing is stored, and no model is asked."""

from collections.abc import Callable

from spy32.domain.briefing import Briefing, OpenSpread
from spy32.domain.market import MarketSnapshot, QualityReport
from spy32.domain.spreads import Account, Menu
from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.pipeline.collect import build_briefing, collect_market
from spy32.pipeline.context import CheckedMarket, HistoryLookup
from spy32.pipeline.gather import CollectRequest
from spy32.pipeline.offers import gate_error
from spy32.pipeline.screen import build_menu
from spy32.pipeline.sources import Sources


@value
class MarketPreview:
    """What a run would see now."""

    snapshot: MarketSnapshot
    checked: CheckedMarket | None
    """None when a quality gate would stop the run."""
    quality: QualityReport
    """What the quality gates say; stopped_by is None while a run could go on."""
    briefing: Briefing


def preview_market(
    sources: Sources,
    request: CollectRequest,
    report: Callable[[str], None],
    held: tuple[OpenSpread, ...] = (),
    account: Account | None = None,
) -> MarketPreview:
    """Collect the market and return it with its briefing. Raises the sources' error when none has a chain."""
    collected = collect_market(sources, request, report)
    briefing = build_briefing(collected.snapshot, collected.checked, collected.quality, held=held, account=account)
    return MarketPreview(
        snapshot=collected.snapshot, checked=collected.checked, quality=collected.quality, briefing=briefing
    )


def preview_menu(preview: MarketPreview, request: CollectRequest, seed: int, find_history: HistoryLookup) -> Menu:
    """Return the menu that a run with this seed would make. Raises `Unusable` when it would be empty."""
    if preview.checked is None:
        raise gate_error(preview.quality)
    menu = build_menu(preview.checked, request.settings, seed=seed, find_history=find_history)
    if not menu.candidates:
        counts = ", ".join(f"{rule} {count}" for rule, count in menu.counts.items())
        raise Unusable(f"the menu is empty, so there is nothing to ask; dropped: {counts}")
    return menu
