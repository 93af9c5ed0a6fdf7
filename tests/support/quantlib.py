"""Random contracts, and what QuantLib says they are worth: the second implementation of our option mathematics."""

from dataclasses import dataclass

import numpy as np
import QuantLib

from spy32.options.american import AmericanContract, price_american
from spy32.options.european import build_contracts, price

START = QuantLib.Date(3, 11, 2025)
YEAR = 365.0
HALF_A_CENT = 0.005


@dataclass(frozen=True)
class RandomContract:
    """One contract on a spot near 600 with at most two dividends; times are whole days, since QuantLib's are."""

    is_call: bool
    spot: float
    strike: float
    days: int
    vol: float
    rate: float
    dividends: tuple[tuple[int, float], ...] = ()

    @property
    def american(self) -> AmericanContract:
        return AmericanContract(
            is_call=self.is_call,
            spot=self.spot,
            strike=self.strike,
            years=self.days / YEAR,
            rate=self.rate,
            dividends=tuple((day / YEAR, amount) for day, amount in self.dividends),
        )


def random_contracts(count: int, seed: int, *, pays_dividends: bool) -> list[RandomContract]:
    """Contracts from deep in to far out of the money, 1 to 200 days, vols of 5 to 60 %, rates of 0 to 8 %."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        days, vol = int(rng.integers(1, 200)), float(rng.uniform(0.05, 0.6))
        spread = float(np.clip(rng.normal() * 1.5, -4, 4)) * vol * (days / YEAR) ** 0.5
        ex_days = sorted({int(rng.integers(1, 60)), int(rng.integers(1, 200))}) if pays_dividends else []
        found.append(
            RandomContract(
                is_call=bool(rng.integers(2)),
                spot=600.0,
                strike=round(600.0 * float(np.exp(np.clip(spread, -0.4, 0.4))), 0),
                days=days,
                vol=vol,
                rate=float(rng.uniform(0.0, 0.08)),
                dividends=tuple((day, round(float(rng.uniform(0.2, 4.0)), 2)) for day in ex_days if day < days),
            )
        )
    return found


def quantlib_american(contract: RandomContract) -> float:
    """The American price. That of finite differences is extrapolated: its error is proportional to the time step."""
    if not contract.dividends:
        return quantlib_price(contract, is_american=True)
    coarse, fine = (quantlib_price(contract, is_american=True, grid=grid) for grid in ((200, 800), (400, 1600)))
    return 2.0 * fine - coarse


def quantlib_price(contract: RandomContract, *, is_american: bool, grid: tuple[int, int] = (400, 1600)) -> float:
    """The price: closed form for a European option without dividends, the integral equation of Andersen, Lake and
    Offengenden for an American one, finite differences with escrowed dividends for the rest.

    `grid` holds the time steps and the points of the finite differences.
    """
    QuantLib.Settings.instance().evaluationDate = START
    day_count, end = QuantLib.Actual365Fixed(), START + contract.days
    rates = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(START, contract.rate, day_count))
    none = QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(START, 0.0, day_count))
    vols = QuantLib.BlackVolTermStructureHandle(
        QuantLib.BlackConstantVol(START, QuantLib.NullCalendar(), contract.vol, day_count)
    )
    process = QuantLib.BlackScholesMertonProcess(
        QuantLib.QuoteHandle(QuantLib.SimpleQuote(contract.spot)), none, rates, vols
    )
    exercise = QuantLib.AmericanExercise(START, end) if is_american else QuantLib.EuropeanExercise(end)
    right = QuantLib.Option.Call if contract.is_call else QuantLib.Option.Put
    option = QuantLib.VanillaOption(QuantLib.PlainVanillaPayoff(right, contract.strike), exercise)
    if contract.dividends:
        days, amounts = zip(*contract.dividends, strict=True)
        paid = QuantLib.DividendVector([START + day for day in days], list(amounts))
        scheme, model = QuantLib.FdmSchemeDesc.Douglas(), QuantLib.FdBlackScholesVanillaEngine.Escrowed
        engine = QuantLib.FdBlackScholesVanillaEngine(process, paid, *grid, 0, scheme, False, -1.0, model)
    elif is_american:
        engine = QuantLib.QdFpAmericanEngine(process, QuantLib.QdFpAmericanEngine.highPrecisionScheme())
    else:
        engine = QuantLib.AnalyticEuropeanEngine(process)
    option.setPricingEngine(engine)
    return float(option.NPV())


def european_differences(count: int, seed: int) -> np.ndarray:
    """Our price less QuantLib's, dollars on a spot of 600, shape (count,)."""
    chosen = random_contracts(count, seed, pays_dividends=False)
    rate, years = (np.array(column) for column in zip(*((c.rate, c.days / YEAR) for c in chosen), strict=True))
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
