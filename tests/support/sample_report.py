"""A made-up report with everything that a page can show. No market stands behind it."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from spy32.domain.report import (
    Attribution,
    AttributionParts,
    Bounds,
    EquityPoint,
    ExperimentPoint,
    ExperimentState,
    GroupResult,
    ModelUse,
    Money,
    OpenExpiration,
    Reliability,
    ReliabilityPoint,
    Report,
    ReportTrade,
)
from spy32.domain.results import ResultTotals
from spy32.domain.spreads import Mode
from spy32.render.report_html import html_page
from spy32.review.betting import MIN_OUTCOMES
from tests.support import builders

START = date(2025, 1, 6)
PARTS = {
    "time": Decimal("21.10"), "spot": Decimal("-9.05"), "vol": Decimal("4.00"), "smile": Decimal("-0.75"),
    "rest": Decimal("0.40"), "fees": Decimal("-2.26"),
}  # fmt: skip
EXITS = ("target", "time", "expired", "stop")


def cents(amount: float) -> Decimal:
    return Decimal(str(round(amount, 2)))


def sample_report(trades: int = 52) -> Report:
    """A report of so many trades, one a week; the same number gives the same report."""
    rng = random.Random(7)
    results = [cents(rng.choice((60, 45, 30, -40, -250)) + rng.random()) for _ in range(trades)]
    total, wins = sum(results, Decimal(0)), sum(result > 0 for result in results)
    points = tuple(
        ReliabilityPoint(stated=x, came_true=y, low=y - 0.1, high=min(y + 0.08, 1.0), count=40)
        for x, y in ((0.7, 0.72), (0.8, 0.85), (0.9, 0.93))
    )
    return Report(
        mode=Mode.PAPER,
        is_synthetic=True,
        since=None,
        until=datetime(2026, 1, 5, 21, tzinfo=UTC),
        runs=trades,
        outcomes={"known": 12 * trades, "open": 48, "missing": 0},
        totals=ResultTotals(
            unrealized=Decimal("12.50"), unmarked=(), week=Decimal(0), month=Decimal("33.00"), total=total,
            week_start=date(2026, 1, 5), month_start=date(2026, 1, 1),
        ),
        trades=tuple(_trade(number, result, rng) for number, result in enumerate(results)),
        equity=_equity(results),
        groups={
            "exit": tuple(_group(name, results[place::4]) for place, name in enumerate(EXITS[:trades])),
            "side": (_group("put", results[::2]), *([_group("call", results[1::2])] if trades > 1 else [])),
        },
        win_rate=_bounds(wins / trades, wins / trades * 0.85, min(wins / trades + 0.09, 1), count=trades, hits=wins),
        stated_profit=0.79,
        per_session=Decimal("0.85"),
        best=1,
        worst=min(5, trades),
        win_streak=9,
        loss_streak=2,
        slippage=Decimal("123.00"),
        exit_less_holding=_bounds(-0.004, -0.11, 0.098, count=trades, hits=trades // 2),
        reliability=(
            Reliability(
                source="market", event="expires worthless", count=600, weeks=trades, brier=0.11, miscalibration=0.008,
                discrimination=0.02, uncertainty=0.122, stated=0.80,
                came_true=_bounds(0.84, 0.74, 0.91, count=600, hits=504), points=points,
            ),
        ),
        attribution=tuple(_attribution(number) for number in range(trades)),
        attribution_sum=AttributionParts(**{name: part * trades for name, part in PARTS.items()}),
        models=(
            ModelUse(
                name="grok-4 v3-comprehensive", asked=trades, traded=trades - 6, abstained=6, failed=0, vetoed=1,
                agreed=30, unmatched=4, latency_seconds=21.4, tokens=700_000, cost=1.23, cost_per_decision=0.0237,
            ),
        ),
        selection=_bounds(0.004, -0.05, 0.06, count=trades, hits=trades // 2),
        experiments=(_experiment(trades),),
        money=Money(premium=total + 3000, closing_cost=Decimal(2800), fees=Decimal(200), result=total),
        open_max_loss=Decimal("864.52"),
        ladder=(OpenExpiration(expiration=date(2026, 2, 6), trades=1, contracts=2, max_loss=Decimal("864.52")),),
    )  # fmt: skip


def _bounds(mean: float, low: float, high: float, *, count: int, hits: int) -> Bounds:
    """The counts alone of less than 31 weeks. Of reliability there are always enough."""
    if count < MIN_OUTCOMES:
        return Bounds(mean=None, low=None, high=None, count=count, hits=hits)
    return Bounds(mean=mean, low=low, high=high, count=count, hits=hits)


def _trade(number: int, result: Decimal, rng: random.Random) -> ReportTrade:
    opened = START + timedelta(weeks=number)
    return ReportTrade(
        id=number + 1, run_id=number + 1, strategy="put_credit_spread", opened=opened,
        closed=opened + timedelta(days=11), quantity=2, credit=Decimal("0.70"), max_loss=Decimal("864.52"),
        result=result, unrealized=None, days_held=rng.randint(4, 31), credit_kept=float(result) / 140,
        slippage=cents(rng.uniform(-4, 12)), exit_reason=EXITS[number % 4], stated=0.79,
        holding=cents(rng.uniform(-300, 140)),
    )  # fmt: skip


def _equity(results: list[Decimal]) -> tuple[EquityPoint, ...]:
    sums = list(accumulate(results))
    peaks = list(accumulate(sums, max, initial=Decimal(0)))[1:]
    return tuple(
        EquityPoint(
            day=START + timedelta(weeks=number), realized=at, unrealized=Decimal(0), total=at, drawdown=at - peak
        )
        for number, (at, peak) in enumerate(zip(sums, peaks, strict=True))
    )


def _group(name: str, results: list[Decimal]) -> GroupResult:
    wins, total = sum(result > 0 for result in results), sum(results, Decimal(0))
    is_enough = len(results) >= MIN_OUTCOMES
    return GroupResult(
        name=name, count=len(results), wins=wins, result=total,
        mean=cents(float(total) / len(results)) if is_enough else None,
        share=_bounds(wins / len(results), 0.6, 0.95, count=len(results), hits=wins)
        if is_enough and name not in EXITS
        else None,
    )  # fmt: skip


def _attribution(number: int) -> Attribution:
    start = START + timedelta(weeks=number)
    return Attribution(trade_id=number + 1, start=start, end=start + timedelta(days=1), parts=AttributionParts(**PARTS))


def _experiment(pairs: int) -> ExperimentState:
    path = tuple(
        ExperimentPoint(
            day=START + timedelta(weeks=5 + number), difference=(-1) ** number * 0.2, evidence=1 + number / 20,
            low=-0.9 / (1 + number / 10), high=0.9 / (1 + number / 10),
        )
        for number in range(pairs)
    )  # fmt: skip
    return ExperimentState(
        experiment=builders.experiment(
            at=datetime(2025, 1, 6, 15, tzinfo=UTC),
            terms=builders.experiment_terms(challenger="grok v3-comprehensive"),
        ),
        known=pairs, pending=4, needed=445, evidence=3.5,
        evidence_against=0.4, interval=_bounds(0.01, -0.15, 0.15, count=pairs, hits=pairs // 2),
        words=f"collecting: {pairs} outcomes of about 445 needed for 0.3 SD", path=path,
    )  # fmt: skip


def empty_report(runs: int = 0, *models: ModelUse) -> Report:
    """A report of an account without a trade."""
    return Report(
        mode=Mode.PAPER, is_synthetic=False, since=None, until=datetime(2026, 1, 5, 21, tzinfo=UTC), runs=runs,
        outcomes={},
        totals=ResultTotals(
            unrealized=Decimal(0), unmarked=(), week=Decimal(0), month=Decimal(0), total=Decimal(0),
            week_start=date(2026, 1, 5), month_start=date(2026, 1, 1),
        ),
        trades=(), equity=(), groups={}, win_rate=None, stated_profit=None, per_session=None, best=None, worst=None,
        win_streak=0, loss_streak=0, slippage=Decimal(0), exit_less_holding=None, reliability=(), attribution=(),
        models=models, selection=None, experiments=(),
    )  # fmt: skip


def sample_page(report: Report) -> str:
    """The HTML page of a report."""
    return html_page(report)
