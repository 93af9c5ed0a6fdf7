"""Where a trade's result came from, session by session: each change of its mark by cause, to the cent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from math import nan

import numpy as np

from spy32.domain.market import OptionQuote, Right
from spy32.domain.marks import LegMark, Mark
from spy32.domain.orders import Trade
from spy32.domain.outcomes import DailyClose
from spy32.domain.report import Attribution, AttributionParts
from spy32.domain.results import CashFlow, CashFlowKind
from spy32.domain.spreads import CENT, MULTIPLIER
from spy32.domain.units import Price, sum_amounts
from spy32.domain.value import value
from spy32.options.attribution import LegColumns, MarketStates, change_parts
from spy32.rules.pricing import DIVIDEND_YIELD
from spy32.rules.settlement import trading_end
from spy32.sessions import market_date, years_to_expiration
from spy32.settings.model import MarketSources
from spy32.store import Store


@value
class MarketPoint:
    """The market that a trade is valued at. NaN where something is not known."""

    at: datetime
    spot: float = nan
    mids: tuple[float, ...] = ()
    """Of the trade's legs in their order, dollars per share; empty when none is known."""


@value
class _Level:
    """Where a trade stands at one time: its market, and the sums of all its cash until then, dollars."""

    day: date
    point: MarketPoint
    profit: Decimal = Decimal(0)
    """Cash after fees, less the cost of closing what is held at the mid, to the cent."""
    costs: Decimal = Decimal(0)
    """Fees and slippage, to the cent."""
    opened: int = 0
    """Spreads opened so far."""
    held: int = 0


def attributions(store: Store, *trades: Trade, closes: Iterable[DailyClose] = ()) -> tuple[Attribution, ...]:
    """Return the parts of the results of trades, by trade, oldest interval first; nothing before a usable mark.

    An interval reaches from one session's last usable mark to the next one's; it is longer where a session has none.
    The first begins with the opening, at the quotes of its run. The last one of an ended trade ends with its close, at
    the mark of that day, or with its settlement, at the official close of its last day. Without such a mark, or that
    close among `closes`, the spot is taken as unchanged, and the rest holds what it did.
    """
    prices: dict[str, dict[date, float]] = {}
    for close in closes:
        prices.setdefault(close.ticker, {})[close.day] = float(close.close)
    with store.core.read_transaction():
        return tuple(interval for trade in trades for interval in _read_trade(store, trade, prices))


def _read_trade(store: Store, trade: Trade, prices: Mapping[str, Mapping[date, float]]) -> tuple[Attribution, ...]:
    proposal, rate = store.proposals.get(trade.proposal_id), store.decisions.rate(trade.run_id)
    market = store.decisions.market(trade.run_id)
    candidate = store.decisions.candidate(trade.run_id, proposal.candidate_id)
    opening = MarketPoint(at=trade.opened_at)
    if market is not None and candidate is not None:
        # The quotes of the run that the trade was chosen from.
        quotes = {symbol: view.quote for symbol, view in candidate.views.items()}
        opening = MarketPoint(at=market.as_of, spot=market.spot, mids=_mids([leg.symbol for leg in trade.legs], quotes))
    return split_trade(
        trade,
        store.results.cash_flows(trade),
        store.marks.select_sessions(trade.id),
        opening=opening,
        closes=prices.get(proposal.underlying, {}),
        rate=rate if rate is not None else MarketSources().rate,
    )


def split_trade(
    trade: Trade,
    flows: Sequence[CashFlow],
    marks: Sequence[Mark],
    *,
    opening: MarketPoint,
    closes: Mapping[date, float],
    rate: float,
) -> tuple[Attribution, ...]:
    """Return the parts of one trade, from its cash flows and its last usable mark of each session.

    `closes` are official ones of the underlying by day, `rate` a fraction a year.
    """
    levels = _levels(trade, flows, marks, opening, closes)
    legs = LegColumns(
        is_call=np.array([leg.right is Right.CALL for leg in trade.legs]),
        strike=np.array([float(leg.strike) for leg in trade.legs]),
        weight=np.array([-float(leg.action.sign * leg.quantity) for leg in trade.legs]),
    )
    points = [level.point for level in levels]
    states = MarketStates(
        years=np.array([years_to_expiration(point.at, trade.expiration) for point in points]),
        spot=np.array([point.spot for point in points]),
        mids=np.array([point.mids or (nan,) * len(trade.legs) for point in points]),
    )
    parts = change_parts(legs, states, rate=rate, dividend_yield=DIVIDEND_YIELD)
    changes = np.array([parts.time, parts.spot, parts.vol, parts.smile]).T.tolist()
    ends = zip(pairwise(levels), changes, strict=True)
    return tuple(_attribution(trade.id, before, after, change) for (before, after), change in ends)


def _attribution(trade_id: int, before: _Level, after: _Level, changes: Sequence[float]) -> Attribution:
    """Return one interval. What was opened in it counts from its start, what was closed in it until its end."""
    shares = (before.held + after.opened - before.opened) * MULTIPLIER
    time, spot, vol, smile = (_round_cents(Decimal(change * shares)) for change in changes)
    total, fees = after.profit - before.profit, before.costs - after.costs
    rest = total - fees - time - spot - vol - smile
    parts = AttributionParts(time=time, spot=spot, vol=vol, smile=smile, rest=rest, fees=fees)
    return Attribution(trade_id=trade_id, start=before.day, end=after.day, parts=parts)


def _levels(
    trade: Trade, flows: Sequence[CashFlow], marks: Sequence[Mark], opening: MarketPoint, closes: Mapping[date, float]
) -> list[_Level]:
    """Return the opening, each mark, and the end if there was one. A mark on the day of the end is the end's.

    A settlement is at the official close.
    """
    levels = [_Level(day=market_date(trade.opened_at), point=opening)]
    symbols = [leg.symbol for leg in trade.legs]
    # A recorded market may date a mark before the fill.
    points = [
        (MarketPoint(at=mark.at, spot=mark.spot, mids=_mids(symbols, {leg.symbol: leg for leg in mark.legs})), mark.mid)
        for mark in marks
        if mark.at >= trade.opened_at
    ]
    if trade.closed_at is not None:
        points = [pair for pair in points if market_date(pair[0].at) <= market_date(trade.closed_at)]
        at = _end_time(trade, flows, trade.closed_at)
        is_marked = bool(points) and market_date(points[-1][0].at) == market_date(at)
        last = points.pop()[0] if is_marked else MarketPoint(at=at)
        if _is_settled(flows):
            last = MarketPoint(at=at, spot=closes.get(market_date(at), last.spot))
    levels += [_level(point, [flow for flow in flows if flow.at <= point.at], mid) for point, mid in points]
    if trade.closed_at is not None:
        end = _level(last, flows, None)
        result = _round_cents(trade.result) if trade.result is not None else end.profit
        levels.append(replace(end, day=market_date(trade.closed_at), profit=result))
    return levels


def _is_settled(flows: Sequence[CashFlow]) -> bool:
    return bool(flows) and flows[-1].kind is CashFlowKind.SETTLEMENT


def _end_time(trade: Trade, flows: Sequence[CashFlow], ended: datetime) -> datetime:
    """Return when the trade last had a market: a broker may date a settlement to any hour, and on the day after."""
    end = trading_end(trade.legs[0].root, trade.expiration)
    return end if _is_settled(flows) and market_date(ended) >= market_date(end) else ended


def _level(point: MarketPoint, flows: Sequence[CashFlow], mid: Price | None) -> _Level:
    """Return the level after these cash flows; `mid` is None when nothing is held."""
    opened = sum(flow.spreads for flow in flows if flow.kind is CashFlowKind.OPENING)
    held = 2 * opened - sum(flow.spreads for flow in flows)
    cash = sum_amounts(flow.amount - flow.fees for flow in flows)
    return _Level(
        day=market_date(point.at),
        point=point,
        profit=_round_cents(cash - (mid * MULTIPLIER * held if mid is not None else 0)),
        costs=_round_cents(sum_amounts(flow.fees + _slippage(flow) for flow in flows)),
        opened=opened,
        held=held,
    )


def _slippage(flow: CashFlow) -> Decimal:
    """Return the dollars lost against the mid at the approval; 0 where nothing was decided at a mid."""
    return flow.mid * MULTIPLIER * flow.spreads - flow.amount if flow.mid is not None and flow.spreads else Decimal(0)


def _mids(symbols: Sequence[str], quotes: Mapping[str, OptionQuote | LegMark]) -> tuple[float, ...]:
    found = (quotes.get(symbol) for symbol in symbols)
    return tuple(
        (quote.bid + quote.ask) / 2 if quote is not None and quote.bid is not None and quote.ask is not None else nan
        for quote in found
    )


def _round_cents(amount: Decimal) -> Decimal:
    """Return the amount to the cent; never -0.00."""
    return amount.quantize(CENT, ROUND_HALF_EVEN) + Decimal(0)
