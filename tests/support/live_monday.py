"""A whole Monday against local servers: Cboe, Yahoo and xAI as they speak, and the program as cron starts it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.servers.cboe import CboeServer
from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TastytradeServer
from tests.servers.xai import KEY, XaiServer
from tests.servers.yahoo import YahooServer
from tests.support.timeouts import PATIENCE

MONDAY = datetime(2025, 8, 25, 14, 0, tzinfo=UTC)
"""10:00 in New York; the shipped chain of the Friday after is brought to it."""


@dataclass
class LiveMonday:
    home: Path
    cboe: CboeServer
    yahoo: YahooServer
    xai: XaiServer
    tastytrade: TastytradeServer | None = None
    env: dict[str, str] = field(default_factory=dict)

    def spy32(self, *words: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """The real program in cron's bare environment, pointed at the servers."""
        around = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LOGNAME": "tester", **self.env, **env}
        done = subprocess.run(
            [sys.executable, "-m", "spy32", *words],
            env={name: text for name, text in around.items() if text},
            capture_output=True,
            text=True,
            input=stdin,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    def analyze(self, *words: str, **env: str) -> tuple[int, dict[str, Any]]:
        """Exit code and document of a run."""
        done = self.spy32("analyze", "--json", *words, **env)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def figure(self, path: str) -> dict[str, Any]:
        """A figure of the latest run."""
        shown = json.loads(self.spy32("show", "--json").stdout)
        return next(figure for figure in shown["figures"] if figure["path"] == path)

    def quality(self) -> dict[str, dict[str, Any]]:
        """The gates of the latest run by name."""
        shown = json.loads(self.spy32("show", "--quality", "--json").stdout)
        return {gate["name"]: gate for gate in shown["quality"]["gates"]}


@contextmanager
def live_monday(
    home: Path, *, now: datetime = MONDAY, with_broker: bool = False, tickers: Sequence[str] = ("SPY",)
) -> Iterator[LiveMonday]:
    """All servers running, healthy and of one mind, and a home that knows their addresses."""
    cboe = CboeServer(now - timedelta(minutes=15), tickers=tickers)
    yahoo = YahooServer(now)
    xai = XaiServer(key=KEY)
    broker = TastytradeServer(at=now) if with_broker else None
    with ExitStack() as stack:
        for server in (cboe, yahoo, xai, *((broker,) if broker is not None else ())):
            stack.enter_context(server.running())
        env = {
            "SPY32_HOME": str(home),
            "SPY32_CLOCK": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "SPY32_CBOE_URL": cboe.url,
            "SPY32_YAHOO_URL": yahoo.url,
            "SPY32_XAI_URL": f"{xai.url}/v1",
            "XAI_API_KEY": KEY,
        }
        if broker is not None:
            env |= {
                "SPY32_TASTYTRADE_URL": broker.url,
                "TASTYTRADE_CLIENT_SECRET": CLIENT_SECRET,
                "TASTYTRADE_REFRESH_TOKEN": REFRESH_TOKEN,
            }
        yield LiveMonday(home=home, cboe=cboe, yahoo=yahoo, xai=xai, tastytrade=broker, env=env)
