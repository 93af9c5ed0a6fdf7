"""The sections of figures on the review screen: price, loss, chances, what a move would bring, the way out."""

from datetime import date, datetime, tzinfo
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from spy32.domain.deciding import Finding
from spy32.domain.trading import CENT, Candidate
from spy32.render.page import Column, Grid, Pairs, Part, Picture, Prose, pair
from spy32.render.words import (
    DAYS,
    age,
    assignment_in_words,
    both_zones,
    count,
    credit,
    dollars,
    flat,
    gain,
    human,
    percent,
    price,
    price_of,
)

if TYPE_CHECKING:
    from spy32.desk.shown import Prices, Review
    from spy32.domain.deciding import Proposal

Item = tuple[str, str, str]


def deciding(shown: "Review", made: "Proposal", here: tzinfo | None = None) -> Pairs:
    """Price, loss, chances and the days of the proposal, one figure a line."""
    is_open = made.kind == "open"
    items = [
        pair("our price", _our_price(made), "strong"),
        *_quote_items(shown),
        pair("max loss", f"{dollars(made.max_loss)} at the {_last(made)}, {loss_percent(shown)} of the account", "bad"),
        pair("max profit", dollars(made.max_profit), "good"),
        pair("breakeven", " and ".join(price(point) for point in made.breakevens) or "none"),
        *(_result(shown) if not is_open else ()),
        pair("if assigned", assignment_in_words(made)),
        *(_chances(shown, shown.candidate) if shown.candidate is not None and is_open else ()),
        pair("quantity", _quantity(shown, made)),
        pair("price plan", _working(made)),
        pair("account", f"{dollars(shown.account.net_liquidation)} net liquidation"),
        pair("lapses", _lapse(shown, made, here)),
        pair("hash", made.hash[:8]),
    ]
    return Pairs(name="proposal", title=f"Proposal {shown.name}", items=tuple(items))


def _lapse(shown: "Review", made: "Proposal", here: tzinfo | None) -> str:
    still = "its market stands still" if made.is_recorded else f"in {age(made.lapses_at - shown.at)}"
    return f"{both_zones(made.lapses_at, here)}, {still}"


def in_short(shown: "Review", made: "Proposal") -> Prose:
    """The last line above the question, since the top of a long screen may have scrolled away."""
    market = ", recorded market" if made.is_recorded else ""
    draft = ", draft" if shown.draft is not None else ""
    what = f"{made.kind} {count(made.quantity, 'contract')} for {_our_price(made)}"
    loss = f"maximum loss {dollars(made.max_loss)}, {loss_percent(shown)} of the account"
    return Prose(title="In short", text=f"{shown.name} ({made.mode}{market}{draft}): {what}; {loss}", tone="strong")


def _our_price(made: "Proposal") -> str:
    return f"{credit(made.limit_price)}, {_last(made)} {price(abs(made.floor_price))}"


def _last(made: "Proposal") -> str:
    return "floor" if made.kind == "open" else "ceiling"


def _quote_items(shown: "Review") -> list[Item]:
    if shown.now is None:
        return [pair("market", f"no quotes: {flat(shown.stale or 'none served')}", "warn")]
    now = shown.now
    return [
        pair("natural", f"{credit(now.natural)}, {_age(now, shown.at)}"),
        pair("mid", f"{credit(now.mid)}, {_age(now, shown.at)}"),
    ]


def _age(seen: "Prices", at: datetime) -> str:
    return f"{age(at - seen.as_of)} old"


def loss_percent(shown: "Review") -> str:
    """Maximum loss in per cent of net liquidation, never rounded down to look smaller than it is."""
    share = shown.loss_percent.quantize(CENT, ROUND_CEILING)
    return f"{share} %"


def _chances(shown: "Review", entry: Candidate) -> list[Item]:
    history = "" if entry.pop_history is None else f", {percent(entry.pop_history)} by history"
    inside = "unknown" if shown.in_the_money is None else percent(shown.in_the_money)
    items = [
        pair("short delta", f"{entry.short_delta:.3f} at the run"),
        pair("in the money", f"{inside} for the short leg, at the run"),
        pair("profit chance", f"{percent(entry.pop_market)} by the market{history}"),
    ]
    told = (
        ("EV market", entry.ev.market_expiry, entry.ev.market_plan),
        ("EV history", entry.ev.history_expiry, entry.ev.history_plan),
    )
    for label, expiry, plan in told:
        words = [
            f"{gain(value)} {how}"
            for value, how in ((expiry, "to expiration"), (plan, "by the exit plan"))
            if value is not None
        ]
        if words:
            items.append(pair(label, f"{', '.join(words)}, a contract"))
    costs = f"{dollars(entry.costs)} to open, {dollars(entry.costs_round_trip)} both ways, a contract"
    return [*items, pair("costs", costs)]


def _quantity(shown: "Review", made: "Proposal") -> str:
    allowed = shown.allowed
    bound = f"; the limits allow up to {allowed}" if allowed is not None else "; a change is judged by every limit"
    return count(made.quantity, "contract") + (bound if made.kind == "open" else "")


def _working(made: "Proposal") -> str:
    plan = made.plan
    return (
        f"{price(abs(plan.start))} to {price(abs(plan.limit))}, {price(plan.tick)} every {plan.step_seconds} s, "
        f"cancelled after {plan.deadline_seconds} s"
    )


def _result(shown: "Review") -> list[Item]:
    """What a closing would leave of the trade, before the costs of closing."""
    trade, made = shown.trade, shown.proposal
    if trade is None or made is None:
        return []
    at_limit = (trade.credit + made.limit_price) * 100 * made.quantity - trade.fees
    at_ceiling = (trade.credit + made.floor_price) * 100 * made.quantity - trade.fees
    told = f"{gain(at_limit)} at our price, {gain(at_ceiling)} at the ceiling, before closing costs"
    return [pair("closes", f"T{trade.id}, opened for {credit(trade.credit)}"), pair("result", told)]


# At expiration, and until then.


def at_expiration(shown: "Review", made: "Proposal") -> list[Part]:
    if not shown.outcomes:
        return []
    rows = tuple(
        (_move(each.percent), price(each.price), gain(each.profit), "loss" if each.profit < 0 else "profit")
        for each in shown.outcomes
    )
    columns = (
        Column(name="move"),
        Column(name=f"{made.underlying} at", right=True),
        Column(name="result", right=True),
        Column(name="is a"),
    )
    title = f"At expiration, {count(made.quantity, 'contract')} at our price, after costs to open"
    return [Grid(name="at", title=title, columns=columns, rows=rows), Picture(made=made, market=shown.market)]


def _move(percents: int) -> str:
    return "unmoved" if percents == 0 else f"{percents:+d} %"


def leaving(made: "Proposal") -> Pairs:
    plan = made.exit
    timed = f"{_day(plan.time_exit)}" if plan.time_exit is not None else "none"
    items = (
        pair("profit target", f"{price(plan.profit_target)} debit or less"),
        pair("stop", f"{price(plan.stop)} debit or more raises the alarm"),
        pair("time exit", timed),
        pair("last exit", f"{_day(plan.last_exit)}, whatever the price"),
        # Of an opening the note says the same in a sentence.
        *([pair("plan", flat(plan.note))] if plan.note and made.kind != "open" else []),
    )
    return Pairs(name="exit", title="Exit plan", items=items)


def _day(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day}"


def changes(shown: "Review", here: tzinfo | None) -> Part:
    """What the market did since the run, or why that cannot be said."""
    title = "Since the run"
    then, now = shown.then, shown.now
    if now is None or then is None:
        return Prose(title=title, text=flat(shown.stale or "the run has no quotes of these legs to compare with"))
    items = [pair("quotes", f"{both_zones(now.as_of, here)}, from {flat(now.source)}")]
    if shown.stale is not None:
        items.append(pair("not fresh", flat(shown.stale), "warn"))
    spot_then, spot_now = Decimal(str(then.spot)), Decimal(str(now.spot))
    moved = (spot_now - spot_then) / spot_then * 100 if spot_then else Decimal(0)
    items += [
        pair(shown.market.underlying, f"{price_of(then.spot)} -> {price_of(now.spot)} ({moved:+.2f} %)"),
        pair("natural", _change(then.natural, now.natural)),
        pair("mid", _change(then.mid, now.mid)),
    ]
    return Pairs(name="change", title=title, items=tuple(items))


def _change(was: Decimal, now: Decimal) -> str:
    step = now - was
    return f"{price(was)} -> {price(now)} ({'unchanged' if step == 0 else f'{step:+f}'})"


def findings_part(findings: tuple[Finding, ...]) -> list[Part]:
    if not findings:
        return []
    items = tuple(
        pair("refused by" if finding.blocks else "note", _told(finding), "bad" if finding.blocks else "warn")
        for finding in sorted(findings, key=lambda finding: not finding.blocks)
    )
    return [Pairs(name="check", title="Checks now", items=items)]


def _told(finding: Finding) -> str:
    return f"{human(finding.rule)}: {flat(finding.message)}"
