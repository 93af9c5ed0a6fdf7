"""What the credentials at hand are good for: one log-in, the account behind it, and the broker's clock."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spy32.domain.trading import Account
from spy32.errors import BadSettings, NotPermitted, Spy32Error

if TYPE_CHECKING:
    from spy32.wiring import App
    from spy32.wiring.tastytrade import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An account, or in words why none can be chosen yet; the log-in itself worked."""

    account: str | None
    trouble: str = ""


def tried(line: "Line", wanted: str) -> Tried:
    """The account that these credentials reach. A log-in that is refused leaves as `NotPermitted`, once, for good."""
    line.session.bearer(line.seconds)
    try:
        return Tried(account=line.account(wanted))
    except BadSettings as open_question:
        return Tried(account=None, trouble=open_question.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the log-in stands. The sources name a file and line or a variable, never a value."""

    service: str
    client_secret: str | None
    refresh_token: str | None
    has_token: bool | None = None
    """None when none was asked for."""
    account: Account | None = None
    clock_ahead: float | None = None
    """Seconds that the broker's clock is ahead of ours."""
    trouble: Spy32Error | None = None


def standing(app: "App") -> Standing:
    """Asked with at most one log-in; what does not work ends the looking, and is told."""
    from spy32.settings.addresses import tastytrade_address

    knobs = app.settings.tastytrade
    secret = app.sources["tastytrade.client_secret"].where if knobs.client_secret is not None else None
    token = app.sources["tastytrade.refresh_token"].where if knobs.refresh_token is not None else None
    before = Standing(service=tastytrade_address(app.settings), client_secret=secret, refresh_token=token)
    if secret is None or token is None:
        missing = "client secret and refresh token are" if secret is token else "one of the credentials is"
        return replace(before, trouble=NotPermitted(f"{missing} missing; `spy32 auth login` asks for them"))
    has_token = False
    try:
        app.line.session.bearer(app.line.seconds)
        has_token = True
        broker = app.line.broker(app.line.account(knobs.account))
        account = broker.facts()
    except Spy32Error as trouble:
        return replace(before, has_token=has_token, trouble=trouble)
    return replace(before, has_token=True, account=account, clock_ahead=broker.clock_ahead())
