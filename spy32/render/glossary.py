"""The trade's words and numbers in a line each, for `show --explain`; `docs/glossary.md` has the sources."""

from collections.abc import Mapping

from spy32.domain.spreads import Candidate
from spy32.render.formatting import format_known
from spy32.render.outlook import NUMBERS, side_record_words
from spy32.render.page import Page, pairs

TERMS: Mapping[str, str] = {
    "cr, db": "credit and debit, dollars a share: one contract is 100 shares",
    "floor": "lowest credit that an opening is ever sent at; of a closing and of a debit spread the ceiling is the "
    "highest debit",
    "max profit": "the most that is earned at the first limit, less the costs to open, whole quantity",
    "max loss": "(width - floor credit) x 100 and the costs to open, whole quantity; a debit spread's is its debit. "
    "Exercise and assignment at expiration cost $5 a leg on top",
    "BP effect": "buying power that the trade takes: its max loss; a broker counts it at the fill, not at the floor, "
    "and takes the fees from net liquidation as well",
    "return on risk": "max profit over max loss",
    "breakeven": "price at expiration at which the trade earns nothing; in exp. moves: its distance over one move",
    "expected move": "one standard deviation of the underlying to expiration, by the at-the-money implied volatility",
    "win": "probability of any profit after costs: with the exits of the plan, or held to expiration",
    "POP": "what others call the win at expiration by option prices",
    "By history": "what the order is worth, after the fees and slippage of both ways; held, of the opening alone",
    "With exits, If held": "win, and the average profit of the order with the 90% interval of that average, by history",
    "By options": "the probability of a win at expiration that the option prices imply, and what a backtest says of it",
    "loss each": "max loss of one contract",
    "EV each": "average profit of one contract with exits, by history, after costs",
    "short delta": "delta of the short option as an option chain shows it: negative for a put, positive for a call",
    "position": "delta of the whole trade from our side: it moves like so many shares. On the run's smile; the "
    "book of the risk page takes each leg's own vol, so that its greeks differ a little",
    "theta": "dollars that a day of waiting brings, all else unchanged, whole quantity",
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


MEANINGS: Mapping[str, str] = {
    "options": "the odds that the option prices imply; they hold a premium for risk: a price, no forecast",
    "history": "returns since 1993 scaled by today's VIX over the VIX of then",
    "without its rise": "the same returns, weighted so that prices do not rise faster than interest",
    "with exits": "by the exit plan (profit target, stop, time exit, last exit): simulated, not checked on outcomes",
    "if held": "held to expiration: the odds that the backtest has checked",
    "90% sure": "the interval of the average, by resampling the past in blocks; single trades vary far more",
}


def glossary_page(entry: Candidate | None = None) -> Page:
    """Whose the numbers are, each with its meaning and the value that the candidate has, and the words."""
    outlook = entry.outlook if entry is not None else None
    found = {label: format_known(words, outlook) for label, (words, _) in NUMBERS.items()}
    # A number that this underlying does not have is left out.
    labels = [label for label, words in found.items() if words or outlook is None]
    numbers = ((label, ": ".join(filter(None, (found[label], NUMBERS[label][1])))) for label in labels)
    sources = (*MEANINGS.items(), ("backtest", side_record_words(() if entry is None else (entry,))))
    return Page(
        parts=(
            pairs(sources, "source", "Where the numbers come from"),
            pairs(numbers, "number", "The numbers, one contract"),
            pairs(TERMS.items(), "term", "The words"),
        )
    )
