"""How often spreads came true, beside what was stated for them.

`make calibration` writes `docs/calibration.md`, its picture, and `spy32/data/calibration.csv`, which the screens quote.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from proofs.calibration_chart import MARKS, Bar, chart
from proofs.walk_forward import FIRST, LAWS, Cell, build_mondays, read_history, walk_forward
from spy32.domain.market import Right
from spy32.options.bootstrap import Resamples
from spy32.options.normal import Floats
from spy32.review.scores import brier_parts, brier_scores, isotonic_fit, log_scores
from tests.support.paths import ROOT

TEMPLATE = Path(__file__).with_name("calibration.md")
PAGE = ROOT / "docs" / "calibration.md"
PICTURE = ROOT / "docs" / "calibration.svg"
TABLE = ROOT / "spy32" / "data" / "calibration.csv"
BLOCK = 8
"""Weeks. Trades of 32 days overlap in four or five Mondays; volatility lasts longer. `OTHER_BLOCKS` say the same."""
OTHER_BLOCKS = (5, 13, 26)
SEED = 32
RESAMPLES = 2000
"""The ends of a 95 % interval from so many resamples scatter by about 3 % of its half-width (Efron and Tibshirani 1993
recommend 1,000 to 2,000)."""
SKEWS = (0.95, 1.0, 1.05)
OWN_LAWS = ("market", "history", "no drift")
"""The laws that the program shows."""
BINS = 5
DECADES = ((1998, 2006), (2007, 2016), (2017, 2026))

Estimate = tuple[float, float, float]
"""Mean and the ends of its 95 % interval."""


@cache
def cells(skew: float = 1.0) -> tuple[Cell, ...]:
    """Return the shipped history's cells."""
    return tuple(walk_forward(read_history(), skew))


def estimate(values: Floats, chosen: np.ndarray | None = None, block: int = BLOCK) -> Estimate:
    """Return the mean of the chosen rows, with its interval by moving blocks of Mondays.

    Rows of shape (n, k) are k spreads of one Monday, which are drawn together.
    """
    rows = values.reshape(len(values), -1)
    mask = np.ones_like(rows) if chosen is None else chosen.reshape(rows.shape).astype(np.float64)
    counts = mask.sum(axis=1)
    means = (rows * mask).sum(axis=1) / np.maximum(counts, 1.0)
    low, high = Resamples.draw(len(rows), block, SEED, RESAMPLES).intervals(means[None, :], counts, tail=0.025)
    return float(means @ counts / counts.sum()), float(low[0]), float(high[0])


def difference(cell: Cell, law: str, chosen: np.ndarray | None = None, block: int = BLOCK) -> Estimate:
    """Return came true less stated."""
    return estimate(cell.outcomes - cell.stated[law], chosen, block)


def gain(cell: Cell, law: str, peer: str, score: Callable[[Floats, Floats], Floats] = brier_scores) -> Estimate:
    """Return the law's score less that of its peer; negative is better."""
    return estimate(score(cell.stated[law], cell.outcomes) - score(cell.stated[peer], cell.outcomes))


def table_lines() -> list[str]:
    """Return the lines of the shipped table: one row a cell, probabilities as fractions."""
    until = last_settlement().isoformat()
    lines = ["right,delta,stated_market,came_true,difference,low,high,history_difference,until"]
    for cell in cells():
        market, history = difference(cell, "market"), difference(cell, "history")[0]
        figures = (cell.stated["market"].mean(), cell.outcomes.mean(), *market, history)
        numbers = ",".join(f"{figure:.4f}" for figure in figures)
        lines.append(f"{cell.right.name.lower()},{cell.delta:.2f},{numbers},{until}")
    return lines


def last_settlement() -> date:
    """Return the last day whose close settled a spread."""
    history = read_history()
    return date.fromordinal(int(history.day[history.end[build_mondays(history).row[-1]]]))


def tables() -> dict[str, list[str]]:
    """Return the page's tables by name, as lines of Markdown."""
    return {
        "stated": _grid(["spread", "came true", *LAWS], _stated()),
        "differences": _grid(["spread", *OWN_LAWS, "base"], _per_cell(_differences)),
        "blocks": _grid(
            ["spread", *(f"{block} weeks" for block in (BLOCK, *OTHER_BLOCKS))],
            _per_cell(
                lambda cell: [_points(difference(cell, "market", block=each)) for each in (BLOCK, *OTHER_BLOCKS)]
            ),
        ),
        "brier": _scores(brier_scores, LAWS[1:], "delta"),
        "brier_base": _scores(brier_scores, OWN_LAWS, "base"),
        "log": _scores(log_scores, LAWS[1:], "delta"),
        "log_base": _scores(log_scores, OWN_LAWS, "base"),
        "corp": _grid(["spread", "uncertainty", *LAWS[1:]], _per_cell(_parts)),
        "reliability": _grid(["side", "stated by market", "came true", "stated by history", "came true"], _bins()),
        "vix": _grid(["spread", *_vix_names()], _per_cell(_by_vix)),
        "decades": _grid(
            ["spread", *(f"{first}-{last}" for first, last in DECADES)],
            _per_cell(lambda cell: [_points(difference(cell, "market", _within(cell, each))) for each in DECADES]),
        ),
        "skew": _grid(["spread", *(f"ratios x {skew:.2f}" for skew in SKEWS)], _by_skew(_market_difference)),
        "profit": _grid(["spread", *(f"ratios x {skew:.2f}" for skew in SKEWS)], _by_skew(_profit)),
    }


def targets() -> list[tuple[str, Estimate, bool]]:
    """Return what must hold, in words, with its figure and whether it does."""
    found: list[tuple[str, Estimate, bool]] = []
    for cell in cells():
        name, is_put = _name(cell), cell.right is Right.PUT
        if is_put and cell.delta >= 0.16:
            for peer, least in (("delta", 50e-4), ("lognormal VIX", 25e-4)):
                gained = gain(cell, "market", peer)
                is_met = gained[0] <= -least and gained[2] < 0
                found.append((f"{name}: market beats {peer} by {least * 1e4:.0f}, interval below 0", gained, is_met))
        limit = 20e-4 if is_put else 60e-4
        for law in OWN_LAWS:
            lost = gain(cell, law, "base")
            found.append(
                (f"{name}: {law} is not worse than base by more than {limit * 1e4:.0f}", lost, lost[0] <= limit)
            )
        if cell.delta >= 0.16:
            missed = difference(cell, "history")
            is_met = missed[1] <= 0 <= missed[2]
            found.append((f"{name}: the interval of came true less history holds 0", missed, is_met))
    return found


def _name(cell: Cell) -> str:
    return f"{cell.right.name.lower()} {cell.delta:.2f}"


def _grid(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows)]


def _per_cell(figures: Callable[[Cell], list[str]]) -> list[list[str]]:
    return [[_name(cell), *figures(cell)] for cell in cells()]


def _points(found: Estimate) -> str:
    """Percentage points."""
    mean, low, high = (100 * each for each in found)
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _ten_thousandths(found: Estimate) -> str:
    mean, low, high = (1e4 * each for each in found)
    return f"{mean:+.0f} [{low:+.0f}, {high:+.0f}]"


def _stated() -> list[list[str]]:
    def figures(cell: Cell) -> list[str]:
        return [f"{100 * column.mean():.1f}" for column in (cell.outcomes, *cell.stated.values())]

    return _per_cell(figures)


def _differences(cell: Cell) -> list[str]:
    return [_points(difference(cell, law)) for law in (*OWN_LAWS, "base")]


def _scores(score: Callable[[Floats, Floats], Floats], laws: Sequence[str], peer: str) -> list[str]:
    def figures(cell: Cell) -> list[str]:
        own = score(cell.stated[peer], cell.outcomes).mean()
        return [f"{own:.4f}", *(_ten_thousandths(gain(cell, law, peer, score)) for law in laws)]

    return _grid(["spread", f"score of {peer}", *laws], _per_cell(figures))


def _parts(cell: Cell) -> list[str]:
    parts = [brier_parts(cell.stated[law], cell.outcomes) for law in LAWS[1:]]
    pairs = [f"{1e4 * each.miscalibration:.0f} / {1e4 * each.discrimination:.0f}" for each in parts]
    return [f"{1e4 * parts[0].uncertainty:.0f}", *pairs]


def _bins() -> Iterator[list[str]]:
    """Fifths of the stated probabilities of each side, all four deltas together."""
    for right in (Right.PUT, Right.CALL):
        columns = []
        for law in ("market", "history"):
            stated, outcomes = pooled(right, law)
            edges = np.quantile(stated, np.linspace(0, 1, BINS + 1)[1:-1])
            place = np.searchsorted(edges, stated, side="right")
            for number in range(BINS):
                mean = f"{100 * stated[place == number].mean():.1f}"
                columns.append((mean, _shares(estimate(outcomes, place == number))))
        for market, history in zip(columns[:BINS], columns[BINS:], strict=True):
            yield [f"{right.name.lower()}s", *market, *history]


def _shares(found: Estimate) -> str:
    mean, low, high = (100 * each for each in found)
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def pooled(right: Right, law: str) -> tuple[Floats, Floats]:
    """Return stated probabilities and outcomes of a side's four spreads, shape (n, 4)."""
    side = [cell for cell in cells() if cell.right is right]
    return np.stack([cell.stated[law] for cell in side], axis=1), np.stack([cell.outcomes for cell in side], axis=1)


def _vix_edges() -> tuple[float, float]:
    low, high = np.quantile(cells()[0].vix, (1 / 3, 2 / 3))
    return float(low), float(high)


def _vix_names() -> list[str]:
    low, high = (f"{100 * edge:.1f}" for edge in _vix_edges())
    return [f"VIX to {low}", f"{low} to {high}", f"above {high}"]


def _by_vix(cell: Cell) -> list[str]:
    place = np.searchsorted(_vix_edges(), cell.vix)
    return [_points(difference(cell, "market", place == third)) for third in range(3)]


def _within(cell: Cell, years: tuple[int, int]) -> np.ndarray:
    return np.asarray((cell.years >= years[0]) & (cell.years <= years[1]))


def _by_skew(figure: Callable[[Cell], str]) -> list[list[str]]:
    return [[_name(row[0]), *(figure(cell) for cell in row)] for row in zip(*map(cells, SKEWS), strict=True)]


def _market_difference(cell: Cell) -> str:
    return _points(difference(cell, "market"))


def _profit(cell: Cell) -> str:
    return _points(estimate(cell.profit))


def headline() -> str:
    """Return the sentence that the screens say in short."""
    points = {
        right: sorted(round(100 * abs(difference(cell, "market")[0])) for cell in cells() if cell.right is right)
        for right in (Right.PUT, Right.CALL)
    }
    puts, calls = (f"{each[0]} to {each[-1]} points" for each in points.values())
    years = f"{FIRST.year} to {last_settlement().year}"
    return (
        f"In a backtest from {years} at synthetic prices, held to expiration, put spreads "
        f"won {puts} more often than the market's probabilities said, call spreads {calls} less often."
    )


def page() -> str:
    """Return the page: the template with its tables and figures."""
    fields = {name: "\n".join(lines) for name, lines in tables().items()}
    met = targets()
    fields["targets"] = "\n".join(_grid(["what", "measured", "met"], [_target_row(*each) for each in met]))
    fields |= {"headline": headline(), "mondays": f"{len(cells()[0].outcomes):,}", "until": str(last_settlement())}
    fields |= {"since": str(FIRST.year), "unmet": str(sum(not is_met for *_, is_met in met)), "count": str(len(met))}
    return TEMPLATE.read_text(encoding="utf-8").format_map(fields)


def _target_row(what: str, found: Estimate, is_met: bool) -> list[str]:
    figure = _points(found) + " points" if "interval of" in what else _ten_thousandths(found)
    return [what, figure, "yes" if is_met else "no"]


def picture() -> str:
    """Return the picture of the page."""
    sides = (Right.PUT, Right.CALL)
    bars = {_side(right): [_bar(cell) for cell in cells() if cell.right is right] for right in sides}
    curves = {_side(right): {law: _curve(*pooled(right, law)) for law in MARKS[1:]} for right in sides}
    title = f"Probabilities of profit, stated and come true, {FIRST.year} to {last_settlement().year}"
    what = (
        "Above, for short deltas 0.10 to 0.30, how often spreads of 32 days ended in profit, and what was stated. "
        "Below, how often they did by what was stated, smoothed to rise (CORP); on the diagonal both are equal. "
    )
    return chart(bars, curves, title, what + headline())


def _side(right: Right) -> str:
    return "Puts" if right is Right.PUT else "Calls"


def _bar(cell: Cell) -> Bar:
    stated = {law: float(cell.stated[law].mean()) for law in MARKS}
    return Bar(name=f"{cell.delta:.2f}", came_true=estimate(cell.outcomes), stated=stated)


def _curve(stated: Floats, outcomes: Floats) -> list[tuple[float, float]]:
    """Return the corners of the isotonic fit, without the ends that rest on less than a hundredth of the cases."""
    order = np.argsort(stated, axis=None)
    rising, fit = stated.ravel()[order], isotonic_fit(stated.ravel(), outcomes.ravel())[order]
    skipped = len(rising) // 100
    rising, fit = rising[skipped:-skipped], fit[skipped:-skipped]
    is_corner = np.concatenate(([True], np.diff(fit) > 0)) | np.concatenate((np.diff(fit) > 0, [True]))
    return [(float(x), float(y)) for x, y in zip(rising[is_corner], fit[is_corner], strict=True)]


def outputs() -> dict[Path, str]:
    """Return the text of every file that `make calibration` writes."""
    return {PAGE: page(), PICTURE: picture(), TABLE: "\n".join(table_lines()) + "\n"}


def main() -> bool:
    """Say what differs from the committed files; those are written only by `make calibration`."""
    started = time.perf_counter()
    stale = [path.name for path, text in outputs().items() if path.read_text(encoding="utf-8") != text]
    unmet = [what for what, _, is_met in targets() if not is_met]
    seconds = time.perf_counter() - started
    print(f"calibration: {len(cells())} cells, {len(cells()[0].outcomes)} Mondays, {seconds:.1f} s; {headline()}")
    print(f"  not met: {unmet or 'nothing'}; differs from the committed file: {stale or 'nothing'}")
    return not stale and not unmet


if __name__ == "__main__":
    for target, text in outputs().items():
        target.write_text(text, encoding="utf-8")
    sys.exit(0 if main() else 1)
