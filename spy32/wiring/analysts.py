"""Who may choose, built from the settings on use."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.analysts.rendered_prompt import RenderedPrompt
    from spy32.domain.briefing import Briefing
    from spy32.domain.spreads import Menu
    from spy32.ports import Analyst, ModelRequestLog, Monotonic


def build_rules_analyst(settings: Settings) -> "Analyst":
    from spy32.analysts.rules import RulesAnalyst

    return RulesAnalyst(settings)


def build_trend_analyst(settings: Settings) -> "Analyst":
    from spy32.analysts.trend import TrendAnalyst

    return TrendAnalyst(settings)


RULES: "Mapping[str, Callable[[Settings], Analyst]]" = {"rules": build_rules_analyst, "trend": build_trend_analyst}
"""The fixed rules, which need nothing of the world."""


def build_renderer(version: str, settings: Settings) -> "Callable[[Menu, Briefing, int], RenderedPrompt]":
    """How a menu and a briefing become the prompt of this version."""
    from spy32.analysts.prompt import read_template, render_prompt

    loaded = read_template(version)

    def render_menu(menu: "Menu", briefing: "Briefing", shuffle: int) -> "RenderedPrompt":
        return render_prompt(loaded, menu, briefing, shuffle=shuffle, settings=settings)

    return render_menu


def prompt_version(settings: Settings) -> str:
    """The prompt version that these settings ask for."""
    from spy32.analysts.prompt import resolve_version

    return resolve_version(settings.analyst.prompt, settings.environment)


def build_grok_analyst(  # noqa: PLR0913 - everything that asking depends on
    settings: Settings,
    *,
    version: str,
    role: str,
    journal: "ModelRequestLog",
    run_id: int,
    seed: int,
    clock: Callable[[], datetime],
    monotonic: "Monotonic",
    until: float,
    tell: Callable[[str], None],
) -> "Analyst":
    """The model behind its checks; `BadSettings` for a missing key or an effort that the model refuses."""
    from spy32.analysts.answer import parse_answer
    from spy32.analysts.grok import GrokAnalyst
    from spy32.clients.http import HttpClient
    from spy32.clients.xai import XaiClient
    from spy32.clients.xai_models import check_effort
    from spy32.settings.checks import xai_key

    key = xai_key(settings)
    check_effort(settings.xai.model, settings.xai.effort, settings.xai.accepts)
    http = HttpClient(service="xAI", base=settings.xai.url, clock=clock, sleep=time.sleep, monotonic=monotonic)
    return GrokAnalyst(
        client=XaiClient(http, key),
        render=build_renderer(version, settings),
        judge=parse_answer,
        xai=settings.xai,
        knobs=settings.analyst,
        journal=journal,
        run_id=run_id,
        role=role,
        seed=seed,
        clock=clock,
        sleep=time.sleep,
        monotonic=monotonic,
        until=until,
        tell=tell,
    )
