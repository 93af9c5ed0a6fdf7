"""The market and its expirations as JSON documents: what the pages say, with all digits."""

from collections.abc import Sequence
from datetime import date

from spy32.domain.briefing import Briefing
from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, MarketSnapshot, QualityReport, SourceAttempt
from spy32.domain.value import value
from spy32.render import document_parts  # noqa: F401 - the parts of figures and quality
from spy32.render.encoder import Document, Part, to_document
from spy32.rules.expirations import ExpirationRow


@value
class MarketView:
    """What the market shows, and what is missing of it."""

    briefing: Briefing
    snapshot: MarketSnapshot
    quality: QualityReport
    """What the quality gates say; stopped_by is null while a run could go on."""


@value
class Expirations:
    """The listed expirations, and the one that a run would take."""

    underlying: str
    today: date
    source: str
    target_dte: int
    """Days to expiration that are aimed at."""
    tolerance: int
    chosen: date | None
    expirations: tuple[ExpirationRow, ...]


Part(DailyBar, "day open high low close adjusted volume")
Part(ScheduledEvent, "day time kind confirmed=is_confirmed source note")
Part(Dividend, "ex_date amount")
Part(SourceAttempt)
Part(ExpirationRow, "expiration=day dte distance within_tolerance=is_near chosen=is_chosen note")
MARKET = Part(
    MarketView,
    """underlying=snapshot.underlying as_of quotes_of=snapshot.chain.as_of source=snapshot.chain.source
    delay_seconds=snapshot.chain.delay_seconds recorded=snapshot.is_recorded expiration=briefing.target dte quality
    figures broker=snapshot.metrics bars events unknown_events dividends flags sources=snapshot.tried""",
    called="spy32.market",
    inner="briefing",
)
EXPIRATIONS = Part(Expirations, called="spy32.expirations")


def market_document(briefing: Briefing, snapshot: MarketSnapshot, report: QualityReport) -> Document:
    """Figures are measurements, so numbers; prices of bars are text, as all prices are."""
    return to_document(MARKET, MarketView(briefing=briefing, snapshot=snapshot, quality=report))


def expirations_document(
    rows: Sequence[ExpirationRow], *, underlying: str, today: date, target_dte: int, tolerance: int, source: str = ""
) -> Document:
    """The same list for a program."""
    found = Expirations(
        underlying=underlying,
        today=today,
        source=source,
        target_dte=target_dte,
        tolerance=tolerance,
        chosen=next((row.day for row in rows if row.is_chosen), None),
        expirations=tuple(rows),
    )
    return to_document(EXPIRATIONS, found)
