"""Official daily bars for the paper broker."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.brokers.paper import parse_order_body
from spy32.domain.market import DailyBar
from spy32.domain.orders import OrderKind
from spy32.errors import Unavailable
from spy32.rules import plan
from spy32.wiring import App
from spy32.wiring.daily_bars import RETRY_AFTER, DailyBarMemo, request_history
from spy32.wiring.markets import MarketRegistry
from tests.support import builders
from tests.support.fakes import FakeMarket, ManualClock

DAYS = tuple(date(2025, 11, day) for day in (6, 7, 10, 11))
AFTER = datetime(2025, 12, 1, tzinfo=UTC)
BARS = tuple(DailyBar(day=day, close=600.0 + day.day, open=600.0) for day in DAYS)


class Source:
    """Serves bars up to a day, and counts its requests."""

    def __init__(self, until: date = DAYS[-1]) -> None:
        self.until = until
        self.requests: list[tuple[str, date]] = []
        self.error: Unavailable | None = None

    def __call__(self, ticker: str, since: date) -> Sequence[DailyBar]:
        self.requests.append((ticker, since))
        if self.error is not None:
            raise self.error
        return tuple(bar for bar in BARS if since <= bar.day <= self.until)


def test_all_later_days_cost_one_request() -> None:
    source = Source()
    find = DailyBarMemo(source, ManualClock(AFTER))
    assert [find("SPY", day) for day in DAYS] == list(BARS)
    assert source.requests == [("SPY", DAYS[0])]


def test_an_earlier_day_and_another_ticker_are_asked_for() -> None:
    source = Source()
    find = DailyBarMemo(source, ManualClock(AFTER))
    for ticker, day in (("SPY", DAYS[1]), ("SPY", DAYS[0]), ("SPY", DAYS[2]), ("QQQ", DAYS[0])):
        assert find(ticker, day) is not None
    assert source.requests == [("SPY", DAYS[1]), ("SPY", DAYS[0]), ("QQQ", DAYS[0])]


def test_a_missing_bar_is_asked_for_again_after_a_while() -> None:
    source, clock = Source(until=DAYS[0]), ManualClock(AFTER)
    find = DailyBarMemo(source, clock)
    assert find("SPY", DAYS[1]) is None
    source.until = DAYS[-1]
    assert find("SPY", DAYS[1]) is None
    clock.at += RETRY_AFTER
    assert find("SPY", DAYS[1]) == BARS[1]
    assert len(source.requests) == 2


def test_a_bar_that_was_served_during_its_session_is_asked_for_again() -> None:
    """Bars count half an hour after the close, which is at 21:00 UTC."""
    source, clock = Source(), ManualClock(datetime(2025, 11, 7, 20, 0, tzinfo=UTC))
    find = DailyBarMemo(source, clock)
    assert find("SPY", DAYS[0]) == BARS[0]
    clock.at = datetime(2025, 11, 7, 21, 29, tzinfo=UTC)
    assert find("SPY", DAYS[1]) is None
    clock.at = datetime(2025, 11, 7, 21, 45, tzinfo=UTC)
    assert find("SPY", DAYS[1]) == BARS[1]
    assert len(source.requests) == 3


def test_a_failure_is_kept_as_long_as_a_missing_bar() -> None:
    source, clock = Source(), ManualClock(AFTER)
    source.error = Unavailable("yahoo is down")
    find = DailyBarMemo(source, clock)
    for _ in range(2):
        with pytest.raises(Unavailable, match="yahoo is down"):
            find("SPY", DAYS[0])
    assert len(source.requests) == 1
    source.error = None
    clock.at += RETRY_AFTER
    assert find("SPY", DAYS[0]) == BARS[0]


# Several sources.


def serving(*bars: DailyBar, trouble: Exception | None = None) -> FakeMarket:
    market = FakeMarket(snapshot=replace(builders.snapshot(), history=bars))
    if trouble is not None:
        market.history = Down(trouble)  # type: ignore[method-assign]
    return market


class Down:
    def __init__(self, trouble: Exception) -> None:
        self.trouble = trouble

    def __call__(self, ticker: str, since: date) -> tuple[DailyBar, ...]:
        raise self.trouble


def test_the_first_source_that_has_the_day_is_taken() -> None:
    second = DailyBar(day=DAYS[0], close=1.0)
    assert request_history((serving(*BARS), serving(second)), "SPY", DAYS[0]) == BARS


def test_a_source_without_the_day_or_that_fails_is_followed_by_the_next() -> None:
    down, late, last = serving(trouble=Unavailable("yahoo is down")), serving(*BARS[1:]), serving(BARS[0])
    assert set(request_history((down, late, last), "SPY", DAYS[0])) == set(BARS)


def test_no_answer_from_any_source_is_an_error_with_every_reason() -> None:
    sources = [serving(trouble=Unavailable(f"{name} is down")) for name in ("yahoo", "cboe")]
    with pytest.raises(Unavailable, match="yahoo is down; cboe is down"):
        request_history(sources, "SPY", DAYS[0])


def test_sources_without_any_bar_are_no_error() -> None:
    assert request_history((serving(), serving()), "SPY", DAYS[0]) == ()


# The sources of a process.


def app(home: Path, lines: str = "") -> App:
    (home / "config.toml").write_text(f'clock = "{AFTER.isoformat()}"\n{lines}')
    return App.create(home=str(home), mode="paper", verbosity=0)


def test_a_recorded_market_settles_by_its_own_history(tmp_path: Path) -> None:
    market = replace(serving(*BARS), is_recorded=True)
    assert app(tmp_path).daily_bar_lookup(market)("SPY", DAYS[0]) == BARS[0]


def test_a_process_asks_the_history_sources_of_its_settings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = {"yahoo": serving(), "cboe": serving(*BARS)}
    asked: list[str] = []

    def find_market(_: MarketRegistry, name: str) -> FakeMarket:
        asked.append(name)
        return built[name]

    monkeypatch.setattr(MarketRegistry, "get_market", find_market)
    process = app(tmp_path)
    for market in (None, serving()):
        assert process.daily_bar_lookup(market)("SPY", DAYS[0]) == BARS[0]
    assert asked == ["yahoo", "cboe"]


def test_a_home_on_a_recorded_market_asks_no_live_source(tmp_path: Path) -> None:
    find = app(tmp_path, '[market]\nchain = ["recorded"]\n').daily_bar_lookup(None)
    known = find("SPY", date(2025, 8, 28))
    assert known is not None and known.close > 0
    assert find("SPY", date(2025, 9, 30)) is None


def test_the_paper_broker_of_a_process_settles_by_these_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MarketRegistry, "get_market", lambda *_: serving(*BARS))
    process = app(tmp_path)
    with closing(process.store()) as store:
        legs = builders.spread("700", "695").legs
        body = plan.order_body(legs, 1, Decimal("1.05"), "A", kind=OrderKind.ENTRY)
        order = store.paper.place(parse_order_body(body), builders.NOW)
        store.paper.fill(order.broker_id, builders.fills(legs, 1), Decimal(58), Decimal(2))
        broker = process.broker(store, None)
        assert broker.positions() == ()
        assert broker.unsettled_notes() == ()
        assert store.paper.cash() == 100_000 + 58 - 2 - 500 - 10
