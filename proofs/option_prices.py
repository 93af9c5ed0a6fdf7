"""Random contracts against QuantLib: European prices in closed form, American ones with and without dividends.

`python -m proofs.option_prices [EUROPEAN] [AMERICAN]` with the counts.
"""

import sys

import numpy as np

from tests.support.quantlib import HALF_A_CENT, american_differences, european_differences


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
