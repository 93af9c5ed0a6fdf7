"""Every proof with a small count: the same code that `make proofs` runs with large ones."""

import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from proofs import (
    american_chains,
    crowd,
    flips,
    fuzz_answers,
    fuzz_chains,
    kill,
    live_kill,
    lost_answers,
    machine,
    manage_kill,
    null_histories,
    one_order,
    option_prices,
    restores,
    slots,
    year,
)
from spy32.markets.recorded import SHIPPED_CHAIN
from spy32.ops.cron import parse_job
from tests.support.order_state_machine import run_crash, run_manage_crash
from tests.support.paths import ROOT
from tests.support.timeouts import PATIENCE

pytestmark = pytest.mark.slow

ANSWER_SECONDS = 1.0
"""Enough for a request to leave on a busy machine."""

# Kills and crowds, on paper.


@pytest.mark.parametrize("command", kill.CYCLE, ids=lambda command: str(command[0]))
def test_a_kill_at_any_commit_loses_nothing_and_doubles_nothing(command: tuple[str, ...]) -> None:
    tally = kill.prove(1, [command])[command[0]]
    assert tally.killed == tally.rounds >= 1
    assert tally.lost == []
    assert tally.beyond == []


def test_many_concurrent_executes_submit_once() -> None:
    submits, codes = kill.concurrent(12)
    assert submits == 1
    assert set(codes) <= {0, 10, 75}
    assert codes[0] >= 1


def test_kills_at_any_moment_lose_nothing_that_the_store_acknowledged() -> None:
    """In a process of its own, since it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "proofs.store_kill", "5"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Kills, lost answers and crowds against the local broker, in live mode.


def test_a_kill_at_any_commit_of_a_live_execute_doubles_loses_and_leaves_nothing() -> None:
    tally = live_kill.prove(1)
    assert tally.points >= 10
    assert tally.killed == tally.rounds == tally.points * 2
    assert tally.faults == []


def test_a_kill_at_any_third_commit_of_a_live_manage_closes_once_and_loses_nothing() -> None:
    tally = manage_kill.prove(1, every=3)
    assert tally.points >= 5
    assert tally.killed == tally.rounds == tally.points * 2
    assert (tally.beyond, tally.over, tally.lost) == ([], [], [])


@pytest.mark.parametrize("name", lost_answers.LOSSES)
def test_an_order_whose_answer_is_lost_is_never_doubled_and_settled_by_reading(name: str) -> None:
    rounds = len(lost_answers.LOSSES[name].kinds) * len(lost_answers.LOSSES[name].after)
    tally = lost_answers.prove(rounds, (name,), ANSWER_SECONDS)[name]
    assert tally.rounds == rounds * len(lost_answers.WRITES)
    assert (tally.doubled, tally.unsettled) == ([], [])


def test_a_restore_under_a_living_execute_is_refused_and_loses_no_trade() -> None:
    tally = restores.prove(2)
    assert (tally.rounds, tally.refused) == (2, 6)
    assert tally.faults == []


def test_a_crowd_of_live_executes_sends_one_order() -> None:
    found = crowd.executes(12)
    assert (found.posts, found.orders, found.trades) == (1, 1, 1)
    assert found.odd == set()
    assert sum(found.codes.values()) == found.count


@pytest.mark.parametrize("kind", one_order.KINDS)
def test_no_copy_no_restore_and_no_late_arrival_fills_more_than_was_approved(kind: str) -> None:
    rounds = len(one_order.KINDS[kind])
    tally = one_order.prove(rounds, (kind,))[kind]
    assert (tally.rounds, tally.beyond, tally.build_error) == (rounds, 0, [])


def test_of_two_terminals_that_approve_one_wins() -> None:
    found = crowd.duels(2)
    assert found.rounds == 2
    assert found.build_error == []


def test_whatever_happens_in_whatever_order_nothing_is_doubled_and_nothing_is_lost() -> None:
    """Several short runs, since the examples of one resemble each other."""
    counted = sum((machine.run_machine(10, 25, seed) for seed in range(4)), start=Counter[str]())
    assert counted["executes: returned"] and counted["execute: died"] and counted["quiet: settled"]
    assert counted["manage: died"] and counted["managed: open"] and counted["close: started"]


def test_an_execute_that_dies_at_any_place_is_taken_up_by_the_next_one() -> None:
    """Both sides of each commit and of the request, and the pauses of the price walk; then the trade is there, but for
    the two places where the request had not left."""
    counted = [run_crash(place) for place in range(1, 14)]
    assert [each["execute: died"] for each in counted] == [1] * 13
    assert [each["executes: returned"] for each in counted] == [1, 0, 0] + [1] * 10
    assert [each["quiet: settled"] for each in counted] == [1] * 13


def test_a_manage_that_dies_at_any_place_is_taken_up_by_the_next_one_and_closes_its_trade_once() -> None:
    """Both sides of each commit and of each request, and the pauses of the price walk."""
    counted = [run_manage_crash(place) for place in range(1, 34)]
    assert [each["manage: died"] for each in counted] == [1] * 33
    assert [each["trades held"] for each in counted] == [0] * 33
    assert [each["quiet: settled"] for each in counted] == [1] * 33


# Damage and dirt.


def test_flips_of_single_bytes_are_never_silent_and_never_a_defect() -> None:
    tally = flips.prove(24)
    assert tally.flips == 24
    assert tally.faults == []
    assert tally.checked >= 12


def test_a_broken_chain_ends_with_a_verdict_or_one_line() -> None:
    assert fuzz_chains.fuzz(60, seed=50_000).total() == 60


def test_no_broken_answer_breaks_a_promise() -> None:
    found = fuzz_answers.fuzz(500)
    assert sum(found.values()) == 500
    # Both ends are reached, so the property is not about rejections only.
    assert {"accepted", "abstained", "schema", "not_json", "off_menu", "contradiction"} <= found.keys()


def test_an_invented_number_seldom_passes_the_number_check() -> None:
    """The digits of a price, a credit or a ratio are worth something; two-digit numbers hardly are."""
    limits = {
        "a price near spot, cents": 0.10, "a credit, cents": 0.30, "dollars a contract, whole": 0.20,
        "per cent to 100, one decimal": 0.15, "a fraction, three decimals": 0.35, "days to 400": 0.15,
        "a ratio, two decimals": 0.25, "a day of the year": 0.25,
    }  # fmt: skip
    shares = fuzz_answers.false_matches(30, limits)
    assert {name: share for name, share in shares.items() if share > limits[name]} == {}


# Looking back.


def test_sentences_about_experiments_are_seldom_false_and_a_large_effect_is_found() -> None:
    """With the power table of 2,000 histories, whose shares these few must be near."""
    tally = null_histories.prove(60)
    assert tally.worst.any_share <= 0.05
    assert tally.found >= 0.9
    powers = {name: found[0.8, 260] for name, found in tally.powers.items()}
    assert powers.pop("put 0.16 against put 0.20, exit plan") == 0.0
    assert min(powers.values()) >= 0.9
    assert tally.powers["put against call, to expiration, naive"][0.0, 260] >= 0.1  # overlap breaks the plain test


# The schedule.


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Sydney"])
def test_the_example_crontab_makes_one_run_a_trading_monday_over_two_years(zone: str) -> None:
    figures = slots.simulate(zone, date(2024, 1, 1), date(2026, 1, 1))
    assert figures.faults == []
    # 105 Mondays; closed are 1 and 15 Jan, 19 Feb, 27 May, 2 Sep 2024, and 20 Jan, 17 Feb, 26 May, 1 Sep 2025.
    assert (figures.runs, figures.skipped) == (96, 9)


def test_a_line_that_starts_at_one_hour_is_seen_to_fail_in_one_of_the_seasons() -> None:
    job = parse_job("0 14 * * 1 spy32 analyze --scheduled")
    figures = slots.simulate("UTC", date(2026, 1, 1), date(2027, 1, 1), job)
    assert 15 < sum("not exactly one no_trade" in fault for fault in figures.faults) < 22


# A trade to its end.


def test_four_weeks_of_trades_end_and_their_cash_is_that_of_their_results(tmp_path: Path) -> None:
    report = year.prove(tmp_path, date(2022, 8, 15), 4)
    assert report.faults == []
    assert report.starts > 4 * 5 * 27
    assert len(report.trades) == 3  # the fourth Monday is a holiday
    assert len(report.exits) >= 2


# Option prices.


def test_the_second_engine_agrees_on_random_contracts() -> None:
    assert option_prices.main(300, 10)


def test_the_european_engine_picks_what_the_american_one_would_on_the_shipped_chain() -> None:
    found = american_chains.compare(SHIPPED_CHAIN)
    assert (found.has_ex_date, found.same_picks) == (True, True)
    assert 0.0 < found.delta < 0.01
    assert -0.5 < found.vol[0] <= found.vol[1] < 0.02  # points; the smile's own fit moves by a hundredth
