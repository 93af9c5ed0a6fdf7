"""A frozen briefing and menu for prompts: every figure path there is, written out, in the builders' world."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from spy32.analysts import prompt
from spy32.analysts.rendered_prompt import RenderedPrompt
from spy32.domain.briefing import Briefing, OpenSpread
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, Metric
from spy32.domain.spreads import Candidate, Menu
from tests.support import builders as b

FIGURES: tuple[tuple[str, float, str, str], ...] = (
    ("market.spot", 670.0, "dollars", "live"),
    ("market.prior_close", 669.004, "dollars", "close"),
    ("market.gap", 0.0014948, "fraction", "live"),
    ("market.return_1d", 0.0085204, "fraction", "close"),
    ("market.return_5d", 0.0102, "fraction", "close"),
    ("market.return_20d", 0.0153, "fraction", "close"),
    ("market.return_60d", 0.0512, "fraction", "close"),
    ("market.rv_10d", 0.1123, "fraction", "close"),
    ("market.rv_20d", 0.1199, "fraction", "close"),
    ("market.rv_32d", 0.12, "fraction", "close"),
    ("market.rv_60d", 0.1307, "fraction", "close"),
    ("market.rv_180d", 0.1811, "fraction", "close"),
    ("market.rv_252d", 0.1713, "fraction", "close"),
    ("market.atm_iv", 0.1600312, "fraction", "live"),
    ("market.iv_less_rv_20d", 0.30000000000000004, "fraction", "live"),
    ("market.iv_rank", 0.21, "fraction", "close"),
    ("market.iv_percentile", 0.33, "fraction", "close"),
    ("market.vix", 16.5, "percent", "live"),
    ("market.vix9d", 15.2, "percent", "live"),
    ("market.vix3m", 19.1, "percent", "live"),
    ("market.vix9d_over_vix", 0.9212, "ratio", "live"),
    ("market.vix_over_vix3m", 0.8639, "ratio", "live"),
    ("market.skew_25d", 0.0431, "fraction", "live"),
    ("market.put_call_open_interest", 1.812, "ratio", "live"),
    ("market.put_call_volume", 1.3334, "ratio", "live"),
    ("market.expected_move", 31.739, "dollars", "live"),
    ("market.expected_move_share", 0.04737, "fraction", "live"),
    ("market.forward", 671.648, "dollars", "live"),
    ("market.rate", 0.04, "fraction", "close"),
    ("market.sma_20", 664.91, "dollars", "close"),
    ("market.sma_50", 650.02, "dollars", "close"),
    ("market.ema_10", 666.13, "dollars", "close"),
    ("market.ema_20", 662.7, "dollars", "close"),
    ("market.from_sma_20", 0.00765, "fraction", "live"),
    ("market.from_sma_50", 0.03074, "fraction", "live"),
    ("market.rsi_14", 61.234, "points", "close"),
    ("market.bollinger_low", 655.2, "dollars", "close"),
    ("market.bollinger_mid", 664.91, "dollars", "close"),
    ("market.bollinger_high", 674.62, "dollars", "close"),
    ("market.bollinger_share", 0.7621, "fraction", "live"),
    ("market.atr_14", 7.11, "dollars", "close"),
    ("market.atr_14_share", 0.0106, "fraction", "close"),
    ("market.momentum_20d", 10.2, "dollars", "close"),
    ("market.volume_ratio_20d", 0.912, "ratio", "close"),
    ("market.low_20d", 652.1, "dollars", "close"),
    ("market.high_20d", 674.46, "dollars", "close"),
    ("market.low_180d", 481.8, "dollars", "close"),
    ("market.high_180d", 674.46, "dollars", "close"),
    ("market.broker_iv_rank", 0.19, "fraction", "live"),
    ("market.broker_iv_percentile", 0.31, "fraction", "live"),
    ("related.QQQ", 0.0071, "fraction", "live"),
    ("related.TLT", -0.0021, "fraction", "live"),
    ("related.GLD", -0.00001, "fraction", "live"),
)
"""Path, value, unit, and whether it is of the last minutes or of Friday's close."""
CLOSE = b.NOW - timedelta(days=2, hours=18)
IDS = tuple(f"{letter}{digit}{other}{digit}" for letter in "ABCDE" for other, digit in zip("KMPQ", "2345", strict=True))


def figures(**over: Metric) -> dict[str, Metric]:
    """Every figure; `rsi_14=datum` replaces `market.rsi_14`."""
    made = {
        path: Metric(
            value=value,
            unit=unit,
            source="cboe" if when == "live" else "yahoo",
            as_of=b.NOW - timedelta(minutes=15) if when == "live" else CLOSE,
            count=252 if path in ("market.iv_rank", "market.iv_percentile") else None,
        )
        for path, value, unit, when in FIGURES
    }
    return {**made, **{f"market.{name}": datum for name, datum in over.items()}}


def bars(count: int = 32) -> tuple[DailyBar, ...]:
    first = date(2025, 9, 1)
    return tuple(
        DailyBar(day=first + timedelta(days=i), close=640.0 + i, open=639.5 + i, high=641.25 + i, low=638.1 + i)
        for i in range(count)
    )


FOMC = ScheduledEvent(
    kind=EventKind.FOMC, day=date(2025, 10, 29), time="14:00", source="table of 2025", note="rate decision"
)
JOBS = ScheduledEvent(
    kind=EventKind.JOBS, day=date(2025, 11, 7), time="08:30", source="table of 2025", is_confirmed=False
)


def held(**over: Any) -> OpenSpread:
    base: dict[str, Any] = {
        "underlying": "SPY",
        "strategy": "put_credit_spread",
        "short_strike": Decimal("635"),
        "long_strike": Decimal("630"),
        "expiration": date(2025, 10, 24),
        "quantity": 3,
        "credit": Decimal("0.61"),
        "max_loss": Decimal("1323.78"),
    }
    return OpenSpread(**{**base, **over})


def briefing(**over: Any) -> Briefing:
    base: dict[str, Any] = {
        "underlying": "SPY",
        "as_of": b.NOW,
        "target": b.EXPIRATION,
        "dte": 32,
        "figures": figures(ema_20=Metric(value=None, unit="dollars", source="", missing="needs 40 closes, has 32")),
        "bars": bars(),
        "events": (FOMC, JOBS),
        "unknown_events": {"cpi": "unknown after 2025-10-15"},
        "dividends": (Dividend(ex_date=date(2025, 10, 31), amount=Decimal("1.831")),),
        "held": (held(),),
        "open_risk": Decimal("1323.78"),
        "net_liquidation": Decimal("98765.43"),
        "flags": ("quotes are 15 minutes late",),
    }
    return Briefing(**{**base, **over})


def candidates() -> tuple[Candidate, ...]:
    """Twenty of them, ten a side."""
    puts = [("648", "646"), ("648", "643"), ("648", "638"), ("643", "641"), ("643", "638"), ("643", "633"),
            ("637", "635"), ("637", "632"), ("637", "627"), ("632", "627")]  # fmt: skip
    calls = [("690", "692"), ("690", "695"), ("690", "700"), ("694", "696"), ("694", "699"), ("694", "704"),
             ("698", "700"), ("698", "703"), ("698", "708"), ("702", "707")]  # fmt: skip
    return tuple(b.candidate(*pair, id=name) for pair, name in zip([*puts, *calls], IDS, strict=True))


def menu(*chosen: Candidate, **over: Any) -> Menu:
    return replace(b.menu(candidates=chosen or candidates(), notes=()), **over)


FULL, SHORT = "v2-comprehensive", "v2-simplified"
DIVIDER = " | "


def rendered(version: str = FULL, *, shuffle: int = 3, of: Menu | None = None, **over: Any) -> RenderedPrompt:
    return prompt.render_prompt(prompt.read_template(version), of or menu(), briefing(**over), shuffle=shuffle)


def lines(text: str) -> list[list[str]]:
    return [line.split(DIVIDER) for line in text.splitlines()]


def rows(made: RenderedPrompt) -> dict[str, dict[str, str]]:
    """The menu as a reader takes it from the text: id -> column -> cell."""
    table = lines(made.user)
    head = next(cells for cells in table if cells[0] == "id")
    found = [cells for cells in table if cells[0] in made.ids]
    assert all(len(cells) == len(head) for cells in found)
    return {cells[0]: dict(zip(head[1:], cells[1:], strict=True)) for cells in found}


def answer(made: RenderedPrompt) -> dict[str, Any]:
    return {
        "schema_version": made.version,
        "as_of_echo": made.as_of,
        "evidence": ["market.spot", f"menu.{made.ids[0]}.mid"],
        "data_problems": [],
        "bull_case": "It may rise.",
        "bear_case": "It may fall.",
        "analysis": "The one outweighs the other.",
        "market_bias": "neutral",
        "decision": "trade",
        "candidate_id": made.ids[0],
        "abstain_reason": None,
        "p_max_profit": 0.8,
        "would_change_my_mind": "A fall of two percent.",
    }
