"""The risk of the book on one screen: its limits, its greeks, what a gap would cost, and the ladder."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from spy32.domain.spreads import Greeks, Mode
from spy32.ops.risk import RiskReport
from spy32.render.explain import BANNERS
from spy32.render.formatting import (
    calendar_day,
    format_count,
    format_dollars,
    format_gain,
    format_percent,
    mask_account,
    new_york_words,
    single_line,
)
from spy32.render.page import Grid, Page, Pairs, Part, grid_columns, pair
from spy32.rules.book_risk import BookRisk, LimitName, Shock, ShockKind, ShockResult
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
    if book.rungs:
        parts.append(_rungs_grid(book, rungs))
    parts.append(Pairs(items=tuple(pair("note", text, "warn") for text in notes)))
    return Page(
        banner=(f"{BANNERS[report.mode]} · acct {mask_account(report.account.number)}", new_york_words(report.at)),
        alarm=report.mode is Mode.LIVE,
        heading=_heading(report),
        tone="strong",
        parts=tuple(parts),
    )


def _heading(report: RiskReport) -> str:
    book = report.book
    share = account_percent(book.max_loss, report.account.net_liquidation)
    at_most = f"{format_dollars(book.max_loss)} at most, {share} of the account"
    if not book.positions:
        return f"no trade is open; {at_most}"
    largest = book.largest
    assert largest is not None
    most = f"; {calendar_day(largest.expiration)} holds {format_percent(largest.share)}"
    return f"{format_count(len(book.positions), 'trade')} open; {at_most}{most}"


def account_percent(amount: Decimal, net_liquidation: Decimal) -> str:
    return format_percent(float(amount / net_liquidation)) if net_liquidation > 0 else "all"


def _limits_grid(report: RiskReport) -> Grid:
    book, after = report.book, report.new_trade
    then = after.book if after is not None else None
    used, most = _uses(book), {use.name: use.most for use in book.limits}
    room, later = {use.name: use.room for use in book.limits}, _uses(then) if then is not None else None
    counts = (LimitName.OPEN_TRADES, LimitName.SUBMITS_TODAY)

    def count_text(found: dict[LimitName, Decimal] | None) -> str:
        return " / ".join(str(found[name]) for name in counts) if found is not None else ""

    money = {
        "open max loss": LimitName.OPEN_RISK,
        "buying power used": LimitName.BUYING_POWER,
        "lost this week": LimitName.WEEK_LOSS,
    }
    columns = (used, later, most, room)
    rows: list[tuple[str, ...]] = [
        (label, *(format_dollars(found[name]) if found is not None else "" for found in columns))
        for label, name in money.items()
    ]
    rows.append(("trades / sent today", *(count_text(found) for found in columns)))
    rows += [(*row, "", "") for row in greek_rows(book, then)]
    heads = ["book", "now>", *([f"with {after.id}>2"] if after is not None else []), "most>3", "room>1"]
    if after is None:
        rows = [(row[0], row[1], *row[3:]) for row in rows]
    return Grid(name="book", title="", columns=grid_columns(*heads), rows=tuple(rows), framed=False)


def _uses(book: BookRisk) -> dict[LimitName, Decimal]:
    return {use.name: use.used for use in book.limits}


def greek_rows(book: BookRisk, after: BookRisk | None) -> list[tuple[str, str, str]]:
    """Delta, theta and vega of the whole book, before and after."""
    forms: dict[str, Callable[[Greeks], str]] = {
        "delta, shares": lambda each: f"{each.delta:+.1f}",
        "theta, a day": lambda each: format_gain(each.theta),
        "vega, a point": lambda each: format_gain(each.vega),
    }

    def text(form: Callable[[Greeks], str], found: BookRisk) -> str:
        return form(found.greeks) if found.greeks is not None else UNKNOWN

    return [(label, text(form, book), text(form, after) if after is not None else "") for label, form in forms.items()]


def gap_rows(book: BookRisk, after: BookRisk) -> list[tuple[str, str, str]]:
    """What each gap would cost at once, before and after."""
    return [
        (shock_words(each.shock), _gain(each.result), _gain(then.result))
        for each, then in zip(book.shocks, after.shocks, strict=True)
        if each.shock.kind is ShockKind.GAP
    ]


# Shocks.


def shock_words(shock: Shock) -> str:
    """`-5%, vols +16`."""
    vols = f"vols {shock.vol * 100:+.0f}" if shock.vol else ""
    move = f"{shock.move * 100:+.0f}%" if shock.move else ""
    return ", ".join(text for text in (move, vols) if text)


def shocks_grid(book: BookRisk, after: BookRisk | None) -> Grid:
    """A line a shock: the gaps first, then the broker's slides."""
    rows = tuple(
        (
            f"{shock_words(each.shock)}{' (slide)' if each.shock.kind is ShockKind.SLIDE else ''}",
            _gain(each.result),
            _percent(each.of_max_loss),
            _percent(each.of_account),
            _gain(after.shocks[place].result) if after is not None else "",
        )
        for place, each in enumerate(book.shocks)
    )
    columns = grid_columns("at once", "result>", "of max loss>1", "of account>2", "with the new trade>3")
    return Grid(name="at", title="", columns=columns, rows=rows, framed=False)


def _paired_shocks(shocks: Sequence[ShockResult]) -> Grid:
    """The gaps, and beside them the broker's slides."""
    gaps = [each for each in shocks if each.shock.kind in GAPS]
    slides = [each for each in shocks if each.shock.kind is ShockKind.SLIDE]
    rows = tuple(
        (*_shock_cells(gap), *(_shock_cells(slides[place]) if place < len(slides) else ("", "", "")))
        for place, gap in enumerate(gaps)
    )
    columns = grid_columns("gap", "result>", "of max>1", "slide", "result>", "of max>2")
    return Grid(name="at", title="", columns=columns, rows=rows, framed=False)


def _shock_cells(each: ShockResult) -> tuple[str, str, str]:
    return shock_words(each.shock), _gain(each.result), _percent(each.of_max_loss)


def _gain(result: Decimal | None) -> str:
    return format_gain(result) if result is not None else UNKNOWN


def _percent(share: float | None) -> str:
    return format_percent(share) if share is not None else ""


# The ladder, and what must be said.


def _rungs_grid(book: BookRisk, most: int) -> Grid:
    rows = tuple(
        (
            f"{rung.expiration}",
            str(rung.dte),
            rung.side,
            str(rung.contracts),
            format_dollars(rung.max_loss),
            format_percent(rung.share),
            ", ".join(rung.trades),
        )
        for rung in book.rungs[:most]
    )
    columns = grid_columns("expiration", "DTE>", "side", "contracts>1", "max loss>", "of book>2", "trades~3")
    return Grid(name="expiration", title="", columns=columns, rows=rows, framed=False)


def _notes(report: RiskReport) -> list[str]:
    book, room = report.book, f"a new trade may lose {format_dollars(report.book.trade_room)}"
    notes = [room if report.oldest_mark is None else f"{room} · marks of {_new_york_minute(report.oldest_mark)}"]
    if book.unmarked:
        notes.append(f"no mark gives the vols of {', '.join(book.unmarked)}: not in greeks and gaps")
    if report.not_held:
        notes.append(f"{format_dollars(report.not_held)} of the max loss is approved, assigned or foreign")
    notes += [f"not measured: {single_line(words)}" for words in report.unmeasured]
    if report.account_note:
        notes.append(single_line(report.account_note))
    return notes


def _new_york_minute(at: datetime) -> str:
    """Without the weekday, so that the first note stands on one line."""
    return f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York"
