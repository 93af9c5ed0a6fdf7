"""The null histories measure what they say: real overlaps, no effect, and the evidence as the program has it."""

import numpy as np
import pytest

from proofs import null_histories as nulls
from proofs.walk_forward import DELTAS, RATIOS, WIDTH, Spread, SyntheticSmile, build_mondays, read_history
from spy32.review.betting import evidence
from spy32.review.bounds import share_bounds

pytestmark = pytest.mark.slow


def test_running_evidence_is_the_program_s_after_each_week() -> None:
    differences = np.random.default_rng(1).uniform(-0.5, 0.6, (3, 40))
    running = nulls.running_evidence(differences, 5)
    for week in (1, 5, 6, 40):
        expected = evidence(differences[:, :week], 5)
        assert running[:, week - 1] == pytest.approx(expected)


def test_histories_are_blocks_of_consecutive_mondays() -> None:
    weeks = nulls.draw_weeks(7, np.random.default_rng(1))
    assert weeks.shape == (7, nulls.WEEKS)
    steps = np.diff(weeks.reshape(7, -1, nulls.BLOCK), axis=2)
    assert np.all(steps == 1)
    assert weeks.min() >= 0 and weeks.max() < len(nulls.candidates().max_loss)


def test_a_trade_under_the_plan_ends_at_half_its_credit_or_three_weeks_before_expiration() -> None:
    menu, history = nulls.candidates(), read_history()
    mondays = build_mondays(history)
    spread = Spread(SyntheticSmile(mondays, 1.0), nulls.PUT[0], nulls.PUT[1])
    column = list(RATIOS).index(nulls.PUT[0]) * len(DELTAS) + DELTAS.index(nulls.PUT[1])
    results = menu.results["plan"][:, column]
    assert np.all(np.isfinite(menu.results["plan"]))
    is_target = results >= 0.5 * spread.credit
    assert 0.3 < is_target.mean() < 0.7
    assert np.all(results >= spread.credit - WIDTH * mondays.spot)
    assert menu.results["plan"].std() < menu.results["expiry"].std()


def test_fixed_picks_have_no_difference_on_the_long_run() -> None:
    every = np.arange(len(nulls.candidates().max_loss))[None, :]
    for name in nulls.COMPARISONS:
        found = nulls.fixed_comparison(name, every)
        assert found.differences.mean() == pytest.approx(0.0, abs=1e-12)
        assert found.deviation == pytest.approx(found.differences.std())
        assert np.abs(found.differences).max() <= 1.0


def test_overlapping_trades_depend_on_each_other_as_the_streams_assume() -> None:
    """Trades to expiration overlap in four further weeks, those under the plan in one."""
    every = np.arange(len(nulls.candidates().max_loss))[None, :]
    for name, lags in (("put against call, to expiration", 5), ("put against call, exit plan", 2)):
        column = nulls.fixed_comparison(name, every).differences[0]
        found = [float(np.corrcoef(column[:-lag], column[lag:])[0, 1]) for lag in range(1, lags + 1)]
        assert found[0] > 0.3
        assert abs(found[-1]) < 0.1


def test_the_figures_of_the_report_are_alike_in_the_long_run_and_lie_within_their_bounds() -> None:
    every = np.arange(len(nulls.candidates().max_loss))[None, :]
    for each in nulls.report_statements(np.repeat(every, 3, axis=0), np.random.default_rng(1)):
        assert each.outcomes.shape == each.stated.shape
        assert each.lowest <= each.outcomes.min() and each.outcomes.max() <= 1
        assert (each.outcomes - each.stated).mean() == pytest.approx(0.0, abs=0.02), each.name


def test_a_statement_is_false_where_its_interval_leaves_out_what_was_stated() -> None:
    """By the intervals that the report prints, week by week."""
    rng = np.random.default_rng(4)
    outcomes = (rng.random((20, 60)) < np.linspace(0.3, 1.0, 20)[:, None]).astype(float)
    stated = rng.uniform(0.55, 0.75, outcomes.shape)
    is_above, is_below = np.zeros(20, dtype=bool), np.zeros(20, dtype=bool)
    for row in range(20):
        for week in range(31, 61):
            found = share_bounds(outcomes[row, :week], np.arange(week), nulls.STREAMS["expiry"])
            assert found is not None and found.low is not None and found.high is not None
            mean = stated[row, :week].mean()
            is_above[row] |= found.low > mean
            is_below[row] |= found.high < mean
    claims = nulls.count_false_statements(nulls.Statement("share", outcomes, stated, 0.0))
    assert 0 < is_above.mean() <= claims.better <= is_above.mean() + 0.05
    assert 0 < is_below.mean() <= claims.worse <= is_below.mean() + 0.05
