"""The model asked again about a run that is over."""

from io import StringIO
from pathlib import Path

import pytest

from spy32.console import PlainConsole
from spy32.domain.spreads import Mode
from spy32.pipeline.replay import StoredQuestion, ask_model_again
from spy32.render.replay import print_re_ask
from spy32.store import Store
from tests.support import builders
from tests.support.fakes import FakeAnalyst
from tests.support.pipeline_run import Monday
from tests.support.reader import shown


@pytest.mark.parametrize(("place", "words"), [(0, "the same choice"), (1, "ANOTHER choice")])
def test_the_answer_stands_beside_the_run_s_own_and_changes_nothing(tmp_path: Path, place: int, words: str) -> None:
    with Store.open(tmp_path / "paper.db", mode=Mode.PAPER, account=builders.ACCOUNT, at=builders.NOW) as store:
        done = Monday(store=store).run()
        question = StoredQuestion.load(store, done.id)
        again = FakeAnalyst(pick=lambda menu: menu.candidates[place].id)
        answer = ask_model_again(store, done.id, question, again, lambda: builders.NOW)
        assert [role for role, _ in store.decisions.answers(done.id)].count("again") == 1
        assert store.runs.get(done.id) == done
        out = PlainConsole(StringIO())
        print_re_ask(out, question, answer, json=False)
    assert words in shown(out)
