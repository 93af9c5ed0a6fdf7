"""The report's page: every figure is in the JSON document, nothing is fetched, hostile words stay words."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pytest

from spy32.domain.report import ModelUse, Money, Report
from spy32.render.encoder import encode_document
from spy32.render.report_charts import slippage_figure
from spy32.render.report_documents import REPORT
from spy32.render.report_html import STYLE, TRADES_ON_PAGE
from tests.support.page_text import PageReader, numbers
from tests.support.sample_report import empty_report, sample_page, sample_report

HOSTILE = '<script>alert("1")</script>\'"&<img src=http://x.example>'
MODEL = ModelUse(
    name="grok-4", asked=9, traded=0, abstained=9, failed=0, vetoed=0, agreed=0, unmatched=0, latency_seconds=None,
    tokens=90_000, cost=Decimal("0.45"),
)  # fmt: skip


def words(report: Report) -> str:
    return " ".join(PageReader(sample_page(report)).stated)


def test_the_same_report_gives_the_same_bytes() -> None:
    assert sample_page(sample_report()) == sample_page(sample_report())


@pytest.mark.parametrize(("trades", "most"), [(0, 8_000), (52, 60_000), (260, 160_000), (10_000, 200_000)])
def test_the_page_is_small(trades: int, most: int) -> None:
    report = sample_report(trades) if trades else empty_report()
    assert len(sample_page(report).encode()) < most


def test_a_page_of_five_years_of_sessions_and_several_experiments_is_small_enough_for_a_mail() -> None:
    report = sample_report(260)
    days = tuple(point for point in report.equity for _ in range(5))
    (first,) = report.experiments
    experiments = tuple(replace(first, experiment=replace(first.experiment, id=number)) for number in range(1, 6))
    page = sample_page(replace(report, equity=days, experiments=experiments))
    assert len(page.encode()) < 200_000 and "differences-5" in page and "differences-3" not in page
    assert page.count("collecting: 260 outcomes") == 5


def test_older_trades_are_left_out_and_said_so() -> None:
    page = words(sample_report(TRADES_ON_PAGE + 5))
    assert "5 older trades are in the JSON document." in page
    assert "Data: the newest 260 rows; the JSON document has all" in page and "of 260 newest trades kept" in page


# Every figure is in the JSON document.


def values(document: Any) -> Iterator[float]:
    """Every number of a JSON document, those inside of its texts too."""
    if isinstance(document, dict):
        for each in document.values():
            yield from values(each)
    elif isinstance(document, list | tuple):
        for each in document:
            yield from values(each)
    elif isinstance(document, str):
        yield from (parse(token) for token in numbers(document))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield float(document)


def parse(token: str) -> float:
    return float(token.replace("$", "").replace(",", ""))


def stated_counts(document: dict[str, Any]) -> Iterator[float]:
    """What the page counts, and says so. It adds up no amount."""
    trades = document["trades"]
    ended = [trade for trade in trades if trade["result"] is not None]
    yield from (len(ended), len(trades) - len(ended), len(document["ladder"]))
    yield sum(trade["credit_kept"] is not None and trade["credit_kept"] > 0 for trade in trades)
    yield sum(trade["slippage"] is not None and float(trade["slippage"]) > 0 for trade in trades)
    yield from (len(experiment["path"]) for experiment in document["experiments"])
    # The scale of the picture of slippage, with its counts.
    yield from (parse(token) for text in slippage_scale(document) for token in numbers(text))


def slippage_scale(document: dict[str, Any]) -> set[str]:
    lost = [float(trade["slippage"]) for trade in document["trades"] if trade["slippage"] is not None]
    rows = slippage_figure(lost).data.rows if lost else ()
    names = {text for start, end, count in rows for text in (f"{start} to {end}", f"{start} to {end}: {count} trade")}
    return {cell for row in rows for cell in row} | names | {f"{name}s" for name in names}


def unfounded(page: str, document: dict[str, Any]) -> list[str]:
    """Numbers of the page that are neither zero nor a rounding of a value of its document or of a stated count."""
    known = sorted({*values(document), *stated_counts(document), 0.0, 32.0})
    found = []
    for text in PageReader(page).stated:
        for token in numbers(text):
            digits = len(token.partition(".")[2])
            candidates = {parse(token), abs(parse(token)), -abs(parse(token))}
            allowed = 0.5 * 10.0**-digits + 1e-9
            if "e" not in token and not any(
                abs(value * scale - wanted) <= allowed for value in known for scale in (1, 100) for wanted in candidates
            ):
                found.append(token)
    return found


@pytest.mark.parametrize("trades", [1, 7, 52])
def test_every_figure_is_in_the_json_document(trades: int) -> None:
    report = sample_report(trades)
    assert unfounded(sample_page(report), dict(encode_document(REPORT, report))) == []


@pytest.mark.parametrize("trades", [1, 7, 52])
def test_every_amount_is_an_amount_of_the_json_document(trades: int) -> None:
    """None is a count, a share or a sum of the page's own, which the test above may take one for."""
    report = sample_report(trades)
    document = dict(encode_document(REPORT, report))
    known = sorted({abs(value) for value in amounts(document)} | {0.0})
    scale = slippage_scale(document)
    stated = {text for text in PageReader(sample_page(report)).stated if text not in scale}
    found = {token for text in stated for token in numbers(text) if "$" in token and token.strip("-$") != "0"}
    assert len(found) > 20
    for token in found:
        allowed = 0.5 * 10.0 ** -len(token.partition(".")[2]) + 1e-9
        assert any(abs(value - abs(parse(token))) <= allowed for value in known), token


def amounts(document: Any) -> Iterator[float]:
    """The amounts of a JSON document: texts that are a number, and a mean of dollars with its interval."""
    if isinstance(document, dict):
        yield from (found for each in document.values() for found in amounts(each))
        yield from (bound for bound in (document.get("exit_less_holding") or {}).values() if isinstance(bound, float))
    elif isinstance(document, list | tuple):
        yield from (found for each in document for found in amounts(each))
    elif isinstance(document, str) and re.fullmatch(r"-?\d+\.\d+", document):
        yield float(document)


def test_a_figure_that_is_nowhere_would_be_found() -> None:
    report = sample_report(7)
    page = sample_page(report).replace("</h1>", " 8,765.43</h1>")
    assert unfounded(page, dict(encode_document(REPORT, report))) == ["8,765.43"]


def test_headline_facts_come_first_and_are_those_of_the_document() -> None:
    report = sample_report()
    page = PageReader(sample_page(report))
    text = " ".join(page.stated)
    places = [text.index(word) for word in ("realised", "Result", "Probabilities", "Experiments", "The model")]
    assert places == sorted(places)
    assert f"-${abs(report.totals.total):,.2f} realised" in text and "52 ended, 0 open" in text


# Words of others.


def test_a_part_of_the_history_sums_up_its_own_trades() -> None:
    report = sample_report(4)
    trades = tuple(replace(trade, result=Decimal(10)) for trade in report.trades)
    parts = Money(premium=Decimal(40), closing_cost=Decimal(0), fees=Decimal(0), result=Decimal(40))
    text = words(replace(report, since=date(2025, 2, 1), trades=trades, money=parts))
    assert "4 ended" in text and "fees $0.00 = +$40.00" in text
    assert "since 2025-02-01" in text


def test_without_pairs_or_extremes_their_sentences_are_left_out() -> None:
    few = replace(sample_report(12), best=None, worst=None, exit_less_holding=None, money=None, win_rate=None)
    (source,) = few.reliability
    few = replace(few, reliability=(replace(source, came_true=replace(source.came_true, low=None, high=None)),))
    text = words(few)
    assert "T1 +$" not in text and "leaving less holding" not in text
    assert "premium" not in text and "too few" in text


def test_hostile_words_stay_words() -> None:
    report = sample_report(12)
    model = replace(report.models[0], name=HOSTILE)
    (first,) = report.experiments
    terms = replace(first.experiment.terms, champion=HOSTILE, challenger=HOSTILE)
    experiment = replace(first, experiment=replace(first.experiment, terms=terms), words=HOSTILE)
    groups = {HOSTILE: tuple(replace(group, name=HOSTILE) for group in report.groups["exit"])}
    groups["exit"] = groups[HOSTILE]
    hostile = replace(
        report,
        models=(model,),
        experiments=(experiment,),
        groups=groups,
        notes=(HOSTILE,),
        deletions=(HOSTILE,),
        reliability=tuple(replace(each, source=HOSTILE, event=HOSTILE) for each in report.reliability),
        trades=tuple(replace(trade, strategy=HOSTILE, exit_reason=HOSTILE) for trade in report.trades),
    )
    page = PageReader(sample_page(hostile))
    plain = PageReader(sample_page(report))
    assert set(page.tags) == set(plain.tags) and not {"script", "img"} & set(page.tags)
    assert HOSTILE in page.stated


@pytest.mark.parametrize("trades", [1, 260])
def test_nothing_is_run_or_fetched(trades: int) -> None:
    source = sample_page(sample_report(trades))
    page = PageReader(source)
    assert not {"script", "link", "iframe", "img", "object", "embed", "form", "base"} & set(page.tags)
    names = {name for _, name, _ in page.attributes}
    assert not {"src", "href", "action", "srcset"} & names and not any(name.startswith("on") for name in names)
    assert "http" not in source and "url(" not in STYLE and "@import" not in STYLE


# What there is to say with little.


def test_an_empty_report_says_so_in_sentences() -> None:
    page = PageReader(sample_page(empty_report()))
    text = " ".join(page.stated)
    assert not {"svg", "table", "figure"} & set(page.tags)
    for sentence in (
        "no trade yet in 0 runs",
        "No trade has ended yet.",
        "No trade is open.",
        "No probability can be scored yet",
        "No experiment is registered",
        "No model has been asked.",
        "No trade has two marks yet.",
        "There is no trade yet.",
    ):
        assert sentence in text
    assert "None" not in text and "nan" not in text


def test_a_year_of_abstentions_shows_the_model_and_no_empty_picture() -> None:
    page = PageReader(sample_page(empty_report(9, MODEL)))
    text = " ".join(page.stated)
    assert "no trade yet in 9 runs." in text and "abstained" in text
    assert page.tags.count("table") == 1 and "svg" not in page.tags and "None" not in text


def test_one_trade_is_told_in_the_singular() -> None:
    text = words(sample_report(1))
    assert (
        "1 ended, 0 open" in text and "1 run." in text and not re.search(r"\b1 (trades|runs|wins|pairs|weeks)\b", text)
    )


def test_an_open_trade_shows_its_mark_and_a_trade_without_one_nothing() -> None:
    report = sample_report(3)
    first, second, third = report.trades
    nothing = {"closed": None, "result": None, "credit_kept": None, "exit_reason": None, "days_held": None}
    trades = (replace(first, **nothing, unrealized=Decimal("7.77")), replace(second, **nothing), third)
    totals = replace(report.totals, unmarked=(second.id,))
    text = words(replace(report, trades=trades, totals=totals))
    assert "+$7.77 open" in text and "1 ended, 2 open" in text


def test_the_result_is_split_into_premium_closing_and_fees_and_the_book_has_its_ladder() -> None:
    text = words(sample_report(1))
    assert "premium $3,030.95 - closing $2,800.00 - fees $200.00 = +$30.95" in text
    assert "2026-02-06 1 2 $864.52" in text


def test_what_is_missing_from_the_records_stands_before_the_figures() -> None:
    text = words(replace(sample_report(3), deletions=("Events 7 to 9 are missing.",), notes=("T4 has no mark.",)))
    assert text.index("Events 7 to 9 are missing.") < text.index("T4 has no mark.") < text.index("realised")


def test_a_command_in_a_note_is_set_apart() -> None:
    page = sample_page(replace(sample_report(3), notes=("`outcomes refresh` & more",)))
    assert "<code>outcomes refresh</code> &amp; more" in page


def test_a_report_of_a_real_market_is_not_called_synthetic() -> None:
    assert "SYNTHETIC" in words(sample_report(2)) and "SYNTHETIC" not in words(empty_report())


def test_bounds_without_an_interval_are_told_without_one() -> None:
    text = words(sample_report(12))
    assert "better in 6 of 12 (12 trades)" in text and "better in 6 of 12 (12 picks)" in text and "None" not in text
    assert "[-11.0%, +9.8%]" not in text and "[-11.0%, +9.8%]" in words(sample_report(52))


# How it looks: computed from the style sheet; tests/render/test_report_browser.py opens it.


def test_each_picture_has_title_description_and_data() -> None:
    page = PageReader(sample_page(sample_report()))
    pictures = page.tags.count("svg")
    assert pictures == page.tags.count("desc") == page.tags.count("figcaption") == page.tags.count("details") == 9
    for place in [place for place, tag in enumerate(page.tags) if tag == "figure"]:
        tags = page.tags[place : place + page.tags[place:].index("table")]
        assert tags[1:5] == ["h3", "svg", "title", "desc"] and "details" in tags


def palettes() -> list[dict[str, str]]:
    """The colours by scheme: light, dark, print. What the dark one does not name is the light one's."""
    found = [dict(re.findall(r"--(\w+):(#\w{3,8})", block)) for block in re.findall(r":root\{([^}]*)\}", STYLE)]
    return list(accumulate(found, lambda light, other: {**light, **other}))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour[1:]
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", range(3), ids=["light", "dark", "print"])
def test_text_and_marks_stand_out_in_every_scheme(scheme: int) -> None:
    assert contrast("#000", "#fff") == pytest.approx(21) and len(palettes()) == 3
    colours = palettes()[scheme]
    for paper in ("paper", "tint"):
        for ink in ("ink", "soft"):
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    for mark in ("line", "gain", "loss"):
        assert contrast(colours[mark], colours["paper"]) >= 3.0, mark


def test_a_printed_page_shows_no_closed_table_and_breaks_no_picture() -> None:
    printed = STYLE[STYLE.index("@media print") :]
    assert "details{display:none}" in printed and "break-inside:avoid" in printed
