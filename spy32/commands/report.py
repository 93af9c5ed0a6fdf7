"""`report`: what came of trades and decisions, and what that says."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import App, SinceOption, get_app, print_document, print_page, write_text
from spy32.errors import BadUsage, CannotCreate

if TYPE_CHECKING:
    from spy32.domain.report import Report


class Property(StrEnum):
    """What trades are grouped by."""

    EXIT = "exit"
    SIDE = "side"
    DELTA = "delta"
    VIX = "vix"
    DTE = "dte"
    ANALYST = "analyst"
    PROMPT = "prompt"
    PROFILE = "profile"
    WEEKDAY = "weekday"


def report(
    ctx: typer.Context,
    since: SinceOption = None,
    by: Annotated[Property | None, typer.Option(help="Group the trades by this; by exit without it.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one self-contained HTML page instead; it is replaced.")
    ] = None,
    more: Annotated[bool, typer.Option("--more", help="Everything, not only the one screen.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The trades, or with --by the groups, comma-separated.")] = False,
) -> None:
    """What came of trades, probabilities and choices, with what can and cannot be said.

    Reads only. Of fewer than 31 weeks "too few" stands in the place of a mean, and counts in that of a share.
    """
    app = get_app(ctx)
    if csv and app.wants_json:
        raise BadUsage("--csv and --json exclude each other")
    if html is not None and not html.parent.is_dir():
        raise CannotCreate(f"{html} cannot be made: there is no folder {html.parent}")
    from spy32.review.experiments import load_experiments
    from spy32.review.report import build_report

    store, now = app.open_for_reading(), app.clock()
    found = build_report(
        store,
        now,
        since=since,
        experiments=load_experiments(store, now),
        is_synthetic=store.flags.is_synthetic,
    )
    if html is not None:
        _write_page(app, found, html)
    if app.wants_json:
        from spy32.render.report_documents import REPORT

        print_document(app, REPORT, found)
    elif csv:
        from spy32.domain.report import GroupResult, ReportTrade
        from spy32.render.csvs import csv_table

        write_text(
            app, csv_table(ReportTrade, found.trades) if by is None else csv_table(GroupResult, found.groups[by])
        )
    elif html is None:
        _print_report(app, found, by or Property.EXIT, more=more)


def _print_report(app: App, found: "Report", by: str, *, more: bool) -> None:
    from spy32.render.output import is_full_terminal, print_fitting_page
    from spy32.render.report import more_page, report_page, report_pages

    if more:
        print_page(app, report_page(found, by))
        print_page(app, more_page(found, by))
    elif is_full_terminal(app.out):
        print_fitting_page(app.out, report_pages(found, by))
    else:
        print_page(app, report_page(found, by))


def _write_page(app: App, found: "Report", path: Path) -> None:
    from spy32.render.report_html import html_page
    from spy32.wiring.process import write_file

    write_file(path, html_page(found))
    app.log.write("progress", f"{path}: the report until {found.until:%Y-%m-%d}, {len(found.trades)} trades")
