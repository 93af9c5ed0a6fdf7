"""Several sources as one: the first that answers, for quotes of a few contracts."""

from collections.abc import Sequence

from spy32.domain.market import LegQuotes
from spy32.domain.spreads import Leg
from spy32.errors import Spy32Error
from spy32.markets.base import BaseMarket
from spy32.ports import Market


class FallbackMarket(BaseMarket):
    """Asks its sources in order; the error of the first one is raised when none answers."""

    def __init__(self, sources: Sequence[Market]) -> None:
        self._sources = tuple(sources)
        self.name = self._sources[0].name

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        errors: list[Spy32Error] = []
        for source in self._sources:
            try:
                return source.quotes(underlying, legs)
            except Spy32Error as error:
                errors.append(error)
        raise errors[0]
