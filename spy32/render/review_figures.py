"""The sections of figures on the review screen: price, loss, chances, what a move would bring, the way out."""

from datetime import date, datetime, tzinfo
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from spy32.domain.proposals import Finding
from spy32.domain.spreads import CENT, Candidate
from spy32.render.formatting import (
    DAYS,
    describe_assignment,
    format_age,
    format_both_zones,
    format_count,
    format_credit,
    format_dollars,
    format_float_price,
    format_gain,
    format_percent,
    format_price,
    humanise,
    single_line,
)
from spy32.render.page import Column, Grid, Pairs, Part, Picture, Prose, pair

if TYPE_CHECKING:
    from spy32.domain.proposals import Proposal
    from spy32.trading.review import Review, SpreadQuote

Item = tuple[str, str, str]


def deciding(shown: "Review", result: "Proposal", here: tzinfo | None = None) -> Pairs:
    """Price, loss, chances and the days of the proposal, one figure a line."""
    is_open = result.kind == "open"
    items = [
        pair("our price", _our_price(result), "strong"),
        *_quote_items(shown),
        pair(
            "max loss",
            f"{format_dollars(result.max_loss)} at the {_last(result)}, {loss_percent(shown)} of the account",
            "bad",
        ),
        pair("max profit", format_dollars(result.max_profit), "good"),
        pair("breakeven", " and ".join(format_price(point) for point in result.breakevens) or "none"),
        *(_result(shown) if not is_open else ()),
        pair("if assigned", describe_assignment(result)),
        *(_chances(shown, shown.candidate) if shown.candidate is not None and is_open else ()),
        pair("quantity", _quantity(shown, result)),
        pair("price plan", _working(result)),
        pair("account", f"{format_dollars(shown.account.net_liquidation)} net liquidation"),
        pair("lapses", _lapse(shown, result, here)),
        pair("hash", result.hash[:8]),
    ]
    return Pairs(name="proposal", title=f"Proposal {shown.name}", items=tuple(items))


def _lapse(shown: "Review", result: "Proposal", here: tzinfo | None) -> str:
    still = "its market stands still" if result.is_recorded else f"in {format_age(result.lapses_at - shown.at)}"
    return f"{format_both_zones(result.lapses_at, here)}, {still}"


def in_short(shown: "Review", result: "Proposal") -> Prose:
    """The last line above the question, since the top of a long screen may have scrolled away."""
    market = ", recorded market" if result.is_recorded else ""
    draft = ", draft" if shown.draft is not None else ""
    what = f"{result.kind} {format_count(result.quantity, 'contract')} for {_our_price(result)}"
    loss = f"maximum loss {format_dollars(result.max_loss)}, {loss_percent(shown)} of the account"
    return Prose(title="In short", text=f"{shown.name} ({result.mode}{market}{draft}): {what}; {loss}", tone="strong")


def _our_price(result: "Proposal") -> str:
    return f"{format_credit(result.limit_price)}, {_last(result)} {format_price(abs(result.floor_price))}"


def _last(result: "Proposal") -> str:
    return "floor" if result.kind == "open" else "ceiling"


def _quote_items(shown: "Review") -> list[Item]:
    if shown.current_quote is None:
        return [pair("market", f"no quotes: {single_line(shown.stale_reason or 'none served')}", "warn")]
    now = shown.current_quote
    return [
        pair("natural", f"{format_credit(now.natural)}, {_age(now, shown.at)}"),
        pair("mid", f"{format_credit(now.mid)}, {_age(now, shown.at)}"),
    ]


def _age(seen: "SpreadQuote", at: datetime) -> str:
    return f"{format_age(at - seen.as_of)} old"


def loss_percent(shown: "Review") -> str:
    """Maximum loss in per cent of net liquidation, never rounded down to look smaller than it is."""
    share = shown.max_loss_percent.quantize(CENT, ROUND_CEILING)
    return f"{share} %"


def _chances(shown: "Review", entry: Candidate) -> list[Item]:
    history = "" if entry.pop_history is None else f", {format_percent(entry.pop_history)} by history"
    inside = "unknown" if shown.probability_itm is None else format_percent(shown.probability_itm)
    items = [
        pair("short delta", f"{entry.short_delta:.3f} at the run"),
        pair("in the money", f"{inside} for the short leg, at the run"),
        pair("profit chance", f"{format_percent(entry.pop_market)} by the market{history}"),
    ]
    text = (
        ("EV market", entry.ev.market_expiry, entry.ev.market_plan),
        ("EV history", entry.ev.history_expiry, entry.ev.history_plan),
    )
    for label, expiry, plan in text:
        words = [
            f"{format_gain(value)} {how}"
            for value, how in ((expiry, "to expiration"), (plan, "by the exit plan"))
            if value is not None
        ]
        if words:
            items.append(pair(label, f"{', '.join(words)}, a contract"))
    costs = f"{format_dollars(entry.costs)} to open, {format_dollars(entry.costs_round_trip)} both ways, a contract"
    return [*items, pair("costs", costs)]


def _quantity(shown: "Review", result: "Proposal") -> str:
    allowed = shown.max_quantity
    bound = f"; the limits allow up to {allowed}" if allowed is not None else "; a change is judged by every limit"
    return format_count(result.quantity, "contract") + (bound if result.kind == "open" else "")


def _working(result: "Proposal") -> str:
    plan = result.plan
    return (
        f"{format_price(abs(plan.start))} to {format_price(abs(plan.limit))}, {format_price(plan.tick)} "
        f"every {plan.step_seconds} s, "
        f"cancelled after {plan.deadline_seconds} s"
    )


def _result(shown: "Review") -> list[Item]:
    """What a closing would leave of the trade, before the costs of closing."""
    trade, result = shown.trade, shown.proposal
    if trade is None or result is None:
        return []
    at_limit = (trade.credit + result.limit_price) * 100 * result.quantity - trade.fees
    at_ceiling = (trade.credit + result.floor_price) * 100 * result.quantity - trade.fees
    text = f"{format_gain(at_limit)} at our price, {format_gain(at_ceiling)} at the ceiling, before closing costs"
    return [pair("closes", f"T{trade.id}, opened for {format_credit(trade.credit)}"), pair("result", text)]


# At expiration, and until then.


def at_expiration(shown: "Review", result: "Proposal") -> list[Part]:
    if not shown.scenarios:
        return []
    rows = tuple(
        (
            _move(each.percent),
            format_price(each.price),
            format_gain(each.profit),
            "loss" if each.profit < 0 else "profit",
        )
        for each in shown.scenarios
    )
    columns = (
        Column(name="move"),
        Column(name=f"{result.underlying} at", right=True),
        Column(name="result", right=True),
        Column(name="is a"),
    )
    title = f"At expiration, {format_count(result.quantity, 'contract')} at our price, after costs to open"
    return [Grid(name="at", title=title, columns=columns, rows=rows), Picture(made=result, market=shown.market)]


def _move(percents: int) -> str:
    return "unmoved" if percents == 0 else f"{percents:+d} %"


def leaving(result: "Proposal") -> Pairs:
    plan = result.exit
    timed = f"{_day(plan.time_exit)}" if plan.time_exit is not None else "none"
    items = (
        pair("profit target", f"{format_price(plan.profit_target)} debit or less"),
        pair("stop", f"{format_price(plan.stop)} debit or more raises the alarm"),
        pair("time exit", timed),
        pair("last exit", f"{_day(plan.last_exit)}, whatever the price"),
        # Of an opening the note says the same in a sentence.
        *([pair("plan", single_line(plan.note))] if plan.note and result.kind != "open" else []),
    )
    return Pairs(name="exit", title="Exit plan", items=items)


def _day(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day}"


def changes(shown: "Review", here: tzinfo | None) -> Part:
    """What the market did since the run, or why that cannot be said."""
    title = "Since the run"
    then, now = shown.run_quote, shown.current_quote
    if now is None or then is None:
        return Prose(
            title=title, text=single_line(shown.stale_reason or "the run has no quotes of these legs to compare with")
        )
    items = [pair("quotes", f"{format_both_zones(now.as_of, here)}, from {single_line(now.source)}")]
    if shown.stale_reason is not None:
        items.append(pair("not fresh", single_line(shown.stale_reason), "warn"))
    spot_then, spot_now = Decimal(str(then.spot)), Decimal(str(now.spot))
    moved = (spot_now - spot_then) / spot_then * 100 if spot_then else Decimal(0)
    items += [
        pair(
            shown.market.underlying,
            f"{format_float_price(then.spot)} -> {format_float_price(now.spot)} ({moved:+.2f} %)",
        ),
        pair("natural", _change(then.natural, now.natural)),
        pair("mid", _change(then.mid, now.mid)),
    ]
    return Pairs(name="change", title=title, items=tuple(items))


def _change(was: Decimal, now: Decimal) -> str:
    step = now - was
    return f"{format_price(was)} -> {format_price(now)} ({'unchanged' if step == 0 else f'{step:+f}'})"


def findings_part(findings: tuple[Finding, ...]) -> list[Part]:
    if not findings:
        return []
    items = tuple(
        pair("refused by" if finding.blocks else "note", _told(finding), "bad" if finding.blocks else "warn")
        for finding in sorted(findings, key=lambda finding: not finding.blocks)
    )
    return [Pairs(name="check", title="Checks now", items=items)]


def _told(finding: Finding) -> str:
    return f"{humanise(finding.rule)}: {single_line(finding.message)}"
