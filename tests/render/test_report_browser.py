"""The report's page in a real browser: Debian's Chromium, at the width of a desk and of a telephone."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.proposals import ExitReason
from spy32.domain.report import Report
from tests.support.browser import DARK, distinct_rows, missing_part, take_screenshot, visit
from tests.support.sample_report import empty_report, sample_page, sample_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_part() is not None, reason=str(missing_part())),
]
DESK, TELEPHONE = 1280, 390
SMALLEST_TEXT = 9.5
"""Pixels of an axis label."""


def large_report() -> Report:
    """Six digits of dollars, and every way in which a trade ends."""
    report = sample_report(52)
    equity = tuple(
        replace(point, realized=100 * point.realized, drawdown=100 * point.drawdown) for point in report.equity
    )
    put = report.groups["side"][0]
    exits = tuple(
        replace(put, name=str(reason), result=Decimal(-123_456 + 9 * i)) for i, reason in enumerate(ExitReason)
    )
    return replace(report, equity=equity, groups={**report.groups, "exit": exits})


REPORTS = {
    "full": sample_report(52), "long": sample_report(260), "large": large_report(), "one trade": sample_report(1),
    "empty": empty_report(),
}  # fmt: skip


@pytest.mark.parametrize("width", [DESK, TELEPHONE])
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_page_fits_its_window_and_the_console_is_silent(report: Report, width: int, tmp_path: Path) -> None:
    seen = visit(sample_page(report), tmp_path, width)
    assert seen.console == []
    assert seen.measured["inner"] == width and seen.measured["scroll"] <= width
    if report.trades:
        assert seen.measured["smallest"] >= SMALLEST_TEXT
        assert seen.measured["clipped"] == [] and seen.measured["overlapping"] == []


def test_the_measurement_sees_a_wide_page_and_an_error(tmp_path: Path) -> None:
    faults = '<div style="width:2000px">x</div><script>console.error("broken")</script></body>'
    seen = visit(sample_page(empty_report()).replace("</body>", faults), tmp_path, TELEPHONE)
    assert seen.measured["scroll"] > TELEPHONE and len(seen.console) == 1 and "broken" in seen.console[0]


def test_the_page_follows_the_scheme_of_its_reader(tmp_path: Path) -> None:
    page = sample_page(sample_report(12))
    light, dark = visit(page, tmp_path, DESK), visit(page, tmp_path, DESK, DARK)
    assert light.measured["background"] == "rgb(255, 255, 255)"
    assert dark.measured["background"] == "rgb(17, 19, 21)"


@pytest.mark.parametrize("width", [DESK, TELEPHONE])
@pytest.mark.parametrize("flags", [(), (DARK,)], ids=["light", "dark"])
def test_a_screenshot_is_not_blank(width: int, flags: tuple[str, ...], tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    take_screenshot(sample_page(sample_report()), picture, width, 3000, *flags)
    wide, high, rows = distinct_rows(picture)
    assert (wide, high) == (width, 3000) and rows > 1000
    take_screenshot("<!doctype html><title>blank</title>", picture, width, 3000)
    assert distinct_rows(picture)[2] < 5
