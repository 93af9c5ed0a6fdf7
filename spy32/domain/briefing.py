"""What an analyst is told beside the menu: figures by path, events, open positions."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, Metric
from spy32.domain.value import value


@value
class OpenSpread:
    """An open spread of our own book. Credit is dollars per share, maximum loss dollars of the whole quantity."""

    underlying: str
    strategy: str
    short_strike: Decimal
    long_strike: Decimal
    expiration: date
    quantity: int
    credit: Decimal
    max_loss: Decimal


@value
class Briefing:
    """Computed by code from one snapshot; the same figures go to the prompt, the screen and the record."""

    underlying: str
    as_of: datetime
    """The instant of deciding, which all ages count to."""
    target: date
    dte: int
    figures: Mapping[str, Metric] = field(default_factory=dict)
    """By path, such as `market.spot` or `market.rsi_14`, in the order in which they are shown."""
    bars: tuple[DailyBar, ...] = ()
    """The newest daily bars, oldest first: 32 of them at the most."""
    events: tuple[ScheduledEvent, ...] = ()
    """From the day of deciding to the expiration, both included."""
    unknown_events: Mapping[str, str] = field(default_factory=dict)
    dividends: tuple[Dividend, ...] | None = None
    """Ex-dates after the day of deciding up to the expiration; None when they are not known."""
    held: tuple[OpenSpread, ...] = ()
    open_risk: Decimal = Decimal(0)
    """Maximum loss of everything open, dollars."""
    net_liquidation: Decimal | None = None
    flags: tuple[str, ...] = ()
    """What a reader must know about the data: degraded gates, delays."""
