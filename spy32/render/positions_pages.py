"""Our view beside the broker's: what `positions` and `reconcile` answer, as plain lines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from spy32.domain.orders import Trade
from spy32.domain.spreads import Account, Mode
from spy32.lifecycle import TradeState
from spy32.render.formatting import format_dollars, format_gain, join_lines
from spy32.render.open_trades import held_words, standing_words
from spy32.render.trading import format_fees

if TYPE_CHECKING:
    from spy32.domain.results import ResultTotals
    from spy32.ops.open_trades import OpenTrade
    from spy32.trading.position_diff import AccountDiff, ForeignOrder, PositionDiff
    from spy32.trading.reconcile import ReconcileResult
    from spy32.trading.transactions import MissingContracts

ENDED = (TradeState.CLOSED, TradeState.EXPIRED)

# Reconcile.


def reconciliation_lines(found: "ReconcileResult") -> Iterable[str]:
    """What was in flight, how it stands now, and where our book and the broker differ."""
    if not found.orders:
        yield "nothing was in flight"
    for was, now in found.orders:
        why = f": {join_lines(now.reason)}" if now.reason else ""
        yield f"{now.reference}: {was.state} before, {now.state} now, {now.filled} of {now.quantity} filled{why}"
    for trade in found.settled.trades:
        yield f"T{trade.id} is {trade.state}"
    for holding in found.view.holdings:
        if not holding.agrees:
            yield f"DIFFERENT {holding.symbol}: {_counts(holding)}: {join_lines(holding.why)}"
    yield from _remarks(found.view)
    for error in found.troubles:
        yield f"NOT SETTLED: {join_lines(error.message)}"
    if found.view.holdings and not found.view.differs:
        yield "our positions and the broker's agree"
    elif not found.view.holdings and not found.view.troubles:
        yield "no positions, here or at the broker"


def adoption_text(gone: "MissingContracts") -> str:
    """What would be taken into our book of one trade."""
    assert gone.adoption is not None
    adoption, trade = gone.adoption, gone.trade
    part = "" if adoption.spreads == trade.remaining else f"{adoption.spreads} of {trade.remaining} spreads of "
    cash = f"${adoption.gross:,.2f} before fees of ${adoption.fees:,.2f}"
    return f"{part}T{trade.id}: {trade.state} -> {adoption.state}, cash {cash} ({join_lines(adoption.reason)})"


# Positions.


def positions_lines(
    view: "AccountDiff",
    trades: Sequence[Trade],
    account: Account,
    totals: "ResultTotals",
    marked: "Sequence[OpenTrade]" = (),
) -> Iterable[str]:
    """Every contract that our book or the broker holds, the trades that they make up with their marks, and what trades
    earned."""
    open_trades = {item.trade.id: item for item in marked}
    total, power = format_dollars(account.net_liquidation), format_dollars(account.buying_power)
    # The paper broker values positions at what they were opened for; a real one at the market.
    basis = " (open trades at cost, not at the marks)" if account.mode is Mode.PAPER and view.holdings else ""
    yield f"{account.mode} account {account.masked_number}: net liquidation {total}{basis}, buying power {power}"
    for restriction in account.restrictions:
        yield f"  the broker says: {join_lines(restriction)}"
    for each in view.holdings:
        agrees = "agree" if each.agrees else f"DIFFERENT: {join_lines(each.why)}"
        yield f"  {each.symbol}  {_counts(each)}  {agrees}"
    for trade in trades:
        if trade.state not in ENDED:
            opened = f"{trade.quantity} opened for {trade.credit}, max loss {format_dollars(trade.max_loss)}"
            left = f", {trade.remaining} left" if 0 < trade.remaining < trade.quantity else ""
            fees = f", fees {format_fees(trade)}" if trade.mode is not Mode.PAPER else ""
            yield f"T{trade.id} {trade.state}: {opened}{left}{fees}"
            if trade.id in open_trades:
                item = open_trades[trade.id]
                yield from (f"  {words}" for words in (held_words(item), *standing_words(item)))
    if trades:
        yield from _totals(totals)
    yield from _remarks(view)
    for error in view.troubles:
        yield f"NOT SEEN: {join_lines(error.message)}"
    if not view.holdings:
        yield "no positions"


def _totals(totals: "ResultTotals") -> Iterator[str]:
    unmarked = f"; {', '.join(f'T{number}' for number in totals.unmarked)} without a mark" if totals.unmarked else ""
    yield f"open trades: {format_gain(totals.unrealized)} unrealised, by their newest usable marks{unmarked}"
    week, month, total = map(format_gain, (totals.week, totals.month, totals.total))
    yield f"realised: {week} this week, {month} this month, {total} in all"


# Parts of both.


def _counts(each: "PositionDiff") -> str:
    return f"ours {each.ours:+d}  broker {each.broker:+d}"


def _remarks(view: "AccountDiff") -> Iterator[str]:
    for trade, order in view.targets:
        done = f", {order.filled} of {order.quantity} filled" if order.filled else f" for {order.quantity}"
        yield f"T{trade.id}: target {order.reference} {order.state} at {-order.limit}{done}"
    for trade in view.without_target:
        yield f"T{trade.id}: no target works, though its exit plan leaves one with the broker"
    for other in view.foreign_orders:
        yield _foreign_words(other)
    for difference in view.history:
        yield f"DIFFERENT {join_lines(difference.text)}"
    for gone in view.gone:
        can = "`spy32 reconcile --adopt` takes it over" if gone.adoption is not None else "nothing can be taken over"
        yield f"{join_lines(gone.explanation)}: {can}"


def _foreign_words(other: "ForeignOrder") -> str:
    order = other.order
    parts = [join_lines(order.status), *(f"{leg.action} {leg.quantity} x {leg.symbol}" for leg in order.whole_legs)]
    if order.unread is not None:
        parts.append(f"cannot be read: {join_lines(order.unread)}")
    return f"order {join_lines(order.broker_id)} at the broker, {_whose(other)}: {', '.join(parts)}"


def _whose(other: "ForeignOrder") -> str:
    if other.ours is not None:
        return (
            f"bears our reference {other.ours.reference}, {other.ours.state} in our book; `spy32 reconcile` adopts it"
        )
    if other.proposal_id is not None:
        return f"bears the name of the approval of P{other.proposal_id}; `spy32 reconcile` adopts it"
    if other.has_spy32_reference:
        reference = join_lines(other.order.reference)
        return f"sent by spy32 for an approval that this book does not have ({reference}), left alone"
    return "not ours, left alone"
