"""Where things are."""

from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings
from spy32.settings.paths import locations

HOME = {"HOME": "/home/anna"}


@pytest.mark.parametrize(
    ("env", "flag"), [({"SPY32_HOME": "/desk"}, None), ({"SPY32_HOME": "/other"} | HOME, "/desk"), ({}, "/desk")]
)
def test_a_home_holds_everything(env, flag):
    found = locations(env, flag)
    assert found.home == Path("/desk")
    assert found.config == Path("/desk/config.toml")
    assert found.dotenv == Path("/desk/.env")
    assert (found.data, found.state) == (Path("/desk"), Path("/desk"))
    assert found.database(Mode.LIVE) == Path("/desk/live.db")
    assert found.halt == Path("/desk/halt")


def test_without_a_home_the_xdg_folders_are_used():
    env = HOME | {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"}
    found = locations(env, None)
    assert (found.config, found.dotenv) == (Path("/c/spy32/config.toml"), Path("/c/spy32/.env"))
    assert (found.data, found.state, found.home) == (Path("/d/spy32"), Path("/s/spy32"), None)


@pytest.mark.parametrize("xdg", [{}, {"XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "rel", "XDG_STATE_HOME": "./x"}])
def test_absent_empty_and_relative_xdg_folders_give_their_defaults(xdg):
    found = locations(HOME | xdg, None)
    assert found.config == Path("/home/anna/.config/spy32/config.toml")
    assert found.data == Path("/home/anna/.local/share/spy32")
    assert found.state == Path("/home/anna/.local/state/spy32")


@pytest.mark.parametrize("home", ["", " ", "desk", "./desk", "../desk", "~anna/desk", "/a\0b"])
def test_a_home_that_would_hang_on_the_working_directory_is_refused(home):
    with pytest.raises(BadSettings, match="SPY32_HOME"):
        locations({"SPY32_HOME": home} | HOME, None)
    with pytest.raises(BadSettings, match="--home"):
        locations(HOME, home)


def test_a_tilde_that_no_shell_has_expanded_is_understood():
    assert locations({"SPY32_HOME": "~/desk"} | HOME, None).home == Path("/home/anna/desk")


@pytest.mark.parametrize("env", [{}, {"HOME": ""}, {"HOME": "anna"}])
def test_without_any_home_the_way_out_is_named(env):
    with pytest.raises(BadSettings, match="set SPY32_HOME"):
        locations(env, None)


def test_the_working_directory_plays_no_part(tmp_path, monkeypatch):
    before = locations(HOME, None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("")
    assert locations(HOME, None) == before
