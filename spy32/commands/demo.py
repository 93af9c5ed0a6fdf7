"""`demo`: the whole cycle in a throw-away home."""

import typer

from spy32.commands.common import app_of


def demo(ctx: typer.Context) -> None:
    """The whole cycle, offline, on a shipped real chain, in a throw-away home."""
    from spy32.ops.demo import demo as play

    app = app_of(ctx)
    play(app.out, app.env)
