"""Precedence, types, bounds, unknown names, and that every message says where the value stood."""

import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.domain.spreads import Mode, Strategy
from spy32.errors import BadSettings
from spy32.settings import Environment, Settings
from spy32.settings.keys import ENVIRONMENT, KEYS, VENDOR
from spy32.settings.resolve import Resolved, SettingsFile, resolve, toml_lines

LOCAL = "http://127.0.0.1:8080"


def toml(text: str) -> SettingsFile:
    return SettingsFile(text=text, path="config.toml")


def dotenv(text: str) -> SettingsFile:
    return SettingsFile(values=dotenv_values(stream=StringIO(text), interpolate=False), text=text, path=".env")


def of(
    text: str = "", *, env: dict[str, str] | None = None, dot: str | None = None, flags: dict[str, str] | None = None
) -> Resolved:
    return resolve(flags or {}, env or {}, None if dot is None else dotenv(dot), toml(text))


def refusal(text: str = "", **more: Any) -> str:
    with pytest.raises(BadSettings) as caught:
        of(text, **more)
    assert "\n" not in caught.value.message
    return caught.value.message


# --- precedence -----------------------------------------------------------------------------------------------------


def test_an_empty_world_gives_the_defaults():
    found = resolve({}, {}, None, None)
    assert found.settings == Settings()
    assert {source.kind for source in found.sources.values()} == {"default"}
    assert found.sources.keys() >= KEYS.keys()


SAMPLES: dict[str, tuple[str, str, Any]] = {
    "mode": ("sandbox", '"sandbox"', Mode.SANDBOX),
    "environment": ("development", '"development"', Environment.DEVELOPMENT),
    "enable_automation": ("No", "false", False),
    "xai.model": ("grok-9", '"grok-9"', "grok-9"),
    "xai.deadline_seconds": ("20", "20", 20),
    "market.chain": (
        "cboe, recorded:/a b/x.json",
        '["cboe", "recorded:/a b/x.json"]',
        ("cboe", "recorded:/a b/x.json"),
    ),
    "choice.strategies": ("put_credit_spread", '["put_credit_spread"]', (Strategy.PUT_CREDIT,)),
    "choice.widths": ("2.5,5", "[2.5, 5]", (Decimal("2.5"), Decimal(5))),
    "choice.deltas": ("0.1,0.2", "[0.1, 0.2]", (0.1, 0.2)),
    "limits.max_loss": ("0.005", "0.005", Decimal("0.005")),
    "drift.credit": ("0.2", "0.2", 0.2),
    "conditions.vix_none": ("35", "35", 35.0),
    "schedule.time": ("09:45", '"09:45"', "09:45"),
    "clock": ("2025-10-06T10:00:00-04:00", "2025-10-06T14:00:00Z", datetime(2025, 10, 6, 14, tzinfo=UTC)),
    "cboe.url": ("http://localhost:9/", '"http://[::1]:9"', None),
}


def as_toml(key: str, literal: str) -> str:
    section, _, field = key.rpartition(".")
    return f"[{section}]\n{field} = {literal}\n" if section else f"{field} = {literal}\n"


def value(found: Resolved, key: str) -> Any:
    section, _, field = key.rpartition(".")
    return getattr(getattr(found.settings, section) if section else found.settings, field)


@pytest.mark.parametrize("key", [key for key in SAMPLES if SAMPLES[key][2] is not None])
def test_each_type_reads_the_same_from_every_place(key):
    text, literal, expected = SAMPLES[key]
    for found, kind, where in (
        (of(as_toml(key, literal)), "config", "config.toml:2" if "." in key else "config.toml:1"),
        (of(dot=f"# first\n{KEYS[key].env}={text}"), "dotenv", ".env:2"),
        (of(env={KEYS[key].env: text}), "environment", KEYS[key].env),
        (of(flags={key: text}), "flag", None),
    ):
        assert value(found, key) == expected
        assert type(value(found, key)) is type(expected)
        assert found.sources[key].kind == kind
        assert where is None or found.sources[key].where == where


LADDER = ("config", "dotenv", "environment", "flag")


@given(
    st.fixed_dictionaries(
        {
            key: st.fixed_dictionaries({}, optional={kind: st.integers(1, 99) for kind in LADDER})
            for key in ("execution.step_seconds", "xai.deadline_seconds", "limits.contracts")
        }
    )
)
@settings(max_examples=150, deadline=None)
def test_the_strongest_place_that_sets_a_key_wins(wishes):
    by_kind = {kind: {key: str(wish[kind]) for key, wish in wishes.items() if kind in wish} for kind in LADDER}
    text = "".join(as_toml(key, number) for key, number in by_kind["config"].items())
    env = {KEYS[key].env: number for key, number in by_kind["environment"].items()}
    dot = "\n".join(f"{KEYS[key].env}={number}" for key, number in by_kind["dotenv"].items())
    found = of(text, env=env, dot=dot, flags=by_kind["flag"])
    for key, wish in wishes.items():
        winner = next((kind for kind in reversed(LADDER) if kind in wish), "default")
        assert found.sources[key].kind == winner
        assert value(found, key) == wish.get(winner, KEYS[key].default)


@pytest.mark.parametrize("order", [1, -1])
def test_an_spy32_name_outdoes_the_vendors_name_of_the_same_place(order):
    names = {"ENABLE_AUTOMATION": "true", "SPY32_ENABLE_AUTOMATION": "false"}
    found = of(env=dict([*names.items()][::order]))
    assert found.settings.enable_automation is False
    assert found.sources["enable_automation"].where == "SPY32_ENABLE_AUTOMATION"


@pytest.mark.parametrize(
    ("text", "is_on"), [("false", False), ("0", False), ("NO", False), ("off", False), ("1", True)]
)
def test_automation_is_switched_by_its_old_name(text, is_on):
    assert of(env={"ENABLE_AUTOMATION": text}).settings.enable_automation is is_on


def test_environment_names_are_different_from_each_other():
    assert len(ENVIRONMENT) == len(KEYS) + len(VENDOR)


def test_a_weaker_place_is_checked_although_it_is_outdone():
    assert "config.toml:2" in refusal("[execution]\nstep_seconds = 0", env={"SPY32_EXECUTION_STEP_SECONDS": "5"})


def test_a_day_of_a_table_is_changed_alone():
    found = of("[dte.risk_multipliers]\n32 = 4\n7 = 2.0", env={"SPY32_DTE_RISK_MULTIPLIERS": "7:1.5"})
    table = found.settings.dte.risk_multipliers
    assert (table[32], table[7], table[0], table[40]) == (4.0, 1.5, 1.0, 5.5)
    assert Settings().dte.risk_multipliers[7] == 2.5


# --- unknown names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "name", "hint"),
    [
        ("\nmod = 'live'", 2, "mod", "mode"),
        ("[xia]\nurl = ''", 1, "xia", "xai"),
        ("[xai]\n\nurll = 'x'", 3, "xai.urll", "xai.url"),
        ("[choice]\nmax_loss = 0.01", 2, "choice.max_loss", "limits.max_loss"),
        ("XAI_API_KEY = 'abc'", 1, "XAI_API_KEY", "xai.api_key"),
        ("[profile.a]\ndtee = 7", 2, "profile.a.dtee", "profile.a.dte"),
        ("[profiles.a]\ndte = 7", 1, "profiles", "profile"),
        ("xai.urll = 'x'", 1, "xai.urll", "xai.url"),
        ("[execution]\nstep-seconds = 5", 2, "execution.step-seconds", "execution.step_seconds"),
    ],
)
def test_an_unknown_toml_name_is_refused_with_the_nearest_known_one(text, line, name, hint):
    message = refusal(text)
    assert message.startswith(f"config.toml:{line}: unknown ")
    assert f" {name};" in message
    assert message.endswith(f" {hint}")


def test_an_unknown_variable_is_refused_with_the_nearest_known_one():
    assert refusal(env={"SPY32_XAI_URI": "x"}) == (
        "environment: unknown name SPY32_XAI_URI; the nearest known one is SPY32_XAI_URL"
    )
    assert (
        refusal(dot="A=1\nSPY32_MODEE=live") == ".env:2: unknown name SPY32_MODEE; the nearest known one is SPY32_MODE"
    )
    assert refusal(env={"SPY32_HOMES": "/x"}).endswith(" SPY32_HOME")
    assert "[profile.NAME]" in refusal(env={"SPY32_PROFILE_A_DTE": "7"})


def test_a_variable_is_never_made_by_splitting():
    assert "SPY32_XAI__URL" in refusal(env={"SPY32_XAI__URL": LOCAL})
    assert "spy32" not in of(env={"spy32_mode": "live", "XSPY32_MODE": "live", "_SPY32_COMPLETE": "x"}).sources


def test_other_names_are_ignored():
    found = of(env={"PATH": "/bin", "MODE": "live", "SPY": "x", "SPY32": "x"}, dot="MODE=live\nsomething\n")
    assert found.settings == Settings()


def test_the_home_can_only_stand_in_the_environment():
    assert of(env={"SPY32_HOME": "/x"}).settings == Settings()
    assert "can only stand in the environment" in refusal(dot="SPY32_HOME=/x")


@pytest.mark.parametrize("flag", ["xai.api_key", "bogus"])
def test_a_flag_that_does_not_exist_sets_nothing(flag):
    assert f"--{flag}" in refusal(flags={flag: "x"})


# --- wrong values ---------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, str, str]] = [
    # key, TOML literal, what the message must say
    ("mode", '"real"', "one of paper, sandbox, live"),
    ("mode", "1", "one of paper, sandbox, live"),
    ("enable_automation", '"false"', "true or false"),
    ("enable_automation", "0", "true or false"),
    ("xai.deadline_seconds", "0", "a whole number from 1 to 3600"),
    ("xai.deadline_seconds", "3601", "a whole number from 1 to 3600"),
    ("xai.deadline_seconds", "30.0", "a whole number"),
    ("xai.deadline_seconds", '"30"', "a whole number"),
    ("xai.deadline_seconds", "true", "a whole number"),
    ("limits.max_loss", "0.0201", "a number from 0.0001 to 0.02"),
    ("limits.max_loss", "nan", "a number from"),
    ("limits.max_loss", "inf", "a number from"),
    ("limits.max_loss", "-inf", "a number from"),
    ("limits.max_loss", "1e-9", "a number from"),
    ("drift.credit", "nan", "a number from 0 to 1"),
    ("drift.credit", "-0.1", "a number from 0 to 1"),
    ("market.chain", '"cboe"', "square brackets"),
    ("market.chain", "[]", "at least one"),
    ("market.chain", '["cboe", "cboe"]', "each once"),
    ("market.chain", '["a b"]', "tastytrade, cboe, yahoo"),
    ("market.chain", "[1]", "in quotes"),
    ("choice.strategies", "[]", "at least one"),
    ("choice.strategies", '["iron_fly"]', "put_credit_spread"),
    ("choice.deltas", "[0.2, 0.9]", "from 0.01 to 0.5"),
    ("schedule.time", '"24:00"', "HH:MM"),
    ("schedule.time", '"9:00"', "HH:MM"),
    ("schedule.time", "10:00:00", "HH:MM"),
    ("execution.no_entry_after", '"1545"', "HH:MM"),
    ("schedule.weekday", '"sunday"', "monday"),
    ("clock", "2025-10-06T14:00:00", "offset"),
    ("clock", '"2025-10-06T14:00:00"', "offset"),
    ("clock", "2025-10-06", "offset"),
    ("clock", '"noon"', "offset"),
    ("clock", '"9999-12-31T23:59:59-10:00"', "2000 to 2099"),
    ("xai.model", '""', "without blanks"),
    ("xai.model", '"a b"', "without blanks"),
    ("dte.risk_multipliers", "3", "as a table"),
    ("dte.risk_multipliers", "{x = 1}", "whole numbers"),
    ("dte.risk_multipliers", "{61 = 1}", "0 to 60"),
    ("dte.risk_multipliers", "{7 = 0}", "from 0.01 to 100"),
    ("dte.risk_multipliers", "{7 = nan}", "from 0.01 to 100"),
    ("dte.available", "[61]", "from 0 to 60"),
    ("paper.account", "1e30", "from 1000 to 1000000000"),
]


@pytest.mark.parametrize(("key", "literal", "said"), WRONG)
def test_a_wrong_toml_value_names_line_key_and_what_it_takes(key, literal, said):
    section, _, field = key.rpartition(".")
    message = refusal((f"[{section}]\n" if section else "\n") + f"{field} = {literal}")
    assert message.startswith(f"config.toml:2: {key} ")
    assert said in message


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("xai.deadline_seconds", ""),
        ("xai.deadline_seconds", "1_0"),
        ("xai.deadline_seconds", "٣"),
        ("xai.deadline_seconds", "5.0"),
        ("xai.deadline_seconds", "9" * 5000),
        ("limits.max_loss", "NaN"),
        ("limits.max_loss", "Infinity"),
        ("limits.max_loss", "0,01"),
        ("limits.max_loss", "1e999"),
        ("limits.max_loss", "sNaN"),
        ("conditions.vix_none", "inf"),
        ("conditions.vix_none", "1e400"),
        ("mode", "LIVE"),
        ("mode", "live "),
        ("market.chain", "cboe,,yahoo"),
        ("market.chain", "recorded:"),
        ("clock", "2025-10-06T14:00"),
        ("dte.risk_multipliers", ""),
        ("dte.risk_multipliers", "7"),
        ("dte.risk_multipliers", "7:2,7:3"),
        ("dte.risk_multipliers", "07:2,7:3"),
        ("enable_automation", ""),
        ("enable_automation", "maybe"),
        ("dte.data", "32:"),
    ],
)
def test_a_wrong_text_names_the_variable_and_the_key(key, text):
    name = KEYS[key].env
    assert refusal(env={name: text}).startswith(f"{name}: {key} ")
    if "\n" not in text:
        assert refusal(dot=f"{name}='{text}'").startswith(f".env:1: {key} ")


@given(st.sampled_from(sorted(set(KEYS) - {"xai.api_key"})), st.text(max_size=30))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_value_or_a_refusal_on_one_line(key, text):
    try:
        found = of(env={KEYS[key].env: text})
    except BadSettings as refused:
        assert refused.message.isprintable()
        assert key in refused.message
    else:
        assert found.sources[key].kind == "environment"


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_as_config_is_settings_or_a_refusal_on_one_line(text):
    try:
        found = of(text)
    except BadSettings as refused:
        assert refused.message.isprintable()
        assert refused.message.startswith("config.toml")
    else:
        assert found.settings == Settings()


def test_a_number_keeps_its_digits():
    assert str(of("[execution]\ntick = 0.05").settings.execution.tick) == "0.05"
    assert str(of(env={"SPY32_LIMITS_MAX_LOSS": "0.0100"}).settings.limits.max_loss) == "0.0100"


def test_a_shown_value_is_short_and_cannot_break_the_line():
    message = refusal(env={"SPY32_MODE": "a\nb\x1b[31m\udc80" + "x" * 500})
    assert message.isprintable()
    assert len(message) < 200


# --- TOML -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("\n\nmode = ", "config.toml:3"),
        ("[xai\nmodel = 'a'", "config.toml:1"),
        ("mode = 'paper'\nmode = 'paper'", "config.toml:2"),
        ("[xai]\nmodel = 'a", "config.toml:2"),
        ("a = " + "[" * 5000, "config.toml"),
        ("a = " + "9" * 5000, "config.toml"),
        ("a = 1e99999999999999999999", "config.toml"),
        ("\x00", "config.toml:1"),
    ],
)
def test_broken_toml_names_the_place(text, place):
    message = refusal(text)
    assert re.match(rf"{re.escape(place)}: this is not TOML", message)


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    assert of("\ufeffmode = 'sandbox'").settings.mode is Mode.SANDBOX


@pytest.mark.parametrize("text", ["xai = 3", "[[xai]]\nmodel = 'a'", "profile = 1", "[profile]\na = 1"])
def test_a_section_must_be_a_table(text):
    assert "is a table" in refusal(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[execution]\nstep_seconds = 0", 2),
        ("execution.step_seconds = 0", 1),
        ("\nexecution = { tick = 0.05, step_seconds = 0 }", 2),
        ('\n[ "execution" ]\n"step_seconds" = 0', 3),
        ('[xai]\nmodel = """a\n[execution]\n"""\n[execution] # here\nstep_seconds = 0', 2),
        ("[execution]\n# step_seconds = 1\n  step_seconds=0", 3),
    ],
)
def test_the_line_of_a_value_is_found_however_it_is_written(text, line):
    assert refusal(text).startswith(f"config.toml:{line}: ")


def test_a_text_over_several_lines_hides_no_table():
    assert toml_lines('a = """\n[b]\nc = 1\n"""\n[b]\nd = 1') == {"a": 1, "b": 5, "b.d": 6}


# --- .env -----------------------------------------------------------------------------------------------------------


def test_the_last_line_of_a_name_counts():
    found = of(dot="SPY32_MODE=live\n\nexport SPY32_MODE = sandbox # now\n")
    assert found.settings.mode is Mode.SANDBOX
    assert found.sources["mode"].where == ".env:3"


@pytest.mark.parametrize("text", ["SPY32_MODE", "SPY32_MODE: live", "SPY32_MODE live", "SPY32_MODE='live"])
def test_a_line_that_sets_nothing_is_refused(text):
    assert refusal(dot=f"A=1\n{text}\n").startswith(".env:2: SPY32_MODE must be followed by =")


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://api.x.ai/v1",
        "https://example.org:8443/a/b",
        "http://127.0.0.1:8080/v1",
        "http://127.255.0.3",
        "http://localhost:1",
        "http://[::1]:8080/v1",
        "HTTPS://API.X.AI",
    ],
)
def test_https_and_loopback_are_addresses(address):
    assert of(env={"SPY32_XAI_URL": address + "/"}).settings.xai.url == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "api.x.ai",
        "http://api.x.ai/v1",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://10.0.0.1",
        "http://[::2]",
        "http://0.0.0.0",
        "http://127.1",
        "http://2130706433",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user@host",
        "https://user:word@host",
        "http://127.0.0.1@example.org",
        "http://127.0.0.1\\@example.org",
        "https://host:port",
        "https://host:99999",
        "https://host:",
        "https://host/?a=b",
        "https://host/#a",
        "https://ho st",
        "https://host\n",
        "https://hóst",
        "https://[::1",
    ],
)
def test_other_addresses_are_refused_and_not_repeated(address):
    message = refusal(env={"SPY32_XAI_URL": address})
    assert message.startswith("SPY32_XAI_URL: xai.url takes an address with https")
    assert "word" not in message.replace("password", "")


def test_an_address_may_be_left_to_the_mode():
    assert of(env={"SPY32_TASTYTRADE_URL": ""}).settings.tastytrade.url == ""


# --- between keys ---------------------------------------------------------------------------------------------------

CLOCK = {"SPY32_CLOCK": "2025-10-06T14:00:00Z"}
LIVE = {"SPY32_MODE": "live"}
ALL_LOCAL = {f"SPY32_{name}_URL": LOCAL for name in ("XAI", "TASTYTRADE", "CBOE", "YAHOO")}


def test_a_clock_is_refused_in_live_mode():
    message = refusal(env=CLOCK | LIVE)
    assert message.startswith("SPY32_CLOCK: clock is refused in live mode")


@pytest.mark.parametrize("far", sorted(ALL_LOCAL))
def test_one_far_address_is_enough_to_refuse_the_clock(far):
    assert "clock is refused" in refusal(env=CLOCK | LIVE | {k: v for k, v in ALL_LOCAL.items() if k != far})


def test_a_clock_may_be_set_where_nothing_is_far():
    assert of(env=CLOCK | LIVE | ALL_LOCAL).settings.clock is not None
    assert of(env=CLOCK).settings.clock is not None
    assert of(env=CLOCK | {"SPY32_MODE": "sandbox"}).settings.clock is not None


def test_an_address_that_is_not_in_use_may_be_far():
    unused = {
        "SPY32_ANALYST_NAME": "rules",
        "SPY32_TASTYTRADE_URL": LOCAL,
        "SPY32_MARKET_CHAIN": "tastytrade",
        "SPY32_MARKET_HISTORY": "",
        "SPY32_MARKET_VIX": "",
        "SPY32_MARKET_DIVIDENDS": "table",
    }
    assert of(env=CLOCK | LIVE | unused).settings.market.history == ()


@pytest.mark.parametrize(("mode", "host"), [("live", "api.cert.tastyworks.com"), ("sandbox", "api.tastyworks.com")])
def test_sandbox_and_production_hosts_are_not_mixed(mode, host):
    message = refusal(f'mode = "{mode}"\n[tastytrade]\nurl = "https://{host}"')
    assert message.startswith(f"config.toml:3: {host} is not a host of mode {mode} (config.toml:1)")


def test_a_band_has_its_low_end_below_its_high_end():
    assert refusal("[choice]\ndelta_low = 0.4").startswith("config.toml:2: choice.delta_low (0.4) is above")
    assert refusal("[choice]\nwidth_high = 1").startswith("config.toml:2: choice.width_low (2) is above")


def test_the_days_aimed_at_are_available():
    assert refusal(flags={"dte.default": "33"}).startswith("--dte: dte.default is 33, but dte.available has only 0, 1")
    assert of(flags={"dte.default": "33"}, env={"SPY32_DTE_AVAILABLE": "33"}).settings.dte.default == 33


# --- cost -----------------------------------------------------------------------------------------------------------


def test_importing_and_resolving_loads_no_heavy_module():
    import subprocess

    code = """
import sys
before = set(sys.modules)
from spy32.settings.resolve import resolve
resolve({}, {}, None, None)
print(*set(sys.modules) - before)
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pydantic", "dotenv", "tomllib", "numpy", "rich", "typer", "logging", "sqlite3", "difflib", "holidays"}
    assert loaded
    assert not heavy & set(loaded)
