"""The report on one screen, everything behind `--more`, and the facts and tables that its HTML page has too."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from spy32.domain.report import (
    Bounds,
    GroupResult,
    ModelUse,
    Report,
    ReportTrade,
    SharpeRatio,
)
from spy32.domain.spreads import Mode
from spy32.domain.units import sum_amounts
from spy32.render.explain import BANNERS
from spy32.render.formatting import (
    format_count,
    format_dollars,
    format_gain,
    humanise,
    new_york_words,
    single_line,
)
from spy32.render.page import Columns, Grid, Item, Page, Pairs, Prose, noun_grid, pair

TOO_FEW = "too few"
DELETIONS_SHOWN = 3
"""Lines; the JSON document has all."""
ENDINGS_SHOWN = 3
"""Kinds of ending of the runs, on the line of the trades."""


def report_pages(report: Report, by: str) -> Iterator[Page]:
    """The screen with less and less, for the first that fits."""
    page = report_page(report, by)
    yield from (page._replace(parts=page.parts[:count]) for count in (3, 2, 1))


def report_page(report: Report, by: str) -> Page:
    """One screen of 80 by 24. `by` is the property of the groups."""
    return Page(
        banner=(banner_words(report), new_york_words(report.until)),
        alarm=report.mode is Mode.LIVE,
        heading=heading(report),
        tone="strong",
        badges=tuple(_badges(report)),
        parts=(
            Pairs(name="report", items=tuple(_facts(report))),
            groups_grid(by, report.groups[by]),
            *([reliability_grid(report)] if report.reliability else []),
        ),
    )


def banner_words(report: Report) -> str:
    """`PAPER, no real money · SYNTHETIC MARKET · since 2022-01-03`."""
    parts = [BANNERS[report.mode], *(["SYNTHETIC MARKET"] if report.is_synthetic else [])]
    return " · ".join([*parts, *([f"since {report.since}"] if report.since is not None else [])])


def heading(report: Report) -> str:
    if not report.trades:
        return f"no trade yet in {format_count(report.runs, 'run')}"
    realized = unrealized = deepest = Decimal(0)
    if report.equity:
        realized, unrealized = report.equity[-1].realized, report.equity[-1].unrealized
        deepest = min(point.drawdown for point in report.equity)
    return (
        f"{format_gain(realized)} realised, {format_gain(unrealized)} open by marks · deepest drawdown "
        f"{format_dollars(deepest)}"
    )


def _badges(report: Report) -> Iterator[str]:
    yield from (f"the history says: {single_line(text)}" for text in report.deletions[:DELETIONS_SHOWN])
    if len(report.deletions) > DELETIONS_SHOWN:
        yield f"and {len(report.deletions) - DELETIONS_SHOWN} more rows; --json and `audit verify` tell"
    elif report.deletions:
        yield "the figures are of what the tables hold now; `audit verify` tells more"


def _facts(report: Report) -> Iterator[Item]:
    yield from result_items(report)
    if any(trade.result is not None for trade in report.trades):
        yield pair("managing", _holding_words(report))
    if bracketed := _bounds_shown(report):
        yield pair("in brackets", f"{bracketed[0].level:.0%} interval of the long run's mean, whenever one looks")
    yield outcomes_item(report)
    yield from selection_items(report)
    yield from (pair("model", _model_words(model)) for model in report.models)
    yield from experiment_items(report)
    yield from (pair("note", single_line(text), "warn") for text in report.notes)


def result_items(report: Report) -> Iterator[Item]:
    """What the trades earned."""
    ended = sum(trade.result is not None for trade in report.trades)
    yield pair("trades", _trade_words(report, ended))
    if ended:
        yield pair("win rate", _win_words(report))
        yield pair("expectancy", _expectancy_words(report))
        yield pair("results", _extreme_words(report))


def outcomes_item(report: Report) -> Item:
    """What is known of the menus' candidates."""
    counts = ", ".join(f"{report.outcomes.get(name, 0)} {name}" for name in ("known", "open", "missing"))
    return pair("outcomes", f"{counts} of candidates, held to expiration")


def selection_items(report: Report) -> Iterator[Item]:
    """The pick beside its menu: `-10.9% [-23.6%, +2.4%] of max loss: undecided (41 picks)`."""
    if (found := report.selection) is not None:
        picks = format_count(found.count, "pick")
        yield pair("choice", f"against the menu's average: {mean_words(found)} ({picks})")


def experiment_items(report: Report) -> Iterator[Item]:
    """Each registered comparison in words."""
    for each in report.experiments:
        sides = " to ".join(single_line(side) for side in each.sides)
        yield pair("experiment", f"{sides}: {single_line(each.words)}")


def _trade_words(report: Report, ended: int) -> str:
    open_trades = len(report.trades) - ended
    at_risk = report.open_max_loss
    losing = (
        f", {format_dollars(at_risk)} at most on {format_count(len(report.ladder), 'expiration')}" if at_risk else ""
    )
    return f"{ended} ended, {open_trades} open{losing} · {_run_words(report)}"


def _run_words(report: Report) -> str:
    """`51 runs: 45 proposed, 6 holiday`; of many endings the most frequent ones."""
    endings = [f"{count} {humanise(name)}" for name, count in report.run_outcomes.items()]
    others = ["..."] if len(endings) > ENDINGS_SHOWN else []
    told = f": {', '.join([*endings[:ENDINGS_SHOWN], *others])}" if endings else ""
    return f"{format_count(report.runs, 'run')}{told}"


def share_words(bounds: Bounds | None) -> str:
    """`83% [70, 92] of 52`: a share with its interval and count; of too few weeks `20 of 24`."""
    if bounds is None:
        return TOO_FEW
    if bounds.mean is None or bounds.low is None or bounds.high is None:
        return f"{bounds.hits} of {bounds.count}"
    return f"{bounds.mean * 100:.0f}% [{bounds.low * 100:.0f}, {bounds.high * 100:.0f}] of {bounds.count}"


def mean_words(bounds: Bounds) -> str:
    """`+0.4% [-11.0%, +12.8%] of max loss: undecided`; of too few weeks `better in 13 of 24`."""
    if bounds.mean is None or bounds.low is None or bounds.high is None:
        return f"better in {bounds.hits} of {bounds.count}"
    state = "above 0" if bounds.low > 0 else "below 0" if bounds.high < 0 else "undecided"
    return f"{bounds.mean:+.1%} [{bounds.low:+.1%}, {bounds.high:+.1%}] of max loss: {state}"


def _bounds_shown(report: Report) -> list[Bounds]:
    """What stands on the screen with an interval."""
    known = (report.win_rate, report.exit_less_holding, report.selection, *(x.came_true for x in report.reliability))
    return [bounds for bounds in known if bounds is not None and bounds.low is not None]


def _win_words(report: Report) -> str:
    """`58% [43, 71] of 45 won; stated 71%`."""
    stated = f"; stated {report.stated_profit * 100:.0f}%" if report.stated_profit is not None else ""
    return f"{share_words(report.win_rate)} won{stated}"


def _expectancy_words(report: Report) -> str:
    """`-$44.41 a trade, $321.00 of slippage included; -2.0% on the account`."""
    mean = f"{format_gain(report.mean_result)} a trade" if report.mean_result is not None else TOO_FEW
    share = report.account_return
    account = f"; {share * 100:+.1f}% on the account" if share is not None else ""
    return f"{mean}, {format_dollars(report.slippage)} of slippage included{account}"


def _extreme_words(report: Report) -> str:
    """`T19 +$103.44 to T31 -$601.56 · average win +$71.29, loss -$203.49`."""
    results = {trade.id: trade.result for trade in report.trades if trade.result is not None}
    extremes = [
        f"T{number} {format_gain(results[number])}" for number in (report.best, report.worst) if number in results
    ]
    amounts = (("win", report.average_win), ("loss", report.average_loss))
    means = ", ".join(f"{name} {format_gain(amount)}" for name, amount in amounts if amount is not None)
    return " · ".join(words for words in (" to ".join(extremes), f"average {means}" if means else "") if words)


def _holding_words(report: Report) -> str:
    """`lost $1,578, holding would have lost $5,803 (41 trades): +3.1% [-4.0%, +9.8%] of max loss: undecided`: both sums
    over the trades whose expiration has closed."""
    pairs = [
        (trade.result, trade.holding)
        for trade in report.trades
        if trade.result is not None and trade.holding is not None
    ]
    if not pairs:
        return "no expiration of an ended trade has closed yet"
    result, holding = (sum_amounts(each[side] for each in pairs) for side in (0, 1))
    bounds = report.exit_less_holding
    mean = f": {mean_words(bounds)}" if bounds is not None else ""
    trades = format_count(len(pairs), "trade")
    return f"{_earned_words(result)}, holding would have {_earned_words(holding)} ({trades}){mean}"


def _earned_words(amount: Decimal) -> str:
    return f"{'lost' if amount < 0 else 'earned'} ${abs(amount):,.0f}"


def _model_words(model: ModelUse) -> str:
    each = f", ${model.cost_per_decision:.3f} each" if model.cost_per_decision is not None else ""
    return (
        f"{single_line(model.name)}: {model.asked} asked, {model.abstained} abstained, {model.vetoed} vetoed, "
        f"{model.agreed} as the rule{each}"
    )


# The tables.


def _grid(name: str, nouns: Iterable[Any], columns: Columns, title: str = "") -> Grid:
    return noun_grid(name, title, nouns, columns)._replace(framed=False)


def groups_grid(by: str, groups: Sequence[GroupResult]) -> Grid:
    columns: Columns = {
        by: lambda group: humanise(group.name),
        "trades>": lambda group: str(group.count),
        "result>": lambda group: format_gain(group.result),
        "mean>1": lambda group: format_gain(group.mean) if group.mean is not None else TOO_FEW,
        "wins": lambda group: share_words(group.share) if group.share else f"{group.wins} of {group.count}",
    }
    return _grid(f"by {by}", groups, columns, "" if groups else f"by {by}")


def reliability_grid(report: Report) -> Grid:
    columns: Columns = {
        "expires worthless": "source",
        "stated>": lambda each: f"{each.stated * 100:.0f}%",
        "came true>": lambda each: share_words(each.came_true).partition(" of ")[0],
        "outcomes>": "count",
        "weeks>": "weeks",
    }
    return _grid("reliability", report.reliability, columns)


def scores_grid(report: Report) -> Grid:
    columns: Columns = {
        "scores": "source",
        "Brier>": lambda each: f"{each.brier:.3f}",
        "miscalibration>": lambda each: f"{each.miscalibration:.3f}",
        "discrimination>": lambda each: f"{each.discrimination:.3f}",
        "uncertainty>": lambda each: f"{each.uncertainty:.3f}",
    }
    return _grid("scores", report.reliability, columns)


def ladder_grid(report: Report) -> Grid:
    columns: Columns = {
        "open, expiration": "expiration",
        "trades>": "trades",
        "contracts>": "contracts",
        "max loss>": lambda step: format_dollars(step.max_loss),
    }
    return _grid("ladder", report.ladder, columns)


def models_grid(report: Report) -> Grid:
    columns: Columns = {
        "model": "name",
        "asked>": "asked",
        "abstained>4": "abstained",
        "failed>2": "failed",
        "vetoed>4": "vetoed",
        "as the rule>4": "agreed",
        "unmatched numbers>3": "unmatched",
        "seconds>1": lambda each: f"{each.latency_seconds:.1f}" if each.latency_seconds is not None else "",
        "tokens>2": lambda each: f"{each.tokens:,}",
        "cost>": lambda each: f"${each.cost:.2f}",
        "each>4": lambda each: f"${each.cost_per_decision:.2f}" if each.cost_per_decision is not None else "",
    }
    return _grid("models", report.models, columns)


def trades_grid(trades: Sequence[ReportTrade]) -> Grid:
    """The newest first."""
    columns: Columns = {
        "trade": lambda trade: f"T{trade.id}",
        "opened": "opened",
        "contracts>1": "quantity",
        "spread:3": lambda trade: humanise(trade.strategy),
        "exit": lambda trade: humanise(trade.exit_reason or "open"),
        "days>2": "days_held",
        "kept>1": lambda trade: f"{trade.credit_kept * 100:.0f}%" if trade.credit_kept is not None else "",
        "held to end>2": lambda trade: format_gain(trade.holding) if trade.holding is not None else "",
        "result>": _result_words,
    }
    return _grid("trades", reversed(trades), columns)


def _result_words(trade: ReportTrade) -> str:
    if trade.result is not None:
        return format_gain(trade.result)
    return f"{format_gain(trade.unrealized)} open" if trade.unrealized is not None else "open"


# Behind --more.


def more_page(report: Report, by: str) -> Page:
    """What does not stand on the first screen: money, every other group, scores, models, the ladder, the
    trades and the Sharpe ratio."""
    grids = [
        *(group for group in groups_grids(report) if group.name != f"by {by}"),
        *(make(report) for make in (scores_grid, ladder_grid, models_grid)),
        trades_grid(report.trades),
    ]
    return Page(
        parts=(
            Pairs(name="more", items=(*money_items(report), alike_item(report))),
            *(grid for grid in grids if grid.rows),
            Prose(title="Sharpe ratio", text=sharpe_words(report.sharpe)),
        )
    )


def groups_grids(report: Report) -> list[Grid]:
    """The groups by every property that tells trades apart."""
    return [groups_grid(name, groups) for name, groups in report.groups.items() if len(groups) > 1]


def alike_item(report: Report) -> Item:
    """The properties that are the same in all trades."""
    alone = [f"{name} {humanise(groups[0].name)}" for name, groups in report.groups.items() if len(groups) == 1]
    return pair("alike in all", ", ".join(alone))


def money_items(report: Report) -> Iterator[Item]:
    """Where the result came from."""
    if (money := report.money) is not None:
        words = (
            f"premium {format_dollars(money.premium)} - closing {format_dollars(money.closing_cost)} - fees "
            f"{format_dollars(money.fees)} = {format_gain(money.result)}"
        )
        yield pair("ended trades", words)
    if report.account is not None:
        yield pair("account", f"{format_dollars(report.account)} at the start")
    if report.per_session is not None:
        yield pair("a session", f"{format_gain(report.per_session)} of result a trade and session held")
    losses = f"{report.loss_streak} loss{'' if report.loss_streak == 1 else 'es'}"
    yield pair("longest streaks", f"{format_count(report.win_streak, 'win')}, {losses}")


def sharpe_words(sharpe: SharpeRatio | None) -> str:
    """The ratio with everything that limits it. It is never annualised."""
    if sharpe is None:
        return f"{TOO_FEW} ended trades."
    needed = f"To show it with 95%, {sharpe.needed} independent trades would be needed (minimum track record length)."
    if sharpe.needed is None:
        sign = "negative" if sharpe.ratio < 0 else "zero"
        needed = f"No number of trades like these could show it: the mean is {sign} (minimum track record length)."
    return (
        f"{sharpe.ratio:+.3f} a trade, n = {sharpe.count}, overlapping; skew {sharpe.skew:+.1f}, kurtosis "
        f"{sharpe.kurtosis:.1f}. Probability that it is above zero in the long run (PSR): {sharpe.probabilistic:.2f}, "
        f"if the trades were independent; they are overlapping, so it is less sure. {needed}"
    )
