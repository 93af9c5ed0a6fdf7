"""Daily bars that indicators may use: finished sessions only, without a gap, at one price scale (no split)."""

from collections.abc import Sequence
from datetime import datetime

from spy32.domain.market import DailyBar, MarketSnapshot
from spy32.domain.value import value
from spy32.quality.common import pluralise
from spy32.quality.freshness import MAX_GAP, MAX_MOVE
from spy32.rules.indicators import is_price
from spy32.sessions import CLOSE, market_date, new_york_instant, session, sessions_between


@value
class FinishedSessions:
    """The finished sessions up to the snapshot, without a gap, oldest first. `shortfall` says why there are no more."""

    bars: tuple[DailyBar, ...]
    source: str
    shortfall: str = ""

    @property
    def closes(self) -> list[float]:
        """Unadjusted closes, dollars, oldest first."""
        return [bar.close for bar in self.bars]

    @property
    def as_of(self) -> datetime | None:
        """The closing time of the newest bar's session; None without bars."""
        if not self.bars:
            return None
        hours = session(self.bars[-1].day)
        return hours.close if hours is not None else new_york_instant(self.bars[-1].day, CLOSE)

    def closes_for_return(self, count: int) -> tuple[list[float], str]:
        """Return the last `count` closes for a return, and their name for display.

        They are adjusted closes when every bar has one, so that an ex-date does not look like a loss.
        """
        last = self.bars[-count:]
        adjusted = [bar.adjusted for bar in last if bar.adjusted is not None and is_price(bar.adjusted)]
        return (adjusted, "adjusted closes") if len(adjusted) == len(last) else ([bar.close for bar in last], "closes")

    def shortfall_reason(self, needs: int, noun: str, count: int) -> str:
        """Return why only `count` of the `needs` bars are there, as text for `Metric.missing`."""
        since = f" ({self.shortfall})" if self.shortfall else ""
        return f"{pluralise(count, noun)}{since}, {needs} are needed" if self.bars else self.shortfall


def finished_sessions(snapshot: MarketSnapshot) -> FinishedSessions:
    """Return the bars of finished sessions. Today's bar counts only after the close; bars before a gap are left out."""
    now = snapshot.evaluated_at
    today = market_date(now)
    hours = session(today)
    is_over = hours is not None and now >= hours.close
    finished_bars = [bar for bar in snapshot.history if bar.day < today or (is_over and bar.day == today)]
    finished_bars.sort(key=lambda bar: bar.day)
    source = f"daily bars{source_suffix('history', snapshot)}"
    if not finished_bars:
        return FinishedSessions(bars=(), source=source, shortfall="no daily bars")
    if today - finished_bars[-1].day > MAX_GAP:
        return FinishedSessions(bars=(), source=source, shortfall=f"the newest daily bar is of {finished_bars[-1].day}")
    start, shortfall = _last_unbroken_run(finished_bars)
    return FinishedSessions(bars=tuple(finished_bars[start:]), source=source, shortfall=shortfall)


def _last_unbroken_run(bars: Sequence[DailyBar]) -> tuple[int, str]:
    """Return the index at which the last series without a gap begins, and what is wrong just before it."""
    for index in range(len(bars) - 1, -1, -1):
        bar, previous = bars[index], bars[index - 1] if index else None
        if not is_price(bar.close):
            return index + 1, f"the close of {bar.day} is no price"
        if previous is not None and previous.day == bar.day:
            return index + 1, f"there are two bars of {bar.day}"
        if previous is not None and (bar.day - previous.day > MAX_GAP or sessions_between(previous.day, bar.day) > 1):
            return index, f"there is no bar between {previous.day} and {bar.day}"
        if previous is not None and is_price(previous.close) and _is_split(previous, bar):
            return index, f"the price of {bar.day} is of another scale than that of {previous.day}"
    return 0, ""


def _is_split(before: DailyBar, after: DailyBar) -> bool:
    """Return whether the close moved by more than `MAX_MOVE` while the adjusted close did not (or is missing)."""
    move = after.close / before.close - 1
    if abs(move) <= MAX_MOVE:
        return False
    if before.adjusted is None or after.adjusted is None or not is_price(before.adjusted):
        return True
    return abs(after.adjusted / before.adjusted - 1) <= MAX_MOVE


def source_suffix(name: str, snapshot: MarketSnapshot) -> str:
    """Return ", SOURCE" for the source that served the datum `name`; empty when none did."""
    source = next((attempt.source for attempt in snapshot.tried if attempt.datum == name and attempt.ok), None)
    return f", {source}" if source is not None else ""
