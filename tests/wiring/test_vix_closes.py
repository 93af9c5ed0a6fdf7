"""VIX closes for outcomes: the first source that has the day, completed by those asked before it."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from spy32.errors import Unavailable
from spy32.wiring.daily_bars import request_vix_closes

MONDAY, TUESDAY = date(2025, 10, 6), date(2025, 10, 7)


def source(*closes: tuple[date, float], error: str = "") -> Any:
    def volatility_history(since: date) -> tuple[tuple[date, float], ...]:
        if error:
            raise Unavailable(error)
        return tuple(pair for pair in closes if pair[0] >= since)

    return SimpleNamespace(volatility_history=volatility_history)


def test_the_first_source_with_the_day_ends_the_asking_and_earlier_answers_stay() -> None:
    sources = [
        source(error="away"),
        source((TUESDAY, 17.2)),
        source((MONDAY, 16.4), (TUESDAY, 9.0)),
        source(error="no"),
    ]
    assert request_vix_closes(sources, MONDAY) == {MONDAY: 16.4, TUESDAY: 17.2}


def test_it_is_said_when_no_source_answers() -> None:
    with pytest.raises(Unavailable, match="away; down"):
        request_vix_closes([source(error="away"), source(error="down")], MONDAY)
    assert request_vix_closes([source()], MONDAY) == {}
