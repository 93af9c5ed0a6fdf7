"""The worst that a set of positions can be worth at expiration: margin, and the risk of positions that are not ours.

The value of options at one expiration is piecewise linear in the underlying, so its worst is at zero, at a strike, or
beyond the last one, where a net short call is unbounded.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from spy32.domain.market import parse_occ_symbol
from spy32.domain.option_class import underlying_for_root
from spy32.domain.spreads import MULTIPLIER, ZERO, Account, Position
from spy32.domain.value import value
from spy32.rules.settlement import intrinsic_value

EXPIRATION_PART = 12
"""Characters of an OCC symbol with root and expiration; right and strike follow."""


def margin_requirement(positions: Iterable[Position]) -> Decimal | None:
    """Return the margin of the options held, dollars: the worst value of each expiration, added up.

    None when a short call is not covered. Shares are left out.
    """
    total = ZERO
    for group in _expirations(positions).values():
        loss = _worst_value(group)
        if loss is None:
            return None
        total += max(-loss, ZERO)
    return total


def expiration_value(positions: Iterable[Position], price: Decimal) -> Decimal:
    """Return what options and shares are worth when the underlying stands at `price` at expiration, dollars."""
    total = ZERO
    for position in positions:
        share = intrinsic_value(parse_occ_symbol(position.symbol), price) if position.is_option else price
        total += share * _shares(position)
    return total


def has_uncovered_calls(positions: Iterable[Position]) -> bool:
    """Return whether these positions lose without bound when the underlying rises."""
    return sum(_shares(position) for position in positions if _is_call(position) or not position.is_option) < 0


def _shares(position: Position) -> int:
    return position.quantity * (MULTIPLIER if position.is_option else 1)


def _is_call(position: Position) -> bool:
    return position.is_option and position.symbol[EXPIRATION_PART] == "C"


def _worst_value(group: Sequence[Position]) -> Decimal | None:
    """Return the worst value at expiration of positions of one underlying, dollars; None when it is unbounded."""
    if has_uncovered_calls(group):
        return None
    strikes = (parse_occ_symbol(each.symbol).strike for each in group if each.is_option)
    return min(expiration_value(group, price) for price in (ZERO, *strikes))


def _expirations(positions: Iterable[Position]) -> dict[str, list[Position]]:
    """Return the options by root and expiration, those of one contract added up, without what cancels out."""
    net: Counter[str] = Counter()
    for position in positions:
        if position.is_option:
            net[position.symbol] += position.quantity
    groups: defaultdict[str, list[Position]] = defaultdict(list)
    for symbol, count in net.items():
        if count:
            groups[symbol[:EXPIRATION_PART]].append(Position(symbol=symbol, quantity=count))
    return groups


# Positions that our book does not know.


@value
class ForeignRisk:
    """What positions of an account that our book does not know add to its limits."""

    trades: int = 0
    """Expirations with options that are not ours; each counts as one open trade."""
    risk: Decimal = ZERO
    """Their maximum loss, dollars."""
    unmeasured: tuple[str, ...] = ()
    """Positions whose maximum loss cannot be computed, in words."""


def foreign_risk(account: Account, own: Mapping[str, int]) -> ForeignRisk:
    """Return what the account holds beyond `own` (contracts or shares by symbol, negative when short).

    Options count at their worst value at expiration and what was paid for them; a credit that the broker does not tell
    counts as none. Long shares are fully paid and no spread, so they count only as cover of short calls.
    """
    foreign = tuple(_foreign_positions(account.positions, own))
    shares = {each.symbol: each.quantity for each in foreign if not each.is_option}
    unmeasured = [f"{-count} {symbol} short" for symbol, count in shares.items() if count < 0]
    # Futures and options on them begin with a slash; what they may lose is not known here.
    unmeasured += [f"{count} {symbol}" for symbol, count in shares.items() if count > 0 and "/" in symbol[:2]]
    groups = _expirations(foreign)
    risk = ZERO
    for key, group in groups.items():
        ticker = underlying_for_root(key[:6])
        covering = _covering_shares(group, shares, ticker)
        worst = _worst_value((*group, Position(symbol=ticker, quantity=covering)))
        paid = _premium_paid(foreign, key)
        if worst is None or paid is None:
            unmeasured.append(f"{', '.join(f'{each.quantity:+d} x {each.symbol}' for each in group)}")
        else:
            risk += max(paid - worst, ZERO)
    return ForeignRisk(trades=len(groups), risk=risk, unmeasured=tuple(unmeasured))


def _foreign_positions(held: Iterable[Position], own: Mapping[str, int]) -> Iterator[Position]:
    """Yield what is held beyond our own; what is missing of ours is for `reconcile`."""
    for position in held:
        ours = own.get(position.symbol, 0)
        count = position.quantity - (ours if ours * position.quantity > 0 else 0)
        if count * position.quantity > 0:
            yield Position(symbol=position.symbol, quantity=count, average_price=position.average_price)


def _covering_shares(group: Sequence[Position], shares: dict[str, int], ticker: str) -> int:
    """Take the long shares that cover short calls of this expiration from `shares`, and return their number."""
    calls = sum(each.quantity for each in group if _is_call(each))
    count = min(max(-calls * MULTIPLIER, 0), max(shares.get(ticker, 0), 0))
    shares[ticker] = shares.get(ticker, 0) - count
    return count


def _premium_paid(positions: Iterable[Position], key: str) -> Decimal | None:
    """Return what was paid for the options of one expiration less what was received, dollars; None when not told."""
    paid = ZERO
    for position in positions:
        if position.is_option and position.symbol.startswith(key):
            if position.average_price is None and position.quantity > 0:
                return None
            paid += (position.average_price or ZERO) * _shares(position)
    return paid
