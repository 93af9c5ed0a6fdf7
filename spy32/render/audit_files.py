"""Exported files of the history: the document, and what a verification may and may not say."""

from collections.abc import Iterator

from spy32.domain.audit_file import AuditFile, AuditFileReport
from spy32.domain.sanitize import excerpt
from spy32.render.encoder import Part
from spy32.render.formatting import format_count

AUDIT_FILE = Part(AuditFile, called="spy32.audit_export")
AUDIT_FILE_REPORT = Part(AuditFileReport, called="spy32.audit_file")
PRIVATE = (
    "private: the account number and all that was asked and answered are in it as they were, since the digests cover "
    "them; no password, key or token is"
)


def file_lines(report: AuditFileReport) -> Iterator[str]:
    """What a file holds. Every word of it may be somebody else's."""
    first, last = report.first_event, report.last_event
    yield f"file: {report.file}"
    yield f"holds: {excerpt(report.selection)}, mode {excerpt(report.mode)}: {format_count(report.rows, 'row')}"
    yield f"events: {first} to {last}"
    yield f"written: {report.made_at:%Y-%m-%d %H:%M %Z} by spy32 {excerpt(report.program)}"
    yield f"head: {excerpt(report.head, 64)}"


def verdict_lines(report: AuditFileReport) -> Iterator[str]:
    """The faults; without one, what the file shows and what no such file can show."""
    yield from (f"fault: {excerpt(fault, 200)}" for fault in report.faults)
    if report.faults:
        return
    first, last = report.first_event, report.last_event
    yield f"whole: every row is as events {first} to {last} left it, and each event follows on the one before it"
    yield "shows: who noted one of these hashes (`--head`) knows that all up to its event is as it was then"
    before = f"what was before event {first}; " if first != 1 else ""
    others = "" if report.selection == "all" else "that no other row would belong here which no event here names; "
    yield (
        f"cannot show: {before}what came after event {last}; {others}and, without a hash noted elsewhere, that all of "
        "it was not made up anew"
    )
