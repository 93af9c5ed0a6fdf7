"""`audit`: the history as evidence."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import (
    App,
    SinceOption,
    get_app,
    parse_run_id,
    parse_trade_id,
    print_document,
    print_lines,
)
from spy32.errors import BadUsage, ExitCode

if TYPE_CHECKING:
    from spy32.domain.audit_file import AuditFileReport

Head = Annotated[str | None, typer.Option(help="A head noted earlier: shows whether the end was cut off since.")]
ExportedFile = Annotated[
    Path | None, typer.Argument(help="A file of `audit export`, verified without the database.", show_default=False)
]
NewFile = Annotated[Path, typer.Argument(help="Where to; compressed when the name ends in .gz.", show_default=False)]


def verify(ctx: typer.Context, file: ExportedFile = None, head: Head = None) -> None:
    """Recompute the hash chain and compare every row with it; ends 74 naming the first that was changed."""
    if file is not None:
        _verify_file(get_app(ctx), file, head)
        return
    from spy32.records.maintenance import damage_with_remedy
    from spy32.render.formatting import format_count

    app = get_app(ctx)
    result = app.open_for_reading(lapses=False).audit.verify(head=head)
    if app.wants_json:
        from spy32.render.home_documents import AUDIT

        print_document(app, AUDIT, result)
    else:
        verdict = "chain intact" if result.broken is None else "NOT intact"
        print_lines(app, [f"{verdict}: {format_count(result.events, 'event')}", f"head: {result.head}"])
    if result.broken is not None:
        app.warn(damage_with_remedy(app.database, result.broken).message)
        raise typer.Exit(ExitCode.STORE_ERROR)


def _verify_file(app: App, path: Path, head: str | None) -> None:
    from spy32.domain.sanitize import excerpt
    from spy32.records.audit_files import read_audit_file, verify_audit_file
    from spy32.render.audit_files import AUDIT_FILE, verdict_lines
    from spy32.render.encoder import VERSION

    report = verify_audit_file(path, read_audit_file(path, schema=AUDIT_FILE.name, version=VERSION), head)
    _print_report(app, report, verdict_lines(report))
    if report.faults:
        suffix = f" ({len(report.faults)} faults in all)" if len(report.faults) > 1 else ""
        app.warn(f"{path} was edited or is damaged: {excerpt(report.faults[0], 200)}{suffix}")
        raise typer.Exit(ExitCode.STORE_ERROR)


def _print_report(app: App, report: "AuditFileReport", verdict: "Iterable[str]") -> None:
    from spy32.render.audit_files import AUDIT_FILE_REPORT, file_lines
    from spy32.render.output import print_wrapped

    if app.wants_json:
        print_document(app, AUDIT_FILE_REPORT, report)
    else:
        print_wrapped(app.out, [*file_lines(report), *verdict])


def export(
    ctx: typer.Context,
    file: NewFile,
    trade: Annotated[
        int | None,
        typer.Option(metavar="T", parser=parse_trade_id, help="One trade and the run that it came of."),
    ] = None,
    run: Annotated[
        int | None, typer.Option(metavar="R", parser=parse_run_id, help="One run and all that came of it.")
    ] = None,
    since: SinceOption = None,
) -> None:
    """Write the history, or a part of it, into one file that `audit verify FILE` verifies without the database."""
    from spy32 import __version__
    from spy32.records.audit_files import AuditExport, verify_audit_file, write_audit_document
    from spy32.render.audit_files import AUDIT_FILE, PRIVATE
    from spy32.render.encoder import encode_document

    if sum(each is not None for each in (trade, run, since)) > 1:
        raise BadUsage("--trade, --run and --since exclude each other")
    app = get_app(ctx)
    exporter = AuditExport(app.open_for_reading(lapses=False).core, at=app.clock(), program=__version__)
    if trade is not None:
        exported = exporter.export_trade(trade)
    else:
        exported = exporter.export_run(run) if run is not None else exporter.export_period(since)
    write_audit_document(file, encode_document(AUDIT_FILE, exported))
    report = verify_audit_file(file, exported)
    app.log.write("progress", f"{file}: {report.selection}, events {report.first_event} to {report.last_event}")
    _print_report(app, report, [PRIVATE])
