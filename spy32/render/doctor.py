"""What `doctor` found, as a page and as a document."""

from collections.abc import Mapping, Sequence

from spy32.ops.doctor import CHECKS, GROUPS, Examination
from spy32.ops.doctor.base import CheckResult, CheckStatus
from spy32.render.encoder import Part
from spy32.render.formatting import format_count
from spy32.render.page import Item, Page, Pairs, Tone, pair

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
    items: list[Item] = []
    for group, title in GROUPS.items():
        results = [result for result in examination.results if result.group == group]
        if every or as_lines:
            items += [item for result in results for item in _result_items(result, as_lines=as_lines)]
        elif results:
            items += _group_items(title, results)
    return Page(heading=_heading(examination), tone=_heading_tone(examination), parts=(Pairs(items=tuple(items)),))


def _heading(examination: Examination) -> str:
    failures, warnings = examination.count(CheckStatus.FAIL), examination.count(CheckStatus.WARN)
    skipped, total = examination.count(CheckStatus.SKIP), len(examination.results)
    also = f"{format_count(warnings, 'warning')}, which may be harmless" if warnings else "no warning"
    state = (
        f"{failures} of {total} checks failed" if failures else f"nothing is broken in {format_count(total, 'check')}"
    )
    return f"{state}; {also}; {skipped} left out"


def _heading_tone(examination: Examination) -> Tone:
    worst = CheckStatus.WARN if examination.count(CheckStatus.WARN) else CheckStatus.PASS
    return SYMBOLS[worst if examination.is_ok else CheckStatus.FAIL][1]


def _group_items(title: str, results: Sequence[CheckResult]) -> list[Item]:
    told = [each for each in results if each.diagnosis.status in (CheckStatus.WARN, CheckStatus.FAIL)]
    if told:
        return [item for result in told for item in _result_items(result, as_lines=False)]
    done = sum(each.diagnosis.status is CheckStatus.PASS for each in results)
    symbol, tone = SYMBOLS[CheckStatus.PASS if done else CheckStatus.SKIP]
    counts = {"pass": done, "left out": len(results) - done}
    text = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return [pair(f"{symbol} {title}".ljust(LABEL), text, tone)]


def _result_items(result: CheckResult, *, as_lines: bool) -> list[Item]:
    found = result.diagnosis
    symbol, tone = SYMBOLS[found.status]
    head = f"{found.status if as_lines else symbol} {result.id}"
    label = head if as_lines else head.ljust(LABEL)
    items = [pair(label, found.detail, tone)]
    return items if found.fix is None else [*items, pair("  fix", found.fix, "strong")]
