"""The market and its expirations as JSON documents: what the pages say, with all digits."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from spy32.domain.briefing import Briefing
from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, MarketSnapshot, QualityReport
from spy32.render.document_parts import Document, day, figure_part, instant, quality_part
from spy32.render.formatting import format_float_price, format_price

if TYPE_CHECKING:
    from spy32.render.market_pages import ExpirationRow

VERSION = 1


def market_document(briefing: Briefing, snapshot: MarketSnapshot, report: QualityReport) -> Document:
    """Figures are measurements, so numbers; prices of bars are text, as all prices are."""
    return {
        "schema": "spy32.market",
        "version": VERSION,
        "underlying": snapshot.underlying,
        "as_of": instant(briefing.as_of),
        "quotes_of": instant(snapshot.chain.as_of),
        "source": snapshot.chain.source,
        "delay_seconds": snapshot.chain.delay_seconds,
        "recorded": snapshot.is_recorded,
        "expiration": day(briefing.target),
        "dte": briefing.dte,
        "quality": quality_part(report),
        "figures": {path: figure_part(figure) for path, figure in briefing.figures.items()},
        "broker": {name: figure_part(figure) for name, figure in snapshot.metrics.items()},
        "bars": [_bar_part(bar) for bar in briefing.bars],
        "events": [_event_part(event) for event in briefing.events],
        "unknown_events": dict(briefing.unknown_events),
        "dividends": None
        if briefing.dividends is None
        else [{"ex_date": day(each.ex_date), "amount": format_price(each.amount)} for each in briefing.dividends],
        "flags": list(briefing.flags),
        "sources": [
            {"datum": each.datum, "source": each.source, "ok": each.ok, "detail": each.detail, "ms": each.ms}
            for each in snapshot.tried
        ],
    }


def _bar_part(bar: DailyBar) -> Document:
    prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "adjusted": bar.adjusted}
    return {
        "day": day(bar.day),
        **{name: None if level is None else format_float_price(level) for name, level in prices.items()},
        "volume": bar.volume,
    }


def _event_part(event: ScheduledEvent) -> Document:
    return {
        "day": day(event.day),
        "time": event.time,
        "kind": event.kind.value,
        "confirmed": event.is_confirmed,
        "source": event.source,
        "note": event.note,
    }


def expirations_document(
    rows: "Sequence[ExpirationRow]", *, underlying: str, today: date, target_dte: int, tolerance: int, source: str = ""
) -> Document:
    """The same list for a program."""
    return {
        "schema": "spy32.expirations",
        "version": VERSION,
        "underlying": underlying,
        "today": day(today),
        "source": source,
        "target_dte": target_dte,
        "tolerance": tolerance,
        "chosen": next((day(row.day) for row in rows if row.is_chosen), None),
        "expirations": [
            {
                "expiration": day(row.day),
                "dte": row.dte,
                "distance": row.distance,
                "within_tolerance": row.is_near,
                "chosen": row.is_chosen,
                "note": row.note,
            }
            for row in rows
        ],
    }
