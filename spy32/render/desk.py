"""What the desk commands answer, in short plain lines: a run, an execution, a rehearsal, a replay."""

import json as jsonlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from spy32.domain.acting import Trade
from spy32.domain.codec import plain
from spy32.domain.deciding import Proposal
from spy32.domain.trading import Mode
from spy32.domain.views import RunView
from spy32.lifecycle import ProposalState
from spy32.render.documents import emit, run_document
from spy32.render.out import put

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.console import Plain
    from spy32.desk.execute import Rehearsal
    from spy32.pipeline.replay import Replay

    Screen = Console | Plain


def say(out: "Screen", lines: Iterable[str]) -> None:
    """Lines that the terminal may wrap but nothing cuts."""
    put(out, "".join(f"{line}\n" for line in lines))


def analyzed(out: "Screen", view: RunView) -> None:
    """What came of a run, in a few lines, and what to type next."""
    run, proposal = view.run, view.proposal
    late = ", late" if run.late else ""
    cause = f" ({run.cause})" if run.cause else ""
    say(out, [f"R{run.id} {run.outcome}{cause}{late}", *(f"  {reason}" for reason in run.reasons)])
    if proposal is not None:
        recorded = ", recorded market: simulated" if proposal.is_recorded else ""
        strikes = "/".join(f"{leg.strike.normalize():f}" for leg in proposal.legs)
        kind = proposal.strategy.value.replace("_", " ")
        say(
            out,
            [
                f"P{proposal.id} [{proposal.mode}{recorded}]: {proposal.quantity} x {proposal.underlying}"
                f" {proposal.expiration} {strikes} {kind}",
                f"  limit {proposal.limit_price}, floor {proposal.floor_price}, maximum loss ${proposal.max_loss:,.2f}",
                f"next: spy32 approve P{proposal.id}",
            ],
        )
    else:
        say(out, [f"next: spy32 show R{run.id}"])


def executed(out: "Screen", view: RunView, *, json: bool) -> None:
    """How the proposal of this run stands after `execute` or `cancel`."""
    if json:
        emit(out, run_document(view))
        return
    assert view.proposal is not None
    say(out, _execution(view, view.proposal))


def _execution(view: RunView, proposal: Proposal) -> Iterable[str]:
    simulated = f"  [{proposal.mode}{', recorded market' if proposal.is_recorded else ''}]"
    yield f"P{proposal.id} is {proposal.state}{simulated}"
    for order in view.orders:
        why = f": {order.reason}" if order.reason else ""
        yield f"  {order.reference}  {order.state}  at {order.limit}  {order.filled} of {order.quantity} filled{why}"
    trade = view.trade
    if trade is not None:
        opened = f"{trade.quantity} x {proposal.underlying} opened for {trade.credit} credit"
        yield f"T{trade.id}: {opened}, fees {fees_of(trade)}"
        yield f"  maximum loss ${trade.max_loss:,.2f}" + (f"; {trade.assumption}" if trade.assumption else "")
        exits = trade.exits or proposal.exit
        target, stop = exits.profit_target, exits.stop
        yield f"  out at {target} or better; stop alarm at {stop}; {_exit_days(proposal)}"
    if proposal.state is ProposalState.SENT:
        yield f"next: spy32 execute P{proposal.id} goes on working it, spy32 cancel P{proposal.id} cancels it"
    elif trade is not None:
        yield f"next: spy32 show T{trade.id}; spy32 positions"


def fees_of(trade: Trade) -> str:
    """Dollars, and whether the broker has told them for good; on paper they are the paper broker's own."""
    is_estimate = trade.mode is not Mode.PAPER and not trade.fees_final
    return f"${trade.fees:,.2f}" + (" (an estimate)" if is_estimate else "")


def _exit_days(proposal: Proposal) -> str:
    time_exit = f"time exit {proposal.exit.time_exit}, " if proposal.exit.time_exit is not None else ""
    return f"{time_exit}always out by {proposal.exit.last_exit}"


def rehearsal(out: "Screen", shown: "Rehearsal", *, json: bool) -> None:
    """Exactly what `execute` would send now, and what its checks say."""
    if json:
        document = {
            "schema": "spy32.rehearsal",
            "version": 1,
            "proposal_id": f"P{shown.proposal.id}",
            "hash": shown.proposal.hash,
            "order_body": jsonlib.loads(shown.body),
            "findings": plain(shown.findings),
            "dry_run": plain(shown.answer),
        }
        emit(out, document)
        return
    say(out, _rehearsed(shown))


def _rehearsed(shown: "Rehearsal") -> Iterable[str]:
    yield f"P{shown.proposal.id}, hash {shown.proposal.hash[:8]}: this would be sent now, and nothing was"
    yield shown.body
    plan = shown.proposal.plan
    yield f"then worked down to {plan.limit}, {plan.tick} every {plan.step_seconds} s"
    for finding in shown.findings:
        yield f"{'REFUSED' if finding.blocks else 'note'}: {finding.message}"
    for error in shown.answer.errors:
        yield f"REFUSED by the broker's dry run: {error}"
    for warning in shown.answer.warnings:
        yield f"the broker warns: {warning}"
    if shown.answer.fees is not None:
        yield f"fees ${shown.answer.fees:,.2f}"
    if shown.answer.buying_power_change is not None:
        yield f"buying power used ${shown.answer.buying_power_change:,.2f}"


def replayed(out: "Screen", found: "Replay", *, json: bool) -> None:
    """What was recomputed from the record, and every difference."""
    if json:
        document = {"schema": "spy32.replay", "version": 1, "run": found.name}
        emit(out, {**document, "checked": list(found.checked), "differences": list(found.differences)})
        return
    say(out, [f"{found.name}: recomputed {', '.join(found.checked)}"])
    same = ["no difference from the record"]
    say(out, [f"DIFFERENT {line}" for line in found.differences] if found.differences else same)
