"""A candidate's probabilities and expected values: the few that decide, and each with its law, horizon and meaning."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from spy32.domain.market import Right
from spy32.domain.spreads import Candidate
from spy32.render.formatting import format_gain, format_percent
from spy32.render.page import Item, Pairs, pair
from spy32.track_record import find_track_record, nearest_row

if TYPE_CHECKING:
    from spy32.domain.outlook import Estimate, Forecasts, Outlook, Reliability

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


def profit_words(entry: Candidate) -> str:
    """The probability of profit under the exit plan by history; without one, the market's, named so."""
    outlook = entry.outlook
    planned = outlook.chosen_plan if outlook is not None else None
    if outlook is None or planned is None:
        return market_odds_words(entry)
    held = outlook.expiry.history
    at_expiration = f" · held to expiration {format_percent(held.probabilities.profit)}" if held is not None else ""
    return f"{format_percent(planned.probabilities.profit)} under the plan, by history{at_expiration}"


def ev_words(entry: Candidate, quantity: int = 1) -> str:
    """The expected profit under the exit plan with its interval, whole quantity, and the cost of trading."""
    outlook = entry.outlook
    if outlook is None:
        return NOT_STORED
    planned = outlook.chosen_plan.ev if outlook.chosen_plan is not None else None
    found = missing_reason(entry) if planned is None else estimate_words(planned, quantity)
    return f"{found} · cost of trading {format_gain(outlook.cost.total * quantity)}"


def estimate_words(found: "Estimate", quantity: int = 1) -> str:
    """`+$6.20 (90%: -$12.40 to +$22.80)`."""
    mean, low, high = (format_gain(amount * quantity) for amount in (found.mean, found.low, found.high))
    return f"{mean} (90%: {low} to {high})"


# What the market's numbers have been worth.


def market_odds_words(entry: Candidate) -> str:
    """The market's probability of profit with its record, on one line of a narrow screen."""
    record = record_words(entry, short=True)
    return (
        f"{format_percent(entry.pop_market)} market{f'; {record}' if record else ', at expiration, by option prices'}"
    )


def record_words(entry: Candidate, *, short: bool = False) -> str:
    """`puts like this came true 3.4 points more often than stated (95%: 0.7 to 5.6), up to 2026-06-30`; empty without a
    record. `short` leaves interval and day out."""
    row = nearest_row(_record_rows(entry), entry.short_delta)
    if row is None:
        return ""
    side = SIDES[row.right]
    difference = f"{abs(row.difference) * 100:.1f} points {'more' if row.difference > 0 else 'less'}"
    if short:
        return f"{side} like this came true {difference} (to {row.until[:7]})"
    return f"{side} like this came true {difference} often than stated (95%: {_interval_words(row)}), up to {row.until}"


def _record_rows(entry: Candidate) -> "tuple[Reliability, ...]":
    days, spread = entry.outlook.days if entry.outlook is not None else None, entry.spread
    if days is None:
        return ()
    today = spread.expiration - timedelta(days=days)
    return find_track_record(spread.underlying, spread.strategy, days=days, today=today)


def _interval_words(row: "Reliability") -> str:
    """`0.7 to 5.6`, in the direction of the difference: a negative end is the other direction."""
    sign = 1 if row.difference > 0 else -1
    low, high = sorted((sign * row.low * 100, sign * row.high * 100))
    return f"{low:.1f} to {high:.1f}"


def side_record_words(entries: "Iterable[Candidate]") -> str:
    """`Puts came true 2.1 to 3.4 points more often than the market's probability said, calls 3.3 to 6.8 points less
    (outcomes up to 2026-06).`, of the sides that the record speaks of; empty without one."""
    sides = {rows[0].right: rows for entry in entries if (rows := _record_rows(entry))}
    if not sides:
        return ""
    told = ", ".join(_side_range(sides[right], name) for right, name in SIDES.items() if right in sides)
    until = max(row.until for rows in sides.values() for row in rows)
    return f"Against the market's probability {told} (outcomes up to {until})."


def _side_range(rows: "tuple[Reliability, ...]", name: str) -> str:
    """The least and most difference of a side, in points."""
    points = sorted((row.difference * 100 for row in rows), key=abs)
    if len({point > 0 for point in points}) > 1:
        return f"{name} came true {points[0]:+.1f} to {points[-1]:+.1f} points off"
    low, high = f"{abs(points[0]):.1f}", f"{abs(points[-1]):.1f}"
    direction = "more" if points[0] > 0 else "less"
    return f"{name} came true {low if low == high else f'{low} to {high}'} points {direction} often"


# Every number, a line each.


def _by_law(name: str) -> "Callable[[Outlook], str]":
    def words(outlook: "Outlook") -> str:
        return " · ".join((*_forecast_words(outlook.expiry, name, ""), *_forecast_words(outlook.plan, name, "plan ")))

    return words


def _forecast_words(forecasts: "Forecasts | None", name: str, horizon: str) -> Iterator[str]:
    """`market 80.2%`, `history 86.4%` and so on; of the plan `plan history 85.3%`. What is not known is left out."""
    if forecasts is None:
        return
    for law, forecast in (
        ("market", forecasts.market), ("history", forecasts.history), ("no drift", forecasts.no_drift),
    ):  # fmt: skip
        found = getattr(forecast.probabilities, name) if forecast is not None else None
        if found is not None:
            yield f"{horizon}{law} {format_percent(found)}"


def _expected(name: str, horizon: str) -> "Callable[[Outlook], str]":
    def words(outlook: "Outlook") -> str:
        forecasts: Forecasts | None = getattr(outlook, horizon)
        if forecasts is None:
            return ""
        pairs = (("", forecasts.history), ("no drift ", forecasts.no_drift))
        estimates = ((law, getattr(forecast, name)) for law, forecast in pairs if forecast is not None)
        return " · ".join(f"{law}{estimate_words(found)}" for law, found in estimates if found is not None)

    return words


def cost_words(outlook: "Outlook") -> str:
    """The total and its parts, dollars a contract; slippage is what rounding leaves, so that the parts sum."""
    cost = outlook.cost
    interest, commissions, fees = (round(float(part), 2) for part in (cost.interest, cost.commissions, cost.fees))
    slippage = round(cost.total, 2) - interest - commissions - fees
    parts = {"interest": interest, "slippage": slippage, "commissions": commissions, "fees": fees}
    return f"{format_gain(cost.total)}: {', '.join(f'{name} {format_gain(amount)}' for name, amount in parts.items())}"


NUMBERS: "Mapping[str, tuple[Callable[[Outlook], str], str]]" = {
    "P(worthless)": (_by_law("worthless"), "no short strike is reached at the end, so the whole credit is kept"),
    "P(profit)": (_by_law("profit"), "any profit after costs; first to expiration, then under the exit plan"),
    "P(max profit)": (_by_law("max_profit"), "the largest profit at expiration; under the plan, the profit target"),
    "P(max loss)": (_by_law("max_loss"), "the underlying ends at or beyond a long strike"),
    "P(touch)": (_by_law("touch"), "a short strike is reached at any time before the end"),
    "EV expiration": (
        _expected("ev", "expiry"), "mean profit by history when held to expiration, after costs, 90% interval",
    ),
    "EV plan": (_expected("ev", "plan"), "mean profit by history under the exit plan, costs both ways, 90% interval"),
    "shortfall": (
        _expected("shortfall", "expiry"),
        "mean profit of the worst twentieth by history, to expiration; a loss by construction",
    ),
    "shortfall plan": (
        _expected("shortfall", "plan"),
        "mean profit of the worst twentieth by history, under the plan; a loss by construction",
    ),
    "cost of trading": (
        cost_words, "what fair option prices leave of any credit spread, to expiration: negative by construction",
    ),
    "premium a day": (
        lambda outlook: format_gain(outlook.premium_per_day), "credit at the mid over the calendar days to expiration",
    ),
    "return on risk": (lambda outlook: format_percent(outlook.return_on_risk), "max profit at the start over max loss"),
    "score": (
        lambda outlook: "" if outlook.score is None else f"{outlook.score:+.3f}",
        "low end of EV plan over max loss: mostly negative, since it is a low end; shown, it decides nothing",
    ),
}  # fmt: skip
"""Of each number of an outlook: its words, dollars a contract, and what it means."""

LAWS: "Mapping[str, str]" = {
    "market": "the density that the option prices imply; it holds a premium for risk: a price, no forecast",
    "history": "returns since 1993 scaled by today's VIX over the VIX of then, with their drift",
    "no drift": "the same returns with a mean of zero over the forward",
    "plan": "by the exit plan (profit target, stop, time exit, last exit); without the word, held to expiration",
}


def number_items(entry: Candidate) -> tuple[Item, ...]:
    """Every number of a candidate, one contract, a line each."""
    if entry.outlook is None:
        return (pair("numbers", NOT_STORED),)
    outlook = entry.outlook
    known = [pair(label, words(outlook)) for label, (words, _) in NUMBERS.items()]
    return (*known, pair("history", _history_words(outlook)), pair("market's record", record_words(entry)))


def _history_words(outlook: "Outlook") -> str:
    if outlook.history_until is None:
        return outlook.missing or ""
    return f"{outlook.sessions} start days up to {outlook.history_until}"


def explained_numbers(entry: Candidate | None) -> list[Pairs]:
    """The laws, and one line of meaning for each number, behind its value where a candidate has it."""
    outlook = entry.outlook if entry is not None else None
    lines = []
    for label, (describe, meaning) in NUMBERS.items():
        found = describe(outlook) if outlook is not None else ""
        if found or outlook is None:  # a number that this underlying does not have is left out
            lines.append(pair(label, ": ".join(filter(None, (found, meaning)))))
    record = side_record_words(() if entry is None else (entry,))
    laws = [pair(label, text) for label, text in LAWS.items()]
    return [
        Pairs(name="law", title="The laws", items=(*laws, pair("record", record))),
        Pairs(name="number", title="The numbers, dollars a contract", items=tuple(lines)),
    ]
