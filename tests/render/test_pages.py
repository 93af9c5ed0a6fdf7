"""Pages on terminals of every width and without one: nothing cut, nothing forged, nothing left to guess."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from spy32 import track_record
from spy32.console import PlainConsole
from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import ExitReason
from spy32.domain.run_view import RunView
from spy32.domain.runs import Cause, Outcome, RunSummary
from spy32.domain.spreads import Mode
from spy32.lifecycle import OrderState, ProposalState
from spy32.render import menu_pages, output
from spy32.render.explain import CAUSES, chosen_candidate_id
from spy32.render.page import Column, Grid, Page
from spy32.render.pages import run_page, trade_page
from spy32.render.raw_page import raw_page
from spy32.render.raw_texts import RawTexts, StoredAnswer
from spy32.render.run_documents import run_document
from spy32.render.tables import _table_width, fit_columns
from tests.support import builders as b
from tests.support import outlooks, run_views
from tests.support.reader import screen, shown
from tests.support.results import result
from tests.support.run_pages import HOSTILE, PLAIN, one_screen, page, rendered

WIDTHS = (60, 80, 100, 200)


def history() -> Page:
    rows = [
        RunSummary(
            id=number,
            started_at=b.later(days=-7 * number),
            outcome=Outcome.PROPOSED,
            cause=None,
            profile="default",
            proposal_id=number,
            trade_id=None,
            headline="SPY 640/635 put credit spread 0.58 x2 done",
        )
        for number in range(1, 4)
    ]
    return menu_pages.history_page(rows)


PAGES: dict[str, Callable[[], Page]] = {
    **{stage: (lambda stage=stage: page(run_views.EVERY[stage])) for stage in run_views.EVERY},  # type: ignore[misc]
    **{f"{stage}, one screen": (lambda stage=stage: one_screen(run_views.EVERY[stage])) for stage in run_views.EVERY},  # type: ignore[misc]
    "trade": lambda: trade_page(run_views.filled(), run_views.trade(), now=b.later(days=1)),
    "closed trade": lambda: trade_page(
        run_views.closed(), run_views.closed().trade or run_views.trade(), now=b.later(days=4)
    ),
    "closed trade, what it earned": lambda: trade_page(
        run_views.closed(), run_views.trade(), now=b.later(days=4), result=result()
    ),
    "candidates": lambda: menu_pages.candidates_page(run_views.proposed()),
    "rejected": lambda: menu_pages.rejected_page(run_views.proposed()),
    "quality": lambda: menu_pages.quality_page(run_views.proposed()),
    "raw": lambda: raw_page(
        run_views.sent(),
        RawTexts(answers=(StoredAnswer(role=AnswerRole.CHOSEN, analyst="grok", request="a\nb", response="{}"),)),
    ),
    "history": history,
}


@pytest.mark.parametrize("width", (PLAIN, *WIDTHS))
def test_every_figure_that_decides_is_shown_uncut(width: int) -> None:
    view = run_views.approved()
    made = run_document(view)["proposal"]
    text = rendered(page(view), width).replace(",", "")
    figures = [made["limit_price"], made["floor_price"], made["max_loss"], made["max_profit"], *made["breakevens"]]
    figures += [made["assignment_value"], made["hash"][:8], made["expiration"], f"SELL {made['quantity']} SPY"]
    figures += [leg["strike"] for leg in made["legs"]]
    figures += [made["exit"][key] for key in ("profit_target", "stop", "time_exit", "last_exit")]
    assert [figure for figure in figures if not re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.]\d)", text)] == []


@pytest.mark.parametrize("width", (PLAIN, *WIDTHS))
def test_every_figure_of_the_menu_is_shown_uncut(width: int) -> None:
    view = run_views.proposed()
    text = rendered(menu_pages.candidates_page(view), width)
    figures = [
        figure
        for entry in run_document(view)["menu"]
        for figure in (
            entry["id"], entry["natural"], entry["mid"], entry["floor"], entry["max_loss"], entry["costs"],
            *entry["breakevens"], *(f"${abs(round(float(value)))}" for value in entry["ev_history"]["plan"].values()),
            *("/".join(leg["strike"] for leg in entry["legs"]),),
        )
    ]  # fmt: skip
    assert [figure for figure in figures if not re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.]\d)", text)] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    text = rendered(PAGES[name](), width)
    assert [line for line in text.splitlines() if cell_len(line) > width] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_cell_is_cut_with_an_ellipsis(name: str, width: int) -> None:
    # The one ellipsis of ours stands before the ending of an account number.
    assert "…" not in rendered(PAGES[name](), width).replace("…1234", "")


@pytest.mark.parametrize("name", PAGES)
def test_plain_lines_carry_no_control_codes_and_no_frames(name: str) -> None:
    text = rendered(PAGES[name](), PLAIN)
    assert "\x1b" not in text
    assert not re.search("[╭╮╰╯│─\u2800-\u28ff]", text)


@pytest.mark.parametrize("name", PAGES)
def test_without_colour_a_terminal_gets_no_control_codes(name: str) -> None:
    assert "\x1b" not in rendered(PAGES[name](), 80)


@pytest.mark.parametrize("stage", run_views.EVERY)
def test_colour_only_adds_to_what_is_said(stage: str) -> None:
    colourful = rendered(page(run_views.EVERY[stage]), 100, colour=True)
    assert "\x1b[" in colourful
    assert re.sub(r"\x1b\[[0-9;]*m", "", colourful) == rendered(page(run_views.EVERY[stage]), 100)


def test_a_dumb_terminal_gets_plain_lines() -> None:
    console = screen(80, TERM="dumb")
    output.print_page(console, page(run_views.proposed()))
    assert shown(console) == rendered(page(run_views.proposed()), PLAIN)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    text = rendered(page(run_views.filled()), 80, encoding="iso8859-1")
    assert text.isascii()
    assert "+--" in text
    assert "...1234" in text


def test_a_plain_line_is_never_wrapped() -> None:
    reason = "because " * 60
    view = run_views.ended(Outcome.FAILED, "data", reason.strip())
    assert f"reason: {reason.strip()}\n" in rendered(page(view), PLAIN)
    assert "because ... (--full has all)\n" in rendered(one_screen(view), PLAIN)


# Foreign text.


@pytest.mark.parametrize("width", (PLAIN, 60, 200))
def test_foreign_text_can_neither_move_the_cursor_nor_forge_a_line(width: int) -> None:
    word = b.recommendation(reason=HOSTILE, analysis=HOSTILE, evidence=(HOSTILE,))
    view = run_views.seen(recommendation=word, run=b.run(outcome=Outcome.FAILED, cause=HOSTILE, reasons=(HOSTILE,)))
    text = rendered(page(view), width)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not any(line.startswith("proposal id") for line in text.splitlines())


@given(st.text())
def test_no_answer_breaks_or_colours_the_page(text: str) -> None:
    view = run_views.seen(recommendation=b.recommendation(reason=text, analysis=text))
    for width in (PLAIN, 60):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", rendered(page(view), width))


def test_markup_in_foreign_text_is_shown_and_not_obeyed() -> None:
    view = run_views.seen(recommendation=b.recommendation(reason="[bold red]buy[/] :boom: [link=http://x]y[/link]"))
    assert "[bold red]buy[/] :boom: [link=http://x]y[/link]" in rendered(page(view), 100)


# One screen.


@pytest.mark.parametrize("width", (PLAIN, 80))
@pytest.mark.parametrize("name", [name for name in PAGES if "one screen" in name or "trade" in name])
def test_a_run_and_a_trade_fit_forty_lines(name: str, width: int) -> None:
    assert len(rendered(PAGES[name](), width).splitlines()) <= 40


def test_after_the_fill_the_run_says_at_what_price_and_that_a_trade_is_open() -> None:
    text = rendered(run_page(run_views.filled(), now=b.NOW), PLAIN)
    assert "\nFilled: T5 open: 2 at 0.58 cr\n" in text
    assert "\nBook: before this trade: " in text
    assert "Filled" not in rendered(run_page(run_views.approved(), now=b.NOW), PLAIN)


@pytest.mark.parametrize(
    ("outcome", "cause"), [(outcome, cause) for outcome, causes in CAUSES.items() for cause in causes]
)
def test_every_ending_fits_forty_lines_however_much_was_said(
    outcome: Outcome, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track_record, "read_track_record", outlooks.track_record)
    run = b.run(outcome=outcome, cause=cause, reasons=("because " * 90,) * 7, late=True)
    word = run_views.word(reason="since " * 90, vetoes=("no " * 200,) * 5, marks=("look " * 90,) * 5)
    orders = tuple(replace(order, reason="words " * 90) for order in run_views.sent().orders * 9)
    loud = replace(run_views.asked(recommendation=word), run=run, orders=orders, trade=run_views.trade())
    for view in (loud, replace(loud, proposal=None)):
        text = rendered(one_screen(view), 80)
        assert len(text.splitlines()) <= 40
        assert "(--full has all)" in text


# What is said.


def test_the_three_ways_to_no_trade_are_told_apart() -> None:
    said = [
        rendered(page(run_views.ended(outcome, cause)), PLAIN)
        for outcome, cause in (
            (Outcome.NO_TRADE, "abstained"),
            (Outcome.NO_TRADE, "vetoed"),
            (Outcome.FAILED, "analyst_failed"),
        )
    ]
    assert [word in text for word, text in zip(("Abstained:", "Vetoed:", "Failed at"), said, strict=True)] == [True] * 3
    assert len({text.split("meaning: ")[1].splitlines()[0] for text in said}) == 3


def test_every_cause_is_explained() -> None:
    assert {cause for causes in CAUSES.values() for cause in causes} == {*Cause}


def test_a_cause_that_is_not_known_is_shown_as_it_is() -> None:
    assert "Cause: solar flare." in rendered(page(run_views.ended(Outcome.FAILED, "solar_flare")), PLAIN)


def test_every_reason_is_shown() -> None:
    text = rendered(page(run_views.EVERY["vetoed"]), PLAIN)
    assert "reason: it moved\nreason: too wide\n" in text


@pytest.mark.parametrize(
    ("view", "following"),
    [
        (run_views.proposed(), "spy32 approve P31"),
        (run_views.approved(), "spy32 execute P31"),
        (run_views.sent(), "spy32 reconcile, or spy32 cancel P31"),
        (run_views.sent(OrderState.UNKNOWN), "spy32 reconcile (asks the broker"),
        (run_views.filled(), "spy32 positions"),
        (run_views.abstained(), "spy32 show R1 --candidates"),
        (run_views.EVERY["failed"], "spy32 show R1 --quality"),
        (run_views.ended(Outcome.NO_TRADE, "empty_menu"), "spy32 show R1 --rejected"),
        (run_views.EVERY["interrupted"], "spy32 analyze"),
    ],
)
def test_it_says_what_to_type_next(view: RunView, following: str) -> None:
    assert f"next: {following}" in rendered(page(view), PLAIN)


def test_a_closed_trade_and_a_holiday_leave_nothing_to_type() -> None:
    assert "next:" not in rendered(page(run_views.closed()), PLAIN)
    assert "next:" not in rendered(page(run_views.EVERY["skipped"]), PLAIN)


def test_a_proposal_whose_session_is_over_is_not_offered_for_approval() -> None:
    text = rendered(run_page(run_views.proposed(), now=b.later(days=1)), PLAIN)
    assert "its session is over" in text
    assert "approve" not in text.split("next:")[1]


def test_a_live_order_needs_its_flag() -> None:
    made = run_views.proposal(state=ProposalState.APPROVED, mode=Mode.LIVE)
    assert "next: spy32 execute P31 --live" in rendered(page(run_views.proposed(proposal=made)), PLAIN)


@pytest.mark.parametrize("width", (PLAIN, 80))
def test_paper_recorded_and_simulated_things_say_so(width: int) -> None:
    market = b.market_line(is_recorded=True, source="recorded")
    view = run_views.seen(market=market, trade=run_views.trade(), proposal=run_views.proposal(market="recorded"))
    text = rendered(page(view), width)
    assert all(word in text for word in ("PAPER", "RECORDED MARKET", "SIMULATED FILLS", "Simulated"))


def test_a_loss_is_a_word_and_a_sign() -> None:
    assert "Result: -$5.04 loss after fees" in rendered(page(run_views.closed()), PLAIN)
    assert "T5 closed: 2 opened 0.58 cr, closed 0.30 db, result -$5.04 after fees" in rendered(
        one_screen(run_views.closed()), PLAIN
    )


def test_another_proposal_that_waits_is_not_hidden_by_a_newer_run() -> None:
    text = rendered(run_page(run_views.EVERY["skipped"], now=b.NOW, also=(run_views.proposal(),)), PLAIN)
    assert "next: spy32 show P31 (another proposal: waits for approval)" in text


def test_the_chosen_candidate_is_marked_by_a_symbol_and_a_word() -> None:
    chosen = "put 640/635"
    marked = [
        line for line in rendered(menu_pages.candidates_page(run_views.proposed()), 200).splitlines() if "▶" in line
    ]
    assert len(marked) == 2  # the columns go on in a second table
    assert all(chosen in line for line in marked)
    assert "│ chosen │" in marked[0]
    lines = rendered(menu_pages.candidates_page(run_views.proposed()), PLAIN)
    assert f"candidate 2 (selected): spread {chosen}; who chosen" in lines


def test_a_menu_of_a_run_without_outlooks_has_no_column_of_them() -> None:
    menu = b.menu(candidates=tuple(replace(entry, outlook=None) for entry in b.menu().candidates))
    text = rendered(menu_pages.candidates_page(run_views.proposed(menu=menu)), PLAIN)
    assert "; win, options 79%; " in text
    assert "EV each " not in text.partition("Prices a share")[0]


def test_a_persons_other_choice_is_the_marked_one() -> None:
    other = b.menu().candidates[1].id
    view = run_views.proposed(proposal=run_views.proposal(candidate_id=other, chosen_by="person"))
    assert chosen_candidate_id(view) == other


def test_a_dropped_spread_has_its_rule_figure_and_limit() -> None:
    text = rendered(menu_pages.rejected_page(run_views.proposed()), PLAIN)
    assert "dropped by credit to width: 2\n" in text
    assert "rejected put 600/598: rule credit to width; figure 0.06; limit 0.10\n" in text


def test_a_gate_has_its_figure_limit_and_verdict() -> None:
    text = rendered(menu_pages.quality_page(run_views.proposed()), PLAIN)
    assert "gate quote age: verdict ✓ pass; figure 12 s; limit 900 s\n" in text


def test_a_page_without_rows_says_none() -> None:
    assert "rejected: none" in rendered(menu_pages.rejected_page(run_views.EVERY["skipped"]), PLAIN)
    assert "none" in rendered(menu_pages.candidates_page(run_views.EVERY["skipped"]), 80)


def test_the_stored_texts_are_shown_whole() -> None:
    answer = StoredAnswer(role=AnswerRole.CHOSEN, analyst="grok", request="x " * 500, response='{"decision": "none"}')
    text = rendered(raw_page(run_views.sent(), RawTexts(answers=(answer,))), PLAIN)
    assert ("x " * 500).strip() in text
    assert '{"decision": "none"}' in text
    assert run_views.sent().body in text
    assert run_views.sent().orders[0].body in text


# The layout.


def test_the_history_has_results_and_exits_where_a_trade_has_ended() -> None:
    row = RunSummary(
        id=1, started_at=b.NOW, outcome=Outcome.PROPOSED, cause=None, profile="default", proposal_id=1, trade_id=1,
        result=Decimal("-237.04"), exit_reason=ExitReason.EX_DIVIDEND,
    )  # fmt: skip
    text = rendered(menu_pages.history_page([row, replace(row, id=2, result=None, exit_reason=None)]), PLAIN)
    first, second = (next(line for line in text.splitlines() if f"R{at}" in line) for at in (1, 2))
    assert "result -$237.04" in first
    assert "exit ex dividend" in first
    assert "result" not in second
    assert "left out" not in rendered(menu_pages.history_page([row]), 132)


def test_a_skipped_run_names_its_slot_and_the_max_loss_the_fees_on_top() -> None:
    week_before = b.TODAY - timedelta(days=7)
    skipped = run_views.ended(Outcome.SKIPPED, "holiday")
    old = replace(skipped, run=replace(skipped.run, slot=week_before))
    assert f"R1: skipped (holiday), slot {week_before}, noted Mon 2025-10-06 10:00 New York\n" in rendered(
        page(old), PLAIN
    )
    row = RunSummary(
        id=1, started_at=b.NOW, outcome=Outcome.SKIPPED, cause="holiday", profile="default", proposal_id=None,
        trade_id=None, slot=week_before,
    )  # fmt: skip
    assert f"{week_before} slot" in rendered(menu_pages.history_page([row]), PLAIN)
    assert "Plus: up to $10 exercise/assignment fees\n" in rendered(one_screen(run_views.filled()), PLAIN)
    held = rendered(trade_page(run_views.filled(), run_views.trade(), now=b.later(days=1)), PLAIN)
    assert " + up to $10 exercise/assignment fees\n" in held


def test_sixty_columns_keep_trade_result_and_exit_of_the_history() -> None:
    row = RunSummary(
        id=12, started_at=b.NOW, outcome=Outcome.PROPOSED, cause=None, profile="default", proposal_id=1, trade_id=4,
        result=Decimal("-237.04"), exit_reason=ExitReason.EX_DIVIDEND, headline="SPY",
    )  # fmt: skip
    text = rendered(menu_pages.history_page([row]), 60)
    assert all(words in text for words in ("T4", "-$237.04", "ex dividend", "2025-10-06 10:00"))
    assert "cause" not in text  # an empty column has no place
    assert max(map(cell_len, text.splitlines())) <= 60


def test_a_narrow_history_drops_columns_by_rank_and_says_which() -> None:
    wide, narrow = rendered(history(), 200), rendered(history(), 60)
    assert "left out" not in wide
    assert "left out at this width: what came of it, profile" in narrow.replace("\n", " ")
    assert "R1" in narrow
    assert "proposed" in narrow


COLUMNS = st.lists(st.integers(0, 3), min_size=1, max_size=9)


@given(ranks=COLUMNS, data=st.data(), room=st.integers(10, 200), continues=st.booleans())
def test_a_layout_never_exceeds_its_room(ranks: list[int], data: st.DataObject, room: int, continues: bool) -> None:
    columns = tuple(Column(name=str(at), rank=rank) for at, rank in enumerate(ranks))
    needs = data.draw(st.lists(st.integers(1, 40), min_size=len(ranks), max_size=len(ranks)))
    layout = fit_columns(columns, needs, room, continues=continues)
    lasting = {at for at, rank in enumerate(ranks) if rank == 0}
    for table in layout:
        assert _table_width(needs, table) <= room
        assert lasting <= set(table)
    if layout and continues:
        assert {at for table in layout for at in table} == set(range(len(ranks)))


def test_rows_that_fit_no_table_are_stacked() -> None:
    columns = tuple(Column(name=f"column {number}") for number in range(6))
    grid = Grid(name="row", title="Rows", columns=columns, rows=(tuple(f"{n}23456.78" for n in range(6)),))
    text = rendered(Page(parts=(grid,)), 60)
    assert all(f"column {number} " in text and f"{number}23456.78" in text for number in range(6))


@pytest.mark.parametrize("width", [20, 30, 44])
def test_a_very_narrow_terminal_still_shows_every_figure(width: int) -> None:
    text = rendered(one_screen(run_views.proposed()), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert all(figure in text for figure in ("0.58", "0.55", "894.52", "111.48", "639.42", "640", "635"))


def test_a_reader_that_has_gone_ends_a_page_in_silence() -> None:
    for terminal in (False, True):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            console = screen(80) if terminal else PlainConsole(pipe)
            console.file = pipe
            output.print_page(console, page(run_views.filled()))
            output.print_page(console, page(run_views.filled()))
