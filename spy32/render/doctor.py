"""What `doctor` found, as a page and as a document."""

from collections.abc import Mapping, Sequence

from spy32.ops.doctor import CHECKS, GROUPS, Examination
from spy32.ops.doctor.base import CheckResult, CheckStatus
from spy32.render.encoder import Part
from spy32.render.formatting import format_count
from spy32.render.page import Fact, Facts, Page, Tone, pairs

SYMBOLS: Mapping[CheckStatus, tuple[str, Tone]] = {
    CheckStatus.PASS: ("✓", "good"),
    CheckStatus.WARN: ("!", "warn"),
    CheckStatus.FAIL: ("✗", "bad"),
    CheckStatus.SKIP: ("-", "dim"),
}
LABEL = max(map(len, CHECKS)) + 2
"""Characters of the longest label, so that the details of all groups stand under each other."""

Part(CheckResult, "id group status=diagnosis.status detail=diagnosis.detail fix=diagnosis.fix")
DOCTOR = Part(Examination, "at mode ok=is_ok checks=results", called="spy32.doctor")


def doctor_page(examination: Examination, *, every: bool, as_lines: bool = False) -> Page:
    """What is broken, each with what repairs it; without `every` one line for a group of which nothing is.

    For lines a word stands in the place of the symbol.
    """
    items: list[Fact] = []
    for group, title in GROUPS.items():
        results = [result for result in examination.results if result.group == group]
        told = [each for each in results if each.diagnosis.status in (CheckStatus.WARN, CheckStatus.FAIL)]
        listed = results if every or as_lines else told
        items += [item for result in listed for item in _result_items(result, as_lines=as_lines)]
        if results and not listed:
            items.append(_group_item(title, results))
    failures, warnings = examination.count(CheckStatus.FAIL), examination.count(CheckStatus.WARN)
    total, skipped = len(examination.results), examination.count(CheckStatus.SKIP)
    failed = f"{failures} of {total} checks failed"
    state = failed if failures else f"nothing is broken in {format_count(total, 'check')}"
    also = f"{format_count(warnings, 'warning')}, which may be harmless" if warnings else "no warning"
    worst = CheckStatus.FAIL if not examination.is_ok else CheckStatus.WARN if warnings else CheckStatus.PASS
    return Page(heading=f"{state}; {also}; {skipped} left out", tone=SYMBOLS[worst][1], parts=(pairs(items),))


def _group_item(title: str, results: Sequence[CheckResult]) -> Fact:
    """A line for a group of which nothing is broken."""
    done = sum(each.diagnosis.status is CheckStatus.PASS for each in results)
    symbol, tone = SYMBOLS[CheckStatus.PASS if done else CheckStatus.SKIP]
    counts = {"pass": done, "left out": len(results) - done}
    text = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return (f"{symbol} {title}".ljust(LABEL), text, tone)


def _result_items(result: CheckResult, *, as_lines: bool) -> Facts:
    found = result.diagnosis
    symbol, tone = SYMBOLS[found.status]
    yield f"{found.status} {result.id}" if as_lines else f"{symbol} {result.id}".ljust(LABEL), found.detail, tone
    yield "  fix", found.fix or "", "strong"
