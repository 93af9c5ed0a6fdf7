"""`auth login` leads through the one-time grant at tastytrade; `auth status` says how the log-in stands."""

from typing import TYPE_CHECKING

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import BadSettings, Usage

if TYPE_CHECKING:
    from spy32.settings.knob import Secret
    from spy32.wiring import App
    from spy32.wiring.credentials import Standing

SECRET, TOKEN, ACCOUNT = "TASTYTRADE_CLIENT_SECRET", "TASTYTRADE_REFRESH_TOKEN", "TASTYTRADE_ACCOUNT"

GRANT = """\
One grant lets spy32 log in from now on. At {site}:
  1. {way}
  2. create an application with the scopes read and trade (no callback is used); it needs two-factor authentication
  3. note its client secret, which is shown once
  4. press Manage, then Create Grant, and note the refresh token, which does not end
What you type next is not shown, goes to {host} only, and is kept in
{path}, readable by you alone. Enter alone leaves.
"""
PLACES = {
    "live": ("https://my.tastytrade.com", "Manage, My Profile, API, OAuth Applications"),
    "sandbox": ("https://developer.tastytrade.com", "Sandbox, your sandbox user, OAuth Applications"),
}


def login(ctx: typer.Context) -> None:
    """Ask for client secret and refresh token, try them once, and keep them in .env."""
    from spy32.wiring.credentials import tried
    from spy32.wiring.dotenv import store

    app = app_of(ctx)
    _settled(app)
    path = app.locations.dotenv
    if not app.is_interactive:
        lines = f"{SECRET}=... and {TOKEN}=..."
        raise Usage(f"there is no terminal to ask on; put {lines} into {path} and chmod 600 it")
    _lead(app)
    secret = _asked("client secret", "tastytrade.client_secret")
    token = _asked("refresh token", "tastytrade.refresh_token")
    line = app.line_with(secret, token)
    values = {SECRET: secret.reveal(), TOKEN: token.reveal()}
    found = tried(line, app.settings.tastytrade.account)
    if found.account is None:
        app.warn(found.trouble)
        wanted = _asked_account()
        if wanted:
            found = tried(line, wanted)
            if found.account is None:
                raise BadSettings(f"{found.trouble}; nothing was stored")
            values[ACCOUNT] = wanted
    store(path, values)
    _say(app, found.account)


def status(ctx: typer.Context, json: Json = False) -> None:
    """Credentials, log-in, account, options level, restrictions and clocks; one log-in, nothing is changed."""
    from spy32.render.documents import emit
    from spy32.render.out import put
    from spy32.wiring.credentials import standing

    app = app_of(ctx)
    found = standing(app)
    if json:
        emit(app.out, _document(app, found))
    else:
        put(app.out, "".join(f"{line}\n" for line in _lines(app, found)))
    if found.trouble is None:
        return
    if not json:
        raise found.trouble
    raise typer.Exit(found.trouble.code)


def _settled(app: "App") -> None:
    """`BadSettings` while the environment says something that would win over what is stored."""
    for name in (SECRET, TOKEN, f"SPY32_{SECRET}", f"SPY32_{TOKEN}"):
        if app.env.get(name):
            raise BadSettings(f"{name} is set in the environment and would win over .env; unset it, then log in")


def _lead(app: "App") -> None:
    from spy32.render.explain import MODES
    from spy32.render.out import put
    from spy32.settings.addresses import tastytrade_address

    site, way = PLACES["sandbox" if app.settings.mode == "sandbox" else "live"]
    host = tastytrade_address(app.settings)
    put(app.out, f"{MODES[app.settings.mode]}\n")
    put(app.out, GRANT.format(site=site, way=way, host=host, path=app.locations.dotenv))


def _asked(what: str, key: str) -> "Secret":
    """A secret, typed unseen; `Usage` when nothing, or nothing usable, was typed."""
    from spy32.settings.coerce import from_text
    from spy32.settings.keys import KEYS, Wrong, allowed
    from spy32.settings.knob import Secret

    typed = _hidden(what)
    if not typed:
        raise Usage(f"no {what} was typed; nothing was stored")
    problem = None
    try:
        value = from_text(KEYS[key], typed)
    except Wrong as wrong:
        problem = str(wrong)
    if problem is not None:
        # Raised outside the handler: no traceback may carry what was typed.
        raise Usage(f"that is no {what}: it takes {allowed(KEYS[key])} ({problem}); nothing was stored")
    assert isinstance(value, Secret)
    return value


def _asked_account() -> str:
    """The account number, typed unseen; empty when the person leaves it for later."""
    from spy32.settings.coerce import from_text
    from spy32.settings.keys import KEYS, Wrong

    typed = _hidden("account number (Enter alone leaves it open)")
    try:
        return str(from_text(KEYS["tastytrade.account"], typed))
    except Wrong:
        raise Usage("that is no account number; nothing was stored") from None


def _hidden(what: str) -> str:
    """What was typed, without a trace on the screen; empty at the end of input."""
    from getpass import getpass

    try:
        return getpass(f"{what}: ").strip()
    except EOFError:
        return ""


def _say(app: "App", account: str | None) -> None:
    from spy32.render.out import put

    put(app.out, f"the log-in works; the credentials are in {app.locations.dotenv}\n")
    if account is None:
        put(app.out, f"no account is chosen: put {ACCOUNT}=... beside them\n")
    else:
        put(app.out, f"account …{account[-4:]}\n")
    put(app.out, "next: spy32 auth status\n")


def _document(app: "App", found: "Standing") -> dict[str, object]:
    account = found.account
    return {
        "schema": "spy32.auth",
        "version": 1,
        "mode": app.settings.mode.value,
        "service": found.service,
        "client_secret": found.client_secret,
        "refresh_token": found.refresh_token,
        "token": found.has_token,
        "account": None if account is None else account.masked,
        "options_level": None if account is None else account.options_level,
        "restrictions": [] if account is None else list(account.restrictions),
        "clock_ahead_seconds": found.clock_ahead,
        "trouble": None if found.trouble is None else found.trouble.message,
        "code": 0 if found.trouble is None else found.trouble.code,
    }


def _lines(app: "App", found: "Standing") -> list[str]:
    from spy32.render.explain import MODES

    lines = [
        f"{MODES[app.settings.mode]}",
        f"service: {found.service}",
        f"client secret: {_from(found.client_secret)}",
        f"refresh token: {_from(found.refresh_token)}",
    ]
    if found.has_token is not None:
        lines.append("log-in: works" if found.has_token else "log-in: does not work")
    account = found.account
    if account is not None:
        lines += [
            f"account: {account.masked}, options level {account.options_level}",
            f"restrictions: {', '.join(account.restrictions) or 'none'}",
        ]
    if found.clock_ahead is not None:
        lines.append(f"clock: the broker's is {found.clock_ahead:+.0f} s from ours")
    return lines


def _from(source: str | None) -> str:
    return "missing" if source is None else f"set ({source})"
