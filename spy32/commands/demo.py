"""`demo`: the whole cycle in a throw-away home."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from spy32.commands.common import get_app

if TYPE_CHECKING:
    from rich.console import Console


def demo(
    ctx: typer.Context, keep: Annotated[bool, typer.Option("--keep", help="Leave the home, and say where.")] = False
) -> None:
    """The whole cycle, offline, on a shipped real chain, in a throw-away home."""
    from spy32.ops.demo import run_demo as play

    app = get_app(ctx)
    play(cast("Console", app.out), app.env, keep=keep)
