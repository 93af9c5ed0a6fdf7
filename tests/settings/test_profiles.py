"""Profiles tighten and never loosen; multipliers are interpolated."""

from dataclasses import fields, replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.spreads import Strategy
from spy32.errors import BadSettings
from spy32.settings import Profile, Settings
from spy32.settings.keys import KEYS, PROFILE_KEYS
from spy32.settings.model import Dte, Limits
from spy32.settings.profiles import for_profile, multiplier
from spy32.settings.resolve import Resolved, SettingsFile, resolve


def of(text: str) -> Resolved:
    return resolve({}, {}, None, SettingsFile(text=text, path="config.toml"))


def refusal(text: str) -> str:
    with pytest.raises(BadSettings) as caught:
        of(text)
    return caught.value.message


def test_the_default_profile_is_spy_at_32_days():
    found = for_profile(Settings(), "default")
    assert found == Settings()
    assert found.profiles["default"].underlying == "SPY"
    assert found.dte.default == 32


SMALL = """
[profile.small]
underlying = "QQQ"
dte = 7
strategies = ["put_credit_spread"]
delta_low = 0.1
delta_high = 0.18
widths = [1, 2.5]
max_loss = 0.005
contracts = 2
open_trades = 1
week_loss = 0.01
"""


def test_a_profile_is_merged_into_choice_limits_and_days():
    resolved = of(SMALL)
    found = for_profile(resolved.settings, "small")
    assert found.profiles["small"].underlying == "QQQ"
    assert found.dte.default == 7
    assert found.choice.strategies == (Strategy.PUT_CREDIT,)
    assert (found.choice.delta_low, found.choice.delta_high, found.choice.deltas) == (0.1, 0.18, (0.16,))
    assert found.choice.widths == (Decimal(1), Decimal("2.5"))
    assert (found.choice.width_low, found.choice.width_high) == (Decimal(1), Decimal(10))
    assert found.limits == replace(
        Limits(), max_loss=Decimal("0.005"), contracts=2, open_trades=1, week_loss=Decimal("0.01")
    )
    assert resolved.sources["profile.small.dte"].where == "config.toml:4"
    assert for_profile(resolved.settings, "default") == resolved.settings


def test_merging_twice_changes_nothing_more():
    once = for_profile(of(SMALL).settings, "small")
    assert for_profile(once, "small") == once


def test_a_band_without_any_target_brings_its_own():
    found = for_profile(of("[profile.far]\ndelta_low = 0.05\ndelta_high = 0.11").settings, "far")
    assert found.choice.deltas == pytest.approx((0.05, 0.08, 0.11))


def test_the_default_profile_can_be_varied():
    found = of("[profile.default]\ncontracts = 3").settings
    assert for_profile(found, "default").limits.contracts == 3
    assert found.profiles["default"].underlying == "SPY"


def test_every_limit_can_be_tightened_by_a_profile():
    assert {part.name for part in fields(Limits)} <= {part.name for part in fields(Profile)}


def test_a_field_of_a_profile_means_what_the_global_key_of_its_name_means():
    assert PROFILE_KEYS.keys() == {part.name for part in fields(Profile)} - {"name"}
    for field, key in PROFILE_KEYS.items():
        names = ["dte.default"] if field == "dte" else [f"limits.{field}", f"choice.{field}"]
        for known in (KEYS[name] for name in names if name in KEYS):
            assert (key.doc, key.type, key.low, key.high) == (known.doc, known.type, known.low, known.high)
            assert key.default is None


def test_every_default_of_a_knob_has_the_type_that_it_says():
    for key in KEYS.values():
        entries = {"one": [key.default], "list": key.default, "table": key.default}[key.shape]
        entries = entries.values() if key.shape == "table" else entries
        assert all(entry is None or type(entry) is key.type for entry in entries), key.name


LOOSER = {
    "max_loss": "0.011",
    "open_risk": "0.06",
    "buying_power": "0.51",
    "contracts": "11",
    "open_trades": "6",
    "submits_per_run": "2",
    "submits_per_day": "3",
    "week_loss": "0.031",
    "daily_swing": "0.0004",
}


@pytest.mark.parametrize("field", [part.name for part in fields(Limits)])
def test_a_profile_never_loosens_a_cap(field):
    message = refusal(f"[profile.big]\n{field} = {LOOSER[field]}")
    assert message.startswith(f"config.toml:2: profile.big.{field} is {LOOSER[field]}, but limits.{field} is ")
    assert "tighten" in message


def test_the_global_figure_that_counts_is_the_one_that_is_set():
    text = "[limits]\ncontracts = 5\n[profile.a]\ncontracts = 6"
    assert "but limits.contracts is 5 (config.toml:2)" in refusal(text)
    assert of(text.replace("= 6", "= 5")).settings.profiles["a"].contracts == 5


def test_settings_made_by_hand_do_not_loosen_either():
    loose = replace(Settings(), profiles={"a": Profile(name="a", contracts=11)})
    with pytest.raises(BadSettings, match=r"limits\.contracts is 10"):
        for_profile(loose, "a")


@given(st.integers(1, 100), st.integers(1, 100))
def test_a_merged_cap_is_never_above_the_global_one(cap, wish):
    found = replace(
        Settings(), limits=replace(Limits(), contracts=cap), profiles={"a": Profile(name="a", contracts=wish)}
    )
    if wish <= cap:
        assert for_profile(found, "a").limits.contracts == wish
    else:
        with pytest.raises(BadSettings):
            for_profile(found, "a")


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(BadSettings, match="nearest known one is small; known are: default, small"):
        for_profile(of(SMALL).settings, "smal")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[profile.a]\ndte = 33", "dte.available"),
        ("[profile.a]\ndelta_low = 0.4", "delta band"),
        ("[profile.a]\nunderlying = 'spy'", "ticker"),
        *(
            (f"[profile.a]\nunderlying = '{root}'", f"{root} is a root of options on {ticker}; underlying takes")
            for root, ticker in (("SPXW", "SPX"), ("RUTW", "RUT"), ("NDXP", "NDX"), ("BRKB", "BRK.B"), ("BFB", "BF.B"))
        ),
        ("[profile.a]\nwidths = [0]", "from 0.5 to 100"),
        ("[profile.a]\nwidths = []", "at least one"),
        ("[profile.a]\nstrategies = []", "at least one"),
        ("[profile.a]\n'b.dte' = 7", "unknown key profile.a.b.dte; the nearest known one is profile.a.dte"),
        ("[profile.a]\nmax_loss = nan", "a number"),
        ("[profile.a]\nname = 'b'", "unknown key profile.a.name"),
        ("[profile.'a b']\ndte = 7", "cannot name a profile"),
        ("[profile.'']\ndte = 7", "cannot name a profile"),
        ('[profile."a\\u001b"]\ndte = 7', "cannot name a profile"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(text, said):
    message = refusal(text)
    assert message.startswith("config.toml")
    assert said in message
    assert message.isprintable()


@pytest.mark.parametrize(("days", "factor"), sorted(Dte().risk_multipliers.items()))
def test_a_known_day_has_its_own_multiplier(days, factor):
    assert multiplier(Dte(), days) == factor


@given(st.floats(-10, 100))
def test_multipliers_agree_with_numpy_between_and_beyond_the_known_days(days):
    table = Dte().risk_multipliers
    assert multiplier(Dte(), days) == pytest.approx(np.interp(days, list(table), list(table.values())))


def test_a_single_known_day_stands_for_all():
    one = replace(Dte(), risk_multipliers={10: 3.0})
    assert [multiplier(one, days) for days in (0, 10, 40)] == [3.0, 3.0, 3.0]


def test_no_known_day_is_a_fault():
    with pytest.raises(BadSettings):
        multiplier(replace(Dte(), risk_multipliers={}), 10)
