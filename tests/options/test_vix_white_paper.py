"""The appendix of Cboe's VIX white paper (2019): its variance by its own sum, and by the density of our smile."""

import csv
import math
from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from spy32.domain.market import OptionQuote, Right
from spy32.options.density import implied_density
from spy32.options.surface import build_smile
from tests.support.paths import DATA

GOLDEN = DATA / "golden"
TERMS = {"near": ("1", date(2019, 1, 1)), "next": ("2", date(2019, 1, 8))}
"""Number of each term in the paper, and a day to tell them apart: the paper states times in years."""
MINUTES_YEAR, MINUTES_MONTH = 525_600, 43_200


def published() -> dict[str, float]:
    with (GOLDEN / "vix_whitepaper_2019_expected.csv").open() as file:
        return {row["quantity"]: float(row["value"]) for row in csv.DictReader(file)}


def rows(term: str) -> list[dict[str, float]]:
    with (GOLDEN / "vix_whitepaper_2019_chain.csv").open() as file:
        return [
            {key: float(row[key]) for key in row if key != "term"}
            for row in csv.DictReader(file)
            if row["term"] == term
        ]


def quotes(term: str) -> tuple[OptionQuote, ...]:
    return tuple(
        OptionQuote(
            root="SPX", expiration=TERMS[term][1], strike=Decimal(str(row["strike"])), right=right,
            bid=row[f"{side}_bid"], ask=row[f"{side}_ask"],
        )
        for row in rows(term)
        for side, right in (("call", Right.CALL), ("put", Right.PUT))
    )  # fmt: skip


def paper_variance(term: str) -> float:
    """The sum of the paper: out-of-the-money mids over squared strikes, up to two zero bids in a row."""
    known, number = published(), TERMS[term][0]
    at, forward = known[f"K0_{number}"], known[f"F{number}"]
    years, rate = known[f"minutes_{number}"] / MINUTES_YEAR, known[f"R{number}"]
    table = {row["strike"]: row for row in rows(term)}

    def chosen(side: str, strikes: list[float]) -> dict[float, float]:
        found: dict[float, float] = {}
        for strike, after in pairwise([*strikes, strikes[-1]]):
            if table[strike][f"{side}_bid"] == 0:
                if table[after][f"{side}_bid"] == 0:
                    break
                continue
            found[strike] = (table[strike][f"{side}_bid"] + table[strike][f"{side}_ask"]) / 2
        return found

    ascending = sorted(table)
    mids = {
        **chosen("put", [strike for strike in reversed(ascending) if strike < at]),
        **chosen("call", [strike for strike in ascending if strike > at]),
        at: sum(table[at][f"{side}_{end}"] for side in ("call", "put") for end in ("bid", "ask")) / 4,
    }
    strikes = sorted(mids)
    total = 0.0
    for place, strike in enumerate(strikes):
        low, high = strikes[max(place - 1, 0)], strikes[min(place + 1, len(strikes) - 1)]
        width = (high - low) / (1 if place in (0, len(strikes) - 1) else 2)
        total += width / strike**2 * math.exp(rate * years) * mids[strike]
    return 2 / years * total - (forward / at - 1) ** 2 / years


def density_variance(term: str) -> float:
    """-2 E[ln(S/F)] / T, the same variance without a sum over strikes."""
    known, number = published(), TERMS[term][0]
    years = known[f"T{number}_years"]
    smile = build_smile(
        quotes(term), spot=known[f"F{number}"], years=years, rate=known[f"R{number}"], expiration=TERMS[term][1]
    )
    assert smile.forward == pytest.approx(known[f"F{number}"], abs=0.5)
    density = implied_density(smile)
    return -2 * float(density.mass @ np.log(density.prices / smile.forward)) / years


def vix(near: float, following: float) -> float:
    known = published()
    minutes = known["minutes_1"], known["minutes_2"]
    share = (minutes[1] - MINUTES_MONTH) / (minutes[1] - minutes[0])
    total = (minutes[0] * near * share + minutes[1] * following * (1 - share)) / MINUTES_YEAR
    return 100 * math.sqrt(total * MINUTES_YEAR / MINUTES_MONTH)


def test_the_paper_s_sum_gives_its_printed_digits() -> None:
    known = published()
    near, following = paper_variance("near"), paper_variance("next")
    assert near == pytest.approx(known["sigma2_1"], abs=5e-9)
    assert following == pytest.approx(known["sigma2_2"], abs=5e-9)
    assert vix(near, following) == pytest.approx(13.685821, abs=5e-7)


def test_the_density_of_our_smile_has_the_same_variance() -> None:
    """Without the paper's truncation at two zero bids and its steps between strikes: a fifth of a vol point apart."""
    assert vix(density_variance("near"), density_variance("next")) == pytest.approx(published()["vix"], abs=0.2)
