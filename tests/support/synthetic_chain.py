"""A chain file made of one skewed Black-Scholes surface, on any grid of strikes and any price steps."""

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path

from spy32.markets.chain_file import REQUIRED_COLUMNS
from spy32.sessions import NEW_YORK

Holes = Mapping[str, tuple[float, ...]]
"""Expiration -> the strikes that it lacks."""
RATE = 0.04
REACH = 2.6


def write(
    path: Path,
    ticker: str,
    spot: float,
    step: float,
    *,
    vol: float,
    now: str = "2026-12-07T10:00:00-05:00",
    expiration: str = "2027-01-08",
    without: tuple[float, ...] = (),
    root: str | None = None,
    ticks: tuple[float, float] = (0.01, 0.01),
    half: float = 0.02,
) -> Path:
    """Strikes within `REACH` standard deviations, less those of `without`.

    `ticks` are the steps of quotes below 3.00 and from there on; bid and ask are rounded outwards to them from `half`
    dollars beside the price.
    """
    end = datetime.combine(date.fromisoformat(expiration), time(16), NEW_YORK)
    years = (end - datetime.fromisoformat(now)).total_seconds() / 365 / 86_400
    reach = REACH * vol * math.sqrt(years)
    low, high = spot * math.exp(-reach), spot * math.exp(reach)
    strikes = [step * i for i in range(math.ceil(low / step), int(high / step) + 1)]
    rows = [
        f"{now},{ticker},{spot},{root or ticker},{expiration},{strike:g},{right},"
        f"{max(_on_tick(price - half, ticks, math.floor), 0):.2f},{_on_tick(price + half, ticks, math.ceil):.2f},900"
        for strike in strikes
        if strike not in without
        for right in "CP"
        for price in [_price(spot, strike, years, vol, right)]
    ]
    path.write_text("\n".join([",".join((*REQUIRED_COLUMNS, "open_interest")), *rows]) + "\n")
    return path


def _on_tick(price: float, ticks: tuple[float, float], rounding: Callable[[float], int]) -> float:
    tick = ticks[0] if price < 3 else ticks[1]
    return rounding(round(price / tick, 6)) * tick


def write_days(path: Path, ticker: str, spot: float, step: float, *, vol: float, now: str, days: Holes) -> Path:
    """Several expirations in one file, each less the strikes that it lacks."""
    tables = []
    for expiration, without in days.items():
        write(path, ticker, spot, step, vol=vol, now=now, expiration=expiration, without=without)
        tables.append(path.read_text().splitlines())
    path.write_text("\n".join([tables[0][0], *(row for table in tables for row in table[1:])]) + "\n")
    return path


def _price(spot: float, strike: float, years: float, vol: float, right: str) -> float:
    # In standard deviations: the wings of a volatile share would otherwise rise until its calls do.
    away = 0.25 * math.log(strike / spot) / (vol * math.sqrt(years))
    sigma = max(0.05, vol * (1 - 0.55 * away + 0.9 * away * away))
    d1 = (math.log(spot / strike) + (RATE + sigma * sigma / 2) * years) / (sigma * math.sqrt(years))
    d2 = d1 - sigma * math.sqrt(years)
    call = spot * _normal(d1) - strike * math.exp(-RATE * years) * _normal(d2)
    return call if right == "C" else call - spot + strike * math.exp(-RATE * years)


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))
