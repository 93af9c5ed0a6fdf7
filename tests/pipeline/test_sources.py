"""Who is asked for what: order, fallback, the second opinion, one deadline, and what is left on record."""

import threading
import time
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest

from spy32.domain.market import Chain, DailyBar, MarketSnapshot, Metric
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.pipeline.collect import CollectedMarket
from tests.support import builders
from tests.support.sources import Source, everything, seen
from tests.support.timeouts import SOON


def shifted(share: float) -> Chain:
    """A chain whose spot lies while its options do not."""
    return replace(builders.chain(), spot=builders.SPOT * (1 + share))


def gate_verdicts(found: CollectedMarket) -> dict[str, str]:
    return {gate.name: gate.verdict.value for gate in found.quality.gates}


def test_the_first_source_is_traded_on_and_the_second_checks_it() -> None:
    first, second = Source(name="cboe"), Source(name="yahoo")
    found = seen(everything([first, second]))
    assert found.checked is not None
    assert found.snapshot.source == "cboe"
    assert found.snapshot.second is not None and found.snapshot.second.source == "yahoo"
    assert found.snapshot.second.expirations == (builders.EXPIRATION,)
    assert gate_verdicts(found)["second_spot"] == "pass"


def test_a_third_source_is_left_in_peace() -> None:
    third = Source(name="tastytrade")
    seen(everything([Source(name="cboe"), Source(name="yahoo"), third]))
    assert "chain" not in third.asked


@pytest.mark.parametrize("trouble", [Unavailable("limited"), Unusable("a page, no document")])
def test_a_source_that_fails_is_passed_over_and_on_record(trouble: Spy32Error) -> None:
    found = seen(everything([Source(name="cboe", trouble=trouble), Source(name="yahoo")]))
    assert found.checked is not None
    assert found.snapshot.source == "yahoo"
    assert any(
        (tried.datum, tried.source, tried.ok, tried.detail) == ("chain", "cboe", False, trouble.message)
        for tried in found.snapshot.tried
    )
    assert gate_verdicts(found)["second_spot"] == "warn"


def test_a_third_source_comes_in_when_one_of_the_first_two_fails() -> None:
    sources = [Source(name="cboe", trouble=Unavailable("dead")), Source(name="yahoo"), Source(name="tastytrade")]
    found = seen(everything(sources))
    assert found.snapshot.source == "yahoo"
    assert found.snapshot.second is not None and found.snapshot.second.source == "tastytrade"


def test_a_chain_that_its_own_gates_stop_is_not_traded_on_and_checks_nothing() -> None:
    lying = Source(name="cboe", chain_now=shifted(0.03))
    found = seen(everything([lying, Source(name="yahoo")]))
    assert found.checked is not None
    assert found.snapshot.source == "yahoo"
    assert found.snapshot.second is None
    assert any(tried.source == "cboe" and "gate spot" in tried.detail for tried in found.snapshot.tried)


@pytest.mark.parametrize("cross_check", [True, False])
def test_a_chain_that_its_own_gates_stop_leads_to_the_next_source(cross_check: bool) -> None:
    lying, good, last = Source(name="cboe", chain_now=shifted(0.03)), Source(name="yahoo"), Source(name="tastytrade")
    found = seen(everything([lying, good, last]), cross_check=cross_check)
    assert found.checked is not None
    assert found.snapshot.source == "yahoo"
    assert any(tried.source == "cboe" and "gate spot" in tried.detail for tried in found.snapshot.tried)
    assert (found.snapshot.second.source if found.snapshot.second is not None else None) == (
        "tastytrade" if cross_check else None
    )
    assert ("chain" in last.asked) is cross_check


@pytest.mark.parametrize("place", [0, 1])
def test_of_three_sources_one_that_a_gate_stops_costs_no_cross_check(place: int) -> None:
    sources = [Source(name="cboe"), Source(name="yahoo"), Source(name="tastytrade")]
    sources[place].chain_now = shifted(0.03)
    healthy = [source.name for source in sources if source.chain_now is None]
    found = seen(everything(sources))
    assert found.snapshot.second is not None
    assert [found.snapshot.source, found.snapshot.second.source] == healthy
    assert gate_verdicts(found)["second_spot"] == "pass"


def test_two_of_three_stopped_leave_the_third_to_be_traded_on_alone() -> None:
    sources = [Source(name=name, chain_now=shifted(0.03)) for name in ("cboe", "yahoo")]
    found = seen(everything([*sources, Source(name="tastytrade")]))
    assert found.checked is not None
    assert (found.snapshot.source, found.snapshot.second) == ("tastytrade", None)
    assert gate_verdicts(found)["second_spot"] == "warn"


def test_a_source_that_may_only_check_never_ends_the_search_for_one_to_trade_on() -> None:
    lying, good = Source(name="cboe", chain_now=shifted(0.03)), Source(name="yahoo")
    checking = Source(name="tastytrade")
    sources = replace(everything([lying, good]), checks=(lying, checking, good))
    found = seen(sources)
    assert found.snapshot.source == "yahoo"
    assert found.snapshot.second is not None and found.snapshot.second.source == "tastytrade"


@pytest.mark.slow
def test_no_source_is_asked_once_the_time_for_collecting_is_over() -> None:
    @dataclass(eq=False)
    class Late(Source):
        def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
            time.sleep(1.2)
            return super().history(underlying, since)

    lying, last = Late(name="cboe", chain_now=shifted(0.03)), Source(name="yahoo")
    found = seen(everything([lying, last]), seconds=1, cross_check=False)
    assert found.checked is None
    assert "chain" not in last.asked


def test_two_healthy_sources_that_contradict_each_other_stop_the_run() -> None:
    moved = builders.chain()
    quotes = tuple(
        replace(
            quote,
            bid=max(0.0, round((quote.bid or 0) + (quote.feed_delta or 0) * 6.7, 2)),
            ask=round((quote.ask or 0) + (quote.feed_delta or 0) * 6.7, 2),
        )
        for quote in moved.quotes
        if abs(quote.feed_delta or 0) < 0.999
    )
    second = Source(name="yahoo", chain_now=replace(moved, spot=builders.SPOT + 6.7, quotes=quotes))
    found = seen(everything([Source(name="cboe"), second]))
    assert found.checked is None
    assert found.quality.stopped_by is not None
    assert found.quality.stopped_by.name == "second_spot"


def test_when_all_are_stopped_the_first_ones_gate_is_told() -> None:
    found = seen(everything([Source(name=name, chain_now=shifted(0.03)) for name in ("cboe", "yahoo")]))
    assert found.checked is None
    assert found.snapshot.source == "cboe"
    assert [tried.source for tried in found.snapshot.tried if "gate" in tried.detail] == ["cboe", "yahoo"]


@pytest.mark.parametrize(
    ("errors", "code"),
    [((Unavailable("a"), Unusable("b")), 75), ((Unusable("a"), Unusable("b")), 65), ((Unavailable("a"),) * 2, 75)],
)
def test_without_any_chain_the_run_fails_with_every_reason(errors: tuple[Spy32Error, ...], code: int) -> None:
    sources = [Source(name=name, trouble=error) for name, error in zip(("cboe", "yahoo"), errors, strict=True)]
    with pytest.raises(Spy32Error) as raised:
        seen(everything(sources))
    assert raised.value.code == code
    assert errors[0].message in raised.value.message and errors[1].message in raised.value.message


def test_a_datum_that_a_source_does_not_serve_comes_from_the_next() -> None:
    found = seen(everything([Source(name="cboe", no_history=True), Source(name="yahoo")]))
    assert len(found.snapshot.history) > 200
    served = [tried.source for tried in found.snapshot.tried if tried.datum == "history"]
    assert served == ["yahoo"]


def test_what_nobody_has_is_missing_with_every_reason() -> None:
    first = Source(name="cboe")
    sources = replace(everything([first]), vix=(Source(name="yahoo", trouble=Unavailable("limited for a day")),))
    found = seen(sources)
    assert found.snapshot.volatility["vix"].value is None
    assert found.snapshot.volatility["vix"].missing == "limited for a day"


@pytest.mark.parametrize(
    ("as_of", "missing"),
    [
        (builders.NOW, None),
        (builders.NOW - timedelta(days=3), "it is of 2025-10-03, not of 2025-10-06"),
        (None, "it has no time, not of 2025-10-06"),
    ],
)
def test_a_move_of_another_session_is_no_move_of_today(as_of: datetime | None, missing: str | None) -> None:
    move = Metric(value=0.004, unit="fraction", source="cboe", as_of=as_of)
    source = Source(
        name="cboe", snapshot=builders.snapshot(moves={"QQQ": move, "TLT": replace(move, as_of=builders.NOW)})
    )
    found = seen(everything([source]), related=("QQQ", "TLT"))
    assert found.snapshot.moves["TLT"].value == 0.004
    assert (found.snapshot.moves["QQQ"].value, found.snapshot.moves["QQQ"].missing) == (
        0.004 if missing is None else None,
        missing,
    )


@pytest.mark.slow
def test_all_questions_end_with_the_deadline_and_what_was_late_is_named() -> None:
    begun = time.monotonic()
    slow = Source(name="cboe", seconds=30)
    with pytest.raises(Unavailable, match="no answer within the 1 s"):
        seen(everything([slow]), seconds=1)
    assert time.monotonic() - begun < 25


@pytest.mark.slow
def test_a_slow_second_source_does_not_cost_the_run() -> None:
    found = seen(everything([Source(name="cboe"), Source(name="yahoo", seconds=30)]), seconds=1)
    assert found.checked is not None
    assert found.snapshot.source == "cboe"
    assert any("no answer within" in tried.detail for tried in found.snapshot.tried if tried.source == "yahoo")


def test_a_defect_in_a_source_is_not_taken_for_bad_weather() -> None:
    with pytest.raises(ZeroDivisionError):
        seen(everything([Source(name="cboe", bug=ZeroDivisionError())]))


def test_questions_run_side_by_side() -> None:
    together = threading.Barrier(2, timeout=SOON)

    @dataclass(eq=False)
    class Meeting(Source):
        def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
            together.wait()
            return super().history(underlying, since)

        def _serve(self) -> Chain:
            if not self.asked:
                together.wait()
            return super()._serve()

    assert seen(everything([Meeting(name="cboe")])).checked is not None


def test_ex_dates_of_all_sources_are_put_together_from_the_last_one_on() -> None:
    past, coming = builders.snapshot().dividends, date(2025, 12, 19)
    assert past is not None
    older = replace(past[0], ex_date=date(2025, 6, 20))
    expected = replace(past[0], ex_date=coming, is_expected=True)
    found = seen(everything([Source(name="cboe", table=(older, *past)), Source(name="yahoo", table=(*past, expected))]))
    assert found.snapshot.dividends is not None
    assert [dividend.ex_date for dividend in found.snapshot.dividends] == [past[0].ex_date, coming]


def test_only_a_source_that_may_be_traded_on_becomes_the_record() -> None:
    chosen, checking = Source(name="yahoo"), Source(name="cboe")
    found = seen(everything([chosen], checks=[checking, chosen]))
    assert found.snapshot.source == "yahoo"
    assert found.snapshot.second is not None and found.snapshot.second.source == "cboe"
    dead = Source(name="yahoo", trouble=Unavailable("dead"))
    with pytest.raises(Unavailable, match="dead"):
        seen(everything([dead], checks=[checking, dead]))


def test_a_progress_line_a_question() -> None:
    said: list[str] = []
    seen(everything([Source(name="cboe"), Source(name="yahoo", trouble=Unavailable("limited"))]), said.append)
    assert any("chain" in line and "cboe" in line and " ok " in line for line in said)
    assert any("chain" in line and "yahoo" in line and line.endswith("limited") for line in said)


def test_the_instant_of_collecting_is_kept_so_that_ages_can_be_judged_again() -> None:
    snapshot: MarketSnapshot = seen(everything([Source(name="cboe")])).snapshot
    assert snapshot.collected_at == snapshot.evaluated_at == builders.NOW
