"""Who may choose, built from the settings on use."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.analysts.rendered import Rendered
    from spy32.domain.briefing import Briefing
    from spy32.domain.trading import Menu
    from spy32.ports import Analyst, Journal


def rules(settings: Settings) -> "Analyst":
    from spy32.analysts.rules import RulesAnalyst

    return RulesAnalyst(settings)


def trend(settings: Settings) -> "Analyst":
    from spy32.analysts.trend import TrendAnalyst

    return TrendAnalyst(settings)


def renderer(version: str, settings: Settings) -> "Callable[[Menu, Briefing, int], Rendered]":
    """How a menu and a briefing become the prompt of this version."""
    from spy32.analysts.prompt import render, template

    made = template(version)

    def of(menu: "Menu", briefing: "Briefing", shuffle: int) -> "Rendered":
        return render(made, menu, briefing, shuffle=shuffle, settings=settings)

    return of


def version_of(settings: Settings) -> str:
    """The prompt version that these settings ask for."""
    from spy32.analysts.prompt import chosen_version

    return chosen_version(settings.analyst.prompt, settings.environment)


def grok(  # noqa: PLR0913 - everything that asking depends on
    settings: Settings,
    *,
    version: str,
    role: str,
    journal: "Journal",
    run_id: int,
    seed: int,
    clock: Callable[[], datetime],
    tell: Callable[[str], None],
) -> "Analyst":
    """The model behind its checks; `BadSettings` for a missing key or an effort that the model refuses."""
    from spy32.analysts.answer import judge
    from spy32.analysts.grok import GrokAnalyst
    from spy32.clients.http import Http
    from spy32.clients.xai import Xai, check_effort
    from spy32.settings.checks import xai_key

    key = xai_key(settings)
    check_effort(settings.xai.model, settings.xai.effort, settings.xai.accepts)
    http = Http(service="xAI", base=settings.xai.url, clock=clock, sleep=time.sleep, monotonic=time.monotonic)
    return GrokAnalyst(
        client=Xai(http, key),
        render=renderer(version, settings),
        judge=judge,
        xai=settings.xai,
        knobs=settings.analyst,
        journal=journal,
        run_id=run_id,
        role=role,
        seed=seed,
        clock=clock,
        sleep=time.sleep,
        monotonic=time.monotonic,
        tell=tell,
    )
