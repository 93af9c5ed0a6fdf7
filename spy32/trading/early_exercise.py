"""Judges with the market of now whether the short legs of a trade may be exercised early."""

from spy32.domain.market import LegQuotes
from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal
from spy32.errors import Spy32Error
from spy32.rules import exercise
from spy32.sessions import market_date
from spy32.trading.context import TradingContext


def check_early_exercise(
    context: TradingContext, trade: Trade, opening: Proposal, quotes: LegQuotes | None
) -> tuple[exercise.ExerciseCheck | None, tuple[str, ...]]:
    """Return the judgement of the short call on the eve of an ex-date, and notes on early exercise."""
    if quotes is None:
        return None, ()
    now, rate = context.clock(), context.settings.market.rate
    shorts = [leg for leg in trade.legs if leg.action.sign > 0]
    notes = [note for leg in shorts if (note := exercise.put_exercise_note(leg, quotes, rate, now)) is not None]
    if not any(exercise.is_american_call(leg) for leg in shorts):
        return None, tuple(notes)
    try:
        dividends = context.dividends(opening.underlying)
    except Spy32Error as error:
        return None, (*notes, f"early exercise of the short call is not judged: {error.message}")
    if dividends is None:
        return None, (*notes, "no source tells the ex-dates, so early exercise of the short call is not judged")
    dividend = exercise.next_ex_date(dividends, trade.expiration, market_date(now))
    checks = [
        check
        for leg in shorts
        if dividend is not None
        and (check := exercise.check_call_exercise(leg, quotes, dividend, rate, now)) is not None
    ]
    return max(checks, key=lambda check: check.is_worthwhile, default=None), tuple(notes)
