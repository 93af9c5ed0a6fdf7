"""The pictures of the report: which there are, what their sentences and tables say, and what is left out."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from spy32.render.encoder import to_document
from spy32.render.report_charts import (
    FEWEST_TRADES,
    PARTS,
    attribution_figure,
    axis_dollars,
    credit_figure,
    dollars,
    drawdown_figure,
    equity_figure,
    exits_figure,
    experiment_figures,
    figures,
    money,
    percent,
    reliability_figure,
    slippage_figure,
)
from spy32.render.report_documents import REPORT
from tests.support.sample_report import empty_report, sample_report

Document = dict[str, Any]


@pytest.fixture(scope="module")
def report() -> Document:
    return dict(to_document(REPORT, sample_report()))


def test_every_picture_of_a_full_report_is_well_formed_and_has_a_sentence_and_a_table(report: Document) -> None:
    drawn = figures(report)
    assert [figure.name for figure in drawn] == [
        "equity", "drawdown", "exits", "credit", "slippage", "reliability-1", "attribution", "differences-1",
        "evidence-1",
    ]  # fmt: skip
    for figure in drawn:
        root = ElementTree.fromstring(figure.svg)
        assert [child.text for child in root[:2]] == [figure.title, figure.caption]
        assert figure.caption.endswith(".") and figure.rows
        assert {len(row) for row in figure.rows} == {len(figure.heading)}


def test_a_report_without_trades_has_no_picture() -> None:
    assert figures(to_document(REPORT, empty_report())) == []


def test_a_report_of_one_trade_has_no_picture_of_one_dot() -> None:
    names = {figure.name for figure in figures(to_document(REPORT, sample_report(1)))}
    assert names == {"reliability-1", "attribution"}


def test_amounts_have_their_sign_and_zero_has_none() -> None:
    assert [dollars(amount) for amount in ("-1381.54", 0.3, "0.00", 12.5)] == ["−$1,382", "$0", "$0", "+$12"]
    assert [money(amount) for amount in ("-1381.54", 0, Decimal("0.85"))] == ["−$1,381.54", "$0.00", "+$0.85"]
    assert [axis_dollars(amount) for amount in (-12_500, 9000.0, 0.0)] == ["−$12.5k", "+$9,000", "$0"]
    assert [percent(share) for share in (0.834, -1.5)] == ["83%", "−150%"]


def test_the_result_and_its_drawdown_are_told_apart(report: Document) -> None:
    points = report["equity"]
    equity, drawdown = equity_figure(points), drawdown_figure(points)
    assert equity is not None and drawdown is not None
    worst = min(points, key=lambda point: float(point["drawdown"]))
    assert f"{dollars(worst['drawdown'])}, on {worst['day']}" in drawdown.caption
    assert f"came to {dollars(points[-1]['realized'])}" in equity.caption
    assert len(equity.rows) == len({point["day"][:7] for point in points})
    assert equity.rows[-1][0] == points[-1]["day"]


def test_open_marks_are_part_of_the_result(report: Document) -> None:
    points = [dict(point, unrealized="-100.00", total="-7.00") for point in report["equity"]]
    figure = equity_figure(points)
    assert figure is not None
    assert figure.rows[0][1:] == [money(points[3]["realized"]), "−$100.00", "−$7.00"]


def test_an_account_that_never_fell_is_drawn_too(report: Document) -> None:
    figure = drawdown_figure([dict(point, drawdown="0.00") for point in report["equity"]])
    assert figure is not None and figure.caption == "The result has never been below an earlier high."
    ElementTree.fromstring(figure.svg)


def test_exits_name_the_best_and_the_worst(report: Document) -> None:
    groups = report["groups"]["exit"]
    figure = exits_figure(groups)
    assert figure is not None
    best, worst = (choose(groups, key=lambda group: float(group["result"])) for choose in (max, min))
    assert f"most came from {best['name']}: {dollars(best['result'])}" in figure.caption
    assert f"least from {worst['name']}: {dollars(worst['result'])}" in figure.caption
    assert [row[0] for row in figure.rows] == [group["name"] for group in groups]
    assert exits_figure(groups[:1]) is None


def test_a_dot_stands_for_each_ended_trade_with_its_credit(report: Document) -> None:
    trades = [dict(trade) for trade in report["trades"]]
    trades[0]["credit_kept"] = trades[1]["days_held"] = None
    figure = credit_figure(trades)
    assert figure is not None and figure.svg.count("<circle") == len(trades) - 2 == len(figure.rows)
    kept = sum(trade["credit_kept"] > 0 for trade in trades[2:])
    assert figure.caption.startswith(f"{kept} of {len(trades) - 2} trades kept a part")
    assert credit_figure(trades[2 : 1 + FEWEST_TRADES]) is None


def test_slippage_counts_every_trade_once(report: Document) -> None:
    amounts = ["-7.50", "-0.01", "0.00", "4.99", "5.00", "12.00", None]
    figure = slippage_figure([{"slippage": amount} for amount in amounts])
    assert figure is not None
    assert figure.rows == [
        ["−$10", "−$5", "1"], ["−$5", "$0", "1"], ["$0", "+$5", "2"], ["+$5", "+$10", "1"], ["+$10", "+$15", "1"]
    ]  # fmt: skip
    assert figure.caption.startswith("3 of 6 trades paid more than the mid")
    assert slippage_figure([{"slippage": amount} for amount in amounts[: FEWEST_TRADES - 1]]) is None


def test_reliability_needs_points(report: Document) -> None:
    source = report["reliability"][0]
    figure = reliability_figure(0, source)
    assert figure is not None and len(figure.rows) == len(source["points"])
    assert reliability_figure(0, dict(source, points=[])) is None


def test_attribution_adds_up_to_the_cent_and_each_bar_starts_where_the_last_ended(report: Document) -> None:
    sums, figure = report["attribution_sum"], attribution_figure(report["attribution_sum"])
    assert sum(Decimal(sums[part]) for part in PARTS) == Decimal(sums["total"]) and figure is not None
    assert [row[1] for row in figure.rows] == [money(sums[part]) for part in (*PARTS, "total")]
    bars = [child for child in ElementTree.fromstring(figure.svg) if child.tag == "rect"]
    ends = [{float(bar.attrib["x"]), float(bar.attrib["x"]) + float(bar.attrib["width"])} for bar in bars]
    for one, other in pairwise(ends):
        assert min(abs(a - b) for a in one for b in other) < 0.25


def test_an_experiment_is_drawn_once_it_has_two_pairs(report: Document) -> None:
    experiment = report["experiments"][0]
    assert experiment_figures(dict(experiment, path=experiment["path"][:1])) == []
    differences, evidence = experiment_figures(experiment)
    assert differences.svg.count("<circle") == len(experiment["path"])
    kinds = Counter(child.attrib.get("class") for child in ElementTree.fromstring(evidence.svg))
    assert kinds["reference"] == kinds["line"] == 1
    assert f"{experiment['evidence_needed']:g} allows a claim" in evidence.caption


@pytest.mark.parametrize("evidence", [0.0, 1e-9, 1.0, 1e8])
def test_evidence_of_any_size_has_a_scale(report: Document, evidence: float) -> None:
    experiment = report["experiments"][0]
    path = [dict(point, evidence=evidence) for point in experiment["path"]]
    figure = experiment_figures(dict(experiment, path=path))[1]
    root = ElementTree.fromstring(figure.svg)
    labels = [child for child in root if child.tag == "text" and "class" not in child.attrib]
    assert 4 <= len(labels) <= 11 and all(float(label.attrib["y"]) > 0 for label in labels)
