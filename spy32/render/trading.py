"""What the trading commands answer, in short plain lines: a run, an execution, a rehearsal, a replay."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.run_view import RunView
from spy32.domain.spreads import Mode
from spy32.lifecycle import ProposalState
from spy32.render.documents import emit, print_document
from spy32.render.figures import max_loss_words, trade_sentence, watch_words
from spy32.render.formatting import format_credit, format_gain, format_percent
from spy32.render.output import print_lines

if TYPE_CHECKING:
    from spy32.console import AnyConsole
    from spy32.pipeline.replay import ReplayResult
    from spy32.trading.execute import ExecutionPreview


def print_run(out: "AnyConsole", view: RunView) -> None:
    """What came of a run, in a few lines, and what to type next."""
    run, proposal = view.run, view.proposal
    late = ", late" if run.late else ""
    cause = f" ({run.cause})" if run.cause else ""
    print_lines(out, [f"R{run.id} {run.outcome}{cause}{late}", *(f"  {reason}" for reason in run.reasons)])
    if proposal is not None:
        recorded = ", recorded market: simulated" if proposal.is_recorded else ""
        print_lines(
            out,
            [
                f"P{proposal.id} [{proposal.mode}{recorded}]: {trade_sentence(proposal)}",
                f"  max loss {max_loss_words(proposal)}, expiring {proposal.expiration}",
                f"next: spy32 approve P{proposal.id}",
            ],
        )
    else:
        print_lines(out, [f"next: spy32 show R{run.id}"])


def print_execution(out: "AnyConsole", view: RunView, *, json: bool) -> None:
    """How the proposal of this run stands after `execute` or `cancel`."""
    if json:
        from spy32.render.run_documents import run_document

        emit(out, run_document(view))
        return
    assert view.proposal is not None
    print_lines(out, _execution_lines(view, view.proposal))


def _execution_lines(view: RunView, proposal: Proposal) -> Iterable[str]:
    simulated = f"  [{proposal.mode}{', recorded market' if proposal.is_recorded else ''}]"
    yield f"P{proposal.id} is {proposal.state}{simulated}"
    for order in view.orders:
        why = f": {order.reason}" if order.reason else ""
        filled = f"{order.filled} of {order.quantity} filled{why}"
        yield f"  {order.reference}  {order.state}  at {format_credit(order.limit)}  {filled}"
    trade = view.trade
    if trade is not None and proposal.kind is ProposalKind.CLOSE:
        yield from _closing_lines(trade, proposal)
    elif trade is not None:
        price = f"{abs(trade.credit)} {'credit' if trade.credit > 0 else 'debit'}"
        opened = f"{trade.quantity} x {proposal.underlying} opened for {price}"
        yield f"T{trade.id}: {opened}, fees {format_fees(trade)}"
        yield f"  max loss ${trade.max_loss:,.2f}" + (f"; {trade.assumption}" if trade.assumption else "")
        exits = trade.exits or proposal.exit
        prices = f"{exits.profit_target} or less; stop at {exits.stop} or more"
        if exits.profit_target < 0:
            prices = f"a credit of {-exits.profit_target} or more; no stop"
        yield f"  close due at {prices}; {_format_exit_days(proposal)}"
        yield f"  exits watched {watch_words(exits)}"
    if proposal.state is ProposalState.SENT:
        yield f"next: spy32 execute P{proposal.id} goes on working it, spy32 cancel P{proposal.id} cancels it"
    elif trade is not None:
        yield f"next: {'spy32 manage; ' * (proposal.kind == 'open')}spy32 show T{trade.id}; spy32 positions"


def _closing_lines(trade: Trade, proposal: Proposal) -> Iterable[str]:
    """What a close has bought back, and what the trade has earned when nothing is left of it."""
    paid = f" for {format_credit(-trade.debit)}" if trade.debit is not None else ""
    yield f"T{trade.id} {trade.state}: {trade.closed_quantity} of {trade.quantity} x {proposal.underlying} closed{paid}"
    if trade.result is not None:
        kept = (trade.credit - (trade.debit or 0)) / trade.credit if trade.credit > 0 else None
        share = f", {format_percent(float(kept))} of the credit kept" if kept is not None else ""
        yield f"  result {format_gain(trade.result)} after fees of {format_fees(trade)}{share}"
        if trade.assumption:
            yield f"  {trade.assumption}"


def format_fees(trade: Trade) -> str:
    """Dollars, and whether the broker has told them for good; on paper they are the paper broker's own."""
    is_estimate = trade.mode is not Mode.PAPER and not trade.fees_final
    return f"${trade.fees:,.2f}" + (" (an estimate)" if is_estimate else "")


def _format_exit_days(proposal: Proposal) -> str:
    time_exit = f"time exit {proposal.exit.time_exit}, " if proposal.exit.time_exit is not None else ""
    return f"{time_exit}last exit {proposal.exit.last_exit}"


def print_rehearsal(out: "AnyConsole", result: "ExecutionPreview", *, json: bool) -> None:
    """Exactly what `execute` would send now, and what its checks say."""
    if json:
        from spy32.render.trading_documents import REHEARSAL

        print_document(out, REHEARSAL, result)
        return
    print_lines(out, _rehearsal_lines(result))


def _rehearsal_lines(result: "ExecutionPreview") -> Iterable[str]:
    yield f"P{result.proposal.id}, hash {result.proposal.hash[:8]}: this would be sent now, and nothing was"
    yield result.body
    plan = result.proposal.plan
    direction = "up" if plan.start < 0 else "down"
    yield f"then worked {direction} to {abs(plan.limit)}, {plan.tick} every {plan.step_seconds} s"
    for finding in result.findings:
        yield f"{'REFUSED' if finding.blocks else 'note'}: {finding.message}"
    for error in result.dry_run.errors:
        yield f"REFUSED by the broker's dry run: {error}"
    for warning in result.dry_run.warnings:
        yield f"the broker warns: {warning}"
    if result.dry_run.fees is not None:
        yield f"fees ${result.dry_run.fees:,.2f}"
    if result.dry_run.buying_power_change is not None:
        yield f"buying power used ${result.dry_run.buying_power_change:,.2f} by the broker, at the first limit"


def print_replay(out: "AnyConsole", found: "ReplayResult", *, json: bool) -> None:
    """What was recomputed from the record, and every difference."""
    if json:
        from spy32.render.replay_documents import REPLAY

        print_document(out, REPLAY, found)
        return
    print_lines(out, [f"{found.name}: recomputed {', '.join(found.checked)}"])
    same = ["no difference from the record"]
    print_lines(out, [f"DIFFERENT {line}" for line in found.differences] if found.differences else same)
