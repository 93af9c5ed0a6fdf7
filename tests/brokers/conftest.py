"""The tastytrade broker on a server that says what a test wants it to say."""

from collections.abc import Iterator

import pytest

from spy32.brokers.tastytrade import TastytradeBroker
from tests.servers.tastytrade import Rig
from tests.support.tastytrade_broker import Scripted, made


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted().running() as running:
        assert isinstance(running, Scripted)
        yield running


@pytest.fixture
def rig(server: Scripted) -> Rig:
    return Rig(server)


@pytest.fixture
def broker(rig: Rig) -> TastytradeBroker:
    return made(rig)
