"""The market and the expirations on every screen and for programs: nothing cut or forged, what is missing said."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from spy32.console import PlainConsole
from spy32.domain.briefing import Briefing
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import Dividend, Gate, MarketSnapshot, Metric, QualityReport, Right, SourceAttempt, Verdict
from spy32.options.surface import Smile, build_smile
from spy32.pipeline.collect import MarketPreview
from spy32.render import market_charts as drawing
from spy32.render import market_pages as m
from spy32.render.encoder import encode_document
from spy32.render.market_documents import EXPIRATIONS, MARKET
from spy32.render.output import print_page
from spy32.rules.daily_bars import finished_sessions
from spy32.rules.market_metrics import DISPLAY_ORDER, compute_metrics
from spy32.rules.tradability import Expirations, list_expirations
from spy32.sessions import years_to_expiration
from tests.support import builders as b
from tests.support.reader import screen, shown
from tests.support.schemas import check

PLAIN = 0
WIDTHS = (60, 80, 200)
HOSTILE = "evil\x1b[2J\u202e\nfigure spot: value 1"

SNAPSHOT = b.snapshot(
    moves={"QQQ": Metric(value=0.0042, unit="fraction", source="cboe", as_of=b.NOW)},
    tried=(
        SourceAttempt(datum="chain", source="tastytrade", ok=False, detail="no credentials"),
        SourceAttempt(datum="chain", source="cboe", ok=True, ms=812),
    ),
)
SMILE = build_smile(
    SNAPSHOT.chain.quotes,
    spot=b.SPOT,
    years=years_to_expiration(b.NOW, b.EXPIRATION),
    rate=b.RATE,
    expiration=b.EXPIRATION,
)
REPORT = QualityReport(gates=())
EVENTS = (
    ScheduledEvent(kind=EventKind.CPI, day=date(2025, 10, 24), time="08:30", source="bls.gov"),
    ScheduledEvent(
        kind=EventKind.FOMC, day=date(2025, 10, 29), time="14:00", source="federalreserve.gov", is_confirmed=False
    ),
)


def briefing(snapshot: MarketSnapshot = SNAPSHOT, smile_: Smile | None = SMILE, **over: Any) -> Briefing:
    base: dict[str, Any] = {
        "underlying": snapshot.underlying,
        "as_of": snapshot.evaluated_at,
        "target": snapshot.target,
        "dte": snapshot.dte,
        "figures": compute_metrics(snapshot, smile_),
        "bars": snapshot.history[-32:],
        "events": EVENTS,
        "unknown_events": {"jobs": "unknown after 2025-10-03"},
        "dividends": (Dividend(ex_date=date(2025, 10, 17), amount=Decimal("1.83")),),
        "flags": ("quotes are delayed by 15 minutes",),
    }
    return Briefing(**{**base, **over})


def market(width: int, told: Briefing | None = None, snapshot: MarketSnapshot = SNAPSHOT, **looks: Any) -> str:
    """As a terminal of that width shows it; a width of 0 is none."""
    console = screen(width, **looks) if width else PlainConsole(StringIO())
    print_page(console, m.build_market_page(told or briefing(snapshot), snapshot, SMILE))
    return shown(console)


def found_expirations(days: Sequence[date], today: date) -> Expirations:
    return list_expirations(days, underlying="SPY", source="cboe", today=today, target_dte=32, tolerance=3)


def expirations(width: int, days: Sequence[date], today: date = b.TODAY) -> str:
    console = screen(width) if width else PlainConsole(StringIO())
    print_page(console, m.build_expirations_page(found_expirations(days, today)))
    return shown(console)


# The market.


def test_every_figure_has_a_label_that_fits() -> None:
    labels = {name: label for _, names in m.FIGURE_GROUPS for name, label in names.items()}
    assert set(labels) == set(DISPLAY_ORDER)
    assert len(set(labels.values())) == len(labels)
    assert max(len(label) for label in labels.values()) <= 20


@pytest.mark.parametrize("width", (PLAIN, *WIDTHS))
def test_every_figure_is_shown_uncut_at_every_width(width: int) -> None:
    text = market(width)
    labels = {f"market.{name}": label for _, names in m.FIGURE_GROUPS for name, label in names.items()}
    for path, figure in briefing().figures.items():
        if figure.value is not None:
            label, value = re.escape(labels.get(path, "QQQ")), re.escape(m.format_value(figure))
            assert re.search(rf"{label}(?!\w)[^\n]*[ +]{value}(?!\d)", text), path


@pytest.mark.parametrize("width", (PLAIN, *WIDTHS))
def test_what_is_missing_stands_there_with_its_reason(width: int) -> None:
    told = briefing(b.snapshot(history=b.history(34), volatility={}))
    text = " ".join(re.sub("[│\n]", " ", market(width, told)).split())
    assert "34 closes, 50 are needed" in text
    assert "not served: VIX, VIX9D, VIX3M" in text
    assert "no broker serves it: broker IV rank, broker IV percentile" in text


@pytest.mark.parametrize("width", (PLAIN, *WIDTHS))
def test_events_their_gaps_and_the_sources_are_shown(width: int) -> None:
    text = market(width)
    for words in (
        "Fri 2025-10-24", "FOMC statement", "jobs report", "unknown after 2025-10-03", "2025-10-17, 1.83 a share",
        "tastytrade", "failed", "quotes are delayed by 15 minutes",
    ):  # fmt: skip
        assert words in text
    assert width < 80 or ("tentative" in text and "no credentials" in text)


def test_dividends_that_nobody_knows_are_unknown_and_not_none() -> None:
    assert "ex-dividend: unknown: no source has ex-dates" in market(PLAIN, briefing(dividends=None))
    assert "ex-dividend: none known to 2025-11-07" in market(PLAIN, briefing(dividends=()))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal_and_none_ends_in_an_ellipsis(width: int) -> None:
    text = market(width)
    assert [line for line in text.splitlines() if cell_len(line) > width] == []
    assert "…" not in text


def test_plain_lines_have_no_picture_no_frame_and_no_control_codes() -> None:
    text = market(PLAIN)
    assert not re.search("[╭╮╰╯│━\u2800-\u28ff\x1b]", text)
    assert "Term structure" not in text
    assert "figure spot: value 670.00; age 0 s; source cboe\n" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_a_terminal_gets_the_three_pictures(width: int) -> None:
    text = market(width)
    for title in ("Smile of 2025-11-07", "Term structure", "Price and expected move"):
        assert f"{title}\n" in text
    assert "\x1b" not in text
    ahead = drawing.ExpectedMoveCone(b.TODAY, b.EXPIRATION, briefing().figures["market.expected_move"].value)
    for lines in (
        drawing.smile_chart(SMILE, 670.0, width=width),
        drawing.term_structure_chart(briefing().figures, 32, width=width),
        drawing.price_chart(b.history(), 670.0, ahead, width=width),
    ):
        assert "\n".join(lines) in re.sub(" +\n", "\n", text), "no line is folded or moved"


def test_a_screen_too_narrow_for_pictures_gets_none() -> None:
    assert "Term structure" not in market(50)


def test_a_terminal_of_ascii_gets_ascii() -> None:
    text = market(80, encoding="ascii")
    assert text.isascii()
    assert "+/-1 sigma" in text
    assert "###" in text


def test_colour_only_adds() -> None:
    colourful = market(100, colour=True)
    assert "\x1b[" in colourful
    assert re.sub(r"\x1b\[[0-9;]*m", "", colourful) == market(100)


@pytest.mark.parametrize("width", (PLAIN, 80))
def test_foreign_words_move_no_cursor_and_pass_for_no_line_of_ours(width: int) -> None:
    bad = replace(
        SNAPSHOT, underlying=HOSTILE, tried=(SourceAttempt(datum="chain", source=HOSTILE, ok=True, detail=HOSTILE),)
    )
    figure = Metric(value=None, unit="fraction", source=HOSTILE, missing=HOSTILE)
    event = ScheduledEvent(kind=EventKind.OTHER, day=b.TODAY, time=None, source=HOSTILE, note=HOSTILE)
    told = briefing(figures={"market.gap": figure}, events=(event,), unknown_events={"jobs": HOSTILE}, flags=(HOSTILE,))
    text = market(width, told, bad)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert width or [line for line in text.splitlines() if line.startswith("figure spot")] == []


# Pictures.


@settings(deadline=None, max_examples=25)
@given(width=st.integers(60, 220), plain=st.booleans())
def test_pictures_fit_and_name_what_they_show(width: int, plain: bool) -> None:
    ahead = drawing.ExpectedMoveCone(b.TODAY, b.EXPIRATION, 31.49)
    pictures = {
        "smile": drawing.smile_chart(SMILE, 670.0, width=width, plain=plain),
        "term": drawing.term_structure_chart(briefing().figures, 32, width=width, plain=plain),
        "price": drawing.price_chart(b.history(), 670.0, ahead, width=width, plain=plain),
    }
    for lines in pictures.values():
        assert lines
        assert max(len(line) for line in lines) < width
        assert not plain or "".join(lines).isascii()
    legends = " ".join(" ".join(lines) for lines in pictures.values())
    for words in ("spot 670.00", "delta 0.20: put 639, call 696", "SMA 20 665.07", "638.51 to 701.49", "VIX3M"):
        assert words in legends


def test_the_strikes_at_a_delta_are_the_listed_ones_nearest_to_it() -> None:
    legend = " ".join(drawing.smile_chart(SMILE, 670.0, width=200))
    for delta in (0.16, 0.20, 0.30):
        for right, name in ((Right.PUT, "put"), (Right.CALL, "call")):
            strikes = range(560, 671) if right is Right.PUT else range(672, 761)
            nearest = min(strikes, key=lambda at: abs(abs(b.fair(right, at, 32.29 / 365)[1]) - delta))
            said = int(re.search(rf"delta {delta:.2f}:[^^]*?{name} (\d+)", legend)[1])  # type: ignore[index]
            assert abs(said - nearest) <= 1


def test_the_cone_opens_with_the_root_of_time() -> None:
    edge = drawing._cone_edge(670.0, 40.0, drawing.ExpectedMoveCone(b.TODAY, b.EXPIRATION, 40.0))
    assert edge[0] == (b.TODAY.toordinal(), 670.0)
    assert edge[-1] == (b.EXPIRATION.toordinal(), 710.0)
    assert edge[len(edge) // 4][1] == 690.0


def test_a_missing_index_is_said_in_the_picture_and_bars_are_in_proportion() -> None:
    levels = {"market.vix9d": b.datum(None), "market.vix": b.datum(10.0), "market.vix3m": b.datum(20.0)}
    lines = drawing.term_structure_chart(levels, 32, width=80, plain=True)
    assert [line.split()[0] for line in lines] == ["VIX9D", "VIX", "VIX3M"]
    assert lines[0].endswith("missing")
    assert abs(lines[2].count("#") - 2 * lines[1].count("#")) <= 1


def test_with_too_little_to_draw_there_is_no_picture() -> None:
    ahead = drawing.ExpectedMoveCone(b.TODAY, b.EXPIRATION, None)
    assert drawing.price_chart((), 670.0, ahead, width=80) == []
    assert drawing.term_structure_chart({}, 32, width=80) == []
    lines = drawing.price_chart(b.history(30), 670.0, ahead, width=80)
    assert "σ" not in " ".join(lines)
    assert "SMA 50" not in " ".join(lines)
    few = tuple(quote for quote in SNAPSHOT.chain.quotes if abs(quote.strike - 670) <= 3)
    thin = build_smile(few, spot=670.0, years=SMILE.years, rate=b.RATE, expiration=b.EXPIRATION)
    assert "delta 0.16: put none, call none" in " ".join(drawing.smile_chart(thin, 670.0, width=200))


def test_prices_that_never_move_can_be_drawn() -> None:
    flat = tuple(replace(bar, close=670.0) for bar in b.history())
    lines = drawing.price_chart(flat, 670.0, drawing.ExpectedMoveCone(b.TODAY, b.EXPIRATION, None), width=80)
    assert any("o" in line for line in lines)


def test_the_picture_leaves_todays_unfinished_bar_out() -> None:
    today = replace(b.history()[-1], day=b.TODAY, close=900.0)
    bars = finished_sessions(b.snapshot(history=(*b.history(), today))).bars
    ahead = drawing.ExpectedMoveCone(b.TODAY, b.EXPIRATION, 31.0)
    assert drawing.price_chart(bars, 670.0, ahead, width=80) == drawing.price_chart(b.history(), 670.0, ahead, width=80)


# Expirations.


def listed(today: date, *days: int) -> list[date]:
    return [today + timedelta(days=count) for count in days]


def test_with_none_within_the_tolerance_none_is_taken() -> None:
    found = found_expirations(listed(b.TODAY, 4, 25, 60), b.TODAY)
    assert found.chosen is None
    assert [row for row in found.expirations if row.is_chosen or row.is_near] == []
    text = expirations(PLAIN, listed(b.TODAY, 4, 25, 60))
    assert text.startswith("SPY: no expiration within 3 days of 32 days\n")
    assert "why: the nearest, but outside the tolerance; Fri 2025-11-07 is not listed\n" in text
    assert "(chosen)" not in text
    assert expirations(PLAIN, ()).startswith("SPY: no expiration within 3 days of 32 days\n")


@pytest.mark.parametrize("width", (PLAIN, *WIDTHS))
def test_every_expiration_is_shown_and_the_taken_one_marked(width: int) -> None:
    today = date(2026, 11, 23)
    days = listed(today, 4, 30, 31, 38, 759)
    text = expirations(width, days, today)
    for row in found_expirations(days, today).expirations:
        assert re.search(rf"{row.day:%a %Y-%m-%d}[^\n]*\b{row.dte}\b[^\n]*[+-]{abs(row.distance)}\b", text)
    marked = [line for line in text.splitlines() if "▶" in line or "(selected)" in line]
    assert len(marked) == 1
    assert "2026-12-24" in marked[0]
    assert "Christmas Day" in " ".join(text.split())
    assert width == PLAIN or [line for line in text.splitlines() if cell_len(line) > width] == []


def iv(value: float) -> Metric:
    return Metric(value=value, unit="fraction", source="tastytrade", as_of=b.NOW - timedelta(hours=2))


METRICS = {"iv_rank": iv(0.31), "iv_2025-11-07": iv(0.1616), "iv_2025-10-13": iv(0.142), "iv_2026-03-20": iv(0.19)}


@pytest.mark.parametrize("width", [PLAIN, *WIDTHS])
def test_the_broker_s_term_structure_is_shown_in_order_and_no_further_than_of_use(width: int) -> None:
    text = market(width, snapshot=replace(SNAPSHOT, metrics=METRICS))
    assert re.search(r"2025-10-13\D+7\D+14\.20%", text)
    assert re.search(r"2025-11-07\D+32\D+16\.16%", text)
    assert text.index("14.20%") < text.index("16.16%")
    assert "19.00%" not in text
    assert width == PLAIN or [line for line in text.splitlines() if cell_len(line) > width] == []
    assert "Term structure at the broker" not in market(width)


# Documents.


def market_document(told: Briefing, snapshot: MarketSnapshot, report: QualityReport) -> dict[str, Any]:
    return encode_document(MARKET, MarketPreview(snapshot=snapshot, checked=None, quality=report, briefing=told))


def test_the_document_says_what_the_gates_said_and_what_the_broker_computes() -> None:
    gate = Gate(name="quote_age", figure="3 h", limit="20 min", verdict=Verdict.STOP)
    stopped = market_document(briefing(), replace(SNAPSHOT, metrics=METRICS), QualityReport(gates=(gate,)))
    check(stopped)
    assert stopped["quality"]["stopped_by"] == "quote_age"
    assert stopped["broker"]["iv_2025-11-07"]["value"] == 0.1616
    assert stopped["broker"]["iv_rank"]["as_of"] == "2025-10-06T12:00:00Z"
    assert market_document(briefing(), SNAPSHOT, REPORT)["quality"]["stopped_by"] is None


def test_the_market_document_fits_its_schema_and_is_json() -> None:
    for told in (briefing(), briefing(b.snapshot(history=(), volatility={}), None, dividends=None, bars=())):
        document = market_document(told, SNAPSHOT, REPORT)
        check(document)
        assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_document_has_all_digits_and_every_reason() -> None:
    document = market_document(briefing(), SNAPSHOT, REPORT)
    told = briefing().figures
    assert list(document["figures"]) == list(told)
    for path, figure in told.items():
        part = document["figures"][path]
        assert (part["value"], part["unit"], part["source"]) == (figure.value, figure.unit, figure.source)
        assert (part["missing"], part["count"]) == (figure.missing, figure.count)
    assert document["figures"]["market.prior_close"]["as_of"] == "2025-10-03T20:00:00Z"
    assert document["events"][1]["confirmed"] is False
    assert document["sources"][0] == {
        "datum": "chain", "source": "tastytrade", "ok": False, "detail": "no credentials", "ms": 0
    }  # fmt: skip


def test_the_expirations_document_fits_its_schema() -> None:
    for days in ((4, 30, 31), (4,), ()):
        document = encode_document(EXPIRATIONS, found_expirations(listed(b.TODAY, *days), b.TODAY))
        check(document)
        assert document["chosen"] == ("2025-11-06" if 31 in days else None)
