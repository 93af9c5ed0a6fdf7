"""Random contracts against QuantLib: European prices in closed form, American ones with and without dividends.

`python -m proofs.option_prices [EUROPEAN] [AMERICAN]` with the counts.
"""

import sys

import numpy as np

from spy32.options.american import price_american
from spy32.options.european import build_contracts, price
from tests.support.quantlib import quantlib_american, quantlib_price, random_contracts

HALF_A_CENT = 0.005


def european_differences(count: int, seed: int) -> np.ndarray:
    """Our price less QuantLib's, dollars on a spot of 600, shape (count,)."""
    chosen = random_contracts(count, seed, pays_dividends=False)
    rate, years = (np.array(column) for column in zip(*((c.rate, c.days / 365) for c in chosen), strict=True))
    ours = price(
        build_contracts(
            is_call=[c.is_call for c in chosen],
            strike=[c.strike for c in chosen],
            forward=600.0 * np.exp(rate * years),
            years=years,
            discount=np.exp(-rate * years),
        ),
        [c.vol for c in chosen],
    )
    return ours - np.array([quantlib_price(c, is_american=False) for c in chosen])


def american_differences(count: int, seed: int, *, pays_dividends: bool) -> np.ndarray:
    """Our price less QuantLib's, dollars on a spot of 600, shape (count,)."""
    chosen = random_contracts(count, seed, pays_dividends=pays_dividends)
    return np.array([price_american(c.american, c.vol).price - quantlib_american(c) for c in chosen])


def main(european: int = 10_000, american: int = 1000) -> bool:
    apart = np.abs(european_differences(european, 12)).max()
    plain, paying = (np.abs(american_differences(american, 12, pays_dividends=pays)).max() for pays in (False, True))
    print(
        f"{european} European prices within {apart:.1e} dollars of QuantLib, {american} American ones within "
        f"{plain:.4f}, {american} with up to two dividends within {paying:.4f}"
    )
    return bool(apart < 1e-9 and max(plain, paying) < HALF_A_CENT)


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
