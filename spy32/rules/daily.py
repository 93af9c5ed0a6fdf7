"""Daily bars as figures may use them: finished sessions only, without a hole, in one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from spy32.domain.market import DailyBar, MarketSnapshot
from spy32.rules.gate_parts import counted
from spy32.rules.indicators import is_price
from spy32.sessions import CLOSE, at_new_york, market_date, session, sessions_between

LARGEST_GAP = timedelta(days=5)
"""Between two bars, and from the last one to today; more than a long weekend is a hole."""
LARGEST_MOVE = 0.12
"""Of a session's close to the one before: beyond it there was a split, or a bar is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """The finished sessions up to the snapshot, without a hole; `short` says why there are not more."""

    bars: tuple[DailyBar, ...]
    source: str
    short: str = ""

    @property
    def closes(self) -> list[float]:
        return [bar.close for bar in self.bars]

    @property
    def as_of(self) -> datetime | None:
        """The close of the newest."""
        if not self.bars:
            return None
        hours = session(self.bars[-1].day)
        return hours.close if hours is not None else at_new_york(self.bars[-1].day, CLOSE)

    def comparable(self, count: int) -> tuple[list[float], str]:
        """So many last closes for a return, adjusted when all of them are, and how they are called."""
        last = self.bars[-count:]
        adjusted = [bar.adjusted for bar in last if bar.adjusted is not None and is_price(bar.adjusted)]
        return (adjusted, "adjusted closes") if len(adjusted) == len(last) else ([bar.close for bar in last], "closes")

    def too_few(self, needs: int, noun: str = "close", there: int | None = None) -> str:
        since = f" ({self.short})" if self.short else ""
        there = len(self.bars) if there is None else there
        return f"{counted(there, noun)}{since}, {needs} are needed" if self.bars else self.short


def finished(snapshot: MarketSnapshot) -> Daily:
    """The bars of finished sessions: today's only from its close on, and nothing before a hole."""
    now = snapshot.judged_at
    today = market_date(now)
    hours = session(today)
    is_over = hours is not None and now >= hours.close
    known = [bar for bar in snapshot.history if bar.day < today or (is_over and bar.day == today)]
    known.sort(key=lambda bar: bar.day)
    source = f"daily bars{served('history', snapshot)}"
    if not known:
        return Daily(bars=(), source=source, short="no daily bars")
    if today - known[-1].day > LARGEST_GAP:
        return Daily(bars=(), source=source, short=f"the newest daily bar is of {known[-1].day}")
    start, short = _run(known)
    return Daily(bars=tuple(known[start:]), source=source, short=short)


def _run(bars: Sequence[DailyBar]) -> tuple[int, str]:
    """Where the last run without a hole begins, and what stands before it."""
    for at in range(len(bars) - 1, -1, -1):
        bar, before = bars[at], bars[at - 1] if at else None
        if not is_price(bar.close):
            return at + 1, f"the close of {bar.day} is no price"
        if before is not None and before.day == bar.day:
            return at + 1, f"there are two bars of {bar.day}"
        if before is not None and _is_gap(before.day, bar.day):
            return at, f"there is no bar between {before.day} and {bar.day}"
        if before is not None and is_price(before.close) and _is_split(before, bar):
            return at, f"the price of {bar.day} is of another scale than that of {before.day}"
    return 0, ""


def _is_gap(before: date, after: date) -> bool:
    """A session lies between the two."""
    return after - before > LARGEST_GAP or sessions_between(before, after) > 1


def _is_split(before: DailyBar, after: DailyBar) -> bool:
    """A move that no session of an index fund has, and that the adjusted closes do not show."""
    move = after.close / before.close - 1
    if abs(move) <= LARGEST_MOVE:
        return False
    if before.adjusted is None or after.adjusted is None or not is_price(before.adjusted):
        return True
    return abs(after.adjusted / before.adjusted - 1) <= LARGEST_MOVE


def served(datum: str, snapshot: MarketSnapshot) -> str:
    source = next((tried.source for tried in snapshot.tried if tried.datum == datum and tried.ok), None)
    return f", {source}" if source is not None else ""
