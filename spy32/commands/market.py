"""`market` and `expirations`: what a run would see now. Nothing is stored and nobody is asked to choose."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import Spy32Error

if TYPE_CHECKING:
    from datetime import date

    from spy32.pipeline.sources import Sources
    from spy32.settings import Settings
    from spy32.wiring import App

Source = Annotated[
    str | None,
    typer.Option("--market", help="Source of the chain: tastytrade, cboe, yahoo, recorded or recorded:FILE."),
]
ProfileName = Annotated[str, typer.Option(help="Settings profile.")]


def market(ctx: typer.Context, market: Source = None, profile: ProfileName = "default", json: Json = False) -> None:
    """The market as a run would see it now: figures with source and age, events, pictures."""
    from spy32.commands.prompt_only import held_of
    from spy32.pipeline.collect import stopped_by
    from spy32.pipeline.preview import preview
    from spy32.render.documents import emit
    from spy32.render.market_pages import market_document, market_page

    app = app_of(ctx)
    sources, settings = _asked(app, market, profile)
    shown = preview(sources, app.wanted(settings, profile), app.tell, held=held_of(app))
    if json:
        emit(app.out, market_document(shown.briefing, shown.snapshot, shown.report))
    else:
        smile = shown.seen.smile if shown.seen is not None else None
        market_page(app.out, shown.briefing, shown.snapshot, smile)
    if shown.seen is None:
        app.warn(f"a run would end here: {stopped_by(shown.report).message}")


def expirations(
    ctx: typer.Context, market: Source = None, profile: ProfileName = "default", json: Json = False
) -> None:
    """The listed expirations, the one that a run would take, and why it is that one."""
    from spy32.render.documents import emit
    from spy32.render.market_pages import expiration_rows, expirations_document, expirations_page
    from spy32.sessions import market_date

    app = app_of(ctx)
    sources, settings = _asked(app, market, profile)
    underlying = settings.profiles[profile].underlying
    source, listed = _listed(sources, underlying)
    today, aim, tolerance = market_date(app.clock()), settings.dte.default, settings.choice.dte_tolerance
    rows = expiration_rows(listed, today, aim, tolerance)
    if json:
        document = expirations_document(
            rows, underlying=underlying, today=today, aim=aim, tolerance=tolerance, source=source
        )
        emit(app.out, document)
    else:
        expirations_page(app.out, rows, underlying=underlying, aim=aim, tolerance=tolerance, source=source)


def _asked(app: "App", market: str | None, profile: str) -> "tuple[Sources, Settings]":
    """The sources and settings of what was typed."""
    from spy32.commands.analyze import MARKETS, known
    from spy32.settings.profiles import for_profile

    known("--market", market, MARKETS)
    settings = for_profile(app.settings, profile)
    return app.sources_of_market(market), settings


def _listed(sources: "Sources", underlying: str) -> "tuple[str, tuple[date, ...]]":
    """The first source that lists expirations, and what it lists."""
    errors: list[Spy32Error] = []
    for source in sources.chain:
        try:
            return source.name, source.expirations(underlying)
        except Spy32Error as error:
            errors.append(error)
    raise errors[0]
