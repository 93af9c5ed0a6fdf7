"""The local broker with the chain of a file, of any underlying, its tickers and symbols as tastytrade writes them."""

from pathlib import Path

from spy32.domain.market import Right
from spy32.domain.option_class import INDEX_TICKERS, option_roots
from spy32.markets.recorded import RecordedMarket
from tests.servers.tastytrade import LEVELS, Row, number, root_row
from tests.servers.tastytrade_orders import TastytradeBrokerServer


class ChainBrokerServer(TastytradeBrokerServer):
    """Quotes and takes the contracts of a chain file, at the file's time."""

    def __init__(self, file: Path) -> None:
        market = RecordedMarket.load(file)
        self._chain = market.chain(market.underlying, market.expirations(market.underlying))
        self.ticker = market.underlying.replace(".", "/")
        super().__init__(market.as_of)
        self._fetch_quotes = {quote.symbol: quote for quote in self._chain.quotes}
        self.levels = LEVELS | ({self.ticker: self.spot} if self.is_index else {})
        self.funds = {self.ticker: False}
        self.metrics |= {"symbol": self.ticker, "dividend-ex-date": None}

    @property
    def is_index(self) -> bool:
        return self._chain.underlying in INDEX_TICKERS

    @property
    def spot(self) -> float:
        return self._chain.spot

    def _get_nested_chain(self) -> list[Row]:
        strikes: dict[str, dict[str, Row]] = {}
        for quote in self._chain.quotes:
            row = strikes.setdefault(f"{quote.expiration}", {}).setdefault(
                f"{quote.strike}", {"strike-price": number(float(quote.strike))}
            )
            row["call" if quote.right is Right.CALL else "put"] = quote.symbol
        expirations = [
            {
                "expiration-date": day,
                "expiration-type": "Weekly",
                "settlement-type": "PM",
                "strikes": list(rows.values()),
            }
            for day, rows in strikes.items()
        ]
        return [root_row(self.ticker, option_roots(self._chain.underlying)[0], "Standard", 100, expirations)]
