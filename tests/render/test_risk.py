"""The screen of `risk`: on 80x24, on narrow ones, and as lines; its document."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.cells import cell_len

from spy32.ops.risk import RiskReport, load_risk
from spy32.render.encoder import encode_document
from spy32.render.output import format_page
from spy32.render.risk import risk_page
from spy32.render.risk_documents import RISK
from spy32.render.tables import draw_page
from spy32.rules.book_risk import SHOCKS
from spy32.settings import Settings
from spy32.store import Store
from tests.support import books, builders, stores
from tests.support.reader import screen
from tests.support.schemas import check


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with stores.opened(tmp_path / "paper.db") as opened:
        yield opened


@pytest.fixture
def report(store: Store) -> RiskReport:
    """A whole ladder, and an opening that waits."""
    books.ladder(store)
    stores.proposed(store, run_id=stores.whole_run(store).id)
    return load(store)


def load(store: Store) -> RiskReport:
    return load_risk(store, builders.account(), Settings(), builders.later(hours=1))


def drawn(report: RiskReport, width: int, height: int) -> list[str]:
    return draw_page(screen(width), risk_page(report, height=height)).splitlines()


def test_a_whole_ladder_fits_a_screen_with_the_prompt_below(report: RiskReport) -> None:
    lines = drawn(report, 80, 24)
    assert len(lines) == 23
    assert max(cell_len(line) for line in lines) <= 80
    text = "\n".join(lines)
    assert all(day.isoformat() in text for day in books.FRIDAYS)
    assert all(each in text for each in ("-3%, vols +9", "-10%, vols +34", "-20%", "+15%", "room", "with P6"))


def test_it_fits_with_notes_and_a_large_room_too(report: RiskReport) -> None:
    roomy = replace(report, book=replace(report.book, trade_room=Decimal(10_000)))
    assert len(drawn(roomy, 80, 24)) == 23
    noted = replace(roomy, account_note="the account is that of an earlier run: " + 10 * "no answer came ")
    assert len(drawn(noted, 80, 24)) == 23
    assert "more lines" in "\n".join(drawn(noted, 80, 24))


@pytest.mark.parametrize("width", [60, 100, 200])
@pytest.mark.parametrize("height", [24, 50])
def test_no_number_is_cut_at_any_width(report: RiskReport, width: int, height: int) -> None:
    lines = drawn(report, width, height)
    assert max(cell_len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert "…" not in text.replace("acct …", "")
    for shock in report.book.shocks:
        assert f"{abs(shock.result):,.2f}" in text
    for use in report.book.limits[:1]:
        assert f"${use.used:,.2f}" in text
        assert f"${use.room:,.2f}" in text


def test_what_does_not_fit_is_counted(store: Store) -> None:
    for week in range(8):
        books.rung(
            store, books.FRIDAYS[week % 5].replace(month=10 + week // 5, day=books.FRIDAYS[week % 5].day % 28 + 1)
        )
    found = load(store)
    lines = drawn(found, 80, 24)
    assert len(lines) == 23
    shown = sum(rung.expiration.isoformat() in "\n".join(lines) for rung in found.book.rungs)
    assert f"{len(found.book.rungs) - shown} more lines" in "\n".join(lines)
    assert sum(line.startswith("expiration ") for line in format_page(risk_page(found)).splitlines()) == len(
        found.book.rungs
    )


def test_lines_have_a_shock_each(report: RiskReport) -> None:
    lines = [line for line in format_page(risk_page(report)).splitlines() if line.startswith("at ")]
    assert len(lines) == 9
    assert "at -15% (slide): " in lines[5]


def test_an_empty_book_says_what_a_new_trade_may_lose(store: Store) -> None:
    text = format_page(risk_page(load(store)))
    assert "no trade is open; $0.00 at most" in text
    assert "a new trade may lose $1,000.00" in text
    assert "\nexpiration " not in text


def test_what_is_not_in_the_figures_is_said(store: Store) -> None:
    books.rung(store, books.FRIDAYS[0], iv=None)
    stores.approved(store)
    text = format_page(risk_page(load(store)))
    assert "no mark gives the vols of T1" in text
    assert text.count("unknown") == 3 + len(SHOCKS) and "+$0.00" not in text
    assert "$894.52 of the max loss is approved, assigned or foreign" in text


def test_the_document_is_one_of_its_schema(report: RiskReport, store: Store) -> None:
    document = json.loads(json.dumps(encode_document(RISK, report)))
    check(document)
    assert document["open_max_loss"] == "2221.30"
    assert [each["move"] for each in document["shocks"]] == [-0.03, -0.05, -0.10, 0.03, 0.0, -0.15, 0.10, -0.20, 0.15]
    assert document["new_trade"]["open_max_loss"] == "3115.82"
    assert document["account"]["number"] == f"…{builders.ACCOUNT[-4:]}"


def test_columns_that_do_not_fit_are_named_and_an_opening_that_is_not_there_has_none(store: Store) -> None:
    books.ladder(store)
    found = load(store)
    assert "with a new one" not in "\n".join(drawn(found, 80, 24)) + format_page(risk_page(found))
    wide, narrow = drawn(found, 80, 24), "\n".join(drawn(found, 60, 24))
    assert len(wide) <= 23 and "left out" not in "\n".join(wide)
    assert "left out at this width: of max; --json has all" in narrow


def test_a_loss_is_never_more_than_the_whole_of_the_maximum(store: Store) -> None:
    books.ladder(store)
    slides = [each.of_max_loss for each in load(store).book.shocks if each.shock.move <= -0.15]
    assert slides == [1.0, 1.0]
