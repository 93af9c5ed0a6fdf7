"""A secret that somebody planted is never seen again, wherever it stands and whatever else is wrong."""

import io
import json
import pickle
import traceback
from io import StringIO

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings
from spy32.render.encoder import encode_document
from spy32.render.home_documents import CONFIG, SettingsList
from spy32.settings import Secret, Settings
from spy32.settings.checks import broker_secrets, xai_key
from spy32.settings.describe import rows
from spy32.settings.keys import KEYS, VENDOR
from spy32.settings.resolve import Resolved, SettingsFile, resolve

MARK = "PLANTEDmarker0123456789"
SECRETS = tuple(name for name, key in KEYS.items() if key.is_secret)
NAMES = tuple(sorted({KEYS[name].env for name in SECRETS} | {name for name, key in VENDOR.items() if key in SECRETS}))
PIECE = 6
SHAPES = {"notify.addresses": "me=json://{}", "ping": "https://{}"}
"""What a secret that is an address looks like, by its key or section."""


def shaped(key: str, text: str) -> str:
    """A value of the key that holds `text`."""
    return SHAPES.get(key, SHAPES.get(key.partition(".")[0], "{}")).format(text)


def key_of(name: str) -> str:
    """The key that a variable sets."""
    return VENDOR.get(name) or next(key for key in SECRETS if KEYS[key].env == name)


def pieces(text: str) -> set[str]:
    return {text[i : i + PIECE] for i in range(len(text) - PIECE + 1)}


def assert_unseen(written: str, secret: str = MARK) -> None:
    assert not [piece for piece in pieces(secret) if piece in written]


def everything_about(error: BaseException) -> str:
    """Message, repr, arguments and the whole chain of contexts, also the suppressed ones."""
    told = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link is not None:
        told += [str(link), repr(link), repr(link.args), repr(vars(link))]
        link = link.__cause__ or link.__context__
    return "\n".join(told)


def everything_of(found: Resolved) -> str:
    document = encode_document(CONFIG, SettingsList(settings=rows(found)))
    return "\n".join([repr(found), str(found.settings), repr(rows(found)), json.dumps(document)])


def dotenv(text: str) -> SettingsFile:
    return SettingsFile(values=dotenv_values(stream=StringIO(text), interpolate=False), text=text, path=".env")


def toml(text: str) -> SettingsFile:
    return SettingsFile(text=text, path="config.toml")


def as_toml(key: str, literal: str) -> str:
    section, _, field = key.rpartition(".")
    return f"[{section}]\n{field} = {literal}\n"


def test_keys_tokens_and_addresses_are_secrets():
    assert SECRETS == (
        "xai.api_key",
        "tastytrade.client_secret",
        "tastytrade.refresh_token",
        "notify.addresses",
        "ping.url",
        "ping.start",
        "ping.ok",
        "ping.fail",
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_of_the_environment_is_used_and_masked(name):
    key = key_of(name)
    found = resolve({}, {name: shaped(key, MARK)}, None, None)
    assert_unseen(everything_of(found))
    section, field = key.split(".")
    value = getattr(getattr(found.settings, section), field)
    secrets = value if isinstance(value, tuple) else (value,)
    assert [secret.reveal() for secret in secrets] == [shaped(key, MARK)]
    shown = next(row for row in rows(found) if row.key == key).value
    assert shown == ("me ****" if key == "notify.addresses" else "****")
    assert found.secret_files == ()


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_of_a_file_is_used_masked_and_its_file_named(key):
    text = json.dumps(shaped(key, MARK))
    in_toml = resolve({}, {}, None, toml(as_toml(key, f"[{text}]" if KEYS[key].shape == "list" else text)))
    in_dotenv = resolve({}, {}, dotenv(f"{KEYS[key].env}={shaped(key, MARK)}"), None)
    assert (in_toml.secret_files, in_dotenv.secret_files) == (("config.toml",), (".env",))
    assert_unseen(everything_of(in_toml) + everything_of(in_dotenv))


def test_a_file_holds_a_secret_also_when_that_is_outdone():
    found = resolve({}, {"XAI_API_KEY": "other"}, dotenv(f"XAI_API_KEY={MARK}"), None)
    assert found.sources["xai.api_key"].where == "XAI_API_KEY"
    assert found.secret_files == (".env",)


BAD = (
    "",
    " ",
    "\t\n",
    f'"{MARK}"',
    f"'{MARK}'",
    f"{MARK}\n",
    f"{MARK}\r\n",
    f" {MARK}",
    f"{MARK} {MARK}",
    f"ä{MARK}",
    f"{MARK}\0",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", BAD)
def test_a_dressed_or_empty_secret_is_refused_unseen(name, bad):
    if KEYS[key_of(name)].shape == "list" and not bad.strip():
        return  # a list may be empty
    with pytest.raises(BadSettings) as caught:
        resolve({}, {name: bad}, None, None)
    assert name in caught.value.message
    assert_unseen(everything_about(caught.value))


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("bad", BAD)
def test_a_dressed_or_empty_secret_of_config_is_refused_unseen(key, bad):
    literal = json.dumps(bad, ensure_ascii=True)
    with pytest.raises(BadSettings) as caught:
        resolve({}, {}, None, toml(as_toml(key, literal)))
    assert caught.value.message.startswith(f"config.toml:2: {key} ")
    assert_unseen(everything_about(caught.value))


@pytest.mark.parametrize("literal", ["1", "true", f'["{MARK}"]', f'{{a = "{MARK}"}}', "nan"])
def test_a_secret_of_another_type_is_refused_unseen(literal):
    with pytest.raises(BadSettings) as caught:
        resolve({}, {}, None, toml(as_toml("xai.api_key", literal)))
    assert_unseen(everything_about(caught.value))


@pytest.mark.parametrize(
    "line",
    [
        f"api_key = {MARK}",
        f'api_key = "{MARK}',
        f'api_key = "{MARK}" {MARK}',
        f"api_key = '{MARK}\n'",
        f'api_key "{MARK}"',
        f'api_key = "\\q{MARK}"',
        f'api_key = """{MARK}',
        f'api_key = "a"\napi_key = "{MARK}"',
        f'api_key = "{MARK}"\n[xai]\n',
        f"api_key = {{ {MARK} = 1, {MARK} = 2 }}",
        f"api_key = \"a\"\nmodel = {{ x = '{MARK}', x = '{MARK}' }}",
    ],
)
def test_broken_toml_around_a_secret_is_told_unseen(line):
    with pytest.raises(BadSettings) as caught:
        resolve({}, {}, None, toml(f"[xai]\n{line}\n"))
    assert_unseen(everything_about(caught.value))


@pytest.mark.parametrize(
    "line", [f"XAI_API_KEY: {MARK}", f"XAI_API_KEY '{MARK}'", f"XAI_API_KEY='{MARK}", f'XAI_API_KEY="{MARK}\\n"']
)
def test_a_broken_line_of_dotenv_is_told_unseen(line):
    with pytest.raises(BadSettings) as caught:
        resolve({}, {}, dotenv(line), None)
    assert caught.value.message.startswith(".env:1: ")
    assert_unseen(everything_about(caught.value))


@pytest.mark.parametrize("name", ["SPY32_XAI_URL", "SPY32_CBOE_URL", "SPY32_TASTYTRADE_URL", "SPY32_YAHOO_URL"])
@pytest.mark.parametrize(
    "form",
    ["https://user:{}@host", "https://{}@host", "https://host:{}", "http://{}", "{}", "https://h?k={}", "https://[{}"],
)
def test_a_password_in_an_address_is_refused_unseen(name, form):
    with pytest.raises(BadSettings) as caught:
        resolve({}, {name: form.format(MARK)}, None, None)
    assert_unseen(everything_about(caught.value))


secret_texts = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'`"), min_size=8, max_size=40
)
noise = st.dictionaries(
    st.sampled_from(sorted({KEYS[key].env for key in KEYS if key not in SECRETS})),
    st.sampled_from(("", "1", "x", "0.2", "paper")),
    max_size=3,
)


@given(st.dictionaries(st.sampled_from(NAMES), secret_texts, min_size=1), noise)
@settings(max_examples=200, deadline=None)
def test_no_secret_is_seen_whatever_else_is_said(planted, others):
    # A mark of our own in front, since a random text may happen to be a word of the documentation.
    env = {name: f"Zq7{i}{text}" for i, (name, text) in enumerate(planted.items())}
    try:
        told = everything_of(resolve({}, env | others, None, None))
    except BadSettings as refused:
        told = everything_about(refused)
    for text in env.values():
        assert text not in told
        assert text[:8] not in told


@pytest.mark.parametrize(("account", "shown"), [("5WX01234", "****1234"), ("ABC", "****"), ("ABCD", "****")])
def test_of_an_account_number_the_last_four_are_shown(account, shown):
    found = resolve({}, {"TASTYTRADE_ACCOUNT": account}, None, None)
    assert found.settings.tastytrade.account == account
    assert next(row for row in rows(found) if row.key == "tastytrade.account").value == shown


def test_a_wrong_account_number_is_not_repeated():
    with pytest.raises(BadSettings) as caught:
        resolve({}, {"TASTYTRADE_ACCOUNT": f"{MARK}!"}, None, None)
    assert_unseen(everything_about(caught.value))


def test_texts_of_files_do_not_show_themselves():
    assert_unseen(repr(dotenv(f"A={MARK}")) + repr(toml(MARK)))


def test_a_secret_shows_stars_in_every_way_of_writing():
    secret = Secret(MARK)
    assert_unseen(
        f"{secret} {secret!r} {secret:>9} %s" % secret + io.BytesIO(pickle.dumps(secret)).read().decode("latin-1")
    )


def test_missing_credentials_say_how_to_set_them():
    with pytest.raises(BadSettings, match="TASTYTRADE_CLIENT_SECRET="):
        broker_secrets(Settings())
    with pytest.raises(BadSettings, match="TASTYTRADE_REFRESH_TOKEN="):
        broker_secrets(resolve({}, {"TASTYTRADE_CLIENT_SECRET": MARK}, None, None).settings)
    with pytest.raises(BadSettings, match="XAI_API_KEY="):
        xai_key(Settings())


def test_credentials_that_are_there_are_handed_over():
    env = {"TASTYTRADE_CLIENT_SECRET": "a", "TASTYTRADE_REFRESH_TOKEN": "b", "XAI_API_KEY": "c"}
    found = resolve({}, env, None, None).settings
    assert [secret.reveal() for secret in (*broker_secrets(found), xai_key(found))] == ["a", "b", "c"]
    assert found.mode is Mode.PAPER
