"""Who may choose, built from the settings on use."""

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.experiments import model_chooser, prompt_of_chooser
from spy32.domain.proposals import Recommendation
from spy32.domain.spreads import Menu, Mode
from spy32.errors import BadUsage
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.analysts.rendered_prompt import RenderedPrompt
    from spy32.domain.briefing import Briefing
    from spy32.pipeline.replay import RecordedAnalystLookup
    from spy32.ports import Analyst, Clock, Monotonic
    from spy32.store import Store
    from spy32.wiring.base import AppBase


def _build_rules(settings: Settings) -> "Analyst":
    from spy32.analysts.rules import RulesAnalyst

    return RulesAnalyst(settings)


def _build_trend(settings: Settings) -> "Analyst":
    from spy32.analysts.trend import TrendAnalyst

    return TrendAnalyst(settings)


RULES: "Mapping[str, Callable[[Settings], Analyst]]" = {"rules": _build_rules, "trend": _build_trend}
"""The fixed rules, which need nothing of the world."""


def build_renderer(version: str, settings: Settings) -> "Callable[[Menu, Briefing, int], RenderedPrompt]":
    """How a menu and a briefing become the prompt of this version."""
    from spy32.analysts.prompt import read_template, render_prompt

    loaded = read_template(version)

    def render_menu(menu: Menu, briefing: "Briefing", shuffle: int) -> "RenderedPrompt":
        return render_prompt(loaded, menu, briefing, shuffle=shuffle, settings=settings)

    return render_menu


def build_model_analyst(  # noqa: PLR0913 - everything that asking depends on
    app: "AppBase",
    settings: Settings,
    store: "Store",
    run_id: int,
    *,
    version: str,
    role: AnswerRole,
    seed: int,
    until: float = math.inf,
) -> "Analyst":
    """Grok with one prompt version, its attempts written down under `run_id`; it stops asking at `until` (monotonic).

    `BadSettings` for a missing key or an effort that the model refuses.
    """
    from spy32.analysts.answer import parse_answer
    from spy32.analysts.grok import GrokAnalyst
    from spy32.clients.xai import XaiClient
    from spy32.clients.xai_models import check_effort
    from spy32.records.model_calls import SpendingJournal
    from spy32.settings.addresses import foreign_xai
    from spy32.settings.checks import xai_key
    from spy32.wiring.process import build_http

    warning = foreign_xai(settings)
    if warning is not None:
        app.warn_once(warning)
    databases = {mode: app.locations.database(mode) for mode in Mode}
    key, xai = xai_key(settings), settings.xai
    check_effort(xai.model, xai.effort, xai.accepts)
    return GrokAnalyst(
        client=XaiClient(build_http("xAI", xai.url, app.clock), key),
        render=build_renderer(version, settings),
        judge=parse_answer,
        xai=xai,
        knobs=settings.analyst,
        journal=SpendingJournal(store.core, store.model_calls, databases),
        run_id=run_id,
        role=role,
        seed=seed,
        clock=app.clock,
        sleep=time.sleep,
        monotonic=app.monotonic,
        until=until,
        tell=app.report,
    )


def prompt_version(settings: Settings) -> str:
    """The prompt version that these settings ask for."""
    from spy32.analysts.prompt import resolve_version

    return resolve_version(settings.analyst.prompt, settings.environment)


def shadow_versions(settings: Settings) -> tuple[str, ...]:
    """The other prompt versions that the model is asked with, for the record; `BadSettings` for one not there."""
    from spy32.analysts.prompt import other_variant, read_template

    used = prompt_version(settings)
    wanted = [read_template(settings.analyst.challenger).version] if settings.analyst.challenger else []
    wanted += [other_variant(used)] if settings.analyst.shadow_prompt else []
    return tuple(version for version in dict.fromkeys(wanted) if version != used)


def chooser_fingerprint(chooser: str, settings: Settings) -> str:
    """What the choices of an analyst depend on; `BadUsage` for one that there is not."""
    if chooser in RULES:
        return f"delta {settings.choice.rule_delta}, width {settings.choice.rule_width}"
    from spy32.analysts.grok import PARSER_VERSION
    from spy32.analysts.prompt import LAYOUTS, read_template

    version = prompt_of_chooser(chooser)
    if version is None or version not in LAYOUTS:
        known = ", ".join((*RULES, *(f"'{model_chooser(each)}'" for each in LAYOUTS)))
        raise BadUsage(
            f"nobody is called {chooser!r}; known are {known}, and as champion no_trade, menu, market, history"
        )
    model, effort = settings.xai.model, settings.xai.effort
    return f"{model} at effort {effort}, prompt {read_template(version).hash}, checks {PARSER_VERSION}"


def build_recorded_lookup(
    store: "Store", run_id: int, clock: "Clock", monotonic: "Monotonic"
) -> "RecordedAnalystLookup":
    """How a replay gets the model as this run heard it: role, answer, settings and seed -> analyst, differences."""
    from spy32.analysts.recorded import FAILURES_WITHOUT_REQUEST, build_replay_analyst

    attempts = store.model_calls.select_by_run(run_id)

    def find_analyst(
        role: AnswerRole, answer: Recommendation, settings: Settings, seed: int
    ) -> "tuple[Analyst, list[str]] | None":
        asked = [each for each in attempts if each.attempt.role == role and each.attempt.prompt == answer.prompt]
        if not asked or answer.failure in FAILURES_WITHOUT_REQUEST:
            return None
        render = build_renderer(asked[0].attempt.prompt, settings)
        analyst, model = build_replay_analyst(
            answer, asked, render, settings, seed=seed, at=clock(), monotonic=monotonic
        )
        return analyst, model.differences

    return find_analyst


def renew_experiments(app: "AppBase", store: "Store", profile: str, settings: Settings) -> None:
    """Begin each running experiment of the profile anew whose model, prompt, checks or rule has changed."""
    if not store.experiments.select():
        return
    from spy32.review.registration import renew_changed

    def fingerprint(chooser: str) -> str:
        return chooser_fingerprint(chooser, settings)

    try:
        renewed = renew_changed(store, profile, settings, fingerprint, app.clock())
    except BadUsage as error:
        # A prompt that this version of the program does not have; the run needs no experiment.
        app.warn(f"experiments go on unchanged: {error.message}")
        return
    for old, new in renewed:
        app.warn(f"{old.name} has ended, since something of its terms changed; {new.name} goes on in its place")
