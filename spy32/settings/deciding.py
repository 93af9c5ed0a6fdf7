"""The part of the settings that a decision depends on, as it is kept with a run, so that a replay uses the same."""

from dataclasses import replace

from spy32.domain.value import value
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


@value
class Deciding:
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


def deciding(settings: Settings, profile: str) -> Deciding:
    """What is kept of `settings` for a run of `profile`."""
    return Deciding(
        choice=settings.choice,
        execution=settings.execution,
        costs=settings.costs,
        limits=settings.limits,
        conditions=settings.conditions,
        exit=settings.exit,
        drift=settings.drift,
        dte=settings.dte,
        market=settings.market,
        analyst=settings.analyst,
        profile=settings.profiles[profile],
    )


def restored(kept: Deciding) -> Settings:
    """Settings that decide as the kept ones did."""
    return replace(
        Settings(),
        choice=kept.choice,
        execution=kept.execution,
        costs=kept.costs,
        limits=kept.limits,
        conditions=kept.conditions,
        exit=kept.exit,
        drift=kept.drift,
        dte=kept.dte,
        market=kept.market,
        analyst=kept.analyst,
        profiles={kept.profile.name: kept.profile},
    )
