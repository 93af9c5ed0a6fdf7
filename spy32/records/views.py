"""Looking back: one run with all that came of it, and the list of runs. Cheap: nothing is decompressed."""

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from spy32.domain.acting import Fill, Order, Trade
from spy32.domain.deciding import Approval, Proposal
from spy32.domain.market import QualityReport
from spy32.domain.running import HistoryRow
from spy32.domain.views import MarketLine, RunView
from spy32.records.asking import Asking
from spy32.records.reading import Reading, briefing_of, outcome_of
from spy32.records.trades import Trades
from spy32.records.values import instant, reads_row, revive, unreadable, when

_HISTORY = """select run.id, run.started_at, run.outcome, run.cause, run.profile, run.reasons,
    proposal.id as proposal_id, proposal.state, proposal.body, trade.id as trade_id
    from run
    left join proposal on proposal.id = (select max(id) from proposal where run_id = run.id and kind = 'open')
    left join trade on trade.proposal_id = proposal.id"""
SINCE = f"""{_HISTORY} where run.id in (
    select id from run where started_at >= ? order by started_at desc, id desc limit ?) order by run.id desc"""
NEWEST = f"{_HISTORY} order by run.id desc limit ?"
TROUBLE = f"{_HISTORY} where run.outcome in ('failed', 'interrupted') order by run.id desc limit ?"


class Views(Asking, Trades, Reading):
    """What `show` needs."""

    def view(self, run_id: int, *, rejected: bool = False) -> RunView:
        """A run with everything that came of it, from one state of the database."""
        with self.consistent():
            run = self.run(run_id)
            seen = self.row("select line, quality, deciding, briefing from snapshot where run_id = ?", run_id)
            answers = self.answers(run_id)
            chosen = [answer for role, answer in answers if role == "chosen"]
            proposal = self.proposal_of_run(run_id)
            approval, orders, fills, trade = self._came_of(proposal)
            return RunView(
                run=run,
                market=revive(MarketLine, seen["line"], f"the market of R{run_id}") if seen is not None else None,
                quality=revive(QualityReport, seen["quality"], f"the quality of R{run_id}")
                if seen is not None
                else None,
                menu=self.menu(run_id, rejected=rejected),
                recommendation=chosen[-1] if chosen else None,
                shadows=tuple(answer for role, answer in answers if role == "shadow"),
                ruling=self.ruling(run_id),
                proposal=proposal,
                body=self.proposal_body(proposal.id) if proposal is not None and proposal.id is not None else "",
                approval=approval,
                orders=orders,
                fills=fills,
                trade=trade,
                briefing=briefing_of(seen["briefing"], run_id) if seen is not None else None,
                attempts_summary=self.tallies(run_id),
                decided_by=_settings(seen["deciding"]) if seen is not None else None,
            )

    def _came_of(
        self, proposal: Proposal | None
    ) -> tuple[Approval | None, tuple[Order, ...], tuple[Fill, ...], Trade | None]:
        if proposal is None or proposal.id is None:
            return None, (), (), None
        orders = self.orders(proposal.id)
        fills = tuple(fill for order in orders if order.id is not None for fill in self.fills(order.id))
        return self.approval_of(proposal.id), orders, fills, self.trade_of_proposal(proposal.id)

    def history(self, *, limit: int = 20, since: date | None = None) -> tuple[HistoryRow, ...]:
        """The newest runs, newest first; `since` is a New York date, or an instant."""
        if since is None:
            return tuple(_history(row) for row in self.rows(NEWEST, limit))
        return tuple(_history(row) for row in self.rows(SINCE, _start(since), limit))

    def failures(self, limit: int) -> tuple[HistoryRow, ...]:
        """The newest failed and interrupted runs, newest first."""
        return tuple(_history(row) for row in self.rows(TROUBLE, limit))


def _settings(text: str | None) -> Mapping[str, Mapping[str, object]] | None:
    """As stored: making the classes of the settings would cost more than all the rest of a view."""
    if text is None:
        return None
    try:
        found: Mapping[str, Mapping[str, object]] = json.loads(text)
    except ValueError as trouble:
        raise unreadable("the settings of a run", trouble) from trouble
    return found


def _start(since: date) -> str:
    if isinstance(since, datetime):
        return instant(since)
    from spy32.sessions import NEW_YORK

    return instant(datetime.combine(since, time(), NEW_YORK).astimezone(UTC))


@reads_row("run")
def _history(row: sqlite3.Row) -> HistoryRow:
    return HistoryRow(
        id=row["id"],
        started_at=when(row["started_at"]),
        outcome=outcome_of(row["outcome"]),
        cause=row["cause"],
        profile=row["profile"],
        proposal_id=row["proposal_id"],
        trade_id=row["trade_id"],
        headline=_headline(row),
    )


def _headline(row: sqlite3.Row) -> str:
    """What was proposed and how it stands, or else the first reason."""
    if row["body"] is None:
        reasons = json.loads(row["reasons"])
        return str(reasons[0]) if reasons else ""
    made = revive(Proposal, row["body"], f"P{row['proposal_id']}", id=row["proposal_id"], state=row["state"])
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in made.legs)
    kind = made.strategy.value.replace("_", " ")
    return f"{made.underlying} {strikes} {kind} {made.limit_price} x{made.quantity} {made.state}"
