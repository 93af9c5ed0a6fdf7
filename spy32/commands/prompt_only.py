"""`analyze --prompt-only`: the market as it is now, the menu of it, and what would be sent to the model."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spy32.domain.briefing import Held
    from spy32.domain.trading import Account
    from spy32.settings import Settings
    from spy32.wiring import App

SAMPLE = 1
"""The first sample, whose menu is in the order of the run's seed + 1."""


def print_prompt(app: "App", settings: "Settings", *, profile: str, market: str | None, json: bool) -> None:
    """The request on stdout, its size and price on stderr. Nothing is stored and nobody is asked."""
    import os

    from spy32.analysts.grok import body_of
    from spy32.clients.xai import dollars, most_ticks
    from spy32.pipeline.preview import menu_for, preview
    from spy32.render.desk import say
    from spy32.render.documents import emit
    from spy32.wiring import analysts

    sources = app.sources_of_market(market)
    wanted = app.wanted(settings, profile)
    shown = preview(sources, wanted, app.tell, held=held_of(app), account=account_of(app))
    seed = int.from_bytes(os.urandom(4), "big")
    menu = menu_for(shown, wanted, seed)
    version = analysts.version_of(settings)
    sent = analysts.renderer(version, settings)(menu, shown.briefing, seed + SAMPLE)
    body = body_of(sent, settings.xai)
    cost = most_ticks(body)
    app.warn(
        f"not sent: {version}, about {sent.tokens:,} tokens to {settings.xai.model}, at most {dollars(cost)} an answer"
    )
    if json:
        emit(app.out, {"schema": "spy32.prompt", "version": 1, "prompt": version, "tokens": sent.tokens, "body": body})
        return
    say(app.out, ("=== system", sent.system.rstrip(), "", "=== user", sent.user.rstrip(), "", "=== schema"))
    say(app.out, (_indented(sent.schema),))


def held_of(app: "App") -> "tuple[Held, ...]":
    """The open spreads of this home, if it has a book."""
    from spy32.pipeline.collect import held

    return held(app.reading()) if app.database.exists() else ()


def account_of(app: "App") -> "Account | None":
    """The paper account as its book has it, or as it would be opened; a broker is not asked for a look."""
    from spy32.domain.trading import Account, Mode

    if app.settings.mode is not Mode.PAPER:
        return None
    if app.database.exists():
        return app.broker(app.reading(), None).facts()
    worth = app.settings.paper.account
    return Account(
        number=app.account_number, mode=Mode.PAPER, net_liquidation=worth, buying_power=worth, options_level=""
    )


def _indented(schema: object) -> str:
    import json

    return json.dumps(schema, indent=1)
