"""The pictures of the report: which there are, what their sentences and tables say, and what is left out."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from spy32.domain.report import Report
from spy32.render.formatting import format_gain, format_whole
from spy32.render.report_charts import (
    FEWEST_TRADES,
    Figure,
    attribution_figure,
    axis_dollars,
    experiment_figures,
    percent,
    reliability_figures,
    result_figures,
)
from tests.support.sample_report import empty_report, sample_report

REPORT = sample_report()


def drawn(report: Report) -> dict[str, Figure]:
    sums = report.attribution_sum
    found = [
        *result_figures(report), *reliability_figures(report),
        *([attribution_figure(sums)] if sums is not None else []), *experiment_figures(report),
    ]  # fmt: skip
    return {figure.data.name: figure for figure in found}


def test_every_picture_of_a_full_report_is_well_formed_and_has_a_sentence_and_a_table() -> None:
    assert list(drawn(REPORT)) == [
        "equity", "drawdown", "exits", "credit", "slippage", "reliability-1", "attribution", "differences-1",
        "evidence-1",
    ]  # fmt: skip
    for figure in drawn(REPORT).values():
        root = ElementTree.fromstring(figure.svg)
        assert [child.text for child in root[:2]] == [figure.data.title, figure.caption]
        assert figure.caption.endswith(".") and figure.data.rows
        assert {len(row) for row in figure.data.rows} == {len(figure.data.columns)}


def test_a_report_without_trades_has_no_picture() -> None:
    assert drawn(empty_report()) == {}


def test_a_report_of_one_trade_has_no_picture_of_one_dot() -> None:
    assert drawn(sample_report(1)).keys() == {"reliability-1", "attribution"}


def test_amounts_beside_an_axis_have_their_sign_and_zero_has_none() -> None:
    assert [axis_dollars(amount) for amount in (-12_500, 9000.0, 0.0)] == ["-$12.5k", "+$9,000", "$0"]
    assert [percent(share) for share in (0.834, -1.5)] == ["83%", "-150%"]


def test_the_result_and_its_drawdown_are_told_apart() -> None:
    points, figures = REPORT.equity, drawn(REPORT)
    worst = min(points, key=lambda point: point.drawdown)
    assert f"{format_whole(worst.drawdown)}, on {worst.day}" in figures["drawdown"].caption
    assert f"came to {format_whole(points[-1].realized)}" in figures["equity"].caption
    rows = figures["equity"].data.rows
    assert len(rows) == len({f"{point.day:%Y-%m}" for point in points})
    assert rows[-1][0] == str(points[-1].day)


def test_open_marks_are_part_of_the_result() -> None:
    points = tuple(replace(point, unrealized=Decimal(-100), total=Decimal(-7)) for point in REPORT.equity)
    rows = drawn(replace(REPORT, equity=points))["equity"].data.rows
    assert rows[0][1:] == (format_gain(points[3].realized), "-$100.00", "-$7.00")


def test_an_account_that_never_fell_is_drawn_too() -> None:
    points = tuple(replace(point, drawdown=Decimal(0)) for point in REPORT.equity)
    figure = drawn(replace(REPORT, equity=points))["drawdown"]
    assert figure.caption == "The result has never been below an earlier high."
    ElementTree.fromstring(figure.svg)


def test_exits_name_the_best_and_the_worst() -> None:
    groups = REPORT.groups["exit"]
    figure = drawn(REPORT)["exits"]
    best, worst = (choose(groups, key=lambda group: group.result) for choose in (max, min))
    assert f"most came from {best.name}: {format_whole(best.result)}" in figure.caption
    assert f"least from {worst.name}: {format_whole(worst.result)}" in figure.caption
    assert [row[0] for row in figure.data.rows] == [group.name for group in groups]
    assert "exits" not in drawn(replace(REPORT, groups={"exit": groups[:1]}))


def test_a_dot_stands_for_each_ended_trade_with_its_credit() -> None:
    first, second, *others = REPORT.trades
    trades = (replace(first, credit_kept=None), replace(second, days_held=None), *others)
    figure = drawn(replace(REPORT, trades=trades))["credit"]
    assert figure.svg.count("<circle") == len(others) == len(figure.data.rows)
    kept = sum(trade.credit_kept is not None and trade.credit_kept > 0 for trade in others)
    assert figure.caption.startswith(f"{kept} of {len(others)} trades kept a part")
    assert "credit" not in drawn(replace(REPORT, trades=trades[: 1 + FEWEST_TRADES]))


def test_slippage_counts_every_trade_once() -> None:
    amounts = [Decimal("-7.50"), Decimal("-0.01"), Decimal(0), Decimal("4.99"), Decimal(5), Decimal(12), None]
    trades = tuple(replace(trade, slippage=amount) for trade, amount in zip(REPORT.trades, amounts, strict=False))
    figure = drawn(replace(REPORT, trades=trades))["slippage"]
    assert figure.data.rows == (
        ("-$10", "-$5", "1"), ("-$5", "$0", "1"), ("$0", "+$5", "2"), ("+$5", "+$10", "1"), ("+$10", "+$15", "1")
    )  # fmt: skip
    assert figure.caption.startswith("3 of 6 trades paid more than the mid")
    assert "slippage" not in drawn(replace(REPORT, trades=trades[: FEWEST_TRADES - 1]))


def test_reliability_needs_points() -> None:
    (source,) = REPORT.reliability
    assert len(drawn(REPORT)["reliability-1"].data.rows) == len(source.points)
    assert reliability_figures(replace(REPORT, reliability=(replace(source, points=()),))) == []


def test_attribution_adds_up_to_the_cent_and_each_bar_starts_where_the_last_ended() -> None:
    sums, figure = REPORT.attribution_sum, drawn(REPORT)["attribution"]
    assert sums is not None
    assert [row[1] for row in figure.data.rows] == [format_gain(part) for part in (*sums.amounts.values(), sums.total)]
    bars = [child for child in ElementTree.fromstring(figure.svg) if child.tag == "rect"]
    ends = [{float(bar.attrib["x"]), float(bar.attrib["x"]) + float(bar.attrib["width"])} for bar in bars]
    for one, other in pairwise(ends):
        assert min(abs(a - b) for a in one for b in other) < 0.25


def test_an_experiment_is_drawn_once_it_has_two_pairs() -> None:
    (experiment,) = REPORT.experiments
    alone = replace(experiment, path=experiment.path[:1])
    assert list(experiment_figures(replace(REPORT, experiments=(alone,)))) == []
    differences, evidence = experiment_figures(REPORT)
    assert differences.svg.count("<circle") == len(experiment.path)
    kinds = Counter(child.attrib.get("class") for child in ElementTree.fromstring(evidence.svg))
    assert kinds["reference"] == kinds["line"] == 1
    assert f"{experiment.evidence_needed:g} allows a claim" in evidence.caption


@pytest.mark.parametrize("evidence", [0.0, 1e-9, 1.0, 1e8])
def test_evidence_of_any_size_has_a_scale(evidence: float) -> None:
    (experiment,) = REPORT.experiments
    path = tuple(replace(point, evidence=evidence) for point in experiment.path)
    _, figure = experiment_figures(replace(REPORT, experiments=(replace(experiment, path=path),)))
    root = ElementTree.fromstring(figure.svg)
    labels = [child for child in root if child.tag == "text" and "class" not in child.attrib]
    assert 4 <= len(labels) <= 11 and all(float(label.attrib["y"]) > 0 for label in labels)
