"""The report's words: intervals, deletions, what is not known yet."""

from dataclasses import replace
from decimal import Decimal

from spy32.domain.report import Bounds, OpenExpiration, SharpeRatio
from spy32.domain.spreads import Mode
from spy32.render.output import format_page
from spy32.render.report import more_page, report_page, report_pages, share_words, sharpe_words
from spy32.render.tables import draw_page
from tests.support import builders
from tests.support.reader import screen
from tests.support.sample_report import sample_report

REPORT = sample_report()


def text(**over: object) -> str:
    return format_page(report_page(replace(REPORT, **over), "exit"))  # type: ignore[arg-type]


def test_a_share_has_its_count_and_its_interval_where_there_is_one() -> None:
    assert share_words(Bounds(mean=0.834, low=0.7, high=0.92, count=52, hits=43)) == "83% [70, 92] of 52"
    assert share_words(Bounds(mean=None, low=None, high=None, count=4, hits=2)) == "2 of 4"
    assert share_words(None) == "too few"


def test_the_level_stands_with_the_intervals_and_few_weeks_have_neither() -> None:
    assert "90% interval of the long run's mean, whenever one looks" in text()
    few = format_page(report_page(sample_report(12), "exit"))
    assert "choice: against the menu's average: better in 6 of 12 (12 picks)" in few
    assert "(12 trades): better in 6 of 12" in few
    figures = replace(sample_report(12), reliability=())
    assert "in brackets" not in format_page(report_page(figures, "exit"))


def test_a_group_that_its_result_defines_has_counts_and_dollars() -> None:
    rows = [line for line in text().splitlines() if line.startswith("by exit target")]
    (target,) = (group for group in REPORT.groups["exit"] if group.name == "target")
    assert rows and rows[0].endswith(f"wins {target.wins} of {target.count}")


def test_what_the_history_misses_is_said_first() -> None:
    lines = text(deletions=("row 3 of trade was deleted by hand",)).splitlines()
    assert any("row 3 of trade was deleted by hand" in line for line in lines[:6])
    assert any("the figures are of what the tables hold now" in line for line in lines[:6])
    many = text(deletions=tuple(f"row {number} of trade was deleted by hand" for number in range(9)))
    assert "row 2 of" in many
    assert "row 3 of" not in many
    assert "and 6 more rows" in many


def test_a_made_up_year_says_so_and_a_live_one_is_an_alarm() -> None:
    assert "SYNTHETIC MARKET" in text()
    assert "SYNTHETIC" not in text(is_synthetic=False)
    assert report_page(replace(REPORT, mode=Mode.LIVE), "exit").alarm


def test_experiments_are_told_in_their_own_words() -> None:
    assert "collecting: 52 outcomes of about 445 needed for 0.3 SD" in text()


def test_what_is_open_is_told_by_expiration() -> None:
    ladder = (OpenExpiration(expiration=builders.EXPIRATION, trades=2, contracts=3, max_loss=Decimal("1344.78")),)
    assert "$1,344.78 at most on 1 expiration" in text(ladder=ladder, open_max_loss=Decimal("1344.78"))
    assert "2025-11-07" in format_page(more_page(replace(REPORT, ladder=ladder), "exit"))


def test_a_lower_terminal_leaves_out_the_grids() -> None:
    lengths = [len(draw_page(screen(80), page).splitlines()) for page in report_pages(REPORT, "exit")]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 3
    assert lengths[0] <= 23


def test_a_ratio_is_never_without_its_count_and_the_overlap() -> None:
    found = SharpeRatio(count=52, ratio=0.067, skew=-2.8, kurtosis=9.4, probabilistic=0.67, needed=727)
    words = sharpe_words(found)
    for part in ("n = 52", "overlapping", "0.67", "727 independent trades", "kurtosis 9.4"):
        assert part in words
    assert "No number of trades like these could show it: the mean is negative" in sharpe_words(
        replace(found, ratio=-0.1, needed=None)
    )
    assert sharpe_words(None) == "too few ended trades."


def test_colour_repeats_what_the_words_say() -> None:
    page = report_page(REPORT, "exit")
    assert "\x1b[" in draw_page(screen(80, colour=True), page)
    assert "\x1b[" not in draw_page(screen(80), page)


def test_managing_has_both_sums_and_the_mean_difference() -> None:
    first, second = REPORT.trades[:2]
    trades = (
        replace(first, result=Decimal(-100), holding=Decimal(-300), quantity=1),
        replace(second, result=Decimal(40), holding=Decimal(120), quantity=3),
        replace(second, id=3, holding=None),
    )
    means = Bounds(mean=0.03, low=-0.04, high=0.1, count=2, hits=1)
    assert (
        "managing: lost $60, holding would have lost $180 (2 trades): +3.0% [-4.0%, +10.0%] of max loss: undecided\n"
    ) in text(trades=trades, best=None, worst=None, exit_less_holding=means)
    assert "no expiration of an ended trade has closed yet" in text(trades=trades[2:], best=None, worst=None)


def test_a_choice_is_undecided_as_long_as_its_interval_holds_zero() -> None:
    def said(low: float | None, high: float | None) -> str:
        return text(selection=Bounds(mean=-0.109, low=low, high=high, count=41, hits=15))

    assert "average: -10.9% [-23.6%, +2.4%] of max loss: undecided (41 picks)\n" in said(-0.236, 0.024)
    assert "average: -10.9% [-23.6%, -2.4%] of max loss: below 0 (41 picks)\n" in said(-0.236, -0.024)


def test_runs_are_told_by_how_they_ended() -> None:
    endings = {"proposed": 40, "holiday": 6, "no_trade": 4, "missed": 2}
    assert "· 52 runs: 40 proposed, 6 holiday, 4 no trade, ...\n" in text(run_outcomes=endings)


def test_results_have_their_means_and_their_share_of_the_account() -> None:
    found = text(
        mean_result=Decimal("-44.41"), average_win=Decimal("68.34"), average_loss=Decimal("-198.71"),
        account_return=-0.02,
    )  # fmt: skip
    assert "expectancy: -$44.41 a trade, $123.00 of slippage included; -2.0% on the account\n" in found
    assert " · average win +$68.34, loss -$198.71\n" in found


def test_a_group_of_all_trades_is_named_and_the_first_screens_group_not_repeated() -> None:
    groups = {**REPORT.groups, "weekday": REPORT.groups["side"][:1]}
    found = format_page(more_page(replace(REPORT, groups=groups), "exit"))
    assert "more alike in all: weekday put\n" in found
    assert "by side put: " in found
    assert "by exit" not in found
    assert "by weekday" not in found
