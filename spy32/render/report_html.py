"""The report as one self-contained HTML page, made from its JSON document only: no script, nothing fetched.

The same document gives the same bytes. The style follows the reader's light or dark scheme, prints, and needs no
horizontal scrolling on a telephone.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from spy32.render.report_charts import Figure, dollars, figures, percent

Document = Mapping[str, Any]

STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#60646c;--paper:#fff;--rule:#d9dce0;--line:#0b68cb;--gain:#1a7f37;
--loss:#c4342b;--band:#0b68cb33}
@media(prefers-color-scheme:dark){:root{--ink:#edeef0;--soft:#a5abb3;--paper:#111315;--rule:#33373c;--line:#70b8ff;
--gain:#5bb98b;--loss:#ff9592;--band:#70b8ff33}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.05rem;margin:2rem 0 .4rem;border-top:1px solid var(--rule);
padding-top:.8rem}p{margin:.4rem 0;max-width:44rem}.soft,figcaption,summary{color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem;margin:1rem 0;padding:0}
.facts div{border:1px solid var(--rule);border-radius:.4rem;padding:.5rem .7rem}
.facts dt{color:var(--soft);font-size:.85rem}.facts dd{margin:0;font-size:1.15rem;font-variant-numeric:tabular-nums}
figure{margin:1rem 0}svg{display:block;width:100%;height:auto;font-size:11px}svg text{fill:var(--soft)}
.grid{stroke:var(--rule)}.zero{stroke:var(--soft);fill:none;stroke-dasharray:3 3}
.line{stroke:var(--line);fill:none;stroke-width:2}.band{fill:var(--band)}.fall{fill:var(--loss);opacity:.35}
.bar{fill:var(--line)}.gain{fill:var(--gain)}.loss{fill:var(--loss)}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.85rem}
th,td{text-align:right;padding:.2rem .5rem;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.note{border:2px solid var(--loss);border-radius:.4rem;padding:.5rem .8rem}
@media(max-width:40rem){svg{font-size:19px}}
@media print{body{max-width:none;padding:0;font-size:11px}details{display:none}figure,.facts{break-inside:avoid}
:root{color-scheme:light}}
"""
SYNTHETIC = "Synthetic: made by spy32 demo --year from simulated markets. Nothing on this page happened."
TRADES_ON_PAGE = 260
"""Five years of weekly trades; the JSON document has them all."""
GROUP_TITLES = {
    "exit": "By exit", "side": "By side", "delta": "By short delta", "vix": "By VIX at the decision",
    "dte": "By days to expiration", "analyst": "By analyst", "prompt": "By prompt", "profile": "By profile",
    "weekday": "By weekday",
}  # fmt: skip


def html_page(report: Document) -> str:
    """Return the page of a `spy32.report` document."""
    title = f"spy32 report, {report['until'][:10]}"
    pictures = {figure.name: figure for figure in figures(report)}
    body = "\n".join(
        [
            *_head(report, title),
            *_section("Result", _result_words(report), pictures, "equity", "exits", "credit", "slippage"),
            *_section("Groups", _group_words(report), {}),
            *_section("Probabilities", _reliability_words(report), pictures, *_names(pictures, "reliability")),
            *_section("Where it came from", _attribution_words(report), pictures, "attribution"),
            *_section("The model", _model_words(report), {}),
            *_section("Experiments", _experiment_words(report), pictures, *_names(pictures, "differences", "evidence")),
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
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="soft">{report["mode"]} account, {start}; {report["runs"]} runs.</p>'
    if report["is_synthetic"]:
        yield f'<p class="note">{SYNTHETIC}</p>'
    for line in (*report["deletions"], *report["notes"]):
        yield f'<p class="note">{escape(line)}</p>'
    totals = report["totals"]
    facts = (
        ("realised", dollars(totals["total"])),
        ("open, by marks", dollars(totals["unrealized"])),
        ("deepest drawdown", dollars(min((float(point["drawdown"]) for point in report["equity"]), default=0.0))),
        ("win rate", share_words(report["win_rate"])),
        ("stated at the decision", _optional_percent(report["stated_profit"])),
        ("per session", _optional_dollars(report["per_session"])),
    )
    yield '<dl class="facts">'
    yield from (f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)
    yield "</dl>"


def share_words(bounds: Document | None) -> str:
    """A share with its interval and count, as `84 % [70, 93] of 43`."""
    if bounds is None:
        return "too few"
    interval = f" [{bounds['low'] * 100:.0f}, {bounds['high'] * 100:.0f}]" if bounds["low"] is not None else ""
    return f"{percent(bounds['mean'])}{interval} of {bounds['count']}"


def _optional_percent(share: float | None) -> str:
    return percent(share) if share is not None else "not known"


def _optional_dollars(amount: str | None) -> str:
    return dollars(amount) if amount is not None else "too few"


def _section(title: str, words: Sequence[str], pictures: Mapping[str, Figure], *names: str) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    yield from words
    for name in names:
        if name in pictures:
            yield _figure(pictures[name])


def _figure(figure: Figure) -> str:
    data = table(figure.heading, figure.rows)
    caption = f"<figcaption>{escape(figure.title)}</figcaption>"
    return f"<figure>{caption}{figure.svg}<details><summary>Data</summary>{data}</details></figure>"


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself where the page is narrow."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heading)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _result_words(report: Document) -> list[str]:
    ended = [trade for trade in report["trades"] if trade["result"] is not None]
    if not ended:
        return [_paragraph("No trade has ended yet.")]
    words = [
        f"{len(ended)} trades ended, {len(report['trades']) - len(ended)} are open. Slippage against the mid at the"
        f" decision cost {dollars(report['slippage'])}.",
    ]
    if report["best"] is not None:
        words.append(
            f"Best {report['best']}, worst {report['worst']}; at most {report['win_streak']} wins and"
            f" {report['loss_streak']} losses in a row."
        )
    if (held := report["exit_less_holding"]) is not None:
        words.append(
            f"Leaving by the plan instead of holding to expiration: {dollars(held['mean'])} a trade"
            f"{_dollar_interval(held)}, {held['count']} pairs."
        )
    return [_paragraph(line) for line in words]


def _dollar_interval(bounds: Document) -> str:
    return f" [{dollars(bounds['low'])}, {dollars(bounds['high'])}]" if bounds["low"] is not None else ""


def _group_words(report: Document) -> list[str]:
    shown = []
    for name, groups in report["groups"].items():
        if groups:
            rows = [
                [
                    group["name"],
                    str(group["count"]),
                    group["result"],
                    group["mean"] or "too few",
                    share_words(group["share"]),
                ]
                for group in groups
            ]
            heading = (GROUP_TITLES.get(name, name), "trades", "result", "mean", "wins")
            shown.append(table(heading, rows))
    return shown or [_paragraph("No trade has ended yet.")]


def _reliability_words(report: Document) -> list[str]:
    sources = report["reliability"]
    if not sources:
        return [_paragraph("No outcome is known yet: the first becomes known when its expiration has closed.")]
    heading = (
        "source", "event", "outcomes", "weeks", "stated", "came true", "Brier", "miscalibration", "discrimination",
        "uncertainty",
    )  # fmt: skip
    rows = [
        [
            source["source"], source["event"], str(source["count"]), str(source["weeks"]), percent(source["stated"]),
            share_words(source["came_true"]),
            *(f"{source[key]:.4f}" for key in ("brier", "miscalibration", "discrimination", "uncertainty")),
        ]
        for source in sources
    ]  # fmt: skip
    note = "Brier = miscalibration − discrimination + uncertainty; lower is better. Outcomes of one week move together."
    return [table(heading, rows), _paragraph(note)]


def _attribution_words(report: Document) -> list[str]:
    if report["attribution"]:
        return [_paragraph("Each interval between two marks, split by cause in a fixed order; the parts add up.")]
    return [_paragraph("No trade has two marks yet.")]


def _model_words(report: Document) -> list[str]:
    if not report["models"]:
        return [_paragraph("No model has been asked.")]
    heading = (
        "model", "asked", "trades", "abstained", "failed", "vetoed", "as the rule", "unmatched numbers",
        "seconds", "tokens", "cost",
    )  # fmt: skip
    rows = [
        [
            model["name"],
            *(str(model[key]) for key in ("asked", "traded", "abstained", "failed", "vetoed", "agreed", "unmatched")),
            f"{model['latency_seconds']:.1f}" if model["latency_seconds"] is not None else "",
            str(model["tokens"]),
            f"${model['cost']}",
        ]
        for model in report["models"]
    ]
    words = [table(heading, rows)]
    if (selection := report["selection"]) is not None:
        interval = f" [{selection['low']:+.3f}, {selection['high']:+.3f}]" if selection["low"] is not None else ""
        words.append(
            _paragraph(
                f"The pick less the mean of its menu, at expiration: {selection['mean']:+.3f}{interval} of the maximum"
                f" loss, {selection['count']} picks."
            )
        )
    return words


def _experiment_words(report: Document) -> list[str]:
    if not report["experiments"]:
        return [_paragraph("No experiment is registered; spy32 experiments register opens one.")]
    return [
        _paragraph(f"{each['challenger']} against {each['champion']}, {each['metric']}: {each['words']}")
        for each in report["experiments"]
    ]


def _trade_words(report: Document) -> list[str]:
    trades = report["trades"][-TRADES_ON_PAGE:]
    if not trades:
        return [_paragraph("There is no trade yet.")]
    heading = ("trade", "opened", "closed", "strategy", "contracts", "credit", "max loss", "result", "days", "exit")
    rows = [
        [
            str(trade["id"]), trade["opened"], trade["closed"] or "open", trade["strategy"], str(trade["quantity"]),
            trade["credit"], trade["max_loss"], trade["result"] or trade["unrealized"] or "",
            "" if trade["days_held"] is None else str(trade["days_held"]), trade["exit_reason"] or "",
        ]
        for trade in reversed(trades)
    ]  # fmt: skip
    left = len(report["trades"]) - len(trades)
    return [table(heading, rows), *([_paragraph(f"{left} older trades are in the JSON document.")] if left else [])]
