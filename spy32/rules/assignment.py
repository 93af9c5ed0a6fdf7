"""An assigned trade: what it still holds, what that risks tonight, and the one ticket that ends it.

A credit spread whose short leg is assigned is no longer a spread: shares stand in for the short leg. A long leg that is
left still bounds the loss until it expires. tastytrade closes shares and option together as a covered-stock order,
which costs no commission, saves the $5 of an exercise and keeps what time value the option has; apart, each half opens
a risk. Such an order cannot be sent by its API as far as its documents tell, so the ticket is printed for a person.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.market import Dividend, Right
from spy32.domain.orders import Trade
from spy32.domain.spreads import MULTIPLIER, ZERO, Leg, Position
from spy32.domain.transactions import Adoption, Disposal, Transaction, TransactionKind
from spy32.domain.value import value
from spy32.lifecycle import TradeState
from spy32.rules.margin import expiration_value, has_uncovered_calls


@value
class AssignedPosition:
    """What an assigned trade still holds."""

    trade: Trade
    ticker: str
    shares: int
    """Negative when short."""
    legs: tuple[tuple[Leg, int], ...]
    """Opening legs with contracts left, positive."""
    cash: Decimal
    """Cash flow of the trade so far with its premium, before fees, dollars."""
    incoming: int
    """Shares that assignments and exercises bring in and no line of the broker shows yet."""
    outgoing: int
    """Shares that they take out and no line shows yet, positive."""
    since: datetime
    """When the first of it was assigned."""
    awaited: tuple[Transaction, ...] = ()
    """The assignments and exercises, while shares of theirs are not on record."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is held and every delivery is on record, so that the result is final."""
        return not (self.shares or self.legs or self.incoming or self.outgoing)

    @property
    def shares_held(self) -> int:
        """Shares with those that are on their way; negative when short."""
        return self.shares + self.incoming - self.outgoing

    @property
    def positions(self) -> tuple[Position, ...]:
        """What the broker shows of it."""
        contracts = [Position(symbol=leg.symbol, quantity=-leg.action.sign * count) for leg, count in self.legs]
        shares = [Position(symbol=self.ticker, quantity=self.shares_held)] if self.shares_held else []
        return (*contracts, *shares)


def assigned_position(
    trade: Trade, adoptions: Iterable[Adoption], disposals: Iterable[Disposal] = ()
) -> AssignedPosition:
    """Return what the trade holds after these adoptions, and after what was disposed of since."""
    known = tuple(adoptions)
    assigned = [adoption for adoption in known if adoption.state is TradeState.ASSIGNED]
    lines = [line for part in (*assigned, *disposals) for line in part.transactions]
    spreads = sum(adoption.spreads for adoption in assigned)
    counts = ((leg, spreads * leg.quantity - _contracts(lines, leg.symbol)) for leg in trade.legs)
    ticker = next((line.ticker for line in lines if line.is_option), "")
    shares = [line for line in lines if not line.is_option]
    earlier = sum((part.gross for part in known if part.state is not TradeState.ASSIGNED), ZERO)
    bought_back = (trade.debit or ZERO) * trade.closed_quantity
    premium = (trade.credit * trade.quantity - bought_back) * MULTIPLIER
    incoming, outgoing = undelivered_shares(lines)
    return AssignedPosition(
        trade=trade,
        ticker=ticker,
        shares=int(sum((line.signed_quantity for line in shares), ZERO)),
        legs=tuple((leg, count) for leg, count in counts if count),
        cash=premium + earlier + sum((line.gross for line in lines), ZERO),
        incoming=incoming,
        outgoing=outgoing,
        since=min((line.at for line in lines), default=trade.opened_at),
        awaited=tuple(line for line in lines if line.delivered_shares) if incoming or outgoing else (),
    )


def undelivered_shares(lines: Sequence[Transaction]) -> tuple[int, int]:
    """Return the shares that assignments and exercises of these lines bring in and take out, both positive, as far as
    no line shows the shares themselves."""
    delivered = [
        line.signed_quantity for line in lines if not line.is_option and line.kind is not TransactionKind.TRADE
    ]
    moves = [line.delivered_shares for line in lines]
    incoming = sum(move for move in moves if move > 0) - sum(move for move in delivered if move > 0)
    outgoing = sum(move for move in delivered if move < 0) - sum(move for move in moves if move < 0)
    return int(incoming), int(outgoing)


def _contracts(lines: Sequence[Transaction], symbol: str) -> int:
    return int(sum((line.quantity for line in lines if line.symbol == symbol), ZERO))


# What it risks.


def worst_loss(position: AssignedPosition) -> Decimal | None:
    """Return the most that the trade can lose from here, dollars with its fees so far; None when nothing bounds it.

    Shares that are not on record yet count at the strike of what delivered them.
    """
    held = position.positions
    if has_uncovered_calls(held):
        return None
    worst = min(expiration_value(held, price) for price in (ZERO, *(leg.strike for leg, _ in position.legs)))
    # Shares on their way cost the highest strike that delivers them at most, and bring the lowest.
    delivering = {line.symbol for line in position.awaited}
    strikes = [leg.strike for leg in position.trade.legs if leg.symbol in delivering] or [ZERO]
    undelivered = max(strikes) * position.incoming - min(strikes) * position.outgoing
    return max(position.trade.fees - position.cash - worst + undelivered, ZERO)


def assignment_notes(
    position: AssignedPosition, today: date, dividends: Sequence[Dividend] | None = None
) -> tuple[str, ...]:
    """Return what is held, what it risks tonight and the ticket that ends it, a line each."""
    lines = [f"T{position.trade.id} was assigned and holds {_holdings_text(position)}", _risk_text(position)]
    if position.shares_held < 0:
        lines.append("cash and IRA accounts must close short stock the same day")
        lines += _dividend_notes(position, today, dividends)
    return (*lines, *_tickets(position))


def _holdings_text(position: AssignedPosition) -> str:
    parts = [f"{position.shares_held:+d} {position.ticker} shares"] if position.shares_held else []
    if position.incoming or position.outgoing:
        parts.append("not all of them in the broker's history yet")
    parts += [f"{'short' if leg.is_sold else 'long'} {count} x {leg.symbol}" for leg, count in position.legs]
    return ", ".join(parts) or "nothing more"


def _risk_text(position: AssignedPosition) -> str:
    loss = worst_loss(position)
    if loss is None:
        return f"tonight nothing bounds the loss of {abs(position.shares_held)} {position.ticker} shares short"
    right, held = _bounding_right(position.shares_held), abs(position.shares_held)
    bound = next(((leg, count) for leg, count in position.legs if leg.right is right and not leg.is_sold), None)
    if bound is not None and bound[1] * MULTIPLIER >= held:
        leg, count = bound
        return (
            f"tonight the long {count} x {leg.strike.normalize():f} {'call' if leg.right is Right.CALL else 'put'}s "
            f"still bound the loss: at most ${loss:,.2f} in all"
        )
    return f"tonight no option bounds the loss: at most ${loss:,.2f}, with the shares at zero"


def _dividend_notes(position: AssignedPosition, today: date, dividends: Sequence[Dividend] | None) -> list[str]:
    coming = [each for each in dividends or () if each.ex_date > today]
    if not coming:
        return ["whoever is short over an ex-date owes the dividend"]
    dividend = min(coming, key=lambda each: each.ex_date)
    owed = Decimal(str(dividend.amount)) * -position.shares_held
    return [f"short over the ex-date {dividend.ex_date} owes its dividend: ${owed:,.2f}"]


# The ticket.


def _tickets(position: AssignedPosition) -> list[str]:
    """Return the order that closes the shares with the long leg behind them, and the one of what else is left.

    A long contract that stands against a short one which is still there belongs to that spread.
    """
    shares, parts, rest = position.shares_held, [], []
    wanted = -(-abs(shares) // MULTIPLIER)
    if shares:
        parts.append(f"{'Sell' if shares > 0 else 'Buy'} to Close {abs(shares)} {position.ticker}")
    for leg, count in position.legs:
        against = sum(each for other, each in position.legs if other.right is leg.right and other.is_sold)
        goes_with_shares = not leg.is_sold and leg.right is _bounding_right(shares)
        covered = min(max(count - against, 0), wanted) if goes_with_shares else 0
        parts += [_closing_part(leg, covered)] if covered else []
        rest += [_closing_part(leg, count - covered)] if count > covered else []
    tickets = []
    if shares:
        kind = "one covered-stock order, both together" if len(parts) > 1 else "one order"
        tickets.append(f"ticket, not sent: {' + '.join(parts)} ({kind})")
    if rest:
        tickets.append(f"{'then' if shares else 'ticket,'} not sent: {' + '.join(rest)} (one order)")
    return tickets


def _bounding_right(shares: int) -> Right:
    """Return the right of the long option that bounds the loss of shares: puts below long ones, calls above short."""
    return Right.PUT if shares > 0 else Right.CALL


def _closing_part(leg: Leg, count: int) -> str:
    return f"{leg.action.closing} {count} {leg.symbol}"
