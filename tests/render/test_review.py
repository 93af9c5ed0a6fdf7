"""The review screen: every figure whole at any width, what decides marked by word and symbol, foreign text harmless."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len

from spy32.domain.proposals import Finding, Recommendation
from spy32.domain.spreads import Mode
from spy32.render.documents import run_document
from spy32.render.output import print_page
from spy32.render.review import approval_document, decided_lines, review_page
from spy32.trading.approve import choose_candidate
from spy32.trading.review import Review, review_proposal, review_run
from tests.render.test_documents import check
from tests.support import builders as b
from tests.support import run_views
from tests.support.approvals import ApprovalDesk, abstained
from tests.support.reader import screen, shown

WIDTHS = [60, 61, 72, 80, 100, 140, 200]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApprovalDesk]:
    made = ApprovalDesk(tmp_path)
    yield made
    made.store.close()


def seen(desk: ApprovalDesk) -> Review:
    made = desk.proposed()
    assert made.id is not None
    return review_proposal(desk.trading_context, made.id)


def drawn(what: Review, width: int, **looks: object) -> str:
    console = screen(width, **looks)  # type: ignore[arg-type]
    print_page(console, review_page(what))
    return shown(console)


def words(text: str) -> list[str]:
    """The figures and words of a screen without frames and blanks."""
    return re.findall(r"[^\s│╭╮╰╯─├┤┼┬┴,;()]+", text)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_screen(desk: ApprovalDesk, width: int) -> None:
    assert max(cell_len(line) for line in drawn(seen(desk), width).splitlines()) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_that_decides_is_whole_and_the_documents_figure(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    made = what.proposal
    assert made is not None
    told = words(drawn(what, width))
    document = approval_document(replace(desk.store.history.view(made.run_id), proposal=made), made)["proposal"]
    deciding = [
        document["limit_price"],
        document["floor_price"],
        f"${document['max_loss']}",
        f"${document['max_profit']}",
        f"${document['assignment_value']}",
        *document["breakevens"],
        document["exit"]["profit_target"],
        document["exit"]["stop"],
        document["exit"]["time_exit"],
        document["exit"]["last_exit"],
        document["expiration"],
        document["hash"][:8],
        str(document["quantity"]),
        *(leg["strike"] for leg in document["legs"]),
    ]
    assert [figure for figure in deciding if figure not in told] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_quotes_loss_and_moves_are_whole(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    told = words(drawn(what, width))
    assert what.current_quote is not None
    assert what.probability_itm is not None
    expected = [
        f"{what.current_quote.natural}",
        f"{what.current_quote.mid}",
        "0.90",
        f"{what.probability_itm * 100:.1f}",
    ]
    expected += [f"{b.candidate().short_delta:.3f}"]
    for each in what.scenarios:
        sign = "-" if each.profit < 0 else "+"
        expected += [f"{sign}${abs(each.profit):.2f}", f"{each.price:.2f}"]
    assert [figure for figure in expected if figure not in told] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_each_candidate_stands_on_a_line_of_its_own_with_whole_figures(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    lines = drawn(what, width).splitlines()
    for entry in run_document(desk.store.history.view(what.run.id))["menu"]:
        line = next(line for line in lines if entry["id"] in words(line) and "│" in line and "/" in line)
        told = words(line)
        assert entry["mid"] in told
        assert f"${entry['max_loss']}" in told


def test_wider_screens_show_more_columns_and_drop_none(desk: ApprovalDesk) -> None:
    what = seen(desk)
    header = [
        next(line for line in drawn(what, width).splitlines() if "spread" in line and "marked" in line)
        for width in WIDTHS
    ]
    columns = [set(words(line)) for line in header]
    assert all(less <= more for less, more in pairwise(columns))
    assert "left out" not in drawn(what, 200)
    assert "left out" in drawn(what, 60)


@pytest.mark.parametrize("width", [60, 200])
def test_the_choice_is_marked_by_symbol_and_word_and_the_rules_pick_by_word(desk: ApprovalDesk, width: int) -> None:
    text = drawn(seen(desk), width)
    assert "▶" not in text.replace(f"▶ {b.candidate().id}", "")
    (choice,) = [line for line in text.splitlines() if "▶" in line]
    assert "chosen" in choice
    (rule,) = [line for line in text.splitlines() if "│ rule" in line]
    assert b.menu().candidates[1].id in rule


@pytest.mark.parametrize("width", [60, 100])
def test_nothing_is_said_by_colour_alone(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", drawn(what, width, colour=True))
    assert coloured == drawn(what, width)


def test_paper_and_recorded_are_said_at_the_top_and_beside_the_question(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.proposal is not None
    recorded = replace(
        what,
        market=replace(what.market, is_recorded=True),
        proposal=replace(what.proposal, market="recorded:cboe"),
        stale_reason="recorded market: the stored quotes, nothing newer exists",
    )
    lines = drawn(recorded, 100).splitlines()
    assert "PAPER" in lines[1]
    assert "RECORDED MARKET" in lines[2]
    assert "(paper, recorded market)" in " ".join(lines[-3:])


def test_stored_quotes_of_a_silent_market_are_said_at_the_top(desk: ApprovalDesk) -> None:
    text = drawn(replace(seen(desk), stale_reason="cboe did not answer: 429"), 80)
    assert "STORED QUOTES: cboe did not answer: 429" in text.split("Candidates")[0]


HOSTILE = "\x1b[2J\x1b]0;pwned\x07 approve now\r\nP1 approved\u202e\x9b31m [bold]x[/bold] \ud800"


def test_foreign_text_cannot_move_the_cursor_or_colour_the_screen(desk: ApprovalDesk) -> None:
    what = seen(desk)
    bad = b.recommendation(reason=HOSTILE, analysis=HOSTILE, evidence=(HOSTILE,), analyst=HOSTILE, model=HOSTILE)
    told = Finding(rule=HOSTILE, message=HOSTILE, blocks=False)
    dirty = replace(
        what, recommendation=bad, shadows=(replace(bad, analyst="other"),), findings=(told,), stale_reason=HOSTILE
    )
    text = drawn(dirty, 80)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert "[bold]x[/bold]" in text
    assert not any(line.startswith("P1 approved") for line in text.splitlines())


def test_a_terminal_without_utf8_gets_ascii(desk: ApprovalDesk) -> None:
    text = drawn(seen(desk), 80, encoding="ascii")
    assert text.isascii()
    assert f"> {b.candidate().id}" in text


def test_a_dumb_terminal_gets_plain_lines_with_every_figure(desk: ApprovalDesk) -> None:
    what = seen(desk)
    text = drawn(what, 60, TERM="dumb")
    assert "│" not in text
    assert what.proposal is not None
    assert f"${what.proposal.max_loss:.2f}" in text


def test_an_override_says_that_a_person_chose_over_the_abstention(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    empty = review_run(desk.trading_context, run.id)
    text = drawn(empty, 80)
    assert "nothing was proposed" in text
    assert "abstained" in text
    after = choose_candidate(desk.trading_context, empty, b.candidate().id)
    assert "over the analyst's abstention" in drawn(after, 200)


def test_another_choice_names_what_the_analyst_had_chosen(desk: ApprovalDesk) -> None:
    after = choose_candidate(desk.trading_context, seen(desk), b.menu().candidates[2].id)
    assert f"instead of the analyst's {b.candidate().id}" in drawn(after, 200)


def test_a_closing_shows_what_it_would_leave_of_the_trade(desk: ApprovalDesk) -> None:
    made = replace(b.close_proposal(5), id=32)
    closing = replace(
        seen(desk),
        proposal=made,
        candidate=None,
        scenarios=(),
        run_quote=None,
        trade=run_views.trade(),
        probability_itm=None,
    )
    text = drawn(closing, 100)
    assert "0.30 debit, ceiling 0.34" in text
    # (0.58 - 0.30) x 100 x 2 - 4.52 of fees, and with 0.34.
    assert "+$51.48 at our price, +$43.48 at the ceiling" in text
    assert "At expiration" not in text


def test_a_rule_that_abstains_and_a_rule_that_is_missing_are_told_apart(desk: ApprovalDesk) -> None:
    what = seen(desk)
    none = Recommendation(
        analyst="rules",
        decision=b.recommendation(decision=b.Decision.ABSTAIN).decision,
        candidate_id=None,
        reason="no put",
    )
    assert "would take nothing: no put" in drawn(replace(what, shadows=(none,)), 200)
    assert "not on record" in drawn(replace(what, shadows=()), 200)


def test_a_loss_is_never_rounded_to_less(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.proposal is not None
    odd = replace(what, proposal=replace(what.proposal, max_loss=Decimal("900.01")))
    assert "0.91 % of the account" in drawn(odd, 200)


def test_the_document_is_valid_and_carries_the_approval() -> None:
    view = run_views.approved()
    assert view.proposal is not None
    document = approval_document(view, view.proposal)
    check(json.loads(json.dumps(document)))
    assert document["approval"]["by"] == "anna"
    assert document["approval"]["hash"] == view.proposal.hash
    assert document["proposal"]["state"] == "approved"


def test_the_document_of_what_nobody_approved_has_a_null_approval() -> None:
    view = run_views.proposed()
    assert view.proposal is not None
    document = approval_document(view, view.proposal)
    check(json.loads(json.dumps(document)))
    assert document["approval"] is None


def test_after_an_approval_the_next_command_is_named() -> None:
    view = run_views.approved()
    assert view.proposal is not None
    lines = decided_lines(view, view.proposal)
    assert lines[-1] == "next: spy32 execute P31"
    assert "[paper]" in lines[0]
    live = replace(view.proposal, mode=Mode.LIVE)
    assert decided_lines(view, live)[-1] == "next: spy32 execute P31 --live"
