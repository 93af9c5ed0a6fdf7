"""The screens of `approve`: one to decide from, and one key away the menu, the reasons, the risk and the order."""

from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.proposals import Finding
from spy32.domain.spreads import Candidate, Mode
from spy32.lifecycle import ProposalState
from spy32.render.explain import BANNERS, market_badge
from spy32.render.explain_answer import answer_parts
from spy32.render.figures import (
    Around,
    Item,
    account_share,
    closing_facts,
    days_left,
    opening_facts,
    sorted_menu,
    spread_words,
    surrounding_items,
    trade_sentence,
)
from spy32.render.formatting import (
    format_age,
    format_count,
    format_credit,
    format_dollars,
    format_float_price,
    format_gain,
    format_legs,
    format_percent,
    format_price,
    humanise,
    mask_account,
    signed_delta,
    single_line,
)
from spy32.render.menu_pages import candidate_grid
from spy32.render.order_parts import exit_pairs, order_pairs
from spy32.render.page import Column, Grid, Page, Pairs, Part, Prose, pair
from spy32.sessions import NEW_YORK, market_date

if TYPE_CHECKING:
    from spy32.domain.proposals import Proposal, ProposalTerms
    from spy32.domain.run_view import RunView
    from spy32.trading.review import Review

HANDFUL = 5
"""Candidates on the first screen."""
WARNINGS = 2
"""Warnings on the first screen; the rest is one key away."""
LINE = 68
"""Characters beside a label on 80 columns."""

COLUMNS = (
    Column(name=" #", right=True),
    Column(name="spread"),
    Column(name="credit", rank=1, right=True),
    Column(name="of width", rank=6, right=True),
    Column(name="max loss", rank=2, right=True),
    Column(name="POP", rank=4, right=True),
    Column(name="delta", rank=3, right=True),
    Column(name="breakeven", rank=7, right=True),
    Column(name="who", rank=5),
)
"""The rank says which goes first when the screen is narrow; no cell is ever cut."""


def decision_page(shown: "Review", *, rows: int = HANDFUL, compact: bool = False) -> Page:
    """Everything that decides, on 24 lines of 80 columns."""
    result = shown.proposal
    parts: list[Part] = []
    entries = sorted_menu(shown.menu.candidates)
    if entries and (result is None or result.kind == "open"):
        parts += [handful(shown, entries, rows), *([] if compact else [Prose(title="", text="")])]
    if result is not None:
        parts += _facts(shown, result)
    parts.append(Pairs(items=warnings(shown)))
    return Page(
        banner=banner(shown),
        alarm=shown.run.mode is Mode.LIVE,
        heading=_heading(shown),
        tone="strong",
        parts=tuple(parts),
    )


def banner(shown: "Review") -> tuple[str, str]:
    """Whose money and which market, and what is decided on."""
    text = [BANNERS[shown.run.mode], f"acct {mask_account(shown.account.number)}", *market_badge(shown.market)]
    if shown.stale_reason is not None and not shown.market.is_recorded:
        text.append("STORED QUOTES")
    return " · ".join(text), f"{shown.name} draft" if shown.draft is not None else shown.name


def _heading(shown: "Review") -> str:
    result = shown.proposal
    if result is None:
        return f"{shown.name}: nothing was proposed; a candidate may be chosen here"
    return f"{trade_sentence(result)} · {days_left(result, market_date(shown.at))}"


def around(shown: "Review") -> Around:
    """What the proposal is held against now."""
    return Around(
        market=shown.market,
        briefing=shown.view.briefing,
        spot=shown.current_quote.spot if shown.current_quote is not None else shown.market.spot,
        net_liquidation=shown.account.net_liquidation,
        open_trades=shown.exposure.open_trades,
        open_risk=shown.exposure.open_risk,
        open_limit=shown.open_limit,
    )


def _facts(shown: "Review", result: "ProposalTerms") -> list[Part]:
    where = around(shown)
    is_open = result.kind == "open"
    first = opening_facts(result, shown.candidate, where) if is_open else closing_facts(result, shown.trade, where)
    items = [*surrounding_items(result, where), pair("Since run", change_words(shown))]
    return [first, Pairs(items=tuple(items))]


def change_words(shown: "Review") -> str:
    """What the market did since the run, or why that cannot be said, in one line."""
    then, now = shown.run_quote, shown.current_quote
    if now is None or then is None:
        return single_line(shown.stale_reason or "the run has no quotes of these legs to compare with")
    if shown.stale_reason is not None:
        return single_line(shown.stale_reason)
    moved = now.spot / then.spot - 1 if then.spot else 0.0
    return (
        f"{shown.market.underlying} {moved:+.2%} to {format_float_price(now.spot)} · mid "
        f"{format_price(then.mid)} to {format_price(now.mid)} "
        f"· quotes {format_age(shown.at - now.as_of)} old"
    )


def warnings(shown: "Review") -> tuple[Item, ...]:
    """Refusals first, then what must be looked at, a line each; what is left out is one key away, and counted."""
    told = [pair("Refused", single_line(item.message), "bad") for item in shown.findings if item.blocks]
    told += [pair("Note", single_line(item.message), "warn") for item in shown.findings if not item.blocks]
    word = shown.view.recommendation
    if word is not None:
        told += [pair("Vetoed", single_line(veto), "bad") for veto in word.vetoes]
        told += [pair("Look at", single_line(mark), "warn") for mark in word.marks]
    left = len(told) - WARNINGS
    more = f" (and {left} more: w)" if left > 0 else ""
    kept = told[:WARNINGS]
    return tuple(
        (label, _one_line(text, more if place == len(kept) - 1 else ""), tone)
        for place, (label, text, tone) in enumerate(kept)
    )


def _one_line(text: str, more: str) -> str:
    room = LINE - len(more)
    return f"{text if len(text) <= room else text[: room - 8].rpartition(' ')[0] + ' ... (w)'}{more}"


# The menu.


def handful(shown: "Review", entries: Sequence[Candidate], rows: int) -> Grid:
    """The selected row with its neighbours, the choice and the fixed rule's pick; numbered as in the whole menu."""
    selected, chosen, rule = _selected_id(shown), _chosen_id(shown), _rule_id(shown)
    at = next((place for place, entry in enumerate(entries) if entry.id == selected), 0)
    wanted = {place for place, entry in enumerate(entries) if entry.id in (selected, chosen, rule)}
    for place in sorted(range(len(entries)), key=lambda place: abs(place - at)):
        if len(wanted) >= rows:
            break
        wanted.add(place)
    places = sorted(wanted)
    return Grid(
        name="candidate",
        title="",
        columns=COLUMNS,
        rows=tuple(_row(place + 1, entries[place], _who(entries[place], chosen, rule)) for place in places),
        marked=next((row for row, place in enumerate(places) if entries[place].id == selected), None),
        framed=False,
    )


def _row(number: int, entry: Candidate, who: str) -> tuple[str, ...]:
    return (
        f"{number:2d}",
        spread_words(entry),
        format_price(entry.start),
        format_percent(float(entry.start / entry.spread.width)),
        format_dollars(entry.max_loss),
        format_percent(entry.pop_market),
        signed_delta(entry),
        " ".join(format_price(point) for point in entry.breakevens),
        who,
    )


def _who(entry: Candidate, chosen: str | None, rule: str | None) -> str:
    return ", ".join(word for word, marked in (("chosen", chosen), ("rule", rule)) if entry.id == marked)


def _selected_id(shown: "Review") -> str | None:
    return shown.proposal.candidate_id if shown.proposal is not None else None


def _chosen_id(shown: "Review") -> str | None:
    word = shown.view.recommendation
    return word.candidate_id if word is not None else None


def _rule_id(shown: "Review") -> str | None:
    return shown.rule_pick.candidate_id if shown.rule_pick is not None else None


def menu_page(shown: "Review") -> Page:
    """Every candidate with every column; the selected one is marked."""
    entries = sorted_menu(shown.menu.candidates)
    grid = candidate_grid(entries, _selected_id(shown), lambda entry: _who(entry, _chosen_id(shown), _rule_id(shown)))
    text = "Max loss, EV and costs are dollars a contract. A number or the arrows select."
    return _page(shown, "menu", [grid, Prose(title="", text=text, tone="dim")])


# One key away.


def why_page(shown: "Review") -> Page:
    """Who chose, the reasons and the evidence, what others would have taken, and what today's checks say."""
    parts: list[Part] = []
    if shown.proposal is not None:
        parts.append(
            Pairs(name="choice", title="The choice", items=(pair("chosen by", _chooser(shown, shown.proposal)),))
        )
    parts += answer_parts(shown.view)
    parts += _checks(shown.findings)
    return _page(shown, "why", parts)


def _chooser(shown: "Review", result: "ProposalTerms") -> str:
    entry = f": {spread_words(shown.candidate)}" if shown.candidate is not None else ""
    if result.chosen_by != "person":
        return f"{single_line(result.chosen_by)}{entry}"
    word = shown.view.recommendation
    message = shown.menu.find(word.candidate_id) if word is not None else None
    return f"a person{entry}, {f'instead of {spread_words(message)}' if message is not None else 'over an abstention'}"


def _checks(findings: Sequence[Finding]) -> list[Part]:
    if not findings:
        return []
    items = tuple(
        pair(
            "refused by" if finding.blocks else "note",
            f"{humanise(finding.rule)}: {single_line(finding.message)}",
            "bad" if finding.blocks else "warn",
        )
        for finding in sorted(findings, key=lambda finding: not finding.blocks)
    )
    return [Pairs(name="check", title="Checks now", items=items)]


def risk_page(shown: "Review") -> Page:
    """What a move brings at expiration, and the book before and after."""
    result = shown.proposal
    parts: list[Part] = []
    if result is not None and result.kind == "open":
        parts += _at_expiration(shown, result)
    if result is not None:
        parts.append(_book(shown, result))
    return _page(shown, "risk", parts)


def _at_expiration(shown: "Review", result: "ProposalTerms") -> list[Part]:
    rows = tuple(
        (
            "unmoved" if each.percent == 0 else f"{each.percent:+d}%",
            format_price(each.price),
            format_gain(each.profit),
            account_share(-each.profit, around(shown)) if each.profit < 0 else "",
        )
        for each in shown.scenarios
    )
    columns = (
        Column(name="move"),
        Column(name=f"{result.underlying} at", right=True),
        Column(name="result", right=True),
        Column(name="loss of account", right=True),
    )
    title = f"At expiration, {format_count(result.quantity, 'contract')} at our price, after costs to open"
    return [Grid(name="at", title=title, columns=columns, rows=rows)]


def _book(shown: "Review", result: "ProposalTerms") -> Grid:
    """Open risk, trades and buying power without this trade and with it."""
    more = result.max_loss if result.kind == "open" else Decimal(0)
    risk, account = shown.exposure.open_risk, shown.account
    trades, where = shown.exposure.open_trades, around(shown)
    rows = (
        ("open trades", str(trades), str(trades + (result.kind == "open")), ""),
        ("open risk", format_dollars(risk), format_dollars(risk + more), format_dollars(shown.open_limit)),
        (
            "of account",
            account_share(risk, where),
            account_share(risk + more, where),
            account_share(shown.open_limit, where),
        ),
        ("buying power", format_dollars(account.buying_power), format_dollars(account.buying_power - more), ""),
    )
    columns = tuple(Column(name=name, right=name != "book") for name in ("book", "before", "after", "limit"))
    return Grid(name="book", title="The book, at worst", columns=columns, rows=rows)


def order_page(shown: "Review", here: tzinfo | None = None) -> Page:
    """The order, its price plan and the exit plan, in full."""
    result = shown.proposal
    if result is None:
        return _page(shown, "order and exits", [])
    allowed = shown.max_quantity
    size = (
        [pair("quantity", f"the limits allow up to {allowed}")] if allowed is not None and result.kind == "open" else []
    )
    quotes = (
        []
        if shown.current_quote is None
        else [
            pair(
                "quotes",
                f"natural {format_credit(shown.current_quote.natural)}, mid {format_credit(shown.current_quote.mid)}",
            )
        ]
    )
    parts: list[Part] = [
        exit_pairs(result.exit),
        order_pairs(result, here, more=(*size, *quotes)),
    ]
    return _page(shown, "order and exits", parts)


def _page(shown: "Review", what: str, parts: Sequence[Part]) -> Page:
    left, right = banner(shown)
    heading = f"{trade_sentence(shown.proposal)}: {what}" if shown.proposal is not None else f"{shown.name}: {what}"
    return Page(
        banner=(left, right), alarm=shown.run.mode is Mode.LIVE, heading=heading, tone="strong", parts=tuple(parts)
    )


# The last question, and afterwards.


def approval_words(shown: "Review") -> str:
    """The trade in full, for the question that approves it."""
    result = shown.proposal
    assert result is not None
    if result.kind == "open":
        band = f"{format_credit(result.limit_price)} down to {format_price(result.floor_price)}"
    else:
        band = f"{format_credit(result.limit_price)} up to {format_price(abs(result.floor_price))}"
    verb = trade_sentence(result).partition(" @ ")[0]
    return f"{verb}, expiring {result.expiration}, {band}, max loss {format_dollars(result.max_loss)}"


def drop_words(shown: "Review") -> str:
    """What a person loses with a draft, so that it can be made again; empty without one."""
    if shown.draft is None or shown.is_preview:
        return ""
    result = shown.draft.proposal
    spread = f"{'put' if result.legs[0].right.value == 'P' else 'call'} {format_legs(result.legs)}"
    return (
        f"; your draft is dropped ({spread}, {format_count(result.quantity, 'contract')}, floor {result.floor_price})"
    )


def decided_lines(view: "RunView", result: "Proposal") -> tuple[str, ...]:
    """How the proposal stands, until when, and what to type next."""
    simulated = f" [{result.mode}{', recorded' if result.is_recorded else ''}]"
    approval = view.approval
    if result.state is not ProposalState.APPROVED or approval is None:
        return (f"P{result.id} is {result.state}{simulated}",)
    live = " --live" if result.mode is Mode.LIVE else ""
    until = approval.until.astimezone(NEW_YORK)
    return (
        f"P{result.id} approved by {single_line(approval.by)}, hash {result.hash[:8]}, until {until:%H:%M} "
        f"New York{simulated}",
        f"  {trade_sentence(result)}; max loss {format_dollars(result.max_loss)}",
        f"next: spy32 execute P{result.id}{live}",
    )
