"""The screens of `approve`: one to decide from, and one key away the menu, the reasons, the risk and the order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spy32.domain.proposals import ProposalKind
from spy32.domain.spreads import Candidate, Mode
from spy32.lifecycle import ProposalState
from spy32.render.candidates import candidate_grid, sorted_menu, spread_words
from spy32.render.explain import BANNERS, approver, market_badge, proposal_command
from spy32.render.explain_answer import answer_parts, finding_item
from spy32.render.figures import (
    Surroundings,
    account_share,
    bound_words,
    breakeven_words,
    closing_facts,
    closing_result_words,
    dated_sentence,
    exit_pairs,
    is_covering_exits,
    legs_words,
    opening_facts,
    order_pairs,
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
    format_gain,
    format_legs,
    format_price,
    mask_account,
    shorten,
    single_line,
)
from spy32.render.manage_pages import closing_items, exit_parts
from spy32.render.menu_pages import menu_note, whole_menu_grid
from spy32.render.outlook import has_plan, number_items
from spy32.render.page import Columns, Grid, Item, Page, Pairs, Part, Prose, noun_grid, pairs, read_path
from spy32.sessions import NEW_YORK, market_date

if TYPE_CHECKING:
    from decimal import Decimal

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

COLUMNS = (
    " #>", "spread", "price>1", "loss each>2", "win, exits>3", "EV each>4", "delta>6", "of width>7", "breakeven>8",
    "who:5",
)  # fmt: skip
MARKET_COLUMNS = (
    " #>",
    "spread",
    "price>1",
    "of width>6",
    "loss each>2",
    "win, options>4",
    "delta>3",
    "breakeven>7",
    "who:5",
)
"""Without a history. The rank says which goes first when the screen is narrow; no cell is ever cut."""


def decision_page(review: "Review", *, rows: int = HANDFUL, compact: bool = False, scrolls: bool = False) -> Page:
    """Everything that decides, on 24 lines of 80 columns; where it `scrolls`, the exit and the warnings go first."""
    result = review.proposal
    parts: list[Part] = []
    entries = sorted_menu(review.menu.candidates)
    if entries and (result is None or result.kind is ProposalKind.OPEN):
        parts += [nearby_rows(review, entries, rows), *([] if compact else [Prose("")])]
    alerts = Pairs(warnings(review))
    if result is None:
        heading = f"{review.name}: nothing was proposed; a candidate may be chosen here"
        return _page(review, heading, [*parts, alerts])
    return _page(
        review,
        dated_sentence(result, market_date(review.at)),
        [*parts, *_facts(review, result, alerts, scrolls=scrolls)],
    )


def _banner(review: "Review") -> tuple[str, str]:
    """Mode, account and market on the left; what is decided on, on the right."""
    market, quote = review.market, review.current_quote
    if review.trade is not None and quote is not None:
        market = replace(market, as_of=quote.as_of)
    text = [BANNERS[review.run.mode], f"acct {mask_account(review.account.number)}", *market_badge(market)]
    if review.stale_reason is not None and not review.market.is_recorded:
        text.append("STORED QUOTES")
    return " · ".join(text), f"{review.name}{' draft' if review.draft is not None else ''}"


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
    if result.kind is not ProposalKind.OPEN:
        return [closing_facts(result, review.trade), pairs(closing_items(review, result)), alerts]
    first = opening_facts(result, review.candidate, where)
    exits, around = plan_items(result, review.candidate), surrounding_items(result, where)
    change = ("Since run", change_words(review))
    if not scrolls:
        return [first, pairs((*around, *exits, change)), alerts]
    decisive = [item for item in first.items if item[0] in DECISIVE]
    others = [item for item in first.items if item[0] not in DECISIVE]
    decisive_part = first._replace(items=pairs((*decisive, *exits)).items)
    return [decisive_part, alerts, pairs((*others, *around, change))]


def change_words(review: "Review") -> str:
    """How the market has moved since the run, or why that is not known, in one line."""
    then, now = review.run_quote, review.current_quote
    if now is None or then is None or review.stale_reason is not None:
        return review.stale_reason or "the run has no quotes of these legs to compare with"
    moved = now.spot / then.spot - 1 if then.spot else 0.0
    return (
        f"{review.market.underlying} {moved:+.2%} to {format_price(now.spot)} · mid "
        f"{format_price(then.mid)} to {format_price(now.mid)} · quotes {format_age(review.at - now.as_of)} old"
    )


def warnings(review: "Review") -> tuple[Item, ...]:
    """Refusals first, then what must be looked at, a line each; what is left out is one key away, and counted."""
    messages = [("Refused", item.message, "bad") for item in review.findings if item.blocks]
    messages += [("Note", item.message, "warn") for item in review.findings if not item.blocks]
    answer = review.view.recommendation
    if answer is not None:
        messages += [("Vetoed", veto, "bad") for veto in answer.vetoes]
        messages += [("Look at", mark, "warn") for mark in answer.marks]
    left = len(messages) - WARNINGS
    counted = f" (and {left} more: w)" if left > 0 else ""
    last = len(messages[:WARNINGS]) - 1
    return tuple(
        (label, shorten(text, LINE, rest="w", after=counted if place == last else ""), tone)
        for place, (label, text, tone) in enumerate(messages[:WARNINGS])
    )


# The menu.


def nearby_rows(review: "Review", entries: Sequence[Candidate], rows: int) -> Grid:
    """The selected row with its neighbours, the choice and the fixed rule's pick; numbered as in the whole menu."""
    selected = read_path(review.proposal, "candidate_id")
    at = next((place for place, entry in enumerate(entries) if entry.id == selected), 0)
    named = (selected, *_picks_by_name(review).values())
    wanted = {place for place, entry in enumerate(entries) if entry.id in named}
    nearest = sorted(set(range(len(entries))) - wanted, key=lambda place: (abs(place - at), place))
    places = sorted({*wanted, *nearest[: max(rows - len(wanted), 0)]})
    heads = COLUMNS if any(map(has_plan, entries)) else MARKET_COLUMNS
    own = {"who": lambda entry: _picker_names(review, entry)}
    grid = candidate_grid(entries, heads, places, marked=selected, own=own)
    return grid._replace(framed=False, names_omitted=False)


def _picks_by_name(review: "Review") -> Mapping[str, str | None]:
    """The candidates that the analyst and the fixed rule take."""
    answers = {"chosen": review.view.recommendation, "rule": review.rule_pick}
    return {name: read_path(answer, "candidate_id") for name, answer in answers.items()}


def _picker_names(review: "Review", entry: Candidate) -> str:
    return ", ".join(name for name, taken in _picks_by_name(review).items() if taken == entry.id)


def menu_page(review: "Review") -> Page:
    """Every candidate with every column; the selected one is marked."""
    entries = sorted_menu(review.menu.candidates)
    grid = whole_menu_grid(
        entries, read_path(review.proposal, "candidate_id"), {"who": lambda entry: _picker_names(review, entry)}
    )
    return _named_page(review, "menu", [grid, Prose(f"{menu_note(entries)} A number or the arrows select.", "dim")])


# One key away.


def why_page(review: "Review") -> Page:
    """Who chose, the reasons and the evidence, what others would have taken, and what today's checks say."""
    if review.managed is not None:
        parts = exit_parts(review.managed)
    else:
        chooser = [] if review.proposal is None else [("chosen by", _chooser(review, review.proposal))]
        parts = [pairs(chooser, "choice", "The choice"), *answer_parts(review.view)]
    refusals_first = sorted(review.findings, key=lambda finding: not finding.blocks)
    return _named_page(review, "why", [*parts, pairs(map(finding_item, refusals_first), "check", "Checks now")])


def _chooser(review: "Review", result: "ProposalTerms") -> str:
    entry = f": {spread_words(review.candidate)}" if review.candidate is not None else ""
    if result.chosen_by != "person":
        return f"{single_line(result.chosen_by)}{entry}"
    answer = review.view.recommendation
    replaced = review.menu.find(read_path(answer, "candidate_id"))
    reason = f"instead of {spread_words(replaced)}" if replaced is not None else "over an abstention"
    return f"a person{entry}, {reason}"


def risk_page(review: "Review") -> Page:
    """Profit and loss at expiration after a move, and the book before and after."""
    result = review.proposal
    if result is None:
        return _named_page(review, "risk", [])
    spread = ("spread", legs_words(result.legs, result.quantity))
    if result.kind is not ProposalKind.OPEN:
        return _named_page(review, "risk", [pairs([spread], "risk"), _book(review)])
    breakeven = ("breakeven", breakeven_words(result, review_surroundings(review)))
    fees = ("on top", f"of the max loss {settlement_fee_words(result.legs)}, at expiration")
    parts: list[Part] = [pairs([spread, breakeven, fees], "risk"), _scenario_grid(review, result), _book(review)]
    if review.candidate is not None:
        parts.append(pairs(number_items(review.candidate), "number", "The odds and what it is worth, one contract"))
    return _named_page(review, "risk", parts)


def _scenario_grid(review: "Review", result: "ProposalTerms") -> Grid:
    around = review_surroundings(review)
    columns: Columns = {
        "move": lambda each: "unmoved" if each.percent == 0 else f"{each.percent:+d}%",
        f"{result.underlying} at>": lambda each: format_price(each.price),
        "result>": lambda each: format_gain(each.profit),
        "loss of account>": lambda each: account_share(-each.profit, around) if each.profit < 0 else "",
    }
    price = format_price(abs(result.limit_price))
    title = f"At expiration after costs: profit at our price {price}, loss at the {bound_words(result)}"
    return noun_grid("at", title, review.scenarios, columns)


def _book(review: "Review") -> Grid:
    """Open risk, trades, buying power, greeks and gaps without this trade and with it."""
    from spy32.render.risk import gap_words, greek_words
    from spy32.rules.book_risk import BookRisk, add_position, assess_book

    exposure, account, added = review.exposure, review.account, review.added_position
    limits, rate = review.settings.limits, review.settings.market.rate
    before = after = assess_book(review.book, exposure, account, limits, rate=rate, now=review.at)
    if added is not None:
        later, account = add_position(exposure, account, added)
        after = assess_book((*review.book, added), later, account, limits, rate=rate, now=review.at)
    around = review_surroundings(review)

    def words(book: BookRisk, trades: int, buying_power: "Decimal") -> dict[str, str]:
        return {
            "open trades": str(trades),
            "open risk": format_dollars(book.max_loss),
            "of account": account_share(book.max_loss, around),
            "buying power": format_dollars(buying_power),
            **greek_words(book),
            **gap_words(book),
        }

    trades = exposure.open_trades
    now = words(before, trades, review.account.buying_power)
    then = words(after, trades + (added is not None), account.buying_power)
    most = {"open risk": format_dollars(review.open_limit), "of account": account_share(review.open_limit, around)}
    columns: Columns = {
        "book": lambda label: label,
        "before>": now.__getitem__,
        "after>": then.__getitem__,
        "limit>": lambda label: most.get(label, ""),
    }
    left_out = f"; without {', '.join(after.unmarked)}: no vols" if after.unmarked else ""
    title = f"The book, at worst; greeks and gaps at each leg's own vol, not on the run's smile{left_out}"
    return noun_grid("book", title, now, columns)


def order_page(review: "Review") -> Page:
    """The order, its price plan and the exit plan, in full."""
    result = review.proposal
    if result is None:
        return _named_page(review, "order and exits", [])
    items, allowed, quote = [], review.max_quantity, review.current_quote
    if allowed is not None and result.kind is ProposalKind.OPEN:
        items.append(("quantity", f"the limits allow up to {allowed}"))
    if quote is not None:
        items.append(("quotes", f"natural {format_credit(quote.natural)}, mid {format_credit(quote.mid)}"))
    return _named_page(review, "order and exits", [exit_pairs(result), order_pairs(result, more=items)])


def _named_page(review: "Review", what: str, parts: Sequence[Part]) -> Page:
    subject = review.name if review.proposal is None else trade_sentence(review.proposal)
    return _page(review, f"{subject}: {what}", parts)


def _page(review: "Review", heading: str, parts: Sequence[Part]) -> Page:
    is_live = review.run.mode is Mode.LIVE
    return Page(banner=_banner(review), alarm=is_live, heading=heading, tone="strong", parts=tuple(parts))


# The last question, and afterwards.


def approval_words(review: "Review") -> str:
    """The trade in full, for the question that approves it."""
    result = review.proposal
    assert result is not None
    way = "down" if result.limit_price > 0 else "up"
    band = f"{format_credit(result.limit_price)} {way} to {format_price(abs(result.floor_price))}"
    verb = trade_sentence(result).partition(" @ ")[0]
    covers = "; its closes too, when due" if is_covering_exits(result) else ""
    return f"{verb}, expiring {result.expiration}, {band}, {_outcome_words(result)}{covers}"


def _outcome_words(result: "ProposalTerms") -> str:
    """The max loss of an opening; the result that a close would leave."""
    if result.kind is ProposalKind.OPEN:
        return f"max loss {format_dollars(result.max_loss)}"
    return f"result of T{result.trade_id} {closing_result_words(result)}"


def drop_words(review: "Review") -> str:
    """What is lost with a draft, in enough words to make it again; empty without one."""
    if review.draft is None or review.is_preview:
        return ""
    result = review.draft.proposal
    spread = f"{result.strategy.short_name} {format_legs(result.legs)}"
    contracts = format_count(result.quantity, "contract")
    return f"; your draft is dropped ({spread}, {contracts}, {bound_words(result)})"


def decided_lines(view: "RunView", result: "Proposal") -> tuple[str, ...]:
    """How the proposal stands, until when, and what to type next."""
    simulated = f" [{result.mode}{', recorded' if result.is_recorded else ''}]"
    approval = view.approval
    if result.state is not ProposalState.APPROVED or approval is None:
        return (f"P{result.id} is {result.state}{simulated}",)
    until = f"{approval.until.astimezone(NEW_YORK):%H:%M} New York"
    return (
        f"P{result.id} approved{approver(approval.by)}, hash {result.hash[:8]}, until {until}{simulated}",
        f"  {trade_sentence(result)}; {_outcome_words(result)}",
        f"next: {proposal_command(result)}",
    )
