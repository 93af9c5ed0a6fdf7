"""The report as one self-contained HTML page: no script, nothing fetched.

The same report gives the same bytes, and no figure that its JSON document does not have. The style follows the reader's
light or dark scheme, prints, and needs no horizontal scrolling on a telephone.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape

from spy32.domain.market import SYNTHETIC_NOTE
from spy32.domain.report import Report
from spy32.render.formatting import format_count, humanise
from spy32.render.page import Grid, Item, pair
from spy32.render.report import (
    alike_item,
    banner_words,
    experiment_items,
    groups_grids,
    heading,
    ladder_grid,
    mean_words,
    models_grid,
    money_items,
    outcomes_item,
    reliability_grid,
    result_items,
    scores_grid,
    selection_items,
    trades_grid,
)
from spy32.render.report_charts import (
    Figure,
    attribution_figure,
    experiment_figures,
    reliability_figures,
    result_figures,
)

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
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.8rem 0}
dt{color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums}
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
.note,.remark{border-left:4px solid var(--loss);background:var(--tint);padding:.5rem .8rem}
.remark{border-color:var(--line)}
@media(max-width:40rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}
svg{font-size:15px}th,td{padding:.22rem .35rem}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--tint:#f4f6f8;--rule:#bbb;--line:#0b68cb;
--gain:#1a7f37;--loss:#c4342b;--band:#0b68cb33}body{max-width:none;padding:0;font-size:11px}details{display:none}
figure,dl,tr{break-inside:avoid}h2,h3{break-after:avoid}.pictures{grid-template-columns:1fr 1fr}
*{print-color-adjust:exact}}
"""
TRADES_ON_PAGE = 260
"""Five years of weekly trades; the JSON document has them all."""
INTERVAL_NOTE = "In brackets the 90% interval of the long run's mean, 5% on each side, whenever one looks."
_CODE = re.compile(r"`([^`]+)`")


def html_page(report: Report) -> str:
    """Return the page."""
    title = f"spy32 report, {report.until:%Y-%m-%d}"
    body = "\n".join([*_head(report, title), *_sections(report)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _head(report: Report, title: str) -> Iterator[str]:
    endings = ", ".join(f"{count} {humanise(name)}" for name, count in report.run_outcomes.items())
    runs = f"{format_count(report.runs, 'run')}{f' ({endings})' if endings else ''}"
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="soft">{escape(f"{banner_words(report)} · {runs}.")}</p>'
    if report.is_synthetic:
        yield f'<p class="note">{SYNTHETIC_NOTE}</p>'
    yield from (f'<p class="note">{escape(line)}</p>' for line in report.deletions)
    for line in report.notes:
        words = _CODE.sub(r"<code>\1</code>", escape(line))
        yield f'<p class="remark">{words}</p>'
    yield f'<p class="lead">{escape(heading(report))}.</p>'


def _sections(report: Report) -> Iterator[str]:
    older = len(report.trades) - TRADES_ON_PAGE
    held, sums = report.exit_less_holding, report.attribution_sum
    has_ended = any(trade.result is not None for trade in report.trades)
    results = [*result_items(report), *money_items(report)] if has_ended else []
    if held is not None:
        results.append(pair("leaving less holding", f"{mean_words(held)} ({format_count(held.count, 'trade')})"))
    yield from _section(
        "Result", "No trade has ended yet.", items=results, pictures=result_figures(report), note=INTERVAL_NOTE
    )
    yield from _section("Open trades", "No trade is open.", ladder_grid(report))
    yield from _section(
        "Probabilities",
        "No probability can be scored yet: an outcome is known when its expiration has closed.",
        reliability_grid(report),
        scores_grid(report),
        items=[outcomes_item(report)] if report.outcomes else [],
        pictures=reliability_figures(report),
        note="Brier score = miscalibration - discrimination + uncertainty; lower is better. Outcomes of one week move"
        f" together. {INTERVAL_NOTE}",
    )
    yield from _section(
        "Experiments",
        "No experiment is registered; spy32 experiments register opens one.",
        items=list(experiment_items(report)),
        pictures=experiment_figures(report),
    )
    yield from _section(
        "The model", "No model has been asked.", models_grid(report), items=list(selection_items(report))
    )
    yield from _section(
        "Where the result came from",
        "No trade has two marks yet.",
        pictures=[attribution_figure(sums)] if sums is not None else [],
        note="Each interval between two marks, split by cause in a fixed order; the parts add up.",
    )
    yield from _section(
        "Groups of trades",
        "No trade has ended yet.",
        *groups_grids(report),
        items=[alike_item(report)],
        note=f"Wins: the share with a profit. {INTERVAL_NOTE}",
    )
    yield from _section(
        "Trades",
        "There is no trade yet.",
        trades_grid(report.trades[-TRADES_ON_PAGE:]),
        note=f"{older} older trades are in the JSON document." if older > 0 else "",
    )


def _section(
    title: str, missing: str, *grids: Grid, items: Iterable[Item] = (), pictures: Iterable[Figure] = (), note: str = ""
) -> Iterator[str]:
    """Facts, tables, a note on them, and pictures; `missing` says that there is nothing to show."""
    shown = [_table(grid) for grid in grids if grid.rows]
    figures = [_figure(each) for each in pictures]
    facts = "".join(f"<dt>{escape(label)}<dd>{escape(text)}" for label, text, _ in items if text)
    yield f"<h2>{escape(title)}</h2>"
    if facts:
        yield f"<dl>{facts}</dl>"
    yield from shown
    if not (shown or figures or (facts and not grids)):
        yield f"<p>{escape(missing)}</p>"
    elif note:
        yield f"<p>{escape(note)}</p>"
    if figures:
        yield f'<div class="pictures">{"".join(figures)}</div>'


def _figure(figure: Figure) -> str:
    data = figure.data
    summary = "Data"
    if len(data.rows) > TRADES_ON_PAGE:
        summary = f"Data: the newest {TRADES_ON_PAGE} rows; the JSON document has all"
    return (
        f"<figure><h3>{escape(data.title)}</h3>{figure.svg}<figcaption>{escape(figure.caption)}</figcaption><details>"
        f"<summary>{summary}</summary>{_table(data._replace(rows=data.rows[-TRADES_ON_PAGE:]))}</details></figure>"
    )


def _table(grid: Grid) -> str:
    """A table that scrolls by itself where the page is narrow. HTML needs no end tags of cells and rows."""
    head = "".join(f'<th scope="col">{escape(column.name)}' for column in grid.columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in grid.rows)
    return f'<div class="table"><table><thead><tr>{head}<tbody>{body}</table></div>'
