"""The page of one run: what came of it and why, what was proposed, what was sent, and what to type next."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from spy32.domain.acting import Order, Trade
from spy32.domain.deciding import Approval, ExitPlan, Finding, Proposal, Ruling
from spy32.domain.market import QualityReport, Verdict
from spy32.domain.running import Run
from spy32.domain.trading import Candidate, Leg
from spy32.domain.views import MarketLine, RunView
from spy32.render.explain import PROPOSALS, badges_of, is_over, next_of, outcome_of, sentence_of, tone_of
from spy32.render.explain_answer import answer_parts
from spy32.render.explain_grounds import ground_parts
from spy32.render.page import Column, Grid, Page, Pairs, Part, Picture, pair
from spy32.render.words import (
    assignment_in_words,
    both_zones,
    clean,
    count,
    credit,
    dollars,
    flat,
    gain,
    human,
    legs_of,
    masked,
    milliseconds,
    percent,
    price,
    price_of,
    strike,
)


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
    following = next_of(view, now=now)
    following += tuple(f"spy32 show P{made.id} (another proposal: {PROPOSALS[made.state]})" for made in also)
    return Page(
        heading=f"R{view.run.id}: {outcome_of(view.run)}",
        tone=tone_of(view.run.outcome),
        badges=badges_of(view),
        parts=tuple(parts),
        following=following,
    )


def _grounds(view: RunView, here: tzinfo | None) -> list[Part]:
    """What the decision rested on."""
    parts: list[Part] = []
    parts += answer_parts(view)
    if view.ruling is not None:
        parts.append(_ruling(view.ruling))
    parts += ground_parts(view)
    if view.market is not None:
        parts.append(_market(view.market, view.quality, here))
    if view.menu is not None and view.menu.notes:
        parts.append(
            Pairs(name="menu", title="Menu", items=tuple(pair("note", flat(note)) for note in view.menu.notes))
        )
    if view.run.steps:
        parts.append(_steps(view.run))
    return parts


def _run(run: Run, here: tzinfo | None) -> Pairs:
    items = [pair("outcome", outcome_of(run), tone_of(run.outcome)), pair("meaning", sentence_of(run))]
    items += [pair("reason", clean(reason)) for reason in run.reasons]
    started = both_zones(run.started_at, here) + (", LATE" if run.late else "")
    items.append(pair("started", started, "warn" if run.late else ""))
    slot = f", for the slot of {run.slot}" if run.slot is not None else ""
    items.append(pair("trigger", f"{run.trigger}{slot}, profile {flat(run.profile)}"))
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
    rows = tuple((step.name, step.state.value, milliseconds(step.ms), flat(step.detail)) for step in run.steps)
    return Grid(name="step", title="Steps", columns=columns, rows=rows)


# The proposal.


def _proposal_parts(view: RunView, made: Proposal, *, now: datetime, here: tzinfo | None) -> list[Part]:
    entry = view.menu.find(made.candidate_id) if view.menu is not None else None
    parts: list[Part] = [proposal_pairs(made, entry, now=now, here=here), legs_grid(made.legs, made.quantity)]
    if made.kind == "open":
        parts.append(Picture(made=made, market=view.market))
    return parts


def proposal_pairs(made: Proposal, entry: Candidate | None, *, now: datetime, here: tzinfo | None = None) -> Pairs:
    """The figures on which a person decides. `entry` adds the chances that were computed for the menu."""
    state = f"{made.state}: {PROPOSALS[made.state]}"
    if is_over(made, now):
        state = f"{made.state}, but its session is over"
    items = [
        pair("id", f"P{made.id}"),
        pair("state", state, "strong"),
        pair("trade", f"{made.kind} {made.underlying} {legs_of(made.legs)} {human(made.strategy)}"),
        pair("expiration", f"{made.expiration}"),
        pair("quantity", count(made.quantity, "contract"), "strong"),
        pair("limit price", credit(made.limit_price), "strong"),
        pair("floor price" if made.kind == "open" else "ceiling price", credit(made.floor_price)),
        pair("max loss", f"{dollars(made.max_loss)} (at the {'floor' if made.kind == 'open' else 'ceiling'})", "bad"),
        pair("max profit", f"{dollars(made.max_profit)} (at the limit)", "good"),
        pair("breakeven", " and ".join(price(point) for point in made.breakevens) or "none"),
    ]
    if entry is not None and made.kind == "open":
        items += _chances(entry)
    items += [
        pair("price plan", _working(made)),
        pair("exit plan", _leaving(made.exit)),
        pair("if assigned", assignment_in_words(made)),
        pair("account", f"{masked(made.account)}, {made.mode}"),
        pair("chosen by", f"{flat(made.chosen_by)} from quotes of {both_zones(made.quoted_at, here)}"),
        pair("lapses", both_zones(made.lapses_at, here)),
        pair("confirm with", f"{made.hash[:8]} (the hash's first 8 digits)"),
    ]
    return Pairs(name="proposal", title=f"Proposal P{made.id}", items=tuple(items))


def _chances(entry: Candidate) -> list[tuple[str, str, str]]:
    history = "" if entry.pop_history is None else f", {percent(entry.pop_history)} by history"
    items = [pair("profit chance", f"{percent(entry.pop_market)} by the market{history}")]
    ev = entry.ev
    told = (
        ("EV market expiry", ev.market_expiry),
        ("EV market plan", ev.market_plan),
        ("EV history expiry", ev.history_expiry),
        ("EV history plan", ev.history_plan),
    )
    items += [pair(label, f"{gain(value)} a contract") for label, value in told if value is not None]
    items.append(pair("costs to open", f"{dollars(entry.costs)} a contract"))
    return items


def _working(made: Proposal) -> str:
    plan = made.plan
    steps = len(plan.prices) - 1
    return (
        f"start {price(abs(plan.start))}, {count(steps, 'step')} of {price(plan.tick)} every {plan.step_seconds} s "
        f"to {price(abs(plan.limit))}, never beyond; cancelled after {plan.deadline_seconds} s"
    )


def _leaving(plan: ExitPlan) -> str:
    timed = f"time exit {plan.time_exit}" if plan.time_exit is not None else "no time exit"
    return (
        f"take profit at {price(plan.profit_target)} debit; {timed}; out by {plan.last_exit}; "
        f"alert at {price(plan.stop)} debit. {flat(plan.note)}".rstrip()
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
            strike(leg.strike),
            f"{leg.expiration}",
            leg.symbol,
        )
        for leg in legs
    )
    return Grid(name="leg", title="Legs", columns=columns, rows=rows)


# What became of it.


def _approval(yes: Approval, here: tzinfo | None) -> Pairs:
    items = [
        pair("by", f"{flat(yes.by)}, {both_zones(yes.at, here)}"),
        pair("until", both_zones(yes.until, here)),
        pair("quotes", f"spot {price_of(yes.spot)}, mid {price(yes.mid)}, natural {price(yes.natural)}"),
    ]
    if yes.note:
        items.append(pair("note", flat(yes.note)))
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
            credit(order.limit),
            f"{order.filled} of {order.quantity}",
            flat(order.broker_id or ""),
            flat(order.reference),
            flat(order.reason or order.broker_status),
        )
        for order in orders
    )
    return Grid(name="order", title="Orders", columns=columns, rows=rows)


def _trade(trade: Trade, here: tzinfo | None) -> Pairs:
    items = [
        pair("id", f"T{trade.id}"),
        pair("state", trade.state.value, "strong"),
        pair("position", f"{trade.quantity} x {legs_of(trade.legs)}"),
        pair("opened", f"{both_zones(trade.opened_at, here)} for {credit(trade.credit)}"),
        pair("fees", dollars(trade.fees)),
        pair("max loss", dollars(trade.max_loss)),
    ]
    if trade.exits is not None:
        items.append(pair("exit plan", f"{_leaving(trade.exits)} (opened below its floor)", "warn"))
    if trade.closed_at is not None:
        price_paid = f" for {price(trade.debit)} debit" if trade.debit is not None else ""
        items.append(pair("closed", both_zones(trade.closed_at, here) + price_paid))
    if trade.result is not None:
        word = "loss" if trade.result < 0 else "profit"
        items.append(
            pair("result", f"{gain(trade.result)} ({word}, after fees)", "bad" if trade.result < 0 else "good")
        )
    if trade.assumption:
        items.append(pair("simulated", flat(trade.assumption), "warn"))
    return Pairs(name="trade", title=f"Trade T{trade.id}", items=tuple(items))


# What it rested on.


def _market(line: MarketLine, quality: QualityReport | None, here: tzinfo | None) -> Pairs:
    items = [
        pair("underlying", f"{line.underlying} {price_of(line.spot)}"),
        pair("as of", f"{both_zones(line.as_of, here)}, from {flat(line.source)}"),
        pair("expiration", f"{line.expiration}, {count(line.dte, 'day')}"),
    ]
    if line.atm_iv is not None:
        items.append(pair("at-the-money IV", percent(line.atm_iv)))
    if line.expected_move is not None:
        items.append(pair("expected move", f"±{price_of(round(line.expected_move, 2))} to expiration (one sigma)"))
    items.append(pair("VIX", "missing" if line.vix is None else f"{line.vix:.2f}"))
    if quality is not None:
        items.append(_quality_line(quality))
    return Pairs(name="market", title="Market", items=tuple(items))


def _quality_line(report: QualityReport) -> tuple[str, str, str]:
    loud = [gate for gate in report.gates if gate.verdict in (Verdict.WARN, Verdict.STOP)]
    if not loud:
        return pair("quality", f"{count(len(report.gates), 'gate')}, none objects")
    told = [f"{gate.verdict} {human(gate.name)}: {flat(gate.figure)} (limit {flat(gate.limit)})" for gate in loud]
    return pair("quality", "\n".join(told), "warn")


def _ruling(ruling: Ruling) -> Pairs:
    verdict = f"accepted, {count(ruling.quantity, 'contract')}" if ruling.accepted else "refused"
    items = [pair("verdict", verdict, "good" if ruling.accepted else "bad")]
    items += [_finding(finding) for finding in ruling.findings]
    size = ruling.sizing
    if size is not None:
        bounds = ", ".join(f"{human(name)} {bound}" for name, bound in size.bounds.items())
        items.append(pair("size allowed by", f"{bounds}; {human(size.binding)} binds"))
        if size.halved:
            items.append(pair("halved", "the budget was halved before dividing", "warn"))
        swing = f"one-sigma day costs {dollars(size.swing_loss)} a contract, budget {dollars(size.swing_budget)}"
        items.append(pair("daily swing", swing))
        if size.account_needed is not None:
            items.append(pair("account needed", f"{dollars(size.account_needed)} for one contract"))
    return Pairs(name="check", title="Checks", items=tuple(items))


def _finding(finding: Finding) -> tuple[str, str, str]:
    figures = f" ({flat(finding.figure)}, limit {flat(finding.limit)})" if finding.figure or finding.limit else ""
    label = "refused by" if finding.blocks else "note"
    return pair(label, f"{human(finding.rule)}: {flat(finding.message)}{figures}", "bad" if finding.blocks else "")
