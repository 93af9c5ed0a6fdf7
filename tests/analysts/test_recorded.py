"""The model as a run heard it: requests and checks beside those of then."""

import pytest

from spy32.analysts.recorded import RecordedModel
from spy32.domain.model_calls import ModelCall, ResponseCheck
from tests.support import stores
from tests.support.builders import NOW

THEN = ResponseCheck(parser=1, decision="trade", candidate_id="K7Q2", marks=("a mark",))


def heard_again(then: ResponseCheck | None, now: ResponseCheck) -> list[str]:
    """The differences after one request that is the same, and its checks now."""
    attempt = stores.asking()
    model = RecordedModel([ModelCall(id=7, at=NOW, attempt=attempt, heard=stores.heard(), checked=then)])
    model.ask_model(attempt.request, 1.0)
    model.record_check(0, now, NOW)
    return model.differences


@pytest.mark.parametrize("then", [THEN, None])
def test_the_same_checks_are_no_difference_and_none_on_record_is_none(then: ResponseCheck | None) -> None:
    assert heard_again(then, THEN) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (
            ResponseCheck(parser=2, decision="trade", candidate_id="K7Q2", marks=("a mark",)),
            "trade K7Q2 (parser 2) a mark",
        ),
        (ResponseCheck(parser=1, decision="failed", check="off_menu", words="x"), "failed at off_menu (parser 1)"),
        (ResponseCheck(parser=1, decision="trade", candidate_id="K7Q2", vetoes=("no",)), "trade K7Q2 (parser 1) no"),
    ],
)
def test_checks_that_judge_otherwise_now_are_a_difference(now: ResponseCheck, words: str) -> None:
    assert heard_again(THEN, now) == [f"the checks of request 7 said trade K7Q2 (parser 1) a mark, now {words}"]


def test_a_request_that_is_another_one_now_and_one_too_many_are_differences() -> None:
    model = RecordedModel([ModelCall(id=7, at=NOW, attempt=stores.asking(), heard=stores.heard())])
    model.ask_model("{}", 1.0)
    assert model.ask_model("{}", 1.0).response.outcome == "unreachable"
    assert model.differences == ["request 7 is another one now", "one more request than then"]
