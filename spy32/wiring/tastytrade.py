"""tastytrade in this process: one log-in for market data and orders."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.spreads import Mode
from spy32.settings import Settings
from spy32.settings.knob import Secret

if TYPE_CHECKING:
    from spy32.brokers.tastytrade import TastytradeBroker
    from spy32.clients.http import HttpClient
    from spy32.clients.tastytrade.oauth_session import OAuthSession
    from spy32.clients.tastytrade.rest import RestClient

DocumentSink = Callable[[str, bytes], None]


@dataclass
class TastytradeConnection:
    """One log-in at the mode's host. Nothing is asked before it is needed."""

    settings: Settings
    clock: Callable[[], datetime]
    warn: Callable[[str], None]
    secrets: tuple[Secret, Secret] | None = None
    """Client secret and refresh token to use instead of those in the settings."""
    refused: Path | None = None
    """Where refused log-ins are remembered."""

    @cached_property
    def session(self) -> "OAuthSession":
        """`BadSettings` when a credential is missing; the log-in itself comes with the first question."""
        from spy32.clients.tastytrade.oauth_session import LoginRefusals, OAuthSession
        from spy32.settings.addresses import foreign_tastytrade
        from spy32.settings.checks import broker_secrets

        secret, token = self.secrets or broker_secrets(self.settings)
        warning = foreign_tastytrade(self.settings)
        if warning is not None:
            self.warn(warning)
        refusals = LoginRefusals(self.refused, self.clock, secret, token) if self.refused is not None else None
        return OAuthSession(self._http(None), secret, token, self.clock, self.warn, refusals)

    def rest(self, keep: DocumentSink | None = None) -> "RestClient":
        """The service behind the one log-in. `keep` gets every document; account facts are not for keeping."""
        from spy32.clients.tastytrade.rest import RestClient

        version = self.settings.tastytrade.version
        is_silent = self.settings.mode is Mode.SANDBOX or version == "none"
        return RestClient(self._http(keep), self.session, version="" if is_silent else version)

    @cached_property
    def account_rest(self) -> "RestClient":
        return self.rest()

    def account(self, number: str) -> str:
        """The number of the account: `wanted`, or the only open one. Never a guess."""
        from spy32.brokers.tastytrade import choose_account

        return choose_account(self.account_rest, number, self.settings.market.source_seconds)

    def broker(self, find_number: Callable[[], str]) -> "TastytradeBroker":
        """The broker of the account that `find_number` names at the first question."""
        from spy32.brokers.tastytrade import TastytradeBroker

        return TastytradeBroker(
            lambda: (self.account_rest, find_number()),
            mode=self.settings.mode,
            clock=self.clock,
            seconds=self.settings.market.source_seconds,
        )

    def _http(self, keep: DocumentSink | None) -> "HttpClient":
        from spy32.settings.addresses import tastytrade_address
        from spy32.wiring.process import build_http

        return build_http("tastytrade", tastytrade_address(self.settings), self.clock, keep)
