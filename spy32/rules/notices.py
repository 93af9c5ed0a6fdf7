"""The texts of notices: plain functions from what happened to what a person is told.

The subject begins with the mode. The one-line form has everything that decides; the long form adds the figures, why,
the payoff as text and what to type. Foreign words (a model's, a broker's) are one line without addresses, so that no
text holds a link. Amounts are dollars for the whole quantity, prices dollars per share.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal, ProposalTerms
from spy32.domain.runs import Run, RunSummary
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import MULTIPLIER, Leg, Mode
from spy32.domain.value import value
from spy32.rules.settlement import intrinsic_value
from spy32.sessions import new_york_time

BAR = 24
"""Characters of the longest bar of a payoff: with its figures a line fits the screen of a phone."""
LABEL = 14
"""Columns of a label."""
Facts = Mapping[str, str | Sequence[str]]
"""The lines of a long form by their labels; an empty one is left out, and several of a label are a line each."""


def compose(  # noqa: PLR0913 - the parts of a notice
    kind: NoticeKind,
    mode: Mode,
    head: str,
    more: str = "",
    *,
    facts: Facts,
    after: str = "",
    about: str = "",
) -> NoticeText:
    """A notice of a `head` for the subject, `more` of the one line, the facts of the long form and what is `after`."""
    badge = f"[{mode.upper()}]"
    lines = [
        f"{label:<{LABEL}}{line}"
        for label, words in facts.items()
        for line in ([words] if isinstance(words, str) else words)
        if line
    ]
    return NoticeText(
        kind=kind,
        subject=f"{badge} {head}",
        short=f"{badge} {head}{more}",
        body="\n".join([f"{badge} {head}", *(["", *lines] if lines else []), *(["", after] if after else [])]),
        about=about,
    )


def proposal_payoff_text(proposal: ProposalTerms) -> str:
    """The result of a proposal at expiration, a bar a price."""
    terms = proposal.underlying, proposal.legs, proposal.quantity, proposal.limit_price
    return payoff_text(*terms, proposal.opening_costs)


def payoff_text(underlying: str, legs: Sequence[Leg], quantity: int, credit: Decimal, costs: Decimal) -> str:
    """The result at each strike, between, and beyond both ends, in lines that need no picture."""
    strikes = sorted(leg.strike for leg in legs)
    room = max(strikes[-1] - strikes[0], Decimal(1))
    middles = [(low + high) / 2 for low, high in pairwise(strikes)]
    prices = sorted({strikes[0] - room, *strikes, *middles, strikes[-1] + room}, reverse=True)
    results = [(price, (credit - _closing_cost(legs, price)) * MULTIPLIER * quantity - costs) for price in prices]
    largest = max(abs(result) for _, result in results) or Decimal(1)
    lines = [f"{underlying} at expiration, result after costs to open:"]
    for price, result in results:
        bar = ("+" if result > 0 else "-") * int(abs(result) / largest * BAR)
        lines.append(f"{price.normalize():>9f} {signed_dollars(result):>9} {bar}".rstrip())
    return "\n".join(lines)


def _closing_cost(legs: Iterable[Leg], price: Decimal) -> Decimal:
    """What the legs cost at expiration, dollars per share."""
    return -sum((leg.signed_quantity * intrinsic_value(leg, price) for leg in legs), Decimal(0))


def deadline_text(proposal: Proposal) -> str | None:
    """Until when it waits; None on a recorded market, which has no end of its own."""
    return None if proposal.is_recorded else clock_text(proposal.lapses_at)


def clock_text(instant: datetime) -> str:
    return f"{new_york_time(instant):%H:%M} New York"


def whole_dollars(amount: Decimal) -> str:
    return f"${amount.quantize(Decimal(1), ROUND_HALF_EVEN):,}"


def dollars_rounded_up(amount: Decimal) -> str:
    return f"${amount.to_integral_value(ROUND_CEILING):,}"


def signed_dollars(amount: Decimal) -> str:
    """With its sign."""
    whole = amount.quantize(Decimal(1), ROUND_HALF_EVEN)
    return f"{'-' if whole < 0 else '+'}${abs(whole):,}" if whole else "$0"


# Runs, the store and the week.


def ending_notice(
    kind: NoticeKind, run_id: int, mode: Mode, word: str, cause: str, reasons: Sequence[str]
) -> NoticeText:
    """A run ended without a proposal: `word` and `cause` say how."""
    notes = [plain_note(reason) for reason in reasons]
    in_words = f" ({cause})".replace("_", " ") if cause else ""
    return compose(
        kind,
        mode,
        f"R{run_id}: {word.replace('_', ' ')}{in_words}",
        f": {notes[0]}" if notes else "",
        facts={"why": notes, "to look": f"spy32 show R{run_id}"},
        about=f"R{run_id}",
    )


def missed_notice(missed: Sequence[Run]) -> NoticeText:
    """One slot or several have gone by without a finished run; their rows, oldest first."""
    run, first = missed[-1], missed[0]
    note = plain_note(run.reasons[0])
    is_single = len(missed) == 1
    head = "the weekly run was missed" if is_single else f"{len(missed)} weekly runs were missed"
    facts = {
        "why": note,
        "slots": "" if is_single else f"{first.slot} to {run.slot} (R{first.id} to R{run.id})",
        "to look": "spy32 status",
        "by hand": "spy32 analyze",
    }
    return compose(
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


def store_error_notices(mode: Mode, message: str, code: int) -> tuple[NoticeText, NoticeText]:
    """The database cannot be opened or written: for people, and for the monitor, which gets the code only."""
    note = plain_note(message)
    body = f"store, code {code}"
    return (
        compose(
            NoticeKind.FAILED,
            mode,
            "the database cannot be used",
            f": {note}; spy32 doctor",
            facts={"why": note, "so": "nothing runs until it is mended", "to look": "spy32 doctor"},
        ),
        NoticeText(kind=NoticeKind.PING_FAIL, subject=f"ping: {body}", short=body, body=body),
    )


def week_loss_notice(mode: Mode, monday: date, loss: Decimal, limit: Decimal) -> NoticeText:
    """The week has lost so much that nothing is opened any more."""
    return compose(
        NoticeKind.LIMIT,
        mode,
        f"the week has lost {whole_dollars(loss)}",
        f", and its limit is {whole_dollars(limit)}: nothing more is opened this week",
        facts={
            "limit": f"{whole_dollars(limit)} (limits.week_loss)",
            "so": "no entry is sent in the week that began on " + monday.isoformat(),
            "to look": "spy32 status",
        },
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
    def result(self) -> Decimal:
        """Realised profit or loss after fees."""
        return sum((trade.result for trade in self.ended if trade.result is not None), Decimal(0))


def week_notice(mode: Mode, week: Week) -> NoticeText:
    """The weekly summary."""
    runs = ", ".join(f"R{run.id} {(run.outcome or 'running').replace('_', ' ')}" for run in week.runs) or "none"
    ended = ", ".join(
        f"T{trade.id} {signed_dollars(trade.result) if trade.result is not None else '?'}" for trade in week.ended
    )
    facts = {
        "runs": runs,
        "opened": f"{week.opened}",
        "ended": ended or "none",
        "realised": signed_dollars(week.result),
        "open now": f"{week.open_trades}, max loss {dollars_rounded_up(week.open_risk)}",
        "to look": "spy32 show --history",
        "history": week.head,
    }
    counts = f", {week.opened} opened, {len(week.ended)} ended, {week.open_trades} open"
    return compose(
        NoticeKind.WEEK,
        mode,
        f"week of {week.monday}: realised {signed_dollars(week.result)}",
        f"{counts}, at risk {dollars_rounded_up(week.open_risk)}",
        facts=facts,
        about=f"week {week.monday}",
    )


def sample_notice(mode: Mode, label: str) -> NoticeText:
    """What `notify test` sends."""
    return compose(NoticeKind.TEST, mode, f"spy32 can reach {label}", facts={"about": "a test; there is nothing to do"})
