"""The texts of notices: plain functions from what happened to what a person is told.

The subject begins with the mode. The one-line form has everything that decides; the long form adds the figures, why,
the payoff as text and what to type. Foreign words (a model's, a broker's) are one line without addresses, so that no
text holds a link. Amounts are dollars for the whole quantity, prices dollars per share.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.orders import Trade
from spy32.domain.runs import Run, RunSummary
from spy32.domain.sanitize import plain_note
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.rules.notice_parts import compose, dollars_rounded_up, signed_dollars, whole_dollars


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


def store_trouble_notices(mode: Mode, message: str, code: int) -> tuple[NoticeText, NoticeText]:
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
