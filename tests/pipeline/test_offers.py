"""Which of the expirations near the target is taken: by what can be traded there, asked for no more than needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest

from spy32.domain.market import Chain, OptionQuote, Right
from spy32.domain.spreads import Strategy
from spy32.errors import Unavailable
from spy32.pipeline.collect import CollectedMarket
from spy32.pipeline.gather import MAX_OTHERS
from spy32.settings import Settings
from spy32.settings.model import Choice
from tests.support import builders as b
from tests.support.sources import Source, everything, seen

FRIDAY = b.EXPIRATION
WEDNESDAY, MONDAY = FRIDAY - timedelta(days=2), FRIDAY + timedelta(days=3)
"""30, and 35 days ahead; the Friday between them is 32."""
DAYS = (*b.NEIGHBOURS, WEDNESDAY, FRIDAY, MONDAY)


@dataclass(eq=False)
class CountingSource(Source):
    """A source that says which expirations it was asked for; `dead` ones cannot be had."""

    days: list[tuple[date, ...]] = field(default_factory=list)
    dead: tuple[date, ...] = ()

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        self.days.append(tuple(expirations))
        if self.days[1:] and set(self.dead) & set(expirations):
            raise Unavailable("the connection was reset")
        return super().chain(underlying, expirations)


Change = Callable[[OptionQuote], OptionQuote | None]


def market(change: Change = lambda quote: quote, days: Sequence[date] = DAYS) -> Chain:
    """The chain of these days, each quote as `change` makes it, which may leave it out."""
    whole = b.chain(sorted(days))
    return replace(whole, quotes=tuple(new for quote in whole.quotes if (new := change(quote)) is not None))


def hole(*days: date) -> Callable[[OptionQuote], OptionQuote | None]:
    """Every second put between 600 and 660 is missing on these days, which no gate stops."""
    return lambda quote: (
        None
        if quote.expiration in days and quote.right is Right.PUT and 600 <= quote.strike <= 660 and quote.strike % 4
        else quote
    )


def without_interest(*days: date) -> Callable[[OptionQuote], OptionQuote | None]:
    return lambda quote: replace(quote, open_interest=0) if quote.expiration in days else quote


def wide(*days: date) -> Callable[[OptionQuote], OptionQuote | None]:
    """The quotes of these days are 40 cents wider."""
    return lambda quote: (
        replace(quote, ask=(quote.ask or 0) + 0.4) if quote.expiration in days and quote.right is Right.PUT else quote
    )


def choice_lines(found: CollectedMarket) -> list[str]:
    return [tried.detail for tried in found.snapshot.tried if tried.datum == "expiration"]


def taken(*sources: Source, **choice: object) -> CollectedMarket:
    return seen(everything(sources), settings=replace(Settings(), choice=replace(Choice(), **choice)))  # type: ignore[arg-type]


def test_a_whole_nearest_chain_is_taken_and_no_other_is_asked_for() -> None:
    source = CountingSource(chain_now=market())
    found = taken(source)
    assert found.snapshot.target == FRIDAY
    assert source.days == [(WEDNESDAY, FRIDAY, MONDAY)]
    assert choice_lines(found) == []
    assert [each.day for each in found.tradabilities] == [FRIDAY]


@pytest.mark.parametrize("harm", [hole, without_interest, wide])
def test_a_day_with_holes_wide_quotes_or_no_open_interest_loses_to_the_one_beside_it(
    harm: Callable[..., Change],
) -> None:
    found = taken(CountingSource(chain_now=market(harm(FRIDAY))))
    assert found.snapshot.target == WEDNESDAY
    assert (found.snapshot.dte, found.snapshot.chain.expirations) == (30, (b.NEIGHBOURS[0], WEDNESDAY, FRIDAY))
    assert found.checked is not None and found.checked.smile.expiration == WEDNESDAY
    lines = choice_lines(found)
    assert lines[0].startswith(f"{FRIDAY} (32 days): ") and " of 24 spreads well quoted" in lines[0]
    assert lines[1].startswith(f"{WEDNESDAY} (30 days) taken: ") and "less 2 for 2 days off" in lines[1]
    assert found.tradabilities[1].quoted > found.tradabilities[0].quoted


def test_it_is_the_side_that_is_sold_that_must_be_quoted() -> None:
    source = CountingSource(chain_now=market(wide(FRIDAY)))
    found = taken(source, strategies=(Strategy.CALL_CREDIT,))
    assert (found.snapshot.target, found.tradabilities[0].wanted) == (FRIDAY, 12)


def test_a_day_that_a_gate_stops_is_passed_over() -> None:
    gap = lambda quote: None if quote.expiration == FRIDAY and 640 < quote.strike < 660 else quote  # noqa: E731
    found = taken(CountingSource(chain_now=market(gap)))
    assert found.snapshot.target == WEDNESDAY and found.checked is not None
    assert choice_lines(found)[0].startswith(f"{FRIDAY} (32 days): gate coverage: ")


def test_where_every_day_is_stopped_the_nearest_says_why() -> None:
    gap = lambda quote: None if 640 < quote.strike < 660 else quote  # noqa: E731
    source = CountingSource(chain_now=market(gap))
    found = taken(source)
    assert found.checked is None and found.snapshot.target == FRIDAY
    assert found.quality.stopped_by is not None and found.quality.stopped_by.name == "coverage"
    assert len(choice_lines(found)) == 3


def test_what_stops_the_whole_source_asks_for_no_further_day() -> None:
    source = CountingSource(chain_now=replace(market(), spot=b.SPOT * 1.03))
    assert taken(source).checked is None
    assert len(source.days) == 1


def test_a_day_that_cannot_be_had_leaves_the_nearest_and_is_on_record() -> None:
    found = taken(CountingSource(chain_now=market(hole(FRIDAY)), dead=(WEDNESDAY, MONDAY)))
    assert found.snapshot.target == FRIDAY and found.checked is not None
    assert choice_lines(found) == ["the connection was reset"] * 2


def test_the_second_source_checks_the_day_that_is_taken() -> None:
    first, second = CountingSource(chain_now=market(hole(FRIDAY))), CountingSource(name="yahoo", chain_now=market())
    found = taken(first, second)
    assert found.snapshot.second is not None
    assert (found.snapshot.second.source, found.snapshot.second.expirations) == ("yahoo", (WEDNESDAY,))
    assert len(second.days) == 2


def test_a_second_source_without_that_day_checks_nothing_and_says_so() -> None:
    first = CountingSource(chain_now=market(hole(FRIDAY)))
    second = CountingSource(name="yahoo", chain_now=market(days=(*b.NEIGHBOURS, FRIDAY)))
    found = taken(first, second)
    assert found.snapshot.target == WEDNESDAY and found.snapshot.second is None
    assert [each.detail for each in found.snapshot.tried if each.source == "yahoo" and not each.ok] == [
        f"it has no usable chain of {WEDNESDAY}, which is taken"
    ]


def test_a_tolerance_of_zero_leaves_the_day_itself() -> None:
    source = CountingSource(chain_now=market(hole(FRIDAY)))
    assert taken(source, dte_tolerance=0).snapshot.target == FRIDAY
    assert len(source.days) == 1


def test_a_wide_tolerance_asks_for_a_bounded_number_of_days() -> None:
    days = [FRIDAY + timedelta(days=off) for off in range(-9, 10) if (FRIDAY + timedelta(days=off)).weekday() < 5]
    source = CountingSource(chain_now=market(wide(*days), days=days))
    taken(source, dte_tolerance=9)
    assert len(source.days) == 1 + MAX_OTHERS


def test_the_order_of_the_quotes_changes_nothing() -> None:
    chain = market(hole(FRIDAY))
    turned = replace(chain, quotes=chain.quotes[::-1])
    assert taken(CountingSource(chain_now=chain)).tradabilities == taken(CountingSource(chain_now=turned)).tradabilities
