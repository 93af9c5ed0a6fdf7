"""What happens in an account of the local broker without an order: expiration, assignment, exercise, dividends, shares.

Lines are those of the recorded responses: a plain removal of contracts has no price and no cash, the shares that it
delivers are a second line at the strike, which bears the fee; index options that settle in cash have one line with it.
"""

from datetime import date
from decimal import Decimal

from spy32.clients.tastytrade.market import write_ticker
from spy32.domain.option_class import settles_in_cash, underlying_for_root
from tests.servers.tastytrade_book import Book
from tests.servers.tastytrade_state import CANCELLED, SHARES, ZERO, BrokerAccount, is_option, strike, worth


class Lifecycle:
    """Events of an account. Callers hold the server's lock."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.fee = ZERO
        """Dollars for an assignment or exercise, whatever its quantity."""

    def remove(
        self, account: BrokerAccount, symbol: str, quantity: int, kind: str, spot: Decimal | None = None
    ) -> None:
        """So many contracts leave by `Assignment`, `Exercise` or `Expiration`; shares change hands at the strike.

        Cash-settled ones are paid what they are worth at `spot`.
        """
        holding = account.holdings[symbol]
        held, ticker = holding.quantity, symbol[:6].rstrip()
        account.take(symbol, -quantity if held > 0 else quantity, holding.average, self.book.now())
        if kind == "Expiration":
            self.book.record(account, "Receive Deliver", kind, symbol, quantity)
        elif settles_in_cash(ticker):
            assert spot is not None
            cash = worth(symbol[12], strike(symbol), spot) * SHARES * quantity * (1 if held > 0 else -1)
            kind = f"Cash Settled {kind}"
            self.book.record(account, "Receive Deliver", kind, symbol, quantity, cash=cash, fees=self._fees())
        else:
            self.book.record(account, "Receive Deliver", kind, symbol, quantity)
            self._deliver(account, symbol, quantity, gives=(symbol[12] == "C") == (held < 0))

    def _deliver(self, account: BrokerAccount, symbol: str, quantity: int, *, gives: bool) -> None:
        """Who is short a call or holds a put gives shares away."""
        shares, level = quantity * SHARES, strike(symbol)
        ticker = write_ticker(underlying_for_root(symbol[:6]))
        action = "Sell to Open" if gives else "Buy to Open"
        cash = level * shares * (1 if gives else -1)
        account.take(ticker, -shares if gives else shares, level, self.book.now())
        row = self.book.record(
            account, "Receive Deliver", action, ticker, shares, price=level, cash=cash, fees=self._fees()
        )
        row["action"] = action

    def _fees(self) -> dict[str, Decimal]:
        return {"commission": self.fee}

    def expire(self, day: date, spot: Decimal) -> None:
        """What expires on `day` is assigned, exercised or worthless at `spot`; working orders on it are cancelled."""
        mark = f"{day:%y%m%d}"
        for account in self.book.accounts.values():
            for symbol, quantity in list(account.held.items()):
                if is_option(symbol) and symbol[6:12] == mark:
                    is_in = worth(symbol[12], strike(symbol), spot) > 0
                    kind = "Expiration" if not is_in else "Assignment" if quantity < 0 else "Exercise"
                    self.remove(account, symbol, abs(quantity), kind, spot)
        for ticket in self.book.orders.values():
            if not ticket.is_terminal and any(leg.symbol[6:12] == mark for leg in ticket.legs):
                self.book.end(ticket, CANCELLED)

    def trade_shares(self, account: BrokerAccount, ticker: str, quantity: int, price: Decimal) -> None:
        """A person sells (negative) or buys shares in the broker's app."""
        held = account.held.get(ticker, 0)
        side, effect = ("Buy", held < 0) if quantity > 0 else ("Sell", held > 0)
        action = f"{side} to {'Close' if effect else 'Open'}"
        account.take(ticker, quantity, price, self.book.now())
        row = self.book.record(account, "Trade", action, ticker, abs(quantity), price=price, cash=-price * quantity)
        row |= {"action": action, "order-id": 990000 + row["id"]}

    def pay_dividend(self, account: BrokerAccount, ticker: str, amount: Decimal) -> None:
        """Dollars a share: received on long shares, owed on short ones."""
        shares = account.held.get(ticker, 0)
        if shares:
            self.book.record(account, "Money Movement", "Dividend", ticker, abs(shares), cash=amount * shares)
