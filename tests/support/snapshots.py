"""What the run collects from a recorded market, without a run."""

from datetime import date, timedelta

from spy32.domain.market import MarketSnapshot
from spy32.markets.recorded import RecordedMarket
from spy32.options.smile_fit import SmileCurve
from spy32.options.surface import Smile, build_smile
from spy32.sessions import market_date, near_expirations, years_to_expiration
from spy32.settings.model import Choice, Dte

YEAR = timedelta(days=366)


def snapshot_of(
    market: RecordedMarket, *, aim: int = Dte().default, tolerance: int = Choice().dte_tolerance
) -> MarketSnapshot | str:
    """What `collect` would see on this market, or why there is no expiration to look at."""
    today = market_date(market.as_of)
    listed = market.expirations(market.underlying)
    target = next(iter(near_expirations(listed, today, aim, tolerance)), None)
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


def recorded_smile(market: RecordedMarket, day: date, earlier: SmileCurve | None) -> Smile:
    """The smile of the root with the most contracts of that day; SPX lists two."""
    chain, rate = market.chain(market.underlying, [day]), market.rate().value
    assert rate is not None
    root = max({quote.root for quote in chain.quotes}, key=lambda name: sum(q.root == name for q in chain.quotes))
    quotes = [quote for quote in chain.quotes if quote.root == root]
    years = years_to_expiration(market.as_of, day)
    return build_smile(quotes, spot=chain.spot, years=years, rate=rate, expiration=day, earlier=earlier)
