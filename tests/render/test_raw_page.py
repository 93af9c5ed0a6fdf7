"""`show --raw`: every request with what came back, to the letter, and the documents of the sources."""

from dataclasses import replace

from spy32.domain.answer_role import AnswerRole
from spy32.domain.model_calls import ModelCall, ResponseCheck
from spy32.domain.run_view import DocumentSummary
from spy32.render.raw_page import raw_page
from spy32.render.raw_texts import RawTexts, StoredAnswer
from spy32.render.run_documents import run_document
from tests.support import builders as b
from tests.support import run_views, stores
from tests.support.run_pages import PLAIN, rendered
from tests.support.schemas import check

CHECKED = ResponseCheck(parser=1, decision="failed", check="off_menu", words="it names 'X', which is not on this menu")
PASSED = ResponseCheck(parser=1, decision="trade", candidate_id="K7Q2", marks=("a mark",), vetoes=("a veto",))


def raw() -> RawTexts:
    asking = stores.asking(request='{"a":  1}\n')
    return RawTexts(
        answers=(StoredAnswer(role=AnswerRole.CHOSEN, analyst="grok", request="", response=""),),
        attempts=(
            ModelCall(id=7, at=b.NOW, attempt=asking, heard=stores.heard(response='{"b":[1, 2]}  '), checked=CHECKED),
            ModelCall(id=8, at=b.NOW, attempt=stores.asking(sample=2), heard=None),
        ),
        documents=(DocumentSummary(source="cboe", name="delayed_quotes", at=b.NOW, size=5000),),
    )


def test_raw_has_each_attempt_first_with_its_words_as_stored() -> None:
    text = rendered(raw_page(run_views.asked(), raw()), PLAIN)
    for line in (
        "attempt 7 is: chosen, sample 1, attempt 1",
        "attempt 7 prompt: v1-comprehensive, hash a1a1a1a1, input b2b2b2b2",
        "attempt 7 asked: grok-4.3, effort high, Mon 2025-10-06 10:00 New York",
        "attempt 7 outcome: answered (HTTP 200, 8400 ms)",
        "attempt 7 answered by: grok-4.3-0401, fingerprint fp_1, request req-1",
        "attempt 7 tokens: 6100 in (1000 cached), 900 out (600 reasoning)",
        "attempt 7 cost: $0.02 (241500000 ticks)",
        'response 7: {"b":[1, 2]}  ',
        "attempt 7 checks: failed, ended at off menu: it names 'X', which is not on this menu (parser 1)",
        "attempt 8 outcome: no answer was ever written down",
        "attempt 8 cost: $0.03 (300000000 ticks), our estimate",
        "response 8: none",
        "document cboe: name delayed_quotes; bytes 5000; at (UTC) 2025-10-06 14:00:00",
    ):
        assert f"{line}\n" in text
    assert 'request 7:\n  {"a":  1}\n' in text
    assert "chosen grok" not in text
    assert "attempt 8 checks" not in text
    passed = RawTexts(attempts=(replace(raw().attempts[0], checked=PASSED),))
    text = rendered(raw_page(run_views.asked(), passed), PLAIN)
    for words in ("checks: trade K7Q2, every check passed (parser 1)", "mark: a mark", "veto: a veto"):
        assert f"attempt 7 {words}\n" in text
    assert text.index("attempt 7") < text.index("order body")


def test_raw_as_a_document_has_attempts_and_documents_to_the_letter() -> None:
    document = run_document(run_views.asked(), raw=raw())
    check(document)
    first, second = document["attempts"]
    assert (first["request"], first["heard"]["response"]) == ('{"a":  1}\n', '{"b":[1, 2]}  ')
    assert (first["heard"]["cost_usd"], first["heard"]["cost_ticks"]) == ("0.0241500000", 241_500_000)
    assert (first["checked"]["check"], first["checked"]["candidate_id"], second["checked"]) == ("off_menu", None, None)
    assert (second["heard"], second["estimate_usd"]) == (None, "0.0300000000")
    assert document["documents"] == [
        {"source": "cboe", "name": "delayed_quotes", "at": "2025-10-06T14:00:00Z", "bytes": 5000}
    ]
