"""A whole chain of 10,000 contracts to volatilities and greeks, against one pass that only prices it."""

import statistics
import time

import numpy as np

from spy32.options.european import build_contracts, greeks, implied_vol, price

COUNT = 10_000


def median(act: object, rounds: int = 30) -> float:
    """Median milliseconds of a call, warm."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        act()  # type: ignore[operator]
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def main() -> None:
    rng = np.random.default_rng(32)
    strike, vol = rng.uniform(450, 720, COUNT), rng.uniform(0.08, 0.6, COUNT)
    years = rng.uniform(5 / 365, 1, COUNT)
    them = build_contracts(
        is_call=strike > 600, strike=strike, forward=600.0, years=years, discount=np.exp(-0.04 * years)
    )
    mids = np.maximum(price(them, vol).round(2), 0.01)
    both = median(lambda: greeks(them, implied_vol(them, mids)))
    alone = median(lambda: price(them, vol))
    print(f"{COUNT} contracts to vols and greeks: {both:.1f} ms warm, {both / alone:.1f} times pricing them once")


if __name__ == "__main__":
    main()
