"""`auth login` leads through the one-time grant at tastytrade; `auth status` says how the log-in stands."""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from spy32.commands.common import App, get_app, print_document, print_lines
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, NotPermitted, Spy32Error
from spy32.settings.knob import Secret

if TYPE_CHECKING:
    from spy32.render.home_documents import LogIn
    from spy32.wiring.tastytrade import TastytradeConnection

SECRET, TOKEN, ACCOUNT = "TASTYTRADE_CLIENT_SECRET", "TASTYTRADE_REFRESH_TOKEN", "TASTYTRADE_ACCOUNT"

GRANT = """\
One grant lets spy32 log in from now on. At {site}:
  1. {way}
  2. create an application with the scopes read and trade (no callback is used); it needs two-factor authentication
  3. note its client secret, which is shown once
  4. press Manage, then Create Grant, and note the refresh token, which does not end
What you type next is not shown, goes to {host} only, and is kept in
{path}, readable by you alone. Enter alone leaves."""
PLACES = {
    "live": ("https://my.tastytrade.com", "Manage, My Profile, API, OAuth Applications"),
    "sandbox": ("https://developer.tastytrade.com", "Sandbox, your sandbox user, OAuth Applications"),
}


def login(ctx: typer.Context) -> None:
    """Ask for client secret and refresh token, try them once, and keep them in .env."""
    from spy32.wiring.dotenv import save_secrets

    app = get_app(ctx)
    for name in (SECRET, TOKEN, f"SPY32_{SECRET}", f"SPY32_{TOKEN}"):
        if app.env.get(name):
            raise BadSettings(f"{name} is set in the environment and would win over .env; unset it, then log in")
    path = app.locations.dotenv
    if not app.is_interactive:
        example = f"{SECRET}=... and {TOKEN}=..."
        raise BadUsage(f"there is no terminal to ask on; put {example} into {path} and chmod 600 it")
    _print_instructions(app)
    secret = _ask_hidden("client secret", "tastytrade.client_secret")
    token = _ask_hidden("refresh token", "tastytrade.refresh_token")
    connection = app.connect_tastytrade((secret, token))
    connection.session.get_token(connection.settings.market.source_seconds)
    values = {SECRET: secret.reveal(), TOKEN: token.reveal()}
    try:
        account = connection.account(app.settings.tastytrade.account)
    except BadSettings as error:  # none is set, or another login's
        app.warn(error.message)
        account = _ask_account(connection)
        values |= {ACCOUNT: account} if account else {}
    save_secrets(path, values)
    lines = [
        f"the log-in works; the credentials are in {path}",
        f"account …{account[-4:]}" if account else f"no account is chosen: put {ACCOUNT}=... beside them",
        "next: spy32 auth status",
    ]
    print_lines(app, lines)


def status(ctx: typer.Context) -> None:
    """Credentials, log-in, account, options level, restrictions and clocks; one log-in, nothing is changed."""
    from spy32.render.home_documents import AUTH

    app = get_app(ctx)
    log_in = _load_log_in(app)
    if app.wants_json:
        print_document(app, AUTH, log_in)
    else:
        print_lines(app, _status_lines(app, log_in))
        if log_in.trouble is not None:
            app.warn(log_in.trouble)
    if log_in.code:
        raise typer.Exit(log_in.code)


def _print_instructions(app: App) -> None:
    from spy32.render.explain import MODES
    from spy32.settings.addresses import tastytrade_address

    site, menu_path = PLACES["sandbox" if app.settings.mode is Mode.SANDBOX else "live"]
    host = tastytrade_address(app.settings)
    grant = GRANT.format(site=site, way=menu_path, host=host, path=app.locations.dotenv)
    print_lines(app, [MODES[app.settings.mode], grant])


def _ask_account(connection: "TastytradeConnection") -> str:
    """The account number; empty when the person leaves it for later."""
    number = _ask_hidden("account number (Enter alone leaves it open)", "tastytrade.account").reveal()
    try:
        return "" if number == "" else connection.account(number)
    except BadSettings as error:
        raise BadSettings(f"{error.message}; nothing was stored") from None


def _ask_hidden(label: str, key: str) -> Secret:
    """What was typed unseen for a key; `BadUsage` when nothing usable was. The end of input is nothing."""
    from getpass import getpass

    from spy32.settings.keys import KEYS, InvalidValue, describe_allowed, parse_setting

    typed, problem = "", ""
    with suppress(EOFError):
        typed = getpass(f"{label}: ").strip()
    try:
        found = parse_setting(KEYS[key], typed)
        return found if isinstance(found, Secret) else Secret(found)
    except InvalidValue as error:
        problem = str(error)
    # Raised outside the handler: no traceback may carry what was typed.
    raise BadUsage(f"that is no {label}: it takes {describe_allowed(KEYS[key])} ({problem}); nothing was stored")


def _load_log_in(app: App) -> "LogIn":
    """How the log-in stands, by at most one log-in; the first problem ends the checks and is part of the answer.

    The sources of the credentials name a file and line or a variable, never a value.
    """
    from spy32.render.home_documents import LogIn
    from spy32.settings.addresses import tastytrade_address

    known, service = app.settings.tastytrade, tastytrade_address(app.settings)
    secret = app.sources["tastytrade.client_secret"].where if known.client_secret is not None else None
    token = app.sources["tastytrade.refresh_token"].where if known.refresh_token is not None else None
    found = LogIn(mode=app.settings.mode, service=service, client_secret=secret, refresh_token=token)
    try:
        if secret is None or token is None:
            missing = "client secret and refresh token are" if secret is token else "one of the credentials is"
            raise NotPermitted(f"{missing} missing; `spy32 auth login` asks for them")
        found = replace(found, token=False)
        app.tastytrade.session.get_token(app.settings.market.source_seconds)
        found = replace(found, token=True)
        broker = app.tastytrade.broker(lambda: app.tastytrade.account(known.account))
        account = broker.facts()
    except Spy32Error as error:
        return replace(found, trouble=error.message, code=error.code)
    return replace(
        found,
        account=account.masked_number,
        options_level=account.options_level,
        restrictions=account.restrictions,
        clock_ahead_seconds=broker.clock_ahead(),
    )


def _status_lines(app: App, log_in: "LogIn") -> list[str]:
    from spy32.render.explain import MODES

    credentials = {"client secret": log_in.client_secret, "refresh token": log_in.refresh_token}
    lines = [MODES[app.settings.mode], f"service: {log_in.service}"]
    lines += [f"{name}: {'missing' if place is None else f'set ({place})'}" for name, place in credentials.items()]
    if log_in.token is not None:
        lines.append("log-in: works" if log_in.token else "log-in: does not work")
    if log_in.account is not None:
        lines += [
            f"account: {log_in.account}, options level {log_in.options_level}",
            f"restrictions: {', '.join(log_in.restrictions) or 'none'}",
        ]
    if log_in.clock_ahead_seconds is not None:
        lines.append(f"clock: the broker's is {log_in.clock_ahead_seconds:+.0f} s from ours")
    return lines
