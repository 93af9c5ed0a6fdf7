"""Manages open trades: settle what ended, mark, judge the exits, and make the close that is due.

Every start commits what it saw, so it may run as often as one likes, from two terminals and from cron: one kernel lock
lets one start at a time through. A close is a proposal like any other: a person approves it and `execute` sends it,
unless the approval of the opening covers its exits. Nothing here can open a trade.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import isfinite

from spy32.domain.market import LegQuotes
from spy32.domain.marks import Mark
from spy32.domain.orders import OrderKind, Trade
from spy32.domain.proposals import CLOCK_TOLERANCE, ExitReason, Proposal, ProposalTerms
from spy32.errors import LockHeld, Refused, Spy32Error, Unavailable
from spy32.lifecycle import ProposalState, TradeState
from spy32.rules import exercise, plan, references, trade_notices
from spy32.rules.assignment import assignment_notes
from spy32.rules.closing import closing_proposal, is_outdated, trade_exits
from spy32.rules.exits import ExitCheck, ExitInput, check_exits
from spy32.rules.marks import mark_trade
from spy32.rules.settlement import has_expired_leg
from spy32.sessions import is_option_session, market_date, next_session
from spy32.trading import plan_approval, settle
from spy32.trading.context import TradingContext
from spy32.trading.early_exercise import check_early_exercise
from spy32.trading.execute import end_abandoned, execute
from spy32.trading.managed_trade import URGENT, ManagedTrade
from spy32.trading.order_book import load_order_book

MANAGE_LOCK = "manage"
LOCK_SECONDS = 20.0
"""A start waits so long for another one, which marks in a second or two but may work an order for minutes."""
MARKS_READ = 100
"""Newest marks that the exits are judged by: more than three sessions at one a quarter of an hour."""
UNMARKED = "unmarked"
"""Kind of the attention item for a trade that has had no usable mark for a whole session."""
ContextFor = Callable[[int | None], TradingContext]
"""Makes the context of a proposal, since a recorded one keeps its own market and clock; of none, a general one."""


def manage(context_for: ContextFor, trade_id: int | None = None) -> tuple[ManagedTrade, ...]:
    """Manage one trade, or every trade that has not ended, and return how each stands.

    Raises `LockHeld` while another start holds the lock. What stops one trade is in its result and stops no other.
    """
    base = context_for(None)
    store = base.store
    with base.locks.hold(MANAGE_LOCK, wait_seconds=LOCK_SECONDS):
        states = {trade.id: trade.state for trade in base.store.trades.select()}
        ended = settle.settle_ended(context_for, reads_positions=True)
        settle.raise_differences(base, ended)
        store.proposals.lapse_overdue(base.clock())
        if trade_id is not None:
            numbers = [trade_id]
        else:
            going = store.trades.select(TradeState.OPEN, TradeState.CLOSING, TradeState.ASSIGNED)
            # The trade of a close may have ended in another command, by its target or at the broker, or in a start that
            # died after the fill.
            live = store.proposals.select(ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.SENT)
            closing = [close.trade_id for close in live if close.trade_id is not None]
            numbers = list(dict.fromkeys([*(trade.id for trade in (*ended.trades, *going)), *closing]))
        return tuple(
            replace(_manage_trade(context_for, base, number, ended), was=states.get(number)) for number in numbers
        )


def _manage_trade(
    context_for: ContextFor, base: TradingContext, trade_id: int, ended: settle.SettledTrades
) -> ManagedTrade:
    store = base.store
    trade = store.trades.get(trade_id)
    warnings = list(ended.warnings.get(trade_id, ()))
    is_gone = trade_id in ended.for_person
    state = ManagedTrade(trade=trade, opening=store.proposals.get(trade.proposal_id), at=base.clock())
    try:
        context = context_for(trade.proposal_id)
        warnings += settle.settle_orders(context, trade)
        _revoke_ended_approval(context, trade_id)
        state = _tell_unmarked(context, _judge(context, trade_id))
        # Our book is not what the broker holds, and what closes the one may open or reverse the other.
        state = _act(context, state) if not is_gone else _only_tell(context, state)
    except Spy32Error as error:
        state = replace(state, trade=store.trades.get(trade_id), error=error)
    return replace(state, warnings=tuple(dict.fromkeys((*warnings, *state.warnings))))


def _revoke_ended_approval(context: TradingContext, trade_id: int) -> None:
    """Let a close whose approval has ended wait again, so that another one may take its place."""
    close = context.store.proposals.find_live_close(trade_id)
    approval = context.store.proposals.latest_approval(close.id) if close is not None else None
    now = context.clock()
    if close is None or approval is None or close.state is not ProposalState.APPROVED or approval.is_valid(now):
        return
    reason = f"the approval {approval.invalidity_text(now)}"
    context.store.proposals.move(close.id, was=close.state, now=ProposalState.PROPOSED, at=now, reason=reason)


def judge_trade(context: TradingContext, trade_id: int) -> ManagedTrade:
    """Mark a trade and judge its exits without writing anything."""
    trade = context.store.trades.get(trade_id)
    opening = context.store.proposals.get(trade.proposal_id)
    close = context.store.proposals.find_live_close(trade_id)
    state = ManagedTrade(trade=trade, opening=opening, at=context.clock(), proposal=close)
    if trade.state is TradeState.ASSIGNED:
        return replace(state, warnings=_assignment_notes(context, trade, opening))
    if trade.state not in (TradeState.OPEN, TradeState.CLOSING):
        return state
    if has_expired_leg(trade.legs, context.clock()):
        return replace(state, warnings=(f"T{trade.id} trades no more: no close, it waits for its settlement",))
    quotes, warnings = _fetch_quotes(context, trade, opening)
    mark = (
        mark_trade(trade, quotes, context.settings, context.clock(), is_recorded=opening.is_recorded)
        if quotes is not None
        else None
    )
    check, exercise_notes = check_early_exercise(context, trade, opening, quotes)
    given = ExitInput(
        trade=trade,
        plan=trade_exits(opening, trade),
        marks=(*context.store.marks.select(trade_id, newest=MARKS_READ), *([mark] if mark is not None else [])),
        now=context.clock(),
        exercise=check,
        has_resting_target=load_order_book(context, opening.id).live_target is not None,
    )
    checks = check_exits(given if mark is not None else replace(given, marks=()))
    unjudged = [check.message for check in checks if check.is_unknown and check.day is not None]
    notes = (*warnings, *exercise_notes, *_mark_warnings(mark), *unjudged)
    return replace(state, mark=mark, checks=checks, warnings=notes, needs_person=bool(unjudged))


def _assignment_notes(context: TradingContext, trade: Trade, opening: Proposal) -> tuple[str, ...]:
    """Return what an assigned trade holds and risks, and the ticket that ends it."""
    position = context.store.adoptions.position(trade.id)
    dividends = context.dividends(opening.underlying) if position.shares_held < 0 else None
    return assignment_notes(position, market_date(context.clock()), dividends)


def _judge(context: TradingContext, trade_id: int) -> ManagedTrade:
    """Judge a trade and store its mark."""
    state = judge_trade(context, trade_id)
    if state.mark is not None:
        newest = context.store.marks.latest(trade_id)
        if newest is not None and state.mark.at < newest.at - CLOCK_TOLERANCE:
            raise Refused(
                f"T{trade_id} was marked at {newest.at:%Y-%m-%d %H:%M} UTC, and it is {state.mark.at:%Y-%m-%d %H:%M}: "
                "a clock was or is wrong; nothing is judged"
            )
        if state.mark != newest or not state.opening.is_recorded:  # a recorded market gives the same one again
            context.store.marks.add(state.mark)
    return state


def _tell_unmarked(context: TradingContext, state: ManagedTrade) -> ManagedTrade:
    """Raise an attention item once a whole session has passed without a usable mark, by which no price could decide."""
    is_marked = state.mark is not None and state.mark.is_usable
    is_open = state.trade.state in (TradeState.OPEN, TradeState.CLOSING)
    is_open = is_open and not has_expired_leg(state.trade.legs, context.clock())
    if is_marked or not is_open or not is_option_session(context.clock()):
        return state
    last = context.store.marks.latest_usable(state.trade.id)
    since = market_date(last.at if last is not None else state.trade.opened_at)
    if market_date(context.clock()) <= next_session(since).day:
        return state
    message = f"T{state.trade.id} has had no usable mark since {since}, so no price decides its exits"
    is_new = context.store.attention.raise_change(f"T{state.trade.id}", UNMARKED, message, context.clock())
    return replace(state, warnings=(*state.warnings, message), needs_person=state.needs_person or is_new)


def _fetch_quotes(context: TradingContext, trade: Trade, opening: Proposal) -> tuple[LegQuotes | None, tuple[str, ...]]:
    """Return quotes of the legs, and of the other right at the short strikes; None, and why, when there are none."""
    if context.market is None:
        return None, (f"T{trade.id} has no market to be marked by",)
    if not opening.is_recorded and not is_option_session(context.clock()):
        return None, ("the market is closed, so there is no mark",)
    parity = [exercise.parity_leg(leg) for leg in trade.legs if leg.action.sign > 0]
    try:
        quotes = context.market.quotes(opening.underlying, (*trade.legs, *parity))
    except Spy32Error as error:
        return None, (f"T{trade.id} was not marked: {error.message}",)
    if not isfinite(quotes.spot):
        return None, (f"T{trade.id} was not marked: {quotes.source} gives no price of {opening.underlying}",)
    return quotes, ()


def _mark_warnings(mark: Mark | None) -> tuple[str, ...]:
    if mark is None or mark.is_usable:
        return ()
    flags = ", ".join(flag.replace("_", "-") for flag in mark.flags) or "without a mid"
    return (f"the mark is {flags}: kept, and no price decides by it",)


# Closing.


def _act(context: TradingContext, state: ManagedTrade) -> ManagedTrade:
    """Make the close that is due, and send it when the approval of the opening covers it."""
    if state.trade.state not in (TradeState.OPEN, TradeState.CLOSING):
        return _lapse_idle_close(context, state)
    live = state.proposal
    if live is not None and live.state is ProposalState.SENT:
        # Its order works at the broker although the start that sent it has ended.
        is_by_plan = plan_approval.is_by_plan(context, state.opening, live)
        return _send_by_plan(context, state, live) if is_by_plan else _end_abandoned(context, state, live)
    return _make_close(context, state, state.due) if state.due is not None else state


def _only_tell(context: TradingContext, state: ManagedTrade) -> ManagedTrade:
    """Send nothing, and end a sent close that no process works."""
    state, live = replace(state, needs_person=True), state.proposal
    return _end_abandoned(context, state, live) if live is not None and live.state is ProposalState.SENT else state


def _end_abandoned(context: TradingContext, state: ManagedTrade, close: Proposal) -> ManagedTrade:
    """Tell of a sent close that no process works, and end it past its deadline, so that another one may be made."""
    try:
        is_ended = end_abandoned(context, close.id)
    except LockHeld:  # it is worked; settling its orders has said so
        return state
    name = f"P{close.id}, whose process has ended,"
    note = f"{name} is past its deadline: what worked of it is cancelled" if is_ended else f"{name} works without steps"
    return replace(
        state,
        trade=context.store.trades.get(state.trade.id),
        proposal=context.store.proposals.get(close.id),
        warnings=(*state.warnings, note),
        needs_person=True,
    )


def _make_close(context: TradingContext, state: ManagedTrade, due: ExitCheck) -> ManagedTrade:
    waiting = state.proposal
    try:
        close = _propose(context, state, due.reason)
    except (Refused, Unavailable) as error:
        return replace(state, warnings=(*state.warnings, f"{due.message}, and {error.message}"))
    if close is None:
        note = f"{due.message}: a person declined this close today; it is proposed again with the next session"
        return replace(state, warnings=(*state.warnings, note))
    known = state.proposal
    is_new = state.proposal is None or state.proposal.id != close.id
    state = replace(state, proposal=close, is_new_close=is_new)
    if waiting is not None and is_new and waiting.reason is ExitReason.PERSON:
        note = f"P{waiting.id}, a person's draft, gave way: {due.message}"
        state = replace(state, warnings=(*state.warnings, note))
    is_by_person = close.state is ProposalState.APPROVED and not plan_approval.is_by_plan(context, state.opening, close)
    if is_by_person or not plan_approval.is_covered(context, state.opening, close, state.trade.width):
        if not is_by_person:
            _queue_notice(context, state, known, due.message)
        return state
    if not context.settings.enable_automation or context.store.flags.get("paused") is not None:
        _queue_notice(context, state, known, due.message)
        note = f"paused: P{close.id} waits for a person, or until `spy32 resume`"
        return replace(state, warnings=(*state.warnings, note))
    absences = plan_approval.check_absent_closes(context, close)
    if absences:
        messages = (finding.message for finding in absences)
        return replace(state, warnings=(*state.warnings, *messages), needs_person=True)
    return _send_by_plan(context, state, close, note=due.message)


def _queue_notice(context: TradingContext, state: ManagedTrade, known: Proposal | None, message: str) -> None:
    """Queue the notice of a close that waits for a person, unless one for the same reason was `known` before."""
    close = state.proposal
    if close is not None and (known is None or known.reason is not close.reason):
        text = trade_notices.exit_due_notice(state.trade, close, message)
        context.store.notices.add(text, context.clock(), run_id=close.run_id)


def _lapse_idle_close(context: TradingContext, state: ManagedTrade) -> ManagedTrade:
    """Lapse a close that waits although its trade has ended."""
    close = state.proposal
    if close is None or close.state is ProposalState.SENT:
        return state
    reason = f"T{state.trade.id} is {state.trade.state}"
    context.store.proposals.lapse(close.id, was=close.state, at=context.clock(), reason=reason)
    return replace(state, proposal=context.store.proposals.get(close.id))


def propose_close(context: TradingContext, trade_id: int, price: Decimal | None = None) -> ManagedTrade:
    """Propose the close that a person asks for, at the mark of now or at their own ceiling, and return it.

    It takes the place of a close that waits; `Refused` when one is approved or sent, or when nothing is held.
    """
    with context.locks.hold(MANAGE_LOCK, wait_seconds=LOCK_SECONDS):
        state = _judge(context, trade_id)
        if state.trade.state not in (TradeState.OPEN, TradeState.CLOSING):
            raise Refused(f"T{trade_id} is {state.trade.state}; there is nothing to close")
        if state.mark is None:
            raise Unavailable("; ".join(state.warnings))
        live = state.proposal
        if live is not None and live.state is not ProposalState.PROPOSED:
            raise Refused(f"P{live.id}, which closes T{trade_id}, is {context.store.proposals.status_text(live.id)}")
        made = closing_proposal(
            state.opening, state.trade, ExitReason.PERSON, state.mark, context.settings, price=price
        )
        return replace(state, proposal=_store_close(context, made, live), is_new_close=True)


def _propose(context: TradingContext, state: ManagedTrade, reason: ExitReason) -> Proposal | None:
    """Return the close for this reason: the one there is if it still fits, else a new one; None if declined today."""
    live = state.proposal
    if live is not None and live.state is not ProposalState.PROPOSED:
        return live
    is_declined = plan_approval.was_declined(context, state.trade.id, reason)
    if live is None and reason not in URGENT and is_declined:
        return None
    if state.mark is None:
        raise Unavailable("there are no quotes to price a close by")
    is_draft = live is not None and live.reason is ExitReason.PERSON
    if is_draft and (reason not in PROTECTIVE or is_declined):
        return live
    made = closing_proposal(state.opening, state.trade, reason, state.mark, context.settings)
    if live is not None and state.mark.natural is not None and not is_outdated(live, made, state.mark.natural):
        return live
    why = f"it gives way to a close by the plan: {reason.words}" if is_draft else ""
    return _store_close(context, made, live, why=why)


PROTECTIVE = (*URGENT, ExitReason.STOP)
"""Closes that the draft of a person, which nobody has approved, must not hold up: each limits a loss."""


def _store_close(context: TradingContext, made: ProposalTerms, live: Proposal | None, *, why: str = "") -> Proposal:
    """Store a close, in place of the one that waits if there is one, and return it. `why` says why that one lapses."""
    now = context.clock()
    if live is not None:
        reason = why or f"another close of T{made.trade_id} takes its place"
        context.store.proposals.lapse(live.id, was=live.state, at=now, reason=reason)
    reference = references.draft_reference(made.run_id)
    body = plan.order_body(made.legs, made.quantity, made.limit_price, reference, kind=OrderKind.EXIT)
    return context.store.proposals.add(made, body=body, at=now)


def _send_by_plan(context: TradingContext, state: ManagedTrade, close: Proposal, *, note: str = "") -> ManagedTrade:
    """Approve a close in the name of the opening's approval, and send it; return how the trade stands then.

    One that is approved or sent already, by a start that died, is taken up. A halt refuses it first.
    """
    try:
        if close.state is ProposalState.PROPOSED and state.mark is not None:
            context.stop_if_halted()
            plan_approval.approve_by_plan(context, state.opening, close, state.mark, note=note)
        execute(context, close.id)
    except Spy32Error as error:
        state = replace(state, error=error)
    trade = context.store.trades.get(state.trade.id)
    return replace(state, trade=trade, proposal=context.store.proposals.get(close.id))
