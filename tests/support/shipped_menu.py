"""The chain that ships with the package, and its menu."""

import csv
import gzip
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache

from spy32.domain.market import Chain, OptionQuote, Right
from spy32.domain.spreads import Menu, Strategy
from spy32.markets.bundled_history import total_returns
from spy32.markets.recorded import SHIPPED_CHAIN, RecordedMarket
from spy32.options import surface
from spy32.pipeline import screen
from spy32.pipeline.collect import inspect_snapshot
from spy32.pipeline.context import CheckedMarket
from spy32.rules import menu as rules
from spy32.settings import Settings
from tests.support import builders
from tests.support.snapshots import snapshot_of

SETTINGS = Settings()
YEARS = 32 / 365


def smile_of(chain: Chain, expiration: date = builders.EXPIRATION, years: float = YEARS) -> surface.Smile:
    return surface.build_smile(chain.quotes, spot=chain.spot, years=years, rate=builders.RATE, expiration=expiration)


@cache
def real() -> tuple[Chain, surface.Smile]:
    """The shipped chain of 2025-08-29 at its expiration of 2025-09-30."""
    expiration = date(2025, 9, 30)
    with gzip.open(SHIPPED_CHAIN, "rt") as lines:
        rows = [row for row in csv.DictReader(lines) if row["expiration"] == f"{expiration}"]
    quotes = tuple(
        OptionQuote(
            root=row["root"],
            expiration=expiration,
            strike=Decimal(row["strike"]),
            right=Right(row["option_type"]),
            bid=float(row["bid"]),
            ask=float(row["ask"]),
            open_interest=int(row["open_interest"]),
        )
        for row in rows
    )
    at = datetime(2025, 8, 29, 20, 15, tzinfo=UTC)
    chain = Chain(underlying="SPY", spot=float(rows[0]["underlying_price"]), as_of=at, source="recorded", quotes=quotes)
    return chain, smile_of(chain, expiration, years=32 / 365)


@cache
def real_menu() -> Menu:
    chain, smile = real()
    return rules.build_menu(chain, smile, SETTINGS, rng=random.Random(7), seed=7)


@cache
def checked() -> CheckedMarket:
    """The shipped market as the screen step gets it."""
    snapshot = snapshot_of(RecordedMarket.load_shipped())
    assert not isinstance(snapshot, str)
    seen, _ = inspect_snapshot(snapshot, SETTINGS)
    assert seen is not None
    return seen


@cache
def whole_menu(*strategies: Strategy) -> Menu:
    """Its menu of these strategies with every outlook."""
    settings = replace(SETTINGS, choice=replace(SETTINGS.choice, strategies=strategies))
    return screen.build_menu(checked(), settings, seed=7, find_history=total_returns)
