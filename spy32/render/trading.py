"""What the trading commands answer, in plain lines: a run, an execution, a rehearsal, the broker's view beside ours."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.run_view import RunView
from spy32.domain.spreads import Account, Mode
from spy32.lifecycle import ENDED_TRADES, ProposalState
from spy32.render.documents import emit, print_document
from spy32.render.figures import exit_words, max_loss_words, order_state_words, trade_sentence, watch_words
from spy32.render.formatting import format_credit, format_dollars, format_gain, format_percent, join_lines
from spy32.render.marks import held_words, standing_words
from spy32.render.output import print_lines, print_wrapped

if TYPE_CHECKING:
    from spy32.console import AnyConsole
    from spy32.domain.results import ResultTotals
    from spy32.ops.open_trades import OpenTrade
    from spy32.trading.execute import ExecutionPreview
    from spy32.trading.position_diff import AccountDiff, ForeignOrder, PositionDiff
    from spy32.trading.reconcile import ReconcileResult
    from spy32.trading.transactions import MissingContracts


def print_run(out: "AnyConsole", view: RunView) -> None:
    """What came of a run, in a few lines, and what to type next."""
    print_wrapped(out, _run_lines(view))


def _run_lines(view: RunView) -> Iterator[str]:
    run, proposal = view.run, view.proposal
    cause = f" ({run.cause})" if run.cause else ""
    yield f"R{run.id} {run.outcome}{cause}{', late' * run.late}"
    yield from (f"  {reason}" for reason in run.reasons)
    if proposal is None:
        yield f"next: spy32 show R{run.id}"
        return
    recorded = ", recorded market: simulated" if proposal.is_recorded else ""
    yield f"P{proposal.id} [{proposal.mode}{recorded}]: {trade_sentence(proposal)}"
    yield f"  max loss {max_loss_words(proposal)}, expiring {proposal.expiration}"
    yield f"next: spy32 approve P{proposal.id}"


def print_execution(out: "AnyConsole", view: RunView, *, json: bool) -> None:
    """How the proposal of this run stands after `execute` or `cancel`."""
    if json:
        from spy32.render.run_documents import run_document

        emit(out, run_document(view))
        return
    assert view.proposal is not None
    print_wrapped(out, _execution_lines(view, view.proposal))


def _execution_lines(view: RunView, proposal: Proposal) -> Iterator[str]:
    trade = view.trade
    yield f"P{proposal.id} is {proposal.state}  [{proposal.mode}{', recorded market' if proposal.is_recorded else ''}]"
    for order in view.orders:
        yield f"  {order.reference}  {order_state_words(order)}"
    if trade is not None:
        describe = _closing_lines if proposal.kind is ProposalKind.CLOSE else _trade_lines
        yield from describe(trade, proposal)
    if proposal.state is ProposalState.SENT:
        yield f"next: spy32 execute P{proposal.id} goes on working it, spy32 cancel P{proposal.id} cancels it"
    elif trade is not None:
        yield f"next: {'spy32 manage; ' * (proposal.kind is ProposalKind.OPEN)}spy32 show T{trade.id}; spy32 positions"


def _trade_lines(trade: Trade, proposal: Proposal) -> Iterator[str]:
    """What was opened, and when it is to be closed."""
    exits, assumption = trade.exits or proposal.exit, f"; {trade.assumption}" if trade.assumption else ""
    opened = f"{trade.quantity} x {proposal.underlying} opened for {format_credit(trade.credit)}"
    yield f"T{trade.id}: {opened}, fees {format_fees(trade)}"
    yield f"  max loss {format_dollars(trade.max_loss)}{assumption}"
    yield f"  exits: {exit_words(exits, trade)}; last exit {exits.last_exit}"
    yield f"  watched {watch_words(exits)}"


def _closing_lines(trade: Trade, proposal: Proposal) -> Iterator[str]:
    """What a close has bought back, and what the trade has earned when nothing is left of it."""
    paid = f" for {format_credit(-trade.debit)}" if trade.debit is not None else ""
    yield f"T{trade.id} {trade.state}: {trade.closed_quantity} of {trade.quantity} x {proposal.underlying} closed{paid}"
    if trade.result is None:
        return
    kept = ""
    if trade.credit > 0:
        kept = f", {format_percent(float(1 - (trade.debit or 0) / trade.credit))} of the credit kept"
    yield f"  result {format_gain(trade.result)} after fees of {format_fees(trade)}{kept}"
    if trade.assumption:
        yield f"  {trade.assumption}"


def format_fees(trade: Trade) -> str:
    """Dollars, and whether the broker has told them for good; on paper they are the paper broker's own."""
    is_estimate = trade.mode is not Mode.PAPER and not trade.fees_final
    return f"{format_dollars(trade.fees)}{' (an estimate)' if is_estimate else ''}"


def print_rehearsal(out: "AnyConsole", result: "ExecutionPreview", *, json: bool) -> None:
    """Exactly what `execute` would send now, and what its checks say."""
    if json:
        from spy32.render.trading_documents import REHEARSAL

        print_document(out, REHEARSAL, result)
        return
    print_lines(out, _rehearsal_lines(result))


def _rehearsal_lines(result: "ExecutionPreview") -> Iterator[str]:
    proposal, dry_run = result.proposal, result.dry_run
    plan, direction = proposal.plan, "up" if proposal.plan.start < 0 else "down"
    yield f"P{proposal.id}, hash {proposal.hash[:8]}: this would be sent now, and nothing was"
    yield result.body
    yield f"then worked {direction} to {abs(plan.limit)}, {plan.tick} every {plan.step_seconds} s"
    yield from (f"{'REFUSED' if finding.blocks else 'note'}: {finding.message}" for finding in result.findings)
    yield from (f"REFUSED by the broker's dry run: {error}" for error in dry_run.errors)
    yield from (f"the broker warns: {warning}" for warning in dry_run.warnings)
    if dry_run.fees is not None:
        yield f"fees {format_dollars(dry_run.fees)}"
    if dry_run.buying_power_change is not None:
        power = format_dollars(dry_run.buying_power_change)
        yield f"buying power used {power} by the broker, at the first limit"


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
    for error in found.errors:
        yield f"NOT SETTLED: {join_lines(error.message)}"
    if found.view.holdings and not found.view.differs:
        yield "our positions and the broker's agree"
    elif not found.view.holdings and not found.view.errors:
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
        if trade.state not in ENDED_TRADES:
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
    for error in view.errors:
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
        ours = other.ours
        return f"bears our reference {ours.reference}, {ours.state} in our book; `spy32 reconcile` adopts it"
    if other.proposal_id is not None:
        return f"bears the name of the approval of P{other.proposal_id}; `spy32 reconcile` adopts it"
    if other.has_spy32_reference:
        reference = join_lines(other.order.reference)
        return f"sent by spy32 for an approval that this book does not have ({reference}), left alone"
    return "not ours, left alone"
