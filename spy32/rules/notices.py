"""The texts of notices: plain functions from what happened to what a person is told.

The subject begins with the mode. The one-line form has everything that decides; the long form adds the figures, why,
the payoff as text and what to type. Foreign words (a model's, a broker's) are one line without addresses, so that no
text holds a link. Amounts are dollars for the whole quantity, prices dollars per share.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import ExitPlan, Proposal, ProposalTerms, Recommendation, spread_description
from spy32.domain.runs import Run, RunSummary
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import MULTIPLIER, Candidate, Leg, Mode
from spy32.domain.value import value
from spy32.sessions import new_york_time

BAR = 24
"""Characters of the longest bar of a payoff: with its figures a line fits the screen of a phone."""
LABEL = 14
"""Columns of a label."""
Facts = Iterable[tuple[str, str]]
"""Label and value of the lines of a long form; one without a value is left out."""


def _compose(  # noqa: PLR0913 - the parts of a notice
    kind: NoticeKind, mode: Mode, head: str, more: str = "", *, facts: Facts = (), after: str = "", about: str = ""
) -> NoticeText:
    """A notice of a `head` for the subject, `more` of the one line, the facts of the long form and what is `after`."""
    badge = f"[{mode.upper()}]"
    lines = [f"{label:<{LABEL}}{words}" for label, words in facts if words]
    return NoticeText(
        kind=kind,
        subject=f"{badge} {head}",
        short=f"{badge} {head}{more}",
        body="\n".join([f"{badge} {head}", *(["", *lines] if lines else []), *(["", after] if after else [])]),
        about=about,
    )


# The weekly run.


def proposal_notice(proposal: Proposal, candidate: Candidate | None, choice: Recommendation | None) -> NoticeText:
    """A proposal waits for a person."""
    until = _deadline(proposal)
    command = f"spy32 approve P{proposal.id}"
    odds = _odds(candidate, proposal.quantity) if candidate is not None else ()
    first = f", {' '.join(odds[0])}" if odds else ""
    facts = (
        (
            ("credit", f"{proposal.limit_price}, never below {proposal.floor_price}")
            if proposal.limit_price > 0
            else ("debit", f"{-proposal.limit_price}, never above {-proposal.floor_price}")
        ),
        ("max profit", _dollars(proposal.max_profit)),
        ("max loss", _rounded_up(proposal.max_loss)),
        *odds,
        ("why", f"{choice.analyst}: {plain_note(choice.reason)}" if choice is not None else ""),
        ("until", until.removeprefix(", until ") or "you decide: it was made on a recorded market"),
        ("to decide", command),
    )
    figures = f", max loss {_rounded_up(proposal.max_loss)}{first}"
    return _compose(
        NoticeKind.PROPOSED,
        proposal.mode,
        f"P{proposal.id}: {proposal.trade_text}{until}",
        f"{figures}: {command}",
        facts=facts,
        after=proposal_payoff_text(proposal),
        about=f"P{proposal.id}",
    )


def _odds(candidate: Candidate, quantity: int) -> tuple[tuple[str, str], ...]:
    """Probability of profit and expected value under the exit plan by history; without one, the market's POP."""
    planned = candidate.outlook.chosen_plan if candidate.outlook is not None else None
    if planned is None:
        return (("win", f"{candidate.p_profit:.0%} if held, by option prices"),)
    profit = ("win", f"{planned.probabilities.profit:.0%} with exits, by history")
    if planned.ev is None:
        return (profit,)
    mean, low, high = (f"{amount * quantity:+.0f}" for amount in (planned.ev.mean, planned.ev.low, planned.ev.high))
    return profit, ("average", f"{mean} dollars for the order, 90% sure {low} to {high}")


def ending_notice(
    kind: NoticeKind, run_id: int, mode: Mode, word: str, cause: str, reasons: Sequence[str]
) -> NoticeText:
    """A run ended without a proposal: `word` and `cause` say how."""
    notes = [plain_note(reason) for reason in reasons]
    in_words = f" ({cause})".replace("_", " ") if cause else ""
    return _compose(
        kind,
        mode,
        f"R{run_id}: {word.replace('_', ' ')}{in_words}",
        f": {notes[0]}" if notes else "",
        facts=(*(("why", note) for note in notes), ("to look", f"spy32 show R{run_id}")),
        about=f"R{run_id}",
    )


def missed_notice(missed: Sequence[Run]) -> NoticeText:
    """One slot or several have gone by without a finished run; their rows, oldest first."""
    run, first = missed[-1], missed[0]
    note = plain_note(run.reasons[0])
    is_single = len(missed) == 1
    head = "the weekly run was missed" if is_single else f"{len(missed)} weekly runs were missed"
    facts = (
        ("why", note),
        ("slots", "" if is_single else f"{first.slot} to {run.slot} (R{first.id} to R{run.id})"),
        ("to look", "spy32 status"),
        ("by hand", "spy32 analyze"),
    )
    return _compose(
        NoticeKind.MISSED,
        run.mode,
        f"R{run.id}: {head}",
        f": {note}" if is_single else f", the last: {note}",
        facts=facts,
        about=f"R{run.id}",
    )


def ping_id(run: Run) -> str:
    """The UUID that pairs start and end of a run at the monitor; the same for one run whoever asks."""
    from uuid import NAMESPACE_OID, uuid5

    return str(uuid5(NAMESPACE_OID, f"spy32 {run.mode} R{run.id} {run.started_at.isoformat()}"))


def ping_notice(kind: NoticeKind, run: Run) -> NoticeText:
    """What the monitor is told: state, code and run, nothing else."""
    words = f"{run.outcome} {run.cause or ''}".strip()
    body = f"{words}, code {run.exit_code}, R{run.id}"
    return NoticeText(kind=kind, subject=f"ping: {body}", short=body, body=body, about=ping_id(run))


def store_trouble_notices(mode: Mode, message: str, code: int) -> tuple[NoticeText, NoticeText]:
    """The database cannot be opened or written: for people, and for the monitor, which gets the code only."""
    note = plain_note(message)
    body = f"store, code {code}"
    return (
        _compose(
            NoticeKind.FAILED,
            mode,
            "the database cannot be used",
            f": {note}; spy32 doctor",
            facts=(("why", note), ("so", "nothing runs until it is mended"), ("to look", "spy32 doctor")),
        ),
        NoticeText(kind=NoticeKind.PING_FAIL, subject=f"ping: {body}", short=body, body=body),
    )


# Proposals, orders and trades.


def lapsing_notice(proposal: Proposal, until: datetime, *, is_approved: bool) -> NoticeText:
    """A proposal that waits, or an approval that was not used, is about to lapse."""
    head = (
        f"the approval of P{proposal.id} ends at {_clock_text(until)}"
        if is_approved
        else f"P{proposal.id} lapses at {_clock_text(until)}, and nobody has decided"
    )
    command = f"spy32 {'execute' if is_approved else 'approve'} P{proposal.id}"
    return _compose(
        NoticeKind.LAPSING,
        proposal.mode,
        head,
        f": {command}",
        facts=(("trade", proposal.trade_text), ("until", _clock_text(until)), ("to act", command)),
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
    facts = (
        ("price", f"{price}; approved {'down' if is_credit else 'up'} to {abs(proposal.floor_price)}"),
        ("max loss", _rounded_up(trade.max_loss)),
        ("target", f"{'buy back' if is_credit else 'sell'} at {abs(exits.profit_target)}"),
        ("stop", f"{exits.stop}" if is_credit else ""),
        ("time exit", f"{exits.time_exit}" if exits.time_exit is not None else ""),
        ("last exit", f"{exits.last_exit}"),
        ("to look", f"spy32 show T{trade.id}"),
    )
    return _compose(
        NoticeKind.FILLED,
        trade.mode,
        f"T{trade.id}: {verb} {trade.quantity} of {proposal.quantity} {text} at {price}",
        f", max loss {_rounded_up(trade.max_loss)}, out by {exits.last_exit}",
        facts=facts,
        after=_payoff_text(proposal.underlying, trade.legs, trade.quantity, trade.credit, trade.fees),
        about=f"T{trade.id}",
    )


def not_filled_notice(proposal: Proposal, reason: str) -> NoticeText:
    """An order ended with nothing filled; the proposal waits again."""
    command = f"spy32 approve P{proposal.id}"
    note = plain_note(reason)
    return _compose(
        NoticeKind.NOT_FILLED,
        proposal.mode,
        f"P{proposal.id} was not filled",
        f"{f': {note}' if note else ''}; {command}",
        facts=(("trade", proposal.trade_text), ("why", note), ("to try again", command)),
        about=f"P{proposal.id}",
    )


def part_closed_notice(trade: Trade, close: Proposal) -> NoticeText:
    """A close filled in part: the rest of its trade is still held, and nothing works for it any more."""
    command = f"spy32 close T{trade.id}"
    price = f"{trade.debit}" if trade.debit is not None else ""
    facts = (
        ("close", f"P{close.id}: {close.trade_text}"),
        ("closed at", price),
        ("to close", command),
    )
    return _compose(
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
    until, bound = _deadline(close), "at most" if close.floor_price < 0 else "at least"
    facts = (
        ("why", plain_note(message)),
        ("close", close.trade_text),
        (bound, f"{abs(close.floor_price)}"),
        ("until", until.removeprefix(", until ")),
        ("to decide", command),
    )
    return _compose(
        NoticeKind.EXIT_DUE,
        trade.mode,
        f"T{trade.id} is due to close ({close.reason.replace('_', ' ')}){until}",
        f": {close.trade_text}, {bound} {abs(close.floor_price)}: {command}",
        facts=facts,
        about=f"P{close.id}",
    )


def ended_notice(trade: Trade, underlying: str) -> NoticeText:
    """A trade was closed, expired or was assigned; it may have no result yet."""
    kind = NoticeKind(trade.state)
    reason = trade.exit_reason if trade.exit_reason is not None and trade.exit_reason.value != kind.value else ""
    why = f" ({reason})".replace("_", " ") if reason else ""
    result = f"{_gain(trade.result)} after fees" if trade.result is not None else "no result yet"
    spread = f"{trade.quantity} {spread_description(underlying, trade.legs)}"
    facts = (
        ("trade", spread),
        ("opened at", f"{trade.credit}"),
        ("closed at", f"{trade.debit}" if trade.debit is not None else ""),
        ("fees", _dollars(trade.fees)),
        ("result", result),
        ("to look", "spy32 positions" if kind is NoticeKind.ASSIGNED else f"spy32 show T{trade.id}"),
    )
    word = "was assigned" if kind is NoticeKind.ASSIGNED else kind.value
    return _compose(
        kind, trade.mode, f"T{trade.id} {word}{why}: {result}", f", {spread}", facts=facts, about=f"T{trade.id}"
    )


def unknown_order_notice(order: Order) -> NoticeText:
    """Whether an order exists must be read at the broker."""
    return _compose(
        NoticeKind.UNKNOWN_ORDER,
        order.mode,
        f"the outcome of an order of P{order.proposal_id} is unknown",
        ", it may be working or filled: spy32 reconcile",
        facts=(("order", order.reference), ("why", plain_note(order.reason)), ("to settle", "spy32 reconcile")),
        about=f"O{order.id}",
    )


# The book and the week.


def week_loss_notice(mode: Mode, monday: date, loss: Decimal, limit: Decimal) -> NoticeText:
    """The week has lost so much that nothing is opened any more."""
    return _compose(
        NoticeKind.LIMIT,
        mode,
        f"the week has lost {_dollars(loss)}",
        f", and its limit is {_dollars(limit)}: nothing more is opened this week",
        facts=(
            ("limit", f"{_dollars(limit)} (limits.week_loss)"),
            ("so", "no entry is sent in the week that began on " + monday.isoformat()),
            ("to look", "spy32 status"),
        ),
        about=f"week {monday}",
    )


@value
class Week:
    """What came of one week."""

    monday: date
    runs: Sequence[RunSummary]
    """Runs of the week, oldest first."""
    opened: int
    """Trades that were opened."""
    ended: Sequence[Trade]
    """Trades that were closed, expired or were assigned."""
    open_trades: int
    open_risk: Decimal
    """Maximum loss of what is open now."""
    head: str
    """The hash of the newest event of the history, so that it is noted outside the machine."""

    @property
    def realised(self) -> Decimal:
        """Realised profit or loss after fees."""
        return sum((trade.result for trade in self.ended if trade.result is not None), Decimal(0))


def week_notice(mode: Mode, week: Week) -> NoticeText:
    """The weekly summary."""
    runs = ", ".join(f"R{run.id} {(run.outcome or 'running').replace('_', ' ')}" for run in week.runs) or "none"
    ended = ", ".join(f"T{trade.id} {_gain(trade.result) if trade.result is not None else '?'}" for trade in week.ended)
    facts = (
        ("runs", runs),
        ("opened", f"{week.opened}"),
        ("ended", ended or "none"),
        ("realised", _gain(week.realised)),
        ("open now", f"{week.open_trades}, max loss {_rounded_up(week.open_risk)}"),
        ("to look", "spy32 show --history"),
        ("history", week.head),
    )
    counts = f", {week.opened} opened, {len(week.ended)} ended, {week.open_trades} open"
    return _compose(
        NoticeKind.WEEK,
        mode,
        f"week of {week.monday}: realised {_gain(week.realised)}",
        f"{counts}, at risk {_rounded_up(week.open_risk)}",
        facts=facts,
        about=f"week {week.monday}",
    )


def sample_notice(mode: Mode, label: str) -> NoticeText:
    """What `notify test` sends."""
    return _compose(
        NoticeKind.TEST, mode, f"spy32 can reach {label}", facts=(("about", "a test; there is nothing to do"),)
    )


# Pictures and figures.


def proposal_payoff_text(proposal: ProposalTerms) -> str:
    """The result of a proposal at expiration, a bar a price."""
    terms = proposal.underlying, proposal.legs, proposal.quantity, proposal.limit_price
    return _payoff_text(*terms, proposal.opening_costs)


def _payoff_text(underlying: str, legs: Sequence[Leg], quantity: int, credit: Decimal, costs: Decimal) -> str:
    """The result at each strike, between, and beyond both ends, in lines that need no picture."""
    strikes = sorted(leg.strike for leg in legs)
    room = max(strikes[-1] - strikes[0], Decimal(1))
    middles = [(low + high) / 2 for low, high in pairwise(strikes)]
    prices = sorted({strikes[0] - room, *strikes, *middles, strikes[-1] + room}, reverse=True)
    results = [(price, (credit - _owed(legs, price)) * MULTIPLIER * quantity - costs) for price in prices]
    largest = max(abs(result) for _, result in results) or Decimal(1)
    lines = [f"{underlying} at expiration, result after costs to open:"]
    for price, result in results:
        bar = ("+" if result > 0 else "-") * int(abs(result) / largest * BAR)
        lines.append(f"{price.normalize():>9f} {_gain(result):>9} {bar}".rstrip())
    return "\n".join(lines)


def _owed(legs: Iterable[Leg], price: Decimal) -> Decimal:
    """What the legs cost at expiration, dollars per share."""
    return sum(
        (
            leg.action.sign
            * leg.quantity
            * max((price - leg.strike) * (1 if leg.right.value == "C" else -1), Decimal(0))
            for leg in legs
        ),
        Decimal(0),
    )


def _deadline(proposal: Proposal) -> str:
    """Until when it waits, to be put behind it; nothing on a recorded market, which has no end of its own."""
    return "" if proposal.is_recorded else f", until {_clock_text(proposal.lapses_at)}"


def _clock_text(instant: datetime) -> str:
    return f"{new_york_time(instant):%H:%M} New York"


def _dollars(amount: Decimal) -> str:
    return f"${amount.quantize(Decimal(1), ROUND_HALF_EVEN):,}"


def _rounded_up(amount: Decimal) -> str:
    return f"${amount.to_integral_value(ROUND_CEILING):,}"


def _gain(amount: Decimal) -> str:
    """With its sign."""
    whole = amount.quantize(Decimal(1), ROUND_HALF_EVEN)
    return f"{'-' if whole < 0 else '+'}${abs(whole):,}" if whole else "$0"
