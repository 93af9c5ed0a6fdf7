"""`auth login` leads through the one-time grant at tastytrade; `auth status` says how the log-in stands."""

from typing import TYPE_CHECKING

import typer

from spy32.commands.common import Json, get_app
from spy32.errors import BadSettings, BadUsage, ExitCode

if TYPE_CHECKING:
    from spy32.settings.knob import Secret
    from spy32.wiring import App
    from spy32.wiring.credentials import AuthStatus

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
    from spy32.wiring.credentials import check_login
    from spy32.wiring.dotenv import save_secrets

    app = get_app(ctx)
    _check_environment(app)
    path = app.locations.dotenv
    if not app.is_interactive:
        example = f"{SECRET}=... and {TOKEN}=..."
        raise BadUsage(f"there is no terminal to ask on; put {example} into {path} and chmod 600 it")
    _print_instructions(app)
    secret = _ask_secret("client secret", "tastytrade.client_secret")
    token = _ask_secret("refresh token", "tastytrade.refresh_token")
    connection = app.connect_tastytrade(secret, token)
    values = {SECRET: secret.reveal(), TOKEN: token.reveal()}
    check = check_login(connection, app.settings.tastytrade.account)
    if check.account is None:
        app.warn(check.problem)
        account_number = _ask_account()
        if account_number:
            check = check_login(connection, account_number)
            if check.account is None:
                raise BadSettings(f"{check.problem}; nothing was stored")
            values[ACCOUNT] = account_number
    save_secrets(path, values)
    _print_login(app, check.account)


def status(ctx: typer.Context, json: Json = False) -> None:
    """Credentials, log-in, account, options level, restrictions and clocks; one log-in, nothing is changed."""
    from spy32.render.output import print_lines
    from spy32.wiring.credentials import load_auth_status

    app = get_app(ctx)
    auth_status = load_auth_status(app)
    if json:
        _print_status_document(app, auth_status)
    else:
        print_lines(app.out, _status_lines(app, auth_status))
    if auth_status.error is None:
        return
    if not json:
        raise auth_status.error
    raise typer.Exit(auth_status.error.code)


def _check_environment(app: "App") -> None:
    """`BadSettings` while the environment says something that would win over what is stored."""
    for name in (SECRET, TOKEN, f"SPY32_{SECRET}", f"SPY32_{TOKEN}"):
        if app.env.get(name):
            raise BadSettings(f"{name} is set in the environment and would win over .env; unset it, then log in")


def _print_instructions(app: "App") -> None:
    from spy32.domain.spreads import Mode
    from spy32.render.explain import MODES
    from spy32.render.output import write_text
    from spy32.settings.addresses import tastytrade_address

    site, menu_path = PLACES["sandbox" if app.settings.mode is Mode.SANDBOX else "live"]
    host = tastytrade_address(app.settings)
    write_text(app.out, f"{MODES[app.settings.mode]}\n")
    write_text(app.out, GRANT.format(site=site, way=menu_path, host=host, path=app.locations.dotenv))


def _ask_secret(label: str, key: str) -> "Secret":
    """A secret, typed unseen; `BadUsage` when nothing, or nothing usable, was typed."""
    from spy32.settings.coerce import parse_setting
    from spy32.settings.keys import KEYS, InvalidValue, describe_allowed
    from spy32.settings.knob import Secret

    typed = _read_hidden(label)
    if not typed:
        raise BadUsage(f"no {label} was typed; nothing was stored")
    problem = None
    try:
        value = parse_setting(KEYS[key], typed)
    except InvalidValue as error:
        problem = str(error)
    if problem is not None:
        # Raised outside the handler: no traceback may carry what was typed.
        raise BadUsage(f"that is no {label}: it takes {describe_allowed(KEYS[key])} ({problem}); nothing was stored")
    assert isinstance(value, Secret)
    return value


def _ask_account() -> str:
    """The account number, typed unseen; empty when the person leaves it for later."""
    from spy32.settings.coerce import parse_setting
    from spy32.settings.keys import KEYS, InvalidValue

    typed = _read_hidden("account number (Enter alone leaves it open)")
    try:
        return str(parse_setting(KEYS["tastytrade.account"], typed))
    except InvalidValue:
        raise BadUsage("that is no account number; nothing was stored") from None


def _read_hidden(label: str) -> str:
    """What was typed, without a trace on the screen; empty at the end of input."""
    from getpass import getpass

    try:
        return getpass(f"{label}: ").strip()
    except EOFError:
        return ""


def _print_login(app: "App", account: str | None) -> None:
    from spy32.render.output import write_text

    write_text(app.out, f"the log-in works; the credentials are in {app.locations.dotenv}\n")
    if account is None:
        write_text(app.out, f"no account is chosen: put {ACCOUNT}=... beside them\n")
    else:
        write_text(app.out, f"account …{account[-4:]}\n")
    write_text(app.out, "next: spy32 auth status\n")


def _print_status_document(app: "App", auth_status: "AuthStatus") -> None:
    from spy32.render.documents import print_document
    from spy32.render.home_documents import AUTH, LogIn

    account, error = auth_status.account, auth_status.error
    log_in = LogIn(
        mode=app.settings.mode,
        service=auth_status.service,
        client_secret=auth_status.client_secret,
        refresh_token=auth_status.refresh_token,
        token=auth_status.has_token,
        account=None if account is None else account.masked_number,
        options_level=None if account is None else account.options_level,
        restrictions=() if account is None else account.restrictions,
        clock_ahead_seconds=auth_status.clock_ahead,
        trouble=None if error is None else error.message,
        code=ExitCode.OK if error is None else error.code,
    )
    print_document(app.out, AUTH, log_in)


def _status_lines(app: "App", auth_status: "AuthStatus") -> list[str]:
    from spy32.render.explain import MODES

    lines = [
        f"{MODES[app.settings.mode]}",
        f"service: {auth_status.service}",
        f"client secret: {_describe_source(auth_status.client_secret)}",
        f"refresh token: {_describe_source(auth_status.refresh_token)}",
    ]
    if auth_status.has_token is not None:
        lines.append("log-in: works" if auth_status.has_token else "log-in: does not work")
    account = auth_status.account
    if account is not None:
        lines += [
            f"account: {account.masked_number}, options level {account.options_level}",
            f"restrictions: {', '.join(account.restrictions) or 'none'}",
        ]
    if auth_status.clock_ahead is not None:
        lines.append(f"clock: the broker's is {auth_status.clock_ahead:+.0f} s from ours")
    return lines


def _describe_source(source: str | None) -> str:
    return "missing" if source is None else f"set ({source})"
