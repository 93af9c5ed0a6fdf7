"""A home with one approved proposal of a mode, made at ten on a Monday, and a server that counts what it is asked."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.settings import Settings
from spy32.store import Store
from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TastytradeServer
from tests.servers.web import Reply, Request, StandIn
from tests.support import approvals, builders
from tests.support.paths import ROOT
from tests.support.timeouts import PATIENCE

NUMBER = "5WX01234"
NOW = "2025-10-06T14:05:00Z"
SECRETS = (CLIENT_SECRET, REFRESH_TOKEN)


class AccountServer(TastytradeServer):
    """The accounts of one customer, and what may be done with them."""

    def __init__(self, at: datetime | None = None) -> None:
        super().__init__(*([at] if at is not None else []))
        self.accounts = [NUMBER]
        self.status: dict[str, Any] = {"options-level": "No Restrictions"}

    def routes(self) -> Any:
        return super().routes() | {
            r"GET /customers/me/accounts": self._accounts,
            r"GET /customers/me/accounts/([^/]+)": lambda request, number: self.envelope(
                request, self._account(number)
            ),
            r"GET /accounts/([^/]+)/trading-status": lambda request, number: self.envelope(
                request, {"account-number": number, **self._flags(), **self.status}
            ),
            r"GET /accounts/([^/]+)/balances(?:/USD)?": lambda request, number: self.envelope(
                request, {**self._balances(), "account-number": number}
            ),
            r"GET /accounts/([^/]+)/positions": lambda request, number: self.envelope(request, {"items": []}),
        }

    def _accounts(self, request: Request) -> Reply:
        items = [{"account": self._account(number), "authority-level": "owner"} for number in self.accounts]
        return self.envelope(request, {"items": items})

    def _account(self, number: str) -> dict[str, Any]:
        return {
            "account-number": number,
            "account-type-name": "Individual",
            "nickname": "Individual",
            "margin-or-cash": "Margin",
            "is-closed": False,
            "suitable-options-level": "No Restrictions",
            "opened-at": "2024-03-05T15:00:00.000+00:00",
        }

    def _flags(self) -> dict[str, Any]:
        names = ("is-closed", "is-frozen", "is-closing-only", "is-risk-reducing-only", "is-in-margin-call")
        return dict.fromkeys(names, False)

    def _balances(self) -> dict[str, Any]:
        names = ("cash-balance", "net-liquidating-value", "derivative-buying-power", "equity-buying-power")
        return {"currency": "USD", **dict.fromkeys(names, "50000.0")}


@dataclass
class LiveHome:
    """The program in cron's bare environment; nothing it writes may hold a secret or a whole account number."""

    home: Path
    url: str
    env: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def around(self, mode: str, **more: str) -> dict[str, str]:
        found = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LOGNAME": "anna",
            "SPY32_HOME": str(self.home),
            "SPY32_MODE": mode,
            "SPY32_CLOCK": NOW,
            "SPY32_ANALYST_NAME": "rules",
            "SPY32_TASTYTRADE_URL": self.url,
            "SPY32_CBOE_URL": self.url,
            "SPY32_YAHOO_URL": self.url,
            "SPY32_MARKET_CHAIN": "tastytrade,cboe",
            "TASTYTRADE_CLIENT_SECRET": CLIENT_SECRET,
            "TASTYTRADE_REFRESH_TOKEN": REFRESH_TOKEN,
        }
        return {name: text for name, text in (found | self.env | more).items() if text}

    def spy32(
        self, *words: str, mode: str = "live", stdin: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "spy32", *words],
            env=self.around(mode, **more),
            cwd=ROOT,
            capture_output=True,
            text=True,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            timeout=PATIENCE,
        )
        self.written.append(done.stdout + done.stderr)
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    def approved(self, mode: Mode = Mode.LIVE, *, number: str = NUMBER, **over: Any) -> Proposal:
        """A proposal that anna approved, in the database of its mode."""
        with self.store(mode, number) as store:
            account = builders.account(mode=mode, number=number)
            made = approvals.proposed(store, account, **over)
            store.proposals.approve(builders.approval(made))
            return store.proposals.get(made.id)

    def adopt(self, mode: Mode = Mode.LIVE) -> None:
        """A copied home becomes the one that sends, as `spy32 db adopt` makes it."""
        with self.store(mode) as store:
            store.location.claim(builders.NOW, "anna")

    def store(self, mode: Mode = Mode.LIVE, number: str = NUMBER) -> Store:
        cash = Settings().paper.account if mode is Mode.PAPER else None
        return Store.open(self.home / f"{mode}.db", mode=mode, account=number, at=builders.NOW, opening_cash=cash)


def leaks(home: LiveHome, *markers: str, but: tuple[str, ...] = (".env",)) -> list[str]:
    """Where a marker was written: in an answer of the program, or in a file of the home."""
    found = [f"output: {text[:200]}" for text in home.written if any(marker in text for marker in markers)]
    for path in sorted(home.home.rglob("*")):
        if path.is_file() and path.name not in but:
            body = path.read_bytes()
            found += [f"{path.name} holds a marker" for marker in markers if marker.encode() in body]
    return found


@contextmanager
def live_home(folder: Path) -> Iterator[tuple[LiveHome, StandIn]]:
    """A home whose every address is a server that counts what it is asked, and knows nothing."""
    home = folder / "home"
    home.mkdir()
    server = StandIn()
    with server.running():
        yield LiveHome(home=home, url=server.url), server
