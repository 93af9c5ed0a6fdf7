"""The figures of a proposal as a trader reads them, a line a subject: the same on `approve`, `show` and `demo`."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import ROUND_CEILING, Decimal
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Right
from spy32.domain.proposals import ExitPlan, Proposal, ProposalKind, ProposalTerms, spread_description
from spy32.domain.spreads import CENT, MULTIPLIER, Candidate, ExitAuthority, Leg, max_width
from spy32.render.formatting import (
    DAYS,
    UNKNOWN,
    calendar_day,
    describe_assignment,
    format_both_zones,
    format_count,
    format_credit,
    format_dollars,
    format_float_price,
    format_gain,
    format_known,
    format_percent,
    format_price,
    format_strike,
    format_whole,
    humanise,
    mask_account,
    signed_delta,
)
from spy32.render.outlook import has_plan, market_odds_words, odds_items
from spy32.render.page import Item, Pairs, at_path, pair, pairs
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.domain.orders import Trade
    from spy32.domain.run_view import MarketSummary, RunView

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
    market, ruling = view.market, view.ruling
    share = (view.decided_by or {}).get("limits", {}).get("open_risk")
    account = ruling.account if ruling is not None else None
    exposure = ruling.exposure if ruling is not None else None
    open_limit = None
    if account is not None and isinstance(share, str):
        open_limit = Decimal(share) * account.net_liquidation
    return Surroundings(
        market=market,
        briefing=view.briefing,
        now=at_path(market, "as_of"),
        spot=at_path(market, "spot"),
        net_liquidation=at_path(account, "net_liquidation"),
        open_trades=at_path(exposure, "open_trades"),
        open_risk=at_path(exposure, "open_risk"),
        open_limit=open_limit,
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
    price = format_price(abs(result.limit_price))
    credit = f"{format_credit(result.limit_price)} = {format_dollars(abs(result.limit_price) * _shares(result))}"
    of_width = format_percent(float(abs(result.limit_price) / max_width(result.legs)))
    return_on_risk = format_percent(float(result.max_profit / result.max_loss)) if result.max_loss > 0 else UNKNOWN
    odds = [pair("With exits", UNKNOWN, "strong")] if entry is None else odds_items(entry, result.quantity)
    if below and entry is not None and has_plan(entry):
        odds.append(pair("By options", market_odds_words(entry)))
    items = (
        pair("Credit" if result.limit_price > 0 else "Debit", f"{credit} · {of_width} of width", "strong"),
        pair(
            "Max profit",
            f"{format_dollars(result.max_profit)} at {price} · {return_on_risk} return on risk",
            "good",
        ),
        pair("Max loss", f"{max_loss_words(result)} · {account_share(result.max_loss, around)} of account", "bad"),
        pair("Plus", settlement_fee_words(result.legs) if below else ""),
        pair("Breakeven", breakeven_words(result, around)),
        pair("Greeks", format_known(partial(_greeks, result), entry, UNKNOWN)),
        *odds,
    )
    return Pairs(items, payoff=(result, around.market), below=below)


def _shares(result: ProposalTerms) -> int:
    return MULTIPLIER * result.quantity


def settlement_fee_words(legs: Sequence[Leg]) -> str:
    """What no max loss has in it: a fee for the exercise or assignment of each leg that ends in the money, as only the
    legs of one right can."""
    from spy32.rules.settlement import EXERCISE_FEE

    rights = [leg.right for leg in legs]
    return f"up to ${EXERCISE_FEE * max(map(rights.count, rights))} exercise/assignment fees"


def max_loss_words(result: ProposalTerms) -> str:
    """`$894.52 at floor 0.55`: the profit is that of the first limit, the loss that of the last."""
    return f"{format_dollars(result.max_loss)} at {bound_word(result)} {format_price(abs(result.floor_price))}"


def account_share(amount: Decimal, around: Surroundings) -> str:
    """In per cent of net liquidation, never rounded down to look smaller than it is."""
    total = around.net_liquidation
    if total is None:
        return UNKNOWN
    share = amount / total * 100 if total > 0 else Decimal(100)
    return f"{share.quantize(CENT, ROUND_CEILING)}%"


def breakeven_words(result: ProposalTerms, around: Surroundings) -> str:
    """With the distance in per cent and in expected moves; of two in moves only, so that the payoff has its room."""
    move, spot = at_path(around.market, "expected_move"), around.spot
    points = result.breakevens
    if not points:
        return "none"
    moves = (f"{abs(float(point) - spot) / move:.2f}" if spot and move else UNKNOWN for point in points)
    percent = f"{float(points[0]) / spot - 1:+.1%}" if spot else UNKNOWN
    distance = "/".join(moves) if points[1:] else f"{percent}, {next(moves)}"
    return f"{'/'.join(map(format_price, points))} · {distance} exp. moves"


def _greeks(result: ProposalTerms, entry: Candidate) -> str:
    theta = format_gain(entry.greeks.theta * _shares(result))
    return f"short {signed_delta(entry)} · {entry.greeks.delta * _shares(result):+.1f} shares · theta {theta}"


def closing_facts(result: ProposalTerms, trade: "Trade | None") -> Pairs:
    """What a closing pays, why, what it would leave of the trade, and the buying power that it releases."""
    name, beyond = ("Debit", "above") if result.limit_price < 0 else ("Credit", "below")
    price, last = format_credit(result.limit_price), format_price(abs(result.floor_price))
    items = [pair(name, f"{price}, never {beyond} {last}", "strong")]
    if trade is not None:
        released = format_dollars(trade.max_loss * result.quantity / trade.quantity)
        items += [
            pair("Closes", f"T{trade.id}, opened for {format_credit(trade.credit)}"),
            pair("Reason", format_known(attrgetter("words"), result.reason)),
            pair("Result", closing_result_words(result)),
            pair("BP effect", f"{released} released"),
        ]
    return pairs(items)


def closing_result_words(result: ProposalTerms) -> str:
    """`+$42.96 at 0.46, +$30.96 at the ceiling 0.52, after fees`: of the spreads that are closed."""
    worst = result.max_profit + (result.floor_price - result.limit_price) * _shares(result)
    first, last = format_price(abs(result.limit_price)), format_price(abs(result.floor_price))
    best, bound = format_gain(result.max_profit), bound_word(result)
    return f"{best} at {first}, {format_gain(worst)} at the {bound} {last}, after fees"


# What surrounds it.


def surrounding_items(result: ProposalTerms, around: Surroundings, entry: Candidate | None = None) -> list[Item]:
    """The market, what may happen before the exit, and the book, a line each."""
    items = [pair("Market", market_words(around))]
    if result.kind is ProposalKind.OPEN:
        items.append(pair("Events", _events(result, around.briefing, around.now)))
        items.append(pair("Book", f"{book_words(around)} · BP effect {format_dollars(result.max_loss)}"))
    return [*items, *plan_items(result, entry)]


def is_covering_exits(result: ProposalTerms) -> bool:
    """Whether the approval of this opening covers its closes."""
    return result.kind is ProposalKind.OPEN and result.exit.authority is ExitAuthority.PLAN


def plan_items(result: ProposalTerms, entry: Candidate | None = None) -> list[Item]:
    """The exit plan, and that the approval of an opening covers its closes when it does."""
    covers = [pair("Covers", COVERS_EXITS, "warn")] if is_covering_exits(result) else []
    return [pair("Exit", exit_words(result.exit, result, at_path(entry, "costs_round_trip"))), *covers]


def market_words(around: Surroundings) -> str:
    line = around.market
    if line is None:
        return UNKNOWN
    vix = format_known("{:.2f}".format, line.vix, UNKNOWN)
    move = format_known("±{:.2f}".format, line.expected_move, UNKNOWN)
    figures = around.briefing.figures if around.briefing is not None else {}
    rank = format_known(format_percent, at_path(figures.get("market.iv_rank"), "value"), UNKNOWN)
    spot = format_float_price(around.spot if around.spot is not None else line.spot)
    return f"{line.underlying} {spot} · VIX {vix} · IV rank {rank} · expected move {move}"


def _events(result: ProposalTerms, briefing: "Briefing | None", now: datetime | None) -> str:
    """Scheduled news that is not out yet and ex-dates up to the planned exit; `n/a` where no calendar or feed was at
    hand."""
    if briefing is None:
        return UNKNOWN
    end = result.exit.time_exit or result.exit.last_exit
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
    trades = format_known(lambda count: format_count(count, "trade"), around.open_trades, UNKNOWN)
    risk = format_known(format_dollars, around.open_risk, UNKNOWN)
    room = UNKNOWN
    if around.open_limit is not None and around.open_risk is not None:
        room = format_dollars(max(around.open_limit - around.open_risk, Decimal(0)))
    return f"{'before this trade: ' * around.is_past}{trades}, {risk} at risk · room {room}"


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
    kinds = {Right.PUT: "put", Right.CALL: "call"}
    text = [
        f"{leg.action.value} {leg.quantity * quantity} x {format_strike(leg.strike)} {kinds[leg.right]}" for leg in legs
    ]
    return " · ".join([*text, f"{legs[0].expiration}"])


# The order and the exit plan in full.


def order_pairs(result: ProposalTerms, *, more: Iterable[Item] = ()) -> Pairs:
    """The price plan, and what the proposal is bound to."""
    plan = result.plan
    prices = f"{format_price(abs(plan.start))} to {format_price(abs(plan.limit))}, {format_price(plan.tick)}"
    walk = f"every {plan.step_seconds} s, never beyond; cancelled after {plan.deadline_seconds} s"
    items = [
        *(pair("leg", f"{leg.action.value} {leg.quantity * result.quantity} x {leg.symbol}") for leg in result.legs),
        *more,
        pair("price plan", f"{prices} {walk}"),
        pair("if assigned", describe_assignment(result) if result.kind is ProposalKind.OPEN else ""),
        pair("account", f"{mask_account(result.account)}, {result.mode}"),
        pair("chosen by", f"{result.chosen_by} from quotes of {format_both_zones(result.quoted_at)}"),
        pair("lapses", format_both_zones(result.lapses_at)),
        pair("confirm with", f"{result.hash[:8]} (the hash's first 8 digits)"),
    ]
    return pairs(items, "order", f"Order of P{result.id}" if isinstance(result, Proposal) else "Order")


def exit_pairs(result: ProposalTerms) -> Pairs:
    """The exit plan in full."""
    plan = result.exit
    rests = ", GTC at the broker" * plan.rests_target
    target, stop = f"{format_price(abs(plan.profit_target))} credit or more", "none: it loses its debit at the most"
    if plan.profit_target > 0:
        target = f"{format_price(plan.profit_target)} debit or less"
        stop = f"{format_price(plan.stop)} debit or more proposes a close"
        if plan.stop >= max_width(result.legs):
            stop = "no effective stop: the set multiple of the credit exceeds the width"
    items = (
        pair("profit target", f"{target}{rests}"),
        pair("time exit", format_known(_day, plan.time_exit, "none")),
        pair("last exit", f"{_day(plan.last_exit)}, whatever the price"),
        pair("stop", stop),
        pair("watched", watch_words(plan)),
        pair("in words", plan.note),
    )
    return pairs(items, "exit", "Exit plan")


def _day(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day}"
