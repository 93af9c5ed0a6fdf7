"""Checks across keys: values that contradict each other, and credentials that an action needs."""

from collections.abc import Callable, Iterator, Mapping

from spy32.domain.option_class import INDEX_CLASSES, SHARE_CLASSES, option_roots, underlying_for_root
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings
from spy32.settings.addresses import addresses_in_use, is_loopback, other_modes_host
from spy32.settings.keys import Source
from spy32.settings.model import Secret, Settings
from spy32.settings.notifiers import PING_LABEL, notify_addresses
from spy32.settings.profiles import for_profile, loosened_limits

Place = Callable[[str], str]
"""Key -> where its value stands."""
Problems = Iterator[tuple[str, str]]
"""The key to blame, and what is wrong."""


def check(settings: Settings, sources: Mapping[str, Source]) -> None:
    """`BadSettings` for the first contradiction, naming the keys and where they stood."""

    def place(key: str) -> str:
        return f"{key} by default" if sources[key].kind == "default" else sources[key].where

    for rule in (_bands, _days, _profiles, _clock, _hosts, _labels):
        for key, problem in rule(settings, place):
            raise BadSettings(f"{place(key)}: {problem}")


def broker_secrets(settings: Settings) -> tuple[Secret, Secret]:
    """Client secret and refresh token of tastytrade; `BadSettings` that says how to set what is missing."""
    service = settings.tastytrade
    return (
        _present(service.client_secret, "tastytrade.client_secret"),
        _present(service.refresh_token, "tastytrade.refresh_token"),
    )


def xai_key(settings: Settings) -> Secret:
    """Key of the xAI service; `BadSettings` that says how to set it."""
    return _present(settings.xai.api_key, "xai.api_key")


def _present(secret: Secret | None, key: str) -> Secret:
    if secret is not None:
        return secret
    variable = key.replace(".", "_").upper()
    raise BadSettings(f"{key} is not set; put {variable}=... into .env (`spy32 config show` says where that is)")


def _bands(settings: Settings, place: Place) -> Problems:
    choice = settings.choice
    for low, high in (("delta_low", "delta_high"), ("width_low", "width_high")):
        least, most = getattr(choice, low), getattr(choice, high)
        if not least <= most:
            is_low_set = place(f"choice.{low}") != f"choice.{low} by default"
            blamed = low if is_low_set else high
            yield f"choice.{blamed}", f"choice.{low} ({least}) is above choice.{high} ({most})"


def _days(settings: Settings, _: Place) -> Problems:
    wanted = {"dte.default": settings.dte.default}
    wanted |= {f"profile.{name}.dte": each.dte for name, each in settings.profiles.items() if each.dte is not None}
    listed = ", ".join(str(day) for day in settings.dte.available)
    for key, days in wanted.items():
        if days not in settings.dte.available:
            yield key, f"{key} is {days}, but dte.available has only {listed}"


def _profiles(settings: Settings, place: Place) -> Problems:
    for name, profile in settings.profiles.items():
        if not option_roots(profile.underlying):
            indexes = ", ".join(dict.fromkeys(each.underlying for each in INDEX_CLASSES.values()))
            known = f"of indexes {indexes} are, of classes of shares {', '.join(SHARE_CLASSES.values())}"
            problem = f"the settlement and price steps of {profile.underlying} options are not known; {known}"
            yield f"profile.{name}.underlying", problem
        ticker = underlying_for_root(profile.underlying)
        if ticker != profile.underlying:
            problem = f"{profile.underlying} is a root of options on {ticker}; underlying takes the ticker, {ticker}"
            yield f"profile.{name}.underlying", problem
        for field, mine, cap in loosened_limits(profile, settings.limits):
            key, limit = f"profile.{name}.{field}", f"limits.{field}"
            yield key, f"{key} is {mine}, but {limit} is {cap} ({place(limit)}); a profile may only tighten it"
        choice = for_profile(settings, name).choice
        if not choice.delta_low <= choice.delta_high:
            band = f"a delta band from {choice.delta_low} to {choice.delta_high}"
            edge = "low" if profile.delta_low is not None else "high"
            yield f"profile.{name}.delta_{edge}", f"profile {name} has {band}; the first must not be above the second"


def _clock(settings: Settings, _: Place) -> Problems:
    if settings.clock is not None and settings.mode is Mode.LIVE:
        far = [key for key, address in addresses_in_use(settings).items() if not is_loopback(address)]
        if far:
            yield "clock", f"clock is refused in live mode, since {far[0]} is not a loopback address"


def _hosts(settings: Settings, place: Place) -> Problems:
    host = other_modes_host(settings)
    if host is not None:
        mode = f"mode {settings.mode} ({place('mode')})"
        yield "tastytrade.url", f"{host} is not a host of {mode}; remove tastytrade.url to take the mode's own"


def _labels(settings: Settings, _: Place) -> Problems:
    labels = [address.label for address in notify_addresses(settings.notify.addresses)]
    for label in sorted(set(labels)):
        if labels.count(label) > 1:
            yield "notify.addresses", f"two addresses are called {label}; a label names one of them"
        if label == PING_LABEL:
            yield "notify.addresses", f"{PING_LABEL} is the label of the [ping] addresses; take another one"
