"""The screens of `approve`: one to decide from, and one key away the menu, the reasons, the risk and the order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spy32.domain.proposals import ProposalKind
from spy32.domain.spreads import Candidate, ExitAuthority, Mode
from spy32.lifecycle import ProposalState
from spy32.render.candidates import SIDES, candidate_grid, sorted_menu, spread_words
from spy32.render.closing_review import closing_items, exit_parts
from spy32.render.explain import BANNERS, approver, market_badge
from spy32.render.explain_answer import answer_parts, finding_item
from spy32.render.figures import (
    Surroundings,
    account_share,
    bound_word,
    breakeven_words,
    closing_facts,
    closing_result_words,
    days_left,
    legs_words,
    opening_facts,
    plan_items,
    settlement_fee_words,
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
    format_price,
    mask_account,
    single_line,
)
from spy32.render.menu_pages import menu_note, whole_menu_grid
from spy32.render.order_parts import exit_pairs, order_pairs
from spy32.render.outlook import has_plan, number_items
from spy32.render.page import Grid, Item, Page, Pairs, Part, Prose, grid_columns, pair
from spy32.sessions import NEW_YORK, market_date

if TYPE_CHECKING:
    from spy32.domain.proposals import Proposal, ProposalTerms
    from spy32.domain.run_view import RunView
    from spy32.trading.review import Review

HANDFUL = 5
"""Candidates on the first screen."""
WARNINGS = 2
"""Warnings on the first screen; the rest is one key away."""
DECISIVE = frozenset({"Credit", "Debit", "Max profit", "Max loss", "Breakeven", "With exits", "By options"})
"""Figures of the trade that stay on the first of several screens."""
LINE = 68
"""Characters beside a label on 80 columns."""

COLUMNS = grid_columns(
    " #>", "spread", "price>1", "loss each>2", "win, exits>3", "EV each>4", "delta>6", "of width>7",
    "breakeven>8", "who:5",
)  # fmt: skip
MARKET_COLUMNS = grid_columns(
    " #>", "spread", "price>1", "of width>6", "loss each>2", "win, options>4", "delta>3", "breakeven>7", "who:5"
)
"""Without a history. The rank says which goes first when the screen is narrow; no cell is ever cut."""


def decision_page(review: "Review", *, rows: int = HANDFUL, compact: bool = False, scrolls: bool = False) -> Page:
    """Everything that decides, on 24 lines of 80 columns; where it `scrolls`, the exit and the warnings go first."""
    result = review.proposal
    parts: list[Part] = []
    entries = sorted_menu(review.menu.candidates)
    if entries and (result is None or result.kind is ProposalKind.OPEN):
        parts += [nearby_rows(review, entries, rows), *([] if compact else [Prose(title="", text="")])]
    alerts = Pairs(items=warnings(review))
    parts += [alerts] if result is None else _facts(review, result, alerts, scrolls=scrolls)
    return Page(
        banner=banner(review),
        alarm=review.run.mode is Mode.LIVE,
        heading=_heading(review),
        tone="strong",
        parts=tuple(parts),
    )


def banner(review: "Review") -> tuple[str, str]:
    """Mode, account and market on the left; what is decided on, on the right."""
    market, quote, is_close = review.market, review.current_quote, review.trade is not None
    if is_close and quote is not None:
        market = replace(market, as_of=quote.as_of)
    text = [BANNERS[review.run.mode], f"acct {mask_account(review.account.number)}", *market_badge(market)]
    if review.stale_reason is not None and not review.market.is_recorded:
        text.append("STORED QUOTES")
    return " · ".join(text), f"{review.name} draft" if review.draft is not None else review.name


def _heading(review: "Review") -> str:
    result = review.proposal
    if result is None:
        return f"{review.name}: nothing was proposed; a candidate may be chosen here"
    return f"{trade_sentence(result)} · {days_left(result, market_date(review.at))}"


def review_surroundings(review: "Review") -> Surroundings:
    """The surroundings now: current quotes, account and open trades."""
    return Surroundings(
        market=review.market,
        briefing=review.view.briefing,
        now=review.market.as_of if review.market.is_recorded else review.at,
        spot=review.current_quote.spot if review.current_quote is not None else review.market.spot,
        net_liquidation=review.account.net_liquidation,
        open_trades=review.exposure.open_trades,
        open_risk=review.exposure.open_risk,
        open_limit=review.open_limit,
    )


def _facts(review: "Review", result: "ProposalTerms", alerts: Pairs, *, scrolls: bool) -> list[Part]:
    where = review_surroundings(review)
    is_open = result.kind is ProposalKind.OPEN
    if not is_open:
        return [closing_facts(result, review.trade), Pairs(items=tuple(closing_items(review, result))), alerts]
    first = opening_facts(result, review.candidate, where)
    exits = plan_items(result, review.candidate)
    around = surrounding_items(result, where, review.candidate)[: -len(exits)]
    change = pair("Since run", change_words(review))
    if not scrolls:
        return [first, Pairs(items=(*around, *exits, change)), alerts]
    decisive = [item for item in first.items if item[0] in DECISIVE]
    others = [item for item in first.items if item[0] not in DECISIVE]
    return [first._replace(items=(*decisive, *exits)), alerts, Pairs(items=(*others, *around, change))]


def change_words(review: "Review") -> str:
    """How the market has moved since the run, or why that is not known, in one line."""
    then, now = review.run_quote, review.current_quote
    if now is None or then is None:
        return single_line(review.stale_reason or "the run has no quotes of these legs to compare with")
    if review.stale_reason is not None:
        return single_line(review.stale_reason)
    moved = now.spot / then.spot - 1 if then.spot else 0.0
    return (
        f"{review.market.underlying} {moved:+.2%} to {format_float_price(now.spot)} · mid "
        f"{format_price(then.mid)} to {format_price(now.mid)} · quotes {format_age(review.at - now.as_of)} old"
    )


def warnings(review: "Review") -> tuple[Item, ...]:
    """Refusals first, then what must be looked at, a line each; what is left out is one key away, and counted."""
    messages = [pair("Refused", single_line(item.message), "bad") for item in review.findings if item.blocks]
    messages += [pair("Note", single_line(item.message), "warn") for item in review.findings if not item.blocks]
    answer = review.view.recommendation
    if answer is not None:
        messages += [pair("Vetoed", single_line(veto), "bad") for veto in answer.vetoes]
        messages += [pair("Look at", single_line(mark), "warn") for mark in answer.marks]
    left = len(messages) - WARNINGS
    more = f" (and {left} more: w)" if left > 0 else ""
    kept = messages[:WARNINGS]
    return tuple(
        (label, _one_line(text, more if place == len(kept) - 1 else ""), tone)
        for place, (label, text, tone) in enumerate(kept)
    )


def _one_line(text: str, more: str) -> str:
    width = LINE - len(more)
    return f"{text if len(text) <= width else text[: width - 8].rpartition(' ')[0] + ' ... (w)'}{more}"


# The menu.


def nearby_rows(review: "Review", entries: Sequence[Candidate], rows: int) -> Grid:
    """The selected row with its neighbours, the choice and the fixed rule's pick; numbered as in the whole menu."""
    selected, chosen, rule = _selected_id(review), _chosen_id(review), _rule_id(review)
    at = next((place for place, entry in enumerate(entries) if entry.id == selected), 0)
    wanted = {place for place, entry in enumerate(entries) if entry.id in (selected, chosen, rule)}
    nearest = sorted(set(range(len(entries))) - wanted, key=lambda place: (abs(place - at), place))
    places = sorted({*wanted, *nearest[: max(rows - len(wanted), 0)]})
    columns = COLUMNS if any(map(has_plan, entries)) else MARKET_COLUMNS
    return candidate_grid(
        entries, columns, places, marked=selected, own={"who": lambda entry: _who(entry, chosen, rule)}, is_small=True
    )


def _who(entry: Candidate, chosen: str | None, rule: str | None) -> str:
    return ", ".join(name for name, marked in (("chosen", chosen), ("rule", rule)) if entry.id == marked)


def _selected_id(review: "Review") -> str | None:
    return review.proposal.candidate_id if review.proposal is not None else None


def _chosen_id(review: "Review") -> str | None:
    answer = review.view.recommendation
    return answer.candidate_id if answer is not None else None


def _rule_id(review: "Review") -> str | None:
    return review.rule_pick.candidate_id if review.rule_pick is not None else None


def menu_page(review: "Review") -> Page:
    """Every candidate with every column; the selected one is marked."""
    entries = sorted_menu(review.menu.candidates)
    chosen, rule = _chosen_id(review), _rule_id(review)
    grid = whole_menu_grid(entries, _selected_id(review), {"who": lambda entry: _who(entry, chosen, rule)})
    text = f"{menu_note(entries)} A number or the arrows select."
    return _page(review, "menu", [grid, Prose(title="", text=text, tone="dim")])


# One key away.


def why_page(review: "Review") -> Page:
    """Who chose, the reasons and the evidence, what others would have taken, and what today's checks say."""
    parts: list[Part] = []
    if review.managed is not None:
        parts += exit_parts(review.managed)
    elif review.proposal is not None:
        parts.append(
            Pairs(name="choice", title="The choice", items=(pair("chosen by", _chooser(review, review.proposal)),))
        )
    parts += answer_parts(review.view) if review.managed is None else []
    if review.findings:
        refusals_first = sorted(review.findings, key=lambda finding: not finding.blocks)
        items = tuple(finding_item(finding) for finding in refusals_first)
        parts.append(Pairs(name="check", title="Checks now", items=items))
    return _page(review, "why", parts)


def _chooser(review: "Review", result: "ProposalTerms") -> str:
    entry = f": {spread_words(review.candidate)}" if review.candidate is not None else ""
    if result.chosen_by != "person":
        return f"{single_line(result.chosen_by)}{entry}"
    answer = review.view.recommendation
    replaced = review.menu.find(answer.candidate_id) if answer is not None else None
    reason = f"instead of {spread_words(replaced)}" if replaced is not None else "over an abstention"
    return f"a person{entry}, {reason}"


def risk_page(review: "Review") -> Page:
    """Profit and loss at expiration after a move, and the book before and after."""
    result = review.proposal
    parts: list[Part] = []
    if result is not None:
        items = [pair("spread", legs_words(result.legs, result.quantity))]
        if result.kind is ProposalKind.OPEN:
            items.append(pair("breakeven", breakeven_words(result, review_surroundings(review))))
            items.append(pair("on top", f"of the max loss {settlement_fee_words(result.legs)}, at expiration"))
        parts.append(Pairs(name="risk", items=tuple(items)))
        parts += [_scenario_grid(review, result)] if result.kind is ProposalKind.OPEN else []
        parts.append(_book(review))
        if result.kind is ProposalKind.OPEN and review.candidate is not None:
            parts.append(
                Pairs(
                    name="number",
                    title="The odds and what it is worth, one contract",
                    items=number_items(review.candidate),
                )
            )
    return _page(review, "risk", parts)


def _scenario_grid(review: "Review", result: "ProposalTerms") -> Grid:
    rows = tuple(
        (
            "unmoved" if each.percent == 0 else f"{each.percent:+d}%",
            format_price(each.price),
            format_gain(each.profit),
            account_share(-each.profit, review_surroundings(review)) if each.profit < 0 else "",
        )
        for each in review.scenarios
    )
    columns = grid_columns("move", f"{result.underlying} at>", "result>", "loss of account>")
    price, last = format_price(abs(result.limit_price)), format_price(abs(result.floor_price))
    title = f"At expiration after costs: profit at our price {price}, loss at the {bound_word(result)} {last}"
    return Grid(name="at", title=title, columns=columns, rows=rows)


def _book(review: "Review") -> Grid:
    """Open risk, trades, buying power, greeks and gaps without this trade and with it."""
    from spy32.render.risk import gap_rows, greek_rows
    from spy32.rules.book_risk import add_position, assess_book

    exposure, account, where, added = (
        review.exposure,
        review.account,
        review_surroundings(review),
        review.added_position,
    )
    limits, rate = review.settings.limits, review.settings.market.rate
    before = assess_book(review.book, exposure, account, limits, rate=rate, now=review.at)
    after = before
    if added is not None:
        later, left = add_position(exposure, account, added)
        after = assess_book((*review.book, added), later, left, limits, rate=rate, now=review.at)
        account = left
    rows = [
        ("open trades", str(exposure.open_trades), str(exposure.open_trades + (added is not None)), ""),
        (
            "open risk", format_dollars(before.max_loss), format_dollars(after.max_loss),
            format_dollars(review.open_limit),
        ),
        (
            "of account",
            account_share(before.max_loss, where),
            account_share(after.max_loss, where),
            account_share(review.open_limit, where),
        ),
        ("buying power", format_dollars(review.account.buying_power), format_dollars(account.buying_power), ""),
        *((*row, "") for row in greek_rows(before, after)),
        *((*row, "") for row in gap_rows(before, after)),
    ]  # fmt: skip
    columns = grid_columns("book", "before>", "after>", "limit>")
    left_out = f"; without {', '.join(after.unmarked)}: no vols" if after.unmarked else ""
    title = f"The book, at worst; greeks and gaps at each leg's own vol, not on the run's smile{left_out}"
    return Grid(name="book", title=title, columns=columns, rows=tuple(rows))


def order_page(review: "Review") -> Page:
    """The order, its price plan and the exit plan, in full."""
    result = review.proposal
    if result is None:
        return _page(review, "order and exits", [])
    items, allowed, quote = [], review.max_quantity, review.current_quote
    if allowed is not None and result.kind is ProposalKind.OPEN:
        items.append(pair("quantity", f"the limits allow up to {allowed}"))
    if quote is not None:
        items.append(pair("quotes", f"natural {format_credit(quote.natural)}, mid {format_credit(quote.mid)}"))
    parts: list[Part] = [exit_pairs(result), order_pairs(result, more=items)]
    return _page(review, "order and exits", parts)


def _page(review: "Review", what: str, parts: Sequence[Part]) -> Page:
    left, right = banner(review)
    heading = f"{trade_sentence(review.proposal)}: {what}" if review.proposal is not None else f"{review.name}: {what}"
    return Page(
        banner=(left, right), alarm=review.run.mode is Mode.LIVE, heading=heading, tone="strong", parts=tuple(parts)
    )


# The last question, and afterwards.


def approval_words(review: "Review") -> str:
    """The trade in full, for the question that approves it."""
    result = review.proposal
    assert result is not None
    way = "down" if result.limit_price > 0 else "up"
    band = f"{format_credit(result.limit_price)} {way} to {format_price(abs(result.floor_price))}"
    verb = trade_sentence(result).partition(" @ ")[0]
    if result.kind is not ProposalKind.OPEN:
        return (
            f"{verb}, expiring {result.expiration}, {band}; result of T{result.trade_id} {closing_result_words(result)}"
        )
    covers = "; its closes too, when due" if result.exit.authority is ExitAuthority.PLAN else ""
    return f"{verb}, expiring {result.expiration}, {band}, max loss {format_dollars(result.max_loss)}{covers}"


def drop_words(review: "Review") -> str:
    """What is lost with a draft, in enough words to make it again; empty without one."""
    if review.draft is None or review.is_preview:
        return ""
    result = review.draft.proposal
    spread = f"{SIDES[result.strategy]} {format_legs(result.legs)}"
    bound = f"{bound_word(result)} {abs(result.floor_price)}"
    return f"; your draft is dropped ({spread}, {format_count(result.quantity, 'contract')}, {bound})"


def decided_lines(view: "RunView", result: "Proposal") -> tuple[str, ...]:
    """How the proposal stands, until when, and what to type next."""
    simulated = f" [{result.mode}{', recorded' if result.is_recorded else ''}]"
    approval = view.approval
    if result.state is not ProposalState.APPROVED or approval is None:
        return (f"P{result.id} is {result.state}{simulated}",)
    live = " --live" if result.mode is Mode.LIVE else ""
    until = approval.until.astimezone(NEW_YORK)
    is_open = result.kind is ProposalKind.OPEN
    outcome = (
        f"max loss {format_dollars(result.max_loss)}"
        if is_open
        else f"result of T{result.trade_id} {closing_result_words(result)}"
    )
    return (
        f"P{result.id} approved{approver(approval.by)}, hash {result.hash[:8]}, until {until:%H:%M} "
        f"New York{simulated}",
        f"  {trade_sentence(result)}; {outcome}",
        f"next: spy32 execute P{result.id}{live}",
    )
