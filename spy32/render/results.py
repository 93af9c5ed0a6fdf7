"""What a trade earned, in words."""

from collections.abc import Iterator

from spy32.domain.results import ResultTotals, TradeResult
from spy32.render.formatting import format_count, format_dollars, format_gain, format_percent, humanise
from spy32.render.page import Item, pair


def result_items(result: TradeResult) -> Iterator[Item]:
    """The realised result against what was filled, the costs of it, and what is not realised yet."""
    shares = [
        f"{format_percent(share)} of {what}"
        for share, what in (
            (result.credit_kept, "the credit kept"),
            (result.of_max_profit, "max profit"),
            (result.of_max_loss, "max loss"),
        )
        if share is not None
    ]
    if result.realizations:
        reason = f" by {humanise(result.exit_reason)}" if result.exit_reason is not None else ""
        held = f", held {format_count(result.days_held, 'day')}" if result.days_held is not None else ""
        yield pair("Realised", ", ".join([f"{format_gain(result.realized_profit)}{reason}{held}", *shares]))
    if result.unrealized is not None:
        yield pair("Unrealised", f"{format_gain(result.unrealized)} by the newest usable mark")
    costs = [f"fees {format_dollars(result.fees)}"]
    if result.settlement_fees:
        costs.append(f"of them {format_dollars(result.settlement_fees)} for settlement")
    for slippage, what in ((result.opening_slippage, "to open"), (result.closing_slippage, "to close")):
        if slippage is not None:
            costs.append(f"slippage {format_dollars(slippage)} {what}")
    yield pair("Costs", ", ".join(costs))


def total_words(totals: ResultTotals) -> str:
    """Unrealised and realised in one line; trades without a usable mark are named."""
    missing = f" (without {', '.join(f'T{number}' for number in totals.unmarked)})" if totals.unmarked else ""
    realized = f"{format_gain(totals.week)} this week, {format_gain(totals.month)} this month"
    return f"{format_gain(totals.unrealized)} unrealised{missing} · realised {realized}"
