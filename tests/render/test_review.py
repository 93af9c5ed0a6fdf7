"""The screens of `approve`: one fits 80 by 24 and holds what decides, whole at any width; foreign text harmless."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len

from spy32 import track_record
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.findings import Finding
from spy32.domain.outlook import Outlook
from spy32.domain.proposals import Citation, Decision, Proposal, Recommendation
from spy32.domain.spreads import Candidate, ExitAuthority, Mode
from spy32.render.candidates import sorted_menu, spread_words
from spy32.render.output import print_page
from spy32.render.page import Page
from spy32.render.review import (
    approval_words,
    decided_lines,
    decision_page,
    menu_page,
    order_page,
    risk_page,
    why_page,
)
from spy32.render.run_documents import approval_document, run_document
from spy32.trading.approve import choose_candidate, preview
from spy32.trading.managed_trade import ManagedTrade
from spy32.trading.review import Review, review_proposal, review_run
from tests.support import builders as b
from tests.support import outlooks, run_views
from tests.support.approvals import ApprovalDesk, abstained
from tests.support.reader import screen, shown
from tests.support.schemas import check

WIDTHS = [60, 61, 72, 80, 100, 140, 200]
PAGES = {"first": decision_page, "m": menu_page, "w": why_page, "r": risk_page, "x": order_page}


@pytest.fixture(autouse=True)
def _no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped table changes with every new year of outcomes."""
    monkeypatch.setattr(track_record, "read_track_record", tuple)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApprovalDesk]:
    made = ApprovalDesk(tmp_path)
    yield made
    made.store.close()


def seen(desk: ApprovalDesk) -> Review:
    made = desk.proposed()
    return review_proposal(desk.trading_context, made.id)


def told_by(what: Review, **over: object) -> Review:
    """The same screen where the run's view says something else."""
    return replace(what, view=replace(what.view, **over))  # type: ignore[arg-type]


def page_drawn(page: Page, width: int, **looks: object) -> str:
    console = screen(width, **looks)  # type: ignore[arg-type]
    print_page(console, page)
    return shown(console)


def drawn(what: Review, width: int, name: str = "first", **looks: object) -> str:
    return page_drawn(PAGES[name](what), width, **looks)


def words(text: str) -> list[str]:
    """The figures and words of a screen without frames and blanks."""
    return re.findall(r"[^\s│╭╮╰╯─├┤┼┬┴;()·]+", text)


# The first screen.


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_wider_than_the_screen(desk: ApprovalDesk, name: str, width: int) -> None:
    assert max(cell_len(line) for line in drawn(seen(desk), width, name).splitlines()) <= width


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_first_screen_fits_24_lines_with_room_for_the_keys(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    noisy = replace(what, findings=tuple(Finding(rule="r", message="m " * 90, blocks=False) for _ in range(7)))
    for each in (what, noisy):
        compact = page_drawn(decision_page(each, compact=True), width)
        assert len(compact.splitlines()) <= 23


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_that_decides_is_whole_on_the_first_screen(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    made, entry = what.proposal, what.candidate
    assert made is not None
    assert entry is not None
    told = words(drawn(what, width))
    figures = {
        "credit": f"{made.limit_price}",
        "floor": f"{made.floor_price}",
        "credit in dollars": f"${made.limit_price * 200:.2f}",
        "share of the width": f"{made.limit_price / 5:.1%}",
        "max profit": f"${made.max_profit:.2f}",
        "return on risk": f"{made.max_profit / made.max_loss:.1%}",
        "max loss": f"${made.max_loss:.2f}",
        "of the account": "0.90%",
        "breakeven": f"{made.breakevens[0]}",
        "its distance": f"{float(made.breakevens[0]) / 670 - 1:+.1%},",
        "in expected moves": f"{(670 - float(made.breakevens[0])) / 31.70:.2f}",
        "short delta": f"{entry.short.delta:+.2f}",
        "theta a day": f"+${entry.greeks.theta * 200:.2f}",
        "win with exits": "85%",
        "win at expiration": "86%",
        "average with exits, two contracts": "+$15,",
        "its low end": "-$3",
        "its high end": "+$33:",
        "average at expiration": "+$19,",
        "result at the target": "+$53",
        "result at the stop": "-$237",
        "contracts": "2",
        "DTE": "32",
        "spot": "670.00",
        "VIX": "16.50",
        "expected move": "±31.70",
        "room": "$5,000.00",
        "profit target": f"{made.exit.profit_target}",
        "stop": f"{made.exit.stop}",
        "strikes": "640/635",
        "account": f"…{b.ACCOUNT[-4:]}",
    }
    assert [name for name, figure in figures.items() if figure not in told] == []
    assert "IV rank n/a" in " ".join(drawn(what, width).split())


def test_what_is_not_known_is_said_and_not_invented(desk: ApprovalDesk) -> None:
    what = replace(seen(desk), candidate=None)
    text = drawn(what, 80)
    assert re.search(r"^With exits +n/a ", text, re.MULTILINE)
    assert re.search(r"^Greeks +n/a", text, re.MULTILINE)
    assert re.search(r"^Events +n/a$", text, re.MULTILINE)


def test_events_and_ex_dates_up_to_the_planned_exit_are_on_it(desk: ApprovalDesk) -> None:
    what = told_by(seen(desk), briefing=run_views.briefing())
    (line,) = [line for line in drawn(what, 100).splitlines() if line.startswith("Events")]
    # FOMC of 29 Oct and the ex-date of 20 Oct come after the exit of 17 Oct.
    assert line.split(maxsplit=1)[1] == "jobs n/a by the exit on 17 Oct · ex-date 20 Oct later"
    assert "IV rank 32.0%" in drawn(what, 100)
    later = replace(what.proposal.exit, time_exit=None) if what.proposal is not None else None
    held = replace(what, proposal=replace(what.proposal, exit=later))  # type: ignore[type-var]
    assert "FOMC 29 Oct, jobs n/a, ex-date 20 Oct by the exit on 6 Nov" in drawn(held, 100)


@pytest.mark.parametrize(
    ("minute", "known"), [("10:01", "jobs 6 Oct by the exit"), ("10:00", "none by the exit"), (None, "jobs 6 Oct by")]
)
def test_an_event_that_is_out_is_no_event_any_more(desk: ApprovalDesk, minute: str | None, known: str) -> None:
    """The screen is of 10:00 New York on 6 October; without a time the day has to be over."""
    event = ScheduledEvent(kind=EventKind.JOBS, day=b.TODAY, time=minute, source="test")
    briefing = replace(run_views.briefing(), events=(event,), unknown_events={})
    (line,) = [line for line in drawn(told_by(seen(desk), briefing=briefing), 100).splitlines() if "Events" in line]
    assert line.split(maxsplit=1)[1].startswith(known)


def test_a_stop_at_the_width_is_said_to_have_no_effect(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.proposal is not None
    far = replace(what.proposal, exit=replace(what.proposal.exit, stop=Decimal("5.00")))
    text = drawn(replace(what, proposal=far), 100)  # type: ignore[type-var]
    assert "target 0.29 (+$53) · no effective stop · close 17 Oct · you approve" in text
    full = drawn(replace(what, proposal=far), 100, "x")  # type: ignore[type-var]
    assert "no effective stop: the set multiple of the credit exceeds the width" in full


def test_a_plan_that_authorises_its_closes_asks_nobody(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.proposal is not None
    exits = replace(what.proposal.exit, authority=ExitAuthority.PLAN)
    told = replace(what, proposal=replace(what.proposal, exit=exits))  # type: ignore[type-var]
    assert "you approve" not in drawn(told, 100)


def test_fresh_quotes_are_held_against_those_of_the_run(desk: ApprovalDesk) -> None:
    made = desk.proposed()
    desk.moved(points=-2, cents=4)
    text = drawn(review_proposal(desk.trading_context, made.id), 80)
    assert "SPY -0.30% to 668.00 · mid 0.575 to 0.615 · quotes" in text


# Candidates.


def test_candidates_stand_by_side_and_strike_and_never_as_a_model_saw_them(desk: ApprovalDesk) -> None:
    what = seen(desk)
    listed = [spread_words(entry) for entry in sorted_menu(what.menu.candidates[::-1])]
    assert listed == [spread_words(entry) for entry in sorted_menu(what.menu.candidates)]
    assert listed == ["put 635/630", "put 640/635", "call 695/700", "call 700/705"]
    for name in ("first", "m"):
        rows = re.findall(r"(?:put|call) \d+/\d+ ", drawn(what, 200, name))
        assert [row.strip() for row in rows if row.strip() in listed][: len(listed)] == listed


@pytest.mark.parametrize("width", WIDTHS)
def test_each_candidate_stands_on_a_line_of_its_own_with_whole_figures(desk: ApprovalDesk, width: int) -> None:
    what = seen(desk)
    lines = drawn(what, width).splitlines()
    for number, entry in enumerate(sorted_menu(what.menu.candidates), 1):
        (line,) = [line for line in lines if re.match(rf"(▶| ) *{number}  {spread_words(entry)} ", line)]
        assert {f"{entry.start}", f"${entry.max_loss}"} <= set(words(line))


def test_wider_screens_show_more_columns_and_narrow_ones_keep_what_decides(desk: ApprovalDesk) -> None:
    what = seen(desk)
    headers = [next(line for line in drawn(what, width).splitlines() if "#  spread" in line) for width in WIDTHS]
    columns = [set(re.split(r"\s{2,}", line.strip())) for line in headers]
    assert all(less <= more for less, more in pairwise(columns))
    assert {"spread", "price", "loss each", "win, exits", "EV each"} <= columns[0]
    assert {"of width", "breakeven", "who"} <= columns[-1]


@pytest.mark.parametrize("width", [80, 200])
def test_the_choice_is_marked_by_symbol_and_word_and_the_rules_pick_by_word(desk: ApprovalDesk, width: int) -> None:
    (selected,) = [line for line in drawn(seen(desk), width).splitlines() if "▶" in line]
    assert "put 640/635" in selected
    assert selected.rstrip().endswith("chosen")
    (rule,) = [line for line in drawn(seen(desk), width).splitlines() if line.rstrip().endswith(" rule")]
    assert spread_words(b.menu().candidates[1]) in rule


def test_another_candidate_that_is_looked_at_changes_every_figure(desk: ApprovalDesk) -> None:
    what = seen(desk)
    entry = b.menu().candidates[2]
    after = preview(desk.trading_context, what, entry)
    text = drawn(after, 80)
    (selected,) = [line for line in text.splitlines() if "▶" in line]
    assert spread_words(entry) in selected
    assert f"call spread @ {entry.start} cr (floor {entry.floor})" in text
    assert "approving asks for new ones" in text
    assert "P1 draft" in text.splitlines()[0]


def test_an_empty_column_is_not_printed(desk: ApprovalDesk) -> None:
    bare = outlooks.without_history()
    what = told_by(seen(desk), menu=replace(b.menu(), candidates=_with_outlook(bare)))
    assert "│ win, held │" in drawn(seen(desk), 200, "m")
    assert "│ win, held │" not in drawn(what, 200, "m")


def _with_outlook(found: Outlook | None) -> tuple[Candidate, ...]:
    return tuple(replace(entry, outlook=found) for entry in b.menu().candidates)


@pytest.mark.parametrize(
    ("found", "why", "chance"),
    [
        (None, "runs before 0.4 did not compute it", "79%"),
        (outlooks.without_history(), outlooks.NO_HISTORY, "80%"),
    ],
)
@pytest.mark.parametrize("width", [60, 80])
def test_without_history_the_market_stands_in_and_is_named(
    desk: ApprovalDesk, found: Outlook | None, why: str, chance: str, width: int
) -> None:
    entries = _with_outlook(found)
    what = told_by(replace(seen(desk), candidate=entries[0]), menu=replace(b.menu(), candidates=entries))
    text = drawn(what, width)
    assert re.search(r"#  spread .* win, options", text)
    assert "EV each" not in text.partition("Credit")[0]
    told = " ".join(text.split())
    assert f"By options {chance} win if held, by option prices" in told
    assert f"By history n/a: {why}" in told


def test_the_risk_page_has_every_number_with_its_source(desk: ApprovalDesk) -> None:
    told = " ".join(drawn(seen(desk), 200, "r").split())
    assert "P(max loss) options 10% · history 4% · without its rise 8% P(touch)" in told
    assert "EV with exits +$8, 90% sure -$1 to +$17 · without its rise +$1, 90% sure -$8 to +$10" in told
    assert "endings target 83% · stop 5% · time 12% · average win +$24 · average loss -$88" in told
    assert "cost of trading -$4.21: interest -$0.20" in told
    assert "1344 start days up to 2025-10-03" in told


def test_the_whole_menu_has_every_figure_at_any_width(desk: ApprovalDesk) -> None:
    what = seen(desk)
    for width in WIDTHS:
        told = words(drawn(what, width, "m"))
        for entry in run_document(desk.store.history.view(what.run.id))["menu"]:
            assert {entry["id"], entry["mid"], entry["natural"], f"${entry['max_loss']}"} <= set(told)


# One key away.


def test_the_reasons_name_who_chose_the_evidence_and_the_others(desk: ApprovalDesk) -> None:
    text = " ".join(drawn(seen(desk), 100, "w").split())
    assert "chosen by grok: put 640/635" in text
    assert "evidence put 640/635 mid = 0.575, volatility.vix = 16.5" in text
    assert "fixed rule" in text


def test_the_spreads_stand_in_words_and_no_id_of_the_menu_is_shown(desk: ApprovalDesk) -> None:
    first, second = (entry.id for entry in b.menu().candidates[:2])
    answer = b.recommendation(
        reason=f"{first} beats {second}.",
        votes={first: 2},
        cited=(Citation(path=f"menu.{first}.short_delta", value="0.2"),),
    )
    text = words(drawn(told_by(seen(desk), recommendation=answer), 200, "w"))
    assert {first, second} & set(text) == set()
    assert "put 640/635 beats put 635/630." in " ".join(text)
    assert "put 640/635 short delta" in " ".join(text)


def test_the_risk_page_names_the_spread_its_breakeven_and_the_basis_of_its_losses(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.proposal is not None
    text = " ".join(drawn(what, 200, "r").split())
    assert "Sell to Open 2 x 640 put · Buy to Open 2 x 635 put" in text
    assert f"breakeven {what.proposal.breakevens[0]:.2f}" in text
    assert f"profit at our price {what.proposal.limit_price}, loss at the floor {what.proposal.floor_price}" in text
    assert f"-${what.proposal.max_loss:,.2f}" in text


def test_where_the_first_screen_scrolls_the_exit_and_the_warnings_are_on_it(desk: ApprovalDesk) -> None:
    warned = replace(seen(desk), findings=(Finding(rule="drift", message="moved away", blocks=True),))
    first = page_drawn(decision_page(warned, rows=3, compact=True, scrolls=True), 60).splitlines()[:20]
    assert any(line.startswith("Exit") for line in first)
    assert any(line.startswith("Refused") for line in first)
    assert any(line.startswith("With exits") for line in first)
    every = page_drawn(decision_page(warned, rows=3, compact=True), 60).split()
    assert sorted(page_drawn(decision_page(warned, rows=3, compact=True, scrolls=True), 60).split()) == sorted(every)


@pytest.mark.parametrize(
    "path", ["menu", "menu.", "menu.X.mid", "menu.P6405.__class__", "market.__doc__", "history.close", "...", ""]
)
def test_evidence_that_points_nowhere_has_no_value(desk: ApprovalDesk, path: str) -> None:
    what = told_by(seen(desk), recommendation=b.recommendation(evidence=(path,)))
    lines = [line for line in drawn(what, 100, "w").splitlines() if line.startswith("evidence")]
    assert [line.removeprefix("evidence").strip() for line in lines] == ([path] if path else [])


def test_a_move_has_its_price_result_and_share_of_the_account(desk: ApprovalDesk) -> None:
    what = seen(desk)
    told = words(drawn(what, 80, "r"))
    for each in what.scenarios:
        sign = "-" if each.profit < 0 else "+"
        assert {f"{sign}${abs(each.profit):,.2f}", f"{each.price:.2f}"} <= set(told)
    assert {"-10%", "-5%", "-3%"} <= set(told)


def test_the_book_is_shown_before_and_after(desk: ApprovalDesk) -> None:
    lines = {line.split("│")[1].strip(): line for line in drawn(seen(desk), 80, "r").splitlines() if "│" in line}
    assert words(lines["open risk"])[2:] == ["$0.00", "$894.52", "$5,000.00"]
    assert words(lines["open trades"])[2:] == ["0", "1"]
    assert words(lines["buying power"])[2:] == ["$100,000.00", "$99,105.48"]
    cells = {label: [cell.strip() for cell in line.split("│")[2:4]] for label, line in lines.items()}
    assert cells["delta, shares"][0] == "+0.0"
    assert float(cells["delta, shares"][1]) > 0
    gaps = [cells[gap] for gap in ("-3%, vols +9", "-5%, vols +16", "-10%, vols +34", "+3%")]
    assert [(before, after[:2]) for before, after in gaps] == [("+$0.00", sign) for sign in ("-$", "-$", "-$", "+$")]


def test_the_order_is_shown_in_full(desk: ApprovalDesk) -> None:
    what = seen(desk)
    made = what.proposal
    assert made is not None
    document = approval_document(replace(desk.store.history.view(made.run_id), proposal=made), made)["proposal"]
    told = words(drawn(what, 80, "x").replace(",", ""))
    exits = document["exit"]
    figures = [f"${document['assignment_value']}", document["hash"][:8]]
    figures += [exits[key] for key in ("profit_target", "stop", "time_exit", "last_exit")]
    figures += [leg["symbol"].split()[1] for leg in document["legs"]]
    assert what.current_quote is not None
    figures += [f"{what.current_quote.natural}", f"{what.current_quote.mid}"]
    assert [figure for figure in figures if figure not in told] == []


# Said aloud.


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_said_by_colour_alone(desk: ApprovalDesk, name: str, width: int) -> None:
    what = seen(desk)
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", drawn(what, width, name, colour=True))
    assert coloured == drawn(what, width, name)


def test_paper_and_recorded_are_said_in_the_first_line(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.view.market is not None
    recorded = told_by(what, market=replace(what.view.market, is_recorded=True))
    first = drawn(recorded, 100).splitlines()[0]
    assert "PAPER, no real money" in first
    assert "RECORDED MARKET 2025-10-06 10:00" in first


def test_real_money_is_said_in_the_first_line_and_in_red(desk: ApprovalDesk) -> None:
    what = seen(desk)
    live = told_by(what, run=replace(what.run, mode=Mode.LIVE))
    first = drawn(live, 100, colour=True).splitlines()[0]
    assert "LIVE: REAL MONEY" in first
    assert "\x1b[1;37;41m" in first


def test_stored_quotes_of_a_silent_market_are_said(desk: ApprovalDesk) -> None:
    text = drawn(replace(seen(desk), stale_reason="cboe did not answer: 429"), 80)
    assert "STORED QUOTES" in text.splitlines()[0]
    assert "Since run   cboe did not answer: 429" in text


def test_refusals_come_before_notes_and_what_is_left_out_is_counted(desk: ApprovalDesk) -> None:
    found = [Finding(rule="note", message=f"n{at}", blocks=False) for at in range(3)]
    what = replace(seen(desk), findings=(*found, Finding(rule="size", message="too big")))
    lines = drawn(what, 80).splitlines()
    assert [line.split(maxsplit=1) for line in lines[-2:]] == [["Refused", "too big"], ["Note", "n0 (and 2 more: w)"]]
    assert "n2" in drawn(what, 80, "w")


def test_what_a_reviewer_must_look_at_is_a_warning(desk: ApprovalDesk) -> None:
    what = told_by(seen(desk), recommendation=run_views.word())
    assert "Look at     2 of its numbers match nothing that was sent" in drawn(what, 80)


HOSTILE = "\x1b[2J\x1b]0;pwned\x07 approve now\r\nP1 approved\u202e\x9b31m [bold]x[/bold] \ud800"


@pytest.mark.parametrize("name", PAGES)
def test_foreign_text_cannot_move_the_cursor_or_colour_the_screen(desk: ApprovalDesk, name: str) -> None:
    bad = b.recommendation(
        reason=HOSTILE, analysis=HOSTILE, evidence=(HOSTILE,), analyst=HOSTILE, model=HOSTILE, marks=(HOSTILE,)
    )
    note = Finding(rule=HOSTILE, message=HOSTILE, blocks=False)
    what = told_by(seen(desk), recommendation=bad, shadows=(replace(bad, analyst="other"),))
    text = drawn(replace(what, findings=(note,), stale_reason=HOSTILE), 80, name)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert name not in ("first", "w") or "[bold]x[/bold]" in text
    assert not any(line.startswith("P1 approved") for line in text.splitlines())


def test_a_terminal_without_utf8_gets_ascii(desk: ApprovalDesk) -> None:
    for name in PAGES:
        assert drawn(seen(desk), 80, name, encoding="ascii").isascii()
    assert ">  2  put 640/635" in drawn(seen(desk), 80, encoding="ascii")


def test_a_dumb_terminal_gets_plain_lines_with_every_figure(desk: ApprovalDesk) -> None:
    what = seen(desk)
    text = drawn(what, 60, TERM="dumb")
    assert not re.search("[│\u2800-\u28ff]", text)
    assert what.proposal is not None
    assert f"Max loss: ${what.proposal.max_loss:.2f} at floor 0.55 · 0.90% of account\n" in text
    assert "candidate 2 (selected): spread put 640/635; price 0.58 cr; " in text


# Abstentions, other choices, closings.


def test_an_override_says_that_a_person_chose_over_the_abstention(desk: ApprovalDesk) -> None:
    run = abstained(desk.store)
    empty = review_run(desk.trading_context, run.id)
    text = drawn(empty, 80)
    assert "nothing was proposed" in text
    assert "▶" not in text
    after = choose_candidate(desk.trading_context, empty, b.candidate().id)
    assert "a person: put 640/635, over an abstention" in drawn(after, 200, "w")


def test_another_choice_names_what_the_analyst_had_chosen(desk: ApprovalDesk) -> None:
    after = choose_candidate(desk.trading_context, seen(desk), b.menu().candidates[2].id)
    assert "instead of put 640/635" in drawn(after, 200, "w")


def test_a_closing_shows_what_it_would_leave_of_the_trade(desk: ApprovalDesk) -> None:
    made = replace(b.close_proposal(5), id=32, max_profit=Decimal("50.96"))
    what = seen(desk)
    assert isinstance(what.proposal, Proposal)
    managed = ManagedTrade(trade=run_views.trade(), opening=what.proposal, at=what.at)
    closing = replace(what, proposal=made, candidate=None, run_quote=None, managed=managed)
    text = drawn(closing, 100)
    assert "BUY TO CLOSE 2 SPY 7 Nov 640/635 put spread @ 0.30 db (ceiling 0.34)" in text
    # (0.58 - 0.30) x 100 x 2 - 4.52 - 0.52 of fees, and with 0.34.
    assert "+$50.96 at 0.30, +$42.96 at the ceiling 0.34, after fees" in text
    assert "$888.52 released" in text
    assert "put 635/630" not in text
    assert "0.30 db up to 0.34" in approval_words(closing)


def test_a_rule_that_abstains_marks_no_row(desk: ApprovalDesk) -> None:
    none = Recommendation(analyst="rules", decision=Decision.ABSTAIN, candidate_id=None, reason="no put")
    text = drawn(told_by(seen(desk), shadows=(none,)), 200)
    assert not any(line.rstrip().endswith("rule") for line in text.splitlines())


@pytest.mark.slow
def test_a_loss_is_never_rounded_to_less(desk: ApprovalDesk) -> None:
    what = seen(desk)
    assert what.proposal is not None
    odd = replace(what, proposal=replace(what.proposal, max_loss=Decimal("900.01")))
    assert "0.91% of account" in drawn(odd, 200)


# The last question, and afterwards.


def test_the_last_question_names_the_trade(desk: ApprovalDesk) -> None:
    told = approval_words(seen(desk))
    assert told == ("SELL 2 SPY 7 Nov 640/635 put spread, expiring 2025-11-07, 0.58 cr down to 0.55, max loss $894.52")


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
