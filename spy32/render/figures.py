"""The figures of a proposal as a trader reads them, a line a subject: the same on `approve`, `show` and `demo`."""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.proposals import ExitPlan, ProposalKind, ProposalTerms, spread_description
from spy32.domain.spreads import CENT, MULTIPLIER, Candidate, ExitAuthority, Leg, max_width
from spy32.render.formatting import (
    calendar_day,
    format_count,
    format_credit,
    format_dollars,
    format_float_price,
    format_gain,
    format_percent,
    format_price,
    format_strike,
    format_whole,
    humanise,
    signed_delta,
)
from spy32.render.outlook import has_plan, market_odds_words, odds_items
from spy32.render.page import Item, Pairs, pair
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.domain.orders import Trade
    from spy32.domain.run_view import MarketSummary, RunView

UNKNOWN = "n/a"
COVERS_EXITS = "this approval covers its closes too; `manage` sends them when due"


class Surroundings(NamedTuple):
    """Market, account and open trades that a proposal is compared with. Dollars; None is unknown, shown as `n/a`."""

    market: "MarketSummary | None"
    briefing: "Briefing | None"
    now: datetime | None = None
    """Events that are out by then are history."""
    spot: float | None = None
    """The newest that is known."""
    net_liquidation: Decimal | None = None
    open_trades: int | None = None
    open_risk: Decimal | None = None
    """Max loss of everything else that is open."""
    open_limit: Decimal | None = None
    """Most max loss of all open trades."""
    is_past: bool = False
    """A trade was opened since: what was open then is not what is open now."""


def run_surroundings(view: "RunView") -> Surroundings:
    """The surroundings at the time of the run: account and open trades of its sizing decision."""
    ruling, kept = view.ruling, (view.decided_by or {}).get("limits", {}).get("open_risk")
    account = ruling.account if ruling is not None else None
    exposure = ruling.exposure if ruling is not None else None
    net_liquidation = account.net_liquidation if account is not None else None
    return Surroundings(
        market=view.market,
        briefing=view.briefing,
        now=view.market.as_of if view.market is not None else None,
        spot=view.market.spot if view.market is not None else None,
        net_liquidation=net_liquidation,
        open_trades=exposure.open_trades if exposure is not None else None,
        open_risk=exposure.open_risk if exposure is not None else None,
        open_limit=Decimal(kept) * net_liquidation if isinstance(kept, str) and net_liquidation is not None else None,
        is_past=view.trade is not None,
    )


def trade_sentence(result: ProposalTerms) -> str:
    """`SELL 2 SPY 30 Sep 621/616 put spread @ 0.56 cr (floor 0.55)`."""
    if result.kind is ProposalKind.OPEN:
        verb = "SELL" if result.limit_price > 0 else "BUY"
    else:
        verb = "BUY TO CLOSE" if result.limit_price < 0 else "SELL TO CLOSE"
    spread = spread_description(result.underlying, result.legs)
    return (
        f"{verb} {result.quantity} {spread} @ {format_credit(result.limit_price)} ({bound_word(result)} "
        f"{format_price(abs(result.floor_price))})"
    )


def bound_word(result: ProposalTerms) -> str:
    """What the last price of the walk is: the lowest credit to take, or the highest debit to pay."""
    return "floor" if result.limit_price > 0 else "ceiling"


def days_left(result: ProposalTerms, today: date) -> str:
    return f"{(result.expiration - today).days} DTE"


# What the trade is.


def opening_facts(
    result: ProposalTerms, entry: Candidate | None, around: Surroundings, *, below: bool = False
) -> Pairs:
    """Price, loss, odds and greeks of an opening, with the payoff; `below` has the market's odds, and draws that on
    narrow screens too."""
    odds = [pair("With exits", UNKNOWN, "strong")] if entry is None else odds_items(entry, result.quantity)
    if below and entry is not None and has_plan(entry):
        odds.append(pair("By options", market_odds_words(entry)))
    items = (
        pair("Credit" if result.limit_price > 0 else "Debit", _credit(result), "strong"),
        pair("Max profit", f"{max_profit_words(result)} · {_return_on_risk(result)} return on risk", "good"),
        pair(
            "Max loss",
            f"{max_loss_words(result)} · {account_share(result.max_loss, around)} of account",
            "bad",
        ),
        pair("Plus", settlement_fee_words(result.legs) if below else ""),
        pair("Breakeven", breakeven_words(result, around)),
        pair("Greeks", _greeks(result, entry)),
        *odds,
    )
    return Pairs(items=items, payoff=(result, around.market), below=below)


def settlement_fee_words(legs: Sequence[Leg]) -> str:
    """What no max loss has in it: a fee for the exercise or assignment of each leg that ends in the money, as only the
    legs of one right can."""
    from spy32.rules.settlement import EXERCISE_FEE

    rights = [leg.right for leg in legs]
    return f"up to ${EXERCISE_FEE * max(map(rights.count, rights))} exercise/assignment fees"


def max_profit_words(result: ProposalTerms) -> str:
    return f"{format_dollars(result.max_profit)} at {format_price(abs(result.limit_price))}"


def max_loss_words(result: ProposalTerms) -> str:
    """`$894.52 at floor 0.55`: the profit is that of the first limit, the loss that of the last."""
    return f"{format_dollars(result.max_loss)} at {bound_word(result)} {format_price(abs(result.floor_price))}"


def _credit(result: ProposalTerms) -> str:
    price, width = abs(result.limit_price), max_width(result.legs)
    amount = price * MULTIPLIER * result.quantity
    return (
        f"{format_credit(result.limit_price)} = {format_dollars(amount)} · "
        f"{format_percent(float(price / width))} of width"
    )


def _return_on_risk(result: ProposalTerms) -> str:
    return format_percent(float(result.max_profit / result.max_loss)) if result.max_loss > 0 else UNKNOWN


def account_share(amount: Decimal, around: Surroundings) -> str:
    """In per cent of net liquidation, never rounded down to look smaller than it is."""
    total = around.net_liquidation
    if total is None:
        return UNKNOWN
    share = amount / total * 100 if total > 0 else Decimal(100)
    return f"{share.quantize(CENT, ROUND_CEILING)}%"


def breakeven_words(result: ProposalTerms, around: Surroundings) -> str:
    """With the distance in per cent and in expected moves; of two in moves only, so that the payoff has its room."""
    move = around.market.expected_move if around.market is not None else None
    points, moves = [], []
    percent = f"{UNKNOWN}, "
    for point in result.breakevens:
        points.append(format_price(point))
        moves.append(f"{abs(float(point) - around.spot) / move:.2f}" if around.spot and move else UNKNOWN)
        if around.spot:
            percent = f"{float(point) / around.spot - 1:+.1%}, "
    if not points:
        return "none"
    return f"{'/'.join(points)} · {percent if len(points) == 1 else ''}{'/'.join(moves)} exp. moves"


def _greeks(result: ProposalTerms, entry: Candidate | None) -> str:
    if entry is None:
        return UNKNOWN
    each = entry.greeks.delta * MULTIPLIER * result.quantity
    theta = format_gain(entry.greeks.theta * MULTIPLIER * result.quantity)
    return f"short {signed_delta(entry)} · {each:+.1f} shares · theta {theta}"


def closing_facts(result: ProposalTerms, trade: "Trade | None") -> Pairs:
    """What a closing pays, why, what it would leave of the trade, and the buying power that it releases."""
    name, beyond = ("Debit", "above") if result.limit_price < 0 else ("Credit", "below")
    price, last = format_credit(result.limit_price), format_price(abs(result.floor_price))
    items = [pair(name, f"{price}, never {beyond} {last}", "strong")]
    if trade is not None:
        released = format_dollars(trade.max_loss * result.quantity / trade.quantity)
        items.append(pair("Closes", f"T{trade.id}, opened for {format_credit(trade.credit)}"))
        if result.reason is not None:
            items.append(pair("Reason", result.reason.words))
        items.append(pair("Result", closing_result_words(result)))
        items.append(pair("BP effect", f"{released} released"))
    return Pairs(items=tuple(items))


def closing_result_words(result: ProposalTerms) -> str:
    """`+$42.96 at 0.46, +$30.96 at the ceiling 0.52, after fees`: of the spreads that are closed."""
    worst = result.max_profit + (result.floor_price - result.limit_price) * MULTIPLIER * result.quantity
    first, last = format_price(abs(result.limit_price)), format_price(abs(result.floor_price))
    bound = bound_word(result)
    return f"{format_gain(result.max_profit)} at {first}, {format_gain(worst)} at the {bound} {last}, after fees"


# What surrounds it.


def surrounding_items(result: ProposalTerms, around: Surroundings, entry: Candidate | None = None) -> list[Item]:
    """The market, what may happen before the exit, and the book, a line each."""
    items = [pair("Market", market_words(around))]
    if result.kind is ProposalKind.OPEN:
        items.append(pair("Events", _events(result, around.briefing, around.now)))
        items.append(pair("Book", f"{book_words(around)} · BP effect {format_dollars(result.max_loss)}"))
    return [*items, *plan_items(result, entry)]


def plan_items(result: ProposalTerms, entry: Candidate | None = None) -> list[Item]:
    """The exit plan, and that the approval of an opening covers its closes when it does."""
    is_covering = result.kind is ProposalKind.OPEN and result.exit.authority is ExitAuthority.PLAN
    covers = [pair("Covers", COVERS_EXITS, "warn")] if is_covering else []
    costs = entry.costs_round_trip if entry is not None else None
    return [pair("Exit", exit_words(result.exit, result, costs)), *covers]


def market_words(around: Surroundings) -> str:
    line = around.market
    if line is None:
        return UNKNOWN
    vix = UNKNOWN if line.vix is None else f"{line.vix:.2f}"
    move = UNKNOWN if line.expected_move is None else f"±{line.expected_move:.2f}"
    rank = around.briefing.figures.get("market.iv_rank") if around.briefing is not None else None
    ranked = format_percent(rank.value) if rank is not None and rank.value is not None else UNKNOWN
    spot = format_float_price(around.spot if around.spot is not None else line.spot)
    return f"{line.underlying} {spot} · VIX {vix} · IV rank {ranked} · expected move {move}"


def last_day(plan: ExitPlan) -> date:
    """The day by whose end the trade is planned to be over."""
    return plan.time_exit if plan.time_exit is not None else plan.last_exit


def _events(result: ProposalTerms, briefing: "Briefing | None", now: datetime | None) -> str:
    """Scheduled news that is not out yet and ex-dates up to the planned exit; `n/a` where no calendar or feed was at
    hand."""
    if briefing is None:
        return UNKNOWN
    end = last_day(result.exit)
    ahead = [event for event in briefing.events if event.day <= end and not _is_out(event, now)]
    text = [f"{event_name(event.kind)} {calendar_day(event.day)}" for event in ahead]
    text += [f"{event_name(kind)} {UNKNOWN}" for kind in briefing.unknown_events]
    if briefing.dividends is None:
        text.append(f"ex-date {UNKNOWN}")
    else:
        text += [f"ex-date {calendar_day(item.ex_date)}" for item in briefing.dividends if item.ex_date <= end]
    later = [item.ex_date for item in briefing.dividends or () if item.ex_date > end]
    after = f" · ex-date {calendar_day(later[0])} later" if later else ""
    return f"{', '.join(text) or 'none'} by the exit on {calendar_day(end)}{after}"


def _is_out(event: ScheduledEvent, now: datetime | None) -> bool:
    """Whether its time has come; of a day without a time, whether the day is over in New York."""
    at = time.fromisoformat(event.time) if event.time is not None else time.max
    return now is not None and now >= datetime.combine(event.day, at, NEW_YORK)


def event_name(kind: str) -> str:
    """`CPI` and `FOMC`, but `jobs`."""
    return kind.upper() if kind in (EventKind.CPI, EventKind.FOMC) else humanise(kind)


def book_words(around: Surroundings) -> str:
    trades = UNKNOWN if around.open_trades is None else format_count(around.open_trades, "trade")
    risk = UNKNOWN if around.open_risk is None else format_dollars(around.open_risk)
    remaining = UNKNOWN
    if around.open_limit is not None and around.open_risk is not None:
        remaining = format_dollars(max(around.open_limit - around.open_risk, Decimal(0)))
    return f"{'before this trade: ' * around.is_past}{trades}, {risk} at risk · room {remaining}"


def exit_words(plan: ExitPlan, opening: "ProposalTerms | Trade | None" = None, costs: Decimal | None = None) -> str:
    """`target 0.28 (+$51) · stop 1.68 (-$229) · close 9 Sep · you approve`: when `manage` proposes the close.

    `opening` gives the legs, `costs` (both ways, dollars a contract) the results of a proposal in whole dollars. `GTC`
    only where an order is left with the broker; a stop is never one, and has no effect at the width or beyond.
    """

    def words(debit: Decimal) -> str:
        result = ""
        if isinstance(opening, ProposalTerms) and opening.kind is ProposalKind.OPEN and costs is not None:
            amount = ((opening.limit_price - debit) * MULTIPLIER - costs) * opening.quantity
            result = f" ({format_whole(amount)})"
        return f"{format_price(abs(debit))}{result}"

    stop = f"stop {words(plan.stop)}"
    if plan.profit_target <= 0:
        stop = "no stop"
    elif opening is not None and plan.stop >= max_width(opening.legs):
        stop = "no effective stop"
    day, last = plan.time_exit, calendar_day(plan.last_exit)
    parts = (
        f"{'GTC target' if plan.rests_target else 'target'} {words(plan.profit_target)}",
        stop,
        f"close {calendar_day(day)}" if day is not None else f"last exit {last}",
        *(() if plan.authority is ExitAuthority.PLAN else ("you approve",)),
    )
    return " · ".join(parts)


def watch_words(plan: ExitPlan) -> str:
    """Who watches the exits, since most of them are no orders at the broker."""
    rests = "only the target rests with the broker" if plan.rests_target else "nothing rests with the broker"
    return f"by `spy32 manage`, {rests}"


def legs_words(legs: Sequence[Leg], quantity: int) -> str:
    """`Sell to Open 2 x 621 put · Buy to Open 2 x 616 put · 2025-09-30`."""
    kinds = {"P": "put", "C": "call"}
    text = [
        f"{leg.action.value} {leg.quantity * quantity} x {format_strike(leg.strike)} {kinds[leg.right.value]}"
        for leg in legs
    ]
    return " · ".join([*text, f"{legs[0].expiration}"])
