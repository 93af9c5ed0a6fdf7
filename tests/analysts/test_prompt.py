"""Prompts: the same bytes for the same data, nothing in them that must not be, and a schema that the service takes."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spy32 import track_record
from spy32.analysts import prompt
from spy32.analysts.prompt_format import estimate_tokens
from spy32.domain.briefing import Briefing
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.market import DailyBar, Dividend, Metric
from spy32.domain.spreads import Strategy
from spy32.errors import BadSettings
from spy32.rules.market_metrics import compute_metrics
from spy32.settings import Environment, Settings
from tests.support import builders as b
from tests.support import outlooks
from tests.support import prompt_inputs as w
from tests.support.paths import DATA
from tests.support.prompt_inputs import DIVIDER, FULL, SHORT, lines, rendered, rows
from tests.support.shipped_menu import checked, whole_menu

RELEASED = {
    "v1-comprehensive": "137116373b246a8237e862ef3c8fc42cd3db4260166f43c97a0d64237a967a80",
    "v1-simplified": "4ad0ff1d386e13e80fadbe33f0e684be1c91e0b001198b983ad0aef5b5c9aba0",
    "v2-comprehensive": "b8cfd4229eabb550a51b7947dad59eb0dd8cf7f6445d6a4e95c1822172e5ce80",
    "v2-simplified": "08bc7e23102ee7b9f411aae9d6b76ad9166c8bcf3bfc114cbb61240896017bd5",
}
"""Never changed, only added to: a released prompt stays what it was."""

HOURS = "options 09:30 to 16:15 New York"
GOLDEN = DATA / "prompts"


@pytest.fixture(autouse=True)
def _record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped table changes with every new year of outcomes."""
    monkeypatch.setattr(track_record, "read_track_record", outlooks.track_record)


# Versions and hashes.


def test_every_version_is_released_and_unchanged() -> None:
    assert {version: prompt.read_template(version).hash for version in prompt.LAYOUTS} == RELEASED


def test_every_folder_is_a_version() -> None:
    assert {folder.name for folder in prompt.PROMPTS_FOLDER.iterdir()} == set(prompt.LAYOUTS)


@pytest.mark.parametrize("name", ["system.txt", "user.txt", "schema.json"])
def test_a_word_in_any_file_makes_another_hash(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(prompt.PROMPTS_FOLDER, tmp_path / "prompts")
    monkeypatch.setattr(prompt, "PROMPTS_FOLDER", tmp_path / "prompts")
    assert prompt.read_template(FULL).hash == RELEASED[FULL]
    path = tmp_path / "prompts" / FULL / name
    path.write_text(path.read_text().replace("bull", "bear", 1) if name != "user.txt" else path.read_text() + "!")
    assert prompt.read_template(FULL).hash != RELEASED[FULL]


def test_the_order_of_the_answer_is_part_of_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(prompt.PROMPTS_FOLDER, tmp_path / "prompts")
    monkeypatch.setattr(prompt, "PROMPTS_FOLDER", tmp_path / "prompts")
    path = tmp_path / "prompts" / FULL / "schema.json"
    schema = json.loads(path.read_text())
    schema["properties"] = dict(reversed(schema["properties"].items()))
    path.write_text(json.dumps(schema))
    assert prompt.read_template(FULL).hash != RELEASED[FULL]


def test_line_ends_of_a_checkout_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(prompt.PROMPTS_FOLDER, tmp_path / "prompts")
    monkeypatch.setattr(prompt, "PROMPTS_FOLDER", tmp_path / "prompts")
    for path in (tmp_path / "prompts" / FULL).iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert prompt.read_template(FULL).hash == RELEASED[FULL]


@pytest.mark.parametrize("change", [{"renderer": 2}, {"columns": ("type",)}, {"sections": ()}, {"per_side": 9}])
def test_the_layout_is_part_of_the_hash(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "LAYOUTS", {FULL: replace(prompt.LAYOUTS[FULL], **change)})
    assert prompt.read_template(FULL).hash != RELEASED[FULL]


def test_auto_goes_by_the_environment() -> None:
    assert prompt.resolve_version("auto", Environment.PRODUCTION) == FULL
    assert prompt.resolve_version("auto", Environment.DEVELOPMENT) == SHORT
    assert prompt.resolve_version(SHORT, Environment.PRODUCTION) == SHORT


@pytest.mark.parametrize("wrong", ["v0", "", "v1-Comprehensive", "../v1-simplified", "v1-comprehensive "])
def test_an_unknown_version_names_the_known_ones(wrong: str) -> None:
    for ask in (lambda: prompt.resolve_version(wrong, Environment.PRODUCTION), lambda: prompt.read_template(wrong)):
        with pytest.raises(BadSettings, match="v1-comprehensive, v1-simplified, v2-comprehensive, v2-simplified"):
            ask()


def test_each_variant_knows_the_other() -> None:
    assert prompt.other_variant(FULL) == SHORT
    assert prompt.other_variant(SHORT) == FULL


# The text.


@pytest.mark.parametrize("version", prompt.LAYOUTS)
def test_a_frozen_snapshot_gives_the_same_bytes(version: str) -> None:
    made = rendered(version)
    text = f"{made.system}\n=====\n{made.user}\n=====\n{json.dumps(made.schema, indent=1)}\n"
    assert text == (GOLDEN / f"{version}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", [FULL, SHORT])
def test_nothing_is_in_it_that_must_not_be(version: str) -> None:
    made = rendered(version)
    text = made.system + made.user
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b|Infinity|\d\.\d{5,}|\de[+-]\d|-0\.0+\b", text)
    assert not re.search(r"\S@\S|://|(?<![\w.])[/~]\w|\$", text)
    assert "98765" not in text
    assert "1323" not in text


@pytest.mark.parametrize("version", [FULL, SHORT])
def test_every_path_that_may_be_cited_is_shown_with_that_very_text(version: str) -> None:
    made = rendered(version)
    table = {cells[0]: DIVIDER.join(cells[1:]) for cells in lines(made.user)}
    for path, sent in made.fields.items():
        assert sent.path == path
        if path.startswith("menu."):
            _, name, column = path.split(".")
            assert rows(made)[name][column] == sent.text
        else:
            assert table[path] == sent.text or table[path].startswith(sent.text + DIVIDER)
        assert sent.is_missing == sent.text.endswith("null")
        assert not sent.is_missing or sent.note
        if sent.value is not None and "away" not in sent.unit:
            assert sent.value == float(sent.text.split(DIVIDER)[-1])


def test_the_full_prompt_has_the_size_that_was_asked_for() -> None:
    made = rendered()
    words = estimate_tokens(made.system) + estimate_tokens(made.user)
    # A full menu of twenty; the estimate is up to a third above what tokenisers count.
    assert 3000 <= words <= 7900
    assert words < made.tokens <= 18_000
    small = rendered(SHORT)
    assert estimate_tokens(small.system) + estimate_tokens(small.user) < 2100
    assert small.tokens < 3900


def test_tokens_are_counted_by_words_digits_and_signs() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("market.spot | 670.00 | dollars") == 3 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1
    assert estimate_tokens("a\n1234567") == 1 + 1 + 3


def test_what_stays_the_same_comes_first() -> None:
    one, other = rendered(), rendered(as_of=b.later(minutes=7), underlying="QQQ")
    assert one.system == other.system
    assert "SPY" not in one.system


def test_figures_carry_value_unit_age_and_source_and_missing_ones_the_reason() -> None:
    table = {cells[0]: cells[1:] for cells in lines(rendered().user)}
    assert table["market.spot"] == ["670.00", "dollars", "15 min", '"cboe"']
    assert table["market.iv_rank"] == ["0.2100", "fraction", "2 d", '"yahoo" n=252']
    assert table["market.iv_less_rv_20d"] == ["0.3000", "fraction", "15 min", '"cboe"']
    assert table["related.GLD"][0] == "0.0000"
    assert table["market.ema_20"] == ["null", "dollars", '"needs 40 closes, has 32"']
    assert rendered().fields["market.ema_20"].note == "needs 40 closes, has 32"
    assert rendered().fields["market.iv_rank"].note == "2 d, yahoo, n=252"


def test_a_figure_without_a_time_says_so() -> None:
    made = rendered(figures=w.figures(vix=Metric(value=16.5, unit="percent", source="cboe")))
    assert "market.vix | 16.50 | percent | age unknown" in made.user


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [("dollars", 1.005, "1.00"), ("fraction", 0.12345, "0.1235"), ("ratio", 0.9996, "1.000"),
     ("furlongs", 12.345, "12.35"),
     ("furlongs", 0.12345, "0.1235"), ("dollars", -0.001, "0.00"), ("percent", 16.499, "16.50")],
)  # fmt: skip
def test_digits_go_by_the_unit(unit: str, value: float, text: str) -> None:
    made = rendered(figures={"market.spot": Metric(value=value, unit=unit, source="x", as_of=b.NOW)})
    assert made.fields["market.spot"].text == text
    assert made.fields["market.spot"].value == float(text)


@pytest.mark.parametrize("age", [0, -90, 59, 60, 7200, 172800])
def test_ages_are_in_one_unit_and_never_negative(age: int) -> None:
    want = {0: "0 min", -90: "0 min", 59: "0 min", 60: "1 min", 7200: "2 h", 172800: "2 d"}[age]
    made = rendered(figures=w.figures(vix=Metric(value=16.5, unit="percent", source="x", as_of=b.later(-age))))
    assert made.fields["market.vix"].note == f"{want}, x"


@pytest.mark.parametrize(
    ("when", "stamp", "state"),
    [
        (datetime(2025, 10, 6, 14, tzinfo=UTC), "2025-10-06T10:00:00-04:00", f"open; {HOURS}"),
        (
            datetime(2025, 10, 6, 13, 29, tzinfo=UTC),
            "2025-10-06T09:29:00-04:00",
            f"not open yet; {HOURS}",
        ),
        (datetime(2025, 10, 6, 20, 16, tzinfo=UTC), "2025-10-06T16:16:00-04:00", f"over; {HOURS}"),
        (datetime(2025, 10, 5, 14, tzinfo=UTC), "2025-10-05T10:00:00-04:00", "none today (Sunday)"),
        (datetime(2025, 11, 3, 15, 0, 0, 9, tzinfo=UTC), "2025-11-03T10:00:00-05:00", f"open; {HOURS}"),
    ],
)
def test_the_moment_is_new_yorks(when: datetime, stamp: str, state: str) -> None:
    made = rendered(as_of=when)
    assert made.as_of == stamp
    assert made.user.startswith(
        f"AS_OF {stamp}\nunderlying: SPY\nsession: {state}\nquotes: of 2025-10-06T09:45:00-04:00"
    )
    assert made.schema["properties"]["as_of_echo"]["const"] == stamp


def test_an_early_close_is_said() -> None:
    made = rendered(as_of=datetime(2025, 11, 28, 15, tzinfo=UTC), target=date(2025, 12, 30), dte=32)
    assert "session: open; options 09:30 to 13:15 New York, early close" in made.user


def test_the_plan_is_that_of_the_settings() -> None:
    own = Settings()
    own = replace(own, exit=replace(own.exit, profit_target=Decimal("0.35"), stop_multiple=Decimal("2.5")))
    made = prompt.render_prompt(prompt.read_template(SHORT), w.menu(), w.briefing(), shuffle=1, settings=own)
    assert made.fields["plan.profit_target"].value == 0.35
    assert made.fields["plan.stop_multiple"].value == 2.5
    assert made.fields["plan.time_exit"].text == "2025-10-17"
    assert made.fields["plan.last_exit"].text == "2025-11-06"
    soon = rendered(target=date(2025, 10, 8), dte=2)
    assert soon.fields["plan.time_exit"].text == "none"


def test_at_most_thirty_two_bars_the_newest() -> None:
    made = rendered(bars=w.bars(40))
    shown = [path for path in made.fields if path.startswith("bars.")]
    assert len(shown) == 32
    assert shown[-1] == f"bars.{w.bars(40)[-1].day}"
    assert made.fields[shown[-1]].value == w.bars(40)[-1].close
    assert "\nnone\n" in rendered(bars=()).user


def test_a_bar_with_holes_shows_null() -> None:
    day = date(2025, 10, 3)
    made = rendered(bars=(DailyBar(day=day, close=669.0), DailyBar(day=day + timedelta(days=1), close=float("nan"))))
    assert made.fields["bars.2025-10-03"].text == "null | null | 669.00"
    assert made.fields["bars.2025-10-04"].is_missing


def test_events_say_when_and_where_the_tables_end() -> None:
    text = rendered().user
    assert 'events.fomc.2025-10-29 | 14:00 | 23 days away | "table of 2025" | "rate decision"' in text
    assert 'events.jobs.2025-11-07 | 08:30 | 32 days away | "table of 2025" | not confirmed' in text
    assert 'events.cpi.unknown | null | "unknown after 2025-10-15"' in text
    assert "events.ex_dividend.2025-10-31 | 1.83 | dollars a share | 25 days away" in text
    none = rendered(events=(), unknown_events={}, dividends=()).user
    assert "none from 2025-10-06 to 2025-11-07" in none
    assert "events.ex_dividend | none | up to 2025-11-07" in none
    unknown = rendered(dividends=None)
    assert unknown.fields["events.ex_dividend"].is_missing


def test_two_events_of_a_kind_and_day_have_two_paths() -> None:
    twice = ScheduledEvent(kind=EventKind.OTHER, day=date(2025, 10, 9), time="soon", source="user file")
    made = rendered(events=(twice, replace(twice, note="again")))
    assert made.fields["events.other.2025-10-09"].text == "time unknown"
    assert made.fields["events.other.2025-10-09.2"].note == "again, user file"


def test_long_lists_say_how_much_is_left_out() -> None:
    many = tuple(ScheduledEvent(kind=EventKind.OTHER, day=date(2025, 10, 9), time=None, source="x") for _ in range(50))
    pays = tuple(Dividend(ex_date=date(2025, 10, 9), amount=Decimal(1)) for _ in range(41))
    text = rendered(events=many, flags=("x",) * 45, held=(w.held(),) * 43, dividends=pays).user
    for more in (10, 5, 3, 1):
        assert text.count(f"\n{more} more are not shown") == 1


def test_the_portfolio_is_told_in_shares_of_the_account() -> None:
    made = rendered()
    assert "portfolio.1 | SPY put 635/630 | 2025-10-24 | 18 days left | credit 0.61 | can lose 0.0134 of" in made.user
    assert made.fields["portfolio.open_risk"].text == "0.0134"
    unknown = rendered(net_liquidation=None)
    assert unknown.fields["portfolio.open_risk"].is_missing
    assert "risk unknown" in unknown.user
    assert "no spread is open" in rendered(held=()).user


def test_notes_of_the_menu_are_flags() -> None:
    made = rendered(of=w.menu(notes=("no open interest",)))
    assert [made.fields[f"flags.{n}"].text for n in (1, 2)] == ['"quotes are 15 minutes late"', '"no open interest"']
    assert "\nnone\n" in rendered(SHORT, flags=()).user


def test_one_path_cannot_stand_for_two_figures() -> None:
    with pytest.raises(ValueError, match="twice"):
        rendered(bars=(w.bars()[0], w.bars()[0]))


# The menu.


def test_each_cell_is_the_candidates_figure() -> None:
    made = rendered()
    for candidate in w.candidates():
        cells, spread = rows(made)[candidate.id], candidate.spread
        sign = 1 if spread.strategy is Strategy.CALL_CREDIT else -1
        away = sign * (float(spread.short.strike) - 670.0)
        assert cells["type"] == ("call" if sign > 0 else "put")
        assert (cells["short"], cells["long"]) == (str(spread.short.strike), str(spread.long.strike))
        assert float(cells["bid"]) <= float(cells["mid"]) <= float(cells["ask"])
        assert float(cells["mid"]) == pytest.approx((float(cells["bid"]) + float(cells["ask"])) / 2, abs=0.0051)
        assert float(cells["credit_to_width"]) == pytest.approx(float(candidate.mid) / float(cells["width"]), abs=6e-4)
        assert float(cells["max_profit"]) == pytest.approx(float(candidate.mid) * 100 - 2.26, abs=0.006)
        assert float(cells["max_loss"]) == pytest.approx(
            (float(cells["width"]) - float(cells["least"])) * 100 + float(cells["fees"]), abs=0.006
        )
        assert float(cells["breakeven"]) == pytest.approx(
            float(spread.short.strike) + sign * float(candidate.mid), abs=0.006
        )
        assert float(cells["distance"]) == pytest.approx(away / 670, abs=6e-5)
        assert float(cells["distance_moves"]) == pytest.approx(away / 31.739, abs=6e-3)
        assert float(cells["short_delta"]) == pytest.approx(abs(candidate.short.delta), abs=6e-4)
        assert (cells["short_oi"], cells["long_oi"]) == ("5000", "5000")
        assert (cells["p_max_profit_market"], cells["p_max_profit_history"]) == ("0.782", "0.844")
        assert (cells["p_profit_market"], cells["p_profit_plan"]) == ("0.790", "0.853")
        assert [cells[f"ev_plan{end}"] for end in ("", "_low", "_high", "_no_drift")] == [
            "7.70",
            "-1.30",
            "16.70",
            "1.40",
        ]
        assert cells["cost_of_trading"] == "-4.21"
        assert {"ev", "p_profit", "score"} & set(cells) == set()


def test_what_a_candidate_does_not_have_is_null() -> None:
    first = w.candidates()[0]
    quote = replace(first.short.quote, ask=None, volume=None, open_interest=None)
    bare = replace(first, short=replace(first.short, quote=quote), outlook=outlooks.without_history())
    figures = {"market.spot": Metric(value=None, unit="dollars", source="", missing="gone")}
    made = rendered(of=w.menu(bare), figures=figures)
    empty = [column for column, cell in rows(made)[bare.id].items() if cell == "null"]
    of_history = ["p_max_profit_history", "p_profit_plan", "ev_plan", "ev_plan_low", "ev_plan_high", "ev_plan_no_drift"]
    assert empty == ["ask", "distance", "distance_moves", *of_history, "short_oi"]
    missing = made.schema["$defs"]["missing"]["enum"]
    assert {f"menu.{bare.id}.{column}" for column in empty} | {"market.spot"} <= set(missing)
    assert made.fields[f"menu.{bare.id}.distance"].note == "the spot is missing"
    assert {made.fields[f"menu.{bare.id}.{column}"].note for column in of_history} == {outlooks.NO_HISTORY}
    old = rendered(of=w.menu(replace(first, outlook=None)))
    assert old.fields[f"menu.{first.id}.cost_of_trading"].note == "not computed"


def test_the_seed_makes_the_order_and_nothing_else() -> None:
    one, again, other = rendered(shuffle=1), rendered(shuffle=1), rendered(shuffle=2)
    assert one == again
    assert one.ids != other.ids
    assert sorted(one.ids) == sorted(other.ids) == sorted(w.IDS)
    assert rows(one) == rows(other)
    assert one.input_hash == other.input_hash
    assert one.input_hash != rendered(shuffle=1, flags=("another",)).input_hash
    assert one.input_hash != rendered(shuffle=1, of=w.menu(*w.candidates()[1:])).input_hash
    assert one.prompt_hash == prompt.read_template(FULL).hash


def test_ids_are_no_part_of_the_question() -> None:
    renamed = tuple(replace(each, id=f"Z{place:03d}") for place, each in enumerate(w.candidates()))
    one, other = rendered(shuffle=1), rendered(shuffle=5, of=w.menu(*renamed))
    assert set(one.ids).isdisjoint(other.ids)
    assert one.input_hash == other.input_hash


def test_positions_are_shuffled_evenly_enough() -> None:
    first = {rendered(SHORT, shuffle=seed).ids[0] for seed in range(60)}
    assert first == set(rendered(SHORT).ids)


def test_the_short_menu_is_three_of_each_side_nearest_the_delta() -> None:
    everyone = w.candidates()
    made = rendered(SHORT)
    for side in Strategy:
        mine = [row for row in everyone if row.spread.strategy is side]
        nearest = sorted(abs(row.short_delta - 0.20) for row in mine)[:3]
        shown = [row for row in mine if row.id in made.ids]
        assert sorted(abs(row.short_delta - 0.20) for row in shown) == nearest
    assert set(rendered(SHORT, of=w.menu(*reversed(everyone))).ids) == set(made.ids)
    puts = [row for row in everyone if row.spread.strategy is Strategy.PUT_CREDIT]
    assert len(rendered(SHORT, of=w.menu(*puts)).ids) == 3


@pytest.mark.parametrize("version", [FULL, SHORT])
def test_one_candidate_is_enough_and_none_is_no_prompt(version: str) -> None:
    made = rendered(version, of=w.menu(w.candidates()[0]))
    assert made.ids == (w.IDS[0],)
    assert made.schema["properties"]["candidate_id"]["enum"] == [w.IDS[0], None]
    with pytest.raises(ValueError, match="nothing to ask"):
        rendered(version, of=replace(w.menu(), candidates=()))


def test_two_candidates_of_one_id_are_a_defect() -> None:
    with pytest.raises(ValueError, match="twice"):
        rendered(of=w.menu(w.candidates()[0], w.candidates()[0]))


@pytest.mark.parametrize("path", ["spot", "market.", "market.a b", "market.x\n", "menu.ID | x", ""])
def test_a_path_that_is_none_is_a_defect(path: str) -> None:
    with pytest.raises(ValueError, match="path of a field"):
        rendered(figures={path: b.datum()})


def test_typical_sizes_are_those_of_the_shipped_market() -> None:
    seen, menu = checked(), whole_menu(*Settings().choice.strategies)
    snapshot = seen.snapshot
    told = Briefing(
        underlying="SPY",
        as_of=snapshot.as_of,
        target=snapshot.target,
        dte=snapshot.dte,
        bars=snapshot.history[-32:],
        figures=compute_metrics(snapshot, seen.smile),
    )
    for version in prompt.LAYOUTS:
        made = prompt.render_prompt(prompt.read_template(version), menu, told, shuffle=1)
        assert made.tokens == pytest.approx(prompt.LAYOUTS[version].typical_tokens, rel=0.1)


@pytest.mark.parametrize("version", [FULL, SHORT])
def test_the_prompt_names_every_rule_that_can_still_refuse_a_choice(version: str) -> None:
    """Conditions of one candidate are applied to the menu before; what is left is told with its limit."""
    knobs = Settings()
    knobs = replace(knobs, analyst=replace(knobs.analyst, probability_veto=0.25, unmatched_veto=4))
    made = prompt.render_prompt(prompt.read_template(version), w.menu(), w.briefing(), shuffle=1, settings=knobs)
    shown = {path: sent.text for path, sent in made.fields.items() if path.startswith("checks.")}
    assert shown == {
        "checks.probability": "0.2500",
        "checks.numbers": "4",
        "checks.underlying": "0.0075",
        "checks.credit": "0.1500",
        "checks.leg_width": "0.15",
        **dict.fromkeys(("checks.quotes", "checks.session", "checks.account", "checks.broker"), "yes"),
    }
    assert "What can still refuse your choice stands in CHECKS" in made.system
    for name, cells in rows(made).items():
        candidate = w.menu().find(name)
        assert candidate is not None
        assert cells["p_max_profit_market"] == f"{candidate.p_max_profit:.3f}"


def test_the_prompt_says_what_is_negative_by_construction_and_what_a_law_has_been_worth() -> None:
    made = rendered()
    assert "cost_of_trading is the market's own expected value" in made.system
    assert "negative by construction for every credit spread in every week" in made.system
    assert "a price and no forecast" in made.system
    assert "\nrecord.put_20 | 0.034 | 0.009 | 0.058 | up to 2025-06-30\n" in made.user
    assert (made.fields["record.call_20"].value, made.fields["record.call_20"].note) == (-0.066, "up to 2025-06-30")


def test_without_a_record_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_record, "read_track_record", tuple)
    made = rendered()
    assert "\nnone\n\nMENU" in made.user
    assert not any(path.startswith("record.") for path in made.fields)


@pytest.mark.parametrize("over", [{"underlying": "QQQ"}, {"dte": 7}, {"as_of": b.NOW - timedelta(days=120)}])
def test_a_record_of_other_spreads_or_of_later_outcomes_is_not_sent(over: dict[str, Any]) -> None:
    assert not any(path.startswith("record.") for path in rendered(**over).fields)


def test_the_record_is_of_the_sides_on_the_menu() -> None:
    puts = [row for row in w.candidates() if row.spread.strategy is Strategy.PUT_CREDIT]
    made = rendered(of=w.menu(*puts))
    assert {path for path in made.fields if path.startswith("record.")} == {"record.put_16", "record.put_20"}
