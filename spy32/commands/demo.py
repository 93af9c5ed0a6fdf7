"""`demo`: the whole cycle, or a synthetic year to look back at, in a throw-away home."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spy32.commands.common import get_app

if TYPE_CHECKING:
    from rich.console import Console


def demo(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the home, and say where.")] = False,
    year: Annotated[
        bool, typer.Option("--year", help="52 synthetic Mondays instead, with their report (half a minute).")
    ] = False,
) -> None:
    """The whole cycle, offline, on a shipped real chain, in a throw-away home."""
    from spy32.ops.demo import run_demo, run_year_demo

    app = get_app(ctx)
    out = cast("Console", app.out)
    if year:
        from spy32.wiring.demo_year import make_demo_year

        run_year_demo(out, app.env, partial(make_demo_year, show_progress=app.show_progress), keep=keep)
    else:
        run_demo(out, app.env, keep=keep)
