"""The commented config, the reference and the sample `.env` agree with the model."""

import re
import tomllib
from io import StringIO

import pytest
from dotenv import dotenv_values

from spy32.ops.logs import hide_secrets
from spy32.settings import Settings
from spy32.settings.addresses import CERTIFICATION, PRODUCTION, tastytrade_address
from spy32.settings.describe import config_text, rows, secret_texts, title
from spy32.settings.keys import KEYS, PROFILE_KEYS, SECTIONS, VENDOR
from spy32.settings.resolve import SettingsFile, resolve
from tests.support.make_settings_page import BEGIN, END, PAGE, settings_tables
from tests.support.paths import ROOT


def config(text: str) -> SettingsFile:
    return SettingsFile(text=text, path="config.toml")


def uncommented() -> str:
    return re.sub(r"(?m)^#(?=[a-z0-9])", "", config_text())


def test_the_commented_config_changes_nothing():
    found = resolve({}, {}, None, config(config_text()))
    assert found.settings == Settings()
    assert {source.kind for source in found.sources.values()} == {"default"}


def test_the_config_with_every_comment_taken_away_is_the_defaults():
    found = resolve({}, {}, None, config(uncommented()))
    assert found.settings == Settings()
    unset = {name for name, source in found.sources.items() if source.kind == "default"}
    assert unset == {key.name for key in KEYS.values() if key.default is None} | {"profile.default.underlying"}


def test_the_line_of_every_key_of_the_config_is_found():
    text = uncommented()
    found = resolve({}, {}, None, config(text))
    for name, source in found.sources.items():
        if source.kind == "config":
            line = text.splitlines()[int(source.where.rpartition(":")[2]) - 1]
            assert line.startswith((f"{KEYS[name].field} = ", f"[{name}]"))


def test_the_config_explains_every_key():
    text = config_text()
    for key in [*KEYS.values(), *PROFILE_KEYS.values()]:
        assert re.search(rf"(?m)^(#? ?{key.field} = |\[dte\.{key.field}\]|# {key.field}: )", text), key.name
        assert key.doc in text
    assert max(len(line) for line in text.splitlines()) <= 140


def test_every_section_has_a_title_and_every_knob_a_meaning():
    assert all(title(section).endswith(".") and len(title(section)) > 10 for section in SECTIONS)
    assert all(key.doc and not key.doc.endswith(".") for key in [*KEYS.values(), *PROFILE_KEYS.values()])


def test_every_default_satisfies_its_own_bounds():
    tomllib.loads(uncommented())
    resolve({}, {}, None, config(uncommented()))


def test_the_reference_is_what_the_model_says():
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert written == settings_tables(), "docs/settings.md is behind: make settings"


def test_the_reference_names_every_key_and_variable():
    text = settings_tables()
    for key in KEYS.values():
        assert f"`{key.env}`" in text
        assert f"| `{key.field}` |" in text
    assert all(f"`{name}`" in text for name in VENDOR)


def sample(text: str) -> SettingsFile:
    return SettingsFile(values=dotenv_values(stream=StringIO(text), interpolate=False), text=text, path=".env")


def test_the_sample_dotenv_loads_and_is_the_defaults():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert resolve({}, {}, sample(text), None).settings == Settings()


def test_the_sample_dotenv_filled_in_sets_every_vendor_name():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    filled = re.sub(r"(?m)^#(?=[A-Z0-9_]+=)", "", re.sub(r"(?m)^(#[A-Z0-9_]+=)$", r"\1filled-in", text))
    found = resolve({}, {}, sample(filled), None)
    assert {found.sources[key].kind for key in VENDOR.values()} == {"dotenv"}


def test_rows_show_every_key_once_and_the_profiles_own():
    found = resolve({}, {}, None, config("[profile.a]\ndte = 7"))
    shown = {row.key: row for row in rows(found)}
    assert shown.keys() == {*KEYS, "profile.default.underlying", "profile.a.dte"}
    assert shown["profile.a.dte"].value == "7"
    assert shown["profile.a.dte"].origin == "config, config.toml:2"
    assert shown["xai.api_key"].display == "not set"
    assert shown["market.chain"].value == "tastytrade, cboe, yahoo"
    assert shown["tastytrade.url"].display == "empty"


@pytest.mark.parametrize(("mode", "host"), [("paper", PRODUCTION), ("sandbox", CERTIFICATION), ("live", PRODUCTION)])
def test_an_empty_tastytrade_address_takes_the_modes_own_host(mode, host):
    assert tastytrade_address(resolve({"mode": mode}, {}, None, None).settings) == host


def test_a_set_tastytrade_address_is_kept():
    found = resolve({}, {"SPY32_TASTYTRADE_URL": "http://[::1]:8/"}, None, None)
    assert tastytrade_address(found.settings) == "http://[::1]:8"


ADDRESSES = "mail=mailtos://me:p%40ss@h.example:465/?to=someone@desk.example,tg/trouble=tgram://123:TOKEN/99"
WEBHOOK = "https://discord.example/api/hooks/a-long-token?key=another-token"


@pytest.mark.parametrize("is_valid", [True, False])
def test_of_an_address_every_secret_part_is_hidden(is_valid):
    env = {
        "SPY32_NOTIFY_ADDRESSES": ADDRESSES,
        "SPY32_PING_URL": WEBHOOK,
        "SPY32_PING_OK": "https://h.example/planted-id",
    }
    hidden = secret_texts(env, resolve({}, env, None, None).settings if is_valid else None)
    mail, telegram = (entry.partition("=")[2] for entry in ADDRESSES.split(","))
    assert hidden >= {mail, telegram, WEBHOOK, "p%40ss", "p@ss", "TOKEN", "a-long-token", "another-token", "planted-id"}
    assert not hidden & {"h.example", "h.example:465", "465", "99", "me", "api", "discord.example", "mailtos", "to"}
    told = hide_secrets("https://discord.example/x/a-long-token, me:p@ss, bot123:TOKEN at h.example", hidden)
    assert told == "https://discord.example/x/****, me:****, bot123:**** at h.example"


def test_a_token_in_the_place_of_a_host_is_hidden_in_settings_of_a_file():
    file = config('[notify]\naddresses = ["push=pover://userkey123@tokentoken", "n=ntfys://a-topic-of-mine"]')
    hidden = secret_texts({}, resolve({}, {}, None, file).settings)
    assert hidden >= {"pover://userkey123@tokentoken", "userkey123", "tokentoken", "a-topic-of-mine"}
