"""Underlyings that are not SPY: synthetic chains with the strikes and price steps of each class, and a profile each."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.support import synthetic_chain

PENNIES, PENNY_PROGRAM, NICKELS = (0.01, 0.01), (0.01, 0.05), (0.05, 0.10)
"""Steps of a contract's quotes below 3.00 and from there on."""
FIRST, SECOND, AFTER = "2026-12-07T10:00:00-05:00", "2026-12-18T10:00:00-05:00", "2027-01-11T10:00:00-05:00"
"""The opening, its time exit, and the session after its expiration."""


@dataclass(frozen=True)
class Underlying:
    ticker: str
    root: str
    spot: float
    step: float
    vol: float
    ticks: tuple[float, float] = PENNIES
    half: float = 0.02
    tick: str = "0.01"
    """Of a spread's price."""
    costs: str = "2.26"
    """To open ten contracts or fewer, dollars a spread: two legs at 1.00 + 0.10 + 0.03 and the exchange's fee."""
    settles_in_cash: bool = False
    knobs: str = ""

    def __str__(self) -> str:
        return self.ticker

    def write_config(self, home: Path) -> None:
        home.mkdir(exist_ok=True)
        profile = f'[profile.other]\nunderlying = "{self.ticker}"\n{self.knobs}\n'
        (home / "config.toml").write_text(f"[paper]\naccount = 5000000\n{profile}")

    def write_chain(self, folder: Path, now: str, *, share: float = 1.0) -> str:
        """The market of a synthetic chain with the underlying at so many times its first price."""
        path = folder / f"{now[:10]}-{share}.csv"
        expiration = "2027-01-08" if now < "2027" else "2027-02-12"
        grid = {"root": self.root, "ticks": self.ticks, "half": self.half}
        synthetic_chain.write(
            path, self.ticker, self.spot * share, self.step, vol=self.vol, now=now, expiration=expiration, **grid
        )
        return f"recorded:{path}"

    def is_on_tick(self, price: str) -> bool:
        return Decimal(price) % Decimal(self.tick) == 0


UNDERLYINGS = (
    Underlying("QQQ", "QQQ", 600.0, 1, 0.20),
    Underlying("IWM", "IWM", 240.0, 1, 0.22),
    Underlying("XSP", "XSP", 640.0, 1, 0.15, costs="2.40", settles_in_cash=True),
    Underlying("SPX", "SPXW", 6400.0, 5, 0.15, NICKELS, 0.10, "0.05", "3.56", True),
    Underlying("NDX", "NDXP", 25000.0, 25, 0.20, NICKELS, 0.50, "0.05", "2.76", True),
    Underlying("RUT", "RUTW", 2400.0, 5, 0.22, NICKELS, 0.10, "0.05", "2.62", True),
    Underlying("AAPL", "AAPL", 270.0, 2.5, 0.28, PENNY_PROGRAM),
    Underlying("SOFI", "SOFI", 18.0, 0.5, 0.55, PENNY_PROGRAM, 0.01, knobs="widths = [50, 100]"),
    Underlying("BRK.B", "BRKB", 490.0, 5, 0.18, NICKELS, 0.05),
)
"""The default widths are 6 to 30 cents on SOFI, where a spread of one strike does not earn its costs."""
