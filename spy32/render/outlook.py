"""A candidate's probabilities and expected values: the few that decide, and all with their meaning."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from spy32.domain.market import Right
from spy32.domain.spreads import Candidate
from spy32.render.formatting import format_chance, format_gain, format_known, format_percent, format_whole
from spy32.render.page import Fact, Facts, read_path
from spy32.track_record import find_track_record

if TYPE_CHECKING:
    from spy32.domain.outlook import Estimate, Forecast, Outlook, TrackRecord

NOT_STORED = "n/a: runs before 0.4 did not compute it"
SIDES: "Mapping[Right, str]" = {Right.PUT: "puts", Right.CALL: "calls"}
"""The sides of the record of the market's probabilities."""


def has_plan(entry: Candidate) -> bool:
    """Whether the history says what the exit plan is worth."""
    return entry.outlook is not None and entry.outlook.chosen_plan is not None


# The numbers that decide.


def odds_items(entry: Candidate, quantity: int) -> list[Fact]:
    """What the order is worth by history, with its exits and held to expiration; without a history, the market's
    odds."""
    outlook = entry.outlook
    if outlook is None or outlook.chosen_plan is None:
        reason = NOT_STORED if outlook is None else f"n/a: {outlook.missing}" if outlook.missing else "n/a"
        return [("By options", market_odds_words(entry), "strong"), ("By history", reason)]
    return [
        ("By history", order_words(entry, quantity)),
        ("With exits", worth_words(outlook.chosen_plan, quantity), "strong"),
        ("If held", worth_words(outlook.expiry.history, quantity)),
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
    """`Backtest 1998-2026, synthetic prices: such puts won 3.5 points more (0.8 to 5.9) than the market's odds, 2.0
    points fewer than history's`; empty without a record."""
    row = _record_row(entry)
    if row is None:
        return ""
    sign = 1 if row.difference > 0 else -1  # a negative end of the interval is the other direction
    low, high = sorted((sign * row.low * 100, sign * row.high * 100))
    won = f"such {SIDES[row.right]} won {_points(row.difference)} ({low:.1f} to {high:.1f})"
    history = format_known(lambda difference: f", {_points(difference)} than history's", row.history_difference)
    return f"{_backtest(row.until)}: {won} than the market's odds{history}"


def _record_row(entry: Candidate) -> "TrackRecord | None":
    return min(_record_rows(entry), key=lambda row: abs(row.delta - entry.short_delta), default=None)


def _record_rows(entry: Candidate) -> "tuple[TrackRecord, ...]":
    days, spread = read_path(entry.outlook, "days"), entry.spread
    if days is None:
        return ()
    today = spread.expiration - timedelta(days=days)
    return find_track_record(spread.underlying, spread.strategy, days=days, today=today)


def _backtest(until: str) -> str:
    return f"Backtest 1998-{until[:4]}, synthetic prices"


def _points(difference: float) -> str:
    return f"{abs(difference) * 100:.1f} points {'more' if difference > 0 else 'fewer'}"


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
    low, most = f"{abs(points[0]):.1f}", _points(points[-1] / 100)
    return f"{name} won {most if most.startswith(f'{low} ') else f'{low} to {most}'}"


# Every number, a line each.

SOURCES = (("options", "market"), ("history", "history"), ("without its rise", "no_drift"))
"""Whose number it is, in words, and the attribute of the forecasts."""


def _chances(name: str, horizon: str) -> "Callable[[Outlook], str]":
    """`options 80% · history 86% · without its rise 82%` over one horizon; what is not known is left out."""

    def words(outlook: "Outlook") -> str:
        found = {source: read_path(outlook, f"{horizon}.{law}.probabilities.{name}") for source, law in SOURCES}
        return " · ".join(f"{source} {format_chance(each)}" for source, each in found.items() if each is not None)

    return words


def _estimates(name: str, horizon: str) -> "Callable[[Outlook], str]":
    """`+$8, 90% sure +$1 to +$14 · without its rise +$2, 90% sure -$6 to +$9`, by history."""

    def words(outlook: "Outlook") -> str:
        laws = {"": "history", "without its rise ": "no_drift"}
        found = {source: read_path(outlook, f"{horizon}.{law}.{name}") for source, law in laws.items()}
        return " · ".join(f"{source}{estimate_words(each)}" for source, each in found.items() if each is not None)

    return words


def ending_words(outlook: "Outlook") -> str:
    """`target 62% · stop 9% · time 29% · average win +$24 · average loss -$56`, by history, one contract."""
    forecast = outlook.chosen_plan
    if forecast is None or forecast.probabilities.stopped is None:
        return ""
    target, stop = forecast.probabilities.max_profit, forecast.probabilities.stopped
    chances = {"target": target, "stop": stop, "time": max(1.0 - target - stop, 0.0)}
    averages = {"average win": forecast.average_win, "average loss": forecast.average_loss}
    words = [f"{name} {format_chance(chance)}" for name, chance in chances.items()]
    words += [f"{name} {format_whole(amount)}" for name, amount in averages.items() if amount is not None]
    return " · ".join(words)


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


def number_items(entry: Candidate) -> Facts:
    """Every number of a candidate, one contract, a line each."""
    outlook = entry.outlook
    if outlook is None:
        yield "numbers", NOT_STORED
        return
    yield from ((label, words(outlook)) for label, (words, _) in NUMBERS.items())
    until = outlook.history_until
    yield ("history", f"{outlook.sessions} start days up to {until}" if until is not None else outlook.missing or "")
    yield "backtest", record_words(entry)
