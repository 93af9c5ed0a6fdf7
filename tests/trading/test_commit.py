"""The last moment before the request: what time decides is judged there, on quotes asked after everything slow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.market import LegQuotes
from spy32.domain.spreads import Leg, Mode
from spy32.errors import NotFilled, Refused, Spy32Error, Unavailable
from spy32.lifecycle import OrderState, ProposalState
from spy32.trading.approve import approve, load_pending_proposal
from spy32.trading.execute import execute, preview_execution
from spy32.trading.review import review_proposal
from tests.support import builders
from tests.support.approvals import ApprovalDesk
from tests.support.trading import TradingDesk

P = ProposalState
LONG = 1300.0
"""Seconds; paper takes quotes of 1,200 at most."""


@dataclass
class Watched:
    """A desk whose every question is written down, and may take its time; its market is always of now."""

    desk: TradingDesk
    asked: list[str] = field(default_factory=list)
    takes: dict[str, float] = field(default_factory=dict)
    then: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens while it is asked."""

    def __post_init__(self) -> None:
        quotes = self.desk.market.quotes

        def of_now(underlying: str, legs: Sequence[Leg]) -> LegQuotes:
            return replace(quotes(underlying, legs), as_of=self.desk.clock())

        self.desk.market.quotes = of_now  # type: ignore[method-assign]
        for place, names in (
            (self.desk.market, ("quotes",)),
            (self.desk.account, ("facts",)),
            (self.desk.orders, ("todays_orders", "dry_run", "submit")),
            (self.desk.store.orders, ("begin",)),
        ):
            for name in names:
                setattr(place, name, self._slow(name, getattr(place, name)))

    def _slow(self, name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def slowly(*words: Any, **more: Any) -> Any:
            self.asked.append(name)
            answer = ask(*words, **more)
            self.then.get(name, lambda: None)()
            self.desk.clock.at += timedelta(seconds=self.takes.get(name, 0))
            return answer

        return slowly


@pytest.fixture
def watched(desk: TradingDesk) -> Watched:
    return Watched(desk)


def ending(watched: Watched, proposal: int) -> Spy32Error:
    """The refusal, with nothing at the broker."""
    with pytest.raises(Spy32Error) as caught:
        execute(watched.desk.trading_context, proposal)
    assert watched.desk.orders.requests == []
    assert watched.desk.orders.book == {}
    return caught.value


def test_between_the_last_quotes_and_the_request_there_is_only_the_commit(watched: Watched) -> None:
    watched.desk.orders.fills_at = Decimal(9)
    execute(watched.desk.trading_context, watched.desk.approved())
    end = watched.asked.index("submit")
    assert watched.asked[end - 4 : end + 1] == ["dry_run", "todays_orders", "quotes", "begin", "submit"]


@pytest.mark.parametrize("slow", ["facts", "todays_orders", "dry_run"])
def test_a_slow_broker_is_sent_an_order_of_fresh_quotes(watched: Watched, slow: str) -> None:
    # Orders are read three times before the request; together they must leave the approval its hour.
    watched.takes[slow] = LONG if slow != "todays_orders" else LONG / 3
    watched.desk.orders.fills_at = Decimal(9)
    assert execute(watched.desk.trading_context, watched.desk.approved()).state is P.DONE


@pytest.mark.parametrize("slow", ["quotes", "begin"])
def test_time_that_passes_after_the_last_quotes_refuses(watched: Watched, slow: str) -> None:
    """A machine that slept: the quotes are too old before the commit, or after it."""
    watched.takes[slow] = LONG
    proposal = watched.desk.approved()
    refusal = ending(watched, proposal)
    assert (refusal.code, "1300 s old; 1200 s is the most" in refusal.message) == (10, True)
    if slow == "begin":
        assert watched.desk.order_states(proposal) == [OrderState.REFUSED]
        assert watched.desk.state(proposal) is P.PROPOSED
    else:
        assert watched.desk.order_states(proposal) == []
        assert watched.desk.state(proposal) is P.APPROVED


def test_a_market_that_runs_away_during_the_dry_run_takes_the_approval_back(watched: Watched) -> None:
    market = watched.desk.market
    watched.then["dry_run"] = lambda: setattr(market, "chain_now", replace(builders.chain(), spot=builders.SPOT * 1.01))
    proposal = watched.desk.approved()
    assert "the underlying moved +1.00%" in ending(watched, proposal).message
    assert watched.desk.state(proposal) is P.PROPOSED


@pytest.mark.parametrize("slow", ["facts", "dry_run", "quotes", "begin"])
def test_an_approval_that_ends_while_the_broker_answers_sends_nothing(watched: Watched, slow: str) -> None:
    watched.takes[slow] = 3600
    refusal = ending(watched, watched.desk.approved())
    assert (refusal.code, "the approval ended at 15:05 UTC" in refusal.message) == (10, True)


@pytest.mark.parametrize("slow", ["facts", "dry_run", "quotes", "begin"])
def test_a_quarter_to_four_that_comes_while_the_broker_answers_sends_nothing(watched: Watched, slow: str) -> None:
    made = watched.desk.proposed()
    given = builders.later(hours=5, minutes=40)
    watched.desk.store.proposals.approve(replace(builders.approval(made), at=given, until=given + timedelta(hours=1)))
    watched.desk.clock.at = given + timedelta(minutes=1)
    watched.takes[slow] = 300
    refusal = ending(watched, made.id)
    assert (refusal.code, "no entry after 15:45" in refusal.message) == (10, True)


def test_a_clock_that_jumps_between_the_checks_and_the_commit_refuses(watched: Watched) -> None:
    watched.then["dry_run"] = lambda: setattr(watched.desk.account, "ahead", 600.0)
    assert "ahead of ours by +600 s" in ending(watched, watched.desk.approved()).message


def test_the_market_is_not_there_for_the_last_look(watched: Watched) -> None:
    watched.then["dry_run"] = lambda: setattr(watched.desk.market, "trouble", Unavailable("no answer"))
    proposal = watched.desk.approved()
    assert ending(watched, proposal).code == 75
    assert watched.desk.state(proposal) is P.APPROVED


def test_a_rehearsal_shows_the_quotes_after_the_dry_run(watched: Watched) -> None:
    watched.takes["dry_run"] = 60
    shown = preview_execution(watched.desk.trading_context, watched.desk.approved())
    assert watched.asked[-2:] == ["dry_run", "quotes"]
    assert shown.quotes.as_of == watched.desk.clock()


# A clock that was wrong when the approval was given.


@pytest.mark.parametrize(("early", "sent"), [(120, True), (121, False)])
def test_an_approval_of_the_future_is_no_approval(desk: TradingDesk, early: float, sent: bool) -> None:
    proposal = desk.approved()
    desk.clock.at = builders.later(minutes=5, seconds=-early)
    if sent:
        with pytest.raises(NotFilled):
            execute(desk.trading_context, proposal)
        return
    with pytest.raises(Refused, match="was given at 14:05 UTC, and it is 14:02 UTC: a clock was or is wrong"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
    # What cannot be sent can be approved again.
    assert desk.state(proposal) is P.PROPOSED


def test_an_approval_of_the_future_can_be_given_again(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.clock.at = builders.NOW
    assert load_pending_proposal(desk.trading_context, proposal).state is P.PROPOSED


@pytest.mark.parametrize(("ahead", "refused"), [(120.0, False), (121.0, True), (-121.0, True), (None, True)])
def test_a_live_approval_needs_the_broker_s_time(tmp_path: Path, ahead: float | None, refused: bool) -> None:
    desk = ApprovalDesk(tmp_path, Mode.LIVE)
    made = desk.proposed()
    desk.trading_desk.account.ahead = ahead
    shown = review_proposal(desk.trading_context, made.id)
    assert any(finding.rule == "clock" and finding.blocks for finding in shown.findings) is refused
    if refused:
        with pytest.raises(Refused, match="the broker's clock is ahead of ours by"):
            approve(desk.trading_context, shown, by="anna")
    else:
        assert approve(desk.trading_context, shown, by="anna").by == "anna"
    desk.store.close()


# Legs that nobody quotes in earnest.


def stubs(desk: TradingDesk) -> None:
    """Both legs at 0.01 x 13."""
    symbols = {leg.symbol for leg in builders.spread().legs}
    chain = builders.chain()
    quotes = tuple(replace(quote, bid=0.01, ask=13.0) if quote.symbol in symbols else quote for quote in chain.quotes)
    desk.market.chain_now = replace(chain, quotes=quotes)


def test_legs_quoted_wide_are_sent_in_no_mode(desk: TradingDesk) -> None:
    proposal = desk.approved()
    stubs(desk)
    with pytest.raises(Refused) as caught:
        execute(desk.trading_context, proposal)
    assert caught.value.code == 10
    assert [reason.partition(" is ")[2] for reason in caught.value.reasons] == [
        "quoted 0.01 x 13.0, 12.99 wide; 0.98 is the most"
    ] * 2
    assert desk.orders.requests == []
    # Such a mid says nothing of where the market is, so the approval stands.
    assert desk.state(proposal) is P.APPROVED


def test_legs_quoted_wide_are_no_price_to_approve_at(tmp_path: Path) -> None:
    desk = ApprovalDesk(tmp_path)
    made = desk.proposed()
    stubs(desk.trading_desk)
    shown = review_proposal(desk.trading_context, made.id)
    assert shown.current_quote == shown.run_quote
    with pytest.raises(Unavailable, match=r"12\.99 wide"):
        approve(desk.trading_context, shown, by="anna")
    desk.store.close()
