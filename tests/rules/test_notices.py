"""What a person is told: golden texts, the length of an SMS, and what no notice ever says."""

import re
from dataclasses import replace

import pytest

from spy32.domain.notices import EVENT_CLASSES, SHORT_LENGTH, EventClass, NoticeKind
from spy32.domain.spreads import Mode
from spy32.rules import notices, trade_notices
from tests.support import builders, outlooks
from tests.support.sample_notices import ACCOUNT, LONG, SAMPLES, golden_path, golden_text, stored


@pytest.mark.parametrize("name", SAMPLES)
def test_a_notice_reads_as_its_golden_file(name: str) -> None:
    hint = "look at the difference, then: python -m tests.support.sample_notices"
    assert golden_text(name) == golden_path(name).read_text(encoding="utf-8"), hint


def test_every_golden_file_is_a_notice_and_every_kind_has_a_class() -> None:
    assert {path.stem for path in golden_path("test").parent.iterdir()} == SAMPLES.keys()
    assert EVENT_CLASSES.keys() == set(NoticeKind)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_one_line_form_is_one_line_of_an_sms_with_the_id(name: str) -> None:
    text = stored(SAMPLES[name], number=123_456).short_text
    assert len(text) <= SHORT_LENGTH and "\n" not in text and text.endswith("(N123456)")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_notice_says_its_mode_first_and_names_no_account_and_no_link(name: str) -> None:
    notice = stored(SAMPLES[name])
    told = f"{notice.subject}\n{notice.short_text}\n{notice.long_text}"
    assert ACCOUNT not in told and "://" not in told and "\n" not in notice.subject
    if notice.event_class is not EventClass.PING:
        modes = "|".join(mode.upper() for mode in Mode)
        assert all(re.match(rf"\[({modes})\] ", text) for text in (notice.subject, notice.short_text, notice.long_text))


def test_words_that_are_too_long_are_cut_and_the_id_stays() -> None:
    text = notices.ending_notice(NoticeKind.FAILED, 7, Mode.PAPER, "failed", "data", (LONG,))
    short = stored(text).short_text
    assert len(short) == SHORT_LENGTH and short.endswith("… (N12)")
    assert len(text.body) < 1000


def test_a_candidate_without_a_history_has_the_markets_probability() -> None:
    for found, chance in ((None, "79%"), (outlooks.without_history(), "80%")):
        entry = builders.candidate(outlook=found)
        text = trade_notices.proposal_notice(builders.proposal(), entry, None)
        assert f", win {chance} if held, by option prices: spy32 approve P1" in text.short
        assert "average" not in text.body
    text = trade_notices.proposal_notice(builders.proposal(), builders.candidate(), None)
    assert "average       +15 dollars for the order, 90% sure -3 to +33\n" in text.body


def test_foreign_words_move_no_cursor_and_begin_no_line() -> None:
    reason = "calm\x1b[2J\nSubject: hello\u202e 漢字 \U0001f600"
    chosen = builders.recommendation(reason=reason)
    text = trade_notices.proposal_notice(builders.proposal(), builders.candidate(), chosen)
    assert "漢字 \U0001f600" in text.body and "\x1b" not in text.body and "\u202e" not in text.body
    assert not [line for line in text.body.splitlines() if line.startswith("Subject")]


def test_a_condor_has_its_payoff_on_both_sides() -> None:
    put, call = builders.spread(), builders.spread("660", "665")
    legs = (*put.legs, *(replace(leg, right=type(leg.right)("C")) for leg in call.legs))
    text = notices.proposal_payoff_text(builders.proposal(legs=legs))
    gains = [line.split()[1] for line in text.splitlines()[1:]]
    assert gains[0] == gains[-1] == "-$889" and "+$111" in gains[2:-2]


def test_the_ping_of_a_run_has_the_same_uuid_each_time() -> None:
    run, other = builders.run(id=31), builders.run(id=32)
    assert notices.ping_id(run) == notices.ping_id(run) != notices.ping_id(other)
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", notices.ping_id(run))
