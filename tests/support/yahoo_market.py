"""Yahoo through the real yfinance against a local server."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from spy32.domain.market import Chain
from spy32.errors import Spy32Error
from spy32.markets.yahoo import YahooMarket
from tests.servers.yahoo import CRUMB, YahooServer

AT = datetime(2025, 8, 25, 14, 0, tzinfo=UTC)  # a Monday, 10:00 New York
TARGET = date(2025, 9, 26)
SINCE = date(2024, 6, 1)


def made(server: YahooServer, *, seconds: float = 15, **more: Any) -> YahooMarket:
    return YahooMarket(
        address=server.url,
        clock=lambda: server.at,
        monotonic=time.monotonic,
        seconds=seconds,
        **more,
    )


def whole(market: YahooMarket) -> Chain:
    return market.chain("SPY", (TARGET,))


def trouble(act: Callable[[], object]) -> Spy32Error:
    with pytest.raises(Spy32Error) as caught:
        act()
    assert "\n" not in caught.value.message
    assert CRUMB not in caught.value.message
    return caught.value
