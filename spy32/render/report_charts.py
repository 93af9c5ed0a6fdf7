"""The pictures of the report's HTML page, each from the JSON document of `spy32 report` and nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil, floor, log10
from typing import Any, NamedTuple

from spy32.render.svg import LEFT, MAX_TICKS, Plot, nice_range, outline, ticks

Document = Mapping[str, Any]
Rows = Sequence[Sequence[str]]

PARTS = ("time", "spot", "vol", "smile", "rest", "fees")
"""Of the attribution, in the order of the waterfall."""
PART_NAMES = {"fees": "fees, slippage"}
"""Of those that say more than their key: fills differ from the mids that marks are made of."""
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


class Figure(NamedTuple):
    """A picture, the sentence that says what is seen, and the table of its data."""

    name: str
    title: str
    svg: str
    caption: str
    heading: Sequence[str]
    rows: Rows


def make_figure(name: str, title: str, plot: Plot, caption: str, heading: Sequence[str], rows: Rows) -> Figure:
    return Figure(name, title, plot.svg(name, title, caption), caption, heading, rows)


def figures(report: Document) -> list[Figure]:
    """Every picture that the report has data for, in the order of the page."""
    drawn: list[Figure | None] = [
        equity_figure(report["equity"]),
        drawdown_figure(report["equity"]),
        exits_figure(report["groups"].get("exit", [])),
        credit_figure(report["trades"]),
        slippage_figure(report["trades"]),
        *(reliability_figure(place, source) for place, source in enumerate(report["reliability"])),
        attribution_figure(report["attribution_sum"]),
        *(
            figure
            for experiment in report["experiments"][-MAX_EXPERIMENTS:]
            for figure in experiment_figures(experiment)
        ),
    ]
    return [figure for figure in drawn if figure is not None]


def dollars(amount: float | str) -> str:
    """With its sign, to the dollar."""
    return _dollars_with_sign(f"{abs(float(amount)):,.0f}", float(amount))


def axis_dollars(amount: float) -> str:
    """A round amount beside an axis, where five digits have no room."""
    return _dollars_with_sign(f"{abs(amount) / 1000:,g}k" if abs(amount) >= 10_000 else f"{abs(amount):,g}", amount)


def money(amount: float | str | Decimal) -> str:
    """With its sign, to the cent."""
    return _dollars_with_sign(f"{abs(float(amount)):,.2f}", float(amount))


def _dollars_with_sign(digits: str, amount: float) -> str:
    if not digits.strip("0.,"):
        return f"${digits}"
    return f"{'−' if amount < 0 else '+'}${digits}"


def percent(share: float) -> str:
    return f"{share * 100:.0f}%".replace("-", "−")


def format_share(share: float, digits: int = 3) -> str:
    return f"{share:+.{digits}f}".replace("-", "−")


def equity_figure(points: Sequence[Document]) -> Figure | None:
    if len(points) < 2:
        return None
    totals = [float(point["total"]) for point in points]
    plot = _day_plot(points, totals)
    plot.draw_line(outline(totals), "line")
    caption = (
        f"From {points[0]['day']} to {points[-1]['day']} the result, open marks included, came to"
        f" {dollars(totals[-1])}; it was {dollars(max(totals))} at its highest and {dollars(min(totals))} at its"
        " lowest."
    )
    rows = [
        [point["day"], *(money(point[key]) for key in ("realized", "unrealized", "total"))]
        for point in _month_ends(points)
    ]
    return make_figure(
        "equity", "Result, with open marks", plot, caption, ("month's end", "realised", "open", "together"), rows
    )


def drawdown_figure(points: Sequence[Document]) -> Figure | None:
    if len(points) < 2:
        return None
    falls = [float(point["drawdown"]) for point in points]
    plot = _day_plot(points, falls)
    plot.draw_area([(0.0, 0.0), *outline(falls), (len(points) - 1.0, 0.0)], "fall")
    worst = min(range(len(points)), key=falls.__getitem__)
    caption = "The result has never been below an earlier high."
    if falls[worst] < 0:
        caption = (
            f"The deepest fall below an earlier high was {dollars(falls[worst])}, on {points[worst]['day']}; at the end"
            f" it is {dollars(falls[-1])}."
        )
    rows = [[point["day"], money(point["drawdown"])] for point in _month_ends(points)]
    return make_figure("drawdown", "Drawdown, with open marks", plot, caption, ("month's end", "drawdown"), rows)


def _day_plot(points: Sequence[Document], values: Sequence[float]) -> Plot:
    """Dollars by day."""
    plot = Plot((0, len(points) - 1), nice_range(values, with_zero=True))
    plot.draw_y_axis([(value, axis_dollars(value)) for value in ticks(plot.y.low, plot.y.high)])
    plot.draw_x_axis(_date_labels([point["day"] for point in points]))
    return plot


def _month_ends(points: Sequence[Document]) -> list[Document]:
    return list({point["day"][:7]: point for point in points}.values())


def _date_labels(days: Sequence[str]) -> list[tuple[float, str]]:
    step = -(-len(days) // MAX_DATE_LABELS)
    return [(place, days[place][:7]) for place in range(0, len(days), step)]


def exits_figure(groups: Sequence[Document]) -> Figure | None:
    if len(groups) < 2:
        return None
    results = [float(group["result"]) for group in groups]
    plot = _row_plot(results)
    for row, (group, result) in enumerate(zip(groups, results, strict=True)):
        plot.draw_row(row, _plain(group["name"]), 0.0, result, _sign_class(result), dollars(result))
    best, worst = (choose(groups, key=lambda group: float(group["result"])) for choose in (max, min))
    caption = f"The most came from {_exit_words(best)}; the least from {_exit_words(worst)}."
    rows = [
        [_plain(group["name"]), str(group["count"]), str(group["wins"]), money(group["result"])] for group in groups
    ]
    title = "Result by how the trade ended"
    return make_figure("exits", title, plot, caption, ("exit", "trades", "with a profit", "result"), rows)


def _row_plot(values: Sequence[float]) -> Plot:
    """One row of dollars a value."""
    plot = Plot(nice_range(values, with_zero=True), (0, 1), rows=len(values))
    marks = ticks(plot.x.low, plot.x.high, 4)
    plot.draw_x_axis([(value, axis_dollars(value)) for value in marks], with_lines=True)
    return plot


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _exit_words(group: Document) -> str:
    return f"{_plain(group['name'])}: {dollars(group['result'])}, {_count(group['count'], 'trade')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sign_class(amount: float) -> str:
    return "gain" if amount >= 0 else "loss"


def credit_figure(trades: Sequence[Document]) -> Figure | None:
    ended = [trade for trade in trades if trade["credit_kept"] is not None and trade["days_held"] is not None]
    if len(ended) < FEWEST_TRADES:
        return None
    noun = "trade" if len(ended) <= MAX_DOTS else "newest trade"
    ended = ended[-MAX_DOTS:]
    kept = [trade["credit_kept"] for trade in ended]
    plot = Plot(nice_range([trade["days_held"] for trade in ended], with_zero=True), nice_range(kept, with_zero=True))
    plot.draw_y_axis([(value, percent(value)) for value in ticks(plot.y.low, plot.y.high)])
    plot.draw_x_axis([(value, f"{value:.0f} d") for value in ticks(max(plot.x.low, 0), plot.x.high)])
    for trade in ended:
        label = f"{trade['id']}: {percent(trade['credit_kept'])}, {trade['days_held']} d"
        plot.draw_dot(trade["days_held"], trade["credit_kept"], _sign_class(trade["credit_kept"]), label)
    positive = sum(share > 0 for share in kept)
    caption = f"{positive} of {_count(len(ended), noun)} kept a part of the credit; below 0% more than it was lost."
    return make_figure(
        "credit", "Share of the credit kept, by days held", plot, caption, ("trade", "days", "credit kept"),
        [[trade["id"], str(trade["days_held"]), percent(trade["credit_kept"])] for trade in ended],
    )  # fmt: skip


def slippage_figure(trades: Sequence[Document]) -> Figure | None:
    lost = [float(trade["slippage"]) for trade in trades if trade["slippage"] is not None]
    if len(lost) < FEWEST_TRADES:
        return None
    counts = Counter(int(amount // SLIPPAGE_STEP) for amount in lost)
    first, last = min(counts), max(counts)
    plot = Plot((first, last + 1), (0, max(counts.values()) * 1.05))
    plot.draw_y_axis([(value, f"{value:.0f}") for value in ticks(0, plot.y.high) if value == int(value)])
    for place, count in sorted(counts.items()):
        plot.draw_bar(place + 0.05, place + 0.95, count, "bar", _count(count, "trade"))
    edges = [value for value in ticks(first, last + 1) if value == int(value)]
    plot.draw_x_axis([(edge, axis_dollars(edge * SLIPPAGE_STEP)) for edge in edges])
    rows = [
        [dollars(place * SLIPPAGE_STEP), dollars((place + 1) * SLIPPAGE_STEP), str(count)]
        for place, count in sorted(counts.items())
    ]
    paid = sum(amount > 0 for amount in lost)
    caption = f"{paid} of {_count(len(lost), 'trade')} paid more than the mid (right of $0); the height counts trades."
    title = "Slippage against the mid at the decision"
    return make_figure("slippage", title, plot, caption, ("from", "to", "trades"), rows)


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
    plot.draw_line([(0, 0), (1, 1)], "reference")
    plot.draw_line([(point["stated"], point["came_true"]) for point in points], "line")
    for point in points:
        label = f"stated {point['stated']:.1%}, came true {point['came_true']:.1%} of {point['count']}"
        plot.draw_dot(point["stated"], point["came_true"], "bar", label)
    caption = (
        f"Stated (across) {percent(source['stated'])} on average, came true (up) {source['came_true']['hits']}"
        f" of {source['count']} outcomes in {_count(source['weeks'], 'week')}; on the dashed diagonal they would agree."
        " The band shows how sure the shape is, by resampling blocks of weeks; it claims nothing."
    )
    rows = [
        [f"{point[key]:.1%}" for key in ("stated", "came_true", "low", "high")] + [str(point["count"])]
        for point in points
    ]
    title = f"Probability against result: {source['source']}, {source['event']}"
    heading = ("stated", "came true", "low", "high", "outcomes")
    return make_figure(f"reliability-{place + 1}", title, plot, caption, heading, rows)


def attribution_figure(sums: Document | None) -> Figure | None:
    if sums is None:
        return None
    edges = [0.0]
    for part in PARTS:
        edges.append(edges[-1] + float(sums[part]))
    plot = _row_plot(edges)
    for row, part in enumerate(PARTS):
        name = PART_NAMES.get(part, part)
        plot.draw_row(row, name, edges[row], edges[row + 1], _sign_class(float(sums[part])), dollars(sums[part]))
    plot.draw_row(len(PARTS), "total", 0.0, float(sums["total"]), "bar", dollars(sums["total"]))
    largest = max(PARTS, key=lambda part: abs(float(sums[part])))
    caption = (
        f"Each bar starts where the one above ends; together {dollars(sums['total'])}. The largest part is"
        f" {PART_NAMES.get(largest, largest)}: {dollars(sums[largest])}."
    )
    rows = [[PART_NAMES.get(part, part), money(sums[part])] for part in (*PARTS, "total")]
    title = "Where the changes of the marks came from"
    return make_figure("attribution", title, plot, caption, ("part", "dollars"), rows)


def experiment_figures(experiment: Document) -> list[Figure]:
    """The paired differences and the evidence, as they stood pair by pair."""
    path = experiment["path"]
    if len(path) < 2:
        return []
    return [_differences_figure(experiment, path), _evidence_figure(experiment, path)]


def _differences_figure(experiment: Document, path: Sequence[Document]) -> Figure:
    plot = _path_plot(path, (-1, 1), [(value, format_share(value, 1) if value else "0") for value in ticks(-1, 1)])
    ups, downs = (outline([point[side] for point in path]) for side in ("high", "low"))
    plot.draw_area([*ups, *reversed(downs)], "band")
    for place, point in list(enumerate(path))[-MAX_DOTS:]:
        plot.draw_dot(place, point["difference"], _sign_class(point["difference"]))
    name = f"differences-{experiment['id']}"
    title = f"Paired differences: {experiment['challenger']} less {experiment['champion']}"
    last = path[-1]
    caption = (
        "One dot a pair, a share of the maximum loss; above 0 the challenger did better. The band is the"
        f" {experiment['interval']['level']:.0%} interval of the mean, whenever one looks; at the end"
        f" {format_share(last['low'])} to {format_share(last['high'])}."
    )
    keys = ("difference", "low", "high")
    rows = [[point["day"], *(format_share(point[key]) for key in keys)] for point in path]
    return make_figure(name, title, plot, caption, ("day", *keys), rows)


def _evidence_figure(experiment: Document, path: Sequence[Document]) -> Figure:
    needed = experiment["evidence_needed"]
    powers = [log10(max(point["evidence"], SMALLEST_EVIDENCE)) for point in path]
    low, high = nice_range([*powers, log10(needed), 0.0])
    tens = range(ceil(low), floor(high) + 1, max(1, ceil((high - low) / MAX_TICKS)))
    plot = _path_plot(path, (low, high), [(power, f"{10.0**power:g}") for power in tens])
    plot.draw_line([(0, log10(needed)), (len(path) - 1, log10(needed))], "reference")
    plot.draw_text(LEFT + 4, plot.y.place(log10(needed)) - 5, f"{needed:g}: enough for a claim", "start", "value")
    plot.draw_line(outline(powers), "line")
    title = f"Evidence that {experiment['challenger']} is better than {experiment['champion']}"
    caption = f"After {_count(len(path), 'pair')} evidence e = {path[-1]['evidence']:.3g}; {needed:g} allows a claim."
    rows = [[point["day"], f"{point['evidence']:.3f}"] for point in path]
    return make_figure(f"evidence-{experiment['id']}", title, plot, caption, ("day", "evidence e"), rows)


def _path_plot(path: Sequence[Document], y: tuple[float, float], labels: Sequence[tuple[float, str]]) -> Plot:
    """A value of an experiment by pair."""
    plot = Plot((0, len(path) - 1), y)
    plot.draw_y_axis(labels)
    plot.draw_x_axis(_date_labels([point["day"] for point in path]))
    return plot
