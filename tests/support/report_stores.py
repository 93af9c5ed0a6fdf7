"""Stores with many weeks of runs, trades and outcomes: one life through the program's own doors, and copies of it.

Every row has its event, so that the history is whole.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from spy32.domain.answer_role import AnswerRole
from spy32.domain.outcomes import CandidateOutcome
from spy32.domain.proposals import ExitReason
from spy32.domain.runs import Outcome, Run
from spy32.domain.spreads import Candidate
from spy32.records.report import StatedAnswer
from spy32.store import Store
from tests.support import builders, stores
from tests.support.builders import NOW, later

TABLES = (
    "run", "snapshot", "candidate", "answer", "attempt", "proposal", "approval", "broker_order", "fill", "trade",
    "mark", "outcome",
)  # fmt: skip
REFERENCES = {"run_id": "run", "proposal_id": "proposal", "trade_id": "trade", "order_id": "broker_order",
              "approval_id": "approval"}  # fmt: skip
RESULTS = (Decimal("55.48"), Decimal("31.48"), Decimal("-44.52"), Decimal("60.48"), Decimal("12.48"))
"""Of the trades in turn, dollars after fees."""
FEES = Decimal("9.04")


def lived_weeks(store: Store, weeks: int, *, per_week: int = 1) -> None:
    """Fill a new store with so many runs, so many a week: each with its answers, outcomes and closed trade."""
    _live_once(store)
    rows = {table: [dict(row) for row in store.core.rows(f"select * from {table} order by id")] for table in TABLES}
    for number in range(1, weeks):
        with store.core.write_transaction(NOW, "a week") as write:
            # A closing names its trade, which names its opening.
            store.core.db.execute("pragma defer_foreign_keys = on")
            for table, found in rows.items():
                for row in found:
                    write.insert(table, **_copied(table, row, number, number // per_week, rows))


def _live_once(store: Store) -> None:
    run = decided_run(store)
    stores.asked(store, run.id, prompt="comprehensive")
    _, trade = stores.filled(store, run_id=run.id, candidate_id=builders.candidate().id)
    store.marks.add(builders.mark(trade.id, at=later(hours=2), unrealized=Decimal("6.96")))
    close = store.proposals.add(
        builders.close_proposal(trade.id, run_id=run.id, reason=ExitReason.TARGET), body="{}", at=later(days=8)
    )
    said = builders.approval(close, at=later(days=8), until=later(days=8, hours=1), mid=Decimal("-0.27"))
    yes = store.proposals.approve(said)
    order = stores.working(store, store.orders.begin(builders.order(close, yes), at=later(days=8)))
    bought = builders.fills(trade.closing_legs, prices=("0.80", "0.52"), prefix="X", at=later(days=8))
    store.trades.record_fills(order.id, bought, fees=Decimal("4.52"), at=later(days=8))
    store.runs.finish(run.id, outcome=Outcome.PROPOSED, at=later(minutes=9))
    store.outcomes.save([_outcome(run.id, each) for each in builders.menu().candidates], later(days=40))


def decided_run(store: Store) -> Run:
    """A run with its market and menu, grok's choice, and the same one of the rule."""
    run = stores.begun(store, slot=builders.TODAY)
    store.decisions.save_snapshot(run.id, builders.snapshot(), builders.quality(), builders.market_line(), NOW)
    store.decisions.save_menu(run.id, builders.menu(), NOW)
    store.decisions.save_answer(run.id, builders.recommendation(), role=AnswerRole.CHOSEN, at=NOW)
    rule = builders.recommendation(analyst="rules", model=None, prompt=None, probability=None)
    store.decisions.save_answer(run.id, rule, role=AnswerRole.SHADOW, at=NOW)
    return run


def _outcome(run_id: int, entry: Candidate) -> CandidateOutcome:
    """Of a close at 660, where every spread of the menu expires worthless."""
    return CandidateOutcome(
        run_id=run_id,
        candidate_id=entry.id,
        strategy=entry.spread.strategy,
        expiration=entry.spread.expiration,
        max_loss=entry.max_loss,
        settlement=Decimal(660),
        expiry=entry.mid * 100 - entry.costs,
        is_worthless=True,
        worthless_market=entry.p_worthless,
        worthless_history=0.9,
        is_final=True,
    )


def _copied(
    table: str, row: dict[str, Any], number: int, week: int, rows: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    columns = {name: _shifted(name, item, week) for name, item in row.items()}
    columns["id"] = row["id"] + number * len(rows[table])
    for name, target in REFERENCES.items():
        if columns.get(name) is not None:
            columns[name] += number * len(rows[target])
    if table == "broker_order":
        columns |= {"reference": f"{row['reference']}-{number}", "broker_id": f"{row['broker_id']}-{number}"}
    if table == "snapshot":
        columns["data"] = b""
    if table == "trade":
        result = RESULTS[number % len(RESULTS)]
        paid = row["premium_e4"] - int((result + FEES) * 100)
        columns |= {"result_e4": int(result * 10_000), "paid_e4": paid}
    return columns


def _shifted(name: str, item: Any, week: int) -> Any:
    if item is None or not name.endswith(("_at", "_day", "at", "slot")) or not isinstance(item, str):
        return item
    days = timedelta(weeks=week)
    if len(item) == 10:
        return (date.fromisoformat(item) + days).isoformat()
    return (datetime.fromisoformat(item) + days).isoformat() if len(item) > 10 and item[4] == "-" else item


def week_day(week: int) -> str:
    """The Monday of a week, as rows have it."""
    return (date(2024, 1, 1) + timedelta(weeks=week)).isoformat()


def stated_answer(week: int, **over: Any) -> StatedAnswer:
    """An answer of grok whose choice expired worthless, as it was 80 % sure of."""
    base = {
        "run_id": week, "day": week_day(week), "analyst": "grok", "decision": "trade", "prompt": "v2",
        "model": "grok-4", "candidate_id": "a", "stated": 0.8, "vetoes": 0, "unmatched": 0, "worthless": 1,
    }  # fmt: skip
    return StatedAnswer(**{**base, **over})
