"""How well an expiration can be traded: how many of the spreads that a menu aims at have legs with usable quotes.

A daily expiration is listed weeks after the Friday beside it, with fewer strikes, wider quotes and hardly any open
interest.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from spy32.domain.market import Chain
from spy32.domain.spreads import Strategy
from spy32.quality.common import median
from spy32.rules.candidates import MENU_RULES, MenuTerms, Vertical
from spy32.rules.expirations import DAY_COST, Tradability
from spy32.rules.menu import build_ladder
from spy32.settings import Settings
from spy32.settings.model import Choice

if TYPE_CHECKING:
    from spy32.options.surface import Smile

QUOTE_RULES = tuple(
    rule for name, rule in MENU_RULES if name in ("width", "leg_quotes", "open_interest", "natural_credit")
)
"""The menu's rules on quotes and strikes; the delta is chosen within its band. Those on the credit are left out: a
later expiration always pays more."""
CREDIT_SIDES = (Strategy.PUT_CREDIT, Strategy.CALL_CREDIT)


def best_score(distance: int, choice: Choice) -> int:
    """Return the score of an expiration so far off the target when nothing of it is missing."""
    return wanted_spreads(choice) - DAY_COST * distance


def wanted_spreads(choice: Choice) -> int:
    return len(_sides(choice)) * len(choice.deltas) * len(choice.widths)


def judge_tradability(
    chain: Chain, smile: "Smile", listed: Chain, settings: Settings, *, dte: int, distance: int
) -> Tradability:
    """Return the tradability of the smile's expiration.

    `chain` holds its usable quotes, `listed` what the source sent with its neighbours: a source that knows open
    interest there has said of this expiration that it has none.
    """
    terms = MenuTerms.derive(chain, settings)
    terms = replace(
        terms, has_open_interest=terms.has_open_interest or any(quote.open_interest for quote in listed.quotes)
    )
    pairs = [pair for side in _sides(settings.choice) for pair in _quoted_spreads(chain, smile, side, terms)]
    interests = {pair.short.view.quote.symbol: pair.short.view.quote.open_interest or 0 for pair in pairs}
    return Tradability(
        day=smile.expiration,
        dte=dte,
        distance=distance,
        quoted=len(pairs),
        wanted=wanted_spreads(settings.choice),
        open_interest=round(median([*interests.values()])) if interests else 0,
    )


def _sides(choice: Choice) -> tuple[Strategy, ...]:
    """The sides that are sold: both where a strategy is not of one side only."""
    is_vertical = all(strategy in CREDIT_SIDES for strategy in choice.strategies)
    return tuple(side for side in CREDIT_SIDES if side in choice.strategies or not is_vertical)


def _quoted_spreads(chain: Chain, smile: "Smile", side: Strategy, terms: MenuTerms) -> list[Vertical]:
    """Return the different spreads of one side that pass `QUOTE_RULES`.

    Of each target delta and width: the leg nearest the delta within its band, with the leg nearest the width. A pair of
    strikes that stands for two targets counts once.
    """
    choice, ladder = terms.settings.choice, build_ladder(chain, smile, side)
    shorts = [leg for leg in ladder.legs.values() if choice.delta_low <= leg.delta <= choice.delta_high]
    found: dict[tuple[object, object], Vertical] = {}
    for delta in choice.deltas if shorts else ():
        short = min(shorts, key=lambda leg: (abs(leg.delta - delta), leg.delta))
        for width in choice.widths:
            long = ladder.protective_leg(short, width * terms.scale)
            if long is not None:
                found[short.strike, long.strike] = terms.pair(side, short, long)
    return [pair for pair in found.values() if all(judge(pair, terms) is None for judge in QUOTE_RULES)]
