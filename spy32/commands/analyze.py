"""`analyze`: the weekly run, started by cron or by a person."""

from typing import Annotated

import typer

from spy32.commands.common import Json, app_of


def analyze(
    ctx: typer.Context,
    scheduled: Annotated[bool, typer.Option("--scheduled", help="Started by cron: decides itself whether now is the slot.")] = False,
    force: Annotated[bool, typer.Option("--force", help="A new run, linked to the one that is there; still sends nothing.")] = False,
    profile: Annotated[str, typer.Option(help="Settings profile.")] = "default",
    dte: Annotated[int | None, typer.Option(help="Days to expiration to aim at.")] = None,
    market: Annotated[str | None, typer.Option(help="Source of the market: recorded, or recorded:FILE.")] = None,
    analyst: Annotated[str | None, typer.Option(help="Who chooses: rules.")] = None,
    json: Json = False,
) -> None:
    """The weekly run: collect, screen, choose, check and prepare an order. It never sends one."""
    from spy32.ops.analysis import Request, analysis

    request = Request(scheduled=scheduled, force=force, profile=profile, dte=dte, market=market, analyst=analyst)
    app = app_of(ctx)
    raise typer.Exit(analysis(app, request, json=json))
