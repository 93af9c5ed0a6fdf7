"""A run and a trade, each on one screen: what came of it and why, the figures, and what to type next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from spy32.domain.market import Gate, QualityReport, Verdict
from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import Decision, Proposal, ProposalKind, spread_description
from spy32.domain.results import TradeResult
from spy32.domain.run_view import RunView
from spy32.domain.runs import Cause, Outcome
from spy32.domain.spreads import MULTIPLIER, Mode
from spy32.lifecycle import ProposalState, TradeState
from spy32.render.candidates import name_spreads, pick_words, spread_words
from spy32.render.explain import (
    PROPOSAL_STATES,
    analyst_name,
    approver,
    banner_of,
    chosen_candidate_id,
    explain_outcome,
    format_outcome,
    is_proposal_expired,
    next_commands,
    outcome_tone,
)
from spy32.render.figures import (
    COVERS_EXITS,
    UNKNOWN,
    bound_word,
    closing_facts,
    days_left,
    exit_words,
    legs_words,
    market_words,
    opening_facts,
    plan_items,
    run_surroundings,
    settlement_fee_words,
    surrounding_items,
    trade_sentence,
)
from spy32.render.formatting import (
    format_count,
    format_credit,
    format_dollars,
    format_float_price,
    format_gain,
    format_legs,
    format_price,
    humanise,
    new_york_words,
    single_line,
)
from spy32.render.manage_pages import WAITING, close_command
from spy32.render.marks import greek_words, result_words, strike_words
from spy32.render.open_trades import days_words, planned_exit_words
from spy32.render.page import Item, MarkHistory, Page, Pairs, Part, Prose, pair
from spy32.render.results import result_items
from spy32.sessions import market_date

REASONS, ORDERS, CLOSES = 2, 3, 3
"""Most reasons of a run, most orders and most closes on one screen."""
VERBS = {Decision.TRADE: "chose", Decision.ABSTAIN: "abstained", Decision.FAILED: "failed to answer"}
TWO_LINES = 132
"""Characters on two lines of 80 columns, beside the labels."""


def run_page(view: RunView, *, now: datetime, also: tuple[Proposal, ...] = ()) -> Page:
    """The run on one screen: what came of it and why, the trade, and what to type next.

    `also` are proposals of other runs that wait.
    """
    result = view.proposal
    if result is not None and result.kind is ProposalKind.CLOSE:
        view = _view_of_close(view, result)
    parts: list[Part] = []
    if result is not None:
        parts += trade_parts(result, view, now=now)
    parts.append(Pairs(items=tuple(_summary(view, now))))
    following = _successor_commands(result, also) or next_commands(view, now=now)
    following += tuple(f"spy32 show P{other.id} (another proposal: {PROPOSAL_STATES[other.state]})" for other in also)
    return _page(view, _heading(view), parts, following)


def _successor_commands(result: Proposal | None, also: tuple[Proposal, ...]) -> tuple[str, ...]:
    """What the close needs that took the place of this one, which has ended."""
    if (
        result is None
        or result.kind is not ProposalKind.CLOSE
        or result.state not in (ProposalState.LAPSED, ProposalState.DECLINED)
    ):
        return ()
    live = (close_command(other) for other in also if other.trade_id == result.trade_id)
    return tuple(f"{command} (in its place)" for command in live if command is not None)


def _view_of_close(view: RunView, close: Proposal) -> RunView:
    """The view of a close: at its own quotes, and without the reasons, the choice and the data of the opening run."""
    market = replace(view.market, as_of=close.quoted_at) if view.market is not None else None
    return replace(
        view, run=replace(view.run, reasons=()), market=market, quality=None, recommendation=None, shadows=()
    )


def trade_page(view: RunView, trade: Trade, *, now: datetime, result: TradeResult | None = None) -> Page:
    """A trade on one screen: what is held, what it earned or may still lose, and when it ends."""
    opening = view.proposal
    what = spread_description(opening.underlying if opening is not None else trade.legs[0].root, trade.legs)
    sentence = f"{'SOLD' if trade.credit > 0 else 'BOUGHT'} {trade.quantity} {what} @ {format_credit(trade.credit)}"
    parts: list[Part] = [
        Prose(title="", text=sentence, tone="strong"),
        # With marks to draw, the payoff has no lines of its own on a narrow screen.
        Pairs(items=tuple(_holding_items(trade, now)), payoff=(trade, view.market), below=not view.marks[1:]),
        Pairs(items=(*_outlook_items(view, trade, now), *(result_items(result) if result is not None else ()))),
        Pairs(items=tuple(_detail_items(view, trade))),
    ]
    exits = trade.exits or (opening.exit if opening is not None else None)
    if view.marks and exits is not None:
        parts.append(MarkHistory(trade=trade, marks=view.marks, target=exits.profit_target, stop=exits.stop))
    heading = f"T{trade.id} of R{trade.run_id}: {trade.state}, opened {new_york_words(trade.opened_at)}"
    return _page(view, heading, parts, (*_close_commands(view), *next_commands(view, now=now)))


def _close_commands(view: RunView) -> tuple[str, ...]:
    """What the close needs that waits, or where the exits are explained."""
    trade = view.trade
    if trade is None or trade.state not in (TradeState.OPEN, TradeState.CLOSING):
        return ()
    waiting = tuple(command for close in view.closes if (command := close_command(close)) is not None)
    return waiting or ((f"spy32 exits T{trade.id}",) if view.marks else ())


def _holding_items(trade: Trade, now: datetime) -> Iterator[Item]:
    from spy32.render.payoff import trade_breakevens  # the page of a run does not need it

    is_over = trade.state in (TradeState.CLOSED, TradeState.EXPIRED)
    left = (trade.legs[0].expiration - market_date(now)).days
    amount = abs(trade.credit) * MULTIPLIER * trade.quantity
    yield pair(
        "Credit" if trade.credit > 0 else "Debit", f"{format_credit(trade.credit)} = {format_dollars(amount)}", "strong"
    )
    yield pair("Fees", format_dollars(trade.fees))
    loss = f"{format_dollars(trade.max_loss)} + {settlement_fee_words(trade.legs)}"
    yield pair("Max loss", "none, it is over" if is_over else loss, "" if is_over else "bad")
    yield pair("Breakeven", " and ".join(format_price(point) for point in trade_breakevens(trade)))
    yield pair("Expiration", f"{trade.legs[0].expiration}" + ("" if is_over else f" · {days_words(left)}"))
    if trade.result is None:
        yield pair("Result", "open" if not is_over else UNKNOWN)
    else:
        kind, tone = ("loss", "bad") if trade.result < 0 else ("profit", "good")
        yield pair("Result", f"{format_gain(trade.result)} {kind} after fees", tone)


def _outlook_items(view: RunView, trade: Trade, now: datetime) -> Iterator[Item]:
    """How it stands, what is due and which closes there are: what decides comes before the details."""
    if 0 < trade.remaining < trade.quantity:
        yield pair("Left", f"{trade.remaining} of {trade.quantity}")
    if trade.closed_at is not None:
        paid = f" for {format_credit(-trade.debit)}" if trade.debit is not None else ""
        why = f" ({trade.exit_reason.words})" if trade.exit_reason is not None else ""
        yield pair("Closed", f"{new_york_words(trade.closed_at)}{paid}{why}")
    elif view.marks:
        mark = view.marks[-1]
        yield pair(
            "Now", f"{result_words(mark, trade)} · {strike_words(mark)}", "good" if (mark.unrealized or 0) > 0 else ""
        )
    exits = trade.exits or (view.proposal.exit if view.proposal is not None else None)
    if exits is not None:
        below = " (opened below its floor)" if trade.exits is not None else ""
        today = market_date(now)
        if trade.state in (TradeState.OPEN, TradeState.CLOSING):
            yield pair("Due", planned_exit_words(*exits.planned_exit(today), today))
        yield pair("Exit", f"{exit_words(exits, trade)}{below}", "warn" if below else "")
    for close in view.closes[-CLOSES:]:
        why = f" ({close.reason.words})" if close.reason is not None else ""
        words = f"P{close.id} {WAITING[close.state]}{why}: {close.quantity} at {format_credit(close.limit_price)}"
        yield pair("Close", f"{words}, {bound_word(close)} {format_price(abs(close.floor_price))}")


def _detail_items(view: RunView, trade: Trade) -> Iterator[Item]:
    if trade.closed_at is None and view.marks:
        yield pair("Greeks", greek_words(view.marks[-1]))
    yield pair("Legs", legs_words(trade.legs, trade.quantity))
    yield from _order_items(view.orders)
    if trade.assumption:
        yield pair("Simulated", single_line(trade.assumption), "warn")


def _page(view: RunView, heading: str, parts: Iterable[Part], following: tuple[str, ...]) -> Page:
    return Page(
        banner=(banner_of(view), ""),
        alarm=view.run.mode is Mode.LIVE,
        heading=heading,
        tone=outcome_tone(view.run.outcome) or "strong",
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
    around = run_surroundings(view)
    entry = view.menu.find(result.candidate_id) if view.menu is not None else None
    state = f"P{result.id} {result.state}: {PROPOSAL_STATES[result.state]}"
    if is_proposal_expired(result, now):
        state = f"P{result.id} {result.state}, but its session is over"
    is_open = result.kind is ProposalKind.OPEN
    today, legs = (
        market_date(view.run.started_at if is_open else result.quoted_at),
        pair("Legs", legs_words(result.legs, result.quantity)),
    )
    filled: list[Part] = []
    if is_open:
        facts = opening_facts(result, entry, around, below=True)
        if view.trade is not None:
            filled.append(Pairs(items=(pair("Filled", _trade_words(view.trade), "strong"),)))
    else:
        facts = closing_facts(result, view.trade)
    surroundings = surrounding_items(result, around, entry) if is_open else _closing_surroundings(result, view)
    if view.trade is not None:  # the approval has done its work
        surroundings = [item for item in surroundings if item[1] != COVERS_EXITS]
    return [
        Prose(title="", text=f"{trade_sentence(result)} · {days_left(result, today)}", tone="strong"),
        *filled,
        facts,
        Pairs(items=(*surroundings, legs, pair("State", state, "strong"))),
    ]


def _closing_surroundings(close: Proposal, view: RunView) -> list[Item]:
    """The market by the mark that the close was priced by, and the exit plan."""
    mark = next((mark for mark in reversed(view.marks) if mark.as_of <= close.quoted_at), None)
    words = f"{close.underlying} {format_float_price(mark.spot)} · {strike_words(mark)}" if mark is not None else ""
    return [pair("Market", words), *plan_items(close)]


def _summary(view: RunView, now: datetime) -> Iterator[Item]:
    """The outcome of the run and its reasons, in a line or two each."""
    run, is_opening = view.run, view.proposal is not None and view.proposal.kind is ProposalKind.OPEN
    if view.proposal is None:
        yield pair("Meaning", explain_outcome(run))
    left = len(run.reasons) - REASONS
    more = f" (and {format_count(left, 'more reason')}: --full)" if left > 0 else ""
    for place, reason in enumerate(run.reasons[:REASONS], start=1):
        yield pair("Reason", shorten(reason, more if place == REASONS else ""))
    yield from _choice(view)
    if view.outcomes:
        is_over = market_date(now) > max(each.expiration for each in view.outcomes.values())
        yield pair("Came to", pick_words(view.outcomes, chosen_candidate_id(view), is_over=is_over))
    if view.proposal is None:
        yield pair("Market", "" if view.market is None else market_words(run_surroundings(view)))
        yield pair("Menu", "" if view.menu is None else format_count(len(view.menu.candidates), "candidate"))
    if view.quality is not None and (loud := loud_gates(view.quality)):
        verdicts = ", ".join(f"{gate.verdict} {humanise(gate.name)}" for gate in loud)
        yield pair("Data", f"{verdicts} (--quality)", "warn")
    if view.approval is not None:
        yield pair("Approved", f"{new_york_words(view.approval.at)}{approver(view.approval.by)}")
    yield from _order_items(view.orders)
    yield pair("Trade", "" if view.trade is None or is_opening else _trade_words(view.trade), "strong")


def _trade_words(trade: Trade) -> str:
    """`T1 open: 2 at 0.55 cr`, or `2 opened 0.55 cr, closed 0.56 db` with what it earned, once that is known."""
    part = f"{trade.closed_quantity} " if 0 < trade.closed_quantity < trade.quantity else ""
    verb, closed = ("at", "") if trade.debit is None else ("opened", f", {part}closed {format_credit(-trade.debit)}")
    result = f", result {format_gain(trade.result)} after fees" if trade.result is not None else ""
    return f"T{trade.id} {trade.state}: {trade.quantity} {verb} {format_credit(trade.credit)}{closed}{result}"


def _choice(view: RunView) -> Iterator[Item]:
    """Who chose what and why, what must be looked at, and whether the fixed rule would have taken the same."""
    answer = view.recommendation
    if answer is None:
        return
    entry = view.menu.find(answer.candidate_id) if view.menu is not None else None
    what = f" {spread_words(entry)}" if entry is not None and answer.decision is Decision.TRADE else ""
    vetoed, tone = (", which spy32 vetoes", "bad") if answer.vetoes else ("", "")
    rule = next((answer for answer in view.shadows if answer.analyst == "rules"), None)
    is_same = rule is not None and entry is not None and rule.candidate_id == entry.id
    same = ", as the fixed rule" if is_same and answer.analyst != "rules" else ""
    yield pair("Choice", f"{analyst_name(answer)} {VERBS[answer.decision]}{what}{same}{vetoed}", tone)
    result = view.proposal
    if result is not None and result.kind is ProposalKind.OPEN and result.chosen_by == "person":
        yield pair("Taken", f"{format_legs(result.legs)}, by a person", "strong")
    if len(answer.reason) > 0 and view.run.cause != Cause.ABSTAINED:  # an abstention is the reason of its run
        yield pair("Why", shorten(name_spreads(answer.reason, view.menu)))
    for veto in answer.vetoes[:1]:
        yield pair("Vetoed", shorten(veto), "bad")
    for mark in answer.marks[:1]:
        yield pair("Look at", shorten(mark), "warn")
    if rule is not None and not is_same:
        pick = view.menu.find(rule.candidate_id) if view.menu is not None else None
        yield pair("Fixed rule", f"takes {spread_words(pick) if pick is not None else 'nothing'}")


def shorten(text: str, after: str = "") -> str:
    """Foreign text within two lines of a narrow screen with what comes `after` it; a cut is marked, and `--full` has
    the rest."""
    line = single_line(text)
    if len(line) + len(after) <= TWO_LINES:
        return f"{line}{after}"
    more = f" ...{after or ' (--full has all)'}"
    return f"{line[: TWO_LINES - len(more)].rpartition(' ')[0]}{more}"


def _order_items(orders: Sequence[Order]) -> Iterator[Item]:
    """The newest orders, a line each."""
    for order in orders[-ORDERS:]:
        why = f": {order.reason}" if order.reason else ""
        filled = f"{order.filled} of {order.quantity} filled"
        yield pair(
            "Order", shorten(f"O{order.id} {order.kind} {order.state} at {format_credit(order.limit)}, {filled}{why}")
        )


def loud_gates(report: QualityReport) -> tuple[Gate, ...]:
    return tuple(gate for gate in report.gates if gate.verdict in (Verdict.WARN, Verdict.STOP))
