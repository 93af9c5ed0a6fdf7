"""Every knob: its section, type, default, bounds and meaning. The one place where a default is written."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from spy32.domain.spreads import Mode, Strategy
from spy32.domain.value import value
from spy32.settings.knob import Secret, knob
from spy32.settings.services import AnalystKnobs, Cboe, MarketSources, Tastytrade, Xai, Yahoo

__all__ = ["AnalystKnobs", "Cboe", "MarketSources", "Secret", "Tastytrade", "Xai", "Yahoo", "knob"]


class Environment(StrEnum):
    PRODUCTION = "production"
    DEVELOPMENT = "development"


D = Decimal


@value
class Schedule:
    weekday: str = knob(
        "monday", "Day of the weekly slot", choices=("monday", "tuesday", "wednesday", "thursday", "friday")
    )
    time: str = knob("10:00", "New York time of the weekly slot, HH:MM", form="time")
    development_time: str = knob(
        "14:00", "New York time of the daily slot in the development environment, HH:MM", form="time"
    )
    grace_minutes: int = knob(180, "How long after the slot a late start still counts", low=1, high=360)
    attempts: int = knob(3, "How often a failed or interrupted run may be tried again in the grace", low=1, high=10)
    lock_wait_seconds: int = knob(30, "How long a start waits for another one at work", low=0, high=600)
    run_deadline_seconds: int = knob(600, "Longest time for a whole run, which then fails with 75", low=10, high=3600)


@value
class Choice:
    strategies: tuple[Strategy, ...] = knob(
        (Strategy.PUT_CREDIT, Strategy.CALL_CREDIT), "Spreads that may reach the menu"
    )
    dte_tolerance: int = knob(3, "Days that the expiration may be off the target", low=0, high=10)
    deltas: tuple[float, ...] = knob(
        (0.16, 0.20, 0.25, 0.30), "Absolute short deltas that the menu aims at", low=0.01, high=0.5
    )
    delta_low: float = knob(0.15, "Smallest absolute short delta", low=0.01, high=0.5)
    delta_high: float = knob(0.30, "Largest absolute short delta", low=0.01, high=0.5)
    widths: tuple[Decimal, ...] = knob(
        (D("2"), D("5"), D("10")),
        "Widths that the menu aims at, dollars at a spot near 600",
        low=D("0.5"),
        high=D("100"),
    )
    width_low: Decimal = knob(D("2"), "Smallest width, dollars at a spot near 600", low=D("0.5"), high=D("100"))
    width_high: Decimal = knob(D("10"), "Largest width, dollars at a spot near 600", low=D("0.5"), high=D("100"))
    rule_delta: float = knob(0.20, "Short delta that the fixed rule takes", low=0.01, high=0.5)
    rule_width: Decimal = knob(
        D("5"), "Width that the fixed rule takes, dollars at a spot near 600", low=D("0.5"), high=D("100")
    )
    per_side: int = knob(10, "Most candidates of a side", low=1, high=20)
    few: int = knob(6, "A menu with fewer candidates says so", low=0, high=20)
    credit_to_width: Decimal = knob(D("0.10"), "Least credit at the floor, of the width", low=D("0"), high=D("1"))
    costs_to_credit: Decimal = knob(
        D("0.15"), "Most costs to open and close, of the credit at the floor", low=D("0"), high=D("1")
    )
    leg_width: Decimal = knob(
        D("0.10"), "A leg's bid-ask width that is always allowed, dollars", low=D("0.01"), high=D("10")
    )
    leg_width_of_mid: Decimal = knob(D("0.15"), "A leg's bid-ask width allowed, of its mid", low=D("0"), high=D("1"))
    open_interest: int = knob(100, "Least open interest of the short leg", low=0, high=1_000_000)


@value
class Execution:
    tick: Decimal = knob(D("0.01"), "Smallest price step of a spread, dollars", low=D("0.01"), high=D("1"))
    step_seconds: int = knob(30, "Rest at a limit before the next step", low=1, high=600)
    deadline_seconds: int = knob(600, "Then the order is cancelled", low=1, high=7200)
    floor_share: Decimal = knob(D("0.5"), "Share of mid less natural given up at the most", low=D("0"), high=D("1"))
    approval_minutes: int = knob(60, "How long an approval holds", low=1, high=480)
    absent_minutes: int = knob(
        10, "An entry that the broker does not show is absent only this long after it was sent, live", low=1, high=240
    )
    no_entry_after: str = knob(
        "15:45", "No entry after this New York time, HH:MM; not on recorded markets", form="time"
    )


@value
class Costs:
    commission: Decimal = knob(D("1.00"), "Commission a contract and leg to open, dollars", low=D("0"), high=D("1000"))
    commission_cap: Decimal = knob(D("10"), "Most commission a leg, dollars", low=D("0"), high=D("1000"))
    commission_close: Decimal = knob(
        D("0"), "Commission a contract and leg to close, dollars", low=D("0"), high=D("1000")
    )
    clearing: Decimal = knob(D("0.10"), "Clearing fee a contract and leg, dollars", low=D("0"), high=D("1000"))
    regulatory: Decimal = knob(D("0.03"), "Regulatory fees a contract and leg, dollars", low=D("0"), high=D("1000"))
    slippage: Decimal = knob(D("0.25"), "Expected slippage each way, of mid less natural", low=D("0"), high=D("1"))


@value
class Limits:
    max_loss: Decimal = knob(D("0.01"), "Most loss of a trade, of net liquidation", low=D("0.0001"), high=D("0.02"))
    open_risk: Decimal = knob(
        D("0.05"), "Most loss of all open spreads, of net liquidation", low=D("0.0001"), high=D("1")
    )
    buying_power: Decimal = knob(D("0.50"), "Most buying power in use, of net liquidation", low=D("0"), high=D("1"))
    contracts: int = knob(10, "Most contracts of a trade", low=1, high=100)
    open_trades: int = knob(5, "Most trades open at once", low=1, high=50)
    submits_per_run: int = knob(1, "Most opening orders of a run (a price step is not a new one)", low=1, high=10)
    submits_per_day: int = knob(2, "Most opening orders of a day", low=1, high=20)
    week_loss: Decimal = knob(
        D("0.03"), "Loss of the week, of net liquidation, that blocks entries", low=D("0"), high=D("1")
    )
    daily_swing: Decimal = knob(
        D("0.0003"),
        "Base of the one-sigma daily swing of a trade, of net liquidation, before the DTE multiplier",
        low=D("0.00001"),
        high=D("0.01"),
    )


@value
class Conditions:
    vix_warn: float = knob(25.0, "VIX from which a run says so", low=0, high=200)
    vix_halve: float = knob(30.0, "VIX from which size is halved", low=0, high=200)
    vix_none: float = knob(40.0, "VIX from which nothing is opened", low=0, high=200)
    term_halve: float = knob(1.0, "VIX over VIX3M above which size is halved", low=0.1, high=10)


@value
class Exit:
    profit_target: Decimal = knob(D("0.50"), "Share of the credit that is enough", low=D("0.05"), high=D("0.95"))
    time_exit_dte: int = knob(21, "Days to expiration at which a trade opened at 28 or more is left", low=0, high=40)
    stop_multiple: Decimal = knob(
        D("3"), "Closing costs over the credit that raise the alarm", low=D("1.1"), high=D("20")
    )
    rest_target: bool = knob(False, "Leave an order at the profit target with the broker once a trade is open")


@value
class Drift:
    underlying: float = knob(0.0075, "Most move of the underlying since approval, fraction", low=0, high=0.1)
    credit: float = knob(0.15, "Most fall of the mid credit since approval, fraction", low=0, high=1)
    short_delta: float = knob(0.33, "Largest absolute short delta at execution", low=0.01, high=0.6)
    above_mid: float = knob(0.10, "Most that a limit may stand above the mid, fraction", low=0, high=1)
    below_natural: Decimal = knob(
        D("0.01"), "Most that a limit may stand below the natural price, dollars", low=D("0"), high=D("1")
    )
    quote_seconds: int = knob(10, "Oldest live quote that an order may be priced from", low=1, high=600)


@value
class Paper:
    account: Decimal = knob(
        D("100000"), "Net liquidation of a new paper account, dollars", low=D("1000"), high=D("1000000000")
    )
    fill_share: Decimal = knob(
        D("0.25"),
        "Share of half of (mid less natural) that must be given up before a paper order fills",
        low=D("0"),
        high=D("1"),
    )


RISK_MULTIPLIERS: Mapping[int, float] = {
    0: 1.0, 1: 1.2, 2: 1.5, 3: 1.8, 5: 2.2, 7: 2.5, 10: 3.0, 14: 3.5, 21: 4.0, 28: 4.5, 32: 5.0, 35: 5.2, 40: 5.5,
}  # fmt: skip


@value
class Dte:
    default: int = knob(32, "Days to expiration that a run aims at", low=0, high=60)
    available: tuple[int, ...] = knob(
        (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 14, 21, 28, 32, 35, 40),
        "Days to expiration that may be asked for",
        low=0,
        high=60,
    )
    risk_multipliers: Mapping[int, float] = knob(
        RISK_MULTIPLIERS,
        "Scale of the allowed daily swing by days to expiration; gaps are interpolated",
        low=0.01,
        high=100,
    )
    data: Mapping[int, str] = knob(
        {32: "1y daily, 180 days analysed, 32 recent points"}, "History that a run of these days works with"
    )


@value
class Profile:
    """A named variation. What is None takes the global value; limits may only be tightened."""

    name: str = "default"
    underlying: str = knob("SPY", "Ticker", form="ticker")
    dte: int | None = knob(None, "Days to expiration, one of dte.available", low=0, high=60)
    strategies: tuple[Strategy, ...] | None = knob(None, "Spreads that may reach the menu")
    delta_low: float | None = knob(None, "Smallest absolute short delta", low=0.01, high=0.5)
    delta_high: float | None = knob(None, "Largest absolute short delta", low=0.01, high=0.5)
    widths: tuple[Decimal, ...] | None = knob(
        None, "Widths that the menu aims at, dollars at a spot near 600", low=D("0.5"), high=D("100")
    )
    max_loss: Decimal | None = knob(None, "Most loss of a trade, of net liquidation", low=D("0.0001"), high=D("0.02"))
    open_risk: Decimal | None = knob(
        None, "Most loss of all open spreads, of net liquidation", low=D("0.0001"), high=D("1")
    )
    buying_power: Decimal | None = knob(None, "Most buying power in use, of net liquidation", low=D("0"), high=D("1"))
    contracts: int | None = knob(None, "Most contracts of a trade", low=1, high=100)
    open_trades: int | None = knob(None, "Most trades open at once", low=1, high=50)
    submits_per_run: int | None = knob(None, "Most opening orders of a run", low=1, high=10)
    submits_per_day: int | None = knob(None, "Most opening orders of a day", low=1, high=20)
    week_loss: Decimal | None = knob(
        None, "Loss of the week, of net liquidation, that blocks entries", low=D("0"), high=D("1")
    )
    daily_swing: Decimal | None = knob(
        None, "Base of the one-sigma daily swing, of net liquidation", low=D("0.00001"), high=D("0.01")
    )


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

    mode: Mode = knob(Mode.PAPER, "Where orders go", choices=("paper", "sandbox", "live"))
    environment: Environment = knob(
        Environment.PRODUCTION, "Weekly production, or daily development", choices=("production", "development")
    )
    clock: datetime | None = knob(None, "Instant at which this process's clock starts, RFC 3339; refused in live mode")
    enable_automation: bool = knob(True, "Off: scheduled runs are skipped")
    xai: Xai = field(default_factory=Xai)
    tastytrade: Tastytrade = field(default_factory=Tastytrade)
    cboe: Cboe = field(default_factory=Cboe)
    yahoo: Yahoo = field(default_factory=Yahoo)
    market: MarketSources = field(default_factory=MarketSources)
    analyst: AnalystKnobs = field(default_factory=AnalystKnobs)
    schedule: Schedule = field(default_factory=Schedule)
    choice: Choice = field(default_factory=Choice)
    execution: Execution = field(default_factory=Execution)
    costs: Costs = field(default_factory=Costs)
    limits: Limits = field(default_factory=Limits)
    conditions: Conditions = field(default_factory=Conditions)
    exit: Exit = field(default_factory=Exit)
    drift: Drift = field(default_factory=Drift)
    paper: Paper = field(default_factory=Paper)
    dte: Dte = field(default_factory=Dte)
    profiles: Mapping[str, Profile] = field(default_factory=lambda: {"default": Profile()})
