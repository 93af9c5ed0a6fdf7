"""The trade's words and numbers in a line each, for `show --explain`; `docs/glossary.md` has the sources."""

from collections.abc import Mapping

from spy32.domain.spreads import Candidate
from spy32.render.outlook import explained_numbers
from spy32.render.page import Page, Pairs, pair

TERMS: Mapping[str, str] = {
    "cr, db": "credit and debit, dollars a share: one contract is 100 shares",
    "floor": "lowest credit that an opening is ever sent at; of a closing the ceiling is the highest debit",
    "max profit": "the credit at the first limit less the costs to open, whole quantity",
    "max loss": "(width - floor credit) x 100 and the costs to open, whole quantity",
    "return on risk": "max profit over max loss",
    "breakeven": "price at expiration at which the trade earns nothing; in exp. moves: its distance over one move",
    "expected move": "one standard deviation of the underlying to expiration, by the at-the-money implied volatility",
    "POP": "probability of any profit at expiration, by the density that the option prices imply",
    "short delta": "delta of the short option as an option chain shows it: negative for a put, positive for a call",
    "position": "delta of the whole trade from our side: it moves like so many shares",
    "theta": "dollars that a day of waiting brings, all else unchanged, whole quantity",
    "BP effect": "buying power that the trade takes: of a defined-risk spread its max loss",
    "IV rank": "where today's implied volatility lies between the lowest and the highest of the past year",
    "DTE": "calendar days to expiration",
    "mid, natural": "half-way between bid and ask of all legs (the mark); selling at the bid and buying at the ask",
    "GTC": "good till cancelled: the closing order is left with the broker",
    "picture": "at expiration after costs, profit at our price and loss at the floor: | strikes and breakeven, ^ spot, "
    "( ) one expected move each way",
    "ranking": "return on risk, EV, P(profit) under the plan, the market's P(worthless) and the cost of trading change "
    "their order when quotes move by half a tick: they rank no candidates, and nothing is sorted by them",
    "room": "what the limit on all open trades leaves for another max loss",
}


def glossary_page(entry: Candidate | None = None) -> Page:
    """The words, the laws, and each number with its meaning and the value that the candidate has."""
    items = tuple(pair(term, text) for term, text in TERMS.items())
    return Page(parts=(*explained_numbers(entry), Pairs(name="term", title="The words", items=items)))
