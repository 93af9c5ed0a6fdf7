"""Several sources as one, for quotes of a few contracts."""

import pytest

from spy32.errors import Unavailable, Unusable
from spy32.markets.base import FallbackMarket
from tests.support import builders
from tests.support.fakes import FakeMarket


def test_the_first_source_that_answers_is_taken() -> None:
    dead, alive = FakeMarket(trouble=Unavailable("down")), FakeMarket(name="yahoo")
    market = FallbackMarket([dead, alive])
    assert market.name == "cboe"
    assert market.quotes("SPY", builders.spread().legs).source == "yahoo"


def test_when_none_answers_the_error_of_the_first_is_raised() -> None:
    market = FallbackMarket([FakeMarket(trouble=Unavailable("down")), FakeMarket(trouble=Unusable("odd"))])
    with pytest.raises(Unavailable, match="down"):
        market.quotes("SPY", builders.spread().legs)
