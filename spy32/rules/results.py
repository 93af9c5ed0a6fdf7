"""Computes what a trade earned from its cash flows, and what all trades earned this week, this month and in all."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby

from spy32.domain.marks import Mark
from spy32.domain.orders import Fill, Trade, spreads_filled
from spy32.domain.results import CashFlow, CashFlowKind, Realization, ResultTotals, TradeResult
from spy32.domain.spreads import CENT, MULTIPLIER, ZERO, Leg, value_bounds
from spy32.lifecycle import ENDED_TRADES, TradeState
from spy32.sessions import market_date, week_start


def split_by_day(
    kind: CashFlowKind, fills: Sequence[Fill], legs: Sequence[Leg], *, fees: Decimal, mid: Decimal | None
) -> Iterator[CashFlow]:
    """Yield the cash flow of an order for each New York day on which it filled, since a resting one may take several.

    `fills` are all of the order, in order of time; each contract bears the same part of the `fees`.
    """
    contracts, spreads = sum(fill.quantity for fill in fills), 0
    seen: tuple[Fill, ...] = ()
    for _, group in groupby(fills, key=lambda fill: market_date(fill.at)):
        same = tuple(group)
        seen += same
        count = sum(fill.quantity for fill in same)
        share = (fees * count / contracts).quantize(CENT, ROUND_HALF_EVEN) if count < contracts else fees
        newly = spreads_filled(seen, tuple(legs)) - spreads
        yield CashFlow(
            kind=kind,
            at=max(fill.at for fill in same),
            amount=sum((fill.price * fill.action.sign * fill.quantity for fill in same), ZERO) * MULTIPLIER,
            fees=share,
            spreads=newly,
            mid=mid,
        )
        contracts, fees, spreads = contracts - count, fees - share, spreads + newly


def trade_result(trade: Trade, flows: Sequence[CashFlow], mark: Mark | None = None) -> TradeResult:
    """Return what a trade earned. `mark` is the newest usable one."""
    realizations = tuple(_realizations(trade, flows))
    realized = sum((part.amount for part in realizations), ZERO)
    closed = trade.quantity if trade.state in ENDED_TRADES else trade.closed_quantity
    opening, closing, settlement = ([flow for flow in flows if flow.kind is kind] for kind in CashFlowKind)
    premium, opening_fees = _amount(opening), _fees(opening)
    closing_cost = -_amount(closing + settlement)
    credit = premium * closed / trade.quantity
    best = value_bounds(trade.legs)[1] * MULTIPLIER * trade.quantity
    is_known = closed > 0 and trade.state is not TradeState.ASSIGNED
    return TradeResult(
        trade_id=trade.id,
        state=trade.state,
        exit_reason=trade.exit_reason,
        premium=premium,
        closing_cost=closing_cost,
        opening_fees=opening_fees,
        closing_fees=_fees(closing),
        settlement_fees=_fees(settlement),
        opening_slippage=_slippage(opening),
        closing_slippage=_slippage(closing),
        realizations=realizations,
        open_cash=_amount(flows) - _fees(flows) - realized,
        unrealized=_unrealized_profit(trade, mark),
        marked_at=mark.as_of if mark is not None and trade.state not in ENDED_TRADES else None,
        days_held=days_held(trade),
        credit_kept=float(1 - closing_cost / credit) if is_known and credit > 0 else None,
        of_max_profit=_share(realized, premium + best - opening_fees, closed, trade) if is_known else None,
        of_max_loss=_share(-realized, trade.max_loss, closed, trade) if is_known else None,
    )


def days_held(trade: Trade) -> int | None:
    """Return the calendar days in New York from the first fill to the end of a trade; None while it is open."""
    if trade.closed_at is None:
        return None
    return (market_date(trade.closed_at) - market_date(trade.opened_at)).days


def result_totals(results: Sequence[TradeResult], today: date, *, earlier: Decimal = ZERO) -> ResultTotals:
    """Return the totals on a New York day. `earlier` is realised by further trades, before this week and month."""
    week, month = week_start(today), today.replace(day=1)
    open_results = [result for result in results if result.state not in ENDED_TRADES]
    return ResultTotals(
        unrealized=sum((result.unrealized or ZERO for result in open_results), ZERO),
        unmarked=tuple(result.trade_id for result in open_results if result.unrealized is None),
        week=realized_profit(results, week, today),
        month=realized_profit(results, month, today),
        total=earlier + sum((result.realized_profit for result in results), ZERO),
        week_start=week,
        month_start=month,
    )


def realized_profit(results: Sequence[TradeResult], first: date, last: date) -> Decimal:
    """Return what became final in these New York days, dollars; a loss is negative."""
    return sum(
        (part.amount for result in results for part in result.realizations if first <= market_date(part.at) <= last),
        ZERO,
    )


def unrealized_change(trade: Trade, result: TradeResult, base: Mark | None, first: date) -> Decimal:
    """Return the change of the unrealised result of the spreads still held since the New York day `first`, dollars.

    `base` is the last usable mark before that day. Without it all is change of a trade that was opened since; of an
    older one a loss is, and a gain may be older. Without a newer mark nothing has changed.
    """
    if result.unrealized is None:
        return ZERO
    before = _unrealized_profit(trade, base)
    if before is None and market_date(trade.opened_at) < first:
        return min(result.unrealized, ZERO)
    return result.unrealized - (before or ZERO)


def _realizations(trade: Trade, flows: Sequence[CashFlow]) -> Iterator[Realization]:
    """Yield each close with its share of the premium and of the fees to open, to the cent.

    What is left is final when the trade ends: an assignment, fees that became known later, and the rest of a cent.
    """
    openings = [flow for flow in flows if flow.kind is CashFlowKind.OPENING]
    opened = _amount(openings) - _fees(openings)
    realized = ZERO
    for flow in flows:
        if flow.kind is not CashFlowKind.OPENING and flow.spreads > 0:
            amount = opened * flow.spreads / trade.quantity + flow.amount - flow.fees
            realized += (rounded := amount.quantize(CENT, ROUND_HALF_EVEN))
            yield Realization(at=flow.at, amount=rounded)
    if trade.closed_at is not None and trade.result is not None and trade.result != realized:
        yield Realization(at=trade.closed_at, amount=trade.result - realized)


def _amount(flows: Sequence[CashFlow]) -> Decimal:
    return sum((flow.amount for flow in flows), ZERO)


def _fees(flows: Sequence[CashFlow]) -> Decimal:
    return sum((flow.fees for flow in flows), ZERO)


def _slippage(flows: Sequence[CashFlow]) -> Decimal | None:
    losses = [
        flow.mid * MULTIPLIER * flow.spreads - flow.amount
        for flow in flows
        if flow.mid is not None and flow.spreads > 0
    ]
    return sum(losses, ZERO) if losses else None


def _unrealized_profit(trade: Trade, mark: Mark | None) -> Decimal | None:
    """Return the unrealised result of what is held, by a mark that may have been made when more was held."""
    if mark is None or mark.unrealized is None or trade.state in ENDED_TRADES:
        return None
    if trade.state is TradeState.ASSIGNED or not mark.quantity:
        # Shares are held, which no mark of options values: as last marked, until they are sold.
        return mark.unrealized
    return (mark.unrealized * trade.remaining / mark.quantity).quantize(CENT, ROUND_HALF_EVEN)


def _share(amount: Decimal, most: Decimal, closed: int, trade: Trade) -> float | None:
    """Return an amount as a share of the most that the closed spreads could bring; None when it is below zero."""
    bound = most * closed / trade.quantity
    return float(amount / bound) if amount >= 0 and bound > 0 else None
