"""`show --full`: everything on record about one run, after its one screen."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from spy32.domain.market import QualityReport
from spy32.domain.orders import Order
from spy32.domain.proposals import Approval, Proposal, RiskDecision, Sizing
from spy32.domain.report import Attribution, AttributionParts
from spy32.domain.run_view import MarketSummary, RunView
from spy32.domain.runs import Run
from spy32.render.explain import explain_outcome, format_outcome, outcome_tone
from spy32.render.explain_answer import answer_parts, finding_item
from spy32.render.explain_choice import choice_parts
from spy32.render.figures import exit_pairs, order_pairs
from spy32.render.formatting import (
    calendar_day,
    format_both_zones,
    format_count,
    format_dollars,
    format_float_price,
    format_milliseconds,
    format_percent,
    format_price,
    humanise,
    single_line,
)
from spy32.render.page import Cell, Grid, Item, Page, Pairs, Part, noun_grid, pair, paragraph
from spy32.render.pages import loud_gates, run_page, trade_page


def full_page(
    view: RunView,
    *,
    now: datetime,
    also: tuple[Proposal, ...] = (),
    attribution: tuple[Attribution, ...] = (),
) -> Page:
    """Everything worth reading about one run, after its one screen; `attribution` is of its trade."""
    short = run_page(view, now=now, also=also)
    parts: list[Part] = [*short.parts, _run(view.run)]
    result = view.proposal
    if result is not None:
        parts += [order_pairs(result), exit_pairs(result)]
    if view.trade is not None:
        parts += trade_page(view, view.trade, now=now).parts
    if attribution:
        parts.append(_attribution(attribution))
    if view.orders:
        parts.append(_orders(view.orders))
    if view.approval is not None:
        parts.append(_approval(view.approval))
    return short._replace(parts=(*parts, *_evidence_parts(view)))


def _evidence_parts(view: RunView) -> list[Part]:
    """The parts that show what the decision was based on."""
    parts: list[Part] = []
    parts += answer_parts(view)
    if view.ruling is not None:
        parts.append(_ruling(view.ruling))
    parts += choice_parts(view)
    if view.market is not None:
        parts.append(_market(view.market, view.quality))
    if view.menu is not None and view.menu.notes:
        parts.append(Pairs(name="menu", title="Menu", items=tuple(pair("note", note) for note in view.menu.notes)))
    if view.run.steps:
        parts.append(_steps(view.run))
    return parts


def _run(run: Run) -> Pairs:
    slot = f", for the slot of {run.slot}" if run.slot is not None else ""
    late, tone = (", LATE", "warn") if run.late else ("", "")
    items = (
        pair("outcome", format_outcome(run), outcome_tone(run.outcome)),
        pair("meaning", explain_outcome(run)),
        *(paragraph("reason", reason) for reason in run.reasons),
        pair("started", f"{format_both_zones(run.started_at)}{late}", tone),
        pair("trigger", f"{run.trigger}{slot}, profile {run.profile}"),
        pair("forced from", f"R{run.forced_from}" if run.forced_from is not None else ""),
        pair("exit code", str(run.exit_code or "")),
    )
    return Pairs(items=items)


def _steps(run: Run) -> Grid:
    columns: dict[str, Cell] = {
        "step": "name", "state": "state", "took>": lambda step: format_milliseconds(step.ms), "detail~1": "detail",
    }  # fmt: skip
    return noun_grid("step", "Steps", run.steps, columns)


# What became of it.


def _attribution(intervals: Sequence[Attribution]) -> Grid:
    """A line a session; of several intervals the last one is their sum."""
    rows = [(f"{calendar_day(each.start)} to {calendar_day(each.end)}", each.parts) for each in intervals]
    if len(rows) > 1:
        rows.append(("in all", AttributionParts.add_up(parts for _, parts in rows)))

    def dollars(part: str) -> Cell:
        return lambda row: f"{getattr(row[1], part):+,.2f}"

    columns: dict[str, Cell] = {
        "interval": lambda row: row[0], "time>": dollars("time"), "spot>": dollars("spot"), "vol>": dollars("vol"),
        "smile>": dollars("smile"), "rest>": dollars("rest"), "fees>": dollars("fees"), "total>": dollars("total"),
    }  # fmt: skip
    return noun_grid("attribution", "Where the result came from, dollars; fees with slippage", rows, columns)


def _approval(approval: Approval) -> Pairs:
    prices = (format_float_price(approval.spot), format_price(approval.mid), format_price(approval.natural))
    items = (
        pair("by", f"{approval.by}, {format_both_zones(approval.at)}"),
        pair("until", format_both_zones(approval.until)),
        pair("quotes", "spot {}, mid {}, natural {}".format(*prices)),
        pair("note", approval.note),
    )
    return Pairs(name="approval", title="Approval", items=items)


def _orders(orders: Iterable[Order]) -> Pairs:
    """What the broker knows each order by, and its words."""
    items = []
    for order in orders:
        text = [
            single_line(order.reference),
            f"broker id {single_line(order.broker_id or 'none')}",
            single_line(order.reason or order.broker_status),
        ]
        items.append(pair(f"O{order.id}", f"{order.kind} {order.state} · {' · '.join(part for part in text if part)}"))
    return Pairs(name="order", title="Orders", items=tuple(items))


# What it rested on.


def _market(line: MarketSummary, quality: QualityReport | None) -> Pairs:
    """What the line of the market on the one screen does not say."""
    items = (
        pair("as of", f"{format_both_zones(line.as_of)}, from {line.source}"),
        pair("expiration", f"{line.expiration}, {format_count(line.dte, 'day')}"),
        pair("at-the-money IV", "" if line.atm_iv is None else format_percent(line.atm_iv)),
        *([] if quality is None else [_quality_line(quality)]),
    )
    return Pairs(name="market", title="Market", items=items)


def _quality_line(report: QualityReport) -> tuple[str, str, str]:
    loud = loud_gates(report)
    if not loud:
        return pair("quality", f"{format_count(len(report.gates), 'gate')}, none objects")
    text = [
        f"{gate.verdict} {humanise(gate.name)}: {single_line(gate.figure)} (limit {single_line(gate.limit)})"
        for gate in loud
    ]
    return paragraph("quality", "\n".join(text), "warn")


def _ruling(ruling: RiskDecision) -> Pairs:
    verdict = f"accepted, {format_count(ruling.quantity, 'contract')}" if ruling.is_accepted else "refused"
    items = [pair("verdict", verdict, "good" if ruling.is_accepted else "bad")]
    items += [finding_item(finding) for finding in ruling.findings]
    items += [] if ruling.sizing is None else _sizing_items(ruling.sizing)
    return Pairs(name="check", title="Checks", items=tuple(items))


def _sizing_items(size: Sizing) -> list[Item]:
    bounds = ", ".join(f"{humanise(name)} {bound}" for name, bound in size.bounds.items())
    loss, budget = format_dollars(size.swing_loss), format_dollars(size.swing_budget)
    needed = size.account_needed
    return [
        pair("size allowed by", f"{bounds}; {humanise(size.binding)} binds"),
        pair("halved", "the budget was halved before dividing" if size.halved else "", "warn"),
        pair("daily swing", f"one-sigma day costs {loss} a contract, budget {budget}"),
        pair("account needed", "" if needed is None else f"{format_dollars(needed)} for one contract"),
    ]
