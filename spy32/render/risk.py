"""The risk of the book on one screen: its limits, its greeks, what a gap would cost, and the ladder."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import zip_longest

from spy32.domain.spreads import Greeks, Mode
from spy32.ops.risk import RiskReport
from spy32.render.explain import BANNERS
from spy32.render.formatting import (
    calendar_day,
    format_count,
    format_dollars,
    format_gain,
    format_known,
    format_percent,
    mask_account,
    new_york_words,
)
from spy32.render.page import Columns, Grid, Page, Part, grid_columns, noun_grid, pairs
from spy32.rules.book_risk import BookRisk, LimitName, Rung, Shock, ShockKind, ShockResult
from spy32.sessions import NEW_YORK

FIXED_LINES = 18
"""Lines of the compact page on 80 columns without rungs and notes, with the prompt below."""
NOTE_CELLS = 68
"""Characters of a note that stand on one line of 80 columns."""
LEAST_RUNGS = 2
TALL = 34
"""Lines of a terminal from which each shock has a line of its own."""
UNKNOWN = "unknown"
"""In the place of a figure of a book without vols, which zero would pass for safety."""
GAPS = (ShockKind.GAP, ShockKind.VOL)


def risk_page(report: RiskReport, *, height: int | None = None) -> Page:
    """The book and what waits to join it. `height` is the terminal's; None shows everything, for plain lines."""
    book, then = report.book, report.new_trade.book if report.new_trade is not None else None
    is_compact = height is not None and height < TALL
    parts: list[Part] = [_limits_grid(report)]
    if book.positions or then is not None:
        parts.append(_paired_shocks(book.shocks) if is_compact else shocks_grid(book, then))
    notes = _notes(report)
    rungs = len(book.rungs)
    lines = sum(-(-len(text) // NOTE_CELLS) for text in notes)
    if is_compact and height is not None and rungs > (room := max(height - FIXED_LINES - lines, LEAST_RUNGS)):
        notes.append(f"{rungs - room + 1} more lines on a taller screen, and with --json")
        rungs = room - 1
    if rungs:
        parts.append(_rungs_grid(book.rungs[:rungs]))
    parts.append(pairs(("note", text, "warn") for text in notes))
    return Page(
        banner=(f"{BANNERS[report.mode]} · acct {mask_account(report.account.number)}", new_york_words(report.at)),
        alarm=report.mode is Mode.LIVE,
        heading=_heading(report),
        tone="strong",
        parts=tuple(parts),
    )


def _heading(report: RiskReport) -> str:
    book, total = report.book, report.account.net_liquidation
    share = format_percent(float(book.max_loss / total)) if total > 0 else "all"
    at_most = f"{format_dollars(book.max_loss)} at most, {share} of the account"
    if book.largest is None:
        return f"no trade is open; {at_most}"
    most = f"{calendar_day(book.largest.expiration)} holds {format_percent(book.largest.share)}"
    return f"{format_count(len(book.positions), 'trade')} open; {at_most}; {most}"


def _limits_grid(report: RiskReport) -> Grid:
    book, after = report.book, report.new_trade
    now = {**_limit_words(book, "used"), **greek_words(book)}
    later = {}
    if after is not None:
        later[f"with {after.id}>2"] = {**_limit_words(after.book, "used"), **greek_words(after.book)}.__getitem__
    most, room = _limit_words(book, "most"), _limit_words(book, "room")
    columns: Columns = {
        "book": lambda label: label,
        "now>": now.__getitem__,
        **later,
        "most>3": lambda label: most.get(label, ""),
        "room>1": lambda label: room.get(label, ""),
    }
    return noun_grid("book", "", now, columns)._replace(framed=False)


def _limit_words(book: BookRisk, part: str) -> dict[str, str]:
    """What is used of each limit, its `most` or its `room`."""
    found: dict[LimitName, Decimal] = {use.name: getattr(use, part) for use in book.limits}
    return {
        "open max loss": format_dollars(found[LimitName.OPEN_RISK]),
        "buying power used": format_dollars(found[LimitName.BUYING_POWER]),
        "lost this week": format_dollars(found[LimitName.WEEK_LOSS]),
        "trades / sent today": f"{found[LimitName.OPEN_TRADES]} / {found[LimitName.SUBMITS_TODAY]}",
    }


def greek_words(book: BookRisk) -> dict[str, str]:
    """Delta, theta and vega of the whole book."""
    forms: dict[str, Callable[[Greeks], str]] = {
        "delta, shares": lambda each: f"{each.delta:+.1f}",
        "theta, a day": lambda each: format_gain(each.theta),
        "vega, a point": lambda each: format_gain(each.vega),
    }
    return {label: format_known(form, book.greeks, UNKNOWN) for label, form in forms.items()}


def gap_words(book: BookRisk) -> dict[str, str]:
    """What each gap would cost at once."""
    gaps = (each for each in book.shocks if each.shock.kind is ShockKind.GAP)
    return {shock_words(each.shock): _gain(each.result) for each in gaps}


# Shocks.


def shock_words(shock: Shock) -> str:
    """`-5%, vols +16`."""
    vols = f"vols {shock.vol * 100:+.0f}" if shock.vol else ""
    move = f"{shock.move * 100:+.0f}%" if shock.move else ""
    return ", ".join(text for text in (move, vols) if text)


def shocks_grid(book: BookRisk, after: BookRisk | None) -> Grid:
    """A line a shock: the gaps first, then the broker's slides."""
    later = {each.shock: _gain(each.result) for each in after.shocks} if after is not None else {}
    columns: Columns = {
        "at once": lambda each: f"{shock_words(each.shock)}{' (slide)' if each.shock.kind is ShockKind.SLIDE else ''}",
        "result>": lambda each: _gain(each.result),
        "of max loss>1": lambda each: format_known(format_percent, each.of_max_loss),
        "of account>2": lambda each: format_known(format_percent, each.of_account),
        "with the new trade>3": lambda each: later.get(each.shock, ""),
    }
    return noun_grid("at", "", book.shocks, columns, omits_empty=True)._replace(framed=False)


def _paired_shocks(shocks: Sequence[ShockResult]) -> Grid:
    """The gaps, and beside them the broker's slides."""
    gaps = (each for each in shocks if each.shock.kind in GAPS)
    slides = (each for each in shocks if each.shock.kind is ShockKind.SLIDE)
    rows = tuple((*_shock_cells(gap), *_shock_cells(slide)) for gap, slide in zip_longest(gaps, slides))
    columns = grid_columns("gap", "result>", "of max>1", "slide", "result>", "of max>2")
    return Grid("at", "", columns, rows, framed=False)


def _shock_cells(each: ShockResult | None) -> tuple[str, str, str]:
    if each is None:
        return "", "", ""
    return shock_words(each.shock), _gain(each.result), format_known(format_percent, each.of_max_loss)


def _gain(result: Decimal | None) -> str:
    return format_known(format_gain, result, UNKNOWN)


# The ladder, and what must be said.


def _rungs_grid(rungs: Sequence[Rung]) -> Grid:
    columns: Columns = {
        "expiration": "expiration",
        "DTE>": "dte",
        "side": "side",
        "contracts>1": "contracts",
        "max loss>": lambda rung: format_dollars(rung.max_loss),
        "of book>2": lambda rung: format_percent(rung.share),
        "trades~3": lambda rung: ", ".join(rung.trades),
    }
    return noun_grid("expiration", "", rungs, columns)._replace(framed=False)


def _notes(report: RiskReport) -> list[str]:
    book, room = report.book, f"a new trade may lose {format_dollars(report.book.trade_room)}"
    # Without the weekday, so that the first note stands on one line.
    mark = report.oldest_mark
    notes = [room if mark is None else f"{room} · marks of {mark.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"]
    if book.unmarked:
        notes.append(f"no mark gives the vols of {', '.join(book.unmarked)}: not in greeks and gaps")
    if report.not_held:
        notes.append(f"{format_dollars(report.not_held)} of the max loss is approved, assigned or foreign")
    notes += [f"not measured: {words}" for words in report.unmeasured]
    return [*notes, report.account_note] if report.account_note else notes
