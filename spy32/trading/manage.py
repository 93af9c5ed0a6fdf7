"""Manages open trades: settle what ended, mark, judge the exits, and make the close that is due.

Every start commits what it saw, so it may run as often as one likes, from two terminals and from cron: one kernel lock
lets one start at a time through. A close is a proposal like any other: a person approves it and `execute` sends it,
unless the approval of the opening covers its exits. Nothing here can open a trade.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import isfinite

from spy32.domain.market import LegQuotes
from spy32.domain.marks import Mark
from spy32.domain.orders import OrderKind, Trade
from spy32.domain.proposals import CLOCK_TOLERANCE, ApprovalTerms, ExitReason, Proposal, ProposalTerms
from spy32.domain.spreads import ExitAuthority
from spy32.errors import LockHeld, Refused, Spy32Error, Unavailable
from spy32.lifecycle import HELD_TRADES, OPEN_TRADES, ProposalState, TradeState
from spy32.rules import exercise, plan, references, trade_notices
from spy32.rules.assignment import assignment_notes
from spy32.rules.closing import closing_proposal, is_outdated, trade_exits
from spy32.rules.exits import ExitCheck, ExitInput, check_exits
from spy32.rules.marks import mark_trade
from spy32.rules.settlement import has_expired_leg
from spy32.sessions import is_option_session, market_date, next_session
from spy32.trading import reconcile
from spy32.trading.context import ContextFor, TradingContext, revoke_ended_approval
from spy32.trading.early_exercise import check_early_exercise
from spy32.trading.execute import check_absences, end_abandoned, execute
from spy32.trading.managed_trade import URGENT, ManagedTrade
from spy32.trading.order_book import load_order_book

MANAGE_LOCK = "manage"
LOCK_SECONDS = 20.0
"""A start waits so long for another one, which marks in a second or two but may work an order for minutes."""
MARKS_READ = 100
"""Newest marks that the exits are judged by: more than three sessions at one a quarter of an hour."""
UNMARKED = "unmarked"
"""Kind of the attention item for a trade that has had no usable mark for a whole session."""


def manage(context_for: ContextFor, trade_id: int | None = None) -> tuple[ManagedTrade, ...]:
    """Manage one trade, or every trade that has not ended, and return how each stands.

    Raises `LockHeld` while another start holds the lock. What stops one trade is in its result and stops no other.
    """
    base = context_for(None)
    store = base.store
    with base.locks.hold(MANAGE_LOCK, wait_seconds=LOCK_SECONDS):
        states = {trade.id: trade.state for trade in base.store.trades.select()}
        ended = reconcile.settle_ended(base, reads_positions=True)
        reconcile.raise_differences(base, ended)
        store.proposals.lapse_overdue(base.clock())
        if trade_id is not None:
            numbers = [trade_id]
        else:
            going = store.trades.select(*HELD_TRADES)
            # The trade of a close may have ended in another command, by its target or at the broker, or in a start that
            # died after the fill.
            live = store.proposals.select(ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.SENT)
            closing = [close.trade_id for close in live if close.trade_id is not None]
            numbers = list(dict.fromkeys([*(trade.id for trade in (*ended.trades, *going)), *closing]))
        return tuple(
            replace(_manage_trade(context_for, base, number, ended), was=states.get(number)) for number in numbers
        )


def _manage_trade(
    context_for: ContextFor, base: TradingContext, trade_id: int, ended: reconcile.SettledTrades
) -> ManagedTrade:
    store = base.store
    trade = store.trades.get(trade_id)
    warnings = list(ended.warnings.get(trade_id, ()))
    is_gone = trade_id in ended.for_person
    state = ManagedTrade(trade=trade, opening=store.proposals.get(trade.proposal_id), at=base.clock())
    try:
        context = context_for(trade.proposal_id)
        warnings += reconcile.settle_orders(context, trade)
        close = store.proposals.find_live_close(trade_id)
        if close is not None:
            # One whose approval has ended waits again, so that another close may take its place.
            revoke_ended_approval(context, close)
        state = _tell_unmarked(context, _judge(context, trade_id))
        # Our book is not what the broker holds, and what closes the one may open or reverse the other.
        state = _act(context, state, is_gone=is_gone)
    except Spy32Error as error:
        state = replace(state, trade=store.trades.get(trade_id), error=error)
    return replace(state, warnings=tuple(dict.fromkeys((*warnings, *state.warnings))))


def judge_trade(context: TradingContext, trade_id: int) -> ManagedTrade:
    """Mark a trade and judge its exits without writing anything."""
    trade = context.store.trades.get(trade_id)
    opening = context.store.proposals.get(trade.proposal_id)
    close = context.store.proposals.find_live_close(trade_id)
    state = ManagedTrade(trade=trade, opening=opening, at=context.clock(), proposal=close)
    if trade.state is TradeState.ASSIGNED:
        # What an assigned trade holds and risks, and the ticket that ends it.
        position = context.store.adoptions.position(trade.id)
        dividends = context.dividends(opening.underlying) if position.shares_held < 0 else None
        return state.add_warnings(*assignment_notes(position, market_date(context.clock()), dividends))
    if trade.state not in OPEN_TRADES:
        return state
    if has_expired_leg(trade.legs, context.clock()):
        return state.add_warnings(f"T{trade.id} trades no more: no close, it waits for its settlement")
    quotes, warnings = _fetch_quotes(context, trade, opening)
    mark: Mark | None = None
    marks: tuple[Mark, ...] = ()
    if quotes is not None:
        mark = mark_trade(trade, quotes, context.settings, context.clock(), is_recorded=opening.is_recorded)
        marks = (*context.store.marks.select(trade_id, newest=MARKS_READ), mark)
        if not mark.is_usable:
            flags = ", ".join(flag.replace("_", "-") for flag in mark.flags) or "without a mid"
            warnings = (f"the mark is {flags}: kept, and no price decides by it",)
    check, exercise_notes = check_early_exercise(context, trade, opening, quotes)
    checks = check_exits(
        ExitInput(
            trade=trade,
            plan=trade_exits(opening, trade),
            marks=marks,
            now=context.clock(),
            exercise=check,
            has_resting_target=load_order_book(context, opening.id).live_target is not None,
        )
    )
    unjudged = [check.message for check in checks if check.is_unknown and check.day is not None]
    state = replace(state, mark=mark, checks=checks, needs_person=bool(unjudged))
    return state.add_warnings(*warnings, *exercise_notes, *unjudged)


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
    trade, now = state.trade, context.clock()
    is_marked = state.mark is not None and state.mark.is_usable
    is_open = trade.state in OPEN_TRADES and not has_expired_leg(trade.legs, now)
    if is_marked or not is_open or not is_option_session(now):
        return state
    last = context.store.marks.latest_usable(trade.id)
    since = market_date(last.at if last is not None else trade.opened_at)
    if market_date(now) <= next_session(since).day:
        return state
    message = f"T{trade.id} has had no usable mark since {since}, so no price decides its exits"
    is_new = context.store.attention.raise_change(f"T{trade.id}", UNMARKED, message, now)
    return replace(state.add_warnings(message), needs_person=state.needs_person or is_new)


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


# Closing.


def _act(context: TradingContext, state: ManagedTrade, *, is_gone: bool) -> ManagedTrade:
    """Make the close that is due, and send it when the approval of the opening covers it.

    Of a trade that `is_gone` at the broker nothing is sent: a person must look.
    """
    live = state.proposal
    if is_gone:
        state = replace(state, needs_person=True)
    elif state.trade.state not in OPEN_TRADES:
        return _lapse_idle_close(context, state)
    if live is not None and live.state is ProposalState.SENT:
        # Its order works at the broker although the start that sent it has ended.
        can_send = not is_gone and is_by_plan(context, state.opening, live)
        return _send_by_plan(context, state, live) if can_send else _end_abandoned(context, state, live)
    return _make_close(context, state, state.due) if state.due is not None and not is_gone else state


def _end_abandoned(context: TradingContext, state: ManagedTrade, close: Proposal) -> ManagedTrade:
    """Tell of a sent close that no process works, and end it past its deadline, so that another one may be made."""
    try:
        is_ended = end_abandoned(context, close.id)
    except LockHeld:  # it is worked; settling its orders has said so
        return state
    name = f"P{close.id}, whose process has ended,"
    note = f"{name} is past its deadline: what worked of it is cancelled" if is_ended else f"{name} works without steps"
    return replace(_reload(context, state, close).add_warnings(note), needs_person=True)


def _reload(context: TradingContext, state: ManagedTrade, close: Proposal) -> ManagedTrade:
    """Return the state with the trade and its close as they are stored now."""
    trade, proposal = context.store.trades.get(state.trade.id), context.store.proposals.get(close.id)
    return replace(state, trade=trade, proposal=proposal)


def _make_close(context: TradingContext, state: ManagedTrade, due: ExitCheck) -> ManagedTrade:
    waiting = state.proposal
    try:
        close = _propose(context, state, due.reason)
    except (Refused, Unavailable) as error:
        return state.add_warnings(f"{due.message}, and {error.message}")
    if close is None:
        note = "a person declined this close today; it is proposed again with the next session"
        return state.add_warnings(f"{due.message}: {note}")
    is_new = waiting is None or waiting.id != close.id
    state = replace(state, proposal=close, is_new_close=is_new)
    if waiting is not None and is_new and waiting.reason is ExitReason.PERSON:
        state = state.add_warnings(f"P{waiting.id}, a person's draft, gave way: {due.message}")
    if close.state is ProposalState.APPROVED and not is_by_plan(context, state.opening, close):
        return state
    is_plan_close = is_covered(context, state.opening, close, state.trade.width)
    is_paused = not context.settings.enable_automation or context.store.flags.get("paused") is not None
    if not is_plan_close or is_paused:
        if waiting is None or waiting.reason is not close.reason:
            text = trade_notices.exit_due_notice(state.trade, close, due.message)
            context.store.notices.add(text, context.clock(), run_id=close.run_id)
        note = f"paused: P{close.id} waits for a person, or until `spy32 resume`"
        return state.add_warnings(note) if is_plan_close else state
    absences = check_absences(context, close)
    if absences:
        return replace(state.add_warnings(*(finding.message for finding in absences)), needs_person=True)
    return _send_by_plan(context, state, close, note=due.message)


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
        if state.trade.state not in OPEN_TRADES:
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
    is_declined = was_declined(context, state.trade.id, reason)
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
            approve_by_plan(context, state.opening, close, state.mark, note=note)
        execute(context, close.id)
    except Spy32Error as error:
        state = replace(state, error=error)
    return _reload(context, state, close)


# The approval of an opening that covers the closes of its plan.


def plan_name(opening_id: int) -> str:
    """Return who approves a close that the approval of its opening covers."""
    return f"the plan of P{opening_id}"


def is_covered(context: TradingContext, opening: Proposal, close: ProposalTerms, width: Decimal) -> bool:
    """Return whether the approval of the opening covers this close: its plan and the present settings say so, no person
    declined such a close today, and the price is in bounds."""
    approval = context.store.proposals.latest_approval(opening.id)
    return (
        opening.exit.authority is plan.exit_authority(context.settings) is ExitAuthority.PLAN
        and close.reason is not None
        and close.reason is not ExitReason.PERSON
        and approval is not None
        and approval.hash == opening.hash == plan.proposal_digest(opening)
        and close.trade_id is not None
        and not was_declined(context, close.trade_id, close.reason)
        and -close.floor_price <= width
    )


def is_by_plan(context: TradingContext, opening: Proposal, close: Proposal) -> bool:
    """Return whether the newest approval of a close was given by the plan and not by a person."""
    approval = context.store.proposals.latest_approval(close.id)
    return approval is not None and approval.by == plan_name(opening.id)


def was_declined(context: TradingContext, trade_id: int, reason: ExitReason | None) -> bool:
    """Return whether a person declined a close for this reason in today's session."""
    today = market_date(context.clock())
    return any(
        close.state is ProposalState.DECLINED and close.reason is reason and market_date(close.lapses_at) == today
        for close in context.store.proposals.select_closes(trade_id)
    )


def approve_by_plan(context: TradingContext, opening: Proposal, close: Proposal, mark: Mark, *, note: str) -> None:
    """Approve a close in the name of the opening's approval, at the prices of this mark."""
    assert mark.mid is not None and mark.natural is not None
    now = context.clock()
    context.store.proposals.approve(
        ApprovalTerms(
            proposal_id=close.id,
            hash=close.hash,
            by=plan_name(opening.id),
            at=now,
            until=now + timedelta(minutes=context.settings.execution.approval_minutes),
            spot=mark.spot,
            mid=-mark.mid,
            natural=-mark.natural,
            short_delta=max((abs(leg.delta) for leg in mark.legs if leg.delta is not None), default=0.0),
            note=note,
        )
    )
