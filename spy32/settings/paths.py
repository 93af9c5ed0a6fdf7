"""Where things are: one folder, or the folders of the XDG Base Directory Specification. Never the working directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.settings.keys import HOME
from spy32.settings.model import Locations

_OTHERS = 0o077
"""Every permission of group and others."""
_WRITES = 0o022
"""Write permission of group and others."""


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


def open_secrets(path: Path, mode_bits: int | None, has_secrets: bool) -> AccessFault | None:
    """What is wrong with a file of secrets that others may read; None when all is well.

    `mode_bits` are the permission bits of the file, None when there is none or the system has no such bits.
    """
    if mode_bits is None or not has_secrets or mode_bits & _OTHERS == 0:
        return None
    from shlex import quote

    problem = f"{path} holds secrets and is open to others (mode {mode_bits & 0o777:03o})"
    return AccessFault(problem, f"chmod 600 {quote(str(path))}")


def loose_permissions(path: Path, mode_bits: int | None, has_secrets: bool, mode: Mode) -> str | None:
    """`open_secrets` as a warning; `BadSettings` in live mode."""
    fault = open_secrets(path, mode_bits, has_secrets)
    if fault is not None and mode is Mode.LIVE:
        raise BadSettings(str(fault))
    return None if fault is None else str(fault)


@value
class Access:
    """Who may change a path: permission bits, user id of the owner, and the sticky bit.

    In a sticky folder such as /tmp only the owner of a file may rename it.
    """

    bits: int
    owner: int
    is_sticky: bool = False


def others_access(places: Mapping[Path, Access], parents: Mapping[Path, Access], user: int) -> AccessFault | None:
    """What is wrong with the first place that others may change, and the command that mends it; None when all is well.

    Whoever can write there decides what is traded. So does who can put another folder in the place of a parent, which
    a sticky parent prevents. `user` is our user id; what root owns is root's to change anyway.
    """
    from shlex import quote

    for path, access in (*places.items(), *parents.items()):
        if access.owner not in (user, 0):
            problem = f"{path} belongs to another user (id {access.owner})"
            return AccessFault(problem, f"sudo chown {user} {quote(str(path))}")
        is_kept = access.is_sticky and path not in places
        if access.bits & _WRITES and not is_kept:
            problem = f"{path} can be written by others (mode {access.bits & 0o777:03o})"
            return AccessFault(problem, f"chmod go-w {quote(str(path))}")
    return None


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
