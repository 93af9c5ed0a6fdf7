"""Manages open trades: settle what ended, mark, judge the exits, and make the close that is due.

Every start commits what it saw, so it may run as often as one likes, from two terminals and from cron: one kernel lock
lets one start at a time through. A close is a proposal like any other: a person approves it and `execute` sends it,
unless the approval of the opening covers its exits. Nothing here can open a trade.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from spy32.domain.market import LegQuotes
from spy32.domain.marks import Mark
from spy32.domain.orders import OrderKind, Trade
from spy32.domain.proposals import ApprovalTerms, ExitPlan, ExitReason, Proposal, ProposalTerms
from spy32.domain.spreads import ExitAuthority
from spy32.domain.value import value
from spy32.errors import NotPermitted, Refused, Spy32Error, Unavailable
from spy32.lifecycle import ProposalState, TradeState
from spy32.rules import exercise, notices, plan, references
from spy32.rules.closing import closing_proposal, is_outdated, trade_exits
from spy32.rules.exits import ExitCheck, ExitInput, check_exits, due_exit
from spy32.rules.marks import mark_trade
from spy32.sessions import market_date, session
from spy32.trading import order_state, profit_target, settle
from spy32.trading.context import TradingContext, proposal_lock_name
from spy32.trading.execute import execute
from spy32.trading.order_book import load_order_book

MANAGE_LOCK = "manage"
LOCK_SECONDS = 20.0
"""A start waits so long for another one, which marks in a second or two but may work an order for minutes."""
MARKS_READ = 100
"""Newest marks that the exits are judged by: more than three sessions at one a quarter of an hour."""
ContextFor = Callable[[int | None], TradingContext]
"""Makes the context of a proposal, since a recorded one keeps its own market and clock; of none, a general one."""


@value
class ManagedTrade:
    """One trade after a start of `manage`."""

    trade: Trade
    opening: Proposal
    mark: Mark | None = None
    """The mark of this start; None when the market gave no quotes, or the trade has ended."""
    checks: tuple[ExitCheck, ...] = ()
    """The exits, most urgent first."""
    proposal: Proposal | None = None
    """The close that waits, is approved or was sent."""
    warnings: tuple[str, ...] = ()
    error: Spy32Error | None = None
    """Why this trade could not be managed to the end."""

    @property
    def due(self) -> ExitCheck | None:
        return due_exit(self.checks)

    @property
    def exits(self) -> ExitPlan:
        return trade_exits(self.opening, self.trade)


def manage(context_for: ContextFor, trade_id: int | None = None) -> tuple[ManagedTrade, ...]:
    """Manage one trade, or every trade that has not ended, and return how each stands.

    Raises `Unavailable` while another start holds the lock. What stops one trade is in its result and stops no other.
    """
    base = context_for(None)
    with base.locks.hold(MANAGE_LOCK, wait_seconds=LOCK_SECONDS):
        ended = settle.settle_ended(context_for)
        chosen = (
            [base.store.trades.get(trade_id)]
            if trade_id is not None
            else [*ended.trades, *base.store.trades.select(TradeState.OPEN, TradeState.CLOSING, TradeState.ASSIGNED)]
        )
        numbers = dict.fromkeys(trade.id for trade in chosen)
        return tuple(_manage_trade(context_for, number, ended.warnings.get(number, ())) for number in numbers)


def _manage_trade(context_for: ContextFor, trade_id: int, notes: tuple[str, ...]) -> ManagedTrade:
    store = context_for(None).store
    trade = store.trades.get(trade_id)
    context = context_for(trade.proposal_id)
    warnings = list(notes)
    state = ManagedTrade(trade=trade, opening=store.proposals.get(trade.proposal_id))
    try:
        warnings += _settle_orders(context, trade)
        state = _judge(context, trade_id)
        warnings += state.warnings
        state = _act(context, state)
    except Spy32Error as error:
        state = replace(state, trade=store.trades.get(trade_id), error=error)
    return replace(state, warnings=tuple(dict.fromkeys((*warnings, *state.warnings))))


def _settle_orders(context: TradingContext, trade: Trade) -> list[str]:
    """Read the resting target and the orders of a close that no process works; return what could not be settled."""
    close = context.store.proposals.find_live_close(trade.id)
    messages: list[str] = []
    for proposal_id in [trade.proposal_id, *([close.id] if close is not None else [])]:
        try:
            with context.locks.hold(proposal_lock_name(proposal_id)):
                errors = [
                    *order_state.recover_orders(context, proposal_id),
                    *profit_target.refresh_targets(context, proposal_id),
                ]
        except Unavailable as busy:
            errors = [busy]
        messages += [error.message for error in errors]
    return messages


def judge_trade(context: TradingContext, trade_id: int) -> ManagedTrade:
    """Mark a trade and judge its exits without writing anything."""
    trade = context.store.trades.get(trade_id)
    opening = context.store.proposals.get(trade.proposal_id)
    close = context.store.proposals.find_live_close(trade_id)
    state = ManagedTrade(trade=trade, opening=opening, proposal=close)
    if trade.state not in (TradeState.OPEN, TradeState.CLOSING):
        return state
    quotes, warnings = _fetch_quotes(context, trade, opening)
    mark = (
        mark_trade(trade, quotes, context.settings, context.clock(), is_recorded=opening.is_recorded)
        if quotes is not None
        else None
    )
    check, exercise_notes = _check_exercise(context, trade, opening, quotes)
    given = ExitInput(
        trade=trade,
        plan=trade_exits(opening, trade),
        marks=(*context.store.trades.marks(trade_id, newest=MARKS_READ), *([mark] if mark is not None else [])),
        now=context.clock(),
        exercise=check,
        has_resting_target=load_order_book(context, opening.id).live_target is not None,
    )
    checks = check_exits(given if mark is not None else replace(given, marks=()))
    return replace(state, mark=mark, checks=checks, warnings=(*warnings, *exercise_notes, *_mark_warnings(mark)))


def _judge(context: TradingContext, trade_id: int) -> ManagedTrade:
    """Judge a trade and store its mark."""
    state = judge_trade(context, trade_id)
    if state.mark is not None:
        newest = context.store.trades.latest_mark(trade_id)
        if newest is not None and state.mark.at < newest.at:
            raise Refused(
                f"T{trade_id} was marked at {newest.at:%Y-%m-%d %H:%M} UTC, and it is {state.mark.at:%Y-%m-%d %H:%M}: "
                "a clock was or is wrong; nothing is judged"
            )
        context.store.trades.add_mark(state.mark)
    return state


def _fetch_quotes(context: TradingContext, trade: Trade, opening: Proposal) -> tuple[LegQuotes | None, tuple[str, ...]]:
    """Return quotes of the legs, and of the other right at the short strikes; None, and why, when there are none."""
    if context.market is None:
        return None, (f"T{trade.id} has no market to be marked by",)
    now = context.clock()
    hours = session(market_date(now))
    if not opening.is_recorded and (hours is None or not hours.open <= now <= hours.option_close):
        return None, ("the market is closed, so there is no mark",)
    parity = [exercise.parity_leg(leg) for leg in trade.legs if leg.action.sign > 0]
    try:
        return context.market.quotes(opening.underlying, (*trade.legs, *parity)), ()
    except Spy32Error as error:
        return None, (f"T{trade.id} was not marked: {error.message}",)


def _check_exercise(
    context: TradingContext, trade: Trade, opening: Proposal, quotes: LegQuotes | None
) -> tuple[exercise.ExerciseCheck | None, tuple[str, ...]]:
    """Return the judgement of the short call on the eve of an ex-date, and notes on early exercise."""
    if quotes is None:
        return None, ()
    now, rate = context.clock(), context.settings.market.rate
    shorts = [leg for leg in trade.legs if leg.action.sign > 0]
    notes = [note for leg in shorts if (note := exercise.put_exercise_note(leg, quotes, rate, now)) is not None]
    if not any(exercise.is_call(leg) for leg in shorts):
        return None, tuple(notes)
    dividends = context.dividends(opening.underlying)
    if dividends is None:
        return None, (*notes, "no source tells the ex-dates, so early exercise of the short call is not judged")
    dividend = exercise.next_ex_date(dividends, trade.expiration, market_date(now))
    checks = [
        check
        for leg in shorts
        if dividend is not None
        and (check := exercise.check_call_exercise(leg, quotes, dividend, rate, now)) is not None
    ]
    return max(checks, key=lambda check: check.is_worthwhile, default=None), tuple(notes)


def _mark_warnings(mark: Mark | None) -> tuple[str, ...]:
    if mark is None or mark.is_usable:
        return ()
    flags = ", ".join(flag.replace("_", "-") for flag in mark.flags) or "without a mid"
    return (f"the mark is {flags}: kept, and no price decides by it",)


# Closing.


def _act(context: TradingContext, state: ManagedTrade) -> ManagedTrade:
    """Make the close that is due, and send it when the approval of the opening covers it."""
    due = state.due
    if due is None:
        return state
    try:
        close = _propose(context, state, due.reason)
    except (Refused, Unavailable) as error:
        return replace(state, warnings=(*state.warnings, f"{due.message}, and {error.message}"))
    if close is None:
        note = f"{due.message}: a person declined this close today; it is proposed again with the next session"
        return replace(state, warnings=(*state.warnings, note))
    known, state = state.proposal, replace(state, proposal=close)
    is_waiting = close.state is ProposalState.PROPOSED
    if state.mark is None or not is_waiting or not is_covered(context, state.opening, close, state.trade.width):
        if is_waiting and (known is None or known.reason is not close.reason):
            text = notices.exit_due_notice(state.trade, close, due.message)
            context.store.notices.add(text, context.clock(), run_id=close.run_id)
        return state
    try:
        _approve_by_plan(context, state.opening, close, state.mark, note=due.message)
        execute(context, close.id)
    except Spy32Error as error:
        state = replace(state, error=error)
    trade = context.store.trades.get(state.trade.id)
    return replace(state, trade=trade, proposal=context.store.proposals.get(close.id))


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
        return replace(state, proposal=_store_close(context, made, live))


def _propose(context: TradingContext, state: ManagedTrade, reason: ExitReason) -> Proposal | None:
    """Return the close for this reason: the one there is if it still fits, else a new one; None if declined today."""
    live = state.proposal
    if live is not None and live.state is not ProposalState.PROPOSED:
        return live
    if live is None and reason not in URGENT and _was_declined(context, state.trade.id, reason):
        return None
    if state.mark is None:
        raise Unavailable("there are no quotes to price a close by")
    made = closing_proposal(state.opening, state.trade, reason, state.mark, context.settings)
    if live is not None and (live.reason is ExitReason.PERSON or not is_outdated(live, made)):
        return live
    return _store_close(context, made, live)


URGENT = (ExitReason.LAST_EXIT, ExitReason.EX_DIVIDEND)
"""Closes that are proposed again at the next start when they are declined: the last session does not come back."""


def _was_declined(context: TradingContext, trade_id: int, reason: ExitReason) -> bool:
    """Return whether a person declined a close for this reason in today's session."""
    today = market_date(context.clock())
    return any(
        close.state is ProposalState.DECLINED and close.reason is reason and market_date(close.lapses_at) == today
        for close in context.store.proposals.select_closes(trade_id)
    )


def _store_close(context: TradingContext, made: ProposalTerms, live: Proposal | None) -> Proposal:
    """Store a close, in place of the one that waits if there is one, and return it."""
    now = context.clock()
    if live is not None:
        context.store.proposals.lapse(live.id, at=now, reason=f"another close of T{made.trade_id} takes its place")
    reference = references.draft_reference(made.run_id)
    body = plan.order_body(made.legs, made.quantity, made.limit_price, reference, kind=OrderKind.EXIT)
    return context.store.proposals.add(made, body=body, at=now)


def is_covered(context: TradingContext, opening: Proposal, close: ProposalTerms, width: Decimal) -> bool:
    """Return whether the approval of the opening covers this close: its plan says so, and the price is in bounds."""
    approval = context.store.proposals.latest_approval(opening.id)
    return (
        close.exit.authority is ExitAuthority.PLAN
        and close.reason is not ExitReason.PERSON
        and approval is not None
        and approval.hash == opening.hash == plan.proposal_digest(opening)
        and -close.floor_price <= width
    )


def _approve_by_plan(context: TradingContext, opening: Proposal, close: Proposal, mark: Mark, *, note: str) -> None:
    """Approve a close in the name of the opening's approval; a halt refuses it first."""
    reason = context.halt_reason()
    if reason is not None:
        raise NotPermitted(f"halted: {reason}; the close of T{close.trade_id} waits; `spy32 resume` lifts it")
    assert mark.mid is not None and mark.natural is not None
    now = context.clock()
    context.store.proposals.approve(
        ApprovalTerms(
            proposal_id=close.id,
            hash=close.hash,
            by=f"the plan of P{opening.id}",
            at=now,
            until=now + timedelta(minutes=context.settings.execution.approval_minutes),
            spot=mark.spot,
            mid=-mark.mid,
            natural=-mark.natural,
            short_delta=max((abs(leg.delta) for leg in mark.legs if leg.delta is not None), default=0.0),
            note=note,
        )
    )
