"""Requests to a model and raw documents in the store: two phases, one answer, every tick counted, to the letter."""

import gzip
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

import pytest

from spy32.domain.answer_role import AnswerRole
from spy32.domain.briefing import Briefing, OpenSpread
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Dividend, RawDocument
from spy32.domain.model_calls import ModelResponse, ResponseCheck
from spy32.domain.runs import Outcome
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, Refused, StoreError
from spy32.ports import ModelRequestLog
from spy32.records import maintenance
from spy32.records.encoding import MAX_COUNT, storable_text
from spy32.records.maintenance import is_sound
from spy32.schema import VERSION, schema_version
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, later
from tests.support.stores import V1, asked, asking, begun, heard, opened, whole_run

ODD = 'line\nwith "quotes", é ✓, \x1b[31m, \x00 and half a pair \ud83d'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def briefing(**over: object) -> Briefing:
    base: dict[str, object] = {
        "underlying": "SPY",
        "as_of": NOW,
        "target": builders.EXPIRATION,
        "dte": 32,
        "figures": {
            "market.spot": builders.datum(670.0, unit="dollars"),
            "market.rsi_14": builders.datum(58.25, unit="points", count=260),
            "market.atm_iv": builders.datum(None, missing="no two-sided quotes"),
        },
        "bars": builders.history(3),
        "events": (ScheduledEvent(kind=EventKind.FOMC, day=builders.TODAY, time="14:00", source="table"),),
        "unknown_events": {"cpi": "unknown after 2025-10-31"},
        "dividends": (Dividend(ex_date=builders.TODAY, amount=Decimal("1.83")),),
        "held": (
            OpenSpread(
                underlying="SPY", strategy="put_credit_spread", short_strike=Decimal(640), long_strike=Decimal(635),
                expiration=builders.EXPIRATION, quantity=2, credit=Decimal("0.58"), max_loss=Decimal("888.52"),
            ),
        ),
        "open_risk": Decimal("888.52"),
        "flags": ("quotes are 15 min late",),
    }  # fmt: skip
    return Briefing(**{**base, **over})  # type: ignore[arg-type]


# Attempts.


def test_the_store_is_a_journal(store: Store) -> None:
    journal: ModelRequestLog = store.model_calls
    number = journal.begin(begun(store).id, asking(), NOW)
    journal.end(number, heard(), later(9))


def test_an_attempt_is_there_before_it_is_answered(store: Store, tmp_path: Path) -> None:
    run = begun(store)
    number = store.model_calls.begin(run.id, asking(), NOW)
    with opened(tmp_path / "paper.db", read_only=True) as other:
        (seen,) = other.model_calls.select_by_run(run.id)
    assert (seen.id, seen.at, seen.attempt, seen.heard) == (number, NOW, asking(), None)


def test_an_answered_attempt_comes_back_to_the_letter(store: Store) -> None:
    run = begun(store)
    said = heard(response=ODD, text=ODD[::-1], detail="half price", is_estimate=True)
    number = asked(store, run.id, said, request=ODD, sample=3, attempt=2)
    (seen,) = store.model_calls.select_by_run(run.id)
    assert seen.attempt == asking(request=ODD, sample=3, attempt=2)
    assert seen.heard == said
    assert (seen.id, store.audit.verify().broken, store.integrity.check()) == (number, None, ())


def test_a_failure_without_an_answer_comes_back_as_it_was(store: Store) -> None:
    run = begun(store)
    said = ModelResponse(outcome="timeout", detail="no answer within 120 s", ms=120_000, cost_ticks=5, is_estimate=True)
    asked(store, run.id, said)
    assert store.model_calls.select_by_run(run.id)[0].heard == said


def test_words_that_no_column_can_hold_do_not_lose_the_bill(store: Store) -> None:
    run = begun(store)
    asked(store, run.id, heard(model="grok\ud800", detail="a\udfff", fingerprint="\ud800", request_id="\ud800"))
    seen = store.model_calls.select_by_run(run.id)[0].heard
    assert seen is not None
    assert (seen.model, seen.detail, seen.fingerprint, seen.request_id) == ("grok?", "a?", "?", "?")


def test_a_second_answer_is_refused_and_changes_nothing(store: Store) -> None:
    run = begun(store)
    number = asked(store, run.id)
    with pytest.raises(Refused, match=r"attempt 1 ended already: answered at 2025-10-06T14:00:09"):
        store.model_calls.end(number, heard(cost_ticks=0), later(20))
    assert store.model_calls.select_by_run(run.id)[0].heard == heard()


def test_an_attempt_that_is_not_there_cannot_be_answered(store: Store) -> None:
    with pytest.raises(BadUsage, match="no attempt 7"):
        store.model_calls.end(7, heard(), NOW)


@pytest.mark.parametrize(
    "method", ["model_calls.select_by_run", "documents.select_by_run", "documents.summaries", "decisions.briefing"]
)
def test_an_unknown_run_is_named(store: Store, method: str) -> None:
    with pytest.raises(BadUsage, match="there is no run R99"):
        attrgetter(method)(store)(99)
    with pytest.raises(BadUsage, match="there is no run R99"):
        store.model_calls.begin(99, asking(), NOW)


def test_a_run_that_has_ended_may_be_asked_about_again_and_an_answer_may_come_late(store: Store) -> None:
    run = begun(store)
    number = store.model_calls.begin(run.id, asking(), NOW)
    store.runs.finish(run.id, outcome=Outcome.FAILED, at=later(5))
    store.model_calls.end(number, heard(), later(9))
    asked(store, run.id, role=AnswerRole.AGAIN)
    assert [one.attempt.role for one in store.model_calls.select_by_run(run.id)] == ["chosen", "again"]


CHANGES = (
    "update attempt set ended_at = null, outcome = null, cost_ticks = null",
    "update attempt set cost_ticks = 0",
    "update attempt set response = x'00'",
)


@pytest.mark.parametrize("change", CHANGES)
def test_an_answered_attempt_can_not_be_changed(store: Store, change: str) -> None:
    asked(store, begun(store).id)
    with pytest.raises(sqlite3.IntegrityError, match="answered once"):
        store.core.db.execute(change)


@pytest.mark.parametrize("column", ["request = x'00'", "estimate_ticks = 0", "run_id = 2", "model = 'x'", "role = 'x'"])
def test_what_was_asked_can_not_be_changed_even_with_the_answer(store: Store, column: str) -> None:
    run = begun(store)
    begun(store)
    store.model_calls.begin(run.id, asking(), NOW)
    answer = "ended_at = 'now', outcome = 'answered', cost_ticks = 1"
    for change in (column, f"{answer}, {column}"):
        with pytest.raises(sqlite3.IntegrityError, match="answered once"):
            store.core.db.execute(f"update attempt set {change}")
    store.core.db.execute(f"update attempt set {answer}")


@pytest.mark.parametrize(
    "edit",
    [
        "update attempt set cost_ticks = 1",
        "update attempt set response = x'00'",
        "update document set body = x'00'",
        "update snapshot set briefing = '{}'",
        "delete from attempt",
        "delete from document",
    ],
)
def test_an_edit_by_hand_is_found(store: Store, edit: str) -> None:
    run = whole_run(store)
    asked(store, run.id)
    store.documents.save(run.id, documents(), NOW)
    assert store.audit.verify().broken is None
    for row in store.core.db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        store.core.db.execute(f"drop trigger {row['name']}")
    store.core.db.execute(edit)
    assert "by hand" in str(store.audit.verify().broken)


# Budgets.


def test_an_attempt_without_a_bill_counts_with_its_estimate(store: Store) -> None:
    run, other = begun(store), begun(store)
    assert (store.model_calls.run_ticks(run.id), store.model_calls.ticks_since(NOW)) == (0, 0)
    asked(store, run.id)
    store.model_calls.begin(run.id, asking(), later(20))
    asked(store, other.id, heard(cost_ticks=7))
    assert store.model_calls.run_ticks(run.id) == 241_500_000 + 300_000_000
    assert store.model_calls.run_ticks(other.id) == 7
    assert store.model_calls.ticks_since(NOW) == 541_500_007


def test_only_what_was_begun_since_then_is_counted(store: Store) -> None:
    run = begun(store)
    for seconds in (-1, -0.5, 0, 0.000001, 1):
        number = store.model_calls.begin(run.id, asking(), later(seconds))
        store.model_calls.end(number, heard(cost_ticks=1), later(60))
    assert store.model_calls.ticks_since(NOW) == 3
    assert store.model_calls.ticks_since(later(0.5)) == 1


CHECKED = ResponseCheck(
    parser=1, decision="trade", candidate_id="K7Q2", marks=("it states a probability", ODD), vetoes=("3 numbers",)
)


@pytest.mark.parametrize(
    "made",
    [
        CHECKED,
        ResponseCheck(parser=2, decision="failed", check="off_menu", words=ODD),
        ResponseCheck(parser=1, decision="abstain"),
    ],
)
def test_what_the_checks_made_of_an_answer_is_kept_beside_it_once(store: Store, made: ResponseCheck) -> None:
    run = begun(store)
    number, other = asked(store, run.id), asked(store, run.id, attempt=2)
    store.model_calls.record_check(number, made, later(10))
    first, second = store.model_calls.select_by_run(run.id)
    kept = first.checked
    assert kept is not None and second.checked is None
    assert (kept.parser, kept.decision, kept.candidate_id, kept.check) == (
        made.parser, made.decision, made.candidate_id, made.check,
    )  # fmt: skip
    assert [kept.words, *kept.marks, *kept.vetoes] == [
        storable_text(text) for text in (made.words, *made.marks, *made.vetoes)
    ]
    with pytest.raises(Refused, match="checked already"):
        store.model_calls.record_check(number, made, later(11))
    assert other != number
    report = store.audit.verify()
    assert report.broken is None


def test_only_an_answer_can_be_checked(store: Store) -> None:
    number = store.model_calls.begin(begun(store).id, asking(), NOW)
    for which in (number, 7):
        with pytest.raises(BadUsage, match=f"no answer of attempt {which}"):
            store.model_calls.record_check(which, CHECKED, NOW)


@pytest.mark.parametrize(("said", "counted"), [(-5, 0), (2**63, MAX_COUNT), (10**30, MAX_COUNT)])
def test_no_bill_can_lower_the_sum_or_break_it(store: Store, said: int, counted: int) -> None:
    run = begun(store)
    asked(store, run.id, heard(cost_ticks=said, input_tokens=said, ms=said))
    asked(store, run.id, heard(cost_ticks=3))
    assert store.model_calls.run_ticks(run.id) == counted + 3
    assert store.model_calls.usage_summaries(run.id)[0].attempts == 2


def test_tallies_go_by_role_and_prompt(store: Store) -> None:
    run = begun(store)
    asked(store, run.id, heard(outcome="rate_limit", model=None, cost_ticks=0, input_tokens=0, output_tokens=0))
    asked(store, run.id, attempt=2)
    store.model_calls.begin(run.id, asking(role=AnswerRole.SHADOW, prompt="v1-simplified"), later(20))
    chosen, shadow = store.model_calls.usage_summaries(run.id)
    assert (chosen.role, chosen.attempts, chosen.unanswered, chosen.is_estimate) == ("chosen", 2, 0, False)
    assert (chosen.input_tokens, chosen.output_tokens, chosen.cost_ticks) == (6_100, 900, 241_500_000)
    assert (chosen.asked, chosen.answered) == (("grok-4.3",), ("grok-4.3-0401",))
    assert (shadow.prompt, shadow.unanswered, shadow.cost_ticks) == ("v1-simplified", 1, 300_000_000)
    assert (shadow.is_estimate, shadow.answered, shadow.ms) == (True, (), 0)


def test_the_same_question_within_a_week_is_told(store: Store) -> None:
    old, first, second, third = (begun(store).id for _ in range(4))
    store.model_calls.begin(old, asking(), NOW - timedelta(days=7, minutes=1))
    store.model_calls.begin(first, asking(), NOW)
    store.model_calls.begin(first, asking(attempt=2), NOW)
    store.model_calls.begin(second, asking(role=AnswerRole.SHADOW), later(60))
    store.model_calls.begin(third, asking(input_hash="c3" * 32), later(60))
    store.model_calls.begin(third, asking(role=AnswerRole.SHADOW, prompt_hash="d4" * 32), later(60))
    store.model_calls.begin(third, asking(role=AnswerRole.AGAIN), later(60 * 24 * 6))
    assert [store.model_calls.usage_summaries(run)[0].asked_before for run in (old, first, second)] == [
        (),
        (),
        (first,),
    ]
    assert [tally.asked_before for tally in store.model_calls.usage_summaries(third)] == [(), (), (first, second)]


def test_a_view_has_the_tallies_and_reads_no_body(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = whole_run(store)
    asked(store, run.id)
    store.documents.save(run.id, documents(), NOW)
    monkeypatch.setattr(zlib, "decompress", lambda data: pytest.fail("a body was read"))
    assert [tally.attempts for tally in store.history.view(run.id).attempts_summary] == [1]
    assert [line.size for line in store.documents.summaries(run.id)] == [5000, 0]


# Documents.


def documents() -> tuple[RawDocument, ...]:
    return (
        RawDocument(source="cboe", name="delayed_quotes", at=later(-3), body=bytes(range(250)) * 20),
        RawDocument(source="yahoo", name="history", at=NOW, body=b""),
    )


def test_documents_come_back_byte_for_byte(store: Store) -> None:
    run = begun(store)
    assert store.documents.select_by_run(run.id) == ()
    store.documents.save(run.id, documents(), NOW)
    assert store.documents.select_by_run(run.id) == documents()
    line = store.documents.summaries(run.id)[0]
    assert (line.source, line.name, line.at) == ("cboe", "delayed_quotes", later(-3))
    assert store.audit.verify().broken is None


def test_no_document_is_nothing_to_write(store: Store) -> None:
    run = begun(store)
    before = store.audit.head()
    store.documents.save(run.id, (), NOW)
    assert store.audit.head() == before


def test_documents_belong_to_a_run_that_is_at_work(store: Store) -> None:
    run = begun(store)
    store.runs.finish(run.id, outcome=Outcome.FAILED, at=later(5))
    with pytest.raises(Refused, match="R1 has ended"):
        store.documents.save(run.id, documents(), NOW)


def test_a_damaged_document_is_named(store: Store) -> None:
    run = begun(store)
    store.documents.save(run.id, documents(), NOW)
    store.core.db.execute("drop trigger document_no_update")
    store.core.db.execute("update document set body = x'00' where id = 2")
    with pytest.raises(StoreError, match="document 2 of R1"):
        store.documents.select_by_run(run.id)


# The briefing.


def test_a_briefing_comes_back_with_its_figures_in_order(store: Store) -> None:
    run = begun(store)
    kept = briefing()
    store.decisions.save_snapshot(
        run.id, builders.snapshot(), builders.quality(), builders.market_line(), NOW, briefing=kept
    )  # fmt: skip
    found = store.decisions.briefing(run.id)
    assert found == kept
    assert found is not None
    assert list(found.figures) == ["market.spot", "market.rsi_14", "market.atm_iv"]
    assert store.history.view(run.id).briefing == kept


def test_a_run_without_a_briefing_has_none(store: Store) -> None:
    assert store.decisions.briefing(begun(store).id) is None
    assert store.decisions.briefing(whole_run(store).id) is None


def test_a_damaged_briefing_is_named(store: Store) -> None:
    run = begun(store)
    store.decisions.save_snapshot(run.id, builders.snapshot(), builders.quality(), builders.market_line(), NOW)
    store.core.db.execute("drop trigger snapshot_no_update")
    for text in ("{}", "[]", '{"figures": 1}', '{"figures": []}', "no"):
        store.core.db.execute("update snapshot set briefing = ?", (text,))
        with pytest.raises(StoreError, match="the briefing of R1 cannot be read"):
            store.decisions.briefing(run.id)


def test_words_of_an_answer_that_no_column_can_hold_do_not_lose_it(store: Store) -> None:
    run = begun(store)
    store.decisions.save_answer(
        run.id, replace(builders.recommendation(), analysis="a\ud800b"), role=AnswerRole.CHOSEN, at=NOW
    )
    assert store.decisions.answers(run.id)[0][1].analysis == "a?b"
    ended = store.runs.finish(run.id, outcome=Outcome.FAILED, at=NOW, reasons=("grok: \udfff",))
    assert ended.reasons == ("grok: ?",)


# The upgrade of a file that the first release wrote.

HEAD = "3b53d1066ce89de9e53d441f004f71cc0a5f25e7966f96ea1dbed7a4b448bd20"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "paper.db"
    path.parent.mkdir()
    path.write_bytes(gzip.decompress(V1.read_bytes()))
    return path


def test_a_first_layout_is_upgraded_after_a_backup_with_its_history_whole(old: Path) -> None:
    with opened(old) as store:
        assert schema_version(store.core.db) == VERSION
        report = store.audit.verify(head=HEAD)
        assert (report.broken, report.head, report.events) == (None, HEAD, 22)
        assert store.integrity.check() == ()
        view = store.history.view(1)
        assert view.recommendation == builders.recommendation()
        assert view.trade is not None
        assert (
            view.briefing,
            view.attempts_summary,
            store.model_calls.select_by_run(1),
            store.documents.select_by_run(1),
        ) == (None, (), (), ())
        assert store.decisions.snapshot(1).spot == builders.SPOT
        asked(store, 1)
        assert (store.audit.verify(head=HEAD).broken, store.integrity.check()) == (None, ())
    (backup,) = (old.parent / "backups").glob("*.db")
    assert backup.name == "paper-20251006T140000Z-v1.db"
    assert is_sound(backup)
    assert gzip.decompress(V1.read_bytes())[60:64] == backup.read_bytes()[60:64]


def test_what_the_first_layout_guarded_stays_guarded(old: Path) -> None:
    with opened(old) as store:
        for change in ("update answer set cost_ticks = 1", "delete from run", "update snapshot set briefing = '{}'"):
            with pytest.raises(sqlite3.IntegrityError, match="is never"):
                store.core.db.execute(change)


def test_a_first_layout_is_read_and_left_as_it_was_where_nothing_may_be_written(old: Path) -> None:
    before = old.read_bytes()
    old.chmod(0o400)
    old.parent.chmod(0o500)
    try:
        with opened(old, read_only=True) as store:
            assert store.history.view(1).attempts_summary == ()
            assert (store.audit.verify(head=HEAD).broken, store.integrity.check()) == (None, ())
            assert store.model_calls.ticks_since(NOW) == 0
    finally:
        old.parent.chmod(0o700)
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["paper.db"]


def test_a_backup_of_the_first_layout_can_be_restored(old: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "paper.db"
    target.parent.mkdir()
    maintenance.restore(old, target, mode=Mode.PAPER, at=NOW)
    with opened(target) as store:
        assert (schema_version(store.core.db), store.audit.verify(head=HEAD).broken) == (VERSION, None)
        asked(store, 1)
