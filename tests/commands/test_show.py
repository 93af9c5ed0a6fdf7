"""`show`: what is meant by an id, the lists, the forms, and what it does not touch or load."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import jsonschema
import pytest

from spy32.domain.answer_role import AnswerRole
from spy32.domain.market import RawDocument
from spy32.domain.proposals import Decision, ExitReason
from spy32.domain.runs import Outcome, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage
from spy32.lifecycle import ProposalState
from spy32.settings import Settings
from spy32.settings.profiles import decision_settings
from tests.support import builders as b
from tests.support import run_views, stores
from tests.support.reader import ReadingApp, ask, code
from tests.support.recorded_trades import LATER, NEXT, run
from tests.support.schemas import schema
from tests.support.terminal import Terminal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """R1 was proposed, executed and filled (P1, T1), its exit waits (P2); R2 was skipped."""
    with stores.opened(tmp_path / "paper.db") as store:
        run = stores.whole_run(store)
        _, trade = stores.filled(store, run_id=run.id)
        store.runs.finish(run.id, outcome=Outcome.PROPOSED, at=b.later(minutes=1))
        store.proposals.add(b.close_proposal(trade.id, run_id=run.id), body='{"exit": 1}', at=b.later(minutes=10))
        store.runs.begin(
            trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", at=b.later(days=7), slot=None,
            skipped=("holiday", ("the exchange was closed",)),
        )  # fmt: skip
    return tmp_path


def test_the_latest_run_is_shown_without_an_id(home: Path) -> None:
    assert ask(ReadingApp(home), "show").split("\n")[1].startswith("R2: skipped (holiday), ")


def test_what_still_waits_is_named_beside_a_newer_run(home: Path) -> None:
    assert "next: spy32 show P2 (another proposal" in ask(ReadingApp(home), "show")


@pytest.mark.parametrize("typed", ["R1", "r1", "1", " R1 "])
def test_a_run_is_meant_by_its_id_or_its_number(home: Path, typed: str) -> None:
    assert ask(ReadingApp(home), "show", typed).split("\n")[1].startswith("R1: proposed, ")


@pytest.mark.parametrize("typed", ["P1", "p1"])
def test_a_proposal_is_meant_by_its_id(home: Path, typed: str) -> None:
    assert "State: P1 is done\n" in ask(ReadingApp(home), "show", typed)


def test_an_exit_is_a_proposal_of_its_own(home: Path) -> None:
    text = ask(ReadingApp(home), "show", "P2")
    assert "BUY TO CLOSE 2 SPY 7 Nov 640/635 put spread @ 0.30 db (ceiling 0.34)" in text
    assert "Debit: 0.30 db, never above 0.34\n" in text
    assert "Closes: T1, opened for 0.58 cr\n" in text
    assert "State: P2 waits for approval\n" in text
    assert "next: spy32 approve P2\n" in text
    document = json.loads(ask(ReadingApp(home), "show", "P2", "--json"))
    assert (document["proposal"]["kind"], document["proposal"]["order_body"]) == ("close", {"exit": 1})
    assert document["proposal"]["limit_price"] == "-0.30"


def test_a_trade_is_meant_by_its_id(home: Path) -> None:
    text = ask(ReadingApp(home), "show", "t1")
    assert (
        "T1 of R1: open, opened Mon 2025-10-06 10:07 New York\nSOLD 2 SPY 7 Nov 640/635 put spread @ 0.58 cr\n" in text
    )
    assert "R1: proposed" not in text


@pytest.mark.parametrize("typed", ["R99", "P99", "T99", "99"])
def test_an_unknown_id_is_a_usage_error(home: Path, typed: str) -> None:
    with pytest.raises(BadUsage, match="no"):
        ask(ReadingApp(home), "show", typed)


@pytest.mark.parametrize("typed", ["X1", "R", "R-1", "R1x", "", "R" + "9" * 19, "１"])
def test_what_is_not_an_id_is_a_usage_error_that_shows_one(home: Path, typed: str) -> None:
    with pytest.raises(BadUsage, match="R31"):
        ask(ReadingApp(home), "show", typed)


def test_an_empty_home_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="spy32 analyze"):
        ask(ReadingApp(tmp_path), "show")


def test_a_store_without_runs_says_how_to_begin(tmp_path: Path) -> None:
    stores.opened(tmp_path / "paper.db").close()
    with pytest.raises(BadUsage, match="spy32 analyze"):
        ask(ReadingApp(tmp_path), "show")


# The lists.


def test_the_history_is_newest_first(home: Path) -> None:
    lines = ask(ReadingApp(home), "show", "--history").splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["run R2", "run R1"]


def test_the_history_can_be_limited(home: Path) -> None:
    runs = json.loads(ask(ReadingApp(home), "show", "--history", "--limit", "1", "--json"))["runs"]
    assert [run["id"] for run in runs] == ["R2"]


def test_the_history_can_begin_at_a_date(home: Path) -> None:
    runs = json.loads(ask(ReadingApp(home), "show", "--history", "--since", "2025-10-13", "--json"))["runs"]
    assert [run["id"] for run in runs] == ["R2"]


def test_the_history_as_json_fits_its_schema(home: Path) -> None:
    document = json.loads(ask(ReadingApp(home), "show", "--history", "--json"))
    jsonschema.validate(document, schema("spy32.history"))
    assert (document["runs"][1]["proposal_id"], document["runs"][1]["trade_id"]) == ("P1", "T1")


def test_the_words_of_the_screen_are_explained_below_it(home: Path) -> None:
    text = ask(ReadingApp(home), "show", "P1", "--explain")
    assert text.startswith(ask(ReadingApp(home), "show", "P1"))
    for word in ("POP", "BP effect", "IV rank", "DTE", "GTC", "short delta", "theta"):
        assert f"\nterm {word}: " in text


def test_everything_on_record_is_one_flag_away(home: Path) -> None:
    text = ask(ReadingApp(home), "show", "P1", "--full")
    assert text.startswith(ask(ReadingApp(home), "show", "P1").partition("next:")[0])
    for line in ("order leg: Sell to Open 2 x SPY   251107P00640000", "approval by: anna", "setup vega: ", "step "):
        assert f"\n{line}" in text


def test_several_lists_follow_each_other(home: Path) -> None:
    text = ask(ReadingApp(home), "show", "R1", "--candidates", "--quality")
    assert "candidate 2 (selected): spread put 640/635; " in text
    assert "gate quote age: " in text


def test_rejected_spreads_are_only_read_when_asked_for(home: Path) -> None:
    assert json.loads(ask(ReadingApp(home), "show", "R1", "--json"))["rejected"] is None
    rejected = json.loads(ask(ReadingApp(home), "show", "R1", "--rejected", "--json"))["rejected"]
    assert rejected["counts"] == {"credit_to_width": 2}
    assert "rejected put 600/598: " in ask(ReadingApp(home), "show", "R1", "--rejected")


def test_raw_shows_the_stored_words_and_bodies(home: Path) -> None:
    text = ask(ReadingApp(home), "show", "R1", "--raw")
    assert "request to chosen grok: asked\n" in text
    assert "answer of chosen grok: said\n" in text
    assert "order body: {}\n" in text
    assert "body of order spy32-P1-1-1: {" in text
    answers = json.loads(ask(ReadingApp(home), "show", "R1", "--raw", "--json"))["answers"]
    assert [answer["role"] for answer in answers] == ["chosen", "shadow"]


@pytest.mark.parametrize("state", [None, ProposalState.DECLINED, ProposalState.LAPSED])
def test_what_another_model_chose_is_seen_nowhere_until_the_proposal_is_decided(
    tmp_path: Path, state: ProposalState | None
) -> None:
    with stores.opened(tmp_path / "paper.db") as store:
        run = stores.whole_run(store)
        other = b.recommendation(prompt="v1-simplified", reason="MARK of the other prompt")
        stores.asked(store, run.id, role=AnswerRole.SHADOW, prompt="v1-simplified", request='{"input": "MARK asked"}')
        store.decisions.save_answer(run.id, other, role=AnswerRole.SHADOW, at=b.NOW, request="MARK", response="MARK")
        made = stores.proposed(store, run_id=run.id)
        store.runs.finish(run.id, outcome=Outcome.PROPOSED, at=b.later(minutes=1))
        if state is not None:
            store.proposals.move(made.id, was=ProposalState.PROPOSED, now=state, at=b.later(minutes=9))
    is_decided = state is not None
    for words in (("--full",), ("--json",), ("--raw",), ("--raw", "--json")):
        assert ("MARK" in ask(ReadingApp(tmp_path), "show", "R1", *words)) == is_decided, words
    document = json.loads(ask(ReadingApp(tmp_path), "show", "R1", "--json"))
    assert [each["analyst"] for each in document["shadows"]] == ["rules", *(["grok"] if is_decided else [])]
    full = ask(ReadingApp(tmp_path), "show", "R1", "--full")
    assert ("their choices are shown once this proposal is decided" in full) != is_decided


@pytest.fixture
def asked(home: Path) -> Path:
    """R3 asked a model twice, kept two documents and the figures that it was told, and abstained."""
    with stores.opened(home / "paper.db") as store:
        run = stores.begun(store)
        store.documents.save(
            run.id,
            [RawDocument(source="cboe", name=name, at=b.NOW, body=b"{}" * 9) for name in ("chain", "vix")],
            b.NOW,
        )
        store.decisions.save_snapshot(
            run.id,
            b.snapshot(),
            b.quality(),
            b.market_line(),
            b.NOW,
            deciding=decision_settings(Settings(), "default"),
            briefing=run_views.briefing(),
        )
        store.decisions.save_menu(run.id, b.menu(), b.NOW)
        stores.asked(store, run.id, stores.heard(outcome="rate_limit", status=429, response="slow down", text=None))
        stores.asked(store, run.id, attempt=2, request='{"asked":  "as it was"}')
        store.decisions.save_answer(
            run.id, run_views.word(decision=Decision.ABSTAIN, reason="no edge"), role=AnswerRole.CHOSEN, at=b.NOW
        )
        store.runs.finish(
            run.id, outcome=Outcome.NO_TRADE, cause="abstained", at=b.later(9), reasons=("grok: no edge",)
        )
    return home


def test_a_run_that_asked_a_model_says_why_and_what_it_cost(asked: Path) -> None:
    assert "Choice: grok, grok-4.3-0401, v1-comprehensive abstained\n" in ask(ReadingApp(asked), "show", "R3")
    text = ask(ReadingApp(asked), "show", "R3", "--full")
    for line in (
        "R3: no trade (abstained), Mon 2025-10-06 10:00 New York",
        "analyst decision: abstained (grok, grok-4.3-0401, v1-comprehensive)",
        "cited market.rsi_14: value 61.37; unit points; note 12 min, daily bars, n=260",
        "request chosen: v1-comprehensive: 2 attempts, 16.8 s",
        "request cost: $0.05 (483000000 ticks)",
    ):
        assert f"{line}\n" in text
    for figure in ("RSI 14 61.4", "momentum 20 d 2.10%", "1-day return -0.40%"):
        assert figure in text
    document = json.loads(ask(ReadingApp(asked), "show", "R3", "--json"))
    jsonschema.validate(document, schema("spy32.run"))
    assert document["recommendation"]["tokens"]["input"] == 12_200
    assert (document["attempts"], document["documents"]) == (None, None)


def test_the_conditions_of_an_entry_are_those_that_the_run_decided_by(asked: Path) -> None:
    with stores.opened(asked / "paper.db") as store:
        store.decisions.save_answer(3, run_views.word(), role=AnswerRole.CHOSEN, at=b.NOW)
    knobs = Settings()
    text = ask(ReadingApp(asked), "show", "R3", "--full")
    assert f"entry no entry after: {knobs.execution.no_entry_after} New York" in text
    assert f"underlying within {knobs.drift.underlying:.2%}, " in text
    assert f"from {knobs.conditions.vix_none:g} no entry\n" in text
    assert f"at least {knobs.choice.open_interest};" in text


def test_raw_shows_attempts_and_documents_as_stored(asked: Path) -> None:
    text = ask(ReadingApp(asked), "show", "R3", "--raw")
    assert "attempt 1 outcome: rate limit (HTTP 429, 8400 ms)\n" in text
    assert "response 1: slow down\n" in text
    assert 'request 2: {"asked":  "as it was"}\n' in text
    assert "document cboe: name vix; bytes 18; at (UTC) 2025-10-06 14:00:00\n" in text
    document = json.loads(ask(ReadingApp(asked), "show", "R3", "--raw", "--json"))
    jsonschema.validate(document, schema("spy32.run"))
    assert [attempt["request"] for attempt in document["attempts"]][1] == '{"asked":  "as it was"}'
    assert [one["bytes"] for one in document["documents"]] == [18, 18]


def test_csv_is_comma_separated(home: Path) -> None:
    assert ask(ReadingApp(home), "show", "--history", "--csv").startswith("id,started_at,outcome,")
    assert ask(ReadingApp(home), "show", "R1", "--candidates", "--csv").count("\n") == 5
    assert ask(ReadingApp(home), "show", "R1", "--rejected", "--csv").count("\n") == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--history", "R1"), ("--history", "--candidates"), ("--csv",), ("--csv", "--quality"),
        ("--csv", "--candidates", "--rejected"), ("--history", "--csv", "--json"), ("--candidates", "--csv", "--json"),
        ("--limit", "3"), ("--since", "2025-10-01"), ("--history", "--since", "yesterday"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_words_that_do_not_go_together_are_a_usage_error(home: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(BadUsage):
        ask(ReadingApp(home), "show", *words)


def test_a_limit_below_one_is_a_usage_error(home: Path) -> None:
    assert code(ReadingApp(home), "show", "--history", "--limit", "0") == 2


# The forms.


@pytest.mark.slow
def test_the_document_of_a_run_fits_its_schema(home: Path) -> None:
    for words in (["R1"], ["R2"], ["P2"], ["T1"], ["R1", "--raw", "--rejected"]):
        jsonschema.validate(json.loads(ask(ReadingApp(home), "show", *words, "--json")), schema("spy32.run"))


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_terminal_gets_tables_and_a_picture(home: Path, width: int) -> None:
    text = ask(ReadingApp(home, width=width), "show", "P1")
    assert any(0x2800 < ord(char) <= 0x28FF for char in text)
    assert "Breakeven   639.42" in text
    assert "╭" in ask(ReadingApp(home, width=width), "show", "P1", "--candidates")


# What it leaves alone.


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def frozen(home: Path) -> Iterator[Path]:
    """The home where nothing may be written."""
    for path in home.iterdir():
        if path.is_file():
            path.chmod(0o400)
    home.chmod(0o500)
    yield home
    home.chmod(0o700)


def test_a_read_only_folder_is_read_and_left_as_it_was(frozen: Path) -> None:
    before = files_of(frozen)
    for words in (["show", "P1"], ["show", "--history"], ["show", "R1", "--candidates"], ["status"]):
        assert ask(ReadingApp(frozen), *words)
    # For root a folder is never read-only, and SQLite then puts its own files beside the database.
    after = files_of(frozen)
    assert {name: after[name] for name in before} == before


LOADED = """
import io, sys
from pathlib import Path
from tests.support.reader import ReadingApp
from spy32.commands.show import show
desk = ReadingApp(Path(sys.argv[1]))
desk.wants_json = len(sys.argv) > 3
for name in [name for name in sys.modules if name.split(".")[0] in {"numpy", "pandas", "holidays", "rich", "requests"}]:
    del sys.modules[name]
flags = dict.fromkeys(("history", "candidates", "rejected", "quality", "raw", "full", "explain", "csv"), False)
show(desk.ctx, sys.argv[2], limit=None, since=None, **flags)
assert "0.58" in desk.said
print(sorted({name.split(".")[0] for name in sys.modules} & {"numpy", "pandas", "holidays", "rich", "requests"}))
"""


@pytest.mark.parametrize("more", [(), ("json",)], ids=["text", "json"])
def test_without_a_terminal_show_loads_no_arrays_no_calendar_and_no_rich(home: Path, more: tuple[str, ...]) -> None:
    words = [sys.executable, "-c", LOADED, str(home), "P1", *more]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


def test_pages_and_documents_import_neither_arrays_nor_calendar() -> None:
    rooms = "pages raw_page menu_pages tables payoff documents csvs"
    names = ", ".join(f"spy32.render.{room}" for room in rooms.split())
    script = f"import sys, {names}, spy32.commands.show\n"
    heavy = "{'numpy', 'pandas', 'holidays', 'requests', 'rich.markdown', 'rich.syntax', 'pydantic'}"
    ended = subprocess.run(
        [sys.executable, "-c", f"{script}print(sorted(set(sys.modules) & {heavy}))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout == "[]\n"


# The life of a trade.


@pytest.mark.parametrize("columns", [80, 60])
def test_what_decides_about_a_trade_is_within_the_first_screen(trade_home: Path, columns: int) -> None:
    run(trade_home, "manage", "--market", NEXT)
    run(trade_home, "manage", "--market", LATER)
    with Terminal(trade_home, "show", "T1", columns=columns, rows=60) as terminal:
        assert terminal.code() == 0
        first = "\n".join(terminal.frame[:24])
    for words in (
        "T1 of R1: open",
        "Credit      0.70 cr",
        "Now         +$42.96",
        "Due         time exit on 9 May",
    ):
        assert words in first, first


# Results.


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """R1's trade was bought back for 0.30 a quarter of an hour later, when the mid at the approval was 0.29."""
    with stores.opened(tmp_path / "paper.db") as store:
        run = stores.whole_run(store)
        _, trade = stores.filled(store, run_id=run.id)
        store.runs.finish(run.id, outcome=Outcome.PROPOSED, at=b.later(minutes=1))
        made = b.close_proposal(trade.id, run_id=run.id, reason=ExitReason.TARGET)
        made = store.proposals.add(made, body="{}", at=b.later(minutes=10))
        yes = store.proposals.approve(b.approval(made, at=b.later(minutes=11), mid=Decimal("-0.29")))
        order = store.orders.begin(b.order(made, yes), at=b.later(minutes=12))
        legs = tuple(replace(leg, action=leg.action.closing) for leg in b.spread().legs)
        back = b.fills(legs, 2, ("2.00", "1.70"), at=b.later(minutes=22))
        store.trades.record_fills(order.id, back, fees=Decimal("0.52"), at=b.later(minutes=22))
    return tmp_path


def test_the_history_carries_result_and_exit_reason_in_every_form(ended: Path) -> None:
    assert "result +$50.96; exit target" in ask(ReadingApp(ended), "show", "--history")
    (row,) = json.loads(ask(ReadingApp(ended), "show", "--history", "--json"))["runs"]
    assert (row["result"], row["exit_reason"]) == ("50.96", "target")
    header, line = ask(ReadingApp(ended), "show", "--history", "--csv").splitlines()
    assert header.endswith(",headline,result,exit_reason,slot")
    assert line.endswith(",50.96,target,2025-10-06")


def test_an_ended_trade_says_what_it_earned_and_cost(ended: Path) -> None:
    text = ask(ReadingApp(ended), "show", "T1")
    assert "Realised: +$50.96 by target, held 0 days, 48.3% of the credit kept, 45.7% of max profit" in text
    assert "fees $5.04, slippage -$1.00 to open, slippage $2.00 to close" in text
