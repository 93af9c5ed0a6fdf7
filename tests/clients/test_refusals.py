"""Refused log-ins are remembered by the next process: one more try, then none with the same credentials."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spy32.clients.tastytrade.oauth_session import LoginRefusals
from spy32.errors import NotPermitted, Unavailable
from spy32.settings.knob import Secret

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
SECRETS = (Secret("planted-client-secret"), Secret("planted-refresh-token"))


def at(path: Path, later: timedelta = timedelta(0), secrets: tuple[Secret, ...] = SECRETS) -> LoginRefusals:
    return LoginRefusals(path / "refused.json", lambda: NOW + later, *secrets)


def test_nothing_stands_before_a_refusal_and_after_a_good_log_in(tmp_path: Path) -> None:
    assert at(tmp_path).blocking_error() is None
    at(tmp_path).add("HTTP 400: invalid_grant")
    at(tmp_path).clear()
    assert at(tmp_path).blocking_error() is None


def test_a_first_refusal_holds_for_a_minute_and_allows_one_more_try(tmp_path: Path) -> None:
    at(tmp_path).add("HTTP 400: invalid_grant")
    standing = at(tmp_path, timedelta(seconds=59)).blocking_error()
    assert isinstance(standing, Unavailable) and "invalid_grant" in standing.message
    assert at(tmp_path, timedelta(seconds=60)).blocking_error() is None


def test_a_second_refusal_stands_until_a_block_would_be_over(tmp_path: Path) -> None:
    at(tmp_path).add("HTTP 400: invalid_grant")
    at(tmp_path, timedelta(minutes=2)).add("HTTP 400: invalid_grant")
    assert isinstance(at(tmp_path, timedelta(hours=7)).blocking_error(), NotPermitted)
    assert at(tmp_path, timedelta(hours=9)).blocking_error() is None


def test_other_credentials_are_asked_at_once_and_no_secret_is_kept(tmp_path: Path) -> None:
    at(tmp_path).add("HTTP 400: invalid_grant")
    assert at(tmp_path, secrets=(Secret("other"), SECRETS[1])).blocking_error() is None
    kept = (tmp_path / "refused.json").read_text()
    assert not any(secret.reveal() in kept for secret in SECRETS)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"key": "x", "count": "many"}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "refused.json").write_text(text)
    assert at(tmp_path).blocking_error() is None
