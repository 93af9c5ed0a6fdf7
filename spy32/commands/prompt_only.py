"""`analyze --prompt-only`: the market as it is now, the menu of it, and what would be sent to the model."""

import os
from json import dumps
from typing import TYPE_CHECKING

from spy32.commands.common import App, print_document, print_lines
from spy32.domain.spreads import Account, Mode
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.domain.briefing import OpenSpread

FIRST_SAMPLE = 1
"""The first sample, whose menu is in the order of the run's seed + 1."""


def print_prompt(app: App, settings: Settings, *, profile: str, market: str | None) -> None:
    """The request on stdout, its size and price on stderr. Nothing is stored and nobody is asked."""
    from spy32.analysts.grok import build_request
    from spy32.clients.xai_models import format_cost, max_ticks
    from spy32.pipeline.collect import preview_market, preview_menu
    from spy32.wiring import analysts
    from spy32.wiring.markets import find_history

    sources = app.load_sources(market)
    request = app.build_collect_request(settings, profile)
    market_preview = preview_market(
        sources, request, app.report, held=load_open_spreads(app), account=load_paper_account(app)
    )
    seed = int.from_bytes(os.urandom(4), "big")
    menu = preview_menu(market_preview, request, seed, find_history)
    version = analysts.prompt_version(settings)
    rendered = analysts.build_renderer(version, settings)(menu, market_preview.briefing, seed + FIRST_SAMPLE)
    body = build_request(rendered, settings.xai)
    cost = max_ticks(body)
    app.warn(
        f"not sent: {version}, about {rendered.tokens:,} tokens to {settings.xai.model}, at most "
        f"{format_cost(cost)} an answer"
    )
    if app.wants_json:
        from spy32.render.prompt_documents import PROMPT, PromptPreview

        print_document(app, PROMPT, PromptPreview(prompt=version, tokens=rendered.tokens, body=body))
        return
    schema = dumps(rendered.schema, indent=1)
    parts = {"system": rendered.system.rstrip(), "user": rendered.user.rstrip(), "schema": schema}
    print_lines(app, ["\n\n".join(f"=== {name}\n{text}" for name, text in parts.items())])


def load_open_spreads(app: App) -> "tuple[OpenSpread, ...]":
    """The open spreads of this home, if it has a book."""
    from spy32.pipeline.collect import open_spreads

    return open_spreads(app.open_for_reading()) if app.database.exists() else ()


def load_paper_account(app: App) -> "Account | None":
    """The paper account from its book, or as it would be opened; None in other modes, where no broker is asked."""

    if app.settings.mode is not Mode.PAPER:
        return None
    if app.database.exists():
        return app.broker(app.open_for_reading(), None).facts()
    opening_cash = app.settings.paper.account
    return Account(
        number=app.account_number,
        mode=Mode.PAPER,
        net_liquidation=opening_cash,
        buying_power=opening_cash,
        options_level="",
    )
