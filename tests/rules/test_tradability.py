"""How many of the spreads that a menu aims at an expiration has well quoted."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.market import OptionQuote, Right
from spy32.domain.spreads import Strategy
from spy32.pipeline.collect import implied_smile
from spy32.rules.tradability import Tradability, best_score, judge_tradability, wanted_spreads
from spy32.settings import Settings
from spy32.settings.model import Choice
from tests.support import builders as b

WHOLE = b.snapshot()
SMILE = implied_smile(WHOLE.chain, WHOLE)


def judged(keeps: Callable[[OptionQuote], OptionQuote | None] = lambda quote: quote, **choice: object) -> Tradability:
    """The tradability of the target expiration with its quotes as `keeps` makes them; its neighbours stay whole."""
    on_target = [quote for quote in WHOLE.chain.quotes if quote.expiration == b.EXPIRATION]
    kept = tuple(new for quote in on_target if (new := keeps(quote)) is not None)
    settings = replace(Settings(), choice=replace(Choice(), **choice))  # type: ignore[arg-type]
    chain = replace(WHOLE.chain, quotes=kept)
    return judge_tradability(chain, SMILE, WHOLE.chain, settings, dte=32, distance=0)


def test_a_whole_chain_has_every_spread_that_a_menu_aims_at() -> None:
    found = judged()
    assert (found.quoted, found.wanted, found.open_interest, found.score) == (24, 24, 5000, 24)
    assert found.words == "24 of 24 spreads well quoted"
    assert best_score(0, Choice()) == 24 and best_score(3, Choice()) == 21


@pytest.mark.parametrize(
    ("keeps", "quoted"),
    [
        (lambda quote: None if quote.right is Right.PUT else quote, 12),
        (lambda quote: replace(quote, open_interest=0), 0),
        (lambda quote: replace(quote, open_interest=None), 0),
        (lambda quote: replace(quote, ask=quote.ask + 2) if quote.right is Right.CALL else quote, 12),
        (lambda quote: replace(quote, bid=0.0), 0),
        # Of the puts with a delta in the band, 630 to 653, one is left to be sold: it stands for every target.
        (lambda quote: None if quote.right is Right.PUT and 629 <= quote.strike <= 652 else quote, 15),
    ],
    ids=["no puts", "nobody holds it", "open interest is not told", "wide calls", "no bids", "a hole"],
)
def test_what_is_missing_is_not_counted(keeps: Callable[[OptionQuote], OptionQuote | None], quoted: int) -> None:
    found = judged(keeps)
    assert (found.quoted, found.wanted) == (quoted, 24)


def test_a_source_that_knows_no_open_interest_at_all_is_not_judged_by_it() -> None:
    chain = replace(WHOLE.chain, quotes=tuple(replace(quote, open_interest=0) for quote in WHOLE.chain.quotes))
    target = replace(chain, quotes=tuple(quote for quote in chain.quotes if quote.expiration == b.EXPIRATION))
    found = judge_tradability(target, SMILE, chain, Settings(), dte=32, distance=0)
    assert (found.quoted, found.open_interest) == (24, 0)


def test_only_the_sides_that_are_sold_count() -> None:
    assert wanted_spreads(replace(Choice(), strategies=(Strategy.PUT_CREDIT,))) == 12
    assert wanted_spreads(replace(Choice(), strategies=(Strategy.IRON_CONDOR,))) == 24
    assert judged(strategies=(Strategy.CALL_CREDIT,)).quoted == 12
    assert judged(deltas=(0.20,), widths=(Decimal(5),)).quoted == 2


@given(st.sets(st.sampled_from([quote.strike for quote in WHOLE.chain.quotes])))
def test_the_count_is_never_more_than_what_is_wanted(missing: set[Decimal]) -> None:
    found = judged(lambda quote: None if quote.strike in missing else quote)
    assert 0 <= found.quoted <= found.wanted
