"""The settings of one profile, and the multiplier of a number of days to expiration."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from spy32.domain.market import has_other_root, option_roots
from spy32.errors import BadSettings
from spy32.settings.keys import nearest
from spy32.settings.model import Choice, Dte, Limits, Profile, Settings


def for_profile(settings: Settings, name: str) -> Settings:
    """`settings` with the profile merged into choice, limits and dte; `BadSettings` when it is unknown or loosens."""
    profile = settings.profiles.get(name)
    if profile is None:
        known = ", ".join(settings.profiles)
        hint = f"the nearest known one is {nearest(name, settings.profiles)}; known are: {known}"
        raise BadSettings(f"there is no profile {name!r}; {hint}")
    for field, mine, cap in looser(profile, settings.limits):
        raise BadSettings(
            f"profile.{name}.{field} is {mine}, but limits.{field} is {cap}; a profile may only tighten it"
        )
    tightened = {field: mine for field, mine, _ in _caps(profile, settings.limits)}
    return replace(
        settings,
        choice=_choice(settings.choice, profile),
        limits=replace(settings.limits, **tightened) if tightened else settings.limits,
        dte=settings.dte if profile.dte is None else replace(settings.dte, default=profile.dte),
    )


def check_root(settings: Settings, name: str) -> None:
    """`BadSettings` for a profile whose options go by another root than its ticker: its trades could not be sent."""
    ticker = settings.profiles[name].underlying
    if has_other_root(ticker):
        raise BadSettings(
            f"profile.{name}.underlying is {ticker}, whose options go by the root {option_roots(ticker)[0]}: spy32 "
            "can look at a recorded chain of them, and not trade them yet"
        )


def looser(profile: Profile, limits: Limits) -> Iterator[tuple[str, Any, Any]]:
    """(field, the profile's figure, the global figure) of every cap that the profile would loosen."""
    # Every limit is a "most": the smaller figure is the tighter one.
    return ((field, mine, cap) for field, mine, cap in _caps(profile, limits) if not mine <= cap)


def _caps(profile: Profile, limits: Limits) -> Iterator[tuple[str, Any, Any]]:
    for part in fields(Limits):
        mine = getattr(profile, part.name)
        if mine is not None:
            yield part.name, mine, getattr(limits, part.name)


def _choice(choice: Choice, profile: Profile) -> Choice:
    """The choice with the profile's own wishes; targets outside a new delta band give way to the band's own."""
    new: dict[str, Any] = {}
    if profile.strategies is not None:
        new["strategies"] = profile.strategies
    if profile.widths is not None:
        new["widths"] = profile.widths
        new["width_low"] = min(choice.width_low, *profile.widths)
        new["width_high"] = max(choice.width_high, *profile.widths)
    if profile.delta_low is not None or profile.delta_high is not None:
        low = choice.delta_low if profile.delta_low is None else profile.delta_low
        high = choice.delta_high if profile.delta_high is None else profile.delta_high
        inside = tuple(delta for delta in choice.deltas if low <= delta <= high)
        new |= {"delta_low": low, "delta_high": high, "deltas": inside or (low, (low + high) / 2, high)}
    return replace(choice, **new) if new else choice


def multiplier(dte: Dte, days: float) -> float:
    """How the allowed daily swing scales at `days` to expiration: linear between the known days, level outside."""
    known: Mapping[int, float] = dte.risk_multipliers
    ladder = sorted(known)
    if not ladder:
        raise BadSettings("dte.risk_multipliers is empty")
    at = min(max(days, ladder[0]), ladder[-1])
    below = max(day for day in ladder if day <= at)
    above = min(day for day in ladder if day >= at)
    if below == above:
        return known[below]
    share = (at - below) / (above - below)
    return known[below] + share * (known[above] - known[below])
