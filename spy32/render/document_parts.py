"""The parts of JSON documents, one function a noun."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from spy32.render.formatting import format_cents, format_float_price, format_price, format_strike, mask_account

if TYPE_CHECKING:
    from spy32.domain.market import Metric, QualityReport
    from spy32.domain.orders import Fill, Order, Trade
    from spy32.domain.proposals import Approval, ExitPlan, Finding, PricePlan, Proposal, RiskDecision, Sizing
    from spy32.domain.run_view import MarketSummary, RunView
    from spy32.domain.spreads import Candidate, Leg, Menu

Document = dict[str, Any]


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
    return None if amount is None else format_cents(amount)


def _gain(amount: float | None) -> str | None:
    """Model dollars; null until their mathematics is built."""
    return None if amount is None else format_cents(Decimal(str(amount)))


def body_of(text: str) -> Any:
    """An order body as an object; the text itself should it not be JSON."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


# What was seen.


def market_part(line: "MarketSummary") -> Document:
    return {
        "underlying": line.underlying,
        "spot": format_float_price(line.spot),
        "as_of": instant(line.as_of),
        "source": line.source,
        "recorded": line.is_recorded,
        "expiration": day(line.expiration),
        "dte": line.dte,
        "atm_iv": line.atm_iv,
        "expected_move": _gain(line.expected_move),
        "vix": line.vix,
    }


def figure_part(figure: "Metric") -> Document:
    return {
        "value": figure.value,
        "unit": figure.unit,
        "source": figure.source,
        "as_of": instant(figure.as_of),
        "count": figure.count,
        "missing": figure.missing,
    }


def quality_part(report: "QualityReport") -> Document:
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
        "strike": format_strike(leg.strike),
        "expiration": day(leg.expiration),
        "quantity": leg.quantity * quantity,
    }


def candidate_part(entry: "Candidate") -> Document:
    return {
        "id": entry.id,
        "strategy": entry.spread.strategy.value,
        "expiration": day(entry.spread.expiration),
        "width": format_strike(entry.spread.width),
        "legs": [_leg(leg, 1) for leg in entry.spread.legs],
        "natural": format_price(entry.natural),
        "mid": format_price(entry.mid),
        "start": format_price(entry.start),
        "floor": format_price(entry.floor),
        "max_loss": format_cents(entry.max_loss),
        "breakevens": [format_price(point) for point in entry.breakevens],
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
        "costs": format_cents(entry.costs),
        "costs_round_trip": format_cents(entry.costs_round_trip),
    }


def rejected_part(menu: "Menu") -> Document:
    spreads = [
        {
            "strategy": spread.strategy.value,
            "short_strike": format_strike(spread.short_strike),
            "long_strike": format_strike(spread.long_strike),
            "rule": spread.rule,
            "figure": spread.figure,
            "limit": spread.limit,
        }
        for spread in menu.dropped
    ]
    return {"counts": dict(menu.counts), "spreads": spreads}


# Deciding.


def _finding(finding: "Finding") -> Document:
    return {
        "rule": finding.rule,
        "message": finding.message,
        "figure": finding.figure,
        "limit": finding.limit,
        "blocks": finding.blocks,
    }


def ruling_part(ruling: "RiskDecision") -> Document:
    return {
        "accepted": ruling.is_accepted,
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
        "swing_loss": format_cents(sizing.swing_loss),
        "swing_budget": format_cents(sizing.swing_budget),
    }


def _plan(plan: "PricePlan") -> Document:
    return {
        "start": format_price(plan.start),
        "limit": format_price(plan.limit),
        "tick": format_price(plan.tick),
        "step_seconds": plan.step_seconds,
        "deadline_seconds": plan.deadline_seconds,
        "prices": [format_price(step) for step in plan.prices],
    }


def _exit(plan: "ExitPlan") -> Document:
    return {
        "profit_target": format_price(plan.profit_target),
        "stop": format_price(plan.stop),
        "time_exit": day(plan.time_exit),
        "last_exit": day(plan.last_exit),
        "note": plan.note,
    }


def proposal_part(view: "RunView", result: "Proposal") -> Document:
    return {
        "id": name("P", result.id),
        "run_id": name("R", result.run_id),
        "kind": result.kind,
        "state": result.state.value,
        "mode": result.mode.value,
        "account": mask_account(result.account),
        "profile": result.profile,
        "underlying": result.underlying,
        "strategy": result.strategy.value,
        "expiration": day(result.expiration),
        "quantity": result.quantity,
        "limit_price": format_price(result.limit_price),
        "floor_price": format_price(result.floor_price),
        "max_loss": format_cents(result.max_loss),
        "max_profit": format_cents(result.max_profit),
        "breakevens": [format_price(point) for point in result.breakevens],
        "assignment_value": format_cents(result.assignment_value),
        "hash": result.hash,
        "candidate_id": result.candidate_id,
        "chosen_by": result.chosen_by,
        "market": result.market,
        "recorded": result.is_recorded,
        "quoted_at": instant(result.quoted_at),
        "lapses_at": instant(result.lapses_at),
        "trade_id": name("T", result.trade_id),
        "legs": [_leg(leg, result.quantity) for leg in result.legs],
        "plan": _plan(result.plan),
        "exit": _exit(result.exit),
        "approval": None if view.approval is None else _approval(view.approval),
        "order_body": body_of(view.body),
        "orders": [_order(order) for order in view.orders],
        "fills": [_fill(fill) for fill in view.fills],
    }


def _approval(approval: "Approval") -> Document:
    return {
        "by": approval.by,
        "at": instant(approval.at),
        "until": instant(approval.until),
        "hash": approval.hash,
        "spot": format_float_price(approval.spot),
        "mid": format_price(approval.mid),
        "natural": format_price(approval.natural),
        "short_delta": approval.short_delta,
        "note": approval.note,
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
        "limit_price": format_price(order.limit),
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
        "price": format_price(fill.price),
        "at": instant(fill.at),
    }


def trade_part(trade: "Trade") -> Document:
    return {
        "id": name("T", trade.id),
        "state": trade.state.value,
        "quantity": trade.quantity,
        "proposal_id": name("P", trade.proposal_id),
        "run_id": name("R", trade.run_id),
        "mode": trade.mode.value,
        "legs": [_leg(leg, trade.quantity) for leg in trade.legs],
        "credit": format_price(trade.credit),
        "debit": None if trade.debit is None else format_price(trade.debit),
        "fees": format_cents(trade.fees),
        "max_loss": format_cents(trade.max_loss),
        "result": _cents(trade.result),
        "opened_at": instant(trade.opened_at),
        "closed_at": instant(trade.closed_at),
        "assumption": trade.assumption,
        "exit": None if trade.exits is None else _exit(trade.exits),
    }
