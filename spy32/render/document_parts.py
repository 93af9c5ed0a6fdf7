"""The parts of JSON documents, one function a noun."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from spy32.render.words import cents, masked, price, price_of, strike

if TYPE_CHECKING:
    from spy32.domain.acting import Fill, Order, Trade
    from spy32.domain.deciding import Approval, ExitPlan, Finding, PricePlan, Proposal, Ruling, Sizing
    from spy32.domain.market import Datum, QualityReport
    from spy32.domain.trading import Candidate, Leg, Menu
    from spy32.domain.views import MarketLine, RunView

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


# What was seen.


def market_part(line: "MarketLine") -> Document:
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


def figure_part(figure: "Datum") -> Document:
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
        "strike": strike(leg.strike),
        "expiration": day(leg.expiration),
        "quantity": leg.quantity * quantity,
    }


def candidate_part(entry: "Candidate") -> Document:
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


def rejected_part(menu: "Menu") -> Document:
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


def _finding(finding: "Finding") -> Document:
    return {
        "rule": finding.rule,
        "message": finding.message,
        "figure": finding.figure,
        "limit": finding.limit,
        "blocks": finding.blocks,
    }


def ruling_part(ruling: "Ruling") -> Document:
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


def proposal_part(view: "RunView", made: "Proposal") -> Document:
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


def trade_part(trade: "Trade") -> Document:
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
        "exit": None if trade.exits is None else _exit(trade.exits),
    }
