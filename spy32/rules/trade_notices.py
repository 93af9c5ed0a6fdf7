"""Notices about a proposal, an order or a trade."""

from datetime import datetime

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import ExitPlan, Proposal, Recommendation, spread_description
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import Candidate
from spy32.rules.notices import (
    clock_text,
    compose,
    deadline_text,
    dollars_rounded_up,
    payoff_text,
    proposal_payoff_text,
    signed_dollars,
    whole_dollars,
)


def proposal_notice(proposal: Proposal, candidate: Candidate | None, choice: Recommendation | None) -> NoticeText:
    """A proposal waits for a person."""
    until = deadline_text(proposal)
    command = f"spy32 approve P{proposal.id}"
    odds = _odds(candidate, proposal.quantity) if candidate is not None else {}
    first = next((f", {label} {words}" for label, words in odds.items()), "")
    is_credit = proposal.limit_price > 0
    bounds = f"{abs(proposal.limit_price)}, never {'below' if is_credit else 'above'} {abs(proposal.floor_price)}"
    facts = {
        "credit" if is_credit else "debit": bounds,
        "max profit": whole_dollars(proposal.max_profit),
        "max loss": dollars_rounded_up(proposal.max_loss),
        **odds,
        "why": f"{choice.analyst}: {plain_note(choice.reason)}" if choice is not None else "",
        "until": until if until is not None else "you decide: it was made on a recorded market",
        "to decide": command,
    }
    figures = f", max loss {dollars_rounded_up(proposal.max_loss)}{first}"
    return compose(
        NoticeKind.PROPOSED,
        proposal.mode,
        f"P{proposal.id}: {proposal.trade_text}{f', until {until}' if until is not None else ''}",
        f"{figures}: {command}",
        facts=facts,
        after=proposal_payoff_text(proposal),
        about=f"P{proposal.id}",
    )


def _odds(candidate: Candidate, quantity: int) -> dict[str, str]:
    """Probability of profit and expected value under the exit plan by history; without one, the market's POP."""
    planned = candidate.outlook.chosen_plan if candidate.outlook is not None else None
    if planned is None:
        return {"win": f"{candidate.p_profit:.0%} if held, by option prices"}
    odds = {"win": f"{planned.probabilities.profit:.0%} with exits, by history"}
    if planned.ev is not None:
        mean, low, high = (f"{amount * quantity:+.0f}" for amount in (planned.ev.mean, planned.ev.low, planned.ev.high))
        odds["average"] = f"{mean} dollars for the order, 90% sure {low} to {high}"
    return odds


def lapsing_notice(proposal: Proposal, until: datetime, *, is_approved: bool) -> NoticeText:
    """A proposal that waits, or an approval that was not used, is about to lapse."""
    head = (
        f"the approval of P{proposal.id} ends at {clock_text(until)}"
        if is_approved
        else f"P{proposal.id} lapses at {clock_text(until)}, and nobody has decided"
    )
    command = f"spy32 {'execute' if is_approved else 'approve'} P{proposal.id}"
    return compose(
        NoticeKind.LAPSING,
        proposal.mode,
        head,
        f": {command}",
        facts={"trade": proposal.trade_text, "until": clock_text(until), "to act": command},
        about=lapsing_key(proposal.id, is_approved=is_approved),
    )


def lapsing_key(proposal_id: int, *, is_approved: bool) -> str:
    """What such a reminder is about, so that it comes once for each."""
    return f"P{proposal_id} {'approved' if is_approved else 'proposed'}"


def filled_notice(trade: Trade, proposal: Proposal, exits: ExitPlan) -> NoticeText:
    """An opening was filled, wholly or in part."""
    text = spread_description(proposal.underlying, trade.legs)
    verb, price = ("sold", trade.credit) if trade.credit > 0 else ("bought", -trade.credit)
    is_credit = exits.profit_target > 0
    facts = {
        "price": f"{price}; approved {'down' if is_credit else 'up'} to {abs(proposal.floor_price)}",
        "max loss": dollars_rounded_up(trade.max_loss),
        "target": f"{'buy back' if is_credit else 'sell'} at {abs(exits.profit_target)}",
        "stop": f"{exits.stop}" if is_credit else "",
        "time exit": f"{exits.time_exit}" if exits.time_exit is not None else "",
        "last exit": f"{exits.last_exit}",
        "to look": f"spy32 show T{trade.id}",
    }
    return compose(
        NoticeKind.FILLED,
        trade.mode,
        f"T{trade.id}: {verb} {trade.quantity} of {proposal.quantity} {text} at {price}",
        f", max loss {dollars_rounded_up(trade.max_loss)}, out by {exits.last_exit}",
        facts=facts,
        after=payoff_text(proposal.underlying, trade.legs, trade.quantity, trade.credit, trade.fees),
        about=f"T{trade.id}",
    )


def not_filled_notice(proposal: Proposal, reason: str) -> NoticeText:
    """An order ended with nothing filled; the proposal waits again."""
    command = f"spy32 approve P{proposal.id}"
    note = plain_note(reason)
    return compose(
        NoticeKind.NOT_FILLED,
        proposal.mode,
        f"P{proposal.id} was not filled",
        f"{f': {note}' if note else ''}; {command}",
        facts={"trade": proposal.trade_text, "why": note, "to try again": command},
        about=f"P{proposal.id}",
    )


def part_closed_notice(trade: Trade, close: Proposal) -> NoticeText:
    """A close filled in part: the rest of its trade is still held, and nothing works for it any more."""
    command = f"spy32 close T{trade.id}"
    price = f"{trade.debit}" if trade.debit is not None else ""
    facts = {
        "close": f"P{close.id}: {close.trade_text}",
        "closed at": price,
        "to close": command,
    }
    return compose(
        NoticeKind.NOT_FILLED,
        trade.mode,
        f"T{trade.id}: {trade.closed_quantity} of {trade.quantity} closed{f' at {price}' if price else ''}, "
        f"{trade.remaining} still open",
        f": {command}",
        facts=facts,
        about=f"P{close.id}",
    )


def exit_due_notice(trade: Trade, close: Proposal, message: str) -> NoticeText:
    """An exit is due, and its close waits for a person."""
    assert close.reason is not None
    command = f"spy32 approve P{close.id}"
    until, bound = deadline_text(close), "at most" if close.floor_price < 0 else "at least"
    ends = f", until {until}" if until is not None else ""
    facts = {
        "why": plain_note(message),
        "close": close.trade_text,
        bound: f"{abs(close.floor_price)}",
        "until": until or "",
        "to decide": command,
    }
    return compose(
        NoticeKind.EXIT_DUE,
        trade.mode,
        f"T{trade.id} is due to close ({close.reason.replace('_', ' ')}){ends}",
        f": {close.trade_text}, {bound} {abs(close.floor_price)}: {command}",
        facts=facts,
        about=f"P{close.id}",
    )


def ended_notice(trade: Trade, underlying: str) -> NoticeText:
    """A trade was closed, expired or was assigned; it may have no result yet."""
    kind = NoticeKind(trade.state)
    reason = trade.exit_reason if trade.exit_reason is not None and trade.exit_reason.value != kind.value else ""
    why = f" ({reason})".replace("_", " ") if reason else ""
    result = f"{signed_dollars(trade.result)} after fees" if trade.result is not None else "no result yet"
    spread = f"{trade.quantity} {spread_description(underlying, trade.legs)}"
    facts = {
        "trade": spread,
        "opened at": f"{trade.credit}",
        "closed at": f"{trade.debit}" if trade.debit is not None else "",
        "fees": whole_dollars(trade.fees),
        "result": result,
        "to look": "spy32 positions" if kind is NoticeKind.ASSIGNED else f"spy32 show T{trade.id}",
    }
    word = "was assigned" if kind is NoticeKind.ASSIGNED else kind.value
    return compose(
        kind, trade.mode, f"T{trade.id} {word}{why}: {result}", f", {spread}", facts=facts, about=f"T{trade.id}"
    )


def unknown_order_notice(order: Order) -> NoticeText:
    """Whether an order exists must be read at the broker."""
    return compose(
        NoticeKind.UNKNOWN_ORDER,
        order.mode,
        f"the outcome of an order of P{order.proposal_id} is unknown",
        ", it may be working or filled: spy32 reconcile",
        facts={"order": order.reference, "why": plain_note(order.reason), "to settle": "spy32 reconcile"},
        about=f"O{order.id}",
    )
