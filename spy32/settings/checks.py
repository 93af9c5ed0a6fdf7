"""What no single key shows: values that contradict each other, and credentials that an act needs."""

from collections.abc import Mapping

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings
from spy32.settings.addresses import in_use, is_loopback, other_modes_host
from spy32.settings.layers import Source
from spy32.settings.model import Secret, Settings
from spy32.settings.profiles import for_profile, looser


def check(settings: Settings, sources: Mapping[str, Source]) -> None:
    """`BadSettings` for the first contradiction, naming the keys and where they stood."""
    _bands(settings, sources)
    _days(settings, sources)
    _profiles(settings, sources)
    _clock(settings, sources)
    host = other_modes_host(settings)
    if host is not None:
        raise BadSettings(
            f"{_where('tastytrade.url', sources)}: {host} is not a host of mode {settings.mode} "
            f"({_where('mode', sources)}); remove tastytrade.url to take the mode's own"
        )


def broker_secrets(settings: Settings) -> tuple[Secret, Secret]:
    """Client secret and refresh token of tastytrade; `BadSettings` that says how to set what is missing."""
    secret, token = settings.tastytrade.client_secret, settings.tastytrade.refresh_token
    if secret is None:
        raise _missing("tastytrade.client_secret", "TASTYTRADE_CLIENT_SECRET")
    if token is None:
        raise _missing("tastytrade.refresh_token", "TASTYTRADE_REFRESH_TOKEN")
    return secret, token


def xai_key(settings: Settings) -> Secret:
    """Key of the xAI service; `BadSettings` that says how to set it."""
    if settings.xai.api_key is None:
        raise _missing("xai.api_key", "XAI_API_KEY")
    return settings.xai.api_key


def _missing(key: str, variable: str) -> BadSettings:
    return BadSettings(f"{key} is not set; put {variable}=... into .env (`spy32 config show` says where that is)")


def _where(key: str, sources: Mapping[str, Source]) -> str:
    source = sources[key]
    return f"{key} by default" if source.kind == "default" else source.where


def _bands(settings: Settings, sources: Mapping[str, Source]) -> None:
    choice = settings.choice
    for low, high in (("delta_low", "delta_high"), ("width_low", "width_high")):
        if not getattr(choice, low) <= getattr(choice, high):
            place = next(
                (sources[key].where for key in (f"choice.{low}", f"choice.{high}") if sources[key].kind != "default"),
                "default",
            )
            raise BadSettings(
                f"{place}: choice.{low} ({getattr(choice, low)}) is above choice.{high} ({getattr(choice, high)})"
            )


def _days(settings: Settings, sources: Mapping[str, Source]) -> None:
    wanted = {"dte.default": settings.dte.default}
    wanted |= {f"profile.{name}.dte": each.dte for name, each in settings.profiles.items() if each.dte is not None}
    for key, days in wanted.items():
        if days not in settings.dte.available:
            listed = ", ".join(str(day) for day in settings.dte.available)
            raise BadSettings(f"{_where(key, sources)}: {key} is {days}, but dte.available has only {listed}")


def _profiles(settings: Settings, sources: Mapping[str, Source]) -> None:
    for name, profile in settings.profiles.items():
        for field, mine, cap in looser(profile, settings.limits):
            key = f"profile.{name}.{field}"
            raise BadSettings(
                f"{_where(key, sources)}: {key} is {mine}, but limits.{field} is {cap} "
                f"({_where(f'limits.{field}', sources)}); a profile may only tighten it"
            )
        choice = for_profile(settings, name).choice
        if not choice.delta_low <= choice.delta_high:
            key = f"profile.{name}.delta_{'low' if profile.delta_low is not None else 'high'}"
            raise BadSettings(
                f"{_where(key, sources)}: profile {name} has a delta band from {choice.delta_low} to "
                f"{choice.delta_high}; the first must not be above the second"
            )


def _clock(settings: Settings, sources: Mapping[str, Source]) -> None:
    if settings.clock is None or settings.mode is not Mode.LIVE:
        return
    far = [key for key, address in in_use(settings).items() if not is_loopback(address)]
    if far:
        raise BadSettings(
            f"{_where('clock', sources)}: clock is refused in live mode, since {far[0]} is not a loopback address"
        )
