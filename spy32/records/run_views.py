"""Views of runs for `show`: one run with its results, and the list of runs. Nothing is decompressed."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import Proposal
from spy32.domain.run_view import RunView
from spy32.domain.runs import RunSummary
from spy32.lifecycle import ProposalState
from spy32.records.base import Records
from spy32.records.decisions import Decisions
from spy32.records.encoding import decode_body, decode_row, format_day_start, reading
from spy32.records.marks import Marks
from spy32.records.model_calls import ModelCalls
from spy32.records.orders import Orders
from spy32.records.proposals import Proposals
from spy32.records.runs import Runs
from spy32.records.trades import Trades

if TYPE_CHECKING:
    from spy32.domain.outcomes import CandidateOutcome

_RUN_SUMMARIES = """select run.id, run.slot, run.started_at, run.outcome, run.cause, run.profile, run.reasons,
    proposal.id as proposal_id, proposal.state, proposal.body, trade.id as trade_id, trade.result_e4, trade.exit_reason
    from run
    left join proposal on proposal.id = (select max(id) from proposal where run_id = run.id and kind = 'open')
    left join trade on trade.proposal_id = proposal.id"""
RUNS_SINCE = f"""{_RUN_SUMMARIES} where run.id in (
    select id from run where started_at >= ? order by started_at desc, id desc limit ?) order by run.id desc"""
NEWEST_RUNS = f"{_RUN_SUMMARIES} order by run.id desc limit ?"
MISSED_RUNS = f"""{_RUN_SUMMARIES} where run.started_at >= ? and run.outcome = 'skipped' and run.cause = 'missed'
    order by run.id desc"""
FAILED_RUNS = f"{_RUN_SUMMARIES} where run.outcome in ('failed', 'interrupted') order by run.id desc limit ?"


class RunViews(Records):
    """Reads what `show` prints."""

    def view(self, run_id: int, *, rejected: bool = False) -> RunView:
        """Return a run with its results, read from one state of the database."""
        decisions, proposals, orders = Decisions(self._core), Proposals(self._core), Orders(self._core)
        with self._core.read_transaction():
            run = Runs(self._core).get(run_id)
            market = decisions.market(run_id)
            shadows = tuple(answer for role, answer in decisions.answers(run_id) if role is AnswerRole.SHADOW)
            view = RunView(
                run=run,
                market=market,
                quality=decisions.quality(run_id) if market is not None else None,
                menu=decisions.menu(run_id, rejected=rejected),
                recommendation=decisions.recommendation(run_id),
                shadows=shadows,
                ruling=decisions.ruling(run_id),
                outcomes=self._outcomes(run_id),
                briefing=decisions.briefing(run_id),
                attempts_summary=ModelCalls(self._core).usage_summaries(run_id),
                decided_by=decisions.stored_settings(run_id),
            )
            proposal = proposals.find_by_run(run_id)
            if proposal is None:
                return view
            if proposal.state is ProposalState.PROPOSED:
                rules = tuple(answer for answer in shadows if answer.is_of_rule)
                view = replace(view, shadows=rules, hides_models=True)
            own_orders = orders.select_by_proposal(proposal.id)
            trade = Trades(self._core).find_by_proposal(proposal.id)
            return replace(
                view,
                proposal=proposal,
                body=proposals.order_body(proposal.id),
                approval=proposals.latest_approval(proposal.id),
                orders=own_orders,
                fills=tuple(fill for order in own_orders for fill in orders.fills(order.id)),
                trade=trade,
                marks=Marks(self._core).select(trade.id, newest=1) if trade is not None else (),
            )

    def _outcomes(self, run_id: int) -> "Mapping[str, CandidateOutcome]":
        """Return the outcomes by candidate; a run without any loads nothing of them."""
        if not self._core.has("select 1 from outcome where run_id = ?", run_id):
            return {}
        from spy32.records.outcomes import Outcomes

        return {each.candidate_id: each for each in Outcomes(self._core).select(run_id)}

    def summaries(self, *, limit: int = 20, since: date | None = None) -> tuple[RunSummary, ...]:
        """Return the newest runs, newest first; `since` is a New York date or an instant."""
        if since is None:
            return self._core.select(_run_summary, NEWEST_RUNS, limit)
        return self._core.select(_run_summary, RUNS_SINCE, format_day_start(since), limit)

    def failures(self, limit: int) -> tuple[RunSummary, ...]:
        """Return the newest failed and interrupted runs, newest first."""
        return self._core.select(_run_summary, FAILED_RUNS, limit)

    def select_missed(self, since: datetime) -> tuple[RunSummary, ...]:
        """Return the rows of slots that were found to be missed since then, newest first."""
        return self._core.select(_run_summary, MISSED_RUNS, since)


def _run_summary(row: sqlite3.Row) -> RunSummary:
    with reading(f"run {row['id']}"):
        return decode_row(RunSummary, row, "run", headline=_headline(row))


def _headline(row: sqlite3.Row) -> str:
    """Return what was proposed and its state, or the first reason if nothing was."""
    if row["body"] is None:
        reasons = json.loads(row["reasons"])
        return str(reasons[0]) if reasons else ""
    proposal = decode_body(Proposal, row["body"], f"P{row['proposal_id']}", id=row["proposal_id"], state=row["state"])
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in proposal.legs)
    kind = proposal.strategy.value.replace("_", " ")
    return f"{proposal.underlying} {strikes} {kind} {proposal.limit_price} x{proposal.quantity} {proposal.state}"
