"""The page of one run: what came of it and why, what was proposed, what was sent, and what to type next."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from spy32.domain.market import QualityReport, Verdict
from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import Approval, ExitPlan, Finding, Proposal, RiskDecision
from spy32.domain.run_view import MarketSummary, RunView
from spy32.domain.runs import Run
from spy32.domain.spreads import Candidate, Leg
from spy32.render.explain import (
    PROPOSAL_STATES,
    explain_outcome,
    format_outcome,
    is_proposal_expired,
    next_commands,
    outcome_tone,
    view_badges,
)
from spy32.render.explain_answer import answer_parts
from spy32.render.explain_choice import choice_parts
from spy32.render.formatting import (
    clean,
    describe_assignment,
    format_both_zones,
    format_count,
    format_credit,
    format_dollars,
    format_float_price,
    format_gain,
    format_legs,
    format_milliseconds,
    format_percent,
    format_price,
    format_strike,
    humanise,
    mask_account,
    single_line,
)
from spy32.render.page import Column, Grid, Page, Pairs, Part, Picture, pair


def run_page(view: RunView, *, now: datetime, here: tzinfo | None = None, also: tuple[Proposal, ...] = ()) -> Page:
    """Everything worth reading about one run; `also` are proposals of other runs that wait."""
    parts: list[Part] = [_run(view.run, here)]
    if view.proposal is not None:
        parts += _proposal_parts(view, view.proposal, now=now, here=here)
    if view.trade is not None:
        parts.append(_trade(view.trade, here))
    if view.orders:
        parts.append(_orders(view.orders))
    if view.approval is not None:
        parts.append(_approval(view.approval, here))
    parts += _grounds(view, here)
    following = next_commands(view, now=now)
    following += tuple(
        f"spy32 show P{result.id} (another proposal: {PROPOSAL_STATES[result.state]})" for result in also
    )
    return Page(
        heading=f"R{view.run.id}: {format_outcome(view.run)}",
        tone=outcome_tone(view.run.outcome),
        badges=view_badges(view),
        parts=tuple(parts),
        following=following,
    )


def _grounds(view: RunView, here: tzinfo | None) -> list[Part]:
    """What the decision rested on."""
    parts: list[Part] = []
    parts += answer_parts(view)
    if view.ruling is not None:
        parts.append(_ruling(view.ruling))
    parts += choice_parts(view)
    if view.market is not None:
        parts.append(_market(view.market, view.quality, here))
    if view.menu is not None and view.menu.notes:
        parts.append(
            Pairs(name="menu", title="Menu", items=tuple(pair("note", single_line(note)) for note in view.menu.notes))
        )
    if view.run.steps:
        parts.append(_steps(view.run))
    return parts


def _run(run: Run, here: tzinfo | None) -> Pairs:
    items = [pair("outcome", format_outcome(run), outcome_tone(run.outcome)), pair("meaning", explain_outcome(run))]
    items += [pair("reason", clean(reason)) for reason in run.reasons]
    started = format_both_zones(run.started_at, here) + (", LATE" if run.late else "")
    items.append(pair("started", started, "warn" if run.late else ""))
    slot = f", for the slot of {run.slot}" if run.slot is not None else ""
    items.append(pair("trigger", f"{run.trigger}{slot}, profile {single_line(run.profile)}"))
    if run.forced_from is not None:
        items.append(pair("forced from", f"R{run.forced_from}"))
    if run.exit_code:
        items.append(pair("exit code", str(run.exit_code)))
    return Pairs(items=tuple(items))


def _steps(run: Run) -> Grid:
    columns = (
        Column(name="step"),
        Column(name="state"),
        Column(name="took", right=True),
        Column(name="detail", rank=1, flexible=True),
    )
    rows = tuple(
        (step.name, step.state.value, format_milliseconds(step.ms), single_line(step.detail)) for step in run.steps
    )
    return Grid(name="step", title="Steps", columns=columns, rows=rows)


# The proposal.


def _proposal_parts(view: RunView, result: Proposal, *, now: datetime, here: tzinfo | None) -> list[Part]:
    entry = view.menu.find(result.candidate_id) if view.menu is not None else None
    parts: list[Part] = [proposal_pairs(result, entry, now=now, here=here), legs_grid(result.legs, result.quantity)]
    if result.kind == "open":
        parts.append(Picture(made=result, market=view.market))
    return parts


def proposal_pairs(result: Proposal, entry: Candidate | None, *, now: datetime, here: tzinfo | None = None) -> Pairs:
    """The figures on which a person decides. `entry` adds the chances that were computed for the menu."""
    state = f"{result.state}: {PROPOSAL_STATES[result.state]}"
    if is_proposal_expired(result, now):
        state = f"{result.state}, but its session is over"
    items = [
        pair("id", f"P{result.id}"),
        pair("state", state, "strong"),
        pair("trade", f"{result.kind} {result.underlying} {format_legs(result.legs)} {humanise(result.strategy)}"),
        pair("expiration", f"{result.expiration}"),
        pair("quantity", format_count(result.quantity, "contract"), "strong"),
        pair("limit price", format_credit(result.limit_price), "strong"),
        pair("floor price" if result.kind == "open" else "ceiling price", format_credit(result.floor_price)),
        pair(
            "max loss",
            f"{format_dollars(result.max_loss)} (at the {'floor' if result.kind == 'open' else 'ceiling'})",
            "bad",
        ),
        pair("max profit", f"{format_dollars(result.max_profit)} (at the limit)", "good"),
        pair("breakeven", " and ".join(format_price(point) for point in result.breakevens) or "none"),
    ]
    if entry is not None and result.kind == "open":
        items += _chances(entry)
    items += [
        pair("price plan", _working(result)),
        pair("exit plan", _leaving(result.exit)),
        pair("if assigned", describe_assignment(result)),
        pair("account", f"{mask_account(result.account)}, {result.mode}"),
        pair(
            "chosen by", f"{single_line(result.chosen_by)} from quotes of {format_both_zones(result.quoted_at, here)}"
        ),
        pair("lapses", format_both_zones(result.lapses_at, here)),
        pair("confirm with", f"{result.hash[:8]} (the hash's first 8 digits)"),
    ]
    return Pairs(name="proposal", title=f"Proposal P{result.id}", items=tuple(items))


def _chances(entry: Candidate) -> list[tuple[str, str, str]]:
    history = "" if entry.pop_history is None else f", {format_percent(entry.pop_history)} by history"
    items = [pair("profit chance", f"{format_percent(entry.pop_market)} by the market{history}")]
    ev = entry.ev
    text = (
        ("EV market expiry", ev.market_expiry),
        ("EV market plan", ev.market_plan),
        ("EV history expiry", ev.history_expiry),
        ("EV history plan", ev.history_plan),
    )
    items += [pair(label, f"{format_gain(value)} a contract") for label, value in text if value is not None]
    items.append(pair("costs to open", f"{format_dollars(entry.costs)} a contract"))
    return items


def _working(result: Proposal) -> str:
    plan = result.plan
    steps = len(plan.prices) - 1
    return (
        f"start {format_price(abs(plan.start))}, {format_count(steps, 'step')} of {format_price(plan.tick)} "
        f"every {plan.step_seconds} s "
        f"to {format_price(abs(plan.limit))}, never beyond; cancelled after {plan.deadline_seconds} s"
    )


def _leaving(plan: ExitPlan) -> str:
    timed = f"time exit {plan.time_exit}" if plan.time_exit is not None else "no time exit"
    return (
        f"take profit at {format_price(plan.profit_target)} debit; {timed}; out by {plan.last_exit}; "
        f"alert at {format_price(plan.stop)} debit. {single_line(plan.note)}".rstrip()
    )


def legs_grid(legs: Iterable[Leg], quantity: int) -> Grid:
    """Each leg as the broker is told it; `quantity` spreads."""
    columns = (
        Column(name="action"),
        Column(name="quantity", right=True),
        Column(name="type", rank=2),
        Column(name="strike", right=True),
        Column(name="expiration", rank=1),
        Column(name="symbol", rank=3),
    )
    rows = tuple(
        (
            leg.action.value,
            str(leg.quantity * quantity),
            "put" if leg.right.value == "P" else "call",
            format_strike(leg.strike),
            f"{leg.expiration}",
            leg.symbol,
        )
        for leg in legs
    )
    return Grid(name="leg", title="Legs", columns=columns, rows=rows)


# What became of it.


def _approval(approval: Approval, here: tzinfo | None) -> Pairs:
    items = [
        pair("by", f"{single_line(approval.by)}, {format_both_zones(approval.at, here)}"),
        pair("until", format_both_zones(approval.until, here)),
        pair(
            "quotes",
            f"spot {format_float_price(approval.spot)}, mid {format_price(approval.mid)}, natural "
            f"{format_price(approval.natural)}",
        ),
    ]
    if approval.note:
        items.append(pair("note", single_line(approval.note)))
    return Pairs(name="approval", title="Approval", items=tuple(items))


def _orders(orders: Iterable[Order]) -> Grid:
    columns = (
        Column(name="order"),
        Column(name="kind", rank=1),
        Column(name="state"),
        Column(name="limit", right=True),
        Column(name="filled", right=True),
        Column(name="broker id", rank=2),
        Column(name="reference", rank=3),
        Column(name="words", rank=4, flexible=True),
    )
    rows = tuple(
        (
            f"O{order.id}",
            order.kind.value,
            order.state.value,
            format_credit(order.limit),
            f"{order.filled} of {order.quantity}",
            single_line(order.broker_id or ""),
            single_line(order.reference),
            single_line(order.reason or order.broker_status),
        )
        for order in orders
    )
    return Grid(name="order", title="Orders", columns=columns, rows=rows)


def _trade(trade: Trade, here: tzinfo | None) -> Pairs:
    items = [
        pair("id", f"T{trade.id}"),
        pair("state", trade.state.value, "strong"),
        pair("position", f"{trade.quantity} x {format_legs(trade.legs)}"),
        pair("opened", f"{format_both_zones(trade.opened_at, here)} for {format_credit(trade.credit)}"),
        pair("fees", format_dollars(trade.fees)),
        pair("max loss", format_dollars(trade.max_loss)),
    ]
    if trade.exits is not None:
        items.append(pair("exit plan", f"{_leaving(trade.exits)} (opened below its floor)", "warn"))
    if trade.closed_at is not None:
        price_paid = f" for {format_price(trade.debit)} debit" if trade.debit is not None else ""
        items.append(pair("closed", format_both_zones(trade.closed_at, here) + price_paid))
    if trade.result is not None:
        word = "loss" if trade.result < 0 else "profit"
        items.append(
            pair("result", f"{format_gain(trade.result)} ({word}, after fees)", "bad" if trade.result < 0 else "good")
        )
    if trade.assumption:
        items.append(pair("simulated", single_line(trade.assumption), "warn"))
    return Pairs(name="trade", title=f"Trade T{trade.id}", items=tuple(items))


# What it rested on.


def _market(line: MarketSummary, quality: QualityReport | None, here: tzinfo | None) -> Pairs:
    items = [
        pair("underlying", f"{line.underlying} {format_float_price(line.spot)}"),
        pair("as of", f"{format_both_zones(line.as_of, here)}, from {single_line(line.source)}"),
        pair("expiration", f"{line.expiration}, {format_count(line.dte, 'day')}"),
    ]
    if line.atm_iv is not None:
        items.append(pair("at-the-money IV", format_percent(line.atm_iv)))
    if line.expected_move is not None:
        items.append(
            pair("expected move", f"±{format_float_price(round(line.expected_move, 2))} to expiration (one sigma)")
        )
    items.append(pair("VIX", "missing" if line.vix is None else f"{line.vix:.2f}"))
    if quality is not None:
        items.append(_quality_line(quality))
    return Pairs(name="market", title="Market", items=tuple(items))


def _quality_line(report: QualityReport) -> tuple[str, str, str]:
    loud = [gate for gate in report.gates if gate.verdict in (Verdict.WARN, Verdict.STOP)]
    if not loud:
        return pair("quality", f"{format_count(len(report.gates), 'gate')}, none objects")
    text = [
        f"{gate.verdict} {humanise(gate.name)}: {single_line(gate.figure)} (limit {single_line(gate.limit)})"
        for gate in loud
    ]
    return pair("quality", "\n".join(text), "warn")


def _ruling(ruling: RiskDecision) -> Pairs:
    verdict = f"accepted, {format_count(ruling.quantity, 'contract')}" if ruling.is_accepted else "refused"
    items = [pair("verdict", verdict, "good" if ruling.is_accepted else "bad")]
    items += [_finding(finding) for finding in ruling.findings]
    size = ruling.sizing
    if size is not None:
        bounds = ", ".join(f"{humanise(name)} {bound}" for name, bound in size.bounds.items())
        items.append(pair("size allowed by", f"{bounds}; {humanise(size.binding)} binds"))
        if size.halved:
            items.append(pair("halved", "the budget was halved before dividing", "warn"))
        swing = (
            f"one-sigma day costs {format_dollars(size.swing_loss)} a contract, budget "
            f"{format_dollars(size.swing_budget)}"
        )
        items.append(pair("daily swing", swing))
        if size.account_needed is not None:
            items.append(pair("account needed", f"{format_dollars(size.account_needed)} for one contract"))
    return Pairs(name="check", title="Checks", items=tuple(items))


def _finding(finding: Finding) -> tuple[str, str, str]:
    figures = (
        f" ({single_line(finding.figure)}, limit {single_line(finding.limit)})"
        if finding.figure or finding.limit
        else ""
    )
    label = "refused by" if finding.blocks else "note"
    return pair(
        label, f"{humanise(finding.rule)}: {single_line(finding.message)}{figures}", "bad" if finding.blocks else ""
    )
