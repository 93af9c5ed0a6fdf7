"""Ex-dividend dates from the table that ships, and the ones that are expected after its end."""

from datetime import UTC, date, datetime, timedelta

import pytest

from spy32.errors import Unavailable
from spy32.markets.bundled_history import DividendTableMarket, expected_ex_dates
from spy32.sessions import session

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


def test_the_next_ex_dates_are_on_third_fridays_of_the_quarter() -> None:
    expected = [date(2026, 3, 20), date(2026, 6, 18), date(2026, 9, 18)]
    # The third Friday of June 2026 is a holiday, Juneteenth.
    assert list(expected_ex_dates(date(2025, 12, 19), date(2026, 9, 30))) == expected


def test_a_date_after_the_end_of_the_table_says_that_it_is_expected() -> None:
    dividends = DividendTableMarket(lambda: NOW).dividends("SPY")
    assert dividends is not None
    ahead = [dividend for dividend in dividends if dividend.ex_date > NOW.date()]
    assert all(session(dividend.ex_date) is not None for dividend in ahead)
    assert ahead[-1].is_expected
    assert ahead[-1].ex_date > NOW.date() + timedelta(days=300)


def test_it_serves_no_other_underlying_and_no_quotes() -> None:
    market = DividendTableMarket(lambda: NOW)
    assert market.dividends("QQQ") is None
    with pytest.raises(Unavailable, match="no options"):
        market.expirations("SPY")
