"""Builds the analyst's briefing from the snapshot and our own book."""

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
"""Daily bars in the briefing: the setting `dte.data` asks for 32 recent points at 32 DTE."""


def build_briefing(
    snapshot: MarketSnapshot,
    market: CheckedMarket | None,
    report: QualityReport,
    *,
    held: tuple[OpenSpread, ...] = (),
    account: Account | None = None,
) -> Briefing:
    """Return figures, events, open positions and data warnings. Prompt, screen and record use the same briefing.

    `market` is None when a gate stopped the chain; the figures from vols are then missing.
    """
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
    """Return warnings for the reader: a recorded or delayed market, and every gate that stops or warns."""
    flags = [] if not snapshot.is_recorded else ["recorded market: quotes of the past, not of now"]
    if snapshot.chain.delay_seconds:
        flags.append(f"quotes are delayed by {snapshot.chain.delay_seconds // 60} minutes")
    if snapshot.rate.source == RATE_SETTING:
        flags.append("no source has an interest rate: the one of the settings was used")
    flags += [f"a run would end here: {_gate_message(gate)}" for gate in report.gates if gate.verdict is Verdict.STOP]
    return (*flags, *(_gate_message(gate) for gate in report.gates if gate.verdict is Verdict.WARN))


def _gate_message(gate: Gate) -> str:
    return f"gate {gate.name}: {gate.figure}" + (f" ({gate.note})" if gate.note else "")
