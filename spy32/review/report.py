"""Builds the report from the store alone."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from math import ceil

import numpy as np

from spy32.domain.option_class import underlying_for_root
from spy32.domain.orders import Trade
from spy32.domain.report import (
    Attribution,
    AttributionParts,
    Bounds,
    EquityPoint,
    ExperimentState,
    OpenExpiration,
    Report,
)
from spy32.domain.spreads import CENT
from spy32.domain.units import sum_amounts
from spy32.lifecycle import ENDED_TRADES
from spy32.records.report import ReportRows
from spy32.review.attribution import attributions
from spy32.review.betting import MIN_OUTCOMES
from spy32.review.bounds import mean_bounds, week_numbers, weekly_means
from spy32.review.model_use import model_use
from spy32.review.reliability import source_reliability
from spy32.review.sharpe import sharpe_ratio
from spy32.review.trade_results import (
    equity,
    longest_streaks,
    mean_amount,
    money,
    trade_groups,
    trade_row,
    win_rate,
)
from spy32.sessions import last_trading_day, market_date, sessions_between
from spy32.store import Store

AUDITED = (
    "stamp", "flag", "trade", "adoption", "disposal", "experiment", "daily_close", "outcome", "fill", "broker_order",
    "approval", "proposal", "mark", "run", "answer", "attempt", "menu", "candidate", "snapshot",
)  # fmt: skip
"""Tables that the report reads, those first that most rests on: they are compared with the history."""
AUDITED_ROWS = 60_000
"""Most rows that are compared, within about a second: some twenty years of weekly runs."""

ATTRIBUTED_TRADES = 52
"""Newest trades whose results are attributed: a year of weeks. Every leg of every mark is valued again for it."""


def build_report(
    store: Store,
    now: datetime,
    *,
    since: date | None = None,
    experiments: Sequence[ExperimentState] = (),
    is_synthetic: bool = False,
) -> Report:
    """Return the report of the runs that started, and the trades that were opened, on a New York day or later."""
    with store.core.read_transaction(), _collection_paused():
        return _ReportBuilder(store, now, since).build(tuple(experiments), is_synthetic=is_synthetic)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Keep the collector of cycles away while millions of objects are made that have none: a sixth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _ReportBuilder:
    """Reads once what several parts of the report need."""

    def __init__(self, store: Store, now: datetime, since: date | None) -> None:
        self._store, self._now, self._since = store, now, since
        self._rows = ReportRows(store.core, since)
        self._marks = self._rows.daily_marks()
        origins, slippages = self._rows.origins(), self._rows.slippages()
        newest = {trade_id: amount for trade_id, _, amount in self._marks}
        self._trades = [
            trade_row(trade, origins[trade.id], newest.get(trade.id), slippages.get(trade.id))
            for trade in store.trades.select()
            if trade.id in origins
        ]
        ended = [row for row in self._trades if row.trade.state in ENDED_TRADES and row.trade.result is not None]
        self._ended = sorted(ended, key=lambda row: (row.trade.closed_at or now, row.trade.id))
        self._results = [row.trade.result or Decimal(0) for row in self._ended]
        lives = [(row.trade.expiration - row.shown.opened).days for row in self._trades]
        self._streams = max(ceil(max([self._rows.longest_life(), *lives]) / 7), 1)

    def build(self, experiments: tuple[ExperimentState, ...], *, is_synthetic: bool) -> Report:
        rows = self._rows
        path, account = self._equity(), rows.account()
        outcomes, absent = self._outcome_counts()
        run_outcomes, answers, picks = rows.run_outcomes(), rows.answers(), rows.picks()
        won_share = win_rate(self._ended, self._streams)
        mean, average_win, average_loss = _averages(self._results, won_share)
        wins, losses = longest_streaks(self._results)
        by_result = sorted(self._ended, key=lambda row: row.trade.result or Decimal(0))
        found = self._store.audit.row_faults(AUDITED, AUDITED_ROWS)
        intervals, ladder = self._attribution(), _ladder([row.trade for row in self._trades])
        return Report(
            mode=self._store.core.mode,
            is_synthetic=is_synthetic,
            since=self._since,
            until=self._now,
            runs=sum(run_outcomes.values()),
            outcomes=outcomes,
            totals=self._store.results.totals(market_date(self._now)),
            trades=tuple(row.shown for row in self._trades),
            equity=path,
            groups=trade_groups(self._ended, self._streams),
            win_rate=won_share,
            stated_profit=self._stated_profit(),
            per_session=self._per_session(self._results),
            best=by_result[-1].trade.id if by_result else None,
            worst=by_result[0].trade.id if by_result else None,
            win_streak=wins,
            loss_streak=losses,
            slippage=sum_amounts(row.shown.slippage or Decimal(0) for row in self._trades),
            exit_less_holding=self._mean_bounds(self._exits_less_holding()),
            reliability=source_reliability(rows.stated_probabilities(), answers, self._streams),
            attribution=intervals,
            models=model_use(answers, rows.requests()),
            selection=self._mean_bounds((pick.result - pick.menu_mean, date.fromisoformat(pick.day)) for pick in picks),
            experiments=experiments,
            deletions=found.faults,
            notes=tuple(_notes(absent, found.unchecked)),
            money=money([row.trade for row in self._ended]),
            sharpe=sharpe_ratio(np.array([float((row.trade.result or 0) / row.trade.max_loss) for row in self._ended])),
            ladder=ladder,
            open_max_loss=sum_amounts(step.max_loss for step in ladder),
            attribution_sum=AttributionParts.add_up([each.parts for each in intervals]) if intervals else None,
            run_outcomes=run_outcomes,
            account=account,
            account_return=float(path[-1].realized / account) if path and account else None,
            mean_result=mean,
            average_win=average_win,
            average_loss=average_loss,
        )

    def _exits_less_holding(self) -> Iterator[tuple[float, date]]:
        """Yield what each exit brought beyond holding to expiration, of the maximum loss, with the day of entry.

        Of each trade whose expiration has closed; one that was held has a difference of zero or its fees.
        """
        for _, _, trade in self._ended:
            if trade.holding is not None:
                yield float(((trade.result or Decimal(0)) - trade.holding) / trade.max_loss), trade.opened

    def _outcome_counts(self) -> tuple[dict[str, int], int]:
        """Return the candidates by what is known of their expiration, and how many have no outcome yet."""
        menus = self._rows.menus()
        last = {
            each: self._store.outcomes.last_session(self._now, is_recorded=each)
            for each in {menu.is_recorded for menu in menus}
        }
        counts = {"known": sum(menu.known for menu in menus), "open": 0, "missing": 0}
        for menu in menus:
            is_over = last_trading_day(menu.expiration) <= last[menu.is_recorded]
            counts["missing" if is_over else "open"] += menu.candidates - menu.known
        return counts, sum(menu.candidates - menu.computed for menu in menus)

    def _equity(self) -> tuple[EquityPoint, ...]:
        """The path of the trades of this report. A result that became final in parts counts on the day of each."""
        in_parts = self._rows.partly_closed()
        realized: dict[date, Decimal] = {}
        for trade, _, shown in self._trades:
            parts = [(shown.closed, shown.result)]
            if trade.id in in_parts:
                found = self._store.results.compute(trade).realizations
                parts = [(market_date(part.at), part.amount) for part in found]
            for day, amount in parts:
                if day is not None and amount is not None:
                    realized[day] = realized.get(day, Decimal(0)) + amount
        chosen = {row.trade.id for row in self._trades}
        ends = {row.trade.id: row.shown.closed for row in self._trades if row.shown.closed is not None}
        return equity(realized, [mark for mark in self._marks if mark[0] in chosen], ends)

    def _stated_profit(self) -> float | None:
        stated = [(trade.stated, trade.opened) for _, _, trade in self._ended if trade.stated is not None]
        if not stated:
            return None
        probabilities, days = zip(*stated, strict=True)
        return float(np.nanmean(weekly_means(np.array(probabilities), week_numbers(days))))

    def _per_session(self, results: Sequence[Decimal]) -> Decimal | None:
        if len(results) < MIN_OUTCOMES:
            return None
        lives = [(trade.opened, trade.closed) for _, _, trade in self._ended if trade.closed is not None]
        sessions = sum(max(sessions_between(opened, closed), 1) for opened, closed in lives)
        return (sum_amounts(results) / sessions).quantize(CENT, ROUND_HALF_EVEN)

    def _attribution(self) -> tuple[Attribution, ...]:
        trades = [row.trade for row in self._trades[-ATTRIBUTED_TRADES:]]
        ends = [trade.expiration for trade in trades]
        tickers = {underlying_for_root(trade.legs[0].root) for trade in trades}
        closes = [
            close
            for ticker in sorted(tickers)
            for close in self._store.outcomes.closes.select(ticker, min(ends), max(ends))
        ]
        return attributions(self._store, *trades, closes=closes)

    def _mean_bounds(self, found: Iterable[tuple[float, date]]) -> Bounds | None:
        """Of shares of the maximum loss by the day of entry, cut at the whole of it as in experiments."""
        pairs = list(found)
        shares = np.clip(np.array([share for share, _ in pairs]), -1.0, 1.0)
        return mean_bounds(shares, week_numbers([day for _, day in pairs]), self._streams)


def _averages(
    results: Sequence[Decimal], won_share: Bounds | None
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return the mean result, the mean win and the mean loss, dollars; None of too few weeks for a share of wins."""
    if won_share is None or won_share.mean is None:
        return None, None, None
    wins, losses = ([each for each in results if (each > 0) is is_win] for is_win in (True, False))
    return mean_amount(results), mean_amount(wins) if wins else None, mean_amount(losses) if losses else None


def _ladder(trades: Iterable[Trade]) -> tuple[OpenExpiration, ...]:
    """Return what is open of these trades, by expiration."""
    ordered = sorted((each for each in trades if each.state not in ENDED_TRADES), key=lambda trade: trade.expiration)
    groups = [(day, list(group)) for day, group in groupby(ordered, key=lambda trade: trade.expiration)]
    return tuple(
        OpenExpiration(
            expiration=day,
            trades=len(held),
            contracts=sum(trade.remaining for trade in held),
            max_loss=sum_amounts(trade.max_loss * trade.remaining / trade.quantity for trade in held),
        )
        for day, held in groups
    )


def _notes(absent: int, unchecked: Sequence[str]) -> Iterator[str]:
    if absent:
        yield f"{absent} candidates have no outcome yet; `outcomes refresh` computes what the closes tell"
    if unchecked:
        names = ", ".join(name.replace("_", " ") for name in unchecked)
        yield f"too many rows to compare with the history here, as `audit verify` does: {names}"
