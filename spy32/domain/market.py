"""What was seen: quotes, bars and data with their source and age."""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from spy32.domain.events import EventCalendar
from spy32.domain.value import value


class Right(StrEnum):
    CALL = "C"
    PUT = "P"


class Verdict(StrEnum):
    """How a gate judged: `warn` is shown and does not stop, `stop` ends the run."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    STOP = "stop"
    SKIPPED = "skipped"


@value
class Metric:
    """One number with where it came from; `value` is None exactly when `missing` says why."""

    value: float | None
    unit: str
    source: str
    as_of: datetime | None = None
    missing: str | None = None
    count: int | None = None
    """How many observations it was computed from, when it was computed from several."""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.missing is not None):
            raise ValueError("a datum has either a value or a reason why it is missing")


@value
class OptionQuote:
    """One contract as a source quoted it. Prices are dollars per share; None is missing, never 0."""

    root: str
    expiration: date
    strike: Decimal
    right: Right
    bid: float | None
    ask: float | None
    last: float | None = None
    volume: int | None = None
    open_interest: int | None = None
    feed_iv: float | None = None
    feed_delta: float | None = None
    traded_at: datetime | None = None
    """Of the last trade, which says nothing about the age of the quote."""

    @property
    def symbol(self) -> str:
        return occ_symbol(self.root, self.expiration, self.right, self.strike)


def occ_symbol(root: str, expiration: date, right: Right, strike: Decimal) -> str:
    """The 21-character OCC form: root left-justified in 6, YYMMDD, C or P, strike x 1000 in 8 digits."""
    return f"{root:<6}{expiration:%y%m%d}{right}{int(strike * 1000):08d}"


OCC = re.compile(r"([A-Z0-9./]{1,6}) *([0-9]{6})([CP])([0-9]{8})")
"""Read from the right: a root may hold digits. Some sources leave the blanks out."""


class Contract(NamedTuple):
    """What an option is, without any price."""

    root: str
    expiration: date
    right: Right
    strike: Decimal

    @property
    def symbol(self) -> str:
        return occ_symbol(*self)


def parse_occ_symbol(symbol: str) -> Contract:
    """The contract of an OCC symbol; ValueError when it is none."""
    parts = OCC.fullmatch(symbol)
    if parts is None or int(parts[4]) == 0:
        raise ValueError("not an option symbol")
    root, day, right, strike = parts.groups()
    expiration = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    return Contract(root, expiration, Right(right), plain_strike(Decimal(strike) / 1000))


def plain_strike(strike: Decimal) -> Decimal:
    """The one form of a strike, without trailing zeros: 645 and 645.0 are the same contract."""
    return strike.quantize(Decimal(1)) if strike == strike.to_integral_value() else strike.normalize()


def option_roots(underlying: str) -> tuple[str, ...]:
    """The option roots of standard contracts, the one to take first when both are there.

    SPXW settles in the afternoon as SPY does, SPX in the morning. Any other root, such as SPY7, is a mini or adjusted
    contract with another multiplier.
    """
    return ("SPXW", "SPX") if underlying == "SPX" else (underlying,)


def underlying_for_root(root: str) -> str:
    """The ticker that quotes of this root are asked for."""
    return "SPX" if root in option_roots("SPX") else root


CASH_SETTLED = frozenset({"DJX", "MRUT", "NDX", "OEX", "RUT", "SPX", "VIX", "XEO", "XND", "XSP"})
"""Index options that pay the difference to the strike in cash and never deliver shares (cboe.com product pages)."""


def has_other_root(underlying: str) -> bool:
    """Whether its options go by another root than its ticker, which orders and settlement cannot follow yet."""
    return option_roots(underlying) != (underlying,)


@value
class Chain:
    """Quotes of one underlying at one instant, any number of expirations."""

    underlying: str
    spot: float
    as_of: datetime
    source: str
    quotes: tuple[OptionQuote, ...]
    delay_seconds: int = 0
    """How late the source is by its own rules. `as_of` is the instant that the quotes are of, not when they came."""

    @property
    def expirations(self) -> tuple[date, ...]:
        return tuple(sorted({quote.expiration for quote in self.quotes}))

    def select_expirations(self, *expirations: date) -> "Chain":
        """The same chain with only these expirations."""
        selected = tuple(quote for quote in self.quotes if quote.expiration in expirations)
        return replace(self, quotes=selected)


@value
class DailyBar:
    """One session, unadjusted dollars. `close` is always there."""

    day: date
    close: float
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float | None = None
    adjusted: float | None = None
    """The close as later dividends and splits make it, for returns over long spans; never beside a strike."""


@value
class Dividend:
    ex_date: date
    amount: Decimal
    is_expected: bool = False
    """By the rule of the quarters before; not announced yet."""


@value
class Gate:
    """One quality check: what was measured, what is allowed, and the verdict. Figures are text, ready to be read."""

    name: str
    figure: str
    limit: str
    verdict: Verdict
    note: str = ""


@value
class SourceAttempt:
    """One question to a source of data: who was asked for what, whether it served, and what it said."""

    datum: str
    """`chain`, `history`, `vix`, `dividends`, `rate`, `moves`, `metrics` or `earnings`."""
    source: str
    ok: bool
    detail: str = ""
    ms: int = 0


@value
class RawDocument:
    """A document exactly as a source sent it, without cookies and keys."""

    source: str
    name: str
    at: datetime
    body: bytes


@value
class QualityReport:
    gates: tuple[Gate, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """How many quotes were dropped, by gate."""

    @property
    def stopped_by(self) -> Gate | None:
        return next((gate for gate in self.gates if gate.verdict is Verdict.STOP), None)

    @property
    def is_degraded(self) -> bool:
        return any(gate.verdict is Verdict.WARN for gate in self.gates)


@value
class MarketSnapshot:
    """Everything one run saw. One object feeds screen, consult, vet, the record and the replay."""

    underlying: str
    as_of: datetime
    source: str
    is_recorded: bool
    chain: Chain
    """As the source sent it: target expiration and neighbours. `rules.chain_quality` picks what is used."""
    target: date
    dte: int
    history: tuple[DailyBar, ...] = ()
    volatility: Mapping[str, Metric] = field(default_factory=dict)
    """Keys `vix`, `vix9d`, `vix3m`, in percent points."""
    volatility_history: tuple[tuple[date, float], ...] = ()
    """VIX closes of the last year, oldest first."""
    rate: Metric = field(default_factory=lambda: Metric(value=None, unit="fraction", source="", missing="not served"))
    dividends: tuple[Dividend, ...] | None = None
    """Ex-dates from the last one before the snapshot on; None when the source has none to offer."""
    notes: tuple[str, ...] = ()
    collected_at: datetime | None = None
    """The instant that the ages of its parts count to; None when the quotes are their own clock."""
    second: Chain | None = None
    """The target expiration as a second source has it, to check the first against."""
    moves: Mapping[str, Metric] = field(default_factory=dict)
    """The day's move of related tickers, as fractions."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """What the broker computes itself, such as `iv_rank`; shown beside our own."""
    events: EventCalendar = field(default_factory=EventCalendar)
    tried: tuple[SourceAttempt, ...] = ()
    """Every question to a source, and how it ended."""

    @property
    def spot(self) -> float:
        return self.chain.spot

    @property
    def evaluated_at(self) -> datetime:
        return self.collected_at or self.as_of


@value
class LegQuotes:
    """Fresh quotes of a few contracts, by OCC symbol, with the underlying of the same moment."""

    spot: float
    as_of: datetime
    source: str
    quotes: Mapping[str, OptionQuote]
    delay_seconds: int = 0
