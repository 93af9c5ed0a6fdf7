"""Market data: quotes, chains, daily bars and metrics, each with its source and time."""

import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from spy32.domain.events import EventCalendar
from spy32.domain.units import Price, QuotedPrice
from spy32.domain.value import value

RECORDED = "recorded"
"""Name of the shipped recorded market, and what the name of every other one starts with: `recorded:FILE`."""
SYNTHETIC = "synthetic"
"""Name of the source whose option prices are made, and of the flag of a database of them."""
SYNTHETIC_NOTE = "SYNTHETIC (demo --year): SPY and VIX of a past year, option prices are made"
"""What every page about such a database says, in a line of 80 columns."""


def is_recorded_source(name: str) -> bool:
    """Whether a source of this name is a recorded market."""
    return name.partition(":")[0] == RECORDED


class Right(StrEnum):
    """Call or put, as OCC symbols and JSON write it."""

    CALL = "C"
    PUT = "P"


class Verdict(StrEnum):
    """The result of a quality gate. `warn` marks the run as degraded; `stop` ends it; `skipped` was not judged."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    STOP = "stop"
    SKIPPED = "skipped"


@value
class Metric:
    """One number with its unit, source and time. `missing` holds the reason exactly when `value` is None.

    Raises ValueError when both or neither are given.
    """

    value: float | None
    unit: str
    source: str
    as_of: datetime | None = None
    missing: str | None = None
    """Why there is no value."""
    count: int | None = None
    """Number of observations behind the value; None for a single observation."""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.missing is not None):
            raise ValueError("a datum has either a value or a reason why it is missing")


@value
class OptionQuote:
    """One contract as a source quoted it. Prices are dollars per share. None means missing; 0 is a real zero."""

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
    """Time of the last trade. It says nothing about the age of bid and ask."""

    @property
    def symbol(self) -> str:
        """The OCC symbol."""
        return occ_symbol(self.root, self.expiration, self.right, self.strike)


def occ_symbol(root: str, expiration: date, right: Right, strike: Decimal) -> str:
    """Return the 21-character OCC symbol: root left-justified in 6, YYMMDD, C or P, strike x 1000 in 8 digits."""
    return f"{root:<6}{expiration:%y%m%d}{right}{int(strike * 1000):08d}"


OCC_LENGTH = 21
"""Length of an OCC option symbol. The symbol of a position or transaction that is shorter is the ticker of shares."""
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


@value
class Chain:
    """Option quotes of one underlying at one time, for any number of expirations. `spot` is dollars."""

    underlying: str
    spot: float
    as_of: datetime
    """The instant that the quotes are of."""
    source: str
    quotes: tuple[OptionQuote, ...]
    delay_seconds: int = 0
    """The source's published delay, seconds. `as_of` is the time of the quotes, not the time of receipt."""

    @property
    def expirations(self) -> tuple[date, ...]:
        """The distinct expirations, ascending."""
        return tuple(sorted({quote.expiration for quote in self.quotes}))

    def select_expirations(self, *expirations: date) -> "Chain":
        """Return the chain with only these expirations."""
        selected = tuple(quote for quote in self.quotes if quote.expiration in expirations)
        return replace(self, quotes=selected)


@value
class DailyBar:
    """One session's bar in unadjusted dollars. Only `close` is always present."""

    day: date
    close: QuotedPrice
    open: QuotedPrice | None = None
    high: QuotedPrice | None = None
    low: QuotedPrice | None = None
    volume: float | None = None
    adjusted: QuotedPrice | None = None
    """The close as later dividends and splits make it, for returns over long spans; never beside a strike."""


@value
class Dividend:
    """One dividend. `amount` is dollars per share."""

    ex_date: date
    amount: Price
    is_expected: bool = False
    """Extrapolated from the interval of past ex-dates; not announced yet."""


@value
class Gate:
    """The result of one quality gate: the measured figure, the limit (both as display text) and the verdict."""

    name: str
    figure: str
    limit: str
    verdict: Verdict
    note: str = ""


@value
class SourceAttempt:
    """One request to a data source: the datum, the source, whether it succeeded, and the error text if not."""

    datum: str
    """`chain`, `expiration` (beside the nearest one, or the choice among them), `history`, `vix`, `dividends`, `rate`,
    `moves`, `metrics` or `earnings`."""
    source: str
    ok: bool
    detail: str = ""
    ms: int = 0


@value
class RawDocument:
    """A document exactly as a source sent it, with cookies and API keys removed."""

    source: str
    name: str
    at: datetime
    body: bytes


@value
class QualityReport:
    """The results of all quality gates on one chain."""

    gates: tuple[Gate, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Number of dropped quotes, by gate name."""

    @property
    def stopped_by(self) -> Gate | None:
        """The first gate that stopped; None when none did."""
        return next((gate for gate in self.gates if gate.verdict is Verdict.STOP), None)

    @property
    def is_degraded(self) -> bool:
        """Whether a gate warned."""
        return any(gate.verdict is Verdict.WARN for gate in self.gates)


@value
class MarketSnapshot:
    """All market data of one run. The steps screen, consult and vet, the record and the replay use this one object."""

    underlying: str
    as_of: datetime
    source: str
    is_recorded: bool
    chain: Chain
    """The source's chain: the target expiration and its neighbours. `quality.checks.check_chain` selects from it."""
    target: date
    dte: int
    history: tuple[DailyBar, ...] = ()
    volatility: Mapping[str, Metric] = field(default_factory=dict)
    """Keys `vix`, `vix9d`, `vix3m`; values in percent, such as 17.5."""
    volatility_history: tuple[tuple[date, float], ...] = ()
    """VIX closes of the last year, percent, oldest first."""
    rate: Metric = field(default_factory=lambda: Metric(value=None, unit="fraction", source="", missing="not served"))
    dividends: tuple[Dividend, ...] | None = None
    """Ex-dates from the last one before the snapshot onwards. None: no source serves dividends."""
    notes: tuple[str, ...] = ()
    collected_at: datetime | None = None
    """The time at which ages are measured. None on a recorded market, where the time of the quotes is used."""
    second: Chain | None = None
    """The target expiration from a second source, for the cross-check."""
    moves: Mapping[str, Metric] = field(default_factory=dict)
    """Today's return of related tickers, fractions."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """Metrics that the broker computes, such as `iv_rank`; displayed beside our own."""
    events: EventCalendar = field(default_factory=EventCalendar)
    tried: tuple[SourceAttempt, ...] = ()
    """Every request to a source, with its result."""

    @property
    def spot(self) -> float:
        """Price of the underlying, dollars."""
        return self.chain.spot

    @property
    def evaluated_at(self) -> datetime:
        """The time at which ages of data are measured."""
        return self.collected_at or self.as_of


@value
class LegQuotes:
    """Fresh quotes of a few contracts, by OCC symbol, with the spot of the same time."""

    spot: float
    as_of: datetime
    source: str
    quotes: Mapping[str, OptionQuote]
    delay_seconds: int = 0
