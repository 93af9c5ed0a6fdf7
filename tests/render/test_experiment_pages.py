"""The page of experiments: one screen, each state in words, no word of winning."""

from collections.abc import Sequence
from datetime import timedelta
from io import StringIO

import numpy as np

from spy32.console import PlainConsole
from spy32.domain.experiments import Experiment
from spy32.domain.report import ExperimentState
from spy32.render.experiment_pages import experiments_page
from spy32.render.output import print_page
from spy32.review.experiments import Pair, experiment_states
from tests.support.builders import NOW, TODAY, experiment, experiment_terms
from tests.support.reader import screen, shown


def report(differences: Sequence[float], of: Experiment | None = None) -> ExperimentState:
    found = of or experiment()
    pairs = [
        Pair(week=week, known=TODAY + timedelta(weeks=week), difference=difference, is_same=week % 2 == 0)
        for week, difference in enumerate(differences)
    ]
    (state,) = experiment_states([(found, pairs)], NOW)
    return state


def plain(*reports: ExperimentState) -> str:
    console = PlainConsole(StringIO())
    print_page(console, experiments_page(reports))
    return shown(console)


def test_a_few_outcomes_have_counts_and_no_interval() -> None:
    text = plain(report([0.1, -0.3]))
    assert "E1 mean difference: the challenger better in 1 of 2, too few to say more\n" in text
    assert "E1 pairs: 2 known, 0 open; the same choice in 1\n" in text


def test_many_outcomes_have_an_interval_and_a_reference_no_agreement() -> None:
    of_menu = experiment(terms=experiment_terms(champion="menu", profile="other"))
    text = plain(report([0.5, -0.5] * 20, of_menu))
    assert "E1 mean difference: +0.0% of max loss (90% interval -" in text
    assert "at any look)\n" in text
    assert "E1 pairs: 40 known, 0 open\n" in text
    assert text.rstrip().endswith("for 260 weeks; profile other")


def test_three_experiments_stand_on_one_screen_in_plain_words() -> None:
    rng = np.random.default_rng(5)
    good = [float(each) for each in np.clip(rng.normal(0.4, 0.2, 100), -1, 1)]
    others = [experiment(id=number, terms=experiment_terms(challenger="trend")) for number in (2, 3)]
    console = screen(80)
    reports = (report(good), *(report([0.5, -0.5] * 20, each) for each in others))
    print_page(console, experiments_page(reports))
    text = shown(console)
    assert "evidence for grok comprehensive, e = " in text
    assert len(text.splitlines()) <= 24
    for word in ("winner", "wins", "significant", "p value", "p =", "*", "★"):
        assert word not in text.lower()
