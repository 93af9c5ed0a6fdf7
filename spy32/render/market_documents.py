"""The market and its expirations as JSON documents: what the pages say, with all digits."""

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, SourceAttempt
from spy32.pipeline.collect import MarketPreview
from spy32.render import document_parts  # noqa: F401 - the parts of figures and quality
from spy32.render.encoder import Part
from spy32.rules.tradability import ExpirationRow, Expirations

Part(DailyBar, "day open high low close adjusted volume")
Part(ScheduledEvent, "day time kind confirmed=is_confirmed source note")
Part(Dividend, "ex_date amount")
Part(SourceAttempt)
Part(ExpirationRow, "expiration=day dte distance within_tolerance=is_near chosen=is_chosen note")
MARKET = Part(
    MarketPreview,
    """underlying=snapshot.underlying as_of quotes_of=snapshot.chain.as_of source=snapshot.chain.source
    delay_seconds=snapshot.chain.delay_seconds recorded=snapshot.is_recorded expiration=briefing.target dte quality
    figures broker=snapshot.metrics bars events unknown_events dividends flags sources=snapshot.tried""",
    called="spy32.market",
    inner="briefing",
)
EXPIRATIONS = Part(Expirations, called="spy32.expirations")
"""Figures are measurements, so numbers; prices of bars are text, as all prices are."""
