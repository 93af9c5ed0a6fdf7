"""The settings that a decision depends on. They are stored with each run, so that a replay uses the same."""

from dataclasses import fields, replace

from spy32.domain.value import value
from spy32.settings import model
from spy32.settings.model import Profile, Settings


@value
class DecisionSettings:
    """Knobs of the run, with the profile merged; no address and no secret among them."""

    choice: model.Choice
    execution: model.Execution
    costs: model.Costs
    limits: model.Limits
    conditions: model.Conditions
    exit: model.Exit
    drift: model.Drift
    dte: model.Dte
    market: model.MarketSources
    analyst: model.AnalystKnobs
    profile: Profile


_SECTIONS = tuple(part.name for part in fields(DecisionSettings) if part.name != "profile")


def decision_settings(settings: Settings, profile: str) -> DecisionSettings:
    """The part of `settings` that is stored with a run of `profile`."""
    return DecisionSettings(**{name: getattr(settings, name) for name in _SECTIONS}, profile=settings.profiles[profile])


def restore_settings(kept: DecisionSettings) -> Settings:
    """Settings that decide as the stored ones did."""
    sections = {name: getattr(kept, name) for name in _SECTIONS}
    return replace(Settings(), **sections, profiles={kept.profile.name: kept.profile})
