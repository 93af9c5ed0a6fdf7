"""CSV: numbers stay numbers, and no cell is a formula."""

import csv
from dataclasses import replace
from decimal import Decimal
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.proposals import ExitReason
from spy32.domain.runs import Outcome, RunSummary
from spy32.domain.spreads import RejectedSpread
from spy32.render.csvs import FORMULA_STARTS, candidates_csv, csv_table
from spy32.render.run_documents import run_document
from tests.support import builders as b
from tests.support import run_views


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def row(headline: str, cause: str | None = None) -> RunSummary:
    return RunSummary(
        id=1, started_at=b.NOW, outcome=Outcome.FAILED, cause=cause, profile="default",
        proposal_id=None, trade_id=None, headline=headline,
    )  # fmt: skip


@given(st.text(), st.sampled_from(["", *FORMULA_STARTS, " =", "\x00=", "\n="]))
def test_no_text_cell_starts_a_formula(text: str, start: str) -> None:
    written = csv_table(RunSummary, [row(start + text, cause=start + text)])
    cells = parsed(written)
    assert len(cells) == 1
    for cell in (cells[0]["headline"], cells[0]["cause"]):
        assert not cell.startswith(FORMULA_STARTS)
        assert len(cell.splitlines()) <= 1


def test_a_formula_is_disarmed_by_an_apostrophe() -> None:
    assert parsed(csv_table(RunSummary, [row("=1+1")]))[0]["headline"] == "'=1+1"


def test_negative_numbers_stay_numbers() -> None:
    document = run_document(run_views.proposed())
    first = parsed(candidates_csv(run_views.proposed().menu, None))[0]
    assert Decimal(first["cost_of_trading"]) == Decimal("-4.21")
    assert Decimal(first["ev_plan_low"]) == Decimal("-1.30")
    assert first["ev_market_expiry"] == ""
    assert (first["p_profit_market"], first["p_profit_history"], first["p_profit_plan"]) == ("0.802", "0.864", "0.853")
    assert first["start"] == document["menu"][0]["start"]
    assert Decimal(first["ev_plan_without_drift"]) == Decimal("1.40")
    assert {"p_worthless_plan", "p_max_loss_plan"} & first.keys() == set()
    assert first["max_loss"] == document["menu"][0]["max_loss"]


def test_the_menu_keeps_every_candidate_and_marks_the_choice() -> None:
    document = run_document(run_views.proposed())
    rows = parsed(candidates_csv(run_views.proposed().menu, b.candidate().id))
    assert [entry["id"] for entry in rows] == [entry["id"] for entry in document["menu"]]
    assert [entry["chosen"] for entry in rows] == ["yes", "no", "no", "no"]
    assert (rows[0]["short_strike"], rows[0]["long_strike"], rows[0]["breakeven"]) == ("640", "635", "639.425")


def test_what_is_not_there_is_an_empty_cell() -> None:
    cells = parsed(csv_table(RunSummary, [row("x")]))[0]
    assert (cells["proposal_id"], cells["trade_id"]) == ("", "")


def test_the_history_has_the_result_as_a_number_and_the_exit_reason() -> None:
    ended = replace(row("x"), trade_id=4, result=Decimal("-237.04"), exit_reason=ExitReason.STOP)
    first, second = parsed(csv_table(RunSummary, [ended, row("y")]))
    assert (first["result"], first["exit_reason"]) == ("-237.04", "stop")
    assert (second["result"], second["exit_reason"]) == ("", "")
    assert list(first)[:8] == [
        "id", "started_at", "outcome", "cause", "profile", "proposal_id", "trade_id", "headline",
    ]  # fmt: skip


def test_rejected_spreads_have_rule_figure_and_limit() -> None:
    rows = parsed(csv_table(RejectedSpread, run_views.proposed().menu.dropped))
    assert rows[0] == {
        "strategy": "put_credit_spread", "short_strike": "600", "long_strike": "598",
        "rule": "credit_to_width", "figure": "0.06", "limit": "0.10",
    }  # fmt: skip


def test_a_run_without_a_menu_has_only_the_heading() -> None:
    menu = run_views.EVERY["skipped"].menu
    assert csv_table(RejectedSpread, ()).count("\n") == candidates_csv(menu, None).count("\n") == 1
