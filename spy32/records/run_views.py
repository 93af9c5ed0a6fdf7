"""Views of runs for `show`: one run with its results, and the list of runs. Nothing is decompressed."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.market import QualityReport
from spy32.domain.orders import Fill, Order, Trade
from spy32.domain.proposals import Approval, ExitReason, Proposal
from spy32.domain.run_view import MarketSummary, RunView
from spy32.domain.runs import RunSummary
from spy32.lifecycle import ProposalState
from spy32.records.base import Database
from spy32.records.decisions import Decisions, parse_briefing
from spy32.records.encoding import (
    decode_body,
    e4_to_dollars,
    format_day_start,
    format_instant,
    parse_instant,
    row_decoder,
    unreadable_error,
)
from spy32.records.marks import Marks
from spy32.records.model_calls import ModelCalls
from spy32.records.orders import Orders
from spy32.records.proposals import Proposals
from spy32.records.runs import Runs, parse_outcome
from spy32.records.trades import Trades

if TYPE_CHECKING:
    from spy32.domain.outcomes import Outcome

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


class RunViews:
    """Reads what `show` prints."""

    def __init__(  # noqa: PLR0913, PLR0917 - one for each noun that a view shows
        self,
        core: Database,
        runs: Runs,
        decisions: Decisions,
        proposals: Proposals,
        orders: Orders,
        trades: Trades,
        marks: Marks,
        model_calls: ModelCalls,
    ) -> None:
        self._core = core
        self._runs = runs
        self._decisions = decisions
        self._proposals = proposals
        self._orders = orders
        self._trades = trades
        self._marks = marks
        self._model_calls = model_calls

    def view(self, run_id: int, *, rejected: bool = False) -> RunView:
        """Return a run with its results, read from one state of the database."""
        with self._core.read_transaction():
            run = self._runs.get(run_id)
            snapshot_row = self._core.row(
                "select line, quality, deciding, briefing from snapshot where run_id = ?", run_id
            )
            answers = self._decisions.answers(run_id)
            chosen = [answer for role, answer in answers if role is AnswerRole.CHOSEN]
            proposal = self._proposals.find_by_run(run_id)
            approval, orders, fills, trade = self._proposal_results(proposal)
            shadows = tuple(answer for role, answer in answers if role is AnswerRole.SHADOW)
            rules = tuple(answer for answer in shadows if answer.is_of_rule)
            is_decided = proposal is None or proposal.state is not ProposalState.PROPOSED
            return RunView(
                run=run,
                market=decode_body(MarketSummary, snapshot_row["line"], f"the market of R{run_id}")
                if snapshot_row is not None
                else None,
                quality=decode_body(QualityReport, snapshot_row["quality"], f"the quality of R{run_id}")
                if snapshot_row is not None
                else None,
                menu=self._decisions.menu(run_id, rejected=rejected),
                recommendation=chosen[-1] if chosen else None,
                shadows=shadows if is_decided else rules,
                hides_models=not is_decided,
                ruling=self._decisions.ruling(run_id),
                proposal=proposal,
                body=self._proposals.order_body(proposal.id) if proposal is not None else "",
                approval=approval,
                orders=orders,
                fills=fills,
                trade=trade,
                marks=self._marks.select(trade.id, newest=1) if trade is not None else (),
                outcomes=self._outcomes(run_id),
                briefing=parse_briefing(snapshot_row["briefing"], run_id) if snapshot_row is not None else None,
                attempts_summary=self._model_calls.usage_summaries(run_id),
                decided_by=_decided_settings(snapshot_row["deciding"]) if snapshot_row is not None else None,
            )

    def _outcomes(self, run_id: int) -> "Mapping[str, Outcome]":
        """Return the outcomes by candidate; a run without any loads nothing of them."""
        if self._core.row("select 1 from outcome where run_id = ? limit 1", run_id) is None:
            return {}
        from spy32.records.outcomes import select_outcomes

        return {each.candidate_id: each for each in select_outcomes(self._core, run_id)}

    def _proposal_results(
        self, proposal: Proposal | None
    ) -> tuple[Approval | None, tuple[Order, ...], tuple[Fill, ...], Trade | None]:
        if proposal is None:
            return None, (), (), None
        orders = self._orders.select_by_proposal(proposal.id)
        fills = tuple(fill for order in orders for fill in self._orders.fills(order.id))
        return self._proposals.latest_approval(proposal.id), orders, fills, self._trades.find_by_proposal(proposal.id)

    def summaries(self, *, limit: int = 20, since: date | None = None) -> tuple[RunSummary, ...]:
        """Return the newest runs, newest first; `since` is a New York date or an instant."""
        if since is None:
            return tuple(_run_summary(row) for row in self._core.rows(NEWEST_RUNS, limit))
        return tuple(_run_summary(row) for row in self._core.rows(RUNS_SINCE, format_day_start(since), limit))

    def failures(self, limit: int) -> tuple[RunSummary, ...]:
        """Return the newest failed and interrupted runs, newest first."""
        return tuple(_run_summary(row) for row in self._core.rows(FAILED_RUNS, limit))

    def select_missed(self, since: datetime) -> tuple[RunSummary, ...]:
        """Return the rows of slots that were found to be missed since then, newest first."""
        return tuple(_run_summary(row) for row in self._core.rows(MISSED_RUNS, format_instant(since)))


def _decided_settings(text: str | None) -> Mapping[str, Mapping[str, object]] | None:
    """Return the settings as stored JSON: building the settings classes would take longer than the rest of a view."""
    if text is None:
        return None
    try:
        settings: Mapping[str, Mapping[str, object]] = json.loads(text)
    except ValueError as error:
        raise unreadable_error("the settings of a run", error) from error
    return settings


@row_decoder("run")
def _run_summary(row: sqlite3.Row) -> RunSummary:
    return RunSummary(
        id=row["id"],
        started_at=parse_instant(row["started_at"]),
        outcome=parse_outcome(row["outcome"]),
        cause=row["cause"],
        profile=row["profile"],
        proposal_id=row["proposal_id"],
        trade_id=row["trade_id"],
        headline=_headline(row),
        result=e4_to_dollars(row["result_e4"]) if row["result_e4"] is not None else None,
        exit_reason=ExitReason(row["exit_reason"]) if row["exit_reason"] is not None else None,
        slot=date.fromisoformat(row["slot"]) if row["slot"] is not None else None,
    )


def _headline(row: sqlite3.Row) -> str:
    """Return what was proposed and its state, or the first reason if nothing was."""
    if row["body"] is None:
        reasons = json.loads(row["reasons"])
        return str(reasons[0]) if reasons else ""
    proposal = decode_body(Proposal, row["body"], f"P{row['proposal_id']}", id=row["proposal_id"], state=row["state"])
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in proposal.legs)
    kind = proposal.strategy.value.replace("_", " ")
    return f"{proposal.underlying} {strikes} {kind} {proposal.limit_price} x{proposal.quantity} {proposal.state}"
