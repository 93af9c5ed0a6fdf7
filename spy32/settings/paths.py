"""Where things are: one folder, or the folders of the XDG Base Directory Specification. Never the working directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from spy32.errors import BadSettings
from spy32.settings.keys import HOME
from spy32.settings.model import Locations


def locations(env: Mapping[str, str], home_flag: str | None) -> Locations:
    """The places of this process; `home_flag` outdoes SPY32_HOME, and the caller has made it absolute."""
    if home_flag is not None:
        return _home_locations(_absolute(home_flag, "--home", env))
    if HOME in env:
        return _home_locations(_absolute(env[HOME], HOME, env))
    config = _xdg(env, "XDG_CONFIG_HOME", ".config")
    return Locations(
        config=config / "config.toml",
        dotenv=config / ".env",
        data=_xdg(env, "XDG_DATA_HOME", ".local/share"),
        state=_xdg(env, "XDG_STATE_HOME", ".local/state"),
        home=None,
    )


class AccessFault(NamedTuple):
    """A path that others may read or change, and the command that mends it."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"


def _home_locations(home: Path) -> Locations:
    return Locations(config=home / "config.toml", dotenv=home / ".env", data=home, state=home, home=home)


def _absolute(text: str, name: str, env: Mapping[str, str]) -> Path:
    if text == "~" or text.startswith("~/"):
        # A crontab does not expand it.
        return _user_home(env) / text[2:]
    path = Path(text)
    if not text.strip() or not path.is_absolute() or "\0" in text:
        raise BadSettings(f"{name} is {text!r}, but must be an absolute path, such as /home/you/spy32")
    return path


def _xdg(env: Mapping[str, str], name: str, default: str) -> Path:
    """The specification says that a relative path is to be ignored."""
    base = Path(env.get(name, ""))
    return (base if base.is_absolute() else _user_home(env) / default) / "spy32"


def _user_home(env: Mapping[str, str]) -> Path:
    home = Path(env.get("HOME", ""))
    if not home.is_absolute():
        raise BadSettings(f"HOME is not set to an absolute path, so there is no place for spy32; set {HOME} to one")
    return home
