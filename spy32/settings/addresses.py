"""Addresses of the services: what one may look like, which are in use, and that they fit the mode."""

from collections.abc import Mapping

from spy32.domain.spreads import Mode
from spy32.settings.keys import is_loopback_host
from spy32.settings.model import Settings

PRODUCTION = "https://api.tastyworks.com"
CERTIFICATION = "https://api.cert.tastyworks.com"
"""The sandbox of tastytrade; developer.tastytrade.com, "Sandbox"."""

_PRODUCTION_HOSTS = ("api.tastyworks.com", "api.tastytrade.com")
_XAI_HOST = "api.x.ai"
_CERTIFICATION_HOSTS = ("api.cert.tastyworks.com", "api.cert.tastytrade.com")


def is_loopback(address: str) -> bool:
    return is_loopback_host(_host(address))


def _host(address: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(address).hostname or ""


def tastytrade_address(settings: Settings) -> str:
    """Where tastytrade is asked: the address that is set, or the mode's own host."""
    own = CERTIFICATION if settings.mode is Mode.SANDBOX else PRODUCTION
    return settings.tastytrade.url or own


def addresses_in_use(settings: Settings) -> Mapping[str, str]:
    """Key -> address of every service that these settings may call; empty for Yahoo's own."""
    market = settings.market
    sources = {*market.chain, *market.history, *market.vix, *market.dividends}
    found = {}
    if settings.analyst.name == "grok":
        found["xai.url"] = settings.xai.url
    if settings.mode is not Mode.PAPER or "tastytrade" in sources:
        found["tastytrade.url"] = tastytrade_address(settings)
    if "cboe" in sources:
        found["cboe.url"] = settings.cboe.url
    if "yahoo" in sources:
        found["yahoo.url"] = settings.yahoo.url
    return found


def foreign_tastytrade(settings: Settings) -> str | None:
    """A warning that names where the credentials go, when that is no tastytrade host of this mode."""
    own = _CERTIFICATION_HOSTS if settings.mode is Mode.SANDBOX else _PRODUCTION_HOSTS
    if _host(tastytrade_address(settings)) in own:
        return None
    return f"tastytrade.url is {settings.tastytrade.url}, not {own[0]}: the client secret and the tokens are sent there"


def foreign_xai(settings: Settings) -> str | None:
    """A warning that names where the xAI key goes, unless the host belongs to xAI; regional hosts do."""
    if f".{_host(settings.xai.url)}".endswith(f".{_XAI_HOST}"):
        return None
    return f"xai.url is {settings.xai.url}, not {_XAI_HOST}: the key is sent there"


def other_modes_host(settings: Settings) -> str | None:
    """The tastytrade host that is set, if it belongs to the other one of sandbox and live."""
    host = _host(settings.tastytrade.url)
    strange = {Mode.LIVE: _CERTIFICATION_HOSTS, Mode.SANDBOX: _PRODUCTION_HOSTS}.get(settings.mode, ())
    return host if host in strange else None
