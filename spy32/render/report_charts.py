"""The pictures of the report's HTML page, each from the JSON document of `spy32 report` and nothing else."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log10
from typing import Any, NamedTuple

from spy32.render.svg import Plot, nice_range, ticks

Document = Mapping[str, Any]
Rows = Sequence[Sequence[str]]

PARTS = ("time", "spot", "vol", "smile", "rest", "fees")
"""Of the attribution, in the order of the waterfall."""
EVIDENCE_NEEDED = 20.0
"""1 over the level of an experiment."""
MAX_DATE_LABELS = 5


class Figure(NamedTuple):
    """A picture, and the table of its data."""

    name: str
    title: str
    svg: str
    heading: Sequence[str]
    rows: Rows


def figures(report: Document) -> list[Figure]:
    """Every picture that the report has data for, in the order of the page."""
    drawn: list[Figure | None] = [
        equity_figure(report["equity"]),
        exits_figure(report["groups"].get("exit", [])),
        credit_figure(report["trades"]),
        slippage_figure(report["trades"]),
        *(reliability_figure(place, source) for place, source in enumerate(report["reliability"])),
        attribution_figure(report["attribution"]),
        *(figure for experiment in report["experiments"] for figure in experiment_figures(experiment)),
    ]
    return [figure for figure in drawn if figure is not None]


def dollars(amount: float | str) -> str:
    """With its sign, to the dollar: the space beside an axis is small."""
    number = float(amount)
    return f"{'−' if number < 0 else '+' if number > 0 else ''}${abs(number):,.0f}"


def percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def equity_figure(points: Sequence[Document]) -> Figure | None:
    if len(points) < 2:
        return None
    totals = [float(point["realized"]) + float(point["unrealized"]) for point in points]
    falls = [float(point["drawdown"]) for point in points]
    plot = Plot((0, len(points) - 1), nice_range([*totals, *falls], with_zero=True))
    plot.draw_y_axis([(value, dollars(value)) for value in ticks(plot.y.low, plot.y.high)])
    plot.draw_x_axis(_date_labels([point["day"] for point in points]))
    plot.draw_area([(0.0, 0.0), *enumerate(falls), (len(points) - 1.0, 0.0)], "fall")
    plot.draw_line(list(enumerate(totals)), "line")
    last = {day[:7]: place for place, day in enumerate(point["day"] for point in points)}
    worst = min(falls)
    return Figure(
        "equity",
        "Result with open marks, and drawdown",
        plot.svg(
            "equity",
            "Result with open marks, and drawdown",
            f"From {points[0]['day']} to {points[-1]['day']} the result went to {dollars(totals[-1])}; the deepest"
            f" drawdown was {dollars(worst)}.",
        ),
        ("month's end", "realised", "unrealised", "drawdown"),
        [[points[at][key] for key in ("day", "realized", "unrealized", "drawdown")] for at in last.values()],
    )


def _date_labels(days: Sequence[str]) -> list[tuple[float, str]]:
    step = max(1, (len(days) - 1) // (MAX_DATE_LABELS - 1)) if len(days) > 1 else 1
    return [(place, days[place][:7]) for place in range(0, len(days), step)]


def exits_figure(groups: Sequence[Document]) -> Figure | None:
    if not groups:
        return None
    results = [float(group["result"]) for group in groups]
    plot = Plot((0, len(groups)), nice_range(results, with_zero=True))
    plot.draw_y_axis([(value, dollars(value)) for value in ticks(plot.y.low, plot.y.high)])
    for place, (group, result) in enumerate(zip(groups, results, strict=True)):
        label = f"{group['name']}: {group['count']} trades, {dollars(result)}"
        plot.draw_bar(place + 0.15, place + 0.85, result, _sign_class(result), label)
    plot.draw_x_axis([(place + 0.5, f"{group['name']} ({group['count']})") for place, group in enumerate(groups)])
    return Figure(
        "exits",
        "Result by how the trade ended",
        plot.svg("exits", "Result by how the trade ended", "One bar a reason, dollars; the number of trades below."),
        ("exit", "trades", "profitable", "result"),
        [[group["name"], str(group["count"]), str(group["wins"]), group["result"]] for group in groups],
    )


def _sign_class(amount: float) -> str:
    return "gain" if amount >= 0 else "loss"


def credit_figure(trades: Sequence[Document]) -> Figure | None:
    ended = [trade for trade in trades if trade["credit_kept"] is not None and trade["days_held"] is not None]
    if not ended:
        return None
    kept = [trade["credit_kept"] for trade in ended]
    plot = Plot(nice_range([trade["days_held"] for trade in ended], with_zero=True), nice_range(kept, with_zero=True))
    plot.draw_y_axis([(value, percent(value)) for value in ticks(plot.y.low, plot.y.high)])
    plot.draw_x_axis([(value, f"{value:.0f} d") for value in ticks(max(plot.x.low, 0), plot.x.high)])
    for trade in ended:
        label = f"{trade['id']}: {percent(trade['credit_kept'])} of the credit in {trade['days_held']} days"
        plot.draw_dot(trade["days_held"], trade["credit_kept"], _sign_class(trade["credit_kept"]), label)
    return Figure(
        "credit",
        "Share of the credit kept, by days held",
        plot.svg("credit", "Share of the credit kept, by days held", f"{len(ended)} trades, one dot each."),
        ("trade", "days", "credit kept"),
        [[trade["id"], str(trade["days_held"]), percent(trade["credit_kept"])] for trade in ended],
    )


SLIPPAGE_STEP = 5.0
"""Dollars of a bar: half a cent a share of ten contracts."""


def slippage_figure(trades: Sequence[Document]) -> Figure | None:
    lost = [float(trade["slippage"]) for trade in trades if trade["slippage"] is not None]
    if not lost:
        return None
    counts = Counter(int(amount // SLIPPAGE_STEP) for amount in lost)
    first, last = min(counts), max(counts)
    plot = Plot((first, last + 1), (0, max(counts.values()) * 1.05))
    plot.draw_y_axis([(value, f"{value:.0f}") for value in ticks(0, plot.y.high) if value == int(value)])
    for place, count in sorted(counts.items()):
        label = f"{dollars(place * SLIPPAGE_STEP)} to {dollars((place + 1) * SLIPPAGE_STEP)}: {count} trades"
        plot.draw_bar(place + 0.05, place + 0.95, count, "bar", label)
    edges = [value for value in ticks(first, last + 1) if value == int(value)]
    plot.draw_x_axis([(edge, dollars(edge * SLIPPAGE_STEP)) for edge in edges])
    rows = [
        [dollars(place * SLIPPAGE_STEP), dollars((place + 1) * SLIPPAGE_STEP), str(count)]
        for place, count in sorted(counts.items())
    ]
    title = "Dollars lost against the mid at the decision"
    return Figure("slippage", title, plot.svg("slippage", title, "Trades by slippage."), ("from", "to", "trades"), rows)


def reliability_figure(place: int, source: Document) -> Figure | None:
    points = source["points"]
    if not points:
        return None
    plot = Plot((0, 1), (0, 1))
    scale = [(value, percent(value)) for value in ticks(0, 1)]
    plot.draw_y_axis(scale)
    plot.draw_x_axis(scale)
    ups, downs = ([(point["stated"], point[side]) for point in points] for side in ("high", "low"))
    plot.draw_area([*ups, *reversed(downs)], "band")
    plot.draw_line([(0, 0), (1, 1)], "zero")
    plot.draw_line([(point["stated"], point["came_true"]) for point in points], "line")
    for point in points:
        label = f"stated {point['stated']:.1%}, came true {point['came_true']:.1%} of {point['count']}"
        plot.draw_dot(point["stated"], point["came_true"], "bar", label)
    title = f"Probability against result: {source['source']}, {source['event']}"
    description = (
        f"{source['count']} outcomes of {source['weeks']} weeks. Horizontal: stated; vertical: came true, with its"
        " interval. On the diagonal what was stated came true."
    )
    name = f"reliability-{place + 1}"
    rows = [
        [f"{point[key]:.1%}" for key in ("stated", "came_true", "low", "high")] + [str(point["count"])]
        for point in points
    ]
    heading = ("stated", "came true", "low", "high", "outcomes")
    return Figure(name, title, plot.svg(name, title, description), heading, rows)


def attribution_figure(intervals: Sequence[Document]) -> Figure | None:
    if not intervals:
        return None
    sums = {part: sum(float(interval[part]) for interval in intervals) for part in (*PARTS, "total")}
    edges, level = [0.0], 0.0
    for part in PARTS:
        level += sums[part]
        edges.append(level)
    plot = Plot((0, len(PARTS) + 1), nice_range(edges, with_zero=True))
    plot.draw_y_axis([(value, dollars(value)) for value in ticks(plot.y.low, plot.y.high)])
    for place, part in enumerate(PARTS):
        label = f"{part}: {dollars(sums[part])}"
        plot.draw_bar(place + 0.1, place + 0.9, edges[place + 1], _sign_class(sums[part]), label, base=edges[place])
    plot.draw_bar(len(PARTS) + 0.1, len(PARTS) + 0.9, sums["total"], "bar", f"total: {dollars(sums['total'])}")
    plot.draw_x_axis([(place + 0.5, part) for place, part in enumerate((*PARTS, "total"))])
    title = "Where the result came from"
    return Figure(
        "attribution",
        title,
        plot.svg("attribution", title, "Changes of the marks by cause; the bars add up to the total."),
        ("part", "dollars"),
        [[part, f"{amount:.2f}"] for part, amount in sums.items()],
    )


def experiment_figures(experiment: Document) -> list[Figure]:
    path = experiment["path"]
    if len(path) < 2:
        return []
    pair = f"{experiment['challenger']} less {experiment['champion']}"
    heading = ("day", "difference", "evidence", "low", "high")
    rows = [
        [point["day"], *(f"{point[key]:.3f}" for key in ("difference", "evidence", "low", "high"))] for point in path
    ]

    def draw(name: str, title: str, description: str, y: tuple[float, float], fill: Callable[[Plot], None]) -> Figure:
        plot = Plot((0, len(path) - 1), y)
        fill(plot)
        plot.draw_x_axis(_date_labels([point["day"] for point in path]))
        return Figure(name, title, plot.svg(name, title, description), heading, rows)

    def differences(plot: Plot) -> None:
        plot.draw_y_axis([(value, f"{value:+.2g}") for value in ticks(plot.y.low, plot.y.high)])
        ups, downs = ([(place, point[side]) for place, point in enumerate(path)] for side in ("high", "low"))
        plot.draw_area([*ups, *reversed(downs)], "band")
        for place, point in enumerate(path):
            plot.draw_dot(place, point["difference"], _sign_class(point["difference"]), point["day"])

    def evidence(plot: Plot) -> None:
        plot.draw_y_axis([(float(power), f"{10.0**power:g}") for power in ticks(plot.y.low, plot.y.high)])
        plot.draw_line([(0, log10(EVIDENCE_NEEDED)), (len(path) - 1, log10(EVIDENCE_NEEDED))], "zero")
        plot.draw_line([(place, log10(max(point["evidence"], 1e-6))) for place, point in enumerate(path)], "line")

    powers = [log10(max(point["evidence"], 1e-6)) for point in path]
    number = experiment["id"]
    return [
        draw(
            f"differences-{number}", f"Paired differences: {pair}",
            "One dot a pair, shares of the maximum loss; the band is the interval of the mean.", (-1, 1), differences,
        ),
        draw(
            f"evidence-{number}", f"Evidence that {experiment['challenger']} is better",
            "Logarithmic; 20 is needed for a claim.", nice_range([*powers, log10(EVIDENCE_NEEDED), 0.0]), evidence,
        ),
    ]  # fmt: skip
