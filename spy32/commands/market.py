"""`market` and `expirations`: what a run would see now. Nothing is stored and nobody is asked to choose."""

from datetime import date
from typing import TYPE_CHECKING

import typer

from spy32.commands.common import App, ProfileOption, get_app, print_answer, print_document
from spy32.commands.providers import MarketOption
from spy32.errors import Spy32Error
from spy32.sessions import market_date
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.pipeline.sources import Sources


def market(ctx: typer.Context, market: MarketOption = None, profile: ProfileOption = "default") -> None:
    """The market as a run would see it now: figures with source and age, events, pictures."""
    from spy32.commands.prompt_only import load_open_spreads
    from spy32.pipeline.collect import preview_market
    from spy32.pipeline.offers import gate_error
    from spy32.render.market_pages import build_market_page
    from spy32.render.output import print_page

    app = get_app(ctx)
    sources, settings = _load_sources(app, market, profile)
    market_preview = preview_market(
        sources, app.build_collect_request(settings, profile), app.report, held=load_open_spreads(app)
    )
    if app.wants_json:
        from spy32.render.market_documents import MARKET

        print_document(app, MARKET, market_preview)
    else:
        smile = market_preview.checked.smile if market_preview.checked is not None else None
        print_page(app.out, build_market_page(market_preview.briefing, market_preview.snapshot, smile))
    if market_preview.checked is None:
        app.warn(f"a run would end here: {gate_error(market_preview.quality).message}")


def expirations(ctx: typer.Context, market: MarketOption = None, profile: ProfileOption = "default") -> None:
    """The listed expirations, the one that a run would take by its quotes now, and why it is that one."""
    from spy32.pipeline.collect import collect_market
    from spy32.render.market_documents import EXPIRATIONS
    from spy32.render.market_pages import build_expirations_page
    from spy32.rules.tradability import list_expirations

    app = get_app(ctx)
    sources, settings = _load_sources(app, market, profile)
    underlying = settings.profiles[profile].underlying
    source, listed_days = _list_expirations(sources, underlying)
    try:
        judged = collect_market(sources, app.build_collect_request(settings, profile), app.report).tradabilities
    except Spy32Error as error:
        app.warn(f"no quotes were judged, so the nearest is named: {error.message}")
        judged = ()
    found = list_expirations(
        listed_days,
        underlying=underlying,
        source=source,
        today=market_date(app.clock()),
        target_dte=settings.dte.default,
        tolerance=settings.choice.dte_tolerance,
        judged=judged,
    )
    print_answer(app, EXPIRATIONS, found, build_expirations_page(found))


def _load_sources(app: App, market: str | None, profile: str) -> "tuple[Sources, Settings]":
    """The sources and settings of what was typed."""
    from spy32.settings.profiles import for_profile

    settings = for_profile(app.settings, profile)
    return app.load_sources(market), settings


def _list_expirations(sources: "Sources", underlying: str) -> "tuple[str, tuple[date, ...]]":
    """The first source that lists expirations, and what it lists."""
    errors: list[Spy32Error] = []
    for source in sources.chain:
        try:
            return source.name, source.expirations(underlying)
        except Spy32Error as error:
            errors.append(error)
    raise errors[0]
