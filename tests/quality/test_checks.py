"""The gates on a chain: real chains pass, each kind of dirt stops at its gate, nothing is dropped without a count."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.domain.codec import canonical_json
from spy32.domain.market import Chain, Dividend, Gate, MarketSnapshot, OptionQuote, QualityReport, Right, Verdict
from spy32.domain.spreads import Strategy
from spy32.markets.recorded import SHIPPED_CHAIN, RecordedMarket
from spy32.options import surface
from spy32.quality import arbitrage, checks, common, smile_gates
from spy32.quality.common import is_two_sided, mid
from spy32.sessions import years_to_expiration
from spy32.settings.model import Choice
from tests.support import builders
from tests.support.broken_chains import STOPPED, Dirt
from tests.support.paths import DATA
from tests.support.snapshots import snapshot_of

CHAINS = DATA / "chains"
CHOICE = Choice()
EVERY_GATE = {
    "underlying", "session", "quote_age", "expiration", "root", "duplicates", "dead_feed", "zero_bid", "crossed",
    "coverage", "bounds", "shape", "parity", "spot", "liquidity", "ex_dividend", "history", "same_day_trades",
}  # fmt: skip
Change = Callable[[OptionQuote], OptionQuote | None]


def seen(path: Path, *, tolerance: int = 3) -> MarketSnapshot:
    snapshot = snapshot_of(RecordedMarket.load(path), tolerance=tolerance)
    assert isinstance(snapshot, MarketSnapshot), snapshot
    return snapshot


def judged(snapshot: MarketSnapshot) -> tuple[Chain, QualityReport]:
    return checks.check_chain(snapshot, snapshot.as_of, CHOICE)


def gate(report: QualityReport, name: str) -> Gate:
    return next(gate for gate in report.gates if gate.name == name)


def verdict(snapshot: MarketSnapshot, name: str) -> Verdict:
    return gate(judged(snapshot)[1], name).verdict


def stops(report: QualityReport) -> list[str]:
    return [gate.name for gate in report.gates if gate.verdict is Verdict.STOP]


def changed(snapshot: MarketSnapshot, change: Change) -> MarketSnapshot:
    """The snapshot with each quote of the target expiration changed, or gone where the change gives None."""
    quotes: list[OptionQuote] = []
    for quote in snapshot.chain.quotes:
        after = change(quote) if quote.expiration == snapshot.target else quote
        quotes += [after] if after is not None else []
    return replace(snapshot, chain=replace(snapshot.chain, quotes=tuple(quotes)))


def at(strike: str, right: Right, **over: Any) -> Change:
    """A change of one contract."""
    return lambda quote: replace(quote, **over) if (str(quote.strike), quote.right) == (strike, right) else quote


def is_near(quote: OptionQuote, share: float = 0.05, spot: float = builders.SPOT) -> bool:
    return abs(float(quote.strike) / spot - 1) <= share


# Real chains.


@pytest.mark.parametrize(
    ("path", "tolerance"),
    [
        (SHIPPED_CHAIN, 3),
        (CHAINS / "SPY_2025-04-30.csv.gz", 3),
        (CHAINS / "SPY_2025-09-25.csv.gz", 3),
        (CHAINS / "SPX_2020-03-20.csv.gz", 3),
        (CHAINS / "SPY_2025-05-02.csv.gz", 4),
        (CHAINS / "SPY_2025-05-07.csv.gz", 9),
        (CHAINS / "SPY_2025-05-16.csv.gz", 18),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_clean_chain_passes_and_every_gate_says_what_it_measured(path: Path, tolerance: int) -> None:
    chain, report = judged(seen(path, tolerance=tolerance))
    assert stops(report) == []
    assert {gate.name for gate in report.gates} == EVERY_GATE
    for one in report.gates:
        assert one.figure, one.name
        assert one.limit, one.name
        assert one.note or one.verdict is not Verdict.SKIPPED
    assert len(chain.quotes) > 200
    assert chain.expirations == (seen(path, tolerance=tolerance).target,)


def test_the_shipped_chain_says_that_an_ex_date_lies_before_the_expiration() -> None:
    _, report = judged(seen(SHIPPED_CHAIN))
    found = gate(report, "ex_dividend")
    assert found.verdict is Verdict.WARN
    assert "2025-09-19, $1.83" in found.figure
    assert "2025-09-18" in found.note


def test_quotes_of_after_the_close_may_stand_off_the_shares_price_by_more() -> None:
    snapshot = seen(CHAINS / "SPY_2025-04-30.csv.gz")
    found = gate(judged(snapshot)[1], "spot")
    assert found.verdict is Verdict.WARN
    assert "+0.32 %" in found.figure
    assert "shares closed" in found.note
    earlier = datetime(2025, 4, 30, 19, 59, tzinfo=UTC)
    _, report = checks.check_chain(snapshot, earlier, CHOICE)
    assert gate(report, "spot").verdict is Verdict.STOP


def test_the_smile_of_a_clean_chain_keeps_everything_out_of_the_money() -> None:
    for path in (SHIPPED_CHAIN, CHAINS / "SPY_2025-09-25.csv.gz", CHAINS / "SPX_2020-03-20.csv.gz"):
        snapshot = seen(path)
        smile = smile_of(snapshot)
        dropped, gates = smile_gates.check_vols(smile, snapshot, CHOICE)
        assert {gate.verdict for gate in gates} == {Verdict.PASS}
        lost = [quote for quote in smile.quotes if any(quote.symbol in symbols for symbols in dropped.values())]
        for quote in lost:
            assert (float(quote.strike) < smile.forward) == (quote.right is Right.CALL)


# Dirt.


@pytest.mark.parametrize("dirt", STOPPED, ids=lambda dirt: dirt.name)
def test_a_dirty_chain_is_stopped_by_its_gate(tmp_path: Path, dirt: Dirt) -> None:
    path = tmp_path / "chain.csv"
    path.write_bytes(dirt.data())
    _, report = judged(seen(path))
    assert report.stopped_by is not None
    assert report.stopped_by.name == dirt.gate, stops(report)
    canonical_json(report)


# The gates one by one, in the world of the builders.


def test_the_builders_world_passes() -> None:
    chain, report = judged(builders.snapshot())
    assert {gate.verdict for gate in report.gates} <= {Verdict.PASS, Verdict.SKIPPED}
    assert report.dropped.keys() <= {"zero_bid"}
    assert len(chain.quotes) > 350


@pytest.mark.parametrize(
    ("minutes", "verdict_then"),
    [
        (-11, "stop"),
        (-10, "pass"),
        (0, "pass"),
        (375, "pass"),
        (376, "stop"),
    ],  # from 10:00 to 09:49, 09:50, 16:15, 16:16
)
def test_live_quotes_are_judged_from_twenty_minutes_after_the_open(minutes: int, verdict_then: str) -> None:
    now = builders.NOW + timedelta(minutes=minutes)
    _, report = checks.check_chain(builders.snapshot(), now, CHOICE)
    assert gate(report, "session").verdict == verdict_then


@pytest.mark.parametrize(
    ("stamp", "verdict_then"),
    [
        ("2025-10-06T09:29:59-04:00", "stop"), ("2025-10-06T09:30:00-04:00", "pass"),
        ("2025-10-06T16:15:00-04:00", "pass"), ("2025-10-06T16:15:01-04:00", "stop"),
        ("2025-11-28T13:15:00-05:00", "pass"), ("2025-11-28T13:16:00-05:00", "stop"),
        ("2025-11-27T11:00:00-05:00", "stop"), ("2025-10-05T11:00:00-04:00", "stop"),
    ],
)  # fmt: skip
def test_recorded_quotes_are_of_the_session_of_the_options(stamp: str, verdict_then: str) -> None:
    now = datetime.fromisoformat(stamp)
    _, report = checks.check_chain(builders.snapshot(is_recorded=True), now, CHOICE)
    assert gate(report, "session").verdict == verdict_then
    assert gate(report, "quote_age").verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("minutes", "verdict_then"),
    [(0, "pass"), (20, "pass"), (20.1, "stop"), (-2, "pass"), (-2.1, "stop"), (4000, "stop")],
)
def test_live_quotes_are_neither_old_nor_of_the_future(minutes: float, verdict_then: str) -> None:
    chain = replace(builders.chain(), as_of=builders.NOW - timedelta(minutes=minutes))
    _, report = checks.check_chain(builders.snapshot(chain=chain), builders.NOW, CHOICE)
    assert gate(report, "quote_age").verdict == verdict_then


def test_an_expiration_that_is_not_there_or_not_so_far_away_stops() -> None:
    assert verdict(builders.snapshot(target=date(2025, 11, 6), dte=31), "expiration") is Verdict.STOP
    assert verdict(builders.snapshot(dte=31), "expiration") is Verdict.STOP
    assert verdict(builders.snapshot(), "expiration") is Verdict.PASS


def test_a_chain_of_another_underlying_or_without_a_spot_stops_at_once() -> None:
    for chain in (
        replace(builders.chain(), underlying="QQQ"),
        *(replace(builders.chain(), spot=spot) for spot in (0.0, -1.0, float("nan"), float("inf"))),
    ):
        kept, report = judged(builders.snapshot(chain=chain))
        assert stops(report) == ["underlying"]
        assert kept.quotes == ()


def test_contracts_of_a_strange_root_are_dropped_and_counted() -> None:
    snapshot = changed(builders.snapshot(), lambda quote: replace(quote, root="SPY7") if quote.strike == 640 else quote)
    chain, report = judged(snapshot)
    assert gate(report, "root").verdict is Verdict.WARN
    assert report.dropped["root"] == 2
    assert {quote.root for quote in chain.quotes} == {"SPY"}


def test_an_index_is_traded_in_its_afternoon_root_where_both_are_listed() -> None:
    snapshot = seen(CHAINS / "SPX_2020-03-20.csv.gz")
    morning = changed(snapshot, lambda quote: replace(quote, root="SPX"))
    both = replace(
        snapshot.chain, quotes=(*snapshot.chain.quotes, *morning.chain.select_expirations(snapshot.target).quotes)
    )
    chain, report = judged(replace(snapshot, chain=both))
    assert {quote.root for quote in chain.quotes} == {"SPXW"}
    assert report.dropped["root"] == len(snapshot.chain.select_expirations(snapshot.target).quotes)
    assert {quote.root for quote in judged(morning)[0].quotes} == {"SPX"}


def test_the_same_row_twice_is_one_quote_and_different_prices_are_none() -> None:
    snapshot = builders.snapshot()
    twin = builders.quote(Right.PUT, "640")
    other = replace(builders.quote(Right.PUT, "641"), bid=0.01)
    doubled = replace(snapshot.chain, quotes=(*snapshot.chain.quotes, twin, twin, other))
    chain, report = judged(replace(snapshot, chain=doubled))
    assert report.dropped["duplicates"] == 4
    assert gate(report, "duplicates").verdict is Verdict.WARN
    kept = [quote for quote in chain.quotes if quote.right is Right.PUT and quote.strike in (640, 641)]
    assert kept == [twin]


def test_which_of_two_equal_prices_is_kept_does_not_depend_on_their_order() -> None:
    snapshot = builders.snapshot()
    twin = replace(builders.quote(Right.PUT, "640"), open_interest=7)
    first = replace(snapshot, chain=replace(snapshot.chain, quotes=(twin, *snapshot.chain.quotes)))
    last = replace(snapshot, chain=replace(snapshot.chain, quotes=(*snapshot.chain.quotes, twin)))
    assert judged(first) == judged(last)


@pytest.mark.parametrize(("count", "verdict_then"), [(26, "pass"), (27, "stop")])
def test_a_fifth_without_bids_near_the_money_is_a_dead_feed(count: int, verdict_then: str) -> None:
    near = [
        quote.symbol
        for quote in builders.snapshot().chain.select_expirations(builders.EXPIRATION).quotes
        if is_near(quote)
    ]
    assert len(near) == 134
    dead = set(near[::5][:count])
    snapshot = changed(builders.snapshot(), lambda quote: replace(quote, bid=0.0) if quote.symbol in dead else quote)
    assert verdict(snapshot, "dead_feed") == verdict_then


@pytest.mark.parametrize(
    "over", [{"bid": 0.0}, {"bid": None}, {"ask": None}, {"bid": float("nan")}, {"ask": float("inf")}, {"bid": -1.0}]
)
def test_a_quote_without_two_sides_is_dropped_and_counted(over: dict[str, float | None]) -> None:
    before = judged(builders.snapshot())[1].dropped.get("zero_bid", 0)
    chain, report = judged(changed(builders.snapshot(), at("640", Right.PUT, **over)))
    assert report.dropped["zero_bid"] == before + 1
    assert builders.quote(Right.PUT, "640").symbol not in {quote.symbol for quote in chain.quotes}


def test_beyond_two_strikes_in_a_row_without_a_bid_nothing_is_used() -> None:
    silent = {"600", "601"}
    snapshot = changed(
        builders.snapshot(),
        lambda quote: replace(quote, bid=0.0) if str(quote.strike) in silent and quote.right is Right.PUT else quote,
    )
    chain, _ = judged(snapshot)
    puts = [quote.strike for quote in chain.quotes if quote.right is Right.PUT]
    assert min(puts) == 602
    lone = changed(builders.snapshot(), at("600", Right.PUT, bid=0.0))
    assert min(quote.strike for quote in judged(lone)[0].quotes if quote.right is Right.PUT) < 599


@pytest.mark.parametrize(("count", "verdict_then"), [(2, "pass"), (3, "stop")])
def test_two_in_a_hundred_crossed_quotes_near_the_money_spoil_the_source(count: int, verdict_then: str) -> None:
    crossed = [str(strike) for strike in range(680, 680 + 3 * count, 3)]

    def cross(quote: OptionQuote) -> OptionQuote:
        if quote.right is Right.PUT and str(quote.strike) in crossed:
            return replace(quote, bid=quote.ask, ask=quote.bid)
        return quote

    _, report = judged(changed(builders.snapshot(), cross))  # 134 quotes lie within 5 %
    assert gate(report, "crossed").verdict == verdict_then
    assert report.dropped["crossed"] == count


def test_a_locked_market_is_no_market() -> None:
    _, report = judged(changed(builders.snapshot(), at("690", Right.PUT, bid=20.0, ask=20.0)))
    assert report.dropped["crossed"] == 1


def every(step: int) -> Change:
    """Only strikes at whole multiples of `step`."""
    return lambda quote: quote if int(quote.strike) % step == 0 else None


@pytest.mark.parametrize(
    ("change", "verdict_then"),
    [
        (every(2), "pass"),
        (every(3), "warn"),  # 22 strikes, 0.45 % apart
        (lambda quote: quote if quote.strike % 3 == 0 and 640 < quote.strike < 700 else None, "warn"),  # 20 strikes
        (lambda quote: quote if quote.strike % 3 == 0 and 643 < quote.strike < 700 else None, "stop"),  # 19
        (lambda quote: None if 655 < quote.strike < 665 else quote, "warn"),  # a gap of 1.49 %
        (lambda quote: None if 655 < quote.strike < 666 else quote, "stop"),
        (lambda quote: None if quote.strike > 687 else quote, "pass"),
        (lambda quote: None if quote.strike > 686 else quote, "stop"),
        (lambda quote: None if quote.strike < 654 else quote, "stop"),
        (lambda quote: None if quote.right is Right.CALL and quote.strike < 660 else quote, "warn"),
        (lambda quote: None if quote.right is Right.CALL and quote.strike < 670 else quote, "stop"),
    ],
    ids=range(11),
)
def test_strikes_near_the_money_are_many_close_and_on_both_sides(change: Change, verdict_then: str) -> None:
    assert verdict(changed(builders.snapshot(), change), "coverage") == verdict_then


def test_an_option_below_its_intrinsic_value_is_dropped() -> None:
    quote = builders.quote(Right.CALL, "600")
    assert quote.bid is not None
    cheap = at("600", Right.CALL, bid=quote.bid - 4.0, ask=quote.bid - 3.9)
    chain, report = judged(changed(builders.snapshot(), cheap))
    assert report.dropped["bounds"] == 1
    assert quote.symbol not in {left.symbol for left in chain.quotes}


def test_an_option_worth_more_than_it_can_ever_pay_is_dropped() -> None:
    _, report = judged(changed(builders.snapshot(), at("565", Right.PUT, bid=566.0, ask=566.1)))
    assert report.dropped["bounds"] == 1


@pytest.mark.parametrize("off", [-0.8, 0.8])
@pytest.mark.parametrize(("strike", "right"), [("640", Right.PUT), ("655", Right.PUT), ("690", Right.CALL)])
def test_a_stale_quote_between_good_ones_is_the_one_that_is_dropped(off: float, strike: str, right: Right) -> None:
    quote = builders.quote(right, strike)
    assert quote.bid is not None
    assert quote.ask is not None
    stale = at(strike, right, bid=round(quote.bid + off, 2), ask=round(quote.ask + off, 2))
    chain, report = judged(changed(builders.snapshot(), stale))
    assert report.dropped["shape"] == 1
    assert quote.symbol not in {left.symbol for left in chain.quotes}
    assert stops(report) == []


def test_more_than_five_stale_quotes_near_the_money_stop() -> None:
    for count, then in ((5, Verdict.PASS), (6, Verdict.STOP)):
        stale = {str(strike) for strike in range(640, 640 + 4 * count, 4)}

        def change(quote: OptionQuote, stale: set[str] = stale) -> OptionQuote:
            if (
                quote.right is Right.PUT
                and str(quote.strike) in stale
                and quote.bid is not None
                and quote.ask is not None
            ):
                return replace(quote, bid=round(quote.bid + 0.8, 2), ask=round(quote.ask + 0.8, 2))
            return quote

        assert verdict(changed(builders.snapshot(), change), "shape") is then


def test_the_forward_by_parity_is_that_of_the_world() -> None:
    # F = S exp((r - q) T), the formula that the builders price by; quotes are cents, so the median is within one.
    snapshot = builders.snapshot()
    grounds = checks._build_context(snapshot, snapshot.as_of, CHOICE)
    line = arbitrage.forward_line(
        common.put_call_pairs(snapshot.chain.select_expirations(snapshot.target).quotes), grounds
    )
    assert line is not None
    assert line.forward == pytest.approx(670 * 2.718281828 ** ((0.04 - 0.012) * 32 / 365), abs=0.02)


def test_calls_against_puts_of_another_moment_break_parity() -> None:
    """Each side alone is in order; together they tell a forward that runs away with the strike."""

    def tilted(quote: OptionQuote) -> OptionQuote:
        if quote.right is Right.PUT or quote.bid is None or quote.ask is None:
            return quote
        more = 0.1 * min(max(float(quote.strike) - 670, -15.0), 15.0)
        return replace(quote, bid=quote.bid + more, ask=quote.ask + more)

    snapshot = changed(builders.snapshot(), tilted)
    assert verdict(snapshot, "shape") is Verdict.PASS
    found = gate(judged(snapshot)[1], "parity")
    assert found.verdict is Verdict.STOP
    assert "contradict" in found.note


def test_without_pairs_near_the_money_there_is_no_parity() -> None:
    _, report = judged(changed(builders.snapshot(), lambda quote: None if is_near(quote, 0.02) else quote))
    assert gate(report, "parity").verdict is Verdict.STOP
    assert gate(report, "spot").verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("moved", "verdict_then"), [(0.0, "pass"), (0.0028, "pass"), (-0.0028, "pass"), (0.0032, "stop"), (-0.0032, "stop")]
)
def test_the_spot_is_the_one_that_options_are_priced_from(moved: float, verdict_then: str) -> None:
    # The builders' yield of 1.2 % a year is a dividend of 0.70 to the expiration.
    paid = (Dividend(ex_date=date(2025, 10, 20), amount=Decimal("0.70")),)
    snapshot = builders.snapshot(chain=replace(builders.chain(), spot=670 / (1 + moved)), dividends=paid)
    assert verdict(snapshot, "spot") == verdict_then


def test_unknown_dividends_are_said_and_allowed_for_on_one_side() -> None:
    for moved, then in ((-0.0042, Verdict.PASS), (-0.0052, Verdict.STOP), (0.0042, Verdict.STOP)):
        spot = 670 * (1 - 0.012 * 32 / 365) / (1 + moved)
        found = gate(judged(builders.snapshot(chain=replace(builders.chain(), spot=spot), dividends=None))[1], "spot")
        assert found.verdict is then
        assert "dividends unknown" in found.note


def test_an_expiration_before_the_ex_date_is_read_for_the_spot_too() -> None:
    """A dividend on the last day blurs parity there, and would hide a spot that is off by a third of a per cent."""
    snapshot = builders.snapshot(
        chain=replace(builders.chain(), spot=672.4),
        dividends=(Dividend(ex_date=builders.EXPIRATION, amount=Decimal("1.80")),),
    )
    found = gate(judged(snapshot)[1], "spot")
    assert "2025-10-31" in found.figure
    assert found.verdict is Verdict.STOP


@pytest.mark.parametrize("interest", [0, None])
def test_open_interest_that_is_zero_everywhere_is_missing(interest: int | None) -> None:
    snapshot = changed(builders.snapshot(), lambda quote: replace(quote, open_interest=interest))
    found = gate(judged(snapshot)[1], "liquidity")
    assert found.verdict is Verdict.WARN
    assert "missing" in found.note


def test_an_ex_date_up_to_the_expiration_is_told_with_the_day_to_be_out() -> None:
    def of(day: date, **over: Any) -> Gate:
        dividends = (Dividend(ex_date=day, amount=Decimal("1.90")),)
        snapshot = builders.snapshot(dividends=dividends)
        choice = replace(CHOICE, **over)
        return gate(checks.check_chain(snapshot, snapshot.as_of, choice)[1], "ex_dividend")

    assert of(builders.EXPIRATION).verdict is Verdict.WARN
    assert "2025-11-06" in of(builders.EXPIRATION).note
    assert of(builders.TODAY).verdict is Verdict.PASS
    assert of(builders.EXPIRATION + timedelta(days=1)).verdict is Verdict.PASS
    assert of(builders.EXPIRATION, strategies=(Strategy.PUT_CREDIT,)).verdict is Verdict.PASS


def test_ex_dates_that_are_unknown_or_end_too_early_are_said() -> None:
    assert verdict(builders.snapshot(dividends=None), "ex_dividend") is Verdict.WARN
    assert verdict(builders.snapshot(dividends=()), "ex_dividend") is Verdict.WARN
    old = (Dividend(ex_date=date(2025, 6, 20), amount=Decimal("1.76")),)
    found = gate(judged(builders.snapshot(dividends=old))[1], "ex_dividend")
    assert found.verdict is Verdict.WARN
    assert "2025-06-20" in found.note


def test_a_history_that_is_short_old_torn_or_jumps_is_told() -> None:
    bars = builders.history()
    for broken, word in (
        ((), "no daily bars"),
        (bars[-150:], "too few"),
        (bars[:-1], "last bar"),
        ((*bars[:100], *bars[106:]), "no bar between"),
        ((*bars[:-1], replace(bars[-1], close=bars[-1].close * 1.2)), "moved"),
        ((*bars[:-1], replace(bars[-1], close=float("nan"))), "not a price"),
    ):
        found = gate(judged(builders.snapshot(history=broken))[1], "history")
        assert found.verdict is Verdict.WARN
        assert word in found.note
        assert "nan" not in canonical_json(found)


# Volatilities.


def smile_of(snapshot: MarketSnapshot) -> surface.Smile:
    chain, report = judged(snapshot)
    assert stops(report) == []
    assert snapshot.rate.value is not None
    return surface.build_smile(
        chain.quotes,
        spot=snapshot.spot,
        years=years_to_expiration(snapshot.as_of, snapshot.target),
        rate=snapshot.rate.value,
        expiration=snapshot.target,
    )


def test_a_volatility_off_the_curve_of_its_neighbours_is_dropped() -> None:
    smile = smile_of(builders.snapshot())
    quote = builders.quote(Right.PUT, "640")
    place = smile.quotes.index(quote)
    iv = smile.quote_iv.copy()
    iv[place] += 0.02
    dropped, gates = smile_gates.check_vols(replace(smile, quote_iv=iv), builders.snapshot(), CHOICE)
    assert dropped["smile"] == {quote.symbol}
    clean, _ = smile_gates.check_vols(smile, builders.snapshot(), CHOICE)
    assert "smile" not in clean
    assert {gate.name for gate in gates} == {"iv", "feed_iv", "smile", "atm_vix", "leg_width"}


@pytest.mark.parametrize("vol", [float("nan"), 0.049, 1.01])
def test_a_volatility_that_no_market_has_is_dropped(vol: float) -> None:
    smile = smile_of(builders.snapshot())
    place = smile.quotes.index(builders.quote(Right.PUT, "640"))
    iv = smile.quote_iv.copy()
    iv[place] = vol
    dropped, gates = smile_gates.check_vols(replace(smile, quote_iv=iv), builders.snapshot(), CHOICE)
    assert smile.quotes[place].symbol in dropped["iv"]
    canonical_json(gates)


@pytest.mark.parametrize(("vix", "verdict_then"), [(16.5, "pass"), (13.0, "warn"), (27.5, "warn"), (None, "skipped")])
def test_the_money_stands_to_the_vix_as_the_skew_has_it(vix: float | None, verdict_then: str) -> None:
    snapshot = builders.snapshot(volatility={"vix": builders.datum(vix)})
    _, gates = smile_gates.check_vols(smile_of(snapshot), snapshot, CHOICE)
    found = next(gate for gate in gates if gate.name == "atm_vix")
    assert found.verdict == verdict_then, found


def test_a_feed_whose_volatilities_are_off_is_told_and_not_used() -> None:
    snapshot = changed(
        builders.snapshot(),
        lambda quote: replace(quote, feed_iv=None if quote.feed_iv is None else quote.feed_iv - 0.03),
    )
    _, gates = smile_gates.check_vols(smile_of(snapshot), snapshot, CHOICE)
    assert next(gate for gate in gates if gate.name == "feed_iv").verdict is Verdict.WARN
    silent = changed(snapshot, lambda quote: replace(quote, feed_iv=0.00001))
    _, gates = smile_gates.check_vols(smile_of(silent), silent, CHOICE)
    assert next(gate for gate in gates if gate.name == "feed_iv").verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("traded", "verdict_then"),
    [
        (None, Verdict.SKIPPED),
        (builders.later(minutes=-20), Verdict.PASS),
        (builders.later(days=-3), Verdict.STOP),
        (builders.later(minutes=5), Verdict.STOP),
    ],
    ids=["without times", "today", "of the session before", "of the future"],
)
def test_the_newest_trade_near_the_money_is_of_today(traded: datetime | None, verdict_then: Verdict) -> None:
    """Far from the money a trade of today is no excuse."""
    snapshot = changed(
        builders.snapshot(),
        lambda quote: replace(quote, traded_at=traded if is_near(quote, 0.02) else builders.NOW),
    )
    assert verdict(snapshot, "same_day_trades") is verdict_then


def test_how_many_contracts_are_narrow_enough_to_be_legs_is_told() -> None:
    def width(ask: float) -> Gate:
        snapshot = changed(builders.snapshot(), lambda quote: replace(quote, ask=round((quote.bid or 0) + ask, 2)))
        _, gates = smile_gates.check_vols(smile_of(snapshot), snapshot, CHOICE)
        return next(gate for gate in gates if gate.name == "leg_width")

    assert width(0.10).verdict is Verdict.PASS
    assert width(3.00).verdict is Verdict.WARN
    assert width(3.00).figure.startswith("0 of ")


# Properties.

FIGURES = st.one_of(
    st.none(), st.sampled_from([0.0, -0.0, 0.01, -1.0, 1e308, float("nan"), float("inf"), 5e-324]), st.floats(0, 1500)
)


@st.composite
def damage(draw: st.DrawFn) -> list[tuple[int, str, Any]]:
    """What to write over which quote of the target expiration."""
    kinds = st.sampled_from(["bid", "ask", "open_interest", "strike", "drop", "repeat", "root"])
    return draw(st.lists(st.tuples(st.integers(0, 401), kinds, FIGURES), max_size=40))


def damaged(snapshot: MarketSnapshot, damages: Sequence[tuple[int, str, Any]]) -> MarketSnapshot:
    quotes = list(snapshot.chain.quotes)
    targets = [place for place, quote in enumerate(quotes) if quote.expiration == snapshot.target]
    gone: set[int] = set()
    for number, kind, figure in damages:
        place = targets[number % len(targets)]
        if kind == "drop":
            gone.add(place)
        elif kind == "repeat":
            quotes.append(replace(quotes[place], bid=figure) if number % 2 else quotes[place])
        elif kind == "root":
            quotes[place] = replace(quotes[place], root="SPY7")
        elif kind == "strike":
            quotes[place] = replace(quotes[place], strike=quotes[place].strike + Decimal("0.5"))
        elif kind == "open_interest":
            quotes[place] = replace(quotes[place], open_interest=None)
        else:
            quotes[place] = replace(quotes[place], **{kind: figure})
    left = tuple(quote for place, quote in enumerate(quotes) if place not in gone)
    return replace(snapshot, chain=replace(snapshot.chain, quotes=left))


@settings(max_examples=60, deadline=None)
@given(damage(), st.randoms(use_true_random=False))
def test_whatever_is_broken_the_verdict_is_finite_counted_and_blind_to_the_order_of_rows(
    damages: list[tuple[int, str, Any]], rng: Any
) -> None:
    snapshot = damaged(builders.snapshot(), damages)
    chain, report = judged(snapshot)
    canonical_json((chain, report))  # refuses NaN and infinity
    assert all("nan" not in f"{gate.figure} {gate.limit}".split() for gate in report.gates)
    targets = [quote for quote in snapshot.chain.quotes if quote.expiration == snapshot.target]
    assert len(targets) - len(chain.quotes) == sum(report.dropped.values())
    assert all(is_two_sided(quote) for quote in chain.quotes)
    assert all(quote.bid is not None and quote.ask is not None and quote.bid < quote.ask for quote in chain.quotes)
    keys = [(quote.strike, quote.right) for quote in chain.quotes]
    assert keys == sorted(set(keys))
    mixed = list(snapshot.chain.quotes)
    rng.shuffle(mixed)
    again = replace(snapshot, chain=replace(snapshot.chain, quotes=tuple(mixed)))
    assert judged(again) == (chain, report)


@settings(max_examples=60, deadline=None)
@given(damage())
def test_what_is_let_through_rises_and_falls_with_the_strike(damages: list[tuple[int, str, Any]]) -> None:
    chain, report = judged(damaged(builders.snapshot(), damages))
    if stops(report):
        return
    for right, sign, low, high in ((Right.CALL, 1, 0.98, 9.0), (Right.PUT, -1, 0.0, 1.02)):
        side = [q for q in chain.quotes if q.right is right and low <= float(q.strike) / builders.SPOT <= high]
        for before, after in pairwise(side):
            assert -1e-9 <= sign * (mid(before) - mid(after)) <= float(after.strike - before.strike) + 1e-9


def test_dollar_thresholds_scale_with_the_underlying() -> None:
    """The same market in other units (an index ten times as high) gets the same verdicts and drops."""
    snapshot = damaged(
        builders.snapshot(), [(150, "bid", 3.0), (77, "ask", 40.0), (201, "bid", 30.0), (33, "ask", 0.02)]
    )

    def tenfold(quote: OptionQuote) -> OptionQuote:
        bid, ask = (None if side is None else side * 10 for side in (quote.bid, quote.ask))
        return replace(quote, strike=quote.strike * 10, bid=bid, ask=ask)

    quotes = tuple(tenfold(quote) for quote in snapshot.chain.quotes)
    dividends = tuple(replace(dividend, amount=dividend.amount * 10) for dividend in snapshot.dividends or ())
    large = replace(
        snapshot, chain=replace(snapshot.chain, spot=snapshot.spot * 10, quotes=quotes), dividends=dividends
    )
    small_report, large_report = judged(snapshot)[1], judged(large)[1]
    assert [gate.verdict for gate in small_report.gates] == [gate.verdict for gate in large_report.gates]
    assert small_report.dropped == large_report.dropped
