"""`show --full`: everything on record about one run, after its one screen."""

from collections.abc import Sequence
from datetime import datetime

from spy32.domain.findings import RiskDecision
from spy32.domain.market import QualityReport
from spy32.domain.orders import Order
from spy32.domain.proposals import Approval, Proposal
from spy32.domain.report import Attribution, AttributionParts
from spy32.domain.run_view import MarketSummary, RunView
from spy32.domain.runs import Run
from spy32.render.explain import OUTCOME_TONES, explain_outcome, format_outcome
from spy32.render.explain_answer import answer_parts, finding_item
from spy32.render.explain_choice import choice_parts
from spy32.render.figures import exit_pairs, order_pairs
from spy32.render.formatting import (
    calendar_day,
    format_both_zones,
    format_count,
    format_dollars,
    format_known,
    format_milliseconds,
    format_percent,
    format_price,
    humanise,
    single_line,
)
from spy32.render.page import Cell, Columns, Fact, Facts, Grid, Lines, Page, Part, noun_grid, pairs, read_path
from spy32.render.pages import loud_gates, run_page, trade_page


def full_page(
    view: RunView,
    *,
    now: datetime,
    also: tuple[Proposal, ...] = (),
    attribution: tuple[Attribution, ...] = (),
) -> Page:
    """Everything worth reading about one run, after its one screen; `attribution` is of its trade."""
    short, result, trade = run_page(view, now=now, also=also), view.proposal, view.trade
    parts: list[Part] = [*short.parts, pairs(_run_items(view.run))]
    if result is not None:
        parts += [order_pairs(result), exit_pairs(result)]
    if trade is not None:
        parts += trade_page(view, trade, now=now).parts
    if attribution:
        parts.append(_attribution(attribution))
    parts += [
        pairs(map(_order_item, view.orders), "order", "Orders"),
        pairs(_approval_items(view.approval), "approval", "Approval"),
        *answer_parts(view),
        pairs(_check_items(view.ruling), "check", "Checks"),
        *choice_parts(view),
        pairs(_market_items(view.market, view.quality), "market", "Market"),
        pairs((("note", note) for note in read_path(view.menu, "notes") or ()), "menu", "Menu"),
    ]
    if view.run.steps:
        columns: Columns = {
            "step": "name", "state": "state", "took>": lambda step: format_milliseconds(step.ms), "detail~1": "detail",
        }  # fmt: skip
        parts.append(noun_grid("step", "Steps", view.run.steps, columns))
    return short._replace(parts=tuple(parts))


def _run_items(run: Run) -> Facts:
    late, tone = (", LATE", "warn") if run.late else ("", "")
    slot = format_known(", for the slot of {}".format, run.slot)
    yield "outcome", format_outcome(run), OUTCOME_TONES.get(run.outcome, "")
    yield "meaning", explain_outcome(run)
    yield from (("reason", Lines(reason)) for reason in run.reasons)
    yield "started", f"{format_both_zones(run.started_at)}{late}", tone
    yield "trigger", f"{run.trigger}{slot}, profile {run.profile}"
    yield "forced from", format_known("R{}".format, run.forced_from)
    yield "exit code", str(run.exit_code or "")


# What became of it.


def _attribution(intervals: Sequence[Attribution]) -> Grid:
    """A line a session; of several intervals the last one is their sum."""
    rows = [(f"{calendar_day(each.start)} to {calendar_day(each.end)}", each.parts) for each in intervals]
    if len(rows) > 1:
        rows.append(("in all", AttributionParts.add_up([parts for _, parts in rows])))

    def dollars(part: str) -> Cell:
        return lambda row: f"{getattr(row[1], part):+,.2f}"

    parts = ("time", "spot", "vol", "smile", "rest", "fees", "total")
    columns: Columns = {"interval": lambda row: row[0], **{f"{part}>": dollars(part) for part in parts}}
    return noun_grid("attribution", "Where the result came from, dollars; fees with slippage", rows, columns)


def _approval_items(approval: Approval | None) -> Facts:
    if approval is None:
        return
    spot, mid, natural = format_price(approval.spot), format_price(approval.mid), format_price(approval.natural)
    yield "by", f"{approval.by}, {format_both_zones(approval.at)}"
    yield "until", format_both_zones(approval.until)
    yield "quotes", f"spot {spot}, mid {mid}, natural {natural}"
    yield "note", approval.note


def _order_item(order: Order) -> Fact:
    """What the broker knows an order by, and its words."""
    known = (order.reference, f"broker id {order.broker_id or 'none'}", order.reason or order.broker_status)
    return (f"O{order.id}", " · ".join(filter(None, (f"{order.kind} {order.state}", *known))))


# What it rested on.


def _market_items(line: MarketSummary | None, quality: QualityReport | None) -> Facts:
    """What the line of the market on the one screen does not say."""
    if line is None:
        return
    yield "as of", f"{format_both_zones(line.as_of)}, from {line.source}"
    yield "expiration", f"{line.expiration}, {format_count(line.dte, 'day')}"
    yield "at-the-money IV", format_known(format_percent, line.atm_iv)
    if quality is None:
        return
    loud = [
        f"{gate.verdict} {humanise(gate.name)}: {single_line(gate.figure)} (limit {single_line(gate.limit)})"
        for gate in loud_gates(quality)
    ]
    if loud:
        yield "quality", Lines("\n".join(loud)), "warn"
    else:
        yield "quality", f"{format_count(len(quality.gates), 'gate')}, none objects"


def _check_items(ruling: RiskDecision | None) -> Facts:
    if ruling is None:
        return
    verdict = f"accepted, {format_count(ruling.quantity, 'contract')}" if ruling.is_accepted else "refused"
    yield "verdict", verdict, "good" if ruling.is_accepted else "bad"
    yield from map(finding_item, ruling.findings)
    size = ruling.sizing
    if size is not None:
        bounds = ", ".join(f"{humanise(name)} {bound}" for name, bound in size.bounds.items())
        loss, budget = format_dollars(size.swing_loss), format_dollars(size.swing_budget)
        yield "size allowed by", f"{bounds}; {humanise(size.binding)} binds"
        yield "halved", "the budget was halved before dividing" if size.halved else "", "warn"
        yield "daily swing", f"one-sigma day costs {loss} a contract, budget {budget}"
        if size.account_needed is not None:
            yield "account needed", f"{format_dollars(size.account_needed)} for one contract"
