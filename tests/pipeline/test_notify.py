"""Which notice a run leaves in the outbox, and which ping its slot."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.domain.notices import Notice, NoticeKind
from spy32.domain.runs import Cause, Outcome
from spy32.domain.spreads import Menu, Mode
from spy32.errors import ExitCode, Unavailable
from spy32.pipeline.context import RunEnd
from spy32.pipeline.notify import ending_kind
from spy32.pipeline.run import run
from spy32.store import Store
from tests.support import builders
from tests.support.fakes import FakeAnalyst
from tests.support.pipeline_run import Monday


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[Monday]:
    store = Store.open(tmp_path / "paper.db", mode=Mode.PAPER, account=builders.ACCOUNT, at=builders.NOW)
    yield Monday(store=store)
    store.close()


def notices(monday: Monday) -> list[Notice]:
    return list(monday.store.notices.select_pending(monday.clock()))


def test_a_proposal_says_what_why_until_when_and_what_to_type(monday: Monday) -> None:
    done = monday.run()
    proposal = monday.store.proposals.find_by_run(done.id)
    chosen = monday.store.decisions.recommendation(done.id)
    assert proposal is not None and chosen is not None
    (notice,) = notices(monday)
    assert (notice.kind, notice.run_id, notice.about) == (NoticeKind.PROPOSED, done.id, f"P{proposal.id}")
    assert re.search(r", win \d+% with exits, by history: ", notice.short)
    for words in (proposal.trade_text, "max loss", "until 16:00 New York", f"spy32 approve P{proposal.id}"):
        assert words in notice.short, words
    assert f"{chosen.analyst}: {chosen.reason}" in notice.body and "at expiration" in notice.body


def test_an_abstention_is_news_of_the_week_with_its_reason(monday: Monday) -> None:
    monday.analyst = FakeAnalyst(pick=lambda menu: None)
    assert monday.run().cause == Cause.ABSTAINED
    (notice,) = notices(monday)
    assert notice.kind is NoticeKind.NO_TRADE and "no trade (abstained)" in notice.subject
    assert "as the test says" in notice.body


def test_a_failed_run_is_trouble(monday: Monday) -> None:
    monday.market.trouble = Unavailable("the source is down")
    assert monday.run().outcome is Outcome.FAILED
    (notice,) = notices(monday)
    assert notice.kind is NoticeKind.FAILED and "the source is down" in notice.short


def test_a_run_that_a_signal_ends_is_told_of(monday: Monday) -> None:
    def interrupt(menu: Menu) -> str:
        raise KeyboardInterrupt

    monday.analyst = FakeAnalyst(pick=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(monday.run_context())
    (notice,) = notices(monday)
    assert notice.kind is NoticeKind.FAILED and "interrupted (stopped)" in notice.subject


@pytest.mark.parametrize(
    ("outcome", "cause", "kind"),
    [
        (Outcome.NO_TRADE, Cause.LIMITS, NoticeKind.LIMIT),
        (Outcome.NO_TRADE, Cause.CONDITION, NoticeKind.NO_TRADE),
        (Outcome.FAILED, Cause.DEADLINE, NoticeKind.FAILED),
    ],
)
def test_what_ended_the_run_decides_the_kind(outcome: Outcome, cause: Cause, kind: NoticeKind) -> None:
    assert ending_kind(RunEnd(outcome=outcome, cause=cause, reasons=(), code=ExitCode.OK)) is kind
