"""What ignoring early exercise changes on a whole recorded chain of SPY: vols, deltas, and the 0.20-delta pick.

`python -m proofs.american_chains [FILE ...]` prints the rows of the table in docs/numbers.md. Both engines get the
forward of put-call parity, and the American one its dated dividends, so that early exercise is the only difference.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spy32.domain.market import Dividend
from spy32.errors import Spy32Error
from spy32.markets import chain_file
from spy32.markets.recorded import SHIPPED_CHAIN, RecordedMarket
from spy32.options.american import AmericanContract, price_american
from spy32.options.surface import Smile, build_smile
from spy32.quality import checks
from spy32.rules.exercise import OPENING
from spy32.sessions import YEAR, market_date, new_york_instant, years_to_expiration
from spy32.settings.model import Choice
from tests.support.snapshots import snapshot_of

PICK, MENU_DELTA = 0.20, 0.35
BUMP = 0.05
"""Dollars of spot to each side, for a delta."""


@dataclass(frozen=True)
class ChainDifference:
    """American less European for the out-of-the-money quotes with |delta| from 0.03 to 0.50."""

    name: str
    dte: int
    has_ex_date: bool
    contracts: int
    vol: tuple[float, float]
    """Smallest and largest, in points."""
    delta: float
    """Of |delta|, the largest where it is at most 0.35, as in the menus."""
    delta_at_the_money: float
    """The largest of all."""
    same_picks: bool
    """The put and the call nearest to 0.20 are the same."""


def smile_of(path: Path) -> tuple[Smile, tuple[Dividend, ...], RecordedMarket]:
    """The smile that `analyze` uses of a chain file, and the dividends known on its day."""
    market = RecordedMarket(chain_file.read_chain_file(path), f"recorded:{path.name}")
    snapshot = snapshot_of(market)
    assert not isinstance(snapshot, str), snapshot
    chain, _ = checks.check_chain(snapshot, snapshot.as_of, Choice())
    rate = snapshot.rate.value
    assert rate is not None
    years = years_to_expiration(snapshot.as_of, snapshot.target)
    smile = build_smile(chain.quotes, spot=snapshot.spot, years=years, rate=rate, expiration=snapshot.target)
    today = market_date(snapshot.as_of)
    inside = tuple(each for each in snapshot.dividends or () if today < each.ex_date <= snapshot.target)
    return smile, inside, market


def _implied_vol(contract: AmericanContract, price: float) -> float:
    """By bisection, to 1e-7; the quotes are out of the money, so that each has one."""
    low, high = 1e-3, 5.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if price_american(contract, middle).price < price else (low, middle)
    return (low + high) / 2


def compare(path: Path) -> ChainDifference:
    """Both engines on one chain."""
    smile, dividends, market = smile_of(path)
    rate = -np.log(smile.discount) / smile.years
    paid = tuple(
        ((new_york_instant(each.ex_date, OPENING) - market.as_of) / YEAR, float(each.amount)) for each in dividends
    )
    spot = smile.forward * smile.discount + sum(amount * np.exp(-rate * when) for when, amount in paid)
    chosen = np.flatnonzero(smile.is_otm & (np.abs(smile.delta) >= 0.03) & (np.abs(smile.delta) <= 0.5))
    assert np.any(np.abs(smile.delta[chosen]) <= MENU_DELTA), "no out-of-the-money quotes of the menu's deltas"
    vols, deltas = np.full(chosen.size, np.nan), np.full(chosen.size, np.nan)
    for place, row in enumerate(chosen):
        contract = AmericanContract(
            is_call=bool(smile.is_call[row]), spot=spot, strike=float(smile.strike[row]), years=smile.years, rate=rate,
            dividends=paid,
        )  # fmt: skip
        vols[place] = _implied_vol(contract, float(smile.mid[row]))
        up, down = (price_american(replace(contract, spot=spot + step), vols[place]).price for step in (BUMP, -BUMP))
        deltas[place] = abs(up - down) / (2 * BUMP)
    old = np.abs(smile.delta[chosen])
    picks = [
        np.nanargmin(np.where(smile.is_call[chosen] == is_call, np.abs(delta - PICK), np.inf))
        for delta in (old, deltas)
        for is_call in (False, True)
    ]
    apart, points = deltas - old, 100 * (vols - smile.iv[chosen])
    return ChainDifference(
        name=path.name.removesuffix(".csv.gz"),
        dte=(smile.expiration - market_date(market.as_of)).days,
        has_ex_date=bool(paid),
        contracts=int(np.isfinite(vols).sum()),
        vol=(float(np.nanmin(points)), float(np.nanmax(points))),
        delta=float(np.nanmax(np.abs(apart[old <= MENU_DELTA]))),
        delta_at_the_money=float(np.nanmax(np.abs(apart))),
        same_picks=picks[:2] == picks[2:],
    )


def main(*paths: str) -> bool:
    """Print a row for each chain; whether all picks are unchanged."""
    found = []
    for path in [Path(each) for each in paths] or [SHIPPED_CHAIN]:
        try:
            found.append(compare(path))
        except (Spy32Error, AssertionError) as trouble:
            print(f"{path.name}: not judged, {trouble}")
            continue
        row = found[-1]
        print(
            f"| {row.name} | {row.dte} | {'yes' if row.has_ex_date else 'no'} | {row.contracts} | {row.vol[0]:+.3f} to "
            f"{row.vol[1]:+.3f} | {row.delta:.4f} | {row.delta_at_the_money:.4f} | "
            f"{'same' if row.same_picks else 'other'} |",
            flush=True,
        )
    return all(row.same_picks for row in found)


if __name__ == "__main__":
    sys.exit(not main(*sys.argv[1:]))
