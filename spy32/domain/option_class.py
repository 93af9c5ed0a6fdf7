"""Option classes: what is common to all contracts of one root, and which underlyings can be traded with them.

Every contract here is 100 a contract (`spreads.MULTIPLIER`): sources leave out other deliverables. Options on shares
and funds are American and deliver shares; the index options of `INDEX_CLASSES` are European and settle in cash (product
specifications of cboe.com for SPX, SPXW, XSP, RUT, RUTW, of nasdaq.com for NDX, NDXP).
"""

from collections.abc import Mapping
from decimal import Decimal

from spy32.domain.value import value

PENNY, NICKEL = Decimal("0.01"), Decimal("0.05")
"""Steps of a spread's price. The legs' own ticks depend on class and premium; a multi-leg order goes by pennies even in
classes that quote in nickels and dimes (tastytrade help, "Why is my single leg option order canceling?")."""


@value
class OptionClass:
    """The contracts of one root."""

    root: str
    underlying: str
    """Ticker whose price decides."""
    settles_in_cash: bool = False
    """European and in cash; otherwise American and in shares."""
    settles_at_open: bool = False
    """AM settlement: by the opening of the expiration day, with the session before as the last one."""
    spread_tick: Decimal = PENNY
    """Step of the price of a multi-leg order, dollars a share, whatever the premium. The broker tells none (its
    `spread-tick-sizes` are those of futures), so this table decides."""
    exchange_fee: Decimal = Decimal(0)
    """Dollars a contract and leg, to open and to close (tastytrade, "Single-Listed Exchange Proprietary Index Options
    Fees"; NDX: the customers' fee of Nasdaq ISE)."""
    fee_free_contracts: int = 0
    """Contracts a leg up to which the exchange charges nothing."""


def _index(
    underlying: str, *roots: str, opening: str = "", tick: Decimal = NICKEL, fee: str = "0", free: int = 0
) -> tuple[OptionClass, ...]:
    return tuple(
        OptionClass(
            root=root,
            underlying=underlying,
            settles_in_cash=True,
            settles_at_open=root == opening,
            spread_tick=tick,
            exchange_fee=Decimal(fee),
            fee_free_contracts=free,
        )
        for root in roots
    )


INDEX_CLASSES: Mapping[str, OptionClass] = {
    each.root: each
    for each in (
        # PM roots come first: they settle at the close, as shares do. Spreads of SPX trade in nickels (tastytrade help,
        # "SPX Price Increments"); a nickel is a multiple of every step that Cboe and Nasdaq take for RUT and NDX.
        *_index("SPX", "SPXW", "SPX", opening="SPX", fee="0.65"),
        *_index("XSP", "XSP", tick=PENNY, fee="0.07", free=9),
        *_index("NDX", "NDXP", "NDX", opening="NDX", fee="0.25"),
        *_index("RUT", "RUTW", "RUT", opening="RUT", fee="0.18"),
    )
}
"""Root -> its class, in order of preference within an underlying."""
OTHER_INDEXES = frozenset({"DJX", "MRUT", "OEX", "VIX", "VIXW", "XEO", "XND", "VIX9D", "VIX3M"})
"""Indexes whose options settle in cash by other rules (product pages of cboe.com), or that have none."""
INDEX_TICKERS = frozenset(each.underlying for each in INDEX_CLASSES.values()) | OTHER_INDEXES
SHARE_CLASSES: Mapping[str, str] = {"BRKB": "BRK.B", "BFB": "BF.B"}
"""Root -> ticker of shares of a class: OCC writes the root without the dot, which cannot be told back by a rule."""
VIX_UNDERLYINGS = frozenset({"SPY", "SPX", "XSP"})
"""Underlyings whose volatility the VIX measures."""


def class_of_root(root: str) -> OptionClass | None:
    """Return the class of a root; None for an index that is not listed here and for adjusted contracts, whose root ends
    with a digit and whose deliverable is not 100 shares (OCC)."""
    root = root.strip()
    if root in INDEX_CLASSES:
        return INDEX_CLASSES[root]
    if root in OTHER_INDEXES or root[-1:].isdigit():
        return None
    return OptionClass(root=root, underlying=SHARE_CLASSES.get(root, root))


def option_roots(underlying: str) -> tuple[str, ...]:
    """Return the roots of the standard contracts, in order of preference; none when they cannot be traded here."""
    if underlying in INDEX_TICKERS:
        return tuple(root for root, each in INDEX_CLASSES.items() if each.underlying == underlying)
    if "." in underlying:
        return tuple(root for root, ticker in SHARE_CLASSES.items() if ticker == underlying)
    return (underlying,)


def underlying_for_root(root: str) -> str:
    """Return the ticker under which sources list the options of this root; the root itself of one without a class."""
    found = class_of_root(root)
    return found.underlying if found is not None else root.strip()


def settles_in_cash(root: str) -> bool:
    """Return whether options of this root are index options that settle in cash instead of delivering shares."""
    return root.strip() in INDEX_TICKERS | INDEX_CLASSES.keys()
