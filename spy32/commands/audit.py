"""`audit`: the history as evidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app

if TYPE_CHECKING:
    from spy32.domain.audit_file import AuditFile
    from spy32.records.audit_files import AuditExport
    from spy32.wiring import App

Head = Annotated[str | None, typer.Option(help="A head noted earlier: shows whether the end was cut off since.")]
ExportedFile = Annotated[
    Path | None, typer.Argument(help="A file of `audit export`, verified without the database.", show_default=False)
]
NewFile = Annotated[Path, typer.Argument(help="Where to; compressed when the name ends in .gz.", show_default=False)]


def verify(ctx: typer.Context, file: ExportedFile = None, head: Head = None, json: Json = False) -> None:
    """Recompute the hash chain and compare every row with it; ends 74 naming the first that was changed."""
    if file is not None:
        _verify_file(get_app(ctx), file, head, json)
        return
    from spy32.errors import ExitCode
    from spy32.records.maintenance import damage_with_remedy
    from spy32.render.formatting import format_count
    from spy32.render.output import write_text

    app = get_app(ctx)
    result = app.open_for_reading(lapses=False).audit.verify(head=head)
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import AUDIT

        print_document(app.out, AUDIT, result)
    else:
        verdict = "chain intact" if result.broken is None else "NOT intact"
        write_text(app.out, f"{verdict}: {format_count(result.events, 'event')}\nhead: {result.head}\n")
    if result.broken is not None:
        app.warn(damage_with_remedy(app.database, result.broken).message)
        raise typer.Exit(ExitCode.STORE_TROUBLE)


def _verify_file(app: "App", path: Path, head: str | None, json: bool) -> None:
    from spy32.domain.sanitize import excerpt
    from spy32.errors import ExitCode
    from spy32.records.audit_files import read_audit_file, verify_audit_file
    from spy32.render.audit_files import AUDIT_FILE, AUDIT_FILE_REPORT, file_lines, verdict_lines
    from spy32.render.documents import print_document
    from spy32.render.encoder import VERSION
    from spy32.render.output import print_wrapped

    report = verify_audit_file(path, read_audit_file(path, schema=AUDIT_FILE.name, version=VERSION), head)
    if json:
        print_document(app.out, AUDIT_FILE_REPORT, report)
    else:
        print_wrapped(app.out, [*file_lines(report), *verdict_lines(report)])
    if report.faults:
        suffix = f" ({len(report.faults)} faults in all)" if len(report.faults) > 1 else ""
        app.warn(f"{path} was edited or is damaged: {excerpt(report.faults[0], 200)}{suffix}")
        raise typer.Exit(ExitCode.STORE_TROUBLE)


def export(
    ctx: typer.Context,
    file: NewFile,
    trade: Annotated[str | None, typer.Option(metavar="T", help="One trade and the run that it came of.")] = None,
    run: Annotated[str | None, typer.Option(metavar="R", help="One run and all that came of it.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="All that was written on that New York day and later.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the history, or a part of it, into one file that `audit verify FILE` verifies without the database."""
    from spy32 import __version__
    from spy32.errors import BadUsage
    from spy32.records.audit_files import AuditExport, verify_audit_file, write_audit_document
    from spy32.render.audit_files import AUDIT_FILE, AUDIT_FILE_REPORT, PRIVATE, file_lines
    from spy32.render.documents import print_document
    from spy32.render.encoder import to_document
    from spy32.render.output import print_wrapped

    if sum(each is not None for each in (trade, run, since)) > 1:
        raise BadUsage("--trade, --run and --since exclude each other")
    app = get_app(ctx)
    exporter = AuditExport(app.open_for_reading(lapses=False).core, at=app.clock(), program=__version__)
    exported = _export_part(exporter, trade, run, since)
    write_audit_document(file, to_document(AUDIT_FILE, exported))
    report = verify_audit_file(file, exported)
    app.log.write_progress(f"{file}: {report.selection}, events {report.first_event} to {report.last_event}")
    if json:
        print_document(app.out, AUDIT_FILE_REPORT, report)
    else:
        print_wrapped(app.out, [*file_lines(report), PRIVATE])


def _export_part(exporter: "AuditExport", trade: str | None, run: str | None, since: str | None) -> "AuditFile":
    from spy32.commands.common import parse_id, parse_run_id, parse_since

    if trade is not None:
        return exporter.export_trade(parse_id(trade, "T", "trade"))
    return exporter.export_run(parse_run_id(run)) if run is not None else exporter.export_period(parse_since(since))
