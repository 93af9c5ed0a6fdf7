"""What the present credentials are good for: one log-in, the account behind it, and the broker's clock."""

from dataclasses import replace
from typing import TYPE_CHECKING

from spy32.domain.spreads import Account
from spy32.domain.value import value
from spy32.errors import BadSettings, NotPermitted, Spy32Error

if TYPE_CHECKING:
    from spy32.wiring import App
    from spy32.wiring.tastytrade import TastytradeConnection


@value
class LoginCheck:
    """An account, or why none can be chosen yet; the log-in itself worked."""

    account: str | None
    problem: str = ""


def check_login(connection: "TastytradeConnection", account_number: str) -> LoginCheck:
    """Log in once and choose the account. `NotPermitted` when the log-in is refused."""
    connection.session.get_token(connection.seconds)
    try:
        return LoginCheck(account=connection.account(account_number))
    except BadSettings as error:
        return LoginCheck(account=None, problem=error.message)


@value
class AuthStatus:
    """How the log-in stands. The sources name a file and line or a variable, never a value."""

    service: str
    client_secret: str | None
    refresh_token: str | None
    has_token: bool | None = None
    """None when none was asked for."""
    account: Account | None = None
    clock_ahead: float | None = None
    """Seconds that the broker's clock is ahead of ours."""
    error: Spy32Error | None = None


def load_auth_status(app: "App") -> AuthStatus:
    """The status, found with at most one log-in; the first problem ends the checks and is part of the status."""
    from spy32.settings.addresses import tastytrade_address

    broker_settings = app.settings.tastytrade
    secret = app.sources["tastytrade.client_secret"].where if broker_settings.client_secret is not None else None
    token = app.sources["tastytrade.refresh_token"].where if broker_settings.refresh_token is not None else None
    known = AuthStatus(service=tastytrade_address(app.settings), client_secret=secret, refresh_token=token)
    if secret is None or token is None:
        missing = "client secret and refresh token are" if secret is token else "one of the credentials is"
        return replace(known, error=NotPermitted(f"{missing} missing; `spy32 auth login` asks for them"))
    has_token = False
    try:
        app.tastytrade.session.get_token(app.tastytrade.seconds)
        has_token = True
        broker = app.tastytrade.broker(lambda: app.tastytrade.account(broker_settings.account))
        account = broker.facts()
    except Spy32Error as error:
        return replace(known, has_token=has_token, error=error)
    return replace(known, has_token=True, account=account, clock_ahead=broker.clock_ahead())
