"""A trade whose profit target rests with the broker, and its closing."""

from decimal import Decimal
from typing import Any

from spy32.domain.proposals import ProposalKind
from spy32.trading.execute import execute
from spy32.trading.order_book import load_order_book
from tests.support import builders
from tests.support.open_trades import held
from tests.support.trading import TradingDesk

D = Decimal


def opened(desk: TradingDesk) -> int:
    """The trade of an opening whose target rests with the broker."""
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.fill("480001")
    execute(desk.trading_context, proposal)
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None
    assert load_order_book(desk.trading_context, proposal).live_target is not None
    return trade.id


def closing(desk: TradingDesk, trade: int, **over: Any) -> int:
    """The approved close of a trade that the account holds."""
    remaining = desk.store.trades.get(trade).remaining
    held(desk, short=-remaining, long=remaining)
    plan = builders.price_plan(start=D("-0.58"), limit=D("-0.62"))
    proposal = desk.proposed(
        kind=ProposalKind.CLOSE,
        legs=builders.close_proposal(trade).legs,
        plan=plan,
        trade_id=trade,
        candidate_id=None,
        **over,
    )
    mid = builders.candidate().mid
    desk.store.proposals.approve(builders.approval(proposal, mid=-mid, natural=-mid - D("0.04")))
    return proposal.id
