"""One American contract with a dividend, against QuantLib's finite differences of like accuracy."""

from benchmarks.bench_options import median
from spy32.options.american import price_american
from tests.support.quantlib import RandomContract, quantlib_price

GRID = (400, 1600)
"""Halving it changes prices by 0.1 to 0.2 cents (tests/data/golden), which is the accuracy of our engine."""


def main() -> None:
    paying = RandomContract(
        is_call=False, spot=600.0, strike=612.0, days=32, vol=0.15, rate=0.04, dividends=((18, 1.83),)
    )
    ours = median(lambda: price_american(paying.american, paying.vol))
    theirs = median(lambda: quantlib_price(paying, is_american=True, grid=GRID))
    print(f"an American contract with a dividend: {ours:.1f} ms, {theirs / ours:.1f} times as fast as QuantLib's grid")


if __name__ == "__main__":
    main()
