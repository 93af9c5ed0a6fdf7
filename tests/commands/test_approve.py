"""The command `approve`: its words, its exit codes, its document, and in live mode the digits of the hash."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from spy32.cli import AnsweringCommand
from spy32.commands import approve as command
from spy32.commands.common import parse_price
from spy32.commands.dialogue import ApprovalDialogue
from spy32.commands.screen import KeyScreen, WordScreen
from spy32.commands.terminal_input import InputClosed, Keyboard, TerminalInput, WindowResized
from spy32.console import PlainConsole
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, Refused, Spy32Error, TerminationSignal
from spy32.lifecycle import ProposalState
from spy32.render.page import Page
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading import approve as deciding
from spy32.trading.context import TradingContext
from spy32.trading.review import review_proposal, review_run
from tests.support import builders as b
from tests.support.approvals import ApprovalDesk, abstained
from tests.support.reader import screen, shown
from tests.support.terminal import plain


class FakeApp:
    """The little of an App that `approve` uses."""

    def __init__(self, desk: ApprovalDesk, mode: Mode, *, is_interactive: bool = False) -> None:
        self.desk = desk
        self.settings = Settings(mode=mode)
        self.is_interactive = is_interactive
        self.user = "anna"
        self.wants_json = False
        self.out, self.err = PlainConsole(StringIO()), PlainConsole(StringIO())

    def check_store_exists(self) -> None:
        """There is one."""

    def send_notices(self) -> None:
        """Nobody is to be told."""

    def open_for_reading(self) -> Store:
        return self.desk.store

    def store(self) -> Store:
        return self.desk.store

    def trading_context(self, _store: Store, _proposal: Proposal | None) -> TradingContext:
        return self.desk.trading_context

    def build_run_trading_context(self, _store: Store, _run: int) -> TradingContext:
        return self.desk.trading_context


program = typer.Typer()
program.command(cls=AnsweringCommand)(command.approve)


def run(app: FakeApp, *words: str) -> str:
    """What is written on stdout; what is raised is raised."""
    result = CliRunner().invoke(program, list(words), obj=app)
    if isinstance(result.exception, Spy32Error):
        raise result.exception
    assert result.exit_code == 0, result.output
    assert isinstance(app.out.file, StringIO)
    return app.out.file.getvalue()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApprovalDesk]:
    made = ApprovalDesk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[ApprovalDesk]:
    made = ApprovalDesk(tmp_path, Mode.LIVE)
    yield made
    made.store.close()


@pytest.fixture
def app(desk: ApprovalDesk) -> FakeApp:
    return FakeApp(desk, Mode.PAPER)


def state(app: FakeApp) -> ProposalState:
    made = app.desk.store.proposals.latest()
    assert made is not None
    return made.state


# Words.


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no terminal to ask on; --yes approves, --decline declines"),
        (("--yes", "--decline"), "exclude each other"),
        (("--confirm", "12345678"), "--confirm goes with --yes"),
        (("P1x", "--yes"), "not the id of a proposal"),
        (("P99", "--yes"), "no proposal P99"),
        (("R99", "--yes"), "no run R99"),
        (("--yes", "--confirm", "00000000"), "not the first 8 digits"),
        (("--yes", "--confirm", ""), "not the first 8 digits"),
    ],
)
def test_words_that_do_not_fit_are_usage_errors_and_approve_nothing(
    app: FakeApp, words: Sequence[str], told: str
) -> None:
    app.desk.proposed()
    with pytest.raises(BadUsage, match=told):
        run(app, *words)
    assert state(app) is ProposalState.PROPOSED


def test_without_any_proposal_the_next_command_is_named(app: FakeApp) -> None:
    with pytest.raises(BadUsage, match="`spy32 analyze` makes one"):
        run(app, "--yes")


def test_after_an_abstention_the_override_is_named(app: FakeApp) -> None:
    abstained(app.desk.store)
    with pytest.raises(BadUsage, match=r"R1 abstained, and `spy32 approve R1`"):
        run(app, "--yes")


@pytest.mark.parametrize("word", ["--yes", "--decline"])
def test_an_abstained_run_cannot_be_approved_or_declined_without_choosing(app: FakeApp, word: str) -> None:
    abstained(app.desk.store)
    with pytest.raises(BadUsage, match="made no proposal"):
        run(app, "R1", word)


def test_a_vetoed_run_is_refused_before_anything_is_drawn(desk: ApprovalDesk) -> None:
    abstained(desk.store, cause="vetoed")
    app = FakeApp(desk, Mode.PAPER, is_interactive=True)
    with pytest.raises(Refused, match="only an abstention"):
        run(app, "R1")
    assert run_output(app) == ""


def run_output(app: FakeApp) -> str:
    assert isinstance(app.out.file, StringIO)
    return app.out.file.getvalue()


# Decisions.


@pytest.mark.parametrize("words", [(), ("P1",), ("1",), ("p1",), ("R1",)])
def test_yes_approves_the_proposal_that_was_meant(app: FakeApp, words: Sequence[str]) -> None:
    app.desk.proposed()
    text = run(app, *words, "--yes", "--note", "as usual")
    yes = app.desk.store.proposals.latest_approval(1)
    assert yes is not None
    assert (yes.by, yes.note) == ("anna", "as usual")
    assert text.splitlines()[-1] == "next: spy32 execute P1"


def test_the_newest_waiting_proposal_is_meant_by_default(app: FakeApp) -> None:
    app.desk.proposed()
    app.desk.proposed()
    run(app, "--yes")
    states = [made.state for made in app.desk.store.proposals.select()]
    assert states == [ProposalState.LAPSED, ProposalState.APPROVED]


def test_approving_again_is_refused_with_who_and_when(app: FakeApp) -> None:
    app.desk.proposed()
    run(app, "--yes")
    for words in (("--yes",), ("P1", "--yes")):
        with pytest.raises(Refused, match="approved by anna at 2025-10-06 10:00 New York"):
            run(app, *words)


def test_declining_keeps_who_and_why(app: FakeApp) -> None:
    app.desk.proposed()
    assert "P1 is declined" in run(app, "--decline", "--note", "too thin")
    with pytest.raises(Refused, match="declined by anna: too thin"):
        run(app, "P1", "--yes")


def test_json_is_one_document_with_proposal_and_approval(app: FakeApp) -> None:
    made = app.desk.proposed()
    document = json.loads(run(app, "--yes", "--json"))
    assert (document["schema"], document["version"]) == ("spy32.approval", 1)
    assert document["proposal"]["state"] == "approved"
    assert document["approval"]["hash"] == document["proposal"]["hash"] == made.hash


def test_json_of_a_decline_has_no_approval(app: FakeApp) -> None:
    app.desk.proposed()
    document = json.loads(run(app, "--decline", "--json"))
    assert document["proposal"]["state"] == "declined"
    assert document["approval"] is None


# Live.


def test_in_live_mode_yes_needs_the_digits_of_the_hash(live: ApprovalDesk) -> None:
    made = live.proposed()
    app = FakeApp(live, Mode.LIVE)
    with pytest.raises(BadUsage, match="--yes needs --confirm"):
        run(app, "--yes")
    for wrong in (made.hash[:7], made.hash[1:9], "deadbeef", made.hash[:8] + "0" * 80):
        with pytest.raises(BadUsage, match="not the first 8 digits"):
            run(app, "--yes", "--confirm", wrong)
    assert state(app) is ProposalState.PROPOSED
    assert run(app, "--yes", "--confirm", made.hash[:8]).endswith("next: spy32 execute P1 --live\n")


def test_the_digits_are_those_of_what_is_approved_not_of_what_was_read_before(
    live: ApprovalDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spy32.trading import approve as desk

    made, first, app = live.proposed(), desk.load_pending_proposal, FakeApp(live, Mode.LIVE)

    def waiting(bench: TradingContext, number: int) -> Proposal:
        """In another terminal a changed one is approved, and its approval ends, right after this read."""
        monkeypatch.setattr(desk, "load_pending_proposal", first)
        found = first(bench, number)
        desk.approve(bench, desk.change_quantity(bench, review_proposal(bench, number), found.quantity - 1), by="bert")
        live.trading_desk.clock.at = b.later(minutes=61)
        first(bench, number)
        return found

    monkeypatch.setattr(desk, "load_pending_proposal", waiting)
    with pytest.raises(BadUsage, match="not the first 8 digits"):
        run(app, "--yes", "--confirm", made.hash[:8])
    assert state(app) is ProposalState.PROPOSED


def test_on_paper_the_digits_are_checked_when_they_are_given(app: FakeApp) -> None:
    made = app.desk.proposed()
    run(app, "--yes", "--confirm", made.hash[:8].upper())
    assert state(app) is ProposalState.APPROVED


class Answers:
    """A person who types these lines, and then is gone."""

    def __init__(self, *lines: str | Exception) -> None:
        self.lines = list(lines)

    def __call__(self) -> str:
        answer = self.lines.pop(0) if self.lines else InputClosed()
        if isinstance(answer, Exception):
            raise answer
        return answer


def talk(desk: ApprovalDesk, *lines: str | Exception) -> tuple[bool, str]:
    """Whether it came to a decision, and all that was on the screen."""
    return typed(desk, Answers(*lines))


def typed(desk: ApprovalDesk, read: Callable[[], str]) -> tuple[bool, str]:
    console = screen(100)
    made = desk.store.proposals.latest()
    first = review_proposal(desk.trading_context, made.id) if made is not None else review_run(desk.trading_context, 1)
    dialogue = ApprovalDialogue(context=desk.trading_context, screen=WordScreen(console, read), by="anna", review=first)
    dialogue.run()
    return dialogue.decided_id is not None, shown(console)


@pytest.mark.parametrize("typed", ["y\n", "yes\n", "\n", "approve\n", "1234567\n"])
def test_in_live_mode_only_the_digits_approve(live: ApprovalDesk, typed: str) -> None:
    live.proposed()
    is_decided, text = talk(live, "a\n", typed)
    assert not is_decided
    assert "LIVE: REAL MONEY" in text
    assert live.trading_desk.state(1) is ProposalState.PROPOSED


def test_in_live_mode_the_digits_approve(live: ApprovalDesk) -> None:
    digits = live.proposed().hash[:8]
    is_decided, text = talk(live, "a\n", f"{digits}\n")
    assert is_decided
    assert f"max loss $894.52. Type {digits} to approve: " in text
    assert "LIVE: SELL 2 SPY 7 Nov 640/635 put spread, expiring 2025-11-07, 0.58 cr down to 0.55" in text
    assert live.trading_desk.state(1) is ProposalState.APPROVED


# The dialogue.


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("\n",),
        ("a\n",),
        ("a\n", "\n"),
        ("a\n", "n\n"),
        ("a\n", WindowResized(), "\n"),
        ("a\n", WindowResized(), "y\n"),
        (WindowResized(), WindowResized(), "\n"),
        ("y\n", "y\n"),
        ("q\n", "y\n"),
        ("f\n", "y\n"),
        ("c\n", "y\n"),
        ("1\n", "y\n"),
        ("1\n", "a\n", "\n"),
        ("1\n", "a\n", WindowResized(), "y\n"),
        ("m\n", "y\n"),
        ("m\n", "a\n", "n\n"),
        ("up\n", "down\n", "w\n", "r\n", "x\n", "99\n"),
        ("d\n", "\n"),
        ("A Y\n",),
    ],
)
def test_nothing_but_a_typed_yes_to_the_question_approves(desk: ApprovalDesk, lines: Sequence[str | Exception]) -> None:
    desk.proposed()
    is_decided, _ = talk(desk, *lines)
    assert not is_decided
    assert desk.trading_desk.state(1) is ProposalState.PROPOSED


def test_a_new_size_draws_the_screen_again(desk: ApprovalDesk) -> None:
    desk.proposed()
    _, text = talk(desk, WindowResized(), "\n")
    assert text.count("BP effect") == 2


def test_a_market_that_fails_in_a_change_is_told_and_the_question_stays(desk: ApprovalDesk) -> None:
    desk.proposed()
    from spy32.errors import Unavailable

    class Failing:
        def __init__(self) -> None:
            self.asked = 0

        def __call__(self) -> str:
            self.asked += 1
            desk.trading_desk.market.trouble = Unavailable("429 from cboe")
            return "q 1\n" if self.asked == 1 else "\n"

    assert "not done: 429 from cboe" in typed(desk, Failing())[1]


def test_a_draft_of_what_another_window_changed_is_dropped_with_one_line_and_drawn_again(desk: ApprovalDesk) -> None:
    made = desk.proposed()

    def another_window() -> None:
        yes = deciding.approve(
            desk.trading_context,
            deciding.change_floor(desk.trading_context, review_proposal(desk.trading_context, 1), Decimal("0.52")),
            by="bert",
        )
        desk.trading_desk.clock.at = yes.until + timedelta(seconds=1)

    answers = iter(["q 1\n", another_window, "a\n", "y\n", "\n"])

    def read() -> str:
        answer = next(answers)
        if callable(answer):
            answer()
            answer = next(answers)
        return answer

    _, text = typed(desk, read)
    (told,) = re.findall("not done: .*", text)
    assert told.startswith("not done: P1 was changed since it was shown")
    assert told.endswith(f"; your draft is dropped (put 640/635, 1 contract, floor {made.floor_price})")
    after = desk.store.proposals.get(1)
    assert (after.state, after.quantity, after.floor_price) == (ProposalState.PROPOSED, 2, Decimal("0.52"))
    assert "SELL 2 SPY 7 Nov 640/635 put spread @ 0.58 cr (floor 0.52)" in text.rpartition(told)[2]


def test_looking_at_everything_leaves_every_row_as_it_was(desk: ApprovalDesk) -> None:
    desk.proposed()
    desk.store.proposals.record_viewing(1, "anna", b.NOW)
    before = "\n".join(desk.store.core.db.iterdump())
    is_decided, text = talk(desk, *(f"{word}\n" for word in ("1", "m", "3", "w", "esc", "r", "x", "2", "4", "a", "no")))
    assert not is_decided
    assert "not approved" in text
    assert "\n".join(desk.store.core.db.iterdump()) == before


def test_a_row_that_is_looked_at_is_judged_by_the_market_before_the_question(desk: ApprovalDesk) -> None:
    desk.proposed()
    desk.trading_desk.orders.reject_credentials = "margin"
    is_decided, text = talk(desk, "1\n", "a\n", "y\n", "\n")
    assert not is_decided
    assert "not done: the broker's dry run refuses it: margin" in text
    desk.trading_desk.orders.reject_credentials = None
    is_decided, text = talk(desk, "1\n", "a\n", "y\n")
    assert is_decided
    made = desk.store.proposals.get(1)
    assert (made.candidate_id, made.chosen_by) == (b.menu().candidates[1].id, "person")


class TimedKeys:
    """A keyboard on which each key comes some seconds after the one before."""

    def __init__(self, *keys: tuple[float, str]) -> None:
        self._keys = list(keys)

    def has_key(self, seconds: float) -> bool:
        return self._keys[0][0] <= seconds

    def key(self) -> str:
        return self._keys.pop(0)[1]


def test_a_digit_continues_the_number_only_at_once_and_while_the_screen_shows_it() -> None:
    typed = ((0.0, "1"), (0.2, "2"), (0.2, "3"), (9.0, "1"), (9.0, "0"), (0.2, "1"), (0.2, "m"), (0.2, "2"))
    console = screen(100)
    keys = KeyScreen(console, cast("Keyboard", TimedKeys(*typed)))
    answers = []
    for _ in typed:
        keys.draw(lambda: iter((Page(),)), {"rows": "1-16"}, "", scrolls=False, rows=16)
        answers.append(keys.answer()[0])
    assert answers == ["1", "12", "3", "1", "0", "1", "m", "2"]
    with_pending = [part for part in console.file.getvalue().split("\x1b[H") if "row 1_" in part]  # type: ignore[attr-defined]
    assert len(with_pending) == 3  # after each 1 that began a number


@pytest.mark.parametrize("typed", ["", "nan", "inf", "-inf", "0,57", "1e", "x", "9" * 40, "0.5.7"])
def test_what_is_no_price_is_refused(typed: str) -> None:
    with pytest.raises(BadUsage, match="is not a price"):
        parse_price(typed)


def test_a_size_that_changed_while_nobody_was_asked_is_noticed_at_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os
    import signal

    def never(_count: int) -> Any:
        raise AssertionError("it must not read before the screen is drawn again")

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=SimpleNamespace(readline=never), fileno=lambda: 9999))
    before = signal.getsignal(signal.SIGWINCH)
    with TerminalInput() as window:
        os.kill(os.getpid(), signal.SIGWINCH)
        with pytest.raises(WindowResized):
            window.read_line()
    assert signal.getsignal(signal.SIGWINCH) == before


@pytest.mark.parametrize("raw", [b"", b"y", b"a" * 4096])
def test_a_line_that_is_not_finished_is_no_answer(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    stdin = SimpleNamespace(buffer=SimpleNamespace(readline=lambda _count: raw))
    monkeypatch.setattr("sys.stdin", stdin)
    with TerminalInput() as window, pytest.raises(InputClosed):
        window.read_line()


class Keys:
    """What a terminal hands on, read by read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *reads: bytes) -> None:
        self.reads = list(reads)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: 9999))
        monkeypatch.setattr("os.read", lambda _fd, _size: self.reads.pop(0) if self.reads else b"")
        monkeypatch.setattr("select.select", lambda *_: ([1] if self.reads else [], [], []))
        self.keyboard = Keyboard(lambda _text: None)

    def all(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.keyboard.key())
            except (InputClosed, TerminationSignal):
                return found


@pytest.mark.parametrize(
    ("reads", "keys"),
    [
        ((b"a", b"y"), ["a", "y"]),
        ((b"ay",), ["a", "y"]),
        ((b"\x1b[A\x1b[B",), ["up", "down"]),
        ((b"\x1b", b"[", b"A"), ["up"]),
        ((b"\x1bOB",), ["down"]),
        ((b"\x1b",), ["esc"]),
        ((b"\x1ba",), ["esc", "a"]),
        ((b"\x1b[1;5C\x1b[15~a",), ["", "", "a"]),
        (("\u00e9\u20ac\U0001f600a".encode(),), ["é", "€", "😀", "a"]),
        ((b"\x00\x07a",), ["", "", "a"]),
        ((b"\x1b[200~ay\ny", b"y\x1b[201~q"), ["", "q"]),
        ((b"\r\n\x7f",), ["enter", "enter", "erase"]),
        ((b"a\x04y",), ["a"]),
    ],
)
def test_keys_are_told_apart_and_what_was_pasted_is_none(
    monkeypatch: pytest.MonkeyPatch, reads: Sequence[bytes], keys: list[str]
) -> None:
    assert Keys(monkeypatch, *reads).all() == keys


# The exit codes of the real program.


@pytest.mark.slow
def test_exit_codes_of_the_program(tmp_path: Path) -> None:
    assert plain(tmp_path, "approve", "--yes").returncode == 2
    assert "nothing here yet" in plain(tmp_path, "approve", "--yes").stderr
    assert list(tmp_path.glob("*.db")) == []
    assert plain(tmp_path, "analyze", "--market", "recorded", "--analyst", "rules").returncode == 0
    assert plain(tmp_path, "approve").returncode == 2
    assert plain(tmp_path, "approve", "--yes", "--decline").returncode == 2
    assert plain(tmp_path, "approve", "P9", "--yes").returncode == 2
    assert plain(tmp_path, "approve", "--yes").returncode == 0
    again = plain(tmp_path, "approve", "--yes", "--json")
    assert again.returncode == 10
    assert json.loads(again.stdout)["code"] == 10
    assert plain(tmp_path, "approve", "--decline").returncode == 0
    assert plain(tmp_path, "execute").returncode == 10
    assert plain(tmp_path, "approve", "P1", "--decline").returncode == 10
