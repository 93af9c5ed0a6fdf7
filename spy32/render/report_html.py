"""The report as one self-contained HTML page, made from its JSON document only: no script, nothing fetched.

The same document gives the same bytes. The style follows the reader's light or dark scheme, prints, and needs no
horizontal scrolling on a telephone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from spy32.domain.market import SYNTHETIC_NOTE
from spy32.render.report_charts import Figure, dollars, figures, format_share, money, percent

Document = Mapping[str, Any]

STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b616a;--paper:#fff;--tint:#f4f6f8;--rule:#d9dce0;--line:#0b68cb;
--gain:#1a7f37;--loss:#c4342b;--band:#0b68cb33}
@media(prefers-color-scheme:dark){:root{--ink:#edeef0;--soft:#a5abb3;--paper:#111315;--tint:#1b1e21;--rule:#33373c;
--line:#70b8ff;--gain:#5bb98b;--loss:#ff9592;--band:#70b8ff33}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0}
h2{font-size:1.15rem;margin:2.2rem 0 .5rem;border-top:1px solid var(--rule);padding-top:.9rem}
h3{font-size:.95rem;line-height:1.3;margin:0 0 .3rem}
p{margin:.4rem 0;max-width:46rem}.lead{font-size:1.1rem}.soft,figcaption,summary,th{color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(6,1fr);gap:.6rem;margin:1rem 0}
.facts div{background:var(--tint);border-radius:.4rem;padding:.5rem .7rem}
.facts dt,.facts .soft{font-size:.82rem}.facts dd{margin:0;font-size:1.3rem;font-variant-numeric:tabular-nums}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:1.6rem 2rem;
margin:1.2rem 0}
figure{margin:0;min-width:0}svg{display:block;width:100%;height:auto;font-size:12px}
svg text{fill:var(--soft)}svg .name,svg .value{fill:var(--ink)}
figcaption,summary{font-size:.85rem;margin-top:.25rem}summary{cursor:pointer}
.grid{stroke:var(--rule)}.zero{stroke:var(--soft)}.reference{stroke:var(--soft);fill:none;stroke-dasharray:4 3}
.line{stroke:var(--line);fill:none;stroke-width:2}.band{fill:var(--band)}
.fall{fill:var(--loss);fill-opacity:.3;stroke:var(--loss)}
.bar{fill:var(--line)}.gain{fill:var(--gain)}.loss{fill:var(--loss)}
.table{overflow-x:auto;margin:.6rem 0 1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.87rem}
th,td{text-align:right;padding:.22rem .5rem;border-bottom:1px solid var(--rule);white-space:nowrap;overflow-wrap:normal}
th{font-weight:600;vertical-align:bottom}th:first-child,td:first-child{text-align:left;padding-left:0}
.tall{width:auto;min-width:min(100%,28rem)}
.even{table-layout:fixed}.even th,.even td:last-child{white-space:normal}
.note,.remark{border-left:4px solid var(--loss);background:var(--tint);padding:.5rem .8rem}
.remark{border-color:var(--line)}
@media(max-width:60rem){.facts{grid-template-columns:repeat(3,1fr)}}
@media(max-width:40rem){.facts{grid-template-columns:1fr 1fr}.even{table-layout:auto}
.tall :is(th,td){white-space:normal}.tall th{overflow-wrap:anywhere}
svg{font-size:15px}
th,td{padding:.22rem .35rem}.facts dd{font-size:1.15rem}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--tint:#f4f6f8;--rule:#bbb;--line:#0b68cb;
--gain:#1a7f37;--loss:#c4342b;--band:#0b68cb33}body{max-width:none;padding:0;font-size:11px}details{display:none}
figure,.facts,tr{break-inside:avoid}h2,h3{break-after:avoid}.pictures{grid-template-columns:1fr 1fr}
.facts{grid-template-columns:repeat(6,1fr)}*{print-color-adjust:exact}}
"""
TRADES_ON_PAGE = 260
"""Five years of weekly trades; the JSON document has them all."""
TOO_FEW = "too few"
INTERVAL_NOTE = "In brackets the 90% interval of the long run's share, 5% on each side, whenever one looks."
_CODE = re.compile(r"`([^`]+)`")
GROUP_TITLES = {
    "exit": "By exit", "side": "By side", "delta": "By short delta", "vix": "By VIX at the decision",
    "dte": "By days to expiration", "analyst": "By analyst", "prompt": "By prompt", "profile": "By profile",
    "weekday": "By weekday",
}  # fmt: skip
RELIABILITY_ROWS = {"brier": "Brier score", "miscalibration": "miscalibration", "discrimination": "discrimination",
                    "uncertainty": "uncertainty"}  # fmt: skip
MODEL_ROWS = {
    "asked": "asked", "traded": "chose a trade", "abstained": "abstained", "failed": "failed",
    "vetoed": "vetoed by a limit", "agreed": "chose as the rule", "unmatched": "unmatched numbers",
}  # fmt: skip


def html_page(report: Document) -> str:
    """Return the page of a `spy32.report` document."""
    title = f"spy32 report, {report['until'][:10]}"
    pictures = {figure.name: figure for figure in figures(report)}
    results = ("equity", "drawdown", "exits", "credit", "slippage")
    body = "\n".join(
        [
            *_head(report, title),
            *_section("Result", _result_words(report), pictures, *results),
            *_section("Open trades", _book_words(report), {}),
            *_section("Probabilities", _reliability_words(report), pictures, *_names(pictures, "reliability")),
            *_section("Experiments", _experiment_words(report), pictures, *_names(pictures, "differences", "evidence")),
            *_section("The model", _model_words(report), {}),
            *_section("Where the result came from", _attribution_words(report), pictures, "attribution"),
            *_section("Groups of trades", _group_words(report), {}),
            *_section("Trades", _trade_words(report), {}),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _names(pictures: Mapping[str, Figure], *starts: str) -> list[str]:
    return [name for name in pictures if name.startswith(starts)]


def _head(report: Document, title: str) -> Iterator[str]:
    start = f"since {report['since']}" if report["since"] else "since the first run"
    endings = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in report["run_outcomes"].items())
    runs = f"{_count(report['runs'], 'run')}{f' ({endings})' if endings else ''}"
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="soft">{escape(report["mode"])} account, {start}; {escape(runs)}.</p>'
    if report["is_synthetic"]:
        yield f'<p class="note">{SYNTHETIC_NOTE}</p>'
    yield from (f'<p class="note">{escape(line)}</p>' for line in report["deletions"])
    for line in report["notes"]:
        words = _CODE.sub(r"<code>\1</code>", escape(line))
        yield f'<p class="remark">{words}</p>'
    yield f'<p class="lead">{escape(_lead(report))}</p>'
    yield '<dl class="facts">'
    for name, text, remark in _facts(report):
        small = f'<dd class="soft">{escape(remark)}</dd>' if remark else ""
        yield f"<div><dt>{name}</dt><dd>{escape(text)}</dd>{small}</div>"
    yield "</dl>"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _lead(report: Document) -> str:
    """What a reader in a hurry must know: what was earned, and whether the model is known to be worth its fee."""
    parts = report["money"]
    lead = (
        f"{_count(len(_ended_trades(report)), 'trade')} ended, together {money(parts['result'])} after fees."
        if parts
        else ""
    )
    if not parts:
        lead = f"{_count(report['runs'], 'run')} so far, and no trade has ended yet." if report["runs"] else (
            "There is no run yet: the report fills as runs are made."
        )  # fmt: skip
    return " ".join([lead, *(f"{_experiment_line(experiment)}." for experiment in report["experiments"])])


def _ended_trades(report: Document) -> list[Document]:
    return [trade for trade in report["trades"] if trade["result"] is not None]


def _facts(report: Document) -> Iterator[tuple[str, str, str]]:
    """Name, figure and remark of each headline fact."""
    totals, rate = report["totals"], report["win_rate"]
    falls = [float(point["drawdown"]) for point in report["equity"]] or [0.0]
    open_count = len(report["trades"]) - len(_ended_trades(report))
    unmarked = f", {len(totals['unmarked'])} without a mark" if totals["unmarked"] else ""
    yield (
        "Realised",
        dollars(totals["total"]),
        "whole account" if report["since"] else f"this month {dollars(totals['month'])}",
    )
    yield "Open, by marks", dollars(totals["unrealized"]), f"{_count(open_count, 'open trade')}{unmarked}"
    yield "Deepest drawdown", dollars(min(falls)), f"now {dollars(falls[-1])}"
    yield (
        "Win rate",
        (f"{rate['hits']} of {rate['count']}" if rate["mean"] is None else percent(rate["mean"])) if rate else TOO_FEW,
        f"{interval_words(rate, percent)}of {_count(rate['count'], 'trade')}" if rate else "",
    )
    stated = report["stated_profit"]
    yield "Stated before", percent(stated) if stated is not None else "not known", "probability of a profit"
    per_session = report["per_session"]
    yield (
        "A trade",
        money(report["mean_result"]) if report["mean_result"] is not None else TOO_FEW,
        f"{money(per_session)} a session held" if per_session is not None else "",
    )


def interval_words(bounds: Document, write: Any) -> str:
    """The interval of a share or mean as `90% interval 70% to 92%, `; nothing without one."""
    if bounds["low"] is None:
        return ""
    return f"{bounds['level']:.0%} interval {write(bounds['low'])} to {write(bounds['high'])}, "


def _mean_words(bounds: Document, noun: str) -> str:
    """A mean share of the maximum loss with its interval; of too few weeks how often it was above zero."""
    if bounds["mean"] is None:
        return f"better in {bounds['hits']} of {_count(bounds['count'], noun)}"
    interval = interval_words(bounds, format_share)
    return f"{format_share(bounds['mean'])} of the maximum loss ({interval}{_count(bounds['count'], noun)})"


def share_words(bounds: Document | None) -> str:
    """A share with its interval, as `84% [70, 93]`; of too few weeks `20 of 24`."""
    if bounds is None:
        return TOO_FEW
    if bounds["low"] is None:
        return f"{bounds['hits']} of {bounds['count']}"
    return f"{percent(bounds['mean'])} [{bounds['low'] * 100:.0f},\N{NO-BREAK SPACE}{bounds['high'] * 100:.0f}]"


def _section(title: str, words: Sequence[str], pictures: Mapping[str, Figure], *names: str) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    yield from words
    if shown := [_figure(pictures[name]) for name in names if name in pictures]:
        yield '<div class="pictures">'
        yield from shown
        yield "</div>"


def _figure(figure: Figure) -> str:
    data = table(figure.heading, figure.rows[-TRADES_ON_PAGE:])
    left = len(figure.rows) - TRADES_ON_PAGE
    summary = "Data" if left <= 0 else f"Data: the newest {TRADES_ON_PAGE} rows; the JSON document has all"
    return (
        f"<figure><h3>{escape(figure.title)}</h3>{figure.svg}<figcaption>{escape(figure.caption)}</figcaption>"
        f"<details><summary>{summary}</summary>{data}</details></figure>"
    )


def table(heading: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls by itself where the page is narrow. HTML needs no end tags of cells and rows."""
    head = "".join(f'<th scope="col">{escape(name)}' for name in heading)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    mark = f' class="{kind}"' if kind else ""
    return f'<div class="table"><table{mark}><thead><tr>{head}<tbody>{body}</table></div>'


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _result_words(report: Document) -> list[str]:
    ended = _ended_trades(report)
    if not ended:
        return [_paragraph("No trade has ended yet.")]
    wins = sum(float(trade["result"]) > 0 for trade in ended)
    words = [
        f"{wins} of {_count(len(ended), 'ended trade')} made a profit{_average_words(report)}. Slippage against the mid"
        f" at the decision, {money(report['slippage']).lstrip('+')} in all, is in every result."
    ]
    if (parts := report["money"]) is not None:
        premium, closing, fees, result = (money(parts[key]) for key in ("premium", "closing_cost", "fees", "result"))
        words.append(
            f"Premium {premium}, less {closing.lstrip('+')} to close or settle and {fees.lstrip('+')} of fees, makes"
            f" {result}."
        )
    if report["best"] is not None:
        words.append(
            f"Best {report['best']}, worst {report['worst']}; longest streaks:"
            f" {_count(report['win_streak'], 'win')} and"
            f" {report['loss_streak']} loss{'' if report['loss_streak'] == 1 else 'es'}."
        )
    if (held := report["exit_less_holding"]) is not None:
        words.append(f"Leaving by the plan instead of holding to expiration: {_mean_words(held, 'pair')}.")
    return [_paragraph(line) for line in words]


def _average_words(report: Document) -> str:
    means = [(name, report[f"average_{name}"]) for name in ("win", "loss")]
    told = [f"the average {name} is {money(amount)}" for name, amount in means if amount is not None]
    if (share := report["account_return"]) is not None:
        told.append(f"together {format_share(share * 100, 1)}% of the account")
    return f"; {', '.join(told)}" if told else ""


def _book_words(report: Document) -> list[str]:
    """The ladder of open expirations."""
    if not report["ladder"]:
        return [_paragraph("No trade is open.")]
    rows = [
        [step["expiration"], str(step["trades"]), str(step["contracts"]), money(step["max_loss"]).lstrip("+")]
        for step in report["ladder"]
    ]
    return [table(("expiration", "trades", "spreads", "max loss"), rows, "tall")]


def _group_words(report: Document) -> list[str]:
    shown = [
        table(
            (GROUP_TITLES.get(name, name), "trades", "result", "mean", "wins"),
            [
                [
                    group["name"].replace("_", " "), str(group["count"]), money(group["result"]),
                    money(group["mean"]) if group["mean"] is not None else TOO_FEW,
                    share_words(group["share"] or {"low": None, "hits": group["wins"], "count": group["count"]}),
                ]
                for group in groups
            ],
            "even",
        )
        for name, groups in report["groups"].items()
        if len(groups) > 1
    ]  # fmt: skip
    alone = [
        f"{GROUP_TITLES.get(name, name)}: {groups[0]['name'].replace('_', ' ')}"
        for name, groups in report["groups"].items()
        if len(groups) == 1
    ]
    if alone:
        shown.append(_paragraph(f"One group has all trades: {'; '.join(alone)}."))
    if not shown:
        return [_paragraph("No trade has ended yet.")]
    return [*shown, _paragraph(f"Wins: the share with a profit. {INTERVAL_NOTE}")]


def _reliability_words(report: Document) -> list[str]:
    outcomes = report["outcomes"]
    counted = ", ".join(f"{outcomes[state]} {state}" for state in ("known", "open", "missing") if state in outcomes)
    words = [_paragraph(f"Outcomes of the candidates of all menus: {counted}.")] if counted else []
    sources = report["reliability"]
    if not sources:
        waiting = "No probability can be scored yet: an outcome is known when its expiration has closed."
        return [*words, _paragraph(waiting)]
    rows = [
        ["event", *(source["event"] for source in sources)],
        ["outcomes", *(str(source["count"]) for source in sources)],
        ["weeks", *(str(source["weeks"]) for source in sources)],
        ["stated", *(percent(source["stated"]) for source in sources)],
        ["came true", *(share_words(source["came_true"]) for source in sources)],
        *([name, *(f"{source[key]:.4f}" for source in sources)] for key, name in RELIABILITY_ROWS.items()),
    ]
    note = (
        "Brier score = miscalibration − discrimination + uncertainty; lower is better. Outcomes of one week move"
        f" together. {INTERVAL_NOTE}"
    )
    return [*words, table(("source", *(source["source"] for source in sources)), rows, "tall"), _paragraph(note)]


def _attribution_words(report: Document) -> list[str]:
    if report["attribution"]:
        return [_paragraph("Each interval between two marks, split by cause in a fixed order; the parts add up.")]
    return [_paragraph("No trade has two marks yet.")]


def _model_words(report: Document) -> list[str]:
    models = report["models"]
    if not models:
        return [_paragraph("No model has been asked.")]
    latencies = (model["latency_seconds"] for model in models)
    rows = [
        *([name, *(str(model[key]) for model in models)] for key, name in MODEL_ROWS.items()),
        ["seconds, median", *("" if seconds is None else f"{seconds:.1f}" for seconds in latencies)],
        ["tokens", *(f"{model['tokens']:,}" for model in models)],
        ["cost", *(_model_cost(model["cost"]) for model in models)],
        ["cost of a decision", *(_model_cost(model["cost_per_decision"]) for model in models)],
    ]
    words = [table(("model", *(model["name"] for model in models)), rows, "tall")]
    if (selection := report["selection"]) is not None:
        words.append(
            _paragraph(f"The pick less the mean of its menu, at expiration: {_mean_words(selection, 'pick')}.")
        )
    return words


def _model_cost(amount: str | None) -> str:
    return "" if amount is None else f"${amount}"


def _experiment_line(experiment: Document) -> str:
    return f"{experiment['challenger']} against {experiment['champion']}, {experiment['metric']}: {experiment['words']}"


def _experiment_words(report: Document) -> list[str]:
    if not report["experiments"]:
        return [_paragraph("No experiment is registered; spy32 experiments register opens one.")]
    return [_paragraph(f"{_experiment_line(experiment)}.") for experiment in report["experiments"]]


def _trade_words(report: Document) -> list[str]:
    trades = report["trades"][-TRADES_ON_PAGE:]
    if not trades:
        return [_paragraph("There is no trade yet.")]
    heading = ("trade", "opened", "closed", "result", "exit", "days", "strategy", "spreads", "credit", "max loss")
    rows = [
        [
            trade["id"], trade["opened"], trade["closed"] or "open", _trade_result(trade),
            (trade["exit_reason"] or "").replace("_", " "),
            "" if trade["days_held"] is None else str(trade["days_held"]),
            trade["strategy"].replace("_", " "), str(trade["quantity"]), trade["credit"], trade["max_loss"],
        ]
        for trade in reversed(trades)
    ]  # fmt: skip
    left = len(report["trades"]) - len(trades)
    return [table(heading, rows), *([_paragraph(f"{left} older trades are in the JSON document.")] if left else [])]


def _trade_result(trade: Document) -> str:
    amount = trade["result"] if trade["result"] is not None else trade["unrealized"]
    return money(amount) if amount is not None else ""
