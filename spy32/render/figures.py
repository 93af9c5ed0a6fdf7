"""The figures of a proposal as a trader reads them, a line a subject: the same on `approve`, `show` and `demo`."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Right
from spy32.domain.option_class import settles_in_cash
from spy32.domain.proposals import ExitPlan, Proposal, ProposalKind, ProposalTerms, spread_description
from spy32.domain.spreads import CENT, MULTIPLIER, Candidate, ExitAuthority, Leg, max_width
from spy32.render.formatting import (
    DAYS,
    UNKNOWN,
    calendar_day,
    format_both_zones,
    format_count,
    format_credit,
    format_dollars,
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
from spy32.render.page import Fact, Pairs, pairs, read_path
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.domain.orders import Order, Trade
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
        now=read_path(market, "as_of"),
        spot=read_path(market, "spot"),
        net_liquidation=read_path(account, "net_liquidation"),
        open_trades=read_path(exposure, "open_trades"),
        open_risk=read_path(exposure, "open_risk"),
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
    return f"{verb} {result.quantity} {spread} @ {format_credit(result.limit_price)} ({bound_words(result)})"


def bound_words(result: ProposalTerms) -> str:
    """`floor 0.55`, the lowest credit to take, or `ceiling 0.52`, the highest debit to pay: the walk's last price."""
    return f"{'floor' if result.limit_price > 0 else 'ceiling'} {format_price(abs(result.floor_price))}"


def dated_sentence(result: ProposalTerms, today: date) -> str:
    """The sentence with the days that are left."""
    return f"{trade_sentence(result)} · {(result.expiration - today).days} DTE"


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
    odds: list[Fact] = [("With exits", UNKNOWN, "strong")]
    greeks = UNKNOWN
    if entry is not None:
        odds = odds_items(entry, result.quantity)
        theta, delta = format_gain(entry.greeks.theta * _shares(result)), entry.greeks.delta * _shares(result)
        greeks = f"short {signed_delta(entry)} · {delta:+.1f} shares · theta {theta}"
    if below and entry is not None and has_plan(entry):
        odds.append(("By options", market_odds_words(entry)))
    items = (
        ("Credit" if result.limit_price > 0 else "Debit", f"{credit} · {of_width} of width", "strong"),
        (
            "Max profit",
            f"{format_dollars(result.max_profit)} at {price} · {return_on_risk} return on risk",
            "good",
        ),
        ("Max loss", f"{max_loss_words(result)} · {account_share(result.max_loss, around)} of account", "bad"),
        ("Plus", settlement_fee_words(result.legs) if below else ""),
        ("Breakeven", breakeven_words(result, around)),
        ("Greeks", greeks),
        *odds,
    )
    return pairs(items)._replace(payoff=(result, around.market), below=below)


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
    return f"{format_dollars(result.max_loss)} at {bound_words(result)}"


def account_share(amount: Decimal, around: Surroundings) -> str:
    """In per cent of net liquidation, never rounded down to look smaller than it is."""
    total = around.net_liquidation
    if total is None:
        return UNKNOWN
    share = amount / total * 100 if total > 0 else Decimal(100)
    return f"{share.quantize(CENT, ROUND_CEILING)}%"


def breakeven_words(result: ProposalTerms, around: Surroundings) -> str:
    """With the distance in per cent and in expected moves; of two in moves only, so that the payoff has its room."""
    move, spot = read_path(around.market, "expected_move"), around.spot
    points = result.breakevens
    if not points:
        return "none"
    moves = (f"{abs(float(point) - spot) / move:.2f}" if spot and move else UNKNOWN for point in points)
    percent = f"{float(points[0]) / spot - 1:+.1%}" if spot else UNKNOWN
    distance = "/".join(moves) if points[1:] else f"{percent}, {next(moves)}"
    return f"{'/'.join(map(format_price, points))} · {distance} exp. moves"


def closing_facts(result: ProposalTerms, trade: "Trade | None") -> Pairs:
    """What a closing pays, why, what it would leave of the trade, and the buying power that it releases."""
    name, beyond = ("Debit", "above") if result.limit_price < 0 else ("Credit", "below")
    last = format_price(abs(result.floor_price))
    items: list[Fact] = [(name, f"{format_credit(result.limit_price)}, never {beyond} {last}", "strong")]
    if trade is not None:
        released = format_dollars(trade.max_loss * result.quantity / trade.quantity)
        items += [
            ("Closes", f"T{trade.id}, opened for {format_credit(trade.credit)}"),
            ("Reason", read_path(result.reason, "words") or ""),
            ("Result", closing_result_words(result)),
            ("BP effect", f"{released} released"),
        ]
    return pairs(items)


def closing_result_words(result: ProposalTerms) -> str:
    """`+$42.96 at 0.46, +$30.96 at the ceiling 0.52, after fees`: of the spreads that are closed."""
    worst = result.max_profit + (result.floor_price - result.limit_price) * _shares(result)
    best = f"{format_gain(result.max_profit)} at {format_price(abs(result.limit_price))}"
    return f"{best}, {format_gain(worst)} at the {bound_words(result)}, after fees"


# What surrounds it.


def surrounding_items(result: ProposalTerms, around: Surroundings) -> list[Fact]:
    """The market, what may happen before the exit of an opening, and the book, a line each."""
    trades = format_known(lambda count: format_count(count, "trade"), around.open_trades, UNKNOWN)
    risk, room = format_known(format_dollars, around.open_risk, UNKNOWN), UNKNOWN
    if around.open_limit is not None and around.open_risk is not None:
        room = format_dollars(max(around.open_limit - around.open_risk, Decimal(0)))
    book = f"{'before this trade: ' * around.is_past}{trades}, {risk} at risk · room {room}"
    return [
        ("Market", market_words(around)),
        ("Events", _events(result, around.briefing, around.now)),
        ("Book", f"{book} · BP effect {format_dollars(result.max_loss)}"),
    ]


def is_covering_exits(result: ProposalTerms) -> bool:
    """Whether the approval of this opening covers its closes."""
    return result.kind is ProposalKind.OPEN and result.exit.authority is ExitAuthority.PLAN


def plan_items(result: ProposalTerms, entry: Candidate | None = None) -> list[Fact]:
    """The exit plan, and that the approval of an opening covers its closes when it does."""
    covers = [("Covers", COVERS_EXITS, "warn")] if is_covering_exits(result) else []
    return [("Exit", exit_words(result.exit, result, read_path(entry, "costs_round_trip"))), *covers]


def market_words(around: Surroundings) -> str:
    line = around.market
    if line is None:
        return UNKNOWN
    vix = format_known("{:.2f}".format, line.vix, UNKNOWN)
    move = format_known("±{:.2f}".format, line.expected_move, UNKNOWN)
    figures = around.briefing.figures if around.briefing is not None else {}
    rank = format_known(format_percent, read_path(figures.get("market.iv_rank"), "value"), UNKNOWN)
    spot = format_price(around.spot if around.spot is not None else line.spot)
    return f"{line.underlying} {spot} · VIX {vix} · IV rank {rank} · expected move {move}"


def _events(result: ProposalTerms, briefing: "Briefing | None", now: datetime | None) -> str:
    """Scheduled news that is not out yet and ex-dates up to the planned exit; `n/a` where no calendar or feed was at
    hand."""
    if briefing is None:
        return UNKNOWN
    end = result.exit.time_exit or result.exit.last_exit
    ahead = [event for event in briefing.events if event.day <= end and not _is_out(event, now)]
    words = [f"{_event_name(event.kind)} {calendar_day(event.day)}" for event in ahead]
    words += [f"{_event_name(kind)} {UNKNOWN}" for kind in briefing.unknown_events]
    words += [f"ex-date {UNKNOWN}"] if briefing.dividends is None else []
    ex_dates = [item.ex_date for item in briefing.dividends or ()]
    words += [f"ex-date {calendar_day(day)}" for day in ex_dates if day <= end]
    later = [f" · ex-date {calendar_day(day)} later" for day in ex_dates if day > end]
    return f"{', '.join(words) or 'none'} by the exit on {calendar_day(end)}{''.join(later[:1])}"


def _is_out(event: ScheduledEvent, now: datetime | None) -> bool:
    """Whether its time has come; of a day without a time, whether the day is over in New York."""
    at = time.fromisoformat(event.time) if event.time is not None else time.max
    return now is not None and now >= datetime.combine(event.day, at, NEW_YORK)


def _event_name(kind: str) -> str:
    """`CPI` and `FOMC`, but `jobs`."""
    return kind.upper() if kind in (EventKind.CPI, EventKind.FOMC) else humanise(kind)


def exit_words(plan: ExitPlan, opening: "ProposalTerms | Trade", costs: Decimal | None = None) -> str:
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
    elif plan.stop >= max_width(opening.legs):
        stop = "no effective stop"
    last = f"last exit {calendar_day(plan.last_exit)}"
    parts = (
        f"{'GTC target' if plan.rests_target else 'target'} {words(plan.profit_target)}",
        stop,
        format_known(lambda day: f"close {calendar_day(day)}", plan.time_exit, last),
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


def order_state_words(order: "Order") -> str:
    """`filled at 0.55 cr, 2 of 2 filled`, and the broker's reason."""
    why = f": {order.reason}" if order.reason else ""
    return f"{order.state} at {format_credit(order.limit)}, {order.filled} of {order.quantity} filled{why}"


# The order and the exit plan in full.


def order_pairs(result: ProposalTerms, *, more: Iterable[Fact] = ()) -> Pairs:
    """The price plan, and what the proposal is bound to."""
    plan, assigned = result.plan, ""
    if result.kind is ProposalKind.OPEN:
        stock = f"{format_dollars(result.assignment_value)} of stock"
        is_in_cash = settles_in_cash(result.underlying)
        assigned = "cash for what they are in the money; no stock" if is_in_cash else stock
    prices = f"{format_price(abs(plan.start))} to {format_price(abs(plan.limit))}, {format_price(plan.tick)}"
    walk = f"every {plan.step_seconds} s, never beyond; cancelled after {plan.deadline_seconds} s"
    items = [
        *(("leg", f"{leg.action.value} {leg.quantity * result.quantity} x {leg.symbol}") for leg in result.legs),
        *more,
        ("price plan", f"{prices} {walk}"),
        ("if assigned", assigned),
        ("account", f"{mask_account(result.account)}, {result.mode}"),
        ("chosen by", f"{result.chosen_by} from quotes of {format_both_zones(result.quoted_at)}"),
        ("lapses", format_both_zones(result.lapses_at)),
        ("confirm with", f"{result.hash[:8]} (the hash's first 8 digits)"),
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
        ("profit target", f"{target}{rests}"),
        ("time exit", format_known(_day, plan.time_exit, "none")),
        ("last exit", f"{_day(plan.last_exit)}, whatever the price"),
        ("stop", stop),
        ("watched", watch_words(plan)),
        ("in words", plan.note),
    )
    return pairs(items, "exit", "Exit plan")


def _day(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day}"
