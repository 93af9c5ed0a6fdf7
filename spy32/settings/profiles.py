"""The settings of one profile, those that a decision depends on, and the multiplier of days to expiration."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.settings.keys import nearest_name
from spy32.settings.model import (
    AnalystKnobs,
    Choice,
    Conditions,
    Costs,
    Drift,
    Dte,
    Execution,
    Exit,
    Limits,
    MarketSources,
    Profile,
    Settings,
)


def for_profile(settings: Settings, name: str) -> Settings:
    """`settings` with the profile merged into choice, limits and dte; `BadSettings` when it is unknown or loosens."""
    profile = settings.profiles.get(name)
    if profile is None:
        known = ", ".join(settings.profiles)
        hint = f"the nearest known one is {nearest_name(name, settings.profiles)}; known are: {known}"
        raise BadSettings(f"there is no profile {name!r}; {hint}")
    for field, mine, cap in loosened_limits(profile, settings.limits):
        raise BadSettings(
            f"profile.{name}.{field} is {mine}, but limits.{field} is {cap}; a profile may only tighten it"
        )
    return replace(
        settings,
        choice=_choice(settings.choice, profile),
        limits=replace(settings.limits, **_overrides(profile, Limits)),
        dte=settings.dte if profile.dte is None else replace(settings.dte, default=profile.dte),
    )


def loosened_limits(profile: Profile, limits: Limits) -> Iterator[tuple[str, Any, Any]]:
    """(field, the profile's figure, the global figure) of every cap that the profile would loosen."""
    # Every limit is a "most": the smaller figure is the tighter one.
    caps = ((name, mine, getattr(limits, name)) for name, mine in _overrides(profile, Limits).items())
    return (cap for cap in caps if not cap[1] <= cap[2])


def _overrides(profile: Profile, section: type) -> dict[str, Any]:
    """The fields of a section that the profile sets."""
    values = {part.name: getattr(profile, part.name, None) for part in fields(section)}
    return {name: setting for name, setting in values.items() if setting is not None}


def _choice(choice: Choice, profile: Profile) -> Choice:
    """The choice with the profile's values. Delta targets outside a new band become its low, middle and high."""
    given = _overrides(profile, Choice)
    if profile.widths is not None:
        given["width_low"] = min(choice.width_low, *profile.widths)
        given["width_high"] = max(choice.width_high, *profile.widths)
    if "delta_low" in given or "delta_high" in given:
        low, high = given.get("delta_low", choice.delta_low), given.get("delta_high", choice.delta_high)
        inside = tuple(delta for delta in choice.deltas if low <= delta <= high)
        given["deltas"] = inside or (low, (low + high) / 2, high)
    return replace(choice, **given)


def multiplier(dte: Dte, days: float) -> float:
    """How the allowed daily swing scales at `days` to expiration: linear between the known days, level outside."""
    known = dte.risk_multipliers
    if not known:
        raise BadSettings("dte.risk_multipliers is empty")
    at = min(max(days, min(known)), max(known))
    below = max(day for day in known if day <= at)
    above = min(day for day in known if day >= at)
    share = (at - below) / (above - below) if above > below else 0.0
    return known[below] + share * (known[above] - known[below])


@value
class DecisionSettings:
    """Knobs of the run, with the profile merged; no address and no secret among them."""

    choice: Choice
    execution: Execution
    costs: Costs
    limits: Limits
    conditions: Conditions
    exit: Exit
    drift: Drift
    dte: Dte
    market: MarketSources
    analyst: AnalystKnobs
    profile: Profile


_SECTIONS = tuple(part.name for part in fields(DecisionSettings) if part.name != "profile")


def decision_settings(settings: Settings, profile: str) -> DecisionSettings:
    """The part of `settings` that is stored with a run of `profile`."""
    return DecisionSettings(**{name: getattr(settings, name) for name in _SECTIONS}, profile=settings.profiles[profile])


def restore_settings(kept: DecisionSettings) -> Settings:
    """Settings that decide as the stored ones did."""
    sections = {name: getattr(kept, name) for name in _SECTIONS}
    return replace(Settings(), **sections, profiles={kept.profile.name: kept.profile})
