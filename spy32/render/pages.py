"""A run and a trade, each on one screen: what came of it and why, the figures, and what to type next."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from spy32.domain.market import Gate, QualityReport, Verdict
from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import ExitPlan, Proposal, ProposalKind, spread_description
from spy32.domain.results import TradeResult
from spy32.domain.run_view import RunView
from spy32.domain.runs import Cause, Outcome
from spy32.domain.spreads import MULTIPLIER, Mode
from spy32.lifecycle import ENDED_TRADES, ProposalState, TradeState
from spy32.render.candidates import choice_words, find_candidate, name_spreads, pick_words, spread_words
from spy32.render.explain import (
    BANNERS,
    OUTCOME_TONES,
    PROPOSAL_STATES,
    analyst_name,
    approver,
    chosen_candidate_id,
    explain_outcome,
    format_outcome,
    is_proposal_expired,
    next_commands,
    proposal_command,
    view_badges,
)
from spy32.render.figures import (
    bound_words,
    closing_facts,
    dated_sentence,
    exit_words,
    legs_words,
    market_words,
    opening_facts,
    order_state_words,
    plan_items,
    run_surroundings,
    settlement_fee_words,
    surrounding_items,
)
from spy32.render.formatting import (
    UNKNOWN,
    format_count,
    format_credit,
    format_dollars,
    format_gain,
    format_known,
    format_legs,
    format_price,
    humanise,
    new_york_words,
    shorten,
)
from spy32.render.marks import (
    days_words,
    greek_words,
    mark_lines,
    marks_chart,
    planned_exit_words,
    reason_words,
    result_items,
    result_words,
    strike_words,
)
from spy32.render.page import Facts, Page, Part, Picture, Prose, pairs
from spy32.sessions import market_date

REASONS, ORDERS, CLOSES = 2, 3, 3
"""Most reasons of a run, most orders and most closes on one screen."""
TWO_LINES = 132
"""Characters on two lines of 80 columns, beside the labels."""


def run_page(view: RunView, *, now: datetime, also: tuple[Proposal, ...] = ()) -> Page:
    """The run on one screen: what came of it and why, the trade, and what to type next.

    `also` are proposals of other runs that wait.
    """
    result = view.proposal
    following: tuple[str, ...] = ()
    if result is not None and result.kind is ProposalKind.CLOSE:
        # At its own quotes, and without the reasons, the choice and the data of the opening run.
        market = replace(view.market, as_of=result.quoted_at) if view.market is not None else None
        run = replace(view.run, reasons=())
        view = replace(view, run=run, market=market, quality=None, recommendation=None, shadows=())
        if result.state in (ProposalState.LAPSED, ProposalState.DECLINED):
            successors = [other for other in also if other.trade_id == result.trade_id]
            following = tuple(f"{command} (in its place)" for command in map(proposal_command, successors) if command)
    parts: list[Part] = [] if result is None else trade_parts(result, view, now=now)
    parts.append(pairs(_summary(view, now)))
    following = following or next_commands(view, now=now)
    following += tuple(f"spy32 show P{other.id} (another proposal: {PROPOSAL_STATES[other.state]})" for other in also)
    return _page(view, _heading(view), parts, following)


def trade_page(view: RunView, trade: Trade, *, now: datetime, result: TradeResult | None = None) -> Page:
    """A trade on one screen: what is held, what it earned or may still lose, and when it ends."""
    opening = view.proposal
    assert opening is not None  # a trade comes of one
    exits = trade.exits or opening.exit
    what = spread_description(opening.underlying, trade.legs)
    sentence = f"{'SOLD' if trade.credit > 0 else 'BOUGHT'} {trade.quantity} {what} @ {format_credit(trade.credit)}"
    outlook = (*_outlook_items(view, trade, exits, now), *(() if result is None else result_items(result)))
    parts: list[Part] = [
        Prose(sentence, "strong"),
        # With marks to draw, the payoff has no lines of its own on a narrow screen.
        pairs(_holding_items(trade, now))._replace(payoff=(trade, view.market), below=not view.marks[1:]),
        pairs(outlook),
        pairs(_detail_items(view, trade)),
    ]
    if view.marks:
        draw = partial(marks_chart, view.marks, exits.profit_target, exits.stop)
        parts.append(Picture("Marks: the debit to close", draw, "mark", tuple(mark_lines(view.marks, trade))))
    heading = f"T{trade.id} of R{trade.run_id}: {trade.state}, opened {new_york_words(trade.opened_at)}"
    return _page(view, heading, parts, (*_close_commands(view, trade), *next_commands(view, now=now)))


def _close_commands(view: RunView, trade: Trade) -> tuple[str, ...]:
    """What the close needs that waits, or where the exits are explained."""
    if trade.state not in (TradeState.OPEN, TradeState.CLOSING):
        return ()
    waiting = tuple(filter(None, map(proposal_command, view.closes)))
    return waiting or ((f"spy32 exits T{trade.id}",) if view.marks else ())


def _holding_items(trade: Trade, now: datetime) -> Facts:
    from spy32.render.payoff import trade_breakevens  # the page of a run does not need it

    is_over = trade.state in ENDED_TRADES
    left = "" if is_over else f" · {days_words((trade.expiration - market_date(now)).days)}"
    amount = format_dollars(abs(trade.credit) * MULTIPLIER * trade.quantity)
    yield "Credit" if trade.credit > 0 else "Debit", f"{format_credit(trade.credit)} = {amount}", "strong"
    yield "Fees", format_dollars(trade.fees)
    loss = f"{format_dollars(trade.max_loss)} + {settlement_fee_words(trade.legs)}"
    yield "Max loss", "none, it is over" if is_over else loss, "" if is_over else "bad"
    yield "Breakeven", " and ".join(map(format_price, trade_breakevens(trade)))
    yield "Expiration", f"{trade.expiration}{left}"
    if trade.result is None:
        yield "Result", UNKNOWN if is_over else "open"
    else:
        kind, tone = ("loss", "bad") if trade.result < 0 else ("profit", "good")
        yield "Result", f"{format_gain(trade.result)} {kind} after fees", tone


def _outlook_items(view: RunView, trade: Trade, exits: ExitPlan, now: datetime) -> Facts:
    """How it stands, what is due and which closes there are: what decides comes before the details."""
    if 0 < trade.remaining < trade.quantity:
        yield "Left", f"{trade.remaining} of {trade.quantity}"
    if trade.closed_at is not None:
        paid = f" for {format_credit(-trade.debit)}" if trade.debit is not None else ""
        yield "Closed", f"{new_york_words(trade.closed_at)}{paid}{reason_words(trade.exit_reason)}"
    elif view.marks:
        mark = view.marks[-1]
        tone = "good" if (mark.unrealized or 0) > 0 else ""
        yield "Now", f"{result_words(mark, trade)} · {strike_words(mark)}", tone
    if trade.state in (TradeState.OPEN, TradeState.CLOSING):
        today = market_date(now)
        yield "Due", planned_exit_words(*exits.planned_exit(today), today)
    below = " (opened below its floor)" if trade.exits is not None else ""
    yield "Exit", f"{exit_words(exits, trade)}{below}", "warn" if below else ""
    for close in view.closes[-CLOSES:]:
        words = f"P{close.id} {PROPOSAL_STATES[close.state]}{reason_words(close.reason)}"
        prices = f"{format_credit(close.limit_price)}, {bound_words(close)}"
        yield "Close", f"{words}: {close.quantity} at {prices}"


def _detail_items(view: RunView, trade: Trade) -> Facts:
    if trade.closed_at is None and view.marks:
        yield "Greeks", greek_words(view.marks[-1])
    yield "Legs", legs_words(trade.legs, trade.quantity)
    yield from _order_items(view.orders)
    yield "Simulated", trade.assumption, "warn"


def _page(view: RunView, heading: str, parts: Iterable[Part], following: tuple[str, ...]) -> Page:
    return Page(
        banner=(" · ".join(view_badges(view, BANNERS)), ""),
        alarm=view.run.mode is Mode.LIVE,
        heading=heading,
        tone=OUTCOME_TONES.get(view.run.outcome, "strong"),
        parts=tuple(parts),
        following=following,
    )


def _heading(view: RunView) -> str:
    close = view.proposal
    if close is not None and close.kind is ProposalKind.CLOSE:
        return f"P{close.id} closes T{close.trade_id} of R{view.run.id}: proposed, {new_york_words(close.quoted_at)}"
    run, late = view.run, " · started LATE" if view.run.late else ""
    is_older = run.outcome is Outcome.SKIPPED and run.slot is not None and run.slot != market_date(run.started_at)
    slot = f"slot {run.slot}, noted " if is_older else ""
    return f"R{run.id}: {format_outcome(run)}, {slot}{new_york_words(run.started_at)}{late}"


def trade_parts(result: Proposal, view: RunView, *, now: datetime) -> list[Part]:
    """The trade in a sentence with its figures, as `approve` shows them."""
    around, menu = run_surroundings(view), view.menu
    state = f"P{result.id} {PROPOSAL_STATES[result.state]}"
    if is_proposal_expired(result, now):
        state = f"P{result.id} {result.state}, but its session is over"
    filled: list[Part] = []
    if result.kind is ProposalKind.OPEN:
        today, entry = market_date(view.run.started_at), find_candidate(menu, result.candidate_id)
        facts = opening_facts(result, entry, around, below=True)
        plan = plan_items(result, entry)
        if view.trade is not None:
            filled.append(pairs([("Filled", _trade_words(view.trade), "strong")]))
            plan = plan[:1]  # what the approval covers is past
        surroundings = [*surrounding_items(result, around), *plan]
    else:
        today = market_date(result.quoted_at)
        # The market by the mark that the close was priced by.
        mark = next((mark for mark in reversed(view.marks) if mark.as_of <= result.quoted_at), None)
        words = format_known(lambda mark: f"{result.underlying} {format_price(mark.spot)} · {strike_words(mark)}", mark)
        facts, surroundings = closing_facts(result, view.trade), [("Market", words), *plan_items(result)]
    details = (("Legs", legs_words(result.legs, result.quantity)), ("State", state, "strong"))
    return [Prose(dated_sentence(result, today), "strong"), *filled, facts, pairs((*surroundings, *details))]


def _summary(view: RunView, now: datetime) -> Facts:
    """The outcome of the run and its reasons, in a line or two each."""
    run, result = view.run, view.proposal
    if result is None:
        yield "Meaning", explain_outcome(run)
    left = len(run.reasons) - REASONS
    more = f" (and {format_count(left, 'more reason')}: --full)" if left > 0 else ""
    for place, reason in enumerate(run.reasons[:REASONS], start=1):
        yield "Reason", _shorten(reason, more if place == REASONS else "")
    yield from _choice(view)
    if view.outcomes:
        is_over = market_date(now) > max(each.expiration for each in view.outcomes.values())
        yield "Came to", pick_words(view.outcomes, chosen_candidate_id(view), is_over=is_over)
    if result is None and view.market is not None:
        yield "Market", market_words(run_surroundings(view))
    if result is None and view.menu is not None:
        yield "Menu", format_count(len(view.menu.candidates), "candidate")
    if view.quality is not None and (loud := loud_gates(view.quality)):
        verdicts = ", ".join(f"{gate.verdict} {humanise(gate.name)}" for gate in loud)
        yield "Data", f"{verdicts} (--quality)", "warn"
    if view.approval is not None:
        yield "Approved", f"{new_york_words(view.approval.at)}{approver(view.approval.by)}"
    yield from _order_items(view.orders)
    if view.trade is not None and (result is None or result.kind is ProposalKind.CLOSE):
        yield "Trade", _trade_words(view.trade), "strong"


def _trade_words(trade: Trade) -> str:
    """`T1 open: 2 at 0.55 cr`, or `2 opened 0.55 cr, closed 0.56 db` with what it earned, once that is known."""
    part = f"{trade.closed_quantity} " if 0 < trade.closed_quantity < trade.quantity else ""
    verb, closed = ("at", "") if trade.debit is None else ("opened", f", {part}closed {format_credit(-trade.debit)}")
    result = f", result {format_gain(trade.result)} after fees" if trade.result is not None else ""
    return f"T{trade.id} {trade.state}: {trade.quantity} {verb} {format_credit(trade.credit)}{closed}{result}"


def _choice(view: RunView) -> Facts:
    """Who chose what and why, what must be looked at, and whether the fixed rule would have taken the same."""
    answer = view.recommendation
    if answer is None:
        return
    entry = find_candidate(view.menu, answer.candidate_id)
    rule = next((answer for answer in view.shadows if answer.analyst == "rules"), None)
    is_same = rule is not None and entry is not None and rule.candidate_id == entry.id
    same = ", as the fixed rule" if is_same and answer.analyst != "rules" else ""
    words = f"{analyst_name(answer)} {choice_words(answer, view.menu)}{same}"
    yield "Choice", words, "bad" if answer.vetoes else ""
    result = view.proposal
    if result is not None and result.kind is ProposalKind.OPEN and result.chosen_by == "person":
        yield "Taken", f"{format_legs(result.legs)}, by a person", "strong"
    if view.run.cause != Cause.ABSTAINED:  # an abstention is the reason of its run
        yield "Why", _shorten(name_spreads(answer.reason, view.menu))
    for veto in answer.vetoes[:1]:
        yield "Vetoed", _shorten(veto), "bad"
    for mark in answer.marks[:1]:
        yield "Look at", _shorten(mark), "warn"
    if rule is not None and not is_same:
        pick = find_candidate(view.menu, rule.candidate_id)
        yield "Fixed rule", f"takes {spread_words(pick) if pick is not None else 'nothing'}"


def _shorten(text: str, after: str = "") -> str:
    return shorten(text, TWO_LINES, rest="--full has all", after=after)


def _order_items(orders: tuple[Order, ...]) -> Facts:
    """The newest orders, a line each."""
    for order in orders[-ORDERS:]:
        yield "Order", _shorten(f"O{order.id} {order.kind} {order_state_words(order)}")


def loud_gates(report: QualityReport) -> tuple[Gate, ...]:
    return tuple(gate for gate in report.gates if gate.verdict in (Verdict.WARN, Verdict.STOP))
