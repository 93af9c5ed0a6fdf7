"""JSON documents: one object a command, its schemas in `spy32/data/schemas`.

Money and prices are strings, instants RFC 3339 in UTC, ids as people type them; what is not there is null.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from spy32.render.words import cents, masked, price, price_of, strike, usd_of_ticks

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.domain.acting import Fill, Order, Trade
    from spy32.domain.deciding import Approval, ExitPlan, Finding, PricePlan, Proposal, Recommendation, Ruling, Sizing
    from spy32.domain.market import QualityReport
    from spy32.domain.running import HistoryRow, Run
    from spy32.domain.trading import Candidate, Leg, Menu
    from spy32.domain.views import MarketLine, RunView
    from spy32.render.out import Plain
    from spy32.render.page import Answer

VERSION = 1

Document = dict[str, Any]


def emit(console: "Console | Plain", document: Mapping[str, Any]) -> None:
    """Print one document: one line for a program, indented for a person. ASCII, so that no terminal can be misled."""
    from spy32.render.out import put

    indent = 2 if console.is_terminal else None
    put(console, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def run_document(view: "RunView", *, answers: "Iterable[Answer] | None" = None, rejected: bool = False) -> Document:
    """Everything that came of one run. `answers` and `rejected` fill the keys that are null otherwise."""
    chosen = view.recommendation
    return {
        "schema": "spy32.run",
        "version": VERSION,
        "run": run_part(view.run),
        "market": None if view.market is None else _market(view.market),
        "quality": None if view.quality is None else _quality(view.quality),
        "menu": [] if view.menu is None else [_candidate(entry) for entry in view.menu.candidates],
        "menu_notes": [] if view.menu is None else list(view.menu.notes),
        "rejected": _rejected(view.menu) if rejected and view.menu is not None else None,
        "recommendation": None if chosen is None else _recommendation(chosen),
        "shadows": [_recommendation(shadow) for shadow in view.shadows],
        "ruling": None if view.ruling is None else _ruling(view.ruling),
        "proposal": None if view.proposal is None else _proposal(view, view.proposal),
        "trade": None if view.trade is None else _trade(view.trade),
        "answers": None if answers is None else [_answer(answer) for answer in answers],
    }


def history_document(rows: Iterable["HistoryRow"]) -> Document:
    """Runs, newest first."""
    return {"schema": "spy32.history", "version": VERSION, "runs": [history_part(row) for row in rows]}


def error_document(code: int, message: str) -> Document:
    return {"schema": "spy32.error", "version": VERSION, "code": code, "message": message}


# Small forms.


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def day(at: date | None) -> str | None:
    return None if at is None else at.isoformat()


def name(letter: str, number: int | None) -> str | None:
    """`R31`; null when there is no such thing."""
    return None if number is None else f"{letter}{number}"


def _cents(amount: Decimal | None) -> str | None:
    return None if amount is None else cents(amount)


def _gain(amount: float | None) -> str | None:
    """Model dollars; null until their mathematics is built."""
    return None if amount is None else cents(Decimal(str(amount)))


def body_of(text: str) -> Any:
    """An order body as an object; the text itself should it not be JSON."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


# The run.


def run_part(run: "Run") -> Document:
    return {
        "id": name("R", run.id),
        "trigger": run.trigger.value,
        "mode": run.mode.value,
        "profile": run.profile,
        "slot": day(run.slot),
        "late": run.late,
        "started_at": instant(run.started_at),
        "ended_at": instant(run.ended_at),
        "outcome": None if run.outcome is None else run.outcome.value,
        "cause": run.cause,
        "reasons": list(run.reasons),
        "exit_code": run.exit_code,
        "forced_from": name("R", run.forced_from),
        "steps": [
            {"name": step.name, "state": step.state.value, "ms": step.ms, "detail": step.detail} for step in run.steps
        ],
        "step_running": run.step_running,
    }


def history_part(row: "HistoryRow") -> Document:
    return {
        "id": name("R", row.id),
        "started_at": instant(row.started_at),
        "outcome": None if row.outcome is None else row.outcome.value,
        "cause": row.cause,
        "profile": row.profile,
        "proposal_id": name("P", row.proposal_id),
        "trade_id": name("T", row.trade_id),
        "headline": row.headline,
    }


def _market(line: "MarketLine") -> Document:
    return {
        "underlying": line.underlying,
        "spot": price_of(line.spot),
        "as_of": instant(line.as_of),
        "source": line.source,
        "recorded": line.is_recorded,
        "expiration": day(line.expiration),
        "dte": line.dte,
        "atm_iv": line.atm_iv,
        "expected_move": _gain(line.expected_move),
        "vix": line.vix,
    }


def _quality(report: "QualityReport") -> Document:
    stopped = report.stopped_by
    return {
        "degraded": report.is_degraded,
        "stopped_by": None if stopped is None else stopped.name,
        "gates": [
            {
                "name": gate.name,
                "figure": gate.figure,
                "limit": gate.limit,
                "verdict": gate.verdict.value,
                "note": gate.note,
            }
            for gate in report.gates
        ],
        "dropped": dict(report.dropped),
    }


# The menu.


def _leg(leg: "Leg", quantity: int) -> Document:
    return {
        "action": leg.action.value,
        "symbol": leg.symbol,
        "option_type": leg.right.value,
        "strike": strike(leg.strike),
        "expiration": day(leg.expiration),
        "quantity": leg.quantity * quantity,
    }


def _candidate(entry: "Candidate") -> Document:
    return {
        "id": entry.id,
        "strategy": entry.spread.strategy.value,
        "expiration": day(entry.spread.expiration),
        "width": strike(entry.spread.width),
        "legs": [_leg(leg, 1) for leg in entry.spread.legs],
        "natural": price(entry.natural),
        "mid": price(entry.mid),
        "start": price(entry.start),
        "floor": price(entry.floor),
        "max_loss": cents(entry.max_loss),
        "breakevens": [price(point) for point in entry.breakevens],
        "short_delta": entry.short_delta,
        "greeks": {
            "delta": entry.greeks.delta,
            "gamma": entry.greeks.gamma,
            "theta": entry.greeks.theta,
            "vega": entry.greeks.vega,
        },
        "pop": {"market": entry.pop_market, "history": entry.pop_history},
        "ev": {
            "market_expiry": _gain(entry.ev.market_expiry),
            "market_plan": _gain(entry.ev.market_plan),
            "history_expiry": _gain(entry.ev.history_expiry),
            "history_plan": _gain(entry.ev.history_plan),
        },
        "costs": cents(entry.costs),
        "costs_round_trip": cents(entry.costs_round_trip),
    }


def _rejected(menu: "Menu") -> Document:
    spreads = [
        {
            "strategy": spread.strategy.value,
            "short_strike": strike(spread.short_strike),
            "long_strike": strike(spread.long_strike),
            "rule": spread.rule,
            "figure": spread.figure,
            "limit": spread.limit,
        }
        for spread in menu.dropped
    ]
    return {"counts": dict(menu.counts), "spreads": spreads}


# Deciding.


def _recommendation(word: "Recommendation") -> Document:
    return {
        "analyst": word.analyst,
        "model": word.model,
        "prompt": word.prompt,
        "decision": word.decision.value,
        "candidate_id": word.candidate_id,
        "probability": word.probability,
        "reason": word.reason,
        "analysis": word.analysis,
        "evidence": list(word.evidence),
        "cost": usd_of_ticks(word.cost_ticks),
    }


def _finding(finding: "Finding") -> Document:
    return {
        "rule": finding.rule,
        "message": finding.message,
        "figure": finding.figure,
        "limit": finding.limit,
        "blocks": finding.blocks,
    }


def _ruling(ruling: "Ruling") -> Document:
    return {
        "accepted": ruling.accepted,
        "quantity": ruling.quantity,
        "findings": [_finding(finding) for finding in ruling.findings],
        "sizing": None if ruling.sizing is None else _sizing(ruling.sizing),
    }


def _sizing(sizing: "Sizing") -> Document:
    return {
        "quantity": sizing.quantity,
        "bounds": dict(sizing.bounds),
        "binding": sizing.binding,
        "halved": sizing.halved,
        "account_needed": _cents(sizing.account_needed),
        "swing_loss": cents(sizing.swing_loss),
        "swing_budget": cents(sizing.swing_budget),
    }


def _plan(plan: "PricePlan") -> Document:
    return {
        "start": price(plan.start),
        "limit": price(plan.limit),
        "tick": price(plan.tick),
        "step_seconds": plan.step_seconds,
        "deadline_seconds": plan.deadline_seconds,
        "prices": [price(step) for step in plan.prices],
    }


def _exit(plan: "ExitPlan") -> Document:
    return {
        "profit_target": price(plan.profit_target),
        "stop": price(plan.stop),
        "time_exit": day(plan.time_exit),
        "last_exit": day(plan.last_exit),
        "note": plan.note,
    }


def _proposal(view: "RunView", made: "Proposal") -> Document:
    return {
        "id": name("P", made.id),
        "run_id": name("R", made.run_id),
        "kind": made.kind,
        "state": made.state.value,
        "mode": made.mode.value,
        "account": masked(made.account),
        "profile": made.profile,
        "underlying": made.underlying,
        "strategy": made.strategy.value,
        "expiration": day(made.expiration),
        "quantity": made.quantity,
        "limit_price": price(made.limit_price),
        "floor_price": price(made.floor_price),
        "max_loss": cents(made.max_loss),
        "max_profit": cents(made.max_profit),
        "breakevens": [price(point) for point in made.breakevens],
        "assignment_value": cents(made.assignment_value),
        "hash": made.hash,
        "candidate_id": made.candidate_id,
        "chosen_by": made.chosen_by,
        "market": made.market,
        "recorded": made.is_recorded,
        "quoted_at": instant(made.quoted_at),
        "lapses_at": instant(made.lapses_at),
        "trade_id": name("T", made.trade_id),
        "legs": [_leg(leg, made.quantity) for leg in made.legs],
        "plan": _plan(made.plan),
        "exit": _exit(made.exit),
        "approval": None if view.approval is None else _approval(view.approval),
        "order_body": body_of(view.body),
        "orders": [_order(order) for order in view.orders],
        "fills": [_fill(fill) for fill in view.fills],
    }


def _approval(yes: "Approval") -> Document:
    return {
        "by": yes.by,
        "at": instant(yes.at),
        "until": instant(yes.until),
        "hash": yes.hash,
        "spot": price_of(yes.spot),
        "mid": price(yes.mid),
        "natural": price(yes.natural),
        "short_delta": yes.short_delta,
        "note": yes.note,
    }


# Acting.


def _order(order: "Order") -> Document:
    return {
        "id": name("O", order.id),
        "reference": order.reference,
        "kind": order.kind.value,
        "state": order.state.value,
        "broker_id": order.broker_id,
        "broker_status": order.broker_status,
        "filled": order.filled,
        "quantity": order.quantity,
        "limit_price": price(order.limit),
        "created_at": instant(order.created_at),
        "replaces": name("O", order.replaces),
        "reason": order.reason,
        "body": body_of(order.body),
    }


def _fill(fill: "Fill") -> Document:
    return {
        "fill_id": fill.fill_id,
        "symbol": fill.symbol,
        "action": fill.action.value,
        "quantity": fill.quantity,
        "price": price(fill.price),
        "at": instant(fill.at),
    }


def _trade(trade: "Trade") -> Document:
    return {
        "id": name("T", trade.id),
        "state": trade.state.value,
        "quantity": trade.quantity,
        "proposal_id": name("P", trade.proposal_id),
        "run_id": name("R", trade.run_id),
        "mode": trade.mode.value,
        "legs": [_leg(leg, trade.quantity) for leg in trade.legs],
        "credit": price(trade.credit),
        "debit": None if trade.debit is None else price(trade.debit),
        "fees": cents(trade.fees),
        "max_loss": cents(trade.max_loss),
        "result": _cents(trade.result),
        "opened_at": instant(trade.opened_at),
        "closed_at": instant(trade.closed_at),
        "assumption": trade.assumption,
    }


def _answer(answer: "Answer") -> Document:
    return {
        "role": answer.role,
        "analyst": answer.analyst,
        "request": answer.request,
        "response": answer.response,
    }
