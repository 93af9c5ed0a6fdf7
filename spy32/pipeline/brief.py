"""What an analyst is told beside the menu, computed from the snapshot alone and from our own book."""

from datetime import timedelta
from decimal import Decimal

from spy32.domain.briefing import Briefing, OpenSpread
from spy32.domain.market import Dividend, Gate, MarketSnapshot, QualityReport, Verdict
from spy32.domain.spreads import Account
from spy32.pipeline.context import CheckedMarket
from spy32.pipeline.gather import RATE_SETTING
from spy32.rules.daily_bars import finished_sessions
from spy32.rules.market_metrics import compute_metrics
from spy32.sessions import market_date

RECENT_BARS = 32
"""Recent points, as the 32-day row of the old data table asks."""


def build_briefing(
    snapshot: MarketSnapshot,
    market: CheckedMarket | None,
    report: QualityReport,
    *,
    held: tuple[OpenSpread, ...] = (),
    account: Account | None = None,
) -> Briefing:
    """Figures, events, positions and what is wrong with the data; the same for prompt, screen and record."""
    now = snapshot.evaluated_at
    today = market_date(now)
    return Briefing(
        underlying=snapshot.underlying,
        as_of=now,
        target=snapshot.target,
        dte=snapshot.dte,
        figures=compute_metrics(snapshot, market.smile if market is not None else None),
        bars=finished_sessions(snapshot).bars[-RECENT_BARS:],
        events=snapshot.events.events_between(today, snapshot.target),
        unknown_events=snapshot.events.unknown_kinds(snapshot.target),
        dividends=_upcoming_dividends(snapshot),
        held=held,
        open_risk=sum((position.max_loss for position in held), Decimal(0)),
        net_liquidation=account.net_liquidation if account is not None else None,
        flags=_data_flags(snapshot, report),
    )


def _upcoming_dividends(snapshot: MarketSnapshot) -> tuple[Dividend, ...] | None:
    if snapshot.dividends is None:
        return None
    first = market_date(snapshot.evaluated_at) + timedelta(days=1)
    return tuple(dividend for dividend in snapshot.dividends if first <= dividend.ex_date <= snapshot.target)


def _data_flags(snapshot: MarketSnapshot, report: QualityReport) -> tuple[str, ...]:
    """What a reader must know: a recorded or delayed market, and every gate that warns."""
    flags = [] if not snapshot.is_recorded else ["recorded market: quotes of the past, not of now"]
    if snapshot.chain.delay_seconds:
        flags.append(f"quotes are delayed by {snapshot.chain.delay_seconds // 60} minutes")
    if snapshot.rate.source == RATE_SETTING:
        flags.append("no source has an interest rate: the one of the settings was used")
    flags += [f"a run would end here: {_gate_message(gate)}" for gate in report.gates if gate.verdict is Verdict.STOP]
    return (*flags, *(_gate_message(gate) for gate in report.gates if gate.verdict is Verdict.WARN))


def _gate_message(gate: Gate) -> str:
    return f"gate {gate.name}: {gate.figure}" + (f" ({gate.note})" if gate.note else "")
