"""The smile of every expiration 25 to 45 days away in a folder of chain files, and the ranking of each file's menu.

`python -m proofs.smiles [FOLDER]`, by default the chains of the tests. One row a file; then what the menu's numbers do
when every quote moves by half a tick.
"""

import random
import sys
import time
from pathlib import Path

from spy32.errors import Unusable
from spy32.markets.bundled_history import total_returns
from spy32.markets.recorded import RecordedMarket
from spy32.options.smile_fit import SmileCurve
from spy32.pipeline.collect import implied_smile, inspect_snapshot
from spy32.pipeline.screen import build_menu
from spy32.sessions import market_date
from spy32.settings import Settings
from tests.support.paths import DATA
from tests.support.smile_checks import (
    calendar_shortfall,
    misses,
    move_quotes,
    price_again,
    rank_correlation,
    shown_numbers,
    steepest_fall,
)
from tests.support.snapshots import recorded_smile, snapshot_of

DAYS = range(25, 46)
MOVES = 10
FALL = -1e-12
SHORTFALL = 1e-5


def judge_smiles(market: RecordedMarket) -> tuple[list[str], int]:
    """The cells of a file's row, and its butterflies and calendar spreads."""
    shares, outside, arbitrage, times, strikes = [], 0.0, 0, [], 0
    earlier: SmileCurve | None = None
    for day in market.expirations(market.underlying):
        if (day - market_date(market.as_of)).days not in DAYS:
            continue
        begun = time.thread_time()
        smile = recorded_smile(market, day, earlier)
        times.append(time.thread_time() - begun)
        if smile.curve is None:
            continue
        missed = misses(smile)
        shares.append((missed == 0).mean())
        strikes += len(missed)
        outside = max(outside, missed.max())
        arbitrage += steepest_fall(smile.curve) < FALL
        arbitrage += earlier is not None and calendar_shortfall(earlier, smile.curve) > SHORTFALL
        earlier = smile.curve
    if not shares:
        return ["-"] * 6, 0
    cells = [f"{len(shares)}", f"{strikes}", f"{sum(s >= 0.98 for s in shares)}", f"{min(shares):.1%}"]
    return [*cells, f"{outside:.3f}", f"{sorted(times)[len(times) // 2] * 1e3:.1f}"], arbitrage


def judge_ranking(market: RecordedMarket) -> dict[str, float]:
    """The lowest rank correlation of each number over the moves; empty without a menu of four."""
    snapshot = snapshot_of(market)
    if isinstance(snapshot, str):
        return {}
    seen, _ = inspect_snapshot(snapshot, Settings())
    candidates = build_menu(seen, Settings(), seed=1, find_history=total_returns).candidates if seen is not None else ()
    if seen is None or len(candidates) < 4:
        return {}
    before = shown_numbers(price_again(candidates, seen.chain, seen.smile, seen.snapshot))
    lowest = dict.fromkeys(before, 1.0)
    for seed in range(MOVES):
        moved = move_quotes(seen.chain, random.Random(seed), together=bool(seed % 2))
        after = shown_numbers(price_again(candidates, moved, implied_smile(moved, seen.snapshot), seen.snapshot))
        for number, values in before.items():
            lowest[number] = min(lowest[number], rank_correlation(values, after[number]))
    return lowest


def main(folder: Path = DATA / "chains") -> bool:
    print(
        "file | expirations | quotes | with 98 % inside | least inside | farthest outside, $ | ms | arbitrage | ranking"
    )
    total = 0
    for path in sorted(folder.glob("*.csv.gz")):
        try:
            market = RecordedMarket.load(path)
            cells, arbitrage = judge_smiles(market)
            ranking = ", ".join(f"{name} {lowest:.2f}" for name, lowest in judge_ranking(market).items())
        except Unusable as refusal:
            print(f"{path.name} | {refusal}")
            continue
        total += arbitrage
        print(" | ".join((path.name.removesuffix(".csv.gz"), *cells, f"{arbitrage}", ranking or "-")), flush=True)
    print(f"{total} butterflies and calendar spreads")
    return total == 0


if __name__ == "__main__":
    sys.exit(0 if main(*map(Path, sys.argv[1:])) else 1)
