"""A running stand-in whose fills a test decides, and a client of it without a mind of its own."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.servers.plain_desk import DeskClient
from tests.servers.tastytrade_orders import TastytradeBrokerServer


@pytest.fixture
def server() -> Iterator[TastytradeBrokerServer]:
    with TastytradeBrokerServer().running() as running:
        running.policy.fills_at = Decimal(0)
        running.policy.debit_fills_at = Decimal(1000)
        yield running


@pytest.fixture
def desk(server: TastytradeBrokerServer) -> DeskClient:
    return DeskClient(server)
