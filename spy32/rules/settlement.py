"""What becomes of options at their expiration: worthless, shares at the strike, or cash.

Options on shares and funds deliver shares at the official close of their last session, whatever is traded after it.
Index options settle in cash, most at the close (PM); those of the classes with `settles_at_open` (AM) stop trading the
session before and settle at the opening of the expiration day.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from spy32.domain.market import OCC_LENGTH, Contract, DailyBar, Right, parse_occ_symbol
from spy32.domain.option_class import OptionClass, class_of_root
from spy32.domain.spreads import CENT, MULTIPLIER, ZERO, Leg, Position
from spy32.domain.transactions import PaperEvent, TransactionKind
from spy32.domain.value import value
from spy32.rules.indicators import is_price
from spy32.sessions import last_trading_day, market_date, next_session, previous_session, session

EXERCISE_THRESHOLD = CENT
"""Dollars in the money from which the OCC exercises by itself ("exercise by exception", OCC Rule 805)."""
STAND_IN_RANGE = Decimal("0.02")
"""How far the official close may have been, as a share of the price, from one of the next session that stands in for
it. It is twice the usual move of SPY in a day."""
EXERCISE_FEE = Decimal(5)
"""Dollars for the exercise or assignment of a leg, whatever its quantity, in shares or cash (tastytrade help, "What
Happens to Equity/ETF Spreads at Expiration?")."""
BAR_DELAY = timedelta(minutes=30)
"""A daily bar counts so long after the close of its session. Closing auctions print within minutes of 16:00, and a feed
may be a quarter of an hour late."""


def trading_end(root: str, expiration: date) -> datetime:
    """Return the instant at which contracts stop trading: the option close of their last session."""
    terms, day = class_of_root(root), last_trading_day(expiration)
    hours = previous_session(day) if terms is not None and terms.settles_at_open else session(day)
    assert hours is not None
    return hours.option_close


def is_final(day: date, now: datetime) -> bool:
    """Return whether the daily bar of a session counts; that of a closed day always does."""
    hours = session(day)
    return hours is None or now >= hours.close + BAR_DELAY


def last_final_session(now: datetime) -> date:
    """Return the newest session whose daily bar counts."""
    today = market_date(now)
    return today if session(today) is not None and is_final(today, now) else previous_session(today).day


def has_expired_leg(legs: Iterable[Leg], now: datetime) -> bool:
    """Return whether a leg has stopped trading, so that no order can close it: it waits for its settlement."""
    return any(trading_end(leg.root.strip(), leg.expiration) <= now for leg in legs)


@value
class ExpiredPositions:
    """Positions in contracts of one root that have stopped trading and are settled by the prices of one session."""

    root: str
    day: date
    """The session whose price decides: the expiration, or the session before when that is a closed day."""
    positions: tuple[Position, ...]

    @property
    def terms(self) -> OptionClass | None:
        return class_of_root(self.root)


def select_expired(positions: Iterable[Position], now: datetime) -> tuple[ExpiredPositions, ...]:
    """Return the positions whose contracts have stopped trading, by session and root, oldest first."""
    groups: defaultdict[tuple[date, str], list[Position]] = defaultdict(list)
    for position in positions:
        if position.is_option:
            contract = parse_occ_symbol(position.symbol)
            if trading_end(contract.root, contract.expiration) <= now:
                groups[last_trading_day(contract.expiration), contract.root].append(position)
    return tuple(
        ExpiredPositions(root=root, day=day, positions=tuple(group)) for (day, root), group in sorted(groups.items())
    )


def settlement_price(terms: OptionClass, bar: DailyBar) -> Decimal | None:
    """Return the price that decides, dollars to the cent; None when the bar lacks it.

    The opening settlement value of an AM index is computed from the openings of its members (cboe.com, "SOQ") and
    is in no daily bar; the opening of the index stands in for it.
    """
    return exact_price(bar.open if terms.settles_at_open else bar.close)


def opening_price(bar: DailyBar) -> Decimal | None:
    """Return the opening price of a bar, dollars to the cent; None when it lacks one."""
    return exact_price(bar.open)


def exact_price(number: float | None) -> Decimal | None:
    """Return a price of a daily bar in cents, in which shares and indexes are published; None when it is none."""
    if number is None or not is_price(number):
        return None
    return Decimal(str(number)).quantize(CENT, ROUND_HALF_UP)


def settlement_events(expired: ExpiredPositions, price: Decimal, *, source: str = "") -> tuple[PaperEvent, ...]:
    """Return what happens to the positions at the settlement price, dollars; `source` says which price it is when it is
    not the official one.

    Out of the money they expire. In the money, short ones are assigned and long ones exercised: shares change hands at
    the strike, 100 a contract, or the intrinsic value is paid in cash. Raises ValueError for unknown terms.
    """
    terms, hours = expired.terms, session(expired.day)
    if terms is None or hours is None:
        raise ValueError(f"the settlement of {expired.root} options on {expired.day} is not known")
    at = hours.open if terms.settles_at_open else hours.option_close
    official = f"the {'opening' if terms.settles_at_open else 'close'} of {expired.day}"
    moment = f"{price}, {source or official}"
    return tuple(
        event for position in expired.positions for event in _settle_position(position, terms, price, at, moment)
    )


def depends_on_price(expired: ExpiredPositions, price: Decimal) -> bool:
    """Return whether a price within `STAND_IN_RANGE` of this one could have settled the positions otherwise.

    It could when a strike lies there, or between strikes, where the price decides what they are worth.
    """
    held = [(parse_occ_symbol(position.symbol), position.quantity) for position in expired.positions]
    low, high = price * (1 - STAND_IN_RANGE), price * (1 + STAND_IN_RANGE)
    is_near = any(low <= contract.strike <= high for contract, _ in held)
    worths = {sum(count * intrinsic_value(contract, at) for contract, count in held) for at in (low, high)}
    return is_near or len(worths) > 1


def _settle_position(
    position: Position, terms: OptionClass, price: Decimal, at: datetime, moment: str
) -> tuple[PaperEvent, ...]:
    contract, held = parse_occ_symbol(position.symbol), position.quantity
    in_the_money = intrinsic_value(contract, price)
    kind = TransactionKind.EXPIRATION
    if in_the_money >= EXERCISE_THRESHOLD:
        kind = TransactionKind.ASSIGNMENT if held < 0 else TransactionKind.EXERCISE
    removal = PaperEvent(
        at=at,
        kind=kind,
        symbol=position.symbol,
        quantity=-held,
        price=ZERO,
        cash=ZERO,
        fees=ZERO,
        description=f"{kind} at {moment}",
    )
    if kind is TransactionKind.EXPIRATION:
        return (removal,)
    if terms.settles_in_cash:
        # As tastytrade writes them: a cash settlement has the strike as its price, a plain removal has none.
        cash = in_the_money * MULTIPLIER * held
        return (replace(removal, price=contract.strike, cash=cash, fees=EXERCISE_FEE),)
    shares = _delivered_shares(contract, -held)
    delivery = PaperEvent(
        at=at,
        kind=TransactionKind.OTHER,
        symbol=terms.underlying,
        quantity=shares,
        price=contract.strike,
        cash=-contract.strike * shares,
        # The fee stands on the line of the shares at tastytrade (recorded response of its transactions).
        fees=EXERCISE_FEE,
        description=f"shares of the {kind} of {position.symbol}",
    )
    return removal, delivery


def intrinsic_value(contract: Contract | Leg, price: Decimal) -> Decimal:
    """Return what exercising is worth at a price of the underlying, dollars per share; 0 out of the money."""
    gain = price - contract.strike if contract.right is Right.CALL else contract.strike - price
    return max(gain, ZERO)


def _delivered_shares(contract: Contract, removed: int) -> int:
    """Return the change in shares when an exercise changes the position in the contract by `removed`.

    The short side of a put and the long side of a call receive shares.
    """
    return MULTIPLIER * removed * (1 if contract.right is Right.PUT else -1)


@value
class AssignedShares:
    """Shares that one session's assignments and exercises left, until they are sold or bought back."""

    ticker: str
    quantity: int
    """Negative when short."""
    delivered: date
    """The session whose close delivered them."""

    @property
    def closing_day(self) -> date:
        return next_session(self.delivered).day


def select_assigned_shares(events: Sequence[PaperEvent]) -> tuple[AssignedShares, ...]:
    """Return the shares that wait for their sale or purchase, oldest first.

    What puts and what calls left is closed apart, long and short: each assigned spread then finds its own closing.
    """
    nets: defaultdict[tuple[date, str, Right], int] = defaultdict(int)
    closed: defaultdict[tuple[date, str, bool], int] = defaultdict(int)
    for event in events:
        day = market_date(event.at)
        if event.kind is TransactionKind.TRADE:
            closed[day, event.symbol, event.quantity < 0] += event.quantity
        elif event.kind in (TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE):
            contract = parse_occ_symbol(event.symbol)
            terms = class_of_root(contract.root)
            if terms is not None and not terms.settles_in_cash:
                nets[day, terms.underlying, contract.right] += _delivered_shares(contract, event.quantity)
    held: defaultdict[tuple[date, str, bool], int] = defaultdict(int)
    for (day, ticker, _), quantity in nets.items():
        held[day, ticker, quantity > 0] += quantity
    shares = (
        AssignedShares(ticker=ticker, quantity=quantity + closed[next_session(day).day, ticker, is_long], delivered=day)
        for (day, ticker, is_long), quantity in sorted(held.items())
    )
    return tuple(each for each in shares if each.quantity)


def closing_event(shares: AssignedShares, price: Decimal) -> PaperEvent:
    """Return the sale or purchase of assigned shares at the open of the next session, dollars per share.

    It is a rule of the paper account, where nobody decides. Commission on shares is 0 (tastytrade's price list); the
    regulatory fees of a sale, less than a cent a share, and a dividend in between are not booked.
    """
    verb = "sold" if shares.quantity > 0 else "bought back"
    return PaperEvent(
        at=next_session(shares.delivered).open,
        kind=TransactionKind.TRADE,
        symbol=shares.ticker,
        quantity=-shares.quantity,
        price=price,
        cash=price * shares.quantity,
        fees=ZERO,
        description=f"{verb} by the paper rule: at the open of the session after {shares.delivered}",
    )


def settled_amount(legs: Sequence[Leg], price: Decimal) -> Decimal:
    """Return what the settlement of legs that were opened brings, dollars after fees; a payment is negative.

    The legs have the contracts of the whole order. Delivered shares count at `price`. Raises ValueError for unknown
    terms.
    """
    held = tuple(Position(symbol=leg.symbol, quantity=leg.signed_quantity) for leg in legs)
    day = last_trading_day(legs[0].expiration)
    events = settlement_events(ExpiredPositions(root=legs[0].root, day=day, positions=held), price)
    shares = sum(event.quantity for event in events if len(event.symbol) != OCC_LENGTH)
    return sum((event.cash - event.fees for event in events), ZERO) + shares * price


def expires_worthless(legs: Sequence[Leg], price: Decimal) -> bool:
    """Return whether no leg is exercised at this settlement price."""
    return all(intrinsic_value(leg, price) < EXERCISE_THRESHOLD for leg in legs)
