"""What the run collects from a recorded market, without a run."""

from datetime import timedelta

from spy32.domain.market import MarketSnapshot
from spy32.markets.recorded import RecordedMarket
from spy32.sessions import market_date, nearest_expiration
from spy32.settings.model import Choice, Dte

YEAR = timedelta(days=366)


def snapshot_of(
    market: RecordedMarket, *, aim: int = Dte().default, tolerance: int = Choice().dte_tolerance
) -> MarketSnapshot | str:
    """What `collect` would see on this market, or why there is no expiration to look at."""
    today = market_date(market.as_of)
    listed = market.expirations(market.underlying)
    target = nearest_expiration(listed, today, aim, tolerance)
    if target is None:
        ahead = sorted(((day - today).days for day in listed), key=lambda days: abs(days - aim))
        return f"no expiration within {tolerance} days of {aim}: nearest {ahead[0] if ahead else 'none'}"
    place = listed.index(target)
    chain = market.chain(market.underlying, listed[max(place - 1, 0) : place + 2])
    return MarketSnapshot(
        underlying=market.underlying,
        as_of=chain.as_of,
        source=market.name,
        is_recorded=True,
        chain=chain,
        target=target,
        dte=(target - today).days,
        history=market.history(market.underlying, today - YEAR),
        volatility=market.volatility(),
        volatility_history=market.volatility_history(today - YEAR),
        rate=market.rate(),
        dividends=market.dividends(market.underlying),
    )
