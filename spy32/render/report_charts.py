"""The pictures of the report's HTML page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from math import ceil, floor, log10
from typing import NamedTuple

from spy32.domain.report import (
    AttributionParts,
    EquityPoint,
    ExperimentPoint,
    ExperimentState,
    GroupResult,
    Reliability,
    Report,
    ReportTrade,
)
from spy32.render.formatting import format_count, format_gain, format_whole, humanise
from spy32.render.page import Columns, Grid, noun_grid
from spy32.render.svg import LEFT, MAX_TICKS, Plot, nice_range, outline, ticks

PART_NAMES = {"fees": "fees, slippage"}
"""Of those that say more than their name: fills differ from the mids that marks are made of."""
FEWEST_TRADES = 5
"""Of a picture of single trades: of fewer the table says all."""
MAX_DATE_LABELS = 4
MAX_DOTS = 260
"""The newest: five years of weekly trades."""
MAX_EXPERIMENTS = 2
"""Drawn, the newest ones; each is told in words."""
SLIPPAGE_STEP = 5.0
"""Dollars of a bar: half a cent a share of ten contracts."""
SMALLEST_EVIDENCE = 1e-6
"""Below, the logarithmic picture has no room."""
percent = "{:.0%}".format


class Figure(NamedTuple):
    """A picture, the sentence that says what is seen, and its data, which have its name and title."""

    data: Grid
    svg: str
    caption: str


def make_figure(plot: Plot, caption: str, data: Grid) -> Figure:
    return Figure(data, plot.svg(data.name, data.title, caption), caption)


def axis_dollars(amount: float) -> str:
    """A round amount beside an axis, where five digits have no room."""
    sign = "-" if amount < 0 else "+" if amount > 0 else ""
    return f"{sign}$" + (f"{abs(amount) / 1000:,g}k" if abs(amount) >= 10_000 else f"{abs(amount):,g}")


def _sign_class(amount: float | Decimal) -> str:
    return "gain" if amount >= 0 else "loss"


# The result.


def result_figures(report: Report) -> Iterator[Figure]:
    """Those of the trades that there is enough of."""
    if len(report.equity) > 1:
        yield equity_figure(report.equity)
        yield drawdown_figure(report.equity)
    if len(report.groups.get("exit", ())) > 1:
        yield exits_figure(report.groups["exit"])
    ended = [trade for trade in report.trades if trade.credit_kept is not None and trade.days_held is not None]
    if len(ended) >= FEWEST_TRADES:
        yield credit_figure(ended)
    lost = [float(trade.slippage) for trade in report.trades if trade.slippage is not None]
    if len(lost) >= FEWEST_TRADES:
        yield slippage_figure(lost)


def equity_figure(points: Sequence[EquityPoint]) -> Figure:
    totals = [float(point.total) for point in points]
    plot = _dollar_plot(points, totals)
    plot.draw("polyline", outline(totals), "line")
    caption = (
        f"From {points[0].day} to {points[-1].day} the result, open marks included, came to"
        f" {format_whole(totals[-1])}; it was {format_whole(max(totals))} at its highest and"
        f" {format_whole(min(totals))} at its lowest."
    )
    columns: Columns = {
        "month's end": "day",
        "realised": lambda point: format_gain(point.realized),
        "open": lambda point: format_gain(point.unrealized),
        "together": lambda point: format_gain(point.total),
    }
    return make_figure(plot, caption, noun_grid("equity", "Result, with open marks", _month_ends(points), columns))


def drawdown_figure(points: Sequence[EquityPoint]) -> Figure:
    falls = [float(point.drawdown) for point in points]
    plot = _dollar_plot(points, falls)
    plot.draw("polygon", [(0.0, 0.0), *outline(falls), (len(points) - 1.0, 0.0)], "fall")
    worst = min(points, key=lambda point: point.drawdown)
    caption = "The result has never been below an earlier high."
    if worst.drawdown < 0:
        caption = (
            f"The deepest fall below an earlier high was {format_whole(worst.drawdown)}, on {worst.day}; at the end it"
            f" is {format_whole(falls[-1])}."
        )
    columns: Columns = {"month's end": "day", "drawdown": lambda point: format_gain(point.drawdown)}
    data = noun_grid("drawdown", "Drawdown, with open marks", _month_ends(points), columns)
    return make_figure(plot, caption, data)


def _dollar_plot(points: Sequence[EquityPoint], values: Sequence[float]) -> Plot:
    plot = _day_plot([point.day for point in points], nice_range(values, with_zero=True))
    plot.draw_y_axis(axis_dollars)
    return plot


def _day_plot(days: Sequence[date], y: tuple[float, float]) -> Plot:
    """A value by day, whose months stand below."""
    plot = Plot((0, len(days) - 1), y)
    step = -(-len(days) // MAX_DATE_LABELS)
    plot.draw_x_axis(lambda place: f"{days[int(place)]:%Y-%m}", range(0, len(days), step))
    return plot


def _month_ends(points: Sequence[EquityPoint]) -> list[EquityPoint]:
    return list({f"{point.day:%Y-%m}": point for point in points}.values())


def exits_figure(groups: Sequence[GroupResult]) -> Figure:
    plot = _row_plot([float(group.result) for group in groups])
    for row, group in enumerate(groups):
        result = float(group.result)
        plot.draw_row(row, humanise(group.name), 0.0, result, _sign_class(result), format_whole(result))
    best, worst = (choose(groups, key=lambda group: group.result) for choose in (max, min))
    caption = f"The most came from {_exit_words(best)}; the least from {_exit_words(worst)}."
    columns: Columns = {
        "exit": lambda group: humanise(group.name),
        "trades": "count",
        "with a profit": "wins",
        "result": lambda group: format_gain(group.result),
    }
    return make_figure(plot, caption, noun_grid("exits", "Result by how the trade ended", groups, columns))


def _row_plot(values: Sequence[float]) -> Plot:
    """One row of dollars a value."""
    plot = Plot(nice_range(values, with_zero=True), (0, 1), rows=len(values))
    plot.draw_x_axis(axis_dollars, ticks(plot.x.low, plot.x.high, 4), with_lines=True)
    return plot


def _exit_words(group: GroupResult) -> str:
    return f"{humanise(group.name)}: {format_whole(group.result)}, {format_count(group.count, 'trade')}"


def credit_figure(ended: Sequence[ReportTrade]) -> Figure:
    noun = "trade" if len(ended) <= MAX_DOTS else "newest trade"
    ended = ended[-MAX_DOTS:]
    dots = [(trade, float(trade.days_held or 0), trade.credit_kept or 0.0) for trade in ended]
    kept = [share for _, _, share in dots]
    plot = Plot(nice_range([days for _, days, _ in dots], with_zero=True), nice_range(kept, with_zero=True))
    plot.draw_y_axis(percent)
    plot.draw_x_axis(lambda days: f"{days:.0f} d", ticks(max(plot.x.low, 0), plot.x.high))
    for trade, days, share in dots:
        plot.draw_dot(days, share, _sign_class(share), f"T{trade.id}: {percent(share)}, {days:.0f} d")
    caption = (
        f"{sum(share > 0 for share in kept)} of {format_count(len(ended), noun)} kept a part of the credit; below 0%"
        " more than it was lost."
    )
    columns: Columns = {
        "trade": lambda trade: f"T{trade.id}",
        "days": "days_held",
        "credit kept": lambda trade: percent(trade.credit_kept),
    }
    return make_figure(plot, caption, noun_grid("credit", "Share of the credit kept, by days held", ended, columns))


def slippage_figure(lost: Sequence[float]) -> Figure:
    """Dollars that trades lost against the mid, counted by steps."""
    counts = Counter(int(amount // SLIPPAGE_STEP) for amount in lost)
    bars = [
        (format_whole(step * SLIPPAGE_STEP), format_whole((step + 1) * SLIPPAGE_STEP), count)
        for step, count in sorted(counts.items())
    ]
    plot = Plot((0, max(counts.values())), (0, 1), rows=len(bars))
    for row, (start, end, count) in enumerate(bars):
        plot.draw_row(row, f"{start} to {end}", 0.0, count, "bar", format_count(count, "trade"))
    paid = sum(amount > 0 for amount in lost)
    caption = f"{paid} of {format_count(len(lost), 'trade')} paid more than the mid; the length counts trades."
    columns: Columns = {"from": lambda bar: bar[0], "to": lambda bar: bar[1], "trades": lambda bar: str(bar[2])}
    return make_figure(plot, caption, noun_grid("slippage", "Slippage against the mid at the decision", bars, columns))


# Probabilities, causes and experiments.


def reliability_figures(report: Report) -> list[Figure]:
    return [_reliability_figure(place, each) for place, each in enumerate(report.reliability, 1) if each.points]


def _reliability_figure(place: int, source: Reliability) -> Figure:
    plot = Plot((0, 1), (0, 1))
    plot.draw_y_axis(percent)
    plot.draw_x_axis(percent, ticks(0, 1))
    points = source.points
    ups, downs = [(each.stated, each.high) for each in points], [(each.stated, each.low) for each in points]
    plot.draw("polygon", [*ups, *reversed(downs)], "band")
    plot.draw("polyline", [(0, 0), (1, 1)], "reference")
    plot.draw("polyline", [(each.stated, each.came_true) for each in points], "line")
    for each in points:
        label = f"stated {each.stated:.1%}, came true {each.came_true:.1%} of {each.count}"
        plot.draw_dot(each.stated, each.came_true, "bar", label)
    caption = (
        f"Stated (across) {percent(source.stated)} on average, came true (up) {source.came_true.hits} of"
        f" {source.count} outcomes in {format_count(source.weeks, 'week')}; on the dashed diagonal they would agree."
        " The band shows how sure the shape is, by resampling blocks of weeks; it claims nothing."
    )
    columns: Columns = {
        "stated": lambda each: f"{each.stated:.1%}",
        "came true": lambda each: f"{each.came_true:.1%}",
        "low": lambda each: f"{each.low:.1%}",
        "high": lambda each: f"{each.high:.1%}",
        "outcomes": "count",
    }
    title = f"Probability against result: {source.source}, {source.event}"
    return make_figure(plot, caption, noun_grid(f"reliability-{place}", title, points, columns))


def attribution_figure(sums: AttributionParts) -> Figure:
    """A waterfall: each part starts where the one before it ends."""
    amounts = {PART_NAMES.get(name, name): float(amount) for name, amount in sums.amounts.items()}
    edges = [0.0]
    for amount in amounts.values():
        edges.append(edges[-1] + amount)
    plot = _row_plot(edges)
    for row, (name, amount) in enumerate(amounts.items()):
        plot.draw_row(row, name, edges[row], edges[row + 1], _sign_class(amount), format_whole(amount))
    total = format_whole(sums.total)
    plot.draw_row(len(amounts), "total", 0.0, float(sums.total), "bar", total)
    largest = max(amounts, key=lambda name: abs(amounts[name]))
    caption = (
        f"Each bar starts where the one above ends; together {total}. The largest part is {largest}:"
        f" {format_whole(amounts[largest])}."
    )
    columns: Columns = {"part": lambda row: row[0], "dollars": lambda row: format_gain(row[1])}
    rows = (*amounts.items(), ("total", sums.total))
    return make_figure(
        plot, caption, noun_grid("attribution", "Where the changes of the marks came from", rows, columns)
    )


def experiment_figures(report: Report) -> Iterator[Figure]:
    """The paired differences and the evidence of the newest experiments, as they stood pair by pair."""
    for experiment in report.experiments[-MAX_EXPERIMENTS:]:
        if len(experiment.path) > 1:
            yield _differences_figure(experiment, experiment.path)
            yield _evidence_figure(experiment, experiment.path)


def _differences_figure(experiment: ExperimentState, path: Sequence[ExperimentPoint]) -> Figure:
    plot = _day_plot([point.day for point in path], (-1, 1))
    plot.draw_y_axis(lambda share: f"{share:+.1f}" if share else "0")
    ups, downs = outline([point.high for point in path]), outline([point.low for point in path])
    plot.draw("polygon", [*ups, *reversed(downs)], "band")
    for place, point in list(enumerate(path))[-MAX_DOTS:]:
        plot.draw_dot(place, point.difference, _sign_class(point.difference))
    level = f"{experiment.interval.level:.0%} " if experiment.interval is not None else ""
    caption = (
        f"One dot a pair, a share of the maximum loss; above 0 the challenger did better. The band is the {level}"
        f"interval of the mean, whenever one looks; at the end {path[-1].low:+.3f} to {path[-1].high:+.3f}."
    )
    columns: Columns = {
        "day": "day",
        "difference": lambda point: f"{point.difference:+.3f}",
        "low": lambda point: f"{point.low:+.3f}",
        "high": lambda point: f"{point.high:+.3f}",
    }
    title = f"Paired differences: {' less '.join(experiment.sides)}"
    return make_figure(plot, caption, noun_grid(f"differences-{experiment.experiment.id}", title, path, columns))


def _evidence_figure(experiment: ExperimentState, path: Sequence[ExperimentPoint]) -> Figure:
    needed = experiment.evidence_needed
    enough = log10(needed)
    powers = [log10(max(point.evidence, SMALLEST_EVIDENCE)) for point in path]
    low, high = nice_range([*powers, enough, 0.0])
    plot = _day_plot([point.day for point in path], (low, high))
    tens = range(ceil(low), floor(high) + 1, max(1, ceil((high - low) / MAX_TICKS)))
    plot.draw_y_axis(lambda power: f"{10.0**power:g}", tens)
    plot.draw("polyline", [(0, enough), (len(path) - 1, enough)], "reference")
    plot.draw_text(LEFT + 4, plot.y.place(enough) - 5, f"{needed:g}: enough for a claim", "start", "value")
    plot.draw("polyline", outline(powers), "line")
    caption = (
        f"After {format_count(len(path), 'pair')} evidence e = {path[-1].evidence:.3g}; {needed:g} allows a claim."
    )
    columns: Columns = {"day": "day", "evidence e": lambda point: f"{point.evidence:.3f}"}
    title = f"Evidence that {' is better than '.join(experiment.sides)}"
    return make_figure(plot, caption, noun_grid(f"evidence-{experiment.experiment.id}", title, path, columns))
