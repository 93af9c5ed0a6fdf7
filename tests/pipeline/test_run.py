"""The weekly run: steps in order, each committed as it ends, and every ending told apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from typer.testing import CliRunner

from spy32.analysts.rules import RulesAnalyst
from spy32.cli import app
from spy32.domain.briefing import Briefing
from spy32.domain.market import Chain, Dividend, MarketSnapshot, QualityReport
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.runs import STEPS, Outcome, Run, Step, StepState
from spy32.domain.spreads import Menu, Mode, Position, Strategy
from spy32.errors import BrokerRefused, Unavailable, Unusable
from spy32.lifecycle import ProposalState
from spy32.markets.bundled_history import total_returns
from spy32.options.history import DailyHistory
from spy32.pipeline.replay import ReplayContext, ReplayResult, diff_values, replay
from spy32.pipeline.run import run
from spy32.quality import checks
from spy32.settings.model import Choice
from spy32.store import Store
from spy32.wiring import App
from tests.support import builders
from tests.support.fakes import FakeAnalyst, FakeMarket
from tests.support.pipeline_run import Monday
from tests.support.timeouts import SOON


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[Monday]:
    store = Store.open(tmp_path / "paper.db", mode=Mode.PAPER, account=builders.ACCOUNT, at=builders.NOW)
    yield Monday(store=store)
    store.close()


def test_a_good_monday_ends_proposed_with_every_step_on_record(monday: Monday) -> None:
    done = monday.run()
    assert done.outcome is Outcome.PROPOSED
    assert [step.name for step in done.steps] == list(STEPS)
    assert all(step.state in (StepState.OK, StepState.DEGRADED) for step in done.steps)
    proposal = monday.store.proposals.find_by_run(done.id)
    assert proposal is not None and proposal.state is ProposalState.PROPOSED
    assert len(monday.store.notices.select_pending(monday.clock())) == 1


def test_a_chain_is_judged_once(monday: Monday, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[MarketSnapshot] = []
    check_chain = checks.check_chain

    def count_checks(snapshot: MarketSnapshot, now: datetime, choice: Choice) -> tuple[Chain, QualityReport]:
        judged.append(snapshot)
        return check_chain(snapshot, now, choice)

    monkeypatch.setattr(checks, "check_chain", count_checks)
    assert monday.run().outcome is Outcome.PROPOSED
    assert len(judged) == 1


def test_every_figure_of_the_order_comes_from_the_menu(monday: Monday) -> None:
    done = monday.run()
    proposal = monday.store.proposals.find_by_run(done.id)
    assert proposal is not None
    chosen = monday.menu(done).find(proposal.candidate_id)
    assert chosen is not None
    assert proposal.legs == chosen.spread.legs
    assert (proposal.limit_price, proposal.floor_price) == (chosen.start, chosen.floor)
    assert proposal.max_loss == chosen.max_loss * proposal.quantity
    body = monday.store.proposals.order_body(proposal.id)
    for leg in chosen.spread.legs:
        assert leg.symbol in body
    assert f'"price": "{chosen.start}"' in body


def test_an_id_that_is_not_on_the_menu_is_vetoed_and_makes_no_proposal(monday: Monday) -> None:
    monday.analyst = FakeAnalyst(pick=lambda menu: menu.candidates[0].id.lower() + " ")
    done = monday.run()
    assert (done.outcome, done.cause) == (Outcome.NO_TRADE, "vetoed")
    assert monday.store.proposals.find_by_run(done.id) is None
    assert [step.state for step in done.steps][4:6] == [StepState.REFUSED, StepState.SKIPPED]


def test_an_abstention_is_a_good_ending_and_told_apart(monday: Monday) -> None:
    monday.analyst = FakeAnalyst(pick=lambda menu: None)
    done = monday.run()
    assert (done.outcome, done.cause, done.exit_code) == (Outcome.NO_TRADE, "abstained", 0)


@dataclass
class Silent:
    """An analyst that gives no usable answer."""

    name: str = "silent"

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        return Recommendation(analyst=self.name, decision=Decision.FAILED, candidate_id=None, reason="no answer")


@pytest.mark.parametrize(
    ("on_failure", "outcome", "code"),
    [("fail", Outcome.FAILED, 65), ("no_trade", Outcome.NO_TRADE, 0), ("rules", Outcome.PROPOSED, 0)],
)
def test_an_analyst_without_an_answer_ends_as_the_setting_says(
    monday: Monday, on_failure: str, outcome: Outcome, code: int
) -> None:
    monday.analyst = Silent()
    monday.settings = replace(monday.settings, analyst=replace(monday.settings.analyst, on_failure=on_failure))
    done = monday.run()
    assert (done.outcome, done.exit_code) == (outcome, code)


def test_the_rules_have_chosen_before_a_model_is_asked(monday: Monday) -> None:
    seen: list[list[str]] = []

    class Watching(Silent):
        def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
            seen.append([f"{role} {answer.analyst}" for role, answer in monday.store.decisions.answers(1)])
            raise KeyboardInterrupt

    monday.analyst = Watching()
    with pytest.raises(KeyboardInterrupt):
        monday.run()
    assert seen == [["shadow rules"]]


def test_a_market_that_fails_leaves_a_failed_run_with_its_words(monday: Monday) -> None:
    monday.market.trouble = Unavailable("the source is down")
    done = monday.run()
    assert (done.outcome, done.cause, done.exit_code) == (Outcome.FAILED, "data", 75)
    assert done.reasons == ("the source is down",)
    assert [step.state for step in done.steps][1:3] == [StepState.FAILED, StepState.SKIPPED]


def test_no_expiration_near_the_target_fails_and_says_how_far_the_nearest_is(monday: Monday) -> None:
    near = builders.chain(expirations=(builders.NEIGHBOURS[0],))
    monday.market.chain_now = near
    done = monday.run()
    assert (done.outcome, done.exit_code) == (Outcome.FAILED, Unusable.code)
    assert "25 days away" in done.reasons[0]


def test_a_chain_that_a_gate_stops_keeps_its_snapshot_and_names_the_gate(monday: Monday) -> None:
    chain = monday.market.snapshot.chain
    monday.market.chain_now = replace(chain, quotes=tuple(replace(quote, bid=0.0) for quote in chain.quotes))
    done = monday.run()
    assert done.outcome is Outcome.FAILED and done.exit_code == Unusable.code
    assert done.reasons[0].startswith("gate ")
    assert monday.store.decisions.has_snapshot(done.id)


def test_a_broker_that_refuses_the_dry_run_ends_the_run_with_its_words(monday: Monday) -> None:
    monday.orders.reject_credentials = "margin_check_failed"
    done = monday.run()
    assert (done.outcome, done.cause) == (Outcome.NO_TRADE, "broker")
    assert "margin_check_failed" in done.reasons[0]


def test_an_account_that_cannot_be_read_fails_before_the_market_is_asked(monday: Monday) -> None:
    def down() -> None:
        raise BrokerRefused("no such account")

    monday.account.facts = down  # type: ignore[method-assign, assignment]
    done = monday.run()
    assert (done.outcome, done.cause) == (Outcome.FAILED, "account")


def test_a_small_account_ends_in_limits_and_says_what_would_do(monday: Monday) -> None:
    poor = builders.account(net_liquidation=Decimal(5000), buying_power=Decimal(5000))
    monday.account.account = poor
    done = monday.run()
    assert (done.outcome, done.cause) == (Outcome.NO_TRADE, "limits")
    assert "would do" in done.reasons[0]


def replay_offline(monday: Monday, done: Run) -> ReplayResult:
    return replay(
        ReplayContext(
            store=monday.store,
            run_id=done.id,
            find_history=total_returns,
            build_rule_analyst=lambda name, settings: RulesAnalyst(settings),
            find_recorded_analyst=lambda *_: None,
        )
    )


def test_calls_over_an_ex_date_are_dropped_with_that_rule_and_never_offered(monday: Monday) -> None:
    # The planned exit of 2025-11-07 is 2025-10-17.
    paying = Dividend(ex_date=date(2025, 10, 15), amount=Decimal("1.85"))
    monday.market.snapshot = builders.snapshot(dividends=(paying,))
    offered: list[Menu] = []

    def pick(menu: Menu) -> str:
        offered.append(menu)
        return menu.candidates[0].id

    monday.analyst = FakeAnalyst(pick=pick)
    done = monday.run()
    assert done.outcome is Outcome.PROPOSED
    assert offered[0].candidates and not offered[0].side(Strategy.CALL_CREDIT)
    assert offered[0].counts["ex_dividend"] >= 1
    assert {(lost.figure, lost.limit) for lost in offered[0].dropped if lost.rule == "ex_dividend"} == {
        ("2025-10-15", "after 2025-10-17")
    }
    assert any(
        "call credit spreads left out by the rule ex_dividend, none is left" in note for note in offered[0].notes
    )
    again = replay_offline(monday, done)
    assert again.differences == ()


def test_a_replay_uses_the_history_that_the_run_knew(monday: Monday) -> None:
    """The package of that day shipped sessions up to the last of May only; the one that replays ships more."""
    until = date(2025, 5, 30)

    def find_less(underlying: str, at: datetime) -> DailyHistory | None:
        history = total_returns(underlying, at)
        return history.until(until) if history is not None else None

    done = run(replace(monday.run_context(), find_history=find_less))
    outlook = monday.menu(done).candidates[0].outlook
    assert outlook is not None
    assert outlook.history_until == until
    again = replay_offline(monday, done)
    assert "menu" in again.checked
    assert again.differences == ()


def test_a_candidate_whose_leg_is_held_is_dropped_and_the_others_are_offered(monday: Monday) -> None:
    before = monday.menu(monday.run())
    held = before.candidates[0].spread.short.symbol
    with_it = [each.id for each in before.candidates if held in {leg.symbol for leg in each.spread.legs}]
    monday.account.account = builders.account(positions=(Position(symbol=held, quantity=-1),))
    done = monday.run()
    menu = monday.menu(done)
    assert len(menu.candidates) == len(before.candidates) - len(with_it)
    assert menu.counts["duplicate"] == len(with_it)
    again = replay_offline(monday, done)
    assert again.differences == ()


def test_what_refuses_every_candidate_drops_none_and_says_why(monday: Monday) -> None:
    monday.market.snapshot = builders.snapshot(volatility={"vix": builders.datum(45.0)})
    done = monday.run()
    assert (done.outcome, done.cause) == (Outcome.NO_TRADE, "condition")
    assert "duplicate" not in monday.menu(done).counts


@pytest.mark.parametrize(("vix", "asked"), [(45.0, 0), (16.5, 1)])
def test_a_condition_that_refuses_all_ends_before_a_model_is_asked_whatever_the_account_says(
    monday: Monday, vix: float, asked: int
) -> None:
    questions: list[Menu] = []

    def pick(menu: Menu) -> str:
        questions.append(menu)
        return menu.candidates[0].id

    monday.account.account = builders.account(restrictions=("closing only",))
    monday.market.snapshot = builders.snapshot(volatility={"vix": builders.datum(vix)})
    monday.analyst = FakeAnalyst(pick=pick)
    done = monday.run()
    assert len(questions) == asked
    assert (done.outcome, done.cause) == (Outcome.NO_TRADE, "account" if asked else "condition")
    assert asked or done.reasons[-1] == "so fake was not asked"


def test_a_newer_proposal_lapses_an_older_unapproved_one(monday: Monday) -> None:
    first, second = monday.run(), monday.run()
    older, newer = monday.store.proposals.find_by_run(first.id), monday.store.proposals.find_by_run(second.id)
    assert older is not None and newer is not None
    assert (older.state, newer.state) == (ProposalState.LAPSED, ProposalState.PROPOSED)


def test_a_signal_in_a_step_leaves_the_run_interrupted(monday: Monday) -> None:
    def stop(menu: Menu) -> str:
        raise KeyboardInterrupt

    monday.analyst = FakeAnalyst(pick=stop)
    with pytest.raises(KeyboardInterrupt):
        monday.run()
    last = monday.store.runs.latest()
    assert last is not None and last.outcome is Outcome.INTERRUPTED


@pytest.mark.parametrize("late", STEPS[1:6])
def test_a_run_that_passes_its_deadline_fails_before_the_next_step_and_names_it(
    monday: Monday, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step before it takes all the time there is, and a second more."""
    before, end_step = STEPS[STEPS.index(late) - 1], monday.store.runs.end_step
    limit = monday.settings.schedule.run_deadline_seconds

    def slow(run_id: int, step: Step, at: datetime) -> None:
        end_step(run_id, step, at)
        if step.name == before:
            monday.seconds += limit

    monkeypatch.setattr(monday.store.runs, "end_step", slow)
    done = monday.run()
    assert (done.outcome, done.cause, done.exit_code) == (Outcome.FAILED, "deadline", 75)
    (reason,) = done.reasons
    assert reason == f"the run took longer than {limit} s (schedule.run_deadline_seconds); it ended before {late}"
    states = {step.name: step.state for step in done.steps}
    assert states[before] in (StepState.OK, StepState.DEGRADED) and states[late] is StepState.FAILED
    assert set(list(states.values())[STEPS.index(late) + 1 : -1]) <= {StepState.SKIPPED}
    assert states["notify"] is StepState.OK and len(monday.store.notices.select_pending(monday.clock())) == 1
    assert monday.store.proposals.find_by_run(done.id) is None


def test_a_run_that_ends_within_its_deadline_is_left_alone(monday: Monday) -> None:
    kit = monday.run_context()
    monday.seconds = kit.until - 30
    assert run(kit).outcome is Outcome.PROPOSED
    monday.seconds = kit.until + 1
    assert kit.seconds_left == 0.0


def test_a_step_is_timed_by_the_clock_that_is_given(monday: Monday) -> None:
    choose = monday.analyst.choose

    def slow(snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        monday.seconds += 12.5
        answer: Recommendation = choose(snapshot, menu, briefing)
        return answer

    monday.analyst.choose = slow
    assert {step.name: step.ms for step in monday.run().steps} == {**dict.fromkeys(STEPS, 0), "consult": 12_500}


def test_collecting_takes_no_longer_than_the_run_may(monday: Monday) -> None:
    """A source that never answers is waited for as long as the run has left, not for market.deadline_seconds."""
    waited = Event()

    class Mute(FakeMarket):
        def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
            waited.wait(SOON)
            return super().chain(underlying, expirations)

    monday.market = Mute()
    kit = monday.run_context()
    monday.seconds = kit.until - 0.2
    done = run(kit)
    waited.set()
    assert (done.outcome, done.exit_code) == (Outcome.FAILED, 75)
    assert "no answer within the 0 s for collecting" in done.reasons[0]


def test_nothing_in_a_run_sends_an_order(monday: Monday) -> None:
    monday.run()
    assert monday.orders.requests == []


def test_a_run_replays_from_its_record_without_a_difference(monday: Monday) -> None:
    done = monday.run()
    again = replay_offline(monday, done)
    assert again.differences == ()
    assert set(again.checked) >= {"gates", "menu", "shadow of the rule rules", "checks", "size", "proposal", "order"}


def test_a_replay_uses_the_settings_of_the_run_not_those_of_today(monday: Monday) -> None:
    monday.settings = replace(monday.settings, choice=replace(monday.settings.choice, per_side=2))
    done = monday.run()
    again = replay_offline(monday, done)
    assert again.differences == ()


def test_a_difference_is_named_by_its_path() -> None:
    then = {"menu": [{"mid": "0.58"}, {"mid": "0.60"}]}
    now = {"menu": [{"mid": "0.58"}, {"mid": "0.61"}]}
    assert list(diff_values(then, now)) == ["menu[1].mid was 0.60, is now 0.61"]


def test_the_deadline_of_the_settings_is_that_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock of the process takes three seconds."""
    seconds = count(0, 3)
    monkeypatch.setattr(App, "monotonic", lambda app: float(next(seconds)))
    monkeypatch.setenv("SPY32_SCHEDULE_RUN_DEADLINE_SECONDS", "10")
    words = ["--home", str(tmp_path), "analyze", "--market", "recorded", "--analyst", "rules"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 75
    assert "the run took longer than 10 s (schedule.run_deadline_seconds); it ended before" in result.output
