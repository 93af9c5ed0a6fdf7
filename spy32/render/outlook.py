"""A candidate's probabilities and expected values: the few that decide, and all with their meaning."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from spy32.domain.market import Right
from spy32.domain.spreads import Candidate
from spy32.render.formatting import format_chance, format_gain, format_percent, format_whole
from spy32.render.page import Item, Pairs, pair
from spy32.track_record import find_track_record

if TYPE_CHECKING:
    from spy32.domain.outlook import Estimate, Forecast, Forecasts, Outlook, TrackRecord

NOT_STORED = "n/a: runs before 0.4 did not compute it"
SIDES: "Mapping[Right, str]" = {Right.PUT: "puts", Right.CALL: "calls"}
"""The sides of the record of the market's probabilities."""


def missing_reason(entry: Candidate) -> str:
    """Why the history's numbers are not there."""
    if entry.outlook is None:
        return NOT_STORED
    return f"n/a: {entry.outlook.missing}" if entry.outlook.missing else "n/a"


def has_plan(entry: Candidate) -> bool:
    """Whether the history says what the exit plan is worth."""
    return entry.outlook is not None and entry.outlook.chosen_plan is not None


# The numbers that decide.


def odds_items(entry: Candidate, quantity: int) -> list[Item]:
    """What the order is worth by history, with its exits and held to expiration; without a history, the market's
    odds."""
    outlook = entry.outlook
    if outlook is None or outlook.chosen_plan is None:
        return [pair("By options", market_odds_words(entry), "strong"), pair("By history", missing_reason(entry))]
    return [
        pair("By history", order_words(entry, quantity)),
        pair("With exits", worth_words(outlook.chosen_plan, quantity), "strong"),
        pair("If held", worth_words(outlook.expiry.history, quantity)),
    ]


def order_words(entry: Candidate, quantity: int) -> str:
    """`order of 2, after fees $5, slippage $4`: what the two lines below it are about. Both ways; a trade that is held
    to expiration pays those of the opening."""
    outlook = entry.outlook
    assert outlook is not None
    fees, slippage = (
        format_whole(amount * quantity).lstrip("+")
        for amount in (float(entry.costs_round_trip), -2 * outlook.cost.slippage)
    )
    return f"order of {quantity}, after fees {fees}, slippage {slippage}"


def worth_words(found: "Forecast | None", quantity: int) -> str:
    """`68% win · average -$2, 90% sure -$5 to +$2: could be 0`: whole dollars of the whole quantity."""
    if found is None or found.ev is None:
        return ""
    chance = format_chance(found.probabilities.profit)
    return f"{chance} win · average {estimate_words(found.ev, quantity)}: {verdict(found.ev)}"


def estimate_words(found: "Estimate", quantity: int = 1) -> str:
    """`-$2, 90% sure -$5 to +$2`: the interval is of the average, not of the outcomes."""
    mean, low, high = (format_whole(amount * quantity) for amount in (found.mean, found.low, found.high))
    return f"{mean}, 90% sure {low} to {high}"


def verdict(found: "Estimate") -> str:
    """What the interval of an average says of its sign."""
    if found.high < 0:
        return "loses by history"
    return "gains by history" if found.low > 0 else "could be 0"


# What the market's numbers have been worth.


def market_odds_words(entry: Candidate) -> str:
    """The market's probability of profit with its record, on one line of a narrow screen."""
    row = _record_row(entry)
    found = f"{format_chance(entry.p_profit)} win if held"
    if row is None:
        return f"{found}, by option prices"
    return f"{found} · backtest: {SIDES[row.right]} won {_points(row.difference)}"


def record_words(entry: Candidate) -> str:
    """`Backtest 1998-2026, synthetic prices: such puts won 3.5 points (0.8 to 5.9) more than the market's odds, 2.0
    fewer than history's`; empty without a record."""
    row = _record_row(entry)
    if row is None:
        return ""
    first = f"such {SIDES[row.right]} won {abs(row.difference) * 100:.1f} points ({_interval_words(row)})"
    found = f"{_backtest(row.until)}: {first} {_direction(row.difference)} than the market's odds"
    if row.history_difference is None:
        return found
    amount = abs(row.history_difference) * 100
    return f"{found}, {amount:.1f} {_direction(row.history_difference)} than history's"


def _record_row(entry: Candidate) -> "TrackRecord | None":
    return min(_record_rows(entry), key=lambda row: abs(row.delta - entry.short_delta), default=None)


def _record_rows(entry: Candidate) -> "tuple[TrackRecord, ...]":
    days, spread = entry.outlook.days if entry.outlook is not None else None, entry.spread
    if days is None:
        return ()
    today = spread.expiration - timedelta(days=days)
    return find_track_record(spread.underlying, spread.strategy, days=days, today=today)


def _backtest(until: str) -> str:
    return f"Backtest 1998-{until[:4]}, synthetic prices"


def _points(difference: float) -> str:
    return f"{abs(difference) * 100:.1f} points {_direction(difference)}"


def _direction(difference: float) -> str:
    return "more" if difference > 0 else "fewer"


def _interval_words(row: "TrackRecord") -> str:
    """`0.7 to 5.6`, in the direction of the difference: a negative end is the other direction."""
    sign = 1 if row.difference > 0 else -1
    low, high = sorted((sign * row.low * 100, sign * row.high * 100))
    return f"{low:.1f} to {high:.1f}"


def side_record_words(entries: "Iterable[Candidate]") -> str:
    """`Backtest 1998-2026, synthetic prices: against the market's odds puts won 2.0 to 3.6 points more, calls 2.5 to
    6.6 points fewer.`, of the sides that the record speaks of; empty without one."""
    sides = {rows[0].right: rows for entry in entries if (rows := _record_rows(entry))}
    if not sides:
        return ""
    told = ", ".join(_side_range(sides[right], name) for right, name in SIDES.items() if right in sides)
    until = max(row.until for rows in sides.values() for row in rows)
    return f"{_backtest(until)}: against the market's odds {told}."


def _side_range(rows: "tuple[TrackRecord, ...]", name: str) -> str:
    """The least and most difference of a side, in points."""
    points = sorted((row.difference * 100 for row in rows), key=abs)
    if len({point > 0 for point in points}) > 1:
        return f"{name} won {points[0]:+.1f} to {points[-1]:+.1f} points"
    low, high = f"{abs(points[0]):.1f}", f"{abs(points[-1]):.1f}"
    return f"{name} won {low if low == high else f'{low} to {high}'} points {_direction(points[0])}"


# Every number, a line each.

SOURCES = (("options", "market"), ("history", "history"), ("without its rise", "no_drift"))
"""Whose number it is, in words, and the attribute of the forecasts."""


def _chances(name: str, horizon: str) -> "Callable[[Outlook], str]":
    """`options 80% · history 86% · without its rise 82%` over one horizon; what is not known is left out."""

    def words(outlook: "Outlook") -> str:
        forecasts: Forecasts | None = getattr(outlook, horizon)
        found = ((source, _number(forecasts, law, f"probabilities.{name}")) for source, law in SOURCES)
        return " · ".join(f"{source} {format_chance(number)}" for source, number in found if number is not None)

    return words


def _estimates(name: str, horizon: str) -> "Callable[[Outlook], str]":
    """`+$8, 90% sure +$1 to +$14 · without its rise +$2, 90% sure -$6 to +$9`, by history."""

    def words(outlook: "Outlook") -> str:
        forecasts: Forecasts | None = getattr(outlook, horizon)
        found = (("", _number(forecasts, "history", name)), ("without its rise ", _number(forecasts, "no_drift", name)))
        return " · ".join(f"{source}{estimate_words(number)}" for source, number in found if number is not None)

    return words


def _number(forecasts: "Forecasts | None", law: str, path: str) -> Any:
    """What is at a path of attributes of one forecast; None where one of them is not there."""
    found: Any = getattr(forecasts, law) if forecasts is not None else None
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    return found


def _endings(outlook: "Outlook") -> Iterator[str]:
    """How the plan's trades end by history: target, stop, time, and what they bring on average."""
    target, stop = (_number(outlook.plan, "history", f"probabilities.{name}") for name in ("max_profit", "stopped"))
    if target is None or stop is None:
        return
    for name, chance in (("target", target), ("stop", stop), ("time", max(1.0 - target - stop, 0.0))):
        yield f"{name} {format_chance(chance)}"
    for name in ("average_win", "average_loss"):
        amount = _number(outlook.plan, "history", name)
        if amount is not None:
            yield f"{name.replace('_', ' ')} {format_whole(amount)}"


def ending_words(outlook: "Outlook") -> str:
    """`target 62% · stop 9% · time 29% · average win +$24 · average loss -$56`, one contract."""
    return " · ".join(_endings(outlook))


def cost_words(outlook: "Outlook") -> str:
    """The total and its parts, dollars a contract; slippage is what rounding leaves, so that the parts sum."""
    cost = outlook.cost
    interest, commissions, fees = (round(float(part), 2) for part in (cost.interest, cost.commissions, cost.fees))
    slippage = round(cost.total, 2) - interest - commissions - fees
    parts = {"interest": interest, "slippage": slippage, "commissions": commissions, "fees": fees}
    return f"{format_gain(cost.total)}: {', '.join(f'{name} {format_gain(amount)}' for name, amount in parts.items())}"


def premium_words(outlook: "Outlook") -> str:
    """`+$1.80`; of a debit `pays $1.80`."""
    amount = outlook.premium_per_day
    return format_gain(amount) if amount >= 0 else f"pays {format_gain(-amount).lstrip('+')}"


NUMBERS: "Mapping[str, tuple[Callable[[Outlook], str], str]]" = {
    "win with exits": (_chances("profit", "plan"), "probability of any profit after costs under the exit plan"),
    "win if held": (_chances("profit", "expiry"), "probability of any profit after costs at expiration"),
    "endings": (
        ending_words, "by history, how the exit plan closes: profit target, stop, or by time; one contract after costs",
    ),
    "P(worthless)": (
        _chances("worthless", "expiry"),
        "every leg expires out of the money: a credit is kept whole, a debit is lost whole",
    ),
    "P(max profit)": (_chances("max_profit", "expiry"), "the largest profit at expiration"),
    "P(max loss)": (_chances("max_loss", "expiry"), "the largest loss at expiration"),
    "P(touch)": (_chances("touch", "expiry"), "a short strike is reached at any time up to expiration"),
    "P(touch) exits": (_chances("touch", "plan"), "a short strike is reached before the exit plan closes"),
    "EV with exits": (
        _estimates("ev", "plan"),
        "average profit by history under the exit plan, costs both ways; the interval is of the average",
    ),
    "EV if held": (
        _estimates("ev", "expiry"),
        "average profit by history at expiration, costs of the opening; the interval is of the average",
    ),
    "worst 5% exits": (
        _estimates("shortfall", "plan"),
        "average of the worst 5% under the exit plan by history: a loss by construction; fees of closing may take it "
        "beyond the max loss",
    ),
    "worst 5% held": (
        _estimates("shortfall", "expiry"), "average of the worst 5% at expiration by history: a loss by construction",
    ),
    "cost of trading": (
        cost_words,
        "expected value by the option prices, to expiration: what interest, slippage and fees take. Every profit and "
        "average here is after them",
    ),
    "premium a day": (premium_words, "credit (of a debit what it pays) at the mid over the days to expiration"),
    "return on risk": (lambda outlook: format_percent(outlook.return_on_risk), "max profit at the start over max loss"),
    "score": (
        lambda outlook: "" if outlook.score is None else f"{outlook.score:+.3f}",
        "low end of EV with exits over max loss; it decides nothing",
    ),
}  # fmt: skip
"""Of each number of an outlook: its words, dollars a contract, and what it means."""

MEANINGS: "Mapping[str, str]" = {
    "options": "the odds that the option prices imply; they hold a premium for risk: a price, no forecast",
    "history": "returns since 1993 scaled by today's VIX over the VIX of then",
    "without its rise": "the same returns, weighted so that prices do not rise faster than interest",
    "with exits": "by the exit plan (profit target, stop, time exit, last exit): simulated, not checked on outcomes",
    "if held": "held to expiration: the odds that the backtest has checked",
    "90% sure": "the interval of the average, by resampling the past in blocks; single trades vary far more",
}


def number_items(entry: Candidate) -> tuple[Item, ...]:
    """Every number of a candidate, one contract, a line each."""
    if entry.outlook is None:
        return (pair("numbers", NOT_STORED),)
    outlook = entry.outlook
    known = [pair(label, words(outlook)) for label, (words, _) in NUMBERS.items()]
    return (*known, pair("history", _history_words(outlook)), pair("backtest", record_words(entry)))


def _history_words(outlook: "Outlook") -> str:
    if outlook.history_until is None:
        return outlook.missing or ""
    return f"{outlook.sessions} start days up to {outlook.history_until}"


def explained_numbers(entry: Candidate | None) -> list[Pairs]:
    """Whose numbers they are, and one line of meaning for each, behind its value where a candidate has it."""
    outlook = entry.outlook if entry is not None else None
    lines = []
    for label, (describe, meaning) in NUMBERS.items():
        found = describe(outlook) if outlook is not None else ""
        if found or outlook is None:  # a number that this underlying does not have is left out
            lines.append(pair(label, ": ".join(filter(None, (found, meaning)))))
    sources = [pair(label, text) for label, text in MEANINGS.items()]
    record = side_record_words(() if entry is None else (entry,))
    return [
        Pairs(name="source", title="Where the numbers come from", items=(*sources, pair("backtest", record))),
        Pairs(name="number", title="The numbers, one contract", items=tuple(lines)),
    ]
