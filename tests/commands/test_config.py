"""`config show` and `config init` as a person and a script see them."""

import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from spy32.commands import config
from spy32.errors import CannotCreate, Refused
from spy32.settings import Settings
from spy32.settings.paths import locations
from spy32.settings.resolve import SettingsFile, resolve

ENV = {
    "XAI_API_KEY": "PLANTEDmarker",
    "TASTYTRADE_ACCOUNT": "5WX01234",
    "SPY32_MARKET_CHAIN": "recorded:/a/very/long/path/" + "x" * 90 + "/chain.json,cboe",
}


class ConfigApp:
    """The little of an App that these commands use."""

    def __init__(self, home: Path, *, width: int = 80, is_terminal: bool = False, **env: str) -> None:
        self.locations = locations({}, str(home))
        self.wants_json = False
        self.resolved_settings = resolve({}, env, None, None)
        self.out = Console(file=StringIO(), width=width, force_terminal=is_terminal, no_color=True, highlight=False)

    def mark_set_up(self) -> None:
        """Of a home; the commands are told of its files alone here."""

    @property
    def ctx(self) -> Any:
        return SimpleNamespace(find_root=lambda: SimpleNamespace(obj=self))

    @property
    def said(self) -> str:
        written = self.out.file
        assert isinstance(written, StringIO)
        return written.getvalue()


def test_without_a_terminal_each_setting_is_one_whole_line(tmp_path):
    desk = ConfigApp(tmp_path, width=40, **ENV)
    config.show(desk.ctx)
    lines = desk.said.splitlines()
    assert len(lines) == len(desk.resolved_settings.sources)
    assert "mode = paper  (default)" in lines
    assert f"market.chain = {ENV['SPY32_MARKET_CHAIN'].replace(',', ', ')}  (environment, SPY32_MARKET_CHAIN)" in lines
    assert "xai.api_key = ****  (environment, XAI_API_KEY)" in lines
    assert "tastytrade.account = ****1234  (environment, TASTYTRADE_ACCOUNT)" in lines


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_on_a_terminal_a_table_cuts_nothing(tmp_path, width):
    desk = ConfigApp(tmp_path, width=width, is_terminal=True, **ENV)
    config.show(desk.ctx)
    assert "…" not in desk.said
    assert desk.said.count("x") >= 90
    joined = "".join(desk.said.split())
    assert "PLANTED" not in joined
    assert "****" in joined


def test_json_is_one_document(tmp_path):
    desk = ConfigApp(tmp_path, **ENV)
    desk.wants_json = True
    config.show(desk.ctx)
    found = json.loads(desk.said)
    assert (found["schema"], found["version"]) == ("spy32.config", 1)
    by_key = {row.pop("key"): row for row in found["settings"]}
    assert by_key["mode"] == {"value": "paper", "source": "default", "where": "default"}
    assert by_key["xai.api_key"] == {"value": "****", "source": "environment", "where": "XAI_API_KEY"}
    assert by_key["tastytrade.client_secret"]["value"] is None
    assert by_key["limits.max_loss"]["value"] == "0.01"


@pytest.mark.parametrize(("json_wanted", "is_terminal"), [(False, False), (False, True), (True, False)])
def test_a_planted_secret_is_in_no_output(tmp_path, json_wanted, is_terminal):
    desk = ConfigApp(tmp_path, is_terminal=is_terminal, **ENV)
    desk.wants_json = json_wanted
    config.show(desk.ctx)
    assert "PLANTED" not in desk.said
    assert "5WX0" not in desk.said


def test_init_writes_a_private_config_that_changes_nothing(tmp_path):
    home = tmp_path / "new" / "home"
    desk = ConfigApp(home)
    config.init(desk.ctx)
    made = home / "config.toml"
    assert made.stat().st_mode & 0o777 == 0o600
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert desk.said == f"wrote {made}\n"
    assert resolve({}, {}, None, SettingsFile(text=made.read_text(), path=str(made))).settings == Settings()
    assert [file.name for file in home.iterdir()] == ["config.toml"]


def test_init_overwrites_only_when_told_to(tmp_path):
    there = tmp_path / "config.toml"
    there.write_text("mode = 'live'")
    with pytest.raises(Refused, match="--force"):
        config.init(ConfigApp(tmp_path).ctx)
    assert there.read_text() == "mode = 'live'"
    config.init(ConfigApp(tmp_path).ctx, force=True)
    assert "#mode" in there.read_text()
    assert there.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]


def test_init_does_not_write_through_a_dangling_link(tmp_path):
    (tmp_path / "config.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        config.init(ConfigApp(tmp_path).ctx)
    assert not (tmp_path / "elsewhere").exists()


def test_init_says_when_the_place_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreate, match="cannot be written"):
        config.init(ConfigApp(tmp_path / "file").ctx)


def test_init_leaves_nothing_half_written(tmp_path):
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(CannotCreate):
        config.init(ConfigApp(tmp_path).ctx, force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]
