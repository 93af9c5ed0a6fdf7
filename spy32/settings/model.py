"""Every knob: its type, default, meaning and bounds. The one place where a default is written.

The first line of a section's docstring is its title in `config.toml` and docs/settings.md; the rest says where its
defaults come from. A default without a source is our own judgement.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from spy32.domain.spreads import ExitAuthority, Mode, Strategy
from spy32.domain.value import value
from spy32.settings.knob import Secret, knob
from spy32.settings.services import AnalystKnobs, Cboe, MarketSources, Notify, Ping, Tastytrade, Xai, Yahoo

__all__ = ["AnalystKnobs", "Cboe", "MarketSources", "Notify", "Ping", "Secret", "Tastytrade", "Xai", "Yahoo", "knob"]


class Environment(StrEnum):
    PRODUCTION = "production"
    DEVELOPMENT = "development"


D = Decimal
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@value
class Schedule:
    """When the scheduled run takes place.

    Monday 10:00 is half an hour after the open: quotes that are 15 minutes late then show 09:45, past the opening
    rotation.
    """

    weekday: str = knob("monday", "Day of the weekly slot", choices=WEEKDAYS)
    time: str = knob("10:00", "New York time of the weekly slot, HH:MM", form="time")
    development_time: str = knob("14:00", "New York time of the daily slot in development, HH:MM", form="time")
    grace_minutes: int = knob(180, "How long after the slot a late start still counts", 1, 360)
    on_holiday: str = knob(
        "skip", "A weekly slot on a holiday: left out, or moved to the next session", choices=("skip", "next_session")
    )
    attempts: int = knob(3, "How often a failed or interrupted run may be tried again in the grace", 1, 10)
    lock_wait_seconds: int = knob(30, "How long a start waits for another one at work", 0, 600)
    run_deadline_seconds: int = knob(600, "Longest time for a whole run, which then fails with 75", 10, 3600)


@value
class Choice:
    """Which spreads reach the menu.

    Delta 0.20 lies between the conservative 0.16 and tastylive's 0.30. On recorded SPY chains a 0.20-delta put spread
    $5 wide paid 9-14 % of its width, a call spread 15-22 %: the usual third, or 15 %, would admit calls only.
    A leg's width of $0.10 or 15 % of the mid and an open interest of 100 are what open-source sellers ask for.
    """

    strategies: tuple[Strategy, ...] = knob((Strategy.PUT_CREDIT, Strategy.CALL_CREDIT), "Spreads that may be offered")
    dte_tolerance: int = knob(3, "Days that the expiration may be off the target", 0, 10)
    deltas: tuple[float, ...] = knob((0.16, 0.20, 0.25, 0.30), "Absolute short deltas that are aimed at", 0.01, 0.5)
    delta_low: float = knob(0.15, "Smallest absolute short delta", 0.01, 0.5)
    delta_high: float = knob(0.30, "Largest absolute short delta", 0.01, 0.5)
    widths: tuple[Decimal, ...] = knob((D(2), D(5), D(10)), "Widths aimed at, dollars at a spot of 600", D("0.5"), 100)
    width_low: Decimal = knob(D(2), "Smallest width, dollars at a spot of 600", D("0.5"), 100)
    width_high: Decimal = knob(D(10), "Largest width, dollars at a spot of 600", D("0.5"), 100)
    rule_delta: float = knob(0.20, "Short delta that the fixed rule takes", 0.01, 0.5)
    rule_width: Decimal = knob(D(5), "Width that the fixed rule takes, dollars at a spot of 600", D("0.5"), 100)
    per_side: int = knob(10, "Most candidates of a strategy", 1, 20)
    few: int = knob(6, "A menu with fewer candidates says so", 0, 20)
    credit_to_width: Decimal = knob(D("0.10"), "Least credit at the floor, of the width", 0, 1)
    debit_to_width: Decimal = knob(D("0.50"), "Most debit at the floor, of the width", 0, 1)
    costs_to_credit: Decimal = knob(
        D("0.15"),
        "Most costs to open and close, of the largest profit at the floor",
        0,
        1,
    )
    leg_width: Decimal = knob(D("0.10"), "A leg's bid-ask width that is always allowed, dollars", D("0.01"), 10)
    leg_width_of_mid: Decimal = knob(D("0.15"), "A leg's bid-ask width allowed, of its mid", 0, 1)
    open_interest: int = knob(100, "Least open interest of the short leg", 0, 1_000_000)


@value
class Execution:
    """How an order is priced and worked.

    Start at the mid and step by one tick every 30 s, the pace of thetagang. Half of the way to the natural price is
    given up at most. An entry after 15:45 would hardly have the ten minutes of its deadline before the close.
    """

    tick: Decimal = knob(D("0.01"), "Price step of a spread, dollars; of SPX, NDX and RUT at least 0.05", D("0.01"), 1)
    step_seconds: int = knob(30, "Rest at a limit before the next step", 1, 600)
    deadline_seconds: int = knob(600, "Then the order is cancelled", 1, 7200)
    floor_share: Decimal = knob(D("0.5"), "Share of mid less natural given up at the most", 0, 1)
    approval_minutes: int = knob(60, "How long an approval holds", 1, 480)
    absent_minutes: int = knob(10, "In live mode an order that the broker lacks is absent only after this long", 1, 240)
    no_entry_after: str = knob("15:45", "No entry after this New York time; not on recorded markets", form="time")


@value
class Costs:
    """What trading costs; a broker's dry run outdoes it.

    tastytrade's price list for equity options: $1.00 to open, at most $10 a leg, nothing to close; clearing $0.10;
    regulatory fees about $0.03. Index options pay the fee of their only exchange on top (SPX $0.65, NDX $0.25, RUT
    $0.18, XSP $0.07 from ten contracts on), and have no cap of the commission.
    """

    commission: Decimal = knob(D("1.00"), "Commission a contract and leg to open, dollars", 0, 1000)
    commission_cap: Decimal = knob(D(10), "Most commission a leg, dollars", 0, 1000)
    commission_close: Decimal = knob(D(0), "Commission a contract and leg to close, dollars", 0, 1000)
    clearing: Decimal = knob(D("0.10"), "Clearing fee a contract and leg, dollars", 0, 1000)
    regulatory: Decimal = knob(D("0.03"), "Regulatory fees a contract and leg, dollars", 0, 1000)
    exchange: Decimal | None = knob(
        None, "Exchange fee of index options a contract and leg, dollars; else the table's", 0, 1000
    )
    slippage: Decimal = knob(D("0.25"), "Expected slippage each way, of mid less natural", 0, 1)


@value
class Limits:
    """How much may be lost or opened.

    1 % a trade lies in tastytrade's 0.5-2 % for defined risk ("Reserve Capital", 2019), whose upper end is the hard
    cap; half of the buying power stays free ("Importance of Capital Allocation", 2019). 32 days hold five weekly
    trades, hence 5 % and five.
    """

    max_loss: Decimal = knob(D("0.01"), "Most loss of a trade, of net liquidation", D("0.0001"), D("0.02"))
    open_risk: Decimal = knob(D("0.05"), "Most loss of all open spreads, of net liquidation", D("0.0001"), 1)
    buying_power: Decimal = knob(D("0.50"), "Most buying power in use, of net liquidation", 0, 1)
    contracts: int = knob(10, "Most contracts of a trade", 1, 100)
    open_trades: int = knob(5, "Most trades open at once", 1, 50)
    submits_per_run: int = knob(1, "Most opening orders of a run (a price step is not a new one)", 1, 10)
    submits_per_day: int = knob(2, "Most opening orders of a day", 1, 20)
    week_loss: Decimal = knob(
        D("0.03"), "Loss of the week, realised and marked, of net liquidation, that blocks entries", 0, 1
    )
    daily_swing: Decimal = knob(
        D("0.0003"),
        "Base of the one-sigma daily swing, of net liquidation, times the DTE multiplier",
        D("0.00001"),
        D("0.01"),
    )


@value
class Conditions:
    """Market conditions that warn, halve or forbid.

    They limit size in storms and are no edge: practitioners disagree about the levels of the VIX, and between those
    tried over 1993-2026 all intervals of the result overlap. VIX above VIX3M is the common sign of stress.
    """

    vix_warn: float = knob(25.0, "VIX from which a run says so", 0, 200)
    vix_halve: float = knob(30.0, "VIX from which size is halved", 0, 200)
    vix_none: float = knob(40.0, "VIX from which nothing is opened", 0, 200)
    term_halve: float = knob(1.0, "VIX over VIX3M above which size is halved", 0.1, 10)


@value
class Exit:
    """When a trade is left.

    Half of the credit: tastytrade, "A Reason To Manage" (2015). 21 days: "Visualizing Tail Risk" (2018), which removed
    two thirds of the large losses of strangles opened at 45 days; no study covers verticals opened at 32. A stop on a
    defined risk is disputed, so it only proposes a close.
    """

    profit_target: Decimal = knob(
        D("0.50"), "Share of the largest profit (of a credit spread the credit) that is enough", D("0.05"), D("0.95")
    )
    time_exit_dte: int = knob(21, "Days to expiration at which a trade opened at 28 or more is left", 0, 40)
    stop_multiple: Decimal = knob(
        D(3),
        "Debit to close, as a multiple of the credit received, at which the stop proposes a close",
        D("1.1"),
        20,
    )
    rest_target: bool = knob(False, "Leave an order at the profit target with the broker once a trade is open")
    authorise: ExitAuthority = knob(
        ExitAuthority.ASK, "Who approves closing orders: a person each one, or the approved plan of the opening"
    )
    authorise_live: bool = knob(False, "Let `authorise = plan` send closing orders in live mode too")


@value
class Drift:
    """How far the market may move between approval and execution."""

    underlying: float = knob(0.0075, "Most move of the underlying since approval, fraction", 0, 0.1)
    credit: float = knob(0.15, "Most fall of the mid credit since approval, fraction", 0, 1)
    short_delta: float = knob(0.33, "Largest absolute short delta at execution", 0.01, 0.6)
    above_mid: float = knob(0.10, "Most that a limit may stand above the mid, fraction", 0, 1)
    below_natural: Decimal = knob(D("0.01"), "Most that a limit may stand below the natural price, dollars", 0, 1)
    quote_seconds: int = knob(10, "Oldest live quote that an order may be priced from", 1, 600)


@value
class Paper:
    """The paper account.

    A fill at the mid is not assumed: a quarter of the half-spread has to be given up first.
    """

    account: Decimal = knob(D(100_000), "Net liquidation of a new paper account, dollars", 1000, 1_000_000_000)
    fill_share: Decimal = knob(D("0.25"), "Share of half of (mid less natural) to give up for a paper fill", 0, 1)


RISK_MULTIPLIERS: Mapping[int, float] = {
    0: 1.0, 1: 1.2, 2: 1.5, 3: 1.8, 5: 2.2, 7: 2.5, 10: 3.0, 14: 3.5, 21: 4.0, 28: 4.5, 32: 5.0, 35: 5.2, 40: 5.5,
}  # fmt: skip
DATA: Mapping[int, str] = {32: "1y daily, 180 days analysed, 32 recent points"}


@value
class Dte:
    """Days to expiration.

    The tables are those of the system before this one.
    """

    default: int = knob(32, "Days to expiration that a run aims at", 0, 60)
    available: tuple[int, ...] = knob(
        (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 14, 21, 28, 32, 35, 40), "Days to expiration that may be asked for", 0, 60
    )
    risk_multipliers: Mapping[int, float] = knob(
        RISK_MULTIPLIERS, "Scale of the allowed daily swing by days to expiration; gaps are interpolated", 0.01, 100
    )
    data: Mapping[int, str] = knob(DATA, "History that a run of these days works with")


@value
class Profile:
    """A named variation for `--profile NAME`. What is left out takes the global value; limits only tighten.

    Meaning and bounds of a field are those of the global key of its name (`keys.PROFILE_KEYS`).
    """

    name: str = "default"
    underlying: str = knob("SPY", "Ticker", form="ticker")
    dte: int | None = None
    strategies: tuple[Strategy, ...] | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    widths: tuple[Decimal, ...] | None = None
    max_loss: Decimal | None = None
    open_risk: Decimal | None = None
    buying_power: Decimal | None = None
    contracts: int | None = None
    open_trades: int | None = None
    submits_per_run: int | None = None
    submits_per_day: int | None = None
    week_loss: Decimal | None = None
    daily_swing: Decimal | None = None


@value
class Locations:
    """Where things are. Never derived from the working directory."""

    config: Path
    dotenv: Path
    data: Path
    """Databases and backups."""
    state: Path
    """Locks, halt file, logs."""
    home: Path | None
    """SPY32_HOME when everything is in one folder."""

    def database(self, mode: Mode) -> Path:
        return self.data / f"{mode}.db"

    @property
    def halt(self) -> Path:
        return self.state / "halt"

    @property
    def locks(self) -> Path:
        return self.state / "locks"

    @property
    def logs(self) -> Path:
        return self.state / "logs"


@value
class Settings:
    """Everything that a command may depend on, resolved and checked."""

    mode: Mode = knob(Mode.PAPER, "Where orders go")
    environment: Environment = knob(Environment.PRODUCTION, "Weekly production, or daily development")
    clock: datetime | None = knob(None, "Instant at which this process's clock starts, RFC 3339; refused in live mode")
    enable_automation: bool = knob(True, "Off: scheduled runs are skipped")
    xai: Xai = Xai()
    tastytrade: Tastytrade = Tastytrade()
    cboe: Cboe = Cboe()
    yahoo: Yahoo = Yahoo()
    notify: Notify = Notify()
    ping: Ping = Ping()
    market: MarketSources = MarketSources()
    analyst: AnalystKnobs = AnalystKnobs()
    schedule: Schedule = Schedule()
    choice: Choice = Choice()
    execution: Execution = Execution()
    costs: Costs = Costs()
    limits: Limits = Limits()
    conditions: Conditions = Conditions()
    exit: Exit = Exit()
    drift: Drift = Drift()
    paper: Paper = Paper()
    dte: Dte = Dte()
    profiles: Mapping[str, Profile] = field(default_factory=lambda: {"default": Profile()})
