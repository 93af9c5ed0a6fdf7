"""The analyst's input beside the menu: market figures by path, scheduled events, open positions."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, Metric
from spy32.domain.value import value


@value
class OpenSpread:
    """An open trade of our own book. `credit` is dollars per share; `max_loss` is dollars for the whole quantity."""

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
    """Figures that code computed from one snapshot. The prompt, the screen and the record all use this one object."""

    underlying: str
    as_of: datetime
    """The time of the decision, UTC. Ages of data are measured up to it."""
    target: date
    dte: int
    figures: Mapping[str, Metric] = field(default_factory=dict)
    """By path, such as `market.spot` or `market.rsi_14`, in display order."""
    bars: tuple[DailyBar, ...] = ()
    """The newest daily bars, at most 32, oldest first."""
    events: tuple[ScheduledEvent, ...] = ()
    """Events from the decision day to the expiration, both included."""
    unknown_events: Mapping[str, str] = field(default_factory=dict)
    dividends: tuple[Dividend, ...] | None = None
    """Ex-dates after the decision day, up to and including the expiration. None: no source knows them."""
    held: tuple[OpenSpread, ...] = ()
    open_risk: Decimal = Decimal(0)
    """Sum of the maximum losses of all open trades, dollars."""
    net_liquidation: Decimal | None = None
    flags: tuple[str, ...] = ()
    """Warnings about the data, one line each: gates that warn, delayed quotes."""
