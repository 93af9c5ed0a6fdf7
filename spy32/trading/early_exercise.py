"""Judges with the market of now whether the short legs of a trade may be exercised early."""

from spy32.domain.market import LegQuotes
from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal
from spy32.errors import Spy32Error
from spy32.rules import exercise
from spy32.sessions import market_date
from spy32.trading.context import TradingContext

UNKNOWN = "NOT JUDGED: ex-dates unknown; early assignment possible"


def check_early_exercise(
    context: TradingContext, trade: Trade, opening: Proposal, quotes: LegQuotes | None
) -> tuple[exercise.ExerciseCheck | None, tuple[str, ...]]:
    """Return the judgement of the short call and notes on early exercise.

    The judgement is None when no call is held into an ex-date tonight, and `quotes` when the market gives none.
    """
    now, rate = context.clock(), context.settings.market.rate
    shorts = [leg for leg in trade.legs if leg.action.sign > 0]
    # What is known of the quotes alone spares puts that nobody exercises the search for dividends.
    puts = [leg for leg in shorts if quotes and exercise.put_exercise_note(leg, quotes, rate, now) is not None]
    calls = [leg for leg in shorts if exercise.is_american_call(leg)]
    if not (puts or calls):
        return None, ()
    try:
        dividends = context.dividends(opening.underlying)
        why = "no source tells them"
    except Spy32Error as error:
        dividends, why = None, error.message
    notes = tuple(
        filter(None, (exercise.put_exercise_note(leg, quotes, rate, now, dividends) for leg in puts if quotes))
    )
    if not calls:
        return None, notes
    if dividends is None:
        unknown = exercise.ExerciseCheck(eve=None, is_worthwhile=None, message=UNKNOWN)
        return unknown, (*notes, f"{UNKNOWN} ({why})")
    dividend = exercise.next_ex_date(dividends, trade.expiration, market_date(now))
    eve = exercise.exercise_eve(dividend) if dividend is not None else None
    if dividend is None or market_date(now) != eve:
        return None, notes
    if quotes is None:
        message = f"NOT JUDGED: ex-date {dividend.ex_date} and no quotes; early assignment possible"
        return exercise.ExerciseCheck(eve=eve, is_worthwhile=None, message=message), notes
    # The call whose exercise pays, if one does.
    checks = [exercise.check_call_exercise(leg, quotes, dividend, rate, now, dividends=dividends) for leg in calls]
    return max(filter(None, checks), key=lambda check: bool(check.is_worthwhile)), notes
