"""Several sources as one: the first that answers, for quotes of a few contracts."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

from spy32.domain.market import Chain, LegQuotes
from spy32.domain.spreads import Leg
from spy32.errors import Spy32Error
from spy32.markets.base import BaseMarket
from spy32.ports import Market

T = TypeVar("T")


class FallbackMarket(BaseMarket):
    """Asks its sources in order; the error of the first one is raised when none answers."""

    def __init__(self, sources: Sequence[Market]) -> None:
        self._sources = tuple(sources)
        self.name = self._sources[0].name

    def expirations(self, underlying: str) -> tuple[date, ...]:
        return self._first_answer(lambda source: source.expirations(underlying))

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        return self._first_answer(lambda source: source.chain(underlying, expirations))

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        return self._first_answer(lambda source: source.quotes(underlying, legs))

    def _first_answer(self, ask: Callable[[Market], T]) -> T:
        errors: list[Spy32Error] = []
        for source in self._sources:
            try:
                return ask(source)
            except Spy32Error as error:
                errors.append(error)
        raise errors[0]
