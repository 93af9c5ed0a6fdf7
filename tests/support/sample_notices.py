"""One notice of every kind; `python -m tests.support.sample_notices` writes the golden files from them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from spy32.domain.notices import Notice, NoticeKind, NoticeText
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason
from spy32.domain.runs import Outcome, RunSummary
from spy32.domain.spreads import Mode
from spy32.lifecycle import TradeState
from spy32.rules import notices, trade_notices
from tests.support import builders, trades
from tests.support.paths import DATA

FOLDER = DATA / "notices"
ACCOUNT = "5WX01234"
D = Decimal
LONG = "The level of 640 held three times; skew is steep – see https://evil.example/approve?now. " * 60
"""More than 5,000 characters of a model, with a link."""


def trade(**over: object) -> Trade:
    """Two contracts of the default spread, open since ten."""
    return trades.trade(**{"id": 4, "opened_at": builders.NOW, **over})


def ended(state: TradeState, reason: ExitReason, **over: object) -> Trade:
    return trade(state=state, exit_reason=reason, closed_at=builders.later(days=10), closed_quantity=2, **over)


def run_row(number: int, outcome: Outcome) -> RunSummary:
    return RunSummary(
        id=number,
        started_at=builders.NOW,
        outcome=outcome,
        cause=None,
        profile="default",
        proposal_id=None,
        trade_id=None,
    )


def _samples() -> Mapping[str, NoticeText]:
    waiting = builders.proposal(account=ACCOUNT)
    close = replace(builders.close_proposal(4), id=9, reason=ExitReason.STOP)
    unknown = builders.stored_order(waiting, builders.approval(waiting), reason="the connection was reset")
    missed = builders.run(id=8, outcome=Outcome.SKIPPED, cause="missed")
    closed = ended(TradeState.CLOSED, ExitReason.TARGET, debit=D("0.28"), result=D("51.96"))
    week = notices.Week(
        monday=date(2025, 10, 6),
        runs=[run_row(1, Outcome.FAILED), run_row(2, Outcome.PROPOSED)],
        opened=1,
        ended=[closed],
        open_trades=3,
        open_risk=D("1330.10"),
        head="5c" * 32,
    )
    return {
        "proposed": trade_notices.proposal_notice(waiting, builders.candidate(), builders.recommendation()),
        "proposed-live-long": trade_notices.proposal_notice(
            builders.proposal(mode=Mode.LIVE, account=ACCOUNT),
            builders.candidate(),
            builders.recommendation(reason=LONG),
        ),
        "proposed-recorded": trade_notices.proposal_notice(builders.proposal(market="recorded"), None, None),
        "no-trade": notices.ending_notice(
            NoticeKind.NO_TRADE, 7, Mode.PAPER, "no_trade", "abstained", ("nothing on the menu pays for the risk",)
        ),
        "failed": notices.ending_notice(
            NoticeKind.FAILED, 7, Mode.SANDBOX, "failed", "data", ("cboe: HTTP 503", "yahoo gave no chain")
        ),
        "interrupted": notices.ending_notice(NoticeKind.FAILED, 7, Mode.PAPER, "interrupted", "", ()),
        "missed": notices.missed_notice(
            [replace(missed, reasons=("the slot of monday 2025-10-06 was missed: nothing was started",))]
        ),
        "lapsing-proposal": trade_notices.lapsing_notice(waiting, waiting.lapses_at, is_approved=False),
        "lapsing-approval": trade_notices.lapsing_notice(waiting, builders.later(minutes=60), is_approved=True),
        "filled": trade_notices.filled_notice(trade(), waiting, waiting.exit),
        "not-filled": trade_notices.not_filled_notice(waiting, "cancelled at the deadline"),
        "part-closed": trade_notices.part_closed_notice(
            trade(state=TradeState.CLOSING, closed_quantity=1, debit=D("0.28")), close
        ),
        "exit-due": trade_notices.exit_due_notice(trade(), close, "mid 1.80 at or above 1.74"),
        "closed": trade_notices.ended_notice(closed, "SPY"),
        "expired": trade_notices.ended_notice(ended(TradeState.EXPIRED, ExitReason.EXPIRED, result=D("111.48")), "SPY"),
        "assigned": trade_notices.ended_notice(ended(TradeState.ASSIGNED, ExitReason.ASSIGNED), "SPY"),
        "unknown-order": trade_notices.unknown_order_notice(unknown),
        "week-loss": notices.week_loss_notice(Mode.PAPER, date(2025, 10, 6), D("3120.55"), D("3000")),
        "week": notices.week_notice(Mode.PAPER, week),
        "ping": notices.ping_notice(NoticeKind.PING_OK, builders.run(id=31, outcome=Outcome.PROPOSED)),
        "test": notices.sample_notice(Mode.LIVE, "mail"),
    }


SAMPLES = _samples()


def stored(text: NoticeText, number: int = 12) -> Notice:
    """The notice as the outbox has it."""
    return Notice(
        id=number,
        run_id=None,
        created_at=datetime(2025, 10, 6, 14, 5, tzinfo=UTC),
        kind=text.kind,
        subject=text.subject,
        short=text.short,
        body=text.body,
        about=text.about,
    )


def golden_path(name: str) -> Path:
    return FOLDER / f"{name}.txt"


def golden_text(name: str) -> str:
    """Subject, one-line form and long form, as they are sent."""
    notice = stored(SAMPLES[name])
    return f"{notice.subject}\n----\n{notice.short_text}\n----\n{notice.long_text}\n"


if __name__ == "__main__":
    for each in SAMPLES:
        golden_path(each).write_text(golden_text(each), encoding="utf-8")
